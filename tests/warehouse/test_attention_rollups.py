"""The sums, against an independent computation in pandas on generated data."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import psycopg
import pytest

from explorer import attention, database
from explorer.records import Contribution, Department, Identifier, Output
from simulators.attention import Attention
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site
from tests.warehouse.test_attention import connect, pass_days, refresh, simulator, site, source
from tests.warehouse.test_flow import do_import

pytestmark = pytest.mark.usefixtures("without_expectations", "within_a_day")
__all__ = ["connect", "simulator", "site", "source"]  # fixtures


def world(source: ScriptedSource, seed: int) -> None:
    """Nested departments (one below two parents), shared DOIs, several departments and authors for each output."""
    chance = random.Random(seed)
    source.departments = {
        "u": Department("u", "University"),
        **{f"f{n}": Department(f"f{n}", f"Faculty {n}", ("u",)) for n in range(3)},
        **{f"d{n}": Department(f"d{n}", f"Department {n}", (f"f{n % 3}",)) for n in range(9)},
        "both": Department("both", "Centre", ("f0", "d4")),
        "empty": Department("empty", "Nobody", ("u",)),
    }
    places = [*(f"d{n}" for n in range(9)), "both", "f1", "u"]
    for n in range(400):
        doi = f"10.5555/rollup.{chance.randrange(300)}"  # a quarter is shared
        several = [Identifier("pmid", str(900_000 + n))] if n % 7 == 0 else []
        source.put(
            Output(
                key=f"o{n}", title=f"o{n}", year=2020, identifiers=(Identifier("doi", doi), *several),
                contributions=tuple(
                    Contribution(f"id:{a}", f"Author {a}", departments=tuple(chance.sample(places, chance.randrange(3))))
                    for a in chance.sample(range(60), chance.randrange(1, 5))
                ),
                departments=tuple(chance.sample(places, chance.randrange(4))),
            )
        )  # fmt: skip


def frame(connection: psycopg.Connection, query: str) -> pd.DataFrame:
    cursor = connection.execute(query)
    return pd.DataFrame(cursor.fetchall(), columns=[c.name for c in cursor.description])


def computed(connection: psycopg.Connection) -> tuple[dict, dict, dict]:
    """Sums, sums by source, and the order of scores with the first output of each, by place; no SQL beyond reading."""
    link = frame(connection, "select output_key, tracked from attention.link")
    parents = frame(connection, "select department_key, parent_key from warehouse.department_parent")
    direct = frame(connection, "select output_key, department_key from warehouse.output_department")
    authors = frame(connection, "select output_key, author_key from warehouse.authorship")
    snapshots = frame(connection, "select tracked, day, mentions, score from attention.snapshot order by day")
    sources = frame(connection, "select tracked, day, source, accounts from attention.snapshot_source")
    today = connection.execute("select current_date").fetchone()[0]
    latest = snapshots.groupby("tracked").last()
    week = snapshots[[(today - day).days >= 7 for day in snapshots["day"]]].groupby("tracked").last()
    above: dict[str, set[str]] = {}
    for key in frame(connection, "select key from warehouse.department")["key"]:
        seen, queue = set(), [key]
        while queue:
            at = queue.pop()
            if at not in seen:
                seen.add(at)
                queue += list(parents[parents["department_key"] == at]["parent_key"])
        above[key] = seen
    places: dict[tuple[str, str], set[str]] = {("institution", ""): set(link["output_key"])}
    for row in direct.itertuples():
        for top in above[row.department_key]:
            places.setdefault(("department", top), set()).add(row.output_key)
    for row in authors.itertuples():
        places.setdefault(("author", row.author_key), set()).add(row.output_key)
    sums, by_source, top = {}, {}, {}
    for place, outputs in places.items():
        tracked = sorted(set(link[link["output_key"].isin(outputs)]["tracked"].dropna()))
        now = latest.loc[tracked]
        before = week.reindex(tracked)
        sums[place] = (
            len(outputs), len(tracked), int((now["mentions"] > 0).sum()), int(now["mentions"].sum()),
            int((now["mentions"] - before["mentions"]).fillna(0).sum()),
            round(float((now["score"].astype(float) - before["score"].astype(float)).fillna(0).sum()), 6),
        )  # fmt: skip
        mine = sources.merge(now["day"].reset_index(), on=["tracked", "day"])
        for name, group in mine[mine["accounts"] > 0].groupby("source"):
            by_source[*place, name] = (int(group["accounts"].sum()), len(group))
        best = now[now["mentions"] > 0].reset_index().assign(score=lambda f: f["score"].astype(float))
        best = best.sort_values(["score", "tracked"], ascending=[False, True]).head(10)
        first = link[link["output_key"].isin(outputs)].groupby("tracked")["output_key"].min()
        top[place] = [(name, first[name]) for name in best["tracked"]]
    return sums, by_source, {place: rows for place, rows in top.items() if rows}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_sums_are_those_of_an_independent_computation(
    site: ScriptedSite, source: ScriptedSource, simulator: Attention, connect: Callable, seed: int
):
    world(source, seed)
    do_import(site)
    for days in (9, 5, 4):
        pass_days(site, days)
        simulator.change({"days": days * 3})
        refresh(site)
    with database.connect(site.dsn) as connection:
        sums, by_source, top = computed(connection)
        stored = {
            (r[0], r[1]): (*r[2:7], round(float(r[7]), 6))
            for r in connection.execute(
                "select kind, key, outputs, tracked, with_attention, mentions, mentions_week, score_week from attention.rollup"
            )
        }
        empty = {place for place in stored if place not in sums}
        assert {stored.pop(place) for place in empty} == {(0, 0, 0, 0, 0, 0.0)}
        assert ("department", "empty") in empty
        assert stored == sums
        assert {
            (r[0], r[1], r[2]): (r[3], r[4])
            for r in connection.execute("select kind, key, source, accounts, tracked from attention.rollup_source")
        } == by_source
        listed: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for kind, key, *named in connection.execute(
            "select kind, key, tracked, output_key from attention.rollup_top order by kind, key, position"
        ):
            listed.setdefault((kind, key), []).append(tuple(named))
        assert listed == top
    whole = sums["institution", ""]
    assert whole[4] != 0, "something has changed within a week"
    assert sum(v[3] for k, v in sums.items() if k[0] == "author") > whole[3], "authors share outputs"
    assert sums["department", "u"][1] <= whole[1]


def test_the_sums_are_made_anew_each_time(site: ScriptedSite, source: ScriptedSource, connect: Callable):
    world(source, 3)
    do_import(site)
    with database.connect(site.dsn) as connection:
        before = connection.execute("select * from attention.rollup order by kind, key").fetchall()
        attention.roll_up(connection, site.institution.slug)
        assert connection.execute("select * from attention.rollup order by kind, key").fetchall() == before


def test_sums_without_attention_are_left_alone_where_nothing_came_or_went_and_right_always(
    warehouse_dsn: str, tmp_path: Path, source: ScriptedSource
):
    world(source, 4)
    quiet = make_site(warehouse_dsn, tmp_path, source)
    do_import(quiet)
    chance = random.Random(4)

    def sums(connection: psycopg.Connection, what: str) -> list[tuple]:
        return connection.execute(f"select {what} from attention.rollup order by kind, key").fetchall()

    def retitled() -> None:
        source.put(replace(source.outputs[f"o{chance.randrange(400)}"], title="Another"))

    def moved() -> None:
        one = source.outputs[f"o{chance.randrange(400)}"]
        source.put(replace(one, departments=("f2",), contributions=(Contribution("id:70", "Author 70"),)))

    def nested() -> None:
        source.departments["d1"] = Department("d1", "Department 1", (f"f{chance.randrange(3)}",))

    def closed() -> None:
        source.departments.pop(f"d{chance.randrange(2, 9)}", None)

    def gone() -> None:
        source.outputs.popitem()

    left_alone = 0
    for _ in range(24):
        chance.choice((retitled, retitled, moved, nested, closed, gone))()
        source.tick += 2
        with database.connect(quiet.dsn) as connection:
            before = sums(connection, "xmin::text")
            do_import(quiet, full_import=True)
            left_alone += sums(connection, "xmin::text") == before
            found = sums(connection, "*")
            connection.execute("update attention.subscription set shape = null")
            attention.roll_up(connection, quiet.institution.slug)
            assert sums(connection, "*") == found
    assert 5 < left_alone < 20


def test_sums_of_what_was_tracked_go_when_attention_is_switched_off(
    site: ScriptedSite, source: ScriptedSource, connect: Callable, monkeypatch: pytest.MonkeyPatch
):
    world(source, 3)
    do_import(site)
    count = "select sum(tracked) from attention.rollup"
    with database.connect(site.dsn) as connection:
        assert connection.execute(count).fetchone()[0] > 0
    monkeypatch.delenv("AIRFLOW_CONN_ATTENTION")
    do_import(site)
    with database.connect(site.dsn) as connection:
        assert connection.execute(count).fetchone()[0] == 0
