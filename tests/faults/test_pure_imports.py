"""Whole imports from a simulated Pure server with every fault, of the wire and of the content, once and for ever.

After each: what is published is what may be shown, or the import failed with a sentence and nothing has changed. And never
does a table hold anything of what is hidden.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import pytest

from simulators.pure import WIRE_FAULTS
from simulators.pure_faults import CONTENT_FAULTS, UNTOLD
from simulators.repository import VirtualClock
from simulators.serving import TRANSPORT_FAULTS, Fault
from simulators.tribnia import tribnia
from tests import pure_oracle
from tests.pure_site import endpoint, pure_site
from tests.warehouse.conftest import schema_database, warehouse_dsn, without_expectations  # noqa: F401 - fixtures
from tests.warehouse.test_flow import do_import, published

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from explorer import sites
    from simulators.pure import Pure
    from simulators.pure_world import Store

VERSIONS = ("516", "522", "524", "new")
CHANGES_ONLY = {
    "zero_count_runs", "more_changes_always", "stuck_token", "sequence_restart", "items_without_uuid", "doubles",
    "metric_changes", "old_token",
}  # fmt: skip
# What a client can live with, however long it lasts.
HARMLESS = {
    "more_changes_always", "items_without_uuid", "doubles", "metric_changes", "key_in_links", "no_links",
    "page_overlap", "mixed_dates", "ignores_fields", "merge_301", "merge_404", "gzip",
    "other_host", "unstable_order",
}  # fmt: skip
ONCE_IS_NOTHING = HARMLESS | {
    "zero_count_runs", "busy_bare", "too_many_bare", "html_error", "busy_seconds", "busy_date", "too_many_requests",
    "server_error", "reset", "cut",
}  # fmt: skip
WIRE = sorted({*WIRE_FAULTS, *TRANSPORT_FAULTS} - {"errors_as_422"})

pytestmark = pytest.mark.usefixtures("without_expectations")


@dataclass
class Place:
    """Where an import is tried."""

    store: Store
    dsn: str
    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def endpoint(self, version: str) -> AbstractContextManager[Pure]:
        return endpoint(self.store, self.monkeypatch, version)

    def site(self, version: str, slug: str = "tribnia") -> sites.Site:
        return pure_site(self.dsn, self.folder, version=version, slug=slug, page_size=20)


@pytest.fixture
def place(warehouse_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:  # noqa: F811
    return Place(tribnia(persons=24, outputs=60), warehouse_dsn, tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries are as short as they can be."""
    monkeypatch.setattr("explorer.polite_http.LONGEST_BACKOFF", 0.01)
    monkeypatch.setattr("explorer.sources.pure_changes.MOST_PAGES", 60)


def attempt(site: sites.Site) -> str | None:
    """Imports; why that failed, if it did."""
    try:
        made = do_import(site)
    except Exception as error:  # noqa: BLE001 - whatever it is, its sentence is looked at
        return str(error) or repr(error)
    if made["status"] == "succeeded":
        return None
    assert (made["status"], made["error"]["code"]) == ("failed", "incomplete")
    return str(made["error"]["message"])


def rejected(site: sites.Site) -> set[str]:
    """What the last import could not read, and told so."""
    last = "select key from ops.rejected_record where import_id = (select max(id) from ops.import)"
    with psycopg.connect(site.dsn) as connection:
        return {key for (key,) in connection.execute(last)}


def assert_right(site: sites.Site, store: Store, version: str) -> None:
    """All that should be shown is, but for what was rejected and told."""
    shown, expected, told = published(site), pure_oracle.shown(store, version=version), rejected(site)
    assert {each["key"]: frozenset(a["key"] for a in each["authors"]) for each in shown["outputs"]} == {
        key: authors - told for key, authors in expected.outputs.items() if key not in told
    }
    assert {each["key"] for each in shown["authors"]} == expected.authors - told
    assert {each["key"] for each in shown["departments"]} == expected.departments - told


def assert_nothing_hidden(site: sites.Site, store: Store, version: str) -> None:
    everything = json.dumps(published(site))
    with psycopg.connect(site.dsn) as connection:
        for (table,) in connection.execute(
            "select format('warehouse.%I', relname) from pg_class"
            " where relnamespace = 'warehouse'::regnamespace and relkind = 'r'"
        ).fetchall():
            everything += str(connection.execute(f"select t::text from {table} t").fetchall())
    assert [secret for secret in pure_oracle.secrets(store, version) if secret in everything] == []


@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [each for each in WIRE if each not in CHANGES_ONLY])
def test_a_first_import_is_right_or_says_why_not(place: Place, kind: str, version: str, times: int | None) -> None:
    store = place.store
    loser, winner = [key for key, each in sorted(store.outputs.items()) if each.visibility == "FREE"][:2]
    store.merge(loser, winner)
    with place.endpoint(version) as simulator:
        site = place.site(version)
        simulator.faults.add(Fault(kind, "research-outputs", after=1, times=times, seconds=0.2))
        why = attempt(site)
    if why is None:
        assert_right(site, store, version=version)
    else:
        assert len(why) > 20
        assert "Traceback" not in why
        if "announces" in why:  # what came of the list is published; the import failed, as it may have lost a part
            assert_right(site, store, version=version)
        else:
            with psycopg.connect(site.dsn) as connection:
                assert connection.execute("select count(*) from warehouse.research_output").fetchone() == (0,)
    if version != "new":
        assert kind not in (ONCE_IS_NOTHING if times else HARMLESS) or why is None
    assert_nothing_hidden(site, store, version)


@pytest.mark.parametrize("version", ["516", "524"])
@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize("kind", WIRE)
def test_an_incremental_import_is_right_or_says_why_not(
    place: Place, kind: str, version: str, times: int | None
) -> None:
    store = place.store
    assert isinstance(store.clock, VirtualClock)
    with place.endpoint(version) as simulator:
        site = place.site(version)
        assert attempt(site) is None
        before = published(site)
        store.clock.advance(days=1)
        for name in ("new_things", "backend", "told_deletion", "merged_persons", "unit_moves", "future_end"):
            CONTENT_FAULTS[name](store)
        store.noise(150)
        name = "changes" if kind in CHANGES_ONLY else None
        simulator.faults.add(Fault(kind, name, after=0 if name else 1, times=times, seconds=0.2))
        why = attempt(site)
        if why is None:
            assert_right(site, store, version=version)
        else:
            assert len(why) > 20
            assert published(site) == before
            simulator.faults.clear()
            assert attempt(site) is None
            assert_right(site, store, version=version)
    assert kind not in (ONCE_IS_NOTHING if times else HARMLESS) or why is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", sorted(CONTENT_FAULTS))
def test_odd_content_is_shown_as_the_rules_say_at_once_and_later(place: Place, kind: str, version: str) -> None:
    """Once it is there before the first import, once it comes between two."""
    store = place.store
    assert isinstance(store.clock, VirtualClock)
    with place.endpoint(version):
        site = place.site(version)
        assert attempt(site) is None
        store.clock.advance(days=1)
        CONTENT_FAULTS[kind](store)
        if kind in UNTOLD:
            with psycopg.connect(site.dsn) as connection:
                connection.execute("update ops.import set started_at = started_at - interval '31 days'")
        assert attempt(site) is None
        assert_right(site, store, version=version)
        fresh = place.site(version, slug="fresh")
        assert attempt(fresh) is None
        assert published(fresh) == published(site)
    assert_nothing_hidden(site, store, version)
