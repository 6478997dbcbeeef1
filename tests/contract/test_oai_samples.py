"""Captured answers of real repositories: what we read of them is what can be counted in them without our parser."""

from __future__ import annotations

import csv
import hashlib
import hmac
import html
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from explorer.config import OaiPmhSource
from explorer.polite_http import Limits, PoliteSession
from explorer.records import Department, Output
from explorer.sources import Page, Part, Plan, SourceError
from explorer.sources.oai_platforms import Settings, accent
from explorer.sources.oai_pmh import OaiPmh
from explorer.sources.oai_protocol import OaiRepository
from explorer.sources.oai_records import output
from explorer.sources.oai_xml import Document, parse
from tests.oai_golden import bare_dois, independently
from tests.samples import sample
from tests.scripted_server import Asked, Reply, serving

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY = b"key"
FULL = Plan("full")
TOKEN = re.compile(rb"resumptionToken(?:\s[^>]*)?>([^<]*)<")


def made(url: str, platform: str, **options: Any) -> OaiPmh:
    settings = OaiPmhSource.model_validate(
        {"kind": "oai_pmh", "platform": platform, "url": url, "allow_http": True, **options}
    )
    limits = Limits(requests_per_second=1000, retries=1, backoff=0.001)
    session = PoliteSession(limits, allow_http=True, allow_private_hosts=True)
    return OaiPmh(OaiRepository(url, session), accent(platform), Settings(settings, hash_key=KEY))


def chain(files: Sequence[Path]) -> Any:
    """Serves the files of one list by the very tokens that stand in them, read without our parser."""
    tokens = [found.group(1).decode() if (found := TOKEN.search(file.read_bytes())) else "" for file in files]
    after = {html.unescape(token).strip(): file for token, file in zip(tokens, files[1:], strict=False)}

    def answer(asked: Asked) -> Reply:
        token = asked.query.get("resumptionToken")
        file = files[0] if token is None else after[token]
        return Reply(file.read_bytes(), status=200)

    return answer


def harvested(files: Sequence[Path], platform: str = "generic") -> list[Page]:
    with serving(chain(files)) as server:
        return list(made(server.url, platform).read(Part("outputs"), FULL, None))


def outputs(pages: Sequence[Page]) -> list[Output]:
    return [each for page in pages for each in page.records if isinstance(each, Output)]


def parsed(file: Path, platform: str = "generic", **options: Any) -> list[Output]:
    settings = made("http://repo.lilliput.example/oai", platform, **options).settings
    return [output(each, accent(platform), settings) for each in parse(file.read_bytes()).records]


# --- EPrints


def test_eprints_gives_what_is_expected() -> None:
    folder = sample("oai/eprints/synthetic")
    expected = json.loads((folder / "expected.json").read_text())
    pages = harvested([folder / "ListRecords_p1.xml", folder / "ListRecords_p2_last.xml"], "eprints")
    found = {str(each.key).rpartition(":")[2]: each for each in outputs(pages)}
    assert len(found) == expected["records"]
    assert [each.key for each in found.values() if each.deleted] == expected["deleted"]
    refused = {each.key: each.refusal.rule for each in found.values() if each.refusal}
    assert refused == dict.fromkeys(expected["no_metadata_not_deleted"], "no_metadata")
    for number, identifiers in expected["importable"].items():
        own = [(each.scheme, each.value) for each in found[number].identifiers]
        assert [value for scheme, value in own if scheme == "doi"] == identifiers["doi"]
        assert [value for scheme, value in own if scheme == "isbn"] == identifiers.get("isbn_in_citation_only", [])
    for number in expected["dropped_no_identifier"]:
        assert found[number].identifiers == ()
    for number, people in expected["authors"].items():
        assert [each.author for each in found[number].contributions] == [_author(each) for each in people]

    with serving(lambda _: Reply((folder / "ListSets.xml").read_bytes())) as server:
        (page,) = made(server.url, "eprints").read(Part("departments", "departments"), FULL, None)
    known = {each.key: each for each in page.records if isinstance(each, Department)}
    paths = {key: set(_paths(each, known)) for key, each in known.items()}
    assert sorted(path for each in paths.values() for path in each) == expected["set_tree"]["divisions"]
    for number, places in expected["departments"].items():
        assert len(found[number].departments) == len(places)
        for key, place in zip(found[number].departments, places, strict=True):
            assert place in paths[key]


def _author(number: str) -> str:
    if "@" in number:
        return "mail:" + hmac.new(KEY, number.encode(), hashlib.sha256).hexdigest()[:32]
    return f"orcid:{number}" if number.count("-") == 3 else f"id:{number}"


def _paths(department: Department, known: dict[str, Department]) -> list[str]:
    above = [path for parent in department.parents for path in _paths(known[parent], known)]
    return [f"{path} > {department.name}" for path in above] or [department.name]


@pytest.mark.parametrize("name", ["cogprints_00_ListRecords.xml", "lshtm_00_ListRecords.xml"])
def test_eprints_pages_of_real_repositories(name: str) -> None:
    file = sample(f"oai/eprints/scrapi/{name}")
    counted = independently(file)
    (page,) = harvested([file], "eprints")
    found = outputs([page])
    live = [each for each in found if not each.deleted]
    assert (len(found), len(found) - len(live)) == (counted.records, counted.deleted)
    assert [each.key for each in found if each.refusal] == []
    assert all(each.title and each.year and each.type for each in live)
    assert sum(any(one.scheme == "doi" for one in each.identifiers) for each in live) == counted.with_doi
    for each in live:
        bare = bare_dois(file)[str(each.key)]
        if bare:
            assert {one.value for one in each.identifiers if one.scheme == "doi"} == bare
    assert [each.contributions for each in found if each.contributions] == []  # no creator has an id
    everybody = sum(len(each.contributions) for each in parsed(file, "eprints", authors="all"))
    doubled = _creators_credited_twice(file)
    assert everybody == counted.creators - doubled


def _creators_credited_twice(file: Path) -> int:
    namespaces = {"dc": "http://purl.org/dc/elements/1.1/"}
    doubled = 0
    root: Any = etree.parse(file)
    for dc in root.xpath("//*[dc:creator]", namespaces=namespaces):
        creators = dc.xpath("dc:creator/text()", namespaces=namespaces)
        names = [" ".join(str(name).split()).casefold() for name in creators]
        doubled += len(names) - len(set(names))
    return doubled


def test_eprints_errors_come_in_twos() -> None:
    file = sample("oai/eprints/synthetic/error_bad_token_two_errors.xml")
    with serving(lambda _: Reply(file.read_bytes())) as server, pytest.raises(SourceError) as raised:
        made(server.url, "eprints").repository.ask("ListRecords", {"resumptionToken": "x"})
    assert raised.value.code == "oai_badResumptionToken"


# --- chains of pages, whatever the platform


@pytest.mark.parametrize(
    ("pattern", "records", "deleted", "complete"),
    [
        ("bepress/calpoly_*", 208, 0, True),
        ("bepress/digitalhoward_*", 181, 0, None),
        ("dspace6/scrapi/hacettepe_*", 103, 0, True),
        ("dspace6/scrapi/colostate_*", 508, 2, None),
        ("generic/scrapi/asu_*", None, None, True),
        ("generic/scrapi/datacite_*", 56, None, True),
        ("generic/scrapi/mla_*", 94, 0, True),
        ("generic/scrapi/spdataverse_*", 19, 15, True),
        ("generic/surf/edurep.initial.*", None, None, True),
        ("peer/phpoaipmh/GoodResponseFourPage_*", 733, 0, True),
        ("peer/sickle/ListRecords*", 8, 4, True),
    ],
)
def test_chains(pattern: str, records: int | None, deleted: int | None, complete: bool | None) -> None:
    folder = sample("oai")
    if "sickle" in pattern:
        files = [folder / f"peer/sickle/ListRecords{number}.xml" for number in ("", "2", "3", "4")]
    else:
        files = sorted(folder.glob(pattern))
    pages = harvested(files)
    found = outputs(pages)
    assert len(pages) == len(files)
    assert len(found) == sum(independently(file).records for file in files)
    assert sum(each.deleted for each in found) == sum(independently(file).deleted for file in files)
    assert records is None or len(found) == records
    assert deleted is None or sum(each.deleted for each in found) == deleted
    assert pages[-1].cursor is None
    assert complete is None or (pages[-1].incomplete is None) is complete
    assert not any(page.repairs for page in pages)


def test_a_chain_of_identifiers_and_one_of_sets() -> None:
    folder = sample("oai/dspace6/mit")
    files = sorted(folder.glob("get-identifiers_*"))
    with serving(chain(files)) as server:
        documents = list(made(server.url, "generic").repository.pages("ListIdentifiers"))
    keys = [each.header.identifier for document in documents for each in document.records]
    assert (len(keys), "oai:dspace.mit.edu:1721.1/137340.2" in keys) == (171, True)
    files = sorted(folder.glob("get-sets_*"))
    with serving(chain(files)) as server:
        sets = made(server.url, "generic").repository.sets()
    assert len(sets) == sum(independently(file).sets for file in files)
    assert len({each.spec for each in sets}) == 1000  # though the repository announces 966


def test_a_list_of_deletions() -> None:
    found = parsed(sample("oai/generic/surf/edurep.delta.0.xml"))
    assert (len(found), sum(each.deleted for each in found)) == (6, 2)


# --- broken and hostile files


THREE = ["oai:x.example.org:1", "oai:x.example.org:2", "oai:x.example.org:3"]


@pytest.mark.parametrize(
    ("name", "title", "repairs"),
    [
        ("cesu8_surrogates", "x\U0001f600y", {"surrogate_pair": 1}),
        ("charref_illegal", "abc", {"illegal_reference": 3}),
        ("ctrl_chars_nul", "abc de f", {"control_character": 4}),
        ("datestamp_fraction_and_offset", "Title 2", {}),
        ("latin1_bytes_in_utf8", "Malmö", {"bad_byte": 1}),
        ("mismatched_tag_in_one_record", None, {"broken_record": 1, "page_in_pieces": 1}),
        ("raw_ampersand", "Research & Development, a?b=1&c=2", {"raw_ampersand": 2}),
        ("raw_lt_in_text", "doi:10.1002/1234(199901)9:2<1::AID>3.0.CO;2-X", {"raw_less_than": 1}),
        ("undeclared_prefix", "Title 2", {"undeclared_prefix": 1, "page_in_pieces": 1}),
        ("undefined_entity", "Köping ©", {"undeclared_entity": 3}),
    ],
)
def test_one_broken_thing_costs_at_most_one_record(name: str, title: str | None, repairs: dict[str, int]) -> None:
    file = sample(f"oai/dirty/synthetic/{name}.xml")
    found = parsed(file)
    assert [each.key for each in found] == THREE
    assert [each.title for each in found] == ["Title 1", title, "Title 3"]
    assert [bool(each.refusal) for each in found] == [False, title is None, False]
    assert [len(each.identifiers) for each in found] == [1, 0 if title is None else 1, 1]
    assert parse(file.read_bytes()).repairs == repairs


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("bom_and_leading_newline", ["Title 1"]),
        ("datestamp_day_in_seconds_repo", ["Title 1", "Title 2"]),
        ("deleted_with_empty_metadata", [None, "Title 1"]),
        ("double_escaped_amp", ["A & B"]),
        ("duplicate_record_same_page", ["Title 1", "Title 1", "Title 2"]),
        ("empty_list_no_error", []),
        ("empty_list_with_token", []),
        ("leading_php_warning", ["Title 1"]),
        ("live_record_without_metadata", [None, "Title 1"]),
        ("no_oai_namespace", ["Title 1"]),
        ("same_token_again", ["Title 1"]),
        ("token_whitespace_only", ["Title 1"]),
        ("token_with_spaces_around", ["Title 1"]),
        ("trailing_php_notice", ["Title 1"]),
        ("truncated_in_metadata", ["Title 1", "Title 2", None]),
        ("xxe_entity_expansion", ["&h;"]),
        ("xxe_external_entity", ["&x;"]),
    ],
)
def test_other_broken_files(name: str, titles: list[str | None]) -> None:
    assert [each.title for each in parsed(sample(f"oai/dirty/synthetic/{name}.xml"))] == titles


def test_a_web_page_is_no_answer() -> None:
    with pytest.raises(SourceError, match="Sign in"):
        parse(sample("oai/dirty/synthetic/html_login_page.html").read_bytes())


@pytest.mark.parametrize("file", ["dirty/real/pcurio_ctrl_0x0b.xml", "dirty/real/zenodo_list_not_closed.xml"])
def test_real_broken_pages(file: str) -> None:
    raw = sample(f"oai/{file}").read_bytes()
    found = parse(raw)
    assert len(found.records) == raw.count(b"<header>") + raw.count(b"<header ")
    assert not any(each.refusal for each in found.records)
    assert found.repairs
    assert not found.truncated


def test_a_body_in_utf_8_is_read_as_such() -> None:
    raw = sample("oai/peer/sickle/GetRecord_utf8test.xml").read_bytes()
    (found,) = parse(raw).records
    assert found.metadata is not None
    read = [str(text) for text in found.metadata.itertext() if str(text).strip()]
    root: Any = etree.fromstring(raw)
    texts = root.xpath("//*[local-name()='metadata']/*//text()[normalize-space()]")
    assert read == [str(text) for text in texts]
    assert any(not text.isascii() and text.strip() in raw.decode() for text in read)


# --- every file


def _measured(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"\b(records|deleted|sets)=(\d+)", text)}


def test_every_file_is_read_with_the_counts_that_were_measured_in_it() -> None:
    folder = sample("oai")
    wrong = []
    looked_at = 0
    with (folder / "index.csv").open(newline="") as index:
        for row in csv.DictReader(index):
            measured = _measured(row["measured"])
            if not measured or not row["file"].endswith(".xml"):
                continue
            try:
                found: Document = parse((folder / row["file"]).read_bytes())
            except SourceError as error:
                if "not well-formed" not in row["measured"] and _is_oai(folder / row["file"]):
                    wrong.append(f"{row['file']}: {error}")
                continue
            looked_at += 1
            ours = {
                "records": len(found.records),
                "deleted": sum(each.header.deleted for each in found.records),
                "sets": len(found.sets),
            }
            differ = {name: (ours[name], number) for name, number in measured.items() if ours[name] != number}
            wrong += [f"{row['file']}: {differ}"] if differ else []
    assert wrong == []
    assert looked_at > 100


def _is_oai(file: Path) -> bool:
    return b"OAI-PMH" in file.read_bytes()[:2000]
