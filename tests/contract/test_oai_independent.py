"""The harvest of a server that we did not write (pyoai): every record, deletion and set arrives, whole and by date."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from explorer.config import OaiPmhSource
from explorer.polite_http import Limits, PoliteSession
from explorer.records import Department, Output
from explorer.sources import Page, Part, Plan
from explorer.sources.oai_platforms import Settings, accent
from explorer.sources.oai_pmh import OaiPmh
from explorer.sources.oai_protocol import OaiRepository
from tests.pyoai_server import FIRST, PAGE_SIZE, SETS, Laputa, served

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COUNT = 1000
LIMITS = Limits(requests_per_second=1000, retries=1, backoff=0.001)


def oai(url: str, **options: Any) -> OaiPmh:
    block = {"kind": "oai_pmh", "platform": "generic", "url": url, "authors": "all", **options}
    session = PoliteSession(LIMITS, allow_http=True, allow_private_hosts=True)
    return OaiPmh(OaiRepository(url, session), accent("generic"), Settings(OaiPmhSource.model_validate(block)))


def outputs(pages: list[Page]) -> Mapping[str, Output]:
    """By key; no key twice, nothing lost, nothing mended."""
    assert not any(page.incomplete or page.restart or page.repairs for page in pages)
    assert [page.cursor is None for page in pages] == [False] * (len(pages) - 1) + [True]
    found = [each for page in pages for each in page.records if isinstance(each, Output)]
    assert len({each.key for each in found}) == len(found)
    return {str(each.key): each for each in found}


@pytest.fixture(scope="module")
def laputa() -> Laputa:
    return Laputa.of(COUNT)


@pytest.fixture(scope="module")
def url(laputa: Laputa) -> Iterator[str]:
    with served(laputa) as address:
        yield address


def test_every_record_and_deletion_arrives(laputa: Laputa, url: str) -> None:
    pages = list(oai(url).read(Part("outputs"), Plan("full"), None))
    assert len(pages) == COUNT // PAGE_SIZE
    found = outputs(pages)
    assert {key: each.deleted for key, each in found.items()} == {each.key: each.deleted for each in laputa.entries}
    for entry in laputa.entries:
        made = found[entry.key]
        assert made.datestamp == f"{entry.at.isoformat()}Z"
        if not entry.deleted:
            assert made.title == entry.title
            assert [(each.scheme, each.value) for each in made.identifiers][:1] == [
                ("doi", f"10.5555/laputa.{entry.number}")
            ]
            assert made.departments == (entry.set,)
            assert [each.name for each in made.contributions] == [f"Lagado, {'ABC'[entry.number % 3]}."]


def test_every_set_arrives(url: str) -> None:
    (page,) = oai(url).read(Part("departments", "departments"), Plan("full"), None)
    assert page.incomplete is None
    found = {each.key: each for each in page.records if isinstance(each, Department)}
    assert {key: each.name for key, each in found.items()} == SETS
    assert {key: each.parents for key, each in found.items()} == {
        spec: (spec.partition(":")[0],) if ":" in spec else () for spec in SETS
    }


@pytest.mark.parametrize("first", [0, 1, 250, COUNT - 1, COUNT])
def test_what_changed_since_arrives_and_nothing_else(laputa: Laputa, url: str, first: int) -> None:
    since = f"{(FIRST + timedelta(minutes=first)).isoformat()}Z"
    pages = list(oai(url).read(Part("outputs"), Plan("incremental", {"outputs": since}), None))
    assert set(outputs(pages)) == {each.key for each in laputa.entries[first:]}


def test_one_set_arrives_and_what_is_below_it(laputa: Laputa, url: str) -> None:
    source = oai(url, sets={"include": ["f1"]})
    (part,) = (each for each in source.parts(Plan("full")) if each.scope == "outputs")
    found = outputs(list(source.read(part, Plan("full"), None)))
    assert set(found) == {each.key for each in laputa.entries if each.set.startswith("f1:")}


def test_a_harvest_goes_on_behind_any_page(laputa: Laputa, url: str) -> None:
    whole = list(oai(url).read(Part("outputs"), Plan("full"), None))
    rest = list(oai(url).read(Part("outputs"), Plan("full"), whole[3].cursor))
    assert [each.records for each in rest] == [each.records for each in whole[4:]]


def test_check_finds_nothing_wrong(url: str) -> None:
    assert [each.name for each in oai(url).check() if not each.ok] == []
