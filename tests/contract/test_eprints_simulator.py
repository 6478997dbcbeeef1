"""The EPrints simulator answers as captured EPrints servers do, and misbehaves only as told."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from lxml import etree
from sickle import Sickle

from simulators.brobdingnag import DIVISIONS, HOST, brobdingnag
from simulators.eprints import EPrints, set_spec
from simulators.repository import Heading, View, VirtualClock, World
from simulators.serving import Answer, Call, Fault
from tests.patience import PATIENCE, wait_until
from tests.samples import sample

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
REAL = ("oai/eprints/scrapi/lshtm_00_ListRecords.xml", "oai/eprints/scrapi/cogprints_00_ListRecords.xml")
WRITTEN = ("oai/eprints/synthetic/ListRecords_p1.xml", "oai/eprints/synthetic/ListRecords_p2_last.xml")
OAI = "{http://www.openarchives.org/OAI/2.0/}"
DC = "{http://purl.org/dc/elements/1.1/}"
LIST = {"verb": "ListRecords", "metadataPrefix": "oai_dc"}


@pytest.fixture(scope="module")
def whole() -> Iterator[EPrints]:
    """The demo's world, flaws included; nobody changes it."""
    site = EPrints(brobdingnag(VirtualClock()))
    with site.serve():
        yield site


@pytest.fixture
def site() -> Iterator[EPrints]:
    """A small world without flaws, to be changed."""
    site = EPrints(brobdingnag(VirtualClock(), records=250, flaws=False))
    with site.serve():
        yield site


def ask(site: EPrints, **arguments: str) -> requests.Response:
    return requests.get(site.url, params=arguments, timeout=PATIENCE, allow_redirects=True)


def tree(response: requests.Response) -> etree._Element:
    return etree.fromstring(response.content)


def errors(response: requests.Response) -> list[str | None]:
    return [error.get("code") for error in tree(response).iter(f"{OAI}error")]


def pages(site: EPrints, **arguments: str) -> Iterator[bytes]:
    """The pages of a list, the token taken with a regular expression, as no client of ours does."""
    arguments = arguments or LIST
    while True:
        body = ask(site, **arguments).content
        yield body
        token = re.search(rb"<resumptionToken[^>]*>([^<]+)</", body)
        if token is None:
            return
        arguments = {"verb": arguments["verb"], "resumptionToken": token[1].decode()}


def numbers(body: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb"<identifier>oai:[^:]+:(\d+)</identifier>", body)]


# Structure, compared with what was captured


def shapes(root: etree._Element) -> set[tuple[str, tuple[str, ...]]]:
    """Every element's path by qualified names, with the names of its attributes."""
    found = set()
    for element in root.iter(etree.Element):
        path = [str(element.tag), *(str(above.tag) for above in element.iterancestors())]
        found.add(("/".join(reversed(path)), tuple(sorted(map(str, element.attrib)))))
    return found


def precedences(root: etree._Element) -> set[tuple[str, str]]:
    """Which kinds of element come before which, in headers and in Dublin Core records of one file at most.

    Several files make a cycle (format, identifier, format …). The address of the item's page, a relation like the last
    elements, stands first or last as each repository likes it.
    """
    found = set()
    for parent in [*root.iter(f"{OAI}header"), *root.iter("{http://www.openarchives.org/OAI/2.0/oai_dc/}dc")]:
        tags = [str(child.tag) for child in parent]
        if tags.count(f"{DC}format") > 1:
            continue
        if tags[0] == f"{DC}relation":
            del tags[0]
        found |= {(tag, later) for place, tag in enumerate(tags) for later in tags[place + 1 :] if tag != later}
    return found


def sample_tree(name: str) -> etree._Element:
    return etree.parse(str(sample(name))).getroot()


def clean_pages() -> list[etree._Element]:
    site = EPrints(brobdingnag(VirtualClock(), flaws=False))
    with site.serve():
        return [etree.fromstring(page) for page in pages(site)]


def test_records_have_the_elements_and_attributes_of_captured_ones_and_no_others() -> None:
    captured = set.union(*(shapes(sample_tree(name)) for name in (*REAL, *WRITTEN)))
    ours = set.union(*map(shapes, clean_pages()))
    request = {shape for shape in captured | ours if shape[0].endswith("}request")}  # says what was asked
    assert ours - captured - request == set()
    assert captured - ours - request == set()


def test_elements_come_in_the_order_of_captured_ones() -> None:
    captured = set.union(*(precedences(sample_tree(name)) for name in REAL))
    ours = set.union(*map(precedences, clean_pages()))
    assert {(tag, later) for tag, later in ours - captured if (later, tag) in captured} == set()
    assert len(ours & captured) > 60  # most pairs were captured, so that this says something


def test_the_first_bytes_and_the_indentation_are_those_of_captured_pages() -> None:
    captured = [sample(name).read_text("utf-8") for name in REAL]
    page = first_page()
    assert {tuple(text.splitlines()[:3]) for text in captured} == {tuple(page.splitlines()[:3])}
    frame = re.compile(r"^( *)<(/?[a-zA-Z_:]+)", re.MULTILINE)
    known = {kind for text in captured for kind in frame.findall(text)}
    assert set(frame.findall(page)) - known == {("    ", "resumptionToken")}  # no captured page has one


def first_page() -> str:
    site = EPrints(brobdingnag(VirtualClock(), flaws=False))
    with site.serve():
        return next(pages(site)).decode()


def test_the_namespaces_of_a_record_are_declared_where_captured_ones_are() -> None:
    declared = {}
    for name, root in (("captured", sample_tree(REAL[0])), ("ours", clean_pages()[0])):
        dublin_core = next(root.iter("{http://www.openarchives.org/OAI/2.0/oai_dc/}dc"))
        declared[name] = (root.nsmap, dublin_core.nsmap, sorted(dublin_core.items()), sorted(root.items()))
    assert declared["ours"] == declared["captured"]


@pytest.mark.parametrize("verb", ["Identify", "ListSets"])
def test_identify_and_sets_have_the_elements_of_the_written_samples(whole: EPrints, verb: str) -> None:
    expected = shapes(sample_tree(f"oai/eprints/synthetic/{verb}.xml"))
    ours = {
        shape
        for shape in shapes(tree(ask(whole, verb=verb)))
        if "/{http://www.openarchives.org/OAI/2.0/}description" not in shape[0]
    }
    assert ours == expected


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("error_bad_token_two_errors", "verb=ListRecords&resumptionToken=nonsense"),
        ("error_repeated_argument", "verb=Identify&verb=Identify"),
    ],
)
def test_errors_have_the_form_of_the_written_samples(whole: EPrints, name: str, query: str) -> None:
    response = requests.get(f"{whole.url}?{query}", timeout=PATIENCE)
    expected = sample_tree(f"oai/eprints/synthetic/{name}.xml")
    assert shapes(tree(response)) == shapes(expected)
    assert errors(response) == [error.get("code") for error in expected.iter(f"{OAI}error")]


# The protocol, as this server speaks it


def test_identify_says_what_eprints_says(whole: EPrints) -> None:
    root = tree(ask(whole, verb="Identify"))
    said = {name: root.findtext(f".//{OAI}{name}") for name in ("deletedRecord", "granularity", "earliestDatestamp")}
    assert said == {
        "deletedRecord": "persistent",
        "granularity": "YYYY-MM-DDThh:mm:ssZ",
        "earliestDatestamp": "0001-01-01T00:00:00Z",
    }


def test_a_list_has_a_hundred_a_page_in_order_and_no_token_at_the_end(whole: EPrints) -> None:
    found = list(pages(whole))
    assert [len(numbers(page)) for page in found] == [100] * 20
    everything = [number for page in found for number in numbers(page)]
    assert everything == sorted(set(everything))
    assert b"resumptionToken" not in found[-1].split(b"</request>")[1]
    last = numbers(found[0])[-1]
    token = f"metadataPrefix%3Doai_dc%26offset%3D{last + 1}"
    expires = 'expirationDate="2026-02-02T03:00:00Z"'
    assert (
        f'<resumptionToken {expires} completeListSize="2000" cursor="0">{token}</resumptionToken>'.encode() in found[0]
    )


def test_a_token_is_the_request_sorted_and_encoded_twice(whole: EPrints) -> None:
    spec = set_spec(whole.world.views[0], [Heading("pub", "Published")])
    body = ask(whole, **LIST, set=spec, until="2025-12-31T00:00:00Z", **{"from": "2023-01-01T00:00:00Z"}).text
    token = re.search(r"<resumptionToken[^>]*>([^<]+)</", body)
    assert token is not None
    assert re.fullmatch(
        r"from%3D2023-01-01T00%253A00%253A00Z%26metadataPrefix%3Doai_dc%26offset%3D\d+"
        rf"%26set%3D{spec}%26until%3D2025-12-31T00%253A00%253A00Z",
        token[1],
    )


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("", ["badVerb"]),
        ("verb=Dance", ["badVerb", "badArgument"]),
        ("verb=ListRecords", ["badArgument"]),
        ("verb=ListRecords&metadataPrefix=mods", ["cannotDisseminateFormat"]),
        ("verb=ListRecords&metadataPrefix=oai_dc&metadataPrefix=oai_dc", ["badVerb"]),
        ("verb=ListRecords&metadataPrefix=oai_dc&set=6E6F6E653D41", ["badArgument"]),
        ("verb=ListRecords&metadataPrefix=oai_dc&set=publication:etd", ["badArgument"]),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2030-01-01", ["noRecordsMatch"]),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=yesterday", ["badArgument"]),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2024-01-01&until=2024-02-01T00:00:00Z", ["badArgument"]),
        ("verb=ListRecords&resumptionToken=offset%253D300", ["badResumptionToken", "badArgument"]),
        ("verb=ListSets&resumptionToken=x", ["badResumptionToken"]),
        ("verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:elsewhere.example:1", ["idDoesNotExist"]),
        ("verb=Identify&colour=red", ["badArgument"]),
    ],
)
def test_what_is_wrong_is_said_as_eprints_says_it(whole: EPrints, query: str, codes: list[str]) -> None:
    response = requests.get(f"{whole.url}?{query}", timeout=PATIENCE)
    assert (response.status_code, errors(response)) == (200, codes)
    request = tree(response).find(f"{OAI}request")
    assert request is not None
    assert not request.attrib


def test_sets_are_named_by_the_whole_path_and_a_leaf_with_two_parents_has_two(whole: EPrints) -> None:
    sets = [
        (found.findtext(f"{OAI}setSpec"), found.findtext(f"{OAI}setName"))
        for found in tree(ask(whole, verb="ListSets")).iter(f"{OAI}set")
    ]
    names = [name for _, name in sets]
    assert names != sorted(map(str, names))
    assert "Division = Faculty of Natural Philosophy: School of Physics: Physics: Theory and Practice" in names
    assert sorted(name for name in map(str, names) if name.endswith("Centre for Comparative Stature")) == [
        "Division = Faculty of Medicine & Surgery: School of Anatomy: Centre for Comparative Stature",
        "Division = Faculty of Natural Philosophy: School of Biology: Centre for Comparative Stature",
    ]
    assert (
        "6469766973696F6E733D736369:7363695F70687973",
        "Division = Faculty of Natural Philosophy: School of Physics",
    ) in sets
    assert ("driver", "Open Access DRIVERset") in sets


def test_a_set_holds_what_hangs_below_it_and_its_deleted_records_without_naming_it(whole: EPrints) -> None:
    body = b"".join(pages(whole, **LIST, set="6469766973696F6E733D736369"))  # divisions=sci
    records = re.findall(rb"<record>.*?(?=<record>|</ListRecords>)", body, re.DOTALL)
    gone = [record for record in records if b'status="deleted"' in record]
    assert gone
    assert not any(b"setSpec" in record for record in gone)
    live = [record for record in records if b'status="deleted"' not in record]
    assert all(b"<setSpec>6469766973696F6E733D736369" in record for record in live)


def test_a_form_post_and_get_record_and_formats_work(whole: EPrints) -> None:
    assert numbers(requests.post(whole.url, data=LIST, timeout=PATIENCE).content)[0] == 101
    one = ask(whole, verb="GetRecord", metadataPrefix="oai_dc", identifier=f"oai:{HOST}:101")
    assert tree(one).findtext(f".//{DC}relation") == f"http://{HOST}/101/"
    assert tree(ask(whole, verb="ListMetadataFormats")).findtext(f".//{OAI}metadataPrefix") == "oai_dc"


# The default world, counted with regular expressions over its raw pages


def test_the_default_world_in_figures(whole: EPrints) -> None:
    body = b"".join(pages(whole))
    records = re.findall(rb"<record>.*?(?=<record>|</ListRecords>)", body, re.DOTALL)
    live = [record for record in records if b'status="deleted"' not in record]
    identified = re.compile(rb"10\.5555/|hdl\.handle\.net/|arxiv\.org/abs/|PMID: \d|urn:nbn:|ISBN 978")
    ids = {value.strip().lower() for value in re.findall(rb'<dc:creator id="([^"]*)"', body)} - {b""}
    people = {re.sub(rb"^(https?://)?orcid\.org/", b"", value) for value in ids}
    specs = set(re.findall(rb"<setSpec>(6469766973696F6E733D[^<]*)</setSpec>", body))
    assert {
        "records": len(records),
        "deleted": len(records) - len(live),
        "without metadata": sum(b"<metadata>" not in record for record in live),
        "without identifier": sum(b"</metadata>" in record and not identified.search(record) for record in live),
        "with identifier": sum(b"</metadata>" in record and bool(identified.search(record)) for record in live),
        "cut off": sum(b"<metadata>" in record and b"</metadata>" not in record for record in live),
        "creators with id": len(re.findall(rb'<dc:creator id="[^"]', body)),
        "creators without": len(re.findall(rb'<dc:creator(?: id="")?>', body)),
        "people": Counter("mail" if b"@" in person else "orcid" if b"-" in person else "local" for person in people),
        "division paths in use": len(specs),
    } == FIGURES


FIGURES = {
    "records": 2000,
    "deleted": 40,
    "without metadata": 2,
    "without identifier": 392,
    "with identifier": 1565,
    "cut off": 1,
    "creators with id": 3158,
    "creators without": 2346,
    "people": {"local": 160, "orcid": 96, "mail": 64},
    "division paths in use": 38,
}


def test_each_flaw_of_the_default_world_breaks_one_page(whole: EPrints) -> None:
    broken = [page for page in pages(whole) if not well_formed(page)]
    assert 4 <= len(broken) <= 5  # five flaws; two may meet on a page
    body = b"".join(broken)
    assert body.count(b"\x0b") == 1
    assert len(re.findall(rb"&(?!amp;|lt;|gt;|quot;|#13;|eacute;)", body)) == 1
    assert body.count(b"&eacute;") == 2
    assert body.count(b"\xe9sum\xe9") == 1


def well_formed(page: bytes) -> bool:
    try:
        etree.fromstring(page)
    except etree.XMLSyntaxError:
        return False
    return True


def test_divisions_are_three_levels_deep() -> None:
    view = View("divisions", "Division", DIVISIONS)
    assert Counter(len(path) for heading in DIVISIONS for path in view.paths(heading.id)) == {1: 7, 2: 13, 3: 19}


# A client that we did not write


def test_sickle_gets_all_records_deletions_and_sets() -> None:
    site = EPrints(brobdingnag(VirtualClock(), flaws=False))
    with site.serve() as url:
        client = Sickle(url)
        records = list(client.ListRecords(metadataPrefix="oai_dc"))
        headers = list(client.ListIdentifiers(metadataPrefix="oai_dc"))
        assert len(records) == len(headers) == 2000
        assert sum(record.deleted for record in records) == sum(header.deleted for header in headers) == 40
        assert {record.header.identifier for record in records} == {f"oai:{HOST}:{item.number}" for item in site.world}
        assert {one.setSpec for one in client.ListSets()} == {spec for spec, _ in site.sets()}
        titles = {record.header.identifier: record.metadata["title"] for record in records if not record.deleted}
        item = next(item for item in site.world if item.state == "archive")
        assert titles[f"oai:{HOST}:{item.number}"] == [item.title]


# A world that changes


def test_an_incremental_harvest_finds_what_changed_since(site: EPrints) -> None:
    clock = site.world.clock
    assert isinstance(clock, VirtualClock)
    live = [item.number for item in site.world if item.state == "archive"]
    clock.advance(hours=1)
    site.world.edit(live[0], title="Revised")
    site.world.delete(live[1])
    site.world.hide(live[2])
    body = ask(site, **LIST, **{"from": "2026-02-01T04:00:00Z"}).content
    assert numbers(body) == live[:3]
    assert body.count(b'<header status="deleted">') == 2
    site.world.show(live[2])
    site.world.expunge(live[3])
    everything = [number for page in pages(site) for number in numbers(page)]
    assert len(everything) == 249
    assert live[3] not in everything


def test_orders_over_http_change_the_world_and_the_log_can_be_read(site: EPrints) -> None:
    admin = site.url.replace("/cgi/oai2", "/_simulator")
    number = next(item.number for item in site.world if item.state == "archive")
    requests.post(f"{admin}/world", json={"advance": 60, "titles": {str(number): "By order"}}, timeout=PATIENCE)
    body = ask(site, **LIST, **{"from": "2026-02-01T03:01:00Z"}).text
    assert "<dc:title>By order</dc:title>" in body
    calls = requests.get(f"{admin}/calls", timeout=PATIENCE).json()
    assert [call["name"] for call in calls] == ["ListRecords"]
    refused = requests.post(f"{admin}/faults", json={"kind": "earthquake"}, timeout=PATIENCE)
    assert refused.status_code == 400
    assert "There is no fault 'earthquake'" in refused.json()["error"]
    requests.post(f"{admin}/faults", json={"kind": "server_error"}, timeout=PATIENCE)
    assert [ask(site, verb="Identify").status_code for _ in range(2)] == [500, 200]


# Faults


@pytest.mark.parametrize(
    ("kind", "status"),
    [("busy_seconds", 503), ("busy_date", 503), ("too_many_requests", 429), ("server_error", 500)],
)
def test_a_server_in_trouble_is_so_for_the_calls_that_were_named(site: EPrints, kind: str, status: int) -> None:
    site.faults.add(Fault(kind, name="ListRecords", after=1, times=2, seconds=3))
    assert ask(site, verb="Identify").status_code == 200
    began = time.time()
    answers = [ask(site, **LIST) for _ in range(4)]
    ended = time.time()
    assert [answer.status_code for answer in answers] == [200, status, status, 200]
    wait = answers[1].headers.get("Retry-After")
    if kind == "busy_date":
        assert wait is not None
        assert began + 2 <= parsedate_to_datetime(wait).timestamp() <= ended + 3  # in whole seconds
    else:
        assert wait == (None if kind == "server_error" else "3")
    assert [call.status for call in site.calls] == [200, 200, status, status, 200]


@pytest.mark.parametrize(
    ("kind", "error"), [("reset", "reset by peer"), ("cut", "Connection"), ("silence", "Connection aborted")]
)
def test_a_connection_ends_too_early(site: EPrints, kind: str, error: str) -> None:
    site.faults.add(Fault(kind, seconds=0.1))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError), match=error):
        ask(site, **LIST)
    assert ask(site, **LIST).status_code == 200
    assert [call.status for call in site.calls] == [None, 200]


def test_a_client_that_waits_too_little_times_out_and_the_simulator_still_ends_at_once(site: EPrints) -> None:
    site.faults.add(Fault("slow", seconds=60))
    with pytest.raises(requests.ReadTimeout):
        requests.get(site.url, params={"verb": "Identify"}, timeout=0.2)


def test_gzip_comes_with_and_without_a_word(site: EPrints) -> None:
    plain = ask(site, verb="ListSets").content
    site.faults.add(Fault("gzip"))
    declared = ask(site, verb="ListSets")
    assert (declared.headers["Content-Encoding"], declared.content) == ("gzip", plain)
    site.faults.add(Fault("gzip_undeclared"))
    silent = ask(site, verb="ListSets")
    assert "Content-Encoding" not in silent.headers
    assert gzip.decompress(silent.content) == plain


def test_bodies_are_spoilt(site: EPrints) -> None:
    plain = ask(site, verb="Identify").content
    bodies = {}
    for kind in ("html", "truncated", "text_before", "text_after"):
        site.faults.add(Fault(kind))
        bodies[kind] = ask(site, verb="Identify").content
    assert bodies["html"].startswith(b"<!DOCTYPE html>")
    assert bodies["truncated"] == plain[: len(plain) // 2]
    assert bodies["text_before"].endswith(plain)
    assert bodies["text_after"].startswith(plain)
    assert all(body != plain for body in bodies.values())


def test_a_redirect_leads_to_the_answer(site: EPrints) -> None:
    site.faults.add(Fault("redirect", times=None))
    response = ask(site, verb="Identify")
    assert [step.status_code for step in response.history] == [302]
    assert "/moved/" in response.url
    assert tree(response).findtext(f".//{OAI}repositoryName") == site.world.name


def test_an_error_may_come_with_status_422_and_a_good_answer_never_does(site: EPrints) -> None:
    site.faults.add(Fault("errors_as_422", times=None))
    assert ask(site, verb="Identify").status_code == 200
    response = ask(site, **LIST, **{"from": "2030-01-01"})
    assert (response.status_code, errors(response)) == (422, ["noRecordsMatch"])


def test_a_token_expires_once(site: EPrints) -> None:
    site.faults.add(Fault("expired_token"))
    first, expired = pages(site)
    assert (len(numbers(first)), numbers(expired)) == (100, [])
    assert re.findall(rb'<error code="(\w+)"', expired) == [b"badResumptionToken"]
    assert [call.faults for call in site.calls] == [(), ("expired_token",)]
    assert [len(numbers(page)) for page in pages(site)] == [100, 100, 50]


def test_the_same_token_comes_for_ever(site: EPrints) -> None:
    site.faults.add(Fault("same_token", times=None))
    walk = pages(site)
    found = [numbers(next(walk)) for _ in range(4)]
    assert found[1] == found[2] == found[3] != found[0]


def test_an_empty_page_leads_on_to_what_was_due(site: EPrints) -> None:
    site.faults.add(Fault("empty_page", name="ListRecords", after=1, times=2))
    found = [numbers(page) for page in pages(site)]
    assert [len(page) for page in found] == [100, 0, 0, 100, 50]
    tokens = [call.argument("resumptionToken") for call in site.calls]
    assert len(set(tokens)) == 5
    assert len({number for page in found for number in page}) == 250


def test_a_list_may_end_with_no_records_match(site: EPrints) -> None:
    site.faults.add(Fault("no_records", name="ListRecords", after=1))
    *_, last = pages(site)
    assert b'code="noRecordsMatch"' in last


def test_records_may_be_repeated(site: EPrints) -> None:
    site.faults.add(Fault("repeats_records", name="ListRecords"))
    found = [number for page in pages(site) for number in numbers(page)]
    assert len(found) == 260
    assert len(set(found)) == 250


def test_dates_are_taken_wrongly(site: EPrints) -> None:
    since = {"from": "2025-06-01T00:00:00Z"}
    site.faults.add(Fault("refuses_seconds", times=None))
    assert tree(ask(site, verb="Identify")).findtext(f".//{OAI}granularity") == "YYYY-MM-DDThh:mm:ssZ"
    assert errors(ask(site, **LIST, **since)) == ["badArgument"]
    assert errors(ask(site, **LIST, **{"from": "2025-06-01"})) == []
    site.faults.clear()
    site.faults.add(Fault("day_granularity", times=None))
    assert tree(ask(site, verb="Identify")).findtext(f".//{OAI}granularity") == "YYYY-MM-DD"
    assert set(re.findall(r"<datestamp>([^<]+)<", ask(site, **LIST).text)) == {
        item.datestamp[:10] for item in list(site.world)[:100]
    }
    site.faults.clear()
    site.faults.add(Fault("fractions"))
    assert "<responseDate>2026-02-01T03:00:00.417Z<" in ask(site, verb="Identify").text
    site.faults.add(Fault("ignores_from"))
    assert numbers(ask(site, **LIST, **{"from": "2030-01-01"}).content) == [
        item.number for item in list(site.world)[:100]
    ]


def test_a_poison_record_spoils_every_answer_that_holds_it(site: EPrints) -> None:
    poison = list(site.world)[150].number
    site.faults.add(Fault("server_error", record=poison, times=None))
    assert ask(site, **LIST).status_code == 200
    token = f"metadataPrefix%3Doai_dc%26offset%3D{list(site.world)[100].number}"
    assert ask(site, verb="ListRecords", resumptionToken=token).status_code == 500
    stamp = list(site.world)[150].datestamp
    assert ask(site, **LIST, **{"from": stamp, "until": stamp}).status_code == 500
    assert ask(site, verb="GetRecord", metadataPrefix="oai_dc", identifier=f"oai:{HOST}:{poison}").status_code == 500


def test_how_many_ask_at_once_is_counted(site: EPrints, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [ask(site, verb="Identify").status_code for _ in range(20)] == [200] * 20
    assert site.most_at_once == 1
    answer, three = site.answer, threading.Barrier(3)

    def together(call: Call) -> Answer:
        three.wait(PATIENCE)
        return answer(call)

    monkeypatch.setattr(site, "answer", together)
    with ThreadPoolExecutor(3) as clients:
        assert list(clients.map(lambda _: ask(site, verb="Identify").status_code, range(3))) == [200] * 3
    assert site.most_at_once == 3


# The program of the demo


def test_the_program_starts_quickly_remembers_its_world_and_moves_it_on(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    addresses, titles = [], []
    for _ in range(2):
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "simulators", "--folder", str(tmp_path), "--ready", str(ready), "--port", "0"]
        with subprocess.Popen(command, cwd=ROOT) as process:
            try:
                wait_until(ready.exists)
                url = json.loads(ready.read_text())["eprints"]
                body = b""
                arguments: dict[str, str] = dict(LIST)
                while arguments:
                    page = requests.get(url, params=arguments, timeout=PATIENCE).content
                    token = re.search(rb"<resumptionToken[^>]*>([^<]+)</", page)
                    arguments = {"verb": "ListRecords", "resumptionToken": token[1].decode()} if token else {}
                    body += page
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        addresses.append(url)
        titles.append((len(numbers(body)), body.count(b"(revised)</dc:title>"), body.count(b'status="deleted"')))
    assert addresses[0] == addresses[1]  # another address would be another source
    assert titles == [(2000, 0, 40), (2005, 12, 45)]


def test_a_damaged_memory_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "simulators.json").write_text("{")
    command = [sys.executable, "-m", "simulators", "--folder", str(tmp_path), "--ready", str(tmp_path / "ready.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "Delete it: the demo's world then begins anew." in done.stderr


def test_a_world_can_be_written_by_hand() -> None:
    view = View("divisions", "Division", (Heading("sci", "Science"), Heading("bio", "Biology", ("sci",))))
    world = World("Small", "small.example", (view,))
    with EPrints(world).serve() as url:
        assert b"noRecordsMatch" in requests.get(url, params=LIST, timeout=PATIENCE).content
