"""Privacy: what the institution does not share is dropped before anything is compared or published.

The rules are SQL over staging (``include/sql/privacy``); a source that knows privacy only states levels and people's
status. Sources without privacy share what they send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer import database, staging, tasks
from explorer.imports import Import
from explorer.sources import Abilities

if TYPE_CHECKING:
    from explorer.config import Institution
    from explorer.database import Connection

LEVELS = {"public": ["public"], "public_and_internal": ["public", "internal"]}


def policy_of(institution: Institution) -> dict[str, object]:
    """What passes, as the statements take it."""
    return {
        "levels": LEVELS[institution.privacy.level],
        "user_status": institution.privacy.user_status,
        "profile_types": institution.privacy.profile_types,
    }


def _join_authorships(connection: Connection, import_: Import, institution: Institution) -> None:
    """Gives each output those who wrote it. An incremental import also looks at published outputs that it did not read."""
    database.run(connection, "authorships/authorships")
    connection.execute("analyze authorship")
    if not import_.whole:
        parameters = {
            "institution": institution.slug,
            "levels": LEVELS[institution.privacy.level],
            "policy": institution.orphans,
            "first": staging.STORED,
        }
        database.run(connection, "authorships/stored_outputs", parameters)
    database.run(connection, "authorships/contributions")
    connection.execute("analyze contribution")


def filter_records(
    connection: Connection, import_: Import, institution: Institution, abilities: Abilities
) -> dict[str, int]:
    """Drops records and credits; writes counts by rule to ``ops.privacy_drop``. Returns counts for the log."""
    tasks.hold_still(connection, import_)
    database.run(connection, "staging/forget_stage", {"stages": ["privacy_filter", "clean_up_orphans", "review"]})
    connection.execute("truncate credit")
    connection.execute("delete from ops.privacy_drop where import_id = %s", (import_.id,))
    levels = LEVELS[institution.privacy.level]
    dropped = 0
    if abilities.lists_authorships:
        database.run(connection, "authorships/forget_stored", {"first": staging.STORED})
    if abilities.knows_privacy:
        dropped = database.run(connection, "privacy/drop_records", policy_of(institution)).rowcount
        database.run(connection, "privacy/places")
    if abilities.lists_authorships:
        _join_authorships(connection, import_, institution)
    credits_shown = database.run(
        connection,
        "privacy/credits",
        {"levels": levels, "knows_privacy": abilities.knows_privacy, "lists_authors": abilities.lists_authors},
    ).rowcount
    connection.execute("analyze credit")
    if abilities.lists_authorships:
        database.run(connection, "authorships/placed")
    rules = 0
    connection.execute("truncate hidden_authorship")
    if abilities.knows_privacy:
        database.run(connection, "privacy/hidden_authorships", {"levels": levels})
        connection.execute("analyze hidden_authorship")
        rules = database.run(connection, "privacy/counts", {"import_id": import_.id}).rowcount
    if abilities.joins_records:
        database.run(connection, "staging/name_aliases")
    tasks.reach(connection, "filtered")
    return {"dropped": dropped, "rules": rules, "credits": credits_shown}
