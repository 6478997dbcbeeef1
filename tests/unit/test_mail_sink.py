"""The mail sink keeps what a sender sends, shows it without running it, and misbehaves when told to."""

from __future__ import annotations

import json
import signal
import smtplib
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from simulators.mail import Faults, MailSink
from tests.patience import PATIENCE, wait_until

LIBRARY = "library@lilliput.example"
ROOT = Path(__file__).resolve().parents[2]


def a_mail(
    subject: str = "Import finished", text: str = "812 outputs", html: str = "<b>812</b> outputs"
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "explorer@lilliput.example"
    message["To"] = LIBRARY
    message["Subject"] = subject
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    message.add_attachment("row,reason\n7,none\n", subtype="csv", filename="rejects.csv")
    return message


def send(sink: MailSink, message: EmailMessage, *recipients: str) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP(sink.host, sink.port, timeout=PATIENCE) as smtp:
        return smtp.send_message(message, to_addrs=recipients or (LIBRARY,))


def test_a_message_is_kept_with_its_envelope_its_parts_and_its_attachments(tmp_path: Path) -> None:
    with MailSink(tmp_path) as sink:
        send(sink, a_mail("Import of Lilliput: 812 outputs ✓"), LIBRARY, "pure@lilliput.example")
        [mail] = sink.messages()
    assert mail.sender == "explorer@lilliput.example"
    assert mail.recipients == (LIBRARY, "pure@lilliput.example")
    assert mail.subject == "Import of Lilliput: 812 outputs ✓"
    assert mail.text.strip() == "812 outputs"
    assert mail.html.strip() == "<b>812</b> outputs"
    assert {name: content.split() for name, content in mail.attachments.items()} == {
        "rejects.csv": [b"row,reason", b"7,none"]
    }
    assert mail.file.name.endswith("_library@lilliput.example-and-1-more_Import-of-Lilliput-812-outputs.eml")
    assert [file.name for file in tmp_path.glob("*rejects.csv")] == [f"{mail.file.stem}_attached_rejects.csv"]


def test_two_messages_of_the_same_second_are_two_files_and_an_earlier_run_stays_listed(tmp_path: Path) -> None:
    with MailSink(tmp_path) as sink:
        send(sink, a_mail())
        send(sink, a_mail())
    with MailSink(tmp_path) as sink:
        send(sink, a_mail("The third"))
        subjects = [mail.subject for mail in sink.messages()]
    assert subjects == ["Import finished", "Import finished", "The third"]
    assert len(list(tmp_path.glob("*.eml"))) == 3
    assert "<h1>3 mails</h1>" in (tmp_path / "index.html").read_text()


def test_the_page_runs_nothing_that_a_mail_says(tmp_path: Path) -> None:
    evil = "</pre><script>alert(1)</script>\"'>"
    message = a_mail(subject=evil, text=evil, html=evil)
    message.add_attachment(b"x", maintype="text", subtype="html", filename="../../" + evil)
    with MailSink(tmp_path / "mails") as sink:
        send(sink, message)
    page = (tmp_path / "mails" / "index.html").read_text()
    assert "<script" not in page
    assert '<iframe sandbox srcdoc="&lt;/pre&gt;&lt;script&gt;' in page
    assert [path.name for path in tmp_path.iterdir()] == ["mails"]


def test_a_refused_recipient_is_named_to_the_sender_and_the_others_get_the_mail(tmp_path: Path) -> None:
    with MailSink(tmp_path, faults=Faults(refused=frozenset({"gone@lilliput.example"}))) as sink:
        refused = send(sink, a_mail(), LIBRARY, "gone@lilliput.example")
        assert [code for code, _ in refused.values()] == [550]
        assert [mail.recipients for mail in sink.messages()] == [(LIBRARY,)]


def test_a_busy_server_keeps_nothing_and_takes_the_second_attempt(tmp_path: Path) -> None:
    with MailSink(tmp_path, faults=Faults(busy=1)) as sink:
        with pytest.raises(smtplib.SMTPDataError, match="451"):
            send(sink, a_mail())
        assert sink.messages() == []
        send(sink, a_mail())
        assert len(sink.messages()) == 1


def test_a_connection_dropped_after_the_data_leaves_the_sender_in_doubt_though_the_mail_is_there(
    tmp_path: Path,
) -> None:
    with MailSink(tmp_path, faults=Faults(dropped=1)) as sink:
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            send(sink, a_mail())
        assert len(sink.messages()) == 1


def test_the_program_says_where_it_listens_and_ends_when_told(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "simulators.mail", "--folder", str(tmp_path / "mails"), "--ready", str(ready)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            wait_until(ready.exists)
            place = json.loads(ready.read_text())
            with smtplib.SMTP(place["host"], place["port"], timeout=PATIENCE) as smtp:
                smtp.send_message(a_mail())
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert len(list((tmp_path / "mails").glob("*.eml"))) == 1
