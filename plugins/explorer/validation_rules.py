"""The rules of validation, as the suites in ``include/expectations`` state them, in Great Expectations' own form.

Each expectation's ``meta`` says the rule's name, the sentence that a person reads, the field, and the level: a record
that breaks a rule of level ``record`` is rejected; a table that breaks one of level ``table`` fails the import. ``table``
names another staged table than the suite's own. ``python -m explorer.validation_rules`` writes the page of them all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
SUITES = ROOT / "include" / "expectations"
PAGE = ROOT / "docs" / "validation.md"
IN_ORDER = ("outputs", "identifiers", "contributions", "departments", "authors")


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


PAGE_HEAD = """\
# The rules of validation

<!-- Made from include/expectations: `PYTHONPATH=plugins python -m explorer.validation_rules`. A test fails when stale. -->

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
