"""An invented import with everything in its books, for the tests of the mails about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from explorer.config import Institution

if TYPE_CHECKING:
    from explorer.database import Connection

ENDS = ("duplicates", "deleted", "rejected", "excluded", "dropped_by_privacy", "orphaned", "merged")


def institution(**changed: Any) -> Institution:
    """Lilliput University, with what a test changes."""
    given = {
        "name": "Lilliput University",
        "slug": "lilliput",
        "timezone": "Europe/London",
        "source": {"kind": "spreadsheet", "publications": "publications.csv"},
        "notify": ["library@lilliput.example", "research-office@lilliput.example"],
    }
    return Institution.model_validate({**given, **changed})


def numbers(**given: int) -> dict[str, int]:
    """One entity's tally: what is not given is 0, and the sums are made."""
    keys = ("extracted", "reexamined", *ENDS, "added", "updated", "unchanged", "removed", "untouched")
    tally = {key: given.get(key, 0) for key in keys}
    kept = tally["added"] + tally["updated"] + tally["unchanged"]
    published = kept + tally["untouched"]
    before = published - tally["added"] + tally["removed"]
    return {**tally, "kept": kept, "published": published, "published_before": before}


TALLY = {
    "outputs": numbers(
        extracted=861, duplicates=4, rejected=25, excluded=14, dropped_by_privacy=3, orphaned=1, merged=2,
        added=12, updated=31, unchanged=769, removed=3,
    ),
    "authors": numbers(extracted=204, rejected=1, dropped_by_privacy=9, added=4, unchanged=190),
    "departments": numbers(extracted=23, unchanged=23),
    "removed_because": {"absent": 2, "rejected": 1},
    "excluded_because": {"no_identifier": 12, "set": 2},
}  # fmt: skip


def write_import(connection: Connection, **changed: Any) -> int:
    """Writes the books of one import and returns its number; ``changed`` are columns of its row."""
    row = {
        "institution": "lilliput", "run_key": "manual__2026-07-06", "mode": "full", "reason": "the first import",
        "status": "succeeded", "base_version": 0, "fingerprint": "f", "tally": Jsonb(TALLY),
        "attention": Jsonb({"state": "attention not configured"}),
        "run_url": "https://airflow.lilliput.example/dags/import_lilliput/runs/manual__2026-07-06",
        "started_at": "2026-07-06T02:00:00Z", "finished_at": "2026-07-06T02:03:25Z",
        "published_at": "2026-07-06T02:03:25Z", **changed,
    }  # fmt: skip
    connection.execute(
        "insert into ops.institution (slug, name, source) values ('lilliput', 'Lilliput University', 'spreadsheet')"
        " on conflict do nothing"
    )
    names = ", ".join(row)
    found = connection.execute(
        f"insert into ops.import ({names}, staging_until) values ({', '.join(['%s'] * len(row))}, now()) returning id",
        list(row.values()),
    ).fetchone()
    assert found is not None
    connection.commit()
    return int(str(found[0]))


def reject(connection: Connection, import_id: int, **given: Any) -> None:
    """Writes one rejected (or excluded) record."""
    row = {
        "import_id": import_id, "entity": "output", "verdict": "rejected", "key": None, "place": "row 2",
        "stage": "validate", "rule": "no_title", "reason": "it has no title: add one", "field": None, "value": None,
        "payload": None, **given,
    }  # fmt: skip
    connection.execute(
        f"insert into ops.rejected_record ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
        list(row.values()),
    )
    connection.commit()


def note(connection: Connection, import_id: int, **given: Any) -> None:
    """Writes one note."""
    row = {
        "import_id": import_id, "entity": "output", "key": None, "place": "row 2", "code": "repaired",
        "severity": "info", "field": None, "value": None, "repaired_to": None, "message": "Blanks were taken away.",
        **given,
    }  # fmt: skip
    connection.execute(
        f"insert into ops.record_note ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})", list(row.values())
    )
    connection.commit()


def drop(connection: Connection, import_id: int, entity: str, rule: str, dropped: int) -> None:
    """Writes what a privacy rule dropped."""
    connection.execute("insert into ops.privacy_drop values (%s, %s, %s, %s)", (import_id, entity, rule, dropped))
    connection.commit()


def fill(connection: Connection, import_id: int) -> None:
    """Books that agree with ``TALLY``."""
    for place in range(22):
        reject(
            connection, import_id, place=f"row {place + 4}", rule="invalid_identifier", field="doi",
            value=f"10.5555/lilliput.{place}//", payload=Jsonb({"title": f"On the breaking of egg {place}"}),
            reason="this is no DOI: write it as 10.1234/abc, or empty the cell",
        )  # fmt: skip
    for place in (96, 702, 810):
        reject(connection, import_id, place=f"row {place}", rule="too_many_cells", field="column K",
               value="; ;",
               reason="the row has more cells than the header: put values with commas into quotation marks",
               )  # fmt: skip
    reject(connection, import_id, entity="author", place="row 96", rule="no_name", reason="the author has no name")
    for place in range(12):
        reject(connection, import_id, verdict="excluded", place=f"row {100 + place}", rule="no_identifier",
               reason="it has no supported identifier, and without one no attention can be found")  # fmt: skip
    for place in range(2):
        reject(connection, import_id, verdict="excluded", place=f"row {200 + place}", rule="set",
               reason="it belongs to a set that the configuration leaves out")  # fmt: skip
    for place in range(41):
        note(connection, import_id, place=f"row {place + 2}", field="doi", code="normalised",
             message="The DOI was written as an address; the DOI itself is kept.",
             value=f"https://doi.example/10.5555/blefuscu.{place}", repaired_to=f"10.5555/blefuscu.{place}",
             )  # fmt: skip
    for place, name in ((17, "Dept. of Egg Studies"), (230, "Court of Rope Dancing")):
        note(connection, import_id, place=f"row {place}", field="department", code="unknown_department",
             severity="warning", value=name,
             message=f"“{name}” is not in the groups file; the output stays, without it.")  # fmt: skip
    drop(connection, import_id, "output", "level_private", 3)
    drop(connection, import_id, "author", "not_academic", 9)
