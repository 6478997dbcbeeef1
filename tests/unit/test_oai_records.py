"""One record to one output: each field, each kind of id, each way to be refused."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from explorer.config import Departments, OaiPmhSource, Sets
from explorer.mapping import Rule, Rules, XmlMapping, rules
from explorer.records import Contribution, Identifier, Output
from explorer.sources.oai_platforms import Settings, accent, chosen, levels
from explorer.sources.oai_platforms.eprints import decoded, encoded
from explorer.sources.oai_records import output
from explorer.sources.oai_xml import parse
from tests.oai_documents import record, records

FIXTURES = Path(__file__).parents[1] / "fixtures" / "oai"


def settings(
    platform: str = "generic", *, departments: Departments | None = None, domains: tuple[str, ...] = (), **block: Any
) -> Settings:
    url = "https://repo.lilliput.example/oai"
    source = OaiPmhSource.model_validate({"kind": "oai_pmh", "platform": platform, "url": url, **block})
    return Settings(source, departments or Departments(), domains, b"key")


def outputs(page: str | bytes, platform: str = "generic", **options: Any) -> list[Output]:
    raw = page.encode() if isinstance(page, str) else page
    return [output(each, accent(platform), settings(platform, **options)) for each in parse(raw).records]


def one(fields: str, platform: str = "generic", **options: Any) -> Output:
    (found,) = outputs(records(record(1, fields)), platform, **options)
    return found


def hashed(address: str) -> str:
    return "mail:" + hmac.new(b"key", address.encode(), hashlib.sha256).hexdigest()[:32]


def pairs(found: Output) -> list[tuple[str, str]]:
    return [(each.scheme, each.value) for each in found.identifiers]


# --- the fixtures of an EPrints repository


def test_an_eprints_record() -> None:
    first = outputs((FIXTURES / "eprints" / "ListRecords.xml").read_bytes(), "eprints")[0]
    assert first == Output(
        key="oai:eprints.lilliput.example:7",
        title="Six inches of coast",
        type="Article",
        year=2026,
        venue="Mildendo Press",
        identifiers=(Identifier("doi", "10.5555/lilliput.7"),),
        contributions=(
            Contribution("orcid:0000-0090-0001-1174", "Reldresal, Drun", {"orcid": "0000-0090-0001-1174"}),
            Contribution(hashed("flimnap@lilliput.example"), "Flimnap, T."),
            Contribution("id:L-0042", "Skyresh, Bolgolam", {"id": "L-0042"}),
        ),
        departments=("top", "map"),
        datestamp="2026-02-11T08:00:00Z",
        place="oai:eprints.lilliput.example:7",
    )


def test_other_eprints_records() -> None:
    _, chapter, gone, empty = outputs((FIXTURES / "eprints" / "ListRecords.xml").read_bytes(), "eprints")
    assert pairs(chapter) == [("doi", "10.5555/lilliput.8")]  # from the citation alone; the ISBN is the book's
    assert (chapter.year, chapter.departments) == (2025, ("sng",))
    assert (gone.key, gone.deleted, gone.refusal) == ("oai:eprints.lilliput.example:9", True, None)
    assert empty.refusal is not None
    assert empty.refusal.rule == "no_metadata"
    assert empty.key == "oai:eprints.lilliput.example:10"


def test_no_address_is_kept_anywhere() -> None:
    found = outputs((FIXTURES / "eprints" / "ListRecords.xml").read_bytes(), "eprints", authors="all")
    assert "@" not in repr(found)


def test_the_landing_page_counts_under_the_institutions_domains_only() -> None:
    page = (FIXTURES / "eprints" / "ListRecords.xml").read_bytes()
    (first, *_) = outputs(page, "eprints", domains=("lilliput.example",))
    (uri,) = [each.value for each in first.identifiers if each.scheme == "uri"]
    assert "eprints.lilliput.example/7" in uri
    (first, *_) = outputs(page, "eprints", domains=("blefuscu.example",))
    assert pairs(first) == [("doi", "10.5555/lilliput.7")]


class Listed:
    """A repository that only lists its sets."""

    def __init__(self, page: bytes) -> None:
        self._page = page

    def sets(self) -> Any:
        return parse(self._page).sets

    def get(self, url: str, *, accept: str | None = None) -> Any:
        raise AssertionError(url, accept)


def eprints_departments(**choice: tuple[str, ...]) -> dict[str, tuple[str, tuple[str, ...]]]:
    listed = Listed((FIXTURES / "eprints" / "ListSets.xml").read_bytes())
    options = settings("eprints", departments=Departments(sets=Sets(**choice)))
    return {each.key: (each.name, each.parents) for each in accent("eprints").departments(listed, options)}


def test_eprints_divisions_are_a_tree_whatever_their_labels_hold() -> None:
    assert eprints_departments() == {
        "sng": ("School of Navigation", ()),
        "med": ("Faculty of Small Medicine", ()),
        "map": ("Maps: Land and Sea", ("med", "sng")),
        "top": ("Topography", ("map",)),
    }


@pytest.mark.parametrize(
    ("choice", "keys"),
    [
        ({"include": ("sng",)}, {"sng", "map", "top"}),
        ({"include": ("divisions=sng:map",)}, {"map", "top"}),
        ({"include": ("6469766973696F6E733D6D6564",)}, {"med", "map"}),
        ({"exclude": ("map",)}, {"sng", "med"}),
        ({"exclude": ("divisions=sng:map",)}, {"sng", "med", "map"}),
        ({"exclude": ("sng", "med")}, set()),
    ],
)
def test_a_choice_of_divisions(choice: dict[str, tuple[str, ...]], keys: set[str]) -> None:
    assert set(eprints_departments(**choice)) == keys


def test_a_division_below_one_that_is_left_out_moves_up() -> None:
    assert eprints_departments(include=("top",)) == {"top": ("Topography", ())}


def test_a_choice_of_divisions_holds_for_records_too() -> None:
    page = (FIXTURES / "eprints" / "ListRecords.xml").read_bytes()
    choice = Departments(sets=Sets(exclude=("top",)))
    assert outputs(page, "eprints", departments=choice)[0].departments == ("map",)
    assert outputs(page, "eprints", departments=Departments(mode="none"))[0].departments == ()
    assert outputs(page, "eprints", division_view="subjects")[0].departments == ()


def test_eprints_records_of_a_set_that_is_left_out() -> None:
    page = (FIXTURES / "eprints" / "ListRecords.xml").read_bytes()
    found = outputs(page, "eprints", sets={"exclude": ["types=thesis", "7374617475733D707562"]})
    assert [each.excluded for each in found] == ["set", None, None, "set"]


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("7375626A656374733D41:415F3131", ("subjects", ("A", "A_11"))),
        ("6469766973696f6e733d736369", ("divisions", ("sci",))),
        ("6469766973696F6E733DC3A5", ("divisions", ("å",))),
        ("driver", None),
        ("cafe", None),
        ("6162", None),
        ("6469766973696F6E733D:62", None),
        ("6469766973696F6E733D", None),
        ("", None),
        ("61:", None),
    ],
)
def test_eprints_set_specs(spec: str, found: tuple[str, tuple[str, ...]] | None) -> None:
    assert decoded(spec) == found
    if found:
        assert encoded(f"{found[0]}={':'.join(found[1])}") == spec.upper()


# --- people


@pytest.mark.parametrize(
    ("number", "author", "ids"),
    [
        ("1234", "id:1234", {"id": "1234"}),
        ("0000-0090-0001-1174", "orcid:0000-0090-0001-1174", {"orcid": "0000-0090-0001-1174"}),
        ("http://orcid.org/0000-0090-0001-1174/", "orcid:0000-0090-0001-1174", {"orcid": "0000-0090-0001-1174"}),
        ("orcid:0000009000011174", "orcid:0000-0090-0001-1174", {"orcid": "0000-0090-0001-1174"}),
        ("https://ORCID.org/0000-0002-1694-233x", "orcid:0000-0002-1694-233X", {"orcid": "0000-0002-1694-233X"}),
        ("0000-0090-0001-1175", "id:0000-0090-0001-1175", {"id": "0000-0090-0001-1175"}),
        (" Maja.L@Lilliput.Example ", hashed("maja.l@lilliput.example"), {}),
        ("mailto:maja.l@lilliput.example", hashed("maja.l@lilliput.example"), {}),
    ],
)
def test_the_id_of_a_creator(number: str, author: str, ids: dict[str, str]) -> None:
    found = one(f'<dc:creator id="{number}">Lindqvist, Maja</dc:creator>')
    assert found.contributions == (Contribution(author, "Lindqvist, Maja", ids),)
    assert [note.code for note in found.notes] == (["invalid_orcid"] if number.endswith("1175") else [])


def test_creators_without_an_id_count_only_where_all_do() -> None:
    fields = '<dc:creator>Testberg,  YLVA</dc:creator><dc:creator id="">testberg, Ylva</dc:creator><dc:creator/>'
    assert one(fields).contributions == ()
    assert one(fields, authors="all").contributions == (Contribution("name:testberg, ylva", "Testberg, YLVA"),)


def test_a_person_who_has_no_name() -> None:
    assert one('<dc:creator id="7"/>').contributions == (Contribution("id:7", "7", {"id": "7"}),)
    (found,) = one('<dc:creator id="a@lilliput.example">a@lilliput.example</dc:creator>').contributions
    assert found.name == "(no name)"


# --- fields


@pytest.mark.parametrize(
    ("dates", "year"),
    [
        (["2025-03"], 2025),
        (["2023-00"], 2023),
        (["2015-03-10T15:04:12Z", "2015-03-10T15:04:12Z", "2011-05"], 2011),
        (["2015-03-10T15:04:12Z", "2014-03-10T15:04:12Z"], 2014),
        (["20240301"], 2024),
        (["12 March 1999"], 1999),
        (["c. 1723"], 1723),
        (["12345"], None),
        (["in press", ""], None),
        (["0001-01-01"], None),
        ([], None),
    ],
)
def test_the_year(dates: list[str], year: int | None) -> None:
    assert one("<dc:title>x</dc:title>" + "".join(f"<dc:date>{each}</dc:date>" for each in dates)).year == year


def test_the_first_title_that_is_not_empty_on_one_line() -> None:
    title = "On&#13;\n <i>E. coli</i> &#38;amp; co"
    found = one(f"<dc:title> </dc:title><dc:title>{title}</dc:title><dc:title>No</dc:title>")
    assert found.title == "On E. coli & co"
    assert one("<dc:date>2020</dc:date>").title is None


def test_a_record_that_says_it_is_not_available_has_no_metadata() -> None:
    found = one("<dc:status>Item is not available</dc:status>")
    assert found.refusal is not None
    assert found.refusal.rule == "no_metadata"


def test_a_record_without_a_key_is_refused() -> None:
    page = records(record(1)).replace("<identifier>oai:repo.lilliput.example:1</identifier>", "")
    (found,) = outputs(page)
    assert found.key is None
    assert found.refusal is not None


def test_a_datestamp_that_is_none_is_noted() -> None:
    (found,) = outputs(records(record(1, when="yesterday")))
    assert (found.datestamp, [note.code for note in found.notes]) == (None, ["unreadable_datestamp"])


# --- identifiers


def test_a_generic_record_has_its_identifiers_in_identifier() -> None:
    fields = "<dc:identifier>doi:10.5555/a</dc:identifier><dc:relation>10.5555/b</dc:relation>"
    assert pairs(one(fields)) == [("doi", "10.5555/a")]
    assert pairs(one(fields, identifiers_in_relation=True)) == [("doi", "10.5555/a"), ("doi", "10.5555/b")]


def test_prose_gives_only_what_no_better_field_has() -> None:
    cited = "<dc:identifier>Munodi (2024) A very long title. Journal of Things. doi:10.5555/cited</dc:identifier>"
    assert pairs(one(cited)) == [("doi", "10.5555/cited")]
    assert pairs(one(cited + "<dc:identifier>10.5555/own</dc:identifier>")) == [("doi", "10.5555/own")]


def test_the_isbn_of_a_citation_belongs_to_a_whole_book() -> None:
    cited = "<dc:identifier>Munodi (2024) A very long title. Mildendo Press. ISBN 978-0-00-000020-0</dc:identifier>"
    isbn = [("isbn", "9780000000200")]
    for kind, found in (("Book", isbn), ("Thesis", isbn), ("Book Section", []), ("Article", []), ("Other", [])):
        assert pairs(one(f"{cited}<dc:type>{kind}</dc:type>")) == found, kind


def test_an_issn_is_no_identifier() -> None:
    assert pairs(one("<dc:identifier>ISSN 0143-005X</dc:identifier><dc:identifier>0143-005X</dc:identifier>")) == []


# --- sets and mappings


def test_levels_and_choices() -> None:
    assert levels("a:b:c") == ("a:b:c", "a:b", "a")
    assert chosen(["a:b", "a"], Sets())
    assert chosen(["a:b", "a"], Sets(include=("a",)))
    assert not chosen(["b"], Sets(include=("a",)))
    assert not chosen(["a:b", "a"], Sets(include=("a:b",), exclude=("a",)))


def test_a_mapping_knows_required_fields_and_defaults() -> None:
    mapping = XmlMapping(
        Rules({"a": Rule("a", required=True), "b": Rule("b/@c", default="none"), "n": Rule("count(a)")}, {}, "1")
    )
    assert mapping.read(etree.XML("<x><a> y </a><b c='z'/></x>")).fields == {"a": "y", "b": "z", "n": "1.0"}
    lacking = mapping.read(etree.XML("<x/>"))
    assert (lacking.missing, lacking.text("b"), lacking.text("a")) == (("a",), "none", None)


def test_a_mapping_with_a_slip_is_told_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.mapping.FOLDER", tmp_path)
    (tmp_path / "slip_one.yaml").write_text("fields: {title: {path: a, transform: frist}}")
    with pytest.raises(ValueError, match=r"slip_one.yaml: title: no transform `frist`"):
        rules("slip_one")
    (tmp_path / "slip_two.yaml").write_text("fields: {title: {paht: a}}")
    with pytest.raises(ValueError, match=r"slip_two.yaml"):
        rules("slip_two")
