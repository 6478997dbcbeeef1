"""Imports from a simulated Pure server: what may be shown, what is asked for again, and what a server's mistakes lead to."""

import itertools
import json
import logging
from dataclasses import replace
from datetime import date, timedelta

import pytest

from explorer import database, upkeep
from explorer.imports import HaltedError
from explorer.sources import CHANGES_LOST, SourceError
from simulators.mail import MailSink
from simulators.pure import Key
from simulators.pure_world import Association, Contributor, Output, Period, Person, Store, Unit
from simulators.serving import Fault
from tests.pure_site import KEY, endpoint, pure_site
from tests.warehouse.test_flow import _everything, do_import, published

pytestmark = pytest.mark.usefixtures("without_expectations")

VISIBILITIES = ("FREE", "CAMPUS", "BACKEND", "CONFIDENTIAL", "free", "PUBLIC", "", None)
STEPS = (None, "entryInProgress", "forApproval", "approved", "validated")
CONFIDENTIAL = (None, False, True)
UNTOLD = {"research-outputs", "research-outputs/one"}


def small(store: Store | None = None) -> Store:
    """A unit, a person in it, and three outputs of hers."""
    store = store or Store()
    unit, person = store.invent("unit"), store.invent("person")
    store.put(Unit(unit, "School of Projectors"))
    store.put(Person(person, "Glumda", "Clitch", associations=(Association(unit),)))
    for name in "abc":
        mine = (Contributor("internal", person, "G.", "Clitch", (unit,)),)
        store.put(Output(store.invent(name), f"Title {name}", doi=f"10.5555/{name}", units=(unit,), contributors=mine))
    return store


def titles(site) -> set[str]:
    return {each["title"] for each in published(site)["outputs"]}


@pytest.mark.parametrize(
    ("version", "strict"), [("524", False), ("524", True), ("new", False), ("518", False), ("xml", False)]
)
def test_who_may_be_shown(warehouse_dsn, tmp_path, monkeypatch, version, strict):
    """Visibility by confidentiality by workflow on the published warehouse; of the rest not a word in any table."""
    store = Store()
    cases = list(itertools.product(VISIBILITIES, STEPS, CONFIDENTIAL))
    for n, (visibility, step, confidential) in enumerate(cases):
        store.put(Output(store.invent(f"{n}"), f"Secret{n}.", doi=f"10.5555/secret-{n}-x", visibility=visibility, workflow=step,
                         confidential=confidential))  # fmt: skip
    for n, visibility in enumerate(VISIBILITIES):
        store.put(Unit(store.invent(f"u{n}"), f"SecretUnit{n}.", visibility=visibility))
        store.put(
            Person(store.invent(f"p{n}"), "A", f"SecretPerson{n}.", orcid="0000-0002-1825-0097", visibility=visibility)
        )
    # Versions up to 521 never state a workflow of outputs; the new API has no key `confidential`.
    tells_step, tells_confidential = version != "518", version != "new"

    def passes(visibility: str | None, step: str | None, confidential: bool | None) -> bool:
        if visibility != "FREE" or (confidential and tells_confidential):
            return False
        return step in {"approved", "validated"} if strict else not (step == "entryInProgress" and tells_step)

    wire = {"json_off": True} if version == "xml" else {}
    with endpoint(store, monkeypatch, "524" if version == "xml" else version, **wire):
        site = pure_site(warehouse_dsn, tmp_path, **({"strict_workflow": True} if strict else {}))
        made = do_import(site)
    expected = {f"Secret{n}." for n, case in enumerate(cases) if passes(*case)}
    shown = published(site)
    assert {each["title"] for each in shown["outputs"]} == expected
    assert [each["path"] for each in shown["departments"]] == ["SecretUnit0."]
    assert [each["name"] for each in shown["authors"]] == ["SecretPerson0., A"]
    assert made["tally"]["outputs"]["dropped_by_privacy"] == len(cases) - len(expected)
    assert made["tally"]["authors"]["dropped_by_privacy"] == len(VISIBILITIES) - 1
    with database.connect(site.dsn) as connection:
        dump = _everything(connection)
        rules = dict(connection.execute("select entity || ' ' || rule, dropped from ops.privacy_drop").fetchall())
    for n, case in enumerate(cases):
        assert (f"Secret{n}." in dump) == passes(*case)
        assert (f"10.5555/secret-{n}-x" in dump) == passes(*case)
    for n in range(1, len(VISIBILITIES)):
        assert f"SecretUnit{n}." not in dump
        assert f"SecretPerson{n}." not in dump
    assert {
        rules[f"{entity} visibility_{word}"] for entity in ("author", "department") for word in ("campus", "backend")
    } == {1}
    assert rules["output visibility_campus"] == rules["output visibility_backend"] == 15
    assert (rules["output visibility_unknown"], rules["author visibility_unknown"]) == (45, 3)  # free, PUBLIC, nothing
    assert rules["output visibility_missing"] == 15
    if not strict and tells_confidential:
        assert rules["output confidential"] == 5
    if not strict and tells_step:
        assert rules["output entry_in_progress"] == (2 if tells_confidential else 3)


@pytest.mark.parametrize("version", ["524", "new"])
@pytest.mark.parametrize("affiliated_only", [False, True])
def test_affiliation(warehouse_dsn, tmp_path, monkeypatch, version, affiliated_only):
    """Units of the output and of contributors of the institution count; who manages the record, and others, do not."""
    store = small()
    unit, person = store.invent("unit"), store.invent("person")
    mine = Contributor("internal", person, "G.", "Clitch")
    cases = {
        "own unit": {"units": (unit,)},
        "author's unit": {"contributors": (Contributor("internal", person, "G.", "Clitch", (unit,)),)},
        "unknown unit": {"units": (store.invent("elsewhere"),)},
        "managed": {"managing": unit, "contributors": (mine,)},
        "outsider": {"contributors": (Contributor("external", store.invent("x"), "X", "Y"),)},
        "nothing": {},
    }
    for name, stated in cases.items():
        store.put(
            Output(store.invent(name), name, doi=f"10.5555/{name.replace(' ', '').replace(chr(39), '')}", **stated)
        )
    store.put(Output(store.invent("hidden"), "hidden", doi="10.5555/hidden", visibility="BACKEND"))
    with endpoint(store, monkeypatch, version):
        site = pure_site(warehouse_dsn, tmp_path, affiliated_only=affiliated_only)
        made = do_import(site)
    affiliated = {"own unit", "author's unit", "unknown unit", "Title a", "Title b", "Title c"}
    assert titles(site) == affiliated | (set() if affiliated_only else {"managed", "outsider", "nothing"})
    departments = {each["title"]: each["departments"] for each in published(site)["outputs"]}
    assert departments["own unit"] == departments["author's unit"] == ["School of Projectors"]
    assert not any(departments.get(name) for name in ("managed", "outsider", "nothing", "unknown unit"))
    assert made["tally"]["excluded_because"] == ({"affiliation": 3} if affiliated_only else {})
    assert made["tally"]["outputs"]["dropped_by_privacy"] == 1


@pytest.mark.parametrize("second_key", [False, True])
def test_an_unchanged_source_costs_no_full_record(warehouse_dsn, tmp_path, monkeypatch, second_key):
    store = small()
    chosen = {"api_version": "new", "changes_connection": "tribnia_changes"} if second_key else {}
    with endpoint(store, monkeypatch, "new" if second_key else "524") as simulator:
        site = pure_site(warehouse_dsn, tmp_path, orphans="remove_authorless_and_privacy", **chosen)
        store.put(Output(store.invent("no id"), "Without identifier"))
        store.put(Output(store.invent("no one"), "Without author", doi="10.5555/orphan"))
        person = store.invent("person")
        shown, hidden = (
            Contributor("internal", person, "A", "B"),
            Contributor("internal", person, "A", "B", association_hidden=True),
        )
        store.put(Output(store.invent("nothing"), "By somebody, without identifier", contributors=(shown,)))
        store.put(
            Output(store.invent("hidden"), "By nobody who is shown", doi="10.5555/hidden", contributors=(hidden,))
        )
        do_import(site)
        before = published(site)
        store.clock.advance(days=1)
        simulator.forget_calls()
        store.noise(250)
        made = do_import(site)
        asked = [each for each in simulator.calls if each.name in UNTOLD and not each.argument("fields")]
    assert made["mode"] == "incremental"
    assert made["tally"]["outputs"]["extracted"] == 0
    assert [each.path for each in asked] == []
    assert published(site) == before


@pytest.mark.parametrize(("version", "second_key"), [("524", False), ("new", True)])
def test_outputs_of_somebody_hidden_who_is_merged_into_somebody_shown_come_back(
    warehouse_dsn, tmp_path, monkeypatch, version, second_key
):
    """Nothing is told of the outputs, and whom they were merged into was shown before."""
    store = small()
    person, hidden = store.invent("person"), store.invent("hidden person")
    chosen = {"api_version": "new", "changes_connection": "tribnia_changes"} if second_key else {}
    with endpoint(store, monkeypatch, version):
        site = pure_site(warehouse_dsn, tmp_path, orphans="remove_authorless_and_privacy", **chosen)
        store.put(Person(hidden, "Glumda", "Clitch", visibility="CONFIDENTIAL"))
        store.put(
            Output(
                store.invent("d"), "Title d", doi="10.5555/d", contributors=(Contributor("internal", hidden, "A", "B"),)
            )
        )
        do_import(site)
        assert "Title d" not in titles(site)
        store.clock.advance(days=1)
        store.merge(hidden, person, told=False)
        store.silence(250)
        made = do_import(site)
        assert made["mode"] == "incremental"
        assert "Title d" in titles(site)
        store.clock.advance(days=1)
        assert do_import(site)["tally"]["outputs"]["extracted"] == 0


@pytest.mark.parametrize(("version", "second_key"), [("524", False), ("new", True), ("new", False)])
def test_what_happens_without_a_word(warehouse_dsn, tmp_path, monkeypatch, version, second_key):
    """Deletions that nobody tells, people who hide and show themselves, associations that end, units that are merged."""
    store = small()
    a, b, unit, person = (store.invent(each) for each in ("a", "b", "unit", "person"))
    chosen = {"api_version": "new"} if version == "new" else {}
    if second_key:
        chosen["changes_connection"] = "tribnia_changes"
    with endpoint(store, monkeypatch, version):
        site = pure_site(warehouse_dsn, tmp_path, orphans="remove_authorless_and_privacy", **chosen)
        do_import(site)
        store.delete(a, told=False)
        made = do_import(site)
        assert titles(site) == {"Title b", "Title c"}
        assert made["tally"]["removed_because"] == {"absent": 1}
        store.put(Person(person, "Glumda", "Clitch", associations=(Association(unit),), visibility="CAMPUS"))
        made = do_import(site)
        assert titles(site) == set()
        assert made["tally"]["outputs"]["orphaned"] == 2
        store.show(person)
        made = do_import(site)
        assert titles(site) == {"Title b", "Title c"}
        store.end(person, unit, store.today() + timedelta(days=2))
        do_import(site)
        assert published(site)["authors"][0]["departments"] == ["School of Projectors"]
        store.clock.advance(days=3)
        do_import(site)
        assert published(site)["authors"][0]["departments"] == []
        assert published(site)["outputs"][0]["departments"] == ["School of Projectors"]
        other = store.invent("other unit")
        store.put(Unit(other, "School of Languages"))
        store.merge(unit, other, told=False)
        do_import(site)
        assert published(site)["outputs"][0]["departments"] == ["School of Languages"]
        store.put(Output(store.invent("d"), "Title d", doi="10.5555/d", units=(other,),
                         contributors=(Contributor("internal", person, "G", "C"),)))  # fmt: skip
        store.merge(b, store.invent("d"))
        do_import(site)
        assert titles(site) == {"Title c", "Title d"}
        store.hide(store.invent("c"), "CONFIDENTIAL", told="DELETE")
        made = do_import(site)
        assert titles(site) == {"Title d"}
        assert made["tally"]["removed_because"] == {"privacy": 1}


def test_a_key_that_sees_only_what_is_public(warehouse_dsn, tmp_path, monkeypatch):
    store = small()
    with endpoint(store, monkeypatch, keys={KEY: Key(sees_all=False)}):
        site = pure_site(warehouse_dsn, tmp_path)
        do_import(site)
        store.hide(store.invent("a"))
        do_import(site)
    assert titles(site) == {"Title b", "Title c"}


def test_a_key_without_changes_reads_everything_and_says_so(warehouse_dsn, tmp_path, monkeypatch):
    store = small()
    rights = frozenset({"research-outputs", "persons", "organisational-units"})
    with endpoint(store, monkeypatch, keys={KEY: Key(rights)}):
        site = pure_site(warehouse_dsn, tmp_path)
        do_import(site)
        with database.connect(site.dsn) as connection:
            notes = connection.execute("select message from ops.record_note where code = 'no_changes'").fetchall()
        store.change(store.invent("a"), title="Another title")
        store.delete(store.invent("b"), told=False)
        do_import(site)
    assert len(notes) == 1
    assert "every import reads everything" in notes[0][0]
    assert titles(site) == {"Another title", "Title c"}


def test_everything_is_read_again_after_a_month(warehouse_dsn, tmp_path, monkeypatch):
    with endpoint(small(), monkeypatch):
        site = pure_site(warehouse_dsn, tmp_path)
        do_import(site)
        with database.connect(site.dsn) as connection:
            connection.execute("update ops.import set started_at = started_at - interval '30 days'")
        made = do_import(site)
    assert (made["mode"], made["reason"]) == (
        "full", "Pure may leave a change untold, and 30 days have passed since the last full import"
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["sequence_restart", "old_token"])
def test_a_server_that_loses_our_place(warehouse_dsn, tmp_path, monkeypatch, kind):
    """The import stops and alarms; nothing changes; the next one is full."""
    store = small()
    with endpoint(store, monkeypatch) as simulator:
        site = pure_site(warehouse_dsn, tmp_path)
        do_import(site)
        store.change(store.invent("a"), title="Another title")
        fault = Fault(kind, "changes", times=None)
        simulator.faults.add(fault)
        with pytest.raises(SourceError, match="reads everything") as raised:
            do_import(site)
        assert raised.value.code == CHANGES_LOST
        assert titles(site) == {"Title a", "Title b", "Title c"}
        simulator.faults.clear()
        made = do_import(site)
    assert (made["mode"], titles(site)) == ("full", {"Another title", "Title b", "Title c"})
    assert "cannot tell what changed" in made["reason"]


def test_nothing_that_is_hidden_is_left_anywhere(warehouse_dsn, tmp_path, monkeypatch, caplog):
    """Secrets in titles, names and identifiers, also where a record is refused: in no table, log line or mail."""
    caplog.set_level(logging.DEBUG)
    store = small()
    secret = "Xyzzy"
    unit, person = store.invent("unit"), store.invent("person")
    for n, visibility in enumerate(("CAMPUS", "BACKEND", "CONFIDENTIAL", "SECRET", None)):
        hers = (Contributor("internal", person, secret, secret, (unit,)),)
        store.put(Output(store.invent(f"o{n}"), f"{secret} {n}", doi=f"10.5555/{secret}{n}", ids=(("PubMed", secret),),
                         journal=secret, contributors=hers, visibility=visibility))  # fmt: skip
        store.put(
            Person(store.invent(f"p{n}"), secret, secret, associations=(Association(unit),), visibility=visibility)
        )
        store.put(Unit(store.invent(f"u{n}"), secret, parents=(unit,), visibility=visibility))
    store.put(
        Person(
            store.invent("employee"), "Pat", "Public", ids=(("employee", f"{secret}7"), ("scopusauthor", "7000000001"))
        )
    )
    with endpoint(store, monkeypatch) as simulator, MailSink(tmp_path / "mails") as sink:
        extra = {
            "disable_ssl": True,
            "disable_tls": True,
            "from_email": "e@explorer.example",
            "operators": "o@tribnia.example",
        }
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": sink.port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        site = pure_site(warehouse_dsn, tmp_path)
        do_import(site)
        store.clock.advance(days=1)
        store.change(store.invent("a"), title=f"{secret} a", visibility="BACKEND")
        store.change(person, last=secret, visibility="CAMPUS")
        simulator.faults.add(Fault("broken_item", "research-outputs", times=None))
        do_import(site)
    with database.connect(site.dsn) as connection:
        everything = _everything(connection)
    mails = "".join(each.read_text(errors="replace") for each in (tmp_path / "mails").rglob("*") if each.is_file())
    assert "Title b" in everything
    assert mails
    for place in (everything, caplog.text, mails):
        assert secret.casefold() not in place.casefold()
        assert KEY not in place


def test_ended_units_and_invisible_parents(warehouse_dsn, tmp_path, monkeypatch):
    store = Store()
    ids = {name: store.invent(name) for name in ("top", "hidden", "ended", "lab", "two", "loop a", "loop b", "lost")}
    store.put(Unit(ids["top"], "University"))
    store.put(Unit(ids["hidden"], "Hidden", parents=(ids["top"],), visibility="BACKEND"))
    store.put(Unit(ids["ended"], "Ended", parents=(ids["hidden"],), period=Period(date(1960, 1, 1), date(2001, 7, 31))))
    store.put(Unit(ids["lab"], "Lab", parents=(ids["ended"],)))
    store.put(Unit(ids["two"], "Two", parents=(ids["hidden"], ids["ended"])))
    store.put(Unit(ids["loop a"], "Loop A", parents=(ids["loop b"],)))
    store.put(Unit(ids["loop b"], "Loop B", parents=(ids["loop a"],)))
    store.put(Unit(ids["lost"], "Lost", parents=(store.invent("nowhere"),)))
    store.put(Output(store.invent("o"), "Title", doi="10.5555/1", units=(ids["lab"],)))
    with endpoint(store, monkeypatch):
        site = pure_site(warehouse_dsn, tmp_path)
        do_import(site)
    paths = {each["path"] for each in published(site)["departments"]}
    assert {"University", "University > Ended", "University > Ended > Lab", "Lost"} <= paths
    assert {path for path in paths if path.endswith("Two")} & {"University > Two", "University > Ended > Two"}
    assert {path for path in paths if "Loop" in path} in ({"Loop A", "Loop A > Loop B"}, {"Loop B", "Loop B > Loop A"})
    assert not any("Hidden" in path for path in paths)
    assert published(site)["outputs"][0]["departments"] == ["University > Ended > Lab"]


def hidden_association(store: Store, *, hidden: bool) -> None:
    """Output a, by its one author, with her association hidden or not."""
    unit, person = store.invent("unit"), store.invent("person")
    hers = (Contributor("internal", person, "G.", "Clitch", (unit,), association_hidden=hidden),)
    store.change(store.invent("a"), contributors=hers)


def authors_of(site, title: str) -> list[str]:
    return next([a["name"] for a in each["authors"]] for each in published(site)["outputs"] if each["title"] == title)


def test_a_list_that_cannot_tell_a_hidden_association_shows_nobody(warehouse_dsn, tmp_path, monkeypatch):
    """The list of outputs of the old web service names the author; that it is hidden stands in the new API's record alone."""
    store = small()
    hidden_association(store, hidden=True)
    with endpoint(store, monkeypatch, "new"):
        site = pure_site(warehouse_dsn, tmp_path, api_version="new", changes_connection="tribnia_changes")
        do_import(site)
        assert authors_of(site, "Title a") == []
        store.clock.advance(days=1)
        assert do_import(site)["mode"] == "incremental"
        assert authors_of(site, "Title a") == []
        assert authors_of(site, "Title b") == ["Clitch, Glumda"]
        hidden_association(store, hidden=False)
        do_import(site)
        assert authors_of(site, "Title a") == ["Clitch, Glumda"]
        hidden_association(store, hidden=True)
        do_import(site)
        assert authors_of(site, "Title a") == []
        with database.connect(site.dsn) as connection:
            olds = connection.execute("select old::text from ops.change where old is not null").fetchall()
    assert any("Title a" in old for (old,) in olds)
    assert not [old for (old,) in olds if "Title a" in old and "Clitch" in old]


def test_no_key_of_a_hidden_unit_is_kept(warehouse_dsn, tmp_path, monkeypatch):
    """Outputs name units that are not shown; they belong to them from the day on which these are."""
    store = small()
    hidden, other = store.invent("hidden unit"), store.invent("not even listed")
    store.put(Unit(hidden, "Hidden", visibility="CAMPUS"))
    store.change(store.invent("a"), units=(store.invent("unit"), hidden, other))
    with endpoint(store, monkeypatch):
        site = pure_site(warehouse_dsn, tmp_path)
        for shown in (False, True, False):
            if shown:
                store.show(hidden)
            else:
                store.hide(hidden, "CAMPUS")
            do_import(site)
            departments = {each["title"]: each["departments"] for each in published(site)["outputs"]}
            assert ("Hidden" in departments["Title a"]) == shown
            with database.connect(site.dsn) as connection:
                groups = connection.execute("select groups::text from warehouse.research_output").fetchall()
                olds = connection.execute("select old::text from ops.change where old is not null").fetchall()
            assert any(hidden in text for (text,) in groups) == shown
            assert not any(other in text for (text,) in groups)
        assert not any(hidden in text for (text,) in olds)


@pytest.mark.parametrize("strict", [False, True])
def test_a_page_of_the_list_without_any_visibility_shows_nothing(warehouse_dsn, tmp_path, monkeypatch, strict):
    """All outputs lose their visibility, or in strict mode their workflow, without a word, also those of whole pages."""
    store = small()
    for name in "abc":
        store.change(store.invent(name), workflow="approved")
    with endpoint(store, monkeypatch):
        site = pure_site(warehouse_dsn, tmp_path, strict_workflow=strict)
        do_import(site)
        assert len(titles(site)) == 3
        for name in "abc":
            output = store.outputs[store.invent(name)]
            lost = {"workflow": None} if strict else {"visibility": None}
            store.outputs[output.uuid] = replace(output, **lost)
        store.noise(1)
        assert do_import(site)["mode"] == "incremental"
    assert titles(site) == set()


def test_what_a_full_import_lost_comes_with_the_next_one(warehouse_dsn, tmp_path, monkeypatch):
    """The list lacks an output that changed before; the changes since tell nothing of it."""
    store = small()
    with endpoint(store, monkeypatch) as simulator:
        site = pure_site(warehouse_dsn, tmp_path)
        do_import(site)
        store.change(store.invent("a"), title="Another title")
        store.clock.advance(days=2)
        store.noise(250)
        found = simulator._found
        with monkeypatch.context() as losing:
            losing.setattr(
                simulator,
                "_found",
                lambda *args, **named: [each for each in found(*args, **named) if each.uuid != store.invent("a")],
            )
            simulator.faults.add(Fault("count_too_high", "research-outputs", times=None))
            with pytest.raises(HaltedError, match="not read whole"):
                do_import(site, full_import=True)
        simulator.faults.clear()
        assert titles(site) == {"Title a", "Title b", "Title c"}
        store.clock.advance(days=2)
        store.noise(10)
        made = do_import(site)
        assert (made["mode"], titles(site)) == ("incremental", {"Another title", "Title b", "Title c"})
        store.change(store.invent("b"), title="Told")
        simulator.forget_calls()
        do_import(site)
        assert titles(site) == {"Another title", "Told", "Title c"}
        assert all(
            each.argument("fields")
            for each in simulator.calls
            if each.name == "research-outputs" and each.method == "GET"
        )


@pytest.mark.parametrize("told", ["UPDATE", "DELETE"])
def test_a_rollback_brings_back_nothing_that_a_narrow_key_sees_no_more(warehouse_dsn, tmp_path, monkeypatch, told):
    """To a key that sees only what is public, what is hidden looks as if it were deleted."""
    store = small()
    with endpoint(store, monkeypatch, keys={KEY: Key(sees_all=False)}):
        site = pure_site(warehouse_dsn, tmp_path)
        do_import(site)
        store.hide(store.invent("a"), "BACKEND", told=told)
        do_import(site)
        assert titles(site) == {"Title b", "Title c"}
        upkeep.rollback(site, to_import=1, by="somebody")
    assert titles(site) == {"Title b", "Title c"}


def test_what_the_old_service_calls_confidential_is_not_shown_by_the_new_api(warehouse_dsn, tmp_path, monkeypatch):
    """The new API has no key `confidential`: in a full import, too, both interfaces must let an output pass."""
    store = small()
    store.change(store.invent("b"), confidential=True)
    with endpoint(store, monkeypatch, "new"):
        site = pure_site(warehouse_dsn, tmp_path, api_version="new", changes_connection="tribnia_changes")
        assert do_import(site)["mode"] == "full"
        assert titles(site) == {"Title a", "Title c"}
