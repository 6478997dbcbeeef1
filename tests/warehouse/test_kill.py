"""A process that is killed between any two statements, and a retry: the end is that of an undisturbed import."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from explorer import database, flow, sites, validation, warehouse
from explorer.planning import Request
from tests.conftest import _create, _drop
from tests.crashes import everything, in_a_child, published
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site
from tests.warehouse.conftest import pass_all
from tests.warehouse.test_flow import do_import, output

pytestmark = pytest.mark.usefixtures("without_expectations")

# In `make faults` every kill is followed by a retry. Else one that left the same rows in all tables as an earlier kill of
# the same task is not retried again: the retry could see no difference.
EVERY_RETRY = bool(os.environ.get("EXPLORER_EVERY_RETRY"))
UNDER_TEST = 2  # the number of the import; the first one made what is published

Step = tuple[str, Callable[[ScriptedSite], object]]


def opened(site: ScriptedSite, *, stays: bool = False) -> object:
    return flow.open_import(site, Request(run_key="attempt", stays=stays))


def steps() -> list[Step]:
    """The tasks of an import in order, as Airflow runs them: each in a process of its own."""

    def on_the_import(name: str, *arguments: object) -> Callable[[ScriptedSite], object]:
        return lambda site: getattr(flow, name)(site, last(site), *arguments)

    parts = [(f"read_part {part}", on_the_import("read_part", part)) for part in ("departments", "outputs")]
    after = ("settle", "validate", "privacy_filter", "clean_up_orphans", "review", "load", "link_attention", "notify")
    return [
        ("open_import", opened),
        ("plan_parts", on_the_import("plan_parts")),
        *parts,
        *((name, on_the_import(name)) for name in (*after, "close_staging")),
    ]


def last(site: ScriptedSite) -> int:
    with database.connect(site.dsn) as connection:
        return int(connection.execute("select max(id) from ops.import").fetchall()[0][0])


def prepare(dsn: str, folder: Path) -> ScriptedSite:
    """A published first import, and a source that has changed since."""
    source = ScriptedSource(page_size=4, tick=1)
    for n in range(9):
        source.put(output(f"o{n}", authors="abc"[n % 3], departments=("sci",)))
    site = make_site(dsn, folder, source)
    do_import(site)
    source.tick = 3
    source.put(output("o1", title="Another", authors="d"))
    source.put(output("new", authors="a"))
    source.delete("o2")
    return site


@pytest.fixture(scope="module")
def stages(postgres_server, schema_database: str, tmp_path_factory) -> Iterator[tuple[ScriptedSource, list[str]]]:
    """The source, and the databases of an undisturbed import: one as it stands before each step, one after the last."""
    folder = tmp_path_factory.mktemp("undisturbed")
    made: list[str] = []

    def copy(dsn: str) -> str:
        made.append(f"stage_{os.getpid()}_{len(made)}")
        return _create(postgres_server, made[-1], dsn.rpartition("=")[2])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sites, "rules_version", lambda: "rules")
        patch.setattr(validation, "validate", pass_all)
        site = prepare(copy(schema_database), folder)
        found = []
        for _name, step in steps():
            found.append(copy(site.dsn))
            assert isinstance(in_a_child(lambda step=step: step(site)), int)
        yield site.scripted, [*found, site.dsn]
    for name in made:
        _drop(postgres_server, name)


@pytest.mark.parametrize("index", range(len(steps())), ids=[name for name, _ in steps()])
def test_a_task_is_killed_before_any_statement_and_run_again(stages, index: int, database_like, tmp_path: Path):
    """As Airflow does it: the task that died is run again, then those behind it."""
    source, before = stages
    undisturbed = published(before[-1])
    start = everything(before[index])
    site, now = None, {}
    seen: list[dict] = []
    name, step = steps()[index]
    for boundary in range(1, 1000):
        if now != start:
            site, now = make_site(database_like(before[index]), tmp_path, source), start
        if in_a_child(lambda site=site: step(site), boundary) is not None:
            break
        now = everything(site.dsn)
        if now in seen and not EVERY_RETRY:
            continue
        seen.append(now)
        assert isinstance(in_a_child(lambda site=site: [again(site) for _name, again in steps()[index:]]), int)
        assert published(site.dsn) == undisturbed, f"{name}, killed before statement {boundary}"
        now = None
    assert boundary > 8


def test_a_terminal_is_killed_and_the_import_called_again(stages, database_like, tmp_path: Path):
    """Another call takes over at once what the dead one left; all kills of it are tried in `make faults`."""
    source, before = stages
    undisturbed = published(before[-1])
    request = Request(run_key="attempt", stays=True)
    for boundary in range(1, 1000, 1 if EVERY_RETRY else 40):
        site = make_site(database_like(before[0]), tmp_path, source)
        if in_a_child(lambda site=site: flow.run(site, request), boundary) is not None:
            break
        do_import(site)
        assert published(site.dsn) == undisturbed, f"killed before statement {boundary}"
        with database.connect(site.dsn) as connection:
            open_ = connection.execute("select count(*) from ops.import where finished_at is null").fetchone()
            left = connection.execute("select count(*) from pg_namespace where nspname ~ '^import_'").fetchone()
        assert open_ == (0,)
        assert left[0] <= 1, "staging of a killed import stays until its deadline at most"
    assert boundary > 200


def test_a_question_is_not_lost_with_the_worker_that_asked_it(stages, database_like, tmp_path: Path, monkeypatch):
    """Killed anywhere in the review of an import that has to wait: once it is run again, the import waits."""
    source, before = stages
    monkeypatch.setattr(warehouse, "LEAST_PUBLISHED", 1)
    index = [name for name, _ in steps()].index("review")
    start = everything(before[index])
    seen: list[dict] = []
    site, now = None, {}
    for boundary in range(1, 1000):
        if now != start:
            site, now = make_site(database_like(before[index]), tmp_path, source, removed=0.0), start
        if in_a_child(lambda site=site: flow.review(site, UNDER_TEST), boundary) is not None:
            break
        now = everything(site.dsn)
        if now in seen and not EVERY_RETRY:
            continue
        seen.append(now)
        assert flow.review(site, UNDER_TEST) == "awaiting_approval", f"killed before statement {boundary}"
        assert flow.review(site, UNDER_TEST) == "awaiting_approval"
        assert published(site.dsn) == published(before[index])
        now = None
    assert boundary > 50
