"""After any history of changes at Pure, incremental imports have published what a full import would publish."""

import itertools
import os
import random
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from simulators.pure_world import Association, Contributor, Output, Outsider, Period, Person, Store, Unit
from tests.pure_site import endpoint, pure_site
from tests.warehouse.test_flow import do_import, published

pytestmark = pytest.mark.usefixtures("without_expectations")

VISIBILITIES = ("FREE", "FREE", "FREE", "FREE", "CAMPUS", "BACKEND", "CONFIDENTIAL", "SECRET", None)
STEPS = (None, "approved", "validated", "forApproval", "entryInProgress")
TYPES = ("contributiontojournal/article", "contributiontobookanthology/chapter", "bookanthology/book")
CHANGES_AT_ONCE = 20
ANOTHER = os.environ.get("EXPLORER_WALK", "")  # any word gives other walks
IMPORTS = 4


@dataclass(frozen=True)
class Settings:
    """What a walk goes over: an interface, and what the institution chose."""

    version: str = "524"
    second_key: bool = False  # the changes come from the old web service, the contents from the new API
    orphans: str = "keep"
    status: str = "all"
    affiliated_only: bool = False
    strict_workflow: bool = False

    def __str__(self) -> str:
        chosen = [self.version, "changes" if self.second_key else "", self.orphans, self.status]
        chosen += ["affiliated" if self.affiliated_only else "", "strict" if self.strict_workflow else ""]
        return "-".join(each for each in chosen if each)


SETTINGS = [
    Settings("524", orphans="remove_authorless_and_privacy"),
    Settings("new", second_key=True, orphans="remove_authorless", status="current", affiliated_only=True),
]


class History:
    """A university at which things happen. An id is never used again."""

    def __init__(self, seed: str) -> None:
        self.dice = random.Random(seed)
        self.store = Store()
        self.numbers = itertools.count(1)
        self.outsider = Outsider(self.store.invent("outsider"), "Nobody", "Else")
        self.store.outsiders[self.outsider.uuid] = self.outsider

    def new(self, kind: str) -> str:
        return self.store.invent(f"{kind}{next(self.numbers)}")

    def some(self, things: dict, most: int = 2) -> list[str]:
        keys = sorted(things)
        return self.dice.sample(keys, min(len(keys), self.dice.randint(0, most)))

    def period(self) -> Period:
        today = self.store.today()
        end = self.dice.choice((None, None, today - timedelta(days=3), today + timedelta(days=self.dice.randint(0, 5))))
        return Period(today + timedelta(days=self.dice.choice((-900, -90, 0, 4))), end)

    def unit(self, uuid: str) -> Unit:
        parents = tuple(each for each in self.some(self.store.units) if each != uuid)
        ended = Period(date(1960, 1, 1), self.dice.choice((None, date(2020, 1, 1))))
        return Unit(
            uuid, f"Unit {self.dice.randint(0, 9)}", parents=parents, period=ended, visibility=self.visibility()
        )

    def visibility(self) -> str | None:
        return self.dice.choice(VISIBILITIES)

    def person(self, uuid: str) -> Person:
        kinds = ("staff", "student", "visitingScholar", "honoraryStaff")
        associations = tuple(
            Association(unit, self.dice.choice(kinds), self.period())
            for unit in self.some(self.store.units)  # type: ignore[arg-type]
        )
        orcid = self.dice.choice((None, "0000-0002-1825-0097"))
        names = self.dice.choice(("Ada", "Bo")), f"Last{self.dice.randint(0, 9)}"
        return Person(uuid, *names, orcid=orcid, associations=associations, visibility=self.visibility())

    def output(self, uuid: str) -> Output:
        dice = self.dice
        contributors = [
            Contributor("internal", each, "A", "B", tuple(self.some(self.store.units)))
            for each in self.some(self.store.persons, 3)
        ]
        if dice.random() < 0.5:
            contributors.insert(
                dice.randint(0, len(contributors)), Contributor("external", self.outsider.uuid, "Nobody", "Else")
            )
        return Output(
            uuid, f"On <i>title</i> {dice.randint(0, 9)}", type=dice.choice(TYPES), day=dice.choice(((2020,), (2021, 4))),
            contributors=tuple(contributors), units=tuple(self.some(self.store.units)),
            doi=dice.choice((f"10.5555/{uuid[:8]}", f"10.5555/{dice.randint(1, 9)}", None)),
            ids=dice.choice(((), (("Scopus", "85000000001"), ("PubMed", "12345678")))),
            isbns=dice.choice(((), ("9780306406157",))), visibility=self.visibility(),
            confidential=dice.choice((False, False, False, None, True)), workflow=dice.choice(STEPS),
        )  # fmt: skip

    def step(self) -> None:  # noqa: PLR0912 - a table
        """One thing that happens."""
        store, dice = self.store, self.dice
        works, people, units = sorted(store.outputs), sorted(store.persons), sorted(store.units)
        match dice.randrange(17):
            case 0 | 1 | 2:
                store.put(self.output(self.new("output")))
            case 3 if works:
                store.put(self.output(dice.choice(works)))
            case 4:
                store.put(self.person(self.new("person")))
            case 5 if people:
                store.put(self.person(dice.choice(people)))
            case 6:
                store.put(self.unit(self.new("unit") if len(units) < 6 else dice.choice(units)))
            case 7 | 8 if [*works, *people, *units]:
                uuid = dice.choice([*works, *people, *units])
                store.hide(uuid, self.visibility(), told=dice.choice(("UPDATE", "UPDATE", "DELETE")))
            case 9 if people:
                store.show(dice.choice(people))
            case 10 if [*works, *people, *units]:
                store.delete(dice.choice([*works, *works, *people, *units]))
            case 11 if len(works) > 1:
                store.merge(*dice.sample(works, 2), told=dice.random() < 0.5)
            case 12 if len(people) > 1:
                store.merge(*dice.sample(people, 2), told=dice.random() < 0.5)
            case 13 if len(units) > 1:
                store.merge(*dice.sample(units, 2), told=dice.random() < 0.5)
            case 14 if people and units:
                store.move(dice.choice(people), dice.choice(units))
            case 15 if people and units:
                store.end(dice.choice(people), dice.choice(units), store.today() + timedelta(days=dice.randint(-3, 3)))
            case 16:
                store.noise(dice.randint(0, 30))
                store.silence(dice.choice((0, 0, 250)))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_incremental_equals_full(
    warehouse_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
):
    walk(warehouse_dsn, tmp_path, monkeypatch, settings)


def walk(
    warehouse_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings, imports: int = IMPORTS
) -> None:
    """Sixty changes, then an import after every twenty."""
    chosen: dict = {"orphans": settings.orphans, "status": settings.status, "page_size": 7}
    if settings.affiliated_only:
        chosen["affiliated_only"] = True
    if settings.strict_workflow:
        chosen["strict_workflow"] = True
    if settings.second_key:
        chosen["changes_connection"] = "tribnia_changes"
    if settings.version == "new":
        chosen["api_version"] = "new"
    history = History(f"{settings}{ANOTHER}")
    store = history.store
    modes = set()
    with endpoint(store, monkeypatch, settings.version):
        changing = pure_site(warehouse_dsn, tmp_path, slug="walk", **chosen)
        for step in range(imports):
            for _ in range(60 if step == 0 else CHANGES_AT_ONCE):
                store.clock.advance(seconds=20)  # type: ignore[attr-defined]
                history.step()
            store.clock.advance(hours=history.dice.choice((1, 30)))  # type: ignore[attr-defined]
            modes.add(do_import(changing, approved=True)["mode"])
            fresh = pure_site(warehouse_dsn, tmp_path, slug="fresh", **chosen)
            do_import(fresh, approved=True, full_import=True)
            assert published(changing) == published(fresh), f"after import {step + 1}"
            store.clock.advance(hours=1)  # type: ignore[attr-defined]
    assert modes == ({"full"} if settings.version == "new" and not settings.second_key else {"full", "incremental"})
