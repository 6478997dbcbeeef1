"""A record that makes the server fail is found and told; all others arrive."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from explorer.records import Output
from explorer.sources import Page, Part, Plan, SourceError
from simulators.eprints import EPrints
from simulators.serving import Fault
from tests.contract.test_oai_faults import FULL, PAGE_SIZE, oai, well, world
from tests.contract.test_oai_harvest import repository
from tests.oai_documents import error, identify, record, records
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OUTPUTS = Part("outputs")


def poison(number: int, *names: str) -> list[Fault]:
    return [Fault("server_error", name=name, record=number, times=None) for name in names]


def numbers(places: Iterable[int]) -> list[int]:
    """The numbers of live records at these places of the list."""
    live = [item.number for item in world() if item.state == "archive" and item.flaw is None]
    return [live[place] for place in places]


def key(number: int) -> str:
    return next(str(each) for each in well().outputs if str(each).endswith(f":{number}"))


def final(pages: Sequence[Page]) -> dict[str | None, Output]:
    """What counts of the pages: after a restart nothing of before, and of copies the last.

    The words of a broken record's refusal depend on where it stood.
    """
    found: dict[str | None, Output] = {}
    for page in pages:
        if page.restart:
            found.clear()
        found.update({each.key: plain(each) for each in page.records if isinstance(each, Output)})
    return found


def plain(output: Output) -> Output:
    if output.refusal is None or output.refusal.rule != "broken_xml":
        return output
    return replace(output, refusal=replace(output.refusal, reason=""))


def sound() -> dict[str | None, Output]:
    return {each: plain(output) for each, output in well().outputs.items()}


@pytest.mark.parametrize("places", [[70], [0], [-1], [31, 32], [5, 90, 150]])
def test_only_the_poison_records_are_left_out_and_told(places: list[int]) -> None:
    bad = numbers(places)
    faults = [fault for number in bad for fault in poison(number, "ListRecords", "GetRecord")]
    with EPrints(world(), faults, page_size=PAGE_SIZE).serve() as url:
        pages = list(oai(url).read(OUTPUTS, FULL, None))
    found = final(pages)
    keys = {key(number) for number in bad}
    refused = {
        each.key: each.refusal for each in found.values() if each.refusal and each.refusal.rule == "server_error"
    }
    assert refused.keys() == keys
    assert all(each is not None and "HTTP 500" in each.reason for each in refused.values())
    assert {each: found[each] for each in found if each not in keys} == {
        each: output for each, output in sound().items() if each not in keys
    }
    assert [page.incomplete for page in pages if page.incomplete] == []
    assert sum(page.restart for page in pages) == 1
    assert pages[-1].cursor is None


def test_a_record_that_comes_alone_is_not_left_out() -> None:
    with EPrints(world(), poison(numbers([70])[0], "ListRecords"), page_size=PAGE_SIZE).serve() as url:
        assert final(list(oai(url).read(OUTPUTS, FULL, None))) == sound()


def test_where_not_even_its_identifier_can_be_had_its_second_is_told() -> None:
    (number,) = numbers([70])
    item = world().get(number)
    assert item is not None
    with EPrints(world(), [Fault("server_error", record=number, times=None)], page_size=PAGE_SIZE).serve() as url:
        pages = list(oai(url).read(OUTPUTS, FULL, None))
    found = final(pages)
    assert found.keys() == (well().outputs.keys() - {key(number)}) | {None}
    refusal = found[None].refusal
    assert refusal is not None
    assert (refusal.rule, refusal.value) == ("server_error", item.datestamp)
    assert any(item.datestamp in str(page.incomplete) for page in pages)


def test_the_search_goes_on_behind_any_page() -> None:
    (number,) = numbers([70])
    faults = poison(number, "ListRecords", "GetRecord")
    with EPrints(world(), faults, page_size=PAGE_SIZE).serve() as url:
        whole = list(oai(url).read(OUTPUTS, FULL, None))
        for at in range(0, len(whole) - 1, 3):
            cursor = json.loads(json.dumps(whole[at].cursor))
            pages = [*whole[: at + 1], *oai(url).read(OUTPUTS, FULL, cursor)]
            assert final(pages) == final(whole)
            assert not any(page.incomplete for page in pages)


def test_only_what_changed_is_searched() -> None:
    since = "2025-06-01T00:00:00Z"
    changed = {str(each) for each, output in well().outputs.items() if str(output.datestamp) >= since}
    number = next(item.number for item in world() if key(item.number) in changed and item.state == "archive")
    with EPrints(world(), poison(number, "ListRecords", "GetRecord"), page_size=PAGE_SIZE).serve() as url:
        found = final(list(oai(url).read(OUTPUTS, Plan("incremental", {"outputs": since}), None)))
    assert set(found) == changed
    assert [each.key for each in found.values() if each.refusal and each.refusal.rule == "server_error"] == [
        key(number)
    ]


def test_a_server_that_works_by_days() -> None:
    faults = [*poison(numbers([70])[0], "ListRecords", "GetRecord"), Fault("day_granularity", times=None)]
    with EPrints(world(), faults, page_size=PAGE_SIZE).serve() as url:
        found = final(list(oai(url).read(OUTPUTS, FULL, None)))
    assert found.keys() == well().outputs.keys()
    assert sum(bool(each.refusal and each.refusal.rule == "server_error") for each in found.values()) == 1


@pytest.mark.parametrize("habit", ["ignores_from"])
def test_a_server_that_does_not_look_at_dates_is_not_searched(habit: str) -> None:
    faults = [*poison(numbers([70])[0], "ListRecords"), Fault(habit, times=None)]
    site = EPrints(world(), faults, page_size=PAGE_SIZE)
    with site.serve() as url, pytest.raises(SourceError) as raised:
        list(oai(url).read(OUTPUTS, FULL, None))
    assert raised.value.code == "http_500"
    assert len(site.calls) < 40


def test_a_server_that_fails_for_lists_of_any_length_is_no_matter_of_a_record() -> None:
    """It answers an empty list and single records: each would have to be asked for alone."""
    asked: list[str] = []

    def answer(query: dict[str, str]) -> str | Reply:
        asked.append(query["verb"])
        match query["verb"]:
            case "Identify":
                return identify()
            case "GetRecord":
                return records(record(int(query["identifier"].rpartition(":")[2])))
            case "ListIdentifiers":
                many = "until" not in query or "from" not in query
                return records(record(1), record(2), token="more" if many else None)
            case _:
                return error("noRecordsMatch") if query.get("from", "") >= "2026-02" else Reply(status=500)

    with repository(answer) as (source, _), pytest.raises(SourceError) as raised:
        list(source.read(OUTPUTS, FULL, None))
    assert raised.value.code == "http_500"
    assert len(asked) < 200


def test_a_list_that_gets_shorter_while_it_is_read_is_not_whole() -> None:
    """An offset then skips a record: absence proves nothing."""
    first = records(record(1), record(2), token="b", size=5)
    second = records(record(4), record(5), token="", size=4)

    def answer(query: dict[str, str]) -> str:
        return second if "resumptionToken" in query else first

    with repository(answer) as (source, _):
        pages = list(source.read(OUTPUTS, FULL, None))
    assert [page.incomplete for page in pages] == [None, "The repository announced 5 records and sent 4."]
