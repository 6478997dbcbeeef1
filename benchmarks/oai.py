"""Our OAI-PMH harvest beside ``sickle`` and ``oaipmh-scythe``: how fast each is, and what each does when a server fails.

``python benchmarks/oai.py [--records 5000] [--rounds 5] [--quick] [--json]``. All ask the same EPrints simulator, which
is a process of its own. Speed: fetch and parse, in turn, the median of several rounds. sickle and scythe hand out
records with their values by element; "documents" is ours doing just that, and "outputs" makes identifiers, people and
departments of them too.

Faults: each kind strikes once in the middle of the list, and in a second harvest from there on for ever. Every harvest
is a process of its own, ended when it takes too long. The clients are set to try again as ours does: 3 times after 429,
5xx and, where they can, after errors of the transport. The table is also written to ``benchmarks/oai_faults.md``.
Status 1 if our documents come slower, by the clock, than the records of the faster of the others, or if ours loses a record
without a word. The CPU that each costs stands beside: where other work shares the machine, it is the steadier figure.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "plugins"), str(Path(__file__).resolve().parents[1])]

import requests
from oai_server import server
from oaipmh_scythe import Scythe
from oaipmh_scythe.config import HTTPConfig, RetryConfig
from rich.console import Console
from rich.table import Table
from sickle import Sickle

from explorer.config import OaiPmhSource
from explorer.polite_http import Limits, PoliteSession, ahead
from explorer.records import Output
from explorer.sources import Part, Plan
from explorer.sources.oai_platforms import Settings, accent
from explorer.sources.oai_pmh import OaiPmh
from explorer.sources.oai_protocol import OaiRepository
from simulators.eprints import EPrints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from explorer.sources.oai_xml import Document

FILE = Path(__file__).with_name("oai_faults.md")
STATUSES = (429, 500, 502, 503, 504)
RETRIES = 3
READ_TIMEOUT = 1.0  # seconds
SECONDS: dict[str, float] = {"slow": 0.3, "silence": 2.0}  # of a fault; else 1
TOO_LONG = 20.0  # seconds for 500 records
FAULTY = 500  # records, on five pages
PAGES_BEFORE = 2
# What shows only where changes since a time are asked for, with that time; nothing has changed since the last one.
HABITS = {
    "refuses_seconds": "2025-01-01T00:00:00Z",
    "day_granularity": "2025-01-01T00:00:00Z",
    "ignores_from": "2025-01-01T00:00:00Z",
    "errors_as_422": "2030-01-01T00:00:00Z",
}
RESTART, SAYS = "restart ", "says "  # in the place of an identifier


def ours(url: str, since: str | None) -> Iterator[str]:
    """Identifiers of the outputs that our source gives, and what it says beside them."""
    limits = Limits(requests_per_second=10_000, retries=RETRIES, backoff=0.05, read_timeout=READ_TIMEOUT)
    block = {"kind": "oai_pmh", "platform": "eprints", "url": url}
    session = PoliteSession(limits, allow_http=True, allow_private_hosts=True)
    source = OaiPmh(OaiRepository(url, session), accent("eprints"), Settings(OaiPmhSource.model_validate(block)))
    plan = Plan("incremental", {"outputs": since}) if since else Plan("full")
    for page in source.read(Part("outputs"), plan, None):
        if page.restart:
            yield RESTART
        for each in page.records:
            if isinstance(each, Output):
                yield f"{SAYS}{each.refusal.rule}, record by record" if each.refusal else str(each.key)
        if page.incomplete:
            yield SAYS + page.incomplete


def documents(url: str, since: str | None) -> Iterator[str]:
    """Identifiers of the records of our documents, each with its values by element, before anything is made of them.

    The next page is fetched while one is read, as our source does it.
    """
    limits = Limits(requests_per_second=10_000)
    repository = OaiRepository(url, PoliteSession(limits, allow_http=True, allow_private_hosts=True))
    arguments = {"metadataPrefix": "oai_dc", **({"from": since} if since else {})}

    def pages() -> Iterator[Document]:
        document = repository.ask("ListRecords", arguments)
        yield document
        while document.token:
            document = repository.ask("ListRecords", {"resumptionToken": document.token})
            yield document

    for document in ahead(pages()):
        for each in document.records:
            values: dict[object, list[str | None]] = {}
            for element in () if each.metadata is None else each.metadata:
                values.setdefault(element.tag, []).append(element.text)
            yield str(each.header.identifier)


def with_sickle(url: str, since: str | None) -> Iterator[str]:
    """Identifiers of the records that sickle gives."""
    client = Sickle(
        url,
        max_retries=RETRIES,
        retry_status_codes=STATUSES,
        default_retry_after=1,
        timeout=READ_TIMEOUT,
        encoding="utf-8",
    )
    for record in client.ListRecords(metadataPrefix="oai_dc", **({"from": since} if since else {})):
        yield record.header.identifier


def with_scythe(url: str, since: str | None) -> Iterator[str]:
    """Identifiers of the records that oaipmh-scythe gives."""
    retries = RetryConfig(
        max_retries=RETRIES,
        retry_status_codes=STATUSES,
        default_retry_after=1,
        retry_on_transport_error=True,
        initial_backoff=0.05,
    )
    with Scythe(url, http_config=HTTPConfig(timeout=READ_TIMEOUT), retry_config=retries) as client:
        for record in client.list_records(metadata_prefix="oai_dc", from_=since):
            yield record.header.identifier


CLIENTS: dict[str, Callable[[str, str | None], Iterator[str]]] = {
    "explorer": ours,
    "sickle": with_sickle,
    "oaipmh-scythe": with_scythe,
}
TIMED = {
    "explorer, documents": documents,
    "explorer, outputs": ours,
    "sickle": with_sickle,
    "oaipmh-scythe": with_scythe,
}


def speed(records: int, rounds: int) -> dict[str, dict[str, float]]:
    """Records a second, and seconds of this process' CPU for 1,000 records: medians of rounds taken in turn."""
    wall: dict[str, list[float]] = {name: [] for name in TIMED}
    cpu: dict[str, list[float]] = {name: [] for name in TIMED}
    with server("eprints", records) as url:
        for _ in range(rounds):
            for name, harvest in TIMED.items():
                began, used = time.perf_counter(), time.process_time()
                got = sum(1 for _ in harvest(url, None))
                wall[name].append(time.perf_counter() - began)
                cpu[name].append(time.process_time() - used)
                if got != records:
                    raise SystemExit(f"{name} got {got} of {records} records of a server that is well.")
    return {
        name: {
            "per_second": round(records / statistics.median(wall[name])),
            "cpu_per_1000": round(statistics.median(cpu[name]) * 1000 / records, 3),
        }
        for name in TIMED
    }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client made of a fault: different records, how many came more than once, what it said. ``of``: the truth."""

    got: int
    of: int
    twice: int = 0
    said: str = ""

    def __str__(self) -> str:
        doubles = f", {self.twice} of them again" if self.twice else ""
        told = f"; {self.said or 'says nothing'}" if self.said or self.silent else ""
        return f"{self.got} of {self.of}{doubles}{told}"

    @property
    def silent(self) -> bool:
        """Whether records are missing and nobody is told."""
        return self.got < self.of and not self.said


def outcome(name: str, url: str, since: str | None, of: int) -> Outcome:
    """Harvests in a process of its own, which is ended when it takes too long."""
    forked = multiprocessing.get_context("fork")
    told = forked.SimpleQueue()
    progress = forked.Value("i", 0)
    process = forked.Process(target=_harvest, args=(name, url, since, of, (told, progress)))
    process.start()
    process.join(TOO_LONG)
    if process.is_alive():
        process.kill()
        process.join()
        return Outcome(progress.value, of, said=f"never ends (ended after {TOO_LONG:.0f} s)")
    made: Outcome = told.get()
    return made


def _harvest(name: str, url: str, since: str | None, of: int, tell: tuple[Any, Any]) -> None:
    told, progress = tell
    seen: Counter[str] = Counter()
    said: list[str] = []
    try:
        for key in CLIENTS[name](url, since):
            if key == RESTART:
                seen.clear()  # what came before does not count
            elif key.startswith(SAYS):
                said.append(key)
            else:
                seen[key] += 1
                progress.value = len(seen)
    except Exception as error:  # noqa: BLE001 - what a client raises is the result
        code = getattr(error, "code", None)
        said.append(f"raises {type(error).__name__}" + (f" ({code})" if isinstance(code, str) else ""))
    told.put(Outcome(len(seen), of, sum(times > 1 for times in seen.values()), "; ".join(dict.fromkeys(said))))


def cases(quick: bool) -> Iterator[tuple[str, dict[str, Any], str | None]]:  # noqa: FBT001
    """Name, fault and the time from which changes are asked for."""
    for kind in EPrints.faults_known:
        fault = {"kind": kind, "seconds": SECONDS.get(kind, 1)}
        if kind in HABITS:
            yield f"{kind}, always", {**fault, "times": None}, HABITS[kind]
            continue
        placed = {**fault, "name": "ListRecords", "after": PAGES_BEFORE}
        yield f"{kind}, once", placed, None
        if not quick:
            yield f"{kind}, for ever", {**placed, "times": None}, None


def faults(*, quick: bool) -> dict[str, dict[str, Outcome]]:
    """What each client makes of each fault."""
    made: dict[str, dict[str, Outcome]] = {}
    with server("eprints", FAULTY) as url:
        admin = url.removesuffix(EPrints.path) + "/_simulator/faults"
        true = {since: sum(1 for _ in documents(url, since)) for since in {None, *HABITS.values()}}
        for case, fault, since in cases(quick):
            made[case] = {}
            for name in CLIENTS:
                requests.delete(admin, timeout=5).raise_for_status()
                requests.post(admin, json=fault, timeout=5).raise_for_status()
                made[case][name] = outcome(name, url, since, true[since])
            print(case, *(f"{name}: {each}" for name, each in made[case].items()), sep=" | ", file=sys.stderr)
    with server("flawed", FAULTY) as url:
        made["seven records broken in seven ways"] = {name: outcome(name, url, None, FAULTY) for name in CLIENTS}
    return made


def page(made: dict[str, dict[str, Outcome]]) -> str:
    """The table of faults as Markdown."""
    rows = [
        f"| {case} | {' | '.join(f'**{each}**' if each.silent else str(each) for each in outcomes.values())} |"
        for case, outcomes in made.items()
    ]
    explained = (
        "Each fault strikes in the middle of a list of five pages of the same simulated EPrints repository. A cell has the"
        " different records that arrived, of how many, and what the harvester said; **bold**: records are missing and"
        f" nobody is told. sickle and oaipmh-scythe try again {RETRIES} times after 429 and 5xx, oaipmh-scythe after"
        f" errors of the transport too; a time-out is {READ_TIMEOUT:g} s for all. For {', '.join(HABITS)}, what"
        " changed since a time is asked for (for the last of them nothing did), and the fault is there from the beginning."
        " In the last row a count says too little: both of the others let lxml recover broken XML, which drops text without"
        " a word and puts the fields of the records behind a cut-off one into that one; ours mends or refuses each."
    )
    return "\n".join(
        [
            "# What three harvesters do when a repository fails",
            "",
            "Made by `python benchmarks/oai.py` (a part of `make bench`): run it to make this page again.",
            "",
            explained,
            "",
            f"| fault | {' | '.join(CLIENTS)} |",
            f"|---|{'---|' * len(CLIENTS)}",
            *rows,
            "",
            "## The faults",
            "",
            *(f"- `{kind}`: {meaning}" for kind, meaning in EPrints.faults_known.items()),
            "",
        ]
    )


def summary(made: dict[str, dict[str, Outcome]]) -> dict[str, dict[str, int]]:
    """By client: faults after which all records arrived, and those after which some are missing without a word."""
    return {
        name: {
            "all records": sum(each[name].got >= each[name].of and not each[name].said for each in made.values()),
            "lost without a word": sum(each[name].silent for each in made.values()),
            "never ends": sum(each[name].said.startswith("never ends") for each in made.values()),
        }
        for name in CLIENTS
    }


def main() -> int:
    """Prints the figures; status 1 if our documents are slower, or ours loses records without a word."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="fewer records, and each fault only once; no page written")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rates = speed(1000 if options.quick else options.records, 3 if options.quick else options.rounds)
    made = faults(quick=options.quick)
    counts = summary(made)
    if not options.quick:
        FILE.write_text(page(made))
    fastest = max(rates["sickle"]["per_second"], rates["oaipmh-scythe"]["per_second"])
    ratio = round(rates["explorer, documents"]["per_second"] / fastest, 2)
    cheapest = min(rates["sickle"]["cpu_per_1000"], rates["oaipmh-scythe"]["cpu_per_1000"])
    cost = round(rates["explorer, documents"]["cpu_per_1000"] / cheapest, 2)
    if options.json:
        told = {case: {name: asdict(each) for name, each in row.items()} for case, row in made.items()}
        print(json.dumps({"speed": rates, "ratio": ratio, "cpu_ratio": cost, "faults": told, "summary": counts}))
    else:
        show(rates, made, counts, (ratio, cost))
    return 0 if ratio >= 1 and not counts["explorer"]["lost without a word"] else 1


def show(
    rates: dict[str, dict[str, float]],
    made: dict[str, dict[str, Outcome]],
    counts: dict[str, dict[str, int]],
    ratios: tuple[float, float],
) -> None:
    """The figures as tables."""
    console = Console(width=160)
    table = Table("", "records a second", "CPU seconds for 1,000", title="Fetch and parse")
    for name, rate in rates.items():
        table.add_row(name, f"{rate['per_second']:,}", f"{rate['cpu_per_1000']:.3f}")
    table.caption = (
        f"our documents: {ratios[0]} times as fast as the faster other, {ratios[1]} times the CPU of the cheaper"
    )
    console.print(table)
    table = Table("fault", *CLIENTS, title="What becomes of a fault")
    for case, row in made.items():
        table.add_row(case, *(str(each) for each in row.values()))
    console.print(table)
    table = Table("", *next(iter(counts.values())), title=f"Of {len(made)} faults")
    for name, row_of in counts.items():
        table.add_row(name, *(str(number) for number in row_of.values()))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
