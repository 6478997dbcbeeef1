"""bepress Digital Commons: flat ``publication:`` contexts, PubMed ids inside links of dc:relation, many without any id.

The colon of a setSpec is no hierarchy, and no parent is stated anywhere: a record names its own context and those above
it, and each of them is a department by itself. ``_`` may be written ``_5F``. People have no ids.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from explorer.records import Department
from explorer.sources.oai_platforms import Accent, Candidate, Repository, Settings, chosen, identifiers_in_identifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.mapping import Values
    from explorer.sources.oai_xml import Record

_CONTEXT = "publication:"
_LINK = re.compile(
    r"""<a\s[^>]*?\bhref\s*=\s*["']?([^"'>\s]+)["']?[^>]*>(.*?)(?:</a\s*>|$)""", re.IGNORECASE | re.DOTALL
)
_PUBMED_QUERY = re.compile(r"ncbi\.nlm\.nih\.gov/\S*?[?&](?:list_uids|term)=(\d{1,8})(?!\d)", re.IGNORECASE)


def key_of(spec: str) -> str:
    """The department of a setSpec: the setSpec, in the one of its two spellings that people use."""
    return spec.replace("_5F", "_")


def spellings(spec: str) -> tuple[str, ...]:
    """A set by its context alone, and by its setSpec in both spellings."""
    key = key_of(spec)
    return tuple(dict.fromkeys((key.removeprefix(_CONTEXT), key, spec, key.replace("_", "_5F"))))


def set_spec(name: str) -> str:
    """A setSpec for a context; a setSpec stays as it is."""
    return name if ":" in name else f"{_CONTEXT}{name}"


def departments(repository: Repository, settings: Settings) -> Iterator[Department]:
    """Every chosen context, all of them on the first level."""
    for each in repository.sets():
        if each.spec.startswith(_CONTEXT) and chosen(spellings(each.spec), settings.departments.sets):
            yield Department(key_of(each.spec), each.name or each.spec, place=f"set {each.spec}")


def memberships(record: Record, _harvested: str | None, settings: Settings) -> tuple[str, ...]:
    """The chosen contexts of the header."""
    contexts = (spec for spec in record.header.sets if spec.startswith(_CONTEXT))
    return tuple(dict.fromkeys(key_of(spec) for spec in contexts if chosen(spellings(spec), settings.departments.sets)))


def candidates(values: Values, settings: Settings) -> Iterator[Candidate]:
    """dc:identifier, and the article's own links in dc:relation."""
    for text in values.texts("relation"):
        yield from _own_links(text)
    yield from identifiers_in_identifier(values, settings)


def _own_links(relation: str) -> Iterator[Candidate]:
    """The links "Link to article in PubMed" and "Link to article": every other one may lead to another work."""
    for address, words in _LINK.findall(relation):
        if "pubmed" not in words.lower() and not words.strip().lower().startswith("link to article"):
            continue
        query = _PUBMED_QUERY.search(address)
        yield Candidate(query[1], "typed", "pmid") if query else Candidate(address, "bare")


ACCENT = Accent(
    candidates=candidates,
    departments=departments,
    memberships=memberships,
    spellings=spellings,
    set_spec=set_spec,
    no_departments_hint="the repository lists no set that begins with publication:, or departments.sets leaves all out",
)
