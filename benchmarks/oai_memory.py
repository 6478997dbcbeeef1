"""Whether memory stays flat however large a repository is: the peak of a harvest into staging, small and large.

``python benchmarks/oai_memory.py [--sizes 100000 1000000] [--quick] [--json]``. Each size is harvested by a process of
its own, as an import does it, from a server in another process that makes its pages on the fly, into a database of its
own on the embedded Postgres, which is dropped afterwards. Memory is the peak of the harvesting process alone. Status 1
if the peaks differ by 10 % or more, or if a record is missing.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "plugins"), str(Path(__file__).resolve().parents[1])]

import psycopg
from oai_server import YAML, server
from psycopg import sql
from rich.console import Console
from rich.table import Table

from explorer import config, database, flow, imports, local, sites, staging
from explorer.planning import Request

SIZES, QUICK_SIZES = (100_000, 1_000_000), (20_000, 60_000)
MOST_GROWTH = 0.10


def harvest(url: str, dsn: str) -> dict[str, Any]:
    """Opens an import and reads all its parts into staging. Seconds, records in staging, peak memory."""
    with database.connect(dsn) as connection:
        database.migrate(connection)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "brobdingnag.yaml"
        file.write_text(YAML.format(url=url))
        place = sites.Site(config.load(file), dsn)
        import_id = flow.open_import(place, Request(run_key="benchmark", stays=True))
        began = time.monotonic()
        for part in flow.plan_parts(place, import_id, stays=True):
            flow.read_part(place, import_id, part, stays=True)
        seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with database.connect(dsn) as connection:
        imports.stand_on(connection, imports.get(connection, import_id))
        staged = staging.counts(connection)
    return {"seconds": seconds, "peak_kb": peak, "outputs": staged["output"], "departments": staged["department"]}


def in_own_process(size: int, postgres: local.Server) -> dict[str, Any]:
    """Harvests a repository of this size in a process and a database of its own."""
    name = "benchmark_" + uuid.uuid4().hex
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection, server("lazy", size) as url:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            command = [sys.executable, __file__, "--url", url, "--dsn", postgres.dsn(name)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ourselves
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"{size} records: {error.stderr}") from error
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
    made: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return made


def measure(sizes: list[int]) -> dict[str, Any]:
    """All sizes, and by how much the peak of the last exceeds that of the first (a share)."""
    postgres = local.postgres()
    runs = {size: in_own_process(size, postgres) for size in sizes}
    return {
        "runs": runs,
        "growth": round(runs[sizes[-1]]["peak_kb"] / runs[sizes[0]]["peak_kb"] - 1, 4),
        "complete": all(run["outputs"] == size for size, run in runs.items()),
    }


def main() -> int:
    """Prints the figures; status 1 if memory grows with the repository."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--quick", action="store_true", help="smaller repositories")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--dsn", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.url:
        print(json.dumps(harvest(options.url, options.dsn)))
        return 0
    made = measure(list(QUICK_SIZES if options.quick else options.sizes))
    if options.json:
        print(json.dumps(made))
    else:
        table = Table(
            "records", "in staging", "seconds", "records a second", "peak memory, MB", title="Memory of a harvest"
        )
        for size, run in made["runs"].items():
            rate = size / run["seconds"]
            peak = run["peak_kb"] / 1024
            table.add_row(f"{size:,}", f"{run['outputs']:,}", f"{run['seconds']:.0f}", f"{rate:,.0f}", f"{peak:.1f}")
        table.caption = f"the peak grows by {made['growth']:.1%}; allowed are less than {MOST_GROWTH:.0%}"
        Console(width=100).print(table)
    return 0 if made["complete"] and abs(made["growth"]) < MOST_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
