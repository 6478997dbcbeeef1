"""Who is at work: sessions by name, and the lease that holds an import.

Advisory locks end with a database session and cannot span tasks, so a row holds an import: for a minute that is renewed
while a task works, for hours between tasks, and with the name of its holder, so that one that is known to be dead is taken
over at once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psutil
import psycopg
from psycopg.types.json import Jsonb

from explorer import database
from explorer.database import Connection, WarehouseUnusableError

log = logging.getLogger(__name__)

WORKING = timedelta(seconds=60)
BETWEEN_TASKS = timedelta(hours=6)
HEARTBEAT_SECONDS = 15.0
ENDED_MILLISECONDS = 10_000  # that a session which is told to end has to do so
LONGEST_NAME = 63  # of a session, in bytes


def session(*names: object) -> str:
    """The name of a session, by which Postgres and its operators know who is at work; at most 63 bytes."""
    name = " ".join(["explorer", *map(str, names)])
    if len(name.encode()) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name.encode()[: LONGEST_NAME - 13].decode(errors='ignore')}-{digest}"


def fence(connection: Connection, *names: object) -> None:
    """Ends other sessions of that name, or, of a number alone, those of all tasks of that import: of a worker presumed dead.

    Its locks would be waited for otherwise, for as long as it is stopped; and it writes nothing when it wakes. Returns when
    they have ended, and their locks with them.
    """
    name = session(*names)
    ended = connection.execute(
        "select count(pg_terminate_backend(pid, %s)) from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and (application_name = %s or %s and starts_with(application_name, %s))",
        # A list `b` is not the list `b c`, which another worker reads beside it.
        (ENDED_MILLISECONDS, name, len(names) == 1, f"{name} "),
    ).fetchone()
    if ended and ended[0]:
        log.warning("ended %d session(s) of a worker that was at this before (%s)", ended[0], name)


def holder() -> dict[str, object]:
    """Who this process is, so that another can tell whether it still lives."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def _started(pid: int) -> float:
    """When a process began, in seconds after its machine did: the clock may be set meanwhile."""
    return round(psutil.Process(pid).create_time() - psutil.boot_time(), 2)


def take(connection: Connection, import_id: int, lease: timedelta, *, by: Mapping[str, object] | None = None) -> None:
    """Holds an import for a while, in the name of this process unless another (or nobody) is named."""
    connection.execute(
        "insert into ops.lease (import_id, holder, until) values (%s, %s, now() + %s)"
        " on conflict (import_id) do update set holder = excluded.holder, until = excluded.until",
        (import_id, Jsonb(dict(holder() if by is None else by)), lease),
    )


def is_dead(held: Mapping[str, Any]) -> bool:
    """Whether a holder is known to be dead. One on another machine, or none between two tasks, is not."""
    if held.get("host") != socket.gethostname() or "pid" not in held:
        return False
    try:
        return bool(abs(_started(held["pid"]) - held["started"]) > 1)
    except psutil.NoSuchProcess:
        return True


@contextmanager
def renewing(dsn: str, import_id: int) -> Iterator[None]:
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
