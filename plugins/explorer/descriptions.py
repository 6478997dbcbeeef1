"""An import described: as one JSON object for programs, as Markdown for the person who is asked to approve it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from explorer import database, imports
from explorer.database import Connection
from explorer.imports import APPROVAL_WITHIN
from explorer.sites import Site

TALLY = (
    "extracted", "reexamined", "duplicates", "deleted", "rejected", "excluded", "dropped_by_privacy", "orphaned", "merged",
    "added", "updated", "unchanged", "removed", "untouched", "published",
)  # fmt: skip
MARKS = re.compile(r"[\\`*_{}\[\]<>#|~!]")
WOULD_GO = {
    "absent": "no longer in the source",
    "deleted": "deleted at the source",
    "excluded": "left out now: no identifier, an excluded set, not affiliated",
    "merged": "one with another that stays",
    "orphaned": "left without authors",
    "rejected": "its record breaks a rule now",
    "rekeyed": "the same output comes back under another key",
}


def object_of(connection: Connection, import_id: int) -> Mapping[str, Any]:
    """An import as one JSON object, for programs."""
    row = connection.execute(
        "select institution, id, mode, reason, status, tally, attention, seconds, peak_rss_mb, error,"
        " started_at, finished_at from ops.import where id = %s",
        (import_id,),
    ).fetchall()[0]
    known: Any = row[5]
    tally: dict[str, Any] = {
        entity: {key: known.get(entity, {}).get(key, 0) for key in TALLY}
        for entity in ("outputs", "authors", "departments")
    }
    tally |= {key: known.get(key, {}) for key in ("removed_because", "excluded_because")}
    made: dict[str, Any] = {
        "institution": row[0], "import_id": row[1], "mode": row[2], "reason": row[3], "status": row[4], "tally": tally,
        "attention": row[6], "seconds": row[7], "peak_rss_mb": row[8],
    }  # fmt: skip
    if row[9] is not None and row[4] in {"failed", "declined"}:
        made["error"] = row[9]
    if gone := purges(connection, row[0], import_id):
        made["purges"] = gone
    return made


def purges(connection: Connection, institution: str, import_id: int) -> list[int]:
    """The imports by which went what turned private, while this one waited for approval."""
    rows = connection.execute(
        "select p.id from ops.import p where institution = %s and kind = 'purge' and id > %s and not exists ("
        "select from ops.import i where i.institution = p.institution and i.id > %s and i.id < p.id and kind <> 'purge')"
        " order by id",
        (institution, import_id, import_id),
    )
    return [int(row[0]) for row in rows.fetchall()]


def approval_text(place: Site, import_id: int) -> str | None:
    """What a person who is asked for approval should see, as Markdown; None where nobody has to be asked."""
    with database.connect(place.dsn) as connection:
        import_ = imports.get(connection, import_id)
        if import_.status != "awaiting_approval":
            return None
        purged = [str(each) for each in purges(connection, import_.institution, import_id)]
        imports.stand_on(connection, import_)
        tally: Any = connection.execute("select tally from ops.import where id = %s", (import_id,)).fetchall()[0][0]
        reasons = database.run(connection, "explorer/would_go_because").fetchall()
        examples = database.run(connection, "explorer/would_go").fetchall()
    limit = place.institution.limits.max_removed_share
    numbers = [
        (entity, n["published_before"], n["removed"], f"{n['removed'] / max(1, n['published_before']):.0%}", n["added"],
         n["updated"], n["published"])
        for entity in ("outputs", "authors", "departments") for n in [tally[entity]]
    ]  # fmt: skip
    return "\n".join(
        [
            f"**{_cell(place.institution.name)}**, import {import_id}, {import_.mode} ({_cell(import_.reason)}).",
            "",
            f"It would remove, or give another key to, more than {limit:.0%} of something (`limits.max_removed_share`).",
            "So it waits. **Nothing has changed yet.**",
            *([f"Only what turned private is gone; that never waits (import {', '.join(purged)})."] if purged else []),
            "",
            *_table(
                ("", "published now", "would go", "share", "would come", "would change", "then published"), numbers
            ),
            "",
            "**Approve**: the difference is published as it stands here; `rollback` takes it back.",
            "",
            "**Reject**: the import ends and nothing changes; the next one reads the source again.",
            "",
            f"No answer within {APPROVAL_WITHIN.days} days counts as Reject.",
            "",
            "**Why they would go**",
            "",
            *_table(("what", "reason", "number"), [(e, WOULD_GO.get(r, r), n) for e, r, n in reasons]),
            "",
            "**Examples of what would go**",
            "",
            *_table(("what", "key", "title or name", "reason"), [(*e[:3], WOULD_GO.get(e[3], e[3])) for e in examples]),
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """The lines of a Markdown table; columns of numbers and shares stand to the right."""
    right = [bool(rows) and (isinstance(rows[0][n], int) or name == "share") for n, name in enumerate(head)]
    rule = " | ".join("---:" if each else "---" for each in right)
    return [f"| {' | '.join(head)} |", f"| {rule} |", *(f"| {' | '.join(map(_cell, row))} |" for row in rows)]


def _cell(value: object) -> str:
    """A value as text of a Markdown table: what a source calls a thing sets no marks."""
    text = " ".join(str(f"{value:,}" if isinstance(value, int) else value).split())
    return MARKS.sub(r"\\\g<0>", text)
