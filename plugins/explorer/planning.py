"""What is asked for, and the plan: full or incremental, why, and from where.

Source of the rules: the integration guide, "Keeping your data up-to-date".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from explorer.database import Connection
from explorer.sources import CHANGES_LOST

Mode = Literal["full", "incremental"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT")  # how a watermark begins that is the source's clock


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for: a run's key (the same key is the same import), and the two switches of the form."""

    run_key: str
    full_import: bool = False
    dry_run: bool = False
    run_url: str | None = None
    stays: bool = False  # the holder lives as long as the import (a command line), not as long as one task


@dataclass(frozen=True, slots=True)
class Subject:
    """The institution as an import sees it."""

    slug: str
    name: str
    source: str
    configured_in: str
    fingerprint: str
    says_changes: bool
    overlap: timedelta
    sweep: str | None = None  # why it is time to compare all that there is, where it is
    upload: int | None = None  # the set of files that this import is to read


def plan(  # noqa: PLR0911 - a reason each
    connection: Connection, subject: Subject, request: Request
) -> tuple[Mode, str, dict[str, str]]:
    """Full or incremental, the reason in words, and from where."""
    last = connection.execute(
        "select kind, fingerprint, watermarks, id from ops.import"
        " where institution = %s and published_at is not null and kind <> 'purge' order by id desc limit 1",
        (subject.slug,),
    ).fetchone()
    if last is None:
        return "full", "the first import", {}
    kind, fingerprint, watermarks, last_id = last
    if request.full_import:
        return "full", "a full import was asked for", {}
    if kind == "rollback":
        return "full", f"the last change, import {last_id}, was a rollback", {}
    if fingerprint != subject.fingerprint:
        return "full", "the configuration or the rules changed since the last import", {}
    if (owed := _owed(connection, subject, last_id)) is not None:
        return "full", owed, {}
    if not subject.says_changes:
        return "full", "this kind of source cannot say what changed", {}
    if subject.sweep is not None:
        return "full", subject.sweep, {}
    lost = connection.execute(
        "select max(id) from ops.import where institution = %s and id > %s and error ->> 'code' = %s",
        (subject.slug, last_id, CHANGES_LOST),
    ).fetchall()[0][0]
    if lost is not None:
        return "full", f"import {lost} found that the source cannot tell what changed since import {last_id}", {}
    marks = dict(watermarks) if isinstance(watermarks, dict) else {}
    if not marks:
        return "full", f"import {last_id} left no time to start from", {}
    begins = {part: _less(connection, mark, subject.overlap) for part, mark in marks.items()}
    times = [mark for mark in begins.values() if TIME.match(mark)]
    since = f"since {min(times)} (the source's clock at import {last_id}, less an overlap)" if times else ""
    return "incremental", f"changes {since or f'since import {last_id}'}", begins


def _owed(connection: Connection, subject: Subject, last_id: int) -> str | None:
    """Why what is published is not what this configuration makes of the source, though it was published last."""
    reset = connection.execute(
        "select fingerprint from ops.import where institution = %s and published_at is not null and kind <> 'purge'"
        " and not (mode = 'full' and status = 'failed') order by id desc limit 1",
        (subject.slug,),
    ).fetchone()
    if reset is not None and reset[0] != subject.fingerprint:
        return f"import {last_id} was to reset everything and lost a part of the source"
    purged = connection.execute(
        "select max(id) from ops.import where institution = %s and kind = 'purge' and id > %s and fingerprint <> %s",
        (subject.slug, last_id, subject.fingerprint),
    ).fetchall()[0][0]
    return None if purged is None else f"import {purged} took out what was private under another configuration"


def owed_to_another(connection: Connection, institution: str, speaks: str) -> str | None:
    """Why changes are not enough, where the source said to be something else at the last import that published."""
    last_id, spoke = connection.execute(
        "select id, speaks from ops.import where institution = %s and published_at is not null and kind <> 'purge'"
        " order by id desc limit 1",
        (institution,),
    ).fetchall()[0]
    return None if spoke == speaks else f"the source is {speaks} now; it was {spoke or 'not asked'} at import {last_id}"


def _less(connection: Connection, mark: str, overlap: timedelta) -> str:
    """A watermark less an overlap; one that is a place in the source's own list stays as it is."""
    if not TIME.match(mark):
        return mark
    row = connection.execute(
        "select to_char((%s::timestamptz - %s) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')", (mark, overlap)
    ).fetchall()[0]
    return str(row[0])


def since_whole(connection: Connection, institution: str) -> timedelta | None:
    """How long ago the institution was last imported whole with nothing lost.

    None where nothing was published yet; where all full imports lost something, longer than any interval.
    """
    row = connection.execute(
        "select count(*), now() - max(started_at) filter (where mode = 'full' and kind = 'import' and status = 'succeeded')"
        " from ops.import where institution = %s and published_at is not null",
        (institution,),
    ).fetchall()[0]
    return (row[1] or timedelta.max) if row[0] else None
