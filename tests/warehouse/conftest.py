"""A database with the whole schema, copied for each test; and Great Expectations out of the way where SQL is tested."""

from collections.abc import Callable

import psycopg
import pytest

from explorer import database, flow, local, validation
from tests.conftest import _create, _drop


@pytest.fixture(scope="session")
def schema_database(postgres_server: local.Server) -> str:
    name = f"schema_{id(postgres_server)}_{psycopg.__version__.replace('.', '')}"
    dsn = _create(postgres_server, name)
    with database.connect(dsn) as connection:
        database.migrate(connection)
    yield dsn
    _drop(postgres_server, name)


@pytest.fixture
def warehouse_dsn(schema_database: str, database_like: Callable[[str], str]) -> str:
    """An empty warehouse of this test's own."""
    return database_like(schema_database)


def pass_all(*_args, **_named) -> validation.Validation:
    """Stands in for Great Expectations where SQL is tested: every staged record is sound."""
    return validation.Validation(results=(), rejected={}, table_failures=())


@pytest.fixture
def without_expectations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every staged record pass: the suites have tests of their own, and cost seconds."""

    monkeypatch.setattr(validation, "validate", pass_all)
    monkeypatch.setattr(flow, "rules_version", lambda: "rules")
