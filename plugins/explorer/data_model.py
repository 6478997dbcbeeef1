"""``docs/data_model.md``, from the warehouse itself: tables, columns, keys and comments.

``python -m explorer.data_model`` writes it; a test fails when it is stale.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from explorer import database, local

if TYPE_CHECKING:
    from explorer.database import Connection

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data_model.md"
SCHEMAS = {
    "ops": "The books: institutions, imports, rejects, history, mails.",
    "warehouse": "What is published. Every table is partitioned by institution; each has leaves of its own.",
    "attention": "Online attention.",
    "explorer": "Views for pages, reports and programs.",
}
HEAD = """# Data model

Made from the schema files by `python -m explorer.data_model`; do not edit. Staging (`import_<id>`) is described in
`include/sql/staging/create.sql`.
"""


def page(connection: Connection) -> str:
    """The page, as Markdown."""
    lines = [HEAD]
    for schema, what in SCHEMAS.items():
        tables = database.run(connection, "explorer/tables", {"schema": schema}).fetchall()
        if not tables:
            continue
        lines += [f"## {schema}", "", what, ""]
        for table, comment, columns, constraints in tables:
            lines += [f"### {schema}.{table}", ""]
            lines += [comment, ""] if comment else []
            lines += ["| column | type | |", "| --- | --- | --- |"]
            lines += [f"| `{c['name']}` | {c['type']} | {c['comment'] or ''} |" for c in columns]
            lines += ["", *(f"- {constraint}" for constraint in constraints), ""]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Writes the page."""
    with database.connect(local.warehouse_dsn()) as connection:
        database.migrate(connection)
        PAGE.write_text(page(connection), encoding="utf-8")


if __name__ == "__main__":
    main()
