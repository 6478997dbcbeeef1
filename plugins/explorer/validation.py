"""Validation: Great Expectations over the staged tables of one import.

All rules are counted first, and no row leaves Postgres; only where a rule is broken are the records fetched that break
it. Their values go back into staging and nowhere else: privacy has not been looked at yet, so that the log and the HTML
report show rules, counts and record numbers alone.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING

from psycopg import sql
from rich.console import Console
from rich.table import Table

from explorer import database
from explorer.validation_rules import Outcome, Rule, rules, suite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from explorer.database import Connection
    from explorer.expectations import Examiner

ENTITIES = ("output", "author", "department")

YEARS_AHEAD = 5  # how far in the future a year of publication may lie: books are announced early

# Whatever stands around an at sign, however the sign is written.
ADDRESS = r"""[^\s<>"'(),;]*\s?(@|\uff20|\ufe6b|%40|\(at\)|\[at\])\s?[^\s<>"'(),;]*"""
BLANKED = "(e-mail address)"

LOG_WIDTH = 120


class NotCountedError(Exception):
    """Great Expectations counted another number of failing rows than it found."""


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
