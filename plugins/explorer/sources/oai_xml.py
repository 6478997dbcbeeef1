"""OAI-PMH answers: bytes to a document, as tolerant as it can be without ever changing what a record says.

A sound answer is parsed strictly and that is all. Otherwise its text is mended (``mend``: bytes, entities, stray
characters, junk around) and parsed strictly again. If that fails too, each record is parsed on its own, and a record
that is still broken is handed on as such, with the key in its header. lxml's ``recover`` is never used: it drops text
without a word, and a DOI with a raw ``<`` becomes another DOI.

No DTD is read, no entity is resolved, nothing is fetched. libxml2 caps depth and the size of a text; the size of the
whole was capped when it was fetched. Element names are matched without regard to the OAI namespace, which some servers
forget.
"""

from __future__ import annotations

import html
import html.entities
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from lxml import etree

from explorer.records import Refusal
from explorer.sources import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Element = etree._Element  # noqa: SLF001 - lxml has no other name for it

KNOWN_PREFIXES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "oai_dc": "http://www.openarchives.org/OAI/2.0/oai_dc/",
    "mods": "http://www.loc.gov/mods/v3",
    "xlink": "http://www.w3.org/1999/xlink",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}


@dataclass(frozen=True, slots=True)
class Header:
    """A record's header. ``datestamp``: UTC text that sorts by time, None where it cannot be read."""

    identifier: str | None
    datestamp: str | None = None
    sets: tuple[str, ...] = ()
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One record (or header) of a list. ``metadata``: the root of its metadata; ``refusal``: it could not be read."""

    header: Header
    metadata: Element | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class ListedSet:
    """A set of ListSets."""

    spec: str
    name: str


@dataclass(frozen=True, slots=True)
class Problem:
    """An ``<error>`` of the protocol (OAI-PMH 2.0, section 3.6), or what a server thinks is one."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What Identify says. ``deletions``: ``no``, ``transient``, ``persistent`` or what else stands there."""

    name: str
    granularity: Literal["day", "second"]
    deletions: str
    earliest: str | None


@dataclass(frozen=True, slots=True)
class Document:
    """One answer. ``token``: None at the end; ``size``: completeListSize; ``truncated``: it ends before its end tag."""

    response_date: str | None = None
    problems: Sequence[Problem] = ()
    records: Sequence[Record] = ()
    sets: Sequence[ListedSet] = ()
    formats: Sequence[str] = ()
    identity: Identity | None = None
    token: str | None = None
    size: int | None = None
    repairs: Mapping[str, int] = field(default_factory=dict)
    truncated: bool = False


class NotOaiError(SourceError):
    """The answer is no OAI-PMH document at all."""


def parse(body: bytes) -> Document:
    """Reads an answer of any verb. Raises ``NotOaiError``."""
    if b"<!DOCTYPE" not in body and not _is_utf8_after_all(body):
        try:
            return _document(_strict(body))
        except etree.XMLSyntaxError:
            pass  # mended below, and every mending is counted
    text, repairs, truncated = mend(body)
    try:
        return _document(_strict(text), repairs)
    except etree.XMLSyntaxError:
        return _rescue(text, repairs, truncated=truncated)


# --- strict ---------------------------------------------------------------------------------------------------------


def _strict(text: bytes | str) -> Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, recover=False
    )
    root = etree.fromstring(text.encode() if isinstance(text, str) else text, parser)
    if _name(root) != "OAI-PMH":
        raise NotOaiError("not_oai", f"The answer is XML, but no OAI-PMH: its root element is {_name(root)}.")
    return root


def _document(root: Element, repairs: Mapping[str, int] | None = None) -> Document:
    """A well-formed answer, read."""
    lists = [child for child in root if _name(child) not in {"responseDate", "request", "error"}]
    children = [child for each in (root, *lists) for child in each]
    named: dict[str, list[Element]] = {name: [] for name in _ITEMS}
    for child in children:
        named.get(_name(child), []).append(child)
    tokens = named["resumptionToken"]
    token = next((each for each in tokens if _text(each)), next(iter(tokens), None))
    size = (token.get("completeListSize") or "").strip() if token is not None else ""
    return Document(
        response_date=as_utc(_text(root.find("{*}responseDate"))),
        problems=[Problem((each.get("code") or "").strip(), _text(each)) for each in named["error"]],
        records=[*map(_record, named["record"]), *(Record(_header(each)) for each in named["header"])],
        sets=[ListedSet(_child(each, "setSpec"), _child(each, "setName")) for each in named["set"]],
        formats=[_child(each, "metadataPrefix") for each in named["metadataFormat"]],
        identity=next((_identity(each) for each in lists if _name(each) == "Identify"), None),
        token=(_text(token) or None) if token is not None else None,
        size=int(size) if size.isdecimal() else None,
        repairs=repairs or {},
    )


_ITEMS = ("record", "header", "set", "metadataFormat", "error", "resumptionToken")


def _record(element: Element) -> Record:
    parts = {_name(each): each for each in reversed(element)}  # the first of a name counts
    head, metadata = parts.get("header"), parts.get("metadata")
    header = _header(head) if head is not None else Header(None)
    return Record(
        header,
        None if metadata is None else _unwrapped(next(iter(metadata), None)),
        None if header.identifier else Refusal("no_key", "The record has no identifier in its header."),
    )


def _unwrapped(element: Element | None) -> Element | None:
    """The record of a collection of one (``modsCollection``), or of a wrapper."""
    if element is not None and len(element) == 1 and _name(element[0]) in _RECORDS:
        return element[0]
    return element


_RECORDS = frozenset({"dc", "mods"})


def _header(element: Element) -> Header:
    fields: dict[str, list[str]] = {"identifier": [], "datestamp": [], "setSpec": []}
    for each in element:
        if (name := _name(each)) in fields:
            fields[name].append(_text(each))
    return Header(
        identifier=next(iter(fields["identifier"]), None) or None,
        datestamp=as_utc(next(iter(fields["datestamp"]), "")),
        sets=tuple(dict.fromkeys(filter(None, fields["setSpec"]))),
        deleted=(element.get("status") or "").strip().lower() == "deleted",
    )


def _identity(element: Element) -> Identity:
    return Identity(
        name=_child(element, "repositoryName"),
        granularity="second" if "hh" in _child(element, "granularity").lower() else "day",
        deletions=_child(element, "deletedRecord").lower() or "no",
        earliest=as_utc(_child(element, "earliestDatestamp")),
    )


def as_utc(text: str) -> str | None:
    """A datestamp as UTC text of its own granularity: ``2026-01-02`` or ``2026-01-02T03:04:05Z``; else None.

    Fractions of a second are cut off, other offsets are converted: servers send both against the protocol.
    """
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
        if len(text) <= len("2026-01-02"):
            return moment.date().isoformat()
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _text(element: Element | None) -> str:
    if element is None:
        return ""
    return ("".join(map(str, element.itertext())) if len(element) else element.text or "").strip()


def _child(element: Element, name: str) -> str:
    return _text(element.find(f"{{*}}{name}"))


# --- mended ---------------------------------------------------------------------------------------------------------

_ROOT = re.compile(r"<((?:[\w.-]+:)?)OAI-PMH(?=[\s>/])")
_ROOT_END = re.compile(r"</(?:[\w.-]+:)?OAI-PMH\s*>")
_PROLOGUE = re.compile(r"\ufeff?\s*+(?:<\?(?>.*?\?>)\s*+|<!--(?>.*?-->)\s*+)*+", re.DOTALL)
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_AMPERSAND = re.compile(r"&(?:#(\d{1,9}|[xX][0-9a-fA-F]{1,8});|([A-Za-z][A-Za-z0-9]{0,40});)?")
_LESS_THAN = re.compile(r"<(?!/?[A-Za-z_][\w.:-]*[\s/>]|!--|\?)")  # what no tag begins with
_PREFIX = re.compile(r"</?([A-Za-z_][\w.-]*):|\s([A-Za-z_][\w.-]*):[\w.-]+\s*=\s*[\"']")
_BYTES = re.compile(
    rb"((?:[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})+)"
    rb"|(\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf])|([\x80-\xff])"
)


def mend(body: bytes) -> tuple[str, Counter[str], bool]:
    """The answer as text that may be well-formed, what was mended in it by kind, and whether its end is missing."""
    repairs: Counter[str] = Counter()
    text = _decoded(body, repairs)
    start = _ROOT.search(text)
    if start is None:
        raise NotOaiError("not_oai", _what_it_is(text))
    if not _PROLOGUE.fullmatch(text[: start.start()]):
        repairs["doctype" if "<!DOCTYPE" in text[: start.start()] else "text_before"] += 1
    ends = list(_ROOT_END.finditer(text))
    if ends and text[ends[-1].end() :].strip():
        repairs["text_after"] += 1
    text = text[start.start() : ends[-1].end() if ends else None]
    mended = "".join(_mended_pieces(text, repairs))
    return mended, +repairs, not ends


def _decoded(body: bytes, repairs: Counter[str]) -> str:
    """Text by the declared encoding; in UTF-8, single bytes of Windows-1252 and surrogate pairs are mended."""
    declared = _DECLARED.search(body[:300])
    encoding = declared.group(1).decode() if declared else "utf-8"
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif _is_utf8_after_all(body):
        repairs["wrong_encoding"] += 1
        encoding = "utf-8"
    try:
        return body.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        pass  # not what it says: read as UTF-8, byte by byte where it must be

    def right(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return found[1]
        if found[2]:
            repairs["surrogate_pair"] += 1
            return found[2].decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16").encode()
        repairs["bad_byte"] += 1
        return _BEST_GUESS[found[3][0]]

    return _BYTES.sub(right, body).decode("utf-8")


def _is_utf8_after_all(body: bytes) -> bool:
    """Whether an answer that declares another encoding is UTF-8: text of another kind is almost never valid as such."""
    declared = _DECLARED.search(body[:300])
    if declared is None or declared[1].lower() in {b"utf-8", b"utf8"} or body.isascii():
        return False
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


_BEST_GUESS = [bytes([each]).decode("cp1252", "replace").replace("\ufffd", chr(each)).encode() for each in range(256)]


def _mended_pieces(text: str, repairs: Counter[str]) -> Iterator[str]:
    """Text outside CDATA sections loses what XML forbids; inside, only control characters are forbidden."""
    for number, piece in enumerate(text.split("<![CDATA[")):
        section, end, rest = piece.partition("]]>") if number else ("", "", piece)
        if number and not end:  # a section that is never closed is no section
            section, rest = "", "&lt;![CDATA[" + piece
            repairs["open_section"] += 1
        yield f"<![CDATA[{_without_control(section, repairs)}]]>" if end else ""
        repairs["section_end"] += rest.count("]]>")
        yield _escaped(_without_control(rest, repairs), repairs).replace("]]>", "]]&gt;")


def _without_control(text: str, repairs: Counter[str]) -> str:
    """Vertical tabs and form feeds part words; the other control characters go without a trace."""

    def right(found: re.Match[str]) -> str:
        repairs["control_character"] += 1
        return " " if found[0] in "\x0b\x0c" else ""

    return _CONTROL.sub(right, text)


def _escaped(text: str, repairs: Counter[str]) -> str:
    def ampersand(found: re.Match[str]) -> str:
        number, name = found[1], found[2]
        if number:
            point = int(number[1:], 16) if number[0] in "xX" else int(number)
            if point <= sys.maxunicode and not _CONTROL.match(chr(point)):
                return found[0].replace("X", "x", 1)
            repairs["illegal_reference"] += 1
            return ""
        if name in {"amp", "lt", "gt", "quot", "apos"}:
            return found[0]
        if name:
            repairs["undeclared_entity"] += 1
            known = html.entities.html5.get(name + ";")
            return html.escape(known) if known else f"&amp;{name};"
        repairs["raw_ampersand"] += 1
        return "&amp;"

    def less_than(_: re.Match[str]) -> str:
        repairs["raw_less_than"] += 1
        return "&lt;"

    return _LESS_THAN.sub(less_than, _AMPERSAND.sub(ampersand, text))


def _what_it_is(text: str) -> str:
    if not text.strip():
        return "The answer is empty."
    if re.search(r"<html[\s>]", text[:5000], re.IGNORECASE):
        title = re.search(r"<title[^>]{0,200}>([^<]{1,200})", text[:20000], re.IGNORECASE)
        called = f' ("{html.unescape(title[1]).strip()}")' if title else ""
        return f"The answer is a web page{called}, not OAI-PMH: check the address, and whether it asks for a login."
    return "The answer is not OAI-PMH: check the address."


# --- rescued --------------------------------------------------------------------------------------------------------

# An OAI record is one that begins with a header: MARC has records of its own inside the metadata.
_STARTS = (
    re.compile(r"<((?:[\w.-]+:)?)(record)(?:\s[^<>]*)?>\s*<(?:[\w.-]+:)?header[\s>]"),
    re.compile(r"<((?:[\w.-]+:)?)(header)(?:\s[^<>]*)?>"),
    re.compile(r"<((?:[\w.-]+:)?)(set)(?:\s[^<>]*)?>\s*<(?:[\w.-]+:)?setSpec[\s>]"),
)
_LONGEST_START_TAG = 20_000
_RESPONSE_DATE = re.compile(r"<(?:[\w.-]+:)?responseDate[^<>]*>([^<]*)<")
_TOKEN = re.compile(r"<((?:[\w.-]+:)?resumptionToken)(?:\s[^<>]*)?(?:/>|>[^<]*</\1\s*>)")
_ERROR = re.compile(r"<((?:[\w.-]+:)?error)(?:\s[^<>]*)?(?:/>|>[^<]*</\1\s*>)")


def _rescue(text: str, repairs: Counter[str], *, truncated: bool) -> Document:
    """Each item of the list on its own, in the root's namespaces; the frame around them by what can be found in it."""
    opening = text[: text.find(">") + 1]
    broken = NotOaiError("broken_xml", "The answer is OAI-PMH, but its XML is broken and holds no record to be saved.")
    if opening.endswith("/>") or not 0 < len(opening) < _LONGEST_START_TAG:
        raise broken
    starts = next(filter(None, (list(pattern.finditer(text)) for pattern in _STARTS)), [])
    edges = [*(each.start() for each in starts), len(text)]
    frame = [text[: edges[0]]]
    pieces = []
    for each, upto in zip(starts, edges[1:], strict=True):
        piece = text[each.start() : upto]
        end = piece.rfind(f"</{each[1]}{each[2]}")
        end = piece.find(">", end) + 1 if end >= 0 else 0
        token = _TOKEN.search(piece)
        end = end or (token.start() if token else len(piece))  # without an end tag: up to what follows the list
        pieces.append(piece[:end])
        frame.append(piece[end:])
    around = "".join(frame)
    try:
        outer = _in_list(opening, "".join(found[0] for each in (_TOKEN, _ERROR) if (found := each.search(around))))
    except etree.XMLSyntaxError:
        raise broken from None  # its words may quote the record
    if not (pieces or outer.problems or outer.token):
        raise broken
    date = _RESPONSE_DATE.search(around)
    inner = [_rescued(opening, piece, repairs) for piece in pieces]
    return Document(
        response_date=as_utc(date[1]) if date else None,
        problems=outer.problems,
        records=[record for each in inner for record in each.records],
        sets=[listed for each in inner for listed in each.sets],
        token=outer.token,
        size=outer.size,
        repairs=repairs + Counter({"page_in_pieces": 1}),
        truncated=truncated,
    )


def _in_list(opening: str, items: str) -> Document:
    """Some items alone, in a frame of their own. Raises ``XMLSyntaxError``."""
    name = opening[1:-1].split(None, 1)[0]
    return _document(_strict(f"{opening}<items>{items}</items></{name}>"))


def _rescued(opening: str, piece: str, repairs: Counter[str]) -> Document:
    try:
        return _in_list(opening, piece)
    except etree.XMLSyntaxError as error:
        broken = error
    if "prefix" in (broken.msg or "").lower():
        try:
            document = _in_list(_declaring(opening, piece), piece)
        except etree.XMLSyntaxError as error:
            broken = error
        else:
            repairs["undeclared_prefix"] += 1
            return document
    repairs["broken_record"] += 1
    header = _rescued_header(opening, piece)
    if header.deleted and header.identifier:
        return Document(records=[Record(header)])
    refusal = Refusal("broken_xml", f"The record's XML is broken ({_kind(broken)}).")
    return Document(records=[Record(header, refusal=refusal)])


def _kind(error: etree.XMLSyntaxError) -> str:
    """What is wrong, in the parser's words, but without its quotes: what it takes for a name may be half an address."""
    name = _ERROR_NAMES.get(getattr(error, "code", 0), "")
    return name.removeprefix("NS_").removeprefix("ERR_").replace("_", " ").lower() or "not well-formed"


_ERROR_NAMES: Mapping[int, str] = {
    code: name for name, code in vars(etree.ErrorTypes).items() if isinstance(code, int) and "ERR_" in name
}


def _rescued_header(opening: str, piece: str) -> Header:
    """The header of a broken record, an empty one if that is broken too."""
    start = _STARTS[1].search(piece)
    end = piece.find(f"</{start[1]}header") if start else -1
    if start is None or end < 0:
        return Header(None)
    try:
        return _in_list(opening, piece[start.start() : piece.find(">", end) + 1]).records[0].header
    except (etree.XMLSyntaxError, IndexError):
        return Header(None)


def _declaring(opening: str, piece: str) -> str:
    """The root's start tag with a namespace for every prefix that the piece uses and nobody declares."""
    used = {each[0] or each[1] for each in _PREFIX.findall(piece)} - {"xml", "xmlns"}
    missing = sorted(used - set(re.findall(r"\sxmlns:([\w.-]+)\s*=", opening)))
    names = "".join(f' xmlns:{each}="{KNOWN_PREFIXES.get(each, "urn:undeclared:" + each)}"' for each in missing)
    return opening[:-1] + names + ">"
