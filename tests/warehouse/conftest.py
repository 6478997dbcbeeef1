"""A database with the whole schema, copied for each test; Great Expectations out of the way; the command line."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from typer.testing import CliRunner

from explorer import cli, database, local, sites, validation
from tests.conftest import _create, _drop
from tests.patience import PATIENCE

DAY = 24 * 60 * 60


@pytest.fixture(scope="session")
def schema_database(postgres_server: local.Server) -> str:
    name = f"schema_{uuid.uuid4().hex}"
    dsn = _create(postgres_server, name)
    with database.connect(dsn) as connection:
        database.migrate(connection)
    yield dsn
    _drop(postgres_server, name)


@pytest.fixture
def warehouse_dsn(schema_database: str, database_like: Callable[[str], str]) -> str:
    """An empty warehouse of this test's own."""
    return database_like(schema_database)


@pytest.fixture
def within_a_day() -> None:
    """Where midnight (UTC) is near, let it pass: what a test does on one day is not to end on the next."""
    left = DAY - time.time() % DAY
    if left < PATIENCE:
        time.sleep(left + 1)


def pass_all(*_args, **_named) -> validation.Validation:
    """Stands in for Great Expectations where SQL is tested: every staged record is sound."""
    return validation.Validation(results=(), rejected={}, table_failures=())


@pytest.fixture
def without_expectations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every staged record pass: the suites have tests of their own, and cost seconds."""

    monkeypatch.setattr(validation, "validate", pass_all)
    monkeypatch.setattr(sites, "rules_version", lambda: "rules")


@pytest.fixture
def explorer(monkeypatch: pytest.MonkeyPatch, warehouse_dsn: str) -> Iterator[Callable[..., Result]]:
    """Runs ``bin/explorer`` in this process, on this test's warehouse; the log is then set up again as it was."""
    monkeypatch.setattr(local, "warehouse_dsn", lambda: warehouse_dsn)
    loggers = [logging.getLogger(name) for name in ("", "explorer", "explorer.polite_http")]
    levels = [each.level for each in loggers]
    handlers = logging.getLogger().handlers[:]
    yield lambda *arguments: CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    logging.getLogger().handlers[:] = handlers
    for each, level in zip(loggers, levels, strict=True):
        each.setLevel(level)
