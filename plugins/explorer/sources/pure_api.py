"""One interface of a Pure server: the old web service in one of its versions, or the new API.

It only reads: GET, and POST where that is a search. Links of the server are never followed: they may hold the key, or lead
to another host. Every answer is looked into, whatever its status says.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

import msgspec

from explorer.polite_http import Answer, PoliteSession, shown
from explorer.sources import SourceError
from explorer.sources.pure_words import previous as previous_of
from explorer.sources.pure_words import raw_text, uuid_of
from explorer.sources.pure_xml import NoXmlError
from explorer.sources.pure_xml import parse as parse_xml

Dialect = Literal["old", "new"]
Kind = Literal["outputs", "persons", "units"]

PATHS: Mapping[Dialect, Mapping[Kind, str]] = {
    "old": {"outputs": "research-outputs", "persons": "persons", "units": "organisational-units"},
    "new": {"outputs": "research-outputs", "persons": "persons", "units": "organizations"},
}
PAGE: Mapping[Dialect, int] = {"old": 100, "new": 1000}
LARGEST: Mapping[Dialect, int] = {"old": 500, "new": 1000}
ORDER = "created"  # what is new comes at the end, where it shifts nothing
BATCH = 100  # uuids asked for at once
TRIES = 5
PAUSE = 1.0  # seconds before the second try; each later one waits twice as long
SMALLEST = 5
MOST_SHIFTS = 1000
OK, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN = 200, 400, 401, 403
NOT_THERE = frozenset({404, 410})
NO_SUCH_FORMAT = frozenset({406, 415})
NO_SEARCH = frozenset({400, 404, 405, 406, 410, 415, 501})
TOO_MUCH = frozenset({"too_large", "timeout"})
LONGEST_SAID = 200


class NotPureError(SourceError):
    """An answer that is none of Pure's: no JSON, cut off, or of something else."""


class AnsweredError(SourceError):
    """Pure says why it does not answer; ``status`` is the HTTP status."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(code, message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Document:
    """One answer. ``clock``: the server's time, ISO 8601 in UTC. ``stamp``: sorts answers by when they came."""

    content: Mapping[str, Any]
    clock: str
    stamp: str

    @property
    def items(self) -> Sequence[Any]:
        """What a list holds; nothing where the key is absent."""
        items = self.content.get("items")
        return items if isinstance(items, list) else [items] if isinstance(items, dict) else []

    @property
    def count(self) -> int | None:
        """How many there are in all, as a list says."""
        count = self.content.get("count")
        return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else None

    @property
    def size(self) -> int | None:
        """The size of its pages, as the server says: it may give less than was asked for."""
        stated = self.content.get("pageInformation")
        size = stated.get("size") if isinstance(stated, dict) else None
        return size if isinstance(size, int) and size > 0 else None

    @property
    def day(self) -> date:
        """The day on which the server answered."""
        return date.fromisoformat(self.clock[:10])


class PureApi:
    """Requests to one interface."""

    def __init__(self, base: str, session: PoliteSession, dialect: Dialect) -> None:
        self.base = base.rstrip("/")
        self.dialect = dialect
        self.in_xml = False
        self.ordered = True
        self.searches = True
        self._session = session
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def address(self, path: str, arguments: Mapping[str, str] | None = None) -> str:
        """The address of a resource of this interface."""
        return f"{self.base}/{path}" + (f"?{urlencode(arguments, quote_via=quote)}" if arguments else "")

    # --- one answer

    def ask(self, path: str, arguments: Mapping[str, str] | None = None, search: object = None) -> Document:
        """The answer to one request, a search where one is given. What cannot be read is asked for again.

        Raises ``AnsweredError`` where Pure says why not, ``NotPureError`` for what is no answer, else ``SourceError``.
        """
        url = self.address(path, arguments)
        for attempt in range(TRIES):
            answer = self._send(url, search)
            try:
                return self._read(answer, is_list="/" not in path or search is not None or path.startswith("changes/"))
            except NotPureError as error:
                if attempt == TRIES - 1:
                    raise NotPureError(error.code, f"{shown(url)}: {error}") from error
                time.sleep(min(60.0, PAUSE * 2**attempt))
        raise AssertionError  # the last attempt returns or raises

    def _send(self, url: str, search: object) -> Answer:
        for in_xml in (self.in_xml, True):
            accept = "application/xml, text/xml" if in_xml else "application/json"
            if search is None:
                answer = self._session.get(url, accept=accept)
            else:
                answer = self._session.request("POST", url, json=search, headers={"Accept": accept})
            if in_xml or self.dialect == "new" or answer.status not in NO_SUCH_FORMAT:
                break
        if in_xml and answer.status == OK:
            self.in_xml = True  # JSON is switched off here: do not ask for it again
        return answer

    def _read(self, answer: Answer, *, is_list: bool) -> Document:
        where = shown(answer.url)
        if answer.status in {UNAUTHORIZED, FORBIDDEN}:
            what = "the API key, and login and password where it wants them" if answer.status == UNAUTHORIZED else (
                "the rights of this API key, and the IP addresses that the server lets in"
            )  # fmt: skip
            raise AnsweredError("refused", f"{where} refuses us (HTTP {answer.status}): check {what}.", answer.status)
        if answer.status in NOT_THERE:
            message = f"{where} is not there (HTTP {answer.status}): check the base URL of the connection."
            raise AnsweredError("not_there", message, answer.status)
        content = self._content(answer)
        if answer.status != OK or _is_error(content, is_list=is_list):
            said = self._said(content)
            message = f"{where} answers HTTP {answer.status}" + (f": {said}" if said else " without an explanation.")
            if answer.status == OK:
                raise NotPureError("error_under_200", f"an error with HTTP status 200{': ' if said else ''}{said}")
            raise AnsweredError(f"http_{answer.status}", message, answer.status)
        clock = _http_date(answer.headers.get("Date"))
        with self._lock:
            return Document(content, clock, f"{clock}/{next(self._numbers):09d}")

    def _content(self, answer: Answer) -> dict[str, Any]:
        body = answer.body.removeprefix(b"\xef\xbb\xbf")
        start = body.lstrip()[:1]
        try:
            if start == b"<" and self.dialect == "old" and b"<html" not in body[:1000].lower():
                return parse_xml(body)
            content = _json(body)
        except (NoXmlError, ValueError) as error:
            if answer.status != OK:
                return {}
            what = "a page of HTML" if start == b"<" else "no JSON that can be read"
            raise NotPureError("not_pure", f"the answer is {what} ({str(error)[:100]})") from error
        if not isinstance(content, dict):
            raise NotPureError("not_pure", "the answer is JSON, but not of Pure")
        return content

    def _said(self, content: Mapping[str, Any]) -> str:
        """The server's own words on an error, on one line, never with a key or a password in them."""
        words = (raw_text(content.get(name)) for name in ("title", "description", "detail"))
        said = " ".join(" ".join(word for word in words if word).split())
        return self._session.blotted(said)[:LONGEST_SAID]

    # --- lists

    def page(self, kind: Kind, offset: int, size: int, fields: str | None = None) -> Document:
        """A part of a list, in the order in which things were created. A server that knows no such order has its own."""
        path = PATHS[self.dialect][kind]
        arguments = {"size": str(size), "offset": str(offset)}
        if fields and self.dialect == "old":
            arguments["fields"] = fields
        if self.dialect == "old":
            arguments["navigationLink"] = "false"
        if not self.ordered:
            return self.ask(path, arguments)
        try:
            return self.ask(path, {**arguments, "order": ORDER})
        except AnsweredError as error:
            if error.status != BAD_REQUEST:
                raise
        document = self.ask(path, arguments)
        self.ordered = False
        return document

    def pages(
        self, kind: Kind, offset: int, size: int, fields: str | None = None, *, until: int | None = None
    ) -> Iterator[tuple[int, Document]]:
        """(offset behind it, page) from an offset on, the next one fetched meanwhile; up to an empty page, or the count.

        A page that is shorter than asked for is what the server gives: the next one begins behind its last item. Where the
        list has become shorter meanwhile, what moved up is read again. A page that is too large to be had is asked for in
        halves. ``until``: the offset at which to stop before the end. Raises ``SourceError``.
        """
        waiting: deque[Future[Document]] = deque()
        start, end, largest, shifts = offset, offset, 0, 0

        def ask(place: int) -> None:
            waiting.append(thread.submit(self.page, kind, place, size, fields))

        with ThreadPoolExecutor(1, thread_name_prefix="pure") as thread:
            try:
                while True:
                    if not waiting:
                        ask(offset)
                    document = self._first(waiting, enough=size <= SMALLEST)
                    if document is None:
                        _cancel(waiting)
                        size = max(SMALLEST, size // 2)
                        continue
                    if document.count is not None and document.count < largest:
                        _cancel(waiting)
                        shifts += 1
                        if shifts > MOST_SHIFTS:
                            message = (
                                f"{shown(self.base)}: the list of {kind} shrinks while it is read, again and again."
                            )
                            raise SourceError("list_shifts", f"{message} Try again later.")
                        offset, largest = max(start, offset - largest + document.count), document.count
                        continue
                    got = min(len(document.items), size)
                    offset, largest = offset + got, document.count or 0
                    end = min(largest or offset + 1, until or largest or offset + 1)
                    ends = not got or offset >= end
                    if got < size:
                        _cancel(waiting)
                        size = min(size, document.size or size)
                    if not ends and not waiting:
                        ask(offset)
                    yield offset, document
                    if ends:
                        return
            finally:
                _cancel(waiting)

    @staticmethod
    def _first(waiting: deque[Future[Document]], *, enough: bool) -> Document | None:
        """The next page; None where it is too large to be had, and may be asked for in smaller ones."""
        try:
            return waiting.popleft().result()
        except SourceError as error:
            if error.code not in TOO_MUCH or enough:
                raise
        return None

    # --- single things

    def by_uuid(self, kind: Kind, uuids: Sequence[str]) -> Iterator[tuple[list[Any], str]]:
        """(items, stamp) of what is there of these uuids; what was merged may come as the one that it was merged into.

        Asked for in hundreds by a search; one by one where there is no search, or one that looks at no uuids.
        """
        for start in range(0, len(uuids), BATCH):
            batch = list(uuids[start : start + BATCH])
            found = self._searched(kind, batch) if self.searches else None
            if found is None:
                self.searches = False
                for uuid in batch:
                    yield self._single(kind, uuid)
            else:
                yield found

    def _searched(self, kind: Kind, batch: list[str]) -> tuple[list[Any], str] | None:
        path = PATHS[self.dialect][kind] + ("/search" if self.dialect == "new" else "")
        items: list[Any] = []
        offset = 0
        while True:
            try:
                document = self.ask(path, search={"uuids": batch, "size": BATCH, "offset": offset})
            except AnsweredError as error:
                if error.status not in NO_SEARCH:
                    raise
                return None
            items += document.items
            offset += len(document.items)
            if not all(_is_answer(item, batch) for item in document.items):
                return None
            if not document.items or offset >= min(document.count or 0, len(batch)):
                return items, document.stamp

    def _single(self, kind: Kind, uuid: str) -> tuple[list[Any], str]:
        try:
            document = self.ask(f"{PATHS[self.dialect][kind]}/{quote(uuid, safe='')}")
        except AnsweredError as error:
            if error.status not in NOT_THERE:
                raise
            clock = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            with self._lock:
                return [], f"{clock}/{next(self._numbers):09d}"
        return [document.content], document.stamp


def _cancel(waiting: deque[Future[Document]]) -> None:
    for each in waiting:
        each.cancel()
    waiting.clear()


def _is_answer(item: object, asked: Sequence[str]) -> bool:
    """Whether an item is one that was asked for, or one into which such a one was merged."""
    if not isinstance(item, dict):
        return True
    return uuid_of(item) in asked or any(each in asked for each in previous_of(item))


def _is_error(content: Mapping[str, Any], *, is_list: bool) -> bool:
    """An error document whatever its status; for a list, anything that is none."""
    if is_list:
        return "count" not in content and "items" not in content
    return "uuid" not in content


def _json(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        try:
            return json.loads(body)  # takes what is no JSON by the book, like NaN
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def _http_date(text: str | None) -> str:
    """The server's clock; ours where it tells none."""
    try:
        moment = datetime.strptime(text or "", "%a, %d %b %Y %H:%M:%S GMT")  # noqa: DTZ007 - GMT by definition
    except ValueError:
        moment = datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
