"""What the mail about an import says: the books of the import in a librarian's words, with nothing private in it.

Numbers come from the tally, reasons from the rejected records, repairs from the notes. Whatever comes from outside is
shown on one line, not too long, and without anything that looks like an e-mail address; the attached file is whole.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from explorer import database
from explorer.mail import one_line
from explorer.tables import guarded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from explorer.config import Institution
    from explorer.database import Connection

REJECTS_SHOWN = 20
REASONS_SHOWN = 20
NOTES_SHOWN = 12
EXAMPLES_SHOWN = 3
CELL_CHARACTERS = 120  # of a value or a sentence in the mail; the attached file has all of it
ATTACHED_LINES = 50_000
ATTACHED_BYTES = 6_000_000  # 8 MB as mail: common limits begin at 10

ENTITIES: Mapping[str, tuple[str, str]] = {
    "output": ("research output", "research outputs"),
    "author": ("author", "authors"),
    "department": ("department", "departments"),
    "authorship": ("link of an author and a research output", "links of authors and research outputs"),
    "part": ("list of the source", "lists of the source"),
}
REMOVED: Mapping[str, str] = {
    "deleted": "deleted at the source",
    "absent": "no longer in the source",
    "rejected": "rejected (see below)",
    "excluded": "left out (see below)",
    "privacy": "no longer shared, by your privacy rules",
    "orphaned": "left without an author",
    "merged": "became part of another research output",
}
EXCLUDED: Mapping[str, str] = {
    "no_identifier": "have no identifier under which attention can be found (DOI, PubMed ID, Handle, ISBN …)",
    "set": "belong to a set that your configuration leaves out",
    "affiliation": "are not affiliated with your institution",
}
PRIVACY: Mapping[str, str] = {
    "level_private": "private at the source",
    "level_internal": "internal at the source",
    "level_unknown": "without a known privacy level, which counts as private",
    "visibility_campus": "for the campus only",
    "visibility_backend": "for users of the source only",
    "visibility_confidential": "confidential at the source",
    "visibility_missing": "without a visibility, which counts as not public",
    "visibility_unknown": "of a visibility that is not known, which counts as not public",
    "confidential": "confidential at the source",
    "entry_in_progress": "not finished yet at the source",
    "workflow_step": "neither validated nor approved at the source",
    "workflow_missing": "without a step of the workflow, where only what is validated or approved is shown",
    "workflow_unknown": "at a step of the workflow that cannot be read",
    "not_current": "not current members",
    "not_academic": "not academics",
    "not_academic_or_student": "neither academics nor students",
    "relationship_or_end_not_shared": "not shared, or to an author who is not",
}
# Why outputs have no attention, in the order in which it is told.
STATES: Mapping[str, str] = {
    "no_mentions": "known without a mention",
    "untracked": "not tracked",
    "not_asked_yet": "not asked for yet",
    "quota": "to be asked for when the quota allows",
    "error": "could not be asked for",
    "no_identifier": "without an identifier",
    "invalid_identifier": "with identifiers that the provider does not take",
    "conflicts": "with identifiers that lead to different records",
}
FIELDS: Mapping[str, str] = {
    "doi": "DOI",
    "pmid": "PubMed ID",
    "arxiv": "arXiv ID",
    "ads": "ADS bibcode",
    "nct_id": "NCT ID",
    "repec": "RePEc handle",
    "urn": "URN",
    "isbn": "ISBN",
    "uri": "URI",
    "orcid": "ORCID",
}
# The lines of the tally: label, key, whether it is shown when all of it is zero.
PUBLISHED_LINES = (
    ("Published now", "published", True),
    ("Added", "added", True),
    ("Updated", "updated", True),
    ("Removed", "removed", True),
    ("Unchanged", "unchanged", False),
    ("Not looked at this time", "untouched", False),
)
RECORD_LINES = (
    ("Read from the source", "extracted", True),
    ("Looked at again", "reexamined", False),
    ("The same record again", "duplicates", False),
    ("Deleted at the source", "deleted", False),
    ("Rejected", "rejected", False),
    ("Left out", "excluded", False),
    ("Dropped by privacy rules", "dropped_by_privacy", False),
    ("Without authors, removed", "orphaned", False),
    ("Merged with another record", "merged", False),
    ("Kept", "kept", True),
)
ATTACHED_HEADER = (
    "What", "Of", "Where", "Key", "Title", "Field", "Value", "Repaired to", "Explanation", "Rule",
)  # fmt: skip

# Generous on purpose: hiding too much harms less than showing one. Full-width and encoded signs count, too.
_MAIL = re.compile(
    r"""(?: "[^"\n]*" | [^\s@\uff20\ufe6b<>()\[\],;:"/]+ )
    \s? (?: [@\uff20\ufe6b] | %40 | &\#64; ) \s?
    [^\s@\uff20\ufe6b<>()\[\],;:"/?&]+""",
    re.VERBOSE | re.IGNORECASE,
)
HIDDEN = "[e-mail address]"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table of numbers; a number that does not apply to this source is None."""

    label: str
    outputs: int | None
    authors: int | None
    departments: int | None


@dataclass(frozen=True, slots=True)
class Count:
    """A number of things, and what they are or why."""

    number: int
    words: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected record as the mail lists it."""

    place: str
    field: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class NoteGroup:
    """What was repaired or looks doubtful: how often, what, and the first examples."""

    number: int
    warning: bool
    words: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """Everything that the mail about an import says, in words and numbers, with nothing private in it."""

    institution: str
    subject: str
    sentence: str
    import_id: int
    mode: str
    reason: str
    figures: tuple[tuple[str, int, str], ...]  # what, how many are published, what changed
    published: tuple[Line, ...]
    records: tuple[Line, ...]
    removed: tuple[Count, ...]
    excluded: tuple[Count, ...]
    privacy: tuple[Count, ...]
    rejected: int
    reasons: tuple[Count, ...]
    more_reasons: int
    rejects: tuple[Reject, ...]
    notes: tuple[NoteGroup, ...]
    noted: int
    more_notes: int
    attached: int
    attachable: int
    file_name: str
    attention: str
    finished: str
    started: str
    duration: str
    run_url: str | None


def of(connection: Connection, facts: Mapping[str, Any], institution: Institution, *, attached: int) -> Digest:
    """Gathers what the mail says from the import's row, its rejected records, its notes and its privacy counts."""
    import_id, tally = int(facts["id"]), facts["tally"]
    outputs = tally["outputs"]
    reasons = _rows(connection, "notices/reject_groups", import_id=import_id, most=REASONS_SHOWN)
    rejects = _rows(connection, "notices/rejects", import_id=import_id, most=REJECTS_SHOWN)
    notes = _rows(connection, "notices/note_groups", import_id=import_id, most=NOTES_SHOWN, examples=EXAMPLES_SHOWN)
    drops = _rows(connection, "notices/privacy_drops", import_id=import_id)
    rejected, left_out, noted = _totals(connection, import_id)
    zone = ZoneInfo(institution.timezone)
    name = one_line(institution.name)
    return Digest(
        institution=name,
        subject=f"{name}: import finished, {_things(outputs['published'], 'output')} ({_list(_changes(outputs))})",
        sentence=_sentence(outputs),
        import_id=import_id,
        mode=str(facts["mode"]),
        reason=shown(facts["reason"], 300),
        figures=tuple(_figure(entity, tally[f"{entity}s"]) for entity in ("output", "author", "department")),
        published=_lines(PUBLISHED_LINES, tally),
        records=_lines(RECORD_LINES, tally),
        removed=_counts(tally.get("removed_because", {}), REMOVED),
        excluded=_counts(tally.get("excluded_because", {}), EXCLUDED),
        privacy=tuple(
            _count(row["dropped"], row["entity"], PRIVACY.get(row["rule"], _words(row["rule"]))) for row in drops
        ),
        rejected=rejected,
        reasons=tuple(
            _count(row["records"], row["entity"], shown(row["reason"] or _words(row["rule"]), 300)) for row in reasons
        ),
        more_reasons=reasons[0]["reasons"] - len(reasons) if reasons else 0,
        rejects=tuple(
            Reject(shown(row["place"]), _field(row["field"]), shown(row["value"]), _capital(shown(row["reason"], 400)))
            for row in rejects
        ),
        notes=tuple(_note_group(row) for row in notes),
        noted=noted,
        more_notes=notes[0]["codes"] - len(notes) if notes else 0,
        attached=attached,
        attachable=rejected + left_out + noted,
        file_name=f"{facts['institution']}-import-{import_id}-records.csv",
        attention=attention(facts["attention"]),
        finished=_time(facts["published_at"], zone),
        started=_time(facts["started_at"], zone),
        duration=_duration(facts["published_at"] - facts["started_at"])
        + (", waiting for a person's approval included" if facts["approved_by"] else ""),
        run_url=link(facts["run_url"]),
    )


def link(address: str | None) -> str | None:
    """The address of a page, if it is a whole one: without Airflow's `api.base_url` it is not."""
    return address if address and address.startswith(("https://", "http://")) else None


def _rows(connection: Connection, name: str, **parameters: object) -> list[dict[str, Any]]:
    cursor = database.run(connection, name, parameters)
    columns = [column.name for column in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor]


def _totals(connection: Connection, import_id: int) -> tuple[int, int, int]:
    """How many records were rejected, left out, and noted."""
    row = connection.execute(
        "select count(*) filter (where verdict = 'rejected'), count(*) filter (where verdict = 'excluded'),"
        " (select count(*) from ops.record_note where import_id = %(id)s)"
        " from ops.rejected_record where import_id = %(id)s",
        {"id": import_id},
    ).fetchone()
    return cast("tuple[int, int, int]", row)


def _lines(lines: Sequence[tuple[str, str, bool]], tally: Mapping[str, Mapping[str, int]]) -> tuple[Line, ...]:
    """The lines of the tally that say something."""
    made = (
        (always, Line(label, *(tally[entity].get(key) for entity in ("outputs", "authors", "departments"))))
        for label, key, always in lines
    )
    return tuple(line for always, line in made if always or line.outputs or line.authors or line.departments)


def _counts(numbers: Mapping[str, int], words: Mapping[str, str]) -> tuple[Count, ...]:
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Count(number, words.get(reason, _words(reason))) for reason, number in ordered if number)


def _note_group(row: Mapping[str, Any]) -> NoteGroup:
    same = row["message"]
    return NoteGroup(
        number=row["notes"],
        warning=row["severity"] == "warning",
        words=_capital(shown(same or _words(row["code"]), 300)),
        examples=tuple(_example(example, same) for example in row["examples"]),
    )


def _example(example: Mapping[str, Any], same: str | None) -> str:
    """One example of a note: where, the message where each has another, and what the value was and became."""
    place = ", ".join(filter(None, [shown(example["place"]), _field(example["field"])]))
    said = "" if same is not None else shown(example["message"], 300)
    value, repaired = shown(example["value"]), shown(example["repaired_to"])
    change = " became ".join(f"“{text}”" for text in (value, repaired) if text and text not in said)
    return ": ".join(filter(None, [place, " ".join(filter(None, [said, change]))]))


def _figure(entity: str, numbers: Mapping[str, int]) -> tuple[str, int, str]:
    return _noun(numbers["published"], entity), numbers["published"], _list(_changes(numbers))


def _count(number: int, entity: str, words: str) -> Count:
    return Count(number, f"{_noun(number, entity)}: {words}")


def _sentence(outputs: Mapping[str, int]) -> str:
    *first, last = _changes(outputs) or ["as before"]
    changes = f"{', '.join(first)} and {last}" if first else last
    published = f"{_things(outputs['published'], 'output')} {'is' if outputs['published'] == 1 else 'are'} published"
    return f"The import is complete. {published}: {changes}."


def _changes(numbers: Mapping[str, int]) -> list[str]:
    """What changed: ``12 new``, ``3 removed``; nothing where nothing did."""
    words = {"added": "new", "updated": "updated", "removed": "removed"}
    return [f"{thousands(numbers[key])} {word}" for key, word in words.items() if numbers[key]]


def _list(changes: Sequence[str]) -> str:
    return ", ".join(changes) or "no changes"


def attention(facts: Mapping[str, Any]) -> str:
    """What an import's row says of attention, in a sentence with whose data it is; why there is none, else."""
    linked = facts.get("linked")
    if not isinstance(linked, int):
        return one_line(str(facts.get("state") or "not linked yet")).removeprefix("attention ")
    said = [f"{_things(linked, 'output')} {'has' if linked == 1 else 'have'} online attention"]
    said += [f"{thousands(facts[state])} {words}" for state, words in STATES.items() if facts.get(state)]
    if facts.get("because"):
        said.append(shown(facts["because"], 300))
    sentence = "; ".join(said)
    if facts.get("data_from"):
        sentence += f". Data: {facts['data_from']}"
    pages = (facts.get("landing_pages") or {}).get("state")
    return f"{sentence}. {pages}" if pages else sentence


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _field(name: object) -> str:
    return FIELDS.get(str(name), shown(_words(name), 60))


def _noun(number: int, entity: str) -> str:
    return ENTITIES[entity][number != 1]


def _things(number: int, entity: str) -> str:
    return f"{thousands(number)} {_noun(number, entity)}"


def thousands(number: int | None) -> str:
    """A number with its thousands apart; a dash where there is none."""
    return "\N{EN DASH}" if number is None else f"{number:,}"


def _words(name: object) -> str:
    """The name of a rule, a code or a field, as words."""
    return str(name or "").replace("_", " ")


def _time(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    short = local.tzname() or ""
    zone_name = zone.key if short in ("", zone.key) or short[0] in "+-" else f"{short}, {zone.key}"
    return f"{local:%A} {local.day} {local:%B %Y, %H:%M} ({zone_name})"


def _duration(time: timedelta) -> str:
    """A duration in the two units that matter."""
    seconds = max(1, round(time.total_seconds()))
    units = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    parts: list[tuple[int, str]] = []
    for unit, length in units:
        number, seconds = divmod(seconds, length)
        if number or parts:
            parts.append((number, unit))
    return " ".join(f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in parts[:2] if number)


def without_addresses(text: str) -> str:
    """Text in which nothing looks like an e-mail address any more."""
    return _MAIL.sub(HIDDEN, text)


def shown(text: object, most: int = CELL_CHARACTERS) -> str:
    """A text from outside as the mail may show it: no address, one line, not too long."""
    line = one_line(without_addresses(str(text if text is not None else "")))
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


# The attached file.


@dataclass(frozen=True, slots=True)
class Attachment:
    """A CSV file for a spreadsheet program, and how many lines it has below its header."""

    content: bytes
    lines: int


def attached_records(connection: Connection, import_id: int) -> Attachment:
    """All rejected records, notes and left-out records, as far as a mail carries them: UTF-8 with BOM, CRLF, quoted."""
    lines = [_csv_line(ATTACHED_HEADER)]
    size = len(lines[0])
    for row in database.run(connection, "notices/records", {"import_id": import_id, "most": ATTACHED_LINES}):
        what, entity, *cells = row
        line = _csv_line([str(what), ENTITIES[str(entity)][0], *(_cell(cell) for cell in cells)])
        size += len(line)
        if size > ATTACHED_BYTES:
            break
        lines.append(line)
    return Attachment(b"\xef\xbb\xbf" + b"".join(lines), len(lines) - 1)


def _csv_line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: object) -> str:
    """A cell that no spreadsheet program takes for a formula, and that shows no address."""
    return guarded(without_addresses(str(value if value is not None else "")))
