"""After any history of changes at Elements, incremental imports have published what a full import would publish."""

import itertools
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from simulators.elements import Elements, Group, Link, Publication, Record, University, User
from simulators.serving import Answer, Call
from tests.elements_site import elements_site, endpoint
from tests.warehouse.test_flow import do_import, published

pytestmark = pytest.mark.usefixtures("without_expectations")

PEOPLE, DOIS, UNITS = range(1, 8), range(1, 16), range(2, 6)
LEVELS = ("Public", "Public", "Public", "Internal", "Private", None, "public|private")
# Schema and product; with each pair of the settings of an institution.
DIALECTS = (("6.13", "6.13"), ("4.9", "5.1"), ("5.5", "5.16"), ("6.13", "6.2"), ("5.5", "6.2"), ("4.9", "6.13"))
SETTINGS = [
    ("public", "all", "all", "keep", *DIALECTS[1]),
    ("public", "current", "academic", "remove_authorless", *DIALECTS[0]),
    ("public", "current", "academic_or_student", "remove_authorless_and_privacy", *DIALECTS[2]),
    ("public_and_internal", "current", "all", "remove_authorless", *DIALECTS[3]),
    ("public_and_internal", "all", "academic", "remove_authorless_and_privacy", *DIALECTS[0]),
    ("public", "all", "academic_or_student", "keep", *DIALECTS[4]),
]
CHANGES_AT_ONCE = 20
ANOTHER = os.environ.get("EXPLORER_WALK", "")  # any word gives other walks
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


def change(dice: random.Random, place: University, numbers: Iterator[int]) -> None:  # noqa: PLR0912 - a table
    """One thing that happens at the university. An id is never used again, and approval is never taken back."""
    works, people = sorted(place.publications), sorted(place.users)
    match dice.randrange(18):
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
        case 12 if len(people) > 1:
            _merge_users(place, *dice.sample(people, 2))
        case 13 if people:  # what follows leaves no trace in any date
            person = _user(dice, dice.choice(PEOPLE))
            if person.id in place.users:
                old_person = place.users[person.id]
                place.users[person.id] = replace(person, modified=old_person.modified, affected=old_person.affected)
        case 14 | 15 if place.links:
            link = place.links[dice.choice(sorted(place.links))]
            place.links[link.id] = replace(link, level=dice.choice(LEVELS), effective=dice.choice(LEVELS))
        case 16 if people:
            person = place.users[dice.choice(people)]
            place.users[person.id] = replace(person, groups=person.groups ^ {f"g{dice.choice(UNITS)}"})
        case 17 | 12:
            unit = dice.choice(UNITS)
            parents = tuple(f"g{each}" for each in UNITS if dice.random() < 0.3)
            level = dice.choice(("Public", "Public", "Internal", None))
            if dice.random() < 0.3:
                place.groups.pop(f"g{unit}", None)
            else:
                place.groups[f"g{unit}"] = Group(f"g{unit}", f"Unit {unit}", parents, level)


def _merge_users(place: University, gone: str, survivor: str) -> None:
    """Links move to the survivor, under the ids that they have."""
    for link in [each for each in place.links.values() if each.user == gone]:
        place.link(replace(link, user=survivor))
    place.leave(gone)


@pytest.mark.parametrize("settings", SETTINGS, ids=["-".join(each) for each in SETTINGS])
def test_incremental_equals_full(warehouse_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings):
    walk(warehouse_dsn, tmp_path, monkeypatch, settings)


def walk(
    warehouse_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: tuple[str, str, str, str, str, str]
) -> None:
    """More than 200 changes, with an import after every 20; every third import, there are some while it reads, too."""
    level, status, profile, orphans, schema, product = settings
    chosen = {"level": level, "status": status, "profile": profile, "orphans": orphans}
    dice = random.Random("-".join(settings) + ANOTHER)
    place = University()
    numbers = itertools.count(1)
    modes = set()

    def happen(times: int) -> None:
        for _ in range(times):
            place.clock.advance(seconds=20)
            change(dice, place, numbers)

    with endpoint(place, monkeypatch, schema, product) as server:
        changing = elements_site(warehouse_dsn, tmp_path, slug="walk", **chosen)
        for step in range(IMPORTS):
            happen(60 if step == 0 else CHANGES_AT_ONCE)
            place.clock.advance(hours=1)
            if step % 3 == 1:
                with _restless(server, monkeypatch, lambda: happen(dice.randint(0, 2))):
                    do_import(changing, approved=True)
            modes.add(do_import(changing, approved=True)["mode"])
            fresh = elements_site(warehouse_dsn, tmp_path, slug="fresh", **chosen)
            do_import(fresh, approved=True, full_import=True)
            assert published(changing) == published(fresh), f"after import {step + 1}"
            place.clock.advance(hours=1)
    assert modes == {"full", "incremental"}


@contextmanager
def _restless(server: Elements, monkeypatch: pytest.MonkeyPatch, happen: Callable[[], None]) -> Iterator[None]:
    """While it lasts, things happen at the university between two answers."""
    with monkeypatch.context() as patch:
        calm = server.answer

        def answer(call: Call) -> Answer:
            with server.university.lock:
                happen()
            return calm(call)

        patch.setattr(server, "answer", answer)
        yield
