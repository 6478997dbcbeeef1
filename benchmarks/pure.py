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
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "plugins"), str(Path(__file__).resolve().parents[1])]

import staged
from pure_server import Large, university
from rich.console import Console

from explorer import asking, config, local, sites
from explorer.config import PureSource
from explorer.polite_http import Answer, PoliteSession
from explorer.sources.pure import Pure
from explorer.sources.pure_api import Dialect, PureApi
from simulators.serving import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.database import Connection

AIM = 0.4
SERVER = str(Path(__file__).with_name("pure_server.py"))
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


def arrived(connection: Connection, read: int) -> bool:
    """Whether all that is in the pages stands in staging."""
    fields = "count(*), count(title), count(year), count(venue), count(type), count(*) filter (where groups <> '{}')"
    rows = connection.execute(f"select {fields} from output").fetchall()[0]
    named = "select count(*) from output_identifier where scheme in ('doi', 'pmid')"
    ids = connection.execute(named).fetchall()[0][0]
    links = connection.execute("select count(*) from relationship").fetchall()[0][0]
    return set(rows) == {read} and read == ON_A_PAGE * PAGES and ids == 2 * read and links >= read


def parse_and_stage(dsn: str, folder: Path, rounds: int, case: str) -> dict[str, float]:
    """Parse and stage beside bare reading."""
    version, indented = CASES[case]
    pages = Pages(version, indented=indented)
    settings = PureSource.model_validate({"kind": "pure", "connection": "tribnia", "page_size": ON_A_PAGE})
    source = Pure(settings, lambda: PureApi(pages.base, cast("PoliteSession", pages), pages.dialect))
    file = folder / "tribnia.yaml"
    file.write_text(YAML)
    stage = staged.Staging(dsn, file, source, "outputs", arrived)
    return staged.beside_bare(stage, lambda: bare(pages.pages), sum(map(len, pages.pages)), rounds)


def end_to_end(dsn: str, folder: Path, outputs: int) -> dict[str, Any]:
    """Whole imports over HTTP: full, unchanged, and full from the new API."""
    asking.Turns.wait = lambda *_: None  # type: ignore[method-assign,assignment]  # what is measured is us, not the pause between requests
    made: dict[str, Any] = {}
    for version in ("524", "new"):
        file = folder / f"tribnia_{version}.yaml"
        file.write_text(YAML)
        with staged.server_process(SERVER, str(outputs), version) as url:
            connection = {"conn_type": "http", "host": url, "password": "key-of-gulliver"}
            os.environ["AIRFLOW_CONN_TRIBNIA"] = json.dumps(connection)
            place = sites.Site(config.load(file), dsn)
            made[f"{version}, full"] = staged.imported(place)
            if version != "new":
                made[f"{version}, unchanged"] = staged.imported(place)
    return made


def run_case(case: str, dsn: str, rounds: int, outputs: int) -> dict[str, Any]:
    """One measurement."""
    with tempfile.TemporaryDirectory() as folder:
        if case == "end to end":
            return end_to_end(dsn, Path(folder), outputs)
        return parse_and_stage(dsn, Path(folder), rounds, case)


def show(made: dict[str, dict[str, Any]]) -> None:
    """All figures, for people."""
    console = Console(width=160)
    console.print(staged.table(made, list(CASES), "json.loads"))
    for case, n in made["end to end"].items():
        console.print(staged.in_words(case, n))


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
    made = {case: staged.in_own_process(__file__, case, postgres, *sizes) for case in (*CASES, "end to end")}
    if options.json:
        print(json.dumps(made))
    else:
        show(made)
    slow = [case for case in CASES if made[case]["share"] < AIM]
    heavy = [case for case, n in made["end to end"].items() if n["peak_rss_mb"] > staged.MEMORY_MB]
    return int(bool(slow or heavy))


if __name__ == "__main__":
    sys.exit(main())
