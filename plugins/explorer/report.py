"""The report on a spreadsheet, before anything is published: what was read, mended, left out and refused, and where.

For the person who made the file: each line has the row as a spreadsheet program numbers it, the column by its header,
the value, the reason and what to do. As JSON, as CSV, and as text. No mail address ever stands in it.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Literal

from explorer.tables import guarded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from explorer.records import Note, Output

MOST_ENTRIES = 10_000
MOST_SHOWN = 20  # of each kind, in the text

Weight = Literal["rejected", "warning", "info"]

HEADINGS: Mapping[Weight, str] = {
    "rejected": "Rejected rows: nothing of them is published",
    "warning": "Left out or doubtful: the rows stay",
    "info": "Mended or worth knowing: nothing needs to be done",
}
TO_DO: Mapping[str, str] = {
    "no_identifier": "Write a valid identifier into one of the columns, or take the row out.",
    "too_many_cells": "Put values that contain the delimiter into quotation marks.",
    "unreadable_row": "Close the quotation mark, or take it away.",
    "invalid_identifier": "Correct the value, or empty the cell.",
    "implausible_identifier": "Look whether it is the right one.",
    "moved_identifier": "Move the value into the column of its own kind.",
    "unknown_department": "Write the name as it stands in the groups file, or add it there.",
    "ids_do_not_match": "Write one value for each author, in the same order, with semicolons.",
    "invalid_orcid": "Correct the ORCID.",
    "invalid_address": "Correct the mail address.",
    "address_removed": "Write names into the author column and addresses into an e-mail column.",
    "authors_share_departments": "Give an author who belongs to some of the departments only a row of their own.",
    "no_author": "Name the authors.",
    "no_department": "Name the departments.",
    "repeated_row": "Take one of the rows out.",
    "encoding_guessed": "Look at the words; save the file as CSV UTF-8 if they are wrong.",
    "garbled_text": "Export the file again as UTF-8.",
    "missing_columns": "Name the columns as they are mapped, or change the mapping.",
    "no_author_column": "Add a column “Author”.",
    "no_department_column": "Add a column “Department”.",
    "no_groups_file": "Send a groups file along.",
}


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """One thing to know about one place of a file. ``row`` is None for what holds for the whole file."""

    file: str
    row: int | None
    column: str | None
    weight: Weight
    code: str
    value: str | None
    repaired_to: str | None
    message: str
    to_do: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """Uploaded = valid + rejected, always. ``counts``: entries by code, the unlisted too."""

    file: str
    how_read: Mapping[str, str]  # encoding, delimiter, header, columns
    uploaded: int
    valid: int
    rejected: int
    counts: Mapping[str, int]  # most frequent first
    entries: tuple[ReportEntry, ...]

    @property
    def left_out(self) -> int:
        """How many entries there are beyond those that are listed."""
        return sum(self.counts.values()) - len(self.entries)


def report_on(
    file: str,
    how_read: Mapping[str, str],
    notes: Iterable[Note],
    outputs: Iterable[Output],
    *,
    most: int = MOST_ENTRIES,
) -> Report:
    """The report on a file: its own ``notes``, then those of its rows. Keeps ``most`` entries, counts all."""
    kept = [_entry(file, None, note) for note in notes]
    counts = Counter(entry.code for entry in kept)
    uploaded = rejected = 0
    for output in outputs:
        uploaded += 1
        rejected += output.refusal is not None
        for entry in _entries(file, output):
            counts[entry.code] += 1
            if len(kept) < most:
                kept.append(entry)
    return Report(file, how_read, uploaded, uploaded - rejected, rejected, dict(counts.most_common()), tuple(kept))


def as_json(report: Report) -> dict[str, object]:
    """The report as one JSON object."""
    return {**asdict(report), "left_out": report.left_out}


def as_csv(report: Report) -> str:
    """The entries as CSV that any spreadsheet program opens: BOM, CR LF, quoted, formulas disarmed."""
    text = io.StringIO(newline="")
    text.write("\ufeff")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    names = [field.name for field in fields(ReportEntry)]
    writer.writerow(names)
    for entry in report.entries:
        writer.writerow(_cell(getattr(entry, name)) for name in names)
    return text.getvalue()


def _cell(value: str | int | None) -> str | int:
    return "" if value is None else guarded(value) if isinstance(value, str) else value


def as_text(report: Report) -> str:
    """The report as a librarian reads it: the sums, how the file was read, then the worst first."""
    return "\n".join(_lines(report)) + "\n"


def _entries(file: str, output: Output) -> Iterator[ReportEntry]:
    row = int((output.place or "row 0").removeprefix("row "))
    if (refusal := output.refusal) is not None:
        to_do = TO_DO.get(refusal.rule)
        yield ReportEntry(
            file, row, refusal.field, "rejected", refusal.rule, refusal.value, None, refusal.reason, to_do
        )
        return
    for note in output.notes:
        yield _entry(file, row, note)


def _entry(file: str, row: int | None, note: Note) -> ReportEntry:
    to_do = TO_DO.get(note.code)
    return ReportEntry(
        file, row, note.field, note.severity, note.code, note.value, note.repaired_to, note.message, to_do
    )


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.file}: {report.uploaded:,} rows uploaded, {report.valid:,} valid, {report.rejected:,} rejected."
    for what, how in report.how_read.items():
        yield f"  {what}: {how}"
    for weight, heading in HEADINGS.items():
        entries = [entry for entry in report.entries if entry.weight == weight]
        if entries:
            yield ""
            yield heading
        for code in dict.fromkeys(entry.code for entry in entries):
            same = [entry for entry in entries if entry.code == code]
            yield from (f"  {_sentence(entry)}" for entry in same[:MOST_SHOWN])
            if (more := report.counts[code] - len(same[:MOST_SHOWN])) > 0:
                yield f"  … and {more:,} more of this kind"
            if (to_do := TO_DO.get(code)) is not None:
                yield f"  → {to_do}"


def _sentence(entry: ReportEntry) -> str:
    place = f"row {entry.row}" if entry.row is not None else "the file"
    column = f", {entry.column}" if entry.column else ""
    value = f" “{' '.join(entry.value.split())}”" if entry.value and entry.column else ""
    change = f" became “{entry.repaired_to}”" if entry.repaired_to else ""
    return f"{place}{column}{value}{change}: {entry.message}"
