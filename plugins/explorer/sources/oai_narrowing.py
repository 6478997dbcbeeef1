"""A list whose server fails in the middle, for good: it is read by windows of time that get narrower round what poisons it.

A window is a pair of datestamps, both inclusive; "" leaves an end open. The last one stays open, so that what changes
meanwhile is still met. In a window that fails, and whose identifiers fit on one page, each record is asked for alone;
what fails then too is left out, and told by its key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from explorer.polite_http import ServerError
from explorer.records import Refusal
from explorer.sources import SourceError
from explorer.sources.oai_protocol import MOST_PAGES, OaiError
from explorer.sources.oai_xml import Document, Header, Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from explorer.sources.oai_protocol import OaiRepository

Window = tuple[str, str]

EVERYTHING: Window = ("", "")
POISONED = frozenset({500, 502, 504})  # 503 and 429 are about load
MOST_SOUND = 3  # windows that fail as lists although each of their records comes: then it is the server, and no record
_FIRST = datetime(1990, 1, 1, tzinfo=UTC)  # nothing was harvested before; older datestamps fall into the first window
_CREDIBLE = timedelta(days=30)  # an earliest datestamp that is later than that before now is made up
_DAY = len("2026-01-02")


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What became of a window that failed: two narrower ones, or what could be had of it.

    ``sound``: all of its records came. ``lost``: a sentence, where not even its identifiers can be had.
    """

    halves: tuple[Window, Window] | None = None
    document: Document | None = None
    sound: bool = False
    lost: str | None = None


@dataclass(frozen=True, slots=True)
class Narrowing:
    """One list: ``arguments`` are those of its first request, ``now`` is the server's time (ISO 8601, UTC)."""

    repository: OaiRepository
    arguments: Mapping[str, str]
    now: str

    @classmethod
    def begin(cls, repository: OaiRepository, arguments: Mapping[str, str], error: ServerError) -> Narrowing:
        """Raises ``error`` where the server answers no list at all: then no record is to blame."""
        if error.answer.status not in POISONED:
            raise error
        try:
            found = cls(repository, arguments, repository.ask("Identify").response_date or "")
            if found.now:
                open_ended = {name: value for name, value in arguments.items() if name != "until"}
                repository.ask("ListRecords", cls(repository, open_ended, found.now).within((found.now, "")))
                return found
        except SourceError:
            raise error from None
        raise error

    def within(self, window: Window) -> dict[str, str]:
        """The first request of a window."""
        since, until = window
        day = self.repository.identity.granularity == "day"
        ends = {"from": since or self.arguments.get("from", ""), "until": until}
        return {
            **{name: value for name, value in self.arguments.items() if name != "from"},
            **{name: value[:_DAY] if day else value for name, value in ends.items() if value},
        }

    def of(self, window: Window, error: ServerError) -> Narrowed:
        """What to do about a window that failed with ``error``, which is raised where narrowing cannot help."""
        halves = self.halves(window)
        headers = self._headers(window, whole=halves is None)
        if headers is not None and any(is_outside(each, window) for each in headers):
            raise error  # the server does not look at dates
        if headers is None and halves is not None:
            return Narrowed(halves)
        if headers is None:
            when = " to ".join(each or "…" for each in dict.fromkeys(window))
            message = f"The repository answers HTTP {error.answer.status} for all that changed at {when}"
            refusal = Refusal("server_error", f"{message}: which records these are cannot be asked.", "datestamp", when)
            return Narrowed(document=Document(records=[Record(Header(None), refusal=refusal)]), lost=f"{message}.")
        records = [self._alone(each) for each in headers]
        sound = not any(each.refusal and each.refusal.rule == "server_error" for each in records)
        return Narrowed(document=Document(records=records), sound=sound)

    def halves(self, window: Window) -> tuple[Window, Window] | None:
        """Two windows in the place of one; None where it is as narrow as the server's clock goes."""
        unit = self.unit()
        ends = (window[0] or self.arguments.get("from", ""), window[1] or self.arguments.get("until", "") or self.now)
        first, last = map(moment_of, ends)
        first = first or self._earliest()
        if last is None or last - first < unit:
            return None
        middle = first + (last - first) / 2 // unit * unit
        return (window[0], _text(middle)), (_text(middle + unit), window[1])

    def unit(self) -> timedelta:
        """The least that two datestamps of the repository differ by."""
        return timedelta(days=1) if self.repository.identity.granularity == "day" else timedelta(seconds=1)

    def span(self) -> tuple[datetime, datetime]:
        """From before the first to behind the last change, as far as is known."""
        first = self._earliest()
        return first, max(moment_of(self.now) or first, first) + self.unit()

    def _earliest(self) -> datetime:
        """Before anything that was harvested: what Identify says, unless it cannot be (0001, 1900, now)."""
        said, now = moment_of(self.repository.identity.earliest or ""), moment_of(self.now)
        return said if said and now and _FIRST <= said < now - _CREDIBLE else _FIRST

    def _headers(self, window: Window, *, whole: bool) -> list[Header] | None:
        """The headers of a window; None where the server fails, or where there is more than a page and not ``whole``."""
        try:
            document = self.repository.ask("ListIdentifiers", self.within(window))
            found = [each.header for each in document.records]
            if document.token and not whole:
                outside = [each for each in found if is_outside(each, window)]
                return outside or None
            for _ in range(MOST_PAGES):
                if not document.token:
                    break
                document = self.repository.ask("ListIdentifiers", {"resumptionToken": document.token})
                found += [each.header for each in document.records]
        except ServerError:
            return None
        return found

    def _alone(self, header: Header) -> Record:
        """A record asked for by itself; with a refusal where it cannot be had."""
        if header.deleted or header.identifier is None:
            return Record(header)
        arguments = {"identifier": header.identifier, "metadataPrefix": self.arguments["metadataPrefix"]}
        try:
            records = self.repository.ask("GetRecord", arguments).records
        except ServerError as error:
            message = f"The repository answers HTTP {error.answer.status} for this record, alone and in every list."
            return Record(header, refusal=Refusal("server_error", message))
        except OaiError as error:
            return Record(header, refusal=Refusal("not_there", f"The record is listed, but cannot be had: {error}"))
        return next(iter(records), Record(header, refusal=Refusal("not_there", "The record is listed, and not given.")))


def is_outside(header: Header, window: Window) -> bool:
    """Whether a header is a day or more off, which is more than servers are wont to widen a window."""
    moment = moment_of(header.datestamp or "")
    first, last = (moment_of(each) for each in window)
    day = timedelta(days=1)
    return moment is not None and bool((first and moment < first - day) or (last and moment > last + day))


def in_unit(repository: OaiRepository, moment: datetime) -> str:
    """A moment as the repository takes datestamps."""
    found = _text(moment)
    return found[:_DAY] if repository.identity.granularity == "day" else found


def moment_of(text: str) -> datetime | None:
    """The moment of a datestamp; None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
