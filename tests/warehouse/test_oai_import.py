"""A server that we did not write (pyoai), imported into the warehouse: whole, then what changed and what is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from explorer import config, database, exports, flow, sites
from explorer.planning import Request
from tests.pyoai_server import SETS, Laputa, served

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("without_expectations")

COUNT = 1000
YAML = """\
name: Laputa
source:
  kind: oai_pmh
  platform: generic
  url: {url}
  authors: all
  allow_private_hosts: true
  politeness: {{requests_per_second: 100}}
limits: {{max_removed_share: 1, max_rejected_share: 1}}
"""


def published(dsn: str, what: exports.What) -> list[dict[str, Any]]:
    with database.connect(dsn) as connection:
        names, rows = exports.published(connection, "laputa", what)
        return [dict(zip(names, row, strict=True)) for row in rows]


def expected(laputa: Laputa) -> dict[str, tuple[str, list[str]]]:
    """Title and paths of departments, by DOI."""
    return {
        f"10.5555/laputa.{each.number}": (each.title, [f"{SETS[each.set.partition(':')[0]]} > {SETS[each.set]}"])
        for each in laputa.entries
        if not each.deleted
    }


def outputs(dsn: str) -> dict[str, tuple[str, list[str]]]:
    """What is published, as `expected` has it."""
    return {
        each["identifiers"]["doi"][0]: (each["title"], each["departments"])
        for each in published(dsn, exports.What.OUTPUTS)
    }


def test_all_arrives_and_then_what_changed(warehouse_dsn: str, tmp_path: Path) -> None:
    laputa = Laputa.of(COUNT)
    with served(laputa) as url:
        file = tmp_path / "laputa.yaml"
        file.write_text(YAML.format(url=url))
        place = sites.Site(config.load(file), warehouse_dsn)
        flow.run(place, Request(run_key="first", stays=True))
        assert outputs(warehouse_dsn) == expected(laputa)
        found = {each["key"] for each in published(warehouse_dsn, exports.What.DEPARTMENTS)}
        assert found == set(SETS)

        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        for number, change in {
            1: {"title": "On the loadstone"},  # revised
            2: {"deleted": True},
            10: {"deleted": False},  # was deleted, and is back
        }.items():
            laputa.entries[number] = replace(laputa.entries[number], at=now, **change)
        laputa.asked.clear()
        import_id = flow.run(place, Request(run_key="second", stays=True))
    assert outputs(warehouse_dsn) == expected(laputa)
    asked = [each for each in laputa.asked if each["verb"] == "ListRecords"]
    assert len(asked) == 1
    assert "from" in asked[0]
    with psycopg.connect(warehouse_dsn) as connection:
        (mode,) = connection.execute("select mode from ops.import where id = %s", (import_id,)).fetchone()
    assert mode == "incremental"
