"""One answer of the Symplectic Elements API, in any of its dialects: what it holds, and where its list goes on.

Schemas 4.x and 5.5 wrap their results in Atom, 6.13 does not. Only ``api:page`` says where a list goes on: Atom's own
``link`` may point to its own page. A pure function of bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from explorer.sources import SourceError

API = "{http://www.symplectic.co.uk/publications/api}"
ATOM = "{http://www.w3.org/2005/Atom}"
FIRST_WITHOUT_TOTAL = (5, 0)  # before, `results-count` is the size of the whole list

Element = etree._Element  # noqa: SLF001 - lxml has no public name for it


class NotElementsError(SourceError):
    """An answer that is none of the API: no XML, cut off, or XML of something else."""


class AnsweredError(SourceError):
    """The API answers with an error, whatever the HTTP status."""


@dataclass(frozen=True, slots=True)
class Document:
    """What one answer holds. ``next`` is the address of the next page as the server gives it, None at the end."""

    schema: str | None
    product: str | None
    clock: str | None  # ISO 8601, UTC
    results: tuple[Element, ...]
    next: str | None = None
    ends_unmoved: bool = False  # a next page that is this page again is the end of the list, not a damaged index
    counted: int | None = None  # `results-count`: of the whole list before schema 5, of this page since

    @property
    def total(self) -> int | None:
        """The size of the whole list, where this dialect tells it."""
        return self.counted if version(self.schema) < FIRST_WITHOUT_TOTAL else None


def parse(body: bytes) -> Document:
    """The answer. Raises ``NotElementsError``, or ``AnsweredError`` for one that reports an error."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, huge_tree=False,
        remove_blank_text=True, collect_ids=False,  # neither is ever asked for, and both cost time
    )  # fmt: skip
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise NotElementsError("broken_xml", f"The answer is no XML that can be read ({error.msg}).") from error
    if root.tag not in {f"{ATOM}feed", f"{API}response"}:
        name = etree.QName(root).localname
        raise NotElementsError("not_elements", f"The answer is XML, but not of the Elements API: its root is {name}.")
    results = tuple(_results(root))
    _raise_answered(root, results)
    stated = root.find(f"{API}version")
    generator = root.find(f"{ATOM}generator")
    pagination = root.find(f"{API}pagination")
    counted = pagination.get("results-count") if pagination is not None else None
    if stated is not None:
        schema, product = stated.get("schema-version"), stated.get("elements-version")
    else:
        schema, product = root.findtext(f"{API}schema-version"), None
        if generator is not None:
            product = generator.get("version")
    return Document(
        schema=schema,
        product=product,
        clock=_utc(root.findtext(f"{ATOM}updated")),
        results=results,
        next=_next(pagination),
        ends_unmoved=_ends_unmoved(pagination, len(results)),
        counted=int(counted) if counted is not None and counted.isdecimal() else None,
    )


def version(text: str | None) -> tuple[int, int]:
    """``6.13`` as (6, 13); what cannot be read counts as the newest, so that its privacy is looked at."""
    found = re.match(r"\s*(\d+)(?:\.(\d+))?", text or "")
    return (int(found[1]), int(found[2] or 0)) if found else (99, 0)


def _results(root: Element) -> Iterator[Element]:
    """Objects, relationships, groups and deleted things, without their wrapping."""
    wrappings = (f"{ATOM}entry", f"{API}result-list/{API}result", f"{API}result")
    for wrapping in wrappings:
        for entry in root.iterfind(wrapping):
            for child in entry.iterchildren(f"{API}*"):
                yield from child.iterfind(f"{API}object") if child.tag == f"{API}related" else (child,)


def _raise_answered(root: Element, results: tuple[Element, ...]) -> None:
    terms = {each.get("term") for each in root.iterfind(f"{ATOM}category")}
    errors = [each for each in results if each.tag == f"{API}error"]
    errors += [*root.iterfind(f"{API}error"), *root.iterfind(f"{API}errors/{API}error")]
    if not errors and "error-list" not in terms:
        return
    code = (errors[0].get("code") if errors else None) or "error"
    said = " ".join("".join(map(str, errors[0].itertext())).split())[:300] if errors else ""
    raise AnsweredError(code.strip().replace(" ", "_"), f"Elements answers with an error: {code}. {said}".strip())


def _next(pagination: Element | None) -> str | None:
    """``continue-from`` where there is one, else ``next``. An empty page ends a list that says ``continue-from``."""
    if pagination is None:
        return None
    pages = {each.get("position"): each.get("href") for each in pagination.iterfind(f"{API}page")}
    going_on = pages.get("continue-from")
    if going_on is None:
        return pages.get("next")
    return None if pagination.get("results-count") == "0" else going_on


def _ends_unmoved(pagination: Element | None, results: int) -> bool:
    """``continue-from`` may come back unchanged at the end of a list; on a page that is full there should be more."""
    if pagination is None:
        return False
    size = pagination.get("items-per-page") or ""
    positions = {each.get("position") for each in pagination.iterfind(f"{API}page")}
    return "continue-from" in positions and size.isdecimal() and results < int(size)


def _utc(text: str | None) -> str | None:
    """A time of the API as ISO 8601 in UTC, to the second; None where it cannot be read."""
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment.tzinfo else None


def moment(text: str | None) -> str | None:
    """A datestamp of the API that sorts as text: UTC, microseconds. None where it cannot be read."""
    try:
        read = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return f"{read.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z" if read.tzinfo else None
