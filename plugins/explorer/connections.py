"""The one place that asks Airflow for a connection: addresses and secrets that no file of ours holds.

Importing Airflow costs three seconds. A process that has not done so anyway (the command line) reads the environment
variable ``AIRFLOW_CONN_<ID>`` itself, with the same result; that is also all that Airflow would look at outside its own
processes, unless the environment names a secrets backend.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

WAREHOUSE = "warehouse"
BACKENDS = ("AIRFLOW__SECRETS__BACKEND", "AIRFLOW__WORKERS__SECRETS_BACKEND")
SCHEMES = 2  # of a URI at most: the kind, and the host's own
FIELDS = ("conn_type", "host", "login", "password", "schema", "port", "extra")


class ConnectionUnusableError(Exception):
    """A connection cannot be used as it is defined; the message says which, why and what to do."""


class ConnectionMissingError(ConnectionUnusableError):
    """A connection is not defined."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An Airflow connection. ``schema`` is the database of a Postgres; secrets never show in its ``repr``."""

    id: str
    kind: str = ""
    host: str = ""
    login: str = ""
    password: str = field(default="", repr=False)
    port: int | None = None
    schema: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def base_url(self) -> str:
        """The address of a web service, without a slash at its end.

        ``host`` is the whole of it. Where a connection holds its parts (``https://login:secret@host:9002/path``), they
        are put together; a kind that is no scheme means https. Raises ``ConnectionUnusableError`` without a host.
        """
        if not self.host:
            message = f"the Airflow connection `{self.id}` has no host: give it the whole base URL, like https://…"
            raise ConnectionUnusableError(message)
        if "://" in self.host:
            scheme, _, place = self.host.partition("://")
        else:
            scheme, place = self.kind if self.kind in {"http", "https"} else "https", self.host
        netloc, slash, path = place.partition("/")
        if self.port and urlsplit(f"//{netloc}").port is None:
            netloc = f"{netloc}:{self.port}"
        if not path and self.schema and self.schema not in {"http", "https"}:
            slash, path = "/", self.schema.lstrip("/")
        return f"{scheme}://{netloc}{slash}{path}".rstrip("/")


def get(connection_id: str) -> Connection:
    """The connection of that id.

    Raises ``ConnectionMissingError`` where it is not defined, ``ConnectionUnusableError`` where it cannot be read.
    """
    variable = _variable(connection_id)
    value = os.environ.get(variable, "").strip()
    if value:
        stated = _parse(value, variable)  # also where Airflow reads it: it takes one that is broken for one that is not
    if _is_airflow_asked():
        stated = _from_airflow(connection_id)
    elif not value:
        raise _missing(connection_id)
    return _connection(connection_id, stated)


def exists(connection_id: str) -> bool:
    """Whether the connection is defined."""
    try:
        get(connection_id)
    except ConnectionMissingError:
        return False
    return True


def warehouse_dsn() -> str | None:
    """The libpq connection string of the Airflow connection ``warehouse``; None where it is not defined.

    Its ``extra`` may hold any parameter of libpq (``sslmode``, ``host`` as the folder of a socket), which then counts.
    """
    from psycopg import ProgrammingError  # noqa: PLC0415 - only those who need a database pay for it
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415

    try:
        warehouse = get(WAREHOUSE)
    except ConnectionMissingError:
        return None
    if warehouse.kind not in {"postgres", "postgresql"}:
        message = f"the Airflow connection `{WAREHOUSE}` is of the kind `{warehouse.kind}`: it must be postgres"
        raise ConnectionUnusableError(message)
    stated = {
        "host": warehouse.host,
        "port": warehouse.port,
        "user": warehouse.login,
        "password": warehouse.password,
        "dbname": warehouse.schema,
        **warehouse.extra,
    }
    try:
        return make_conninfo(**{name: str(value) for name, value in stated.items() if value not in {None, ""}})
    except ProgrammingError as error:
        message = f"the Airflow connection `{WAREHOUSE}` holds what Postgres does not know: {error}"
        raise ConnectionUnusableError(message) from None


def sqlalchemy_url(dsn: str) -> str:
    """A libpq connection string as SQLAlchemy's address, for psycopg2.

    Great Expectations refuses an address without a host: a socket's folder goes into the query, which then counts.
    """
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    stated = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    user, password, port, database = (stated.pop(name, "") for name in ("user", "password", "port", "dbname"))
    host = stated.get("host", "")
    if host and not host.startswith("/") and "," not in host:
        del stated["host"]
    else:
        host = "localhost"
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    query = f"?{urlencode(stated, quote_via=quote, safe='/')}" if stated else ""
    return f"postgresql+psycopg2://{login}{'@' if login else ''}{place}/{quote(database, safe='')}{query}"


def _variable(connection_id: str) -> str:
    return f"AIRFLOW_CONN_{connection_id.upper()}"


def _missing(connection_id: str) -> ConnectionMissingError:
    return ConnectionMissingError(
        f"the Airflow connection `{connection_id}` is not defined: add it under Admin > Connections (for runs in"
        f" Airflow), or set {_variable(connection_id)} (for runs in Airflow and on the command line)"
    )


def _is_airflow_asked() -> bool:
    return "airflow.sdk" in sys.modules or any(name.startswith(BACKENDS) for name in os.environ)


def _from_airflow(connection_id: str) -> dict[str, Any]:
    from airflow.sdk import Connection as AirflowConnection  # noqa: PLC0415 - three seconds
    from airflow.sdk.exceptions import AirflowNotFoundException  # noqa: PLC0415

    try:
        found = AirflowConnection.get(connection_id)
    except AirflowNotFoundException:
        raise _missing(connection_id) from None
    return {name: getattr(found, name) for name in FIELDS}


def _connection(connection_id: str, stated: Mapping[str, Any]) -> Connection:
    """One shape for what came from Airflow and what came from the environment."""
    extra = stated.get("extra") or {}
    try:
        extra = json.loads(extra) if isinstance(extra, str) else extra
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        message = f"the Airflow connection `{connection_id}` has an `extra` that is no JSON object: write it as {{…}}"
        raise ConnectionUnusableError(message)
    texts = {name: str(stated.get(name) or "") for name in ("host", "login", "password", "schema")}
    kind = str(stated.get("conn_type") or "")
    return Connection(connection_id, kind, port=stated.get("port") or None, extra=extra, **texts)


def _parse(value: str, variable: str) -> dict[str, Any]:
    """The fields of a connection as JSON or as a URI, read as Airflow reads them."""
    try:
        stated = _parse_json(value) if value.startswith("{") else _parse_uri(value)
    except ValueError as error:
        # The reason, never the value: it holds a secret.
        reason = "it is no JSON" if isinstance(error, json.JSONDecodeError) else str(error)
        message = f"the environment variable {variable} cannot be read as a connection: {reason}"
        raise ConnectionUnusableError(message) from None
    kind = str(stated.get("conn_type") or "")
    return {**stated, "conn_type": "postgres" if kind == "postgresql" else kind.replace("-", "_")}


def _parse_json(value: str) -> dict[str, Any]:
    stated: dict[str, Any] = json.loads(value)
    unknown = sorted(stated.keys() - {*FIELDS, "description"})
    if unknown:
        reason = f"it has the key {unknown[0]}; allowed: {', '.join(FIELDS)}"
        raise ValueError(reason)
    try:
        stated["port"] = int(stated.get("port") or 0) or None
    except (TypeError, ValueError):
        reason = "its port is no whole number"
        raise ValueError(reason) from None
    return stated


def _parse_uri(value: str) -> dict[str, Any]:
    """``kind://login:password@host:port/schema?extra``; a second ``://`` is the host's own scheme.

    A kind that equals that scheme swallows it, as in Airflow: the host is then empty, which whoever needs it says.
    """
    has_scheme = value.count("://") == SCHEMES
    try:
        kind = urlsplit(value).scheme
        rest = value.replace(f"{kind}://", "" if has_scheme else "//")
        parts = urlsplit(rest)
        port = parts.port
    except ValueError:
        reason = "its host or port is not written as in a URI; what is special in them needs percent-encoding"
        raise ValueError(reason) from None
    if "://" not in value or value.count("://") > SCHEMES or (has_scheme and {"@", ":"} & set(rest.split("://")[0])):
        reason = "it is neither JSON nor a URI like http://login:password@host"
        raise ValueError(reason)
    host = _host(parts)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return {
        "conn_type": kind,
        "host": f"{parts.scheme}://{host}" if has_scheme and host else host,
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "schema": unquote(parts.path[1:]),
        "port": port,
        "extra": query.get("__extra__", query),
    }


def _host(parts: SplitResult) -> str:
    """The host; one that is a path or an address (percent-encoded) keeps its capitals, a plain one does not."""
    host = unquote(parts.hostname or "")
    return unquote(parts.netloc.rpartition("@")[2].partition(":")[0]) if "/" in host else host
