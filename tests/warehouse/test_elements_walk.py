"""After any history of changes at Elements, incremental imports have published what a full import would publish."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from simulators.elements import Group, Link, Publication, Record, University, User
from tests.elements_site import elements_site, endpoint
from tests.warehouse.test_flow import do_import, published

pytestmark = pytest.mark.usefixtures("without_expectations")

PEOPLE, DOIS, UNITS = range(1, 8), range(1, 16), range(2, 6)
LEVELS = ("Public", "Public", "Public", "Internal", "Private", None, "public|private")
SETTINGS = [
    ("public", "all", "all", "keep"),
    ("public", "current", "academic", "remove_authorless"),
    ("public", "current", "academic_or_student", "remove_authorless_and_privacy"),
    ("public_and_internal", "current", "all", "remove_authorless"),
    ("public_and_internal", "all", "academic", "remove_authorless_and_privacy"),
    ("public_and_internal", "all", "academic_or_student", "keep"),
]
CHANGES_AT_ONCE = 20
IMPORTS = 11


def _user(dice: random.Random, number: int) -> User:
    return User(
        f"u{number}", f"Last{number}", dice.choice(("Ada", "Bo")), f"u{number}@laputa.example",
        level=dice.choice(LEVELS), current=dice.random() < 0.7, academic=dice.choice((True, True, False, None)),
        student=dice.choice((True, False, None)),
        groups=frozenset(f"g{unit}" for unit in dice.sample(UNITS, dice.randint(0, 2))),
    )  # fmt: skip


def _publication(dice: random.Random, number: int) -> Publication:
    doi = dice.choice((f"10.5555/{number}", f"10.5555/{number}", f"10.5555/{dice.choice(DOIS)}", None))
    records = tuple(
        Record(source, f"Title {dice.randint(0, 9)}", dice.choice((None, 2020)), doi=doi)
        for source in ("scopus", "crossref")
    )
    return Publication(f"p{number}", records, level=dice.choice(LEVELS), approved=dice.random() < 0.95)


def change(dice: random.Random, place: University, numbers: Iterator[int]) -> None:
    """One thing that happens at the university. An id is never used again, and approval is never taken back."""
    works, people = sorted(place.publications), sorted(place.users)
    match dice.randrange(13):
        case 0:
            place.put(_publication(dice, next(numbers)))
        case 1 if works:
            old = place.publications[dice.choice(works)]
            new = _publication(dice, int(old.id[1:]))
            place.put(replace(new, merged=old.merged, approved=old.approved or new.approved))
        case 2 | 3:
            place.put_user(_user(dice, dice.choice(PEOPLE)))
        case 4 | 5 | 6 if works and people:
            level, effective = dice.choice(LEVELS), dice.choice((None, "Public", "Internal"))
            ends = dice.choice(works), dice.choice(people)
            place.link(Link(f"l{next(numbers)}", *ends, level=level, effective=effective))
        case 7 if place.links:
            old = place.links[dice.choice(sorted(place.links))]
            place.link(replace(old, level=dice.choice(LEVELS)))
        case 8 if place.links:
            place.unlink(dice.choice(sorted(place.links)))
        case 9 if works:
            dice.choice((place.delete, place.vanish))(dice.choice(works))
        case 10 if len(works) > 1:
            place.merge(*dice.sample(works, 2))
        case 11 if people:
            place.leave(dice.choice(people))
        case 12:
            unit = dice.choice(UNITS)
            parents = tuple(f"g{each}" for each in UNITS if dice.random() < 0.3)
            level = dice.choice(("Public", "Public", "Internal", None))
            if dice.random() < 0.3:
                place.groups.pop(f"g{unit}", None)
            else:
                place.groups[f"g{unit}"] = Group(f"g{unit}", f"Unit {unit}", parents, level)


@pytest.mark.parametrize("settings", SETTINGS, ids=["-".join(each) for each in SETTINGS])
def test_incremental_equals_full(warehouse_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings):
    walk(warehouse_dsn, tmp_path, monkeypatch, settings)


def walk(
    warehouse_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: tuple[str, str, str, str]
) -> None:
    """More than 200 changes, with an import after every 20."""
    level, status, profile, orphans = settings
    chosen = {"level": level, "status": status, "profile": profile, "orphans": orphans}
    dice = random.Random("-".join(settings))
    place = University()
    numbers = itertools.count(1)
    modes = set()
    with endpoint(place, monkeypatch):
        changing = elements_site(warehouse_dsn, tmp_path, slug="walk", **chosen)
        for step in range(IMPORTS):
            for _ in range(60 if step == 0 else CHANGES_AT_ONCE):
                place.clock.advance(seconds=20)
                change(dice, place, numbers)
            place.clock.advance(hours=1)
            modes.add(do_import(changing, approved=True)["mode"])
            fresh = elements_site(warehouse_dsn, tmp_path, slug="fresh", **chosen)
            do_import(fresh, approved=True, full_import=True)
            assert published(changing) == published(fresh), f"after import {step + 1}"
            place.clock.advance(hours=1)
    assert modes == {"full", "incremental"}
