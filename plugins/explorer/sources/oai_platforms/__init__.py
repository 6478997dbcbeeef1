"""What differs from platform to platform: an accent is data first, and a named function for an oddity.

The harvest, the tolerant parsing and the making of an output are the same for all and know no platform's name. An
accent says where identifiers stand and how far to trust them, who is credited, which sets a header names, and where
the departments come from. Its functions are pure, but for ``departments`` and ``harvests``, which may ask the
repository.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from explorer.config import Departments, OaiPmhSource, Sets
from explorer.mapping import Values, plain
from explorer.records import Department, Note
from explorer.sources import SourceError
from explorer.sources.oai_names import FinalNames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from explorer.polite_http import Answer
    from explorer.sources.oai_xml import Element, ListedSet, Record

Placed = tuple[tuple[str, ...], tuple[Note, ...]]  # keys of departments, and what is to be said of them
CREATOR = "{http://purl.org/dc/elements/1.1/}creator"


@dataclass(frozen=True, slots=True)
class Settings:
    """What of an institution's YAML an accent may look at.

    ``hash_key``: e-mail addresses are hashed with it. ``names``: what its files call departments.
    """

    source: OaiPmhSource
    departments: Departments = field(default_factory=Departments)
    uri_domains: tuple[str, ...] = ()
    hash_key: bytes = b""
    names: FinalNames = field(default_factory=FinalNames)


class DepartmentsClosedError(SourceError):
    """The place where a platform keeps its departments cannot be read now: those that are known stay as they are."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may hold an identifier of the output.

    ``typed``: the record says that it is one of ``scheme``. ``bare``: a field of unknown kind that holds one identifier
    if any. ``page``: an address that may count as ``uri``. ``prose``: a citation; counts for schemes only that no
    better field has.
    """

    text: str
    how: Literal["typed", "bare", "page", "prose"]
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class Credit:
    """A person named by a record. ``ids`` as they stand there, of any kind; ``ours``: is of the institution.

    ``keyed_by_first``: the first id is the system's own for its staff, and is the key whatever others stand beside it.
    """

    name: str
    ids: tuple[str, ...] = ()
    ours: bool = False
    departments: tuple[str, ...] = ()
    keyed_by_first: bool = False


class Repository(Protocol):
    """What an accent may ask: the sets, and any other address of the same system (``Answer`` may be 4xx)."""

    def sets(self) -> Sequence[ListedSet]:
        """All sets, of all pages. Raises ``SourceError``; without sets ``oai_xml``'s problem ``noSetHierarchy``."""

    def get(self, url: str, *, accept: str | None = None) -> Answer:
        """An address. Raises ``SourceError``."""


def dublin_core_credits(metadata: Element, _: Settings) -> Iterator[Credit]:
    """The creators; those with an id are the institution's (integration guide, "Harvesting from your repository")."""
    for creator in metadata.iterchildren(CREATOR):
        number = (creator.get("id") or "").strip()
        yield Credit(plain(creator), (number,) if number else (), ours=bool(number))


def identifiers_in_identifier(values: Values, settings: Settings) -> Iterator[Candidate]:
    """``dc:identifier``, and ``dc:relation`` where the institution says that it names the output itself."""
    own = values.texts("identifier")
    if settings.source.identifiers_in_relation:
        own = (*own, *values.texts("relation"))
    for how in ("bare", "page", "prose"):
        yield from (Candidate(text, how) for text in own)


def levels(spec: str) -> tuple[str, ...]:
    """A set and the sets above it, deepest first: OAI-PMH 2.0, section 2.6 (colons part the levels)."""
    parts = spec.split(":")
    return tuple(":".join(parts[:depth]) for depth in range(len(parts), 0, -1))


def chosen(names: Iterable[str], sets: Sets) -> bool:
    """Whether a choice of sets takes a set that goes by these names, its own and those of the sets above it."""
    known = set(names)
    return (not sets.include or not known.isdisjoint(sets.include)) and known.isdisjoint(sets.exclude)


def departments_from_sets(repository: Repository, settings: Settings) -> Iterator[Department]:
    """Every chosen set is a department, below the nearest chosen set above it."""
    names = {each.spec: each.name for each in repository.sets() if each.spec}
    taken = {spec for spec in names if chosen(levels(spec), settings.departments.sets)}
    for spec in sorted(taken):
        above = next((each for each in levels(spec)[1:] if each in taken), None)
        yield Department(spec, names[spec] or spec, (above,) if above else (), place=f"set {spec}")


def memberships_in_sets(record: Record, _harvested: str | None, settings: Settings) -> tuple[str, ...]:
    """The chosen sets of the header, without those that stand above another one there."""
    taken = [spec for spec in record.header.sets if chosen(levels(spec), settings.departments.sets)]
    above = {each for spec in taken for each in levels(spec)[1:]}
    return tuple(spec for spec in taken if spec not in above)


def nowhere_placed(_record: Record, _harvested: str | None, _settings: Settings) -> tuple[str, ...]:
    """Sets that are no departments: item types, and the like."""
    return ()


def no_departments(_record: Record, _settings: Settings) -> Iterable[Department]:
    """Most records name no department that is not listed elsewhere."""
    return ()


def sets_as_told(_: Repository, settings: Settings) -> Sequence[str]:
    """The sets that are harvested one by one; none: the whole repository in one list."""
    return settings.source.sets.include


@dataclass(frozen=True, slots=True, kw_only=True)
class Accent:
    """One platform. Everything has the default of an ordinary repository with simple Dublin Core.

    ``mapping``: file in include/mappings. ``overlap``: what is taken off the watermark, as changes become visible late.
    ``spellings``: all names by which a YAML may call the set of a setSpec, or a set above it, the best one to read
    first. ``set_spec``: such a name as the repository wants it. ``memberships`` gets the set that was asked for, where
    one was. ``placed`` is asked instead where the tree is needed to say which memberships count: it gets the departments.
    ``departments``: None where no list of them is to be had; ``hierarchy``: the address that gives it, where the sets do not.
    ``described``: departments that a record itself describes (name, path); ``names_departments``: they are listed
    nowhere else. ``records_live_by_set``: each harvested set says of itself alone which records it has.
    """

    mapping: str = "oai_dc"
    overlap: timedelta = timedelta(minutes=15)
    candidates: Callable[[Values, Settings], Iterable[Candidate]] = identifiers_in_identifier
    credits: Callable[[Element, Settings], Iterable[Credit]] = dublin_core_credits
    departments: Callable[[Repository, Settings], Iterable[Department]] | None = departments_from_sets
    memberships: Callable[[Record, str | None, Settings], tuple[str, ...]] = memberships_in_sets
    hierarchy: Callable[[Settings], str] | None = None
    placed: Callable[[Record, Mapping[str, Department], Settings], Placed] | None = None
    described: Callable[[Record, Settings], Iterable[Department]] = no_departments
    names_departments: bool = False
    records_live_by_set: bool = False
    harvests: Callable[[Repository, Settings], Sequence[str]] = sets_as_told
    spellings: Callable[[str], tuple[str, ...]] = levels
    set_spec: Callable[[str], str] = str
    no_departments_hint: str = "check departments.sets in the YAML"


def accent(platform: str) -> Accent:
    """The accent of a platform, ``ACCENT`` of the module of its name. Raises ``LookupError`` where there is none."""
    try:
        module = importlib.import_module(f"{__name__}.{platform}")
    except ModuleNotFoundError as error:
        raise LookupError(platform) from error
    found: Accent = module.ACCENT
    return found
