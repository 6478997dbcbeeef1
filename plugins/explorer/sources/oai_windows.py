"""A long list divided into windows by date, to be read side by side.

The server says how long a list is (``completeListSize``), so windows are made to hold about as much each: where a border
has to stand is guessed from what is known of the sizes around it, and asked. A border belongs to both of its
windows, as servers do not agree on what happens at one; who reads a record twice takes it once. The first window is open
at its beginning and the last one at its end, so no datestamp, however odd, falls outside. A server whose sizes do not add
up, as it looks at no dates or leaves out some, gets one list.

What changes while the windows are read may leave one that is not read yet for one that is: the source reads what changed
since then once more, when all windows are read.
"""

from __future__ import annotations

import logging
from bisect import insort
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from explorer.sources import SourceError
from explorer.sources.oai_narrowing import Narrowing, Window, in_unit, is_outside, moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta
    from typing import Literal

    from explorer.sources.oai_protocol import OaiRepository

log = logging.getLogger(__name__)

RECORDS_PER_WINDOW = 5000  # of a list that is divided by its length: fifty pages of the usual size
MOST_WINDOWS = 32  # of such a list
PROBES_PER_BORDER = 24  # at most, as half of them halve the time; each is one page of ListIdentifiers
WORTHLESS = 0.9  # of all records in one window, whose dates cannot be told apart: then one list is as good
UNEVEN = 0.1  # of its share: how much longer a window may be at each end
DOUBLED = 1.25  # how much more all windows together may hold than the list, for what servers give twice at borders


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
        borders = division.by_size(whole.size, number) if whole.size else division.by_time(number)
    except (SourceError, _UnreliableError) as error:
        log.info("the list is read in one go, not by windows of time: %s", error)
        return None
    return Divided(list(pairwise(["", *borders, ""])), whole.response_date) if borders else None


def changed_since(repository: OaiRepository, moment: str, overlap: timedelta) -> str:
    """The ``from`` of a list of what changed since a moment, with an overlap, as the repository takes it."""
    found = moment_of(moment)
    return in_unit(repository, found - overlap) if found else ""


@dataclass(frozen=True, slots=True)
class _Division:
    """The borders between windows, oldest first, as the repository takes datestamps."""

    narrowing: Narrowing

    def by_size(self, size: int, number: int) -> list[str]:
        """Borders of ``number`` windows of about the same size; none where that cannot be, or is of no use.

        Raises ``_UnreliableError`` and ``SourceError``.
        """
        share = size / number
        first, last = self.narrowing.span()
        known = [(first, 0), (last, size)]  # moments, and how many records changed until then
        found = dict(self._border(known, each * share, share * UNEVEN) for each in range(1, number))
        counts = {moment: count for moment, count in sorted(found.items()) if first < moment < last}
        if not counts:
            return []
        if max(then - before for before, then in pairwise([0, *counts.values(), size])) > size * WORTHLESS:
            return []
        moment = list(counts)[len(counts) // 2]
        since = self._size((self._text(moment), ""))
        if not size <= counts[moment] + since <= size * DOUBLED:
            message = f"of {size} records, {counts[moment]} changed until {self._text(moment)} and {since} since"
            raise _UnreliableError(message)
        return list(dict.fromkeys(map(self._text, counts)))

    def _border(self, known: list[tuple[datetime, int]], target: float, near: float) -> tuple[datetime, int]:
        """A moment until which about ``target`` records changed, with their number. Adds what it hears to ``known``.

        Guesses by proportion and halves by turns: the one is quick where changes came evenly, the other where not.
        """
        for attempt in range(PROBES_PER_BORDER):
            closest = min(known, key=lambda point: abs(point[1] - target))
            if abs(closest[1] - target) <= near:
                return closest
            below = max(point for point in known if point[1] <= target)
            above = min(point for point in known if point[1] > target)
            part = 0.5 if attempt % 2 else (target - below[1]) / (above[1] - below[1])
            unit = self.narrowing.unit()
            moment = below[0] + max((above[0] - below[0]) * part // unit, 1) * unit
            if moment >= above[0]:
                break  # so many in one day, or second
            count = self._size(("", self._text(moment)))
            if not below[1] <= count <= above[1]:
                message = f"{below[1]}, {count} and {above[1]} records would have changed until one moment and the next"
                raise _UnreliableError(message)
            insort(known, (moment, count))
        return min(known, key=lambda point: abs(point[1] - target))

    def by_time(self, number: int) -> list[str]:
        """Borders of windows of the same length, where the server does not say how many records there are."""
        first, last = self.narrowing.span()
        moments = [first + (last - first) * each / number for each in range(1, number)]
        borders = list(dict.fromkeys(map(self._text, moments)))
        window = ("", borders[0])
        oldest = self.narrowing.repository.ask("ListIdentifiers", self.narrowing.within(window))
        if any(is_outside(each.header, window) for each in oldest.records):
            raise _UnreliableError("its dates are not looked at")
        return borders

    def _text(self, moment: datetime) -> str:
        return in_unit(self.narrowing.repository, moment)

    def _size(self, window: Window) -> int:
        document = self.narrowing.repository.ask("ListIdentifiers", self.narrowing.within(window))
        if document.size is not None:
            return document.size
        if document.token:
            raise _UnreliableError("it is not always said how long a list is")
        return len(document.records)
