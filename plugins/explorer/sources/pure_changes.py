"""What changed at a Pure server, as its old web service tells: a list of audit rows, read one answer after the other.

A place in that list is a resumption token, base64 of ``{"sequenceNumber": n}``, or a day. Nothing says what changed, only
which; about 40 % of deletions are never told, so absence is found out elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from explorer.polite_http import shown
from explorer.sources import CHANGES_LOST, SourceError
from explorer.sources.pure_api import BAD_REQUEST, NOT_THERE, AnsweredError, PureApi
from explorer.sources.pure_words import each, letters, uuid_of

OUTPUT = "researchoutput"
METRICS = "metricvaluechange"
MOST_PAGES = 20_000  # two million audit rows: reading everything costs less
MOST_WITHOUT_UUID = 50  # answers in a row whose items all lack a uuid
WEST = timedelta(hours=12)  # no clock on earth is further behind UTC


@dataclass(frozen=True, slots=True)
class Changed:
    """One answer. ``place``: where the list goes on. ``ends``: that nothing more is known."""

    outputs: tuple[str, ...]
    place: str
    ends: bool
    items: int


def first_place(api: PureApi, clock: str) -> str:
    """The place behind which lies all that happens from now on, and some of what happened today.

    ``clock``: now, UTC. The server's days are those of its own time zone, so we ask from the day that is on anywhere; what
    this answer holds has happened already.
    """
    return _ask(api, day_before(clock)).place


def day_before(clock: str) -> str:
    """The day that it was somewhere on earth at a time, the earlier of two: no server's own day is before it."""
    return (datetime.fromisoformat(clock) - WEST).date().isoformat()


def changes(api: PureApi, place: str, pages: int = 0) -> Iterator[Changed]:
    """The answers from a place on. ``pages``: how many were read before.

    An answer may hold nothing while more is to come, and may always promise more: the list ends where that is no longer
    said, or where the token stays what it was. Raises ``SourceError`` with the code ``changes_lost`` where the server has
    lost our place: then only reading everything helps.
    """
    nameless = 0
    while True:
        document = _ask(api, place)
        before, now = sequence(place), sequence(document.place)
        if before is not None and now is not None and now < before:
            message = (
                f"{shown(api.base)}/changes began again at sequence {now:,}, below {before:,} where the last answer ended, so"
                " it cannot be told what changed. The next import reads everything; if it comes again, ask the administrators"
                " of Pure to look into the audit log"
            )
            raise SourceError(CHANGES_LOST, message)
        nameless = nameless + 1 if document.items and not document.outputs and document.nameless else 0
        if nameless >= MOST_WITHOUT_UUID:
            message = (
                f"{shown(api.base)}/changes gives items without uuid, answer after answer ({nameless}), as it does when its"
                " sequence has begun again, so it cannot be told what changed. The next import reads everything"
            )
            raise SourceError(CHANGES_LOST, message)
        pages += 1
        ends = document.place == place or not document.more
        yield Changed(document.outputs, document.place, ends, document.items)
        if ends:
            return
        if pages >= MOST_PAGES:
            message = (
                f"{shown(api.base)}/changes does not end: {pages} answers were read, and there is more. The next import reads"
                " everything"
            )
            raise SourceError(CHANGES_LOST, message)
        place = document.place


@dataclass(frozen=True, slots=True)
class _Answer:
    outputs: tuple[str, ...]
    place: str
    more: bool
    items: int
    nameless: bool  # none of the items has a uuid


def _ask(api: PureApi, place: str) -> _Answer:
    try:
        document = api.ask(f"changes/{quote(place, safe='=')}")
    except AnsweredError as error:
        if error.status != BAD_REQUEST and error.status not in NOT_THERE:
            raise
        if sequence(place) is None:
            raise
        message = (
            f"{shown(api.base)}/changes no longer takes the token of the last import (HTTP {error.status}), so it cannot be"
            " told what changed. The next import reads everything"
        )
        raise SourceError(CHANGES_LOST, message) from error
    content = document.content
    items = each(content.get("items"))
    return _Answer(
        tuple(_outputs(items)),
        _place(content) or place,
        content.get("moreChanges") is True or content.get("moreChanges") == "true",
        len(items),
        not any(uuid_of(item) for item in items),
    )


def _place(content: Mapping[str, Any]) -> str | None:
    """The token; where it is missing, the end of the next link, whatever host that names."""
    token = content.get("resumptionToken")
    if isinstance(token, str) and token.strip():
        return token.strip()
    links = each(content.get("navigationLinks"))
    href = next((link["href"] for link in links if link.get("ref") == "next" and isinstance(link.get("href"), str)), "")
    return unquote(href.partition("?")[0].rpartition("/")[2]) if "/changes/" in href else None


def sequence(place: str) -> int | None:
    """The number in a token; None for a day, and for a token of another kind."""
    try:
        number = json.loads(base64.b64decode(place, validate=True))["sequenceNumber"]
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None
    return number if isinstance(number, int) else None


def _outputs(items: Iterator[Mapping[str, Any]] | Any) -> Iterator[str]:  # noqa: ANN401 - a list of JSON objects
    """The outputs that items tell of, or that they tell to be at the other end of a relation; none twice."""
    found: dict[str, None] = {}
    for item in items:
        if letters(str(item.get("changeType", ""))) == METRICS:
            continue
        for one in (item, *each(item.get("relationChanges"))):
            uuid = uuid_of(one)
            if uuid and _is_output(one):
                found[uuid] = None
    yield from found


def _is_output(item: Mapping[str, Any]) -> bool:
    name, family = item.get("familySystemName"), item.get("family")
    if isinstance(name, str) and name:
        return letters(name) == OUTPUT
    if not isinstance(family, str):
        return False
    return family.rpartition(".")[2].casefold() == OUTPUT or f".{OUTPUT}." in family.casefold()
