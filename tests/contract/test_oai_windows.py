"""A long list in windows by date: nothing lost at borders, nothing of what changes meanwhile, and no trust in odd servers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from explorer.records import Output
from explorer.sources import Part, Plan
from explorer.sources.oai_windows import RECORDS_PER_WINDOW, divided
from simulators.brobdingnag import brobdingnag
from simulators.eprints import EPrints
from simulators.repository import VirtualClock, World
from simulators.serving import Fault
from tests.contract.test_oai_harvest import FULL, made, repository
from tests.oai_documents import document, error, identify, record, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from explorer.sources.oai_pmh import OaiPmh

RECORDS = 300
BORN = datetime(2015, 1, 1, tzinfo=UTC)


def world(*, days: int = 2500, bulk: int = 0, clock: VirtualClock | None = None) -> World:
    """Records spread over ``days``, the first ``bulk`` of them changed in one second of 2024."""
    made = brobdingnag(clock, records=RECORDS, flaws=False)
    for place, item in enumerate(list(made)):
        at = BORN + timedelta(seconds=place * days * 86400 // RECORDS)
        made.edit(item.number, at=datetime(2024, 6, 1, 12, tzinfo=UTC) if place < bulk else at)
    return made


def source(url: str, **options: object) -> OaiPmh:
    return made(url, platform="eprints", **{"windows": 4, "politeness": {"connections": 3}, **options})


def outputs(oai: OaiPmh, parts: Iterable[Part], plan: Plan = FULL) -> dict[str, list[str | None]]:
    """Keys by part."""
    return {
        part.name: [
            each.key for page in oai.read(part, plan, None) for each in page.records if isinstance(each, Output)
        ]
        for part in parts
        if part.scope == "outputs"
    }


def windows(parts: Iterable[Part]) -> list[Mapping[str, object]]:
    return [each.start for each in parts if each.scope == "outputs" and not each.last]


@pytest.mark.parametrize("bulk", [0, 100, RECORDS - 1])
@pytest.mark.parametrize("days", [2500, 3, 0])
def test_windows_hold_all_records_and_about_as_many_each(days: int, bulk: int) -> None:
    repository = world(days=days, bulk=bulk)
    with EPrints(repository, page_size=20).serve() as url:
        oai = source(url)
        parts = oai.parts(FULL)
        by_part = outputs(oai, parts)
    everything = [f"oai:{repository.host}:{item.number}" for item in repository]
    read = [key for keys in by_part.values() for key in keys]
    assert sorted(set(read)) == sorted(everything)
    assert len({each.name for each in parts}) == len(parts)
    assert {each.mark for each in parts if each.scope == "outputs"} == {"outputs"}
    if bulk == 0 and days:
        assert 4 <= len(windows(parts)) <= 8
        assert max(map(len, by_part.values())) <= RECORDS / 4 * 1.25 + 1
        assert len(read) <= RECORDS + len(windows(parts))  # no more than one record stands at a border
    if days == 0 and bulk == 0:  # all in one second: nothing to divide
        assert [each.name for each in parts if each.scope == "outputs"] == ["outputs"]


def test_windows_are_open_at_both_ends_and_meet() -> None:
    with EPrints(world(), page_size=20).serve() as url:
        found = windows(source(url).parts(FULL))
    assert "from" not in found[0]
    assert "until" not in found[-1]
    assert [each["until"] for each in found[:-1]] == [each["from"] for each in found[1:]]
    assert all(len(str(end)) == len("2026-01-01T00:00:00Z") for each in found for end in each.values())


def test_what_changes_while_windows_are_read_is_not_missed() -> None:
    """The last window is read before the first: what moves from the first into the last is met in the end."""
    clock = VirtualClock()
    repository = world(clock=clock)
    with EPrints(repository, page_size=20).serve() as url:
        oai = source(url)
        parts = [each for each in oai.parts(FULL) if each.scope == "outputs"]
        first, *others = (each for each in parts if not each.last)
        read = outputs(oai, others)
        clock.advance(minutes=5)
        moved = next(iter(repository)).number
        repository.edit(moved, title="Of a new edition")
        repository.delete(list(repository)[1].number)
        read |= outputs(oai, [first])
        assert f"oai:{repository.host}:{moved}" not in {key for keys in read.values() for key in keys}
        read |= outputs(oai, [each for each in parts if each.last])
    everything = {f"oai:{repository.host}:{item.number}" for item in repository}
    assert {key for keys in read.values() for key in keys} == everything


@pytest.mark.parametrize(
    ("options", "plan"),
    [
        ({"windows": 1}, FULL),
        ({"windows": "auto"}, FULL),  # too short
        ({"politeness": {"connections": 1}}, FULL),
        ({}, Plan("incremental", {"outputs": "2015-01-01T00:00:00Z"})),
    ],
)
def test_one_list_stays_one_list(options: dict[str, object], plan: Plan) -> None:
    with EPrints(world(), page_size=20).serve() as url:
        assert [each.name for each in source(url, **options).parts(plan) if each.scope == "outputs"] == ["outputs"]


def test_a_server_that_looks_at_no_dates_is_read_in_one_go() -> None:
    with EPrints(world(), [Fault("ignores_from", times=None)], page_size=20).serve() as url:
        assert windows(source(url).parts(FULL)) == [{}]


def test_a_window_that_expires_begins_anew_alone() -> None:
    repository = world()
    with EPrints(repository, [Fault("expired_token", name="ListRecords", after=1)], page_size=20).serve() as url:
        oai = source(url)
        parts = [each for each in oai.parts(FULL) if each.scope == "outputs"]
        restarts = {part.name: sum(page.restart for page in oai.read(part, FULL, None)) for part in parts}
    assert sorted(restarts.values()) == [0] * (len(parts) - 1) + [1]


def test_a_poison_record_is_found_within_its_window() -> None:
    repository = world()
    poison = list(repository)[40].number
    with EPrints(repository, [Fault("server_error", record=poison, times=None)], page_size=20).serve() as url:
        oai = source(url)
        part = Part("outputs, 1", whole="outputs", start={"until": "2017-01-01T00:00:00Z"})
        found = [each for page in oai.read(part, FULL, None) for each in page.records if isinstance(each, Output)]
    refused = [each for each in found if each.refusal]
    assert [each.refusal.rule for each in refused if each.refusal] == ["server_error"]
    read = {each.key for each in found if not each.refusal}
    assert read == {
        f"oai:{repository.host}:{item.number}"
        for item in repository
        if item.datestamp <= "2017-01-01T00:00:00Z" and item.number != poison
    }


@pytest.mark.parametrize(
    "earliest", ["", "0001-01-01T00:00:00Z", "1900-01-01T00:00:00Z", "2026-02-01T03:00:00Z", "not a date"]
)
def test_an_earliest_datestamp_that_cannot_be_is_not_believed(earliest: str) -> None:
    """Days as the server's unit; sizes are told; the windows are of days, and all of them are asked for by day."""
    days = [f"20{year:02}-0{month}-11" for year in range(10, 26) for month in range(1, 9)] * 90

    def answer(query: dict[str, str]) -> str:
        if query["verb"] == "Identify":
            return identify(earliest=earliest, granularity="YYYY-MM-DD")
        since, until = query.get("from", ""), query.get("until", "9999")
        assert len(since) in {0, 10}
        held = [each for each in days if since <= each <= until]
        if not held:
            return error("noRecordsMatch")
        token = "x" if len(held) > 1 else ""
        return document(
            f"<{query['verb']}>{record(1, when=held[0])}"
            f'<resumptionToken completeListSize="{len(held)}">{token}</resumptionToken></{query["verb"]}>'
        )

    with repository(answer) as (oai, server):
        found = divided(oai.repository, {"metadataPrefix": "oai_dc"}, "auto")
    assert found is not None
    assert len(days) // RECORDS_PER_WINDOW <= len(found.windows) <= 2 * len(days) // RECORDS_PER_WINDOW
    borders = [each[1] for each in found.windows[:-1]]
    assert borders == sorted(borders)
    assert all("2010-01-11" <= each <= "2025-09-01" for each in borders)
    assert len(server.asked) < 60


def test_sizes_that_do_not_add_up_are_not_trusted() -> None:
    def answer(query: dict[str, str]) -> str:
        if query["verb"] == "Identify":
            return identify()
        size = 50_000 if not {"from", "until"} & query.keys() else 10_000  # four in five have no date to be found by
        return records(record(1), token="x", size=size).replace("ListRecords", "ListIdentifiers")

    with repository(answer) as (oai, _):
        assert divided(oai.repository, {"metadataPrefix": "oai_dc"}, "auto") is None
