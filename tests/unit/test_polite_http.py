"""The polite session against a server that misbehaves in every way we know."""

from __future__ import annotations

import email.utils
import gc
import gzip
import socket
import threading
import time
import tomllib
import traceback
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from explorer.polite_http import VERSION, Limits, PoliteSession, ServerError, ahead, is_public, shown
from explorer.sources import SourceError
from explorer.sources.elements import ElementsApi
from explorer.sources.pure_api import PureApi
from tests.patience import PATIENCE
from tests.scripted_server import Asked, Reply, in_turn, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = Limits(requests_per_second=1000, retries=2, backoff=0.01, max_bytes=100_000)


def session(**options: Any) -> PoliteSession:
    limits = options.pop("limits", QUICK)
    return PoliteSession(limits, **{"allow_http": True, "allow_private_hosts": True, **options})


def test_the_version_that_we_give_is_the_projects() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_says_who_asks() -> None:
    with serving(in_turn(Reply(b"yes"))) as server, session(contact="library@lilliput.example") as ours:
        answer = ours.get(server.url + "/a", {"token": "x%3Dy z"})
    assert answer.body == b"yes"
    assert server.asked[0].headers["User-Agent"] == f"explorer-for-institutions/{VERSION} (+library@lilliput.example)"
    assert server.asked[0].query == {"token": "x%3Dy z"}  # percent-encoded exactly once


def test_the_user_agent_can_be_replaced() -> None:
    with serving(in_turn(Reply(b"yes"))) as server, session(user_agent="Lilliput/1") as ours:
        ours.get(server.url)
    assert server.asked[0].headers["User-Agent"] == "Lilliput/1"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_tries_again_when_the_server_is_unwell(status: int) -> None:
    with serving(in_turn(Reply(status=status), Reply(status=status), Reply(b"well"))) as server, session() as ours:
        assert ours.get(server.url).body == b"well"
    assert len(server.asked) == 3


def test_says_that_it_waits_and_for_what_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    answers = in_turn(
        Reply(status=503, headers={"Retry-After": "1"}), Reply(reset=True), Reply(b"x" * 5000, cut=100), Reply(b"well")
    )
    with serving(answers) as server, session() as ours:
        ours.get(server.url + "/a", {"key": "planted-secret"})
    said = [record.getMessage() for record in caplog.records if record.name == "explorer.polite_http"]
    whole = [message.partition("/a: ")[2] for message in said]
    assert whole[0] == "HTTP 503; asked again in 1 s (try 2 of 3)"
    assert "onnection" in whole[1] and whole[1].endswith("(try 3 of 3)")  # noqa: PT018
    assert whole[2] == "broke off; asked again in 0 s (try 2 of 3)"
    assert "planted-secret" not in caplog.text
    assert "object at" not in caplog.text


@pytest.mark.parametrize("source", ["pure", "elements"])
def test_what_a_server_repeats_of_our_secrets_is_blotted_out(source: str) -> None:
    said = "the key planted-key of gulliver:planted-password is not known"
    bodies = {
        "pure": f'{{"title": "{said}"}}',
        "elements": '<api:response xmlns:api="http://www.symplectic.co.uk/publications/api"><api:errors>'
        f'<api:error code="bad">{said}</api:error></api:errors></api:response>',
    }
    secrets = {"auth": ("gulliver", "planted-password"), "secret_headers": {"api-key": "planted-key"}}
    with serving(in_turn(Reply(bodies[source].encode(), status=400))) as server, session(**secrets) as ours:
        ask = {
            "pure": lambda: PureApi(server.url, ours, "old").page("units", 0, 1),
            "elements": lambda: ElementsApi(server.url, ours).ask(server.url + "/users"),
        }[source]
        with pytest.raises(SourceError) as raised:
            ask()
    assert "the key … of gulliver:… is not known" in str(raised.value)
    assert "planted-" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_obeys_retry_after_in_both_forms(form: str) -> None:
    def answer(asked: Asked) -> Reply:
        if len(server.asked) > 1:
            return Reply(b"well")
        after = "1" if form == "seconds" else email.utils.formatdate(time.time() + 2, usegmt=True)
        return Reply(status=503, headers={"Retry-After": after})

    with serving(answer) as server, session() as ours:
        assert ours.get(server.url).body == b"well"
    assert server.asked[1].at - server.asked[0].at > 0.9


def test_waits_no_longer_than_the_cap_of_retry_after() -> None:
    limits = Limits(requests_per_second=1000, retries=1, backoff=0.01, longest_retry_after=1)
    replies = in_turn(Reply(status=503, headers={"Retry-After": "86400"}), Reply(b"well"))
    with serving(replies) as server, session(limits=limits) as ours:
        began = time.monotonic()
        assert ours.get(server.url).body == b"well"
    assert 0.9 < time.monotonic() - began < PATIENCE


def test_a_retry_after_that_nobody_understands_means_the_usual_pause() -> None:
    replies = in_turn(Reply(status=503, headers={"Retry-After": "soon"}), Reply(b"well"))
    with serving(replies) as server, session() as ours:
        assert ours.get(server.url).body == b"well"


def test_gives_up_with_a_sentence_and_keeps_the_last_answer() -> None:
    with serving(in_turn(Reply(b"down", status=500))) as server, session() as ours, pytest.raises(ServerError) as error:
        ours.get(server.url + "/oai", {"secret": "x"})
    assert error.value.code == "http_500"
    assert error.value.answer.body == b"down"
    assert "/oai kept answering HTTP 500" in str(error.value)
    assert "secret" not in str(error.value)
    assert len(server.asked) == 1 + QUICK.retries


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_4xx_is_an_answer_and_is_not_repeated(status: int) -> None:
    with serving(in_turn(Reply(b"<error/>", status=status))) as server, session() as ours:
        answer = ours.get(server.url)
    assert (answer.status, answer.body) == (status, b"<error/>")
    assert len(server.asked) == 1


@pytest.mark.parametrize("bad", [Reply(reset=True), Reply(b"x" * 5000, cut=100), Reply(b"late", pause=60)])
def test_survives_resets_cut_bodies_and_time_outs(bad: Reply) -> None:
    limits = replace(QUICK, read_timeout=1 if bad.pause else QUICK.read_timeout, retries=5)
    with serving(in_turn(bad, Reply(b"well"))) as server, session(limits=limits) as ours:
        assert ours.get(server.url).body == b"well"


@pytest.mark.parametrize(
    ("bad", "code"), [(Reply(reset=True), "unreachable"), (Reply(b"x" * 5000, cut=100), "cut_off")]
)
def test_a_failure_that_stays_is_told_in_a_sentence(bad: Reply, code: str) -> None:
    with serving(in_turn(bad)) as server, session() as ours, pytest.raises(SourceError) as error:
        ours.get(server.url)
    assert error.value.code == code


def test_a_server_that_never_answers_is_a_time_out() -> None:
    limits = Limits(requests_per_second=1000, retries=0, read_timeout=0.2)
    with (
        serving(in_turn(Reply(b"late", pause=60))) as server,
        session(limits=limits) as ours,
        pytest.raises(SourceError) as error,
    ):
        ours.get(server.url)
    assert error.value.code == "timeout"


def test_an_endless_trickle_is_a_time_out_too() -> None:
    limits = Limits(requests_per_second=1000, retries=0, body_timeout=-1)
    with (
        serving(in_turn(Reply(b"drop"))) as server,
        session(limits=limits) as ours,
        pytest.raises(SourceError) as error,
    ):
        ours.get(server.url)
    assert error.value.code == "timeout"


@pytest.mark.parametrize("headers", [{"Content-Encoding": "gzip"}, {}])
def test_reads_gzip_declared_or_not(headers: dict[str, str]) -> None:
    body = gzip.compress(b"one ") + gzip.compress(b"two")
    with serving(in_turn(Reply(body, headers=headers))) as server, session() as ours:
        assert ours.get(server.url).body == b"one two"


def test_reads_text_that_is_called_gzip() -> None:
    reply = Reply(b"plain", headers={"Content-Encoding": "gzip"})
    with serving(in_turn(reply)) as server, session() as ours:
        assert ours.get(server.url).body == b"plain"


def test_a_truncated_gzip_is_fetched_again() -> None:
    whole = gzip.compress(b"well" * 100)
    with serving(in_turn(Reply(whole[:-9]), Reply(whole))) as server, session() as ours:
        assert ours.get(server.url).body == b"well" * 100


@pytest.mark.parametrize("body", [b"x" * 100_001, gzip.compress(b"x" * 10_000_000)])
def test_takes_no_more_than_the_cap_unpacked_or_not(body: bytes) -> None:
    with serving(in_turn(Reply(body))) as server, session() as ours, pytest.raises(SourceError) as error:
        ours.get(server.url)
    assert error.value.code == "too_large"
    assert len(server.asked) == 1


def test_follows_redirects_but_takes_no_secret_to_another_host() -> None:
    def elsewhere(_: Asked) -> Reply:
        return Reply(b"there")

    with serving(elsewhere) as other:
        away = other.url.replace("127.0.0.1", "localhost") + "/new"

        def here(asked: Asked) -> Reply:
            return Reply(status=302, headers={"Location": "/b" if asked.path == "/a" else away})

        ours = session(auth=("gulliver", "pass"), secret_headers={"Api-Key": "key"})
        with serving(here) as server, ours:
            assert ours.get(server.url + "/a").body == b"there"
    assert [("Authorization" in each.headers, "Api-Key" in each.headers) for each in server.asked] == [(True, True)] * 2
    assert ("Authorization" in other.asked[0].headers, "Api-Key" in other.asked[0].headers) == (False, False)


@pytest.mark.parametrize(
    ("location", "code"), [("/again", "redirected"), ("file:///etc/passwd", "insecure_address"), ("ftp://a/", None)]
)
def test_redirects_go_nowhere_else_and_not_in_circles(location: str, code: str | None) -> None:
    reply = Reply(status=301, headers={"Location": location})
    with serving(in_turn(reply)) as server, session() as ours, pytest.raises(SourceError) as error:
        ours.get(server.url)
    assert error.value.code == (code or "insecure_address")
    assert len(server.asked) <= 6


def test_a_redirect_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first host counts as public here, the second does not: each hop is looked at."""
    with serving(in_turn(Reply(b"inner"))) as inner:
        reply = Reply(status=302, headers={"Location": inner.url.replace("127.0.0.1", "localhost")})
        looked_up: list[str] = []
        real = socket.getaddrinfo

        def getaddrinfo(host: str, *rest: Any, **more: Any) -> Any:
            looked_up.append(host)
            return real(host, *rest, **more)

        monkeypatch.setattr("explorer.polite_http.socket.getaddrinfo", getaddrinfo)
        monkeypatch.setattr("explorer.polite_http.is_public", lambda _: len(looked_up) < 3)
        with (
            serving(in_turn(reply)) as server,
            session(allow_private_hosts=False) as ours,
            pytest.raises(SourceError) as error,
        ):
            ours.get(server.url)
    assert error.value.code == "private_address"
    assert inner.asked == []


def test_connects_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that turns private between two look-ups (DNS rebinding) is looked up once only."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1" if host == "repo.lilliput.example" else host, *rest, **more)

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    monkeypatch.setattr("explorer.polite_http.is_public", lambda _: True)
    with serving(in_turn(Reply(b"yes"))) as server, session(allow_private_hosts=False) as ours:
        assert ours.get(server.url.replace("127.0.0.1", "repo.lilliput.example")).body == b"yes"
    assert asked.count("repo.lilliput.example") == 1
    assert server.asked[0].headers["Host"].startswith("repo.lilliput.example")


def test_a_private_address_needs_leave() -> None:
    with (
        serving(in_turn(Reply(b"yes"))) as server,
        session(allow_private_hosts=False) as ours,
        pytest.raises(SourceError) as error,
    ):
        ours.get(server.url)
    assert error.value.code == "private_address"
    assert "allow_private_hosts" in str(error.value)
    assert server.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("127.0.0.1", False), ("10.1.2.3", False), ("169.254.169.254", False), ("0.0.0.0", False),
        ("100.64.0.1", False), ("224.0.0.1", False), ("::1", False), ("fe80::1%eth0", False), ("fd00::1", False),
        ("::ffff:10.0.0.1", False), ("2002:7f00:1::", False), ("2606:4700::1", True),
    ],
)  # fmt: skip
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_http_needs_leave() -> None:
    with PoliteSession(QUICK) as ours, pytest.raises(SourceError) as error:
        ours.get("http://repo.lilliput.example/oai")
    assert error.value.code == "insecure_address"


@pytest.mark.parametrize("url", ["http://", "not an address", "http://[::1"])
def test_an_address_with_a_slip_is_told_so(url: str) -> None:
    with session() as ours, pytest.raises(SourceError) as error:
        ours.get(url)
    assert error.value.code in {"bad_address", "insecure_address"}


def test_a_host_that_does_not_exist_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    for private in (True, False):
        with session(allow_private_hosts=private) as ours, pytest.raises(SourceError) as error:
            ours.get("http://repo.lilliput.example/oai")
        assert error.value.code == "unknown_host"


def test_keeps_the_pace_over_all_threads_and_retries() -> None:
    limits = Limits(requests_per_second=20, connections=4, retries=2, backoff=0.001)
    replies = in_turn(Reply(status=500), *[Reply(b"yes")] * 2)
    with serving(replies) as server, session(limits=limits) as ours, ThreadPoolExecutor(4) as pool:
        began = time.monotonic()
        list(pool.map(lambda _: ours.get(server.url), range(7)))
    times = sorted(each.at - began for each in server.asked)
    assert len(times) == 8
    # the n-th comes no earlier; how late the first one is seen, the machine decides
    assert all(at > number / 20 * 0.9 for number, at in enumerate(times))


def test_keeps_to_the_number_of_connections() -> None:
    busy: list[int] = []
    now = 0
    lock = threading.Lock()
    both = threading.Barrier(2)

    def answer(_: Asked) -> Reply:
        nonlocal now
        with lock:
            now += 1
            busy.append(now)
        both.wait(PATIENCE)  # as many as may, come at once
        time.sleep(0.05)
        with lock:
            now -= 1
        return Reply(b"yes")

    limits = Limits(requests_per_second=1000, connections=2)
    with serving(answer) as server, session(limits=limits) as ours, ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: ours.get(server.url), range(12)))
    assert max(busy) == 2


def test_a_session_that_is_dropped_leaves_no_connection() -> None:
    with serving(in_turn(Reply(b"yes"))) as server:
        ours = session()
        ours.get(server.url)
        left = weakref.ref(ours._adapter)
        del ours
        gc.collect()
        assert left() is None


def test_messages_show_no_credentials() -> None:
    assert shown("https://a:b@repo.example/oai?verb=Identify&key=1#x") == "https://repo.example/oai?verb=Identify"


def test_ahead_fetches_the_next_while_this_one_is_worked_on() -> None:
    fetched: list[int] = []
    second = threading.Event()

    def items() -> Iterator[int]:
        for number in range(5):
            fetched.append(number)
            if number == 1:
                second.set()
            yield number

    running = ahead(items())
    assert next(running) == 0
    assert second.wait(PATIENCE)
    assert fetched == [0, 1]
    assert list(running) == [1, 2, 3, 4]


def test_ahead_passes_an_exception_on_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise SourceError("http_500", "down")

    running = ahead(items(), depth=3)
    assert next(running) == 1
    with pytest.raises(SourceError, match="down"):
        next(running)


def test_ahead_leaves_no_thread_and_closes_what_it_reads() -> None:
    closed: list[bool] = []

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    before = set(threading.enumerate())
    running = ahead(items())
    next(running)
    running.close()
    assert closed == [True]
    assert set(threading.enumerate()) <= before  # a server of another test may just have ended
