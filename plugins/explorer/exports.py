"""What is published, for programs and spreadsheets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.types.json import Jsonb

from explorer import database, imports
from explorer.attention_providers import SOURCES
from explorer.config_values import in_words
from explorer.imports import HaltedError
from explorer.tables import guarded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.database import Connection

Rows = list[tuple[object, ...]]


class What(StrEnum):
    """What can be exported."""

    OUTPUTS = "outputs"
    AUTHORS = "authors"
    DEPARTMENTS = "departments"
    ATTENTION = "attention"


def select(connection: Connection, name: str, parameters: Mapping[str, object]) -> tuple[list[str], Rows]:
    """Column names and rows of a statement in ``include/sql``."""
    cursor = database.run(connection, name, parameters)
    return [column.name for column in cursor.description or ()], cursor.fetchall()


def published(connection: Connection, slug: str, what: What) -> tuple[list[str], Rows]:
    """Column names and rows of an institution's published outputs, authors, departments or attention, sorted by key."""
    return select(connection, f"explorer/export_{what}", _of(slug))


def records(connection: Connection, slug: str) -> Iterator[str]:
    """What is known of each tracked output of an institution, as lines of JSON that a file of attention records may hold."""
    with connection.cursor("records") as cursor:
        cursor.execute(sql.SQL(database.text("explorer/export_records")), _of(slug))
        for (line,) in cursor:
            yield str(line)


def _of(slug: str) -> dict[str, object]:
    return {"institution": slug, "sources": Jsonb(dict(SOURCES))}


def difference(connection: Connection, slug: str, import_id: int) -> tuple[list[str], Rows]:
    """What an import changed, from the history; or would change, from its staging.

    Raises ``HaltedError`` where neither is there any more.
    """
    staged = imports.get(connection, import_id)
    if staged.status in {"dry_run", "awaiting_approval", "running"}:
        if imports.has_staging(connection, import_id):
            imports.stand_on(connection, staged)
            return select(connection, "explorer/diff_staged", {})
        message = (
            f"import {import_id} of {slug} was a dry run; what it would have changed is kept for"
            f" {in_words(imports.STAGING_KEPT)}, and until something newer is published: do another"
        )
        raise HaltedError("difference_gone", message)
    oldest = connection.execute("select history_from from ops.institution where slug = %s", (slug,)).fetchall()[0][0]
    if import_id <= oldest:
        message = (
            f"the history of {slug} reaches back to import {oldest}; what that one and those before changed is gone"
        )
        raise HaltedError("history_gone", message)
    return select(connection, "explorer/diff", {"institution": slug, "import_id": import_id})


def cell(value: object) -> object:
    """A value as a spreadsheet's cell: lists by semicolon, objects as ``scheme: value``, nothing that runs as a formula."""
    match value:
        case None:
            return ""
        case list():
            return cell("; ".join(str(v.get("name", v)) if isinstance(v, dict) else str(v) for v in value))
        case dict():
            return cell("; ".join(f"{k}: {' '.join(v) if isinstance(v, list) else v}" for k, v in value.items()))
        case str():
            return guarded(value)
        case int() | float():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False, default=str)
