"""Records that live by set (Esploro): a membership is a record and a set, and a record is gone when no set has it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from explorer import database
from explorer.records import Department, Identifier, Output
from explorer.sources import Cursor, Page, Part, Plan
from tests.scripted_source import ScriptedSource, make_site, stamp
from tests.warehouse.test_flow import do_import, published

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.scripted_source import ScriptedSite

pytestmark = pytest.mark.usefixtures("without_expectations")


@dataclass
class SetsSource(ScriptedSource):
    """One list per set: a record that enters a set is dated, and one that leaves it stays there as a deleted header."""

    lists: dict[str, dict[str, Output]] = field(default_factory=dict)
    as_departments: bool = True

    def enter(self, key: str, *sets: str, title: str = "Title", doi: bool = True) -> None:
        """The record is published anew in these sets."""
        identifiers = (Identifier("doi", f"10.5555/{key}"),) if doi else ()
        for each in sets:
            self.lists[each][key] = Output(
                key, f"{title} {key}", identifiers=identifiers, departments=(each,), datestamp=stamp(self.tick)
            )

    def leave(self, key: str, *sets: str) -> None:
        for each in sets:
            self.lists[each][key] = Output(key, deleted=True, datestamp=stamp(self.tick))

    def has(self, key: str) -> list[str]:
        return [each for each, list_ in self.lists.items() if key in list_ and not list_[key].deleted]

    def parts(self, plan: Plan) -> Sequence[Part]:
        del plan
        departments = [Part("departments", "departments")] if self.as_departments else []
        return [*departments, *(Part(f"outputs:{each}", via=each) for each in self.lists)]

    def read(self, part: Part, plan: Plan, cursor: Cursor | None) -> Iterator[Page]:
        del cursor
        if part.scope == "departments":
            yield Page([Department(each, f"Unit {each}") for each in self.lists], None, clock=stamp(self.tick))
            return
        assert part.via is not None
        since = plan.watermarks.get(part.name, "") if plan.mode == "incremental" else ""
        if not since:
            self.read_whole.append(part.via)
        records = [each for each in self.lists[part.via].values() if (each.datestamp or "") >= since]
        yield Page(records, None, clock=stamp(self.tick))


@pytest.fixture
def source() -> SetsSource:
    made = SetsSource(lists={"arts": {}, "bio": {}})
    made.enter("both", "arts", "bio")
    made.enter("one", "bio")
    made.tick = 1
    return made


@pytest.fixture
def site(warehouse_dsn: str, tmp_path: Path, source: SetsSource) -> ScriptedSite:
    return make_site(warehouse_dsn, tmp_path, source)


def places(site: ScriptedSite) -> dict[str, list[str]]:
    return {each["key"]: each["departments"] for each in published(site)["outputs"]}


def test_memberships_are_united(site: ScriptedSite) -> None:
    made = do_import(site)
    assert places(site) == {"both": ["Unit arts", "Unit bio"], "one": ["Unit bio"]}
    assert made["tally"]["outputs"]["extracted"] == 3
    assert made["tally"]["outputs"]["duplicates"] == 1


def test_leaving_one_set_is_not_gone_from_the_others(site: ScriptedSite, source: SetsSource) -> None:
    do_import(site)
    source.tick = 5
    source.leave("both", "arts")
    made = do_import(site)
    assert made["mode"] == "incremental"
    assert places(site) == {"both": ["Unit bio"], "one": ["Unit bio"]}
    tally = made["tally"]["outputs"]
    assert (tally["deleted"], tally["reexamined"], tally["updated"], tally["removed"]) == (1, 1, 1, 0)
    again = do_import(site, full_import=True)
    assert places(site) == {"both": ["Unit bio"], "one": ["Unit bio"]}
    assert again["tally"]["outputs"]["updated"] == 0
    source.tick = 9
    source.leave("both", "bio")
    made = do_import(site)
    assert places(site) == {"one": ["Unit bio"]}
    assert made["tally"]["removed_because"] == {"deleted": 1}


def test_a_deletion_everywhere_is_one_deletion(site: ScriptedSite, source: SetsSource) -> None:
    do_import(site)
    source.tick = 5
    source.leave("both", "arts", "bio")
    made = do_import(site)
    assert places(site) == {"one": ["Unit bio"]}
    assert (made["tally"]["outputs"]["deleted"], made["tally"]["outputs"]["duplicates"]) == (1, 1)


def test_entering_another_set_keeps_the_first(site: ScriptedSite, source: SetsSource) -> None:
    do_import(site)
    source.tick = 5
    source.enter("one", "arts")  # the list of bio says nothing of it
    assert do_import(site)["mode"] == "incremental"
    assert places(site)["one"] == ["Unit arts", "Unit bio"]


def test_leaving_and_changing_at_once(site: ScriptedSite, source: SetsSource) -> None:
    do_import(site)
    source.tick = 5
    source.enter("both", "bio", title="Changed")
    source.tick = 6
    source.leave("both", "arts")  # newer than the living copy
    do_import(site)
    (found,) = (each for each in published(site)["outputs"] if each["key"] == "both")
    assert (found["title"], found["departments"]) == ("Changed both", ["Unit bio"])


def test_a_new_set_is_read_from_the_beginning(site: ScriptedSite, source: SetsSource) -> None:
    source.lists["law"] = {}
    source.enter("old", "law")
    law = source.lists.pop("law")
    do_import(site)
    source.tick = 5
    source.lists["law"] = law
    source.read_whole.clear()
    assert do_import(site)["mode"] == "incremental"
    assert source.read_whole == ["law"]
    assert places(site)["old"] == ["Unit law"]


def test_a_set_that_is_there_no_more_takes_its_own_records_along(site: ScriptedSite, source: SetsSource) -> None:
    source.enter("two", "arts")
    do_import(site)
    arts = source.lists.pop("arts")
    source.tick = 5
    made = do_import(site)
    assert made["mode"] == "incremental"
    assert places(site) == {"both": ["Unit bio"], "one": ["Unit bio"]}
    assert made["tally"]["removed_because"] == {"absent": 1}
    source.tick = 9
    source.lists["arts"] = arts  # it comes back as it was: nothing in it is newer than the last import
    do_import(site)
    assert places(site) == {"both": ["Unit arts", "Unit bio"], "one": ["Unit bio"], "two": ["Unit arts"]}


def test_a_record_that_turns_bad_leaves_whatever_its_sets(site: ScriptedSite, source: SetsSource) -> None:
    do_import(site)
    source.tick = 5
    source.enter("both", "arts", doi=False)
    made = do_import(site)
    assert places(site) == {"one": ["Unit bio"]}
    assert made["tally"]["removed_because"] == {"excluded": 1}


def test_without_departments_sets_still_hold_records(site: ScriptedSite, source: SetsSource) -> None:
    source.as_departments = False
    do_import(site)
    assert places(site) == {"both": [], "one": []}
    source.tick = 5
    source.leave("both", "arts")
    source.leave("one", "bio")
    do_import(site)
    assert places(site) == {"both": []}
    with database.connect(site.dsn) as connection:
        assert connection.execute("select groups from warehouse.research_output").fetchall() == [(["bio"],)]


@pytest.mark.parametrize("seed", range(3))
def test_incremental_equals_full(warehouse_dsn: str, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    names = ("a", "b", "c", "d")
    source = SetsSource(lists={each: {} for each in names[:3]}, as_departments=bool(seed % 2))
    walk = make_site(warehouse_dsn, tmp_path, source, slug="walk")
    for step in range(6):
        for _ in range(dice.randint(0, 6)):
            key = f"o{dice.randrange(8)}"
            inside = source.has(key)
            if dice.random() < 0.4 and inside:
                source.leave(key, *dice.sample(inside, dice.randint(1, len(inside))))
            else:  # a change shows in every set that has it
                into = dice.sample(sorted(source.lists), 1)
                source.enter(key, *{*inside, *into}, title=f"Title {dice.randrange(9)}", doi=dice.random() < 0.9)
        if dice.random() < 0.25 and len(source.lists) > 1:
            source.lists.pop(dice.choice(sorted(source.lists)))
        elif dice.random() < 0.25:
            fresh_set = dice.choice(names)
            source.lists.setdefault(fresh_set, {})
        source.tick += 1
        do_import(walk, approved=True)
        fresh = make_site(warehouse_dsn, tmp_path, source, slug=f"full{step}")
        do_import(fresh)
        assert published(walk) == published(fresh), f"after import {step + 1}"
        source.tick += 1
