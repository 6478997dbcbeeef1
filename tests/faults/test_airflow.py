"""What operators do in Airflow, and what happens to it: backfills, cleared tasks, a hold, the scheduler's death."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.airflow_site import AirflowSite, institution, rewrite, started, titles
from tests.browser import CHROMIUM, logged_in

pytestmark = pytest.mark.timeout(1500)

MANY = [f"n{n}" for n in range(10)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowSite]:
    folder = tmp_path_factory.mktemp("institutions")
    for slug in ("one", "cleared", "held", "guarded", "rejected", "looked_up", *MANY):
        institution(folder, slug, titles(slug, 60))
    with (folder / "looked_up.yaml").open("a") as yaml:
        yaml.write("attention: {provider: file, file: records.jsonl}\n")
    records_of(folder, 3)
    with started(tmp_path_factory.mktemp("place"), folder) as made:
        yield made


def records_of(folder: Path, count: int) -> None:
    """A file of attention records for the first outputs of an institution."""
    lines = [
        {"altmetric_id": n + 1, "doi": f"10.5555/looked_up.{n}", "cited_by_posts_count": n + 1} for n in range(count)
    ]
    (folder / "records.jsonl").write_text("\n".join(map(json.dumps, lines)))


def first_import(site: AirflowSite, slug: str) -> str:
    """The scheduled run that a DAG makes up for when it is switched on."""
    dag = f"import_{slug}"
    site.unpause(dag)
    site.wait(lambda: site.runs(dag), f"{dag} has a run")
    run = str(site.runs(dag)[0]["dag_run_id"])
    assert site.ended(dag, run) == "success", site.states(dag, run)
    return run


def overlapping(site: AirflowSite) -> list[tuple]:
    """Imports of one institution that were at work at the same time."""
    return site.rows(
        "select a.institution, a.id, b.id from ops.import a join ops.import b on a.institution = b.institution"
        " and a.id < b.id and b.started_at < coalesce(a.finished_at, 'infinity')"
    )


def test_a_task_that_is_cleared_on_a_finished_import_does_nothing_and_says_so(site: AirflowSite):
    run = first_import(site, "cleared")
    before = site.rows("select xmin::text, * from warehouse.research_output where institution = 'cleared' order by key")
    assert len(before) == 60
    for attempt, task, state, said in (
        (2, "review", "skipped", "there is nothing left to do"),
        (3, "load", "success", "published already: there is nothing to do"),  # it was cleared with the review, too
    ):
        site.clear("import_cleared", run, task)
        site.wait(lambda: site.states("import_cleared", run)["close_staging"] != "success", "it was cleared")
        assert site.ended("import_cleared", run) == "success"
        states = site.states("import_cleared", run)
        assert states[task] == state, states
        assert said in site.log("import_cleared", run, task, attempt)
    assert (
        site.rows("select xmin::text, * from warehouse.research_output where institution = 'cleared' order by key")
        == before
    )
    assert site.rows("select count(*) from ops.import where institution = 'cleared'") == [(1,)]


def test_a_rollback_holds_the_institution_until_it_is_released_in_the_ui(site: AirflowSite):
    first_import(site, "held")
    rewrite(site.folder, "held", titles("held", 70))
    run = site.trigger("import_held")
    assert site.ended("import_held", run) == "success"
    (first,) = site.rows("select min(id) from ops.import where institution = 'held'")[0]
    for dag in ("rollback", "release"):
        site.unpause(dag)
    run = site.trigger("rollback", institution="held", to_import=first)
    assert site.ended("rollback", run) == "success"
    count = "select count(*) from warehouse.research_output where institution = 'held'"
    assert site.rows(count) == [(60,)]
    run = site.trigger("import_held")
    assert site.ended("import_held", run) == "success"
    assert site.states("import_held", run)["open_import"] == "skipped"
    assert "the DAG `release` or `bin/explorer release held` lifts that" in site.log("import_held", run, "open_import")
    assert site.rows(count) == [(60,)]
    for expected in ("success", "skipped"):
        run = site.trigger("release", institution="held")
        assert site.ended("release", run) == "success"
        assert site.states("release", run) == {"release": expected}
    run = site.trigger("import_held")
    assert site.ended("import_held", run) == "success"
    assert site.rows(count) == [(70,)]
    (rolled_back,) = site.rows("select max(id) from ops.import where institution = 'held' and kind = 'rollback'")[0]
    assert site.rows("select mode, reason from ops.import where institution = 'held' order by id desc limit 1") == [
        ("full", f"the last change, import {rolled_back}, was a rollback")
    ]  # fmt: skip


def test_attention_is_refreshed_when_outputs_were_published(site: AirflowSite):
    first_import(site, "looked_up")
    linked = "select count(*) from attention.link where institution = 'looked_up' and state = 'linked'"
    assert site.rows(linked) == [(3,)]
    site.unpause("attention")
    before = {run["dag_run_id"] for run in site.runs("attention")}
    records_of(site.folder, 5)
    rewrite(site.folder, "looked_up", titles("looked_up", 61))
    run = site.trigger("import_looked_up")
    site.wait(
        lambda: any(
            r["run_type"] == "asset_triggered" and r["dag_run_id"] not in before for r in site.runs("attention")
        ),
        "publishing has started a refresh",
    )
    assert site.ended("import_looked_up", run) == "success"
    (refresh,) = [
        r["dag_run_id"]
        for r in site.runs("attention")
        if r["run_type"] == "asset_triggered" and r["dag_run_id"] not in before
    ]
    assert site.ended("attention", refresh) == "success", site.states("attention", refresh)
    assert site.rows(linked) == [(5,)]
    assert "looked_up" in site.log("attention", refresh, "ask_for_attention")
    assert site.states("attention", refresh)["link_again"] == "success"


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, a package of the system (or its path in CHROMIUM)")
def test_a_person_approves_or_rejects_in_the_browser(site: AirflowSite):
    for slug in ("guarded", "rejected"):
        first_import(site, slug)
        rewrite(site.folder, slug, titles(slug, 30))
    runs = {slug: site.trigger(f"import_{slug}") for slug in ("guarded", "rejected")}
    for slug, run in runs.items():
        site.wait(
            lambda slug=slug, run=run: site.states(f"import_{slug}", run).get("approve") in {"deferred", "awaiting_input"},
            f"{slug} waits", 900,
        )  # fmt: skip
        assert site.rows("select count(*) from warehouse.research_output where institution = %s", slug) == [(60,)]
    with logged_in(site) as page:
        for slug, button in (("guarded", "Approve"), ("rejected", "Reject")):
            page.goto(f"{site.airflow.address}/dags/import_{slug}/runs/{runs[slug]}/tasks/approve/required_actions")
            page.get_by_text("Nothing has changed yet").first.wait_for()
            page.get_by_role("button", name=button).click()
    for slug, status, published in (("guarded", "succeeded", 30), ("rejected", "declined", 60)):
        site.ended(f"import_{slug}", runs[slug])
        assert site.rows("select status from ops.import where institution = %s order by id desc limit 1", slug) == [
            (status,)
        ]
        assert site.rows("select count(*) from warehouse.research_output where institution = %s", slug) == [
            (published,)
        ]


def test_the_scheduler_dies_and_the_run_ends_right(site: AirflowSite):
    site.unpause("import_one")
    site.wait(lambda: site.runs("import_one"), "there is a run")
    run = str(site.runs("import_one")[0]["dag_run_id"])
    site.wait(lambda: site.states("import_one", run).get("validate") == "running", "it validates")
    site.kill("scheduler")
    site.restart("scheduler")
    assert site.ended("import_one", run, 600) == "success", site.states("import_one", run)
    assert site.rows("select status, tally #>> '{outputs,published}' from ops.import where institution = 'one'") == [
        ("succeeded", "60")
    ]
    assert site.rows("select count(*) from warehouse.research_output where institution = 'one'") == [(60,)]


def test_ten_institutions_are_backfilled_at_once(site: AirflowSite):
    """As in the runbook, the last two days: one at the command line, the others as the UI does it, before they are on."""
    now = datetime.now(UTC)
    first, last = (now - timedelta(days=2)).isoformat(), now.isoformat()
    for slug in MANY:
        site.wait(lambda slug=slug: site.get(f"dags/import_{slug}"), f"import_{slug} is known")
    for slug in MANY[1:]:
        body = {
            "dag_id": f"import_{slug}", "from_date": first, "to_date": last, "dag_run_conf": {"full_import": True},
            "reprocess_behavior": "completed", "max_active_runs": 10,
        }  # fmt: skip
        assert site.session.call("POST", "backfills", body)
    site.cli(
        "backfill", "create", "--dag-id", f"import_{MANY[0]}", "--from-date", first, "--to-date", last,
        "--dag-run-conf", '{"full_import": true}', "--reprocess-behavior", "completed",
    )  # fmt: skip
    for slug in MANY:
        site.unpause(f"import_{slug}")
    for slug in MANY:
        dag = f"import_{slug}"
        site.wait(
            lambda dag=dag: len([r for r in site.runs(dag) if r["run_type"] == "backfill"]) == 2
            and all(r["state"] in {"success", "failed"} for r in site.runs(dag)),
            f"all runs of {dag} end", 1400,
        )  # fmt: skip
        assert {r["state"] for r in site.runs(dag)} == {"success"}
        for run in site.runs(dag):
            if run["run_type"] == "backfill":
                assert site.states(dag, run["dag_run_id"])["load"] == "success"
    assert overlapping(site) == []
    assert site.rows(
        "select institution, count(*) from ops.import where institution ~ '^n[0-9]$' and run_key ~ '^backfill'"
        " and mode = 'full' and reason in ('a full import was asked for', 'the first import') and status = 'succeeded'"
        " group by 1 order by 1"
    ) == [(slug, 2) for slug in MANY]
    assert site.rows(
        "select institution, count(*) from warehouse.research_output where institution ~ '^n[0-9]$' group by 1 order by 1"
    ) == [(slug, 60) for slug in MANY]
