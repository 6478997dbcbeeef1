"""The warehouse's fixtures, for the slow tests too."""

from tests.warehouse.conftest import schema_database, warehouse_dsn, without_expectations  # noqa: F401
