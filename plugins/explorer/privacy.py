"""Privacy: what the institution does not share is dropped before anything is compared or published.

The rules are SQL over staging (``include/sql/privacy``); a source that knows privacy only states levels and people's
status. Sources without privacy share what they send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer import database, imports
from explorer.imports import Import
from explorer.sources import Abilities

if TYPE_CHECKING:
    from explorer.config import Institution
    from explorer.database import Connection

LEVELS = {"public": ["public"], "public_and_internal": ["public", "internal"]}


def filter_records(
    connection: Connection, import_: Import, institution: Institution, abilities: Abilities
) -> dict[str, int]:
    """Drops records and credits; writes counts by rule to ``ops.privacy_drop``. Returns counts for the log."""
    imports.hold_still(connection, import_)
    database.run(connection, "staging/forget_stage", {"stages": ["privacy_filter", "clean_up_orphans", "review"]})
    connection.execute("truncate credit")
    connection.execute("delete from ops.privacy_drop where import_id = %s", (import_.id,))
    levels = LEVELS[institution.privacy.level]
    dropped = 0
    if abilities.knows_privacy:
        policy = {
            "levels": levels,
            "user_status": institution.privacy.user_status,
            "profile_types": institution.privacy.profile_types,
        }
        dropped = database.run(connection, "privacy/drop_records", policy).rowcount
    credits_shown = database.run(
        connection,
        "privacy/credits",
        {"levels": levels, "knows_privacy": abilities.knows_privacy, "lists_authors": abilities.lists_authors},
    ).rowcount
    connection.execute("analyze credit")
    rules = 0
    if abilities.knows_privacy:
        rules = database.run(connection, "privacy/counts", {"import_id": import_.id}).rowcount
    if abilities.joins_records:
        database.run(connection, "staging/name_aliases")
    imports.reach(connection, "filtered")
    return {"dropped": dropped, "rules": rules, "credits": credits_shown}
