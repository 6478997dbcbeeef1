"""Landing pages: of outputs that have only a Handle or URI, can mentions of their page be counted for them?

A check, off unless ``landing_pages: true``. Pages are asked for rarely and gently: what robots.txt forbids is not, a page
a second at most, longer where robots.txt says so, some hundred a run; the answer is kept with its date.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from explorer import database
from explorer.landing_tags import NotHtmlError, Page, page
from explorer.polite_http import REDIRECTS, Answer, Limits, PoliteSession, ServerError, shown
from explorer.records import Identifier
from explorer.sources import SourceError

if TYPE_CHECKING:
    from explorer.config import Institution
    from explorer.database import Connection

log = logging.getLogger(__name__)

HANDLES = "https://hdl.handle.net"
ROBOT = "explorer-for-institutions"
PAGES = 500  # a run
SECONDS = 900.0  # that a run takes at most
MOST_REDIRECTS = 5
LONGEST_DELAY = 120.0  # between two pages; a site that wants more is not visited
MOST_FAILURES = 3  # of a site in a row; the rest of it is asked another day
MOST_ROBOTS = 512 * 1024
LIMITS = Limits(
    requests_per_second=1.0,
    connections=1,
    retries=1,
    connect_timeout=10.0,
    read_timeout=20.0,
    body_timeout=40.0,
    longest_retry_after=60,
    max_bytes=5 * 1024 * 1024,
)
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of a visit: a state of ``attention.landing_page``, why, and what the page says."""

    state: str
    reason: str | None = None
    found: Page = field(default_factory=Page)
    address: str = ""


class _ForbiddenError(Exception):
    """The rules for robots forbid a page."""


class Visitor:
    """Visits pages one after the other, each site by its own rules. Close it, or use it in a ``with``."""

    def __init__(self, session: PoliteSession, uri_domains: Sequence[str] = ()) -> None:
        self._session = session
        self._uri_domains = uri_domains
        self._robots: dict[str, RobotFileParser] = {}
        self._asked_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}

    def visit(self, address: str, own: Sequence[Identifier]) -> Visit | None:
        """Visits a page of an output with these identifiers; None where its site is left for another day."""
        site = _site(address)
        if self._failures.get(site, 0) >= MOST_FAILURES:
            return None
        try:
            answer = self._answer(address)
            self._failures[site] = 0
            return self._judged(answer, own)
        except _ForbiddenError as error:
            return Visit("robots", str(error), address=address)
        except SourceError as error:
            passing = isinstance(error, ServerError) or error.code in {"timeout", "unreachable", "cut_off"}
            self._failures[site] = self._failures.get(site, 0) + 1 if passing else 0
            if isinstance(error, ServerError) and error.answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                self._failures[site] = MOST_FAILURES
            return Visit("unreachable", str(error), address=address)

    def _answer(self, address: str) -> Answer:
        """The page behind an address. Each step of a redirect is asked for by the rules of its own site."""
        here = address
        for _ in range(MOST_REDIRECTS + 1):
            self._may(here)
            answer = self._session.request(
                "GET", here, headers={"Accept": "text/html,application/xhtml+xml"}, follow=False
            )
            target = answer.headers.get("Location") if answer.status in REDIRECTS else None
            if target is None:
                return answer
            here = _joined(here, target)
        message = f"{shown(address)} sends us round in circles (more than {MOST_REDIRECTS} redirects)."
        raise SourceError("redirected", message)

    def _may(self, address: str) -> None:
        """Waits until the page may be asked for. Raises ``_ForbiddenError`` where it never may."""
        site = _site(address)
        robots = self._robots.get(site)
        if robots is None:
            robots = self._robots[site] = self._rules(site)
        if not robots.can_fetch(ROBOT, address) or _is_forbidden(robots, address):
            raise _ForbiddenError(f"robots.txt of {shown(site)} does not allow {ROBOT} to visit it")
        delay = float(robots.crawl_delay(ROBOT) or 0)
        rate = robots.request_rate(ROBOT)
        delay = max(delay, rate.seconds / rate.requests if rate and rate.requests else 0)
        if delay > LONGEST_DELAY:
            raise _ForbiddenError(f"robots.txt of {shown(site)} asks for {delay:.0f} s between two visits")
        time.sleep(max(0.0, self._asked_at.get(site, -delay) + delay - time.monotonic()) if delay else 0.0)
        self._asked_at[site] = time.monotonic()

    def _rules(self, site: str) -> RobotFileParser:
        """A site's robots.txt. Where it is refused, everything is; where there is none, nothing; as urllib has it."""
        robots = RobotFileParser()
        robots.modified()  # else it allows nothing
        answer = self._session.request("GET", f"{site}/robots.txt")
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            robots.disallow_all = True  # type: ignore[attr-defined]
        elif answer.status == HTTPStatus.OK:
            text = answer.body[:MOST_ROBOTS].decode("utf-8", "replace").removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
            _read(robots, text.splitlines())
        else:
            robots.allow_all = True  # type: ignore[attr-defined]
        return robots

    def _judged(self, answer: Answer, own: Sequence[Identifier]) -> Visit:
        """What the answer says of an output with these identifiers."""
        if answer.status in GONE:
            return Visit("missing", f"the page does not exist (HTTP {answer.status})", address=answer.url)
        if answer.status != HTTPStatus.OK:
            return Visit("unreachable", f"the server answers HTTP {answer.status} to it", address=answer.url)
        try:
            found = page(answer.body, answer.headers.get("Content-Type"), uri_domains=self._uri_domains)
        except NotHtmlError as error:
            return Visit("not_html", str(error), address=answer.url)
        if not found.identifiers:
            reason = "no meta tag names a persistent identifier" + (f"; {found.doubt}" if found.doubt else "")
            return Visit("incomplete", reason, found, answer.url)
        same = {(each.scheme, each.value.lower()) for each in own}
        schemes = {each.scheme for each in own}
        rivals = [each for each in found.identifiers if each.scheme in schemes]
        if rivals and not any((each.scheme, each.value.lower()) in same for each in rivals):
            reason = f"its tags name {rivals[0].scheme} {rivals[0].value}, which is not this output's"
            return Visit("contradicts", reason, found, answer.url)
        return Visit("trackable", None, found, answer.url)


def _site(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def _joined(here: str, target: str) -> str:
    try:
        there = urljoin(here, target).partition("#")[0]
        if urlsplit(there).scheme in {"http", "https"} and urlsplit(there).hostname:
            return there
    except ValueError:
        pass
    message = f"{shown(here)} sends us to {shown(target)}, which is no address of a page."
    raise SourceError("redirected", message)


def _is_forbidden(robots: RobotFileParser, address: str) -> bool:
    """Whether a rule with wildcards forbids it: urllib takes ``*`` and ``$`` for letters (RFC 9309, 2.2.3)."""
    parts = urlsplit(address)
    path = unquote(f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
    entries: list[Any] = [each for each in robots.entries if each.applies_to(ROBOT)]  # type: ignore[attr-defined]
    default = robots.default_entry  # type: ignore[attr-defined]
    for entry in entries[:1] or ([default] if default else []):
        for rule in entry.rulelines:
            wanted = unquote(rule.path)
            if not rule.allowance and ("*" in wanted or wanted.endswith("$")) and _fits(wanted, path):
                return True
    return False


def _fits(wanted: str, path: str) -> bool:
    """Whether a path begins like a rule with wildcards, or is one that ends with ``$``; in one pass, however many there are."""
    first, *parts = wanted.removesuffix("$").split("*")
    at = len(first)
    if not path.startswith(first):
        return False
    last = parts.pop() if parts else ""
    for part in parts:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    if not wanted.endswith("$"):
        return path.find(last, at) >= 0
    return path.endswith(last) and at <= len(path) - len(last) and ("*" in wanted or at == len(path))


def _read(robots: RobotFileParser, lines: Sequence[str]) -> None:
    """Reads rules; lines that cannot be read are left out (RFC 9309, 2.3.1.5)."""

    def is_sound(line: str) -> bool:
        try:
            RobotFileParser().parse(["User-agent: *", line, "Disallow:"])
        except ValueError:
            return False
        return True

    robots.parse([line for line in lines if is_sound(line)])


# An institution's pages


def check(
    connection: Connection,
    institution: Institution,
    *,
    handles: str = HANDLES,
    limits: Limits = LIMITS,
    pages: int = PAGES,
) -> Iterator[Visit]:
    """Visits the landing pages that are due, and keeps each answer as it comes.

    Due are pages never asked for first, then those asked for longest ago. What is left over is due the next time.
    """
    parameters = {"institution": institution.slug, "most": pages}
    database.run(connection, "attention/landing_forget", parameters)
    due = database.run(connection, "attention/landing_due", parameters).fetchall()
    connection.commit()
    ends = time.monotonic() + SECONDS
    session = PoliteSession(limits, allow_http=True, allow_private_hosts=institution.source.allow_private_hosts)
    with session:
        visitor = Visitor(session, institution.uri_domains)
        for key, scheme, value, identifiers in due:
            if time.monotonic() > ends:
                log.info("%s: enough landing pages for today", institution.name)
                return
            address = value if scheme == "uri" else f"{handles}/{quote(value, safe='/')}"
            visit = visitor.visit(address, [Identifier(s, v) for s, v in identifiers])
            if visit is None:
                continue  # its site is left for another day
            asked = {"output_key": key, "scheme": scheme, "value": value, "address": address}
            _store(connection, institution.slug, asked, visit)
            yield visit


def _store(connection: Connection, institution: str, asked: Mapping[str, object], visit: Visit) -> None:
    database.run(
        connection,
        "attention/landing_store",
        {
            **asked, "institution": institution, "final_address": visit.address,
            "state": visit.state, "reason": visit.reason and visit.reason.replace("\0", ""),
            "identifiers": [f"{each.scheme}:{each.value}" for each in visit.found.identifiers],
            "missing": list(visit.found.missing),
        },
    )  # fmt: skip
    connection.commit()


def counts(connection: Connection, institution: str) -> dict[str, int]:
    """How many landing pages are in each state; ``not_asked_yet`` among them."""
    rows = database.run(connection, "attention/landing_states", {"institution": institution}).fetchall()
    return {str(state): int(number) for state, number in rows}


def summary(states: Mapping[str, int]) -> str | None:
    """A sentence on an institution's landing pages; None where nothing was asked for."""
    asked = sum(number for state, number in states.items() if state != "not_asked_yet")
    if not asked:
        return None
    words = {
        "incomplete": ("lacks tags that name an identifier", "lack tags that name an identifier"),
        "contradicts": ("names another identifier", "name another identifier"),
        "not_html": ("is no page of HTML", "are no pages of HTML"),
        "robots": ("must not be visited by robots", "must not be visited by robots"),
        "missing": ("does not exist", "do not exist"),
        "unreachable": ("could not be reached", "could not be reached"),
    }
    sentence = f"{states.get('trackable', 0):,} of {asked:,} landing pages can be tracked"
    others = [f"{n:,} {one if n == 1 else many}" for state, (one, many) in words.items() if (n := states.get(state))]
    waiting = states.get("not_asked_yet", 0)
    later = f"{waiting:,} {'is' if waiting == 1 else 'are'} looked at later"
    return "; ".join([sentence, *others, *([later] if waiting else [])])


def told(connection: Connection, institution: Institution) -> dict[str, Any]:
    """What an import's row says of landing pages, in a sentence and in numbers; nothing where they are not checked."""
    if not institution.landing_pages:
        return {}
    states = counts(connection, institution.slug)
    sentence = summary(states)
    return {"landing_pages": {"state": sentence, **states}} if sentence else {}
