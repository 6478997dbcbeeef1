"""Esploro: every list is of one set; the sets that are called ``Department = …`` are the departments.

Integration guide, "Esploro": each department has a publishing profile, which is a set of its own, and a record lives as
long as one of them has it. Other profiles (BrowZine, Unpaywall) are not looked at. Sets are nested by the colons of their
setSpec, which may hold blanks. Without departments, one profile with everything is named in ``source.sets.include``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lxml import etree

from explorer.mapping import plain
from explorer.records import Department, Note
from explorer.sources import SourceError
from explorer.sources.oai_platforms import (
    Accent,
    Candidate,
    Credit,
    Repository,
    Settings,
    chosen,
    dublin_core_credits,
    identifiers_in_identifier,
    levels,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from explorer.mapping import Values
    from explorer.sources.oai_xml import Element, Record

MARK = "Department = "  # the guide's, in this very case
TYPED = ("doi", "pmid", "arxiv", "handle", "urn", "isbn")
HINT = (
    f"call the set of each department “{MARK}…”, or set departments: none and name one profile in source.sets.include"
)

_NAMESPACES = {"e": "http://alma.exlibrisgroup.com/esploro"}
_CREATORS = etree.XPath("e:data/e:creators/e:creator", namespaces=_NAMESPACES)


def _department_sets(repository: Repository, settings: Settings) -> dict[str, str]:
    """Name by setSpec of the sets that are departments, as far as the YAML wants them."""
    marked = {each.spec: each.name for each in repository.sets() if each.spec and each.name.startswith(MARK)}
    return {
        spec: name.removeprefix(MARK).strip() or spec
        for spec, name in marked.items()
        if chosen(levels(spec), settings.departments.sets) and chosen(levels(spec), settings.source.sets)
    }


def departments(repository: Repository, settings: Settings) -> Iterator[Department]:
    """The sets with the mark, below the nearest one with the mark above."""
    names = _department_sets(repository, settings)
    for spec in sorted(names):
        above = levels(spec)[1:]
        nearest = next((each for each in above if each in names), None)
        notes: tuple[Note, ...] = ()
        if above and nearest != above[0]:
            message = f"There is no department set {above[0]}, below which {spec} should stand."
            notes = (Note("parent_not_listed", message, "warning", "setSpec", spec),)
        yield Department(spec, names[spec], (nearest,) if nearest else (), notes=notes, place=f"set {spec}")


def harvests(repository: Repository, settings: Settings) -> Sequence[str]:
    """Each department's set, or the profiles that the YAML names. Raises ``SourceError`` where there is no set to ask for."""
    if settings.departments.mode == "none":
        return settings.source.sets.include
    if settings.departments.mode == "file":
        message = "Esploro's departments are its sets: set departments to source, or to none with one profile."
        raise SourceError("departments_file", message)
    found = sorted(_department_sets(repository, settings))
    if not found:
        raise SourceError("no_departments", f"No set is a department, and Esploro answers by set alone: {HINT}.")
    return found


def memberships(_record: Record, harvested: str | None, _settings: Settings) -> tuple[str, ...]:
    """The set whose list this is; other lists say whether their sets have the record too."""
    return (harvested,) if harvested else ()


def credited(metadata: Element, settings: Settings) -> Iterator[Credit]:
    """The creators; the institution's are those with a user id. In Dublin Core as everywhere."""
    people = cast("list[Element]", _CREATORS(metadata))
    if not people:
        yield from dublin_core_credits(metadata, settings)
    for person in people:
        user, orcid = (_text(person, name) for name in ("user.primaryId", "identifier.orcid"))
        ids = tuple(filter(None, (user, orcid)))
        yield Credit(_name(person), ids, ours=bool(user), keyed_by_first=bool(user))


def _name(person: Element) -> str:
    family, given = _text(person, "familyname"), _text(person, "givenname")
    return f"{family}, {given}" if family and given else family or given or _text(person, "name")


def _text(person: Element, name: str) -> str:
    found = person.find(f"e:{name}", _NAMESPACES)
    return "" if found is None else plain(found)


def candidates(values: Values, settings: Settings) -> Iterator[Candidate]:
    """Identifiers in an element of their kind; those of Dublin Core as everywhere."""
    for scheme in TYPED:
        yield from (Candidate(text, "typed", scheme) for text in values.texts(scheme))
    for how in ("bare", "page"):
        yield from (Candidate(text, how) for text in values.texts("uri"))
    yield from identifiers_in_identifier(values, settings)


ACCENT = Accent(
    mapping="esploro",
    candidates=candidates,
    credits=credited,
    departments=departments,
    memberships=memberships,
    harvests=harvests,
    records_live_by_set=True,
    no_departments_hint=HINT,
)
