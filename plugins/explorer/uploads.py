"""Sets of files that an institution sends: stored with who, when, digest and report; imported; published again.

A set is the whole of what the institution publishes and replaces the one before. Its bytes lie in the warehouse, so that
every worker reads the same ones, and only as long as they are of use.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, LiteralString

from explorer import config, database, exports, report, watched
from explorer.imports import HaltedError
from explorer.sources import Source, SourceError
from explorer.sources.spreadsheet import SentFile, SpreadsheetSource
from explorer.watched import MAX_BYTES, File

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from explorer.config import Institution
    from explorer.database import Connection
    from explorer.report import Report

log = logging.getLogger(__name__)

ENTRIES_KEPT = 1000  # of a report, the worst ones; its counts tell of all
CONTENT: Mapping[str, LiteralString] = {
    "publications": "select publications from ops.upload where id = %s",
    "hierarchy": "select hierarchy from ops.upload where id = %s",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A set of files that is new, with the report on it, or the sentence that refuses it."""

    publications: File
    hierarchy: File | None
    by: str
    report: Report | str
    origin: Literal["sent", "watched"] = "sent"


@dataclass(frozen=True, slots=True)
class Again:
    """One of the last published sets, by its number."""

    upload: int
    by: str


def takes(institution: Institution) -> bool:
    """Whether an institution's publications are sent, not read from where its YAML says."""
    block = institution.source
    return isinstance(block, config.SpreadsheetSource) and block.publications is None


def read(institution: Institution, publications: Path, hierarchy: Path | None) -> tuple[File, File | None]:
    """The files that a person sends. Raises ``SourceError`` where they cannot be read or are not wanted."""
    if not takes(institution):
        message = (
            f"{institution.name} takes no uploads: its YAML says where publications are read; an upload needs"
            " `source: {kind: spreadsheet}` without `publications`"
        )
        raise SourceError("takes_no_uploads", message)
    if hierarchy is not None and _groups_are_configured(institution):
        message = f"the YAML of {institution.name} says where its groups come from; send the publications file alone"
        raise SourceError("groups_configured", message)
    return _file(publications), _file(hierarchy) if hierarchy else None


def _groups_are_configured(institution: Institution) -> bool:
    named = institution.departments.file or getattr(institution.source, "hierarchy", None)
    return bool(named) or institution.departments.mode != "source"


def _file(path: Path) -> File:
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            message = f"{path} has {size:,} bytes, more than the {MAX_BYTES:,} allowed; send less"
            raise SourceError("file_too_large", message)
        return File(path.name, path.read_bytes())
    except OSError as error:
        raise SourceError("file_unreadable", f"{path} cannot be read: {error.strerror}; mend the path") from error


def with_files(source: SpreadsheetSource, publications: File, hierarchy: File | None) -> SpreadsheetSource:
    """The source with these files; without groups of their own it keeps those that it has."""
    groups = SentFile(hierarchy.name, partial(_given, hierarchy)) if hierarchy else source.groups
    return replace(source, publications=SentFile(publications.name, partial(_given, publications)), groups=groups)


def _given(file: File) -> bytes:
    return file.content


def _kept(made: Report | str) -> dict[str, object]:
    """A report as it is kept: the worst entries, all counts."""
    if isinstance(made, str):
        return {"refused": made}
    weights = list(report.HEADINGS)
    worst = sorted(made.entries, key=lambda entry: weights.index(entry.weight))
    return report.as_json(replace(made, entries=tuple(worst[:ENTRIES_KEPT])))


def equipped(source: Source, institution: Institution, dsn: str, upload: int | None) -> Source:
    """A spreadsheet source with a stored set of files (None: the one that the next import reads); others as they are."""
    if not isinstance(source, SpreadsheetSource) or not takes(institution):
        return source
    with database.connect(dsn) as connection:
        number = current(connection, institution.slug) if upload is None else upload
        row = connection.execute(
            "select publications_name, hierarchy_name from ops.upload where id = %s", (number,)
        ).fetchone()
    if row is None:
        return source
    files = {
        kind: SentFile(str(name), partial(_content, dsn, number, kind))
        for kind, name in zip(CONTENT, row, strict=True)
        if name is not None
    }
    groups = source.groups if _groups_are_configured(institution) else files.get("hierarchy")
    return replace(source, publications=files["publications"], groups=groups)


def _content(dsn: str, upload: int | None, kind: str) -> bytes:
    with database.connect(dsn) as connection:
        row = connection.execute(CONTENT[kind], (upload,), binary=True).fetchone()
    if row is None or row[0] is None:
        message = f"the files of upload {upload} are no longer kept: later ones were published; start a new import"
        raise SourceError("upload_gone", message)
    return bytes(row[0])


def examined(source: Source, files: tuple[File, File | None], by: str) -> Sent:
    """A set that a person sends, with its report. Raises ``SourceError`` where a file cannot be read."""
    if not isinstance(source, SpreadsheetSource):
        raise TypeError("files are sent to a spreadsheet source alone")
    return Sent(*files, by, with_files(source, *files).report())


def current(connection: Connection, slug: str) -> int | None:
    """The set that the next import of an institution reads."""
    row = database.run(connection, "uploads/current", {"institution": slug}).fetchone()
    return int(row[0]) if row else None


def drop(institution: Institution) -> watched.Drop | None:
    """What lies in the institution's watched folder; None where it watches none."""
    block = institution.source
    if not isinstance(block, config.SpreadsheetSource) or block.watch is None:
        return None
    return watched.newest(institution.locate(block.watch), datetime.now(UTC))


def taken_from_folder(institution: Institution, source: Source, connection: Connection) -> Sent | None:
    """The set in the watched folder, where it is another than the one that was last taken from there."""
    files = _new_in_folder(institution, connection)
    if files is None or not isinstance(source, SpreadsheetSource):
        return None
    try:
        made: Report | str = with_files(source, *files).report()
    except SourceError as refused:  # the import says it again, in its own row, and alarms
        made = str(refused)
    return Sent(*files, "the watched folder", made, "watched")


def with_folder(institution: Institution, source: Source, connection: Connection) -> Source:
    """The source as the next import reads it: with what is new in the watched folder."""
    files = _new_in_folder(institution, connection)
    if files is None or not isinstance(source, SpreadsheetSource):
        return source
    return with_files(source, *files)


def _new_in_folder(institution: Institution, connection: Connection) -> tuple[File, File | None] | None:
    found = drop(institution)
    if found is None:
        return None
    if found.publications is None:
        log.warning("nothing new is taken from the watched folder: %s", found.waits)
        return None
    groups = None if _groups_are_configured(institution) else found.hierarchy
    last = connection.execute(
        "select publications_digest, hierarchy_digest from ops.upload"
        " where institution = %s and origin = 'watched' and not trial order by id desc limit 1",
        (institution.slug,),
    ).fetchone()
    if last is not None and last[0] == found.publications.digest and (groups is None or last[1] == groups.digest):
        log.info("the watched folder holds the same files as before")
        return None
    return found.publications, groups


def again(connection: Connection, slug: str, upload: int, by: str) -> Again:
    """A set to be published again. Raises ``HaltedError`` where that cannot be."""
    able = [made["id"] for made in listed(connection, slug) if made["can_be_published_again"]]
    if upload not in able:
        which = ", ".join(map(str, able)) or "none"
        message = (
            f"upload {upload} of {slug} cannot be published again; these can: {which} (`bin/explorer uploads {slug}`)"
        )
        raise HaltedError("not_kept", message)
    return Again(upload, by)


def choose(connection: Connection, slug: str, wanted: Sent | Again | None, *, trial: bool) -> int | None:
    """Stores what is wanted, or takes what is there; returns the number of the set that an import is to read.

    Belongs into the transaction that opens the import: where that is refused, nothing is stored.
    """
    before = current(connection, slug)
    match wanted:
        case None:
            return before
        case Again():
            parameters: dict[str, object] = {"id": wanted.upload, "by": wanted.by}
            name = "uploads/again"
        case Sent():
            parameters = {
                "by": wanted.by,
                "origin": wanted.origin,
                "before": before,
                "report": _json(_kept(wanted.report)),
            }
            for kind, file in (("publications", wanted.publications), ("hierarchy", wanted.hierarchy)):
                values = (file.name, file.digest, file.content) if file else (None, None, None)
                parameters |= zip((f"{kind}_name", f"{kind}_digest", kind), values, strict=True)
            name = "uploads/store"
    row = database.run(connection, name, {"institution": slug, "trial": trial, **parameters}).fetchone()
    if row is None:
        raise HaltedError("not_kept", f"the files of upload {parameters['id']} of {slug} are no longer kept")
    return int(row[0])


def _json(made: Mapping[str, object]) -> str:
    """JSON as Postgres keeps it: no NUL, no lone surrogate."""
    text = json.dumps(made, ensure_ascii=False).replace("\\u0000", "\N{SYMBOL FOR NULL}")
    return text.encode("utf-8", "replace").decode("utf-8")


def forget(connection: Connection, slug: str) -> int:
    """Empties the content of sets that are no longer of use; returns how many."""
    parameters = {"institution": slug, "current": current(connection, slug)}
    emptied = database.run(connection, "uploads/forget", parameters).rowcount
    if emptied:
        log.info("the files of %d older uploads are no longer kept", emptied)
    return emptied


def listed(connection: Connection, slug: str) -> list[dict[str, Any]]:
    """The sets that an institution sent, newest first, and what became of them."""
    parameters = {"institution": slug, "current": current(connection, slug)}
    names, rows = exports.select(connection, "uploads/list", parameters)
    return [dict(zip(names, row, strict=True)) for row in rows]
