"""Answers that no captured repository gave, but the next one may: right records or a reason, and never a mail address."""

from __future__ import annotations

import pytest

from explorer.config import OaiPmhSource
from explorer.records import Output
from explorer.sources.oai_platforms import Settings, accent
from explorer.sources.oai_records import output
from explorer.sources.oai_xml import Document, parse
from tests.oai_documents import document

ORCID = "0000-0002-1825-0097"
DC = 'xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
MODS = 'xmlns="http://www.loc.gov/mods/v3" xmlns:xlink="http://www.w3.org/1999/xlink"'
SOUND = "<dc:title>On mosses</dc:title><dc:identifier>10.5555/moss.1</dc:identifier>"
DOI = [("doi", "10.5555/moss.1")]


def record(fields: str, number: int = 1, *, root: str = "oai_dc:dc", spaces: str = DC) -> str:
    return (
        f"<record><header><identifier>oai:repo.example:{number}</identifier><datestamp>2025-11-02T10:00:00Z</datestamp>"
        f"</header><metadata><{root} {spaces}>{fields}</{root}></metadata></record>"
    )


def page(*items: str, tail: str = "") -> str:
    return document(f"<ListRecords>{''.join(items)}{tail}</ListRecords>")


def read(body: bytes | str, platform: str = "generic", **block: object) -> tuple[Document, list[Output]]:
    source = {"kind": "oai_pmh", "platform": platform, "url": "https://repo.example/oai", **block}
    settings = Settings(OaiPmhSource.model_validate(source), uri_domains=("repo.example",), hash_key=b"key")
    found = parse(body.encode() if isinstance(body, str) else body)
    return found, [output(each, accent(platform), settings) for each in found.records]


def one(fields: str, platform: str = "generic", **how: str) -> Output:
    _, (made,) = read(page(record(fields, **how)), platform)
    return made


def identifiers(made: Output) -> list[tuple[str, str]]:
    return [(each.scheme, each.value) for each in made.identifiers]


# --- mail addresses

PLAIN = "maja.l@uni.example"
MAILS = [
    "mailto:Maja.L@Uni.example", " MAJA.L@UNI.EXAMPLE\n", "&lt;maja.l@uni.example&gt;", "Maja &lt;maja.l@uni.example&gt;",
    "maja.l@uni.example; karl@uni.example", "mailto:maja.l@uni.example?subject=hello", "maja.l%40uni.example",
    "https://uni.example/people?mail=maja.l@uni.example", "maja.l\uff20uni.example", "email:maja.l@uni.example",
    "E-mail: maja.l@uni.example", f"maja.l@uni.example,{ORCID}", "https://orcid.org/maja.l@uni.example",
    "ldap:uid=x,mail=maja.l@uni.example", "xmpp:maja.l@uni.example", "maja.l [at] uni.example", "maja.l(at)uni.example",
    "maja.l at uni.example", "maja.l&#x40;uni.example", "maja.l&amp;#64;uni.example", "maja.l @ uni.example",
    "acct:maja.l@uni.example", "[maja.l@uni.example]",
]  # fmt: skip
VAGUE = ["maja.l@localhost", "@maja.l", "maja.l@", "maja.l@@uni", "maja.l" * 100 + "@uni.example"]


@pytest.mark.parametrize("spelling", MAILS)
def test_a_mail_address_finds_its_author_however_it_is_written_and_is_never_kept(spelling: str) -> None:
    made = one(f'{SOUND}<dc:creator id="{spelling}">Lindqvist, M.</dc:creator>')
    plain = one(f'{SOUND}<dc:creator id="{PLAIN}">Lindqvist, M.</dc:creator>')
    assert made.contributions == plain.contributions
    assert made.contributions[0].author.startswith("mail:")
    assert "maja" not in repr(made).lower()


@pytest.mark.parametrize("spelling", VAGUE)
def test_what_only_looks_like_an_address_is_not_kept_either(spelling: str) -> None:
    made = one(f'{SOUND}<dc:creator id="{spelling}">Lindqvist, M.</dc:creator>')
    assert made.contributions[0].author.startswith("mail:")
    assert "maja" not in repr(made).lower()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Lindqvist, M. (maja.l@uni.example)", "Lindqvist, M."),
        ("Lindqvist, M. &lt;maja.l@uni.example&gt;", "Lindqvist, M."),
        ("Lindqvist, M., e-mail: maja.l@uni.example", "Lindqvist, M.,"),
        ("Lindqvist, M. maja.l%40uni.example", "Lindqvist, M."),
        ("Lindqvist, M. [maja.l at uni.example]", "Lindqvist, M."),
        ("Lindqvist, M. maja.l@localhost", "Lindqvist, M."),
        ("maja.l@uni.example", "u1"),
        ("Lindqvist, M. at St. Andrews", "Lindqvist, M. at St. Andrews"),
        ("M&#252;ller, 50% A.", "Müller, 50% A."),
    ],
)
def test_a_name_is_shown_without_an_address(name: str, shown: str) -> None:
    made = one(f'{SOUND}<dc:creator id="u1">{name}</dc:creator>')
    assert [each.name for each in made.contributions] == [shown]
    assert "maja" not in repr(made).lower()


def test_an_address_among_identifiers_or_broken_tags_is_not_kept() -> None:
    mods = (
        "<titleInfo><title>On mosses</title></titleInfo><identifier type='doi'>mailto:maja.l@uni.example</identifier>"
        "<name type='personal' authority='uni' xlink:href='maja.l@uni.example'><namePart>L, M</namePart></name>"
    )
    assert "maja" not in repr(one(mods, "diva", root="mods", spaces=MODS)).lower()
    esploro = (
        "<data><title>On mosses</title><creators><creator><familyname>L</familyname><user.primaryId>maja.l@uni.example"
        "</user.primaryId></creator></creators></data>"
    )
    made = one(esploro, "esploro", root="record", spaces='xmlns="http://alma.exlibrisgroup.com/esploro"')
    assert made.contributions[0].author.startswith("mail:")
    assert "maja" not in repr(made).lower()
    for broken in (
        "<dc:creator id='u1'>L <maja.l@uni.example></dc:creator>",
        "<dc:creator id=maja.l@uni.example>L</x>",
    ):
        _, outputs = read(page(record(SOUND + broken), record(SOUND, 2)))
        assert outputs[1].refusal is None
        assert "maja" not in repr(outputs).lower()


@pytest.mark.parametrize(
    "spelling",
    [
        f"https://orcid.org/{ORCID}", f"http://www.orcid.org/{ORCID}/", f"ORCID: {ORCID}", f"orcid.org/{ORCID}",
        ORCID.replace("-", ""), f"ORCID:https://orcid.org/{ORCID}", f"urn:orcid:{ORCID}", f"info:orcid/{ORCID}",
        "https://orcid.org/0000\u20130002\u20131825\u20130097", f"ORCID iD: {ORCID}",
    ],
)  # fmt: skip
def test_an_orcid_is_one_however_it_is_written(spelling: str) -> None:
    made = one(f'{SOUND}<dc:creator id="{spelling}">Lindqvist, M.</dc:creator>')
    assert [(each.author, each.ids) for each in made.contributions] == [(f"orcid:{ORCID}", {"orcid": ORCID})]


def test_an_orcid_with_a_small_x_and_one_with_a_slip() -> None:
    made = one(
        f'{SOUND}<dc:creator id="0000-0002-1694-233x">A</dc:creator><dc:creator id="{ORCID[:-1]}8">B</dc:creator>'
    )
    assert [each.author for each in made.contributions] == ["orcid:0000-0002-1694-233X", "id:0000-0002-1825-0098"]
    assert [each.code for each in made.notes] == ["invalid_orcid"]


# --- spellings of formats


@pytest.mark.parametrize(
    ("prefix", "namespace"),
    [
        ("dc", "http://purl.org/dc/elements/1.0/"), ("dc", "https://purl.org/dc/elements/1.1/"),
        ("dc", "http://purl.org/dc/elements/1.1"), ("dc", "http://purl.org/dc/terms/"), ("d", "http://purl.org/DC/elements/1.1/"),
        ("dc", "http://www.purl.org/dc/elements/1.1/"),
    ],
)  # fmt: skip
def test_dublin_core_of_another_version(prefix: str, namespace: str) -> None:
    fields = f"{SOUND}<dc:creator id='u1'>L, M</dc:creator>".replace("dc:", f"{prefix}:")
    made = one(fields, root="x", spaces=f'xmlns:{prefix}="{namespace}"')
    assert (made.title, identifiers(made), made.contributions[0].author) == ("On mosses", DOI, "id:u1")


@pytest.mark.parametrize("spaces", ["", 'xmlns=""', 'xmlns="http://purl.org/dc/elements/1.1/"'])
def test_dublin_core_without_prefixes(spaces: str) -> None:
    fields = f"{SOUND}<dc:creator id='u1'>L, M</dc:creator>".replace("dc:", "")
    made = one(fields, root="dc", spaces=spaces)
    assert (made.title, identifiers(made), made.contributions[0].author) == ("On mosses", DOI, "id:u1")


@pytest.mark.parametrize("namespace", ["http://datacite.org/schema/kernel-3", "https://datacite.org/schema/kernel-4.4"])
def test_datacite_of_another_version(namespace: str) -> None:
    fields = (
        f'<resource xmlns="{namespace}"><identifier identifierType="DOI">10.5555/moss.1</identifier><titles><title>On mosses'
        "</title></titles><creators><creator><creatorName>L, M</creatorName><affiliation>Uni</affiliation></creator></creators>"
        "</resource>"
    )
    made = one(fields, "haplo", root="o:payload", spaces='xmlns:o="http://schema.datacite.org/oai/oai-1.1/"')
    assert (made.title, identifiers(made), len(made.contributions)) == ("On mosses", DOI, 1)


@pytest.mark.parametrize(
    "namespace", ["http://www.loc.gov/mods/v3", "http://www.loc.gov/mods/", "https://www.loc.gov/mods/v3"]
)
@pytest.mark.parametrize("root", ["mods", "modsCollection"])
def test_mods_of_another_version_and_in_a_collection(namespace: str, root: str) -> None:
    fields = (
        '<titleInfo><title>On mosses</title></titleInfo><identifier type="DOI">10.5555/moss.1</identifier>'
        '<identifier type="doi" invalid="yes">10.5555/wrong</identifier>'
        '<relatedItem type="host"><identifier type="doi">10.5555/host</identifier></relatedItem>'
        '<name type="personal" authority="uni" xlink:href="u1"><namePart>L, M</namePart><role>'
        '<roleTerm type="code">http://id.loc.gov/vocabulary/relators/aut</roleTerm></role></name>'
        '<name type="personal" authority="uni" xlink:href="u2"><namePart>S, S</namePart><role>'
        "<roleTerm>ths</roleTerm></role></name>"
    )
    if root == "modsCollection":
        fields = f"<mods>{fields}</mods>"
    spaces = f'xmlns="{namespace}" xmlns:xlink="http://www.w3.org/1999/xlink"'
    made = one(fields, "diva", root=root, spaces=spaces)
    assert (made.title, identifiers(made)) == ("On mosses", DOI)
    assert [each.author for each in made.contributions] == ["id:u1"]


def test_a_format_that_is_not_understood_is_no_empty_record() -> None:
    made = one("<a:naam>Over mossen</a:naam>", root="a:werk", spaces='xmlns:a="urn:other"')
    assert made.refusal is not None
    assert made.refusal.rule == "unknown_format"
    assert "werk of urn:other" in made.refusal.reason
    assert one("").refusal is None  # an empty record is one without an identifier


# --- bytes

TITLE = "Köping – “moss”"
TITLED = page(record(f"<dc:title>{TITLE}</dc:title>"))


@pytest.mark.parametrize(
    ("declared", "encoding", "repairs"),
    [
        ("UTF-8", "utf-8-sig", {}), ("UTF-16", "utf-16", {}), ("UTF-8", "utf-16", {}), ("windows-1252", "cp1252", {}),
        ("UTF-8", "cp1252", {"bad_byte": 4}), ("ISO-8859-1", "utf-8", {"wrong_encoding": 1}),
        ("windows-1252", "utf-8", {"wrong_encoding": 1}), ("US-ASCII", "utf-8", {"wrong_encoding": 1}),
        ("UTF8MB4", "utf-8", {"wrong_encoding": 1}), ("UTF-16", "utf-8", {"wrong_encoding": 1}),
    ],
)  # fmt: skip
def test_text_arrives_whatever_its_bytes_claim_to_be(declared: str, encoding: str, repairs: dict[str, int]) -> None:
    found, (made,) = read(TITLED.replace("UTF-8", declared, 1).encode(encoding))
    assert made.title == TITLE
    assert dict(found.repairs) == repairs


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ("<dc:title><![CDATA[A & B <i>x</i>]]></dc:title>", "A & B <i>x</i>"),
        ("<!-- x --><dc:title>Mo<!-- y -->ss<?php z ?></dc:title>", "Moss"),
        ("<dc:title xsi:nil='true'/><dc:title>Moss</dc:title>", "Moss"),
        ("<dc:title>On <i>E. coli</i> and H<sub>2</sub>O</dc:title>", "On E. coli and H2O"),
        ("<dc:title>p<0.05 and n<N</dc:title>", "p<0.05 and n<N"),
        ("<dc:title>a <- b, c << d & e</dc:title>", "a <- b, c << d & e"),
        ("<dc:title>A&nbsp;B &eacute; &foo; &#233;</dc:title>", "A B é &foo; é"),
        ("<dc:title>\n  Moss\n   and\u2028stone </dc:title>", "Moss and stone"),
        ("<dc:title>A\x00B\x0bC</dc:title>", "AB C"),
    ],
)
def test_titles(fields: str, title: str) -> None:
    assert one(fields).title == title


@pytest.mark.parametrize(
    "broken",
    [
        "<dc:title>On <i>E. coli</dc:title>", "<dc:description>x<br>y</dc:description>",
        '<dc:creator id="a" id="b">L</dc:creator>',
        "<dc:creator id=u1>L</dc:creator>", '<dc:creator id="<x>">L</dc:creator>', "<dc:title>A</dc:titel>", "</dc:title>",
        "<dc:title>" , '<dc:title lang="sv>A</dc:title>',
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_mended_is_refused_alone(broken: str) -> None:
    _, outputs = read(page(record(SOUND, 1), record(SOUND + broken, 2), record(SOUND, 3)))
    assert [each.key for each in outputs] == [f"oai:repo.example:{n}" for n in (1, 2, 3)]
    assert [each.refusal.rule if each.refusal else None for each in outputs] == [None, "broken_xml", None]
    assert [identifiers(each) for each in outputs] == [DOI, [], DOI]


@pytest.mark.parametrize(
    ("tail", "token", "size"),
    [
        ("<resumptionToken completeListSize=' 5 '>\n a b%20/c \n</resumptionToken>", "a b%20/c", 5),
        ("<resumptionToken><![CDATA[a&b=c|d]]></resumptionToken>", "a&b=c|d", None),
        ("<resumptionToken xsi:nil='true'/>", None, None),
        ("<resumptionToken/><resumptionToken>abc</resumptionToken>", "abc", None),
        ("<resumptionToken completeListSize='-1'>x</resumptionToken>", "x", None),
        ("<resumptionToken completeListSize='many' cursor=''>x</resumptionToken>", "x", None),
        ("<!-- --><resumptionToken>x<!-- y -->z</resumptionToken>", "xz", None),
    ],
)
def test_tokens(tail: str, token: str | None, size: int | None) -> None:
    found, _ = read(page(record(SOUND), tail=tail))
    assert (found.token, found.size) == (token, size)


# --- platforms


def test_set_specs_of_eprints_that_are_none() -> None:
    """An odd number of digits, no view, blanks: not divisions, and no reason to lose the record."""
    specs = (
        "6469766973696F6E733D736369:62696F",
        "6469766973696F6E733D7363693",
        "6469766973696f6e733d736369",
        "x",
        "",
        "  ",
        "7:7",
    )
    headers = "".join(f"<setSpec>{each}</setSpec>" for each in specs)
    body = page(record(SOUND)).replace("</datestamp>", f"</datestamp>{headers}")
    _, (made,) = read(body, "eprints")
    assert made.departments == ("bio", "sci")
    assert identifiers(made) == DOI


def test_set_specs_of_bepress_and_its_double_escaping() -> None:
    link = "&amp;lt;a href='https://doi.org/10.5555/moss.1'&amp;gt;Link to Article&amp;lt;/a&amp;gt;"
    relation = f"<dc:relation>{link}</dc:relation>"
    body = page(record("<dc:title>A &amp;amp; B</dc:title>" + relation))
    body = body.replace("</datestamp>", "</datestamp><setSpec>publication:etd_5Fx</setSpec><setSpec>driver</setSpec>")
    _, (made,) = read(body, "bepress")
    assert (made.title, made.departments, identifiers(made)) == ("A & B", ("publication:etd_x",), DOI)
