"""How Pure writes a moment and a day: each version in its own way, and some in two ways at once."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date
    from zoneinfo import ZoneInfo


def _clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def as_if_utc(moment: datetime) -> str:
    """Up to 521: the local clock, marked as if it were UTC: ``2019-06-20T18:38:43.369+0000``."""
    return _clock(moment) + "+0000"


def with_colon(moment: datetime) -> str:
    """522 and 523: ``2019-06-20T18:38:43.369-05:00``."""
    offset = moment.strftime("%z")  # of days before there were zones: with seconds, which Pure drops
    return f"{_clock(moment)}{offset[:3]}:{offset[3:5]}"


def without_colon(moment: datetime) -> str:
    """524: ``2019-06-20T18:38:43.369-0500``."""
    return _clock(moment) + moment.strftime("%z")[:5]


def trimmed(moment: datetime) -> str:
    """The new API: as few digits of the fraction as needed: ``2026-01-15T08:09:29.84-05:00``."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return text + with_colon(moment)[-6:]


def in_utc(moment: datetime) -> str:
    """With a Z, and no fraction: seen nowhere yet, and as good as the others."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


MOMENTS: Mapping[str, Callable[[datetime], str]] = {
    "as_if_utc": as_if_utc, "with_colon": with_colon, "without_colon": without_colon, "trimmed": trimmed, "in_utc": in_utc,
}  # fmt: skip


def usual(version: str) -> Callable[[datetime], str]:
    """How a version writes the times of ``info``."""
    if version == "new":
        return trimmed
    if version <= "521":
        return as_if_utc
    return with_colon if version <= "523" else without_colon


def noon(day: date, version: str, zone: ZoneInfo) -> str:
    """A day of the old service's periods: noon by the local clock."""
    moment = datetime.combine(day, time(12), zone)
    return as_if_utc(moment) if version <= "521" else without_colon(moment)
