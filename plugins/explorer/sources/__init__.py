"""What a source is: a small contract, and the one place that knows which kinds there are.

A source says which parts an import has to read, reads each part page by page, and can be asked what works. Reading
talks to the network; parsing is a pure function of bytes beside it. A page and the cursor behind it are committed
together, so a part that was cut off goes on behind its last page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from explorer.records import Note, Record
from explorer.report import Report

Cursor = Mapping[str, object]  # small, JSON; its meaning belongs to the source


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import asks of a source. ``watermarks``: per part, the source's clock to start from, overlap taken off."""

    mode: Literal["full", "incremental"]
    watermarks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """One independent list of a source: a window, a set, a file. Parts may be read side by side.

    A part of scope ``keys`` lists the keys of all outputs that are there now (``records.Listed``), under the same
    conditions as the outputs are asked for. What is published but absent from such a list, read to its end, is gone, also
    in an incremental import; what is listed but was not read stays untouched.

    ``via``: the set that it reads, where a record lives as long as one of its sets has it. A set's list may hold a record
    that others hold too; one that it reports as deleted has left this set alone. The sets take the place of the
    departments that an output's record names.
    """

    name: str  # of a list that is not divided: stable from import to import, the watermark is kept under it
    scope: Literal["departments", "authors", "authorships", "outputs", "keys"] = "outputs"
    start: Cursor = field(default_factory=dict)
    via: str | None = None
    whole: str | None = None  # the list that it is a window of: the watermark is kept under that name
    last: bool = False  # is read when all others are

    @property
    def mark(self) -> str:
        """The list that it is, or is a window of: the name of its watermark."""
        return self.whole or self.name


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer of a source held.

    ``cursor`` stands behind this page, None at the end of the part. ``clock`` is the source's own time (ISO 8601, UTC)
    when it answered. ``expected`` is the source's own idea of the part's size. ``repairs`` counts what had to be
    mended to read the page, by kind. ``restart`` says that the part began again from the front (an expired token):
    what was read of it before does not count. ``incomplete`` says in a sentence what the part lost; absence from an
    incomplete part never means deletion. ``notes`` are what a librarian should know of the part as a whole. ``mark``: where
    the next import goes on in a list that has places of its own (a token of changes); it stands for the clock then.
    """

    records: Sequence[Record]
    cursor: Cursor | None
    clock: str | None = None
    expected: int | None = None
    repairs: Mapping[str, int] = field(default_factory=dict)
    restart: bool = False
    incomplete: str | None = None
    notes: Sequence[Note] = ()
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``check``: what was tried, whether it worked, and what it showed or how to mend it."""

    name: str
    ok: bool
    detail: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a kind of source can do; the flow asks these and never the kind's name."""

    knows_privacy: bool = False  # records carry levels; a missing one counts as private
    lists_authors: bool = False  # people come as records of their own, not only as credits
    says_changes: bool = False  # can be asked for what changed since a time
    joins_records: bool = False  # several records may make one output (spreadsheet rows)
    lists_authorships: bool = False  # who wrote what is a list of its own; it, people, departments come whole each time
    lists_keys: bool = (
        False  # the keys of all outputs are a list of their own, and one output can be asked for by its key
    )
    names_departments: bool = False  # departments come with the records that name them, and go with the last one


# The part that is read last by a source that lists authorships or keys: outputs that no other part gave, but that this
# import wants: for those who wrote them, or because they are listed as new or changed. Its start holds their keys:
# {"keys": […]}.
OUTPUTS_BY_KEY = "outputs by key"


class Source(Protocol):
    """A system that an institution keeps its outputs in."""

    @property
    def abilities(self) -> Abilities:
        """What it can do."""

    def parts(self, plan: Plan) -> Sequence[Part]:
        """The parts to be read, departments first. May ask the source (its sets, its version)."""

    def read(self, part: Part, plan: Plan, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of a part, from its start or from behind ``cursor``. Raises ``SourceError``."""

    def check(self) -> Iterator[Finding]:
        """Tries every address, right and format by name, and a sample of records."""


@runtime_checkable
class Reporting(Protocol):
    """A source whose records come from a file that a person made, who wants to know what was made of it."""

    def report(self) -> Report:
        """What was read, mended, left out and refused, row by row. Raises ``SourceError``."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """The last sound version of a file: when it was read, in words, and why the file as it is now cannot be used."""

    content: bytes
    read_at: str
    problem: str | None = None


class FileKeeper(Protocol):
    """Where the last sound version of each of an institution's files is kept."""

    def get(self, name: str) -> KeptFile | None:
        """The version that is kept, if one is."""

    def keep(self, name: str, content: bytes) -> None:
        """Keeps a sound version."""

    def blame(self, name: str, problem: str) -> bool:
        """Says why the file as it is now cannot be used; returns whether an older version is there."""


@runtime_checkable
class ReadsFiles(Protocol):
    """A source that also reads files which the institution keeps for it, and which may be broken one day."""

    def with_files_kept(self, keeper: FileKeeper) -> Source:
        """The same source, which falls back on the last sound version of each file."""


@runtime_checkable
class Sweeps(Protocol):
    """A source of which only a whole list may show all that happened: then an import is full every now and then."""

    def untold(self) -> str | None:
        """What it does not tell, as half a sentence, the first half of the reason of a full import; None: it tells all.

        May ask the source. Raises ``SourceError``.
        """


@runtime_checkable
class Speaks(Protocol):
    """A source whose records mean something else where the system behind it is of another version."""

    def speaks(self) -> str:
        """What it is, as far as that decides what its records mean. May ask the source. Raises ``SourceError``."""


# The code of an error that says that the source has lost our place in its list of changes: the next import is full.
CHANGES_LOST = "changes_lost"


class SourceError(Exception):
    """The source cannot be read: ``code`` is stable, the message says what, where and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
