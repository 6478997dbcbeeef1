"""What an import means: verdicts, differences, scope, resumption. Over a scripted source, on a real Postgres."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import psutil
import psycopg
import pytest

from explorer import database, descriptions, exports, flow, imports, leases, tasks, upkeep
from explorer.imports import HaltedError
from explorer.planning import Request
from explorer.records import Author, Contribution, Department, Identifier, Output, Refusal
from explorer.sources import Abilities
from tests.patience import wait_until
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site

pytestmark = pytest.mark.usefixtures("without_expectations")

runs = iter(range(10**6))


def do_import(site: ScriptedSite, **named) -> dict:
    """Import, and give the import's object."""
    approved = named.pop("approved", False)
    import_id = flow.run(site, Request(run_key=f"run-{next(runs)}", stays=True, **named), approved=approved)
    with database.connect(site.dsn) as connection:
        return dict(descriptions.object_of(connection, import_id))


def published(site: ScriptedSite) -> dict:
    """All that is published of a site's institution, as exported."""
    with database.connect(site.dsn) as connection:
        made = {}
        for what in exports.What:
            names, rows = exports.published(connection, site.institution.slug, what)
            made[str(what)] = [dict(zip(names, row, strict=True)) for row in rows]
        return json.loads(json.dumps(made))


def output(
    key: str, *, title: str | None = None, authors: str = "", departments: tuple[str, ...] = (), doi: str | None = ""
) -> Output:
    """An output with a DOI of its own, and authors by letters."""
    identifiers = () if doi is None else (Identifier("doi", doi or f"10.5555/{key}"),)
    credited = tuple(Contribution(f"id:{a}", f"Author, {a.upper()}") for a in authors)
    return Output(
        key=key, title=title or f"Title {key}", type="Article", year=2020, identifiers=identifiers,
        contributions=credited, departments=departments,
    )  # fmt: skip


@pytest.fixture
def source() -> ScriptedSource:
    made = ScriptedSource()
    made.departments = {
        "sci": Department("sci", "Faculty of Science"),
        "bio": Department("bio", "School of Biology", ("sci",)),
    }
    for n in range(8):
        made.put(output(f"o{n}", authors="ab"[n % 2], departments=("bio",) if n % 2 else ("sci", "unknown")))
    made.tick = 1
    return made


@pytest.fixture
def site(warehouse_dsn: str, tmp_path: Path, source: ScriptedSource) -> ScriptedSite:
    return make_site(warehouse_dsn, tmp_path, source)


def test_a_first_import_publishes_everything_and_its_tally_adds_up(site: ScriptedSite, source: ScriptedSource):
    source.put(output("bare", doi=None))
    source.put(Output(key="broken", refusal=Refusal("truncated", "the record ends in the middle")))
    source.delete("gone")
    source.rows.append(source.outputs["o1"])
    made = do_import(site)
    assert made["status"] == "succeeded"
    assert made["mode"] == "full"
    assert made["reason"] == "the first import"
    assert made["tally"]["outputs"] == {
        "extracted": 12, "reexamined": 0, "duplicates": 1, "deleted": 1, "rejected": 1, "excluded": 1,
        "dropped_by_privacy": 0, "orphaned": 0, "merged": 0, "added": 8, "updated": 0, "unchanged": 0, "removed": 0,
        "untouched": 0, "published": 8,
    }  # fmt: skip
    assert made["tally"]["authors"]["published"] == 2
    assert made["tally"]["departments"]["published"] == 2
    assert made["tally"]["excluded_because"] == {"no_identifier": 1}
    shown = published(site)
    assert [o["key"] for o in shown["outputs"]] == [f"o{n}" for n in range(8)]
    assert shown["outputs"][1] == {
        "key": "o1", "title": "Title o1", "type": "Article", "year": 2020, "identifiers": {"doi": ["10.5555/o1"]},
        "authors": [{"key": "id:b", "name": "Author, B"}], "departments": ["Faculty of Science > School of Biology"],
    }  # fmt: skip
    assert [(d["key"], d["level"], d["outputs_direct"], d["outputs_rolled_up"]) for d in shown["departments"]] == [
        ("bio", 2, 4, 4), ("sci", 1, 4, 8),
    ]  # fmt: skip


def test_the_same_import_again_writes_nothing(site: ScriptedSite):
    do_import(site)
    with database.connect(site.dsn) as connection:
        before = _versions(connection)
    made = do_import(site, full_import=True)
    assert made["mode"] == "full"
    assert made["tally"]["outputs"]["unchanged"] == 8
    assert made["tally"]["outputs"]["updated"] == made["tally"]["outputs"]["added"] == 0
    assert made["tally"]["authors"]["unchanged"] == 2
    with database.connect(site.dsn) as connection:
        assert _versions(connection) == before
        assert connection.execute("select count(*) from ops.change").fetchone() == (0,)


def _versions(connection: database.Connection) -> list:
    """Which transaction wrote each published row."""
    tables = ("research_output", "author", "department", "authorship", "output_identifier", "output_department")
    return [
        connection.execute(f"select xmin::text, t::text from warehouse.{table} t order by t::text").fetchall()
        for table in tables
    ]


def test_an_incremental_import_touches_only_what_it_was_told_of(site: ScriptedSite, source: ScriptedSource):
    do_import(site)
    source.tick = 5
    source.put(output("o1", title="Another title", authors="b", departments=("bio",)))
    source.put(output("new", authors="c"))
    source.delete("o2")
    made = do_import(site)
    assert made["mode"] == "incremental"
    tally = made["tally"]["outputs"]
    assert (tally["extracted"], tally["deleted"], tally["added"], tally["updated"], tally["removed"], tally["untouched"]) == (
        3, 1, 1, 1, 1, 6,
    )  # fmt: skip
    assert made["tally"]["removed_because"] == {"deleted": 1}
    assert [o["key"] for o in published(site)["outputs"]] == ["new", "o0", "o1", "o3", "o4", "o5", "o6", "o7"]
    assert {a["key"] for a in published(site)["authors"]} == {"id:a", "id:b", "id:c"}
    with database.connect(site.dsn) as connection:
        changes = connection.execute(
            "select entity, key, action, old ->> 'title' from ops.change order by 1, 2"
        ).fetchall()
    assert ("output", "o1", "update", "Title o1") in changes
    assert ("output", "o2", "remove", "Title o2") in changes


def test_a_full_import_removes_what_is_absent(site: ScriptedSite, source: ScriptedSource):
    do_import(site)
    del source.outputs["o3"]
    made = do_import(site, full_import=True)
    assert made["tally"]["removed_because"] == {"absent": 1}
    assert made["tally"]["outputs"]["published"] == 7


def test_absence_from_an_incomplete_list_is_no_deletion_and_no_success(site: ScriptedSite, source: ScriptedSource):
    do_import(site)
    source.tick = 3
    del source.outputs["o3"]
    source.put(output("new"))
    source.incomplete = "the list ended without its last page"
    with pytest.raises(HaltedError, match="not read whole"):
        do_import(site, full_import=True)
    with database.connect(site.dsn) as connection:
        status, error, marks = connection.execute(
            "select status, error, watermarks from ops.import order by id desc"
        ).fetchone()
    assert status == "failed"
    assert error["code"] == "incomplete"
    assert marks == {}
    assert "o3" in {o["key"] for o in published(site)["outputs"]}
    assert "new" in {o["key"] for o in published(site)["outputs"]}


def test_a_changed_configuration_resets(site: ScriptedSite, source: ScriptedSource, tmp_path: Path):
    do_import(site)
    other = make_site(site.dsn, tmp_path, source, orphans="remove_authorless")
    made = do_import(other)
    assert (made["mode"], made["reason"]) == ("full", "the configuration or the rules changed since the last import")


@pytest.mark.parametrize("rolled_back", [False, True])
def test_a_reset_that_lost_something_is_done_again(warehouse_dsn: str, tmp_path: Path, *, rolled_back: bool):
    """What the new configuration leaves out is found by reading everything whole: changes say nothing of it."""
    source = ScriptedSource(outputs={"a": output("a"), "b": output("b")})
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site)
    source.tick = 1
    source.vanish("b")
    if rolled_back:
        do_import(site, full_import=True)
        upkeep.rollback(site, to_import=1, by="somebody")
        upkeep.release(site)
    else:
        site = make_site(warehouse_dsn, tmp_path, source, orphans="remove_authorless")
    source.incomplete = "one record cannot be read"
    for _ in range(2):
        with pytest.raises(HaltedError, match="not read whole"):
            do_import(site)
        assert {o["key"] for o in published(site)["outputs"]} >= {"b"}
    source.incomplete = None
    again = do_import(site)
    assert again["mode"] == "full"
    assert again["reason"].endswith(" was to reset everything and lost a part of the source")
    assert "b" not in {o["key"] for o in published(site)["outputs"]}
    source.tick = 2
    assert do_import(site)["mode"] == "incremental"


def test_a_dry_run_changes_nothing_and_the_next_import_is_the_same(site: ScriptedSite, source: ScriptedSource):
    dry = do_import(site, dry_run=True)
    assert dry["status"] == "dry_run"
    assert dry["tally"]["outputs"]["added"] == 8
    assert not any(published(site).values())
    real = do_import(site)
    assert real["tally"] == dry["tally"]
    assert real["reason"] == "the first import"


@pytest.mark.parametrize("answer", ["nothing", "half", "renamed", "other identifiers"])
def test_a_source_that_suddenly_answers_otherwise_waits_for_a_person(warehouse_dsn: str, tmp_path: Path, answer: str):
    source = ScriptedSource()
    for n in range(60):
        source.put(output(f"o{n}", authors="ab"[n % 2], title="A *title* | with marks"))
    site = make_site(warehouse_dsn, tmp_path, source, removed=0.2)
    do_import(site)
    before = published(site)
    known = dict(source.outputs)
    source.outputs.clear()
    gone = {"nothing": 60, "half": 30, "renamed": 0, "other identifiers": 60}[answer]
    if answer == "half":
        source.outputs.update(list(known.items())[:30])
    for key in known if answer in {"renamed", "other identifiers"} else ():
        source.put(output(f"new-{key}", doi=f"10.5555/{key}" if answer == "renamed" else f"10.5555/{key}.v2"))
    made = do_import(site, full_import=True)
    assert made["status"] == "awaiting_approval"
    assert published(site) == before
    text = descriptions.approval_text(site, made["import_id"])
    assert re.search(rf"\| outputs \| 60 \| {gone} \| {gone / 60:.0%} \|", text), text
    reason = "under another key" if answer == "renamed" else "no longer in the source"
    assert f"{reason} | {gone or 60} |" in text
    assert text.count("A \\*title\\* \\| with marks") == 10
    with pytest.raises(imports.BusyError, match="waits for approval"):
        do_import(site)
    flow.answer(site, made["import_id"], approved=False, by="somebody")
    flow.close_staging(site, made["import_id"])
    assert published(site) == before
    with pytest.raises(imports.FinishedError, match="does not wait for approval"):
        flow.answer(site, made["import_id"], approved=True, by="somebody else")
    again = do_import(site, full_import=True)
    flow.answer(site, again["import_id"], approved=True, by="somebody")
    flow.go_on(site, again["import_id"], answered=True)
    assert {o["key"] for o in published(site)["outputs"]} == set(source.outputs)


@pytest.mark.parametrize("outputs", [49, 50])
def test_few_departments_are_many_where_there_are_many_outputs(warehouse_dsn: str, tmp_path: Path, outputs: int):
    units = {f"d{n}": Department(f"d{n}", f"Unit {n}") for n in range(5)}
    source = ScriptedSource(departments=units)
    for n in range(outputs):
        source.put(output(f"o{n}", departments=(f"d{n % 5}",)))
    site = make_site(warehouse_dsn, tmp_path, source, removed=0.2)
    do_import(site)
    source.tick = 1
    source.departments = dict(list(units.items())[:4])
    assert do_import(site)["status"] == "succeeded"  # a fifth is not more than a fifth
    source.departments = {}
    assert do_import(site)["status"] == ("awaiting_approval" if outputs == 50 else "succeeded")
    assert len(published(site)["departments"]) == (4 if outputs == 50 else 0)


def test_an_import_that_was_cut_off_goes_on_where_it_stopped(site: ScriptedSite, source: ScriptedSource, monkeypatch):
    pages = []

    def cut(part: str, at: int) -> None:
        if part == "outputs":
            pages.append(at)
            if len(pages) == 2:
                raise KeyboardInterrupt

    source.before_page = cut
    with monkeypatch.context() as patch:
        patch.setattr(flow, "close_staging", lambda *_, **__: None)  # the process is gone
        with pytest.raises(KeyboardInterrupt):
            do_import(site)
    with database.connect(site.dsn) as connection:
        connection.execute("update ops.lease set holder = jsonb_set(holder, '{pid}', '999999999')")
    made = do_import(site)
    assert pages == [0, 3, 3, 6]
    assert made["import_id"] == 1
    assert made["tally"]["outputs"]["extracted"] == 8
    assert made["status"] == "succeeded"


def test_what_was_read_long_ago_is_read_again(site: ScriptedSite, source: ScriptedSource):
    left = flow.open_import(site, Request(run_key="left"))
    flow.plan_parts(site, left)
    flow.read_part(site, left, "outputs")
    with database.connect(site.dsn) as connection:
        connection.execute("update ops.import set staging_until = now() - interval '1 hour'")
        connection.execute("update ops.lease set until = now() - interval '1 hour'")
    del source.outputs["o3"]
    made = do_import(site)
    assert (made["import_id"], made["tally"]["outputs"]["extracted"]) == (left + 1, 7)
    with database.connect(site.dsn) as connection:
        assert descriptions.object_of(connection, left)["error"]["message"] == "its holder is gone"


def test_a_living_import_is_not_disturbed(site: ScriptedSite):
    with database.connect(site.dsn) as connection:
        do_import(site, dry_run=True)
        connection.execute("update ops.import set status = 'running', finished_at = null")
        connection.commit()
        with pytest.raises(imports.BusyError, match="is at work since"):
            do_import(site)


def test_every_step_can_be_done_again(site: ScriptedSite, source: ScriptedSource):
    source.put(output("bare", doi=None))
    import_id = flow.open_import(site, Request(run_key="again"))
    assert flow.open_import(site, Request(run_key="again")) == import_id
    for part in flow.plan_parts(site, import_id) * 2:
        flow.read_part(site, import_id, part)
    steps = (flow.settle, flow.validate, flow.privacy_filter, flow.clean_up_orphans, flow.review)
    for step in steps:
        step(site, import_id)
        step(site, import_id)
    for step in steps[1:]:
        step(site, import_id)
    flow.load(site, import_id)
    with database.connect(site.dsn) as connection:
        before = _versions(connection)
    flow.load(site, import_id)  # does nothing, and what follows may go on
    for step in (*steps[1:], flow.settle):
        with pytest.raises(imports.FinishedError, match="nothing left to do"):
            step(site, import_id)
    with database.connect(site.dsn) as connection:
        assert _versions(connection) == before
        tally = descriptions.object_of(connection, import_id)["tally"]["outputs"]
    assert (tally["extracted"], tally["excluded"], tally["added"]) == (9, 1, 8)


def test_a_worker_that_was_left_for_dead_is_fenced_off(site: ScriptedSite):
    import_id = flow.open_import(site, Request(run_key="left", stays=True))
    for part in flow.plan_parts(site, import_id):
        flow.read_part(site, import_id, part)
    with database.connect(site.dsn, application=leases.session(import_id, "settle")) as zombie:
        zombie.execute(f"lock import_{import_id}.verdict")  # it was stopped within its transaction
        flow.settle(site, import_id)
        with pytest.raises(psycopg.OperationalError):
            zombie.execute("select 1")
    with database.connect(site.dsn) as connection:
        connection.execute("update ops.lease set holder = jsonb_set(holder, '{pid}', '1') where holder <> '{}'")
        leases.take(connection, import_id, leases.WORKING, by={"host": "another", "pid": 1, "started": 1.0})
    with pytest.raises(HaltedError, match="somebody else took over"):
        flow.validate(site, import_id, stays=True)


@pytest.mark.parametrize("scheduled", [False, True])
def test_who_was_left_for_dead_does_not_end_what_another_goes_on_with(
    site: ScriptedSite, source: ScriptedSource, monkeypatch: pytest.MonkeyPatch, *, scheduled: bool
):
    """A command line, or a run, that wakes while its successor is at work: it stops, and its last step leaves all alone."""
    if scheduled:
        first = tasks.Attempt("first", 1)
        monkeypatch.setattr(tasks, "ATTEMPT", SimpleNamespace(get=lambda: first))

    def taken_over(part: str, at: int) -> None:
        if part == "outputs" and at:
            source.before_page = lambda *_: None
            with database.connect(site.dsn) as connection:
                leases.fence(connection, 1)
                holder = "{}" if scheduled else '{"pid": 1, "host": "another"}'
                connection.execute(
                    "update ops.lease set holder = %s::jsonb, until = now() + interval '1 hour'", (holder,)
                )
                connection.execute("update ops.import set run_key = 'second'")
                connection.commit()

    source.before_page = taken_over
    with pytest.raises((HaltedError, database.SessionEndedError)):
        flow.run(site, Request(run_key="first", stays=not scheduled))
    with database.connect(site.dsn) as connection:
        assert connection.execute("select status, error from ops.import").fetchall() == [("running", None)]


def test_the_cause_is_told_not_what_follows_from_it(site: ScriptedSite, source: ScriptedSource, monkeypatch):
    """Also where a step failed before it could write anything down."""

    def fails(*_args: object, **_named: object) -> None:
        raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")

    monkeypatch.setattr(tasks, "_want_phase", fails)
    with pytest.raises(psycopg.errors.QueryCanceled):
        do_import(site)
    with database.connect(site.dsn) as connection:
        assert (
            descriptions.object_of(connection, 1)["error"]["message"] == "canceling statement due to statement timeout"
        )


def test_a_session_that_postgres_ended_says_so_wherever_it_was(site: ScriptedSite):
    def work() -> None:
        with database.connect(site.dsn, application=leases.session(7, "load")) as connection:
            with psycopg.connect(site.dsn, autocommit=True) as another:
                another.execute("select pg_terminate_backend(%s, 60000)", (connection.info.backend_pid,))
            connection.execute("select")

    with pytest.raises(database.SessionEndedError, match="session `explorer 7 load`: Postgres was restarted"):
        work()


def test_a_session_s_name_fits_into_what_postgres_keeps(site: ScriptedSite):
    names = {leases.session(7, f"read outputs:{'é' * 60}{n}") for n in range(3)}
    assert len(names) == 3
    assert all(len(name.encode()) <= 63 and name.startswith("explorer 7 read outputs:") for name in names)


def test_a_task_out_of_order_refuses_and_names_the_task(site: ScriptedSite):
    import_id = flow.open_import(site, Request(run_key="early"))
    with pytest.raises(HaltedError, match="only opened; clear the task before it"):
        flow.load(site, import_id)


def test_missing_staging_is_never_taken_for_an_empty_one(site: ScriptedSite):
    import_id = flow.open_import(site, Request(run_key="lost"))
    for part in flow.plan_parts(site, import_id):
        flow.read_part(site, import_id, part)
    with database.connect(site.dsn) as connection:
        for table in ("state", "part", "output"):  # what a crash of Postgres does to unlogged tables
            connection.execute(f"truncate import_{import_id}.{table}")
        connection.commit()
        with pytest.raises(HaltedError, match="emptied"):
            flow.settle(site, import_id)
        imports.drop_staging(connection, import_id)
        connection.commit()
        with pytest.raises(HaltedError, match="missing"):
            flow.settle(site, import_id)


def test_a_load_after_the_warehouse_moved_asks_for_another_review(site: ScriptedSite):
    import_id = flow.open_import(site, Request(run_key="late"))
    for part in flow.plan_parts(site, import_id):
        flow.read_part(site, import_id, part)
    for step in (flow.settle, flow.validate, flow.privacy_filter, flow.clean_up_orphans, flow.review):
        step(site, import_id)
    with database.connect(site.dsn) as connection:
        connection.execute("update ops.institution set version = version + 1")
        connection.commit()
    with pytest.raises(HaltedError, match="clear `review`"):
        flow.load(site, import_id)
    flow.review(site, import_id)
    flow.load(site, import_id)
    assert len(published(site)["outputs"]) == 8


def test_too_many_rejects_fail_the_import_and_can_be_read(site: ScriptedSite, source: ScriptedSource, tmp_path: Path):
    strict = make_site(site.dsn, tmp_path, source, rejected=0.05)
    source.put(Output(key="broken", place="oai:broken", refusal=Refusal("truncated", "it ends in the middle")))
    with pytest.raises(HaltedError, match="1 of 9 records"):
        do_import(strict)
    with database.connect(site.dsn) as connection:
        rows = connection.execute("select key, rule, reason from ops.rejected_record").fetchall()
        assert connection.execute("select status, error ->> 'code' from ops.import").fetchone() == (
            "failed",
            "too_many_rejected",
        )
        made = descriptions.object_of(connection, 1)
    assert rows == [("broken", "truncated", "it ends in the middle")]
    assert (made["tally"]["outputs"]["extracted"], made["tally"]["outputs"]["rejected"]) == (9, 1)
    assert made["tally"]["outputs"]["published"] == made["tally"]["outputs"]["added"] == 0
    assert made["error"]["task"] == "validate"


def test_an_output_with_another_key_and_the_same_identifier_is_updated(site: ScriptedSite, source: ScriptedSource):
    do_import(site)
    del source.outputs["o3"]
    source.put(output("renamed", doi="10.5555/o3"))
    made = do_import(site, full_import=True)
    tally = made["tally"]["outputs"]
    assert (tally["added"], tally["updated"], tally["removed"], tally["published"]) == (0, 1, 0, 8)


def test_when_only_departments_change_links_are_made_anew(site: ScriptedSite, source: ScriptedSource):
    do_import(site)
    source.tick = 2
    source.departments["unknown"] = Department("unknown", "Known now")
    made = do_import(site)
    assert made["mode"] == "incremental"
    assert made["tally"]["outputs"]["reexamined"] == 4
    assert published(site)["outputs"][0]["departments"] == ["Faculty of Science", "Known now"]
    source.tick = 4
    del source.departments["bio"]
    do_import(site)
    assert published(site)["outputs"][1]["departments"] == []


def test_two_institutions_do_not_see_each_other(site: ScriptedSite, source: ScriptedSource, tmp_path: Path):
    other = make_site(site.dsn, tmp_path, ScriptedSource(outputs={"o1": output("o1", authors="z")}), slug="blefuscu")
    do_import(site)
    do_import(other)
    assert [o["key"] for o in published(other)["outputs"]] == ["o1"]
    assert len(published(site)["outputs"]) == 8
    other.scripted.outputs.clear()
    do_import(other, full_import=True, approved=True)
    assert published(other)["outputs"] == []
    assert len(published(site)["outputs"]) == 8


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ("keep", {"both", "hidden", "none"}),
        ("remove_authorless", {"both", "hidden"}),
        ("remove_authorless_and_privacy", {"both"}),
    ],
)
def test_orphan_policies_tell_authorless_from_left_authorless_by_privacy(warehouse_dsn, tmp_path, policy, kept):
    source = ScriptedSource(abilities=Abilities(knows_privacy=True, lists_authors=True))
    source.departments = {}
    source.authors = {
        "p": Author("p", "Public, Person", level="public"),
        "h": Author("h", "Hidden, Person", level="private"),
    }

    def shown(key: str, *authors: str) -> Output:
        credits_ = tuple(Contribution(a, "Name, As Credited", level="public") for a in authors)
        return Output(key, identifiers=(Identifier("doi", f"10.5555/{key}"),), contributions=credits_, level="public")

    source.put(shown("both", "p", "h"))
    source.put(shown("hidden", "h"))
    source.put(shown("none"))
    site = make_site(warehouse_dsn, tmp_path, source, orphans=policy)
    made = do_import(site)
    assert {o["key"] for o in published(site)["outputs"]} == kept
    assert [a["name"] for a in published(site)["authors"]] == ["Public, Person"]
    assert made["tally"]["outputs"]["orphaned"] == 3 - len(kept)
    assert made["tally"]["authors"]["dropped_by_privacy"] == 1


LEVELS = ("public", "internal", "private", None, "nonsense")


@pytest.mark.parametrize("policy", ["public", "public_and_internal"])
@pytest.mark.parametrize("status", ["all", "current"])
@pytest.mark.parametrize("profile", ["all", "academic_or_student", "academic"])
def test_privacy_truth_table(warehouse_dsn, tmp_path, policy, status, profile):
    """Every level of output, author and authorship, status and profile: what is published, and no word of the rest."""
    allowed = {"public"} if policy == "public" else {"public", "internal"}
    people = [
        (level, current, academic, student)
        for level in LEVELS
        for current in (True, False, None)
        for academic, student in ((True, False), (False, True), (False, False), (None, None))
    ]
    source = ScriptedSource(abilities=Abilities(knows_privacy=True, lists_authors=True), page_size=500)
    for n, (level, current, academic, student) in enumerate(people):
        source.authors[f"p{n}"] = Author(
            f"p{n}", f"Secret{n}", level=level, current=current, academic=academic, student=student
        )
    for o, output_level in enumerate(LEVELS):
        for r, relation_level in enumerate(LEVELS):
            credited = tuple(Contribution(f"p{n}", f"Secret{n}", level=relation_level) for n in range(len(people)))
            identifier = (Identifier("doi", f"10.5555/{o}.{r}"),)
            source.put(
                Output(
                    f"{o}.{r}",
                    title=f"Title{o}.{r}",
                    identifiers=identifier,
                    contributions=credited,
                    level=output_level,
                )
            )
    site = make_site(warehouse_dsn, tmp_path, source, level=policy, status=status, profile=profile)
    made = do_import(site)

    def passes(person: tuple) -> bool:
        level, current, academic, student = person
        return (
            level in allowed
            and (status == "all" or current is True)
            and (profile == "all" or academic is True or (profile == "academic_or_student" and student is True))
        )

    visible = {f"p{n}" for n, person in enumerate(people) if passes(person)}
    shown = published(site)
    assert {a["key"] for a in shown["authors"]} == visible
    expected = {}
    for o, output_level in enumerate(LEVELS):
        for r, relation_level in enumerate(LEVELS):
            if output_level in allowed:
                expected[f"{o}.{r}"] = visible if relation_level in allowed else set()
    assert {o["key"]: {a["key"] for a in o["authors"]} for o in shown["outputs"]} == expected
    assert made["tally"]["outputs"]["dropped_by_privacy"] == 25 - len(expected)
    with database.connect(site.dsn) as connection:
        dump = _everything(connection)
    for n in range(len(people)):
        assert bool(re.search(rf"Secret{n}\b", dump)) == (f"p{n}" in visible)


def _everything(connection: psycopg.Connection) -> str:
    """Every row of every table of the database, as text."""
    tables = connection.execute(
        "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
    ).fetchall()
    return "\n".join(
        str(row[0])
        for schema, table in tables
        for row in connection.execute(f'select t::text from "{schema}"."{table}" t')
    )


def test_a_lease_is_renewed_again_after_its_session_was_ended(site: ScriptedSite, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.05)
    import_id = flow.open_import(site, Request(run_key="renewed", stays=True))

    def until(connection: psycopg.Connection) -> object:
        return connection.execute("select until from ops.lease where import_id = %s", (import_id,)).fetchone()[0]

    with (
        psycopg.connect(site.dsn, autocommit=True) as connection,
        tasks.working(site.dsn, import_id, "plan_parts", wants="opened", stays=True),
    ):
        for _ in range(2):
            before = until(connection)
            wait_until(lambda before=before: until(connection) != before)
            ended = connection.execute(
                "select pg_terminate_backend(pid, 60000) from pg_stat_activity"
                " where datname = current_database() and application_name = %s",
                (leases.session(import_id, "lease"),),
            ).fetchall()
            assert ended == [(True,)]


def test_setting_the_clock_kills_nobody(monkeypatch: pytest.MonkeyPatch):
    """The system gives the start of a process by its clock, which is set now and then."""
    before = leases.holder()
    boot_time = psutil._psplatform.boot_time
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: boot_time() + 3600)
    assert leases.holder() == before
    assert not leases.is_dead(before)
    assert leases.is_dead(before | {"started": before["started"] - 5})


def test_a_session_that_was_fenced_off_has_ended_with_its_locks(site: ScriptedSite):
    with database.connect(site.dsn, application=leases.session(7, "load")) as left, database.connect(site.dsn) as ours:
        left.execute("lock ops.institution")
        leases.fence(ours, 7)
        ours.execute("lock ops.institution nowait")
        left.close()


def test_of_two_lists_whose_names_begin_alike_each_is_read_by_its_own_worker(site: ScriptedSite):
    with (
        database.connect(site.dsn, application=leases.session(7, "read outputs:b c")) as beside,
        database.connect(site.dsn, application=leases.session(7, "read outputs:b")) as earlier,
        database.connect(site.dsn, application=leases.session(7, "read outputs:b")) as ours,
        database.connect(site.dsn, application=leases.session(70, "read outputs:b")) as another,
    ):
        leases.fence(ours, 7, "read outputs:b")
        with pytest.raises(psycopg.OperationalError):
            earlier.execute("select 1")
        earlier.close()
        beside.execute("select 1")
        beside.commit()
        leases.fence(ours, 7)
        with pytest.raises(psycopg.OperationalError):
            beside.execute("select 1")
        beside.close()
        another.execute("select 1")
