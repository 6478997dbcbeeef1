"""The repositories of three countries that Gulliver saw, for servers whose creators have no ids.

Shares are exact, so that counts can be foreseen; which record gets what is drawn from a seed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from simulators import invented
from simulators.repository import Creator, Heading, Item, View, World, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simulators.repository import Clock

FIRST = 1001
TOPICS = (
    *("sunbeams out of cucumbers", "music of the spheres", "the flapper's office", "immortality and its costs"),
    *("houses built from the roof downwards", "magnets that carry islands", "spiders and silk", "shadows called up"),
    *("a language without words", "the quadrant and the tailor", "comets and their tails", "ploughing with hogs"),
)
# Where an item's identifiers stand, in shares of twenty
CONTEXT_KINDS = ("doi",) * 7 + ("pmid",) * 3 + ("both",) * 2 + ("none",) * 8
HANDLE_KINDS = ("bare",) * 7 + ("url",) * 3 + ("cited",) * 2 + ("isbn",) + ("issn",) * 3 + ("handle",) * 4
DELETED_OF_A_HUNDRED = 2


def laputa(clock: Clock | None = None, *, records: int = 240) -> World:
    """Laputa Commons: contexts of bepress, a tree that nobody is told of. PubMed ids stand in ``id_number``."""
    contexts = (
        Heading("music", "Faculty of Music"),
        Heading("music_spheres", "Spheres and Harmonies", ("music",)),
        Heading("mathematics", "Faculty of Mathematics"),
        Heading("mathematics_pubs", "Mathematics Faculty Publications", ("mathematics",)),
        Heading("old_5Ftailors", "Quadrant & Compass Tailoring", ("mathematics",)),
        Heading("etd", "Theses and Dissertations"),
    )
    leaves = ("music_spheres", "mathematics_pubs", "old_5Ftailors", "etd")

    def identifiers(number: int, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if kind in {"doi", "both"}:
            found["official_url"] = f"https://doi.org/{invented.doi('laputa', number)}"
        if kind in {"pmid", "both"}:
            found["id_number"] = invented.pmid(number)
        return found

    items = _items("Laputa", records, CONTEXT_KINDS, identifiers, view="contexts", places=[(leaf,) for leaf in leaves])
    return World("Laputa Commons", "commons.laputa.example", (View("contexts", "Context", contexts),), items, clock)


def balnibarbi(clock: Clock | None = None, *, records: int = 260) -> World:
    """The Academy of Lagado: communities under two parents, collections of one name, an empty community."""
    return _archive("Academy of Lagado Repository", "repository.balnibarbi.example", "20.500.99998", clock, records)


def luggnagg(clock: Clock | None = None, *, records: int = 230) -> World:
    """The Archive of Luggnagg: the same tree under other handles, and a community without a title."""
    world = _archive("Archive of Luggnagg", "archive.luggnagg.example", "20.500.99997", clock, records)
    communities, collections = world.views
    named = tuple(replace(each, label="" if each.id.endswith("/4") else each.label) for each in communities.headings)
    return World(world.name, world.host, (replace(communities, headings=named), collections), list(world), clock)


def _archive(name: str, host: str, prefix: str, clock: Clock | None, records: int) -> World:
    def of(*numbers: int) -> tuple[str, ...]:
        return tuple(f"{prefix}/{number}" for number in numbers)

    communities = tuple(
        Heading(of(number)[0], label, of(*parents))
        for number, label, parents in (
            (1, "Faculty of Projects", ()),
            (11, "School of Sunbeams", (1,)),
            (111, "Cucumber Group", (11,)),
            (2, "Faculty of Speech & Letters", ()),
            (30, "Centre for Hogs: Ploughing", (1, 2)),
            (3, "Empty Office", ()),
            (4, "Library", ()),
        )
    )
    collections = tuple(
        Heading(of(number)[0], label, of(parent))
        for number, label, parent in (
            (1111, "Articles", 111),
            (112, "Articles", 11),
            (113, "Working Papers", 11),
            (301, "Working Papers", 30),
            (21, "Articles", 2),
            (41, "Maps", 4),
        )
    )

    def identifiers(number: int, kind: str) -> dict[str, Any]:
        doi = invented.doi(host.split(".")[1], number)
        return {
            "bare": {"id_number": doi},
            "url": {"official_url": f"https://doi.org/{doi}"},
            "cited": {"cited_doi": doi, "publication": invented.JOURNALS[number % len(invented.JOURNALS)]},
            "isbn": {"isbn": invented.isbn(number), "type": "Book"},
            "issn": {"issn": invented.issn(number % 40 + 1)},
        }.get(kind, {})

    places = [of(1111), of(112), of(113), of(301), of(21), of(41), of(112, 301)]
    items = _items(host, records, HANDLE_KINDS, identifiers, view="collections", places=places)
    views = View("communities", "Community", communities), View("collections", "Collection", collections)
    return World(name, host, views, items, clock)


def _items(
    seed: str,
    records: int,
    kinds: Sequence[str],
    identifiers: Callable[[int, str], dict[str, Any]],
    *,
    view: str,
    places: Sequence[tuple[str, ...]],
) -> list[Item]:
    """Items with exact shares of identifiers, in every place, a fiftieth of them deleted."""
    random = Random(f"voyages-{seed}")
    people = invented.people(random, max(8, records // 6))
    chosen = [kinds[at % len(kinds)] for at in range(records)]
    random.shuffle(chosen)
    gone = set(random.sample(range(records), records * DELETED_OF_A_HUNDRED // 100))
    seen: set[str] = set()

    def made() -> Iterator[Item]:
        for at, kind in enumerate(chosen):
            number = FIRST + at
            moment = datetime(2024, 1, 8, tzinfo=UTC) + timedelta(seconds=random.randrange(2 * 365 * 86400))
            item = Item(
                number=number,
                title=invented.title(random, TOPICS, seen),
                creators=tuple(
                    Creator(person.name) for person in random.sample(people, random.choice((0, 1, 1, 2, 3)))
                ),
                filed={view: places[at % len(places)]},
                subjects=(random.choice(TOPICS),),
                abstract=invented.abstract(random, TOPICS) if at % 2 else None,
                publisher=random.choice(invented.PUBLISHERS),
                date=str(random.randint(1999, 2025)),
                state="deletion" if at in gone else "archive",
                datestamp=stamp(moment),
            )
            yield replace(item, **identifiers(number, kind))

    return list(made())
