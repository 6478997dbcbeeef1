"""The harvest of an EPrints repository that misbehaves: what arrives is what arrives when all is well."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pytest

from explorer.config import OaiPmhSource
from explorer.polite_http import Limits, PoliteSession
from explorer.records import Department, Output
from explorer.sources import Page, Part, Plan, SourceError
from explorer.sources.oai_platforms import Settings, accent
from explorer.sources.oai_pmh import OaiPmh
from explorer.sources.oai_protocol import OaiRepository
from simulators.brobdingnag import brobdingnag
from simulators.eprints import EPrints
from simulators.serving import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulators.repository import World

LIMITS = Limits(requests_per_second=1000, retries=2, backoff=0.001, longest_retry_after=1)
FULL = Plan("full")
PAGE_SIZE = 20

HARMLESS = [
    "busy_seconds", "busy_date", "too_many_requests", "server_error", "redirect", "html", "errors_as_422", "truncated",
    "text_before", "text_after", "gzip", "gzip_undeclared", "slow", "silence", "reset", "cut", "expired_token",
    "same_token", "empty_page", "refuses_seconds", "fractions", "ignores_from", "repeats_records",
    "no_records",
]  # fmt: skip
HARMLESS_FOR_EVER = [
    "redirect", "errors_as_422", "text_before", "text_after", "gzip", "gzip_undeclared", "refuses_seconds", "fractions",
    "ignores_from", "repeats_records",
]  # fmt: skip
FAILURES = {
    "server_error": "http_500",
    "busy_seconds": "http_503",
    "html": "not_oai",
    "reset": "unreachable",
    "cut": "cut_off",
    "expired_token": "oai_badResumptionToken",
}
LOSSES = {
    "truncated": "breaks off",
    "same_token": "same resumption token",
    "empty_page": "one empty page after the other",
    "no_records": "announced",
}


@cache
def world() -> World:
    return brobdingnag(records=200)


@dataclass
class Harvest:
    """What one reading gave."""

    outputs: Mapping[str | None, Output]
    pages: Sequence[Page]


def oai(url: str) -> OaiPmh:
    block = {"kind": "oai_pmh", "platform": "eprints", "url": url, "allow_http": True}
    session = PoliteSession(LIMITS, allow_http=True, allow_private_hosts=True)
    return OaiPmh(OaiRepository(url, session), accent("eprints"), Settings(OaiPmhSource.model_validate(block)))


def harvest(*faults: Fault, plan: Plan = FULL) -> Harvest:
    pages: list[Page] = []
    outputs: dict[str | None, Output] = {}
    with EPrints(world(), faults, page_size=PAGE_SIZE).serve() as url:
        for page in oai(url).read(Part("outputs"), plan, None):
            if page.restart:
                outputs.clear()
            pages.append(page)
            outputs.update({each.key: each for each in page.records if isinstance(each, Output)})
    return Harvest(outputs, pages)


@cache
def well() -> Harvest:
    return harvest()


def test_all_records_of_a_repository_that_is_well() -> None:
    found = well()
    assert len(found.outputs) == 200
    assert len(found.pages) == 200 // PAGE_SIZE
    assert {each.expected for each in found.pages} == {200}
    assert not any(each.incomplete or each.restart for each in found.pages)
    assert 100 < sum(bool(each.identifiers) for each in found.outputs.values()) < 200
    assert any(each.deleted for each in found.outputs.values())


def test_all_departments_of_a_repository_that_is_well() -> None:
    with EPrints(world()).serve() as url:
        (page,) = oai(url).read(Part("departments", "departments"), FULL, None)
    known = {each.key: each for each in page.records if isinstance(each, Department)}
    named = {key for each in well().outputs.values() for key in each.departments}
    assert named <= known.keys()
    assert {parent for each in known.values() for parent in each.parents} <= known.keys()


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_fault_that_passes_costs_nothing(kind: str) -> None:
    fault = Fault(kind, name="ListRecords", after=3, seconds=0.1)
    found = harvest(fault)
    assert found.outputs == well().outputs
    assert not any(each.incomplete for each in found.pages)


@pytest.mark.parametrize("kind", HARMLESS_FOR_EVER)
def test_a_habit_that_stays_costs_nothing(kind: str) -> None:
    found = harvest(Fault(kind, times=None))
    assert found.outputs == well().outputs
    assert not any(each.incomplete for each in found.pages)


@pytest.mark.parametrize(("kind", "code"), FAILURES.items())
def test_a_failure_that_stays_is_told_and_the_harvest_goes_on_where_it_stopped(kind: str, code: str) -> None:
    before: list[Page] = []
    with EPrints(world(), [Fault(kind, name="ListRecords", after=3, times=None)], page_size=PAGE_SIZE).serve() as url:
        with pytest.raises(SourceError) as raised:
            before.extend(oai(url).read(Part("outputs"), FULL, None))
        assert raised.value.code == code
        # list.extend keeps what came before the error
        read = before if kind != "expired_token" else before[:1]
        assert read
    with EPrints(world(), page_size=PAGE_SIZE).serve() as url:
        after = list(oai(url).read(Part("outputs"), FULL, read[-1].cursor))
    records = [each for page in (*read, *after) for each in page.records]
    assert {each.key: each for each in records} == well().outputs
    assert len(records) == len(well().outputs)
    assert not any(page.incomplete for page in after)


@pytest.mark.parametrize(("kind", "sentence"), LOSSES.items())
def test_what_a_list_lost_is_told(kind: str, sentence: str) -> None:
    found = harvest(Fault(kind, name="ListRecords", after=3, times=None))
    assert sentence in str(found.pages[-1].incomplete)
    assert found.pages[-1].cursor is None
    assert 0 < len(found.outputs) < 200


def test_a_server_that_ignores_from_is_told_of_and_gives_what_it_gives() -> None:
    since = "2026-01-01T00:00:00Z"
    plan = Plan("incremental", {"outputs": since})
    older = sum(str(each.datestamp) < "2025-12-31" for each in well().outputs.values())
    found = harvest(Fault("ignores_from", times=None), plan=plan)
    assert found.outputs == well().outputs
    assert not any(page.notes for page in found.pages[:-1])
    (note,) = found.pages[-1].notes
    assert (note.code, note.severity) == ("dates_ignored", "warning")
    assert f"{older} of 200 records did not change between {since} and …" in note.message
    assert not any(page.notes for page in harvest(plan=plan).pages)


def test_only_what_changed_is_asked_for() -> None:
    since = "2026-01-01T00:00:00Z"
    changed = {key for key, each in well().outputs.items() if str(each.datestamp) >= since}
    found = harvest(plan=Plan("incremental", {"outputs": since}))
    assert set(found.outputs) == changed
    assert 0 < len(changed) < 200
    for kind in ("refuses_seconds", "day_granularity"):
        assert set(harvest(Fault(kind, times=None), plan=Plan("incremental", {"outputs": since})).outputs) == changed
