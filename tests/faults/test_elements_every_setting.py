"""The random walk of Elements over every combination of policy, status, profile and orphans, in all its dialects."""

import itertools

import pytest

from tests.warehouse.conftest import schema_database, warehouse_dsn, without_expectations  # noqa: F401 - fixtures
from tests.warehouse.test_elements_walk import DIALECTS, walk

pytestmark = pytest.mark.usefixtures("without_expectations")

COMBINATIONS = list(
    itertools.product(
        ("public", "public_and_internal"),
        ("all", "current"),
        ("all", "academic_or_student", "academic"),
        ("keep", "remove_authorless", "remove_authorless_and_privacy"),
    )
)
# 36 combinations, each in one of six dialects, shifted by one after every six.
SETTINGS = [(*each, *DIALECTS[(number + number // 6) % 6]) for number, each in enumerate(COMBINATIONS)]


@pytest.mark.parametrize("settings", SETTINGS, ids=["-".join(each) for each in SETTINGS])
def test_incremental_equals_full(warehouse_dsn, tmp_path, monkeypatch, settings):  # noqa: F811
    walk(warehouse_dsn, tmp_path, monkeypatch, settings)
