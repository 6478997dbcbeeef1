"""What people are told: the institution's mail about a complete import, and the operators' alarm.

Each address gets a message of its own, and one message per import at most. ``ops.notice`` sees to that: an address is
claimed there, committed, before anything is sent. A mail that was not accepted gives its claim back, and a repeated
task sends it. A process that dies in between leaves the claim, and a repeated task warns: no second mail.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from psycopg.rows import dict_row

from explorer import connections, digest, mail
from explorer.imports import HaltedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from email.message import EmailMessage

    from explorer.config import Institution
    from explorer.database import Connection
    from explorer.digest import Digest

log = logging.getLogger(__name__)

CONNECTION = "smtp_default"
OPERATORS = "EXPLORER_OPERATORS"  # addresses, where the connection's extra names none under `operators`
TEMPLATES = Path(__file__).resolve().parents[2] / "include" / "templates" / "mail"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who was sent a mail, and a sentence for each reason why somebody was not."""

    sent: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


# The institution's mail.


def notify(connection: Connection, import_id: int, institution: Institution) -> Outcome:
    """Tells each address of ``institution.notify`` that an import is complete, once.

    ``connection`` carries no open work of the caller's: claims are committed on it. Raises ``DelayedError`` where
    another try may help, ``RefusedError`` where only a person can; both after every address has had its turn.
    """
    facts = _facts(connection, import_id)
    quiet = _reason_for_silence(facts, institution)
    if quiet is not None:
        connection.commit()
        return _quiet(f"import {import_id}: {quiet}")
    attachment = digest.attached_records(connection, import_id)
    what = digest.of(connection, facts, institution, attached=attachment.lines)
    connection.commit()  # nothing stays open while servers are talked to
    server = mail.server(connections.get(CONNECTION))
    sent: list[str] = []
    skipped: list[str] = []
    problems: list[mail.MailError] = []
    for address in _once_each(institution.notify):
        message_id = _message_id(facts, address, mail.sender_domain(server))
        try:
            message = _message(server, address, what, attachment.content, message_id)
            earlier = _send_once(connection, server, message, import_id, address.casefold())
        except mail.UnconfirmedError as error:
            skipped.append(f"{error}; no second mail is sent")
            log.warning("import %d: %s", import_id, skipped[-1])
        except mail.MailError as error:
            problems.append(error)
            log.warning("import %d: %s", import_id, error)
        else:
            (sent if earlier is None else skipped).append(earlier or address)
    log.info("import %d: mails sent %d, left alone %d, refused %d", import_id, len(sent), len(skipped), len(problems))
    _raise(problems, len(sent) + len(skipped) + len(problems))
    return Outcome(tuple(sent), tuple(skipped))


def _facts(connection: Connection, import_id: int) -> dict[str, Any]:
    """The import's row."""
    statement = (
        "select id, institution, run_key, kind, mode, reason, dry_run, status, run_url, tally, attention, approved_by,"
        " started_at, published_at from ops.import where id = %s"
    )
    row = connection.cursor(row_factory=dict_row).execute(statement, (import_id,)).fetchone()
    if row is None:
        raise HaltedError("no_such_import", f"there is no import {import_id}; `bin/explorer status` lists them")
    return row


def _reason_for_silence(facts: Mapping[str, Any], institution: Institution) -> str | None:
    """Why nobody is told, or None. The institution hears of completed imports only."""
    if facts["kind"] != "import" or facts["published_at"] is None or facts["status"] == "rolled_back":
        state = "a dry run" if facts["dry_run"] else f"{facts['kind']}, {facts['status']}".replace("_", " ")
        return f"it is no completed import ({state}), so the institution gets no mail"
    if not institution.notify:
        return f"{institution.name} names no address under `notify`, so no mail was sent"
    if not connections.exists(CONNECTION):
        return f"there is no mail connection (Airflow connection {CONNECTION}), so no mail was sent"
    return None


def _once_each(addresses: Sequence[str]) -> list[str]:
    """The addresses in their order, each once, whatever its capitals."""
    first: dict[str, str] = {}
    for address in addresses:
        first.setdefault(address.strip().casefold(), address.strip())
    return list(first.values())


def _message_id(facts: Mapping[str, Any], address: str, domain: str) -> str:
    """The same for the same import and address, so that whoever gets a message twice can tell."""
    seed = "\n".join([facts["institution"], str(facts["id"]), facts["run_key"], address.casefold()])
    return f"<import-{facts['id']}.{hashlib.sha256(seed.encode()).hexdigest()[:24]}@{domain}>"


def _send_once(
    connection: Connection, server: mail.Server, message: EmailMessage, import_id: int, address: str
) -> str | None:
    """Claims the address and sends; returns None, or why it was left alone.

    Only what certainly was not accepted gives the claim back; a signal in the middle of it counts as a death.
    """
    with mail.session(server) as client:
        earlier = _claim(connection, import_id, address, str(message["Message-ID"]))
        if earlier is not None:
            return earlier
        try:
            mail.deliver(client, message)
        except (mail.DelayedError, mail.RefusedError):
            connection.execute("delete from ops.notice where import_id = %s and address = %s", (import_id, address))
            connection.commit()
            raise
        connection.execute(
            "update ops.notice set state = 'sent', at = now() where import_id = %s and address = %s",
            (import_id, address),
        )
        connection.commit()
        return None


def _claim(connection: Connection, import_id: int, address: str, message_id: str) -> str | None:
    """Claims an address for an import; returns None, or what has become of an earlier claim."""
    claimed = connection.execute(
        "insert into ops.notice (import_id, address, message_id, state) values (%s, %s, %s, 'sending')"
        " on conflict (import_id, address) do nothing",
        (import_id, address, message_id),
    ).rowcount
    state = connection.execute(
        "select state from ops.notice where import_id = %s and address = %s", (import_id, address)
    ).fetchone()
    connection.commit()
    if claimed:
        return None
    if state == ("sent",):
        return f"{address} had this mail already"
    doubt = (
        f"an earlier try was cut off while it sent to {address}: the mail may have arrived, and no second one is sent"
        f" (to send it again, delete its row from ops.notice, import_id {import_id}, and clear `notify`)"
    )
    log.warning("import %d: %s", import_id, doubt)
    return doubt


def _raise(problems: Sequence[mail.MailError], addresses: int) -> None:
    """One sentence for all that went wrong; worth another try if that may help at least one address."""
    if not problems:
        return
    sentence = f"{len(problems)} of {addresses} addresses got no mail: {'; '.join(map(str, problems))}"
    if any(isinstance(problem, mail.DelayedError) for problem in problems):
        raise mail.DelayedError(sentence) from problems[0]
    raise mail.RefusedError(f"{sentence}. Mend the addresses or the mail connection") from problems[0]


def _message(server: mail.Server, address: str, what: Digest, attachment: bytes, message_id: str) -> EmailMessage:
    """The whole message: text, HTML, and the records as a file where there are any."""
    message = mail.message(server, address, what.subject, message_id=message_id)
    shown = {field.name: getattr(what, field.name) for field in fields(what)}
    message.set_content(_templates().get_template("import.txt.jinja").render(shown), cte="quoted-printable")
    message.add_alternative(
        _templates().get_template("import.html.jinja").render(shown), subtype="html", cte="quoted-printable"
    )
    if what.attached:
        message.add_attachment(
            attachment, maintype="text", subtype="csv", filename=what.file_name, params={"charset": "utf-8"}
        )
    return message


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(["html.jinja"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = digest.thousands
    return environment


# The operators' alarm.


def tell_operators(subject: str, sentence: str, *, run_url: str | None = None) -> None:
    """Alarms the operators; a mail that cannot be sent stands in the log, where the alarm stands anyway."""
    try:
        alarm(subject, sentence, run_url=run_url)
    except (mail.MailError, connections.ConnectionUnusableError) as error:
        log.error("the operators could not be told by mail: %s", error)  # noqa: TRY400 - the sentence is the whole of it


def alarm(subject: str, sentence: str, *, run_url: str | None = None) -> Outcome:
    """Tells the operators that something is wrong, with the page of its run. It stands in the log whatever becomes of the mail.

    Operators are the addresses in the mail connection's extra under ``operators`` (a list, or text with commas), else
    in the environment variable ``EXPLORER_OPERATORS``. Raises ``MailError`` where one of them could not be told: an
    alarm that nobody hears is a fault of its own.
    """
    subject, sentence = digest.shown(subject, mail.SUBJECT_CHARACTERS), digest.without_addresses(sentence).strip()
    log.error("%s: %s", subject, sentence)
    if not connections.exists(CONNECTION):
        return _quiet(f"there is no mail connection (Airflow connection {CONNECTION}), so the log alone has the alarm")
    connection = connections.get(CONNECTION)
    operators = _once_each(_operators(connection.extra))
    if not operators:
        return _quiet(f"no operator is named (extra of {CONNECTION}, or {OPERATORS}), so the log alone has the alarm")
    text = _templates().get_template("alarm.txt.jinja").render(sentence=sentence, run_url=digest.link(run_url))
    server = mail.server(connection)
    sent: list[str] = []
    problems: list[mail.MailError] = []
    for address in operators:
        try:
            message = mail.message(server, address, subject)
            message.set_content(text, cte="quoted-printable")
            with mail.session(server) as client:
                mail.deliver(client, message)
        except mail.MailError as error:
            problems.append(error)
            log.warning("alarm: %s", error)
        else:
            sent.append(address)
    _raise(problems, len(operators))
    return Outcome(sent=tuple(sent))


def _operators(extra: Mapping[str, object]) -> list[str]:
    named = extra.get("operators") or os.environ.get(OPERATORS, "")
    addresses = named if isinstance(named, list) else re.split(r"[\s,;]+", str(named))
    return [str(address) for address in addresses if address]


def _quiet(sentence: str) -> Outcome:
    log.info(sentence)
    return Outcome(skipped=(sentence,))
