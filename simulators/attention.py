"""A Details Page server with batches: the shapes of real answers, keys of three tiers, rate limits, scores that move.

What is tracked, and how much attention it got, follows from the identifier alone, and from the day: nothing is stored, so a
million identifiers cost nothing. Keys: ``commercial-…`` may do everything, ``free-…`` only single counts, any other is wrong.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, unquote

from simulators.repository import wall_clock
from simulators.serving import TRANSPORT_FAULTS, Answer, Call, Fault, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

EPOCH = date(2026, 1, 1)
TYPES = ("doi", "handle", "pmid", "arxiv", "ads", "ssrn", "repec", "isbn", "id", "nct_id", "urn", "uri")
COUNTS = ("msm", "feeds", "policies", "tweeters", "wikipedia", "fbwalls", "rdts", "bluesky", "videos")
FETCHED = {"msm": "news", "feeds": "blogs", "policies": "policy", "tweeters": "twitter", "wikipedia": "wikipedia",
           "fbwalls": "facebook", "rdts": "reddit", "bluesky": "bluesky", "videos": "video"}  # fmt: skip
WEIGHTS = {"msm": 8.0, "feeds": 5.0, "policies": 3.0, "tweeters": 0.25, "wikipedia": 3.0, "fbwalls": 0.25, "rdts": 0.25,
           "bluesky": 0.25, "videos": 0.25}  # fmt: skip
MOST_IDS = 100_000
MOST_RECORDS = 100

# Faults of this server; each is laid over a sound answer.
FAULTS: Mapping[str, str] = {
    "too_often": "429 without Retry-After",
    "enhance_your_calm": "420, as in old days",
    "maintenance": "502 as HTML",
    "invalid": "400",
    "tier": "403 to a key that is too low",
    "wrong_key": "401",
    "see_other_place": "307 to the same place once more, for a POST",
    "strings": "numbers as texts",
    "minus_one": "reader counts of -1",
    "no_readers": "without readers, history, cohorts",
    "empty_lists": "empty objects as lists",
    "negative": "negative counts",
    "no_id": "a record without altmetric_id",
    "other_record": "a record of something else",
    "changed_hands": "the record of another output under this id",
    "chapter": "the record of a chapter",
    "id_missing": "one id lacks in results",
    "ids_as_numbers": "translated ids as numbers",
    "unknown_source": "a source that nobody knows",
    "exhausted": "the right answer, and an hourly quota that is used up",
    "no_tweets_left": "the right answer, and a quota of tweet ids that is used up",
    "oversized": "an answer of 21 MiB",
    "lost": "404 for what was tracked",
    "renumbered": "other ids than before",
}
OVER = frozenset(
    {
        "strings",
        "minus_one",
        "no_readers",
        "empty_lists",
        "negative",
        "no_id",
        "other_record",
        "changed_hands",
        "chapter",
        "unknown_source",
    }
)


@dataclass(frozen=True, slots=True)
class Limit:
    """How many calls an hour a key has; None: any number."""

    hourly: int | None = None


class Attention(Simulator):
    """The server. ``share``: how many of a hundred identifiers are tracked; ``same``: identifiers of one output."""

    path = "/v1"
    also: ClassVar[tuple[str, ...]] = ("/again/v1",)
    faults_known: ClassVar[Mapping[str, str]] = {**TRANSPORT_FAULTS, **FAULTS}

    def __init__(
        self,
        clock: Callable[[], datetime] = wall_clock,
        *,
        share: int = 40,
        same: Mapping[str, str] | None = None,
        limit: Limit | None = None,
        faults: Collection[Fault] = (),
    ) -> None:
        super().__init__(faults)
        self.clock = clock
        self.share = share
        self.same = dict(same or {})
        self.limit = limit or Limit()
        self._known: dict[str, str] = {}
        self._used = 0
        self._count = threading.Lock()

    def call_name(self, call: Call) -> str:
        parts = call.path.removeprefix("/moved").removeprefix("/again").split("/")
        return parts[2] if len(parts) > 2 else ""

    def log(self, call: Call, status: int | None, faults: tuple[str, ...] = ()) -> None:
        """Keeps the key out of the log."""
        shown = tuple((name, "…" if name == "key" else value) for name, value in call.arguments)
        super().log(Call(call.method, call.path, shown, call.headers), status, faults)

    def change(self, order: Mapping[str, object]) -> None:
        """``{"days": 3}``: so many days pass."""
        if set(order) != {"days"}:
            super().change(order)
        days = int(str(order["days"]))
        before = self.clock
        self.clock = lambda: before() + timedelta(days=days)

    def answer(self, call: Call) -> Answer:
        name = self.call_name(call)
        struck = {fault.kind for fault in self.faults.strike(name, FAULTS)}
        with self._count:
            self._used += 1
            left = None if self.limit.hourly is None else max(0, self.limit.hourly - self._used)
            over = self.limit.hourly is not None and self._used > self.limit.hourly
        if "exhausted" in struck:
            left = 0
        headers = {}
        if left is not None:
            headers = {"X-HourlyRateLimit-Limit": str(self.limit.hourly), "X-HourlyRateLimit-Remaining": str(left)}
        if "no_tweets_left" in struck:
            headers |= {"X-TweetIDRateLimit-Limit": "1500000", "X-TweetIDRateLimit-Remaining": "0"}
        made = self._refusal(call, name, struck, over=over) or self._sound(call, name, struck)
        return Answer(made.body, made.status, made.content_type, {**made.headers, **headers}, faults=tuple(struck))

    def _refusal(  # noqa: PLR0911 - a list of what may be wrong
        self, call: Call, name: str, struck: set[str], *, over: bool
    ) -> Answer | None:
        key = dict(parse_qsl(call.query)).get("key", "")
        tier = key.partition("-")[0]
        if "see_other_place" in struck and not call.path.startswith("/again"):
            place = f"/again{call.path}?key={key}"
            return Answer(b"", HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": place})
        if "wrong_key" in struck or tier not in {"free", "commercial"}:
            return _text("API key missing or invalid", HTTPStatus.UNAUTHORIZED)
        if "tier" in struck or (tier == "free" and (name in {"translate", "fetch"} or "," in call.path)):
            return _text("Your key does not include this call", HTTPStatus.FORBIDDEN)
        if over or "too_often" in struck:
            return _text("Rate limit exceeded", HTTPStatus.TOO_MANY_REQUESTS)
        if "invalid" in struck:
            return _text("Bad request", HTTPStatus.BAD_REQUEST)
        if "enhance_your_calm" in struck:
            return Answer(
                b"Enhance your calm", 429 if 420 not in HTTPStatus.__members__.values() else 420, "text/plain"
            )
        if "maintenance" in struck:
            return Answer(b"<html><body>Maintenance</body></html>", HTTPStatus.BAD_GATEWAY, "text/html")
        if "oversized" in struck:
            return Answer(b" " * (21 * 1024 * 1024), HTTPStatus.OK, "application/json")
        return None

    def _sound(self, call: Call, name: str, struck: set[str]) -> Answer:
        if name == "translate" and call.method == "POST":
            ids = next((value for argument, value in call.arguments if argument == "ids"), "").split("|")
            if len(ids) > MOST_IDS:
                return _text("Too many ids", HTTPStatus.BAD_REQUEST)
            return _json(self._translated(ids, struck))
        path = call.path.removeprefix("/moved").removeprefix("/again").removeprefix("/v1/")
        fetched = path.startswith("fetch/")
        kind, _, rest = path.removeprefix("fetch/").partition("/")
        value = unquote(rest)
        if kind not in TYPES or not value:
            return _text("Not Found", HTTPStatus.NOT_FOUND)
        if kind == "id":
            return self._by_ids(value.split(","), struck, fetched=fetched)
        if "lost" in struck or self.id_of(value) is None:
            return _text("Not Found", HTTPStatus.NOT_FOUND)
        return _json(self._spoilt(self._payload(kind, value, struck, fetched=fetched), struck))

    def _translated(self, ids: Collection[str], struck: set[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for value in ids:
            number = self.id_of(value, renumbered="renumbered" in struck)
            if number is not None and "lost" not in struck:
                self._known[number] = value
                found[value] = int(number) if "ids_as_numbers" in struck else number
        return found

    def _by_ids(self, ids: list[str], struck: set[str], *, fetched: bool) -> Answer:
        known = [id_ for id_ in ids if id_ in self._known]
        if len(ids) > MOST_RECORDS:
            return _text("Too many ids", HTTPStatus.BAD_REQUEST)
        rows = [
            self._spoilt(self._payload(scheme_of(self._known[i]), self._known[i], struck, i, fetched=fetched), struck)
            for i in reversed(known)
        ]
        if len(ids) == 1:
            return _json(rows[0]) if rows else _text("Not Found", HTTPStatus.NOT_FOUND)
        return _json({"results": rows[1:] if "id_missing" in struck else rows})

    def id_of(self, value: str, *, renumbered: bool = False) -> str | None:
        """The id under which an identifier is tracked; None if it is not."""
        work = self.same.get(value, value)
        number = _hash(work)
        if number % 100 >= self.share:
            return None
        return str((number >> 8) % 10**9 + (10**9 if renumbered else 1))

    def _payload(
        self, kind: str, value: str, struck: set[str], id_: str | None = None, *, fetched: bool
    ) -> dict[str, Any]:
        work = self.same.get(value, value)
        number = id_ or self.id_of(value, renumbered="renumbered" in struck) or "1"
        self._known[number] = value
        counts = self.counts(work)
        named = {
            {"arxiv": "arxiv_id", "ads": "ads_id"}.get(kind, kind): value,
            **({"handles": [value]} if kind == "handle" else {}),
            **({"isbns": [value]} if kind == "isbn" else {}),
        }
        if kind in {"handle", "isbn"}:
            named.pop(kind)
        shaped = _fetch if fetched else _count
        return shaped(number, named, counts, self.score(work), _hash(work))

    def counts(self, work: str) -> dict[str, int]:
        """Distinct accounts by source as of today. Three of ten have none; some fall as posts are taken back."""
        seed, days = _hash(work), (self.clock().date() - EPOCH).days
        if seed % 10 < 3:
            return {}
        made = {}
        for place, name in enumerate(COUNTS):
            level = (seed >> (place * 5)) % (40 if name == "tweeters" else 6)
            growth = (days * ((seed >> (place * 3 + 7)) % 5)) // 9 if (seed >> place) % 3 == 0 else 0
            lost = 1 if (seed + days) % 17 == 0 else 0
            if (number := max(0, level + growth - lost)) and (level > 1 or growth):
                made[name] = number
        return made

    def score(self, work: str) -> float:
        """A weighted sum that nobody but this simulator knows."""
        return round(sum(WEIGHTS[name] * number for name, number in self.counts(work).items()), 3)

    def _spoilt(self, payload: dict[str, Any], struck: set[str]) -> dict[str, Any]:
        spoils: dict[str, Callable[[dict[str, Any]], object]] = {
            "strings": lambda p: p.update(
                {k: str(v) for k, v in p.items() if k.startswith("cited_by_") or k == "score"}
            ),
            "minus_one": lambda p: p.update(readers={"mendeley": -1, "citeulike": "-1"}, readers_count=-1),
            "no_readers": lambda p: (
                [p.pop(k, None) for k in ("readers", "readers_count", "history", "cohorts")] and None
            ),
            "empty_lists": lambda p: p.update(cohorts=[], readers=[], history=[], posts=[], demographics=[]),
            "negative": lambda p: p.update({k: -3 for k in p if k.startswith("cited_by_")}),
            "no_id": lambda p: p.pop("altmetric_id", None),
            "other_record": lambda p: p.update(doi="10.5555/of-something-else", altmetric_id=77),
            "changed_hands": lambda p: p.update(
                {k: {"doi": "10.5555/another", "pmid": "1"}[k] for k in ("doi", "pmid") if k in p}
            ),
            "chapter": lambda p: p.update(type="chapter"),
            "unknown_source": lambda p: p.update(cited_by_telegraphs_count=2),
        }
        for kind in sorted(struck & OVER):
            spoils[kind](payload)
        return payload


def _count(id_: str, named: Mapping[str, Any], counts: Mapping[str, int], score: float, seed: int) -> dict[str, Any]:
    accounts = sum(counts.values())
    return {
        "title": f"Invented record {id_}", **named, "altmetric_id": int(id_), "schema": "1.5.4", "type": "article",
        "cohorts": {"pub": counts.get("tweeters", 0)} if counts else {}, "context": None,
        **{f"cited_by_{name}_count": number for name, number in counts.items()},
        **({"cited_by_posts_count": accounts + seed % 4, "cited_by_accounts_count": accounts} if counts else {}),
        "last_updated": str(1_760_000_000 + seed % 10_000_000), "score": score, "history": {"1w": 0, "at": score},
        "added_on": 1_700_000_000, "readers": {"citeulike": "0", "mendeley": str(seed % 50), "connotea": "0"},
        "readers_count": seed % 50, "tq": ["Somebody said this, which must not be kept"],
        "images": {"medium": f"https://badges.lagado.example/?size=100&score={round(score)}"},
        "details_url": f"https://attention.lagado.example/details/{id_}",
    }  # fmt: skip


def _fetch(id_: str, named: Mapping[str, Any], counts: Mapping[str, int], score: float, seed: int) -> dict[str, Any]:
    posts: dict[str, list[dict[str, Any]]] = {}
    for name, number in counts.items():
        source = FETCHED[name]
        posts[source] = [
            {"tweet_id": str(10**18 + seed % 10**9 + n), "posted_on": "2026-03-02T08:15:00+00:00", "license": "gnip",
             "author": {"tweeter_id": str(n)}}
            if source == "twitter"
            else {"title": "Invented", "url": f"https://{source}.lagado.example/{id_}/{n}", "license": "public",
                  "posted_on": f"2026-03-{n % 27 + 1:02}T09:00:00+00:00", "summary": "Not to be kept.",
                  "author": {"name": f"The {source} of Lagado {n}", "url": "https://lagado.example"}}
            for n in range(number)
        ]  # fmt: skip
    return {
        "altmetric_id": int(id_),
        "counts": {
            "readers": {"mendeley": str(seed % 50)}, "total": {"posts_count": sum(counts.values())},
            **{FETCHED[n]: {"unique_users_count": c, "unique_users": [], "posts_count": c} for n, c in counts.items()},
        },
        "citation": {"title": f"Invented record {id_}", **named, "type": "article", "last_mentioned_on": 1_760_000_000},
        "altmetric_score": {"score": score, "score_history": {"at": score}, "context_for_score": None},
        "demographics": [], "posts": posts or [], "score": score,
        "details_url": f"https://attention.lagado.example/details/{id_}",
    }  # fmt: skip


def scheme_of(value: str) -> str:
    """The type of an identifier, as the server detects it."""
    shapes = (("doi", r"10\.\d+/"), ("arxiv", r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}"), ("nct_id", "NCT"), ("repec", "RePEc:"),
              ("urn", "urn:"), ("uri", "https?:"), ("isbn", r"97[89]\d{10}$"), ("pmid", r"\d+$"),
              ("handle", r"[\d.]+/"))  # fmt: skip
    return next((kind for kind, shape in shapes if re.match(shape, value)), "ads")


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.lower().encode(), digest_size=8).digest(), "big")


def _text(text: str, status: int) -> Answer:
    return Answer(text.encode(), status, "text/plain")


def _json(value: object) -> Answer:
    return Answer(json.dumps(value).encode(), HTTPStatus.OK, "application/json")


def fixed(at: str) -> Callable[[], datetime]:
    """A clock that stands still."""
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return lambda: moment
