"""What any object of Pure is made of: texts, references, days, and whether it may be shown. Pure functions.

Keys are absent rather than empty, what is one value in one version is a list in another, and a text may be bare, in
locales, or wrapped: all of these are read alike, and nothing here raises for whatever JSON may hold.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Any

import yaml

from explorer import mapping
from explorer.records import Level

Item = Mapping[str, Any]

TAG = re.compile(
    r"</?(?:a|abbr|b|bdi|br|cite|code|div|em|font|h[1-6]|i|li|mark|ol|p|q|s|small|span|strike|strong|sub|sup|tt|u|ul"
    r"|(?:m(?:ml)?:)?m(?:ath|row|i|n|o|sub|sup|subsup|text|frac|sqrt|over|under|style|space|fenced|table|tr|td))"
    r"(?:\s+[\w:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>]+))*\s*/?>",
    re.IGNORECASE,
)
BLOCK = re.compile(r"</?(?:br|p|div|li|h[1-6])\b", re.IGNORECASE)
DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?!\d))?)?(?![\d-])")
NO_LETTER = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Rules:
    """``include/mappings/pure.yaml``: the names that things go by, and what is made of them."""

    units: Sequence[str]
    unit: Sequence[str]
    contributors: Sequence[str]
    associations: Sequence[str]
    period: Sequence[str]
    subtitle: Sequence[str]
    versions: Sequence[str]
    links: Sequence[str]
    isbns: Sequence[str]
    ids: Sequence[str]
    venue: Sequence[str]
    identifiers: Mapping[str, str]
    person_ids: Mapping[str, str]
    visibilities: Sequence[str]
    hidden_steps: Sequence[str]
    strict_steps: Sequence[str]
    isbn_of_container: Sequence[str]


@cache
def rules() -> Rules:
    """The rules as the file has them."""
    return Rules(**yaml.safe_load((mapping.FOLDER / "pure.yaml").read_bytes()))


def one_of(item: Item, names: Sequence[str]) -> Any:  # noqa: ANN401 - any JSON
    """The value of the first of several keys that is there."""
    for name in names:
        value = item.get(name)
        if value is not None:
            return value
    return None


def each(value: object) -> Sequence[Item]:
    """The objects of a list; a single object is a list of one."""
    if type(value) is list:
        for one in value:
            if type(one) is not dict:
                return [one for one in value if isinstance(one, dict)]
        return value
    return [value] if isinstance(value, dict) else ()


def raw_text(value: object) -> str:
    """A text in any of its wrappings, in English where it is there in several languages; empty where there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        english = [one for one in value if isinstance(one, dict) and str(one.get("locale", "")).startswith("en")]
        return next((found for one in [*english, *value] if (found := raw_text(one))), "")
    if isinstance(value, dict):
        for name in ("value", "text", "term", "title"):
            if name in value and (found := raw_text(value[name])):
                return found
        locales = sorted((name for name in value if isinstance(name, str)), key=lambda name: not name.startswith("en"))
        return next((value[name] for name in locales if LOCALE.fullmatch(name) and isinstance(value[name], str)), "")
    return ""


def _plain(found: str) -> str:
    if "<" in found:
        found = TAG.sub(lambda tag: " " if BLOCK.match(tag[0]) else "", found)
    return mapping.plain(found)


SHORT = 60  # names of types, journals, units: they come again and again
_plain_remembered = lru_cache(maxsize=8192)(_plain)
LOCALE = re.compile(r"[a-z]{2,3}(?:[_-][A-Za-z0-9]{2,8})*")


def text(value: object) -> str:
    """A text on one line, without markup."""
    found = raw_text(value)
    return (_plain_remembered if len(found) < SHORT else _plain)(found) if found else ""


def uuid_of(value: object) -> str | None:
    """The uuid of an object or of a reference to one."""
    if type(value) is dict:
        uuid = value.get("uuid")
        return (uuid.strip() or None) if type(uuid) is str else None
    return next((found for one in value if (found := uuid_of(one))), None) if isinstance(value, list) else None


def uuids(value: object) -> list[str]:
    """The uuids of a list of references, none twice."""
    found = [uuid for one in each(value) if (uuid := uuid_of(one))]
    return found if len(found) < 2 else list(dict.fromkeys(found))  # noqa: PLR2004 - nothing to compare


def uri_end(value: object) -> str:
    """The last word of a type's URI."""
    uri = next((uri for one in each(value) if isinstance(uri := one.get("uri"), str)), "")
    return uri.rstrip("/").rpartition("/")[2]


def letters(value: str) -> str:
    """A word as it compares with others."""
    return NO_LETTER.sub("", value).casefold()


def is_true(value: object) -> bool:
    """Whether a flag is set; anything but false, and nothing, is."""
    if value is None or value is False or value == 0:
        return False
    return raw_text(value).strip().casefold() not in {"", "false", "0", "no"} if not isinstance(value, bool) else True


def previous(item: Item) -> list[str]:
    """The uuids of what was merged into an object."""
    info = item.get("info")
    stated = item.get("previousUuids") or (info.get("previousUuids") if isinstance(info, dict) else None)
    if not isinstance(stated, list):
        return []
    found = [one.strip() if isinstance(one, str) else uuid_of(one) or raw_text(one) for one in stated]
    return [one for one in found if one and one != item.get("uuid")]


def misshapen(item: Item, names: Sequence[str]) -> str | None:
    """The first of these keys whose value is there but no list and no object, so that what it says is not known."""
    return next(
        (name for name in names if item.get(name) is not None and not isinstance(item[name], list | dict)), None
    )


# --- who may be shown

PRIVATE: Level = "private"
USUAL_STEPS = (
    "approved",
    "validated",
    "forApproval",
    "forValidation",
)  # what nearly all say; the rules below say the same


def withheld(item: Item, *, strict: bool = False) -> str | None:
    """The rule by which an object may not be shown; None for one that may.

    Visibility FREE, not confidential, no entry in progress (integration guide, "Pure"; an absent workflow passes, since
    520 and 521 never state one). ``strict``: only what is validated or approved.
    """
    return (
        _by_visibility(item.get("visibility"))
        or ("confidential" if item.get("confidential") is not None and _confidential(item["confidential"]) else None)
        or _by_workflow(item.get("workflow"), strict=strict)
    )


def stated_withheld(item: Item, told: Collection[str] = (), *, strict: bool = False) -> str | None:
    """As ``withheld``, for an object of which only some fields were asked.

    What is not stated speaks against nothing, but for the fields that are ``told`` of others.
    """
    if "visibility" not in told and item.get("visibility") is None:
        item = {**item, "visibility": {"key": "FREE"}}
    return withheld(item, strict=strict and ("workflow" in told or item.get("workflow") is not None))


def _by_visibility(stated: object) -> str | None:
    if type(stated) is dict and stated.get("key") == "FREE":  # what nearly all say
        return None
    if stated is None or stated in ({}, [], ""):
        return "visibility_missing"
    parts = [
        one.get("key") if isinstance(one, dict) else one for one in (stated if isinstance(stated, list) else [stated])
    ]
    keys = {key if isinstance(key, str | None) else "?" for key in parts}
    if keys == {"FREE"}:
        return None
    if keys == {None}:
        return "visibility_missing"
    others = sorted(key for key in keys if isinstance(key, str) and key != "FREE")
    known = [key for key in rules().visibilities if key in others]
    return f"visibility_{known[-1].lower()}" if known and len(known) == len(others) else "visibility_unknown"


def _confidential(value: object) -> bool:
    if isinstance(value, bool):
        return value
    return raw_text(value).strip().casefold() != "false"


def _by_workflow(stated: object, *, strict: bool) -> str | None:
    if stated is None or stated in ({}, [], ""):
        return "workflow_missing" if strict else None
    if type(stated) is dict and not strict and stated.get("workflowStep", stated.get("step")) in USUAL_STEPS:
        return None
    found = []
    for one in stated if isinstance(stated, list) else [stated]:
        step = one.get("workflowStep", one.get("step")) if isinstance(one, dict) else one
        step = step.get("key", step.get("value")) if isinstance(step, dict) else step
        found.append(letters(step) if isinstance(step, str) else "")
    if "" in found:
        return "workflow_unknown"
    if any(step in rules().hidden_steps for step in found):
        return "entry_in_progress"
    return "workflow_step" if strict and not all(step in rules().strict_steps for step in found) else None


# --- days


def day(value: object, *, last: bool = False) -> date | None:
    """The day of a date as it is written, never through UTC; of a month or a year the first, or the ``last``.

    None where there is none that can be read.
    """
    if isinstance(value, dict):
        parts = [value.get(name) for name in ("year", "month", "day")] if value.get("year") else []
        numbers = [int(part) for part in parts if isinstance(part, int | str) and str(part).strip().isdecimal()]
        value = "-".join(f"{number:04d}" if place == 0 else f"{number:02d}" for place, number in enumerate(numbers))
    found = DAY.match(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    year, month, of_month = (int(part) if part else None for part in found.groups())
    try:
        if of_month:
            return date(year or 0, month or 0, of_month)
        if not last:
            return date(year or 0, month or 1, 1)
        following = date((year or 0) + (month in {None, 12}), 1 if month in {None, 12} else month + 1, 1)
        return date.fromordinal(following.toordinal() - 1)
    except ValueError:
        return None


def holds(period: object, today: date) -> bool:
    """Whether a period holds the day; one without an end is open, one with an end that cannot be read has ended."""
    if not isinstance(period, dict):
        return True
    begins, ends = period.get("startDate"), period.get("endDate")
    if begins is not None:
        start = day(begins)
        if start is None or start > today:
            return False
    if ends is None:
        return True
    end = day(ends, last=True)
    return end is not None and end >= today


def periods(item: Item) -> Iterator[object]:
    """The periods of an association: one, several, or none."""
    stated = one_of(item, rules().period)
    yield from stated if isinstance(stated, list) and stated else (stated,)
