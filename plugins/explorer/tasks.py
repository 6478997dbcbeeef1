"""A task at work on an import: the only one of its kind, on staging that is far enough, under a lease, its end written down."""

from __future__ import annotations

import contextlib
import logging
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from explorer import database, leases
from explorer.database import Connection, WarehouseUnusableError
from explorer.imports import HaltedError, Import, get, has_staging, revive, stand_on
from explorer.leases import fence, holder, session, take
from explorer.sources import CHANGES_LOST

log = logging.getLogger(__name__)

# The phases of staging in order; a task wants the one before its own, or its own or a later one to do it again.
PHASES = ("opened", "extracted", "validated", "filtered", "cleaned", "reviewed", "loaded")


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which run works, and the how-manieth time it begins its task; a scheduler counts that."""

    run_key: str
    number: int


ATTEMPT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


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
            take(connection, import_id, leases.WORKING)
        stand_on(connection, import_)
        connection.execute("set work_mem = '128MB'")  # one import sorts whole institutions
        if anew:
            _begin_anew(connection, import_)
        _let_in(connection, import_, task, note=True)
        _want_phase(connection, import_, task, wants)
        connection.commit()
        with leases.renewing(dsn, import_id):
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
        take(connection, import_id, leases.BETWEEN_TASKS, by=holder() if stays else {})
    connection.commit()


def hold_still(connection: Connection, import_: Import) -> None:
    """Locks the import's row as running, so that nothing of it is written after somebody else has taken over."""
    row = connection.execute("select status from ops.import where id = %s for share", (import_.id,)).fetchone()
    if row is None or row[0] != "running":
        raise HaltedError("taken_over", f"import {import_.id} is no longer at work here: somebody else took over")
