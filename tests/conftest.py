"""One embedded Postgres for the whole test session, shared by all workers, in a temporary folder of its own."""

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psutil
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from explorer import local
from tests.patience import PATIENCE

# Nothing that a test makes is worth surviving a power cut, and nobody comes by who was not called.
TEST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
MEMORY = Path("/dev/shm")  # a database for every test: ten times as fast as on a disk
NEEDED_MEMORY = 4 << 30

# The same examples in every run, on machines of any speed; `make faults` looks for others.
_PATIENT = {"deadline": None, "database": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("explorer", derandomize=True, **_PATIENT)
hypothesis.settings.register_profile("random", max_examples=2_000, print_blob=True, **_PATIENT)
hypothesis.settings.load_profile("explorer")


def pytest_configure(config: pytest.Config) -> None:
    """Name the session's folder before the workers start: they, and the programs that tests run, inherit it."""
    if not hasattr(config, "workerinput"):
        os.environ["EXPLORER_LOCAL"] = tempfile.mkdtemp(prefix=f"explorer-tests-{os.getpid()}-", dir=_in_memory())


def _in_memory() -> Path | None:
    """The file system in memory, where there is one with room, cleared of what killed sessions have left in it."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        return None
    for left in MEMORY.glob("explorer-tests-*-*"):
        if not psutil.pid_exists(int(left.name.split("-")[2])):
            with contextlib.suppress(local.LocalError):  # somebody else's, or cleared by another session meanwhile
                local.stop(left)
            shutil.rmtree(left, ignore_errors=True)
    return MEMORY if shutil.disk_usage(MEMORY).free > NEEDED_MEMORY else None


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the session's server, whichever worker started it."""
    if not hasattr(config, "workerinput"):
        local.stop()
        shutil.rmtree(local.folder(), ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[local.Server]:
    """Start, or find, the session's embedded Postgres; held, so that a minute of tests without it does not stop it."""
    server = local.postgres(settings=TEST_SETTINGS)
    with contextlib.closing(psycopg.connect(server.dsn("postgres"))):
        yield server


def _create(server: local.Server, name: str, template: str = "template1") -> str:
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
        sql.Identifier(name), sql.Identifier(template)
    )
    _alone(server, statement)
    return server.dsn(name)


def _drop(server: local.Server, name: str) -> None:
    _alone(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _alone(server: local.Server, statement: sql.Composed) -> None:
    """Run what nobody may be connected for; who has just left needs a moment on a busy machine, and Postgres waits 5 s."""
    deadline = time.monotonic() + PATIENCE
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        while True:
            try:
                connection.execute(statement)
            except psycopg.errors.ObjectInUse:
                if time.monotonic() > deadline:
                    raise
            else:
                return


@pytest.fixture(scope="session")
def postgres_dsn(postgres_server: local.Server) -> Iterator[str]:
    """Make an empty database of this worker's own, for tests that clean up behind them."""
    name = "worker_" + uuid.uuid4().hex
    yield _create(postgres_server, name)
    _drop(postgres_server, name)


@pytest.fixture
def fresh_database(postgres_server: local.Server) -> Iterator[str]:
    """Make an empty database for one test; the value is its libpq connection string."""
    name = "test_" + uuid.uuid4().hex
    yield _create(postgres_server, name)
    _drop(postgres_server, name)


@pytest.fixture
def database_like(postgres_server: local.Server) -> Iterator[Callable[[str], str]]:
    """Copy a database, say one with the whole schema that nobody is connected to; the copy lasts one test."""
    made: list[str] = []

    def copy(dsn: str) -> str:
        made.append("copy_" + uuid.uuid4().hex)
        return _create(postgres_server, made[-1], str(conninfo_to_dict(dsn)["dbname"]))

    yield copy
    for name in made:
        _drop(postgres_server, name)


@pytest.fixture
def place() -> Iterator[Path]:
    """Make a short, empty folder, for a Postgres of its own; what runs there is stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="explorer-place-"))
    yield folder
    local.stop(folder)
    shutil.rmtree(folder, ignore_errors=True)
