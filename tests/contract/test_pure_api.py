"""The client of Pure against its simulator: both interfaces, every version, and everything that can go wrong."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from explorer import config
from explorer.config import PureSource
from explorer.connections import Connection
from explorer.polite_http import Limits, PoliteSession
from explorer.records import Author, Authorship, Department, Listed, Output
from explorer.sources import OUTPUTS_BY_KEY, Part, Plan, SourceError, pure, pure_api
from explorer.sources.pure import Pure as PureReader
from explorer.sources.pure import interface, source
from simulators.pure import Key, Pure
from simulators.pure_world import Association, Contributor, Outsider, Person, Store, Unit
from simulators.pure_world import Output as Work
from simulators.serving import Fault

FULL = Plan("full")
KEY = "key-of-gulliver"
WORKS = 23


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """Units, people and outputs that are all shown, with one author from outside and one collaboration."""
    monkeypatch.setattr(pure_api, "PAUSE", 0.0)
    made = Store()
    unit, outsider = made.invent("unit"), Outsider(made.invent("outsider"), None, None)
    made.outsiders[outsider.uuid] = outsider
    made.put(Unit(unit, "School of Projectors"))
    people = [made.invent(f"person{n}") for n in range(7)]
    for n, each in enumerate(people):
        made.put(Person(each, "A", f"Last{n}", associations=(Association(unit),)))
    for n in range(WORKS):
        mine = [Contributor("internal", people[n % 7], "A", "L", (unit,)), Contributor("external", outsider.uuid),
                Contributor("collaboration", made.invent("collaboration"))]  # fmt: skip
        made.put(
            Work(made.invent(f"work{n}"), f"Title {n}", doi=f"10.5555/{n}", units=(unit,), contributors=tuple(mine))
        )
    return made


@contextmanager
def serving(store: Store, version: str = "524", **named: object) -> Iterator[tuple[Pure, PureReader]]:
    """A server, and a reader of it; ``named``: keys of the source, or options of the server."""
    options = {name: named.pop(name) for name in ("versions", "keys", "login", "password", "json_off") if name in named}
    simulator = Pure(store, **options)  # type: ignore[arg-type]
    settings = PureSource.model_validate({"kind": "pure", "connection": "tribnia", "page_size": 5, **named})
    limits = Limits(requests_per_second=10_000, backoff=0.0, retries=3)
    secrets = {"api-key": KEY}
    with (
        simulator.serve(),
        PoliteSession(limits, allow_http=True, allow_private_hosts=True, secret_headers=secrets) as session,
    ):
        base = simulator.base(version)
        yield simulator, PureReader(settings, lambda: interface(base, settings.api_version, session))


def read(reader: PureReader, plan: Plan = FULL) -> dict[type, list]:
    """All records of all parts, by kind."""
    found: dict[type, list] = {each: [] for each in (Department, Author, Output, Authorship, Listed)}
    for part in reader.parts(plan):
        for page in reader.read(part, plan, None):
            if page.restart:
                for kind in (Output, Authorship):
                    found[kind].clear()
            for record in page.records:
                found[type(record)].append(record)
    return found


def comparable(found: dict[type, list]) -> dict[str, set[str]]:
    """Records by kind, without when they came, without copies. (The simulator tells of academics in old versions alone.)"""
    return {
        kind.__name__: {
            repr(replace(each, datestamp=None, **({"academic": None} if kind is Author else {}))) for each in records
        }
        for kind, records in found.items()
    }


VERSIONS = ["510", "511", "515", "516", "517", "518", "519", "520", "521", "522", "523", "524", "new"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("json_off", [False, True])
def test_every_version_says_the_same(store: Store, version: str, json_off: bool):
    with serving(store) as (_, reader):
        usual = comparable(read(reader))
    assert {name: len(texts) for name, texts in usual.items()} == {
        "Department": 1, "Author": 7, "Output": WORKS, "Authorship": WORKS, "Listed": 0,
    }  # fmt: skip
    with serving(store, version, json_off=json_off) as (_, reader):
        assert comparable(read(reader)) == usual


HABITS = [  # faults that a server may have for ever, and that take nothing away
    "zero_count_runs", "more_changes_always", "stuck_token", "items_without_uuid", "doubles", "metric_changes", "key_in_links",
    "other_host", "next_to_itself", "no_links", "page_overlap", "short_page", "ignores_fields", "ignores_uuids", "mixed_dates",
    "merge_301", "merge_404", "unstable_order", "gzip", "gzip_undeclared",
]  # fmt: skip
MISHAPS = ["busy_bare", "too_many_bare", "html", "html_error", "error_under_200", "truncated", "empty_object", "server_error",
           "reset", "cut", "text_before", "redirect"]  # fmt: skip


ONCE = {*MISHAPS, "zero_count_runs"}


@pytest.mark.parametrize("version", ["524", "new"])
@pytest.mark.parametrize("kind", [*HABITS, *MISHAPS])
def test_mistakes_of_a_server_take_nothing_away(store: Store, version: str, kind: str):
    """Full and incremental: each list with the fault gives what it gives without."""
    plan = Plan("incremental", {"changes": "2026-01-30T00:00:00Z"})
    with serving(store, version) as (_, reader):
        usual = [comparable(read(reader, each)) for each in (FULL, plan)]
    with serving(store, version) as (simulator, reader):
        for name in ("research-outputs", "persons", "organisational-units", "organizations", "changes"):
            simulator.faults.add(Fault(kind, name, after=kind in MISHAPS, times=1 if kind in ONCE else None))
        made = [comparable(read(reader, each)) for each in (FULL, plan)]
    assert made == usual


@pytest.mark.parametrize(("kind", "code"), [("unauthorised", "refused"), ("forbidden", "refused")])
def test_a_refusal_is_told_at_once_and_without_the_key(store: Store, kind: str, code: str):
    with serving(store) as (simulator, reader):
        simulator.faults.add(Fault(kind, times=None))
        with pytest.raises(SourceError) as raised:
            read(reader)
        assert len(simulator.calls) == 1
    assert raised.value.code == code
    assert KEY not in str(raised.value)


def test_a_list_that_announces_more_than_there_is_loses_nothing_and_says_so(store: Store):
    """In a full import of outputs: what is there is published, nothing removed; any other list is refused."""
    with serving(store) as (simulator, reader):
        simulator.faults.add(Fault("count_too_high", times=None))
        pages = list(reader.read(Part("outputs"), FULL, None))
        assert [each.restart for each in pages].count(True) == 1
        assert pages[-1].incomplete == "it holds 23 of the 26 outputs that it announces"
        with pytest.raises(SourceError, match="holds 7 of the 10 persons"):
            list(reader.read(Part("persons", "authors"), FULL, None))


def test_a_broken_item_is_refused_alone(store: Store):
    with serving(store) as (simulator, reader):
        simulator.faults.add(Fault("broken_item", times=None))
        pages = list(reader.read(Part("outputs"), FULL, None))
    outputs = [each for page in pages for each in page.records if isinstance(each, Output)]
    assert len(outputs) == WORKS
    assert {each.refusal.rule for each in outputs if each.refusal} == {"unreadable"}
    assert sum(each.refusal is not None for each in outputs) == 5  # one on each page


def test_a_list_that_shrinks_while_it_is_read(store: Store):
    """What moved up to a page that was read already is read all the same."""
    works = sorted(store.outputs.values(), key=lambda each: each.number)
    with serving(store) as (_, reader):
        pages = reader.read(Part("outputs"), FULL, None)
        keys = [each.key for each in next(pages).records if isinstance(each, Output)]
        store.delete(works[0].uuid)
        store.delete(works[3].uuid)
        keys += [each.key for page in pages for each in page.records if isinstance(each, Output)]
    assert {each.uuid for each in works[4:]} <= set(keys)


def test_windows_hold_all_that_the_list_holds(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pure, "WORTH_DIVIDING", 10)
    monkeypatch.setattr(pure, "OVERLAP", 3)
    with serving(store, politeness={"connections": 3}) as (_, reader):
        parts = reader.parts(FULL)
        windows = [each for each in parts if each.mark == "outputs"]
        assert [each.name for each in windows] == ["outputs 1 of 3", "outputs 2 of 3", "outputs 3 of 3"]
        found = [{each.key for page in reader.read(part, FULL, None) for each in page.records if isinstance(each, Output)}
                 for part in windows]  # fmt: skip
    assert set().union(*found) == set(store.outputs)
    assert found[0] & found[1]
    assert all(len(each) <= 15 for each in found)


@pytest.mark.parametrize("version", ["524", "new"])
def test_a_part_goes_on_behind_its_last_page(store: Store, version: str):
    with serving(store, version) as (_, reader):
        for part in (Part("outputs"), Part("persons", "authors")):
            pages = list(reader.read(part, FULL, None))
            rest = list(reader.read(part, FULL, pages[0].cursor))
            keys = [[each.key for each in page.records] for page in pages]
            assert [[each.key for each in page.records] for page in rest] == keys[1:]


@pytest.mark.parametrize("version", ["524", "new"])
def test_what_was_merged_comes_as_its_winner_and_the_loser_is_gone(store: Store, version: str):
    loser, winner = store.invent("work0"), store.invent("work1")
    store.merge(loser, winner)
    with serving(store, version) as (_, reader):
        part = Part(OUTPUTS_BY_KEY, start={"keys": [loser]})
        by_key = [each for page in reader.read(part, FULL, None) for each in page.records if isinstance(each, Output)]
        changed = Part("changes", start={"place": "2026-01-30T00:00:00Z"})
        told = [] if version == "new" else [each for page in reader.read(changed, FULL, None) for each in page.records
                                            if isinstance(each, Output) and each.key in {loser, winner}]  # fmt: skip
    assert [each.key for each in by_key] == [winner]
    if told:
        assert {(each.key, each.deleted) for each in told} == {(loser, True), (winner, False)}


def test_the_key_travels_in_the_header_alone_and_basic_on_top(store: Store):
    simulator = Pure(store, login="gulliver", password="houyhnhnm")
    with simulator.serve():
        connection = {
            "host": simulator.base(),
            "password": KEY,
            "extra": {"login": "gulliver", "password": "houyhnhnm"},
        }
        made = _source(connection)
        assert made.contents.page("units", 0, 1).count == 1
        assert all("apiKey" not in dict(each.arguments) for each in simulator.calls)


def _source(connection: dict, **named: object) -> PureReader:
    block = {"kind": "pure", "connection": "t", "allow_http": True, "allow_private_hosts": True, **named}
    institution = config.Institution.model_validate({"name": "T", "slug": "t", "source": block})
    return source(institution, Connection("t", "http", **connection), hash_key=b"")


def test_a_key_never_leaves_over_plain_http_unasked():
    with pytest.raises(SourceError, match="not https"):
        _source({"host": "http://pure.example/ws/api/524", "password": KEY}, allow_http=False)
    with pytest.raises(SourceError, match="no password"):
        _source({"host": "https://pure.example/ws/api/524"})


@pytest.mark.parametrize(
    ("path", "versions", "wanted", "found"),
    [
        ("524", ("524",), None, "old"), ("", ("new",), None, "new"), ("", ("524", "new"), None, "new"),
        ("", ("521",), None, "old"), ("", ("521", "520"), "520", "old"), ("", ("new",), "new", "new"),
        ("/ws/rest", ("new",), None, "new"), ("/ws/rest/", ("518",), "518", "old"),
    ],
)  # fmt: skip
def test_the_interface_is_found(store: Store, path: str, versions: tuple[str, ...], wanted: str | None, found: str):
    simulator = Pure(store, versions=versions)
    with simulator.serve():
        root = simulator.url.removesuffix("/ws/api/")
        host = f"{root}{path}" if path.startswith("/") else f"{root}/ws/api/{path}".rstrip("/")
        api = _source({"host": host, "password": KEY}, **({"api_version": wanted} if wanted else {})).contents
        assert api.dialect == found
        assert api.page("outputs", 0, 1).count == WORKS


def test_another_version_than_the_base_url_names_is_refused():
    made = _source({"host": "https://pure.example/ws/api/524", "password": KEY}, api_version="520")
    with pytest.raises(SourceError, match="is the old web service 524, not 520"):
        _ = made.contents


@pytest.mark.parametrize("version", ["524", "new"])
def test_check_names_each_endpoint_and_right(store: Store, version: str):
    units = "organizations" if version == "new" else "organisational-units"
    with serving(store, version) as (_, reader):
        found = {each.name: each for each in reader.check()}
    assert list(found) == ["interface", units, "persons", "research-outputs", "visibility", "changes"]
    assert all(each.ok for each in found.values())
    assert found["research-outputs"].detail == str(WORKS)
    assert found["visibility"].detail.startswith("23 of 23 may be shown: Title ")
    rights = frozenset({"research-outputs", units})
    with serving(store, version, keys={KEY: Key(rights)}) as (_, reader):
        found = {each.name: each for each in reader.check()}
    assert [name for name, each in found.items() if not each.ok] == [
        "persons",
        *([] if version == "new" else ["changes"]),
    ]
    assert "give this API key the right" in str(found["persons"].fix)


def test_check_says_when_nothing_would_be_shown(store: Store):
    for each in list(store.outputs.values()):
        store.put(replace(each, visibility=None))
    with serving(store) as (_, reader):
        found = {each.name: each for each in reader.check()}
    assert not found["visibility"].ok
    assert "FREE" in str(found["visibility"].fix)


def test_an_error_is_told_in_the_servers_words_but_never_with_the_key(store: Store):
    with serving(store) as (_, reader):
        api = reader.contents
        said = api._said({"title": "Bad request", "description": f"?apiKey={KEY} is wrong"})
    assert said == "Bad request ?apiKey=… is wrong"
    assert json.dumps(said)
