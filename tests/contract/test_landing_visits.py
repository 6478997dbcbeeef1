"""Visits of landing pages: whatever the site does, each ends in a state with a reason, by the rules of robots, gently."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from explorer.landing_pages import Visitor
from explorer.polite_http import Limits, PoliteSession
from explorer.records import Identifier
from simulators.landing import KINDS, PREFIX, LandingPages
from simulators.serving import Fault

LIMITS = Limits(
    requests_per_second=1000, connections=1, retries=1, backoff=0.01,
    max_bytes=5 * 1024 * 1024,
)  # fmt: skip


@pytest.fixture
def site() -> Iterator[LandingPages]:
    made = LandingPages(dict(enumerate([*KINDS, *["good"] * 20])))
    with made.serve():
        yield made


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    with PoliteSession(LIMITS, allow_http=True, allow_private_hosts=True) as session:
        yield Visitor(session)


def own(number: int) -> list[Identifier]:
    return [Identifier("handle", f"{PREFIX}/{number}")]


def visit(visitor: Visitor, site: LandingPages, number: int):
    made = visitor.visit(f"{site.url}/page/{number}", own(number))
    assert made is not None
    return made


def test_each_kind_of_page_ends_in_its_state(site: LandingPages, visitor: Visitor):
    states = {kind: visit(visitor, site, number) for number, kind in enumerate(KINDS)}
    assert {kind: made.state for kind, made in states.items()} == {
        "good": "trackable", "highwire": "trackable", "bare": "incomplete", "references": "incomplete",
        "another": "contradicts", "script": "incomplete",
    }  # fmt: skip
    assert states["highwire"].found.missing == ("author", "date")
    assert states["bare"].found.missing == ("identifier", "title", "author", "date")
    assert "JavaScript" in (states["script"].reason or "")
    assert "12345/94" in (states["another"].reason or "")


def test_a_handle_leads_to_its_page_through_redirects(site: LandingPages, visitor: Visitor):
    made = visitor.visit(f"{site.url}/{PREFIX}/0", own(0))
    assert made is not None
    assert (made.state, made.address) == ("trackable", f"{site.url}/page/0")


@pytest.mark.parametrize(
    ("kind", "state", "reason"),
    [
        ("pdf", "not_html", "application/pdf"), ("huge", "unreachable", "too much"), ("round", "unreachable", "in circles"),
        ("gone", "missing", "HTTP 410"), ("refused", "unreachable", "HTTP 403"), ("scheme", "unreachable", "is no address"),
        ("server_error", "unreachable", "HTTP 500"), ("too_many_requests", "unreachable", "HTTP 429"),
        ("busy_seconds", "unreachable", "HTTP 503"), ("reset", "unreachable", "reached"), ("cut", "unreachable", "broke off"),
        ("silence", "unreachable", "in time"), ("html", "incomplete", "no meta tag"), ("truncated", "trackable", None),
        ("gzip", "trackable", None), ("gzip_undeclared", "trackable", None), ("text_before", "trackable", None),
        ("latin", "trackable", None), ("slow", "trackable", None),
    ],
)  # fmt: skip
def test_whatever_the_site_does_is_told(site: LandingPages, kind: str, state: str, reason: str | None):
    silent = kind == "silence"
    site.faults.add(Fault(kind, "0", times=None, seconds=60 if silent else 0.01))
    limits = replace(LIMITS, read_timeout=1 if silent else LIMITS.read_timeout)
    with PoliteSession(limits, allow_http=True, allow_private_hosts=True) as session:
        made = visit(Visitor(session), site, 0)
    assert made.state == state
    assert (made.reason is None) == (reason is None)
    assert reason is None or reason in (made.reason or "")


def test_a_redirect_to_a_private_address_is_not_followed(site: LandingPages, monkeypatch: pytest.MonkeyPatch):
    from explorer import polite_http

    monkeypatch.setattr(polite_http, "is_public", lambda address: address == "127.0.0.1")
    site.faults.add(Fault("inside", "0"))
    with PoliteSession(LIMITS, allow_http=True) as session:
        made = Visitor(session).visit(f"{site.url}/page/0", own(0))
    assert made is not None
    assert made.state == "unreachable"
    assert "private address" in (made.reason or "")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "10.0.0.1", "2130706433", "0x7f.1"])
def test_a_private_address_is_not_visited(name: str):
    with PoliteSession(LIMITS, allow_http=True) as session:
        made = Visitor(session).visit(f"http://{name}:9/page/0", own(0))
    assert made is not None
    assert made.state == "unreachable"
    assert "cannot be reached" not in (made.reason or ""), "it was not even tried"


@pytest.mark.parametrize(
    ("robots", "allowed"),
    [
        (None, True), ("", True), ("User-agent: *\nDisallow:\n", True), ("User-agent: *\nDisallow: /\n", False),
        ("User-agent: *\nDisallow: /page\n", False), ("User-agent: *\nDisallow: /admin\n", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: explorer-for-institutions\nAllow: /\n", True),
        ("User-agent: Explorer-For-Institutions\nDisallow: /\n\nUser-agent: *\nAllow: /\n", False),
        ("User-agent: other\nDisallow: /\n", True), ("User-agent: *\nDisallow: /*/0$\n", False),
        ("User-agent: *\nDisallow: /*/7$\n", True), ("User-agent: *\nDisallow: *page*\n", False),
        ("\ufeffUser-agent: *\nDisallow: /\n", False), ("<html>not rules at all</html>", True),
        ("User-agent: *\nCrawl-delay: 100000\n", False), ("User-agent: *\nCrawl-delay: fast\n", True),
        # Lines that no program can read are left out; the others count.
        ("User-agent: *\nCrawl-delay: \u00b2\nRequest-rate: \u00b2/5\nDisallow: /page\n", False),
        ("User-agent: *\nDisallow: //[\nDisallow: http://[\n", True), ("User-agent: *\nRequest-rate: 0/5\n", True),
        ("User-agent: *\nCrawl-delay: " + "9" * 5000 + "\nDisallow: /page\n", False),
        ("User-agent: *\nDisallow: /*a*/0$\n", False), ("User-agent: *\nDisallow: /page/0$\n", False),
        ("User-agent: *\nDisallow: /page/*0$\n", False), ("User-agent: *\nDisallow: /page/*/0$\n", True),
    ],
)  # fmt: skip
def test_the_rules_for_robots_are_kept(site: LandingPages, visitor: Visitor, robots: str | None, *, allowed: bool):
    site.robots = robots
    made = visit(visitor, site, 0)
    assert (made.state == "trackable") == allowed
    assert ("0" in [call.name for call in site.calls]) == allowed, "a page that is forbidden is not asked for"
    if not allowed:
        assert made.state == "robots"
        assert "robots.txt" in (made.reason or "")


def test_a_rule_of_many_wildcards_is_read_in_one_pass(site: LandingPages, visitor: Visitor):
    site.robots = "User-agent: *\nDisallow: /page/0?" + "*a" * 60 + "$\n"
    made = visitor.visit(f"{site.url}/page/0?{'a' * 200}b", own(0))
    assert made is not None
    assert made.state == "trackable"


def test_rules_that_are_refused_or_cannot_be_had_forbid_everything(site: LandingPages, visitor: Visitor):
    site.faults.add(Fault("server_error", "robots.txt", times=None))
    assert visit(visitor, site, 0).state == "unreachable"
    assert "0" not in [call.name for call in site.calls]


def test_the_rules_of_each_step_of_a_redirect_are_kept(site: LandingPages, visitor: Visitor):
    site.robots = "User-agent: *\nDisallow: /page\n"
    made = visitor.visit(f"{site.url}/{PREFIX}/0", own(0))
    assert made is not None
    assert made.state == "robots"
    assert not [call for call in site.calls if call.path == "/page/0"]


def test_rules_are_asked_for_once_and_a_delay_is_kept(site: LandingPages, visitor: Visitor):
    site.robots = "User-agent: *\nCrawl-delay: 1\n"
    started = time.monotonic()
    for number in (10, 11, 12):
        assert visit(visitor, site, number).state == "trackable"
    assert time.monotonic() - started >= 2
    assert [call.name for call in site.calls].count("robots.txt") == 1


def test_a_site_in_trouble_is_left_for_another_day(site: LandingPages, visitor: Visitor):
    for number in range(10, 20):
        site.faults.add(Fault("server_error", str(number), times=None))
    made = [visitor.visit(f"{site.url}/page/{number}", own(number)) for number in range(10, 20)]
    assert [each.state for each in made if each] == ["unreachable"] * 3
    assert made[3:] == [None] * 7


def test_one_that_asks_for_fewer_is_left_at_once(site: LandingPages, visitor: Visitor):
    site.faults.add(Fault("too_many_requests", "10", times=None, seconds=0))
    visit(visitor, site, 10)
    assert visitor.visit(f"{site.url}/page/11", own(11)) is None


def test_who_asks_is_said(site: LandingPages, visitor: Visitor):
    visit(visitor, site, 0)
    assert len(site.calls) == 2
    assert all(call.user_agent.startswith("explorer-for-institutions/") for call in site.calls)
