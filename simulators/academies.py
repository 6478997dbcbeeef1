"""Three invented universities whose records say who is on the staff: for DiVA, Haplo and Esploro.

Which record gets what is drawn from a seed; shares are exact. A creator with an id is on the staff; an empty id is staff of
whom no id is known.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from simulators import invented
from simulators.repository import Creator, Heading, Item, View, World, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulators.repository import Clock

FIRST = 2001
UNITS, TYPES = "units", "types"
TOPICS = (
    *(
        "eggs and their two ends",
        "the width of channels",
        "ropes of fleets",
        "heels high and low",
        "capers on the rope",
    ),
    *("the reason of horses", "milk and oats", "the absence of lies", "hooves that thread needles", "flint and fences"),
    *("ghosts at table", "the conversation of the dead", "ancestors and their butlers", "modern history, corrected"),
)
KINDS = ("doi",) * 11 + ("isbn",) * 2 + ("none",) * 7  # shares of twenty
DELETED_OF_A_HUNDRED = 2


def blefuscu(clock: Clock | None = None, *, records: int = 240) -> World:
    """Blefuscu Imperial University, on DiVA: units with ids, two of them of one name, and theses of students."""
    units = (
        Heading("12000", "Skolan för äggvetenskap", ("1",)),
        Heading("12001", "Avdelningen för bredändar", ("12000",)),
        Heading("12002", "Avdelningen för smaländar", ("12000",)),
        Heading("13000", "Skolan för sjöfart", ("1",)),
        Heading("13001", "Avdelningen för rep & tåg", ("13000",)),
        Heading("13002", "Kansliet", ("13000",)),
        Heading("12009", "Kansliet", ("12000",)),
        Heading("1", "Blefuscu kejserliga universitet"),
    )
    types = tuple(Heading(each, each) for each in ("article", "chapter", "report", "studentThesis"))
    places = [("12001",), ("12002",), ("13001",), ("13002", "12009"), ("12001", "12000"), ()]
    return _world(
        "Blefuscu Imperial University", "blf.diva.example", (View(UNITS, "Unit", units), View(TYPES, "Type", types)),
        places, clock=clock, records=records, id_of=lambda person: f"u{person.serial}",
    )  # fmt: skip


def houyhnhnm(clock: Clock | None = None, *, records: int = 90) -> World:
    """The Houyhnhnm Academy, on Haplo: half of its staff have an ORCID iD; it names no departments."""
    types = tuple(Heading(each, each.replace("-", " ").capitalize()) for each in ("journal-article", "book", "report"))
    return _world(
        "Houyhnhnm Academy Repository", "research.houyhnhnm.example", (View(UNITS, "Unit", ()), View(TYPES, "Type", types)),
        [()], clock=clock, records=records, id_of=lambda person: person.orcid if person.serial % 2 else "",
    )  # fmt: skip


def glubbdubdrib(clock: Clock | None = None, *, records: int = 120) -> World:
    """The University of Glubbdubdrib, on Esploro: a set for each department, with blanks and colons in its name."""
    units = (
        Heading("Faculty of Magic", "Department = Faculty of Magic"),
        Heading("Faculty of Magic:School of Summoning", "Department = School of Summoning"),
        Heading("Faculty of Magic:School of Summoning:Night Desk", "Department =  Night Desk "),
        Heading("history", "Department = History, corrected"),
        Heading("BrowZine", "BrowZine"),
        Heading("All_Assets", "All assets"),
    )
    summoning = "Faculty of Magic:School of Summoning"
    places = [
        (summoning, "All_Assets"), (f"{summoning}:Night Desk", "history", "All_Assets"), ("history", "All_Assets"),
        ("Faculty of Magic", "BrowZine", "All_Assets"), ("All_Assets",),
    ]  # fmt: skip
    return _world(
        "46GLU_INST", "glubbdubdrib.alma.example", (View(UNITS, "Set", units),), places, clock=clock, records=records,
        id_of=lambda person: f"u{person.serial}",
    )  # fmt: skip


def _world(
    name: str,
    host: str,
    views: tuple[View, ...],
    places: Sequence[tuple[str, ...]],
    *,
    clock: Clock | None,
    records: int,
    id_of: Callable[[invented.Person], str],
) -> World:
    random = Random(f"academies-{host}")
    staff = invented.people(random, max(8, records // 6))
    guests = invented.people(random, 20, first_serial=500_000)
    kinds = [KINDS[at % len(KINDS)] for at in range(records)]
    random.shuffle(kinds)
    gone = set(random.sample(range(records), records * DELETED_OF_A_HUNDRED // 100))
    types = [each.id for view in views if view.id == TYPES for each in view.headings]
    seen: set[str] = set()
    items = []
    for at, kind in enumerate(kinds):
        own = [Creator(each.name, id_of(each)) for each in random.sample(staff, random.choice((0, 1, 1, 2)))]
        others = [Creator(each.name) for each in random.sample(guests, random.choice((0, 0, 1, 2)))]
        moment = datetime(2024, 1, 8, tzinfo=UTC) + timedelta(seconds=random.randrange(2 * 365 * 86400))
        type_ = types[at % len(types)] if types else "article"
        item = Item(
            number=FIRST + at,
            title=invented.title(random, TOPICS, seen),
            creators=tuple(own + others) or (Creator(guests[0].name),),
            filed={UNITS: places[at % len(places)], TYPES: (type_,)},
            publisher=random.choice(invented.PUBLISHERS),
            date=str(random.randint(1999, 2025)),
            type=type_,
            state="deletion" if at in gone else "archive",
            datestamp=stamp(moment),
        )
        items.append(replace(item, **_identifier(host, FIRST + at, kind)))
    return World(name, host, views, items, clock)


def _identifier(host: str, number: int, kind: str) -> dict[str, Any]:
    if kind == "doi":
        return {"id_number": invented.doi(host.partition(".")[0], number)}
    return {"isbn": invented.isbn(number)} if kind == "isbn" else {}
