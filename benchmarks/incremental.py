"""What an incremental import costs beside a full one: 1,000 changes among 100,000 published outputs, in one run.

``python benchmarks/incremental.py [--outputs 100000] [--changes 1000] [--quick]``. All steps, Great Expectations among them,
without Airflow's own time; the source is a Python object, which costs next to nothing. Promised, and judged by the exit
status: the incremental import writes no output that did not change, and takes less than a tenth of the full one that filled
the warehouse. A full import in which nothing changed, which validates nothing anew and writes nothing, is shown beside it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import uuid
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "plugins"), str(Path(__file__).resolve().parents[1])]

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from explorer import database, flow, local
from explorer.imports import Request
from explorer.records import Contribution, Department, Identifier, Output
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site

SHARE = 0.1
AUTHORS, UNITS = 5_000, 40
WRITTEN = """
    select relname, n_tup_ins + n_tup_upd + n_tup_del
    from pg_stat_user_tables where relname ~ '__lilliput$' or relname = 'change' order by relname
"""


def output(n: int, title: str = "On the voyages") -> Output:
    """An output with a DOI, two authors and a department."""
    credited = tuple(Contribution(f"id:{a}", f"Family{a}, Ann") for a in (n % AUTHORS, (n * 7 + 1) % AUTHORS))
    return Output(
        f"o{n}", f"{title}, part {n}", "Article", 2000 + n % 25, identifiers=(Identifier("doi", f"10.5555/{n}"),),
        contributions=credited, departments=(f"u{n % UNITS}",),
    )  # fmt: skip


def written(dsn: str) -> dict[str, int]:
    """Rows inserted, updated and deleted so far, by table of the institution, and in the history."""
    with database.connect(dsn) as connection:
        connection.execute("select pg_stat_force_next_flush()")
        connection.commit()
        return {str(table): int(rows) for table, rows in connection.execute(WRITTEN)}


def timed(site: ScriptedSite, *, full: bool = False) -> tuple[float, dict[str, int], str]:
    """An import: its seconds, the rows that it wrote by table, its mode."""
    before = written(site.dsn)
    began = time.monotonic()
    import_id = flow.run(site, Request(run_key=uuid.uuid4().hex, full_import=full, stays=True), approved=True)
    seconds = time.monotonic() - began
    rows = {table: count - before.get(table, 0) for table, count in written(site.dsn).items()}
    with database.connect(site.dsn) as connection:
        mode = connection.execute("select mode from ops.import where id = %s", (import_id,)).fetchall()[0][0]
    return seconds, rows, str(mode)


def measure(folder: Path, dsn: str, outputs: int, changes: int) -> dict[str, tuple[float, dict[str, int], str]]:
    """A first import, an incremental one after some changes, a full one in which nothing changed."""
    with database.connect(dsn) as connection:
        database.migrate(connection)
    source = ScriptedSource(page_size=1_000, tick=1)
    source.departments = {f"u{n}": Department(f"u{n}", f"Unit {n}") for n in range(UNITS)}
    for n in range(outputs):
        source.put(output(n))
    site = make_site(dsn, folder, source)
    source.tick = 3  # what changed at the very moment of the first import would be read again by the next one
    found = {"the first import": timed(site)}
    source.tick = 5
    for n in range(changes):
        source.put(output(n * (outputs // changes), "Another title"))
    found[f"incremental, {changes:,} changes"] = timed(site)
    source.tick = 9
    found["full, nothing changed"] = timed(site, full=True)
    return found


def main() -> int:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outputs", type=int, default=100_000)
    parser.add_argument("--changes", type=int, default=1_000)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    outputs, changes = (10_000, 100) if options.quick else (options.outputs, options.changes)
    server, name = local.postgres(), "benchmark_" + uuid.uuid4().hex
    with (
        psycopg.connect(server.dsn("postgres"), autocommit=True) as connection,
        tempfile.TemporaryDirectory() as folder,
    ):
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            found = measure(Path(folder), server.dsn(name), outputs, changes)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
    table = Table("", "mode", "seconds", "outputs written", "history", "all rows written", title=f"{outputs:,} outputs")
    for case, (seconds, rows, mode) in found.items():
        numbers = (rows.get("research_output__lilliput", 0), rows.get("change", 0), sum(rows.values()))
        table.add_row(case, mode, f"{seconds:.2f}", *(f"{n:,}" for n in numbers))
    Console(width=110).print(table)
    (first, _, _), (part, rows, mode), (again, unchanged, _) = found.values()
    print(f"incremental / full: {part / first:.3f} of the first, {part / again:.3f} of one in which nothing changed")
    held = (
        mode == "incremental"
        and rows["research_output__lilliput"] == rows["change"] == changes
        and sum(unchanged.values()) == 0
        and part < SHARE * first
    )
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
