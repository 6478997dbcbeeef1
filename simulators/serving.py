"""What all simulators of web servers share: answering on loopback, keeping a log, misbehaving on demand.

A simulator says what a request is called (an OAI verb, a path) and how it is answered when all is well. Faults are laid
over that, one or several, in-process or over HTTP under ``/_simulator/`` (JSON; loopback only):

    GET, DELETE  /_simulator/faults      POST /_simulator/faults   {"kind": "busy_seconds", "after": 2, "seconds": 1}
    GET, DELETE  /_simulator/calls       POST /_simulator/world    what the simulator understands
"""

from __future__ import annotations

import gzip
import json
import os
import socket
import struct
import threading
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

HOST = "127.0.0.1"
MOVED = "/moved"  # where the fault "redirect" sends a client
ADMIN = "/_simulator/"

TRANSPORT_FAULTS: Mapping[str, str] = {
    "busy_seconds": "503, Retry-After in seconds",
    "busy_date": "503, Retry-After as an HTTP date",
    "too_many_requests": "429, Retry-After in seconds",
    "server_error": "500 with an empty body",
    "redirect": "302 to another path that answers",
    "html": "a login page with status 200",
    "errors_as_422": "an answer that refuses, with HTTP status 422",
    "truncated": "the first half of the body, as if that were all",
    "text_before": "a warning of PHP before the XML",
    "text_after": "a notice of PHP behind the XML",
    "gzip": "gzip, said in the header, asked for or not",
    "gzip_undeclared": "gzip without a word",
    "slow": "the right answer after `seconds`",
    "silence": "no answer for `seconds`, then the end of the connection",
    "reset": "the connection is reset before any answer",
    "cut": "the connection is reset in the middle of the body",
}

LOGIN_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form>Who goes there?</form></body></html>\n"
)
PHP_WARNING = (
    b"<br />\n<b>Warning</b>:  mysql_connect(): Too many connections in <b>oai.php</b> on line <b>42</b><br />\n"
)
PHP_NOTICE = b"\n<br />\n<b>Notice</b>:  Undefined index: until in <b>oai.php</b> on line <b>217</b><br />\n"
UNANSWERED = frozenset({"silence", "reset", "cut"})
FAILURES: Mapping[str, HTTPStatus] = {
    "busy_seconds": HTTPStatus.SERVICE_UNAVAILABLE,
    "busy_date": HTTPStatus.SERVICE_UNAVAILABLE,
    "too_many_requests": HTTPStatus.TOO_MANY_REQUESTS,
    "server_error": HTTPStatus.INTERNAL_SERVER_ERROR,
}
SPOILED_BODIES: Mapping[str, Callable[[bytes], bytes]] = {
    "truncated": lambda body: body[: len(body) // 2],
    "text_before": lambda body: PHP_WARNING + body,
    "text_after": lambda body: body + PHP_NOTICE,
    "gzip": lambda body: gzip.compress(body, 1),
    "gzip_undeclared": lambda body: gzip.compress(body, 1),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``arguments`` as they came, repetitions too; of a form POST, those of its body.

    ``body`` is what was sent, as it came.
    """

    method: str
    path: str
    arguments: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""  # what stands in the address, of a form POST too
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response. ``refused``: it says that something is wrong. ``records``: the ids of what it holds.

    ``faults``: the kinds of those that the simulator itself has laid over it.
    """

    body: bytes = b""
    status: int = HTTPStatus.OK
    content_type: str = "text/xml; charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    refused: bool = False
    records: frozenset[int] = frozenset()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Misbehaviour of ``kind``, from the matching call number ``after + 1`` on, for ``times`` of them (None: for ever).

    A call matches when it has the name ``name`` (any, if None) and when its answer holds ``record`` (if not None: with
    ``times=None`` that is a poison record).
    """

    kind: str
    name: str | None = None
    after: int = 0
    times: int | None = 1
    seconds: float = 1
    record: int | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """What was asked and what became of it. ``status`` None: the client saw no answer."""

    name: str
    method: str
    path: str
    arguments: tuple[tuple[str, str], ...]
    status: int | None
    faults: tuple[str, ...]
    user_agent: str
    at: float  # seconds of the system's monotonic clock
    body: bytes = b""  # of a POST

    def argument(self, name: str) -> str | None:
        """The first value of an argument."""
        return next((value for key, value in self.arguments if key == name), None)


class Faults:
    """The faults that are switched on, and how often each has been met. May be used from several threads."""

    def __init__(self, kinds: Collection[str], faults: Collection[Fault] = ()) -> None:
        self._kinds = frozenset(kinds)
        self._lock = threading.Lock()
        self._met: dict[Fault, int] = {}
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Switches a fault on; one that was on begins to count again. Raises ``ValueError`` for an unknown kind."""
        if fault.kind not in self._kinds:
            message = f"There is no fault {fault.kind!r}; there are: {', '.join(sorted(self._kinds))}."
            raise ValueError(message)
        with self._lock:
            self._met[fault] = 0

    def clear(self) -> None:
        """Switches all faults off."""
        with self._lock:
            self._met.clear()

    def all(self) -> list[Fault]:
        """The faults that are switched on, worn out or not."""
        with self._lock:
            return list(self._met)

    def strike(self, name: str, kinds: Collection[str], records: Collection[int] = ()) -> list[Fault]:
        """The faults of these kinds that hit this call; each that matches counts it."""
        struck = []
        with self._lock:
            for fault in self._met:
                if fault.kind not in kinds or fault.name not in {None, name}:
                    continue
                if fault.record is not None and fault.record not in records:
                    continue
                self._met[fault] += 1
                number = self._met[fault] - fault.after
                if number > 0 and (fault.times is None or number <= fault.times):
                    struck.append(fault)
        return struck


class Simulator(ABC):
    """A server that answers as some product does. ``path`` is where it answers, ``also`` what else begins an address."""

    path = "/"
    also: ClassVar[tuple[str, ...]] = ()
    faults_known: ClassVar[Mapping[str, str]] = TRANSPORT_FAULTS

    def __init__(self, faults: Collection[Fault] = ()) -> None:
        self.faults = Faults(self.faults_known, faults)
        self.url = ""  # set while it serves
        self.most_at_once = 0
        self._at_once = 0
        self._calls: list[Logged] = []
        self._lock = threading.Lock()

    @abstractmethod
    def call_name(self, call: Call) -> str:
        """What the request is called, in faults and in the log."""

    @abstractmethod
    def answer(self, call: Call) -> Answer:
        """The answer when the transport is well."""

    def change(self, order: Mapping[str, object]) -> None:
        """Carries out an order to ``/_simulator/world``; raises ``ValueError`` for one that it does not know."""
        message = f"{type(self).__name__} takes no orders such as {sorted(order)}."
        raise ValueError(message)

    @property
    def calls(self) -> list[Logged]:
        """What was asked so far, in the order of the answers."""
        with self._lock:
            return list(self._calls)

    def forget_calls(self) -> None:
        """Empties the log."""
        with self._lock:
            self._calls.clear()
            self.most_at_once = 0

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[str]:
        """Serves in threads of this process and gives the address; port 0 takes any free one."""
        server = _Server((HOST, port), self)
        self.url = f"http://{HOST}:{server.server_address[1]}{self.path}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self.url
        finally:
            server.stop()
            thread.join()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts a call as under way, until just before the client can see the answer and ask again."""
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1

    def log(self, call: Call, status: int | None, faults: tuple[str, ...] = ()) -> None:
        """Notes a call in the log: before the client can see the answer, so that a test finds it there."""
        agent = call.headers.get("User-Agent", "")
        name = self.call_name(call)
        with self._lock:
            self._calls.append(
                Logged(name, call.method, call.path, call.arguments, status, faults, agent, time.monotonic(), call.body)
            )


class _Server(ThreadingHTTPServer):
    """Knows its open connections, so that a stopped simulator answers nobody."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], simulator: Simulator) -> None:
        self.simulator = simulator
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if not isinstance(request, socket.socket):
            raise TypeError
        self._open.add(request)
        try:
            super().finish_request(request, client_address)
        except ConnectionError:
            pass  # the client went away: its affair, and often the test's intention
        finally:
            self._open.discard(request)

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it ended by itself meanwhile


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is http.server's)
        """Says nothing: the log is kept by the simulator."""

    def _handle(self) -> None:
        simulator = self.server.simulator
        target = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if target.path.startswith(ADMIN):
            self._send(self._administer(target.path.removeprefix(ADMIN), body))
            return
        form = self.command == "POST" and body and "json" not in self.headers.get("Content-Type", "")
        arguments = parse_qsl(body.decode() if form else target.query, keep_blank_values=True)
        call = Call(self.command, target.path, tuple(arguments), dict(self.headers.items()), target.query, body)
        if not target.path.removeprefix(MOVED).startswith((simulator.path, *simulator.also)):
            simulator.log(call, HTTPStatus.NOT_FOUND)
            self._send(Answer(b"Not Found\n", HTTPStatus.NOT_FOUND, "text/plain"))
            return
        with simulator.counted():
            answer = simulator.answer(call)
            faults = simulator.faults.strike(simulator.call_name(call), TRANSPORT_FAULTS, answer.records)
            for fault in faults:
                answer = spoil(call, answer, fault)
            kinds = tuple(fault.kind for fault in faults)
            unseen = UNANSWERED.intersection(kinds)
            simulator.log(call, None if unseen else answer.status, answer.faults + kinds)
            wait = sum(fault.seconds for fault in faults if fault.kind in {"slow", "silence"})
            self.server.stopping.wait(wait)
        self._deliver(answer, unseen)

    def _deliver(self, answer: Answer, unseen: Collection[str]) -> None:
        """Sends the answer, or ends the connection as the faults want it."""
        if not unseen:
            self._send(answer)
            return
        self.close_connection = True
        if "silence" in unseen:
            return
        if "cut" in unseen:
            self._send(answer, portion=len(answer.body) // 2)
        self._reset()

    def _send(self, answer: Answer, portion: int | None = None) -> None:
        """Writes head and body in one go: written apart, they would wait for each other's acknowledgement."""
        known = {status.value: status.phrase for status in HTTPStatus}
        head = {
            "Date": formatdate(usegmt=True),
            "Server": "Apache",
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            **answer.headers,
        }
        lines = [
            f"HTTP/1.1 {int(answer.status)} {known.get(answer.status, 'Unknown')}",
            *(f"{name}: {value}" for name, value in head.items()),
        ]
        self.wfile.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + answer.body[:portion])

    def _reset(self) -> None:
        """Ends the connection with RST instead of FIN: no lingering, and no orderly shutdown before."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def _administer(self, name: str, body: bytes) -> Answer:
        simulator = self.server.simulator
        if not ip_address(self.client_address[0]).is_loopback:
            return _as_json({"error": "Only for this machine."}, HTTPStatus.FORBIDDEN)
        try:
            match self.command, name:
                case "GET", "faults":
                    return _as_json([asdict(fault) for fault in simulator.faults.all()])
                case "POST", "faults":
                    simulator.faults.add(Fault(**json.loads(body)))
                case "DELETE", "faults":
                    simulator.faults.clear()
                case "GET", "calls":
                    return _as_json([{**asdict(logged), "body": logged.body.decode()} for logged in simulator.calls])
                case "DELETE", "calls":
                    simulator.forget_calls()
                case "POST", "world":
                    simulator.change(json.loads(body))
                case _:
                    return _as_json({"error": f"No such page: {self.command} {name}"}, HTTPStatus.NOT_FOUND)
        except (TypeError, ValueError, KeyError) as error:
            return _as_json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
        return _as_json({"done": True})


def spoil(call: Call, answer: Answer, fault: Fault) -> Answer:
    """The answer as a fault of the transport leaves it; faults of the connection leave it as it is."""
    empty = Answer(b"", content_type="text/html", records=answer.records)
    if fault.kind in FAILURES:
        return replace(empty, status=FAILURES[fault.kind], headers=_retry_after(fault))
    if fault.kind == "html":
        return replace(empty, body=LOGIN_PAGE)
    if fault.kind == "redirect" and not call.path.startswith(MOVED):
        place = f"{MOVED}{call.path}?{urlencode(call.arguments)}"
        return replace(empty, status=HTTPStatus.FOUND, headers={"Location": place})
    if fault.kind == "errors_as_422" and answer.refused:
        return replace(answer, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if fault.kind in SPOILED_BODIES:
        answer = replace(answer, body=SPOILED_BODIES[fault.kind](answer.body))
    if fault.kind == "gzip":
        answer = replace(answer, headers={**answer.headers, "Content-Encoding": "gzip"})
    return answer


def _retry_after(fault: Fault) -> dict[str, str]:
    seconds = max(1, round(fault.seconds))
    if fault.kind == "busy_date":
        return {"Retry-After": formatdate(time.time() + seconds, usegmt=True)}
    return {"Retry-After": str(seconds)} if fault.kind in {"busy_seconds", "too_many_requests"} else {}


def _as_json(value: object, status: int = HTTPStatus.OK) -> Answer:
    return Answer(json.dumps(value, ensure_ascii=False).encode(), status, "application/json")
