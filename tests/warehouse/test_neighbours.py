"""Fifty institutions in one warehouse: an import neither reads nor locks what belongs to another."""

import json
import re
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from explorer import attention, database, flow, tasks, upkeep
from explorer.records import Author
from explorer.sources import Abilities
from tests.scripted_source import ScriptedSource, make_site
from tests.warehouse.test_flow import do_import, output
from tests.warehouse.test_purge import wrote

pytestmark = pytest.mark.usefixtures("without_expectations")

OTHERS = [f"n{n}" for n in range(50)]
FOREIGN = """
    select distinct c.relname from pg_locks l join pg_class c on c.oid = l.relation
    where l.pid = pg_backend_pid() and c.relname ~ '__n[0-9]+(_|$)'
"""


@pytest.fixture
def seen(warehouse_dsn: str, monkeypatch) -> dict[str, set[str]]:
    """Fifty neighbours; and of every statement file the tables in its plan, of every phase and commit the foreign locks."""
    with database.connect(warehouse_dsn) as connection:
        for slug in OTHERS:
            connection.execute("insert into ops.institution (slug, name, source) values (%s, 'n', 'x')", (slug,))
            connection.execute("select warehouse.open_leaves(%s)", (slug,))
            connection.execute("select warehouse.close_leaves(%s)", (slug,))
            connection.commit()
    found: dict[str, set[str]] = {}
    run, reach, commit = database.run, tasks.reach, psycopg.Connection.commit

    def explained(connection, name, parameters=None, identifiers=None):
        text = sql.SQL(database.text(name))
        statement = text.format(**identifiers) if identifiers else text
        try:
            with connection.transaction():
                rows = connection.execute(sql.SQL("explain (format json) ") + statement, parameters).fetchall()
            tables = set(re.findall(r'"Relation Name": "([^"]+)"', json.dumps(rows[0][0])))
            found.setdefault(f"plan of {name}", set()).update(table for table in tables if "__" in table)
        except psycopg.errors.SyntaxError:  # a block, or several statements: no plan of its own, but the locks tell
            pass
        return run(connection, name, parameters, identifiers)

    def locks(connection, when: str) -> None:
        found.setdefault(f"locks at {when}", set()).update(row[0] for row in connection.execute(FOREIGN))

    def reached(connection, phase):
        locks(connection, phase)
        reach(connection, phase)

    def committed(connection):
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            locks(connection, "a commit")
        commit(connection)

    monkeypatch.setattr(database, "run", explained)
    monkeypatch.setattr(tasks, "reach", reached)
    monkeypatch.setattr(psycopg.Connection, "commit", committed)
    return found


def test_nothing_reads_or_locks_a_leaf_of_another_institution(warehouse_dsn, tmp_path: Path, seen: dict[str, set[str]]):
    """Reading a table takes a lock on it, so what is not locked until the commit was not read either."""
    source = ScriptedSource(outputs={f"o{n}": output(f"o{n}", authors="ab") for n in range(20)}, tick=1)
    site = make_site(warehouse_dsn, tmp_path, source)
    first = do_import(site)["import_id"]
    source.tick = 2
    source.put(output("o1", title="Another"))
    source.delete("o2")
    do_import(site)
    do_import(site, full_import=True)
    upkeep.rollback(site, to_import=first, by="somebody", dry_run=True)
    upkeep.rollback(site, to_import=first, by="somebody")
    with database.connect(site.dsn) as connection:
        for _ in range(12):  # as the daily refresh does, one institution after the other: no plan is kept for all
            attention.link_known(connection, "lilliput")
        attention.link(connection, "lilliput", "somebody")
    assert len(seen) > 45
    assert {f"locks at {phase}" for phase in tasks.PHASES[1:]} <= set(seen)
    for statement in ("review/delta_outputs", "load/update_things", "load/blank", "rollback/targets", "attention/link"):
        assert f"plan of {statement}" in seen
    assert any("research_output__lilliput" in tables for tables in seen.values())
    foreign = {where: {t for t in tables if not t.endswith("__lilliput")} for where, tables in seen.items()}
    assert {where: tables for where, tables in foreign.items() if tables} == {}


def test_nor_does_what_takes_out_at_once_what_turned_private(
    warehouse_dsn: str, tmp_path: Path, seen: dict[str, set[str]]
):
    source = ScriptedSource(abilities=Abilities(knows_privacy=True, lists_authors=True))
    source.authors = {key: Author(key, f"Name, {key}", level="public") for key in ("vv", "ww")}
    for n in range(70):
        source.put(wrote(f"o{n}", "vv", "ww"))
    site = make_site(warehouse_dsn, tmp_path, source, removed=0.2)
    do_import(site)
    for n in range(30, 70):
        source.vanish(f"o{n}")
    source.authors["vv"] = Author("vv", "Name, vv", level="private")
    source.put(wrote("o1", "ww", level="private"))
    source.put(wrote("o2", "ww", told="private"))
    made = do_import(site)
    assert made["status"] == "awaiting_approval"
    assert made["purges"]
    flow.answer(site, made["import_id"], approved=True, by="somebody")
    flow.go_on(site, made["import_id"], answered=True)
    for statement in ("load/purge_links", "load/blank", "load/forget_told", "privacy/hidden_authorships"):
        assert f"plan of {statement}" in seen
    foreign = {where: {t for t in tables if not t.endswith("__lilliput")} for where, tables in seen.items()}
    assert {where: tables for where, tables in foreign.items() if tables} == {}


def test_a_statement_that_forgets_its_institution_would_be_seen(warehouse_dsn: str, seen: dict[str, set[str]]):
    with database.connect(warehouse_dsn) as connection:
        connection.execute("select count(*) from warehouse.author")
        connection.commit()
    assert len(seen["locks at a commit"]) >= 50
