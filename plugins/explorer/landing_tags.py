"""What a landing page says of itself in its meta tags: whether attention can find the output by them. Pure.

A mention of a page is counted for an output when the page's tags name a persistent identifier, beside some metadata
(the assessment tool's page on Altmetric). Read are the tags of Highwire (``citation_doi``), Dublin Core
(``DC.identifier``, with any qualifier), PRISM, bepress and EPrints; never those of references or relations.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from lxml import etree

from explorer import identifiers
from explorer.records import Identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HTML = frozenset({"text/html", "application/xhtml+xml"})
MOST_TAGS = 5000
MOST_CHARACTERS = 2000  # of a tag's content
LONGEST_SHOWN = 100
PRESCAN = 4096  # bytes in which a page says its encoding
ANY = ""
# The tags that name an identifier, and its scheme; names are compared in small letters, with dots.
IDENTIFYING: Mapping[str, str] = {
    "citation.doi": "doi", "bepress.citation.doi": "doi", "prism.doi": "doi", "eprints.doi": "doi", "dc.doi": "doi",
    "doi": "doi", "citation.pmid": "pmid", "wkhealth.pmid": "pmid", "eprints.pmid": "pmid", "pmid": "pmid",
    "citation.arxiv.id": "arxiv", "citation.isbn": "isbn", "prism.isbn": "isbn", "eprints.isbn": "isbn",
    "citation.handle": "handle", "eprints.id.number": ANY,
}  # fmt: skip
# A qualifier of Dublin Core's identifier, as in `DC.identifier.DOI`; any other may hold anything.
QUALIFIERS: Mapping[str, str] = {
    "doi": "doi", "pmid": "pmid", "pubmed": "pmid", "arxiv": "arxiv", "isbn": "isbn", "handle": "handle", "hdl": "handle",
    "urn": "urn", "bibcode": "ads",
}  # fmt: skip
NO_IDENTIFIERS = frozenset({"issn", "eissn", "citation", "bibliographiccitation"})
METADATA: Mapping[str, re.Pattern[str]] = {
    "title": re.compile(r"(?:bepress\.)?citation\.title|dc(?:terms)?\.title|eprints\.title|prism\.title|og\.title"),
    "author": re.compile(
        r"(?:bepress\.)?citation\.authors?|dc(?:terms)?\.(?:creator|contributor)(?:\..*)?|eprints\.creators\.name"
    ),
    "date": re.compile(
        r"(?:bepress\.)?citation\.(?:publication\.|online\.)?(?:date|year)|dc(?:terms)?\.(?:date|issued)(?:\..*)?"
        r"|eprints\.date|prism\.publicationdate"
    ),
}
_CORE = re.compile(r"dc(?:terms)?\.identifier(?:\.(.+))?")
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9._:-]+)""", re.IGNORECASE)
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class NotHtmlError(Exception):
    """An answer that is no page; the message says what it is."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page's tags say. ``missing``: which of identifier, title, author, date no tag names."""

    identifiers: tuple[Identifier, ...] = ()
    missing: tuple[str, ...] = ()
    tags: int = 0
    doubt: str | None = None  # what may explain that something is missing


def page(body: bytes, content_type: str | None, *, uri_domains: Sequence[str] = ()) -> Page:
    """Reads a page's tags, however broken it is. Raises ``NotHtmlError``."""
    kind, _, parameters = (content_type or "").partition(";")
    kind = kind.strip().lower()
    if (kind and kind not in HTML) or (
        not kind and not re.match(rb"\s*<(?:!doctype|html|head|\?xml)", body, re.IGNORECASE)
    ):
        message = f"the answer is {kind[:LONGEST_SHOWN] or 'of no stated type'}, not a page of HTML"
        raise NotHtmlError(message)
    root = _parsed(_text(body, parameters))
    tags = [] if root is None else list(islice(_tags(root), MOST_TAGS))
    found = dict.fromkeys(each for name, content in tags for each in _named(name, content, uri_domains))
    missing = [what for what, names in METADATA.items() if not any(names.fullmatch(name) for name, _ in tags)]
    return Page(
        tuple(found), ("identifier", *missing) if not found else tuple(missing), len(tags),
        None if found or root is None else _doubt(root),
    )  # fmt: skip


def _text(body: bytes, parameters: str) -> str:
    """The page's text: its mark counts, then the header, then what it says itself, then UTF-8, else Windows-1252."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    header = _DECLARED.search(parameters.encode("ascii", "replace"))
    stated = [match[1].decode().lower() for match in (header, _DECLARED.search(body[:PRESCAN])) if match]
    for name in (*stated, "utf-8"):
        try:
            encoding = codecs.lookup(name).name
            # A page whose declaration could be read as ASCII is in no UTF-16; Latin-1 means Windows-1252 on the web.
            encoding = {"iso8859-1": "cp1252", "ascii": "cp1252"}.get(encoding, encoding)
            return body.decode("utf-8" if encoding.startswith("utf-16") else encoding)
        except (LookupError, UnicodeError, ValueError, TypeError, AssertionError):
            continue  # unknown, no text encoding at all, or not true
    return body.decode("cp1252", "replace")


def _parsed(text: str) -> etree._Element | None:
    """The page as a tree; None where nothing of one is there. No entity of its own, no network, no huge trees."""
    plain = text.replace("\0", "").encode("utf-8", "replace")
    parser = etree.HTMLParser(encoding="utf-8", recover=True, no_network=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(plain, parser)
    except etree.XMLSyntaxError:
        return None


def _tags(root: etree._Element) -> Iterator[tuple[str, str]]:
    """Names and contents of meta tags that say something."""
    for element in root.iter("meta"):
        content = (element.get("content") or "").strip()[:MOST_CHARACTERS]
        for attribute in ("name", "property"):
            name = re.sub(r"[.:_]+", ".", (element.get(attribute) or "").strip().lower())
            if name and content:
                yield name, content


def _named(name: str, content: str, uri_domains: Sequence[str]) -> Iterator[Identifier]:
    """The identifiers that a tag names."""
    core = _CORE.fullmatch(name)
    if core is None and name not in IDENTIFYING:
        return
    scheme = IDENTIFYING[name] if core is None else QUALIFIERS.get(core[1] or "", ANY)
    if core is not None and core[1] in NO_IDENTIFIERS:
        return
    if scheme != ANY and (value := identifiers.parse(scheme, content).value) is not None:
        yield Identifier(scheme, value)
        return
    for each in identifiers.find(content, uri_domains=uri_domains):
        yield Identifier(each.scheme, each.value)


def _doubt(root: etree._Element) -> str | None:
    """Why a page may name nothing."""
    for element in root.iter("meta"):
        if (element.get("http-equiv") or "").strip().lower() == "refresh" and "url" in (
            element.get("content") or ""
        ).lower():
            return "it sends its reader on to another page by itself, which is not followed"
    if next(root.iter("frameset"), None) is not None:
        return "it consists of frames"
    scripts = sum(1 for _ in root.iter("script"))
    words = sum(len((text or "").split()) for element in root.iter("p", "h1", "h2", "td", "li", "a", "dd", "div", "span")
                for text in (element.text,))  # fmt: skip
    if scripts and words < 20:  # noqa: PLR2004 - hardly anything to read
        return "it builds itself with JavaScript, which is not run"
    return None
