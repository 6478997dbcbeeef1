"""Whatever text a source sends arrives as it was sent: in a cell, in an array, beside nothing at all."""

import random
import uuid

import psycopg
import pytest

from explorer import flow
from explorer.planning import Request
from explorer.records import Contribution, Department, Identifier, Output
from explorer.sources import Abilities
from tests.scripted_source import ScriptedSource, make_site

# What means something to Postgres' COPY or to its arrays, or is nothing that it can hold.
PIECES = (
    "\\", "\\N", "\\.", "\\t", "\t", "\n", "\r", "\r\n", "\x0b", "\x7f", "\0", "{", "}", ",", '"', '""', "'",
    "NULL", "null", " ", "\u00a0", "\u2028", "\ud800", "\udfff", "é", "東京", "🐎", "a", "%s", "%(x)s", "::", "$1",
)  # fmt: skip


def arrives_as(text: str) -> str:
    """Postgres' text holds no NUL and no lone surrogate."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


@pytest.mark.usefixtures("without_expectations")
def test_every_text_arrives_in_cells_and_in_arrays(warehouse_dsn, tmp_path):
    chance = random.Random(20261128)
    texts = [*PIECES, *("".join(chance.choices(PIECES, k=chance.randint(2, 9))) for _ in range(400))]
    source = ScriptedSource(page_size=50)
    for number, text in enumerate(texts):
        key = f"d{number}:{text}"
        source.departments[key] = Department(key, f"Unit {number} {text}")
        source.put(
            Output(
                f"o{number}", f"Title {text}", None if number % 3 else "Article", 2000 + number % 20, text or None,
                (Identifier("doi", f"10.5555/{number}"),), (Contribution(f"a{number}:{text}", f"Name {text}"),), (key, "d0:\\"),
            )
        )  # fmt: skip
    flow.run(make_site(warehouse_dsn, tmp_path, source), Request(run_key=uuid.uuid4().hex, stays=True), approved=True)
    with psycopg.connect(warehouse_dsn) as connection:
        outputs = connection.execute("select key, title, type, venue from warehouse.research_output").fetchall()
        departments = connection.execute(
            "select output_key, array_agg(department_key) from warehouse.output_department group by 1"
        ).fetchall()
        names = connection.execute("select name from warehouse.department").fetchall()
        authors = connection.execute("select key, name from warehouse.author").fetchall()
    assert set(outputs) == {
        (f"o{n}", f"Title {arrives_as(text)}", None if n % 3 else "Article", arrives_as(text))
        for n, text in enumerate(texts)
    }
    assert {key: set(found) for key, found in departments} == {
        f"o{n}": {arrives_as(f"d{n}:{text}"), "d0:\\"} for n, text in enumerate(texts)
    }
    assert {name for (name,) in names} == {f"Unit {n} {arrives_as(text)}" for n, text in enumerate(texts)}
    assert set(authors) == {(arrives_as(f"a{n}:{text}"), f"Name {arrives_as(text)}") for n, text in enumerate(texts)}


@pytest.mark.usefixtures("without_expectations")
@pytest.mark.parametrize("rows", [False, True])
def test_an_endless_identifier_costs_itself_and_is_told(warehouse_dsn, tmp_path, rows):
    chance = random.Random(1)
    endless = "10.5555/" + "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9_000))
    source = ScriptedSource()
    found = Output(
        None if rows else "o",
        "A work",
        identifiers=(Identifier("doi", endless), Identifier("pmid", "21148220")),
        place="row 2",
    )
    source.abilities = Abilities(joins_records=rows)
    source.rows.append(found) if rows else source.put(found)
    flow.run(make_site(warehouse_dsn, tmp_path, source), Request(run_key=uuid.uuid4().hex, stays=True), approved=True)
    with psycopg.connect(warehouse_dsn) as connection:
        assert connection.execute("select scheme, value from warehouse.output_identifier").fetchall() == [
            ("pmid", "21148220")
        ]
        assert connection.execute("select code from ops.record_note").fetchall() == [("invalid_identifier",)]
