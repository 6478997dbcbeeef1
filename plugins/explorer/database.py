"""Postgres: connections, the numbered schema files, and the statements in ``include/sql``.

A statement file holds one statement under a header that says its purpose, its parameters and what its row count means.
Values are bound; the few identifiers that must be formatted are named in braces and quoted by psycopg.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString

import psycopg
from psycopg import sql

SQL = Path(__file__).resolve().parents[2] / "include" / "sql"
MIGRATION_LOCK = 0x4578706C  # any number that nobody else uses: two starters at once apply the schema once

Connection = psycopg.Connection[tuple[Any, ...]]


class WarehouseUnusableError(Exception):
    """The warehouse cannot be used as it is; the message says why and what to do."""


class SessionEndedError(psycopg.OperationalError):
    """Postgres ended a session at work; the message says which, why that happens, and what to do."""


class _Session(psycopg.Connection[tuple[Any, ...]]):
    """A connection that leaves its ``with`` block with ``SessionEndedError`` where Postgres has ended it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.broken and isinstance(error, psycopg.Error):
            name = self.info.get_parameters()["application_name"]
            self.close()
            message = (
                f"the warehouse ended the session `{name}`: Postgres was restarted, or another worker has taken this over;"
                " nothing half done stays, and it can be run again"
            )
            raise SessionEndedError(message) from error
        super().__exit__(kind, error, trace)


def connect(dsn: str, *, application: str = "explorer") -> Connection:
    """A connection in transaction mode. Raises ``WarehouseUnusableError`` where nobody answers."""
    try:
        # A plan that is kept is one for any institution, and locks the tables of all: each statement gets its own.
        connection = _Session.connect(dsn, application_name=application, autocommit=True, prepare_threshold=None)
        # In one round trip; compiling costs more than it saves on statements of a second.
        connection.execute("set jit = off; set timezone = 'UTC'")
    except psycopg.OperationalError as error:
        message = f"the warehouse does not answer: {str(error).strip()}; look at the Airflow connection `warehouse`"
        raise WarehouseUnusableError(message) from error
    connection.autocommit = False
    return connection


@cache
def text(name: str) -> LiteralString:
    """The text of ``include/sql/<name>.sql``."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


def run(
    connection: Connection,
    name: str,
    parameters: Mapping[str, object] | None = None,
    identifiers: Mapping[str, sql.Composable] | None = None,
) -> psycopg.Cursor[tuple[Any, ...]]:
    """Runs ``include/sql/<name>.sql``; ``rowcount`` means what the file's header says."""
    statement = sql.SQL(text(name)).format(**identifiers) if identifiers else sql.SQL(text(name))
    return connection.execute(statement, parameters)


def migrate(connection: Connection) -> list[str]:
    """Applies the schema files that this warehouse has not seen, each in a transaction; returns their names.

    A file that was changed after it was applied is an error: what stands in the warehouse is then no longer known.
    """
    connection.execute("select pg_advisory_lock(%s)", (MIGRATION_LOCK,))
    try:
        connection.execute("create schema if not exists ops")
        connection.execute(
            "create table if not exists ops.schema_file"
            " (name text primary key, digest text not null, applied_at timestamptz not null default now())"
        )
        connection.commit()
        known: dict[str, str] = dict(connection.execute("select name, digest from ops.schema_file").fetchall())
        applied = []
        for file in sorted((SQL / "schema").glob("*.sql")):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            if known.get(file.stem) == digest:
                continue
            if file.stem in known:
                message = (
                    f"{file.name} was changed after it was applied to this warehouse; put the change in a new file"
                    " (or, on a warehouse that may be lost, run `make clean`)"
                )
                raise WarehouseUnusableError(message)
            connection.execute(file.read_text(encoding="utf-8"))
            connection.execute("insert into ops.schema_file (name, digest) values (%s, %s)", (file.stem, digest))
            connection.commit()
            applied.append(file.stem)
        return applied
    finally:
        connection.rollback()
        connection.execute("select pg_advisory_unlock(%s)", (MIGRATION_LOCK,))
        connection.commit()
