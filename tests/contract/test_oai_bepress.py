"""bepress: real pages and invented ones, with what can be counted in them without our parser."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from explorer.config import Departments, Sets
from explorer.records import Department, Output
from explorer.sources import Page, Part, Plan
from tests.contract.test_oai_harvest import made, repository
from tests.contract.test_oai_samples import chain, parsed
from tests.oai_documents import listed_sets, record, records
from tests.samples import sample
from tests.scripted_server import Reply, serving

if TYPE_CHECKING:
    from pathlib import Path

FULL = Plan("full")
DC = {"dc": "http://purl.org/dc/elements/1.1/"}
PUBMED_LINK = re.compile(r"(?:list_uids=|/pubmed/)(\d+)")


def identifiers(output: Output) -> list[tuple[str, str]]:
    return [(each.scheme, each.value) for each in output.identifiers]


def pubmed_links(file: Path) -> dict[str, list[str]]:
    """Per record the numbers in links to PubMed of dc:relation, by XPath and a pattern."""
    root: Any = etree.parse(file)
    found = {}
    for each in root.xpath("//*[local-name()='record']"):
        key = each.xpath("string(.//*[local-name()='header']/*[local-name()='identifier'])")
        texts = [html.unescape(str(text)) for text in each.xpath(".//dc:relation/text()", namespaces=DC)]
        found[key] = [number for text in texts for number in PUBMED_LINK.findall(text)]
    return found


def test_pubmed_ids_stand_in_links_alone() -> None:
    file = sample("oai/bepress/umassmed_00_ListRecords.xml")
    counted = pubmed_links(file)
    found = {str(each.key): [v for s, v in identifiers(each) if s == "pmid"] for each in parsed(file, "bepress")}
    assert found == counted
    assert sum(map(len, counted.values())) == 23


def test_an_invented_page() -> None:
    file = sample("oai/bepress/synthetic/ListRecords_doi_pubmed_and_none.xml")
    both, none = parsed(file, "bepress", authors="all")
    assert both.title == "Mosses & ferns"
    assert set(identifiers(both)) == {("doi", "10.5555/bepress.1"), ("pmid", "99000077")}
    assert both.departments == ("publication:science", "publication:biology", "publication:biology_faculty_pubs")
    assert [each.author for each in both.contributions] == [
        "name:lindqvist, maja",
        "name:testberg, ylva, exempla university",
    ]
    assert (none.identifiers, none.refusal, none.departments) == ((), None, ("publication:etd",))
    assert [each.contributions for each in parsed(file, "bepress")] == [(), ()]  # nobody has an id


def test_invented_departments() -> None:
    file = sample("oai/bepress/synthetic/ListSets_inferred.xml")
    with serving(chain([file])) as server:
        (page,) = made(server.url, platform="bepress").read(Part("departments", "departments"), FULL, None)
    assert names(page) == {
        "publication:science": "Faculty of Science",
        "publication:biology": "School of Biology",
        "publication:biology_faculty_pubs": "Biology Faculty Publications",
        "publication:old_name": "Hex escaped underscore",
        "publication:etd": "Theses and Dissertations",
    }
    assert all(each.parents == () for each in page.records if isinstance(each, Department))


def names(page: Page) -> dict[str, str]:
    return {each.key: each.name for each in page.records if isinstance(each, Department)}


@pytest.mark.parametrize(
    ("sets", "departments"),
    [
        (Sets(), ["publication:law", "publication:law_reviews"]),
        (Sets(include=("law",)), ["publication:law"]),
        (Sets(include=("publication:law_5Freviews",)), ["publication:law_reviews"]),
        (Sets(exclude=("law_reviews",)), ["publication:law"]),
        (Sets(exclude=("publication:law", "law_reviews")), []),
    ],
)
def test_contexts_are_chosen_by_any_of_their_spellings(sets: Sets, departments: list[str]) -> None:
    page = records(record(1, sets=["publication:law", "publication:law_5Freviews", "other"]))
    listed = listed_sets(publication__law="Law", publication__law_reviews="Reviews", other="Other")

    def answer(query: dict[str, str]) -> str:
        return listed if query["verb"] == "ListSets" else page

    with repository(answer, platform="bepress", departments=Departments(sets=sets)) as (oai, _):
        (outputs,) = oai.read(Part("outputs"), FULL, None)
        (groups,) = oai.read(Part("departments", "departments"), FULL, None)
    assert [list(each.departments) for each in outputs.records if isinstance(each, Output)] == [departments]
    assert list(names(groups)) == departments
    assert (groups.incomplete is None) is bool(departments)


def test_a_context_is_harvested_by_its_bare_name() -> None:
    with repository(lambda _: records(record(1)), platform="bepress", sets={"include": ["etd"]}) as (oai, server):
        (part,) = (each for each in oai.parts(FULL) if each.scope == "outputs")
        list(oai.read(part, FULL, None))
    assert server.asked[-1].query["set"] == "publication:etd"


@pytest.mark.parametrize(
    ("relation", "expected"),
    [
        ('<a href="http://www.ncbi.nlm.nih.gov/entrez/query.fcgi?list_uids=99000011">In PubMed</a>', [("pmid", "99000011")]),
        ("<p><a href='https://pubmed.ncbi.nlm.nih.gov/99000012/' target='_blank'>PubMed</a></p>", [("pmid", "99000012")]),
        ('<a target="x" href="https://doi.org/10.5555/a.7">Link to article</a>', [("doi", "10.5555/a.7")]),
        ('<a href="https://doi.org/10.5555/other">The dataset of a colleague</a>', []),
        ("Comment on: 10.5555/other", []),
        ('<a href="http://www.ncbi.nlm.nih.gov/entrez/query.fcgi?list_uids=123456789012">in PubMed</a>', []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("escaped", [1, 2])
def test_own_links_of_a_relation(relation: str, expected: list[tuple[str, str]], escaped: int) -> None:
    for _ in range(escaped):
        relation = html.escape(relation, quote=False)
    page = records(record(1, f"<dc:title>T</dc:title><dc:relation>{relation}</dc:relation>"))
    with repository(lambda _: page, platform="bepress", departments=Departments(mode="none")) as (oai, _):
        (read,) = oai.read(Part("outputs"), FULL, None)
    assert [identifiers(each) for each in read.records if isinstance(each, Output)] == [expected]


def test_the_landing_page_counts_where_its_domain_does() -> None:
    file = sample("oai/bepress/synthetic/ListRecords_doi_pubmed_and_none.xml")
    with serving(lambda _: Reply(file.read_bytes())) as server:
        oai = made(server.url, platform="bepress")
        object.__setattr__(oai.settings, "uri_domains", ("commons.exempla.example.org",))
        (page,) = oai.read(Part("outputs"), FULL, None)
    none = page.records[1]
    assert isinstance(none, Output)
    assert ("uri", "https://commons.exempla.example.org/etd/7") in identifiers(none)
