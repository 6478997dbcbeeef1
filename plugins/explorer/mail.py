"""Mail by SMTP: one message to one address, and an answer that says whether to try again.

The settings are those of Airflow's SMTP connection, with the meaning that its hook gives them. The hook itself is not
used: it sends a message up to six times on any error, whatever has already been accepted.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import localtime, parseaddr
from typing import TYPE_CHECKING

import idna

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from explorer.connections import Connection

FROM_NAME = "Explorer for Institutions"
FROM_ADDRESS = "explorer@localhost"
TIMEOUT_SECONDS = 30  # as Airflow's hook
SUBJECT_CHARACTERS = 200
OK, DATA_PLEASE = 250, 354


class MailError(Exception):
    """A mail was not sent; the message says why and what to do."""


class DelayedError(MailError):
    """Not now: the server is away, busy or asks to come back. Trying again may help."""


class RefusedError(MailError):
    """Never like this: an address, the login or the settings are refused. Only a person can mend it."""


class UnconfirmedError(MailError):
    """The whole mail was handed over and no answer came: it may have arrived, so it must not be sent again."""


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server as the Airflow connection names it.

    Its ``extra``: ``from_email``, ``timeout`` (seconds), ``disable_ssl``, ``disable_tls`` (no STARTTLS), and
    ``ssl_context`` (``none`` accepts any certificate).
    """

    host: str
    port: int
    login: str | None
    password: str | None
    encrypted: bool
    starttls: bool
    verified: bool
    timeout: float
    sender: str


def server(connection: Connection) -> Server:
    """The server of an Airflow connection. Raises ``RefusedError`` for settings that nothing can be done with."""
    extra = connection.extra
    if extra.get("auth_type", "basic") != "basic":
        message = "the mail connection asks for oauth2, which is not supported here: set auth_type to basic"
        raise RefusedError(message)
    encrypted = not _is_true(extra, "disable_ssl")
    return Server(
        host=connection.host or "localhost",
        port=int(connection.port or 0),  # 0: the usual port of the protocol
        login=connection.login or None,
        password=connection.password or None,
        encrypted=encrypted,
        # On an encrypted connection there is nothing left to start: the hook tries nevertheless, and fails.
        starttls=not encrypted and not _is_true(extra, "disable_tls"),
        verified=extra.get("ssl_context") != "none",
        timeout=float(str(extra.get("timeout") or TIMEOUT_SECONDS)),
        sender=str(extra.get("from_email") or FROM_ADDRESS),
    )


def _is_true(extra: Mapping[str, object], name: str) -> bool:
    """A switch of a connection; one that is written as an address carries text."""
    return str(extra.get(name, False)).strip().lower() in ("true", "1", "yes", "on")


def one_line(text: str) -> str:
    """Text on one line: no line breaks or other controls, none of the signs that turn the direction of what follows."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]", " ", text).split())


def message(server: Server, recipient: str, subject: str, *, message_id: str | None = None) -> EmailMessage:
    """An empty message with its headers. Raises ``RefusedError`` where the recipient is no address."""
    mail = EmailMessage(policy=SMTP if recipient.rpartition("@")[0].isascii() else SMTPUTF8)
    mail["From"] = _sender(server)
    mail["To"] = _address(recipient)
    mail["Subject"] = one_line(subject)[:SUBJECT_CHARACTERS]
    mail["Date"] = localtime()
    if message_id is not None:
        mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice comes back
    mail["X-Auto-Response-Suppress"] = "All"  # the same, for Exchange
    return mail


def sender_domain(server: Server) -> str:
    """The domain that this program's mails come from."""
    return _sender(server).domain


def _sender(server: Server) -> Address:
    name, address = parseaddr(server.sender)
    parsed = _address(address)
    return Address(one_line(name) or FROM_NAME, parsed.username, parsed.domain)


def _address(text: str) -> Address:
    """An address as it travels: the domain in ASCII."""
    local, _, domain = text.strip().rpartition("@")
    refusal = f"“{one_line(text)}” is no e-mail address; mend it where it is written, or in the mail connection"
    if not local or not domain or re.search(r"\s", text.strip()):
        raise RefusedError(refusal)
    try:
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
        return Address(username=local, domain=ascii_domain)
    except ValueError as error:  # idna's errors and email's are of this kind
        raise RefusedError(refusal) from error


@contextlib.contextmanager
def session(server: Server) -> Iterator[smtplib.SMTP]:
    """A logged-in conversation with the server."""
    where = f"the mail server {server.host}" + (f":{server.port}" if server.port else "")
    try:
        client = _connected(server)
    except (smtplib.SMTPNotSupportedError, ssl.SSLError) as error:
        message = f"{where} does not encrypt as the connection asks (disable_ssl, disable_tls, ssl_context): {error}"
        raise RefusedError(message) from error
    except smtplib.SMTPResponseException as error:
        raise _answer(error.smtp_code, _text(error.smtp_error), f"{where} does not let us in") from error
    except (OSError, smtplib.SMTPException) as error:
        message = f"{where} does not answer ({error}); look at the Airflow connection smtp_default"
        raise DelayedError(message) from error
    try:
        yield client
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):  # a farewell changes nothing any more
            client.quit()
        client.close()


def _connected(server: Server) -> smtplib.SMTP:
    context = ssl.create_default_context() if server.verified else ssl._create_unverified_context()  # noqa: S323, SLF001
    client = (
        smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout, context=context)
        if server.encrypted
        else smtplib.SMTP(server.host, server.port, timeout=server.timeout)
    )
    try:
        if server.starttls:
            client.starttls(context=context)
        if server.login and server.password:
            client.login(server.login, server.password)
        client.ehlo_or_helo_if_needed()
    except BaseException:
        client.close()
        raise
    return client


def deliver(client: smtplib.SMTP, mail: EmailMessage) -> None:
    """Hands one message over, and returns when the server has accepted it.

    Raises ``DelayedError`` or ``RefusedError`` where it has not, ``UnconfirmedError`` where nobody can know: all of the
    message was handed over, and the connection ended or fell silent before the answer.
    """
    recipient, sender = (mail[header].addresses[0].addr_spec for header in ("To", "From"))
    content = re.sub(rb"(?m)^\.", b"..", mail.as_bytes())
    options = [] if recipient.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
    try:
        _expect(OK, client.mail(sender, options), f"the mail server takes no mail from {sender}")
        _expect(OK, client.rcpt(recipient), f"the mail server refuses {recipient}")
        _expect(DATA_PLEASE, client.docmd("DATA"), f"the mail server refuses the mail to {recipient}")
        client.send(content + b".\r\n")
    except smtplib.SMTPNotSupportedError as error:
        raise RefusedError(f"the mail server cannot write to {recipient}: {error}") from error
    except OSError as error:  # smtplib's own errors are of this kind, too
        raise DelayedError(f"the mail server broke off before it had the mail to {recipient}: {error}") from error
    try:
        reply = client.getreply()
    except OSError as error:
        message = f"the mail to {recipient} was handed over whole, but not confirmed, so it may have arrived: {error}"
        raise UnconfirmedError(message) from error
    _expect(OK, reply, f"the mail server refuses the mail to {recipient}")


def _expect(wanted: int, reply: tuple[int, bytes], refusal: str) -> None:
    code, text = reply
    if code // 100 != wanted // 100:
        raise _answer(code, _text(text), refusal)


def _answer(code: int, text: str, refusal: str) -> MailError:
    """What an answer of the server means: 5xx is for good, anything else is for now."""
    sentence = f"{refusal}: {code} {text}"
    return RefusedError(sentence) if 500 <= code < 600 else DelayedError(sentence)  # noqa: PLR2004 - SMTP's own hundreds


def _text(reply: bytes | str) -> str:
    return one_line(reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply)
