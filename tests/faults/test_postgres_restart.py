"""Postgres goes down in the middle of `load`: nothing is half done, and the import says which tasks to clear."""

from pathlib import Path

import pytest

from explorer import database, flow, local
from explorer.imports import HaltedError
from explorer.planning import Request
from tests.crashes import in_a_child, published
from tests.scripted_source import ScriptedSite, make_site
from tests.warehouse.test_flow import do_import
from tests.warehouse.test_kill import UNDER_TEST, last, prepare, steps

pytestmark = [pytest.mark.usefixtures("without_expectations"), pytest.mark.timeout(900)]


def stop_at_once(place: Path) -> None:
    """As a power cut would: no checkpoint, so that tables that are not logged are empty afterwards."""
    done = local._run(
        place.resolve(), ["pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(local._data(place.resolve()))]
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def site(place: Path, tmp_path: Path) -> ScriptedSite:
    """A warehouse on a server of its own, with all of Postgres' promises kept; its import is about to load."""
    dsn = local.postgres(place).dsn()
    with database.connect(dsn) as connection:
        database.migrate(connection)
    return prepare(dsn, tmp_path)


def expected_of(site: ScriptedSite, place: Path, tmp_path: Path) -> dict:
    """What the same import publishes undisturbed, in another database of the same server."""
    with database.connect(local.postgres(place).dsn("postgres")) as connection:
        connection.autocommit = True
        connection.execute("create database undisturbed template warehouse strategy file_copy")
    other = make_site(local.postgres(place).dsn("undisturbed"), tmp_path, site.scripted)
    do_import(other)
    return published(other.dsn)


def go(site: ScriptedSite, first: str, last_one: str | None = None) -> None:
    names = [name for name, _ in steps()]
    end = names.index(last_one) if last_one else None
    for _name, step in steps()[names.index(first) : end]:
        step(site)


@pytest.mark.parametrize("before", [1, 12, 18, 24, 30, 36, 42, 46])
def test_postgres_restarts_in_the_middle_of_load(site: ScriptedSite, place: Path, tmp_path: Path, before: int):
    expected = expected_of(site, place, tmp_path)
    untouched = published(site.dsn)
    go(site, "open_import", "load")
    told = in_a_child(lambda: flow.load(site, last(site)), before, lambda: stop_at_once(place))
    assert isinstance(told, str), told
    assert told.startswith(("SessionEndedError", "WarehouseUnusableError")), told
    local.postgres(place)
    now = published(site.dsn)
    assert now in (untouched, expected), "readers see the old state or the new one"
    if now == untouched:
        with pytest.raises(HaltedError, match=r"emptied .* clear `extract` and what follows"):
            flow.load(site, UNDER_TEST)
        with pytest.raises(HaltedError, match="emptied"):
            flow.review(site, UNDER_TEST)
        go(site, "plan_parts")  # what clearing `extract` and what follows runs again
    else:
        go(site, "load")
    assert published(site.dsn) == expected


def test_a_command_line_reads_again_what_the_crash_has_emptied(site: ScriptedSite, place: Path, tmp_path: Path):
    expected = expected_of(site, place, tmp_path)
    request = Request(run_key="attempt", stays=True)
    told = in_a_child(lambda: flow.run(site, request), 330, lambda: stop_at_once(place))
    assert isinstance(told, str), told
    local.postgres(place)
    assert do_import(site)["status"] == "succeeded"
    assert published(site.dsn) == expected
