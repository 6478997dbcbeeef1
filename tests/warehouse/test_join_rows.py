"""Rows of a spreadsheet become outputs: the same in any order of the rows, and as the rule says (a model in Python)."""

import random
from collections.abc import Iterator
from itertools import combinations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explorer import database
from explorer.identifiers import SCHEMES

Row = dict[str, str]


def model(rows: list[Row]) -> list[str]:
    """The key of each row's output: groups by best identifier, then joined scheme by scheme."""
    groups = [frozenset()] * len(rows)
    best = [min(row.items(), key=lambda i: SCHEMES.index(i[0])) for row in rows]
    groups = [frozenset(n for n in range(len(rows)) if best[n] == b) for b in best]
    parts = {min(g): set(g) for g in groups}

    def schemes(part: int) -> set[str]:
        return {s for n in parts[part] for s in rows[n]}

    for rank, scheme in enumerate(SCHEMES):
        earlier = set(SCHEMES[:rank])

        def contradict(some: list[int], earlier: set[str] = earlier) -> bool:
            return any(schemes(a) & schemes(b) & earlier for a, b in combinations(some, 2))

        touched: dict[str, list[int]] = {}
        for part, members in parts.items():
            if scheme == "isbn" and schemes(part) != {"isbn"}:
                continue
            for value in {rows[n][scheme] for n in members if scheme in rows[n]}:
                touched.setdefault(value, []).append(part)
        joining = [some for some in touched.values() if len(some) > 1 and not contradict(some)]
        components: list[set[int]] = []
        for some in joining:
            together = set(some).union(*(c for c in components if c & set(some)))
            components = [c for c in components if not c & together] + [together]
        for component in components:
            if not contradict(sorted(component)):
                first, *others = sorted(component)
                for other in others:
                    parts[first] |= parts.pop(other)
    keys = {}
    for members in parts.values():
        claims = [(SCHEMES.index(s), v.encode(), s, v) for n in members for s, v in rows[n].items()]
        _, _, scheme, value = min(claims)
        keys |= dict.fromkeys(members, f"{scheme}:{value}")
    return [keys[n] for n in range(len(rows))]


rows_strategy = st.lists(
    st.dictionaries(
        st.sampled_from(["doi", "pmid", "arxiv", "handle", "isbn", "uri"]),
        st.sampled_from("abcde"),
        min_size=1,
        max_size=4,
    ),
    min_size=1,
    max_size=9,
)


@pytest.fixture(scope="module")
def connection(postgres_dsn: str) -> Iterator[database.Connection]:
    """Staging tables in a schema of their own; every table is emptied before each example."""
    with database.connect(postgres_dsn) as made:
        made.execute("create schema join_rows")
        made.execute("set search_path = join_rows")
        database.run(made, "staging/create")
        made.commit()
        yield made
        made.rollback()
        made.execute("drop schema join_rows cascade")
        made.commit()


def joined(connection: psycopg.Connection, rows: list[Row]) -> list[str]:
    connection.rollback()
    connection.execute("set local search_path = join_rows")
    with connection.cursor().copy("copy output_identifier (record, scheme, value, derived) from stdin") as copy:
        for n, row in enumerate(rows):
            for scheme, value in row.items():
                copy.write_row((n, scheme, value, False))
    database.run(connection, "staging/join_rows")
    keys = dict(connection.execute("select record, key from output_record").fetchall())
    connection.rollback()
    return [keys[n] for n in range(len(rows))]


@given(rows=rows_strategy, seed=st.integers())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_the_rows_gives_the_outputs_of_the_model(connection, rows, seed):
    expected = model(rows)
    assert joined(connection, rows) == expected
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    shuffled = joined(connection, [rows[n] for n in order])
    assert dict(zip(order, shuffled, strict=True)) == dict(enumerate(expected))


@pytest.mark.parametrize(
    ("rows", "outputs"),
    [
        ([{"doi": "a", "pmid": "1"}, {"doi": "a", "pmid": "2"}, {"pmid": "2"}], 1),
        ([{"doi": "a", "pmid": "1"}, {"doi": "b", "pmid": "1"}, {"pmid": "1"}], 3),
        ([{"doi": "a", "isbn": "1"}, {"doi": "b", "isbn": "1"}, {"isbn": "1"}, {"isbn": "1"}], 3),
        ([{"doi": "a", "arxiv": "x"}, {"pmid": "5", "arxiv": "x"}], 1),
        ([{"doi": "a", "arxiv": "x"}, {"pmid": "5", "arxiv": "x"}, {"pmid": "5", "arxiv": "y"}, {"doi": "b", "arxiv": "y"}], 3),
    ],
)  # fmt: skip
def test_what_contradicts_stays_apart(connection, rows, outputs):
    assert len(set(joined(connection, rows))) == outputs


def test_the_order_of_trust_is_the_same_in_sql_and_in_python():
    quoted = ", ".join(f"'{scheme}'" for scheme in SCHEMES)
    assert f"array[{quoted}]" in database.text("staging/join_rows")
    assert quoted in database.text("schema/0002_warehouse")


def test_a_long_chain_of_shared_values_is_joined_in_few_rounds(connection):
    """A chain of a thousand outputs, each sharing a Handle with the next: one output."""
    rows = [{"handle": f"{n:04}"} for n in range(2000)]
    connection.rollback()
    connection.execute("set local search_path = join_rows")
    with connection.cursor().copy("copy output_identifier (record, scheme, value, derived) from stdin") as copy:
        for n in range(len(rows)):
            copy.write_row((n, "urn", f"urn:x:{n:04}", False))
            copy.write_row((n, "uri", f"https://x.example/{n // 2:04}", False))
            copy.write_row((n, "uri", f"https://x.example/b{(n + 1) // 2:04}", False))
    database.run(connection, "staging/join_rows")
    # Every row has an URN of its own, an earlier scheme than URI: they contradict, and nothing is joined.
    assert connection.execute("select count(distinct key) from output_record").fetchone() == (2000,)
    connection.rollback()


def test_records_that_have_an_end_join_nobody(connection):
    connection.rollback()
    connection.execute("set local search_path = join_rows")
    for n, row in enumerate([{"doi": "a", "pmid": "1"}, {"pmid": "1", "arxiv": "x"}, {"arxiv": "x"}]):
        for scheme, value in row.items():
            connection.execute("insert into output_identifier values (%s, %s, %s, false)", (n, scheme, value))
    connection.execute(
        "insert into verdict (entity, record, verdict, stage, rule) values ('output', 1, 'rejected', 'x', 'x')"
    )
    database.run(connection, "staging/join_rows")
    assert dict(connection.execute("select record, key from output_record").fetchall()) == {0: "doi:a", 2: "arxiv:x"}
    connection.rollback()
