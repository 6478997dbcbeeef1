"""History: what an import changed, and the way back.

A rollback is an import of its own: it works out what each thing that changed since was, applies that as a delta in one
transaction, and puts the institution on hold, or else the schedule would undo it. What privacy has removed since stays away.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from explorer import database, imports, leases, tasks, warehouse
from explorer.config_values import in_words
from explorer.database import Connection
from explorer.imports import FinishedError, HaltedError, Import
from explorer.sources import Abilities

log = logging.getLogger(__name__)


def rollback(
    connection: Connection,
    slug: str,
    *,
    to_import: int,
    by: str,
    abilities: Abilities,
    orphans: str,
    dry_run: bool = False,
    run_key: str | None = None,
) -> int:
    """Publishes what was published after import ``to_import``, minus what privacy has removed; returns the new import.

    ``orphans``: the institution's policy, since an output may have lost its last author to privacy.

    Raises ``BusyError`` while an import is at work, ``HaltedError`` where the history does not reach back that far,
    ``FinishedError`` where the run of that key has rolled back already: one that is cleared does not undo what came since.
    """
    with connection.transaction():
        import_ = _open(connection, slug, to_import, by, dry_run=dry_run, run_key=run_key or str(uuid.uuid4()))
        imports.make_staging(connection, import_)
        parameters = {
            "institution": slug, "to_import": to_import, "knows_privacy": abilities.knows_privacy, "policy": orphans,
        }  # fmt: skip
        connection.execute(
            'create temp table target (entity text, key text collate "C", document jsonb, primary key (entity, key))'
            " on commit drop"
        )
        database.run(connection, "rollback/targets", parameters)
        database.run(connection, "rollback/kept", parameters)
        database.run(connection, "review/same_departments", parameters)
        for entity in ("department", "author", "output"):
            database.run(connection, f"rollback/{entity}s", parameters)
            database.run(connection, f"review/{entity}_fingerprints")  # it may be put back without what privacy removed
        database.run(connection, "rollback/authorless", parameters)
        database.run(connection, "rollback/scope", parameters)
        database.run(connection, "review/index")
        for entity in ("departments", "authors", "outputs"):
            database.run(connection, f"review/delta_{entity}", parameters)
        connection.execute("update delta set reason = 'rolled_back' where action = 'remove'")
        tally = warehouse.count(connection, slug, Abilities()).tally
        connection.execute("update ops.import set tally = %s where id = %s", (Jsonb(tally), import_.id))
        tasks.reach(connection, "reviewed")
        if dry_run:
            imports.close(connection, import_.id, "dry_run")
        else:
            warehouse.load(connection, import_, status="rolled_back")
            connection.execute(
                "update ops.institution set hold = %s where slug = %s",
                (f"rolled back to import {to_import} by {by}", slug),
            )
            imports.drop_staging(connection, import_.id)
            imports.drop_earlier_staging(connection, import_)
    log.info("%s is as it was after import %d", slug, to_import)
    return import_.id


def _open(connection: Connection, slug: str, to_import: int, by: str, *, dry_run: bool, run_key: str) -> Import:
    """The row of a rollback. An import that waits for approval, or that nobody works on, ends; one at work is in the way."""
    lock = "select version, history_from from ops.institution where slug = %s for update"
    found = imports.patiently(connection, slug, lambda: connection.execute(lock, (slug,)).fetchone())
    if found is None:
        raise HaltedError("no_such_institution", f"{slug} was never imported into this warehouse")
    done = connection.execute(
        "select id from ops.import where institution = %s and run_key = %s", (slug, f"rollback-{run_key}")
    ).fetchone()
    if done is not None:
        message = f"this run was import {done[0]} of {slug}, which has ended; start a new run to roll back again"
        raise FinishedError("finished", message)
    target = connection.execute(
        "select published_at is not null and kind <> 'purge' from ops.import where institution = %s and id = %s",
        (slug, to_import),
    ).fetchone()
    if target is None or not target[0]:
        known = connection.execute(
            "select coalesce(string_agg(id::text, ', ' order by id desc), 'none yet')"
            " from (select id from ops.import where institution = %s and published_at is not null and kind <> 'purge'"
            " order by id desc limit 10) i",
            (slug,),
        ).fetchall()[0][0]
        raise HaltedError("no_such_import", f"import {to_import} of {slug} published nothing; these did: {known}")
    if to_import < found[1]:
        message = f"the history of {slug} reaches back to import {found[1]} only; import again instead"
        raise HaltedError("history_gone", message)
    imports.free(connection, slug, trial=dry_run)
    row = connection.execute(
        "insert into ops.import (institution, run_key, kind, mode, reason, dry_run, base_version, fingerprint, staging_until)"
        " values (%s, %s, 'rollback', 'full', %s, %s, %s, 'rollback', now() + %s) returning id",
        (
            slug, f"rollback-{run_key}", f"rolled back to import {to_import} by {by}", dry_run, found[0],
            imports.STAGING_KEPT,
        ),
    ).fetchall()[0]  # fmt: skip
    leases.take(connection, row[0], leases.WORKING)
    return imports.get(connection, row[0])


@dataclass(frozen=True, slots=True)
class Expected:
    """How often an institution is to be published, and since when it is expected at all."""

    every: timedelta
    since: datetime


def late(connection: Connection, expected: Mapping[str, Expected], now: datetime) -> dict[str, str]:
    """A sentence about each institution that was published longer ago than expected; those on hold are late on purpose."""
    known = {slug: row for slug, *row in database.run(connection, "explorer/freshness")}
    sentences = {}
    for slug, due in sorted(expected.items()):
        hold, published_at, added_at, waits = known.get(slug, (None, None, due.since, None))
        if hold is not None or now - (published_at or added_at) <= due.every:
            continue
        since = f"since {published_at:%Y-%m-%d %H:%M} UTC" if published_at else "ever"
        answer = f"; import {waits} waits for approval" if waits else ""
        sentences[slug] = (
            f"{slug}: no import was published {since}, but one is expected every {in_words(due.every)}{answer}"
        )
    return sentences


def untold(connection: Connection, late_now: Collection[str]) -> set[str]:
    """Of those who are late, whom the operators have not heard of in the last day; they count as told with the commit."""
    return {row[0] for row in database.run(connection, "notices/late", {"slugs": list(late_now)})}


def release(connection: Connection, slug: str) -> str | None:
    """Lifts the hold of an institution; returns why it was on hold, None where it was not."""
    row = connection.execute(
        "update ops.institution n set hold = null from ops.institution o"
        " where n.slug = %s and o.slug = n.slug returning o.hold",
        (slug,),
    ).fetchone()
    connection.commit()
    return row[0] if row else None


def forget(connection: Connection, slug: str, retention: timedelta) -> int:
    """Drops history that is older than the institution keeps; returns how many changes."""
    old = connection.execute(
        "select max(id) from ops.import where institution = %s and published_at < now() - %s", (slug, retention)
    ).fetchall()[0][0]
    if old is None:
        return 0
    gone = connection.execute("delete from ops.change where institution = %s and import_id <= %s", (slug, old)).rowcount
    if gone:
        connection.execute(
            "update ops.institution set history_from = greatest(history_from, %s) where slug = %s", (old, slug)
        )
    return gone
