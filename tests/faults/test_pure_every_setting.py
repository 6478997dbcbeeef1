"""The random walk of Pure over every combination of interface, orphans, status, affiliation and workflow, 240 changes each."""

import pytest

from tests.warehouse.conftest import schema_database, warehouse_dsn, without_expectations  # noqa: F401 - fixtures
from tests.warehouse.test_pure_walk import Settings, walk

pytestmark = pytest.mark.usefixtures("without_expectations")

INTERFACES = [("524", False), ("522", False), ("516", False), ("511", False), ("new", True), ("new", False)]
CHOICES = [
    Settings(version, second_key, orphans, status, *chosen)
    for version, second_key in INTERFACES
    for orphans, status in (
        ("keep", "all"), ("remove_authorless", "current"), ("remove_authorless_and_privacy", "all"),
        ("remove_authorless_and_privacy", "current"),
    )
    for chosen in ((False, False), (True, False), (False, True))
]  # fmt: skip


@pytest.mark.parametrize("settings", CHOICES, ids=str)
def test_incremental_equals_full(warehouse_dsn, tmp_path, monkeypatch, settings):  # noqa: F811
    walk(warehouse_dsn, tmp_path, monkeypatch, settings, imports=10)
