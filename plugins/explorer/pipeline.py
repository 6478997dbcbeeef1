"""The flow of one institution's DAG, on one screen. A task is one call; what it does stands in ``flow``."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import (
    DAG,
    Asset,
    AssetAny,
    AssetOrTimeSchedule,
    CronTriggerTimetable,
    Param,
    PokeReturnValue,
    TriggerRule,
    conf,
    dag,
    get_current_context,
    task,
    task_group,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from explorer import config
from explorer.config import ConfigError, Institution

if TYPE_CHECKING:
    from explorer.sites import Site

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

OWNER = "explorer"
PARAMS = {
    "full_import": Param(
        False, type="boolean", title="Full import", description="Reset and import everything, not only what changed."
    ),
    "dry_run": Param(
        False, type="boolean", title="Dry run", description="Stop after the review and report the difference."
    ),
}
INSTITUTION = Param(
    "",
    type="string",
    minLength=1,
    title="Institution",
    description="Its slug: the name of its DAG behind import_.",
)
DEFAULTS: dict[str, Any] = {
    "owner": OWNER,
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
    "execution_timeout": timedelta(hours=2),
    "weight_rule": "upstream",  # what is begun is ended first: runs that wait for their turn do not go before the work
}


def import_dag(path: Path, institution: Institution) -> DAG:
    """The DAG ``import_<slug>`` of an institution."""

    @dag(
        dag_id=f"import_{institution.slug}",
        dag_display_name=f"Import {institution.name}",
        description=f"{institution.name}: research outputs, authors and departments from {institution.source.kind}",
        schedule=institution.cron,
        start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - the DAG's time zone applies
        catchup=False,
        max_active_runs=1,
        params=PARAMS,
        tags=["import", *_kind(institution)],
        default_args=DEFAULTS,
    )
    def flow_of_an_import() -> None:
        import_id: Any = open_import(str(path))
        read = extract(str(path), import_id, at_once=institution.source.politeness.connections)
        reviewed = in_a_row(str(path), import_id, after=read)
        approved = Approval(task_id="approve", doc_md=Approval.__doc__, yaml=str(path), import_id=import_id)
        loaded = load.override(outlets=[published_outputs(path)])(str(path), import_id)
        linked = link_attention(str(path), import_id)
        mailed = notify(str(path), import_id)
        closed = close_staging(str(path), import_id).as_teardown()
        reviewed >> approved >> loaded >> linked >> mailed >> closed

    made = flow_of_an_import()
    made.doc_md = _in_words(institution, made)
    return made


def _in_words(institution: Institution, flow: DAG) -> str:
    """What the UI says about an institution's DAG, as Markdown: of each task the first line of what it says itself."""
    tasks = [f"- `{task.label}`: {(task.doc_md or '').splitlines()[0]}" for task in flow.tasks]
    slug = institution.slug
    return f"""\
Imports the research outputs, authors and departments of **{institution.name}** from a source of kind
`{institution.source.kind}`, as `{institution.path.name}` says. Readers see the old state until `load` has published the new.

{chr(10).join(tasks)}

*Full import* reads everything again. *Dry run* stops after `review` and publishes nothing. `bin/explorer diff {slug}`
lists what an import changed, or would change; `bin/explorer rejects {slug}` lists what it left out, and why.

The log of a task that failed ends with what to do. Clear the task then, with what follows: it goes on where it stopped. The
DAG `rollback` goes back to an earlier import. More: `docs/runbook.md`.
"""


def published_outputs(path: Path) -> Asset:
    """The outputs of an institution in the warehouse, as Airflow knows them: changed by `load`, waited for by `attention`."""
    slug = config.slug_of(path)
    return Asset(name=f"warehouse_{slug}", uri=f"explorer://warehouse/{slug}/research_output", group="warehouse")


def tell_operators(context: Any) -> None:
    """Alarms about a failed task for which no import stands yet; of the others `close_staging` tells."""
    from explorer import upkeep

    instance = context["task_instance"]
    page = page_of(instance.dag_id, instance.run_id)
    upkeep.tell_of_failure(instance.dag_id, instance.task_id, context.get("exception"), page)


def page_of(dag_id: str, run_id: str) -> str:
    """The page of a run; no whole address where Airflow does not say under which it is reached (`api.base_url`)."""
    return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/{dag_id}/runs/{run_id}"


@task.sensor(
    on_failure_callback=tell_operators,
    mode="reschedule",
    poke_interval=20,
    exponential_backoff=True,  # a hundred runs of ten backfills that wait are a task a second, not five
    max_wait=120,
    timeout=timedelta(days=2).total_seconds(),
)
def open_import(path: str) -> PokeReturnValue:
    """Takes the institution for this run: full or incremental, and why.

    While another import is at work, a scheduled run ends quietly; one that somebody asked for, by hand or as a backfill,
    waits for its turn and holds no worker meanwhile.
    """
    from explorer import flow, sites
    from explorer.imports import BusyError
    from explorer.planning import Request

    context = get_current_context()
    run: Any = context["dag_run"]
    request = Request(
        run_key=run.run_id,
        full_import=bool(context["params"]["full_import"]),
        dry_run=bool(context["params"]["dry_run"]),
        run_url=page_of(run.dag_id, run.run_id),
    )
    with told():
        try:
            return PokeReturnValue(is_done=True, xcom_value=flow.open_import(sites.site(path), request))
        except BusyError as error:
            if error.code != "busy" or run.run_type not in {"manual", "backfill"}:
                raise
            log.info("waits for its turn: %s", error)
            return PokeReturnValue(is_done=False)


@task_group
def extract(path: str, import_id: Any, at_once: int) -> Any:
    """Streams the source into staging: each list of it page by page, side by side, going on where it stopped."""
    # each has one request under way; the rate of all together is kept in the warehouse
    read = (
        read_part.override(max_active_tis_per_dagrun=at_once)
        .partial(path=path, import_id=import_id)
        .expand(part=plan_parts(path, import_id))
    )
    settled = settle(path, import_id)
    read >> settled
    return settled


@task
def plan_parts(path: str, import_id: Any) -> list[str]:
    """Asks the source which lists there are to read: departments, outputs, one for each chosen set."""
    from explorer import flow

    return step(flow.plan_parts, path, import_id)


@task(
    execution_timeout=timedelta(hours=12),
    map_index_template="{{ part }}",
    doc_md="Reads one list of the source: a page and the cursor behind it are committed together.",
)
def read_part(path: str, import_id: Any, part: str) -> int:
    """Reads one list of the source: a page and the cursor behind it are committed together."""
    from explorer import flow

    get_current_context()["part"] = part  # type: ignore[typeddict-unknown-key]
    return step(flow.read_part, path, import_id, part)


@task
def settle(path: str, import_id: Any) -> None:
    """Says which of several copies of a record counts, what the source deleted and what could not be read."""
    from explorer import flow

    step(flow.settle, path, import_id)


def in_a_row(path: str, import_id: Any, after: Any) -> Any:
    """Validation, privacy, orphans, review: each works on what the one before left in staging."""
    for one in (validate, privacy_filter, clean_up_orphans, review):
        before, after = after, one(path, import_id)
        before >> after
    return after


@task
def validate(path: str, import_id: Any) -> None:
    """Great Expectations over staging: a bad record is rejected with its reason, too many fail the import."""
    from explorer import flow

    step(flow.validate, path, import_id)


@task
def privacy_filter(path: str, import_id: Any) -> None:
    """Drops what the institution does not share; records the rule that dropped, never the thing."""
    from explorer import flow

    step(flow.privacy_filter, path, import_id)


@task
def clean_up_orphans(path: str, import_id: Any) -> None:
    """Keeps or removes outputs without authors, as the institution chose."""
    from explorer import flow

    step(flow.clean_up_orphans, path, import_id)


@task
def review(path: str, import_id: Any) -> str:
    """Works out the difference with what is published, once; nothing has changed yet."""
    from explorer import flow

    return step(flow.review, path, import_id)


class Approval(HITLOperator):
    """Waits for a person where an import would remove more than the limit; skipped otherwise."""

    template_fields = (*HITLOperator.template_fields, "import_id")

    def __init__(self, *, yaml: str, import_id: Any, **arguments: Any) -> None:
        super().__init__(
            subject="Publish an import that removes much?",
            options=["Approve", "Reject"],
            response_timeout=timedelta(days=3),
            retries=2,  # a question that gets lost is asked again
            **arguments,
        )
        self.yaml = yaml
        self.import_id = import_id

    def execute(self, context: Any) -> Any:
        """Asks, with the numbers, if the review says that a person must answer."""
        from explorer import descriptions

        text = step(descriptions.approval_text, self.yaml, self.import_id)
        if text is None:
            raise AirflowSkipException("no approval needed")
        self.body = text
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Passes the answer on; a rejected import ends and has changed nothing."""
        from explorer import flow

        if "error" in event:
            step(flow.answer, self.yaml, self.import_id, approved=False, by="no answer in time")
            raise AirflowSkipException("no answer in time: declined, nothing has changed")
        approved = event["chosen_options"] == ["Approve"]
        by = (event.get("responded_by_user") or {}).get("name") or "somebody"
        step(flow.answer, self.yaml, self.import_id, approved=approved, by=by)
        if not approved:
            raise AirflowSkipException(f"declined by {by}: nothing has changed")
        return None


@task(trigger_rule=TriggerRule.NONE_FAILED)
def load(path: str, import_id: Any) -> None:
    """Publishes in one transaction: readers see the old state or the new one."""
    from explorer import flow

    step(flow.load, path, import_id)
    context = get_current_context()
    context["outlet_events"][published_outputs(Path(path))].extra = {"import": import_id}


@task
def link_attention(path: str, import_id: Any) -> str:
    """Asks for the attention of outputs and links them by identifier; the import stands without it."""
    from explorer import flow

    return step(flow.link_attention, path, import_id)


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
def notify(path: str, import_id: Any) -> None:
    """Mails the institution: the tally, the rejects by reason, the duration. Sends nothing twice."""
    from explorer import flow

    step(flow.notify, path, import_id)


@task(retries=1)
def close_staging(path: str, import_id: Any) -> str:
    """Drops staging after a good end; after a failure it stays a while, so that a task can be cleared and run again."""
    from explorer import flow

    return step(flow.close_staging, path, import_id)


def step(
    do: Callable[Concatenate[Site, int, P], T], path: str, import_id: int | None, *arguments: P.args, **named: P.kwargs
) -> T:
    """One call of a function of ours on the import of this run; handed over, not named, so that it is known to be there."""
    from explorer import sites, tasks

    if import_id is None:
        raise AirflowSkipException("this run opened no import")
    context = get_current_context()
    tasks.ATTEMPT.set(tasks.Attempt(context["dag_run"].run_id, context["ti"].try_number))
    with told():
        return do(sites.site(path), int(import_id), *arguments, **named)


@contextmanager
def told() -> Iterator[None]:
    """Says to Airflow what an error means: nothing to do is a skip, what no retry can mend fails at once."""
    from explorer.connections import ConnectionUnusableError
    from explorer.imports import BusyError, FinishedError, HaltedError
    from explorer.mail import RefusedError

    try:
        yield
    except (BusyError, FinishedError) as error:
        raise AirflowSkipException(str(error)) from error
    except (ConfigError, ConnectionUnusableError, HaltedError, RefusedError) as error:
        raise AirflowFailException(str(error)) from error


def rollback_dag() -> DAG:
    """Publishes what was published after an earlier import of an institution, minus what privacy has removed since.

    The institution is then on hold, or else its schedule would undo this: the DAG `release` lets it go on, and its next import
    is full. A dry run says what would change, and changes nothing.
    """

    @dag(
        dag_id="rollback",
        dag_display_name="Roll an institution back",
        doc_md=inspect.getdoc(rollback_dag),
        schedule=None,
        is_paused_upon_creation=False,  # it has no schedule: on, whoever triggers it need not know
        start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - never scheduled
        max_active_runs=1,
        params={
            "institution": INSTITUTION,
            "to_import": Param(
                0,
                type="integer",
                minimum=1,
                title="Import",
                description="The number of the import after which it should be as it was: its mail, the log of its"
                " open_import and bin/explorer status say it. If it is none of them, the task's log lists them.",
            ),
            "dry_run": Param(
                False, type="boolean", title="Dry run", description="Work out the difference and change nothing."
            ),
        },
        tags=["rollback"],
        default_args={**DEFAULTS, "retries": 1},
    )
    def roll_back() -> None:
        @task
        def rollback() -> int:
            """Publishes what was published after that import, minus what privacy has removed since."""
            from explorer import sites, upkeep

            context = get_current_context()
            params, run = context["params"], context["dag_run"].run_id
            with told():
                return upkeep.rollback(
                    sites.site_of(params["institution"]),
                    to_import=params["to_import"],
                    by=f"Airflow run {run}",
                    dry_run=params["dry_run"],
                    run_key=run,
                )

        rollback()

    return roll_back()


def release_dag() -> DAG:
    """Lifts the hold that a rollback has put an institution on: its schedule goes on, and its next import is full."""

    @dag(
        dag_id="release",
        dag_display_name="Release an institution",
        doc_md=inspect.getdoc(release_dag),
        schedule=None,
        is_paused_upon_creation=False,  # it has no schedule: on, whoever triggers it need not know
        start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - never scheduled
        max_active_runs=1,
        params={"institution": INSTITUTION},
        tags=["rollback"],
        default_args={**DEFAULTS, "retries": 1},
    )
    def let_go() -> None:
        @task
        def release() -> str:
            """Lifts the hold, and says why it was there; the institution's next import is full."""
            from explorer import sites, upkeep

            slug = get_current_context()["params"]["institution"]
            with told():
                because = upkeep.release(sites.site_of(slug))
            if because is None:
                raise AirflowSkipException(f"{slug} is not on hold; nothing to do")
            log.info("%s was on hold (%s); it is released, and its next import is full", slug, because)
            return because

        release()

    return let_go()


def freshness_dag(folders: Sequence[Path]) -> DAG:
    """Alarms the operators, once a day for each, about institutions whose import is overdue or whose YAML is broken."""

    @dag(
        dag_id="freshness",
        dag_display_name="Who is late?",
        doc_md=inspect.getdoc(freshness_dag),
        schedule="@hourly",
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        tags=["operations"],
        default_args={**DEFAULTS, "retries": 1},
    )
    def look() -> None:
        @task(on_failure_callback=tell_operators)
        def look_who_is_late() -> int:
            """Compares the last published import of each institution with `expected_every` of its YAML."""
            from explorer import upkeep

            with told():
                return len(upkeep.look_who_is_late(folders))

        look_who_is_late()

    return look()


def attention_dag(paths: Sequence[Path]) -> DAG:
    """Asks for the attention that is due, for all institutions together, and links it for each.

    It runs once a day for all institutions, and whenever outputs were published, for those of whom they are. Landing pages
    are visited where an institution wants that.
    """
    daily = CronTriggerTimetable("0 5 * * *", timezone="UTC")
    published = [published_outputs(path) for path in paths]

    @dag(
        dag_id="attention",
        dag_display_name="Refresh attention",
        description="Asks for the attention of outputs: new ones first, then those that changed lately, then the rest",
        doc_md=inspect.getdoc(attention_dag),
        schedule=AssetOrTimeSchedule(timetable=daily, assets=AssetAny(*published)) if published else daily,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        tags=["attention"],
        default_args=DEFAULTS,
    )
    def flow_of_a_refresh() -> None:
        link_again.expand(path=ask_for_attention([str(path) for path in paths]))
        check_landing_pages.expand(path=who_checks_landing_pages([str(path) for path in paths]))

    return flow_of_a_refresh()


@task(execution_timeout=timedelta(hours=12))
def ask_for_attention(paths: list[str]) -> list[str]:
    """Asks for every identifier that is due, as far as budgets reach; returns the institutions that have outputs."""
    from explorer import upkeep

    published = {asset.uri for asset in get_current_context()["triggering_asset_events"]}
    concerned = [path for path in paths if not published or published_outputs(Path(path)).uri in published]
    with told():
        return upkeep.ask_for_attention(concerned)


@task(
    max_active_tis_per_dagrun=2,
    map_index_template="{{ path }}",
    doc_md="Links an institution's outputs with what is known now, and makes its sums anew.",
)
def link_again(path: str) -> str:
    """Links the institution's outputs with what is known now, and makes its sums anew."""
    from explorer import upkeep

    get_current_context()["path"] = path  # type: ignore[typeddict-unknown-key]
    with told():
        return upkeep.link_again(path)


@task
def who_checks_landing_pages(paths: list[str]) -> list[str]:
    """Returns the institutions that have the check of landing pages switched on."""
    from explorer import upkeep

    return upkeep.with_landing_pages(paths)


@task(
    max_active_tis_per_dagrun=1,
    map_index_template="{{ path }}",
    doc_md="Visits landing pages that are due: can mentions of them be counted for their outputs?",
)
def check_landing_pages(path: str) -> str:
    """Visits landing pages that are due: can mentions of them be counted for their outputs?"""
    from explorer import sites, upkeep

    get_current_context()["path"] = path  # type: ignore[typeddict-unknown-key]
    with told():
        return upkeep.check_landing_pages(sites.site(path))


def broken_dag(path: Path, problem: str) -> DAG:
    """A DAG in place of one whose YAML is broken: its single task fails and says what is wrong in which line."""

    @dag(
        dag_id=f"import_{config.slug_of(path)}",
        schedule=None,
        start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - the DAG's time zone applies
        tags=["import", "broken configuration"],
        default_args={"owner": OWNER, "retries": 0},
        doc_md=f"```\n{problem}\n```",
        params=PARAMS,
    )
    def broken() -> None:
        @task
        def read_configuration() -> None:
            """Fails, and says what is wrong in which line of the institution's YAML."""
            raise AirflowFailException(problem)

        read_configuration()

    return broken()


def _kind(institution: Institution) -> list[str]:
    platform = getattr(institution.source, "platform", None)
    return [institution.source.kind, *([platform] if platform else [])]
