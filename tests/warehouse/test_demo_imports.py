"""The demo's institutions with simulated servers: what is published is what was counted by hand, now and as they move on."""

import json
from pathlib import Path

import pytest

from explorer import asking, config, sites
from simulators import projectors, tribnia
from simulators.pure import Key, Pure
from simulators.repository import VirtualClock
from tests import demo_counts, pure_oracle
from tests.elements_site import elements_site, endpoint
from tests.warehouse.test_elements import do_import, published


def counted(site) -> demo_counts.Counts:
    shown = published(site)
    return demo_counts.Counts(
        *(len({each["key"] for each in shown[name]}) for name in ("outputs", "authors", "departments"))
    )


def test_lagado_is_what_was_counted(warehouse_dsn, tmp_path, monkeypatch):
    place = projectors.academy(VirtualClock())
    with endpoint(place, monkeypatch):
        site = elements_site(
            warehouse_dsn, tmp_path, status="current", profile="academic_or_student",
            orphans="remove_authorless_and_privacy",
        )  # fmt: skip
        made = do_import(site)
        assert counted(site) == demo_counts.lagado(place) == demo_counts.Counts(207, 42, 13)
        ends = {name: value for name, value in made["tally"]["outputs"].items() if value}
        assert ends == {
            "extracted": 360, "excluded": 30, "dropped_by_privacy": 44, "orphaned": 79, "added": 207, "published": 207,
        }  # fmt: skip
        for step in range(1, 4):
            place.clock.advance(days=1)
            projectors.moves_on(place, step)
            assert do_import(site)["mode"] == "incremental"
            assert counted(site) == demo_counts.lagado(place)


def test_lagado_can_move_on_for_long():
    place = projectors.academy(VirtualClock())
    for step in range(1, 100):
        projectors.moves_on(place, step)
    assert demo_counts.lagado(place).outputs > 150


DEMO = Path(__file__).resolve().parents[2] / "include" / "demo" / "more"
COUNTED = {"tribnia": (292, 60, 20), "langden": (122, 27, 20)}
ADDRESSES = {"tribnia": ("pure_tribnia", "524"), "langden": ("pure_langden", "new")}


@pytest.mark.parametrize("slug", ["tribnia", "langden"])
def test_the_universities_on_pure_are_what_was_counted(warehouse_dsn, tmp_path, monkeypatch, slug):
    """With the demo's own file, all rules of validation, and the world as it is at the first start and at later ones."""
    connection, version = ADDRESSES[slug]
    store = {"tribnia": tribnia.tribnia, "langden": tribnia.langden}[slug]()
    rules = {"affiliated_only": slug == "tribnia", "with_authors": slug == "tribnia", "version": version}
    simulator = Pure(store, keys={"key": Key()})
    site = sites.Site(config.load(DEMO / f"{slug}.yaml"), warehouse_dsn)
    monkeypatch.setattr(asking.Turns, "wait", lambda *_: None)
    with simulator.serve():
        told = {"conn_type": "http", "host": simulator.base(version), "password": "key"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{connection.upper()}", json.dumps(told))
        for step in range(3):
            do_import(site)
            expected = pure_oracle.shown(store, **rules)
            shown = published(site)
            assert {each["key"]: {a["key"] for a in each["authors"]} for each in shown["outputs"]} == expected.outputs
            assert {each["key"] for each in shown["authors"]} == expected.authors
            assert {each["key"] for each in shown["departments"]} == expected.departments
            if step == 0:
                counted = tuple(map(len, (expected.outputs, expected.authors, expected.departments)))
                assert counted == COUNTED[slug]
            assert isinstance(store.clock, VirtualClock)
            store.clock.advance(days=1)
            tribnia.moves_on(store, step + 1)
