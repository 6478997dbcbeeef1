"""What is asked of Great Expectations, and how its answers become counts, records and pages.

Importing this module imports Great Expectations, which costs seconds: only ``validation.validate`` does, when it runs.

What bites, seen in 1.24: the "complete" list of failing rows is cut at ``partial_unexpected_count`` too; the index
query that it offers forgets the row condition; a rule in SQL gives at most 200 rows; a generated site takes 4 MB for
each import, its pages load scripts and styles from foreign hosts, and its index is empty without them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view.view import DefaultJinjaPageView

from explorer.validation_rules import Outcome, Rule

TEMPLATES = Path(__file__).resolve().parents[2] / "include" / "templates"

# The counts of all rules of a table come from one statement; asked for no more, Great Expectations fetches no value.
COUNTS = {"result_format": "BASIC", "partial_unexpected_count": 0, "exclude_unexpected_values": True}

# What a result may show on a page, and only where it is a number.
SHOWN = frozenset(
    {
        "element_count", "unexpected_count", "unexpected_percent", "unexpected_percent_total",
        "unexpected_percent_nonmissing", "missing_count", "missing_percent", "observed_value",
    }
)  # fmt: skip

# What a page takes from foreign hosts, or what is of no use without it: scripts, styles, pictures, the newsletter.
FOREIGN = re.compile(r"<(script|style|footer)\b.*?</\1>|<(link|img)\b[^>]*>", re.DOTALL)
SUITE_PAGE = re.compile(r'href="(\.\./)+expectations/[^"]*"')


@contextmanager
def examiner(sqlalchemy_url: str, schema: str, parameters: Mapping[str, int]) -> Iterator[Examiner]:
    """Great Expectations over a staging schema, in memory: no home folder, no network, no connection left behind."""
    config = DataContextConfig(
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
        store_backend_defaults=InMemoryStoreBackendDefaults(),
    )
    sources: Any = gx.get_context(project_config=config, mode="ephemeral").data_sources
    options = {"connect_args": {"options": "-c jit=off"}}  # compiling costs more than it saves
    datasource = sources.add_postgres(schema, connection_string=sqlalchemy_url, create_temp_table=False, kwargs=options)
    try:
        yield Examiner(datasource, schema, parameters)
    finally:
        datasource.get_execution_engine().close()
        datasource.get_engine().dispose()


class Examiner:
    """Counts what breaks the rules of one import's staging, and finds it."""

    def __init__(self, datasource: Any, schema: str, parameters: Mapping[str, int]) -> None:  # noqa: ANN401
        self.datasource = datasource
        self.schema = schema
        self.parameters = dict(parameters)
        self.batches: dict[str, Any] = {}
        self.expectations: dict[Rule, Any] = {}
        self.reports: list[ExpectationSuiteValidationResult] = []

    def count(self, stated: Mapping[str, Any], rules: Sequence[Rule]) -> list[Outcome]:
        """Counts the rows that break each rule of a suite: one statement for each table and row condition."""
        name = str(stated["name"])
        described = [
            each | {"description": f"{rule.name.replace('_', ' ')}; otherwise: {rule.sentence}"}
            for each, rule in zip(stated["expectations"], rules, strict=True)
        ]
        whole = gx.ExpectationSuite(name=name, expectations=described)
        self.expectations |= dict(zip(rules, whole.expectations, strict=True))
        found = {}
        for table in dict.fromkeys(rule.table for rule in rules):
            its = [self.expectations[rule].configuration for rule in rules if rule.table == table]
            for result in self._validate(table, gx.ExpectationSuite(name=name, expectations=its), COUNTS).results:
                found[result.expectation_config.meta["rule"]] = result
        outcomes = [_outcome(rule, found[rule.name]) for rule in rules]
        self.reports.append(_report(stated, [_stripped(found[rule.name]) for rule in rules]))
        return outcomes

    def failing(self, outcome: Outcome) -> list[tuple[int, object]]:
        """The records that break a rule, each with the value that offends."""
        rule = outcome.rule
        everything = {
            "result_format": "COMPLETE",
            "partial_unexpected_count": outcome.failed,
            "unexpected_index_column_names": ["record"],
        }
        result = self._validate(rule.table, self.expectations[rule], everything).result
        return [(row["record"], row[rule.column]) for row in result["unexpected_index_list"]]

    def write_report(self, folder: Path) -> None:
        """Writes Great Expectations' page of each suite, with counts alone, and an index of them."""
        folder.mkdir(parents=True, exist_ok=True)
        style = f"<style>{(TEMPLATES / 'validation.css').read_text(encoding='utf-8')}</style></head>"
        view: Any = DefaultJinjaPageView()
        lines = []
        for report in self.reports:
            page = view.render(ValidationResultsPageRenderer().render(report))
            own = SUITE_PAGE.sub('href="index.html"', FOREIGN.sub("", page)).replace("</head>", style, 1)
            (folder / f"{report.suite_name}.html").write_text(own, encoding="utf-8")
            name, counts = html.escape(report.suite_name), report.statistics
            kept = f"{counts['successful_expectations']} of {counts['evaluated_expectations']} rules kept"
            lines.append(f'<tr><td><a href="{name}.html">{name}</a></td><td>{kept}</td></tr>')
        title = f"Validation of {html.escape(self.schema)}"
        index = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>{style}'
            f"<body><h1>{title}</h1><table>{''.join(lines)}</table></body></html>\n"
        )
        (folder / "index.html").write_text(index, encoding="utf-8")

    def _validate(self, table: str, what: Any, result_format: Mapping[str, object]) -> Any:  # noqa: ANN401
        if table not in self.batches:
            asset = self.datasource.add_table_asset(name=table, table_name=table, schema_name=self.schema)
            self.batches[table] = asset.add_batch_definition_whole_table("whole").get_batch()
        return self.batches[table].validate(
            what, result_format=dict(result_format), expectation_parameters=self.parameters
        )


def _outcome(rule: Rule, result: Any) -> Outcome:  # noqa: ANN401 - one expectation's result
    numbers, problem = result.result, _problem(result.exception_info)
    if problem is not None:
        return Outcome(rule, None, 0, problem)
    if rule.query is not None:
        return Outcome(rule, None, numbers["observed_value"])
    if "unexpected_count" in numbers:
        return Outcome(rule, numbers["element_count"], numbers["unexpected_count"] or 0)
    return Outcome(rule, None, 0 if result.success else 1)


def _problem(information: Mapping[str, Any] | None) -> str | None:
    """The first line of what went wrong; Great Expectations states it flat, or once for each metric."""
    stated = information or {}
    for one in (stated, *(value for value in stated.values() if isinstance(value, Mapping))):
        if one.get("raised_exception"):
            return str(one.get("exception_message")).strip().partition("\n")[0][:200]
    return None


def _stripped(result: Any) -> Any:  # noqa: ANN401 - one expectation's result
    """The result with nothing in it but numbers."""
    result.result = {k: v for k, v in result.result.items() if k in SHOWN and isinstance(v, int | float)}
    result.exception_info = {"raised_exception": False, "exception_message": None, "exception_traceback": None}
    return result


def _report(stated: Mapping[str, Any], results: list[Any]) -> ExpectationSuiteValidationResult:
    good = sum(bool(result.success) for result in results)
    return ExpectationSuiteValidationResult(
        success=good == len(results),
        results=results,
        suite_name=stated["name"],
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": good,
            "unsuccessful_expectations": len(results) - good,
            "success_percent": 100 * good / len(results),
        },
        meta={"batch_kwargs": {"data_asset_name": stated["meta"]["table"]}},
    )
