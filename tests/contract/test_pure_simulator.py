"""The simulator of Pure answers as captured servers do, holds what its store holds, and every fault of it can be seen."""

from __future__ import annotations

import base64
import json
import re
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import requests
from lxml import etree

from simulators.pure import WIRE_FAULTS, Key, Pure
from simulators.pure_faults import CONTENT_FAULTS
from simulators.pure_new import NewApi
from simulators.pure_old import OldService
from simulators.pure_world import Output, Store
from simulators.repository import VirtualClock
from simulators.serving import Fault
from simulators.tribnia import langden, moves_on, stores_of, tribnia
from tests import pure_shapes
from tests.patience import PATIENCE
from tests.samples import sample

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = {"api-key": "key-of-gulliver", "Accept": "application/json"}
# What no captured answer holds: the descriptions of the interfaces name it, or clients read it.
BEYOND = {
    "old output": (
        r"(electronicIsbns|isbns)\[\]: text", r"electronicVersions\[\]\.link: text", r"workflow\..*",
        r"info\.previousUuids\[\]: text",
    ),
    "old person": (
        r"(honoraryStaff|student)OrganisationAssociations\[\]\..*", r"info\.previousUuids\[\]: text",
        r"visitingScholarOrganisationAssociations\[\]\.period\.endDate: text",
    ),
    "old unit": (r"period\.endDate: text", r"info\.previousUuids\[\]: text"),
    "old outsider": (),
    "new outputs": (
        r"items\[\]\.(abstract\.\*|(electronic|print)ISBNs\[\]|previousUuids\[\]|workflow\.step): text",
        r"items\[\]\.contributors\[\]\.authorCollaboration\.(systemName|uuid): text",
        r"items\[\]\.electronicVersions\[\]\.link: text",
        r"items\[\]\.publicationStatuses\[\]\.publicationDate\.(month|day): number",
    ),
    "new persons": (
        r"items\[\]\.(honoraryStaff|student|visitingScholar)OrganizationAssociations\[\]\..*",
        r"items\[\]\.(orcid|previousUuids\[\]): text",
    ),
    "new units": (r"items\[\]\.lifecycle\.endDate: text", r"items\[\]\.previousUuids\[\]: text"),
}  # fmt: skip


@pytest.fixture
def store() -> Store:
    return tribnia(persons=30, outputs=60)


@pytest.fixture
def server(store: Store) -> Iterator[Pure]:
    simulator = Pure(store)
    with simulator.serve():
        yield simulator


def ask(simulator: Pure, path: str, version: str = "524", **arguments: Any) -> requests.Response:
    return requests.get(f"{simulator.base(version)}/{path}", params=arguments, headers=KEY, timeout=PATIENCE)


def post(simulator: Pure, path: str, version: str = "524", **body: Any) -> dict[str, Any]:
    found = requests.post(f"{simulator.base(version)}/{path}", json=body, headers=KEY, timeout=PATIENCE)
    found.raise_for_status()
    return dict(found.json())


def changes(simulator: Pure, place: str, version: str = "524") -> list[dict[str, Any]]:
    """All items from a date or token on."""
    found: list[dict[str, Any]] = []
    for _ in range(50):
        page = ask(simulator, f"changes/{place}", version).json()
        found += page.get("items", [])
        if not page["moreChanges"] or page["resumptionToken"] == place:
            return found
        place = page["resumptionToken"]
    raise AssertionError


# --- structure


def test_the_structure_that_is_kept_is_that_of_the_captured_answers() -> None:
    assert pure_shapes.captured(sample("pure")) == {name: sorted(paths) for name, paths in pure_shapes.known().items()}


def merged_world() -> Store:
    """The university after some merges, so that `previousUuids` are there, too."""
    store = tribnia()
    for family in ("ResearchOutput", "Person", "Organisation"):
        loser, winner = sorted(store.all(family))[:2]
        store.merge(loser, winner)
    return store


def test_no_key_is_there_that_captured_answers_and_descriptions_lack() -> None:
    store = merged_world()
    old, new = OldService(store, "524", "https://pure.example/ws/api/524"), NewApi(store)
    things = {
        "output": list(store.outputs.values()), "person": list(store.persons.values()),
        "unit": list(store.units.values()), "outsider": list(store.outsiders.values()),
    }  # fmt: skip
    answers = {f"old {name}": [old.shown(each) for each in found] for name, found in things.items()}
    answers |= {
        f"new {name}s": [{"items": [new.shown(each)]} for each in found]
        for name, found in things.items()
        if name != "outsider"
    }
    for name, found in answers.items():
        ours = {shape for answer in found for shape in pure_shapes.shapes(answer)}
        beyond = {shape for shape in ours if any(re.fullmatch(pattern, shape) for pattern in BEYOND[name])}
        assert ours - beyond - pure_shapes.known()[name] == set(), name
        assert all(any(re.fullmatch(pattern, shape) for shape in ours) for pattern in BEYOND[name]), name
        assert len(ours - beyond) >= 12  # it is much that was compared


def test_changes_and_errors_have_the_structure_of_captured_ones(server: Pure) -> None:
    server.store.silence(200)
    pages = [
        ask(server, "changes/2024-01-01").json(),
        ask(server, f"changes/{token(server.store.sequence - 200)}").json(),
    ]
    known = pure_shapes.known()
    item = {f"items[].{shape}" for shape in known["old change"]}
    assert {shape for page in pages for shape in pure_shapes.shapes(page)} == known["old changes"] | item
    assert "items" not in pages[1]
    assert (pages[1]["count"], pages[1]["moreChanges"]) == (0, True)
    refused = ask(server, "persons/nobody", "new")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert set(pure_shapes.shapes(refused.json())) == known["new error"]


def token(sequence: int) -> str:
    return base64.b64encode(json.dumps({"sequenceNumber": sequence}, separators=(",", ":")).encode()).decode()


@pytest.mark.parametrize(
    ("version", "times", "days"),
    [
        ("518", r"\d\.\d{3}\+0000", r"T12:00:00\.000\+0000"),
        ("521", r"\d\.\d{3}\+0000", r"T12:00:00\.000\+0000"),
        ("522", r"\d\.\d{3}-0[56]:00", r"T12:00:00\.000-0(5|6|55)0+"),
        ("523", r"\d\.\d{3}-0[56]:00", r"T12:00:00\.000-0(5|6|55)0+"),
        ("524", r"\d\.\d{3}-0[56]00", r"T12:00:00\.000-0(5|6|55)0+"),
        ("new", r"(\d\.\d{0,5}[1-9]|\d)-0[56]:00", r"\d{4}-\d\d-\d\d"),
    ],
)
def test_every_version_writes_dates_in_its_own_way(store: Store, version: str, times: str, days: str) -> None:
    view = NewApi(store) if version == "new" else OldService(store, version, "")
    shown = [view.shown(each) for each in store.units.values()]
    moments = [each["modifiedDate"] if version == "new" else each["info"]["modifiedDate"] for each in shown]
    begins = [each["lifecycle" if version == "new" else "period"]["startDate"] for each in shown]
    assert all(re.search(times + "$", moment) for moment in moments), moments[:3]
    assert all(re.search(days + "$", day) for day in begins), begins[:3]


@pytest.mark.parametrize("version", ["518", "521", "522", "523", "524"])
def test_a_captured_unit_is_dated_as_ours(version: str) -> None:
    """The same face of the clock in all versions, with another offset behind it."""
    files = [*sample(f"pure/umn-pureapi/{'521' if version == '518' else version}").glob("organisational_unit_*.json")]
    found = json.loads(files[0].read_text("utf-8"))
    ours = OldService(tribnia(persons=3, outputs=1), version, "").shown(next(iter(tribnia().units.values())))

    def form(text: str) -> str:
        return re.sub(r"\d", "9", text)

    assert form(ours["period"]["startDate"]) == form(found["period"]["startDate"])
    assert form(ours["info"]["modifiedDate"]) == form(found["info"]["modifiedDate"])


def paths(element: Any, above: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    for child in element:
        path = f"{above}/{child.tag}"
        yield path, frozenset(child.attrib)
        yield from paths(child, path)


def test_xml_of_511_has_what_clients_of_it_read(server: Pure) -> None:
    """The sample was made up by a client: elements and attributes that it knows of authors, dates, and types."""
    theirs = dict(paths(etree.parse(str(sample("pure/psu-fams-tools/research_outputs_511.xml"))).getroot()[0]))
    body = requests.get(
        f"{server.base('511')}/research-outputs", params={"size": 60}, headers={"api-key": KEY["api-key"]}, timeout=10
    )
    root = etree.fromstring(body.content)
    articles = root.findall("contributionToJournal")
    assert root.tag == "result"
    assert len(articles) > 10
    ours: dict[str, frozenset[str]] = {}
    for article in articles:
        for path, attributes in paths(article):
            ours[path] = ours.get(path, frozenset()) | attributes
    missing = set(theirs) - set(ours)
    assert missing <= {"/pages", "/volume", "/journalNumber"}  # nobody here reads them
    assert all(theirs[path] <= ours[path] for path in theirs if path in ours)
    assert articles[0].findtext("type") == "Article"
    assert root.xpath("count(//personAssociation/person/@uuid)") > 10
    assert all(text.startswith("https://doi.org/10.5555/") for text in root.xpath("//electronicVersion/doi/text()"))


def test_xml_of_later_versions_holds_what_json_holds(server: Pure) -> None:
    plain = {"api-key": KEY["api-key"]}
    for name, element in (
        ("research-outputs", None),
        ("persons", "person"),
        ("organisational-units", "organisationalUnit"),
    ):
        body = requests.get(f"{server.base('524')}/{name}", params={"size": 100}, headers=plain, timeout=PATIENCE)
        assert body.headers["Content-Type"].startswith("application/xml")
        found = etree.fromstring(body.content).find("items")
        assert [each.get("uuid") for each in found] == [
            each["uuid"] for each in ask(server, name, size=100).json()["items"]
        ]
        assert element is None or {each.tag for each in found} == {element}
    one = requests.get(
        f"{server.base('524')}/persons/{next(iter(server.store.persons))}", headers=plain, timeout=PATIENCE
    )
    assert etree.fromstring(one.content).tag == "person"


# --- who asks


def test_a_key_opens_what_it_has_rights_to(store: Store) -> None:
    keys = {"all": Key(), "few": Key(frozenset({"persons"})), "public": Key(sees_all=False)}
    with Pure(store, keys=keys).serve() as url:

        def status(path: str, key: str | None, **arguments: str) -> int:
            headers = {"api-key": key} if key else {}
            return requests.get(url + path, headers=headers, params=arguments, timeout=PATIENCE).status_code

        assert [status("524/persons", key) for key in ("all", "few", "wrong", None)] == [200, 200, 401, 401]
        assert [status("524/changes/2026-01-01", key) for key in ("all", "few", "wrong")] == [200, 403, 401]
        assert status("524/persons", None, apiKey="all") == 200
        assert status("persons", "few") == 200
        assert status("organizations", "few") == 403
        seen = requests.get(
            url + "524/research-outputs?size=999", headers={**KEY, "api-key": "public"}, timeout=10
        ).json()
    hidden = {
        each.uuid
        for each in store.outputs.values()
        if each.visibility != "FREE" or each.confidential or each.workflow == "entryInProgress"
    }
    assert hidden
    assert {each["uuid"] for each in seen["items"]} == set(store.outputs) - hidden


def test_basic_may_be_asked_on_top(store: Store) -> None:
    with Pure(store, login="gulliver", password="travels").serve() as url:
        bare = requests.get(url + "524/persons", headers=KEY, timeout=PATIENCE)
        both = requests.get(url + "524/persons", headers=KEY, auth=("gulliver", "travels"), timeout=PATIENCE)
    assert (bare.status_code, both.status_code) == (401, 200)
    assert bare.headers["WWW-Authenticate"].startswith("Basic")


def test_json_can_be_off(store: Store) -> None:
    with Pure(store, json_off=True).serve() as url:
        answers = [
            requests.get(url + "524/persons", headers={**KEY, "Accept": accept}, timeout=PATIENCE)
            for accept in ("application/json", "application/json, application/xml;q=0.5", "application/xml", "*/*")
        ]
        new = requests.get(url + "persons", headers=KEY, timeout=PATIENCE)
    assert [each.status_code for each in answers] == [406, 200, 200, 200]
    assert {each.headers["Content-Type"][:15] for each in answers} == {"application/xml"}
    assert new.headers["Content-Type"] == "application/json"


def test_what_would_change_something_is_refused(server: Pure) -> None:
    for method in ("PUT", "DELETE"):
        answer = requests.request(method, f"{server.base('new')}/persons/1", headers=KEY, timeout=PATIENCE)
        assert answer.status_code == 405
    assert [each.method for each in server.calls] == ["PUT", "DELETE"]


def test_only_what_is_installed_answers(store: Store) -> None:
    simulator = Pure(store, versions={"516"})
    with simulator.serve():
        assert [ask(simulator, "persons", version).status_code for version in ("516", "524", "new")] == [200, 404, 404]
    simulator = Pure(store, versions={"524", "new"})
    with simulator.serve():
        assert ask(simulator, "organizations", "524").status_code == 404
        assert ask(simulator, "organisational-units", "new").status_code == 404
        assert ask(simulator, "changes/2026-01-01", "new").status_code == 404


# --- lists


@pytest.mark.parametrize("version", ["516", "524", "new"])
def test_pages_hold_everything_once(server: Pure, version: str) -> None:
    found, offset = [], 0
    while True:
        page = ask(server, "research-outputs", version, size=7, offset=offset).json()
        found += [each["uuid"] for each in page.get("items", [])]
        offset += 7
        if offset >= page["count"]:
            break
    assert sorted(found) == sorted(server.store.outputs)
    assert ask(server, "persons", version).json()["pageInformation"] == {"offset": 0, "size": 10}


def test_links_lead_from_page_to_page(server: Pure) -> None:
    page = ask(server, "persons", size=12).json()
    found = [each["uuid"] for each in page["items"]]
    while links := [each["href"] for each in page.get("navigationLinks", []) if each["ref"] == "next"]:
        page = requests.get(links[0], headers=KEY, timeout=PATIENCE).json()
        found += [each["uuid"] for each in page["items"]]
    assert sorted(found) == sorted(server.store.persons)
    assert "navigationLinks" not in ask(server, "persons", navigationLink="false").json()
    assert "navigationLinks" not in ask(server, "persons", "new").json()


def test_size_nought_counts_and_a_thousand_is_the_most_of_the_new_one(server: Pure) -> None:
    counted = ask(server, "research-outputs", size=0).json()
    assert counted == {"count": 60, "pageInformation": {"offset": 0, "size": 0}}
    assert ask(server, "research-outputs", size=5000).status_code == 200
    assert ask(server, "research-outputs", "new", size=1000).status_code == 200
    assert ask(server, "research-outputs", "new", size=1001).status_code == 400
    assert ask(server, "research-outputs", size="many").status_code == 400


def test_fields_are_kept_to_in_the_old_service_and_not_looked_at_in_the_new(server: Pure) -> None:
    only = ask(server, "research-outputs", size=60, fields="uuid,personAssociations.person.uuid").json()["items"]
    assert {shape for item in only for shape in pure_shapes.shapes(item)} == {
        "uuid: text", "personAssociations[].person.uuid: text",
    }  # fmt: skip
    assert post(server, "persons", size=1, fields=["uuid"])["items"] == [{"uuid": next(iter(server.store.persons))}]
    assert "title" in ask(server, "research-outputs", "new", fields="uuid").json()["items"][0]


def test_filters_of_the_old_service(server: Pure) -> None:
    store = server.store
    every = list(store.outputs.values())

    def uuids(**body: Any) -> set[str]:
        return {each["uuid"] for each in post(server, "research-outputs", size=1000, **body).get("items", [])}

    asked = [each.uuid for each in every[3:6]]
    assert uuids(uuids=[*asked, store.invent("nothing")]) == set(asked)
    assert {each["uuid"] for each in post(server, "research-outputs/search", "new", uuids=asked)["items"]} == set(asked)
    middle = every[30].modified
    assert middle is not None
    since = middle.isoformat()
    assert uuids(modifiedAfter=since) == {each.uuid for each in every if each.modified and each.modified >= middle}
    assert uuids(createdBefore=since) == {each.uuid for each in every if each.created and each.created <= middle}
    assert uuids(workflowSteps=["validated"]) == {each.uuid for each in every if each.workflow == "validated"}
    thesis = "/dk/atira/pure/researchoutput/researchoutputtypes/thesis/doc"
    assert uuids(typeUris=[thesis]) == {each.uuid for each in every if each.type == "thesis/doc"}
    unit = every[0].units[0]
    assert uuids(forOrganisationalUnits={"uuids": [unit]}) == {each.uuid for each in every if unit in each.units}
    assert uuids(publishedAfterDate="2024-12-31") == {each.uuid for each in every if each.day[0] >= 2025}
    former = {each["uuid"] for each in post(server, "persons", size=1000, employmentStatus="FORMER")["items"]}
    gone = {
        key
        for key, each in store.persons.items()
        if all(one.period.end and one.period.end < date(2026, 1, 1) for one in each.associations)
    }
    assert former == gone
    text = post(server, "research-outputs/search", "new", searchString=every[5].title)
    assert [each["uuid"] for each in text["items"]] == [every[5].uuid]


# --- what happens to content


def test_every_edit_is_told_and_all_kinds_come(server: Pure) -> None:
    store = server.store
    store.clock = VirtualClock(store.clock())
    store.clock.advance(days=1)
    begin = f"{store.clock().astimezone(store.zone):%Y-%m-%d_%H-%M-%S}"
    outputs, persons, units = sorted(store.outputs), sorted(store.persons), sorted(store.units)
    store.put(Output(store.invent("new"), "New"))
    store.change(outputs[0], title="Another")
    store.hide(outputs[1])
    store.hide(outputs[2], told="DELETE")
    assert store.delete(outputs[3], told=True)
    assert not store.delete(outputs[4], told=False)
    store.move(persons[0], units[1])
    store.noise(3)
    told = [
        (each["uuid"], each["changeType"])
        for each in changes(server, begin)
        if each["familySystemName"] != "ImportResult"
    ]
    assert told == [
        (store.invent("new"), "CREATE"), (outputs[0], "UPDATE"), (outputs[1], "UPDATE"), (outputs[2], "DELETE"),
        (outputs[3], "DELETE"), (persons[0], "UPDATE"),
    ]  # fmt: skip
    assert ask(server, f"research-outputs/{outputs[3]}").status_code == 404
    assert ask(server, f"research-outputs/{outputs[2]}").status_code == 200  # to a key that sees all
    associations = store.persons[persons[0]].associations
    assert [each.unit for each in associations if each.period.holds(store.today())] == [units[1]]


def test_of_deletions_two_fifths_are_told() -> None:
    store = tribnia()
    told = [store.delete(key) for key in sorted(store.outputs)[:400]]
    assert 130 <= sum(told) <= 190


def test_deleting_a_unit_or_a_person_takes_them_out_of_what_names_them(store: Store) -> None:
    unit = next(each.units[0] for each in store.outputs.values() if each.units)
    person = next(one.uuid for each in store.outputs.values() for one in each.contributors if one.kind == "internal")
    before = store.sequence
    store.delete(unit)
    store.delete(person)
    assert unit not in repr([*store.outputs.values(), *store.persons.values(), *store.units.values()])
    assert person not in repr(list(store.outputs.values()))
    assert {row.told for row in store.rows_after(before, 999)} >= {"UPDATE"}


@pytest.mark.parametrize("version", ["524", "new"])
@pytest.mark.parametrize("family", ["research-outputs", "persons"])
def test_the_loser_of_a_merge_leads_to_the_winner(server: Pure, version: str, family: str) -> None:
    store = server.store
    loser, winner = sorted(store.outputs if family == "research-outputs" else store.persons)[:2]
    store.merge(loser, winner)
    path = family if version == "524" else f"{family}/search"
    for item in (
        ask(server, f"{family}/{loser}", version).json(),
        *post(server, path, version, uuids=[loser])["items"],
    ):
        assert item["uuid"] == winner
        assert (item["info"] if version == "524" else item)["previousUuids"] == [loser]
    assert loser not in {each["uuid"] for each in ask(server, family, version, size=999).json()["items"]}
    assert loser not in repr(list(store.outputs.values())).replace(f"previous=('{loser}',)", "")
    server.faults.add(Fault("merge_301", times=None))
    moved = requests.get(
        f"{server.base(version)}/{family}/{loser}", headers=KEY, timeout=PATIENCE, allow_redirects=False
    )
    assert (moved.status_code, moved.headers["Location"]) == (301, f"{server.base(version)}/{family}/{winner}")
    assert post(server, path, version, uuids=[loser]).get("items", []) == []


def test_a_merge_that_is_not_told_changes_what_names_the_loser_without_a_word(store: Store) -> None:
    loser, winner = sorted(store.persons)[:2]
    before, row = dict(store.outputs), store.sequence
    store.merge(loser, winner, told=False)
    named = [key for key, each in before.items() if loser in {one.uuid for one in each.contributors}]
    assert named
    assert all(winner in {one.uuid for one in store.outputs[key].contributors} for key in named)
    assert all(store.outputs[key].modified == before[key].modified for key in named)
    assert [(each.uuid, each.told) for each in store.rows_after(row, 99)] == [(winner, "UPDATE")]


def test_changes_go_on_by_token_and_by_date(server: Pure) -> None:
    store = server.store
    rows = [each["uuid"] for each in changes(server, "2024-01-01")]
    assert rows == [each.uuid for each in store.audit]
    first = ask(server, "changes/2024-01-01").json()
    assert (first["count"], first["moreChanges"], len(first["items"])) == (100, True, 100)
    assert first["navigationLinks"][0]["href"] == f"{server.base()}/changes/{first['resumptionToken']}"
    last = ask(server, f"changes/{token(store.sequence)}").json()
    assert (last["count"], last["moreChanges"], last["resumptionToken"]) == (0, False, token(store.sequence))
    assert "items" not in last
    assert last["navigationLinks"]
    assert ask(server, "changes/soon").status_code == 400
    assert ask(server, "changes/2026-02-30").status_code == 400
    assert ask(server, "changes/2027-01-01").json()["count"] == 0


def test_the_world_takes_orders_over_http(server: Pure) -> None:
    place = server.url.replace(server.path, "/_simulator/world")
    outputs = sorted(server.store.outputs)
    order = {"delete": outputs[:1], "hide": outputs[1:2], "merge": [outputs[2:4]], "noise": 2, "silence": 1}
    assert requests.post(place, json=order, timeout=PATIENCE).json() == {"done": True}
    assert outputs[0] not in server.store.outputs
    assert server.store.outputs[outputs[1]].visibility == "BACKEND"
    assert server.store.merged == {outputs[2]: outputs[3]}
    assert requests.post(place, json={"paint": []}, timeout=PATIENCE).status_code == 400


# --- faults

LISTS, CHANGES = ("research-outputs", {"size": 20, "offset": 0}), ("changes/2024-01-01", {})
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    **dict.fromkeys(WIRE_FAULTS, LISTS),
    **dict.fromkeys(
        ("zero_count_runs", "stuck_token", "sequence_restart", "items_without_uuid", "doubles", "metric_changes"), CHANGES
    ),
    "page_overlap": ("research-outputs", {"size": 20, "offset": 20}),
    "ignores_fields": ("research-outputs", {"fields": "uuid"}),
}  # fmt: skip


@pytest.mark.parametrize(
    "kind", sorted(set(WIRE_FAULTS) - {"more_changes_always", "old_token", "ignores_uuids", "merge_301", "merge_404"})
)
def test_every_fault_of_the_wire_can_be_seen(server: Pure, kind: str) -> None:
    path, arguments = ASKED[kind]
    before = ask(server, path, **arguments)
    server.faults.add(Fault(kind))
    during = ask(server, path, **arguments)
    after = ask(server, path, **arguments)
    assert (before.status_code, before.text) != (during.status_code, during.text)
    assert [each.faults for each in server.calls] == [(), (kind,), ()]
    if kind != "zero_count_runs":  # there the sequence has moved on for good
        assert (before.status_code, before.text) == (after.status_code, after.text)


def test_faults_that_need_something_else_can_be_seen_too(server: Pure) -> None:
    loser, winner, other = sorted(server.store.outputs)[:3]
    server.store.merge(loser, winner)
    end = f"changes/{token(server.store.sequence)}"
    server.faults.add(Fault("more_changes_always", times=2))
    assert [ask(server, end).json()["moreChanges"] for _ in range(3)] == [True, True, False]
    server.faults.add(Fault("old_token"))
    assert [ask(server, end).status_code for _ in range(2)] == [400, 200]
    server.faults.add(Fault("ignores_uuids"))
    assert [post(server, "research-outputs", uuids=[other])["count"] for _ in range(2)] == [59, 1]
    for kind, status in (("merge_301", 301), ("merge_404", 404)):
        server.faults.add(Fault(kind))
        place = f"{server.base()}/research-outputs/{loser}"
        found = [
            requests.get(place, headers=KEY, timeout=PATIENCE, allow_redirects=False).status_code for _ in range(2)
        ]
        assert found == [status, 200]


def test_empty_pages_lie_between_changes_and_none_is_lost(server: Pure) -> None:
    every = [each["uuid"] for each in changes(server, "2024-01-01")]
    place = ask(server, "changes/2024-01-01").json()["resumptionToken"]
    server.faults.add(Fault("zero_count_runs"))
    run, seen = [], []
    while True:
        page = ask(server, f"changes/{place}").json()
        run.append(page["count"])
        seen += [each["uuid"] for each in page.get("items", [])]
        place = page["resumptionToken"]
        if not page["moreChanges"]:
            break
    assert run[:4] == [0, 0, 0, 0]
    assert seen == every[100:]


def test_without_order_pages_may_overlap_and_with_one_they_do_not(server: Pure) -> None:
    server.faults.add(Fault("unstable_order", times=None))

    def all_of(**arguments: str) -> set[str]:
        found: set[str] = set()
        for offset in range(0, 60, 20):
            page = ask(server, "research-outputs", size=20, offset=offset, **arguments).json()
            found |= {each["uuid"] for each in page["items"]}
        return found

    assert len(all_of()) < 60
    assert len(all_of(order="uuid")) == 60
    assert len(all_of(order="-modified")) == 60
    assert ask(server, "research-outputs", order="colour").status_code == 400


def test_the_key_stays_out_of_links_but_for_that_fault(server: Pure) -> None:
    assert "gulliver" not in ask(server, "persons", size=5).text
    assert "gulliver" not in ask(server, "persons", size=5, apiKey="key-of-gulliver").text
    server.faults.add(Fault("key_in_links"))
    assert "apiKey=key-of-gulliver" in ask(server, "persons", size=5).text


@pytest.mark.parametrize("kind", sorted(CONTENT_FAULTS))
def test_every_fault_of_content_changes_something(store: Store, kind: str) -> None:
    before = (dict(store.outputs), dict(store.persons), dict(store.units), store.sequence)
    CONTENT_FAULTS[kind](store)
    assert (store.outputs, store.persons, store.units) != before[:3]
    assert store.sequence > before[3]


# --- the universities


def test_tribnia_is_worth_looking_at() -> None:
    store = tribnia()
    outputs = list(store.outputs.values())
    assert (len(store.units), len(store.persons), len(store.outsiders), len(outputs)) == (21, 66, 90, 420)
    assert sum(len(each.parents) == 2 for each in store.units.values()) == 3
    assert [each.name for each in store.units.values() if each.visibility != "FREE"] == ["Office of Decipherers"]
    assert [each.name for each in store.units.values() if each.period.end] == ["Department of Alchemy"]
    assert sum(each.visibility != "FREE" for each in outputs) == 47
    assert sum(bool(each.confidential) for each in outputs) == 12
    assert sum(each.workflow == "entryInProgress" for each in outputs) == 18
    assert {one.kind for each in store.persons.values() for one in each.associations} == {
        "staff", "student", "visitingScholar", "honoraryStaff",
    }  # fmt: skip
    assert sum(bool(each.isbns or each.electronic_isbns) for each in outputs) > 30
    assert sum(bool(each.link) for each in outputs) > 30
    assert {each.total_authors for each in outputs} >= {439}


def test_the_universities_are_the_same_at_every_start_and_move_on_in_the_same_way() -> None:
    starts = ["2026-02-01T03:00:00+00:00", "2026-02-02T03:00:00+00:00", "2026-02-04T03:00:00+00:00"]
    first, second = stores_of(starts), stores_of(starts)
    for one, other in zip(first, second, strict=True):
        assert (one.outputs, one.persons, one.units, one.audit) == (
            other.outputs,
            other.persons,
            other.units,
            other.audit,
        )
    one = tribnia(VirtualClock().time)
    moves_on(one, 1)
    assert len(one.outputs) == 422  # three come, one goes
    with ExitStack() as stack:
        for store in first:
            simulator = Pure(store)
            stack.enter_context(simulator.serve())
            assert ask(simulator, "changes/2026-02-01").json()["count"] == 100


def test_a_university_can_move_on_for_years() -> None:
    store = langden()
    for step in range(1, 120):
        moves_on(store, step)
    assert len(store.outputs) > 200


def test_what_is_put_is_dated_and_counted(store: Store) -> None:
    output = next(iter(store.outputs.values()))
    store.put(replace(output, title="Changed"))
    changed = store.outputs[output.uuid]
    assert (changed.version, changed.number, changed.created) == (output.version + 1, output.number, output.created)
    assert changed.modified == store.clock()
