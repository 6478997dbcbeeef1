"""What an answer about one tracked output says, in our words. Pure: no clock, no network, no database.

The Details Page API delivers two shapes, "counts" and "fetch"; a file of records holds either, research outputs as the
Explorer API lists them, or our own export. The provider's names contradict its own glossary (``cited_by_…`` are mentions);
they end here. Whatever is not a plain number, an address or a date where one is expected is left out, never guessed; an
answer that says no number of mentions that can be read is no record, so that no zero is made up. Texts, profiles, quotes
and titles are dropped on arrival; of a tweet the id stays.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from explorer import identifiers
from explorer.records import Identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The provider's names of a source of attention, in counts and in fetch, and ours. Unknown ones stay as they are.
SOURCES: Mapping[str, str] = {
    "msm": "news", "news": "news", "feeds": "blogs", "blogs": "blogs", "policies": "policy", "policy": "policy",
    "patents": "patents", "patent": "patents", "guidelines": "guidelines", "guideline": "guidelines",
    "wikipedia": "wikipedia", "tweeters": "x", "twitter": "x", "bluesky": "bluesky", "fbwalls": "facebook",
    "facebook": "facebook", "rdts": "reddit", "reddit": "reddit", "videos": "video", "video": "video", "qna": "qna",
    "q&a": "qna", "qs": "qna", "peer_review_sites": "peer_review", "peerreview": "peer_review", "f1000": "f1000",
    "syllabi": "syllabi", "podcasts": "podcasts", "gplus": "google_plus", "googleplus": "google_plus",
    "linkedin": "linkedin", "pinners": "pinterest", "pinterest": "pinterest", "weibo": "weibo",
    # The Explorer's, where they are others.
    "blog": "blogs", "tweet": "x", "fbwall": "facebook", "rdt": "reddit", "peer_review": "peer_review", "podcast": "podcasts",
}  # fmt: skip
COHORTS: Mapping[str, str] = {
    "member_of_the_public": "pub", "researcher": "sci", "science_communicator": "com", "practitioner": "doc",
}  # fmt: skip
OUTLETS = frozenset({"news", "blogs", "policy", "patents", "guidelines", "peer_review"})  # elsewhere it is a person
LARGEST = 10**12  # as many counts as fit into an answer can still be added up
LONGEST = 2000  # characters of an address or an outlet's name
LONGEST_NAME = 100  # characters of a name that the provider gives to a source or a count
LONGEST_NUMBER = 100  # digits; the decimals of a score are kept as delivered
LONGEST_KEY = 500  # bytes by which a mention is known
LONGEST_IDENTIFIER = 1000  # bytes
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_HOST = re.compile(r"https?://([^/?#:@]+)", re.IGNORECASE)
_TOTALS = frozenset({"posts", "accounts"})
_IDENTIFIERS = (
    ("doi", "doi"), ("pmid", "pmid"), ("arxiv_id", "arxiv"), ("ads_id", "ads"), ("nct_id", "nct_id"),
    ("repec_id", "repec"), ("handle", "handle"), ("handles", "handle"), ("isbns", "isbn"), ("urn", "urn"), ("uri", "uri"),
    # The Explorer's
    ("dois", "doi"), ("pubmed-ids", "pmid"), ("arxiv-ids", "arxiv"), ("ads-ids", "ads"), ("nct-ids", "nct_id"),
    ("repec-ids", "repec"), ("urns", "urn"),
)  # fmt: skip


class MalformedError(Exception):
    """An answer that holds no record; the message says what it is."""


@dataclass(frozen=True, slots=True)
class SourceCount:
    """How much attention came from one source: distinct accounts, and mentions where the answer says so."""

    accounts: int | None
    posts: int | None = None


@dataclass(frozen=True, slots=True)
class Mention:
    """One mention. ``key`` is a tweet's id, else its address where it is short, else a digest; a tweet has its id alone."""

    source: str
    key: str
    outlet: str | None = None
    posted_at: datetime | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A tracked output. ``score`` as delivered; ``identifiers`` those that the answer names for it."""

    altmetric_id: str
    mentions: int
    score: Decimal | None = None
    type: str | None = None
    sources: Mapping[str, SourceCount] = field(default_factory=dict)
    readers: Mapping[str, int] = field(default_factory=dict)
    cohorts: Mapping[str, int] = field(default_factory=dict)
    gained: Mapping[str, Decimal] = field(default_factory=dict)
    citations: int | None = None
    details_url: str | None = None
    badge_url: str | None = None
    last_mentioned_at: datetime | None = None
    identifiers: tuple[Identifier, ...] = ()
    posts: tuple[Mention, ...] | None = None

    @property
    def named(self) -> tuple[Identifier, ...]:
        """Its identifiers and their aliases, as a preprint's DOI beside its arXiv ID."""
        aliases = identifiers.aliases(self.identifiers)
        return (*self.identifiers, *(each for each in aliases if each.scheme != "isbn" or self.type != "chapter"))

    def contradicts(self, asked: Identifier) -> bool:
        """Whether it names other identifiers of that scheme, but not the one that was asked for.

        Of addresses one may lead to another. An ISBN speaks for a book: a chapter's record is not what was asked for by one.
        """
        if asked.scheme == "isbn" and self.type == "chapter":
            return True
        named = [each for each in self.named if each.scheme == asked.scheme]
        agrees = asked.value.lower() in {each.value.lower() for each in named}
        return not (agrees or asked.scheme == "uri" or all(each.derived for each in named))


def decoded(body: bytes) -> Any:  # noqa: ANN401 - JSON
    """JSON with its decimals as delivered, and with texts that can be stored. Raises ``MalformedError``."""
    try:
        made = json.loads(body, parse_float=_plain, parse_int=_plain, parse_constant=_no_number)
        return _storable(made) if b"\\u" in body or b"\0" in body or b"\xed" in body else made
    except (ValueError, RecursionError):
        start = body[:40].decode("ascii", "replace").strip()
        message = f"the answer is not JSON (it begins with {start!r})" if start else "the answer is empty"
        raise MalformedError(message) from None


def _no_number(_: str) -> None:
    return None


def _plain(digits: str) -> int | Decimal | None:
    """A number as delivered; nothing where it is so long, so large or so small that nobody counts like that."""
    if len(digits) > LONGEST_NUMBER:
        return None
    if digits.removeprefix("-").isdigit():
        return int(digits)
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return None
    return number if abs(number.adjusted()) < LONGEST_NUMBER else None


def _storable(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The same without what a text of Postgres cannot hold: zero bytes, and halves of characters."""
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_storable(each) for each in value]
        case dict():
            return {_storable(key): _storable(each) for key, each in value.items()}
        case _:
            return value


def record(payload: object) -> Record:
    """The record that a payload holds, in either shape. Raises ``MalformedError``."""
    if not isinstance(payload, dict):
        message = f"the answer is a {type(payload).__name__}, not a record"
        raise MalformedError(message)
    if payload.get("type") == "research-output" and isinstance(payload.get("attributes"), dict):
        return _listed(payload)
    if _id(payload.get("altmetric_id")) is None:
        raise MalformedError("the answer has no altmetric_id")
    if "mentions" in payload and isinstance(payload.get("identifiers"), list):
        return _exported(payload)
    return _fetched(payload) if isinstance(payload.get("counts"), dict | list) else _counted(payload)


def _counted(payload: Mapping[str, Any]) -> Record:
    """The shape of ``/v1/{type}/{id}``: an absent count is zero."""
    counts: dict[str, SourceCount] = {}
    for key, value in payload.items():
        name = key.removeprefix("cited_by_").removesuffix("_count")
        if key == f"cited_by_{name}_count" and name not in _TOTALS and (number := _count(value)):
            _add(counts, name, number, None)
    said = [value for key, value in payload.items() if key.startswith("cited_by_") and key.endswith("_count")]
    score = _decimal(payload.get("score"))
    history = payload.get("history")
    return Record(
        altmetric_id=str(_id(payload["altmetric_id"])),
        # Where the total lacks, there are at least as many mentions as accounts that mention it.
        mentions=_total(payload.get("cited_by_posts_count"), [c.accounts for c in counts.values()], said, score),
        score=score,
        type=_text(payload.get("type")),
        sources=counts,
        readers=_numbers(payload.get("readers")),
        cohorts=_numbers(payload.get("cohorts")),
        gained=_decimals(history),
        details_url=_url(payload.get("details_url")),
        badge_url=_badge(payload),
        identifiers=_identifiers(payload),
    )


def _fetched(payload: Mapping[str, Any]) -> Record:
    """The shape of ``/v1/fetch/{type}/{id}``: an empty object may arrive as an empty list."""
    counts, about, score = (_object(payload.get(key)) for key in ("counts", "citation", "altmetric_score"))
    sources: dict[str, SourceCount] = {}
    for key, value in counts.items():
        each = _object(value)
        accounts, posts = _count(each.get("unique_users_count")), _count(each.get("posts_count"))
        if key not in {"total", "readers"} and (accounts or posts):
            _add(sources, key, accounts, posts)
    total = _object(counts.get("total")).get("posts_count")
    said = [each.get(key) for each in map(_object, counts.values()) for key in ("posts_count", "unique_users_count")]
    points = _decimal(score.get("score")) if "score" in score else _decimal(payload.get("score"))
    found = payload.get("posts")
    people = _object(payload.get("demographics")).get("poster_types")
    return Record(
        altmetric_id=str(_id(payload["altmetric_id"])),
        mentions=_total(total, [each.posts or each.accounts for each in sources.values()], said, points),
        score=points,
        type=_text(about.get("type")),
        sources=sources,
        readers=_numbers(counts.get("readers")),
        cohorts={COHORTS.get(key, key): number for key, number in _numbers(people).items()},
        gained=_decimals(score.get("score_history")),
        details_url=_url(payload.get("details_url")),
        badge_url=_badge(payload),
        last_mentioned_at=_date(about.get("last_mentioned_on")),
        identifiers=_identifiers(about),
        posts=None if found is None else tuple({(m.source, m.key): m for m in _mentions(_object(found))}.values()),
    )


def _listed(payload: Mapping[str, Any]) -> Record:
    """A research output of the Explorer API: its counts are mentions, not accounts; its score is rounded already."""
    if _id(payload.get("id")) is None:
        raise MalformedError("the answer has no id")
    about = payload["attributes"]
    sources: dict[str, SourceCount] = {}
    for key, number in _numbers(about.get("mentions")).items():
        _add(sources, key, None, number)
    score = _decimal(about.get("altmetric-score"))
    return Record(
        altmetric_id=str(_id(payload["id"])),
        mentions=_total(
            None, [s.posts for s in sources.values()], list(_object(about.get("mentions")).values()), score
        ),
        score=score,
        type=_text(about.get("output-type")),
        sources=sources,
        readers=_numbers(about.get("readers")),
        citations=_count(_object(about.get("dimensions")).get("citations")),
        badge_url=_url(about.get("badge-url")),
        identifiers=_identifiers({**_object(about.get("identifiers")), "type": about.get("output-type")}),
    )


def _exported(payload: Mapping[str, Any]) -> Record:
    """A line of our own export, which says all that we know (``include/sql/explorer/export_records.sql``)."""
    if _count(payload["mentions"]) is None:
        raise MalformedError("the answer says no number of mentions that can be read")
    sources: dict[str, SourceCount] = {}
    for name, stated in _object(payload.get("sources")).items():
        accounts, mentions = (_count(_object(stated).get(key)) for key in ("accounts", "posts"))
        if accounts is not None or mentions is not None:
            _add(sources, name, accounts, mentions)
    posts = payload.get("posts")
    named = [(_object(each).get("scheme"), _object(each).get("value")) for each in payload["identifiers"]]
    return Record(
        altmetric_id=str(_id(payload["altmetric_id"])),
        mentions=_count(payload["mentions"]) or 0,
        score=_decimal(payload.get("score")),
        type=_text(payload.get("type")),
        sources=sources,
        readers=_numbers(payload.get("readers")),
        cohorts=_numbers(payload.get("cohorts")),
        gained=_decimals(payload.get("gained")),
        citations=_count(payload.get("citations")),
        details_url=_url(payload.get("details_url")),
        badge_url=_url(payload.get("badge_url")),
        last_mentioned_at=_date(payload.get("last_mentioned_at")),
        identifiers=tuple(
            Identifier(scheme, canonical)
            for scheme, value in named
            if isinstance(scheme, str) and scheme in identifiers.SCHEMES and isinstance(value, str)
            and (canonical := _canonical(scheme, value)) is not None
        ),
        posts=tuple(_exported_mentions(posts)) if isinstance(posts, list) else None,
    )  # fmt: skip


def _exported_mentions(posts: list[object]) -> Iterator[Mention]:
    for post in map(_object, posts):
        name, key = _text(post.get("source")), _text(post.get("key"))
        source = _name(name or "")
        if source == "x" and (tweet := _tweet(key)):
            yield Mention("x", tweet)
        elif source != "x" and name and key:
            outlet = _text(post.get("outlet")) if source in OUTLETS else None
            yield Mention(source, _key(key), outlet, _date(post.get("posted_at")), _url(post.get("link")))


def _total(stated: object, counted: list[int | None], said: list[object], score: Decimal | None) -> int:
    """All mentions: as stated, else at least those that were counted; none where nothing is said of any.

    Raises ``MalformedError`` where there is something said (a number that is none, a score) that no number can be had of.
    """
    number, least = _count(stated), sum(each or 0 for each in counted)
    if number or (number is not None and not least):
        return number
    if least:
        return least
    unreadable = [each for each in said if each is not None and each not in ([], {}) and _count(each) is None]
    if unreadable or score:
        raise MalformedError("the answer says no number of mentions that can be read")
    return 0


def _mentions(posts: Mapping[str, Any]) -> Iterator[Mention]:
    for name, rows in posts.items():
        source = _name(name)
        for post in rows if isinstance(rows, list) else ():
            if not isinstance(post, dict):
                continue
            if source == "x":
                if tweet := _tweet(post.get("tweet_id")):
                    yield Mention("x", tweet)
                continue
            outlet = _outlet(post) if source in OUTLETS else None
            posted_at = _date(post.get("posted_on"))
            # What is licensed is counted, but its address is not passed on.
            link = _url(post.get("url")) if post.get("license") in (None, "public") else None
            known = json.dumps([outlet, str(posted_at), post.get("url")], default=str)
            yield Mention(source, _key(link) if link else _digest(known), outlet, posted_at, link)


def _tweet(value: object) -> str | None:
    text = _text(value)
    return text if text and text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else None


def _key(text: str) -> str:
    """By what a mention is known: an address as it is, a long one by its digest."""
    return text if len(text.encode()) <= LONGEST_KEY else _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _outlet(post: Mapping[str, Any]) -> str | None:
    return _text(_object(post.get("source")).get("name")) or _text(_object(post.get("author")).get("name"))


def _identifiers(about: Mapping[str, Any]) -> tuple[Identifier, ...]:
    """What the answer names, canonical. ISBNs of a chapter are its book's: they name it not."""
    is_chapter = about.get("type") == "chapter"
    found: list[Identifier] = []
    for key, scheme in _IDENTIFIERS:
        values = about.get(key)
        for value in values if isinstance(values, list) else [values]:
            text = _text(value)
            if text is None or (scheme == "isbn" and is_chapter):
                continue
            if (value := _canonical(scheme, text)) is not None:
                found.append(Identifier(scheme, value))
    return tuple(dict.fromkeys(found))


def _canonical(scheme: str, text: str) -> str | None:
    """An identifier as we write it; none where something in it was replaced or is too long, or where it is of another kind."""
    domains = [match[1]] if scheme == "uri" and (match := _HOST.match(text)) else []
    parsed = identifiers.parse(scheme, text, uri_domains=domains)
    if parsed.value is None or parsed.scheme != scheme or "\ufffd" in parsed.value:
        return None
    return without_version(scheme, parsed.value) if len(parsed.value.encode()) <= LONGEST_IDENTIFIER else None


def folded(identifier: Identifier) -> str:
    """A value as it is compared: letters of a DOI or a Bibcode without their case, those of a Handle or an address with it."""
    return identifier.value if identifier.scheme in {"handle", "repec", "urn", "uri"} else identifier.value.lower()


def without_version(scheme: str, value: str) -> str:
    """An arXiv ID is tracked without its version."""
    if scheme != "arxiv":
        return value
    plain, v, version = value.rpartition("v")
    return plain if v and version.isdigit() else value


def _badge(payload: Mapping[str, Any]) -> str | None:
    images = _object(payload.get("images"))
    return next((url for size in ("medium", "small", "large") if (url := _url(images.get(size)))), None)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _add(counts: dict[str, SourceCount], name: str, accounts: int | None, posts: int | None) -> None:
    """Counts of a source, to those that came under another of its names."""
    before = counts.get(_name(name), SourceCount(None))
    counts[_name(name)] = SourceCount(_both(before.accounts, accounts), _both(before.posts, posts))


def _both(one: int | None, other: int | None) -> int | None:
    return one if other is None else other + (one or 0)


def _name(name: str) -> str:
    """What a source is called here: by our word for it, else as the provider names it."""
    return SOURCES.get(name, name.strip()[:LONGEST_NAME] or "unnamed")


def _numbers(value: object) -> dict[str, int]:
    """Counts by name; what is no count, or zero or less, is left out."""
    return {key[:LONGEST_NAME]: number for key, each in _object(value).items() if (number := _count(each))}


def _decimals(value: object) -> dict[str, Decimal]:
    found = {key[:LONGEST_NAME]: _decimal(each) for key, each in _object(value).items()}
    return {key: number for key, number in found.items() if number is not None}


def _count(value: object) -> int | None:
    """A whole number from zero, also as text; -1 and the like mean that nothing is known."""
    number = _decimal(value)
    return int(number) if number is not None and number == number.to_integral_value() else None


def _decimal(value: object) -> Decimal | None:
    """A number from zero as delivered, also as text."""
    if isinstance(value, str):
        text = value.strip()
        value = _plain(text) if _NUMBER.fullmatch(text) else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value) if 0 <= value < LARGEST else None


def _text(value: object) -> str | None:
    """A text or a whole number (also as 12.0) as text; nothing for an empty one."""
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip()[:LONGEST] or None


def _id(value: object) -> str | None:
    """The provider's id of a record."""
    text = _text(value)
    return text if text and text.isascii() and text.isprintable() and len(text) <= LONGEST_NAME else None


def _url(value: object) -> str | None:
    text = value.strip() if isinstance(value, str) else ""
    fits = (
        text.startswith(("https://", "http://"))
        and len(text) <= LONGEST
        and text.isprintable()
        and "\ufffd" not in text
    )
    return text if fits else None


def _date(value: object) -> datetime | None:
    """ISO 8601, or seconds since 1970, also as text; nothing outside the years 1970 to 2100."""
    seconds = _decimal(value)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(int(seconds), UTC) if seconds < 4_102_444_800 else None  # noqa: PLR2004 - 2100
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
    if found is None:
        return None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found if 1970 < found.year < 2100 else None  # noqa: PLR2004
