"""Answers that are sound, broken or hostile: nothing is lost silently, nothing that was read is altered."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from explorer.sources.oai_xml import Document, NotOaiError, as_utc, parse
from tests.oai_documents import document, error, identify, listed_sets, record, records

GOOD = records(record(1), record(2), record(3), token="next", size=7)
DC = "{http://purl.org/dc/elements/1.1/}"


def texts(found: Document) -> list[str | None]:
    """The titles, None for a record without metadata."""
    return [None if each.metadata is None else each.metadata.findtext(f"{DC}title") for each in found.records]


def with_title(title: str | bytes) -> bytes:
    """Three records whose second has this title."""
    raw = title if isinstance(title, bytes) else title.encode()
    return GOOD.encode().replace(b"Title 2", raw)


def test_a_sound_answer_is_read_as_it_is() -> None:
    found = parse(GOOD.encode())
    assert texts(found) == ["Title 1", "Title 2", "Title 3"]
    assert (found.token, found.size, found.response_date) == ("next", 7, "2026-02-01T03:00:00Z")
    assert (found.repairs, found.truncated, found.problems) == ({}, False, [])


@pytest.mark.parametrize(
    ("raw", "title", "repairs"),
    [
        (b"a\x00b\x03c\x0bd\x1fe\tf", "abc de\tf", {"control_character": 4}),
        ("a&#x3;b&#0;c&#xFFFE;d", "abcd", {"illegal_reference": 3}),
        ("K&ouml;ping &nbsp;&copy; &LT; &bogus;", "Köping \xa0© < &bogus;", {"undeclared_entity": 5}),
        ("Research & Development, a?b=1&c=2", "Research & Development, a?b=1&c=2", {"raw_ampersand": 2}),
        ("9:2<1::AID>3.0.CO;2-X", "9:2<1::AID>3.0.CO;2-X", {"raw_less_than": 1}),
        ("a ]]> b", "a ]]> b", {"section_end": 1}),
        (b"Malm\xf6 \x93quoted\x94", "Malmö “quoted”", {"bad_byte": 3}),
        (b"x\xed\xa0\xbd\xed\xb8\x80y", "x😀y", {"surrogate_pair": 1}),
        ("Röda & <![CDATA[a & b < c]]>", "Röda & a & b < c", {"raw_ampersand": 1}),
        ("a & <![CDATA[b", "a & <![CDATA[b", {"raw_ampersand": 1, "open_section": 1}),
    ],
)
def test_text_is_mended_and_counted(raw: str | bytes, title: str, repairs: dict[str, int]) -> None:
    found = parse(with_title(raw))
    assert texts(found) == ["Title 1", title, "Title 3"]
    assert found.repairs == repairs
    assert found.token == "next"


@pytest.mark.parametrize(
    ("before", "after", "repairs"),
    [
        ("\ufeff\n", "", {}),
        ("<br />\n<b>Warning</b>: something <br />\n", "", {"text_before": 1}),
        ("", "\n<b>Notice</b>: Undefined index<br />", {"text_after": 1}),
        ("Warning", "Notice", {"text_before": 1, "text_after": 1}),
    ],
)
def test_junk_around_the_answer_is_cut_off(before: str, after: str, repairs: dict[str, int]) -> None:
    found = parse((before + GOOD + after).encode())
    assert texts(found) == ["Title 1", "Title 2", "Title 3"]
    assert found.repairs == repairs


def test_another_declared_encoding_is_believed_even_when_the_text_needs_mending() -> None:
    raw = GOOD.replace("UTF-8", "ISO-8859-1").replace("Title 2", "Malmö & Lund").encode("latin-1")
    found = parse(raw)
    assert texts(found)[1] == "Malmö & Lund"
    assert found.repairs == {"raw_ampersand": 1}


@pytest.mark.parametrize("broken", ["Title 2</dc:titel>", "x<y>z", "<dc:title a=1>"])
def test_one_broken_record_costs_that_record(broken: str) -> None:
    found = parse(GOOD.replace("Title 2</dc:title>", broken).encode())
    assert texts(found) == ["Title 1", None, "Title 3"]
    bad = found.records[1]
    assert bad.header.identifier == "oai:repo.lilliput.example:2"
    assert bad.refusal is not None
    assert bad.refusal.rule == "broken_xml"
    assert found.repairs == {"broken_record": 1, "page_in_pieces": 1}
    assert (found.token, found.size, found.response_date) == ("next", 7, "2026-02-01T03:00:00Z")


def test_a_broken_record_with_a_broken_header_has_no_key() -> None:
    found = parse(GOOD.replace("example:2</identifier>", "example:2</identifer>").encode())
    assert [each.header.identifier for each in found.records] == [
        "oai:repo.lilliput.example:1", None, "oai:repo.lilliput.example:3",
    ]  # fmt: skip
    assert found.records[1].refusal is not None


def test_a_deleted_record_is_deleted_even_when_the_rest_of_it_is_broken() -> None:
    broken = record(2, deleted=True).replace("</record>", "<about><oops></about></record>")
    found = parse(records(record(1), broken).encode())
    assert [(each.header.deleted, each.refusal) for each in found.records] == [(False, None), (True, None)]


def test_an_undeclared_prefix_is_declared() -> None:
    found = parse(GOOD.replace("<dc:title>Title 2", '<foo:bar x:y="1">x</foo:bar><dc:title>Title 2').encode())
    assert texts(found) == ["Title 1", "Title 2", "Title 3"]
    assert found.repairs == {"undeclared_prefix": 1, "page_in_pieces": 1}


def test_records_within_the_metadata_are_not_records_of_the_list() -> None:
    marc = '<marc:record xmlns:marc="urn:m"><marc:leader/></marc:record>'
    page = records(record(1, f"<dc:title>A</dc:title>{marc}"), record(2, "<dc:title>B</dc:titel>"))
    found = parse(page.encode())
    assert texts(found) == ["A", None]


@pytest.mark.parametrize("cut", ["<dc:title>Title 3", "<datestamp>", "</record><resumptionToken"])
def test_a_page_that_breaks_off_is_told(cut: str) -> None:
    page = GOOD[: GOOD.rindex(cut) + len(cut) - 3]
    found = parse(page.encode())
    assert found.truncated
    assert texts(found)[:2] == ["Title 1", "Title 2"]
    assert len(found.records) == 3
    assert found.token is None


def test_a_list_that_is_never_closed_is_whole() -> None:
    found = parse(GOOD.replace("</ListRecords>", "").encode())
    assert texts(found) == ["Title 1", "Title 2", "Title 3"]
    assert (found.token, found.truncated) == ("next", False)


def test_an_error_in_the_middle_of_an_unclosed_list_is_seen() -> None:
    found = parse(document('<ListRecords><error code="">Read timed out</error>').encode())
    assert [(each.code, each.text) for each in found.problems] == [("", "Read timed out")]


def test_sets_and_headers_of_broken_pages_are_rescued() -> None:
    found = parse(listed_sets(a="A", b="B", c="C").replace("<setName>B</setName>", "<setName>B</setname>").encode())
    assert [each.spec for each in found.sets] == ["a", "c"]
    headers = "".join(re.findall("<header>.*?</header>", GOOD))
    found = parse(document(f"<ListIdentifiers>{headers}").encode())
    assert len(found.records) == 3


@pytest.mark.parametrize("prefix", ["", "oai:"])
def test_the_namespace_may_be_missing_or_prefixed(prefix: str) -> None:
    page = re.sub(r"<(/?)([A-Za-z-]+)(?=[ >/])", rf"<\1{prefix}\2", GOOD)
    page = page.replace('xmlns="http', 'xmlns:oai="http')
    assert texts(parse(page.encode())) == ["Title 1", "Title 2", "Title 3"]
    assert texts(parse(page.replace("Title 2", "Ti & tle").encode())) == ["Title 1", "Ti & tle", "Title 3"]
    assert texts(parse(page.replace("Title 2<", "Title <2<").replace("Title 1</dc", "</dx").encode()))[2] == "Title 3"


def test_several_errors_are_all_read() -> None:
    found = parse(error("badVerb", "badArgument").encode())
    assert [each.code for each in found.problems] == ["badVerb", "badArgument"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><title>Sign in</title><br>", 'web page ("Sign in")'),
        (b"no xml", "not OAI-PMH"),
        (b"<rss/>", "root element is rss"),
        (b"<OAI-PMH/", "broken"),
        (b"<OAI-PMH><Identify><bogus></OAI-PMH>", "broken"),
    ],
)
def test_what_is_no_oai_pmh_is_told_in_a_sentence(body: bytes, says: str) -> None:
    with pytest.raises(NotOaiError, match=re.escape(says)):
        parse(body)


@pytest.mark.parametrize("token", ["", "   \n "])
def test_an_empty_token_is_the_end(token: str) -> None:
    assert parse(records(record(1), token=token, size=1).encode()).token is None


def test_a_token_comes_without_the_blanks_around_it_and_is_not_looked_into() -> None:
    page = records(record(1), token="\n tok/2+x==&amp;y%3D|, z \n")
    page = page.replace("Token>", 'Token completeListSize="abc">', 1)
    found = parse(page.encode())
    assert (found.token, found.size) == ("tok/2+x==&y%3D|, z", None)


def test_no_entity_is_resolved_and_no_dtd_is_read() -> None:
    bombs = "".join(f'<!ENTITY {name} "{f"&{inner};" * 10}">' for inner, name in ("ab", "bc", "cd", "de"))
    doctype = f'<!DOCTYPE OAI-PMH [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY a "aaa">{bombs}]>'
    page = GOOD.replace("<OAI-PMH", doctype + "<OAI-PMH", 1).replace("Title 2", "&x; &e;")
    found = parse(page.encode())
    assert texts(found) == ["Title 1", "&x; &e;", "Title 3"]
    assert found.repairs == {"doctype": 1, "undeclared_entity": 2}


def test_depth_has_a_cap_and_costs_one_record() -> None:
    deep = "<dc:x>" * 100_000 + "</dc:x>" * 100_000
    found = parse(records(record(1), record(2, deep), record(3)).encode())
    assert texts(found) == ["Title 1", None, "Title 3"]
    assert found.records[1].refusal is not None


@pytest.mark.parametrize(
    "hostile",
    [
        "<![CDATA[" * 100_000, "<header>" * 100_000, "<!--" * 200_000, "&" * 500_000, "<" * 500_000,
        "<record " * 100_000, "<resumptionToken>" * 50_000, "a" * 1_000_000, " x:" * 200_000, "<a:" * 200_000,
    ],
)  # fmt: skip
def test_hostile_pages_take_no_time(hostile: str) -> None:
    began = time.process_time()
    for page in (GOOD.replace("Title 2", hostile), hostile + GOOD, GOOD + hostile):
        found = parse(page.encode())
        assert "Title 1" in texts(found)
    assert time.process_time() - began < 20


def test_comments_before_the_root_take_no_time() -> None:
    began = time.process_time()
    parse(("<!-- a -->" * 50_000 + "x" + GOOD).encode())
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-02", "2026-01-02"),
        (" 2026-01-02T03:04:05Z ", "2026-01-02T03:04:05Z"),
        ("2020-08-15T01:50:05.152997Z", "2020-08-15T01:50:05Z"),
        ("2026-01-02T01:00:00+01:00", "2026-01-02T00:00:00Z"),
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05Z"),
        ("2026-01-02 03:04:05", "2026-01-02T03:04:05Z"),
        ("0001-01-01T00:00:00+12:00", None),
        ("not-a-date", None),
        ("", None),
    ],
)
def test_datestamps(text: str, utc: str | None) -> None:
    assert as_utc(text) == utc


def test_identify_with_oddities() -> None:
    found = parse(identify("YYYY-MM-DD", "no").encode()).identity
    assert found is not None
    assert (found.name, found.granularity, found.deletions, found.earliest) == (
        "Lilliput Repository", "day", "no", "0001-01-01",
    )  # fmt: skip


@given(st.text(), st.sampled_from(["utf-8", "utf-16"]))
def test_any_text_comes_back_as_it_was(text: str, encoding: str) -> None:
    """Text that XML can carry, escaped as it should be, is never touched."""
    try:
        element = etree.Element("x")
        element.text = text
    except ValueError:
        return
    escaped = etree.tostring(element, encoding="unicode")[3:-4] if text else ""
    page = GOOD.replace("Title 2", escaped)
    expected = etree.fromstring(page.encode()).findall(f".//{DC}title")[1].text
    found = parse(page.replace("UTF-8", encoding, 1).encode(encoding))
    assert texts(found)[1] == (expected or "")
    assert found.repairs == {}


@given(st.binary(max_size=200), st.integers(0, len(GOOD)))
def test_any_bytes_anywhere_are_read_or_refused(noise: bytes, place: int) -> None:
    raw = GOOD.encode()
    try:
        found = parse(raw[:place] + noise + raw[place:])
    except NotOaiError:
        return
    assert len(found.records) <= 3 + noise.count(b"<")


@given(st.integers(0, len(GOOD.encode()) - 1))
def test_a_page_cut_anywhere_is_told_or_refused(end: int) -> None:
    raw = GOOD.encode()[:end]
    try:
        found = parse(raw)
    except NotOaiError:
        return
    assert found.truncated
    whole = [each for each in found.records if each.refusal is None]
    assert len(whole) == raw.count(b"</record>")
