"""A process that is killed between any two statements, and a retry: the end is that of an undisturbed import."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from explorer import database, flow
from explorer.imports import Request
from tests.scripted_source import ScriptedSource, make_site
from tests.warehouse.test_flow import do_import, output, published

pytestmark = pytest.mark.usefixtures("without_expectations")

# All boundaries with EXPLORER_EVERY=1 (as in `make faults`); else a sample that covers every step.
EVERY = int(os.environ.get("EXPLORER_EVERY", "23"))


def prepare(dsn: str, folder: Path):
    """A published first import, and a source that has changed since."""
    source = ScriptedSource(page_size=4, tick=1)
    for n in range(9):
        source.put(output(f"o{n}", authors="abc"[n % 3], departments=("sci",)))
    site = make_site(dsn, folder, source)
    do_import(site)
    source.tick = 3
    source.put(output("o1", title="Another", authors="d"))
    source.put(output("new", authors="a"))
    source.delete("o2")
    return site


def in_a_child(work: Callable[[], object], statements: int | None) -> int:
    """Runs work in a child that kills itself before its n-th statement; returns how many it came to, or the signal."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        count = 0
        execute, copy = psycopg.Connection.execute, psycopg.Cursor.copy

        def counted(real):
            def call(*args, **named):
                nonlocal count
                count += 1
                if statements is not None and count >= statements:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **named)

            return call

        psycopg.Connection.execute, psycopg.Cursor.copy = counted(execute), counted(copy)
        try:
            work()
        finally:
            os.write(write, str(count).encode())
            os._exit(0)
    os.close(write)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    return int(told) if told else -os.WTERMSIG(status)


def test_killed_at_any_statement_and_retried(schema_database, database_like, tmp_path: Path):
    undisturbed = prepare(database_like(schema_database), tmp_path)
    request = Request(run_key="attempt", stays=True)
    total = in_a_child(lambda: flow.run(undisturbed, request), None)
    assert total > 80
    expected = published(undisturbed)
    assert {o["key"] for o in expected["outputs"]} >= {"new"}
    for boundary in range(1, total + 1, EVERY):
        site = prepare(database_like(schema_database), tmp_path)
        assert in_a_child(lambda s=site: flow.run(s, request), boundary) == -signal.SIGKILL
        do_import(site)
        assert published(site) == expected, f"killed before statement {boundary}"
        with database.connect(site.dsn) as connection:
            open_ = connection.execute("select count(*) from ops.import where finished_at is null").fetchone()
            left = connection.execute("select count(*) from pg_namespace where nspname ~ '^import_'").fetchone()
        assert open_ == (0,)
        assert left[0] <= 1, "staging of a killed import stays until its deadline at most"
