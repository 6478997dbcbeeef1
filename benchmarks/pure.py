"""How fast Pure is imported: parse and stage beside bare ``json.loads``, and whole imports end to end.

``python benchmarks/pure.py [--rounds 7] [--outputs 50000] [--quick] [--json]``.

Parse and stage: pages of 100 outputs, from bytes to committed rows in staging with all fields and authorships, over the
same calls as in an import but without the network. Beside it, in turn, ``json.loads`` of the same bytes and nothing more. The
figure is the share: at 40 % what is made of a page costs one and a half times what reading it costs. As the old web service
has them, as it has them indented (as captured answers are), and as the new API has them. CPU of this process; the clock,
which also waits for Postgres, is shown beside it. Python's search for cycles, which would make the bare reading twice as
slow, is put off in both.

End to end: all steps of a full import from the old web service, then of an incremental one in which nothing changed, then a
full one from the new API, from a server in a process of its own that is not waited for between requests; Great Expectations
included.

Status 1 where parse and stage is below 40 % of bare parsing, or where peak memory is above 400 MB.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "plugins"), str(Path(__file__).resolve().parents[1])]

import psycopg
from psycopg import sql
from pure_server import Large, server, university
from rich.console import Console
from rich.table import Table

from explorer import asking, config, database, flow, imports, local, staging
from explorer.config import PureSource
from explorer.imports import Request
from explorer.polite_http import Answer, PoliteSession
from explorer.sources import Part
from explorer.sources.pure import Pure
from explorer.sources.pure_api import Dialect, PureApi
from simulators.serving import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.database import Connection

AIM, MEMORY_MB = 0.4, 400
ON_A_PAGE, PAGES = 100, 12
CASES: dict[str, tuple[str, bool]] = {"524": ("524", False), "524, indented": ("524", True), "new": ("new", False)}
YAML = """\
name: Royal University of Tribnia
source: {kind: pure, connection: tribnia, allow_http: true, allow_private_hosts: true}
limits: {max_rejected_share: 1}
"""


class Pages:
    """A session that has all pages of the list of outputs in memory, by offset."""

    def __init__(self, version: str, *, indented: bool) -> None:
        simulator = Large(university(ON_A_PAGE * PAGES))
        simulator.url = "https://pure.tribnia.example/ws/api/"
        self.base = simulator.base(version)
        self.dialect: Dialect = "new" if version == "new" else "old"
        headers = {"api-key": "key-of-gulliver", "Accept": "application/json"}
        path = f"{self.base.removeprefix('https://pure.tribnia.example')}/research-outputs"
        self.pages: list[bytes] = []
        for number in range(PAGES):
            arguments = (("size", str(ON_A_PAGE)), ("offset", str(ON_A_PAGE * number)))
            body = simulator.answer(Call("GET", path, arguments, headers=headers)).body
            self.pages.append(json.dumps(json.loads(body), indent=2, ensure_ascii=False).encode() if indented else body)

    def get(self, url: str, *, accept: str) -> Answer:
        """The page that an address names."""
        del accept
        offset = next(
            int(each.partition("=")[2]) for each in url.partition("?")[2].split("&") if each.startswith("offset=")
        )
        return Answer(url, 200, {}, self.pages[offset // ON_A_PAGE])


def bare(pages: Sequence[bytes]) -> None:
    """Reads every page, and nothing more."""
    for page in pages:
        json.loads(page)


class Staging:
    """An import that is open for nothing but its list of outputs, once for every call."""

    def __init__(self, dsn: str, folder: Path, pages: Pages) -> None:
        settings = PureSource.model_validate({"kind": "pure", "connection": "tribnia", "page_size": ON_A_PAGE})
        self.source = Pure(settings, lambda: PureApi(pages.base, cast("PoliteSession", pages), pages.dialect))
        file = folder / "tribnia.yaml"
        file.write_text(YAML)
        self.site = _Site(config.load(file), dsn, self.source)

    def __call__(self) -> tuple[float, float, int]:
        """CPU of this process, seconds by the clock, records."""
        import_id = flow.open_import(self.site, Request(run_key=uuid.uuid4().hex, stays=True))
        with imports.working(self.site.dsn, import_id, "read", wants="opened") as (connection, import_):
            staging.plan_parts(connection, import_, [Part("outputs")])
            cpu, clock = time.process_time(), time.perf_counter()
            read = staging.read_part(connection, import_, self.source, "outputs", lambda _: None).records
            spent = time.process_time() - cpu, time.perf_counter() - clock
            self._look(connection, read)
        with database.connect(self.site.dsn) as connection:
            imports.end(connection, import_id, "declined")
            imports.drop_staging(connection, import_id)
        return *spent, read

    @staticmethod
    def _look(connection: Connection, read: int) -> None:
        fields = (
            "count(*), count(title), count(year), count(venue), count(type), count(*) filter (where groups <> '{}')"
        )
        rows = connection.execute(f"select {fields} from output").fetchall()[0]
        ids = connection.execute("select count(*) from output_identifier where scheme in ('doi', 'pmid')").fetchall()[
            0
        ][0]
        links = connection.execute("select count(*) from relationship").fetchall()[0][0]
        if set(rows) != {read} or read != ON_A_PAGE * PAGES or ids != 2 * read or links < read:
            raise SystemExit(f"{rows}, {ids}, {links} of {read} records: what was timed did not do its work")


@dataclass(frozen=True, slots=True)
class _Site(flow.Site):
    """A site with a source that is already there."""

    made: Pure

    def source(self, import_: object = None) -> Pure:  # type: ignore[override]
        """It."""
        del import_
        return self.made


def parse_and_stage(dsn: str, folder: Path, rounds: int, case: str) -> dict[str, float]:
    """Medians of rounds taken in turn."""
    version, indented = CASES[case]
    pages = Pages(version, indented=indented)
    stage = Staging(dsn, folder, pages)
    stage()
    gc.collect()
    gc.freeze()  # what the simulator holds would make both slower, and the bare reading more so
    figures: dict[str, list[float]] = {"bare_cpu": [], "cpu": [], "bare_clock": [], "clock": []}
    read = 0
    for _ in range(rounds):
        cpu, clock = time.process_time(), time.perf_counter()
        bare(pages.pages)
        figures["bare_cpu"].append(time.process_time() - cpu)
        figures["bare_clock"].append(time.perf_counter() - clock)
        spent, seconds, read = stage()
        figures["cpu"].append(spent)
        figures["clock"].append(seconds)
    made = {name: statistics.median(values) for name, values in figures.items()}
    return {
        "kilobytes": sum(map(len, pages.pages)) / read / 1000,
        "bare_per_second": read / made["bare_cpu"],
        "per_second": read / made["cpu"],
        "per_second_by_the_clock": read / made["clock"],
        "share": made["bare_cpu"] / made["cpu"],
        "share_by_the_clock": made["bare_clock"] / made["clock"],
    }


def end_to_end(dsn: str, folder: Path, outputs: int) -> dict[str, Any]:
    """Whole imports over HTTP: full, unchanged, and full from the new API."""
    asking.Turns.wait = lambda *_: None  # type: ignore[method-assign,assignment]  # what is measured is us, not the pause between requests
    made: dict[str, Any] = {}
    for version in ("524", "new"):
        file = folder / f"tribnia_{version}.yaml"
        file.write_text(YAML)
        with server(outputs, version) as url:
            connection = {"conn_type": "http", "host": url, "password": "key-of-gulliver"}
            os.environ["AIRFLOW_CONN_TRIBNIA"] = json.dumps(connection)
            place = flow.Site(config.load(file), dsn)
            made[f"{version}, full"] = _imported(place)
            if version != "new":
                made[f"{version}, unchanged"] = _imported(place)
    return made


def _imported(place: flow.Site) -> dict[str, Any]:
    clock, cpu = time.monotonic(), time.process_time()
    import_id = flow.run(place, Request(run_key=uuid.uuid4().hex, stays=True), approved=True)
    seconds, spent = time.monotonic() - clock, time.process_time() - cpu
    with database.connect(place.dsn) as connection:
        told = flow.object_of(connection, import_id)
    return {
        "outputs": told["tally"]["outputs"]["published"], "mode": told["mode"], "seconds": round(seconds, 1),
        "cpu": round(spent, 1), "steps": told["seconds"],
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip


def in_own_process(case: str, server_: local.Server, *options: str) -> dict[str, Any]:
    """Runs a case in a process and a database of its own."""
    name = "benchmark_" + uuid.uuid4().hex
    with psycopg.connect(server_.dsn("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            command = [sys.executable, __file__, "--case", case, "--dsn", server_.dsn(name), *options]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ourselves
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
    made: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return made


def run_case(case: str, dsn: str, rounds: int, outputs: int) -> dict[str, Any]:
    """One measurement."""
    with database.connect(dsn) as connection:
        database.migrate(connection)
    with tempfile.TemporaryDirectory() as folder:
        if case == "end to end":
            return end_to_end(dsn, Path(folder), outputs)
        return parse_and_stage(dsn, Path(folder), rounds, case)


def show(made: dict[str, dict[str, Any]]) -> None:
    """All figures, for people."""
    console = Console(width=160)
    table = Table(
        "pages", "kB each", "json.loads, 1/s", "parse + stage, 1/s", "share", "by the clock", title="on one core"
    )
    for case in CASES:
        n = made[case]
        table.add_row(
            case, f"{n['kilobytes']:.1f}", f"{n['bare_per_second']:,.0f}",
            f"{n['per_second']:,.0f} ({n['per_second_by_the_clock']:,.0f} by the clock)", f"{n['share']:.0%}",
            f"{n['share_by_the_clock']:.0%}",
        )  # fmt: skip
    console.print(table)
    for case, n in made["end to end"].items():
        rate = n["outputs"] / n["seconds"]
        console.print(
            f"{case}: {n['outputs']:,} outputs published, {n['mode']}, {n['seconds']:.0f} s ({rate:,.0f} a second),"
            f" CPU {n['cpu']:.0f} s, peak {n['peak_rss_mb']} MB; {n['steps']}"
        )


def main() -> int:
    """Runs all cases, or in a process of its own one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--outputs", type=int, default=50_000)
    parser.add_argument("--quick", action="store_true", help="three rounds, and 2,000 outputs end to end")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--dsn", help=argparse.SUPPRESS)
    options = parser.parse_args()
    rounds, outputs = (3, 2000) if options.quick else (options.rounds, options.outputs)
    if options.case:
        print(json.dumps(run_case(options.case, options.dsn, rounds, outputs)))
        return 0
    postgres = local.postgres()
    sizes = ("--rounds", str(rounds), "--outputs", str(outputs))
    made = {case: in_own_process(case, postgres, *sizes) for case in (*CASES, "end to end")}
    if options.json:
        print(json.dumps(made))
    else:
        show(made)
    slow = [case for case in CASES if made[case]["share"] < AIM]
    heavy = [case for case, n in made["end to end"].items() if n["peak_rss_mb"] > MEMORY_MB]
    return int(bool(slow or heavy))


if __name__ == "__main__":
    sys.exit(main())
