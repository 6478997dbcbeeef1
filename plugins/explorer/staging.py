"""Staging: the append-only tables of one import, filled page by page.

A page's records and the cursor behind it are committed together. A worker that was presumed dead and its successor cannot
both write: the page number moves on exactly once. Which copies of a record count, and which are deleted, unreadable or
left out, is then said by SQL over the whole.
"""

from __future__ import annotations

import gc
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import Any, LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from explorer import database, tasks
from explorer.database import Connection
from explorer.imports import HaltedError, Import
from explorer.records import Author, Authorship, Department, Listed, Note, Output, Record, Refusal
from explorer.sources import OUTPUTS_BY_KEY, Cursor, Page, Part, Plan, Source

log = logging.getLogger(__name__)

RECORD_TABLES = (
    "output", "output_identifier", "contribution", "author", "department", "relationship", "listed", "refusal", "note",
)  # fmt: skip
ENTITIES = {
    "departments": "department",
    "authors": "author",
    "authorships": "authorship",
    "outputs": "output",
    "keys": "listed",
}
LONGEST_KEY = 500
ESCAPES = {0: None, ord("\\"): "\\\\", ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}
MOST_PARTS, MOST_ATTEMPTS, MOST_ON_A_PAGE = 1 << 13, 1 << 8, 1 << 16
# Objects that Python makes before it looks for cycles, of which a page has none; usually 700, and then a quarter of the
# time goes into looking at the same hundred thousand objects again and again.
COLLECT_AFTER = 50_000
STORED = (MOST_PARTS - 1) << 50  # from here on stand outputs that were not read but are staged as they are published
OF_THE_PART = MOST_ON_A_PAGE - 1  # the position that no record of a page has: notes on the part stand there


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a part has come."""

    part: Part
    number: int
    attempt: int
    page: int
    records: int
    expected: int | None
    cursor: Cursor | None
    done: bool


def plan_parts(connection: Connection, import_: Import, parts: Sequence[Part]) -> None:
    """Writes down the parts that this import has to read; parts that are already there go on where they stopped."""
    if len(parts) >= MOST_PARTS:
        message = f"the source has {len(parts)} parts (sets, windows), more than {MOST_PARTS}: choose sets in the YAML"
        raise HaltedError("too_many_parts", message)
    tasks.hold_still(connection, import_)
    for number, part in enumerate(parts):
        connection.execute(
            "insert into part (name, number, scope, start, via, whole, last) values (%s, %s, %s, %s, %s, %s, %s)"
            " on conflict (name) do nothing",
            (part.name, number, part.scope, Jsonb(dict(part.start)), part.via, part.whole, part.last),
        )
    connection.commit()


def want_outputs(connection: Connection, import_: Import, parameters: Mapping[str, object]) -> None:
    """Adds the last part: outputs to be fetched by key, for those who wrote them, or because no list gave them.

    Once; what was asked for stays.
    """
    parts = [each.part for each in progress(connection)]
    if OUTPUTS_BY_KEY in (part.name for part in parts):
        return
    tasks.hold_still(connection, import_)
    database.run(connection, "staging/index")
    if not _has(parts, "authorships"):
        database.run(connection, "staging/passing", parameters)
    written: list[str] = []
    if not import_.whole:
        since = _since(import_, parts, "authorships") or ("" if _has(parts, "authorships") else None)
        asked = {"institution": import_.institution, "since": since, **parameters}
        written = [str(row[0]) for row in database.run(connection, "staging/keys_wanted", asked)]
    since_listed = "" if import_.whole else _since(import_, parts, "keys")
    unlisted = [
        str(row[0]) for row in database.run(connection, "staging/keys_unlisted", {"institution": import_.institution})
    ]
    missed = [str(row[0]) for row in database.run(connection, "staging/keys_missed", {"since": since_listed})]
    connection.execute(
        "insert into part (name, number, scope, start, last) select %s, max(number) + 1, 'outputs', %s, true from part",
        (OUTPUTS_BY_KEY, Jsonb({"keys": sorted({*written, *missed, *unlisted})})),
    )
    connection.commit()
    log.info(
        "outputs to be fetched singly: %d for their authors, %d that no list gave, %d that are published but not listed",
        len(written), len(missed), len(unlisted),
    )  # fmt: skip


def _has(parts: Sequence[Part], scope: str) -> bool:
    return any(part.scope == scope for part in parts)


def _since(import_: Import, parts: Sequence[Part], scope: str) -> str | None:
    """The earliest watermark of the parts of a scope, as it compares with datestamps; None where one has none."""
    marks = [import_.plan.get(part.name) for part in parts if part.scope == scope]
    known = [mark.removesuffix("Z") for mark in marks if mark]
    return min(known) if known and len(known) == len(marks) else None


def progress(connection: Connection) -> list[Progress]:
    """All parts, in order."""
    rows = connection.execute(
        "select name, scope, start, via, whole, last, number, attempt, page, records, expected, cursor, done from part"
        " order by number"
    ).fetchall()
    return [Progress(Part(*r[:6]), *r[6:]) for r in rows]


def read_part(
    connection: Connection, import_: Import, source: Source, name: str, report: Callable[[Progress], None]
) -> Progress:
    """Reads a part to its end, from behind its last committed page. ``report`` hears of every page."""
    state = next(p for p in progress(connection) if p.part.name == name)
    if state.done:
        log.info("%s: already read, %d records", name, state.records)
        return state
    connection.commit()  # nothing stays locked while the source is waited for
    gc.set_threshold(COLLECT_AFTER)
    plan = Plan(import_.mode, import_.plan)
    if state.page:
        log.info("%s: going on behind page %d, %d records", name, state.page, state.records)
    for page in source.read(state.part, plan, state.cursor):
        state = _commit_page(connection, import_, state, page)
        report(state)
    if not state.done:
        message = f"the source ended the list {name} without saying so; run the task again to go on"
        raise HaltedError("list_cut_off", message)
    return state


def _commit_page(connection: Connection, import_: Import, state: Progress, page: Page) -> Progress:
    """Writes a page and moves the part's progress on, in one transaction."""
    attempt, number = (state.attempt + 1, 1) if page.restart else (state.attempt, state.page + 1)
    if attempt >= MOST_ATTEMPTS or len(page.records) >= MOST_ON_A_PAGE:
        message = (
            f"{state.part.name}: began again {attempt} times, or sent {len(page.records)} records on a page; giving up"
        )
        raise HaltedError("part_never_ends", message)
    beside = Counter(type(record).__name__.lower() for record in page.records)
    records = (0 if page.restart else state.records) + beside.pop(ENTITIES[state.part.scope], 0)
    moved = connection.execute(  # the lock of `hold_still`, in one statement, since every page waits for it
        "with held as (select from ops.import where id = %s and status = 'running' for share)"
        " update part set attempt = %s, page = %s, records = %s, "
        " beside = added(case when %s then '{}' else beside end, %s),"
        " expected = coalesce(%s, expected), cursor = %s,"
        " done = %s, clock = case when page = 0 or %s then %s else coalesce(clock, %s) end,"
        " mark = coalesce(%s, mark), incomplete = coalesce(%s, incomplete), repairs = added(repairs, %s)"
        " where name = %s and attempt = %s and page = %s and not done and exists (select from held)",
        (
            import_.id, attempt, number, records, page.restart, Jsonb(beside), page.expected,
            Jsonb(dict(page.cursor)) if page.cursor is not None else None, page.cursor is None, page.restart, page.clock,
            page.clock, page.mark, page.incomplete, Jsonb(dict(page.repairs)),
            state.part.name, state.attempt, state.page,
        ),
    ).rowcount  # fmt: skip
    if moved != 1:
        tasks.hold_still(connection, import_)
        message = f"{state.part.name}: another worker has read page {number} meanwhile; this one stops"
        raise HaltedError("not_alone", message)
    base = state.number << 50 | attempt << 42 | number << 16
    write(connection, page.records, base=base, clock=page.clock)
    _copy(connection, "note", (_note_row("part", base + OF_THE_PART, note) for note in page.notes))
    connection.commit()
    return Progress(
        state.part,
        state.number,
        attempt,
        number,
        records,
        page.expected or state.expected,
        page.cursor,
        page.cursor is None,
    )


def write(connection: Connection, records: Sequence[Record], *, base: int, clock: str | None) -> None:
    """Copies records and what hangs on them into staging; record numbers count up from ``base``."""
    rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in RECORD_TABLES}
    for record_number, record in enumerate(records, start=base):
        entity = _rows_of(record, record_number, clock, rows)
        rows["note"].extend(_note_row(entity, record_number, note) for note in (*record.notes, *_endless(record)))
        refusal = _too_long(record) or record.refusal
        if refusal is not None:
            rows["refusal"].append((entity, record_number, refusal.rule, refusal.reason, refusal.field, refusal.value))
    for table, lines in rows.items():
        if lines:
            _copy(connection, table, lines)


def _note_row(entity: str, number: int, note: Note) -> tuple[Any, ...]:
    return (entity, number, note.code, note.severity, note.field, note.value, note.repaired_to, note.message)


def _rows_of(record: Record, number: int, clock: str | None, rows: dict[str, list[tuple[Any, ...]]]) -> str:
    match record:
        case Output():
            identifiers = [(i.scheme, i.value, i.derived) for i in record.identifiers if len(i.value) <= LONGEST_KEY]
            credited = [
                (position, c.author, c.name, _json(c.ids), c.departments, c.relation, c.level)
                for position, c in enumerate(record.contributions)
            ]
            said = (
                _key(record), record.place, record.title, record.type, record.year, record.venue, record.departments,
                record.datestamp,
            )  # fmt: skip
            ruled = (record.deleted, record.level, record.withheld, record.excluded)
            content = _digest((said, ruled, identifiers, credited, record.refusal, record.notes))
            rows["output"].append((number, *said, clock, *ruled, content))
            rows["output_identifier"].extend((number, *each) for each in identifiers)
            rows["contribution"].extend((number, *each) for each in credited)
            return "output"
        case Author():
            person = (
                _key(record), record.place, record.name, _json(record.ids), record.departments, record.level, record.withheld,
                record.current, record.academic, record.student, record.datestamp,
            )  # fmt: skip
            content = _digest((person, record.deleted, record.refusal, record.notes))
            rows["author"].append((number, *person, clock, record.deleted, content))
            return "author"
        case Authorship():
            rows["relationship"].append(
                (
                    number, _key(record), record.output, record.author, record.level, record.datestamp, clock,
                    record.departments, record.position,
                )
            )  # fmt: skip
            return "authorship"
        case Listed():
            rows["listed"].append((number, _key(record), record.datestamp, _sorted(record.departments)))
            return "listed"
        case Department():
            unit = (
                _key(record), record.place, record.name, record.parents, record.level, record.withheld, record.datestamp,
            )  # fmt: skip
            content = _digest((unit, record.refusal, record.notes))
            rows["department"].append((number, *unit, clock, content))
            return "department"


def _digest(said: tuple[object, ...]) -> str:
    """A digest of all that a record says."""
    return md5(repr(said).encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _too_long(record: Record) -> Refusal | None:
    """A key that no index could hold. Keys end up in the warehouse's indexes, and in those of staging before that."""
    if record.key is None or len(record.key) <= LONGEST_KEY:
        return None
    reason = f"its key has {len(record.key)} characters, more than {LONGEST_KEY}: it cannot be told from others"
    return Refusal("key_too_long", reason, "key")


def _endless(record: Record) -> Iterator[Note]:
    """Identifiers that no index could hold are left out: no work has one of that length."""
    for each in record.identifiers if isinstance(record, Output) else ():
        if len(each.value) > LONGEST_KEY:
            reason = f"an identifier has {len(each.value)} characters, more than {LONGEST_KEY}, so it is left out"
            yield Note("invalid_identifier", reason, "warning", each.scheme, each.value[:200])


def _key(record: Record) -> str | None:
    return record.key and record.key[:LONGEST_KEY]


def _sorted(keys: Sequence[str] | None) -> list[str] | None:
    return None if keys is None else sorted(set(keys))


def _json(ids: Mapping[str, str]) -> str:
    return json.dumps(dict(ids), ensure_ascii=False, sort_keys=True) if ids else "{}"


def _copy(connection: Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Sends rows as text, made here: by the driver's own way a page's rows cost as much as reading the page."""
    lines = ["\t".join(map(_cell, row)) for row in rows]
    statement = sql.SQL("copy {} from stdin").format(sql.Identifier(table))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write("\n".join(lines))


def _cell(value: object) -> str:
    """A cell as Postgres' COPY reads it."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value if value.isprintable() and "\\" not in value else _escaped(value)
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, tuple | list):
        return _escaped("{" + ",".join(map(_element, value)) + "}") if value else "{}"
    return str(value)


def _element(value: str | None) -> str:
    """An element of an array of texts, as Postgres reads it."""
    return "NULL" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    """Postgres' text holds no NUL and no lone surrogate; nothing that a parser let through may break a page."""
    return text.translate(ESCAPES).encode("utf-8", "replace").decode("utf-8")


def settle(connection: Connection, import_: Import) -> dict[str, int]:
    """Extraction is over: which copies count, what is deleted, what could not be read, what is there no more.

    Returns counts for the log.
    """
    tasks.hold_still(connection, import_)
    _forget(connection, "extract", "validate", "privacy_filter", "clean_up_orphans", "review")
    counts = {"superseded": 0}
    if connection.execute("select from part where attempt > 0 limit 1").fetchone() is not None:
        for table in RECORD_TABLES:
            identifiers = {"table": sql.Identifier(table)}
            counts["superseded"] += database.run(
                connection, "staging/forget_attempts", identifiers=identifiers
            ).rowcount
    database.run(connection, "staging/index")
    for name in ("duplicates", "deleted", "refused"):
        counts[name] = database.run(connection, f"staging/{name}").rowcount
    connection.execute("analyze verdict")
    connection.execute("truncate absent")
    counts["absent"] = database.run(connection, "staging/absent", {"institution": import_.institution}).rowcount
    tasks.reach(connection, "extracted")
    return counts


def _forget(connection: Connection, *stages: str) -> None:
    database.run(connection, "staging/forget_stage", {"stages": list(stages)})
    database.run(connection, "authorships/forget_stored", {"first": STORED})
    for table in ("output_record", "credit", "published_record"):
        connection.execute(sql.SQL("truncate {}").format(sql.Identifier(table)))


def start_validation(connection: Connection, import_: Import) -> None:
    """Takes back what validation and later stages decided before."""
    tasks.hold_still(connection, import_)
    _forget(connection, "validate", "privacy_filter", "clean_up_orphans", "review")


def finish_validation(connection: Connection, *, joins_records: bool) -> dict[str, int]:
    """Leaves out what has no identifier, then says which output each sound record belongs to."""
    if not joins_records:
        database.run(connection, "staging/keyless")
    counts = {"excluded": database.run(connection, "staging/excluded").rowcount}
    connection.execute("analyze verdict")
    database.run(connection, "staging/join_rows" if joins_records else "staging/own_keys")
    connection.execute("analyze output_record")
    tasks.reach(connection, "validated")
    return counts


def counts(connection: Connection, verdict: str | None = None) -> dict[str, int]:
    """Records in staging by entity; of one verdict, where named."""
    if verdict is None:
        pairs: list[tuple[LiteralString, LiteralString]] = [
            ("output", "select count(*) from output"),
            ("author", "select count(*) from author"),
            ("department", "select count(*) from department"),
        ]
        return {entity: int(str(connection.execute(query).fetchall()[0][0])) for entity, query in pairs}
    rows = connection.execute("select entity, count(*) from verdict where verdict = %s group by entity", (verdict,))
    return dict.fromkeys(("output", "author", "department"), 0) | {str(e): int(n) for e, n in rows}


def staged(connection: Connection) -> dict[str, int]:
    """What the parts say was read, by entity; what staging must hold."""
    rows = connection.execute(
        "select entity, sum(n)::bigint from (select (%s::jsonb) ->> scope as entity, records as n from part"
        " union all select key, value::bigint from part, jsonb_each_text(beside)) read group by entity",
        (Jsonb(ENTITIES),),
    ).fetchall()
    return {"output": 0, "author": 0, "department": 0} | {str(entity): int(n) for entity, n in rows}


def clocks(connection: Connection) -> dict[str, str]:
    """The next watermarks: of each list that was read whole, with all its windows, the clock at its start, or its mark."""
    rows = connection.execute(
        "select coalesce(whole, name), coalesce(min(mark), min(clock)) from part where scope <> 'departments' group by 1"
        " having bool_and(done and coalesce(mark, clock) is not null and incomplete is null)"
    )
    return {str(name): str(clock) for name, clock in rows}


def still_there(connection: Connection, marks: Mapping[str, str]) -> dict[str, str]:
    """The watermarks but for those of sets that are no longer read: one that comes back is read from the beginning."""
    rows = connection.execute("select coalesce(whole, name) from part where via is not null").fetchall()
    names = {str(name) for (name,) in rows}
    kinds = {name.partition(":")[0] for name in names}
    return {name: mark for name, mark in marks.items() if name in names or name.partition(":")[0] not in kinds}


def losses(connection: Connection) -> Iterator[tuple[str, str]]:
    """Parts that lost something: (name, sentence)."""
    rows = connection.execute("select name, incomplete from part where incomplete is not null order by number")
    for name, sentence in rows:
        yield str(name), str(sentence)


def notes_on_parts(connection: Connection) -> Iterator[tuple[str, str]]:
    """What is to be known of parts as wholes, the weighty things: (name, sentence)."""
    rows = connection.execute(
        "select p.name, n.message from note n join part p on n.entity = 'part' and p.number = n.record >> 50"
        " where n.severity = 'warning' order by n.record"
    )
    for name, message in rows:
        yield str(name), str(message)
