"""OAI-PMH servers for the benchmarks, each in a process of its own: what they cost is not what is measured.

``python benchmarks/oai_server.py KIND RECORDS`` prints the address and serves until its standard input ends. ``eprints``
is the simulator, with sound records that it makes at the beginning and faults that are switched over HTTP; ``flawed`` is
the same with seven broken records; ``lazy`` makes each page when it is asked for, so that a million records cost nothing,
and changes every hundredth record when it is asked to with the verb ``Change``.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "plugins"), str(Path(__file__).resolve().parents[1])]

from simulators.brobdingnag import brobdingnag
from simulators.eprints import DUBLIN_CORE, EPrints
from simulators.serving import Answer, Call, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

YAML = """\
name: Brobdingnag Institute
source:
  kind: oai_pmh
  platform: generic
  url: {url}
  windows: 1
  allow_private_hosts: true
  politeness: {{requests_per_second: 100}}
"""
PAGE_SIZE = 100
HOST = "repository.brobdingnag.example"
IDENTIFY = (
    "<Identify><repositoryName>Brobdingnag</repositoryName><protocolVersion>2.0</protocolVersion>"
    "<earliestDatestamp>2020-01-01T00:00:00Z</earliestDatestamp><deletedRecord>persistent</deletedRecord>"
    "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity></Identify>"
)
RECORD = (
    "<record><header><identifier>oai:{host}:{number}</identifier><datestamp>{datestamp}</datestamp>"
    "<setSpec>school{school}</setSpec></header><metadata>{dublin_core}"
    "<dc:title>{title} {number}</dc:title>"
    '<dc:creator id="staff-{author}">Glumdalclitch, {author}</dc:creator>'
    "<dc:creator>Guest, {number}</dc:creator><dc:date>20{year:02}</dc:date><dc:type>Article</dc:type>"
    "<dc:identifier>https://doi.org/10.5555/brobdingnag.{number}</dc:identifier>"
    "<dc:identifier>http://{host}/{number}/</dc:identifier>"
    "<dc:description>{abstract}</dc:description></oai_dc:dc></metadata></record>"
)
ABSTRACT = (
    "Of a visitor who fitted into a hand, and of what he said of the laws, wars and parties of his country. " * 12
)
SCHOOLS, AUTHORS = 200, 20_000
CHANGED = 100  # every so many records
BEFORE, AFTER = (
    ("On the stature of visitor", "2026-01-01T00:00:00Z"),
    ("On the weight of visitor", "2026-02-15T00:00:00Z"),
)


class Lazy(Simulator):
    """A repository of any size, whose token is the number of the next record and whether only changed ones are listed."""

    path = "/oai"

    def __init__(self, records: int) -> None:
        super().__init__()
        self.records = records
        self.changed = False

    def call_name(self, call: Call) -> str:
        """The verb."""
        return dict(call.arguments)["verb"]

    def log(self, call: Call, status: int | None, faults: tuple[str, ...] = ()) -> None:
        """Nothing is kept of ten thousand calls."""

    def answer(self, call: Call) -> Answer:
        """A page, the sets, or what the repository is."""
        content = {
            "Identify": lambda _: IDENTIFY, "ListSets": lambda _: self._sets(), "ListRecords": self._page,
            "Change": lambda _: self._change(),
        }  # fmt: skip
        inner = content[self.call_name(call)](dict(call.arguments))
        month = 3 if self.changed else 2
        return Answer(
            '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"'
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            f"<responseDate>2026-0{month}-01T03:00:00Z</responseDate><request>{self.url}</request>{inner}</OAI-PMH>".encode()
        )

    @staticmethod
    def _sets() -> str:
        rows = (f"<set><setSpec>school{n}</setSpec><setName>School {n}</setName></set>" for n in range(SCHOOLS))
        return f"<ListSets>{''.join(rows)}</ListSets>"

    def _change(self) -> str:
        self.changed = True
        return ""

    def _page(self, arguments: dict[str, str]) -> str:
        step, start = map(int, arguments.get("resumptionToken", f"{self._step(arguments)}-0").split("-"))
        if step == 0:
            return '<error code="noRecordsMatch">nothing changed</error>'
        end = min(start + PAGE_SIZE * step, self.records)
        rows = (self._record(number) for number in range(start, end, step))
        token = f"{step}-{end}" if end < self.records else ""
        size = -(-self.records // step)
        ending = f'<resumptionToken completeListSize="{size}" cursor="{start // step}">{token}</resumptionToken>'
        return f"<ListRecords>{''.join(rows)}{ending}</ListRecords>"

    def _step(self, arguments: dict[str, str]) -> int:
        """Every which record is listed; none where none is as new as that."""
        if arguments.get("from", "") <= BEFORE[1]:
            return 1
        return CHANGED if self.changed and arguments["from"] <= AFTER[1] else 0

    def _record(self, number: int) -> str:
        title, datestamp = AFTER if self.changed and number % CHANGED == 0 else BEFORE
        return RECORD.format(
            host=HOST, number=number, school=number % SCHOOLS, author=number % AUTHORS, year=number % 27, abstract=ABSTRACT,
            dublin_core=DUBLIN_CORE, title=title, datestamp=datestamp,
        )  # fmt: skip


@contextmanager
def server(kind: str, records: int) -> Iterator[str]:
    """Starts a server in a process of its own and gives its address."""
    command = [sys.executable, __file__, kind, str(records)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        if process.stdin is None or process.stdout is None:
            raise AssertionError
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit(f"The server {kind} did not start; what it said stands above.")
        try:
            yield url
        finally:
            process.stdin.close()


def serve() -> None:
    """Serves until nobody holds the other end of standard input."""
    kind, records = sys.argv[1], int(sys.argv[2])
    simulator = Lazy(records) if kind == "lazy" else EPrints(brobdingnag(records=records, flaws=kind == "flawed"))
    with simulator.serve() as url:
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    serve()
