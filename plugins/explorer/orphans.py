"""Orphans: what becomes of outputs without authors (integration guide, "Post synchronization clean-up")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer import database, tasks

if TYPE_CHECKING:
    from explorer.database import Connection
    from explorer.imports import Import


def clean_up(connection: Connection, import_: Import, policy: str) -> dict[str, int]:
    """Applies the policy, then gives every record that is left its end. Returns counts for the log."""
    tasks.hold_still(connection, import_)
    database.run(connection, "staging/forget_stage", {"stages": ["clean_up_orphans", "review"]})
    orphaned = database.run(connection, "orphans/remove", {"policy": policy}).rowcount
    published = database.run(connection, "staging/ends").rowcount
    connection.execute("analyze verdict")
    connection.execute("truncate published_record")
    database.run(connection, "staging/published")
    connection.execute("analyze published_record")
    tasks.reach(connection, "cleaned")
    return {"orphaned": orphaned, "ended": published}
