"""DSpace 6 and 7: the tree of communities in all its spellings, joined to the sets of real and of invented records."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from explorer.config import Departments, OaiPmhSource, Sets
from explorer.records import Department
from explorer.sources import Page, Part, Plan
from explorer.sources.oai_platforms import dspace, dspace7
from tests.contract.test_oai_harvest import made
from tests.contract.test_oai_samples import chain, outputs, parsed
from tests.oai_documents import record, records
from tests.oai_golden import independently
from tests.samples import sample
from tests.scripted_server import Asked, Reply, Server, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from explorer.sources.oai_pmh import OaiPmh

FULL = Plan("full")
DEPARTMENTS = Part("departments", "departments")
OUTPUTS = Part("outputs")
NO_COLLECTIONS = Departments(collections=False)
Parents = dict[str, set[str]]


@contextmanager
def site(
    answer: Callable[[Asked], Reply],
    *,
    platform: str = "dspace6",
    departments: Departments | None = None,
    **options: Any,
) -> Iterator[tuple[OaiPmh, Server]]:
    with serving(answer) as server:
        path = "/oai/request" if platform == "dspace6" else "/server/oai/request"
        yield made(server.url + path, platform=platform, departments=departments, **options), server


def parents(page: Page) -> Parents:
    return {each.key: set(each.parents) for each in page.records if isinstance(each, Department)}


def names(page: Page) -> dict[str, str]:
    return {each.key: each.name for each in page.records if isinstance(each, Department)}


# --- DSpace 6: one answer


HIERARCHIES = ["hierarchy.json", "hierarchy.xml", "hierarchy_numeric_ids_no_empty_lists.json",
               "hierarchy_single_child_as_object.json"]  # fmt: skip


def dspace6(hierarchy: str, page: str | None = None) -> Callable[[Asked], Reply]:
    folder = sample("oai/dspace6/synthetic")

    def answer(asked: Asked) -> Reply:
        if asked.path == "/rest/hierarchy":
            return Reply((folder / hierarchy).read_bytes())
        return Reply((folder / "ListRecords_join.xml").read_bytes() if page is None else page.encode())

    return answer


@pytest.mark.parametrize("hierarchy", HIERARCHIES)
def test_all_spellings_of_a_hierarchy_give_the_same_tree(hierarchy: str) -> None:
    expected = json.loads(sample("oai/dspace6/synthetic/expected.json").read_text())
    with site(dspace6(hierarchy)) as (oai, server):
        (whole,) = oai.read(DEPARTMENTS, FULL, None)
    assert [each.path for each in server.asked] == ["/rest/hierarchy"]
    with site(dspace6(hierarchy), departments=NO_COLLECTIONS) as (oai, _):
        (communities,) = oai.read(DEPARTMENTS, FULL, None)
    called = names(communities)
    below: dict[str, list[str]] = {name: [] for name in called.values()}
    for key, above in parents(communities).items():
        for parent in above:
            below[called[parent]].append(called[key])
    # the file lists those that have something below them, and the empty one on the first level
    assert {name: sorted(found) for name, found in below.items() if found or name in expected["tree"]} == {
        name: sorted(found) for name, found in expected["tree"].items()
    }
    handle = "20.500.99999/"
    assert parents(whole)[f"{handle}30"] == {f"{handle}1", f"{handle}2"}
    collections = {key: above for key, above in parents(whole).items() if key not in called}
    assert collections == {
        f"{handle}112": {f"{handle}11"}, f"{handle}113": {f"{handle}11"}, f"{handle}1111": {f"{handle}111"},
        f"{handle}301": {f"{handle}30"}, f"{handle}21": {f"{handle}2"},
    }  # fmt: skip
    assert len(whole.records) == len(called) + len(collections)
    assert names(whole)[f"{handle}1111"] == "Articles"
    assert names(whole)[f"{handle}3"] == "Empty Community & Co"


def test_records_are_joined_to_the_tree_by_handle() -> None:
    expected = json.loads(sample("oai/dspace6/synthetic/expected.json").read_text())["records"]
    with site(dspace6("hierarchy.json"), departments=NO_COLLECTIONS) as (oai, _):
        found = {str(each.key).rpartition("/")[2]: each for each in outputs(list(oai.read(OUTPUTS, FULL, None)))}
    assert found.keys() == expected.keys()
    for number, wanted in expected.items():
        output = found[number]
        if wanted == "deleted":
            assert output.deleted
            continue
        if isinstance(wanted, str):
            assert output.refusal is not None
            assert output.refusal.rule == "no_metadata"
            continue
        assert list(output.departments) == wanted["communities"]
        for scheme in ("doi", "handle", "isbn"):
            assert [each.value for each in output.identifiers if each.scheme == scheme] == wanted.get(scheme, [])
        unknown = [note.value for note in output.notes if note.code == "unknown_department"]
        communities = [spec for spec in wanted.get("unmatched_sets", []) if spec.startswith("com_")]
        assert unknown == communities


def test_with_collections_a_record_stands_in_its_collections() -> None:
    with site(dspace6("hierarchy.xml")) as (oai, _):
        found = outputs(list(oai.read(OUTPUTS, FULL, None)))
    live = [each for each in found if not each.deleted and each.refusal is None]
    handle = "20.500.99999/"
    assert [each.departments for each in live] == [(f"{handle}1111",), (f"{handle}301",), ()]
    unknown = [note.value for note in live[2].notes if note.code == "unknown_department"]
    assert unknown == ["com_20.500.99999_99", "col_20.500.99999_991"]


def test_a_record_in_a_hidden_collection_stands_in_the_nearest_community_that_is_shown() -> None:
    page = records(record(1, sets=["com_20.500.99999_11", "com_20.500.99999_1", "col_20.500.99999_7"]))
    with site(dspace6("hierarchy.json", page)) as (oai, _):
        (output,) = outputs(list(oai.read(OUTPUTS, FULL, None)))
    assert output.departments == ("20.500.99999/11",)


def test_sets_that_are_listed_as_hdl_alone() -> None:
    page = records(record(1, sets=["hdl_20.500.99999_11", "hdl_20.500.99999_112", "hdl_20.500.99999_1"]))
    with site(dspace6("hierarchy.json", page)) as (oai, _):
        (output,) = outputs(list(oai.read(OUTPUTS, FULL, None)))
    assert output.departments == ("20.500.99999/112",)


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        (Sets(include=("com_20.500.99999_1",)), {"1", "11", "111", "30"}),
        (Sets(include=("20.500.99999/11",)), {"11", "111"}),
        (Sets(exclude=("com_20.500.99999_1",)), {"2", "3", "30"}),
        (Sets(include=("com_20.500.99999_1",), exclude=("hdl_20.500.99999_11",)), {"1", "30"}),
    ],
)
def test_a_choice_of_communities_takes_all_below_them(sets: Sets, expected: set[str]) -> None:
    chosen = Departments(collections=False, sets=sets)
    with site(dspace6("hierarchy.json"), departments=chosen) as (oai, _):
        (page,) = oai.read(DEPARTMENTS, FULL, None)
        found = outputs(list(oai.read(OUTPUTS, FULL, None)))
    assert {key.rpartition("/")[2] for key in parents(page)} == expected
    assert all(above <= parents(page).keys() for above in parents(page).values())
    assert {key for each in found for key in each.departments} <= parents(page).keys()
    assert not any(note for each in found for note in each.notes)


CLOSED = [
    Reply(b"no", status=401), Reply(b"no", status=403), Reply(b"no", status=404), Reply(b"", status=500), Reply(b""),
    Reply(b"<html><head><title>Sign in</title></head></html>"), Reply(b'{"error": "no"}'), Reply(b"[]"), Reply(b"{"),
    Reply(b'{"handle": "1/1", "community": ["?"]}'), Reply(b"<site><community>"), Reply(status=204), Reply(reset=True),
]  # fmt: skip


@pytest.mark.parametrize("platform", ["dspace6", "dspace7"])
@pytest.mark.parametrize("reply", CLOSED)
def test_a_closed_hierarchy_costs_no_department_and_is_told(reply: Reply, platform: str) -> None:
    page = records(record(1, sets=["com_1_11", "com_1_1", "col_1_112", "hdl_1_112"]))
    answers = {"/oai/request": Reply(page.encode()), "/server/oai/request": Reply(page.encode())}
    with site(lambda asked: answers.get(asked.path, reply), platform=platform) as (oai, server):
        (departments,) = oai.read(DEPARTMENTS, FULL, None)
        (output,) = outputs(list(oai.read(OUTPUTS, FULL, None)))
    assert departments.records == ()
    sentence = str(departments.incomplete)
    for part in (server.url, "Departments stay as they are", "departments: none"):
        assert part in sentence
    if reply.status in {401, 403, 404}:
        assert f"HTTP {reply.status}" in sentence
        assert "hierarchy_url" in sentence
    assert output.departments == ("1/112",)  # as far as the header goes: it is linked when the tree is there again
    assert [each.value for each in output.identifiers] == ["10.5555/x.1"]


def test_one_closed_branch_costs_no_department() -> None:
    """DSpace 7 is asked many times: a tree that lacks a branch is none."""

    def answer(asked: Asked) -> Reply:
        reply = dspace7_site(asked)
        return Reply(b"", status=403) if asked.path.endswith("0011/collections") else reply

    with site(answer, platform="dspace7") as (oai, _):
        (page,) = oai.read(DEPARTMENTS, FULL, None)
    assert page.records == ()
    assert "0011/collections" in str(page.incomplete)


# --- where the hierarchy lies


@pytest.mark.parametrize(
    ("oai", "expected"),
    [
        ("https://repo.lilliput.example/oai/request", "https://repo.lilliput.example/rest/hierarchy"),
        ("https://repo.lilliput.example//oai/request", "https://repo.lilliput.example/rest/hierarchy"),
        ("https://repo.lilliput.example/dspace-oai/request", "https://repo.lilliput.example/rest/hierarchy"),
        ("https://repo.lilliput.example:8443/ir/oai/request?", "https://repo.lilliput.example:8443/ir/rest/hierarchy"),
        ("https://oai.lilliput.example/oai/", "https://oai.lilliput.example/rest/hierarchy"),
    ],
)
def test_the_hierarchy_is_looked_for_beside_the_harvest_address(oai: str, expected: str) -> None:
    assert dspace.beside(oai, "rest/hierarchy") == expected


@pytest.mark.parametrize("ending", ["", "/", "/core/communities", "/core/communities/search/top?size=20"])
def test_the_address_of_communities_may_be_given_in_many_ways(ending: str) -> None:
    source = OaiPmhSource.model_validate(
        {
            "kind": "oai_pmh", "platform": "dspace7", "url": "https://repo.lilliput.example/oai",
            "hierarchy_url": f"https://rest.lilliput.example/api{ending}",
        }
    )  # fmt: skip
    settings = made("https://repo.lilliput.example/oai").settings
    object.__setattr__(settings, "source", source)
    assert dspace7.communities(settings) == "https://rest.lilliput.example/api/core/communities"


def test_another_address_of_the_hierarchy() -> None:
    folder = sample("oai/dspace6/synthetic")
    with serving(lambda _: Reply((folder / "hierarchy.json").read_bytes())) as server:
        oai = made(f"{server.url}/oai/request", platform="dspace6", hierarchy_url=f"{server.url}/api/hierarchy")
        (page,) = oai.read(DEPARTMENTS, FULL, None)
    assert [each.path for each in server.asked] == ["/api/hierarchy"]
    assert page.records


# --- DSpace 7: level by level


def dspace7_site(asked: Asked) -> Reply:
    """The captured structure: two pages on the first level, whatever size is asked for; lists that are empty."""
    folder = sample("oai/dspace7/synthetic")
    path = asked.path.removeprefix("/server/api/core/communities/")
    number = path.partition("/")[0].rpartition("-")[2].lstrip("0")
    name = {
        "search/top": f"search_top_page{asked.query.get('page', '0')}.json",
        f"{path.partition('/')[0]}/subcommunities": {
            "1": "community1_subcommunities.json", "2": "community2_subcommunities_empty.json",
        }.get(number, "community2_subcommunities_empty_list_variant.json"),
        f"{path.partition('/')[0]}/collections": {
            "11": "community11_collections.json"
        }.get(number, "community2_subcommunities_empty.json"),
    }.get(path)  # fmt: skip
    return Reply((folder / name).read_bytes()) if name else Reply(b"", status=404)


def test_the_tree_of_dspace_7() -> None:
    expected = json.loads(sample("oai/dspace7/synthetic/expected.json").read_text())
    with site(dspace7_site, platform="dspace7") as (oai, server):
        (page,) = oai.read(DEPARTMENTS, FULL, None)
    below: dict[str, set[str]] = {}
    for key, above in parents(page).items():
        for parent in above:
            below.setdefault(parent, set()).add(key)
    tree = {key: set(found) for key, found in expected["tree"].items()}
    assert {key for key, above in parents(page).items() if not above} == tree.keys()
    wanted = {**tree, **{key: set(found) for key, found in expected["collections"].items()}}
    assert below == {key: found for key, found in wanted.items() if found}
    assert names(page)["10673/11"] == expected["names"]["10673/11"]
    assert names(page)["10673/12"] == "10673/12"
    # one top in two pages, and two lists for each of the five communities
    assert len(server.asked) == 2 + 2 * 5
    with site(dspace7_site, platform="dspace7", departments=NO_COLLECTIONS) as (oai, _):
        (communities,) = oai.read(DEPARTMENTS, FULL, None)
    assert parents(page).keys() - parents(communities).keys() == {"10673/111", "10673/112"}


def test_a_community_below_itself_ends() -> None:
    def answer(asked: Asked) -> Reply:
        relation = asked.path.rpartition("/")[2]
        items = [] if relation == "collections" else [{"uuid": "a", "name": "A", "handle": "1/1"}]
        relation = "communities" if relation == "top" else relation
        body = {"_embedded": {relation: items}, "page": {"size": 20, "totalElements": 1, "totalPages": 1, "number": 0}}
        return Reply(json.dumps(body).encode())

    with site(answer, platform="dspace7") as (oai, _):
        (page,) = oai.read(DEPARTMENTS, FULL, None)
    assert parents(page) == {"1/1": set()}


# --- real records


def test_the_overlap_covers_what_a_nightly_index_shows_late() -> None:
    assert {platform: made("http://x.example/oai", platform=platform).overlap.days for platform in ("dspace6", "dspace7")} == {
        "dspace6": 2, "dspace7": 2,
    }  # fmt: skip


def test_default_handles_and_issns_are_no_identifiers() -> None:
    folder = sample("oai/dspace6/scrapi")
    for name in ("addis_ababa", "utuskegee"):
        for each in parsed(folder / f"{name}_00_ListRecords.xml", "dspace6"):
            assert [one for one in each.identifiers if one.scheme == "handle"] == [], each.key
    nku = parsed(folder / "nku_00_ListRecords.xml", "dspace6")
    assert {one.scheme for each in nku for one in each.identifiers} == {"handle"}


def test_an_identifier_in_relation_counts_only_where_the_institution_says_so() -> None:
    file = sample("oai/dspace6/scrapi/duke_00_ListRecords.xml")

    def dois(**options: Any) -> int:
        return sum(one.scheme == "doi" for each in parsed(file, "dspace6", **options) for one in each.identifiers)

    assert dois() == 0
    assert dois(identifiers_in_relation=True) >= independently(file).with_doi > 10


def test_a_chain_of_identifiers_with_one_that_is_gone() -> None:
    """28 are listed, one of them no longer exists: the other 27 can be had one by one."""
    folder = sample("oai/dspace6/mit")
    files = sorted(folder.glob("record-not-found_*"))
    with serving(chain(files[:1])) as server:
        oai = made(server.url, platform="dspace6")
        listed = [
            str(each.header.identifier)
            for document in oai.repository.pages("ListIdentifiers")
            for each in document.records
        ]
    assert len(listed) == 28
    left = [each for file in files[1:] if independently(file).records for each in parsed(file, "dspace6")]
    assert len(left) == 27
    assert {str(each.key) for each in left} < set(listed)
    assert all(each.refusal is None for each in left)


@pytest.mark.parametrize(
    ("pages", "elements", "following"),
    [(3, 45, True), (1, 45, False), (1, 0, True), (99, 45, False), (2, 45, True), (99, 0, True), (0, 45, False)],
)
def test_wrong_totals_of_a_paged_list_lose_no_community(pages: int, elements: int, *, following: bool) -> None:
    """One of the number of pages, the number of items and the next page is right: what is cut off would count as gone."""
    names = [f"c{number}" for number in range(45)]

    def page(asked: Asked) -> Reply:
        number = int(asked.query["page"])
        items = names[number * 20 : number * 20 + 20] if asked.path.endswith("/top") else []
        relation = "communities" if asked.path.endswith("/top") else asked.path.rpartition("/")[2]
        total = {"totalPages": pages, "totalElements": elements} if items else {"totalPages": 0, "totalElements": 0}
        links = {"next": {"href": "http://elsewhere.example"}} if following and number < 2 and items else {}
        body = {
            "page": {"size": 20, "number": number, **total},
            "_links": links,
            **(
                {"_embedded": {relation: [{"uuid": each, "name": each, "handle": f"1/{each}"} for each in items]}}
                if items
                else {}
            ),
        }
        return Reply(json.dumps(body).encode())

    with serving(page) as server:
        oai = made(f"{server.url}/server/oai/request", platform="dspace7")
        (found,) = oai.read(Part("departments", "departments"), Plan("full"), None)
    assert [each.key for each in found.records] == [f"1/{each}" for each in names]
