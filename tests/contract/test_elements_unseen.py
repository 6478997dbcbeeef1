# ruff: noqa: E501 - an answer stands on one line
"""Answers that no captured file shows but that a server may send: each is read rightly, or closed rather than open."""

import pytest

from explorer.sources import elements_records as records
from explorer.sources.elements_groups import departments, group
from explorer.sources.elements_records import Levels
from explorer.sources.elements_xml import AnsweredError, NotElementsError, parse

API = 'xmlns:api="http://www.symplectic.co.uk/publications/api"'
NEW, BETWEEN, OLD = Levels((6, 13), (6, 13)), Levels((6, 2), (5, 5)), Levels((5, 1), (4, 9))


def response(inner: str, attributes: str = API) -> bytes:
    return (
        f'<api:response {attributes}><api:version schema-version="6.13" elements-version="6.13"/>'
        f"<api:result-list><api:result>{inner}</api:result></api:result-list></api:response>"
    ).encode()


def one(inner: str):
    (result,) = parse(response(inner)).results
    return result


def publication(inner: str, attributes: str = 'id="1" category="publication" type="journal-article"'):
    return one(f"<api:object {attributes}>{inner}</api:object>")


def record(fields: str, attributes: str = 'source-name="crossref"') -> str:
    return f"<api:records><api:record {attributes}><api:native>{fields}</api:native></api:record></api:records>"


def field(name: str, text: str) -> str:
    return f'<api:field type="text" name="{name}"><api:text>{text}</api:text></api:field>'


def stated(output) -> set[tuple[str, str]]:
    return {(each.scheme, each.value) for each in output.identifiers if not each.derived}


def test_a_namespace_has_any_prefix_or_none():
    inner = '<object id="7" category="publication"><privacy-level>Public</privacy-level></object>'
    body = (
        '<response xmlns="http://www.symplectic.co.uk/publications/api"><version elements-version="6.13"'
        f' schema-version="6.13"/><result-list><result>{inner}</result></result-list></response>'
    )
    (result,) = parse(body.encode()).results
    assert records.output(result, NEW).level == "public"


@pytest.mark.parametrize(
    ("inner", "level"),
    [
        ("<api:privacy-level>\n PUBLIC </api:privacy-level>", "public"),
        ("<api:privacy-level>internal</api:privacy-level>", "internal"),
        ("<api:privacy-level>Public</api:privacy-level><api:privacy-level>Public</api:privacy-level>", None),
        ("<api:privacy-level/>", None),
        ("<api:privacy-level>Publicly hidden</api:privacy-level>", None),
        ("<api:privacy-level><api:value>Public</api:value></api:privacy-level>", None),
        ("<api:records><api:privacy-level>Public</api:privacy-level></api:records>", None),
        ("<api:is-public>true</api:is-public>", None),
        ("", None),
    ],
)
def test_a_level_is_one_known_word_or_unknown(inner: str, level: str | None):
    assert records.output(publication(inner), NEW).level == level
    assert records.output(publication(inner, 'id="1" privacy-level="Public"'), NEW).level == level


@pytest.mark.parametrize(
    ("inner", "level"),
    [
        ("<api:is-public>True</api:is-public>", "public"),
        ("<api:is-public>1</api:is-public>", "public"),
        ("<api:is-public>false</api:is-public>", "private"),
        ("<api:is-public>yes</api:is-public>", None),
        ("<api:is-public>true</api:is-public><api:is-public>false</api:is-public>", None),
        ("<api:is-public>true</api:is-public><api:privacy-level>Private</api:privacy-level>", "private"),
        ("", None),
    ],
)
def test_an_old_schema_before_a_product_with_levels_is_closed(inner: str, level: str | None):
    assert records.output(publication(inner), BETWEEN).level == level


def related(privacy: str, kind: str = 'type-id="8" type="publication-user-authorship"'):
    return one(
        f'<api:relationship {kind} id="9">{privacy}<api:related direction="to"><api:object id="17" category="user"/>'
        '</api:related><api:related direction="from"><api:object category="publication" id="501"/></api:related>'
        "</api:relationship>"
    )


@pytest.mark.parametrize(
    ("own", "effective", "level"),
    [
        ("Public", "Internal", "internal"), ("Private", "Public", "private"), ("Internal", "Private", "private"),
        ("Public", "", None), ("", "Public", None), ("Public", "Public", "public"), ("public", " INTERNAL", "internal"),
    ],
)  # fmt: skip
def test_the_stricter_level_of_a_relationship_counts(own: str, effective: str, level: str | None):
    privacy = f"<api:privacy-level>{own}</api:privacy-level><api:effective-privacy-level>{effective}</api:effective-privacy-level>"
    assert records.authorship(related(privacy), NEW).level == level


@pytest.mark.parametrize(
    ("inner", "level"),
    [
        ("", "public"), ("<api:is-visible>true</api:is-visible>", "public"), ("<api:is-visible> False</api:is-visible>", "private"),
        ("<api:is-visible>0</api:is-visible>", "private"), ("<api:is-visible/>", "private"),
        ("<api:is-visible>true</api:is-visible><api:is-visible>false</api:is-visible>", "private"),
    ],
)  # fmt: skip
def test_before_levels_a_link_is_visible_unless_it_says_otherwise(inner: str, level: str):
    assert records.authorship(related(inner), OLD).level == level


def test_a_relationship_is_known_by_name_or_number():
    assert records.authorship(related("", 'type-id="8"'), OLD) is not None
    assert records.authorship(related("", 'type-id="9"'), OLD) is None
    assert records.authorship(related("", 'type-id="9"'), OLD, editors=True) is not None
    assert records.authorship(related("", 'type="publication-journal-association" type-id="8"'), OLD) is None


def test_identifiers_of_all_records_and_of_doubled_fields():
    inner = (
        "<api:records>"
        '<api:record id-at-source="0705.1615v2" source-name="arxiv"><api:native/></api:record>'
        '<api:record source-name="pubmed" id-at-source="12345678"><api:native>'
        f"{field('doi', 'doi:10.5555/ONE')}{field('doi', 'https://doi.org/10.5555/two')}</api:native></api:record>"
        '<api:record source-name="wos" id-at-source="WOS:1"><api:native><api:field name="external-identifiers"'
        ' type="identifier-list"><api:identifiers><api:identifier scheme=" PubMed ">23456789</api:identifier>'
        '<api:identifier scheme="isidoc">AB1</api:identifier></api:identifiers></api:field></api:native></api:record>'
        "</api:records><api:journal><api:records><api:record source-name='crossref'><api:native>"
        f"{field('doi', '10.5555/the-journal')}</api:native></api:record></api:records></api:journal>"
    )
    output = records.output(publication(inner), NEW)
    assert stated(output) == {
        ("arxiv", "0705.1615v2"), ("pmid", "12345678"), ("pmid", "23456789"), ("doi", "10.5555/one"), ("doi", "10.5555/two"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("On\n   psychoceramics", "On psychoceramics"),
        ("Said &amp;amp; done", "Said & done"),
        ("Copy&amp; #x00A9; left", "Copy© left"),
        ("Of <i>Homo</i> and <sub>2</sub> more", "Of Homo and 2 more"),
        ("   ", None),
    ],
)
def test_titles(text: str, title: str | None):
    assert records.output(publication(record(field("title", text))), NEW).title == title


@pytest.mark.parametrize(
    ("date", "year"),
    [("<api:year>2025</api:year>", 2025), ("<api:month>4</api:month>", None), ("<api:year>0</api:year>", None),
     ("<api:day>1</api:day><api:month>1</api:month><api:year> 1999 </api:year>", 1999), ("<api:year>in press</api:year>", None)],
)  # fmt: skip
def test_dates_are_partial(date: str, year: int | None):
    inner = record(f'<api:field type="date" name="publication-date"><api:date>{date}</api:date></api:field>')
    assert records.output(publication(inner), NEW).year == year


def test_a_publication_without_records_title_or_known_type():
    output = records.output(publication("<api:records/>", 'id="ä/1 2" category="publication"'), NEW)
    assert (output.key, output.title, output.type, output.identifiers) == ("ä/1 2", None, None, ())


def test_what_was_never_approved():
    assert records.ever_approved(publication("<api:ever-approved>true</api:ever-approved>"))
    assert records.ever_approved(publication(""))
    assert not records.ever_approved(publication("<api:ever-approved>false</api:ever-approved>"))


@pytest.mark.parametrize(
    ("flags", "current"),
    [
        ("<api:is-current-staff>TRUE</api:is-current-staff>", True), ("<api:is-current-staff>1</api:is-current-staff>", True),
        ("<api:is-current-staff>yes</api:is-current-staff>", False), ("", False),
        ("<api:is-current-staff>true</api:is-current-staff><api:is-current-staff>false</api:is-current-staff>", False),
    ],
)  # fmt: skip
def test_a_flag_of_a_person_that_does_not_clearly_say_true_is_false(flags: str, current: bool):
    person = records.author(
        one(f'<api:object category="user" id="1">{flags}<api:last-name>B</api:last-name></api:object>'), NEW
    )
    assert person.current is current


def test_groups_old_and_new_and_parents_in_any_form():
    stated_groups = [
        '<api:user-group id="1"><api:name>All</api:name></api:user-group>',
        (
            '<api:object category="group" id="2"><api:privacy-level>Internal</api:privacy-level><api:group-properties>'
            '<api:name>Science</api:name><api:parent><api:object category="group" id="1"/></api:parent></api:group-properties></api:object>'
        ),
        '<api:group id="3"><api:name>Arts</api:name><api:parent href="https://x.example/groups/1?detail=ref"/></api:group>',
        (
            '<api:user-group id="4"><api:name>Both</api:name><api:parents><api:parent id="2"/><api:parent id="3"/></api:parents>'
            "</api:user-group>"
        ),
    ]
    groups = [group(one(each), NEW) for each in stated_groups]
    made = {each.key: (each.parents, each.level) for each in departments(groups, "1", ())}
    assert {key: parents for key, (parents, _) in made.items()} == {"1": (), "2": ("1",), "3": ("1",), "4": ("2", "3")}
    assert {level for _, level in made.values()} == {
        None
    }  # the root says none, and nothing is more public than its parent


@pytest.mark.parametrize(
    "body",
    [
        response("").replace(b"<api:result-list><api:result></api:result></api:result-list>", b'<api:error code="unlicensed component"/>'),
        f'<api:response {API}><api:errors><api:error code="server fault">Oh.</api:error></api:errors></api:response>'.encode(),
        b'<feed xmlns="http://www.w3.org/2005/Atom"><category term="error-list"/></feed>',
        response('<api:error code="index not found">Rebuild it.</api:error>'),
    ],
)  # fmt: skip
def test_an_error_is_an_error_under_any_status(body: bytes):
    with pytest.raises(AnsweredError):
        parse(body)


@pytest.mark.parametrize("body", [b"<html><body>Log in</body></html>", b"{}", response("<api:object")])
def test_what_is_no_answer_of_the_api(body: bytes):
    with pytest.raises(NotElementsError):
        parse(body)


def test_an_external_entity_is_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("houyhnhnm")
    body = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'.encode() + response(
        f'<api:object id="1" category="publication">{record(field("title", "&x;"))}</api:object>'
    )
    (result,) = parse(body).results
    assert "houyhnhnm" not in str(records.output(result, NEW).title)
