"""Validation: Great Expectations over the staged tables of one import.

The rules are suites in ``include/expectations``, one for each kind of thing, in Great Expectations' own form. Each
expectation's ``meta`` says the rule's name, the sentence that a person reads, the field, and the level: a record that
breaks a rule of level ``record`` is rejected; a table that breaks one of level ``table`` fails the import. ``table`` names
another staged table than the suite's own.

All rules are counted first, many in one statement, and no row leaves Postgres; only where a rule is broken are the records
fetched that break it. Values go back into staging and nowhere else: privacy has not been looked at yet, so that the log and
the HTML report show rules, counts and record numbers alone.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, cast

from psycopg import sql
from rich.console import Console
from rich.table import Table

from explorer import database

if TYPE_CHECKING:
    from explorer.database import Connection

SUITES = Path(__file__).resolve().parents[2] / "include" / "expectations"
ENTITIES = ("output", "author", "department")

YEARS_AHEAD = 5  # how far in the future a year of publication may lie: books are announced early

# Great Expectations works out the counts of all rules of a table in one statement; asked for no more, it fetches no value.
COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0, "exclude_unexpected_values": True}
# What a result may show in the report, and only where it is a number.
SHOWN = (
    "element_count", "unexpected_count", "unexpected_percent", "unexpected_percent_total", "unexpected_percent_nonmissing",
    "missing_count", "missing_percent", "observed_value",
)  # fmt: skip

# Whatever stands around an at sign, however it is written.
ADDRESS = r"""[^\s<>"'(),;]*\s?(@|＠|﹫|%40|\(at\)|\[at\])\s?[^\s<>"'(),;]*"""
BLANKED = "(e-mail address)"

LOG_WIDTH = 120


class NotCountedError(Exception):
    """Great Expectations counted another number of failing rows than it found."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation of a suite, as its file states it; ``query`` is the statement of a rule that is written in SQL."""

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
class RuleResult:
    """How a rule came out: rows looked at (None where it looks at a table as a whole), rows that break it, one record."""

    suite: str
    rule: str
    level: str
    evaluated: int | None
    failed: int
    example: int | None = None


@dataclass(frozen=True, slots=True)
class Validation:
    """How the staged tables came out.

    ``rejected`` counts records by entity. ``table_failures`` are sentences, each a reason not to trust this import at all.
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
def rules(name: str) -> Mapping[str, Rule]:
    """The rules of a suite by name, in order: the first that a record breaks is the reason that is given."""
    stated = suite(name)
    whole = stated["meta"]
    found: dict[str, Rule] = {}
    for expectation in stated["expectations"]:
        meta, kwargs = expectation["meta"], expectation["kwargs"]
        found[meta["rule"]] = Rule(
            name, whole["entity"], meta.get("table", whole["table"]), meta["rule"], meta["level"], meta["sentence"],
            meta.get("field"), kwargs.get("column"), kwargs.get("unexpected_rows_query"),
        )  # fmt: skip
    return found


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
    written in the caller's transaction. ``staged`` is what the parts say was read, by entity. ``report`` is a folder for
    Great Expectations' HTML pages, made where it is missing.

    Raises ``NotCountedError`` where the rows that were found are not as many as were counted.
    """
    with _examiner(sqlalchemy_url, schema, staged) as examiner:
        outcomes = [outcome for name in suites for outcome in examiner.count(name)]
        examples = _gather(connection, schema, examiner, outcomes)
        if report is not None:
            examiner.write_report(report)
    rejected = database.run(
        connection, "validation/reject", {"address": ADDRESS, "blank": BLANKED}, {"schema": sql.Identifier(schema)}
    ).fetchall()
    return Validation(
        tuple(
            RuleResult(o.rule.suite, o.rule.name, o.rule.level, o.evaluated, o.failed, examples.get(o.rule)) for o in outcomes
        ),
        dict.fromkeys(ENTITIES, 0) | {str(entity): int(str(number)) for entity, number in rejected},
        tuple(sentence for outcome in outcomes if (sentence := outcome.distrust) is not None),
    )


def _gather(
    connection: Connection, schema: str, examiner: _Examiner, outcomes: Sequence[_Outcome]
) -> Mapping[Rule, int]:
    """Writes the records that break a rule into a temporary table; returns the least of their numbers by rule."""
    database.run(connection, "validation/open")
    examples: dict[Rule, int] = {}
    for ordinal, outcome in enumerate(outcomes):
        rule = outcome.rule
        if rule.level != "record" or not outcome.failed:
            continue
        given = (ordinal, rule.entity, rule.name, rule.sentence, rule.field)
        if rule.query is None:
            found = _copy(connection, given, examiner.failing(rule, outcome.failed))
        else:
            found = _select(connection, given, rule.query, sql.Identifier(schema, rule.table))
        if found != outcome.failed:
            message = f"{rule.suite}, {rule.name}: {outcome.failed} rows break this rule, but {found} were found"
            raise NotCountedError(message)
        least = connection.execute("select min(record) from pg_temp.broken_rule where ordinal = %s", (ordinal,)).fetchall()
        examples[rule] = int(str(least[0][0]))
    return examples


def _copy(connection: Connection, given: tuple[object, ...], rows: Sequence[tuple[int, object]]) -> int:
    statement = "copy pg_temp.broken_rule (ordinal, entity, rule, reason, field, record, value) from stdin"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for record, value in rows:
            copy.write_row((*given, record, None if value is None else str(value)))
    return len(rows)


def _select(connection: Connection, given: tuple[object, ...], query: str, table: sql.Identifier) -> int:
    """Runs the SQL of a rule, whose columns are ``record`` and ``value``."""
    failing = sql.SQL(cast("LiteralString", query)).format(batch=table)
    statement = sql.SQL(
        "insert into pg_temp.broken_rule (ordinal, entity, rule, reason, field, record, value)"
        " select %s, %s, %s, %s, %s, record, value from ({}) as failing"
    ).format(failing)
    return connection.execute(statement, given).rowcount


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What Great Expectations says of a rule; ``problem`` is why it could not say anything."""

    rule: Rule
    evaluated: int | None
    failed: int
    problem: str | None

    @property
    def distrust(self) -> str | None:
        """Why this rule's outcome fails the import, as a sentence; None where it does not."""
        if self.problem is not None:
            return f"{self.rule.suite}: the rule {self.rule.name} could not be evaluated ({self.problem})"
        if self.rule.level == "table" and self.failed:
            return f"{self.rule.suite}: {self.rule.sentence} ({self.rule.name}: {self.failed})"
        return None


class _Examiner:
    """Great Expectations over one staging schema."""

    def __init__(self, context: Any, datasource: Any, schema: str, parameters: Mapping[str, int]) -> None:  # noqa: ANN401
        self.context = context
        self.datasource = datasource
        self.schema = schema
        self.parameters = parameters
        self.batches: dict[str, Any] = {}
        self.expectations: dict[Rule, Any] = {}
        self.reports: list[Any] = []

    def count(self, name: str) -> list[_Outcome]:
        """Counts the rows that break each rule of a suite."""
        from great_expectations import ExpectationSuite  # noqa: PLC0415
        from great_expectations.core import ExpectationSuiteValidationResult  # noqa: PLC0415

        whole = self.context.suites.add(ExpectationSuite(**deepcopy(dict(suite(name)))))
        by_name = {expectation.meta["rule"]: expectation for expectation in whole.expectations}
        by_table: dict[str, list[Rule]] = {}
        for rule in rules(name).values():
            self.expectations[rule] = by_name[rule.name]
            by_table.setdefault(rule.table, []).append(rule)
        found = {}
        for table, its_rules in by_table.items():
            part = ExpectationSuite(name=name, expectations=[self.expectations[rule].configuration for rule in its_rules])
            for result in self._validate(table, part, COUNTS_ONLY).results:
                found[result.expectation_config.meta["rule"]] = result
        results = [found[rule] for rule in rules(name)]
        outcomes = [_outcome(rule, result) for rule, result in zip(rules(name).values(), results, strict=True)]
        for result in results:
            _strip(result)
        good = sum(bool(result.success) for result in results)
        statistics = {
            "evaluated_expectations": len(results),
            "successful_expectations": good,
            "unsuccessful_expectations": len(results) - good,
            "success_percent": 100 * good / len(results),
        }
        self.reports.append(
            ExpectationSuiteValidationResult(
                success=good == len(results), results=results, suite_name=name, statistics=statistics, meta={},
            )
        )  # fmt: skip
        return outcomes

    def failing(self, rule: Rule, number: int) -> list[tuple[int, object]]:
        """The record numbers of the rows that break a rule, each with the value that offends."""
        # The name notwithstanding, `partial_unexpected_count` bounds the complete list too.
        wanted = {"result_format": "COMPLETE", "partial_unexpected_count": number, "unexpected_index_column_names": ["record"]}
        result = self._validate(rule.table, self.expectations[rule], wanted).result
        return [(row["record"], row[rule.column]) for row in result["unexpected_index_list"]]

    def write_report(self, folder: Path) -> None:
        """Great Expectations' pages of the counts: one for each suite, and an index."""
        from great_expectations.core.run_identifier import RunIdentifier  # noqa: PLC0415
        from great_expectations.data_context.types.resource_identifiers import (  # noqa: PLC0415
            ExpectationSuiteIdentifier,
            ValidationResultIdentifier,
        )

        run = RunIdentifier(run_name=self.schema, run_time=datetime.now(UTC))
        for report in self.reports:
            key = ValidationResultIdentifier(ExpectationSuiteIdentifier(report.suite_name), run, report.suite_name)
            self.context.validation_results_store.add(key=key, value=report)
        folder.mkdir(parents=True, exist_ok=True)
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.absolute())}
        site = {
            "class_name": "SiteBuilder",
            "store_backend": store,
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "show_how_to_buttons": False,
        }
        self.context.add_data_docs_site(site_name=self.schema, site_config=site)
        self.context.build_data_docs(site_names=[self.schema])

    def _validate(self, table: str, what: Any, result_format: Mapping[str, object]) -> Any:  # noqa: ANN401
        if table not in self.batches:
            asset = self.datasource.add_table_asset(name=table, table_name=table, schema_name=self.schema)
            self.batches[table] = asset.add_batch_definition_whole_table("whole").get_batch()
        return self.batches[table].validate(
            what, result_format=dict(result_format), expectation_parameters=dict(self.parameters)
        )


def _outcome(rule: Rule, result: Any) -> _Outcome:  # noqa: ANN401 - Great Expectations' result of one expectation
    problem = _problem(result.exception_info)
    shown = result.result
    if rule.query is not None:
        return _Outcome(rule, None, shown.get("observed_value") or 0, problem)
    if "unexpected_count" in shown:
        return _Outcome(rule, shown["element_count"], shown["unexpected_count"] or 0, problem)
    return _Outcome(rule, None, 0 if result.success else 1, problem)


def _problem(information: Mapping[str, Any] | None) -> str | None:
    """The first line of what went wrong; Great Expectations states it flat, or once for each metric."""
    for one in (information or {}, *(value for value in (information or {}).values() if isinstance(value, Mapping))):
        if one.get("raised_exception"):
            return str(one.get("exception_message")).strip().partition("\n")[0][:200]
    return None


def _strip(result: Any) -> None:  # noqa: ANN401 - Great Expectations' result of one expectation
    """Leaves nothing in a result but numbers, before it becomes a page."""
    numbers = {name: value for name, value in result.result.items() if name in SHOWN and isinstance(value, int | float)}
    result.result = numbers
    result.exception_info = {"raised_exception": False, "exception_message": None, "exception_traceback": None}


@contextmanager
def _examiner(sqlalchemy_url: str, schema: str, staged: Mapping[str, int]) -> Iterator[_Examiner]:
    """Great Expectations, silent, in memory, and gone at the end: no file, no home folder, no network, no connection left."""
    parameters = {f"staged_{entity}": staged.get(entity, 0) for entity in ENTITIES}
    parameters["latest_year"] = datetime.now(UTC).year + YEARS_AHEAD
    with _silence():
        import great_expectations  # noqa: PLC0415 - costs seconds
        from great_expectations.data_context import types  # noqa: PLC0415

        config = types.base.DataContextConfig(
            analytics_enabled=False,
            progress_bars=types.base.ProgressBarsConfig(globally=False),
            store_backend_defaults=types.base.InMemoryStoreBackendDefaults(),
        )
        context = great_expectations.get_context(project_config=config, mode="ephemeral")
        datasource = context.data_sources.add_postgres(
            "staging",
            connection_string=sqlalchemy_url,
            create_temp_table=False,
            kwargs={"connect_args": {"options": "-c jit=off"}},
        )
        try:
            yield _Examiner(context, datasource, schema, parameters)
        finally:
            datasource.get_execution_engine().close()
            datasource.get_engine().dispose()


@contextmanager
def _silence() -> Iterator[None]:
    """Keeps Great Expectations' own lines out of the log."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
