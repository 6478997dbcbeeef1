"""The random walk of Elements over every combination of policy, status, profile and orphans."""

import pytest

from tests.warehouse.conftest import schema_database, warehouse_dsn, without_expectations  # noqa: F401 - fixtures
from tests.warehouse.test_elements_walk import walk

pytestmark = pytest.mark.usefixtures("without_expectations")


@pytest.mark.parametrize("level", ["public", "public_and_internal"])
@pytest.mark.parametrize("status", ["all", "current"])
@pytest.mark.parametrize("profile", ["all", "academic_or_student", "academic"])
@pytest.mark.parametrize("orphans", ["keep", "remove_authorless", "remove_authorless_and_privacy"])
def test_incremental_equals_full(warehouse_dsn, tmp_path, monkeypatch, level, status, profile, orphans):  # noqa: F811, PLR0917
    walk(warehouse_dsn, tmp_path, monkeypatch, (level, status, profile, orphans))
