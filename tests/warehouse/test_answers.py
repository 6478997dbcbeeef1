"""An import that waits for a person: late answers, answers after the warehouse moved, and what was overtaken meanwhile."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from explorer import database, flow, leases, local, upkeep
from explorer.imports import BusyError, FinishedError, HaltedError
from explorer.planning import Request
from simulators.mail import MailSink
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site
from tests.warehouse.test_flow import do_import, output, published

pytestmark = pytest.mark.usefixtures("without_expectations")


@pytest.fixture
def site(warehouse_dsn: str, tmp_path: Path) -> ScriptedSite:
    source = ScriptedSource(outputs={f"o{n}": output(f"o{n}") for n in range(60)}, page_size=30)
    made = make_site(warehouse_dsn, tmp_path, source, removed=0.2)
    do_import(made)
    return made


@pytest.fixture
def waiting(site: ScriptedSite) -> int:
    """The number of an import that waits."""
    site.scripted.outputs = {f"o{n}": output(f"o{n}") for n in range(20)}
    made = do_import(site, full_import=True)
    assert made["status"] == "awaiting_approval"
    return int(made["import_id"])


def sql(site: ScriptedSite, statement: str) -> list[tuple]:
    with database.connect(site.dsn) as connection:
        cursor = connection.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
        connection.commit()
        return rows


def test_an_import_waits_for_its_answer_for_days(site: ScriptedSite, waiting: int):
    lease = f"select until - now() > interval '71 hours', holder from ops.lease where import_id = {waiting}"
    assert sql(site, lease) == [(True, {})]
    sql(site, "update ops.lease set until = until - interval '2 days'")
    with pytest.raises(BusyError, match="waits for approval"):
        do_import(site)


def test_the_operators_are_mailed_what_waits_and_where_to_answer(
    site: ScriptedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    site.scripted.outputs = {f"o{n}": output(f"o{n}") for n in range(20)}
    with MailSink(tmp_path / "mails") as sink:
        extra = {"disable_ssl": True, "disable_tls": True, "operators": "night@explorer.example"}
        stated = {"conn_type": "smtp", "host": "127.0.0.1", "port": sink.port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(stated))
        page = "https://airflow.lilliput.example/dags/import_lilliput/runs/manual__2"
        import_id = flow.open_import(site, Request(run_key="manual__2", full_import=True, run_url=page, stays=True))
        flow.go_on(site, import_id)
    [alarm] = sink.messages()
    words = " ".join(alarm.text.split())
    assert alarm.recipients == ("night@explorer.example",)
    assert alarm.subject == f"Lilliput University: import {import_id} waits for approval"
    assert "40 of 60 outputs (67%) would be removed" in words
    assert "`bin/explorer approve lilliput` or `bin/explorer reject lilliput`" in words
    assert f"The run: {page}" in words


def test_what_was_reviewed_under_another_configuration_is_not_published(
    site: ScriptedSite, waiting: int, tmp_path: Path
):
    """Who chose stricter rules of privacy while an import waited does not get what the old ones let pass."""
    stricter = make_site(site.dsn, tmp_path, site.scripted, removed=0.2, status="current")
    flow.answer(stricter, waiting, approved=True, by="somebody")
    with pytest.raises(HaltedError, match=f"changed while import {waiting} was under way, so it is not gone on with"):
        flow.go_on(stricter, waiting, answered=True)
    assert sql(site, f"select status, published_at from ops.import where id = {waiting}") == [("failed", None)]
    assert len(published(stricter)["outputs"]) == 60
    assert do_import(stricter)["mode"] == "full"


def test_approval_after_its_time_ends_the_import_and_changes_nothing(site: ScriptedSite, waiting: int):
    sql(site, f"update ops.lease set until = now() - interval '1 minute' where import_id = {waiting}")
    with pytest.raises(FinishedError, match=r"could be approved until .* UTC; it has ended and nothing has changed"):
        flow.answer(site, waiting, approved=True, by="somebody")
    assert sql(site, f"select status, approved_by from ops.import where id = {waiting}") == [("declined", None)]
    flow.close_staging(site, waiting)
    assert len(published(site)["outputs"]) == 60


def test_an_import_without_an_answer_ends_though_nobody_imports_again(
    site: ScriptedSite, waiting: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(local, "warehouse_dsn", lambda: site.dsn)
    upkeep.look_who_is_late([])
    assert sql(site, f"select status from ops.import where id = {waiting}") == [("awaiting_approval",)]
    sql(site, f"update ops.lease set until = now() - interval '1 minute' where import_id = {waiting}")
    upkeep.look_who_is_late([])
    assert sql(site, f"select status from ops.import where id = {waiting}") == [("declined",)]
    assert sql(site, f"select to_regnamespace('import_{waiting}')") == [(None,)]
    assert do_import(site, full_import=True)["status"] == "awaiting_approval"


def test_an_answer_leaves_no_holder_whose_end_looks_like_a_death(site: ScriptedSite, waiting: int):
    flow.answer(site, waiting, approved=True, by="a task that ends with its answer")
    assert sql(site, f"select holder from ops.lease where import_id = {waiting}") == [({},)]
    with pytest.raises(FinishedError, match="does not wait for approval"):
        flow.answer(site, waiting, approved=True, by="somebody else", stays=True)
    assert sql(site, f"select holder from ops.lease where import_id = {waiting}") == [({},)]


def test_an_approval_after_the_warehouse_moved_is_asked_for_again(site: ScriptedSite, waiting: int):
    sql(site, "update ops.institution set version = version + 1")
    flow.answer(site, waiting, approved=True, by="somebody")
    flow.go_on(site, waiting, answered=True)
    assert sql(site, f"select status, error from ops.import where id = {waiting}") == [("awaiting_approval", None)]
    assert len(published(site)["outputs"]) == 60
    flow.answer(site, waiting, approved=True, by="somebody")
    flow.go_on(site, waiting, answered=True)
    assert len(published(site)["outputs"]) == 20


def test_a_rollback_in_the_moment_of_an_approval_does_not_end_what_was_approved(site: ScriptedSite, waiting: int):
    """The answer is under way: it holds the import's row and commits while the rollback asks who is at work."""
    with (
        ThreadPoolExecutor(1) as threads,
        database.connect(site.dsn) as answering,
        database.connect(site.dsn) as looking,
    ):
        answering.execute("update ops.import set status = 'running' where id = %s", (waiting,))
        leases.take(answering, waiting, timedelta(minutes=1))
        rolling = threads.submit(upkeep.rollback, site, to_import=1, by="somebody")
        while not looking.execute("select count(*) from pg_locks where not granted").fetchall()[0][0]:
            assert not rolling.done()
            looking.rollback()
        answering.commit()
        with pytest.raises(BusyError, match=f"import {waiting} of lilliput is at work"):
            rolling.result()
    flow.go_on(site, waiting, answered=True)
    assert len(published(site)["outputs"]) == 20


def test_a_rollback_drops_the_staging_of_an_import_that_waited(site: ScriptedSite, waiting: int):
    upkeep.rollback(site, to_import=1, by="somebody")
    assert sql(site, f"select status, to_regnamespace('import_{waiting}') from ops.import where id = {waiting}") == [
        ("declined", None)
    ]


@pytest.mark.parametrize("since", ["an import", "a rollback"])
def test_a_failed_import_is_not_taken_up_again_after_a_newer_one(site: ScriptedSite, since: str):
    source = site.scripted
    old = flow.open_import(site, Request(run_key="old"))
    for part in flow.plan_parts(site, old):
        flow.read_part(site, old, part)
    for step in (flow.settle, flow.validate, flow.privacy_filter, flow.clean_up_orphans, flow.review):
        step(site, old)
    flow.close_staging(site, old)  # a task failed
    source.put(output("o1", title="Newer"))
    do_import(site)
    if since == "a rollback":
        upkeep.rollback(site, to_import=1, by="somebody")
    before = published(site)
    for step in (flow.review, flow.load, flow.validate):
        with pytest.raises(HaltedError, match=f"what import {old} read is older and would undo it"):
            step(site, old)
    with pytest.raises(HaltedError, match="start a new run"):
        flow.open_import(site, Request(run_key="old"))
    assert published(site) == before
    assert sql(site, f"select status from ops.import where id = {old}") == [("failed",)]


def test_a_call_while_an_import_waits_says_so_and_has_not_failed(explorer: Callable[..., Result], tmp_path: Path):
    rows = [f"Gulliver,Eggs,10.5555/waits.{n}\n" for n in range(60)]
    sheet, place = tmp_path / "p.csv", tmp_path / "lilliput.yaml"
    place.write_text("name: Lilliput\nsource: {kind: spreadsheet, publications: p.csv}\n", encoding="utf-8")
    sheet.write_text("Author,Department,DOI\n" + "".join(rows), encoding="utf-8")
    assert explorer("import", place).exit_code == 0
    sheet.write_text("Author,Department,DOI\n" + "".join(rows[:20]), encoding="utf-8")
    assert explorer("import", place).exit_code == 3
    for switch in ("--full", "--dry-run", "--approve"):
        again = explorer("import", place, switch, "--json")
        made = json.loads(again.stdout)
        assert (again.exit_code, made["import_id"], made["status"]) == (3, 2, "awaiting_approval")
        assert "error" not in made
        assert "import 2 of lilliput waits for approval: `bin/explorer approve lilliput` or" in again.stderr
    assert "import 2 waits for approval, nothing has changed yet" in explorer("import", place).stdout
    with database.connect(local.warehouse_dsn()) as connection:
        connection.execute(
            "update ops.import set run_url = 'http://airflow.example/dags/import_lilliput/runs/r' where id = 2"
        )
        connection.commit()
    approved = explorer("approve", place)
    assert approved.exit_code == 0
    assert (
        "its run in Airflow still asks; answer there, too, or the next run waits: http://airflow.ex" in approved.stderr
    )
    assert explorer("import", place).exit_code == 0


def test_files_that_are_sent_while_an_import_waits_are_not_stored_and_that_is_said(
    explorer: Callable[..., Result], tmp_path: Path
):
    place = tmp_path / "lilliput.yaml"
    place.write_text("name: Lilliput\nsource: {kind: spreadsheet}\n", encoding="utf-8")
    for number, status in ((60, 0), (20, 3), (59, 3)):
        rows = [f"Gulliver,Eggs,10.5555/waits.{n}\n" for n in range(number)]
        (sheet := tmp_path / f"{number}.csv").write_text("Author,Department,DOI\n" + "".join(rows), encoding="utf-8")
        sent = explorer("upload", place, sheet)
        assert sent.exit_code == status
    assert "these files were not stored: send them again then" in sent.stderr
    assert len(json.loads(explorer("uploads", "lilliput", "--json").stdout)) == 2
