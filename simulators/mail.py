"""A real SMTP server on loopback that delivers nothing: each message becomes a file that a person can open.

``python -m simulators.mail --folder FOLDER --ready FILE [--port N]``. In the folder: one ``.eml`` per message, its
attachments beside it, and ``index.html`` with all of them, newest first, their HTML shown in a frame that runs nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Self

from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import TracebackType

    from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"
SIZE_LIMIT = 32 * 1024 * 1024  # bytes of one message
START_SECONDS = 60.0  # that a busy machine may take

INDEX = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>{count} mails</title>
<style>
  body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
  summary {{ cursor: pointer; padding: .4rem 0; border-bottom: 1px solid #ccc; }}
  iframe {{ width: 100%; height: 36rem; border: 1px solid #ccc; background: #fff; }}
  pre {{ white-space: pre-wrap; background: #f6f6f6; padding: 1rem; }}
</style>
<h1>{count} mails</h1>
{mails}
</html>
"""
MAIL = """<details>
<summary>{time} <strong>{subject}</strong> to {to}</summary>
<p>From {sender}. <a href="{file}">{file}</a>{attachments}</p>
{html}<details><summary>As text</summary><pre>{text}</pre></details>
</details>
"""


@dataclass(frozen=True, slots=True)
class Faults:
    """How the server misbehaves. The numbers count messages; each is used up as it strikes."""

    refused: frozenset[str] = frozenset()  # addresses that are answered 550, for ever
    busy: int = 0  # messages that are answered 451
    dropped: int = 0  # messages that are kept, but the connection ends before the sender is told


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as it came: who sent it to whom (the envelope's addresses), and what it says."""

    file: Path
    received: datetime
    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return str(self.message.get("Subject", ""))

    @property
    def text(self) -> str:
        """The text part, "" if there is none."""
        return _part(self.message, "plain")

    @property
    def html(self) -> str:
        """The HTML part, "" if there is none."""
        return _part(self.message, "html")

    @property
    def attachments(self) -> dict[str, bytes]:
        """Content by file name."""
        parts = [part for part in self.message.iter_attachments() if isinstance(part, EmailMessage)]
        return {part.get_filename() or f"part {place}": _content(part) for place, part in enumerate(parts, 1)}


class MailSink:
    """The server, in a thread of this process, as a context manager. ``port`` 0 takes any free one."""

    def __init__(
        self, folder: Path, port: int = 0, faults: Faults | None = None, clock: Callable[[], datetime] | None = None
    ) -> None:
        self.folder = folder
        self.faults = faults or Faults()
        self._clock = clock or (lambda: datetime.now(UTC))
        self._mails: list[Mail] = []
        self._busy = self.faults.busy
        self._dropped = self.faults.dropped
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(folder.glob("*.eml")):  # those of an earlier run stay in the list
            self._mails.append(read(file))
        self._socket = socket.create_server((HOST, port))
        self.host = HOST
        self.port = int(self._socket.getsockname()[1])
        self._controller = _Controller(self, self._socket)

    def __enter__(self) -> Self:
        self._controller.start()
        self._write_index()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    def messages(self) -> list[Mail]:
        """All messages in the folder, in the order in which they came."""
        return list(self._mails)

    # What aiosmtpd calls, by these names, in its thread: one message at a time.

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes a recipient, or refuses the one that is to be refused."""
        del server, session
        if address in self.faults.refused:
            return "550 5.1.1 No such person in this kingdom"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keeps a message."""
        del session
        if self._busy > 0:
            self._busy -= 1
            return "451 4.3.0 Try again later"
        content = envelope.content
        self._keep(envelope.mail_from or "", envelope.rcpt_tos, content if isinstance(content, bytes) else b"")
        if self._dropped > 0 and isinstance(server.transport, asyncio.Transport):
            self._dropped -= 1
            server.transport.abort()
        return "250 OK"

    def _keep(self, sender: str, recipients: Collection[str], content: bytes) -> None:
        received = self._clock()
        envelope = f"X-Envelope-From: {sender}\r\nX-Envelope-To: {', '.join(recipients)}\r\n"
        stamp = f"X-Received: {received.isoformat()}\r\n"
        file = _free(self.folder / f"{file_name(received, recipients, content)}.eml")
        draft = file.with_suffix(".draft")
        draft.write_bytes((envelope + stamp).encode() + content)
        draft.replace(file)
        mail = read(file)
        for name, attachment in mail.attachments.items():
            beside(file, name).write_bytes(attachment)
        self._mails.append(mail)
        self._write_index()

    def _write_index(self) -> None:
        mails = "\n".join(shown(mail) for mail in reversed(self._mails))
        draft = self.folder / "index.html.draft"
        draft.write_text(INDEX.format(count=len(self._mails), mails=mails), "utf-8")
        draft.replace(self.folder / "index.html")


class _Controller(Controller):
    """aiosmtpd's thread on a socket that is bound already, so that its port is known."""

    def __init__(self, handler: MailSink, bound: socket.socket) -> None:
        host, port = bound.getsockname()
        super().__init__(handler, hostname=host, port=port, data_size_limit=SIZE_LIMIT, ready_timeout=START_SECONDS)
        self._bound = bound

    def _create_server(self):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return self.loop.create_server(self._factory_invoker, sock=self._bound)


def read(file: Path) -> Mail:
    """A message from its file, with the envelope that was written on top of it."""
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(file.read_bytes())
    received = datetime.fromisoformat(str(message["X-Received"]))
    recipients = tuple(str(message["X-Envelope-To"]).split(", "))
    return Mail(file, received, str(message["X-Envelope-From"]), recipients, message)


def file_name(received: datetime, recipients: Collection[str], content: bytes) -> str:
    """Time, first recipient and subject, in letters that every file system takes."""
    headers = BytesParser(EmailMessage, policy=policy.default).parsebytes(content, headersonly=True)
    people = next(iter(recipients), "nobody") + (f" and {len(recipients) - 1} more" if len(recipients) > 1 else "")
    return f"{received:%Y-%m-%d_%H-%M-%S}_{_plain(people)}_{_plain(str(headers.get('Subject', 'no subject')))}"


def beside(file: Path, attachment: str) -> Path:
    """Where an attachment of a message is put: never outside its folder, whatever it calls itself."""
    return file.with_name(f"{file.stem}_attached_{_plain(attachment)}")


def shown(mail: Mail) -> str:
    """A message as a piece of the page. Nothing that it says is markup of the page, and its own markup runs nothing."""
    frame = f'<iframe sandbox srcdoc="{escape(mail.html)}"></iframe>\n' if mail.html else ""
    links = "".join(
        f', <a href="{escape(beside(mail.file, name).name)}">{escape(name)}</a> ({len(content):,} bytes)'
        for name, content in mail.attachments.items()
    )
    return MAIL.format(
        time=f"{mail.received:%Y-%m-%d %H:%M:%S}",
        subject=escape(mail.subject) or "(no subject)",
        to=escape(", ".join(mail.recipients)),
        sender=escape(mail.sender),
        file=escape(mail.file.name),
        attachments=links,
        html=frame,
        text=escape(mail.text),
    )


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    return str(body.get_content()) if body is not None else ""


def _content(part: EmailMessage) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else bytes(part)


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9@.-]+", "-", text).strip("-.")[:80] or "unnamed"


def _free(file: Path) -> Path:
    """The file, or the first of its name with a number behind it that is not there yet."""
    place, found = 1, file
    while found.exists():
        place += 1
        found = file.with_name(f"{file.stem}_{place}{file.suffix}")
    return found


def main() -> int:
    """Receives until SIGTERM or SIGINT; 2 if the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m simulators.mail", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the messages are put")
    parser.add_argument("--ready", type=Path, required=True, help="written when it answers: host and port, as JSON")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        sink = MailSink(options.folder, options.port)
    except OSError as error:
        sys.stderr.write(f"Port {options.port} cannot be used for the mail sink ({error.strerror}): try --port 0.\n")
        return 2
    with sink:
        options.ready.parent.mkdir(parents=True, exist_ok=True)
        draft = options.ready.with_name(f"{options.ready.name}.draft")
        draft.write_text(json.dumps({"host": sink.host, "port": sink.port}) + "\n", "utf-8")
        draft.replace(options.ready)
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
