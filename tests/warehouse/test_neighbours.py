"""Fifty institutions in one warehouse: an import neither reads nor locks what belongs to another."""

from pathlib import Path

import pytest

from explorer import database, imports
from tests.scripted_source import ScriptedSource, make_site
from tests.warehouse.test_flow import do_import, output

pytestmark = pytest.mark.usefixtures("without_expectations")

FOREIGN = """
    select distinct c.relname from pg_locks l join pg_class c on c.oid = l.relation
    where l.pid = pg_backend_pid() and c.relname like '%\\_\\_n%'
"""


def test_an_import_locks_no_leaf_of_another_institution(warehouse_dsn: str, tmp_path: Path, monkeypatch):
    """Reading a table takes a lock on it, so what is not locked until the commit was not read either."""
    with database.connect(warehouse_dsn) as connection:
        for n in range(50):
            connection.execute("insert into ops.institution (slug, name, source) values (%s, 'n', 'x')", (f"n{n}",))
            connection.execute("select warehouse.open_leaves(%s)", (f"n{n}",))
            connection.execute("select warehouse.close_leaves(%s)", (f"n{n}",))
            connection.commit()
    seen: list[tuple[str, list]] = []
    reach = imports.reach

    def watched(connection: database.Connection, phase: str) -> None:
        seen.append((phase, connection.execute(FOREIGN).fetchall()))
        reach(connection, phase)

    monkeypatch.setattr(imports, "reach", watched)
    source = ScriptedSource(outputs={f"o{n}": output(f"o{n}", authors="ab") for n in range(20)}, tick=1)
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site)
    source.tick = 2
    source.put(output("o1", title="Another"))
    source.delete("o2")
    do_import(site)
    assert [phase for phase, _ in seen] == ["extracted", "validated", "filtered", "cleaned", "reviewed", "loaded"] * 2
    assert {phase: foreign for phase, foreign in seen if foreign} == {}
