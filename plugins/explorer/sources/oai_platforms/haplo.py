"""Haplo with oai_datacite: the institution's authors are the creators with an affiliation; no departments.

Integration guide, "Haplo": authors that are affiliated with the institution are imported. Haplo writes an affiliation
for the university's own people alone, once for each of their institutes, and an ORCID iD where it knows one; there is
no other id, so a name may have to do. Where a feed names others' affiliations too, ``source.affiliations`` tells the
institution's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lxml import etree

from explorer.hierarchy import normalised
from explorer.mapping import plain
from explorer.sources.oai_platforms import Accent, Candidate, Credit, Settings, nowhere_placed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.mapping import Values
    from explorer.sources.oai_xml import Element

_NAMESPACES = {"d": "http://datacite.org/schema/kernel-4"}
_RESOURCE = "descendant-or-self::d:resource"
_CREATORS = etree.XPath(f"{_RESOURCE}/d:creators/d:creator", namespaces=_NAMESPACES)
_EDITORS = etree.XPath(f"{_RESOURCE}/d:contributors/d:contributor[@contributorType = 'Editor']", namespaces=_NAMESPACES)
_ORCIDS = etree.XPath(
    "d:nameIdentifier[translate(@nameIdentifierScheme, 'orcid', 'ORCID') = 'ORCID']", namespaces=_NAMESPACES
)
_AFFILIATIONS = etree.XPath("d:affiliation", namespaces=_NAMESPACES)
_FAMILY, _GIVEN = (etree.XPath(f"d:{name}", namespaces=_NAMESPACES) for name in ("familyName", "givenName"))
_WRITTEN = etree.XPath("d:creatorName | d:contributorName", namespaces=_NAMESPACES)


def credited(metadata: Element, settings: Settings) -> Iterator[Credit]:
    """The creators; editors, which come as contributors, where the institution counts them."""
    people = cast("list[Element]", _CREATORS(metadata))
    if settings.source.editors:
        people += cast("list[Element]", _EDITORS(metadata))
    for person in people:
        orcids = tuple(filter(None, _texts(_ORCIDS, person)))
        yield Credit(_name(person), orcids, ours=_affiliated(person, settings))


def _affiliated(person: Element, settings: Settings) -> bool:
    """Whether an affiliation is stated; one of the institution's own names or ids, where the YAML tells them."""
    stated = set()
    for each in cast("list[Element]", _AFFILIATIONS(person)):
        stated |= {normalised(plain(each)), normalised(each.get("affiliationIdentifier") or "")}
    own = {normalised(each) for each in settings.source.affiliations}
    return bool((stated & own) if own else stated - {""})


def _name(person: Element) -> str:
    """Family name first; the name as written, which may have initials only, where the parts are not there."""
    family, given = (next(iter(_texts(path, person)), "") for path in (_FAMILY, _GIVEN))
    if family and given:
        return f"{family}, {given}"
    return next(filter(None, _texts(_WRITTEN, person)), family or given)


def _texts(path: etree.XPath, person: Element) -> list[str]:
    return [plain(each) for each in cast("list[Element]", path(person))]


def candidates(values: Values, _: Settings) -> Iterator[Candidate]:
    """The record's own DOI, if it has one."""
    yield from (Candidate(text, "typed", "doi") for text in values.texts("doi"))


ACCENT = Accent(
    mapping="oai_datacite",
    candidates=candidates,
    credits=credited,
    departments=None,
    memberships=nowhere_placed,
)
