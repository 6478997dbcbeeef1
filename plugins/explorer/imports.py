"""An import: its row, from its opening to its end, and the schema of its staging; nobody else builds a table's name.

One institution is imported by one import at a time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from explorer import database, leases
from explorer.database import Connection
from explorer.leases import fence, is_dead, take
from explorer.planning import Mode, Request, Subject, owed_to_another, plan

log = logging.getLogger(__name__)

Locked = TypeVar("Locked")
LOCK_TRIES = 3
LOCKED_MILLISECONDS = 10_000  # that somebody who opens an import waits for the institution's row
APPROVAL_WITHIN = timedelta(days=3)
STAGING_KEPT = timedelta(days=3)


class HaltedError(Exception):
    """An import cannot go on: ``code`` is stable, the message says why and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class BusyError(HaltedError):
    """Another import of this institution is at work, or the institution is on hold; that is no failure."""


class FinishedError(HaltedError):
    """The import has ended; doing one of its tasks again does nothing."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import as its row says. ``plan`` holds the watermarks that the source was asked with, by part."""

    id: int
    institution: str
    run_key: str
    mode: Mode
    reason: str
    dry_run: bool
    status: str
    base_version: int
    fingerprint: str
    plan: Mapping[str, str]
    published: bool
    upload: int | None = None  # the set of files that it reads, where the institution sends such
    run_url: str | None = None  # the page of its run, where that has one

    @property
    def schema(self) -> str:
        """The schema of its staging."""
        return f"import_{self.id}"

    @property
    def whole(self) -> bool:
        """Whether what is absent is gone."""
        return self.mode == "full"


def get(connection: Connection, import_id: int) -> Import:
    """The import of that number."""
    row = connection.execute(
        "select id, institution, run_key, mode, reason, dry_run, status, base_version, fingerprint, plan,"
        " published_at is not null, upload, run_url from ops.import where id = %s",
        (import_id,),
    ).fetchone()
    if row is None:
        raise HaltedError("no_such_import", f"there is no import {import_id}; `bin/explorer status` lists them")
    return Import(*row)


def open_import(connection: Connection, subject: Subject, request: Request) -> Import:
    """Takes the institution and makes the import's row and staging; or goes on with what a dead holder left.

    Raises ``BusyError`` where another import is at work or the institution is on hold.
    """
    with connection.transaction():
        version, hold = patiently(connection, subject.slug, lambda: _locked(connection, subject))
        known = connection.execute(
            "select id, status from ops.import where institution = %s and run_key = %s", (subject.slug, request.run_key)
        ).fetchone()
        if known is not None:
            return _again(connection, int(known[0]), request)
        if hold is not None and not request.dry_run:
            message = (
                f"{subject.slug} is on hold ({hold}), so nothing is imported; the DAG `release` or"
                f" `bin/explorer release {subject.slug}` lifts that"
            )
            raise BusyError("on_hold", message)
        current = _current(connection, subject.slug)
        if current is not None:
            adopted = _take_over(connection, subject, request, current)
            if adopted is not None:
                return adopted
        mode, reason, begins = plan(connection, subject, request)
        row = connection.execute(
            "insert into ops.import (institution, run_key, mode, reason, dry_run, base_version, fingerprint, plan,"
            " staging_until, run_url, upload)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, now() + %s, %s, %s) returning id",
            (
                subject.slug, request.run_key, mode, reason, request.dry_run, version, subject.fingerprint, Jsonb(begins),
                STAGING_KEPT, request.run_url, subject.upload,
            ),
        ).fetchall()[0]  # fmt: skip
        import_ = get(connection, int(row[0]))
        _hold(connection, import_.id, request)
        make_staging(connection, import_)
    log.info("import %d of %s is %s: %s", import_.id, subject.slug, mode, reason)
    return import_


def heard(connection: Connection, import_: Import, speaks: str) -> None:
    """Notes what the source says to be. Where it was something else at the last import, one of changes becomes a full one."""
    connection.execute("update ops.import set speaks = %s where id = %s", (speaks, import_.id))
    if not import_.whole and (owed := owed_to_another(connection, import_.institution, speaks)) is not None:
        connection.execute(
            "update ops.import set mode = 'full', reason = %s, plan = '{}' where id = %s", (owed, import_.id)
        )
        log.info("import %d is full: %s", import_.id, owed)


def patiently(connection: Connection, slug: str, lock: Callable[[], Locked]) -> Locked:
    """What ``lock`` gives, which locks the institution's row, in the transaction at hand.

    The row is held for long by a load that is at work, or for ever by one that was stopped in it: then its lease runs out,
    and its sessions are ended. Raises ``BusyError`` where somebody is at work who is alive.
    """
    for tries_left in reversed(range(LOCK_TRIES)):
        try:
            with connection.transaction():
                connection.execute(f"set local lock_timeout = {LOCKED_MILLISECONDS}")
                locked = lock()
                connection.execute("set local lock_timeout = 0")
                return locked
        except psycopg.errors.LockNotAvailable:
            current = _current(connection, slug)
            if current is None:
                message = f"something else is at work on {slug}: try again when it has ended"
                raise BusyError("busy", message) from None
            if not tries_left or not is_left(current):
                raise _busy(slug, current) from None
            fence(connection, int(current[0]))
    raise AssertionError  # the last try returns or raises


def _current(connection: Connection, slug: str) -> tuple[Any, ...] | None:
    """The import that holds an institution, as ``_take_over`` wants it."""
    return connection.execute(
        "select id, holder, until < clock_timestamp(), status, fingerprint, dry_run, started_at, mode, upload,"
        " staging_until < clock_timestamp()"
        " from ops.import join ops.lease on import_id = id where institution = %s"
        " and status in ('running', 'awaiting_approval')",
        (slug,),
    ).fetchone()


def is_left(current: tuple[Any, ...]) -> bool:
    """Whether nobody works on an import any more: its lease has run out, or its holder is known to be dead."""
    return bool(current[2]) or is_dead(current[1])


def free(connection: Connection, slug: str, *, trial: bool) -> None:
    """Ends an import that waits for an answer, or that nobody works on any more.

    Raises ``BusyError`` for one that is at work, and in a ``trial``, which ends nothing, for any.
    """
    current = _current(connection, slug)
    if current is not None and current[3] == "awaiting_approval":
        connection.execute("select from ops.import where id = %s for update", (current[0],))
        current = _current(connection, slug)  # somebody may have answered in this moment
    if current is None:
        return
    if current[3] == "awaiting_approval":
        if trial:
            raise _waits(slug, current)
        close(connection, int(current[0]), "declined")
        drop_staging(connection, int(current[0]))
        return
    if trial or not is_left(current):
        raise _busy(slug, current)
    fence(connection, int(current[0]))
    close(connection, int(current[0]), "failed", "abandoned", "its holder is gone")
    drop_staging(connection, int(current[0]))


def _busy(slug: str, current: tuple[Any, ...]) -> BusyError:
    message = f"import {current[0]} of {slug} is at work since {current[6]:%Y-%m-%d %H:%M:%S} UTC"
    return BusyError("busy", message)


def _waits(slug: str, current: tuple[Any, ...]) -> BusyError:
    message = f"import {current[0]} of {slug} waits for approval: `bin/explorer approve {slug}` or `bin/explorer reject {slug}`"
    return BusyError("awaiting_approval", message)


def _locked(connection: Connection, subject: Subject) -> tuple[int, str | None]:
    """The institution's version, and why it is on hold, if it is; its row is locked, and made where it is missing."""
    connection.execute(
        "insert into ops.institution (slug, name, source, configured_in) values (%s, %s, %s, %s)"
        " on conflict (slug) do update"
        " set name = excluded.name, source = excluded.source, configured_in = excluded.configured_in",
        (subject.slug, subject.name, subject.source, subject.configured_in),
    )
    row = connection.execute(
        "select version, hold from ops.institution where slug = %s for update", (subject.slug,)
    ).fetchall()[0]
    return int(row[0]), row[1]


def _hold(connection: Connection, import_id: int, request: Request) -> None:
    """What opens an import as a task has ended before the next task begins: its end is no death of the holder."""
    if request.stays:
        take(connection, import_id, leases.WORKING)
    else:
        take(connection, import_id, leases.BETWEEN_TASKS, by={})


def _again(connection: Connection, import_id: int, request: Request) -> Import:
    """The same run key is the same import: a retried or cleared ``open_import``."""
    import_ = get(connection, import_id)
    if import_.status in ("running", "failed"):
        revive(connection, import_)
        _hold(connection, import_id, request)
        log.info("import %d is taken up again (run %s)", import_id, request.run_key)
        return get(connection, import_id)
    message = f"import {import_id} of this run has ended ({import_.status}); start a new run to import again"
    raise FinishedError("finished", message)


def _take_over(connection: Connection, subject: Subject, request: Request, current: tuple[Any, ...]) -> Import | None:
    """What to do with an import that holds the institution: refuse, go on with it, or end it and start anew."""
    import_id, held, expired, status, fingerprint, dry_run, _started_at, mode, upload, too_old = current
    dead = is_dead(held)
    if status == "awaiting_approval" and not expired:
        raise _waits(subject.slug, current)
    if not (expired or dead):
        raise _busy(subject.slug, current)
    fence(connection, int(import_id))
    same = (
        fingerprint == subject.fingerprint
        and not too_old  # what it has read was true days ago
        and upload == subject.upload
        and dry_run == request.dry_run
        and (mode == "full" or not request.full_import)
    )
    if same and status == "running" and has_staging(connection, int(import_id)):
        connection.execute(
            "update ops.import set run_key = %s, run_url = coalesce(%s, run_url), error = null where id = %s",
            (request.run_key, request.run_url, import_id),
        )
        _hold(connection, int(import_id), request)
        log.info(
            "import %d was left by %s; going on where it stopped", import_id, "a dead process" if dead else "its lease"
        )
        return get(connection, int(import_id))
    reason = "no answer in time" if status == "awaiting_approval" else "its holder is gone"
    close(connection, int(import_id), "declined" if status == "awaiting_approval" else "failed", "abandoned", reason)
    drop_staging(connection, int(import_id))
    return None


def make_staging(connection: Connection, import_: Import) -> None:
    """Makes the schema of an import's staging, and stands on it for this transaction."""
    connection.execute(sql.SQL("create schema {}").format(sql.Identifier(import_.schema)))
    stand_on(connection, import_, local=True)
    database.run(connection, "staging/create")
    connection.execute("insert into state (phase) values ('opened')")


def stand_on(connection: Connection, import_: Import, *, local: bool = False) -> None:
    """Puts the import's staging at the front of the search path: of this transaction, or of the session."""
    connection.execute("select set_config('search_path', %s, %s)", (f"{import_.schema}, public", local))


def has_staging(connection: Connection, import_id: int) -> bool:
    """Whether the staging of an import is there."""
    row = connection.execute("select to_regclass(%s) is not null", (f"import_{import_id}.state",)).fetchone()
    return row is not None and row[0] is True


def drop_staging(connection: Connection, import_id: int) -> None:
    """Drops the staging of an import, if it is there."""
    connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(f"import_{import_id}")))


def drop_earlier_staging(connection: Connection, import_: Import) -> None:
    """Drops what earlier imports of the institution left in staging, once something newer is published.

    Failed ones can no longer be taken up, what a dry run found is no longer so, and both may name who turned private since.
    """
    earlier = connection.execute(
        "select id from ops.import where institution = %s and id < %s"
        " and status not in ('running', 'awaiting_approval') and to_regclass('import_' || id || '.state') is not null",
        (import_.institution, import_.id),
    ).fetchall()
    for (import_id,) in earlier:
        drop_staging(connection, int(import_id))


def drop_expired_staging(connection: Connection) -> int:
    """Drops staging past its deadline, of imports that are not at work; returns how many.

    An import that got no answer in time ends, too, and so does one that was left for dead: what it read has passed no rule.
    """
    ended = connection.execute(
        "select id, status from ops.import join ops.lease on import_id = id where until < now()"
        " and (status = 'awaiting_approval' or (status = 'running' and staging_until < now()))"
        " for update of import skip locked"
    ).fetchall()
    for import_id, status in ended:
        if status == "awaiting_approval":
            close(connection, int(import_id), "declined")
            log.warning("import %d got no answer in time: declined, nothing has changed", import_id)
        else:
            fence(connection, int(import_id))
            close(connection, int(import_id), "failed", "abandoned", "its holder is gone")
            log.warning("import %d was left for dead: failed, nothing has changed", import_id)
        drop_staging(connection, int(import_id))
    expired = connection.execute(
        "select id from ops.import where staging_until < now() and status not in ('running', 'awaiting_approval')"
        " and to_regclass('import_' || id || '.state') is not null"
    ).fetchall()
    for (import_id,) in expired:
        drop_staging(connection, int(import_id))
    connection.commit()
    return len(expired)


def revive(connection: Connection, import_: Import) -> None:
    """A failed import one of whose tasks is run again is running again, if nobody else is and nothing has moved."""
    if import_.status == "running":
        return
    if import_.status != "failed" or import_.published:
        message = f"import {import_.id} has ended ({import_.status}); there is nothing left to do"
        raise FinishedError("finished", message)
    newer = connection.execute(
        "select max(id) from ops.import"
        " where institution = %s and id > %s and published_at is not null and kind <> 'purge'",
        (import_.institution, import_.id),
    ).fetchall()[0][0]
    if newer is not None:
        message = (
            f"import {newer} of {import_.institution} was published since; what import {import_.id} read is older and would"
            " undo it, so it is not taken up again; start a new run"
        )
        raise HaltedError("superseded", message)
    if not has_staging(connection, import_.id):
        message = f"the staging of import {import_.id} is gone; clear `open_import` in a new run, or import again"
        raise HaltedError("no_staging", message)
    other = connection.execute(
        "select id from ops.import where institution = %s and status in ('running', 'awaiting_approval')",
        (import_.institution,),
    ).fetchone()
    if other is not None:
        raise BusyError(
            "busy", f"import {other[0]} of {import_.institution} is at work; import {import_.id} stays failed"
        )
    connection.execute(
        "update ops.import set status = 'running', finished_at = null, error = null where id = %s", (import_.id,)
    )
    take(connection, import_.id, leases.WORKING)


def close(connection: Connection, import_id: int, status: str, code: str = "", message: str = "") -> None:
    """Ends an import that is still open, in the transaction at hand."""
    connection.execute(
        "update ops.import set status = %s, finished_at = now(),"
        " error = coalesce(error, case when %s then %s::jsonb end) where id = %s and finished_at is null",
        (status, status == "failed", json.dumps({"task": "", "code": code, "message": message}), import_id),
    )


def rest(connection: Connection, import_id: int, *, until: timedelta) -> None:
    """An import waits for a person's answer; without one it ends at the deadline."""
    connection.execute(
        "update ops.import set status = 'awaiting_approval', error = null,"
        " staging_until = greatest(staging_until, now() + %s + interval '1 day') where id = %s and status = 'running'",
        (until, import_id),
    )
    take(connection, import_id, until, by={})


def answer(connection: Connection, import_id: int, *, approved: bool, by: str, stays: bool = False) -> None:
    """A person's answer to an import that waits; with ``stays`` this process goes on with it.

    Raises ``FinishedError`` where it waits no longer: it has ended, or its time to be approved is over, and then it ends.
    """
    row = connection.execute(
        "select status, until < now(), until from ops.import join ops.lease on import_id = id where id = %s"
        " for update of import",
        (import_id,),
    ).fetchone()
    if row is None or row[0] != "awaiting_approval":
        connection.rollback()
        message = f"import {import_id} does not wait for approval (any more): it is {get(connection, import_id).status}"
        raise FinishedError("not_waiting", message)
    in_time = not row[1]
    connection.execute(
        "update ops.import set status = %s, approved_by = %s, finished_at = case when %s then null else now() end"
        " where id = %s",
        ("running" if approved and in_time else "declined", by if in_time else None, approved and in_time, import_id),
    )
    take(connection, import_id, leases.BETWEEN_TASKS, by=leases.holder() if stays else {})
    connection.commit()
    if approved and not in_time:
        message = (
            f"import {import_id} could be approved until {row[2]:%Y-%m-%d %H:%M} UTC; it has ended and nothing has changed:"
            " import again"
        )
        raise FinishedError("too_late", message)


def end(connection: Connection, import_id: int, status: str, *, code: str = "", message: str = "") -> None:
    """Ends an import that is still open."""
    close(connection, import_id, status, code, message)
    connection.commit()
