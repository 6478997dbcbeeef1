"""Processes that die at work: a child that kills itself before its n-th exchange with Postgres, and what it left behind."""

import json
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import psycopg

from explorer import database

# What differs between two imports that do the same: clocks, who was at it, and the numbers of imports.
CLOCKS = {"seconds", "peak_rss_mb", "run_key"}
NUMBERS = {"import_id", "added_by", "changed_by"}
LEFT_OUT = {"ops.lease", "ops.schema_file", "ops.secret"}


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_child(
    work: Callable[[], object], before: int | None = None, happens: Callable[[], object] = kill_itself
) -> int | str | None:
    """Runs work in a forked child; something (its death) happens before its n-th exchange with Postgres.

    Returns how often it spoke to Postgres, the error with which it ended, or None where it was killed. Every statement,
    BEGIN, COMMIT and block of a COPY counts; those of the thread that renews the lease do not.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _work_and_exit(work, before, happens, write)
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    return int(told) if told.isdecimal() else told or f"ended with status {status}"


def _work_and_exit(work: Callable[[], object], before: int | None, happens: Callable[[], object], write: int) -> None:
    count = 0
    exchange = psycopg.Connection.wait

    def counted(connection: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal count
        if threading.current_thread() is threading.main_thread():
            count += 1
            if count == before:
                happens()
        return exchange(connection, *arguments, **named)

    psycopg.Connection.wait = counted  # type: ignore[method-assign]
    try:
        work()
        os.write(write, str(count).encode())
    except BaseException as error:  # noqa: BLE001 - the parent is told
        os.write(write, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(0)


def everything(dsn: str) -> dict[str, list[str]]:
    """Every row of every table, staging included, as text by table; clocks and the numbers of imports left out."""
    with database.connect(dsn) as connection:
        number = {
            row[0]: n for n, row in enumerate(connection.execute("select id from ops.import order by id"), start=1)
        }
        tables = connection.execute(
            "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = relnamespace"
            " where relkind = 'r' and n.nspname !~ '^pg_|^information_schema$' order by 1, 2"
        ).fetchall()
        query = " union all ".join(
            f'select \'{schema}.{table}\', to_jsonb(t) from "{schema}"."{table}" t'
            for schema, table in tables
            if f"{schema}.{table}" not in LEFT_OUT
        )
        found: dict[str, list[str]] = {f"{_plain(schema, number)}.{table}": [] for schema, table in tables}
        for name, row in connection.execute(query):
            schema, table = name.split(".", 1)
            found[f"{_plain(schema, number)}.{table}"].append(json.dumps(_timeless(name, row, number), sort_keys=True))
    return {table: sorted(rows) for table, rows in found.items()}


def _plain(schema: str, number: dict[int, int]) -> str:
    return f"import #{number.get(int(schema[7:]))}" if schema.startswith("import_") else schema


def _timeless(table: str, row: dict[str, Any], number: dict[int, int]) -> dict[str, Any]:
    kept = {}
    for column, value in row.items():
        if column in CLOCKS:
            continue
        if column in NUMBERS or (table, column) == ("ops.import", "id"):
            kept[column] = number.get(value, value)
        elif column.endswith(("_at", "until")) or column == "at":
            kept[column] = value is not None
        else:
            kept[column] = value
    return kept


def published(dsn: str) -> dict[str, list[str]]:
    """The rows of the warehouse and its history, without the numbers of imports."""
    found = {
        table: rows
        for table, rows in everything(dsn).items()
        if table.startswith("warehouse.") or table == "ops.change"
    }
    return {
        table: sorted(
            json.dumps(
                {column: value for column, value in json.loads(row).items() if column not in NUMBERS}, sort_keys=True
            )
            for row in rows
        )
        for table, rows in found.items()
    }
