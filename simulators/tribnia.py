"""Two universities on Pure: the Royal University of Tribnia, and the College of Langden that has the new API alone.

In Tribnia, by the natives called Langden, plots are found out by means of anagrams. Who and what is hidden there, and how,
follows from serial numbers, so that it can be counted by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from simulators import invented
from simulators.pure_world import Association, Contributor, Output, Outsider, Period, Person, Store, Unit
from simulators.repository import VirtualClock, wall_clock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulators.pure_world import AssociationKind

TOPICS = (
    *("anagrams in private letters", "the close-stool as evidence", "plots and their discoverers", "a flock of geese"),
    *("a lame dog and its invader", "the acrostic method", "decanters and privy councils", "informers' stipends"),
    *(
        "running sores of government",
        "a sieve for court ladies",
        "chamber pots of committees",
        "a codfish head of state",
    ),
    *("the gout of archbishops", "mousetraps and employments", "an empty tun and a general"),
)
# Name, type, parents by name; what is not said is FREE and going on. In the order in which they are entered.
TREE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Royal University of Tribnia", "university", ()),
    ("Faculty of Anagrams and Letters", "faculty", ("Royal University of Tribnia",)),
    ("Faculty of Plots and Politics", "faculty", ("Royal University of Tribnia",)),
    ("Faculty of Natural Philosophy", "faculty", ("Royal University of Tribnia",)),
    ("Medical Faculty", "faculty", ("Royal University of Tribnia",)),
    ("Department of Anagrams", "department", ("Faculty of Anagrams and Letters",)),
    ("Department of Acrostics", "department", ("Faculty of Anagrams and Letters",)),
    ("Department of Ciphers", "department", ("Faculty of Anagrams and Letters", "Faculty of Natural Philosophy")),
    ("Department of Conspiracy Studies", "department", ("Faculty of Plots and Politics",)),
    ("Department of Public Finance", "department", ("Faculty of Plots and Politics",)),
    ("School of Informers", "school", ("Faculty of Plots and Politics",)),
    ("Department of Alchemy", "department", ("Faculty of Natural Philosophy",)),
    ("Department of Optics", "department", ("Faculty of Natural Philosophy",)),
    ("Department of Mathematics", "department", ("Faculty of Natural Philosophy",)),
    ("Department of Digestion", "department", ("Medical Faculty",)),
    ("Department of Gout and Joints", "department", ("Medical Faculty",)),
    ("Centre for the Study of Close-Stools", "centre", ("Medical Faculty", "Faculty of Plots and Politics")),
    ("Office of Decipherers", "office", ("School of Informers",)),
    ("Letters Opened by Steam Group", "group", ("Office of Decipherers",)),
    ("Invisible Ink Group", "group", ("Department of Ciphers", "Department of Optics")),
    ("University Library", "department", ("Royal University of Tribnia",)),
)
ENDED = {"Department of Alchemy": date(2015, 7, 31)}
HIDDEN_UNITS = {"Office of Decipherers": "BACKEND"}
KINDS: tuple[AssociationKind, ...] = ("staff", "student", "visitingScholar", "honoraryStaff")
SHAPES = ("contributiontojournal/article",) * 5 + (
    "contributiontobookanthology/conference", "contributiontobookanthology/chapter", "bookanthology/book",
    "thesis/doc", "othercontribution/other",
)  # fmt: skip
STEPS = ("approved", "validated", None, "forApproval")
HIDDEN: Mapping[int, str | None] = {3: "BACKEND", 13: "CAMPUS", 23: "CONFIDENTIAL", 33: "RESTRICTED", 43: None}
FIRST_PERSON, FIRST_OUTPUT = 3001, 5001  # serial numbers of identifiers


def tribnia(moment: datetime | None = None, *, persons: int = 66, outputs: int = 420) -> Store:
    """The Royal University as it is at a moment, its content entered over the year before; its clock then stands."""
    clock = VirtualClock(moment) if moment else VirtualClock()
    now = clock.time
    store = Store(clock=clock)
    _fill(store, Random(1726), persons, outputs, begin=now - timedelta(days=400), end=now)
    return store


def langden(moment: datetime | None = None) -> Store:
    """The College: smaller, of another seed."""
    clock = VirtualClock(moment) if moment else VirtualClock()
    now = clock.time
    store = Store("College of Langden", "pure.langden.example", clock)
    _fill(store, Random(1735), 30, 160, begin=now - timedelta(days=300), end=now)
    return store


def moves_on(store: Store, step: int) -> None:
    """What happens between two starts of the demo: some titles are mended, some works come, go, or are hidden."""
    outputs, persons = sorted(store.outputs), sorted(store.persons)
    for turn in range(5):
        key = outputs[(17 * step + 61 * turn) % len(outputs)]
        title = store.outputs[key].title.removesuffix(" (revised)")
        store.change(key, title=f"{title} (revised)")
    for turn in range(3):
        serial = 9000 + 10 * step + turn
        author = store.persons[persons[(step + 7 * turn) % len(persons)]]
        units = tuple(each.unit for each in author.associations[:1])
        store.put(
            Output(
                store.invent(f"output/{serial}"), f"Fresh evidence on {TOPICS[serial % len(TOPICS)]}, part {step}",
                day=(2026, 1 + step % 12), contributors=(_as_author(author, units),), units=units,
                doi=invented.doi(_word(store), serial), journal=invented.JOURNALS[serial % 9], issn=invented.issn(serial % 999),
            )
        )  # fmt: skip
    store.delete(outputs[(101 * step) % len(outputs)])
    hidden = outputs[(53 * step + 1) % len(outputs)]
    if hidden in store.outputs:
        store.hide(hidden)
    mover = persons[(5 * step) % len(persons)]
    store.move(mover, sorted(store.units)[step % len(store.units)])
    shy = persons[(11 * step + 2) % len(persons)]
    store.hide(shy, "CAMPUS" if store.persons[shy].visibility == "FREE" else "FREE")
    store.noise(40)


def stores_of(starts: Sequence[str]) -> tuple[Store, Store]:
    """Both as they are after these starts (ISO 8601): each moved on a little at each but the first."""
    both = tribnia(datetime.fromisoformat(starts[0])), langden(datetime.fromisoformat(starts[0]))
    for store in both:
        clock = VirtualClock()
        store.clock = clock
        for step, start in enumerate(starts[1:], 1):
            clock.time = datetime.fromisoformat(start)
            moves_on(store, step)
        store.clock = wall_clock
    return both


def _word(store: Store) -> str:
    return store.host.split(".")[1]


def _fill(store: Store, random: Random, persons: int, outputs: int, *, begin: datetime, end: datetime) -> None:
    """Enters units, then people, then outputs, evenly from ``begin`` to ``end``."""
    clock = VirtualClock(begin)
    kept, store.clock = store.clock, clock
    things: list[Unit | Person | Output] = [*_units(store)]
    places = [each.uuid for each in things[5:]]
    people = _persons(store, random, places, persons)
    things += people
    things += _outputs(store, random, people, outputs)
    for place, thing in enumerate(things):
        clock.time = begin + (end - begin) * (place + 1) / (len(things) + 1)
        clock.time = clock.time.replace(microsecond=clock.time.microsecond // 1000 * 1000)
        store.put(thing)
    store.clock = kept


def _units(store: Store) -> list[Unit]:
    return [
        Unit(
            store.invent(f"unit/{name}"), name if parents else store.name, kind,
            tuple(store.invent(f"unit/{parent}") for parent in parents),
            Period(date(1950 + number if number else 1727, 1, 1), ENDED.get(name)), HIDDEN_UNITS.get(name, "FREE"),
            (("organisationid", f"TRIB{number:02d}"),),
        )
        for number, (name, kind, parents) in enumerate(TREE)
    ]  # fmt: skip


def _persons(store: Store, random: Random, places: list[str], count: int) -> list[Person]:
    found = []
    for number, human in enumerate(invented.people(random, count, first_serial=FIRST_PERSON)):
        home, former = places[number % len(places)], places[(3 * number + 1) % len(places)]
        end = None
        if number % 9 == 8:
            end = date(2023, 6, 30)  # has left
        elif number % 5 == 0:
            end = date(2099, 12, 31)  # as some enter it for all of their staff
        kind = KINDS[(number % 6 == 5) + 2 * (number % 11 == 10)]
        associations = [Association(home, kind, Period(date(2012 + number % 12, 9, 1), end))]
        if number % 4 == 3:
            associations.append(
                Association(former, "staff", Period(date(2005, 9, 1), date(2011, 8, 31)), primary=False)
            )
        if number % 7 == 6:
            associations.append(Association(former, "honoraryStaff", Period(date(2020, 1, 1)), primary=False))
        found.append(
            Person(
                store.invent(f"person/{number}"), human.given, human.family, human.orcid if number % 3 else None,
                (("employee", f"{100_000 + number}"), *((("scopusauthor", f"9900000{number:04d}"),) if number % 2 else ())),
                tuple(associations[: 0 if number % 22 == 21 else None]),
                {5: "BACKEND", 17: "CAMPUS", 29: None}.get(number % 33, "FREE"),
            )
        )  # fmt: skip
    return found


def _outputs(store: Store, random: Random, people: list[Person], count: int) -> list[Output]:
    outsiders = invented.people(random, 90, first_serial=FIRST_PERSON + 1000)
    for number, human in enumerate(outsiders):
        uuid = store.invent(f"outsider/{number}")
        nameless = number % 30 == 29
        store.outsiders[uuid] = Outsider(uuid, None if nameless else human.given, None if nameless else human.family)
    collaboration = store.invent("collaboration/1")
    store.collaborations[collaboration] = "(Academy of Projectors Collaboration)"
    cast = _Cast(people, list(store.outsiders.values()), collaboration)
    return [_output(store, random, cast, number) for number in range(count)]


@dataclass(frozen=True, slots=True)
class _Cast:
    """Who may have written something, and which titles are taken."""

    people: list[Person]
    outsiders: list[Outsider]
    collaboration: str
    titles: set[str] = field(default_factory=set)


def _output(store: Store, random: Random, cast: _Cast, number: int) -> Output:
    shape = SHAPES[number % len(SHAPES)]
    affiliated = number % 19 != 4
    inside = [] if number % 31 == 30 else random.sample(cast.people, random.choice((1, 1, 2, 2, 3)))
    contributors = [
        _as_author(each, tuple(one.unit for one in each.associations[:1]) if affiliated else ()) for each in inside
    ]
    contributors += [
        Contributor("external", each.uuid, each.first and f"{each.first[0]}.", each.last)
        for each in random.sample(cast.outsiders, random.choice((0, 1, 2, 3)))
    ]
    if number % 47 == 46:
        contributors.append(Contributor("collaboration", cast.collaboration))
    random.shuffle(contributors)
    units = tuple(dict.fromkeys(unit for each in contributors for unit in each.units))
    serial = FIRST_OUTPUT + number
    journal = shape.startswith("contributiontojournal")
    book = shape.startswith(("bookanthology", "contributiontobookanthology"))
    day = (2000 + number % 26, 1 + number % 12, 1 + number % 28)[: 1 + number % 3]
    ids = [("Scopus", f"850000{serial}")] if number % 2 else []
    if number % 4 == 1:
        ids.append(("PubMed", invented.pmid(serial)))
    if number % 21 == 20:
        ids.append(("ArXiv", invented.arxiv(serial)))
    confidential = number % 37 == 11  # the new API says so by the visibility alone
    named = number % 13 != 12  # the others have no identifier that is supported
    title = invented.title(random, TOPICS, cast.titles)
    return Output(
        store.invent(f"output/{number}"),
        f"<i>{title}</i>" if number % 25 == 24 else title,
        shape,
        day if number % 83 != 82 else (2126,),  # a slip of the keyboard
        tuple(contributors),
        439 if number % 47 == 46 else len(contributors),
        units,
        units[0] if units else store.invent(f"unit/{TREE[-1][0]}"),
        invented.doi(_word(store), serial) if named and number % 10 not in {7, 8} else None,
        f"https://hdl.handle.net/{invented.handle(serial)}" if named and number % 10 == 8 else None,
        tuple(ids if named else ids[:1]),
        (invented.isbn(serial % 10**6),) if named and book and number % 10 == 7 else (),
        (invented.isbn(serial % 10**6 + 500_000),) if named and shape == "bookanthology/book" else (),
        invented.JOURNALS[number % len(invented.JOURNALS)] if journal else None,
        invented.issn(number % 9 + 1) if journal else None,
        invented.abstract(random, TOPICS) if number % 3 else None,
        "CONFIDENTIAL" if confidential else HIDDEN.get(number % 60, "FREE"),
        confidential,
        "entryInProgress" if number % 23 == 6 else STEPS[number % 4],
    )


def _as_author(person: Person, units: tuple[str, ...]) -> Contributor:
    initials = " ".join(f"{part[0]}." for part in person.first.replace("-", " ").split())
    return Contributor("internal", person.uuid, initials, person.last, units)
