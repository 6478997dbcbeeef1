"""The demo's institutions with simulated servers: what is published is what was counted by hand, now and as they move on."""

from simulators import projectors
from simulators.repository import VirtualClock
from tests import demo_counts
from tests.elements_site import elements_site, endpoint
from tests.warehouse.test_elements import do_import, published


def counted(site) -> demo_counts.Counts:
    shown = published(site)
    return demo_counts.Counts(*(len(shown[name]) for name in ("outputs", "authors", "departments")))


def test_lagado_is_what_was_counted(warehouse_dsn, tmp_path, monkeypatch):
    place = projectors.academy(VirtualClock())
    with endpoint(place, monkeypatch):
        site = elements_site(
            warehouse_dsn, tmp_path, status="current", profile="academic_or_student",
            orphans="remove_authorless_and_privacy",
        )  # fmt: skip
        made = do_import(site)
        assert counted(site) == demo_counts.lagado(place) == demo_counts.Counts(207, 42, 14)
        ends = {name: value for name, value in made["tally"]["outputs"].items() if value}
        assert ends == {
            "extracted": 360, "excluded": 33, "dropped_by_privacy": 41, "orphaned": 79, "added": 207, "published": 207,
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
