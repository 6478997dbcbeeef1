"""A larger import whose worker is killed, or stopped and left for dead, at a hundred random instants."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from explorer import database, flow, imports, leases, tasks
from explorer.planning import Request
from tests.crashes import everything, published
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site
from tests.warehouse.test_flow import do_import, output
from tests.warehouse.test_kill import Step, steps

pytestmark = [pytest.mark.usefixtures("without_expectations"), pytest.mark.timeout(1800)]

OUTPUTS, CHANGED, PAGE = 2_000, 600, 50
INSTANTS = int(os.environ.get("EXPLORER_INSTANTS", "100"))


def prepare(dsn: str, folder: Path) -> ScriptedSite:
    """Two thousand published outputs, of which a third has changed at the source since."""
    source = ScriptedSource(page_size=PAGE, tick=1)
    for n in range(OUTPUTS):
        source.put(output(f"o{n}", authors="abcdefghij"[n % 7 : n % 7 + 3], departments=("sci",)))
    site = make_site(dsn, folder, source)
    do_import(site)
    source.tick = 3
    for n in range(CHANGED):
        source.put(output(f"o{n * 3}", title="Another", authors="xyz"[n % 3]))
        if n % 5 == 0:
            source.delete(f"o{n * 3 + 1}")
    return site


def start(work: Callable[[], object]) -> int:
    """A child that does this and ends, whatever comes of it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def has_ended(child: int, deadline: float) -> bool:
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return True
        time.sleep(0.002)
    return False


def until(instant: float, site: ScriptedSite, todo: list[Step], attempt: int = 1) -> tuple[int, int] | None:
    """Runs the tasks one after the other, each in a process of its own, up to an instant: the task then and its process.

    The first one is begun for the how-manieth time; those behind it for the first.
    """
    deadline = time.monotonic() + instant
    for index, (_name, step) in enumerate(todo):

        def work(step=step, number=1 if index else attempt) -> None:
            tasks.ATTEMPT.set(tasks.Attempt("attempt", number))
            step(site)

        child = start(work)
        if not has_ended(child, deadline):
            return index, child
    return None


def finish(site: ScriptedSite, todo: list[Step], attempt: int = 1) -> None:
    assert until(600, site, todo, attempt) is None


def has_succeeded(site: ScriptedSite) -> bool:
    """Whether the import that is disturbed, the second one, has published."""
    with database.connect(site.dsn) as connection:
        return connection.execute("select status from ops.import where id = 2").fetchone() == ("succeeded",)


@pytest.fixture
def undisturbed(schema_database, database_like, tmp_path):
    """The database before the import, what it publishes, and how long it takes."""
    site = prepare(database_like(schema_database), tmp_path)
    copy = make_site(database_like(site.dsn), tmp_path, site.scripted)
    began = time.monotonic()
    finish(copy, steps())
    assert has_succeeded(copy)
    return site, published(copy.dsn), time.monotonic() - began


def test_killed_at_random_instants(undisturbed, database_like, tmp_path: Path):
    origin, expected, seconds = undisturbed
    dice = random.Random(1726)
    hit = set()
    for n in range(INSTANTS):
        site = make_site(database_like(origin.dsn), tmp_path, origin.scripted)
        todo = steps()
        for _ in range(dice.choice((1, 1, 2))):  # and again, while it is being retried
            stopped = until(dice.uniform(0, seconds), site, todo)
            if stopped is None:
                break
            index, child = stopped
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            hit.add(todo[index][0])
            todo = todo[index:]
        finish(site, todo)
        assert published(site.dsn) == expected, f"instant {n}, {todo[0][0]}"
    assert len(hit) >= min(6, INSTANTS // 10)


def test_a_worker_that_was_left_for_dead_writes_nothing_beside_its_retry_or_after_it(
    undisturbed, database_like, tmp_path
):
    origin, expected, seconds = undisturbed
    dice = random.Random(1727)
    hit = set()
    for n in range(INSTANTS // 2):
        site = make_site(database_like(origin.dsn), tmp_path, origin.scripted)
        todo = steps()
        stopped = until(dice.uniform(0, seconds), site, todo)
        if stopped is None:
            continue
        index, zombie = stopped
        os.kill(zombie, signal.SIGSTOP)
        hit.add(todo[index][0])
        if n % 2:  # it wakes while the retry is at work
            retry = start(lambda site=site, todo=todo[index:]: finish(site, todo, 2))
            time.sleep(dice.uniform(0, seconds / 4))
            os.kill(zombie, signal.SIGCONT)
            os.waitpid(zombie, 0)
            os.waitpid(retry, 0)
            if not has_succeeded(
                site
            ):  # both began at the same moment, and ended one another's session: once more, then
                finish(site, todo[index:], 3)
        else:
            finish(site, todo[index:], 2)
            before = everything(site.dsn)
            os.kill(zombie, signal.SIGCONT)
            os.waitpid(zombie, 0)
            assert everything(site.dsn) == before, f"stopped in {todo[index][0]}, it wrote when it woke"
        assert published(site.dsn) == expected, f"instant {n}, {todo[index][0]}"
    assert len(hit) >= min(5, INSTANTS // 10)


def test_a_command_line_that_was_left_for_dead(undisturbed, database_like, tmp_path, monkeypatch):
    """Its lease runs out, another call takes over, the first one wakes in any of its steps."""
    monkeypatch.setattr(flow, "OPENING_MILLISECONDS", 2_000)
    monkeypatch.setattr(imports, "LOCKED_MILLISECONDS", 2_000)
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.3)
    for lease in ("WORKING", "BETWEEN_TASKS"):
        monkeypatch.setattr(leases, lease, timedelta(seconds=2))
    origin, expected, seconds = undisturbed
    dice = random.Random(1728)
    for n in range(INSTANTS // 4):
        site = make_site(database_like(origin.dsn), tmp_path, origin.scripted)
        zombie = start(lambda site=site: flow.run(site, Request(run_key="left for dead", stays=True)))
        if has_ended(zombie, time.monotonic() + dice.uniform(0, seconds)):
            continue
        os.kill(zombie, signal.SIGSTOP)
        is_published = has_succeeded(site)  # then what follows is its own to say: its attention, its mail
        time.sleep(2.5)  # its lease runs out, whatever it holds
        do_import(site)
        before = everything(site.dsn)
        os.kill(zombie, signal.SIGCONT)
        os.waitpid(zombie, 0)
        assert is_published or everything(site.dsn) == before, f"instant {n}: it wrote when it woke"
        assert published(site.dsn) == expected
