"""Validation: Great Expectations over the staged tables of one import.

The rules are suites in ``include/expectations``, one for each kind of thing, in Great Expectations' own form. Each
expectation's ``meta`` says the rule's name, the sentence that a person reads, the field, and the level: a record that
breaks a rule of level ``record`` is rejected; a table that breaks one of level ``table`` fails the import. ``table``
names another staged table than the suite's own.

All rules are counted first, and no row leaves Postgres; only where a rule is broken are the records fetched that break
it. Their values go back into staging and nowhere else: privacy has not been looked at yet, so that the log and the HTML
report show rules, counts and record numbers alone.
"""

from __future__ import annotations

import json
import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from psycopg import sql
from rich.console import Console
from rich.table import Table

from explorer import database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from explorer.database import Connection
    from explorer.expectations import Examiner

ROOT = Path(__file__).resolve().parents[2]
SUITES = ROOT / "include" / "expectations"
PAGE = ROOT / "docs" / "validation.md"
IN_ORDER = ("outputs", "identifiers", "contributions", "departments", "authors")
ENTITIES = ("output", "author", "department")

YEARS_AHEAD = 5  # how far in the future a year of publication may lie: books are announced early

# Whatever stands around an at sign, however the sign is written.
ADDRESS = r"""[^\s<>"'(),;]*\s?(@|\uff20|\ufe6b|%40|\(at\)|\[at\])\s?[^\s<>"'(),;]*"""
BLANKED = "(e-mail address)"

LOG_WIDTH = 120


class NotCountedError(Exception):
    """Great Expectations counted another number of failing rows than it found."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation of a suite, as its file states it. A rule written in SQL has a ``query``, others a ``column``."""

    suite: str
    entity: str
    table: str
    name: str
    level: str
    sentence: str
    field: str | None
    column: str | None
    query: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What Great Expectations says of a rule: rows that it looked at (None for a table as a whole), rows that break it.

    ``problem`` is why it could not say anything.
    """

    rule: Rule
    evaluated: int | None
    failed: int
    problem: str | None = None

    @property
    def distrust(self) -> str | None:
        """Why this fails the whole import, as a sentence; None where it does not."""
        if self.problem is not None:
            return f"{self.rule.suite}: the rule {self.rule.name} could not be evaluated ({self.problem})"
        if self.rule.level == "table" and self.failed:
            return f"{self.rule.suite}: {self.rule.sentence} (rule {self.rule.name}, {self.failed} found)"
        return None


@dataclass(frozen=True, slots=True)
class RuleResult:
    """How a rule came out, without anything that privacy may hide; ``example`` is a record's number in staging."""

    suite: str
    rule: str
    level: str
    evaluated: int | None
    failed: int
    example: int | None = None


@dataclass(frozen=True, slots=True)
class Validation:
    """How the staged tables came out.

    ``rejected`` counts records by entity. ``table_failures`` are sentences, each a reason not to trust this import.
    """

    results: tuple[RuleResult, ...]
    rejected: Mapping[str, int]
    table_failures: tuple[str, ...]

    def as_table(self) -> str:
        """A text table for the log, at most 120 columns wide: rules and numbers, never a value of a record."""
        table = Table("suite", "rule", "level")
        for heading in ("looked at", "failed", "record, for one"):
            table.add_column(heading, justify="right")
        for result in self.results:
            numbers = (result.evaluated, result.failed, result.example)
            table.add_row(result.suite, result.rule, result.level, *("" if n is None else str(n) for n in numbers))
        text = StringIO()
        Console(file=text, width=LOG_WIDTH, color_system=None, force_terminal=False).print(table)
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


@cache
def suite(name: str) -> Mapping[str, Any]:
    """A suite as ``include/expectations/<name>.json`` states it."""
    return cast("Mapping[str, Any]", json.loads((SUITES / f"{name}.json").read_text(encoding="utf-8")))


@cache
def rules(name: str) -> tuple[Rule, ...]:
    """The rules of a suite, in order: the first that a record breaks is the reason that is given."""
    whole = suite(name)["meta"]
    return tuple(
        Rule(
            suite=name,
            entity=whole["entity"],
            table=meta.get("table", whole["table"]),
            name=meta["rule"],
            level=meta["level"],
            sentence=meta["sentence"],
            field=meta.get("field"),
            column=kwargs.get("column"),
            query=kwargs.get("unexpected_rows_query"),
        )
        for meta, kwargs in ((each["meta"], each["kwargs"]) for each in suite(name)["expectations"])
    )


def validate(
    connection: Connection,
    *,
    sqlalchemy_url: str,
    schema: str,
    suites: Sequence[str],
    staged: Mapping[str, int],
    report: Path | None,
) -> Validation:
    """Looks at everything that is staged, and rejects in ``verdict`` the records that break a rule.

    Great Expectations reads through a connection of its own, so what it is to see must be committed; the verdicts are
    written in the caller's transaction. ``staged`` is what the parts say was read, by entity. ``report`` is a folder
    for Great Expectations' HTML pages, made where it is missing.

    Raises ``NotCountedError`` where the rows that were found are not as many as were counted.
    """
    parameters = {f"staged_{entity}": staged.get(entity, 0) for entity in ENTITIES}
    parameters["latest_year"] = datetime.now(UTC).year + YEARS_AHEAD
    with _silence():
        from explorer import expectations  # noqa: PLC0415 - Great Expectations costs seconds to import

        with expectations.examiner(sqlalchemy_url, schema, parameters) as examiner:
            outcomes = [o for name in suites for o in examiner.count(suite(name), rules(name))]
            examples = _gather(connection, schema, examiner, outcomes)
            if report is not None:
                examiner.write_report(report)
    rejected = database.run(
        connection, "validation/reject", {"address": ADDRESS, "blank": BLANKED}, {"schema": sql.Identifier(schema)}
    ).fetchall()
    return Validation(
        results=tuple(
            RuleResult(o.rule.suite, o.rule.name, o.rule.level, o.evaluated, o.failed, examples.get(o.rule))
            for o in outcomes
        ),
        rejected=dict.fromkeys(ENTITIES, 0) | {str(entity): int(str(number)) for entity, number in rejected},
        table_failures=tuple(sentence for o in outcomes if (sentence := o.distrust) is not None),
    )


def _gather(connection: Connection, schema: str, examiner: Examiner, outcomes: Sequence[Outcome]) -> Mapping[Rule, int]:
    """Writes the records that break a rule into a temporary table; returns the least of their numbers by rule."""
    database.run(connection, "validation/open")
    examples: dict[Rule, int] = {}
    for ordinal, outcome in enumerate(outcomes):
        rule = outcome.rule
        if rule.level != "record" or not outcome.failed:
            continue
        given = (ordinal, rule.entity, rule.name, rule.sentence, rule.field)
        if rule.query is None:
            found = _copy(connection, given, examiner.failing(outcome))
        else:
            found = _select(connection, given, rule.query, sql.Identifier(schema, rule.table))
        if found != outcome.failed:
            message = f"{rule.suite}, {rule.name}: {outcome.failed} rows break this rule, but {found} were found"
            raise NotCountedError(message)
        least = connection.execute("select min(record) from pg_temp.broken_rule where ordinal = %s", (ordinal,))
        examples[rule] = int(str(least.fetchall()[0][0]))
    return examples


def _copy(connection: Connection, given: tuple[object, ...], rows: Sequence[tuple[int, object]]) -> int:
    statement = "copy pg_temp.broken_rule (ordinal, entity, rule, reason, field, record, value) from stdin"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for record, value in rows:
            copy.write_row((*given, record, None if value is None else str(value)))
    return len(rows)


def _select(connection: Connection, given: tuple[object, ...], query: str, table: sql.Identifier) -> int:
    """Runs the SQL of a rule, whose columns are ``record`` and ``value``."""
    statement = sql.SQL(
        "insert into pg_temp.broken_rule (ordinal, entity, rule, reason, field, record, value)"
        " select %s, %s, %s, %s, %s, record, value from ({}) as failing"
    ).format(sql.SQL(query).format(batch=table))
    return connection.execute(statement, given).rowcount


@contextmanager
def _silence() -> Iterator[None]:
    """Keeps Great Expectations' own lines, hundreds while it is imported, out of the log."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


PAGE_HEAD = """\
# The rules of validation

<!-- Made from include/expectations: `PYTHONPATH=plugins python -m explorer.validation`. A test fails when stale. -->

Between extraction and privacy, Great Expectations looks at everything that an import has staged. The rules are suites in
`include/expectations`, in its own form, looked at in this order. A **record** that breaks a rule is rejected; the first
rule that it breaks is the reason that is given (`bin/explorer rejects`). A broken identifier or authorship rejects its
output. A broken rule about a **table** fails the import, and nothing is published.

A new rule is an expectation with a `meta` (`rule`, `level`, `field`, `sentence`) in a suite, and a record that breaks it
in `tests/warehouse/test_validation.py`. Limits of length are those of the warehouse's indexes, so that whatever passes
can be loaded.
"""


def page() -> str:
    """The page of all rules, as ``docs/validation.md`` holds it."""
    lines = [PAGE_HEAD]
    for name in IN_ORDER:
        lines += [f"## {name}", "", "| rule | looks at | what it says when broken |", "| --- | --- | --- |"]
        for rule in rules(name):
            looks_at = "the table" if rule.level == "table" else f"`{rule.field}`"
            lines.append(f"| `{rule.name}` | {looks_at} | {rule.sentence} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
