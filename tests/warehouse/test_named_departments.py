"""Departments that records name in passing: they come with the outputs that name them, and go with the last one."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from explorer import database
from explorer.imports import HaltedError
from explorer.records import Department, Identifier, Output
from explorer.sources import Abilities, Cursor, Page, Part, Plan
from tests.scripted_source import ScriptedSource, make_site
from tests.warehouse.test_flow import do_import, published

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("without_expectations")

Path_ = tuple[str, ...]


@dataclass
class NamingSource(ScriptedSource):
    """Outputs whose records name the departments in their ``departments``: by id, with the path that it has now."""

    tree: dict[str, Path_] = None  # type: ignore[assignment]  # id: path of names, root first

    def parts(self, plan: Plan) -> Sequence[Part]:
        del plan
        return [Part("outputs")]

    def read(self, part: Part, plan: Plan, cursor: Cursor | None) -> Iterator[Page]:
        for page in super().read(part, plan, cursor):
            named = [
                replace(each, datestamp=output.datestamp)
                for output in page.records
                if isinstance(output, Output)
                for key in output.departments
                for each in self.described(key)
            ]
            yield replace(page, records=[*named, *page.records])

    def described(self, key: str) -> Iterator[Department]:
        if key.startswith("name:"):
            yield Department(key, key.removeprefix("name:"))
            return
        path = self.tree[key]
        for depth in range(1, len(path)):
            yield Department(_key(path[:depth]), path[depth - 1], (_key(path[: depth - 1]),) if depth > 1 else ())
        yield Department(key, path[-1], (_key(path[:-1]),) if len(path) > 1 else ())


def _key(path: Path_) -> str:
    return "path:" + " > ".join(path)


def output(key: str, *departments: str) -> Output:
    return Output(key, f"Title {key}", identifiers=(Identifier("doi", f"10.5555/{key}"),), departments=departments)


@pytest.fixture
def source() -> NamingSource:
    made = NamingSource(abilities=Abilities(says_changes=True, names_departments=True))
    made.tree = {"1": ("Academy",), "11": ("Academy", "Science"), "111": ("Academy", "Science", "Biology"),
                 "112": ("Academy", "Science", "Physics"), "121": ("Academy", "Arts", "Music")}  # fmt: skip
    made.put(output("a", "111"))
    made.put(output("b", "112", "121"))
    made.tick = 1
    return made


def paths(site: object) -> dict[str, str]:
    return {each["key"]: each["path"] for each in published(site)["departments"]}  # type: ignore[arg-type]


def test_the_path_of_a_record_is_the_tree(warehouse_dsn: str, tmp_path: Path, source: NamingSource) -> None:
    made = do_import(site := make_site(warehouse_dsn, tmp_path, source))
    assert paths(site) == {
        "path:Academy": "Academy",
        "path:Academy > Science": "Academy > Science",
        "path:Academy > Arts": "Academy > Arts",
        "111": "Academy > Science > Biology",
        "112": "Academy > Science > Physics",
        "121": "Academy > Arts > Music",
    }
    tally = made["tally"]["departments"]
    assert (tally["extracted"], tally["duplicates"], tally["published"]) == (9, 3, 6)
    rolled_up = {each["key"]: each["outputs_rolled_up"] for each in published(site)["departments"]}
    assert (rolled_up["path:Academy"], rolled_up["path:Academy > Science"], rolled_up["121"]) == (2, 2, 1)


def test_one_that_is_named_by_its_id_too_is_one(warehouse_dsn: str, tmp_path: Path, source: NamingSource) -> None:
    source.put(output("c", "11"))
    made = do_import(site := make_site(warehouse_dsn, tmp_path, source))
    assert {key for key in paths(site) if key.startswith("path:")} == {"path:Academy", "path:Academy > Arts"}
    assert paths(site)["111"] == "Academy > Science > Biology"
    assert paths(site)["11"] == "Academy > Science"
    assert made["tally"]["departments"]["merged"] == 1
    with database.connect(site.dsn) as connection:
        parents = connection.execute("select department_key, parent_key from warehouse.department_parent").fetchall()
    assert ("111", "11") in parents


def test_its_id_may_come_later(warehouse_dsn: str, tmp_path: Path, source: NamingSource) -> None:
    do_import(site := make_site(warehouse_dsn, tmp_path, source))
    source.tick = 5
    source.put(output("c", "11"))
    made = do_import(site)
    assert made["mode"] == "incremental"
    assert sorted(paths(site)) == ["11", "111", "112", "121", "path:Academy", "path:Academy > Arts"]
    assert paths(site)["112"] == "Academy > Science > Physics"


def test_one_that_nobody_names_any_more_goes(warehouse_dsn: str, tmp_path: Path, source: NamingSource) -> None:
    do_import(site := make_site(warehouse_dsn, tmp_path, source))
    source.tick = 5
    source.put(output("b", "112"))
    made = do_import(site)
    assert made["mode"] == "incremental"
    assert sorted(paths(site)) == ["111", "112", "path:Academy", "path:Academy > Science"]
    source.tick = 9
    source.delete("a")
    do_import(site, full_import=True)
    assert sorted(paths(site)) == ["112", "path:Academy", "path:Academy > Science"]


def test_one_that_only_an_excluded_record_names_is_left_out(
    warehouse_dsn: str, tmp_path: Path, source: NamingSource
) -> None:
    source.put(replace(output("b", "121"), excluded="set"))
    made = do_import(site := make_site(warehouse_dsn, tmp_path, source))
    assert sorted(paths(site)) == ["111", "path:Academy", "path:Academy > Science"]
    assert made["tally"]["departments"]["excluded"] == 2  # Music, and the Arts above it
    assert made["tally"]["outputs"]["excluded"] == 1


def test_a_renamed_one_keeps_its_key_and_the_newest_record_says_its_name(
    warehouse_dsn: str, tmp_path: Path, source: NamingSource
) -> None:
    do_import(site := make_site(warehouse_dsn, tmp_path, source))
    source.tick = 5
    source.tree["111"] = ("Academy", "Science", "Life")
    source.put(output("c", "111"))
    do_import(site)
    assert paths(site)["111"] == "Academy > Science > Life"
    assert published(site)["outputs"][0]["departments"] == ["Academy > Science > Life"]


def test_one_that_is_named_by_name_alone_is_the_one_of_that_name(
    warehouse_dsn: str, tmp_path: Path, source: NamingSource
) -> None:
    source.put(output("c", "name:Biology"))
    source.put(output("d", "name:Chemistry"))
    do_import(site := make_site(warehouse_dsn, tmp_path, source))
    shown = {each["key"]: each["departments"] for each in published(site)["outputs"]}
    assert shown["c"] == ["Academy > Science > Biology"]
    assert shown["d"] == ["Chemistry"]
    source.tick = 5
    source.tree["113"] = ("Academy", "Science", "Chemistry")
    source.put(output("e", "113"))
    assert do_import(site)["mode"] == "incremental"
    shown = {each["key"]: each["departments"] for each in published(site)["outputs"]}
    assert shown["d"] == shown["e"] == ["Academy > Science > Chemistry"]  # d was not read again
    assert "name:Chemistry" not in paths(site)


def test_a_review_that_is_done_again_decides_the_same(warehouse_dsn: str, tmp_path: Path, source: NamingSource) -> None:
    source.put(output("c", "11"))
    source.put(replace(output("x", "121"), excluded="set"))
    source.put(output("b", "112"))
    first = do_import(make_site(warehouse_dsn, tmp_path, source, slug="once"), dry_run=True)
    again = do_import(make_site(warehouse_dsn, tmp_path, source, slug="twice"))
    assert first["tally"]["departments"] == again["tally"]["departments"]


def test_an_incomplete_list_takes_none_away(warehouse_dsn: str, tmp_path: Path, source: NamingSource) -> None:
    do_import(site := make_site(warehouse_dsn, tmp_path, source))
    before = paths(site)
    del source.outputs["b"]
    source.incomplete = "the list ended early"
    with pytest.raises(HaltedError, match="ended early"):
        do_import(site, full_import=True)
    assert paths(site) == before


@pytest.mark.parametrize("seed", range(2))
def test_incremental_equals_full(warehouse_dsn: str, tmp_path: Path, seed: int) -> None:
    """Where every level is named by its id. (One above others keeps an id that nobody names any more until a full import.)"""
    dice = random.Random(seed)
    ids = ("1", "11", "12", "111", "112", "121", "122")
    source = NamingSource(abilities=Abilities(says_changes=True, names_departments=True), page_size=3)
    source.tree = {key: tuple(f"Unit {key[:depth]}" for depth in range(1, len(key) + 1)) for key in ids}
    walk = make_site(warehouse_dsn, tmp_path, source, slug="walk")
    for step in range(6):
        for _ in range(dice.randint(0, 5)):
            key = f"o{dice.randrange(8)}"
            if dice.random() < 0.3 and key in source.outputs:
                source.delete(key)
            else:
                named = dice.sample(ids, dice.randint(0, 2))
                with_all_above = {each[:depth] for each in named for depth in range(1, len(each) + 1)}
                made = output(key, *sorted(with_all_above))
                source.put(replace(made, excluded="set" if dice.random() < 0.1 else None))
        source.tick += 1
        do_import(walk, approved=True)
        fresh = make_site(warehouse_dsn, tmp_path, source, slug=f"full{step}")
        do_import(fresh)
        assert published(walk) == published(fresh), f"after import {step + 1}"
        source.tick += 1


def test_a_part_that_begins_again_counts_them_once(warehouse_dsn: str, tmp_path: Path, source: NamingSource) -> None:
    """The count of what was read must be the count of what is staged, per entity: validation compares them."""
    from explorer import staging

    seen: dict[str, dict[str, int]] = {}
    original = staging.settle

    def settle(connection: database.Connection, import_: object) -> dict[str, int]:
        made = original(connection, import_)  # type: ignore[arg-type]
        seen.update(read=staging.staged(connection), staged=staging.counts(connection))
        return made

    read = NamingSource.read

    def restarting(self: NamingSource, part: Part, plan: Plan, cursor: Cursor | None) -> Iterator[Page]:
        pages = list(read(self, part, plan, cursor))
        yield replace(pages[0], cursor={"at": 1})
        yield replace(pages[0], restart=True, cursor={"at": 1})
        yield from pages

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "settle", settle)
        patch.setattr(NamingSource, "read", restarting)
        do_import(make_site(warehouse_dsn, tmp_path, source))
    assert seen["read"] == seen["staged"] == {"output": 4, "author": 0, "department": 18}
