"""What a Pure server knows: units, persons, people from elsewhere, outputs, and the audit rows of what happened to them.

One store stands behind both of Pure's interfaces. Whoever edits it writes audit rows, which the old web service shows as
`/changes`; of deletions only a share is ever told there, and a merge is told of the winner alone.
"""

from __future__ import annotations

import hashlib
import threading
import uuid as uuids
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from random import Random
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from simulators.repository import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.repository import Clock

AssociationKind = Literal["staff", "student", "visitingScholar", "honoraryStaff"]
Told = Literal["CREATE", "UPDATE", "DELETE"]
Family = Literal["ResearchOutput", "Person", "Organisation", "ExternalPerson", "ImportResult", "ClassificationScheme"]
FIRST_SEQUENCE = 1_000_000
FAMILIES: Mapping[str, str] = {
    "ResearchOutput": "dk.atira.pure.api.shared.model.researchoutput.ResearchOutput",
    "Person": "dk.atira.pure.api.shared.model.person.Person",
    "Organisation": "dk.atira.pure.api.shared.model.organisation.Organisation",
    "ExternalPerson": "dk.atira.pure.api.shared.model.externalperson.ExternalPerson",
    "ImportResult": "dk.atira.pure.api.shared.contentimport.model.ImportResult",
    "ClassificationScheme": "dk.atira.pure.api.shared.model.classification.ClassificationScheme",
}


@dataclass(frozen=True, slots=True)
class Period:
    """From a day to a day, both included, either open."""

    start: date | None = None
    end: date | None = None

    def holds(self, day: date) -> bool:
        """Whether the day lies in it."""
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)


@dataclass(frozen=True, slots=True)
class Unit:
    """An organisational unit. ``visibility`` None: left out. ``ids``: (type, value)."""

    uuid: str
    name: str
    type: str = "department"
    parents: tuple[str, ...] = ()
    period: Period = Period(date(1960, 1, 1))
    visibility: str | None = "FREE"
    ids: tuple[tuple[str, str], ...] = ()
    previous: tuple[str, ...] = ()
    created: datetime | None = None
    modified: datetime | None = None
    number: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Association:
    """That a person belongs to a unit, and as what."""

    unit: str
    kind: AssociationKind = "staff"
    period: Period = Period(date(2010, 9, 1))
    primary: bool = True
    job: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the university. ``ids``: (type, value), the type as the end of its URI."""

    uuid: str
    first: str
    last: str
    orcid: str | None = None
    ids: tuple[tuple[str, str], ...] = ()
    associations: tuple[Association, ...] = ()
    visibility: str | None = "FREE"
    previous: tuple[str, ...] = ()
    created: datetime | None = None
    modified: datetime | None = None
    number: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Outsider:
    """Somebody from elsewhere: a name only. Without one, neither key of the name is there."""

    uuid: str
    first: str | None
    last: str | None


@dataclass(frozen=True, slots=True)
class Contributor:
    """One association of an output with a person (``internal``), an outsider (``external``) or a collaboration."""

    kind: Literal["internal", "external", "collaboration"]
    uuid: str
    first: str | None = None
    last: str | None = None
    units: tuple[str, ...] = ()
    hidden: bool = False
    association_hidden: bool = False  # the new API alone tells it


@dataclass(frozen=True, slots=True)
class Output:
    """A research output. ``ids``: (source, value), the first one the primary. ``workflow``, ``visibility`` None: left out."""

    uuid: str
    title: str
    type: str = "contributiontojournal/article"
    day: tuple[int, ...] = (2020,)  # year, month, day: as much of them as is known
    contributors: tuple[Contributor, ...] = ()
    total_authors: int | None = None
    units: tuple[str, ...] = ()
    managing: str | None = None
    doi: str | None = None
    link: str | None = None
    ids: tuple[tuple[str, str], ...] = ()
    isbns: tuple[str, ...] = ()
    electronic_isbns: tuple[str, ...] = ()
    journal: str | None = None
    issn: str | None = None
    abstract: str | None = None
    visibility: str | None = "FREE"
    confidential: bool | None = False
    workflow: str | None = "approved"
    previous: tuple[str, ...] = ()
    created: datetime | None = None
    modified: datetime | None = None
    number: int = 0
    version: int = 0


Content = Unit | Person | Output
FAMILY_OF: Mapping[type, str] = {Unit: "Organisation", Person: "Person", Output: "ResearchOutput"}


@dataclass(frozen=True, slots=True)
class Audit:
    """One audit row. ``told`` None: a row of which ``/changes`` shows nothing. ``related``: (uuid, family) of other ends."""

    sequence: int
    at: datetime
    family: str = ""
    uuid: str | None = None
    told: str | None = None
    version: int | None = None
    related: tuple[tuple[str, str], ...] = ()


@dataclass
class Store:
    """A Pure server's content. Every edit is dated by ``clock`` and audited; may be used from several threads.

    It is changed by its methods alone: by ``sequence`` a server sees that something has changed.

    ``deletes_told`` is the share of deletions that ``/changes`` tells. ``zone`` is where its dates are at home.
    """

    name: str = "Royal University of Tribnia"
    host: str = "pure.tribnia.example"
    clock: Clock = field(default_factory=VirtualClock)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("America/Chicago"))
    deletes_told: float = 0.4
    random: Random = field(default_factory=lambda: Random(7))
    units: dict[str, Unit] = field(default_factory=dict)
    persons: dict[str, Person] = field(default_factory=dict)
    outsiders: dict[str, Outsider] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)
    collaborations: dict[str, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)  # loser: winner
    audit: list[Audit] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    sequence: int = FIRST_SEQUENCE
    made: int = 0  # objects so far: their pureIds are made of it

    # --- looking

    def today(self) -> date:
        """The day where the server stands."""
        return self.clock().astimezone(self.zone).date()

    def all(self, family: str) -> dict[str, Content]:
        """The things of a family, by uuid: a copy."""
        with self.lock:
            return dict(self._of(family))

    def find(self, uuid: str) -> Content | None:
        """A thing by its uuid; of a loser the winner."""
        with self.lock:
            while uuid in self.merged:
                uuid = self.merged[uuid]
            return self.units.get(uuid) or self.persons.get(uuid) or self.outputs.get(uuid)

    def rows_after(self, sequence: int, most: int) -> list[Audit]:
        """The audit rows behind a sequence number."""
        with self.lock:
            first = bisect_right(self.audit, sequence, key=lambda row: row.sequence)
            return self.audit[first : first + most]

    def sequence_before(self, moment: datetime) -> int:
        """The sequence number after which the rows from a moment on begin."""
        with self.lock:
            for row in self.audit:
                if row.at >= moment:
                    return row.sequence - 1
            return self.sequence

    # --- editing: each writes its audit rows

    def put(self, thing: Content, *, told: Told | None = None) -> None:
        """Adds or changes a unit, a person or an output, now."""
        with self.lock:
            shelf = self._of(FAMILY_OF[type(thing)])
            old = shelf.get(thing.uuid)
            now = self.clock()
            if old is None:
                self.made += 1
                new = replace(thing, created=thing.created or now, modified=now, number=self.made, version=0)
            else:
                new = replace(thing, created=old.created, modified=now, number=old.number, version=old.version + 1)
            shelf[thing.uuid] = new
            self._write(FAMILY_OF[type(thing)], thing.uuid, told or ("UPDATE" if old else "CREATE"), new.version, new)

    def change(self, uuid: str, **fields: object) -> None:
        """Changes some fields of a thing: ``change(uuid, title="…")``."""
        with self.lock:
            thing = self.find(uuid)
            if thing is None:
                raise KeyError(uuid)
            self.put(replace(thing, **fields))  # type: ignore[arg-type]

    def hide(self, uuid: str, visibility: str | None = "BACKEND", *, told: Told = "UPDATE") -> None:
        """Takes a thing out of sight; whether ``/changes`` then tells an update or a deletion is not known of Pure."""
        with self.lock:
            thing = self.find(uuid)
            if thing is None:
                raise KeyError(uuid)
            self.put(replace(thing, visibility=visibility), told=told)

    def show(self, uuid: str) -> None:
        """Shows it again."""
        self.hide(uuid, "FREE")

    def delete(self, uuid: str, *, told: bool | None = None) -> bool:
        """Deletes a thing and what names it; whether ``/changes`` tells (None: by the share), which is also returned."""
        with self.lock:
            family = next(name for name in ("Organisation", "Person", "ResearchOutput") if uuid in self._of(name))
            gone = self._of(family).pop(uuid)
            if told is None:
                told = self.random.random() < self.deletes_told
            self._write(family, uuid, "DELETE" if told else None, gone.version + 1)
            self._unname(uuid)
            return told

    def merge(self, loser: str, winner: str, *, told: bool = True) -> None:
        """Merges one thing into another of its kind. Whoever named the loser names the winner, which is ``told`` or not."""
        with self.lock:
            family = next(name for name in ("Organisation", "Person", "ResearchOutput") if loser in self._of(name))
            shelf = self._of(family)
            gone = shelf.pop(loser)
            kept = shelf[winner]
            self.merged[loser] = winner
            self._rename(loser, winner, told=told)
            kept = shelf[winner]
            self.put(replace(kept, previous=(*kept.previous, *gone.previous, loser)))

    def move(self, person: str, unit: str, day: date | None = None) -> None:
        """Ends a person's present associations the day before and begins one with the unit."""
        with self.lock:
            day = day or self.today()
            thing = self.persons[person]
            ended = tuple(
                replace(each, period=Period(each.period.start, date.fromordinal(day.toordinal() - 1)), primary=False)
                if each.period.holds(day)
                else each
                for each in thing.associations
            )
            self.put(replace(thing, associations=(Association(unit, period=Period(day)), *ended)))

    def end(self, person: str, unit: str, day: date | None) -> None:
        """Lets a person's associations with a unit end on a day, past or to come; None: never."""
        with self.lock:
            thing = self.persons[person]
            changed = tuple(
                replace(each, period=Period(each.period.start, day)) if each.unit == unit else each
                for each in thing.associations
            )
            self.put(replace(thing, associations=changed))

    # --- audit rows of other things

    def noise(self, rows: int, family: str = "ImportResult") -> None:
        """Audit rows of another family, some repeated, some of version -1."""
        with self.lock:
            for number in range(rows):
                self._write(family, self.invent(f"noise/{self.sequence // 3}"), "UPDATE", -1 if number % 3 else 7)

    def silence(self, rows: int) -> None:
        """Audit rows of which nothing is shown: a hundred of them are an empty page."""
        with self.lock:
            for _ in range(rows):
                self._write("", None, None, None)

    def silence_after(self, sequence: int, rows: int) -> None:
        """Moves what comes behind a sequence number on, so that empty pages lie between."""
        with self.lock:
            first = bisect_right(self.audit, sequence, key=lambda row: row.sequence)
            now = self.audit[first].at if first < len(self.audit) else self.clock()
            silent = [Audit(sequence + number, now) for number in range(1, rows + 1)]
            moved = [replace(row, sequence=row.sequence + rows) for row in self.audit[first:]]
            self.audit[first:] = silent + moved
            self.sequence = max(self.sequence, sequence) + rows

    # --- inside

    def invent(self, name: str) -> str:
        """The uuid that a name has in this world, always the same."""
        return str(uuids.uuid5(uuids.NAMESPACE_DNS, f"{name}.{self.host}"))

    def _of(self, family: str) -> dict[str, Any]:
        """The shelf of a family."""
        shelves: Mapping[str, dict[str, Any]] = {
            "Organisation": self.units, "Person": self.persons, "ResearchOutput": self.outputs,
        }  # fmt: skip
        return shelves[family]

    def _write(
        self, family: str, uuid: str | None, told: str | None, version: int | None, thing: Content | None = None
    ) -> None:
        self.sequence += 1
        related: tuple[tuple[str, str], ...] = ()
        if isinstance(thing, Unit) and told == "CREATE":
            related = tuple((each, "Organisation") for each in thing.parents)
        self.audit.append(Audit(self.sequence, self.clock(), family, uuid, told, version, related))

    def _unname(self, uuid: str) -> None:
        """Takes a deleted thing out of what names it: these are changed, and audited."""
        for output in list(self.outputs.values()):
            contributors = tuple(
                replace(each, units=tuple(unit for unit in each.units if unit != uuid))
                for each in output.contributors
                if each.uuid != uuid
            )
            units = tuple(unit for unit in output.units if unit != uuid)
            managing = None if output.managing == uuid else output.managing
            changed = replace(output, contributors=contributors, units=units, managing=managing)
            if changed != output:
                self.put(changed)
        for person in list(self.persons.values()):
            associations = tuple(each for each in person.associations if each.unit != uuid)
            if associations != person.associations:
                self.put(replace(person, associations=associations))
        for unit in list(self.units.values()):
            if uuid in unit.parents:
                self.put(replace(unit, parents=tuple(each for each in unit.parents if each != uuid)))

    def _rename(self, old: str, new: str, *, told: bool) -> None:
        """Lets what named one thing name another; untold, neither its date nor ``/changes`` shows it."""

        def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(dict.fromkeys(new if each == old else each for each in names))

        def one_each(contributors: tuple[Contributor, ...]) -> tuple[Contributor, ...]:
            mine = [replace(each, units=renamed(each.units), uuid=renamed((each.uuid,))[0]) for each in contributors]
            first = {each.uuid: place for place, each in reversed(list(enumerate(mine)))}
            return tuple(each for place, each in enumerate(mine) if each.uuid != new or first[new] == place)

        changed: list[Content] = [
            replace(
                each,
                contributors=one_each(each.contributors),
                units=renamed(each.units),
                managing=each.managing and renamed((each.managing,))[0],
            )
            for each in self.outputs.values()
        ]
        changed += [
            replace(each, associations=tuple(replace(one, unit=renamed((one.unit,))[0]) for one in each.associations))
            for each in self.persons.values()
        ]
        changed += [replace(each, parents=renamed(each.parents)) for each in self.units.values()]
        for thing in changed:
            shelf = self._of(FAMILY_OF[type(thing)])
            if thing == shelf[thing.uuid]:
                continue
            if told:
                self.put(thing)
            else:
                shelf[thing.uuid] = thing


def digest(thing: Content) -> str:
    """The new API's ``version`` of a thing: a hash of what it is."""
    return hashlib.sha1(repr(thing).encode(), usedforsecurity=False).hexdigest()
