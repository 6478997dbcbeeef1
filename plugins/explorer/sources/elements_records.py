"""Objects and relationships of Symplectic Elements to records. Pure functions: no network, no clock, no other object.

Of a person nothing is taken but name, ORCID and status; no e-mail address, no position, no date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import yaml

from explorer import identifiers, mapping
from explorer.records import Author, Authorship, Identifier, Level, Listed, Note, Output, Refusal
from explorer.sources.elements_xml import API, Element, moment

WITH_LEVELS = (6, 2)  # the product that brought privacy levels (integration guide, "Object privacy settings")
STRICTNESS: Mapping[str, int] = {"public": 0, "internal": 1, "private": 2}
TRUE = ("true", "1")
YEARS = range(1000, 2201)
SPLIT_ENTITY = re.compile(r"& (?=#x?[0-9a-fA-F]{1,6};)")
ORCID = re.compile(r"(\d{4})-?(\d{4})-?(\d{4})-?(\d{3}[\dXx])\s*/?$", re.ASCII)
MAIL = re.compile(r"\S*@\S*")
RECORDS, RECORD, NATIVE, FIELD = (f"{API}{name}" for name in ("records", "record", "native", "field"))
TEXT, DATE, YEAR = (f"{API}{name}" for name in ("text", "date", "year"))

Fields = Mapping[str, Sequence[Element]]  # of one record, by name


@dataclass(frozen=True)
class Rules:
    """``include/mappings/elements.yaml``: what is taken from which field, and of several records which comes first."""

    sources: Sequence[str]
    display: Mapping[str, Sequence[str]]
    identifiers: Mapping[str, str]
    addresses: Sequence[str]
    external_identifiers: Mapping[str, str]
    ids_at_source: Mapping[str, str]
    isbn_of_container: Sequence[str]
    relationships: Mapping[str, Sequence[str]]

    @cached_property
    def fields(self) -> frozenset[str]:
        """The names of all fields that anything is taken from."""
        displayed = (name for names in self.display.values() for name in names)
        return frozenset([*displayed, *self.identifiers, *self.addresses, "external-identifiers"])


@cache
def rules() -> Rules:
    """The rules as the file has them."""
    return Rules(**yaml.safe_load((mapping.FOLDER / "elements.yaml").read_bytes()))


@dataclass(frozen=True, slots=True)
class Levels:
    """How privacy is read, by the version of the product and of the schema that its endpoint speaks.

    Before 6.2 all is public but relationships that are not visible. Since 6.2 the stated level counts; one that is
    missing, empty, repeated or unknown is None, which counts as private. An old schema on a product with levels cannot
    tell internal from private: there only what it calls public or visible passes.
    """

    product: tuple[int, int]
    schema: tuple[int, int]

    def of_object(self, element: Element) -> Level | None:
        """The level of a user or a publication."""
        return self._level(element, "is-public") if self.product >= WITH_LEVELS else "public"

    def of_group(self, element: Element) -> Level | None:
        """The level of a group; schemas before 6 know none."""
        if self.product < WITH_LEVELS or self.schema < (6, 0):
            return "public"
        properties = element.find(f"{API}group-properties")
        return _stated(element if properties is None else properties, "privacy-level") or _stated(
            element, "privacy-level"
        )

    def of_relationship(self, element: Element) -> Level | None:
        """The stricter of its own level and the effective one."""
        if self.product < WITH_LEVELS:
            return "public" if all(each in TRUE for each in _texts(element, "is-visible")) else "private"
        own = self._level(element, "is-visible")
        if element.find(f"{API}effective-privacy-level") is None:
            return own
        effective = _stated(element, "effective-privacy-level")
        if element.find(f"{API}privacy-level") is None:
            return effective
        return stricter(own, effective)

    def _level(self, element: Element, flag: str) -> Level | None:
        if self.schema >= (6, 0) or element.find(f"{API}privacy-level") is not None:
            return _stated(element, "privacy-level")
        match _texts(element, flag):
            case [text] if text in TRUE:
                return "public"
            case ["false" | "0"]:
                return "private"
        return None


def stricter(one: Level | None, other: Level | None) -> Level | None:
    """The stricter of two levels; an unknown one makes both unknown."""
    if one is None or other is None:
        return None
    return max(one, other, key=lambda level: STRICTNESS[level])


def _stated(element: Element, name: str) -> Level | None:
    """The level that an element states once, and in a word that we know."""
    match _texts(element, name):
        case ["public" | "internal" | "private" as level]:
            return level
    return None


def _texts(element: Element, name: str) -> list[str]:
    """What its children of that name say: trimmed, in lower case; nothing, where one has more in it than a word."""
    return ["" if len(each) else (each.text or "").strip().casefold() for each in element.iterchildren(f"{API}{name}")]


def output(element: Element, levels: Levels, uri_domains: Sequence[str] = ()) -> Output:
    """The output of a publication object: its records merged."""
    key = element.get("id")
    if not key:
        reason = "the publication has no id"
        return Output(None, level=levels.of_object(element), refusal=Refusal("no_id", reason, "id"))
    kind = element.get("type")
    # Child axis only: a journal and a user's profile have records, too.
    records = [each for some in element.iterchildren(RECORDS) for each in some.iterchildren(RECORD)]
    records.sort(key=_precedence)
    wanted = rules()
    fields = [_fields(record, wanted.fields) for record in records]
    notes: list[Note] = []
    found = tuple(_identifiers(records, fields, kind, uri_domains, notes))
    display = wanted.display
    return Output(
        key=key,
        title=next((text for each in _in_order(fields, display["title"]) if (text := _text(each))), None),
        type=kind.replace("-", " ").capitalize() if kind else None,
        year=next((year for each in _in_order(fields, display["year"]) if (year := _year(each))), None),
        venue=next((text for each in _in_order(fields, display["venue"]) if (text := _text(each))), None),
        identifiers=found,
        datestamp=_changed(element),
        level=levels.of_object(element),
        notes=tuple(dict.fromkeys(notes)),
        place=f"publication {key}",
    )


def _changed(element: Element) -> str | None:
    """When an object, or something around it, changed last: a privacy level does not bump the object's own date."""
    dates = (moment(element.get(name)) for name in ("last-modified-when", "last-affected-when"))
    return max((each for each in dates if each), default=None)


def _precedence(record: Element) -> tuple[bool, int, str, str]:
    name = record.get("source-name") or ""
    order = rules().sources
    place = order.index(name) if name in order else len(order)
    preferred = (record.get("is-preferred-record") or "").strip().casefold() in TRUE
    return not preferred, place, name, record.get("id") or ""


def _fields(record: Element, wanted: frozenset[str]) -> Fields:
    """The wanted fields of a record, by name. Few of some seventy elements: only these are looked at."""
    named: dict[str, list[Element]] = {}
    for native in record.iterchildren(NATIVE):
        for each in native.iterchildren(FIELD):
            name = each.get("name")
            if name in wanted:
                named.setdefault(name, []).append(each)
    return named


def _in_order(fields: Sequence[Fields], names: Sequence[str]) -> Iterator[Element]:
    """The fields of these names: first name first, and of each the preferred record's first."""
    return (each for name in names for record in fields for each in record.get(name, ()))


def _text(field: Element) -> str | None:
    """The text of a field, of whatever markup stands in it."""
    for inner in field.iterchildren(TEXT):
        text = "".join(map(str, inner.itertext())) if len(inner) else inner.text
        return (mapping.plain(SPLIT_ENTITY.sub("&", text)) or None) if text else None
    return None


def _year(field: Element) -> int | None:
    for date in field.iterchildren(DATE):
        for year in date.iterchildren(YEAR):
            text = (year.text or "").strip()
            return int(text) if text.isdecimal() and int(text) in YEARS else None
    return None


def _identifiers(
    records: Sequence[Element],
    fields: Sequence[Fields],
    kind: str | None,
    uri_domains: Sequence[str],
    notes: list[Note],
) -> Iterator[Identifier]:
    """Identifiers of all records, none twice, with what was mended or could not be read as notes."""
    parts_of_books = kind in rules().isbn_of_container
    seen: dict[tuple[str, str], Identifier] = {}
    # Most databases say the same, so that each text is read once.
    for (scheme, text), place in _candidates(records, fields).items():
        parsed = identifiers.parse(scheme, text, uri_domains=uri_domains)
        if parsed.value is None:
            if parsed.refusal is not None:
                reason = parsed.refusal.reason
                notes.append(Note("invalid_identifier", reason, "warning", place, text[:200]))
            continue
        if parsed.scheme == "isbn" and parts_of_books:
            continue
        identity = (parsed.scheme, parsed.value)
        if identity not in seen:
            seen[identity] = Identifier(*identity)
            notes.extend(parsed.notes)
    for address in dict.fromkeys(map(_text, _in_order(fields, rules().addresses))):
        for each in identifiers.find(address, uri_domains=uri_domains) if address else ():
            seen.setdefault((each.scheme, each.value), each)
    yield from seen.values()
    yield from identifiers.aliases(seen.values())


def _candidates(records: Sequence[Element], fields: Sequence[Fields]) -> dict[tuple[str, str], str]:
    """(scheme, text) of all that should be an identifier, and where it stands first."""
    wanted = rules()
    found: dict[tuple[str, str], str] = {}
    for record, named in zip(records, fields, strict=True):
        for name, scheme in wanted.identifiers.items():
            for each in named.get(name, ()):
                if text := _text(each):
                    found.setdefault((scheme, text), name)
        at_source = wanted.ids_at_source.get(record.get("source-name") or "")
        if at_source and (text := record.get("id-at-source")):
            found.setdefault((at_source, text), "id-at-source")
        for listed_ in named.get("external-identifiers", ()):
            for each in listed_.iterfind(f"{API}identifiers/{API}identifier"):
                named_scheme = wanted.external_identifiers.get((each.get("scheme") or "").strip().casefold())
                if named_scheme and each.text:
                    found.setdefault((named_scheme, each.text), "external-identifiers")
    return found


def merged_away(element: Element) -> Iterator[Output]:
    """The publications that were merged into this one, in one step or in several: they are there no more."""
    key = element.get("id")
    for merge in element.iterfind(f"{API}merge-history/{API}merge"):
        for gone in merge.iterfind(f"{API}merged-object"):
            other = gone.get("id")
            if other and other != key:
                yield Output(other, deleted=True, datestamp=moment(merge.get("when")), place=f"publication {other}")


def ever_approved(element: Element) -> bool:
    """Whether somebody ever said that a publication is theirs; one of which that is not said was asked for so."""
    return all(each in TRUE for each in _texts(element, "ever-approved"))


def listed(element: Element) -> Listed | None:
    """That a publication is there, by its reference; None for what is none."""
    key = element.get("id")
    if element.tag != f"{API}object" or not key or element.get("category", "publication") != "publication":
        return None
    return Listed(key, _changed(element))


def deleted(element: Element) -> Output | None:
    """A deleted publication, as the feed of deleted objects has it."""
    key = element.get("id")
    if element.tag != f"{API}deleted-object" or not key or element.get("category", "publication") != "publication":
        return None
    return Output(key, deleted=True, datestamp=moment(element.get("deleted-when")), place=f"publication {key}")


def author(element: Element, levels: Levels, departments: Sequence[str] = ()) -> Author | None:
    """The author of a user object; None for one without an id."""
    key = element.get("id")
    if not key:
        return None
    last, first = (_name(element, each) for each in ("last-name", "first-name"))
    name = ", ".join(each for each in (last, first or _name(element, "initials")) if each)
    orcid = next(
        (
            "-".join(found.groups()).upper()
            for each in element.iterfind(f"{API}user-identifier-associations/{API}user-identifier-association")
            if each.get("scheme") == "orcid" and (found := ORCID.search((each.text or "").strip()))
        ),
        None,
    )
    return Author(
        key=key,
        name=name,
        ids={"orcid": orcid} if orcid else {},
        departments=tuple(sorted(departments)),
        level=levels.of_object(element),
        current=_flag(element, "is-current-staff"),
        academic=_flag(element, "is-academic"),
        student=_flag(element, "is-student"),
        datestamp=_changed(element),
        refusal=None if name else Refusal("no_name", "the user has neither a last nor a first name", "last-name"),
        place=f"user {key}",
    )


def _name(element: Element, part: str) -> str:
    """A part of a name; an e-mail address that stands in its place is none."""
    return MAIL.sub("", mapping.plain(element.findtext(f"{API}{part}") or "")).strip()


def _flag(element: Element, name: str) -> bool:
    """A boolean of the user; a missing one is false, and so is one that is said twice."""
    match _texts(element, name):
        case [text]:
            return text in TRUE
    return False


def authorship(element: Element, levels: Levels, *, editors: bool = False) -> Authorship | None:
    """Who wrote what, by a relationship; None for one of another kind, or one that does not name both its ends."""
    kinds = rules().relationships
    wanted = [*kinds["authorship"], *(kinds["editorship"] if editors else ())]
    kind = element.get("type") or element.get("type-id")
    if element.tag != f"{API}relationship" or kind not in wanted:
        return None
    ends = ends_of(element)
    key = element.get("id")
    if not key or ends.keys() != {"publication", "user"}:
        return None
    return Authorship(
        key=key,
        output=ends["publication"],
        author=ends["user"],
        level=levels.of_relationship(element),
        datestamp=moment(element.get("last-modified-when")),
        place=f"relationship {key}",
    )


def ends_of(element: Element) -> dict[str, str]:
    """The ids at the ends of a relationship, by category. A list about one object leaves that object out."""
    ends = {}
    for related in element.iterfind(f"{API}related"):
        inner = related.find(f"{API}object")
        category = related.get("category") or (inner.get("category") if inner is not None else None)
        category = category or {"from": "publication", "to": "user"}.get(related.get("direction") or "")
        key = related.get("id") or (inner.get("id") if inner is not None else None)
        if category and key:
            ends[category] = key
    return ends
