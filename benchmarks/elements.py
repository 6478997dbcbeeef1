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
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "plugins"), str(Path(__file__).resolve().parents[1])]

import staged
from elements_server import Large, university
from lxml import etree
from rich.console import Console

from explorer import asking, config, database, local, sites
from explorer.config import ElementsSource
from explorer.polite_http import Answer, PoliteSession
from explorer.sources.elements import Elements, ElementsApi
from simulators.serving import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.database import Connection

AIM = 0.6
SERVER = str(Path(__file__).with_name("elements_server.py"))
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


def arrived(connection: Connection, read: int) -> bool:
    """Whether all that is in the pages stands in staging."""
    rows = connection.execute("select count(*), count(title), count(year), count(venue) from output").fetchall()[0]
    return set(rows) == {read} and read == ON_A_PAGE * PAGES


def parse_and_stage(dsn: str, folder: Path, rounds: int, *, indented: bool) -> dict[str, float]:
    """Parse and stage beside bare reading."""
    pages = Pages(indented=indented)
    settings = ElementsSource.model_validate({"kind": "symplectic_elements", "connection": "laputa"})
    source = Elements(ElementsApi(pages.base, cast("PoliteSession", pages)), settings)
    file = folder / "laputa.yaml"
    file.write_text(YAML)
    stage = staged.Staging(dsn, file, source, "publications", arrived)
    return staged.beside_bare(stage, lambda: bare(pages.pages), sum(map(len, pages.pages)), rounds)


def end_to_end(dsn: str, folder: Path, publications: int) -> dict[str, Any]:
    """A full import over HTTP, step by step."""
    asking.Turns.wait = lambda *_: None  # type: ignore[method-assign,assignment]  # what is measured is us, not the pause between requests
    file = folder / "laputa.yaml"
    file.write_text(YAML)
    with staged.server_process(SERVER, str(publications)) as url:
        os.environ["AIRFLOW_CONN_LAPUTA"] = json.dumps({"conn_type": "http", "host": url})
        made = staged.imported(sites.Site(config.load(file), dsn))
    with database.connect(dsn) as connection:
        links = connection.execute("select count(*) from warehouse.authorship").fetchall()[0][0]
    return {**made, "authorships": links}


def run_case(case: str, dsn: str, rounds: int, publications: int) -> dict[str, Any]:
    """One measurement."""
    with tempfile.TemporaryDirectory() as folder:
        if case == "end to end":
            return end_to_end(dsn, Path(folder), publications)
        return parse_and_stage(dsn, Path(folder), rounds, indented=case == "indented")


def show(made: dict[str, dict[str, Any]]) -> None:
    """All figures, for people."""
    console = Console(width=120)
    console.print(staged.table(made, ("indented", "compact"), "bare lxml"))
    n = made["end to end"]
    console.print(staged.in_words(f"{n['authorships']:,} authorships", n))


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
    made = {
        case: staged.in_own_process(__file__, case, postgres, *options)
        for case in ("indented", "compact", "end to end")
    }
    if chosen.json:
        print(json.dumps(made, indent=1))
    else:
        show(made)
    held = made["indented"]["share"] >= AIM and made["end to end"]["peak_rss_mb"] <= staged.MEMORY_MB
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
