"""Every fault of the simulated Pure server by its name, of the wire and of the content, once and for ever.

After each: the same records as without it, or a sentence that says what is wrong; nothing is lost without a word, and of
what is hidden nothing but its uuid is read.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from explorer.records import Author, Authorship, Department, Listed, Output
from explorer.sources import Plan, SourceError, pure_api, pure_changes
from simulators.pure import WIRE_FAULTS
from simulators.pure_faults import CONTENT_FAULTS
from simulators.serving import TRANSPORT_FAULTS, Fault
from simulators.tribnia import tribnia
from tests import pure_oracle
from tests.contract.test_pure_api import KEY, comparable, serving

if TYPE_CHECKING:
    from explorer.sources.pure import Pure as PureReader
    from simulators.pure_world import Store

PLANS = {"full": Plan("full"), "since": Plan("incremental", {"changes": "2026-01-30T00:00:00Z"})}
EVERY = sorted({*WIRE_FAULTS, *TRANSPORT_FAULTS})
# These say what is wrong, however often the server is asked; all others pass by when they last for one answer.
NEVER_PASS = {"unauthorised", "forbidden", "sequence_restart", "old_token"}
# Pages that are sound in themselves and hold too few or spoiled records: found out by the count, or refused one by one.
TELL = {"count_too_high", "broken_item"}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(pure_api, "PAUSE", 0.0)
    monkeypatch.setattr(pure_changes, "MOST_PAGES", 60)
    return world()


def world() -> Store:
    return tribnia(persons=12, outputs=24)


def read(reader: PureReader, plan: Plan) -> tuple[dict[type, list], list[str]]:
    """All records by kind, and what the reader says of them: what a part lost, why a record cannot be taken."""
    found: dict[type, list] = {each: [] for each in (Department, Author, Output, Authorship, Listed)}
    said = []
    for part in reader.parts(plan):
        mine: list[object] = []
        for page in reader.read(part, plan, None):
            if page.restart:
                mine.clear()
            mine += page.records
            said += [page.incomplete] if page.incomplete else []
        for record in mine:
            found[type(record)].append(record)
            refusal = getattr(record, "refusal", None)
            said += [refusal.reason] if refusal else []
    return found, said


def assert_nothing_hidden(found: dict[type, list], store: Store, version: str) -> None:
    for record in (*found[Output], *found[Author], *found[Department]):
        if record.withheld:
            assert record.level == "private"
            assert {getattr(record, name, None) for name in ("title", "name")} <= {None, "(withheld)"}
    texts = repr(list(found.values()))
    uuids = {*store.outputs, *store.persons, *store.units}
    assert [each for each in pure_oracle.secrets(store, version) - uuids if each in texts] == []


@cache
def usual(version: str, mode: str) -> dict[str, set[str]]:
    """What is read when all is well."""
    with serving(world(), version) as (_, reader):
        found, said = read(reader, PLANS[mode])
    assert said == []
    return comparable(found)


@pytest.mark.parametrize(
    ("version", "times"), [("524", 1), ("524", None), ("new", 1)], ids=["524 once", "524 for ever", "new once"]
)
@pytest.mark.parametrize("kind", EVERY)
def test_the_same_records_or_a_sentence(store: Store, version: str, kind: str, times: int | None) -> None:
    for mode in PLANS if version == "524" else ("full",):
        expected = usual(version, mode)
        with serving(store, version) as (simulator, reader):
            simulator.faults.add(Fault(kind, after=1, times=times, seconds=0.02))
            why = ""
            try:
                found, said = read(reader, PLANS[mode])
            except SourceError as error:
                why = str(error)
        if why:
            assert KEY not in why
            assert len(why) > 20
            assert times is None or kind in NEVER_PASS | TELL, why
            continue
        assert_nothing_hidden(found, store, version)
        if said:
            assert kind in TELL
        else:
            assert comparable(found) == expected


@pytest.mark.parametrize("version", ["524", "new"])
@pytest.mark.parametrize("kind", sorted(CONTENT_FAULTS))
def test_odd_content_is_read_as_the_rules_say(store: Store, version: str, kind: str) -> None:
    CONTENT_FAULTS[kind](store)
    with serving(store, version) as (_, reader):
        found, said = read(reader, PLANS["full"])
    assert said == []
    expected = pure_oracle.shown(store, version=version)
    shown = {each.key for each in found[Output] if not each.withheld and each.identifiers}
    losers = {loser for each in store.outputs.values() for loser in each.previous}
    assert shown - losers == set(expected.outputs)
    assert {each.key for each in found[Author] if not each.withheld} == expected.authors
    assert {each.key for each in found[Department] if not each.withheld} == expected.departments
    authors = {key: {each.author for each in found[Authorship] if each.output == key} for key in expected.outputs}
    assert {key: each & expected.authors for key, each in authors.items()} == expected.outputs
    assert_nothing_hidden(found, store, version)


def test_an_output_that_loses_its_visibility_without_a_word_is_not_shown(store: Store) -> None:
    """In an incremental import only the list of all tells: there, too, visibility that is missing is none."""
    key = next(key for key, each in store.outputs.items() if each.visibility == "FREE" and not each.confidential)
    store.outputs[key] = replace(store.outputs[key], visibility=None, workflow="approved")
    store.silence(1)
    plan = Plan("incremental", {"changes": "2026-02-02T00:00:00Z"})
    with serving(store) as (_, reader):
        found, _ = read(reader, plan)
    assert {each.withheld for each in found[Output] if each.key == key} == {"visibility_missing"}
    assert key not in {each.output for each in found[Authorship]}
