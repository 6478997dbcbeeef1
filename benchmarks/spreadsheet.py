"""How fast a large spreadsheet is imported, beside ``pandas.read_csv`` and ``to_sql`` of the same file, in one run.

``python benchmarks/spreadsheet.py [--rows 1000000] [--json]``. Each case is a process of its own, for its peak memory
(Postgres not counted), and writes into a database of its own on the embedded Postgres. What each of them gives:

- pandas: the cells as text in one table; nothing is looked at.
- extract: rows read, identifiers made canonical, names and departments looked up, notes and refusals, in staging.
- end to end: rows joined into outputs, compared, published with keys, links and history; without Great Expectations.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins"))

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from explorer import config, connections, database, descriptions, flow, local, sites, validation
from explorer.planning import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

YAML = """\
name: Lilliput University
source: {kind: spreadsheet, publications: publications.csv, hierarchy: hierarchy.csv}
limits: {max_rejected_share: 1}
"""
FACULTIES, SCHOOLS = 12, 240
ROWS_OF_AN_OUTPUT = 2
PUBLICATIONS_OF_AN_AUTHOR = 20
WORDS = ("voyages", "mathematics", "laputa", "tides", "horses", "language", "giants", "rope", "endian", "eggs")


def rows(count: int, seed: int = 1726) -> Iterator[str]:
    """Lines of a publications file: an output in two rows on average, some cells to be mended, a few to be refused."""
    chance = random.Random(seed)
    yield "Author,Department,Title,DOI,PMID\n"
    people = max(10, count // PUBLICATIONS_OF_AN_AUTHOR)
    outputs = max(1, count // ROWS_OF_AN_OUTPUT)
    for _ in range(count):
        output, person = chance.randrange(outputs), chance.randrange(people)
        title = f"On {WORDS[output % len(WORDS)]} and {WORDS[output // 7 % len(WORDS)]}, part {output}"
        front = ("", "", "", "", "https://doi.org/", "doi:")[output % 6]
        doi = f"{front}10.5555/lilliput.{output}" if output % 100 else f"{output}"
        pmid = str(10_000_000 + output) if output % 3 == 0 else ""
        school = f"School {chance.randrange(SCHOOLS)}"
        yield f'"Family{person}, Given{person % 97}",{school},"{title}",{doi},{pmid}\n'


def write(folder: Path, count: int) -> int:
    """The files of an institution; returns the bytes of the publications file."""
    (folder / "lilliput.yaml").write_text(YAML)
    schools = (f"Lilliput University,Faculty {n % FACULTIES},School {n}\n" for n in range(SCHOOLS))
    (folder / "hierarchy.csv").write_text("Top Level,Level 1,Level 2\n" + "".join(schools))
    with (folder / "publications.csv").open("w", encoding="utf-8") as file:
        file.writelines(rows(count))
    return (folder / "publications.csv").stat().st_size


def ours(folder: Path, dsn: str) -> dict[str, Any]:
    """The flow of an import, step by step. Seconds by step."""
    with database.connect(dsn) as connection:
        database.migrate(connection)
    passed = validation.Validation(results=(), rejected={}, table_failures=())
    validation.validate = lambda *_arguments, **_named: passed
    place = sites.Site(config.load(folder / "lilliput.yaml"), dsn)
    began = {"open_import": time.monotonic()}
    import_id = flow.run(
        place,
        Request(run_key="benchmark", stays=True),
        approved=True,
        listen=lambda step, _progress: began.setdefault(step, time.monotonic()),
    )
    ended = [*list(began.values())[1:], time.monotonic()]
    seconds = {step: end - start for (step, start), end in zip(began.items(), ended, strict=True)}
    with database.connect(dsn) as connection:
        made = descriptions.object_of(connection, import_id)
    outputs = made["tally"]["outputs"]
    return {
        "extract": seconds["open_import"] + seconds["extract"],
        "seconds": sum(seconds.values()),
        "steps": {step: round(spent, 2) for step, spent in seconds.items()},
        "outputs": outputs["published"],
        "rejected": outputs["rejected"],
    }


def with_pandas(folder: Path, dsn: str, chunk: int | None = None) -> dict[str, Any]:
    """All cells as text into one table; in pieces of ``chunk`` rows, or at once."""
    import pandas as pd  # noqa: PLC0415 - costs memory that the other case must not count
    import sqlalchemy as sa  # noqa: PLC0415

    engine = sa.create_engine(connections.sqlalchemy_url(dsn))
    began = time.monotonic()
    file = folder / "publications.csv"
    if chunk is None:
        pd.read_csv(file, dtype=str).to_sql("publications", engine, index=False)
    else:
        with pd.read_csv(file, dtype=str, chunksize=chunk) as pieces:
            for piece in pieces:
                piece.to_sql("publications", engine, index=False, if_exists="append")
    return {"seconds": time.monotonic() - began}


CASES: dict[str, Callable[[Path, str], dict[str, Any]]] = {
    "pandas": with_pandas,
    "pandas, 10,000 rows at a time": lambda folder, dsn: with_pandas(folder, dsn, 10_000),
    "explorer": ours,
}


def in_own_process(case: str, folder: Path, server: local.Server) -> dict[str, Any]:
    """Runs a case in a process and a database of its own."""
    name = "benchmark_" + uuid.uuid4().hex
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            command = [sys.executable, __file__, "--case", case, "--folder", str(folder), "--dsn", server.dsn(name)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ourselves
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"{case}: {error.stderr}") from error
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
    made: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return made


def compare(count: int) -> dict[str, Any]:
    """All cases over one file."""
    with tempfile.TemporaryDirectory() as folder:
        size = write(Path(folder), count)
        server = local.postgres()
        return {"rows": count, "bytes": size} | {
            "cases": {case: in_own_process(case, Path(folder), server) for case in CASES}
        }


def show(made: dict[str, Any]) -> None:
    """The comparison as a table."""
    table = Table(
        "", "seconds", "rows per second", "peak memory, MB", title=f"{made['rows']:,} rows, {made['bytes'] >> 20} MB"
    )
    for case, numbers in made["cases"].items():
        if "extract" in numbers:
            spent = numbers["extract"]
            table.add_row(f"{case}: extract", f"{spent:.1f}", f"{made['rows'] / spent:,.0f}", "")
            case = f"{case}: end to end"  # noqa: PLW2901
        rate = made["rows"] / numbers["seconds"]
        table.add_row(case, f"{numbers['seconds']:.1f}", f"{rate:,.0f}", str(numbers["peak_rss_mb"]))
    Console(width=100).print(table)
    Console(width=100).print(made["cases"]["explorer"]["steps"])


def main() -> None:
    """Runs all cases, or in a process of its own one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--dsn", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        made = CASES[arguments.case](arguments.folder, arguments.dsn)
        print(json.dumps(made | {"peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
        return
    made = compare(arguments.rows)
    print(json.dumps(made, indent=1)) if arguments.json else show(made)


if __name__ == "__main__":
    main()
