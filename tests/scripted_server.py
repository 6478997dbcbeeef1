"""A tiny web server on loopback for tests: a function answers each request, and every request is remembered."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass
class Reply:
    """What to answer. ``cut``: close the connection after so many bytes of the body; ``reset``: send nothing at all."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    pause: float = 0.0  # seconds before the answer


@dataclass(frozen=True)
class Asked:
    """One request that came in."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    at: float


@dataclass
class Server:
    """The running server: where it is and what it was asked."""

    url: str
    asked: list[Asked] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # a client that finds the queue full waits for a second


@contextmanager
def serving(answer: Callable[[Asked], Reply]) -> Iterator[Server]:
    """Serves ``answer`` on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(parts.path, dict(parse_qsl(parts.query)), dict(self.headers), time.monotonic())
            server.asked.append(asked)
            reply = answer(asked)
            time.sleep(reply.pause)
            if reply.reset:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            with suppress(ConnectionError):  # the client may have gone: that is its right
                self.wfile.write(reply.body[: reply.cut])
            if reply.cut is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Quiet."""

    httpd = _Server(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def in_turn(*replies: Reply) -> Callable[[Asked], Reply]:
    """Answers one after the other; the last one for ever."""
    left = list(replies)
    lock = threading.Lock()

    def answer(_: Asked) -> Reply:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return answer
