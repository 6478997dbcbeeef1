"""DiVA with swepub_mods: identifiers of the work alone, staff by local id, departments named inside the records.

A record names people and organisations as ``name`` elements beside each other. A person is the institution's where the
name says who knows it (``authority``) and under which id (``xlink:href``, in newer records ``nameIdentifier``); ``n/a``
is no id. Supervisors (``ths``) and opponents (``opn``) wrote nothing. A department comes as the names of its whole path,
root first, and the id of its leaf: those above are told apart by their path until a record names them by id too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from lxml import etree

from explorer.mapping import plain
from explorer.records import Department
from explorer.sources.oai_platforms import Accent, Candidate, Credit, Repository, Settings, sets_as_told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from explorer.mapping import Values
    from explorer.sources.oai_xml import Element, Record

AUTHOR_ROLES = frozenset({"aut", "edt", "author", "editor"})
DEPARTMENT_ROLES = frozenset({"pbl", "org", "publisher"})
NO_ID = frozenset({"", "n/a"})
TYPED = ("doi", "pmid", "handle", "isbn")
JOINTS = (" > ", ", ", " / ", "/")  # how a file may write a path

_NAMESPACES = {"m": "http://www.loc.gov/mods/v3", "xlink": "http://www.w3.org/1999/xlink"}
_PEOPLE = etree.XPath("m:name[@type='personal']", namespaces=_NAMESPACES)
_ORGANISATIONS = etree.XPath("m:name[@type='corporate']", namespaces=_NAMESPACES)
_ROLES = etree.XPath("m:role/m:roleTerm", namespaces=_NAMESPACES)
_PARTS = etree.XPath("m:namePart", namespaces=_NAMESPACES)
_NUMBERS = etree.XPath("m:nameIdentifier", namespaces=_NAMESPACES)
_DESCRIPTIONS = etree.XPath("m:description", namespaces=_NAMESPACES)
_HREF = f"{{{_NAMESPACES['xlink']}}}href"
_ORCID = re.compile(r"(?:orcid\.org=|https?://orcid\.org/|orcid:)?\s*(\d{4}-?\d{4}-?\d{4}-?\d{3}[\dX])", re.IGNORECASE)


# --- people


def credited(metadata: Element, _: Settings) -> Iterator[Credit]:
    """Authors and editors of the work; the institution's are those with a local id, which is also their key."""
    for person in _found(_PEOPLE, metadata):
        roles = _roles(person)
        if roles and AUTHOR_ROLES.isdisjoint(roles):
            continue
        local = _local_id(person)
        ids = (*((local,) if local else ()), *_orcids(person))
        yield Credit(_name(person), ids, ours=local is not None, keyed_by_first=local is not None)


def _local_id(name: Element) -> str | None:
    """The id by which the institution knows a person or a department."""
    authority = (name.get("authority") or "").strip()
    href = (name.get(_HREF) or "").strip()
    if authority and href.casefold() not in NO_ID:
        return href
    of_authority = (
        plain(each)
        for each in _found(_NUMBERS, name)
        if authority and (each.get("type") or "").strip().casefold() == authority.casefold()
    )
    return next((each for each in of_authority if each.casefold() not in NO_ID), None)


def _orcids(person: Element) -> Iterator[str]:
    newer = [plain(each) for each in _found(_NUMBERS, person) if (each.get("type") or "").casefold() == "orcid"]
    for text in (*newer, *map(plain, _found(_DESCRIPTIONS, person))):
        if found := _ORCID.fullmatch(text):
            yield found[1]


def _name(person: Element) -> str:
    parts = {each.get("type"): plain(each) for each in _found(_PARTS, person)}
    family, given = parts.get("family"), parts.get("given")
    return f"{family}, {given}" if family and given else family or given or parts.get(None, "")


def _roles(name: Element) -> set[str]:
    """Codes (``aut``), the end of an address (``…/relators/aut``), or words; none where none is told."""
    return {plain(each).casefold().rstrip("/").rpartition("/")[2] for each in _found(_ROLES, name)} - {""}


def _found(path: etree.XPath, element: Element) -> list[Element]:
    return cast("list[Element]", path(element))


# --- departments


@dataclass(frozen=True, slots=True)
class _Organisation:
    """A department as a record names it: its path of names, root first, and its id."""

    path: tuple[str, ...]
    id: str

    def names(self, depth: int) -> tuple[str, ...]:
        """All by which a file may list the department on this level: its name, its path, its id."""
        upper = self.path[:depth]
        own = (self.id, f"[{self.id}] {upper[-1]}") if depth == len(self.path) else ()
        return (upper[-1], *(joint.join(upper) for joint in JOINTS), *own)


def _organisations(metadata: Element) -> Iterator[_Organisation]:
    for name in _found(_ORGANISATIONS, metadata):
        number = _local_id(name)
        path = tuple(filter(None, map(plain, _found(_PARTS, name))))
        roles = _roles(name)
        if number and path and (not roles or not roles.isdisjoint(DEPARTMENT_ROLES)):
            yield _Organisation(path, number)


def _placed(organisation: _Organisation, settings: Settings) -> tuple[Department, ...]:
    """The department that a record's organisation stands for, with those above it, root first, by their final names."""
    names = settings.names
    target = names.remapped(organisation.names(len(organisation.path)))
    if target is not None:
        final = names.renamed((target,)) or target
        return (Department(f"name:{final}", final),)
    found: list[Department] = []
    key = ""
    for depth, name in enumerate(organisation.path, 1):
        final = names.renamed(organisation.names(depth)) or name
        above = (key,) if key else ()
        key = f"{key} > {final}" if key else f"path:{final}"
        found.append(Department(key if depth < len(organisation.path) else organisation.id, final, above))
    return tuple(found)


def described(record: Record, settings: Settings) -> Iterator[Department]:
    """The departments of a record and all above them."""
    if record.metadata is not None:
        for organisation in _organisations(record.metadata):
            yield from _placed(organisation, settings)


def memberships(record: Record, _harvested: str | None, settings: Settings) -> tuple[str, ...]:
    """The departments that a record names; none is left out for standing above another one."""
    if record.metadata is None:
        return ()
    keys = (_placed(each, settings)[-1].key for each in _organisations(record.metadata))
    return tuple(dict.fromkeys(keys))


# --- the rest


def candidates(values: Values, _: Settings) -> Iterator[Candidate]:
    """Identifiers of the work, each in an element of its kind; ``uri`` is the address of a URN's resolver."""
    for scheme in TYPED:
        yield from (Candidate(text, "typed", scheme) for text in values.texts(scheme))
    for how in ("bare", "page"):
        yield from (Candidate(text, how) for text in values.texts("uri"))


def harvests(repository: Repository, settings: Settings) -> Sequence[str]:
    """The sets as the YAML tells. Reads the institution's files first: a broken one stops the import at once."""
    settings.names.sizes()
    return sets_as_told(repository, settings)


ACCENT = Accent(
    mapping="swepub_mods",
    candidates=candidates,
    credits=credited,
    departments=None,
    described=described,
    names_departments=True,
    memberships=memberships,
    harvests=harvests,
)
