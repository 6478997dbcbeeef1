"""The simulators of bepress and DSpace answer as captured servers do, and a harvest of each gives what its world holds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import pytest
import requests
from lxml import etree
from sickle import Sickle

from explorer import config
from explorer.config import Departments, OaiPmhSource
from explorer.polite_http import Limits, PoliteSession
from explorer.records import Department, Output
from explorer.sources import Page, Part, Plan, oai_pmh
from explorer.sources.oai_platforms import Settings, accent
from explorer.sources.oai_pmh import OaiPmh
from explorer.sources.oai_protocol import OaiRepository
from simulators import voyages
from simulators.bepress import Bepress
from simulators.dspace6 import DSpace6
from simulators.dspace7 import DSpace7
from simulators.repository import VirtualClock
from simulators.serving import Fault
from tests.patience import PATIENCE
from tests.samples import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulators.protocol import OaiServer
    from simulators.repository import Item

ROOT = Path(__file__).resolve().parents[2]
FULL = Plan("full")
LIMITS = Limits(requests_per_second=1000, retries=2, backoff=0.001, longest_retry_after=1)
LIST = {"verb": "ListRecords", "metadataPrefix": "oai_dc"}
MAKERS: dict[str, Callable[..., OaiServer]] = {
    "bepress": lambda *faults, **options: Bepress(voyages.laputa(), faults, **options),
    "dspace6": lambda *faults, **options: DSpace6(voyages.balnibarbi(), faults, **options),
    "dspace7": lambda *faults, **options: DSpace7(voyages.luggnagg(), faults, **options),
}
PLATFORMS = sorted(MAKERS)


def source(url: str, platform: str, departments: Departments | None = None) -> OaiPmh:
    block = {"kind": "oai_pmh", "platform": platform, "url": url, "allow_http": True, "authors": "all"}
    session = PoliteSession(LIMITS, allow_http=True, allow_private_hosts=True)
    settings = Settings(OaiPmhSource.model_validate(block), departments or Departments())
    return OaiPmh(OaiRepository(url, session), accent(platform), settings)


def pages(url: str, **arguments: str) -> Iterator[bytes]:
    """The pages of a list, the token taken with a regular expression, as no client of ours does."""
    arguments = arguments or LIST
    while True:
        body = requests.get(url, params=arguments, timeout=PATIENCE).content
        yield body
        token = re.search(rb"<resumptionToken[^>]*[^/]>([^<]+)</", body)
        if token is None:
            return
        arguments = {"verb": arguments["verb"], "resumptionToken": token[1].decode()}


# --- structure


def shapes(root: Any) -> set[tuple[str, tuple[str, ...]]]:
    """Every element's path by qualified names, with the names of its attributes."""
    found = set()
    for element in root.iter(etree.Element):
        path = [str(element.tag), *(str(above.tag) for above in element.iterancestors())]
        found.add(("/".join(reversed(path)), tuple(sorted(map(str, element.attrib)))))
    return found


def captured(platform: str) -> list[Path]:
    folder = sample("oai/bepress" if platform == "bepress" else "oai/dspace6")
    files = [file for file in folder.rglob("*.xml") if "synthetic" not in file.parts and file.stat().st_size]
    return [file for file in files if not file.name.startswith("hierarchy")]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_answers_have_no_element_that_captured_ones_lack(platform: str) -> None:
    """DSpace 7 answers OAI-PMH as DSpace 6 does."""
    real = set.union(*(shapes(etree.parse(str(file)).getroot()) for file in captured(platform)))
    with MAKERS[platform]().serve() as url:
        bodies = [*pages(url), requests.get(url, params={"verb": "GetRecord"}, timeout=PATIENCE).content]
        if platform != "bepress":  # of bepress neither was ever captured
            bodies += [*pages(url, verb="ListSets"), *pages(url, **{**LIST, "verb": "ListIdentifiers"})]
    ours = set.union(*(shapes(etree.fromstring(body)) for body in bodies))
    mine = {shape for shape in ours if not shape[0].endswith(("}request", "}error"))}
    assert mine - real == set()
    assert len(mine) >= 15  # it is much that was compared


@pytest.mark.parametrize(
    ("platform", "file"),
    [("bepress", "bepress/iastate_00_ListRecords.xml"), ("dspace6", "dspace6/scrapi/fit_00_ListRecords.xml")],
)
def test_the_bytes_around_a_record_are_those_of_captured_ones(platform: str, file: str) -> None:
    real = sample(f"oai/{file}").read_text("utf-8")
    with MAKERS[platform]().serve() as url:
        page = next(pages(url)).decode()

    def frame(text: str) -> list[str]:
        """The text up to the first title without what differs, blanks of lists included."""
        head, _, rest = text.partition("<request")
        inner = rest[rest.index("<record>") : rest.index("<dc:title>")]
        plain = re.sub(r"(<identifier>|<datestamp>|<setSpec>|<responseDate>)[^<]*", r"\1", head + inner)
        return re.sub(r"(?:\s*<setSpec></setSpec>)+", "<setSpec></setSpec>", plain).splitlines()

    assert frame(page) == frame(real)


def keys(value: object, path: str = "") -> set[str]:
    """The paths of all keys of a JSON value, ids of lists left out."""
    if isinstance(value, dict):
        return {each for key, below in value.items() for each in {f"{path}/{key}", *keys(below, f"{path}/{key}")}}
    return {each for below in value for each in keys(below, path)} if isinstance(value, list) else set()


def test_the_hierarchy_of_dspace_6_has_the_structure_of_the_written_one() -> None:
    folder = sample("oai/dspace6/synthetic")
    flat = re.compile(r"(?:/community)+")
    for form in ("json", "xml"):
        server = DSpace6(voyages.balnibarbi(), hierarchy=form)
        with server.serve() as url:
            answer = requests.get(url.replace("/oai/request", "/rest/hierarchy"), timeout=PATIENCE)
        if form == "json":
            written = keys(json.loads((folder / "hierarchy.json").read_text()))
            ours = keys(answer.json())
        else:
            written = {path for path, _ in shapes(etree.parse(str(folder / "hierarchy.xml")).getroot())}
            ours = {path for path, _ in shapes(etree.fromstring(answer.content))}
        assert {flat.sub("/community", each) for each in ours} == {flat.sub("/community", each) for each in written}


def test_the_communities_of_dspace_7_have_the_structure_of_the_written_ones() -> None:
    folder = sample("oai/dspace7/synthetic")
    with DSpace7(voyages.luggnagg()).serve() as url:
        base = url.replace("/oai/request", "/api/core/communities")

        def ask(path: str, **arguments: int) -> Any:
            return requests.get(f"{base}{path}", params=arguments, timeout=PATIENCE).json()

        top = ask("/search/top", page=0, size=2)
        assert keys(top) == keys(json.loads((folder / "search_top_page0.json").read_text()))
        assert top["page"] == {"size": 2, "totalElements": 4, "totalPages": 2, "number": 0}
        beyond = ask("/search/top", page=5, size=2)
        assert keys(beyond) == keys(json.loads((folder / "search_top_page5_out_of_range.json").read_text()))
        flat = ask("", page=0, size=3)
        assert keys(flat) == keys(json.loads((folder / "communities_all_flat_page0.json").read_text()))
        first = next(each for each in top["_embedded"]["communities"] if each["name"] == "Faculty of Projects")
        written = json.loads((folder / "community1_subcommunities.json").read_text())
        assert keys(ask(f"/{first['uuid']}/subcommunities")) == keys(written)
        empty = json.loads((folder / "community2_subcommunities_empty.json").read_text())
        assert keys(ask(f"/{first['uuid']}/collections")) == keys(empty)
        assert ask("/search/top", size=1_000_000)["page"]["size"] == DSpace7.most
        assert ask("/search/top", size=0)["status"] == 400


# --- an independent client


@pytest.mark.parametrize("platform", PLATFORMS)
def test_another_client_reads_the_same_records(platform: str) -> None:
    server = MAKERS[platform]()
    with server.serve() as url:
        theirs = {each.header.identifier for each in Sickle(url).ListRecords(metadataPrefix="oai_dc")}
        ours = {each.key for each in outputs(source(url, platform))}
    assert theirs == ours
    assert len(theirs) == sum(server.shows(item) for item in server.world) > 200


# --- a harvest gives what the world holds


def read(oai: OaiPmh, plan: Plan = FULL) -> list[Page]:
    return list(oai.read(Part("outputs"), plan, None))


def outputs(oai: OaiPmh, plan: Plan = FULL) -> list[Output]:
    return [each for page in read(oai, plan) for each in page.records if isinstance(each, Output)]


def expected_identifiers(platform: str, server: OaiServer, item: Item) -> set[tuple[str, str]]:
    """What an item says of itself, from the world."""
    found = {("isbn", item.isbn.replace("-", ""))} if item.isbn else set()
    if platform == "bepress":
        found |= {("pmid", item.id_number)} if item.id_number else set()
    else:
        found |= {("handle", f"{server.world.views[0].headings[0].id.partition('/')[0]}/{item.number}")}
        found |= {("doi", item.id_number)} if item.id_number else set()
    url = item.official_url or (f"https://doi.org/{item.cited_doi}" if item.cited_doi else None)
    return found | ({("doi", url.removeprefix("https://doi.org/"))} if url else set())


@pytest.mark.parametrize("platform", PLATFORMS)
def test_all_records_with_all_that_they_say(platform: str) -> None:
    server = MAKERS[platform](page_size=50)
    with server.serve() as url:
        pages_ = read(source(url, platform))
    found = {each.key: each for page in pages_ for each in page.records if isinstance(each, Output)}
    items = {server.oai_id(item): item for item in server.world if server.shows(item)}
    assert found.keys() == items.keys()
    assert not any(page.incomplete or page.repairs for page in pages_)
    assert {page.expected for page in pages_} == {len(items)}
    for key, item in items.items():
        output = found[key]
        if item.state != "archive":
            assert output.deleted
            continue
        assert (output.title, output.refusal, output.deleted) == (item.title, None, False)
        assert str(output.year) == item.date
        assert {(each.scheme, each.value) for each in output.identifiers} == expected_identifiers(
            platform, server, item
        )
        assert [each.name for each in output.contributions] == [creator.name for creator in item.creators]


@dataclass
class Tree:
    """Departments as they were read."""

    parents: dict[str, set[str]]
    names: dict[str, str]


def tree(url: str, platform: str, departments: Departments | None = None) -> Tree:
    (page,) = source(url, platform, departments).read(Part("departments", "departments"), FULL, None)
    assert page.incomplete is None
    found = [each for each in page.records if isinstance(each, Department)]
    return Tree({each.key: set(each.parents) for each in found}, {each.key: each.name for each in found})


@pytest.mark.parametrize("platform", ["dspace6", "dspace7"])
@pytest.mark.parametrize("with_collections", [True, False])
def test_communities_and_collections_are_departments(platform: str, with_collections: bool) -> None:
    server = MAKERS[platform]()
    communities, collections = server.world.views
    headings = [*communities.headings, *(collections.headings if with_collections else ())]
    with server.serve() as url:
        rules = Departments(collections=with_collections)
        found = tree(url, platform, rules)
        placed = {each.key: each for each in outputs(source(url, platform, rules))}
    assert found.parents == {each.id: set(each.parents) for each in headings}
    assert found.names == {each.id: each.label or each.id for each in headings}
    for item in server.world:
        if item.state != "archive":
            continue
        own = item.filed["collections"]
        above = [parent for each in own for parent in (collections.heading(each) or collections.headings[0]).parents]
        assert set(placed[server.oai_id(item)].departments) == (set(own) if with_collections else set(above))


def test_the_hierarchy_as_xml_and_doubled_sets_change_nothing() -> None:
    plain, other = DSpace6(voyages.balnibarbi()), DSpace6(voyages.balnibarbi(), hierarchy="xml", doubled=True)
    with plain.serve() as one, other.serve() as two:
        assert tree(one, "dspace6") == tree(two, "dspace6")
        assert outputs(source(one, "dspace6")) == outputs(source(two, "dspace6"))


@pytest.mark.parametrize("platform", ["dspace6", "dspace7"])
def test_a_closed_hierarchy_is_told(platform: str) -> None:
    server = {"dspace6": DSpace6, "dspace7": DSpace7}[platform](voyages.balnibarbi(), hierarchy="closed")
    with server.serve() as url:
        findings = {each.name: each for each in source(url, platform).check()}
    assert not findings["departments"].ok
    assert "HTTP 401" in findings["departments"].detail
    assert "departments: none" in str(findings["departments"].fix)
    assert findings["records"].ok


def test_contexts_are_flat_departments() -> None:
    server = Bepress(voyages.laputa())
    with server.serve() as url:
        found = tree(url, "bepress")
        placed = {each.key: each for each in outputs(source(url, "bepress"))}
    view = server.world.views[0]
    keys_ = {each.id: f"publication:{each.id.replace('_5F', '_')}" for each in view.headings}
    assert found.parents == {key: set() for key in keys_.values()}
    assert found.names == {keys_[each.id]: each.label for each in view.headings}
    for item in server.world:
        if item.state == "archive":
            above = [heading.id for heading in view.paths(item.filed["contexts"][0])[0]]
            assert placed[server.oai_id(item)].departments == tuple(keys_[each] for each in above)


# --- changes, deletions and faults


@pytest.mark.parametrize("platform", PLATFORMS)
def test_only_what_changed_is_asked_for(platform: str) -> None:
    server = MAKERS[platform]()
    assert isinstance(server.world.clock, VirtualClock)
    with server.serve() as url:
        oai = source(url, platform)
        since = str(read(oai)[0].clock)
        server.world.clock.advance(days=1)
        live = [item.number for item in server.world if item.state == "archive"][:3]
        server.change({"touch": live[:2], "delete": live[2:]})
        found = outputs(oai, Plan("incremental", {"outputs": since}))
    by_number = {number: server.oai_id(item) for number in live if (item := server.world.get(number))}
    deleted = [] if platform == "bepress" else [by_number[live[2]]]  # of bepress nobody hears
    assert {each.key for each in found if not each.deleted} == {by_number[number] for number in live[:2]}
    assert [each.key for each in found if each.deleted] == deleted


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("kind", ["expired_token", "server_error", "truncated", "cut", "busy_seconds", "html", "gzip"])
def test_a_fault_that_passes_costs_nothing(platform: str, kind: str) -> None:
    with MAKERS[platform](page_size=50).serve() as url:
        well = {each.key: each for each in outputs(source(url, platform))}
    with MAKERS[platform](Fault(kind, name="ListRecords", after=2, seconds=0.1), page_size=50).serve() as url:
        found: dict[str | None, Output] = {}
        for page in read(source(url, platform)):
            if page.restart:
                found.clear()
            found.update({each.key: each for each in page.records if isinstance(each, Output)})
            assert page.incomplete is None
    assert found == well


# --- the demo


@pytest.mark.parametrize(
    ("slug", "platform"), [("laputa", "bepress"), ("balnibarbi", "dspace6"), ("luggnagg", "dspace7")]
)
def test_the_institutions_of_the_demo_are_in_order(slug: str, platform: str, tmp_path: Path) -> None:
    written = (ROOT / "include" / "demo" / "more" / f"{slug}.yaml").read_text("utf-8")
    with MAKERS[platform]().serve() as url:
        file = tmp_path / f"{slug}.yaml"
        file.write_text(Template(written).substitute({f"{platform.upper()}_URL": url}), "utf-8")
        findings = {each.name: each for each in oai_pmh.source(config.load(file), None, hash_key=b"key").check()}
    assert findings.keys() == {"address", "format", "sets", "departments", "records"}
    assert all(each.ok and each.fix is None for each in findings.values()), findings
