"""Words and numbers of the mail, without a database."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from explorer import digest, mail
from explorer.connections import Connection


@pytest.mark.parametrize(
    "written",
    [
        "gulliver@lilliput.example",
        "Gulliver <lemuel.gulliver+books@mail.lilliput.example>",
        "mailto:gulliver@lilliput.example?subject=eggs",
        "(gulliver@lilliput.example)",
        "gulliver @ lilliput.example",
        "gulliver＠lilliput.example",
        "gulliver%40lilliput.example",
        "gulliver&#64;lilliput.example",
        '"lemuel gulliver"@lilliput.example',
        "o'gulliver@lilliput.example",
        "gulliver@lilliput",
        "gülliver@lilliput.example",
        "Swift, J.;gulliver@lilliput.example;GULLIVER@LILLIPUT.EXAMPLE",
    ],
)
def test_nothing_that_looks_like_an_address_is_left(written):
    shown = digest.without_addresses(f"see {written} there")
    assert "lilliput" not in shown.lower()
    assert "ulliver" not in shown.lower().replace("gulliver <", "").replace("lemuel gulliver ", "")
    assert digest.HIDDEN in shown


@pytest.mark.parametrize(
    "text", ["10.5555/lilliput.1", "https://blog.example/@gulliver/1", "row 12", "50 % off", "a @"]
)
def test_what_is_no_address_stays(text):
    assert digest.without_addresses(text) == text


def test_a_text_from_outside_stays_on_its_line():
    assert digest.shown("Eggs\r\nBcc: x\x00\u202e end\u2028too") == "Eggs Bcc: x end too"
    assert digest.shown("e" * 200) == "e" * 119 + "…"
    assert digest.shown(None) == ""


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Europe/London", "Monday 6 July 2026, 03:03 (BST, Europe/London)"),
        ("America/New_York", "Sunday 5 July 2026, 22:03 (EDT, America/New_York)"),
        ("Asia/Dubai", "Monday 6 July 2026, 06:03 (Asia/Dubai)"),
        ("UTC", "Monday 6 July 2026, 02:03 (UTC)"),
    ],
)
def test_times_name_their_zone(zone, expected):
    assert digest._time(datetime(2026, 7, 6, 2, 3, tzinfo=UTC), ZoneInfo(zone)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.2, "1 second"), (59.6, "1 minute"), (205, "3 minutes 25 seconds"), (3600, "1 hour"), (93784, "1 day 2 hours")],
)
def test_durations(seconds, expected):
    assert digest._duration(timedelta(seconds=seconds)) == expected


def server(**extra):
    return mail.server(Connection("smtp_default", host="mail.lilliput.example", port=25, extra=extra))


@pytest.mark.parametrize(
    ("extra", "encrypted", "starttls"),
    [
        ({}, True, False),
        ({"disable_ssl": True}, False, True),
        ({"disable_ssl": True, "disable_tls": True}, False, False),
        ({"disable_ssl": "true", "disable_tls": "false"}, False, True),
        ({"disable_tls": True}, True, False),
    ],
)
def test_encryption_follows_the_connection(extra, encrypted, starttls):
    assert (server(**extra).encrypted, server(**extra).starttls) == (encrypted, starttls)


def test_a_login_that_is_not_supported_is_refused_in_words():
    with pytest.raises(mail.RefusedError, match="oauth2"):
        server(auth_type="oauth2")


def test_headers_cannot_be_forged():
    given = server(from_email="Explorer\r\nBcc: all@lilliput.example <explorer@lilliput.example>")
    message = mail.message(given, "library@lilliput.example", "Lilliput\r\nBcc: all@lilliput.example\n\nHello")
    written = message.as_bytes().decode()
    assert "\nBcc" not in written
    assert written.count("\r\n\r\n") == 1
    assert message["Bcc"] is None
    assert message["Subject"] == "Lilliput Bcc: all@lilliput.example Hello"


@pytest.mark.parametrize(
    "address", ["", "library", "@lilliput.example", "a@b@", "a@lilliput.example\nBcc: x@y.example", "a b@c.example"]
)
def test_what_is_no_address_gets_no_mail(address):
    with pytest.raises(mail.RefusedError, match="no e-mail address"):
        mail.message(server(), address, "Hello")


def test_a_domain_in_any_alphabet_travels_in_ascii():
    message = mail.message(server(), "library@bücher.example", "Hello")
    assert message["To"].addresses[0].addr_spec == "library@xn--bcher-kva.example"
