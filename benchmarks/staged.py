"""What the measurements of sources share: parse and stage beside bare reading, imports end to end, processes of their own."""

from __future__ import annotations

import gc
import json
import resource
import statistics
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from rich.table import Table

from explorer import config, database, descriptions, flow, imports, local, sites, staging, tasks
from explorer.planning import Request
from explorer.sources import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from explorer.database import Connection
    from explorer.sources import Source

MEMORY_MB = 400


@dataclass(frozen=True, slots=True)
class _Site(sites.Site):
    """A site with a source that is already there."""

    made: Source

    def source(self, import_: object = None) -> Source:
        """It."""
        del import_
        return self.made


@dataclass(frozen=True, slots=True)
class Staging:
    """An import that is open for nothing but one list, once for every call. ``look`` says whether all of it arrived."""

    dsn: str
    file: Path
    source: Source
    part: str
    look: Callable[[Connection, int], bool]

    def __call__(self) -> tuple[float, float, int]:
        """CPU of this process, seconds by the clock, records."""
        site = _Site(config.load(self.file), self.dsn, self.source)
        import_id = flow.open_import(site, Request(run_key=uuid.uuid4().hex, stays=True))
        with tasks.working(self.dsn, import_id, "read", wants="opened") as (connection, import_):
            staging.plan_parts(connection, import_, [Part(self.part)])
            cpu, clock = time.process_time(), time.perf_counter()
            read = staging.read_part(connection, import_, self.source, self.part, lambda _: None).records
            spent = time.process_time() - cpu, time.perf_counter() - clock
            if not self.look(connection, read):
                raise SystemExit(
                    f"{read} records were read, but not all that is in them: what was timed did not do its work"
                )
        with database.connect(self.dsn) as connection:
            imports.end(connection, import_id, "declined")
            imports.drop_staging(connection, import_id)
        return *spent, read


def beside_bare(stage: Staging, bare: Callable[[], object], size: int, rounds: int) -> dict[str, float]:
    """Medians of rounds taken in turn; ``size`` is that of all pages, in bytes.

    What this process holds would make Python's search for cycles slow, and the bare reading by more than ours.
    """
    stage()
    gc.collect()
    gc.freeze()
    figures: dict[str, list[float]] = {"bare_cpu": [], "cpu": [], "bare_clock": [], "clock": []}
    read = 0
    for _ in range(rounds):
        cpu, clock = time.process_time(), time.perf_counter()
        bare()
        figures["bare_cpu"].append(time.process_time() - cpu)
        figures["bare_clock"].append(time.perf_counter() - clock)
        spent, seconds, read = stage()
        figures["cpu"].append(spent)
        figures["clock"].append(seconds)
    made = {name: statistics.median(values) for name, values in figures.items()}
    return {
        "kilobytes": size / read / 1000,
        "bare_per_second": read / made["bare_cpu"],
        "per_second": read / made["cpu"],
        "per_second_by_the_clock": read / made["clock"],
        "share": made["bare_cpu"] / made["cpu"],
        "share_by_the_clock": made["bare_clock"] / made["clock"],
    }


def table(made: Mapping[str, Mapping[str, float]], cases: Sequence[str], bare: str) -> Table:
    """The figures of parse and stage, for people."""
    drawn = Table(
        "pages", "kB each", f"{bare}, 1/s", "parse + stage, 1/s", "share", "by the clock", title="on one core"
    )
    for case in cases:
        n = made[case]
        drawn.add_row(
            case, f"{n['kilobytes']:.1f}", f"{n['bare_per_second']:,.0f}",
            f"{n['per_second']:,.0f} ({n['per_second_by_the_clock']:,.0f} by the clock)", f"{n['share']:.0%}",
            f"{n['share_by_the_clock']:.0%}",
        )  # fmt: skip
    return drawn


def imported(place: sites.Site) -> dict[str, Any]:
    """A whole import: what it published, its seconds and CPU, its steps, and the peak of memory so far."""
    clock, cpu = time.monotonic(), time.process_time()
    import_id = flow.run(place, Request(run_key=uuid.uuid4().hex, stays=True), approved=True)
    seconds, spent = time.monotonic() - clock, time.process_time() - cpu
    with database.connect(place.dsn) as connection:
        told = descriptions.object_of(connection, import_id)
    return {
        "outputs": told["tally"]["outputs"]["published"], "mode": told["mode"], "seconds": round(seconds, 1),
        "cpu": round(spent, 1), "steps": told["seconds"],
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip


def in_words(case: str, n: Mapping[str, Any]) -> str:
    """The figures of a whole import, for people."""
    return (
        f"{case}: {n['outputs']:,} outputs published, {n['mode']}, {n['seconds']:.0f} s"
        f" ({n['outputs'] / n['seconds']:,.0f} a second), CPU {n['cpu']:.0f} s, peak {n['peak_rss_mb']} MB; {n['steps']}"
    )


def in_own_process(script: str, case: str, server: local.Server, *options: str) -> dict[str, Any]:
    """Runs a case of a benchmark in a process and a database of its own."""
    name = "benchmark_" + uuid.uuid4().hex
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            with database.connect(server.dsn(name)) as own:
                database.migrate(own)
            command = [sys.executable, script, "--case", case, "--dsn", server.dsn(name), *options]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ourselves
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
    made: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return made


@contextmanager
def server_process(script: str, *words: str) -> Iterator[str]:
    """Starts a server in a process of its own and gives its address; it serves until the block ends."""
    command = [sys.executable, script, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        if process.stdin is None or process.stdout is None:
            raise AssertionError
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit("The server did not start; what it said stands above.")
        try:
            yield url
        finally:
            process.stdin.close()
