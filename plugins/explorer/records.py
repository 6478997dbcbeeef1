"""The canonical records that every source yields, whatever system they came from.

A source turns bytes into these, one by one, without looking at any other record. Keys are text, compared byte by
byte, and never depend on the order in which records arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["info", "warning"]
Level = Literal["public", "internal", "private"]

NO_MAPPING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Note:
    """Something a librarian should know of a record that was kept: a repair, a doubt, a value left out."""

    code: str
    message: str
    severity: Severity = "info"
    field: str | None = None
    value: str | None = None
    repaired_to: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record cannot be taken: a rule's name, a sentence for people, the field and the value that offended."""

    rule: str
    reason: str
    field: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Identifier:
    """One persistent identifier of an output: a scheme of ``identifiers.SCHEMES`` and its canonical value."""

    scheme: str
    value: str
    derived: bool = False  # an alias worked out from another identifier, not stated by the source


@dataclass(frozen=True, slots=True)
class Contribution:
    """That an author of the institution wrote an output, as the output's record states it.

    ``name`` is the name as credited here; ``departments`` are keys of the departments from which it was written.
    ``relation`` and ``level`` belong to sources that keep authorships as objects with an id and a privacy of their own.
    """

    author: str
    name: str
    ids: Mapping[str, str] = field(default_factory=dict)  # orcid, local id …; never an e-mail address
    departments: tuple[str, ...] = ()
    relation: str | None = None
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A research output as one record of the source states it.

    ``key`` is the source's own id; None where several records make one output and only their set says which
    (spreadsheet rows). ``datestamp`` orders copies of one record: any text that sorts by time. ``departments`` are
    department keys as the source names them, known or not. ``excluded`` is the rule that keeps a sound record out
    (``set``, ``affiliation``); that it has no identifier is seen later and not said here. A record that cannot be
    taken carries its ``refusal`` and whatever could be read.

    ``withheld`` is the source's own rule by which it may not be shown, whatever an institution chooses; such a record comes
    without content, and ends as dropped by privacy under that rule. So for authors and departments.
    """

    key: str | None
    title: str | None = None
    type: str | None = None
    year: int | None = None
    venue: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    departments: tuple[str, ...] = ()
    datestamp: str | None = None
    deleted: bool = False
    level: Level | None = None
    withheld: str | None = None
    excluded: str | None = None
    refusal: Refusal | None = None
    notes: tuple[Note, ...] = ()
    place: str | None = None  # where a person finds it: "row 12", an OAI identifier


@dataclass(frozen=True, slots=True)
class Author:
    """A person of the institution, from a source that lists people; other sources only credit them."""

    key: str
    name: str
    ids: Mapping[str, str] = field(default_factory=dict)
    departments: tuple[str, ...] = ()
    level: Level | None = None
    withheld: str | None = None
    current: bool | None = None
    academic: bool | None = None
    student: bool | None = None
    datestamp: str | None = None
    deleted: bool = False
    refusal: Refusal | None = None
    notes: tuple[Note, ...] = ()
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Authorship:
    """That an author wrote an output, from a source that lists authorships apart from outputs and people.

    ``output`` and ``author`` are their keys; ``key`` is the authorship's own. ``departments`` are those from which it was
    written, where the source says so; else they are the author's. ``position`` is the author's place on the output, where
    it is known; else the keys give the order.
    """

    key: str
    output: str
    author: str
    level: Level | None = None
    datestamp: str | None = None
    departments: tuple[str, ...] | None = None
    position: int | None = None
    refusal: Refusal | None = None
    notes: tuple[Note, ...] = ()
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """That an output is there now, from a source that lists the keys of all its outputs.

    ``datestamp``: when it changed last, where the list says so; ``departments``: those that it names, where the list does.
    """

    key: str
    datestamp: str | None = None
    departments: tuple[str, ...] | None = None
    refusal: None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Department:
    """A department, faculty, group or section. Without ``parents`` it stands on level 1.

    Where outputs' records name departments in passing, ``datestamp`` is that of the record: the newest says what a
    department is called. One that is named there without its id has a key that tells what is known of it: ``path:A > B``
    (its name with those above it) or ``name:B``; it is the same as the department with an id that goes by these names.
    """

    key: str
    name: str
    parents: tuple[str, ...] = ()
    level: Level | None = None
    withheld: str | None = None
    datestamp: str | None = None
    refusal: Refusal | None = None
    notes: tuple[Note, ...] = ()
    place: str | None = None


Record = Output | Author | Authorship | Listed | Department
