"""How fast Symplectic Elements is imported: parse and stage beside bare ``lxml``, and a full import end to end.

``python benchmarks/elements.py [--rounds 7] [--publications 20000] [--quick] [--json]``.

Parse and stage: pages of 25 publications of 47 kB, from bytes to committed rows in staging, over the same calls as in an
import but without the network. Beside it, in turn, ``lxml.etree.fromstring`` of the same bytes and nothing more. The
figure is the share: at 60 % what is made of a page costs two thirds of what reading it costs. Pages are indented, as
captured answers are. Beside them, without a promise: pages without any blank between elements, where leaving blanks out
cannot make reading cheaper. CPU of this process; the clock, which also waits for Postgres, is shown beside it.

End to end: all steps of a full import, with people, groups, relationships and the listing of ids, from a simulated
endpoint in a process of its own that is not waited for between requests; Great Expectations included.

Status 1 where parse and stage is below 60 % of bare parsing, or where peak memory is above 400 MB.
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
from elements_server import Large, server, university
from lxml import etree
from psycopg import sql
from rich.console import Console
from rich.table import Table

from explorer import asking, config, database, flow, imports, local, staging
from explorer.config import ElementsSource
from explorer.imports import Request
from explorer.polite_http import Answer, PoliteSession
from explorer.sources import Part
from explorer.sources.elements import Elements, ElementsApi
from simulators.serving import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from explorer.database import Connection

AIM, MEMORY_MB = 0.6, 400
ON_A_PAGE, PAGES = 25, 12
YAML = """\
name: Laputa University
source: {kind: symplectic_elements, connection: laputa, allow_http: true, allow_private_hosts: true}
limits: {max_rejected_share: 1}
"""


class Pages:
    """A session that has all pages of a list in memory, under the addresses that they name."""

    def __init__(self, *, indented: bool) -> None:
        simulator = Large(university(ON_A_PAGE * PAGES), indented=indented)
        simulator.url = "https://elements.laputa.example/elements-api/"
        self.base = f"{simulator.base}/"
        path: str | None = "publications?detail=full&per-page=25&ever-approved=true"
        self.answers: dict[str, bytes] = {}
        for name in ("my-account", path):
            self.answers[self.base + name], following = self._answer(simulator, name)
        while following:
            self.answers[following], following = self._answer(simulator, following.removeprefix(self.base))
        self.pages = [body for url, body in self.answers.items() if b"<api:record" in body]

    def _answer(self, simulator: Large, path: str) -> tuple[bytes, str | None]:
        place, _, query = path.partition("?")
        arguments = tuple(
            (name, value) for name, _, value in (each.partition("=") for each in query.split("&") if each)
        )
        body = simulator.answer(Call("GET", f"/elements-api/v6.13/{place}", arguments)).body
        if not isinstance(body, bytes):
            raise TypeError(body)
        following = etree.fromstring(body).xpath("string(//*[@position='continue-from']/@href)")
        return body, str(following) or None

    def get(self, url: str, *, accept: str) -> Answer:
        """The page of an address."""
        del accept
        return Answer(url, 200, {}, self.answers[url])


def bare(pages: Sequence[bytes]) -> None:
    """Reads every page, and nothing more."""
    for page in pages:
        etree.fromstring(page)


class Staging:
    """An import that is open for nothing but its list of publications, once for every call."""

    def __init__(self, dsn: str, folder: Path, pages: Pages) -> None:
        api = ElementsApi(pages.base, cast("PoliteSession", pages))
        settings = ElementsSource.model_validate({"kind": "symplectic_elements", "connection": "laputa"})
        self.source = Elements(api, settings)
        file = folder / "laputa.yaml"
        file.write_text(YAML)
        self.site = _Site(config.load(file), dsn, self.source)

    def __call__(self) -> tuple[float, float, int]:
        """CPU of this process, seconds by the clock, records."""
        import_id = flow.open_import(self.site, Request(run_key=uuid.uuid4().hex, stays=True))
        with imports.working(self.site.dsn, import_id, "read", wants="opened") as (connection, import_):
            staging.plan_parts(connection, import_, [Part("publications")])
            cpu, clock = time.process_time(), time.perf_counter()
            read = staging.read_part(connection, import_, self.source, "publications", lambda _: None).records
            spent = time.process_time() - cpu, time.perf_counter() - clock
            self._look(connection, read)
        with database.connect(self.site.dsn) as connection:
            imports.end(connection, import_id, "declined")
            imports.drop_staging(connection, import_id)
        return *spent, read

    @staticmethod
    def _look(connection: Connection, read: int) -> None:
        rows = connection.execute("select count(*), count(title), count(year), count(venue) from output").fetchall()[0]
        if set(rows) != {read} or read != ON_A_PAGE * PAGES:
            raise SystemExit(f"{rows} rows of {read} records: what was timed did not do its work")


@dataclass(frozen=True, slots=True)
class _Site(flow.Site):
    """A site with a source that is already there."""

    made: Elements

    def source(self, import_: object = None) -> Elements:  # type: ignore[override]
        """It."""
        del import_
        return self.made


def parse_and_stage(dsn: str, folder: Path, rounds: int, *, indented: bool) -> dict[str, float]:
    """Medians of rounds taken in turn."""
    pages = Pages(indented=indented)
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


def end_to_end(dsn: str, folder: Path, publications: int) -> dict[str, Any]:
    """A full import over HTTP, step by step."""
    asking.Turns.wait = lambda *_: None  # type: ignore[assignment]  # what is measured is us, not the pause between requests
    file = folder / "laputa.yaml"
    file.write_text(YAML)
    with server(publications) as url:
        os.environ["AIRFLOW_CONN_LAPUTA"] = json.dumps({"conn_type": "http", "host": url})
        began = {"open_import": time.monotonic()}
        cpu = time.process_time()
        listen: Callable[[str, object], float] = lambda step, _: began.setdefault(step, time.monotonic())  # noqa: E731
        place = flow.Site(config.load(file), dsn)
        import_id = flow.run(place, Request(run_key="benchmark", stays=True), approved=True, listen=listen)
    ended = [*list(began.values())[1:], time.monotonic()]
    steps = {step: round(end - start, 1) for (step, start), end in zip(began.items(), ended, strict=True)}
    with database.connect(dsn) as connection:
        tally = flow.object_of(connection, import_id)["tally"]["outputs"]
        links = connection.execute("select count(*) from warehouse.authorship").fetchall()[0][0]
    return {
        "publications": tally["published"], "authorships": links, "seconds": sum(steps.values()),
        "cpu": time.process_time() - cpu, "steps": steps,
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


def run_case(case: str, dsn: str, rounds: int, publications: int) -> dict[str, Any]:
    """One measurement."""
    with database.connect(dsn) as connection:
        database.migrate(connection)
    with tempfile.TemporaryDirectory() as folder:
        if case == "end to end":
            return end_to_end(dsn, Path(folder), publications)
        return parse_and_stage(dsn, Path(folder), rounds, indented=case == "indented")


def show(made: dict[str, dict[str, Any]]) -> Iterator[Table | str]:
    """All figures, for people."""
    table = Table(
        "pages", "kB each", "bare lxml, 1/s", "parse + stage, 1/s", "share", "by the clock", title="on one core"
    )
    for case in ("indented", "compact"):
        n = made[case]
        table.add_row(
            case, f"{n['kilobytes']:.0f}", f"{n['bare_per_second']:,.0f}",
            f"{n['per_second']:,.0f} ({n['per_second_by_the_clock']:,.0f} by the clock)", f"{n['share']:.0%}",
            f"{n['share_by_the_clock']:.0%}",
        )  # fmt: skip
    yield table
    n = made["end to end"]
    yield (
        f"{n['publications']:,} publications with {n['authorships']:,} authorships end to end: {n['seconds']:.0f} s"
        f" ({n['publications'] / n['seconds']:,.0f} a second), CPU {n['cpu']:.0f} s, peak {n['peak_rss_mb']} MB; {n['steps']}"
    )


def main() -> int:
    """Runs all cases, or in a process of its own one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--publications", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true", help="3 rounds, 500 publications")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--dsn", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    rounds, publications = (3, 500) if chosen.quick else (chosen.rounds, chosen.publications)
    if chosen.case:
        print(json.dumps(run_case(chosen.case, chosen.dsn, rounds, publications)))
        return 0
    postgres = local.postgres()
    options = ("--rounds", str(rounds), "--publications", str(publications))
    made = {case: in_own_process(case, postgres, *options) for case in ("indented", "compact", "end to end")}
    if chosen.json:
        print(json.dumps(made, indent=1))
    else:
        for each in show(made):
            Console(width=120).print(each)
    held = made["indented"]["share"] >= AIM and made["end to end"]["peak_rss_mb"] <= MEMORY_MB
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
