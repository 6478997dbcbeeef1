"""The demo's Academy of Lagado on Symplectic Elements: schools, projectors, works, and who of them likes to stay unseen.

Everything follows from serial numbers and one seed, so that what may be shown can be counted by hand.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from simulators import invented
from simulators.elements import Group, Link, Publication, Record, University, User
from simulators.repository import VirtualClock

if TYPE_CHECKING:
    from simulators.repository import Clock

USERS, PUBLICATIONS = 64, 380
FIRST_USER, FIRST_PUBLICATION = 2001, 7001  # serial numbers of identifiers
TOPICS = (
    *("sunbeams out of cucumbers", "calcining ice into gunpowder", "ploughing with hogs", "silk from spiders"),
    *("building from the roof downwards", "a treatise on malleable fire", "colours told apart by touch", "naked sheep"),
    *("marble softened for pillows", "the engine for writing books", "a language of things", "wafers of mathematics"),
    *("wind colic and its bellows", "sundials on weathercocks", "taxes on wit and beauty"),
)
# id, name, parents, level
GROUPS = (
    Group("1", "Academy of Lagado"),
    Group("2", "School of Natural Projectors", ("1",)),
    Group("3", "School of Speculative Learning", ("1",)),
    Group("4", "School of Political Projectors", ("1",)),
    Group("5", "Institute of Sunbeams from Cucumbers", ("2",)),
    Group("6", "Institute of Calcined Ice", ("2",)),
    Group("7", "Laboratory of Universal Artists", ("2", "3")),
    Group("8", "Department of Agriculture by Hogs", ("2",)),
    Group("9", "Department of Spiders' Silk", ("2",)),
    Group("10", "Department of Languages", ("3",)),
    Group("11", "Engine Room", ("10",)),
    Group("12", "Department of Mathematics by Mouth", ("3",)),
    Group("13", "Department of Taxes", ("4",)),
    Group("14", "Office of the Flappers", ("1",), "Internal"),
    Group("15", "Board of Detection", ("4",), "Private"),
    Group("16", "Chamber of Close Inspection", ("15",)),
)
SHAPES = ("journal-article",) * 6 + ("conference", "chapter", "book", "journal-article")


def academy(clock: Clock) -> University:
    """The academy as it is when the demo is first started; it was entered over the year before."""
    place = University("Academy of Lagado", clock)
    now = clock()
    turning = VirtualClock(now - timedelta(days=365))
    place.clock = turning
    random = Random(1727)
    place.groups = {group.id: group for group in GROUPS}
    for number, human in enumerate(invented.people(random, USERS, first_serial=FIRST_USER)):
        turning.advance(hours=2)
        place.put_user(_user(number, human))
    seen: set[str] = set()
    for number in range(PUBLICATIONS):
        turning.advance(hours=20)
        place.put(_publication(random, number, seen))
        for turn, user in enumerate(random.sample(range(USERS), 0 if number % 10 == 9 else 1 + number % 3)):
            place.link(_link(number, turn, user))
    place.clock = clock
    return place


def moves_on(place: University, step: int) -> None:
    """What happens between two starts of the demo: titles are mended, a work goes, two meet, somebody steps back."""
    for turn in range(4):
        key = _key((97 * step + 31 * turn) % PUBLICATIONS)
        if key in place.publications:
            old = place.publications[key]
            place.put(replace(old, records=tuple(_revised(each) for each in old.records)))
    gone, survivor = _key((59 * step) % PUBLICATIONS), _key((59 * step + 7) % PUBLICATIONS)
    if gone in place.publications and survivor in place.publications:
        place.merge(gone, survivor)
    last = _key((41 * step + 3) % PUBLICATIONS)
    if last in place.publications:
        place.delete(last)
    random = Random(step)
    for number in (PUBLICATIONS + 2 * step, PUBLICATIONS + 2 * step + 1):
        place.put(_publication(random, number, set()))
        place.link(_link(number, 0, random.randrange(USERS)))
    back, shy = 5 * (step - 1) % USERS, 5 * step % USERS
    place.put_user(replace(place.users[str(101 + back)], level=_level(back)))
    place.put_user(replace(place.users[str(101 + shy)], level="Internal"))


def _revised(record: Record) -> Record:
    return replace(record, title=f"{(record.title or '').removesuffix(' (revised)')} (revised)")


def _key(number: int) -> str:
    return str(501 + number)


def _level(number: int) -> str | None:
    """The level of a user; that of two could not be relied on."""
    if number in {40, 41}:
        return None if number == 40 else "Public|Internal"
    return {5: "Internal", 9: "Private", 13: "Internal"}.get(number % 16, "Public")


def _user(number: int, human: invented.Person) -> User:
    groups = {str(2 + number % 12)} | ({"14"} if number % 10 == 3 else set()) | ({"16"} if number % 21 == 7 else set())
    return User(
        str(101 + number), human.family, human.given, human.mail("lagado.example"),
        human.orcid if number % 4 else None, _level(number),
        current=number % 7 != 6, academic=number % 9 != 4, student=number % 18 == 4 if number % 9 == 4 else None,
        groups=frozenset(groups),
    )  # fmt: skip


def _publication(random: Random, number: int, seen: set[str]) -> Publication:
    serial = FIRST_PUBLICATION + number
    shape = SHAPES[number % len(SHAPES)]
    title, year = invented.title(random, TOPICS, seen), 2001 + number % 25
    doi = invented.doi("lagado", serial)
    venue = invented.JOURNALS[number % len(invented.JOURNALS)] if shape == "journal-article" else None
    records = [Record("crossref", title, year, venue, doi, id_at_source=doi)]
    if number % 3 == 0:
        records.insert(0, Record("scopus", title.upper(), year, venue, doi.upper(), id_at_source=f"2-s2.0-{serial}"))
    if number % 5 == 1:
        records.append(Record("pubmed", title, year, venue, doi, id_at_source=invented.pmid(serial)))
    if number % 17 == 3:
        records = [Record("arxiv", title, year, id_at_source=invented.arxiv(serial))]
    if shape in {"book", "chapter"} and number % 2 == 0:
        records = [Record("manual", title, year, isbn=invented.isbn(serial))]
    if number % 11 == 10:
        records = [Record("manual", title, year, venue)]  # no identifier
    level: str | None = {5: "Internal", 8: "Private", 19: "Internal"}.get(number % 26, "Public")
    if number in {77, 78}:
        level = None if number == 77 else "Secret"
    merged = ((f"9{number:04d}", "2025-01-01T00:00:00.000000+00:00"),) if number % 50 == 49 else ()
    return Publication(_key(number), tuple(records), shape, level, approved=number % 19 != 18, merged=merged)


def _link(number: int, turn: int, user: int) -> Link:
    level = "Private" if (number + turn) % 17 == 0 else "Public"
    effective = "Internal" if (number + turn) % 29 == 5 else None
    kind = 9 if number % 23 == 22 and turn else 8
    return Link(str(20_000 + 10 * number + turn), _key(number), str(101 + user), kind, level, effective)
