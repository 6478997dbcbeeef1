"""A long list divided into windows by date, to be read side by side.

The server says how long a list is (``completeListSize``), so windows are made to hold about as much each: the longest
one is halved in time until none is too long, and short neighbours are joined again. A border belongs to both of its
windows, as servers do not agree on what happens at one; who reads a record twice takes it once. The first window is open
at its beginning and the last one at its end, so no datestamp, however odd, falls outside. A server whose sizes do not add
up, as it looks at no dates or leaves out some, gets one list.

What changes while the windows are read may leave one that is not read yet for one that is: the source reads what changed
since then once more, when all windows are read.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from explorer.sources import SourceError
from explorer.sources.oai_narrowing import EVERYTHING, Narrowing, Window, in_unit, is_outside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from explorer.sources.oai_protocol import OaiRepository
    from explorer.sources.oai_xml import Document

log = logging.getLogger(__name__)

RECORDS_PER_WINDOW = 5000  # of a list that is divided by its length: fifty pages of the usual size
MOST_WINDOWS = 32  # of such a list
PROBES_PER_WINDOW = 8  # at most; each is one page of ListIdentifiers
WORTHLESS = 0.9  # of all records in one window, whose dates cannot be told apart: then one list is as good
UNEVEN = 1.25  # how much longer than its share a window may be


@dataclass(frozen=True, slots=True)
class Divided:
    """The windows of a list (from, until), oldest first; ``now`` is the server's time when it was asked."""

    windows: Sequence[Window]
    now: str


class _UnreliableError(Exception):
    """The list cannot be divided: the server does not look at dates, or not well."""


def divided(repository: OaiRepository, arguments: Mapping[str, str], wanted: int | Literal["auto"]) -> Divided | None:
    """Windows of the list that begins with ``arguments``; None where it is better read in one go."""
    if wanted == 1:
        return None
    try:
        whole = repository.ask("ListIdentifiers", arguments)
        if whole.response_date is None or not whole.token:
            return None
        number = wanted
        if wanted == "auto":
            number = min((whole.size or 0) // RECORDS_PER_WINDOW, MOST_WINDOWS)
        if number == "auto" or number < 2:  # noqa: PLR2004 - one is no division
            return None
        division = _Division(Narrowing(repository, arguments, whole.response_date))
        found = division.by_size(whole.size, number) if whole.size else division.by_time(number)
    except (SourceError, _UnreliableError) as error:
        log.info("the list is read in one go, not by windows of time: %s", error)
        return None
    return Divided(_bordering(found), whole.response_date) if len(found) > 1 else None


def changed_since(repository: OaiRepository, moment: str, overlap: timedelta) -> str:
    """The ``from`` of a list of what changed since a moment, with an overlap, as the repository takes it."""
    return in_unit(repository, moment, -overlap)


@dataclass(frozen=True, slots=True)
class _Division:
    narrowing: Narrowing

    def by_size(self, size: int, number: int) -> list[Window]:
        """``number`` windows of about the same size, or somewhat more. Raises ``_UnreliableError``, ``SourceError``."""
        share = size / number
        pieces = [(EVERYTHING, size)]
        whole: list[tuple[Window, int]] = []  # those that are not to be halved any more, however long
        probes = PROBES_PER_WINDOW * number
        sure = False
        while pieces and probes > 0:
            window, held = longest = max(pieces, key=lambda piece: piece[1])
            if held <= share * UNEVEN:
                break
            pieces.remove(longest)
            halves = self.narrowing.halves(window)
            if halves is None:
                whole.append(longest)
                continue
            first = self._size(halves[0])
            second = held - first
            probes -= 1
            if not sure and first > 0:
                second = self._size(halves[1])
                probes -= 1
                sure = second > 0
            if first > held or not held <= first + second <= held * UNEVEN + 100:
                message = f"of {held} records, {first} changed before {halves[1][0]} and {second} since"
                raise _UnreliableError(message)
            pieces += [(halves[0], first), (halves[1], second)]
        found = sorted([*pieces, *whole])
        if max(held for _, held in found) > size * WORTHLESS:
            return [EVERYTHING]
        return _joined(found, share)

    def by_time(self, number: int) -> list[Window]:
        """Windows of the same length, where the server does not say how many records there are."""
        pieces = [EVERYTHING]
        while len(pieces) < number:
            halves = [self.narrowing.halves(each) for each in pieces]
            if None in halves:
                break
            pieces = [each for pair in halves if pair for each in pair]
        older = self.narrowing.repository.ask("ListIdentifiers", self.narrowing.within(pieces[0]))
        if any(is_outside(each.header, pieces[0]) for each in older.records):
            raise _UnreliableError("its dates are not looked at")
        return pieces

    def _size(self, window: Window) -> int:
        document: Document = self.narrowing.repository.ask("ListIdentifiers", self.narrowing.within(window))
        if document.size is not None:
            return document.size
        if document.token:
            raise _UnreliableError("it is not always said how long a list is")
        return len(document.records)


def _joined(pieces: Sequence[tuple[Window, int]], share: float) -> list[Window]:
    """Neighbours together, as long as they are no longer than a window may be."""
    found: list[tuple[Window, int]] = []
    for window, size in pieces:
        if found and found[-1][1] + size <= share * UNEVEN:
            (start, _), before = found.pop()
            found.append(((start, window[1]), before + size))
        else:
            found.append((window, size))
    return [window for window, _ in found]


def _bordering(windows: Sequence[Window]) -> list[Window]:
    """The windows, each up to the very beginning of the next one."""
    return [(each[0], then[0]) for each, then in zip(windows, [*windows[1:], EVERYTHING], strict=True)]
