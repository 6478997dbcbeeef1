"""What windows by date bring: one repository, one latency, imported in one list and in windows, within the same limits.

``python benchmarks/oai_windows.py [--records 10000] [--latency 0.5] [--connections 4] [--quick] [--json]``. A simulated
EPrints repository answers every request after a pause, as real ones do (half of them take more than a second). Planning,
with the probes for the windows' sizes, is told apart from reading into an embedded Postgres: its share shrinks with the size
of the repository. Status 1 if reading is not at least 0.6 times ``connections`` as fast in as many windows as in one list
(the last window, and the look at what changed meanwhile, are read alone), if a record is missing, if more requests than
``connections`` are under way at once, or if they come faster than the limit.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "plugins"), str(Path(__file__).resolve().parents[1])]

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from explorer import config, database, flow, imports, local, sites, staging
from explorer.planning import Request
from simulators.brobdingnag import brobdingnag
from simulators.eprints import EPrints
from simulators.serving import Fault

RATE = 50  # requests a second at most
SHARE = 0.6
YAML = """\
name: Brobdingnag
source:
  kind: oai_pmh
  platform: eprints
  url: {url}
  windows: {windows}
  allow_private_hosts: true
  politeness: {{requests_per_second: {rate}, connections: {connections}}}
"""


def read(dsn: str, url: str, windows: int, connections: int) -> dict[str, Any]:
    """Plans and reads one full import; seconds, different outputs in staging, lists."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"brobdingnag_{windows}.yaml"
        file.write_text(YAML.format(url=url, windows=windows, rate=RATE, connections=connections))
        place = sites.Site(config.load(file), dsn)
        import_id = flow.open_import(place, Request(run_key=f"{windows} windows", stays=True))
        began = time.monotonic()
        flow.plan_parts(place, import_id, stays=True)
        planned = time.monotonic() - began
        flow.read_side_by_side(place, import_id)
        flow.settle(place, import_id, stays=True)
        seconds = time.monotonic() - began
    with database.connect(dsn) as connection:
        imports.stand_on(connection, imports.get(connection, import_id))
        outputs = connection.execute("select count(distinct key) from output").fetchall()[0][0]
        lists = len(staging.progress(connection))
    return {
        "seconds": round(seconds, 2),
        "planning": round(planned, 2),
        "reading": round(seconds - planned, 2),
        "outputs": int(outputs),
        "lists": lists,
    }


def measure(records: int, latency: float, connections: int) -> dict[str, Any]:
    """Both ways of reading, and what the server saw of the second."""
    world = brobdingnag(records=records, flaws=False)
    for place, item in enumerate(list(world)):
        at = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(hours=24 * 4000 * place // records)
        world.edit(item.number, at=at)
    postgres = local.postgres()
    name = "benchmark_" + uuid.uuid4().hex
    simulator = EPrints(world, [Fault("slow", times=None, seconds=latency)])
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection, simulator.serve() as url:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            with database.connect(postgres.dsn(name)) as own:
                database.migrate(own)
            alone = read(postgres.dsn(name), url, 1, connections)
            simulator.forget_calls()
            simulator.most_at_once = 0
            together = read(postgres.dsn(name), url, connections, connections)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
    times = sorted(each.at for each in simulator.calls)
    busiest = max(sum(at <= other < at + 1 for other in times) for at in times)
    return {
        "one list": alone,
        "windows": together,
        "times as fast": round(alone["seconds"] / together["seconds"], 2),
        "reading times as fast": round(alone["reading"] / together["reading"], 2),
        "most at once": simulator.most_at_once,
        "most in a second": busiest,
        "held": together["outputs"] == alone["outputs"] == records
        and simulator.most_at_once <= connections
        and busiest <= RATE + 1
        and alone["reading"] >= SHARE * connections * together["reading"],
    }


def main() -> int:
    """Prints the figures; status 1 if windows are not worth it, or break a limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--latency", type=float, default=0.5)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="fewer records")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    made = measure(4000 if options.quick else options.records, options.latency, options.connections)
    if options.json:
        print(json.dumps(made))
    else:
        columns = ("seconds", "planning", "reading", "outputs", "lists")
        table = Table("", *columns, title="One list, and windows side by side")
        for name in ("one list", "windows"):
            table.add_row(name, *(str(made[name][each]) for each in columns))
        table.caption = (
            f"{made['times as fast']} times as fast, {made['reading times as fast']} times in reading, with"
            f" {options.connections} connections and {options.latency:g} s for an answer; at most {made['most at once']}"
            f" requests under way, {made['most in a second']} in a second"
        )
        Console(width=110).print(table)
    return 0 if made["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
