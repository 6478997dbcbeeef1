"""One OAI-PMH record to one output. A pure function: no network, no clock, no other record."""

from __future__ import annotations

import hashlib
import hmac
import html
import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lxml import etree
from stdnum import isni

from explorer import identifiers
from explorer.mapping import Values, xml_mapping
from explorer.records import Contribution, Identifier, Note, Output, Refusal
from explorer.tables import masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from explorer.mapping import XmlMapping
    from explorer.sources.oai_platforms import Accent, Candidate, Credit, Settings
    from explorer.sources.oai_xml import Element, Record

_ORCID = re.compile(
    r"(?:urn:|info:)?(?:orcid\s*(?:id)?\s*[:/=]?)?\s*(?:(?:https?://)?(?:www\.)?orcid\.org/)?\s*"
    r"(\d{4}-?\d{4}-?\d{4}-?\d{3}[\dX])/?",
    re.ASCII | re.IGNORECASE,
)
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
# An address with the @ spelled out, too, and with whatever stands around it.
_LOCAL, _HOST = r"[^\s@<>()\[\]{},;:\"=/?&]+", r"[^\s@<>()\[\]{},;:\"/?&.]+(?:\.[^\s@<>()\[\]{},;:\"/?&.]+)+"
_MAIL_WITHIN = re.compile(rf"({_LOCAL})(?:\s*@\s*|\s*[\[({{<]\s*at\s*[\])}}>]\s*|\s+at\s+)({_HOST})", re.IGNORECASE)
_MAY_HOLD_MAIL = re.compile("[@%&\ufe6b\uff20]|\\bat\\b", re.IGNORECASE)  # or it holds none
_ROUND_MAIL = r"\s*(?:[<(\[]\s*)?(?:(?:mailto|e-?mail)\s*[:=]\s*)?"
_MAIL_IN_NAME = re.compile(rf"{_ROUND_MAIL}(?:{_MAIL_WITHIN.pattern}|\S*@\S*)(?:\s*[>)\]])?", re.IGNORECASE)
_WHOLE_BOOK = re.compile(r"\b(?:book|monograph|thesis|dissertation|report)\b", re.IGNORECASE)
_PART_OF_BOOK = re.compile(r"\b(?:section|chapter|part|item|article|review)\b", re.IGNORECASE)
_NOT_AVAILABLE = "item is not available"
_WORDS_OF_A_LABEL = 2
_LONGEST = 500  # characters of a name, an id, an identifier; what is longer is none
NO_NAME = "(no name)"
_BEST_KEYS = ("orcid", "id", "mail")


def output(record: Record, accent: Accent, settings: Settings, harvested: str | None = None) -> Output:
    """The output of a record; ``harvested`` is the set that was asked for. What cannot be taken carries a refusal."""
    header = record.header
    notes: list[Note] = []
    if header.datestamp is None and header.identifier:
        notes.append(Note("unreadable_datestamp", "The header's datestamp is missing or no date.", "info", "datestamp"))
    excluded = _excluded(header.sets, accent, settings)
    refusal = record.refusal
    values = Values({})
    metadata = record.metadata
    if refusal is None and not header.deleted:
        if metadata is not None:
            values = _read(metadata, xml_mapping(accent.mapping))
        refusal = _lacks(metadata, values, accent.mapping)
    if refusal is not None or header.deleted or metadata is None:
        return Output(
            header.identifier,
            datestamp=header.datestamp,
            deleted=header.deleted,
            excluded=excluded,
            refusal=refusal,
            notes=tuple(notes),
            place=header.identifier,
        )
    kind = values.text("type")
    return Output(
        key=header.identifier,
        title=values.text("title"),
        type=kind,
        year=values.number("year"),
        venue=values.text("venue"),
        identifiers=tuple(_identifiers(accent.candidates(values, settings), kind, settings, notes)),
        contributions=tuple(_contributions(accent.credits(metadata, settings), settings, notes)),
        departments=accent.memberships(record, harvested, settings) if settings.departments.mode != "none" else (),
        datestamp=header.datestamp,
        excluded=excluded,
        notes=tuple(notes),
        place=header.identifier,
    )


def _excluded(specs: Iterable[str], accent: Accent, settings: Settings) -> str | None:
    """The rule that keeps a record of these sets out, if one does."""
    exclude = settings.source.sets.exclude
    if not exclude:
        return None
    return "set" if any(name in exclude for spec in specs for name in accent.spellings(spec)) else None


def _read(metadata: Element, mapping: XmlMapping) -> Values:
    """The record's values; where nothing is found, once more with the namespaces as they should be."""
    values = mapping.read(metadata)
    return mapping.read(metadata) if not values.found and mapping.respell(metadata) else values


def _lacks(metadata: Element | None, values: Values, mapping: str) -> Refusal | None:
    """Why a live record cannot be taken. Some repositories give no metadata, some one sentence instead (Dryad)."""
    if metadata is None or (
        values.text("title") is None and _NOT_AVAILABLE in " ".join(map(str, metadata.itertext())).lower()
    ):
        return Refusal("no_metadata", "The record is live, but the repository gives no metadata for it.")
    if not values.found and len(metadata) and not xml_mapping(mapping).knows(metadata):
        root = etree.QName(metadata)
        message = (
            f"Nothing of the record's metadata is understood ({root.localname} of {root.namespace or 'no namespace'}): set"
            " source.metadata_prefix to the format of this platform, or ask the repository's administrators what it sends."
        )
        return Refusal("unknown_format", message, "metadata")
    if values.missing:
        return Refusal("missing_field", f"The record lacks: {', '.join(values.missing)}.", values.missing[0])
    return None


def _identifiers(
    candidates: Iterable[Candidate], kind: str | None, settings: Settings, notes: list[Note]
) -> Iterator[Identifier]:
    """Each identifier once, best fields first.

    Prose is the last resort: for schemes that no better field has, and not read at all beside a DOI, save for the ISBN
    of a whole book.
    """
    found: dict[tuple[str, str], Identifier] = {}
    prose: list[Candidate] = []
    for each in candidates:
        if each.how == "prose":
            prose.append(each)
            continue
        for identifier in _stated(each, settings, notes):
            found.setdefault((identifier.scheme, identifier.value), identifier)
    better = {scheme for scheme, _ in found}
    whole_book = _is_whole_book(kind)
    for each in prose if whole_book or "doi" not in better else ():
        for identifier in identifiers.find(each.text):
            if identifier.scheme in better or (identifier.scheme == "isbn" and not whole_book):
                continue
            found.setdefault((identifier.scheme, identifier.value), identifier)
    yield from found.values()


def _stated(candidate: Candidate, settings: Settings, notes: list[Note]) -> Iterator[Identifier]:
    """The identifier of a field that holds one and nothing else."""
    if candidate.how == "bare":
        if _is_prose(candidate.text):
            return
        yield from identifiers.find(candidate.text)
        return
    scheme = "uri" if candidate.how == "page" else candidate.scheme or ""
    if candidate.how == "page" and not (settings.uri_domains and candidate.text.startswith(("http://", "https://"))):
        return
    parsed = identifiers.parse(scheme, candidate.text, uri_domains=settings.uri_domains)
    if parsed.value is not None:
        yield Identifier(parsed.scheme, parsed.value)
    elif candidate.how == "typed" and parsed.refusal is not None:
        reason, value = masked(parsed.refusal.reason), masked(candidate.text)
        notes.append(Note(parsed.refusal.rule, reason, "warning", candidate.scheme, value))


def _is_prose(text: str) -> bool:
    """Whether a field holds more than an identifier with its label, like ``ISBN 978 0 00 000020 0``."""
    if len(text) > _LONGEST:
        return True
    if " " not in text:
        return False
    words = re.findall(r"[^\W\d_]{2,}", re.sub(r"\S*[/:@]\S*|\b[a-z]\d\b", " ", text))
    return len(words) > _WORDS_OF_A_LABEL


def _is_whole_book(kind: str | None) -> bool:
    """The ISBN in the citation of a chapter is its book's, which is another work."""
    return bool(kind and _WHOLE_BOOK.search(kind) and not _PART_OF_BOOK.search(kind))


def _contributions(people: Iterable[Credit], settings: Settings, notes: list[Note]) -> Iterator[Contribution]:
    """The institution's people of a record, each once."""
    seen: set[str] = set()
    for credit in people:
        if not credit.ours and settings.source.authors != "all":
            continue
        contribution = _contribution(credit, settings.hash_key, notes)
        if contribution is not None and contribution.author not in seen:
            seen.add(contribution.author)
            yield contribution


def mail_address(text: str) -> str | None:
    """The e-mail address that a text is, holds or spells out, in lower case; None where it holds none.

    Anything with an ``@`` counts as one, also where no address can be made out: it is never shown.
    """
    if not _MAY_HOLD_MAIL.search(text):
        return None
    plain = _unveiled(text)
    found = _MAIL_WITHIN.search(plain)
    if found:
        return f"{found[1]}@{found[2]}".lower()
    return plain.lower() if "@" in plain else None


def without_mail(name: str) -> str:
    """A name without any e-mail address in it."""
    if not _MAY_HOLD_MAIL.search(name):
        return name
    plain = _unveiled(name)
    if "@" not in plain and not _MAIL_WITHIN.search(plain):
        return name
    return " ".join(_MAIL_IN_NAME.sub(" ", plain).split())


def _unveiled(text: str) -> str:
    """A text as a person would read it: ``%40``, ``&#64;`` and a wide ``@`` are an ``@``."""
    return unicodedata.normalize("NFKC", unquote(html.unescape(text)))


def _contribution(credit: Credit, hash_key: bytes, notes: list[Note]) -> Contribution | None:
    """A person under the best key: ORCID iD, local id, hash of the e-mail address, name."""
    found: dict[str, str] = {}  # by kind, in the order of the record
    for text in map(str.strip, credit.ids):
        if address := mail_address(text):
            digest = hmac.new(hash_key, address.encode("utf-8", "replace"), hashlib.sha256)
            found.setdefault("mail", digest.hexdigest()[:32])
            continue
        text = text[:_LONGEST]  # noqa: PLW2901 - no part of an address is left by cutting
        if (as_orcid := _ORCID.fullmatch(text.translate(_DASHES))) and isni.is_valid(as_orcid[1]):
            digits = isni.compact(as_orcid[1]).upper()
            found.setdefault("orcid", "-".join(digits[at : at + 4] for at in range(0, 16, 4)))
        elif text:
            if as_orcid:
                message = f"{text} looks like an ORCID iD, but its check digit is wrong: kept as a local id."
                notes.append(Note("invalid_orcid", message, "warning", "creator", text))
            found.setdefault("id", text)
    name = without_mail(credit.name)[:_LONGEST]
    order = found if credit.keyed_by_first else _BEST_KEYS
    kind = next((each for each in order if each in found), None)
    if kind is None and not name:
        return None
    folded = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    ids: dict[str, str] = {each: found[each] for each in ("orcid", "id") if each in found}
    shown = name or next(iter(ids.values()), NO_NAME)
    return Contribution(f"{kind}:{found[kind]}" if kind else f"name:{folded}", shown, ids, credit.departments)
