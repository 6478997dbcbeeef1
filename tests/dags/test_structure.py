"""The DAG of an institution as a readable dict, and the house rules that every DAG keeps."""

from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

GOOD = """\
name: Lilliput University
schedule: "0 3 * * 1"
timezone: Europe/London
source: {kind: spreadsheet}
"""
BROKEN = """\
name: Blefuscu College
source: {kind: spredsheet}
"""


@pytest.fixture
def dags(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict]:
    """Parse dags/ with these institutions; no import error is let through."""
    from airflow.dag_processing.dagbag import DagBag

    def parse(**institutions: str) -> dict:
        for slug, text in institutions.items():
            (tmp_path / f"{slug}.yaml").write_text(text)
        monkeypatch.setenv("EXPLORER_INSTITUTIONS", str(tmp_path))
        bag = DagBag(ROOT / "dags")
        assert bag.import_errors == {}
        return bag.dags

    return parse


def test_the_flow_of_an_import(dags):
    flow = dags(lilliput=GOOD)["import_lilliput"]
    after = {task.task_id: sorted(task.upstream_task_ids - {"open_import"}) for task in flow.topological_sort()}
    assert after == {
        "open_import": [],
        "extract.plan_parts": [],
        "extract.read_part": ["extract.plan_parts"],
        "extract.settle": ["extract.read_part"],
        "validate": ["extract.settle"],
        "privacy_filter": ["validate"],
        "clean_up_orphans": ["privacy_filter"],
        "review": ["clean_up_orphans"],
        "approve": ["review"],
        "load": ["approve"],
        "link_attention": ["load"],
        "notify": ["link_attention"],
        "close_staging": ["notify"],
    }


def test_as_many_lists_are_read_at_once_as_the_source_allows_connections(dags):
    repository = (
        "name: Laputa\nsource: {kind: oai_pmh, platform: generic, url: https://repo.laputa.example/oai,"
        " politeness: {connections: 5}}\n"
    )
    found = dags(lilliput=GOOD, laputa=repository)
    at_once = {name: found[f"import_{name}"].get_task("extract.read_part") for name in ("lilliput", "laputa")}
    assert {name: task.partial_kwargs["max_active_tis_per_dagrun"] for name, task in at_once.items()} == {
        "lilliput": 2,
        "laputa": 5,
    }


def test_what_is_begun_is_ended_before_other_runs_look_whether_it_is_their_turn(dags):
    flow = dags(lilliput=GOOD)["import_lilliput"]
    assert {str(task.weight_rule) for task in flow.tasks} == {"upstream"}


def test_what_turns_a_run_red_or_green(dags):
    flow = dags(lilliput=GOOD)["import_lilliput"]
    rules = {t.task_id: str(t.trigger_rule.value) for t in flow.tasks if str(t.trigger_rule.value) != "all_success"}
    assert rules == {
        "load": "none_failed",  # approval may be skipped
        "notify": "all_done_min_one_success",  # late attention holds no mail back
        "close_staging": "all_done_setup_success",
    }
    assert [t.task_id for t in flow.tasks if t.is_teardown] == ["close_staging"]
    assert not any(t.is_setup for t in flow.tasks), "clearing load must not clear open_import"
    assert flow.max_active_runs == 1
    assert flow.catchup is False


def test_the_trigger_form_offers_a_full_import_and_a_dry_run(dags):
    params = dags(lilliput=GOOD)["import_lilliput"].params
    assert {name: params.get_param(name).value for name in params} == {"full_import": False, "dry_run": False}
    assert all(params.get_param(name).description for name in params)


def test_a_broken_file_becomes_a_dag_that_fails_and_says_why_and_takes_nobody_with_it(dags):
    from airflow.sdk.exceptions import AirflowFailException

    found = dags(lilliput=GOOD, blefuscu=BROKEN)
    assert set(found) == {"import_lilliput", "import_blefuscu", "rollback", "release", "freshness", "attention"}
    (task,) = found["import_blefuscu"].tasks
    with pytest.raises(AirflowFailException, match=r"blefuscu\.yaml:2: source\.kind: .*spreadsheet"):
        task.python_callable()


def test_a_dag_says_what_its_tasks_do_and_what_to_do_when_one_fails(dags):
    flow = dags(lilliput=GOOD)["import_lilliput"]
    said = flow.doc_md.splitlines()
    assert "**Lilliput University**" in flow.doc_md
    assert [line.split("`")[1] for line in said if line.startswith("- ")] == [t.label for t in flow.topological_sort()]
    assert all(not line.endswith(": ") for line in said)
    assert "`bin/explorer rejects lilliput`" in flow.doc_md


def test_a_rollback_names_an_import_and_can_be_triggered_at_once(dags):
    from airflow.sdk.exceptions import ParamValidationError

    found = dags()
    assert [found[name].is_paused_upon_creation for name in ("rollback", "release")] == [False, False]
    params = found["rollback"].params
    with pytest.raises(ParamValidationError):
        params.get_param("to_import").resolve(0)
    assert params.get_param("to_import").resolve(3) == 3


def test_house_rules_of_every_dag(dags):
    found = dags(lilliput=GOOD, blefuscu=BROKEN)
    assert len(found) > 3
    for flow in found.values():
        assert flow.tags
        assert flow.doc_md
        for task in flow.tasks:
            assert task.owner == "explorer"
            assert task.doc_md, f"{task.task_id} does not say what it does"
            if "broken configuration" not in flow.tags:
                assert task.execution_timeout or task.task_id == "approve"
                assert task.retries >= 1


def test_parsing_twice_makes_the_same_dag(dags, tmp_path: Path):
    from airflow.serialization.serialized_objects import DagSerialization

    names = ("import_lilliput", "attention")
    bag = dags(lilliput=GOOD)
    first = [DagSerialization.to_dict(bag[name]) for name in names]
    again = dags()
    assert [DagSerialization.to_dict(again[name]) for name in names] == first
    assert "password" not in str(first).lower()


def test_a_single_task_parses_only_its_own_dag(dags, monkeypatch):
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "import_lilliput")
    found = dags(lilliput=GOOD, blefuscu=BROKEN)
    assert [name for name in found if name.startswith("import_")] == ["import_lilliput"]


def test_the_refresh_of_attention_asks_once_for_all_and_links_each(dags, tmp_path: Path):
    flow = dags(lilliput=GOOD, blefuscu=BROKEN)["attention"]
    assert {t.task_id: sorted(t.upstream_task_ids) for t in flow.tasks} == {
        "ask_for_attention": [],
        "link_again": ["ask_for_attention"],
        "who_checks_landing_pages": [],
        "check_landing_pages": ["who_checks_landing_pages"],
    }
    assert flow.max_active_runs == 1
    assert flow.catchup is False
    assert flow.get_task("ask_for_attention").op_args == (
        [str(tmp_path / "blefuscu.yaml"), str(tmp_path / "lilliput.yaml")],
    )


def test_publishing_outputs_refreshes_the_attention_of_that_institution_and_the_time_that_of_all(dags, tmp_path: Path):
    found = dags(lilliput=GOOD, blefuscu=GOOD.replace("Lilliput University", "Blefuscu College"))
    uris = {slug: f"explorer://warehouse/{slug}/research_output" for slug in ("lilliput", "blefuscu")}
    for slug, uri in uris.items():
        emitted = {(task.task_id, outlet.uri) for task in found[f"import_{slug}"].tasks for outlet in task.outlets}
        assert emitted == {("load", uri)}
    schedule = found["attention"].timetable
    assert {asset.uri for asset in schedule.asset_condition.objects} == set(uris.values())
    assert schedule.timetable.expression == "0 5 * * *"


def test_a_refresh_concerns_those_whose_outputs_were_published_or_all(dags, tmp_path: Path, monkeypatch):
    from airflow.sdk import Asset

    from explorer import pipeline, upkeep

    asked = []
    monkeypatch.setattr(upkeep, "ask_for_attention", lambda paths: asked.append(paths) or paths)
    ask = dags(lilliput=GOOD, blefuscu=GOOD)["attention"].get_task("ask_for_attention")
    paths = [str(tmp_path / "blefuscu.yaml"), str(tmp_path / "lilliput.yaml")]
    one = Asset(name="warehouse_lilliput", uri="explorer://warehouse/lilliput/research_output")
    for events in ({}, {one: ["an event"]}):
        monkeypatch.setattr(pipeline, "get_current_context", lambda events=events: {"triggering_asset_events": events})
        ask.python_callable(paths)
    assert asked == [paths, paths[1:]]


def test_without_institutions_attention_waits_for_its_time_alone(dags):
    assert dags()["attention"].timetable.expression == "0 5 * * *"


@pytest.mark.parametrize(
    "file", ["plugins/explorer/pipeline.py", *(f"dags/{f.name}" for f in (ROOT / "dags").glob("*.py"))]
)
def test_no_file_makes_a_new_version_of_its_dags_at_every_parse(file: str):
    from airflow.utils.dag_version_inflation_checker import check_dag_file_stability

    found = check_dag_file_stability(str(ROOT / file))
    assert not found.warnings
    assert not found.runtime_varying_values


def test_an_import_that_cannot_be_opened_alarms_the_operators(dags, monkeypatch):
    """Of what fails later `close_staging` tells; before there is an import nothing else does."""
    from types import SimpleNamespace

    from explorer import notices

    found = dags(lilliput=GOOD)
    told: list[tuple[str, str, str]] = []
    monkeypatch.setattr(notices, "tell_operators", lambda *said, run_url: told.append((*said, run_url)))
    for dag, name in (("import_lilliput", "open_import"), ("freshness", "look_who_is_late")):
        (callback,) = found[dag].get_task(name).on_failure_callback
        instance = SimpleNamespace(dag_id=dag, task_id=name, run_id="manual__1")
        callback({"task_instance": instance, "exception": ValueError("there is no connection lilliput_pure")})
        subject, sentence, page = told.pop()
        assert (subject, sentence) == (f"{dag}: {name} failed", f"{name}: there is no connection lilliput_pure")
        assert page.endswith(f"/dags/{dag}/runs/manual__1")
