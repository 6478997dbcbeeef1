"""Connections: the fast reading of the environment equals Airflow's own, secrets stay hidden, mistakes are told."""
# ruff: noqa: E501 - one connection, one line

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

from explorer import connections
from explorer.connections import Connection, ConnectionMissingError, ConnectionUnusableError

PLUGINS = Path(connections.__file__).parents[1]

WHOLE: dict[str, Any] = {
    "conn_type": "http",
    "host": "https://lilliput.example:9002/elements-secure-api",
    "login": "explorer",
    "password": "hunter2",
    "extra": {"token": "hunter3"},
}


@pytest.fixture(autouse=True)
def _own_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not imported Airflow, whatever other tests did."""
    monkeypatch.setattr(connections, "_is_airflow_asked", lambda: False)
    for name in list(os.environ):
        if name.startswith("AIRFLOW_CONN_"):
            monkeypatch.delenv(name)


def define(monkeypatch: pytest.MonkeyPatch, value: Any, connection_id: str = "lilliput_pure") -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    monkeypatch.setenv(f"AIRFLOW_CONN_{connection_id.upper()}", text)


def test_a_connection_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    define(monkeypatch, WHOLE)
    found = connections.get("lilliput_pure")
    assert found == Connection(
        "lilliput_pure",
        "http",
        WHOLE["host"],
        "explorer",
        "hunter2",
        extra={"token": "hunter3"},
    )
    assert found.base_url == WHOLE["host"]
    assert connections.exists("lilliput_pure")


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    define(monkeypatch, WHOLE)
    assert "hunter" not in repr(connections.get("lilliput_pure"))


@pytest.mark.parametrize(
    "value",
    ["{hunter2", "hunter2", "http://a:b@c://d://hunter2", "http://hunter2:x@[::1", "http://hunter2@host:port",
     '{"conn_type": "http", "hots": "hunter2"}', '{"port": "hunter2"}', '{"extra": "hunter2"}', '{"extra": ["hunter2"]}'],
)  # fmt: skip
def test_a_broken_connection_says_so_without_its_secrets(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    define(monkeypatch, value)
    with pytest.raises(ConnectionUnusableError, match=r"(?i)lilliput_pure") as caught:
        connections.get("lilliput_pure")
    assert not isinstance(caught.value, ConnectionMissingError)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_missing_connection_says_where_to_define_it() -> None:
    with pytest.raises(
        ConnectionMissingError, match=r"`lilliput_pure` is not defined.*Admin > Connections.*AIRFLOW_CONN_LILLIPUT_PURE"
    ):
        connections.get("lilliput_pure")
    assert not connections.exists("lilliput_pure")


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ({"host": "https://pure.example/ws/api/"}, "https://pure.example/ws/api"),
        ({"host": "https://pure.example/ws/api", "port": 8443}, "https://pure.example:8443/ws/api"),
        ({"host": "https://pure.example:9002/ws/api", "port": 8443}, "https://pure.example:9002/ws/api"),
        ({"host": "pure.example", "conn_type": "http"}, "http://pure.example"),
        ({"host": "pure.example", "conn_type": "generic", "schema": "/ws/api"}, "https://pure.example/ws/api"),
        ("https://explorer:secret@pure.example:9002/elements-secure-api", "https://pure.example:9002/elements-secure-api"),
        ("http://:key@https%3A%2F%2FPure.example%2Fws%2Fapi", "https://Pure.example/ws/api"),
        ("http://https://pure.example", "https://pure.example"),
    ],
)  # fmt: skip
def test_the_base_url(monkeypatch: pytest.MonkeyPatch, value: Any, url: str) -> None:
    define(monkeypatch, value)
    assert connections.get("lilliput_pure").base_url == url


def test_a_web_service_without_host_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    define(monkeypatch, {"conn_type": "http", "password": "key"})
    with pytest.raises(ConnectionUnusableError, match="`lilliput_pure` has no host"):
        _ = connections.get("lilliput_pure").base_url


# The same as Airflow

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
SAFE = TEXTS.map(lambda text: quote(text, safe=""))
KINDS = st.sampled_from(["http", "https", "postgres", "postgresql", "google-cloud-platform", "Generic", "my_kind"])
URIS = st.builds(
    lambda kind, login, host, port, schema, query: f"{kind}://{login}{host}{port}{schema}{query}",
    KINDS,
    st.sampled_from(["", "@", ":@"]) | SAFE.map(lambda text: f"{text}@") | st.builds("{}:{}@".format, SAFE, SAFE),
    st.sampled_from(["", "Host.Example", "127.0.0.1", "[::1]", "%2Frun%2FSocket", "https%3A%2F%2FA.example%2FB"])
    | SAFE,
    st.sampled_from(["", ":1", ":5432"]),
    st.just("") | SAFE.map(lambda text: f"/{text}"),
    st.sampled_from(["", "?", "?a=1&b=", "?a=1&a=2", "?__extra__=%7B%22a%22%3A%20%5B1%5D%7D", "?host=%2Ftmp%2Fs"]),
)
WITH_SCHEME = st.builds(
    lambda kind, scheme, host, rest: f"{kind}://{scheme}://{host}{rest}",
    KINDS,
    st.sampled_from(["http", "https", "HTTPS"]),
    st.sampled_from(["a.example", "A.Example", "u:p@a.example", "a.example:9"]),
    st.sampled_from(["", "/", "/path", "/path?x=1"]),
)
JSONS = st.fixed_dictionaries(
    {},
    optional={
        "conn_type": KINDS,
        "host": TEXTS | st.none(),
        "login": TEXTS | st.none(),
        "password": TEXTS,
        "schema": TEXTS,
        "description": TEXTS,
        "port": st.none() | st.integers(1, 65535) | st.sampled_from(["", "5432", 0]),
        "extra": st.none() | st.just("") | st.just('{"a": {"b": 1}}') | st.dictionaries(TEXTS, st.integers() | TEXTS),
    },
).map(json.dumps)


@settings(max_examples=400, deadline=None)
@given(st.one_of(URIS, WITH_SCHEME, JSONS))
@example("postgresql://u@%2Frun%2FSock/warehouse")
@example("  postgres://u@h/d  ")
def test_the_environment_is_read_as_airflow_reads_it(value: str) -> None:
    from airflow.sdk import Connection as AirflowConnection
    from airflow.sdk.exceptions import AirflowException

    try:
        if value.strip().startswith("{"):
            theirs = AirflowConnection.from_json(value.strip(), conn_id="x")
        else:
            theirs = AirflowConnection.from_uri(value.strip(), conn_id="x")
    except (AirflowException, ValueError):
        with pytest.raises(ConnectionUnusableError):
            connections._parse(value.strip(), "AIRFLOW_CONN_X")
        return
    stated = {name: getattr(theirs, name) for name in connections.FIELDS}
    ours = connections._parse(value.strip(), "AIRFLOW_CONN_X")
    assert connections._connection("x", ours) == connections._connection("x", stated)


def test_airflow_itself_is_asked_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    import airflow.sdk  # noqa: F401

    monkeypatch.undo()
    define(monkeypatch, WHOLE, "laputa_pure")
    assert connections._is_airflow_asked()
    assert connections.get("laputa_pure").password == "hunter2"
    with pytest.raises(ConnectionMissingError, match="AIRFLOW_CONN_LAGADO_PURE"):
        connections.get("lagado_pure")
    define(monkeypatch, "{broken", "balnibarbi_pure")
    with pytest.raises(ConnectionUnusableError, match="cannot be read as a connection: it is no JSON"):
        connections.get("balnibarbi_pure")


@pytest.mark.parametrize("value", [None, json.dumps(WHOLE), "postgres://u:p@h/d"])
def test_a_terminal_does_not_pay_for_airflow(value: str | None) -> None:
    code = "import sys; from explorer import connections; print(connections.exists('x'), 'airflow' in sys.modules)"
    environment = {"PYTHONPATH": str(PLUGINS), **({"AIRFLOW_CONN_X": value} if value else {})}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == [str(value is not None), "False"]


def test_a_secrets_backend_named_in_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(sys, "modules", {"os": os})
    assert not connections._is_airflow_asked()
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "airflow.secrets.local_filesystem.LocalFilesystemBackend")
    assert connections._is_airflow_asked()


# The warehouse


def test_without_a_warehouse_connection_there_is_no_dsn() -> None:
    assert connections.warehouse_dsn() is None


@pytest.mark.parametrize(
    ("value", "dsn"),
    [
        (
            {"conn_type": "postgres", "host": "/run/post gres", "login": "postgres", "schema": "warehouse"},
            {"host": "/run/post gres", "user": "postgres", "dbname": "warehouse"},
        ),
        (
            "postgresql://anna:p%40ss'w@db.example:5433/warehouse?sslmode=verify-full",
            {"host": "db.example", "port": "5433", "user": "anna", "password": "p@ss'w", "dbname": "warehouse", "sslmode": "verify-full"},
        ),
        ("postgres:///warehouse?host=/run/s", {"host": "/run/s", "dbname": "warehouse"}),
        ("postgres://%2Frun%2FS/warehouse", {"host": "/run/S", "dbname": "warehouse"}),
        ({"conn_type": "postgres", "host": "h", "extra": {"connect_timeout": 5}}, {"host": "h", "connect_timeout": "5"}),
    ],
)  # fmt: skip
def test_the_warehouse_as_libpq_and_sqlalchemy_name_it(
    monkeypatch: pytest.MonkeyPatch, value: Any, dsn: dict[str, str]
) -> None:
    define(monkeypatch, value, "warehouse")
    found = connections.warehouse_dsn()
    assert found is not None
    assert conninfo_to_dict(found) == dsn
    url = make_url(connections.sqlalchemy_url(found))
    assert url.host
    assert url.get_backend_name() == "postgresql"
    _, opened = url.get_dialect()().create_connect_args(url)
    assert {name: str(value) for name, value in opened.items()} == {"host": "localhost", **dsn}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (WHOLE, "of the kind `http`: it must be postgres"),
        ({"conn_type": "postgres", "extra": {"sslmod": "require"}}, "what Postgres does not know.*sslmod"),
    ],
)
def test_a_warehouse_that_cannot_be_one_is_told(monkeypatch: pytest.MonkeyPatch, value: Any, message: str) -> None:
    define(monkeypatch, value, "warehouse")
    with pytest.raises(ConnectionUnusableError, match=message):
        connections.warehouse_dsn()


@settings(max_examples=100, deadline=None)
@given(
    user=st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=8),
    password=TEXTS,
    database=st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=8),
    host=st.sampled_from(["db.example", "::1", "/run/a b", "/run/ü", "a.example,b.example"]),
)
def test_any_name_and_password_survives(user: str, password: str, database: str, host: str) -> None:
    from psycopg.conninfo import make_conninfo

    dsn = make_conninfo(user=user, password=password, dbname=database, host=host, port=5432)
    url = make_url(connections.sqlalchemy_url(dsn))
    _, opened = url.get_dialect()().create_connect_args(url)
    assert (opened["user"], opened.get("password") or "", opened["dbname"]) == (user, password, database)
    assert opened["host"] == host
