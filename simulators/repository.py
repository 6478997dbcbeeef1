"""A repository whose content can change: items, the views they are filed under, and a clock that tests can turn.

What an item says is the repository's own; how it looks on the wire belongs to the server that shows it.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

State = Literal["archive", "deletion", "buffer"]  # live; deleted; under review and seen as deleted
Flaw = Literal[
    "control_character",
    "raw_ampersand",
    "undeclared_entity",
    "latin_1_byte",
    "cut_off",
    "double_escaped",
    "no_metadata",
]
Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """The time of this machine, UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class VirtualClock:
    """A clock that stands still until it is turned."""

    time: datetime = datetime(2026, 2, 1, 3, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time that it shows."""
        return self.time

    def advance(self, **amount: float) -> None:
        """Turns the clock: ``advance(hours=2)``, as ``timedelta`` takes it."""
        self.time += timedelta(**amount)


def stamp(moment: datetime) -> str:
    """A moment as OAI-PMH writes it: seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a view: a division, a subject, a type. Without ``parents`` it stands at the top."""

    id: str
    label: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """A way to browse the repository. ``phrase`` is what it is called in front of a heading's label."""

    id: str
    phrase: str
    headings: tuple[Heading, ...]

    def heading(self, id_: str) -> Heading | None:
        """A heading by its id."""
        return next((heading for heading in self.headings if heading.id == id_), None)

    def paths(self, id_: str) -> list[tuple[Heading, ...]]:
        """Every way from the top down to a heading; one with two parents has two, an unknown one none."""
        heading = self.heading(id_)
        if heading is None:
            return []
        if not heading.parents:
            return [(heading,)]
        return [(*path, heading) for parent in heading.parents for path in self.paths(parent)]

    def below(self, id_: str) -> frozenset[str]:
        """A heading's id with those of all below it."""
        known = {heading.id for heading in self.headings for path in self.paths(heading.id) if id_ in _ids(path)}
        return frozenset({id_} | known)


@dataclass(frozen=True, slots=True)
class Creator:
    """A creator as credited. ``id`` None: no attribute; "" : an empty one."""

    name: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A file of an item."""

    name: str
    format: str = "text"
    rights: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One item. ``filed`` maps a view's id to the ids of its headings; ``datestamp`` is set by the world."""

    number: int
    title: str
    creators: tuple[Creator, ...] = ()
    contributors: tuple[str, ...] = ()
    filed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    subjects: tuple[str, ...] = ()
    abstract: str | None = None
    publisher: str | None = None
    date: str | None = None
    type: str = "Article"
    refereed: bool = True
    documents: tuple[Document, ...] = ()
    publication: str | None = None
    issn: str | None = None
    isbn: str | None = None
    official_url: str | None = None
    id_number: str | None = None
    cited_doi: str | None = None  # stands in the citation
    state: State = "archive"
    flaw: Flaw | None = None
    datestamp: str = ""


class World:
    """A repository's content. May be read and changed from several threads; every change is dated by ``clock``."""

    def __init__(
        self, name: str, host: str, views: tuple[View, ...], items: Iterable[Item] = (), clock: Clock | None = None
    ) -> None:
        self.name = name
        self.host = host
        self.views = views
        self.clock = clock or VirtualClock()
        self._lock = threading.RLock()
        self._items = {item.number: item if item.datestamp else self._dated(item, None) for item in items}
        self._numbers = sorted(self._items)
        self._lists: dict[tuple[object, ...], list[int]] = {}

    def __iter__(self) -> Iterator[Item]:
        """The items in the order of their numbers, the deleted ones too."""
        with self._lock:
            return iter([self._items[number] for number in self._numbers])

    def __len__(self) -> int:
        return len(self._numbers)

    def get(self, number: int) -> Item | None:
        """An item, live or deleted."""
        return self._items.get(number)

    def add(self, item: Item, at: datetime | None = None) -> Item:
        """Adds an item, or puts it in the place of the one with its number."""
        with self._lock:
            if item.number not in self._items:
                insort(self._numbers, item.number)
            self._items[item.number] = dated = self._dated(item, at)
            self._lists.clear()
            return dated

    def edit(self, number: int, at: datetime | None = None, **changes: Any) -> Item:
        """Changes fields of an item; without any, only its datestamp."""
        with self._lock:
            return self.add(replace(self._items[number], **changes), at)

    def delete(self, number: int, at: datetime | None = None) -> Item:
        """Deletes an item: it stays as a deleted header."""
        return self.edit(number, at, state="deletion")

    def hide(self, number: int, at: datetime | None = None) -> Item:
        """Moves an item back to review: harvesters see it as deleted, until ``show``."""
        return self.edit(number, at, state="buffer")

    def show(self, number: int, at: datetime | None = None) -> Item:
        """Makes a hidden or deleted item live again."""
        return self.edit(number, at, state="archive")

    def expunge(self, number: int) -> None:
        """Takes an item away without a trace, as no well-behaved repository does."""
        with self._lock:
            del self._items[number]
            self._numbers.remove(number)
            self._lists.clear()

    def find(
        self,
        *,
        since: str = "",
        until: str = "",
        filed: tuple[str, frozenset[str]] | None = None,
        only: Callable[[Item], bool] | None = None,
    ) -> list[int]:
        """Numbers of the items with a datestamp in the closed range and filed under one of a view's headings."""
        key = (since, until, filed, only)
        with self._lock:
            if key not in self._lists:
                self._lists[key] = [item.number for item in self if _matches(item, since, until, filed, only)]
            return self._lists[key]

    def page(self, numbers: list[int], start: int, size: int) -> list[Item]:
        """Up to ``size`` items of a list, from the first whose number is at least ``start``."""
        place = bisect_left(numbers, start)
        with self._lock:
            return [self._items[number] for number in numbers[place : place + size] if number in self._items]

    def _dated(self, item: Item, at: datetime | None) -> Item:
        return replace(item, datestamp=stamp(at or self.clock()))


def _ids(path: Collection[Heading]) -> set[str]:
    return {heading.id for heading in path}


def _matches(
    item: Item, since: str, until: str, filed: tuple[str, frozenset[str]] | None, only: Callable[[Item], bool] | None
) -> bool:
    if item.datestamp < since or (until and item.datestamp > until):
        return False
    if filed is not None and not filed[1].intersection(item.filed.get(filed[0], ())):
        return False
    return only is None or only(item)
