"""An import: its row, its lease, its phase, its staging. Nobody else builds a table's name or asks who is at work.

One institution is imported by one import at a time. Advisory locks end with a database session and cannot span tasks, so
a row holds the institution: with a lease of a minute that is renewed while a task works, of hours between tasks, and
with the name of its holder, so that one that is known to be dead is taken over at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeVar

import psutil
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from explorer import database
from explorer.database import Connection, WarehouseUnusableError
from explorer.sources import CHANGES_LOST

log = logging.getLogger(__name__)

Mode = Literal["full", "incremental"]
WORKING = timedelta(seconds=60)
Locked = TypeVar("Locked")
LOCK_TRIES = 3
LOCKED_MILLISECONDS = 10_000  # that somebody who opens an import waits for the institution's row
BETWEEN_TASKS = timedelta(hours=6)
APPROVAL_WITHIN = timedelta(days=3)
STAGING_KEPT = timedelta(days=3)
HEARTBEAT_SECONDS = 15.0
LONGEST_NAME = 63  # of a session, in bytes
TIME = re.compile(r"\d{4}-\d\d-\d\dT")  # how a watermark begins that is the source's clock

# The phases of staging in order; a task wants the one before its own, or its own or a later one to do it again.
PHASES = ("opened", "extracted", "validated", "filtered", "cleaned", "reviewed", "loaded")


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

    @property
    def schema(self) -> str:
        """The schema of its staging."""
        return f"import_{self.id}"

    @property
    def whole(self) -> bool:
        """Whether what is absent is gone."""
        return self.mode == "full"


def session(*names: object) -> str:
    """The name of a session, by which Postgres and its operators know who is at work; at most 63 bytes."""
    name = " ".join(["explorer", *map(str, names)])
    if len(name.encode()) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name.encode()[: LONGEST_NAME - 13].decode(errors='ignore')}-{digest}"


def fence(connection: Connection, *names: object) -> None:
    """Ends other sessions of that name, or whose name begins so: of a worker that was presumed dead.

    Its locks would be waited for otherwise, for as long as it is stopped; and it writes nothing when it wakes.
    """
    name = session(*names)
    ended = connection.execute(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and (application_name = %s or starts_with(application_name, %s))",
        (name, f"{name} "),
    ).fetchone()
    if ended and ended[0]:
        log.warning("ended %d session(s) of a worker that was at this before (%s)", ended[0], name)


def get(connection: Connection, import_id: int) -> Import:
    """The import of that number."""
    row = connection.execute(
        "select id, institution, run_key, mode, reason, dry_run, status, base_version, fingerprint, plan,"
        " published_at is not null, upload from ops.import where id = %s",
        (import_id,),
    ).fetchone()
    if row is None:
        raise HaltedError("no_such_import", f"there is no import {import_id}; `bin/explorer status` lists them")
    return Import(*row)


def holder() -> dict[str, object]:
    """Who this process is, so that another can tell whether it still lives."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": psutil.Process().create_time()}


def take(connection: Connection, import_id: int, lease: timedelta, *, by: Mapping[str, object] | None = None) -> None:
    """Holds an import for a while, in the name of this process unless another (or nobody) is named."""
    connection.execute(
        "insert into ops.lease (import_id, holder, until) values (%s, %s, now() + %s)"
        " on conflict (import_id) do update set holder = excluded.holder, until = excluded.until",
        (import_id, Jsonb(dict(holder() if by is None else by)), lease),
    )


def _is_dead(held: Mapping[str, Any]) -> bool:
    """Whether a holder is known to be dead. One on another machine, or none between two tasks, is not."""
    if held.get("host") != socket.gethostname() or "pid" not in held:
        return False
    try:
        return bool(abs(psutil.Process(held["pid"]).create_time() - held["started"]) > 1)
    except psutil.NoSuchProcess:
        return True


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which run works, and the how-manieth time it begins its task; a scheduler counts that."""

    run_key: str
    number: int


ATTEMPT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for: a run's key (the same key is the same import), and the two switches of the form."""

    run_key: str
    full_import: bool = False
    dry_run: bool = False
    run_url: str | None = None
    stays: bool = False  # the holder lives as long as the import (a command line), not as long as one task


@dataclass(frozen=True, slots=True)
class Subject:
    """The institution as an import sees it."""

    slug: str
    name: str
    source: str
    configured_in: str
    fingerprint: str
    says_changes: bool
    overlap: timedelta
    sweep: str | None = None  # why it is time to compare all that there is, where it is
    upload: int | None = None  # the set of files that this import is to read


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
        mode, reason, plan = _plan(connection, subject, request)
        row = connection.execute(
            "insert into ops.import (institution, run_key, mode, reason, dry_run, base_version, fingerprint, plan,"
            " staging_until, run_url, upload)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, now() + %s, %s, %s) returning id",
            (
                subject.slug, request.run_key, mode, reason, request.dry_run, version, subject.fingerprint, Jsonb(plan),
                STAGING_KEPT, request.run_url, subject.upload,
            ),
        ).fetchall()[0]  # fmt: skip
        import_ = get(connection, int(row[0]))
        _hold(connection, import_.id, request)
        make_staging(connection, import_)
    log.info("import %d of %s is %s: %s", import_.id, subject.slug, mode, reason)
    return import_


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
    return bool(current[2]) or _is_dead(current[1])


def free(connection: Connection, slug: str, *, trial: bool) -> None:
    """Ends an import that waits for an answer, or that nobody works on any more.

    Raises ``BusyError`` for one that is at work, and in a ``trial``, which ends nothing, for any.
    """
    current = _current(connection, slug)
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
        take(connection, import_id, WORKING)
    else:
        take(connection, import_id, BETWEEN_TASKS, by={})


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
    dead = _is_dead(held)
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


def _plan(  # noqa: PLR0911 - a reason each
    connection: Connection, subject: Subject, request: Request
) -> tuple[Mode, str, dict[str, str]]:
    """Full or incremental, the reason in words, and from where."""
    last = connection.execute(
        "select kind, fingerprint, watermarks, id from ops.import"
        " where institution = %s and published_at is not null and kind <> 'purge' order by id desc limit 1",
        (subject.slug,),
    ).fetchone()
    if last is None:
        return "full", "the first import", {}
    kind, fingerprint, watermarks, last_id = last
    if request.full_import:
        return "full", "a full import was asked for", {}
    if kind == "rollback":
        return "full", f"the last change, import {last_id}, was a rollback", {}
    if fingerprint != subject.fingerprint:
        return "full", "the configuration or the rules changed since the last import", {}
    reset = connection.execute(
        "select fingerprint from ops.import where institution = %s and published_at is not null and kind <> 'purge'"
        " and not (mode = 'full' and status = 'failed') order by id desc limit 1",
        (subject.slug,),
    ).fetchone()
    if reset is not None and reset[0] != subject.fingerprint:
        return "full", f"import {last_id} was to reset everything and lost a part of the source", {}
    if not subject.says_changes:
        return "full", "this kind of source cannot say what changed", {}
    if subject.sweep is not None:
        return "full", subject.sweep, {}
    lost = connection.execute(
        "select max(id) from ops.import where institution = %s and id > %s and error ->> 'code' = %s",
        (subject.slug, last_id, CHANGES_LOST),
    ).fetchall()[0][0]
    if lost is not None:
        return "full", f"import {lost} found that the source cannot tell what changed since import {last_id}", {}
    marks = dict(watermarks) if isinstance(watermarks, dict) else {}
    if not marks:
        return "full", f"import {last_id} left no time to start from", {}
    plan = {part: _less(connection, mark, subject.overlap) for part, mark in marks.items()}
    times = [mark for mark in plan.values() if TIME.match(mark)]
    since = f"since {min(times)} (the source's clock at import {last_id}, less an overlap)" if times else ""
    return "incremental", f"changes {since or f'since import {last_id}'}", plan


def _less(connection: Connection, mark: str, overlap: timedelta) -> str:
    """A watermark less an overlap; one that is a place in the source's own list stays as it is."""
    if not TIME.match(mark):
        return mark
    row = connection.execute(
        "select to_char((%s::timestamptz - %s) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')", (mark, overlap)
    ).fetchall()[0]
    return str(row[0])


def since_whole(connection: Connection, institution: str) -> timedelta | None:
    """How long ago the institution was last imported whole with nothing lost.

    None where nothing was published yet; where all full imports lost something, longer than any interval.
    """
    row = connection.execute(
        "select count(*), now() - max(started_at) filter (where mode = 'full' and kind = 'import' and status = 'succeeded')"
        " from ops.import where institution = %s and published_at is not null",
        (institution,),
    ).fetchall()[0]
    return (row[1] or timedelta.max) if row[0] else None


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
    take(connection, import_.id, WORKING)


@contextmanager
def working(
    dsn: str, import_id: int, task: str, *, wants: str, stays: bool = False, anew: bool = False
) -> Iterator[tuple[Connection, Import]]:
    """A task at work on an import: a connection that stands on its staging, in phase ``wants`` or a later one.

    Holds the lease while it lasts and leaves it for hours afterwards; writes the seconds that it took, or the error.
    ``anew``: staging that a crash of Postgres has emptied is begun again; any other task refuses.
    Raises ``FinishedError`` where the import has ended, ``HaltedError`` where staging is missing or not that far.
    """
    started = time.monotonic()
    with database.connect(dsn, application=session(import_id, task)) as connection:
        with connection.transaction():
            import_ = get(connection, import_id)
            if stays:
                _still_ours(connection, import_id)
            _let_in(connection, import_, task, note=False)
            fence(connection, import_id, task)
            revive(connection, import_)
            if not has_staging(connection, import_id):
                message = f"the staging of import {import_id} is missing; clear `open_import`, or start a new run"
                raise HaltedError("no_staging", message)
            take(connection, import_id, WORKING)
        stand_on(connection, import_)
        connection.execute("set work_mem = '128MB'")  # one import sorts whole institutions
        if anew:
            _begin_anew(connection, import_)
        _let_in(connection, import_, task, note=True)
        _want_phase(connection, import_, task, wants)
        connection.commit()
        with _lease(dsn, import_id):
            try:
                yield connection, import_
                connection.commit()
            except BaseException as error:
                if not connection.broken:
                    connection.rollback()
                    _record_error(connection, import_id, task, error)
                raise
            finally:
                if not connection.broken:
                    _record_time(connection, import_id, task, time.monotonic() - started, stays=stays)


def _begin_anew(connection: Connection, import_: Import) -> None:
    """All of staging is emptied together, progress included: then the source is read from its beginning."""
    begun = connection.execute(
        "insert into state (phase) select 'opened' where not exists (select from state)"
    ).rowcount
    if begun:
        log.warning(
            "the staging of import %d was emptied (Postgres restarted after a crash); reading again", import_.id
        )


def _still_ours(connection: Connection, import_id: int) -> None:
    """A command line that lost its lease while it was stopped does not go on beside the one that took over."""
    held = connection.execute("select holder from ops.lease where import_id = %s for update", (import_id,)).fetchone()
    if held is not None and held[0] and held[0] != holder():
        raise HaltedError("taken_over", f"import {import_id} is no longer at work here: somebody else took over")


def is_ours(connection: Connection, import_: Import) -> bool:
    """Whether this run, or at a terminal this process, has not lost an import to another one that went on with it."""
    attempt = ATTEMPT.get()
    if attempt is not None:
        return attempt.run_key == import_.run_key
    held = connection.execute("select holder from ops.lease where import_id = %s", (import_.id,)).fetchone()
    return held is None or held[0] in ({}, holder())


def record_cause(dsn: str, import_id: int, error: BaseException) -> None:
    """Why an import failed, where no step could write that down: it stopped before it began, or for another's sake."""
    with contextlib.suppress(psycopg.Error, WarehouseUnusableError), database.connect(dsn) as connection:
        if is_ours(connection, get(connection, import_id)):
            connection.execute(
                "update ops.import set error = %s where id = %s and status = 'running'"
                " and coalesce(error ->> 'code', 'stopped') = 'stopped'",
                (_told(error, ""), import_id),
            )
            connection.commit()


def _let_in(connection: Connection, import_: Import, task: str, *, note: bool) -> None:
    """Only the latest attempt of a task, in the latest run.

    One that was stopped before it had begun may wake when others have gone on: it would begin what they have done again, or
    end the session of the one that has taken its place. Looked at before that, and noted (``note``) on the staging.
    """
    attempt = ATTEMPT.get()
    if attempt is None or not has_staging(connection, import_.id):
        return
    if attempt.run_key != import_.run_key:
        raise HaltedError(
            "taken_over", f"import {import_.id} is no longer at work here: run {import_.run_key} took over"
        )
    table = sql.Identifier(import_.schema, "state")
    asked = {"task": task, "number": attempt.number}
    later = sql.SQL("select from {} where (attempts ->> %(task)s)::int > %(number)s").format(table)
    if note:
        connection.execute(
            sql.SQL(
                "update {} set attempts = attempts || jsonb_build_object(%(task)s::text, %(number)s::int)"
                " where coalesce((attempts ->> %(task)s)::int, 0) <= %(number)s"
            ).format(table),
            asked,
        )
    if connection.execute(later, asked).fetchone() is not None:
        message = f"attempt {attempt.number} of `{task}` stops: a later one has begun it again"
        raise HaltedError("overtaken", message)


def _want_phase(connection: Connection, import_: Import, task: str, wants: str) -> None:
    row = connection.execute("select phase from state").fetchone()
    if row is None:
        message = (
            f"the staging of import {import_.id} was emptied (Postgres restarted after a crash);"
            " clear `extract` and what follows, to read the source again"
        )
        raise HaltedError("staging_emptied", message)
    if PHASES.index(str(row[0])) < PHASES.index(wants):
        message = f"`{task}` follows phase {wants}, but import {import_.id} is only {row[0]}; clear the task before it"
        raise HaltedError("wrong_phase", message)


def reach(connection: Connection, phase: str) -> None:
    """Staging has reached a phase; committed with the work of it."""
    connection.execute("update state set phase = %s, at = now()", (phase,))


def _record_error(connection: Connection, import_id: int, task: str, error: BaseException) -> None:
    told = _told(error, task)
    connection.execute(  # a cause stays before what follows from it, and before all what makes the next import full
        "update ops.import set error = %s where id = %s"
        " and (error is null or %s <> 'stopped') and error ->> 'code' is distinct from %s",
        (told, import_id, told.obj["code"], CHANGES_LOST),
    )
    connection.commit()


def _told(error: BaseException, task: str) -> Jsonb:
    code = str(getattr(error, "code", type(error).__name__))
    message = str(error).strip() or ("interrupted" if isinstance(error, KeyboardInterrupt) else code)
    return Jsonb({"task": task, "code": code, "message": message})


def _record_time(connection: Connection, import_id: int, task: str, seconds: float, *, stays: bool) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    status = connection.execute(
        "update ops.import set seconds = seconds || %s, peak_rss_mb = greatest(peak_rss_mb, %s) where id = %s returning status",
        (Jsonb({task: round(seconds, 2)}), peak, import_id),
    ).fetchall()[0][0]
    if status == "running":  # one that waits for an answer is held until its deadline instead
        take(connection, import_id, BETWEEN_TASKS, by=holder() if stays else {})
    connection.commit()


@contextmanager
def _lease(dsn: str, import_id: int) -> Iterator[None]:
    """Renews the lease while a task works, from a thread and a connection of its own; one that breaks is made anew."""
    done = threading.Event()

    def renew() -> None:
        while not done.is_set():
            try:
                with database.connect(dsn, application=session(import_id, "lease")) as connection:
                    connection.autocommit = True
                    while True:
                        connection.execute(
                            "update ops.lease set until = now() + %s where import_id = %s and holder = %s",
                            (WORKING, import_id, Jsonb(holder())),
                        )
                        if done.wait(HEARTBEAT_SECONDS):
                            return
            except (psycopg.Error, WarehouseUnusableError) as error:
                log.warning("the lease of import %d could not be renewed: %s", import_id, str(error).strip())
                done.wait(HEARTBEAT_SECONDS)

    thread = threading.Thread(target=renew, name=f"lease-{import_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=5)


def hold_still(connection: Connection, import_: Import) -> None:
    """Locks the import's row as running, so that nothing of it is written after somebody else has taken over."""
    row = connection.execute("select status from ops.import where id = %s for share", (import_.id,)).fetchone()
    if row is None or row[0] != "running":
        raise HaltedError("taken_over", f"import {import_.id} is no longer at work here: somebody else took over")


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
    take(connection, import_id, BETWEEN_TASKS, by=holder() if stays else {})
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
