"""The mails of an import, against a real mail server and a real database."""

import csv
import io
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import html
from notices_world import TALLY, drop, fill, institution, note, numbers, reject, write_import
from psycopg.types.json import Jsonb

from explorer import database, mail, notices
from explorer.connections import Connection
from explorer.imports import HaltedError
from simulators.mail import Faults, MailSink
from tests.patience import PATIENCE

LIBRARY, OFFICE = "library@lilliput.example", "research-office@lilliput.example"
NAME = 'Überlilliput <script>alert("1")</script> & Söhne'


@pytest.fixture
def books(warehouse_dsn):
    with database.connect(warehouse_dsn) as connection:
        yield connection


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Starts a mail server with these faults and points the mail connection to it."""

    @contextmanager
    def start(**faults):
        with MailSink(tmp_path / "mails", faults=Faults(**faults)) as sink:
            point(monkeypatch, sink.port)
            yield sink

    return start


def point(monkeypatch, port, **extra):
    connection = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": port,
        "extra": {"disable_ssl": True, "disable_tls": True, "timeout": PATIENCE, **extra},
    }
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))


def states(connection):
    rows = connection.execute("select address, state from ops.notice").fetchall()
    connection.commit()
    return dict(rows)


def lines(attachment):
    assert attachment.startswith(b'\xef\xbb\xbf"What",')
    rows = list(csv.DictReader(io.StringIO(attachment[3:].decode(), newline="")))
    assert attachment.count(b'"\r\n') == len(rows) + 1
    return rows


def text_of(sent):
    return sent.text.replace("\r\n", "\n")


def numbers_shown(page, caption):
    """A table of numbers in the HTML part, by its first column's header."""
    table = page.xpath(f"//table[thead/tr/th[1][normalize-space()='{caption}']]")[0]
    return {
        row.xpath("string(th)").strip(): [td.text_content() for td in row.xpath("td")]
        for row in table.xpath("tbody/tr")
    }


def test_every_address_gets_its_own_mail_with_text_html_and_the_records(books, server):
    import_id = write_import(books)
    fill(books, import_id)
    with server() as sink:
        outcome = notices.notify(books, import_id, institution())
    assert outcome.sent == (LIBRARY, OFFICE)
    assert [m.recipients for m in sink.messages()] == [(LIBRARY,), (OFFICE,)]
    assert states(books) == {LIBRARY: "sent", OFFICE: "sent"}
    first, second = sink.messages()
    assert first.subject == "Lilliput University: import finished, 812 research outputs (12 new, 31 updated, 3 removed)"
    assert first.message["To"] == LIBRARY
    assert OFFICE not in first.file.read_text()
    assert first.message["Message-ID"] != second.message["Message-ID"]
    for part in (first.text, html.fromstring(first.html).text_content()):
        words = " ".join(part.split())
        assert "812 research outputs are published: 12 new, 31 updated and 3 removed." in words
        for said in (
            "3 minutes 25 seconds",
            "Monday 6 July 2026, 03:03 (BST, Europe/London)", "the first import", "not configured",
            "no longer in the source", "have no identifier under which attention can be found",
            "research outputs: private at the source", "authors: not academics", "The first 20 of 26",
            "The author has no name", "“https://doi.example/10.5555/blefuscu.0” became “10.5555/blefuscu.0”",
        ):  # fmt: skip
            assert said in words
    assert "https://airflow.lilliput.example/dags/import_lilliput/runs/manual__2026-07-06" in first.text
    assert html.fromstring(first.html).xpath("//a/@href") == [
        "https://airflow.lilliput.example/dags/import_lilliput/runs/manual__2026-07-06"
    ]
    assert list(first.attachments) == [f"lilliput-import-{import_id}-records.csv"]


def test_the_numbers_are_those_of_the_tally(books, server):
    tally = {
        "outputs": numbers(extracted=1234567, rejected=7, excluded=60000, added=1174560, removed=1),
        "authors": numbers(added=2, untouched=3),
        "departments": numbers(),
        "removed_because": {"deleted": 1},
        "excluded_because": {"affiliation": 60000},
    }
    import_id = write_import(books, tally=Jsonb(tally))
    with server() as sink:
        notices.notify(books, import_id, institution())
    sent = sink.messages()[0]
    page = html.fromstring(sent.html)
    assert numbers_shown(page, "What is published") == {
        "Published now": ["1,174,560", "5", "0"],
        "Added": ["1,174,560", "2", "0"],
        "Updated": ["0", "0", "0"],
        "Removed": ["1", "0", "0"],
        "Not looked at this time": ["0", "3", "0"],
    }
    assert numbers_shown(page, "What became of the records") == {
        "Read from the source": ["1,234,567", "0", "0"],
        "Rejected": ["7", "0", "0"],
        "Left out": ["60,000", "0", "0"],
        "Kept": ["1,174,560", "2", "0"],
    }
    assert re.search(r"Read from the source +1,234,567 +0 +0\n", text_of(sent))
    assert re.search(r"Published now +1,174,560 +5 +0\n", text_of(sent))
    assert re.search(r"60,000  are not affiliated with your institution\n", text_of(sent))


def test_the_attached_file_lists_every_record_and_runs_no_formula(books, server):
    import_id = write_import(books)
    fill(books, import_id)
    reject(books, import_id, place="row 3", value='=HYPERLINK("https://x.example")',
           payload=Jsonb({"title": "+1 eggs"}),
           reason="this\nis 'no' \"title\"")  # fmt: skip
    reject(
        books, import_id, key="mail:0123456789abcdef0123456789abcdef", place=None, reason="see library@lilliput.example"
    )
    with server() as sink:
        notices.notify(books, import_id, institution())
    [(_, content)] = sink.messages()[0].attachments.items()
    rows = lines(content)
    assert len(rows) == 28 + 14 + 43
    assert [row["What"] for row in rows].index("left out") == 28 + 43  # what is wrong comes first
    guarded = next(row for row in rows if row["Where"] == "row 3")
    assert guarded["Value"] == '\'=HYPERLINK("https://x.example")'
    assert guarded["Title"] == "'+1 eggs"
    assert guarded["Explanation"] == "this\nis 'no' \"title\""
    assert all(row["Key"] == "" for row in rows)
    assert b"library@" not in content
    assert b"0123456789abcdef" not in content


def test_a_rare_reason_shows_beside_a_frequent_one_and_the_list_is_bounded(books, server):
    import_id = write_import(books)
    for place in range(60):
        reject(books, import_id, place=f"row {place}")
    reject(books, import_id, place="row 900", rule="no_key", reason="the record has no id")
    for code in range(30):
        note(books, import_id, code=f"code_{code}", message=f"Message {code} " + "long " * 500)
    with server() as sink:
        notices.notify(books, import_id, institution())
    text = text_of(sink.messages()[0])
    assert "The first 20 of 61" in text
    assert "  - row 900\n" in text
    assert text.index("  - row 2\n") < text.index("  - row 10\n")
    assert "and 18 more kinds, in the attached file" in text
    assert len(text) < 12_000


def test_a_note_on_a_whole_list_is_told_with_the_others(books, server):
    import_id = write_import(books)
    note(books, import_id, entity="part", place="publications", severity="warning", message="There is no groups file.")
    with server() as sink:
        notices.notify(books, import_id, institution())
    message = sink.messages()[0]
    assert "There is no groups file. (please check)" in text_of(message)
    [content] = message.attachments.values()
    assert b'"note","list of the source","publications"' in content


def test_records_with_the_same_reason_stand_together(books, server):
    import_id = write_import(books)
    for place, reason in ((1, "no identifier"), (2, "the cell holds two"), (3, "no identifier")):
        reject(books, import_id, place=f"row {place}", rule="no_identifier", reason=reason)
    with server() as sink:
        notices.notify(books, import_id, institution())
    text = text_of(sink.messages()[0])
    listed = text[text.index("Each of them") :]
    found = re.findall(r"row \d|No identifier|The cell holds two", listed)
    assert found == ["No identifier", "row 1", "row 3", "The cell holds two", "row 2"]


def test_what_a_mail_cannot_carry_is_said(books, server, monkeypatch):
    import_id = write_import(books)
    fill(books, import_id)
    monkeypatch.setattr("explorer.digest.ATTACHED_BYTES", 2_000)
    with server() as sink:
        notices.notify(books, import_id, institution())
    [sent, _] = sink.messages()
    [(_, content)] = sent.attachments.items()
    assert len(content) < 2_003
    assert f"lists the first {len(lines(content))} of 83 lines:\nmore than a mail can carry." in text_of(sent)


def test_nothing_happened_is_a_short_mail_without_a_file(books, server):
    tally = {"outputs": numbers(unchanged=1), "authors": numbers(), "departments": numbers()}
    tally |= {"removed_because": {}, "excluded_because": {}}
    import_id = write_import(books, tally=Jsonb(tally), mode="incremental",
                             reason="changes since 2026-07-01T02:00:00Z", run_url=None)  # fmt: skip
    with server() as sink:
        notices.notify(books, import_id, institution(notify=[LIBRARY]))
    [sent] = sink.messages()
    assert sent.subject == "Lilliput University: import finished, 1 research output (no changes)"
    assert "1 research output is published: as before." in sent.text
    assert "incremental: only what changed was read" in sent.text
    assert sent.attachments == {}
    assert "Rejected" not in sent.text
    assert "<a " not in sent.html
    assert "login" not in sent.text


def test_a_second_call_sends_nothing(books, server):
    import_id = write_import(books)
    with server() as sink:
        notices.notify(books, import_id, institution())
        again = notices.notify(
            books, import_id, institution(notify=[OFFICE, "Library@Lilliput.example", "new@lilliput.example"])
        )
    assert again.sent == ("new@lilliput.example",)
    assert again.skipped == (f"{OFFICE} had this mail already", f"{LIBRARY} had this mail already")
    assert [m.recipients for m in sink.messages()] == [(LIBRARY,), (OFFICE,), ("new@lilliput.example",)]


def test_an_address_that_stands_there_twice_gets_one_mail(books, server):
    import_id = write_import(books)
    with server() as sink:
        notices.notify(books, import_id, institution(notify=[LIBRARY, "Library@Lilliput.example"]))
    assert len(sink.messages()) == 1


def test_a_server_that_is_busy_gets_the_mail_with_the_next_try_once(books, server):
    import_id = write_import(books)
    with server(busy=1) as sink:
        with pytest.raises(mail.DelayedError, match=r"1 of 2 addresses got no mail: .*library@.*451 4\.3\.0 Try again"):
            notices.notify(books, import_id, institution())
        assert states(books) == {OFFICE: "sent"}
        assert notices.notify(books, import_id, institution()).sent == (LIBRARY,)
        assert notices.notify(books, import_id, institution()).sent == ()
    assert [m.recipients for m in sink.messages()] == [(OFFICE,), (LIBRARY,)]


def test_a_refused_address_stops_no_other_and_is_reported(books, server):
    import_id = write_import(books)
    with server(refused=frozenset({LIBRARY})) as sink:
        with pytest.raises(mail.RefusedError, match=r"1 of 2 addresses got no mail: .*refuses library@.*550"):
            notices.notify(books, import_id, institution())
        assert states(books) == {OFFICE: "sent"}
        assert notices.notify(books, import_id, institution(notify=["mended@lilliput.example", OFFICE])).sent == (
            "mended@lilliput.example",
        )
    assert [m.recipients for m in sink.messages()] == [(OFFICE,), ("mended@lilliput.example",)]


def test_a_mail_that_may_have_arrived_is_not_sent_again(books, server, caplog):
    import_id = write_import(books)
    with server(dropped=1) as sink:
        outcome = notices.notify(books, import_id, institution())
        assert outcome.sent == (OFFICE,)
        assert "may have arrived" in outcome.skipped[0]
        assert states(books) == {LIBRARY: "sending", OFFICE: "sent"}
        again = notices.notify(books, import_id, institution())
    assert again.sent == ()
    assert "cut off while it sent to library@lilliput.example" in again.skipped[0]
    assert "cut off" in caplog.text
    assert [m.recipients for m in sink.messages()] == [(LIBRARY,), (OFFICE,)]


@contextmanager
def scripted(*answers):
    """A server that gives one scripted conversation per connection: (command, answer) until it hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            for script in answers:
                connection, _ = listening.accept()
                with connection, connection.makefile("rwb") as stream:
                    for answer in script:
                        if answer is not script[0]:
                            stream.readline()
                        stream.write(answer + b"\r\n")
                        stream.flush()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(PATIENCE)


def test_a_connection_that_breaks_before_the_message_gives_the_claim_back(books, server, monkeypatch):
    import_id = write_import(books)
    with scripted([b"220 hello", b"250 hello", b"250 sender", b"250 recipient"]) as port:
        point(monkeypatch, port)
        with pytest.raises(mail.DelayedError, match="broke off before it had the mail"):
            notices.notify(books, import_id, institution(notify=[LIBRARY]))
    assert states(books) == {}
    with server() as sink:
        assert notices.notify(books, import_id, institution(notify=[LIBRARY])).sent == (LIBRARY,)
    assert len(sink.messages()) == 1


def test_a_kill_in_the_middle_leads_to_no_second_mail(books, warehouse_dsn, monkeypatch, tmp_path):
    import_id = write_import(books)
    program = (
        "import sys; from explorer import database, notices; from notices_world import institution\n"
        f"notices.notify(database.connect(sys.argv[1]), {import_id}, institution(notify=['{LIBRARY}']))"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        point(monkeypatch, silent.getsockname()[1])
        paths = os.pathsep.join([*(str(Path(p).resolve()) for p in ("plugins", ".", "tests/warehouse"))])
        started = subprocess.Popen(
            [sys.executable, "-c", program, warehouse_dsn], env={**os.environ, "PYTHONPATH": paths}
        )
        silent.settimeout(PATIENCE)
        connection, _ = silent.accept()
        with connection, connection.makefile("rwb") as stream:
            stream.write(b"220 hello\r\n")
            stream.flush()
            for answer in (b"250 hello", b"250 sender", b"250 recipient", b"354 go on"):
                stream.readline()
                stream.write(answer + b"\r\n")
                stream.flush()
            while stream.readline() != b".\r\n":
                pass
            started.send_signal(signal.SIGKILL)
            started.wait(PATIENCE)
    assert states(books) == {LIBRARY: "sending"}
    with MailSink(tmp_path / "mails") as sink:
        point(monkeypatch, sink.port)
        again = notices.notify(books, import_id, institution(notify=[LIBRARY]))
    assert sink.messages() == []
    assert "may have arrived, and no second one is sent" in again.skipped[0]


def test_a_server_that_is_away_is_tried_again(books, monkeypatch):
    import_id = write_import(books)
    with socket.socket() as closed:  # a port that is taken and where nobody listens
        closed.bind(("127.0.0.1", 0))
        point(monkeypatch, closed.getsockname()[1])
        with pytest.raises(mail.DelayedError, match="does not answer"):
            notices.notify(books, import_id, institution())
    assert states(books) == {}


def test_a_server_that_does_not_encrypt_is_a_fault_of_the_connection(books, server, monkeypatch):
    import_id = write_import(books)
    with server() as sink:
        point(monkeypatch, sink.port, disable_tls=False)
        with pytest.raises(mail.RefusedError, match="does not encrypt as the connection asks"):
            notices.notify(books, import_id, institution())
    assert sink.messages() == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    file = tmp_path_factory.mktemp("certificate") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # its TLS began before SMTP did
@pytest.mark.parametrize("whole", [False, True], ids=["starttls", "tls"])
def test_encryption_login_and_certificates(certificate, whole):
    """A server that wants encryption and a login, with STARTTLS or encrypted from the start."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    kept = Mailbox()
    bound = socket.create_server(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    encryption = {"ssl_context": context} if whole else {"tls_context": context}
    controller = Listening(
        kept, bound, auth_required=True, auth_require_tls=not whole, authenticator=knows, **encryption
    )
    controller.start()
    try:

        def send(password, **extra):
            connection = Connection("smtp_default", "smtp", "127.0.0.1", "explorer", password, port,
                                    extra={"disable_ssl": not whole, **extra})  # fmt: skip
            settings = mail.server(connection)
            message = mail.message(settings, LIBRARY, "Hello")
            message.set_content("Hello")
            with mail.session(settings) as client:
                mail.deliver(client, message)

        with pytest.raises(mail.RefusedError, match="CERTIFICATE_VERIFY_FAILED"):
            send("secret")
        with pytest.raises(mail.RefusedError, match="does not let us in: 535"):
            send("wrong", ssl_context="none")
        assert kept.recipients == []
        send("secret", ssl_context="none")
        assert kept.recipients == [LIBRARY]
    finally:
        controller.stop()


def knows(_server, _session, _envelope, _mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"explorer", b"secret"), handled=False)


class Listening(Controller):
    """On a socket that is bound already: nobody else gets its port meanwhile."""

    def __init__(self, handler, bound, **named):
        super().__init__(handler, *bound.getsockname(), ready_timeout=PATIENCE, **named)
        self.bound = bound

    def _create_server(self):
        return self.loop.create_server(self._factory_invoker, sock=self.bound, ssl=self.ssl_context)


class Mailbox:
    """Remembers to whom mail came."""

    def __init__(self):
        self.recipients = []

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        self.recipients += envelope.rcpt_tos
        return "250 OK"


def test_without_a_mail_connection_it_says_so_and_succeeds(books, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT", raising=False)
    outcome = notices.notify(books, write_import(books), institution())
    assert outcome.sent == ()
    assert "there is no mail connection" in outcome.skipped[0]


def test_without_addresses_it_says_so(books, server):
    with server() as sink:
        outcome = notices.notify(books, write_import(books), institution(notify=[]))
    assert sink.messages() == []
    assert "names no address under `notify`" in outcome.skipped[0]


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "failed", "published_at": None},
        {"status": "declined", "published_at": None},
        {"status": "dry_run", "dry_run": True, "published_at": None},
        {"status": "running", "published_at": None, "finished_at": None},
        {"status": "rolled_back"},
        {"kind": "rollback"},
    ],
)
def test_the_institution_hears_of_completed_imports_only(books, server, changed):
    import_id = write_import(books, **changed)
    with server() as sink:
        outcome = notices.notify(books, import_id, institution())
    assert sink.messages() == []
    assert "no completed import" in outcome.skipped[0]


def test_an_unknown_import_is_an_error(books):
    with pytest.raises(HaltedError, match="there is no import 99"):
        notices.notify(books, 99, institution())


def test_nothing_private_is_shown(books, server):
    import_id = write_import(books, reason="asked for by gulliver@lilliput.example")
    reject(books, import_id, place="row of gulliver@lilliput.example", field="gulliver@lilliput.example",
           value="Gulliver <gulliver@lilliput.example>", reason="gulliver＠lilliput.example is no name",
           payload=Jsonb({"title": "To gulliver@lilliput.example", "secret": "payload"}))  # fmt: skip
    note(books, import_id, place="gulliver@lilliput.example", value="gulliver%40lilliput.example",
         repaired_to="mailto:gulliver@lilliput.example", message="taken out: gulliver @ lilliput.example",
         code="gulliver@lilliput.example", field="gulliver@lilliput.example")  # fmt: skip
    drop(books, import_id, "output", "level_private", 4)
    with server() as sink:
        notices.notify(books, import_id, institution(notify=[LIBRARY]))
    [sent] = sink.messages()
    [(_, content)] = sent.attachments.items()
    for part in (sent.text, sent.html, content.decode()):
        assert not re.search(r"gulliver\S?(@|＠|%40)", part)
        assert "gulliver @" not in part
        assert "secret" not in part
        assert "payload" not in part


def test_hostile_and_foreign_names_are_only_names(books, server):
    import_id = write_import(books, run_url="javascript:alert(1)")
    reject(books, import_id, place="<img src=x onerror=alert(1)>", value="</td></table><script>alert(2)</script>",
           reason="{{ 7 * 7 }} 東京 \u202egnp.exe\r\n.\r\nMAIL FROM:<x>")  # fmt: skip
    with server() as sink:
        notices.notify(books, import_id, institution(name=NAME, notify=[LIBRARY]))
    [sent] = sink.messages()
    page = html.fromstring(sent.html)
    assert page.xpath("//script | //img | //a") == []
    assert NAME in page.xpath("string(//h1)")
    assert sent.subject.startswith(NAME)
    assert NAME in sent.text
    assert "{{ 7 * 7 }} 東京 gnp.exe . MAIL FROM:<x>" in sent.text
    assert "javascript" not in sent.html + sent.text
    assert all(len(line) <= 998 for line in sent.file.read_bytes().split(b"\r\n"))


def test_the_sender_is_the_one_of_the_connection(books, server, monkeypatch):
    import_id = write_import(books)
    with server() as sink:
        point(monkeypatch, sink.port, from_email="explorer@blefuscu.example")
        notices.notify(books, import_id, institution(notify=[LIBRARY]))
    [sent] = sink.messages()
    assert sent.sender == "explorer@blefuscu.example"
    assert sent.message["From"] == "Explorer for Institutions <explorer@blefuscu.example>"
    assert sent.message["Message-ID"].endswith("@blefuscu.example>")
    assert sent.message["Auto-Submitted"] == "auto-generated"


def test_an_address_in_any_alphabet_gets_its_mail(server):
    with server() as sink:
        settings = mail.Server("127.0.0.1", sink.port, None, None, False, False, True, PATIENCE, "explorer@localhost")
        message = mail.message(settings, "bücherei@bücher.example", "Grüße")
        message.set_content(".\n..\nGrüße\n", cte="8bit")
        with mail.session(settings) as client:
            mail.deliver(client, message)
    [sent] = sink.messages()
    assert sent.recipients == ("bücherei@xn--bcher-kva.example",)
    assert sent.text.replace("\r", "") == ".\n..\nGrüße\n"


def test_operators_are_told_one_by_one_and_an_address_in_an_error_is_hidden(server, monkeypatch, caplog):
    with server() as sink:
        point(monkeypatch, sink.port, operators="night@explorer.example, day@explorer.example")
        outcome = notices.alarm(
            "Lilliput University: import 7 failed",
            "extract: the source refuses us; ask gulliver@lilliput.example",
            run_url="https://airflow.lilliput.example/runs/7",
        )
    assert outcome.sent == ("night@explorer.example", "day@explorer.example")
    first = sink.messages()[0]
    assert first.subject == "Lilliput University: import 7 failed"
    assert "extract: the source refuses us; ask [e-mail address]" in first.text
    assert "https://airflow.lilliput.example/runs/7" in first.text
    assert "the source refuses us" in caplog.text
    assert "gulliver" not in caplog.text + first.text


def test_operators_may_stand_in_the_environment(server, monkeypatch):
    monkeypatch.setenv(notices.OPERATORS, "day@explorer.example; day@explorer.example")
    with server() as sink:
        assert notices.alarm("Late", "nothing came").sent == ("day@explorer.example",)
    assert len(sink.messages()) == 1


def test_an_alarm_without_anybody_to_tell_stands_in_the_log(server, monkeypatch, caplog):
    monkeypatch.delenv(notices.OPERATORS, raising=False)
    with server() as sink:
        assert "no operator is named" in notices.alarm("Late", "nothing came").skipped[0]
    assert sink.messages() == []
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT")
    assert "no mail connection" in notices.alarm("Late", "nothing came").skipped[0]
    assert caplog.text.count("Late: nothing came") == 2


def test_an_alarm_that_nobody_hears_is_an_error(server, monkeypatch):
    monkeypatch.setenv(notices.OPERATORS, "day@explorer.example, night@explorer.example")
    with server(refused=frozenset({"day@explorer.example"})) as sink, pytest.raises(mail.RefusedError, match="1 of 2"):
        notices.alarm("Late", "nothing came")
    assert [m.recipients for m in sink.messages()] == [("night@explorer.example",)]


def test_the_example_adds_up():
    outputs = TALLY["outputs"]
    ends = ("duplicates", "deleted", "rejected", "excluded", "dropped_by_privacy", "orphaned", "merged", "kept")
    assert outputs["extracted"] == sum(outputs[end] for end in ends)
