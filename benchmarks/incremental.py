"""What an incremental import costs beside a full one: 1,000 changes among 100,000 published outputs, in one run.

``python benchmarks/incremental.py [--outputs 100000] [--quick]``. All steps, Great Expectations among them, without
Airflow's own time and without importing modules; the source is an OAI-PMH repository in another process, on loopback, asked
through one connection without a pause. Promised, and judged by the exit status: the incremental import writes no output that
did not change, and takes less than a tenth of the full one that filled the warehouse. Shown beside it: a full import in which
nothing changed, and the same three with a Python object as the source, which costs next to nothing and so hides what reading
costs a full import.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "plugins"), str(Path(__file__).resolve().parents[1])]

import psycopg
import requests
from oai_server import CHANGED, YAML, server
from psycopg import sql
from rich.console import Console
from rich.table import Table

from explorer import config, database, flow, local, sites
from explorer.planning import Request
from explorer.records import Contribution, Department, Identifier, Output
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site

if TYPE_CHECKING:
    from collections.abc import Callable

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


Measured = dict[str, tuple[float, dict[str, int], str]]


def of_a_repository(folder: Path, dsn: str, outputs: int) -> Measured:
    """A first import from a repository, an incremental one after every hundredth changed, a full one in which nothing did."""
    with server("lazy", outputs) as url:
        file = folder / "lilliput.yaml"
        file.write_text(YAML.format(url=url))
        site = sites.Site(config.load(file), dsn)
        found = {"OAI-PMH: the first import": timed(site)}
        requests.get(url, params={"verb": "Change"}, timeout=60).raise_for_status()
        found["OAI-PMH: incremental"] = timed(site)
        found["OAI-PMH: full, nothing changed"] = timed(site, full=True)
    return found


def of_an_object(folder: Path, dsn: str, outputs: int) -> Measured:
    """The same from a Python object."""
    source = ScriptedSource(page_size=1_000, tick=1)
    source.departments = {f"u{n}": Department(f"u{n}", f"Unit {n}") for n in range(UNITS)}
    for n in range(outputs):
        source.put(output(n))
    site = make_site(dsn, folder, source)
    source.tick = 3  # what changed at the very moment of the first import would be read again by the next one
    found = {"an object: the first import": timed(site)}
    source.tick = 5
    for n in range(0, outputs, CHANGED):
        source.put(output(n, "Another title"))
    found["an object: incremental"] = timed(site)
    source.tick = 9
    found["an object: full, nothing changed"] = timed(site, full=True)
    return found


def measure(of: Callable[[Path, str, int], Measured], outputs: int) -> Measured:
    """Measures in a database of its own."""
    postgres, name = local.postgres(), "benchmark_" + uuid.uuid4().hex
    with (
        psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection,
        tempfile.TemporaryDirectory() as folder,
    ):
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            with database.connect(postgres.dsn(name)) as own:
                database.migrate(own)
            return of(Path(folder), postgres.dsn(name), outputs)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def main() -> int:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outputs", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="fewer outputs; seconds are then not judged")
    options = parser.parse_args()
    outputs = 10_000 if options.quick else options.outputs
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    importlib.import_module("explorer.expectations")  # seconds, which every task of a scheduler pays, full or not
    table = Table("", "mode", "seconds", "outputs written", "history", "all rows written", title=f"{outputs:,} outputs")
    sentences, held = [], []
    for of in (of_a_repository, of_an_object):
        found = measure(of, outputs)
        for case, (seconds, rows, mode) in found.items():
            numbers = (rows.get("research_output__lilliput", 0), rows.get("change", 0), sum(rows.values()))
            table.add_row(case, mode, f"{seconds:.2f}", *(f"{n:,}" for n in numbers))
        (first, _, _), (part, rows, mode), (again, unchanged, _) = found.values()
        sentences.append(f"{part / first:.3f} of the first, {part / again:.3f} of one in which nothing changed")
        held.append(
            mode == "incremental"
            and rows["research_output__lilliput"] == rows["change"] == outputs // CHANGED
            and sum(unchanged.values()) == 0
            and (part < SHARE * first or options.quick or of is of_an_object)
        )
    Console(width=110).print(table)
    print("incremental / full:", "; of an object: ".join(sentences))
    return int(not all(held))


if __name__ == "__main__":
    sys.exit(main())
