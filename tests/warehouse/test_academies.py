"""The demo's DiVA, Haplo and Esploro institutions, imported whole from their simulators: what the worlds hold arrives."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import pytest

from explorer import config, sites
from simulators import academies
from simulators.academies import TYPES, UNITS
from simulators.diva import Diva
from simulators.esploro import Esploro
from simulators.haplo import Haplo
from simulators.repository import VirtualClock
from tests.patience import PATIENCE
from tests.samples import sample
from tests.warehouse.test_flow import do_import, published

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.protocol import OaiServer
    from simulators.repository import Item

pytestmark = pytest.mark.usefixtures("without_expectations")

DEMO = Path(__file__).resolve().parents[2] / "include" / "demo" / "more"
SLUGS = {"diva": "blefuscu", "haplo": "houyhnhnm", "esploro": "glubbdubdrib"}


@pytest.fixture
def server(request: pytest.FixtureRequest) -> OaiServer:
    clock = VirtualClock()
    worlds: dict[str, OaiServer] = {
        "diva": Diva(academies.blefuscu(clock)),
        "haplo": Haplo(academies.houyhnhnm(clock)),
        "esploro": Esploro(academies.glubbdubdrib(clock), page_size=20),
    }
    return worlds[str(request.param)]


@pytest.fixture
def site(server: OaiServer, warehouse_dsn: str, tmp_path: Path) -> Iterator[sites.Site]:
    platform = type(server).__name__.lower()
    for file in DEMO.glob(f"{SLUGS[platform]}*"):
        shutil.copy(file, tmp_path)
    yaml = tmp_path / f"{SLUGS[platform]}.yaml"
    with server.serve() as url:
        text = Template(yaml.read_text()).substitute({f"{platform.upper()}_URL": url})
        yaml.write_text(text.replace("per_second: 20", "per_second: 100"))
        yield sites.Site(config.load(yaml), warehouse_dsn)


def live(server: OaiServer) -> list[Item]:
    return [each for each in server.world if each.state == "archive"]


def again_in_full(site: sites.Site) -> dict:
    """What a full import of another institution with the same YAML publishes."""
    other = replace(site, institution=site.institution.model_copy(update={"slug": f"{site.institution.slug}_2"}))
    other.institution._path = site.institution.path
    do_import(other)
    return published(other)


@pytest.mark.parametrize("server", ["diva"], indirect=True)
def test_diva(site: sites.Site, server: Diva) -> None:
    made = do_import(site)
    theses = [each for each in live(server) if each.filed[TYPES] == ("studentThesis",)]
    others = [each for each in live(server) if each not in theses]
    tally = made["tally"]["outputs"]
    assert (tally["extracted"], tally["excluded"], tally["published"]) == (len(server.world), len(theses), len(others))
    shown = published(site)
    first = next(each for each in others if each.filed[UNITS] == ("12001",))
    found = next(each for each in shown["outputs"] if each["key"] == server.oai_id(first))
    assert found["departments"] == ["Blefuscu kejserliga universitet > School of Egg Science > Division of Big Ends"]
    assert {each["key"]: each["path"].rpartition(" > ")[2] for each in shown["departments"]} == {
        "path:Blefuscu kejserliga universitet": "Blefuscu kejserliga universitet",
        "12000": "School of Egg Science",
        "12001": "Division of Big Ends",
        "12002": "Division of Little Ends",
        "path:Blefuscu kejserliga universitet > Skolan för sjöfart": "Skolan för sjöfart",
        "13001": "Avdelningen för rep & tåg",
        "13002": "Kansliet",
    }  # 12009 gave its papers away
    direct = {each["key"]: each["outputs_direct"] for each in shown["departments"]}
    assert direct["12000"] == sum(bool({"12000", "12009"} & set(each.filed[UNITS])) for each in others)
    assert direct["13002"] == sum("13002" in each.filed[UNITS] for each in others)
    staff = {creator.id for each in others for creator in each.creators if creator.id}
    assert {each["key"] for each in shown["authors"]} == {f"id:{each}" for each in staff}

    clock = server.world.clock
    assert isinstance(clock, VirtualClock)
    clock.advance(days=1)
    server.world.edit(first.number, filed={**first.filed, TYPES: ("studentThesis",)})
    server.world.delete(others[-1].number)
    moved = next(each for each in others if each.filed[UNITS] == ("13001",))
    server.world.edit(moved.number, title="Ropes, revised")
    made = do_import(site)
    assert made["mode"] == "incremental"
    assert made["tally"]["removed_because"] == {"excluded": 1, "deleted": 1}
    assert published(site) == again_in_full(site)


@pytest.mark.parametrize("server", ["haplo"], indirect=True)
def test_haplo(site: sites.Site, server: Haplo) -> None:
    made = do_import(site)
    with_doi = [each for each in live(server) if each.id_number]
    shown = published(site)
    assert [each["key"] for each in shown["outputs"]] == sorted(server.oai_id(each) for each in with_doi)
    assert made["tally"]["outputs"]["excluded"] == len(live(server)) - len(with_doi)
    staff = {
        f"orcid:{creator.id}" if creator.id else f"name:{creator.name.casefold()}"
        for each in with_doi
        for creator in each.creators
        if creator.id is not None
    }
    assert {each["key"] for each in shown["authors"]} == staff
    assert shown["departments"] == []
    assert made["status"] == "succeeded"


@pytest.mark.parametrize("server", ["esploro"], indirect=True)
def test_esploro(site: sites.Site, server: Esploro) -> None:
    units = {spec: label.removeprefix("Department =").strip() for spec, label in server.sets() if "Department" in label}
    do_import(site)

    def expected() -> dict[str, int]:
        with_identifier = [each for each in live(server) if each.id_number or each.isbn]
        return {
            server.oai_id(each): len(set(each.filed[UNITS]) & set(units))
            for each in with_identifier
            if set(each.filed[UNITS]) & set(units)
        }

    def arrived() -> dict[str, int]:
        return {each["key"]: len(each["departments"]) for each in published(site)["outputs"]}

    assert arrived() == expected()
    assert {each["key"]: each["path"] for each in published(site)["departments"]} == {
        "Faculty of Magic": "Faculty of Magic",
        "Faculty of Magic:School of Summoning": "Faculty of Magic > School of Summoning",
        "Faculty of Magic:School of Summoning:Night Desk": "Faculty of Magic > School of Summoning > Night Desk",
        "history": "History, corrected",
    }
    clock = server.world.clock
    assert isinstance(clock, VirtualClock)
    night = "Faculty of Magic:School of Summoning:Night Desk"
    in_two = [each.number for each in live(server) if night in each.filed[UNITS] and each.id_number]
    in_one = [each.number for each in live(server) if each.filed[UNITS] == ("history", "All_Assets") and each.id_number]
    in_none = [each.number for each in live(server) if each.filed[UNITS] == ("All_Assets",) and each.id_number]
    clock.advance(days=1)
    server.leave(in_two[0], "history")
    server.leave(in_two[1], night)
    server.leave(in_one[0], "history")
    server.enter(in_none[0], "Faculty of Magic")
    server.world.delete(in_two[2])
    made = do_import(site)
    assert made["mode"] == "incremental"
    assert arrived() == expected()
    assert published(site) == again_in_full(site)
    clock.advance(days=1)
    server.leave(in_two[0], night)
    server.enter(in_two[1], night)
    do_import(site)
    assert arrived() == expected()
    assert published(site)["outputs"]


@pytest.mark.parametrize(
    ("server", "page"),
    [
        ("diva", "oai/diva/synthetic/ListRecords_p1.xml"),
        ("haplo", "oai/haplo/synthetic/ListRecords_p1.xml"),
        ("esploro", "oai/esploro/synthetic/ListRecords_set_biology_p1.xml"),
    ],
    indirect=["server"],
)
def test_a_simulator_says_nothing_that_its_sample_does_not(server: OaiServer, page: str) -> None:
    """Every step from element to element of a record, with namespaces, is one of the sample's own kind."""
    import requests
    from lxml import etree

    def steps(body: bytes) -> set[tuple[str, str]]:
        root = etree.fromstring(body)
        return {(parent.tag, each.tag) for each in root.iter() if (parent := each.getparent()) is not None}

    asked = {"verb": "ListRecords", "metadataPrefix": server.prefixes[0]}
    if isinstance(server, Esploro):
        asked["set"] = "history"
    with server.serve() as url:
        answer = requests.get(url, asked, timeout=PATIENCE).content
    folder = sample(page).parent
    known = set().union(*(steps(each.read_bytes()) for each in folder.glob("ListRecords*.xml")))
    guessed = {"resourcetype", "date.published"}  # fields of the esploro format that no sample has
    assert {each for each in steps(answer) - known if each[1].rpartition("}")[2] not in guessed} == set()


def test_the_demo_has_one_institution_of_each() -> None:
    for platform, slug in SLUGS.items():
        text = (DEMO / f"{slug}.yaml").read_text()
        assert f"platform: {platform}" in text
        assert f"${{{platform.upper()}_URL}}" in text
