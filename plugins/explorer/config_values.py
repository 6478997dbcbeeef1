"""The values that a configuration may hold: what each must look like, and the sentence for one that does not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

SCHEDULES = {"hourly": "0 * * * *", "daily": "0 0 * * *", "weekly": "0 0 * * 0", "monthly": "0 0 1 * *"}
CRON_FIELDS = 5

# What a text must look like, in words, for the message that says it does not.
SLUG = r"^[a-z][a-z0-9_]*$"
ONE_LINE = r"^[^\x00-\x1f\x7f]+$"
CONNECTION_ID = r"^[A-Za-z][A-Za-z0-9_.-]*$"
PATTERNS = {
    SLUG: "small letters a-z, digits and _, a letter first",
    ONE_LINE: "one line of text",
    CONNECTION_ID: "the id of an Airflow connection: letters, digits, _, . and -, a letter first",
}

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")
_MAIL = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@(?:{_LABEL}\.)+{_LABEL}")
_DURATION = re.compile(r"([1-9][0-9]{0,3}) (hour|day|week)s?")


def _schedule(text: str) -> str:
    if text in SCHEDULES or text == "none" or _is_cron(text):
        return text
    allowed = ", ".join([*SCHEDULES, "none"])
    raise ValueError(f'`{text}` is no schedule; allowed: {allowed}, or five cron fields in quotes, like "0 3 * * 1"')


def _is_cron(text: str) -> bool:
    """Whether these are five cron fields that come round and mean the same every time they are read."""
    fields = text.split()
    if len(fields) != CRON_FIELDS or any(re.match(r"[rh]($|\()", field, re.IGNORECASE) for field in fields):
        return False
    try:
        croniter(text, datetime(2000, 1, 1, tzinfo=UTC)).get_next()
    except CroniterError:
        return False
    return True


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"`{text}` is no time zone; allowed: the names of the IANA list, like Europe/London") from None
    return text


def _mail(text: str) -> str:
    if not _MAIL.fullmatch(text):
        raise ValueError(f"`{text}` is no e-mail address; allowed: one address alone, like library@lilliput.example")
    return text


def _domain(text: str) -> str:
    if not _DOMAIN.fullmatch(text):
        raise ValueError(
            f"`{text}` is no domain; allowed: a name without https:// and path, like repo.lilliput.example"
        )
    return text.lower()


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("no duration; allowed: a number of hours, days or weeks, like `7 days`")
    return timedelta(**{f"{match[2]}s": int(match[1])})


def in_words(duration: timedelta) -> str:
    """A duration as a file says it: ``7 days``, ``36 hours``."""
    hours = int(duration.total_seconds()) // 3600
    number, unit = (hours // 24, "day") if hours % 24 == 0 else (hours, "hour")
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _without_login(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("is no address; allowed: https://…") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a login: a secret never stands in this file")
    return text


def _address(text: str) -> str:
    parts = urlsplit(_without_login(text))
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError("is no address; allowed: https://…")
    return text


def _location(text: str) -> str:
    if "://" in text:
        return _address(text)
    if not text.strip() or "\x00" in text:
        raise ValueError("is no path; allowed: a path, relative to this file, or https://…")
    return text


def only_https(address: str | None, info: ValidationInfo) -> str | None:
    """A field's check: unencrypted only where the same part of the file allows it."""
    if address and address.startswith("http://") and not info.data.get("allow_http", False):
        raise ValueError("is not encrypted; allowed: https://…, or put `allow_http: true` beside it")
    return address


Text = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=ONE_LINE, strip_whitespace=True)]
Watched = Annotated[Text, AfterValidator(_without_login)]
Slug = Annotated[str, StringConstraints(max_length=30, pattern=SLUG)]
Mail = Annotated[str, AfterValidator(_mail)]
Domain = Annotated[str, AfterValidator(_domain)]
Schedule = Annotated[str, AfterValidator(_schedule)]
Timezone = Annotated[str, AfterValidator(_timezone)]
ConnectionId = Annotated[str, StringConstraints(max_length=200, pattern=CONNECTION_ID)]
Address = Annotated[str, AfterValidator(_address)]
Location = Annotated[str, AfterValidator(_location)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(in_words, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["7 days"]}),
]

Platform = Literal["eprints", "bepress", "dspace6", "dspace7", "diva", "haplo", "esploro", "generic"]
Role = Literal[
    "author", "author_id", "orcid", "email", "department", "section", "title", "type", "year", "venue", "ignore",
    "doi", "pmid", "arxiv", "ads", "nct_id", "repec", "handle", "urn", "isbn", "uri",
]  # fmt: skip
SECTION = r"^section:.*\S.*$"


def _section_or_role(value: object, check: ValidatorFunctionWrapHandler) -> object:
    return value if isinstance(value, str) and re.fullmatch(SECTION, value) else check(value)


ColumnRole = Annotated[
    Role,
    WrapValidator(_section_or_role),
    WithJsonSchema({"anyOf": [{"enum": list(get_args(Role))}, {"type": "string", "pattern": SECTION}]}),
]
ElementsVersion = Literal["4.9", "5.5", "6.13"]
PureVersion = Literal[
    "510", "511", "512", "513", "514", "515", "516", "517", "518", "519", "520", "521", "522", "523", "524", "new",
]  # fmt: skip
