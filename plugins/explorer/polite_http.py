"""The polite session: every request to a system that is not ours goes through here.

It retries what is worth retrying, obeys ``Retry-After``, keeps to a number of requests per second and of connections
per host, caps time and size, and reaches no private address unless it may. All our requests only read, so all of
them may be repeated.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, InvalidHeader, NameResolutionError, ReadTimeoutError
from urllib3.util.retry import Retry

from explorer.sources import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from types import TracebackType

    from urllib3.connectionpool import ConnectionPool
    from urllib3.response import BaseHTTPResponse

    from explorer.config import Politeness

log = logging.getLogger(__name__)
# It names whole addresses, keys of an API in them; what it says of a try that failed, we say ourselves.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

Item = TypeVar("Item")

VERSION = "0.1.0"
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
REPEATING = frozenset({307, 308})  # the same request again, there
WORTH_RETRYING = frozenset({429, 500, 502, 503, 504})
LONGEST_BACKOFF = 60  # seconds
_CHUNK = 64 * 1024
Content = tuple[object, "Mapping[str, str] | None"]  # what is sent: JSON, or a form
_END = object()


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer: the address that gave it (after redirects), status, headers, body without any compression."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


# Codes of errors where nobody answered, or nobody was asked: their sentences say what to do.
NO_ANSWER = frozenset(
    {
        "unreachable",
        "timeout",
        "cut_off",
        "unknown_host",
        "private_address",
        "insecure_address",
        "certificate",
        "redirected",
    }
)


class ServerError(SourceError):
    """The server went on answering 429 or 5xx after all retries; ``answer`` is its last one."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        wait = (
            " It asks for fewer requests: lower politeness.requests_per_second."
            if answer.status == HTTPStatus.TOO_MANY_REQUESTS
            else ""
        )
        super().__init__(
            f"http_{answer.status}",
            f"{shown(answer.url)} kept answering HTTP {answer.status}.{wait} Try again later; if it stays, ask the "
            "administrators of the source to look into their server's log.",
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard a source may be asked, and how long and how much we take. Times in seconds, sizes in bytes."""

    requests_per_second: float = 4.0
    connections: int = 2
    retries: int = 5
    backoff: float = 1.0  # the first pause; each later one is twice as long
    longest_retry_after: int = 300
    connect_timeout: float = 15.0
    read_timeout: float = 180.0  # between two bytes; one slow page in a hundred takes minutes
    body_timeout: float = 900.0  # for a whole body
    max_bytes: int = 64 * 1024 * 1024

    @classmethod
    def of(cls, politeness: Politeness) -> Self:
        """What the configuration of a source says; the rest as always."""
        return cls(
            requests_per_second=politeness.requests_per_second,
            connections=politeness.connections,
            connect_timeout=politeness.connect_timeout,
            read_timeout=politeness.read_timeout,
        )


class Turns(Protocol):
    """Who says when a host may be asked next."""

    def wait(self, host: str, gap: float) -> None:
        """Returns when it is our turn at ``host`` (name:port), at least ``gap`` seconds after the turn before."""


_SHARED: ContextVar[Turns | None] = ContextVar("shared_turns", default=None)


@contextmanager
def sharing(turns: Turns) -> Iterator[None]:
    """Sessions made in here share their turns with others, and have one request under way at a time.

    So a source may be read by several workers: as many as it allows connections, which together keep its rate.
    """
    token = _SHARED.set(turns)
    try:
        yield
    finally:
        _SHARED.reset(token)


class PoliteSession:
    """A session for one source. Usable from several threads; close it, or use it in a ``with``.

    Without ``allow_http`` only https is spoken. ``auth`` (login, password) and ``secret_headers`` never leave the host
    that they were meant for. A proxy from the environment decides itself which addresses it reaches.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        allow_http: bool = False,
        allow_private_hosts: bool = False,
        auth: tuple[str, str] | None = None,
        secret_headers: Mapping[str, str] | None = None,
        contact: str | None = None,
        user_agent: str | None = None,
    ) -> None:
        shared = _SHARED.get()
        self.limits = limits or Limits()
        if shared is not None:
            self.limits = replace(self.limits, connections=1)
        self._auth = auth
        self._secret_headers = dict(secret_headers or {})
        self._session = _FollowingNothing()
        self._session.headers["User-Agent"] = user_agent or _user_agent(contact)
        self._session.headers["Accept-Encoding"] = "gzip"
        self._session.adapters.clear()
        adapter = self._adapter = _Adapter(self.limits, shared or _OwnTurns(), allow_private_hosts=allow_private_hosts)
        for scheme in ("https://", "http://") if allow_http else ("https://",):
            self._session.mount(scheme, adapter)

    @property
    def calls(self) -> int:
        """How many requests were made so far; each repetition and each step of a redirect is one."""
        return self._adapter.pace.calls

    def blotted(self, said: str) -> str:
        """What a server says, without the passwords and keys that we sent it: some repeat what they were sent."""
        for secret in sorted({*(self._auth or ())[1:], *self._secret_headers.values()}, key=len, reverse=True):
            if secret:
                said = said.replace(secret, "…")
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the connections back."""
        self._session.close()

    def get(self, url: str, params: Mapping[str, str] | None = None, *, accept: str | None = None) -> Answer:
        """The answer to a GET. 4xx is an answer like any other; 429 and 5xx that stay raise ``ServerError``."""
        return self.request("GET", url, params=params, headers={"Accept": accept} if accept else None)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Answer:
        """As ``get``, for any method whose requests may be repeated. Raises ``SourceError``.

        A 307 or 308 of the same host is followed with method and body. Without ``follow`` a redirect is the answer.
        """
        for attempt in range(self.limits.retries + 1):
            try:
                answer = self._follow(method, url, params, (json, form), dict(headers or {}), follow=follow)
                break
            except _CutOffError as error:  # urllib3 retries until the headers are there; the body is ours
                if attempt == self.limits.retries:
                    raise SourceError(
                        "cut_off", f"{shown(url)} broke off in the middle of its answer, again and again ({error})."
                    ) from error
                pause, last = min(self.limits.backoff * 2**attempt, LONGEST_BACKOFF), self.limits.retries + 1
                log.warning("%s: broke off; asked again in %.0f s (try %d of %d)", shown(url), pause, attempt + 2, last)
                time.sleep(pause)
        if answer.status in WORTH_RETRYING or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ServerError(answer)
        return answer

    def _follow(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        content: Content,
        headers: dict[str, str],
        *,
        follow: bool,
    ) -> Answer:
        """Sends, and follows redirects by hand: each body is capped and no secret goes to another host."""
        try:
            first = here = str(requests.Request(method, url, params=dict(params or {})).prepare().url)
        except (requests.RequestException, UnicodeError) as error:
            raise _explained(error, url) from error
        for _ in range(MAX_REDIRECTS + 1):
            ours = not self._session.should_strip_auth(first, here)  # type: ignore[no-untyped-call]
            response = self._send(
                method, here, content, {**headers, **(self._secret_headers if ours else {})}, auth=ours
            )
            with response:
                target = response.headers.get("Location") if follow and response.status_code in REDIRECTS else None
                if target is None:
                    return Answer(here, response.status_code, response.headers, self._body(response, here))
            there = urljoin(here, target)
            same = not self._session.should_strip_auth(here, there)  # type: ignore[no-untyped-call]
            if method not in {"GET", "HEAD"} and not (same and response.status_code in REPEATING):
                raise SourceError("redirected", f"{shown(here)} has moved to {shown(target)}: use that address.")
            here = there
        raise SourceError(
            "redirected", f"{shown(url)} sends us round in circles (more than {MAX_REDIRECTS} redirects)."
        )

    def _send(
        self, method: str, url: str, content: Content, headers: dict[str, str], *, auth: bool
    ) -> requests.Response:
        json, form = content
        try:
            return self._session.request(
                method,
                url,
                json=json,
                data=form,
                headers=headers,
                auth=self._auth if auth else None,
                timeout=(self.limits.connect_timeout, self.limits.read_timeout),
                stream=True,
                allow_redirects=False,
            )
        except (requests.RequestException, HTTPError, UnicodeError) as error:
            raise _explained(error, url) from error

    def _body(self, response: requests.Response, url: str) -> bytes:
        """The whole body, unpacked when it is gzip, whatever the headers say of it."""
        too_large = SourceError(
            "too_large", f"{shown(url)} answered with more than {self.limits.max_bytes} bytes: too much to read."
        )
        deadline = time.monotonic() + self.limits.body_timeout
        body = bytearray()
        try:
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                body += chunk
                if len(body) > self.limits.max_bytes:
                    raise too_large
                if time.monotonic() > deadline:
                    raise SourceError(
                        "timeout", f"{shown(url)} took more than {self.limits.body_timeout:g} s to send one answer."
                    )
        except (HTTPError, OSError) as error:
            raise _CutOffError(type(error).__name__) from error
        return self._unpacked(bytes(body), too_large)

    def _unpacked(self, body: bytes, too_large: SourceError) -> bytes:
        """Gzip, declared or not, is known by its first two bytes; it may consist of several members."""
        plain = bytearray()
        while body.startswith(b"\x1f\x8b"):
            unpacker = zlib.decompressobj(wbits=31)
            try:
                plain += unpacker.decompress(body, self.limits.max_bytes - len(plain) + 1)
            except zlib.error as error:
                raise _CutOffError("broken gzip") from error
            if len(plain) > self.limits.max_bytes:
                raise too_large
            if not unpacker.eof:
                raise _CutOffError("gzip ends too early")
            body = unpacker.unused_data
        return bytes(plain) or body


def ahead(items: Iterable[Item], depth: int = 1) -> Generator[Item, None, None]:
    """The same items, each fetched in a thread while the one before is worked on; at most ``depth`` wait.

    An exception of ``items`` is raised where its item would have been. When this iterator is closed, ``items`` is
    closed too, after the item that is being fetched; no thread stays behind.
    """
    iterator = iter(items)
    waiting: deque[Future[Any]] = deque()
    thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    try:
        waiting.extend(thread.submit(next, iterator, _END) for _ in range(max(depth, 1)))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(thread.submit(next, iterator, _END))
            yield item
    finally:
        thread.shutdown(wait=True, cancel_futures=True)
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


def shown(url: str) -> str:
    """An address as it may stand in a message: without credentials, without its query beyond the OAI verb, short."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2].partition("?")[0][:300]
    verb = next((pair for pair in parts.query.split("&") if pair.startswith("verb=")), "")
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, verb, ""))[:300]


def is_public(address: str) -> bool:
    """Whether an IP address lies in the public Internet (not loopback, private, link-local, multicast …)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        ip = inner or ip
    return ip.is_global and not ip.is_multicast


def _in_short(error: Exception | None) -> str:
    """What broke, without the objects that the library's words begin with."""
    said = str(error).partition("): ")
    return (said[2] or said[0]).rstrip(".") or type(error).__name__


class _CutOffError(Exception):
    """The body of an answer stopped before its end."""


class _FollowingNothing(requests.Session):
    """requests reads the body of a redirect whole, however large; we follow by hand instead."""

    def resolve_redirects(self, *_: object, **__: object) -> Iterator[Any]:
        return iter(())


class _PatientRetry(Retry):
    """urllib3's retries; a Retry-After that cannot be read is no reason to give up. Each try after the first is logged."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """What is left to be tried; raises what ended the last try."""
        left = super().increment(method, url, response, error, _pool, _stacktrace)
        seconds = left.get_backoff_time()
        if response is not None:
            seconds = min(left.get_retry_after(response) or seconds, float(left.retry_after_max))
        why = f"HTTP {response.status}" if response is not None else _in_short(error)
        whole = (
            f"{_pool.scheme}://{_pool.host}:{_pool.port}{url}" if isinstance(_pool, HTTPConnectionPool) else f"{url}"
        )
        tried = len(left.history)
        last = tried + int(left.total or 0) + 1
        log.warning("%s: %s; asked again in %.0f s (try %d of %d)", shown(whole), why, seconds, tried + 1, last)
        return left

    def parse_retry_after(self, retry_after: str) -> float:
        try:
            return super().parse_retry_after(retry_after)
        except (InvalidHeader, OverflowError, ValueError):
            return 0.0  # then the usual back-off


class _OwnTurns:
    """Turns of this session alone: requests to each host are spaced evenly, over all threads."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, host: str, gap: float) -> None:
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next.get(host, now))
            self._next[host] = turn + gap
        time.sleep(turn - now)


class _Pace:
    """Waits for the turn of each request, and counts them."""

    def __init__(self, turns: Turns, gap: float) -> None:
        self.calls = 0
        self._turns = turns
        self._gap = gap
        self._lock = threading.Lock()

    def wait(self, connection: HTTPConnection) -> None:
        with self._lock:
            self.calls += 1
        self._turns.wait(f"{connection.host}:{connection.port}", self._gap)


class _Adapter(HTTPAdapter):
    """Pools whose connections keep the pace and look at the address that they really connect to."""

    def __init__(self, limits: Limits, turns: Turns, *, allow_private_hosts: bool) -> None:
        self.pace = _Pace(turns, 1.0 / limits.requests_per_second)
        self._allow_private_hosts = allow_private_hosts
        super().__init__(
            pool_connections=8,
            pool_maxsize=limits.connections,
            pool_block=True,
            max_retries=_PatientRetry(
                total=limits.retries,
                redirect=False,
                allowed_methods=None,
                status_forcelist=WORTH_RETRYING,
                backoff_factor=limits.backoff,
                backoff_max=LONGEST_BACKOFF,
                raise_on_status=False,
                retry_after_max=limits.longest_retry_after,
            ),
        )

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the library has it
        super().init_poolmanager(*args, **kwargs)
        self._use_ours(self.poolmanager, guard=not self._allow_private_hosts)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401
        manager = super().proxy_manager_for(proxy, **kwargs)
        self._use_ours(manager, guard=False)  # the connection is the proxy's; what it reaches is its own affair
        return manager

    def _use_ours(self, manager: PoolManager, *, guard: bool) -> None:
        pace = self.pace  # not the adapter: a connection that knows its pools keeps them, and all sockets, for ever
        manager.pool_classes_by_scheme = {
            scheme: type("_Pool", (pool,), {"ConnectionCls": _connection(connection, pace.wait, guard=guard)})
            for scheme, pool, connection in (
                ("http", HTTPConnectionPool, HTTPConnection),
                ("https", HTTPSConnectionPool, HTTPSConnection),
            )
        }


def _connection(
    base: type[HTTPConnection], wait: Callable[[HTTPConnection], None], *, guard: bool
) -> type[HTTPConnection]:
    """A connection class that waits its turn before every request, retries included, and guards the address."""

    class Polite(base):  # type: ignore[misc, valid-type]
        host: str

        def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            wait(self)
            super().request(*args, **kwargs)

        def _new_conn(self) -> socket.socket:
            """Resolves once, refuses, and connects to the very address it looked at: no second look-up can differ."""
            connect = super()._new_conn
            if not guard:
                return connect()  # type: ignore[no-any-return]
            name = self.host
            try:
                found = socket.getaddrinfo(name, self.port, type=socket.SOCK_STREAM)
            except socket.gaierror as error:
                raise NameResolutionError(name, self, error) from error
            addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
            if not all(is_public(address) for address in addresses):
                raise SourceError(
                    "private_address",
                    f"{name} is a private address, which a source may not be. If this is meant, set "
                    "allow_private_hosts: true in the source of this institution.",
                )
            for address in addresses:
                try:
                    self.host = address
                    return connect()  # type: ignore[no-any-return]
                except HTTPError:
                    if address == addresses[-1]:
                        raise
                finally:
                    self.host = name
            raise AssertionError("a name without addresses")  # pragma: no cover - getaddrinfo raises instead

    return Polite


def _user_agent(contact: str | None) -> str:
    return f"explorer-for-institutions/{VERSION}" + (f" (+{contact})" if contact else "")


def _explained(error: Exception, url: str) -> SourceError:
    """The same failure as a code and a sentence."""
    where = shown(url)
    cause: BaseException | None = error
    causes: list[BaseException] = []
    while cause is not None and cause not in causes:
        causes.append(cause)
        inner = cause.args[0] if cause.args and isinstance(cause.args[0], BaseException) else None
        cause = getattr(cause, "reason", None) or inner or cause.__cause__
        cause = cause if isinstance(cause, BaseException) else None
    if any(isinstance(each, NameResolutionError) for each in causes):
        return SourceError("unknown_host", f"The host of {where} is not known: check the address for a slip.")
    if isinstance(error, requests.exceptions.SSLError):
        return SourceError("certificate", f"{where} has no certificate that we can trust ({causes[-1]}).")
    if isinstance(error, requests.Timeout) or any(isinstance(each, ReadTimeoutError) for each in causes):
        return SourceError("timeout", f"{where} did not answer in time, again and again. Try again later.")
    if isinstance(error, requests.exceptions.InvalidSchema):
        return SourceError("insecure_address", f"{where} is not https. Use an https address, or set allow_http: true.")
    if isinstance(error, (requests.exceptions.ConnectionError, HTTPError)):
        return SourceError("unreachable", f"{where} cannot be reached ({type(causes[-1]).__name__}). Try again later.")
    return SourceError("bad_address", f"{where} is not an address that can be asked ({type(error).__name__}).")
