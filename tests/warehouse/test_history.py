"""Any sequence of imports and rollbacks equals replaying the source's states, minus what privacy has removed since."""

import os
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from explorer import (
    config,
    database,
    descriptions,
    exports,
    flow,
    history,
    imports,
    leases,
    local,
    notices,
    planning,
    upkeep,
)
from explorer.imports import BusyError, HaltedError
from explorer.planning import Request
from explorer.records import Author, Contribution, Department, Identifier, Level, Note, Output, Refusal
from explorer.sources import Abilities
from tests.scripted_source import ScriptedSource, make_site
from tests.warehouse.test_flow import do_import, output, published
from tests.warehouse.test_random_walk import change

pytestmark = pytest.mark.usefixtures("without_expectations")


def test_a_rollback_is_an_import_that_holds_the_institution(warehouse_dsn: str, tmp_path: Path):
    source = ScriptedSource(outputs={"a": output("a", authors="x"), "b": output("b", authors="y")}, tick=1)
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site)
    before = published(site)
    source.tick = 2
    source.put(output("a", title="Spoilt", authors="z"))
    source.put(output("c"))
    source.delete("b")
    do_import(site)
    changed = published(site)
    dry = upkeep.rollback(site, to_import=1, by="somebody", dry_run=True)
    assert published(site) == changed
    with database.connect(site.dsn) as connection:
        names, rows = exports.difference(connection, "lilliput", dry)
        assert {(r[0], r[1], r[3]) for r in rows} >= {
            ("output", "add", "b"),
            ("output", "update", "a"),
            ("output", "remove", "c"),
        }
        assert names[0] == "entity"
    made = upkeep.rollback(site, to_import=1, by="somebody")
    assert published(site) == before
    with database.connect(site.dsn) as connection:
        told = descriptions.object_of(connection, made)
    assert told["status"] == "rolled_back"
    assert told["tally"]["removed_because"] == {"rolled_back": 1}
    with pytest.raises(imports.BusyError, match="on hold"):
        do_import(site)
    assert upkeep.release(site) == "rolled back to import 1 by somebody"
    again = do_import(site)
    assert (again["mode"], published(site)) == ("full", changed)


def test_a_difference_says_what_things_were_called_then_whatever_came_later(warehouse_dsn: str, tmp_path: Path):
    source = ScriptedSource(outputs={"a": output("a", title="First"), "b": output("b", title="Steady")}, tick=1)
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site)
    for tick, title in ((2, "Second"), (3, "Third")):
        source.tick = tick
        source.put(output("a", title=title))
        source.delete("b") if tick == 2 else source.put(output("b", title="Back"))
        do_import(site)
    with database.connect(site.dsn) as connection:
        told = [[r[3:] for r in exports.difference(connection, "lilliput", number)[1]] for number in (2, 3)]
    assert told[0] == [("b", "Steady", "Steady"), ("a", "Second", "First")]
    assert told[1] == [("b", "Back", None), ("a", "Third", "Second")]


def test_a_run_that_rolled_back_does_nothing_when_it_is_cleared(warehouse_dsn: str, tmp_path: Path):
    source = ScriptedSource(outputs={"a": output("a")}, tick=1)
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site)
    source.tick = 2
    source.put(output("b"))
    do_import(site)
    made = upkeep.rollback(site, to_import=1, by="somebody", run_key="manual__1")
    upkeep.release(site)
    do_import(site)
    now = published(site)
    with pytest.raises(imports.FinishedError, match=f"this run was import {made} of lilliput, which has ended"):
        upkeep.rollback(site, to_import=1, by="somebody", run_key="manual__1")
    assert published(site) == now
    assert do_import(site)["status"] == "succeeded"  # it is not on hold


def test_what_privacy_removed_since_stays_away(warehouse_dsn: str, tmp_path: Path):
    def shown(key: str, *authors: str, level: str = "public") -> Output:
        credited = tuple(Contribution(a, "Name, As Credited", level="public") for a in authors)
        return Output(key, key, identifiers=(Identifier("doi", f"10.5555/{key}"),), contributions=credited, level=level)

    source = ScriptedSource(abilities=Abilities(knows_privacy=True, lists_authors=True))
    source.authors = {k: Author(k, f"Name, {k}", level="public") for k in ("p", "q")}
    for made in (shown("o1", "p", "q"), shown("o2", "p"), shown("o3", "q"), shown("o4")):
        source.put(made)
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site)
    source.authors["q"] = Author("q", "Name, q", level="private")
    source.put(shown("o2", "p", level="private"))
    del source.outputs["o4"]
    source.put(shown("o5", "p"))
    do_import(site, full_import=True, approved=True)
    upkeep.rollback(site, to_import=1, by="somebody")
    kept = {o["key"]: [a["key"] for a in o["authors"]] for o in published(site)["outputs"]}
    assert kept == {"o1": ["p"], "o3": []}  # o2 and q turned private; o4 may have: it is only absent
    with database.connect(site.dsn) as connection:
        texts = connection.execute("select coalesce(old::text, '') from ops.change").fetchall()
    assert not any('"q"' in text or "Name, q" in text for (text,) in texts)


def test_an_authorship_and_a_place_that_turned_private_stay_away(warehouse_dsn: str, tmp_path: Path):
    """Author and output are shown on; who wrote it is not. The department above is hidden; the one below stays."""

    def wrote(level: Level) -> Output:
        credits_ = (Contribution("p", "Name, As Credited", level=level, departments=("below",)),)
        return Output("o", "o", identifiers=(Identifier("doi", "10.5555/o"),), contributions=credits_, level="public",
                      departments=("below",))  # fmt: skip

    source = ScriptedSource(abilities=Abilities(knows_privacy=True, lists_authors=True))
    source.authors = {"p": Author("p", "Name, p", level="public")}
    source.departments = {
        "above": Department("above", "Above", level="public"),
        "below": Department("below", "Below", parents=("above",), level="public"),
    }
    source.put(wrote("public"))
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site)
    source.put(wrote("private"))
    source.departments["above"] = Department("above", "(withheld)", level="private")
    do_import(site, full_import=True, approved=True)
    with database.connect(site.dsn) as connection:
        texts = connection.execute("select entity || key, coalesce(old::text, '') from ops.change").fetchall()
    assert {name for name, _ in texts} == {"departmentabove", "departmentbelow", "outputo"}
    assert not [name for name, text in texts if '"above"' in text or "As Credited" in text or '"p"' in text]
    upkeep.rollback(site, to_import=1, by="somebody")
    shown = published(site)
    assert [(o["key"], o["authors"]) for o in shown["outputs"]] == [("o", [])]
    assert [each["path"] for each in shown["departments"]] == ["Below"]


@pytest.mark.parametrize("went", ["rejected", "excluded"])
def test_an_authorship_that_turned_private_after_its_output_went_stays_away(
    warehouse_dsn: str, tmp_path: Path, went: str
):
    """The output comes back with the rollback; who wrote it is no longer told, though the person is shown elsewhere."""

    def wrote(level: Level, **more: object) -> Output:
        made = Output("o", "o", identifiers=(Identifier("doi", "10.5555/o"),), level="public",
                      contributions=(Contribution("p", "Name, p", level=level),))  # fmt: skip
        return replace(made, **more)

    gone = {"refusal": Refusal("odd", "it is odd")} if went == "rejected" else {"identifiers": ()}
    source = ScriptedSource(abilities=Abilities(knows_privacy=True, lists_authors=True))
    source.authors = {"p": Author("p", "Name, p", level="public")}
    site = make_site(warehouse_dsn, tmp_path, source)
    for state in (wrote("public"), wrote("public", **gone), wrote("private", **gone)):
        source.put(state)
        made = do_import(site)
    assert made["tally"]["outputs"][went] == 1
    upkeep.rollback(site, to_import=1, by="somebody")
    shown = published(site)
    assert [(o["key"], o["authors"]) for o in shown["outputs"]] == [("o", [])]
    assert [each["key"] for each in shown["authors"]] == ["p"]


def test_what_came_since_goes_also_where_privacy_touched_it_in_between(warehouse_dsn: str, tmp_path: Path):
    def shown(key: str, level: Level = "public") -> Output:
        return Output(key, key, identifiers=(Identifier("doi", f"10.5555/{key}"),), level=level)

    source = ScriptedSource(abilities=Abilities(knows_privacy=True))
    source.put(shown("first"))
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site)
    both = {"first": shown("first"), "hidden": shown("hidden"), "away": shown("away")}
    for state in (both, {"first": both["first"], "hidden": shown("hidden", "private")}, both):
        source.outputs = state
        do_import(site, full_import=True)
    upkeep.rollback(site, to_import=1, by="somebody")
    assert [o["key"] for o in published(site)["outputs"]] == ["first"]


def test_who_is_shown_again_after_a_rollback_is_published_whole(warehouse_dsn: str, tmp_path: Path):
    """What was put back without a person, or a department, is not taken for what it was with them."""

    def state(level: Level) -> tuple[dict[str, Output], dict[str, Author], dict[str, Department]]:
        credits_ = (Contribution("p", "Name, As Credited", level="public", departments=("lab",)),)
        made = Output("o", "o", identifiers=(Identifier("doi", "10.5555/o"),), contributions=credits_, level="public")
        people = {key: Author(key, f"Name, {key}", level=level if key == "p" else "public") for key in "pq"}
        return {"o": made}, people, {"lab": Department("lab", "Lab", level="public")}

    source = ScriptedSource(abilities=Abilities(knows_privacy=True, lists_authors=True))
    source.outputs, source.authors, source.departments = state("public")
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site)
    before = published(site)
    source.authors = state("private")[1]
    do_import(site, full_import=True)
    upkeep.rollback(site, to_import=1, by="somebody")
    assert [o["authors"] for o in published(site)["outputs"]] == [[]]
    upkeep.release(site)
    source.authors = state("public")[1]
    assert do_import(site)["tally"]["outputs"]["updated"] == 1
    assert published(site) == before
    again = do_import(site, full_import=True)["tally"]
    assert [again[e]["unchanged"] for e in ("outputs", "authors", "departments")] == [1, 2, 1]


def test_a_rollback_that_puts_back_everything_leaves_nothing_to_the_next_import(warehouse_dsn: str, tmp_path: Path):
    dice = random.Random(1)
    source = ScriptedSource(page_size=50)
    for _ in range(200):
        change(dice, source)
    known = dict(source.outputs), dict(source.departments)
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site, full_import=True)
    for _ in range(60):
        change(dice, source)
    do_import(site, full_import=True)
    upkeep.rollback(site, to_import=1, by="somebody")
    upkeep.release(site)
    source.outputs, source.departments = known
    tally = do_import(site)["tally"]
    for entity in ("outputs", "authors", "departments"):
        assert [tally[entity][word] for word in ("added", "updated", "removed")] == [0, 0, 0], entity
        assert tally[entity]["unchanged"] > 1, entity


def test_a_department_that_came_since_stays_where_something_that_stays_is_in_it(warehouse_dsn: str, tmp_path: Path):
    """What turned private and was shown again stays as it is, with its new department and the one above."""

    def state(level: Level, *units: str) -> dict[str, Output]:
        doi = (Identifier("doi", "10.5555/o"),)
        return {"o": Output("o", "o", identifiers=doi, level=level, departments=units)}

    source = ScriptedSource(abilities=Abilities(knows_privacy=True), outputs=state("public"))
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site)
    source.departments = {
        "above": Department("above", "Above", level="public"),
        "below": Department("below", "Below", ("above",), level="public"),
        "other": Department("other", "Other", level="public"),
    }
    for level in ("public", "private", "public"):
        source.outputs = state(level, "below")
        do_import(site, full_import=True)
    upkeep.rollback(site, to_import=1, by="somebody")
    shown = published(site)
    assert [o["departments"] for o in shown["outputs"]] == [["Above > Below"]]
    assert [d["path"] for d in shown["departments"]] == ["Above", "Above > Below"]


@pytest.mark.parametrize(
    ("policy", "put_back"),
    [("remove_authorless_and_privacy", ["both"]), ("remove_authorless", ["both", "one"]), ("keep", ["both", "one"])],
)
def test_an_output_whose_last_author_turned_private_comes_back_only_where_such_are_kept(
    warehouse_dsn: str, tmp_path: Path, policy: str, put_back: list[str]
):
    def wrote(key: str, *authors: str) -> Output:
        credits_ = tuple(Contribution(a, f"Name, {a}", level="public") for a in authors)
        return Output(
            key, key, identifiers=(Identifier("doi", f"10.5555/{key}"),), contributions=credits_, level="public"
        )

    source = ScriptedSource(abilities=Abilities(knows_privacy=True, lists_authors=True))
    source.authors = {key: Author(key, f"Name, {key}", level="public") for key in ("p", "q")}
    source.put(wrote("none"))
    source.put(wrote("one", "p"))
    source.put(wrote("both", "p", "q"))
    do_import(make_site(warehouse_dsn, tmp_path, source))
    source.authors["p"] = Author("p", "Name, p", level="private")
    site = make_site(warehouse_dsn, tmp_path, source, orphans=policy)
    do_import(site)
    upkeep.rollback(site, to_import=1, by="somebody")
    assert {o["key"]: [a["key"] for a in o["authors"]] for o in published(site)["outputs"]} == {
        key: ["q"] if key == "both" else []
        for key in (*put_back, "none")  # that one never had an author
    }


def test_what_was_told_of_a_thing_goes_when_it_turns_private(warehouse_dsn: str, tmp_path: Path):
    note = Note("repaired", "Xyzzy was mended", value="Xyzzy", repaired_to="Xyzzy!")
    refusal = Refusal("no_name", "Xyzzy is no name", "name", "Xyzzy")
    source = ScriptedSource(abilities=Abilities(knows_privacy=True, lists_authors=True))
    source.put(Output("o", "Xyzzy", identifiers=(Identifier("doi", "10.5555/o"),), level="public", notes=(note,)))
    source.put(Output("r", "Xyzzy", level="public", refusal=refusal))
    source.put(Output("s", "Stays", identifiers=(Identifier("doi", "10.5555/s"),), level="public",
                      notes=(Note("repaired", "kept"),)))  # fmt: skip
    site = make_site(warehouse_dsn, tmp_path, source, rejected=1.0)
    do_import(site)
    for key in "or":
        source.put(Output(key, level="private", withheld="level_private"))
    do_import(site, full_import=True, approved=True)
    with database.connect(site.dsn) as connection:
        told = str(connection.execute("select n from ops.record_note n").fetchall())
        told += str(connection.execute("select r from ops.rejected_record r").fetchall())
    assert "Xyzzy" not in told
    assert "kept" in told
    assert "no_name" in told


def test_what_went_without_a_word_and_is_told_to_be_private_later_leaves_the_history(
    warehouse_dsn: str, tmp_path: Path
):
    def shown(key: str, level: Level = "public") -> Output:
        credits_ = (Contribution("pp", "Credited, pp", level="public"),)
        return Output(key, f"Title {key}", identifiers=(Identifier("doi", f"10.5555/{key}"),), contributions=credits_,
                      level=level)  # fmt: skip

    source = ScriptedSource(abilities=Abilities(knows_privacy=True, lists_authors=True))
    source.authors = {key: Author(key, f"Name, {key}", level="public") for key in ("pp", "qq")}
    for key in ("o1", "o2"):
        source.put(shown(key))
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site)
    before = dict(source.authors)
    del source.authors["pp"]
    source.vanish("o2")
    do_import(site, full_import=True)

    def history_now() -> str:
        with database.connect(site.dsn) as connection:
            return str(connection.execute("select old from ops.change").fetchall())

    assert all(word in history_now() for word in ("Name, pp", "Credited, pp", "Title o2"))
    source.authors = before | {"pp": Author("pp", "Name, pp", level="private")}
    source.put(shown("o2", level="private"))
    do_import(site, full_import=True)
    assert not [word for word in ("Name, pp", "Credited, pp", "Title o2") if word in history_now()]
    upkeep.rollback(site, to_import=1, by="somebody")
    assert [o["key"] for o in published(site)["outputs"]] == ["o1"]
    assert [a["key"] for a in published(site)["authors"]] == ["qq"]


def test_where_nothing_was_published_there_is_no_way_back_and_that_is_said(warehouse_dsn: str, tmp_path: Path):
    site = make_site(warehouse_dsn, tmp_path, ScriptedSource(outputs={"a": output("a")}))
    import_id = flow.open_import(site, Request(run_key="first"))
    flow.close_staging(site, import_id)
    with pytest.raises(HaltedError, match=f"import {import_id} of lilliput published nothing; these did: none yet"):
        upkeep.rollback(site, to_import=import_id, by="somebody")


def test_a_waiting_import_ends_and_a_missing_history_is_said(warehouse_dsn: str, tmp_path: Path):
    source = ScriptedSource(outputs={f"o{n}": output(f"o{n}") for n in range(60)})
    site = make_site(warehouse_dsn, tmp_path, source, removed=0.1)
    do_import(site)
    source.outputs.clear()
    waiting = do_import(site, full_import=True)
    assert waiting["status"] == "awaiting_approval"
    with pytest.raises(HaltedError, match="published nothing; these did: 1"):
        upkeep.rollback(site, to_import=99, by="somebody")
    with pytest.raises(BusyError, match="waits for approval: `bin/explorer approve lilliput` or"):
        upkeep.rollback(site, to_import=1, by="somebody", dry_run=True)
    upkeep.rollback(site, to_import=1, by="somebody")
    with database.connect(site.dsn) as connection:
        assert connection.execute(
            "select status from ops.import where id = %s", (waiting["import_id"],)
        ).fetchone() == ("declined",)
        connection.execute("update ops.import set published_at = now() - interval '900 days' where id = 1")
        connection.execute(
            "insert into ops.change (institution, import_id, entity, key, action, reason)"
            " values ('lilliput', 1, 'output', 'x', 'add', 'new')"
        )
        assert history.forget(connection, "lilliput", site.institution.retention) == 1
        connection.commit()
    upkeep.rollback(site, to_import=1, by="somebody")
    with database.connect(site.dsn) as connection:
        connection.execute("update ops.institution set history_from = 2")
    with pytest.raises(HaltedError, match="reaches back to import 2 only"):
        upkeep.rollback(site, to_import=1, by="somebody")


@pytest.mark.parametrize("stopped_in_load", [False, True])
def test_an_import_that_was_left_for_dead_is_in_nobodys_way(
    warehouse_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_in_load: bool
):
    """Somebody who is alive is; one whose lease has run out is not, even where its session holds the institution's row."""
    monkeypatch.setattr(imports, "LOCKED_MILLISECONDS", 200)
    source = ScriptedSource(outputs={"a": output("a")})
    site = make_site(warehouse_dsn, tmp_path, source)
    do_import(site)
    left = flow.open_import(site, Request(run_key="left", stays=True))
    with (
        database.connect(site.dsn, application=leases.session(left, "load")) as zombie,
        database.connect(site.dsn) as connection,
    ):
        if stopped_in_load:
            zombie.execute("select from ops.institution where slug = 'lilliput' for update")
        for attempt in (
            lambda: flow.open_import(site, Request(run_key="another", stays=True)),
            lambda: upkeep.rollback(site, to_import=1, by="somebody"),
        ):
            with pytest.raises(BusyError, match=f"import {left} of lilliput is at work since"):
                attempt()
        connection.execute("update ops.lease set until = now() - interval '1 second'")
        connection.commit()
        with pytest.raises(BusyError):
            upkeep.rollback(site, to_import=1, by="somebody", dry_run=True)
        assert imports.get(connection, left).status == "running"
        upkeep.rollback(site, to_import=1, by="somebody")
        assert imports.get(connection, left).status == "failed"
        zombie.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_sequence_of_imports_and_rollbacks(warehouse_dsn: str, tmp_path: Path, seed: int):
    dice = random.Random(seed)
    source = ScriptedSource(page_size=7)
    site = make_site(warehouse_dsn, tmp_path, source, slug="walk")
    states = {}
    for _ in range(12):
        if states and dice.random() < 0.35:
            target = dice.choice(sorted(states))
            made = upkeep.rollback(site, to_import=target, by="dice")
            assert published(site) == states[target], f"rollback to {target}"
            states[made] = states[target]
            upkeep.release(site)
            continue
        for _ in range(dice.randint(1, 8)):
            change(dice, source)
        source.tick += 1
        made = do_import(site, approved=True)["import_id"]
        states[made] = published(site)
        source.tick += 1


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_any_sequence_of_imports_and_rollbacks_and_of_people_who_turn_private(warehouse_dsn, tmp_path: Path, seed: int):
    """What a rollback publishes is what was published then, minus every thing and person that turned private since.

    A model in Python replays it: a private output is gone, a private person is gone from all outputs, and neither comes
    back by a rollback; what an import found shown again since stays as it is. No word of them is left in the history.
    """
    dice = random.Random(f"private {seed}")
    source = ScriptedSource(abilities=Abilities(knows_privacy=True, lists_authors=True), page_size=7)
    site = make_site(warehouse_dsn, tmp_path, source, slug="walk")
    levels = {"p": "public", "h": "private"}
    outputs: dict[str, tuple[str, str, tuple[str, ...]]] = {}  # key: title, level, authors
    people = {f"person{n}": "public" for n in range(5)}
    states: dict[int, dict[str, tuple[str, tuple[str, ...]]]] = {}
    turned: list[tuple[int, str]] = []  # after which import something turned private

    def shown() -> dict[str, tuple[str, tuple[str, ...]]]:
        return {
            key: (title, tuple(a for a in authors if people[a] == "public"))
            for key, (title, level, authors) in outputs.items()
            if level == "public"
        }

    def in_the_warehouse() -> dict[str, tuple[str, tuple[str, ...]]]:
        return {o["key"]: (o["title"], tuple(a["key"] for a in o["authors"])) for o in published(site)["outputs"]}

    now: dict[str, tuple[str, tuple[str, ...]]] = {}
    for step in range(10):
        if states and dice.random() < 0.4:
            target = dice.choice(sorted(states))
            made = upkeep.rollback(site, to_import=target, by="dice")
            private = {key for since, key in turned if since > target}
            now = {
                key: (title, tuple(a for a in authors if a not in private))
                for key, (title, authors) in states[target].items()
                if key not in private
            } | {key: now[key] for key in private & set(now) & set(states[target])}
            assert in_the_warehouse() == now, f"step {step}: rollback to {target}"
            states[made] = now
            upkeep.release(site)
            continue
        before = dict(people), dict(outputs)
        for _ in range(dice.randint(1, 6)):
            match dice.randrange(4):
                case 0 | 1:
                    authors = tuple(sorted(dice.sample(sorted(people), dice.randint(0, 3))))
                    outputs[f"o{dice.randrange(12)}"] = (
                        f"Title {dice.randrange(99)}",
                        levels[dice.choice("ppph")],
                        authors,
                    )
                case 2:
                    people[dice.choice(sorted(people))] = levels[dice.choice("pph")]
                case 3 if outputs:
                    key = dice.choice(sorted(outputs))
                    outputs[key] = (outputs[key][0], levels[dice.choice("ph")], outputs[key][2])
        source.authors = {key: Author(key, f"Name, {key}", level=level) for key, level in people.items()}
        source.outputs = {}
        for key, (title, level, authors) in outputs.items():
            credited = tuple(Contribution(a, f"Name, {a}", level="public") for a in authors)
            identifiers = (Identifier("doi", f"10.5555/{key}"),)
            source.put(Output(key, title, identifiers=identifiers, contributions=credited, level=level))
        made = do_import(site, full_import=True, approved=True)["import_id"]
        gone = set(now) - set(shown())
        turned += [(made, key) for key in gone if outputs[key][1] == "private"]
        turned += [(made, a) for a, level in people.items() if level == "private" and before[0][a] == "public"]
        now = shown()
        assert in_the_warehouse() == now, f"step {step}: import"
        states[made] = now
        private_now = [key for key, (_t, level, _a) in outputs.items() if level == "private"]
        private_now += [key for key, level in people.items() if level == "private"]
        with database.connect(site.dsn) as connection:
            history_now = "".join(
                row[0] for row in connection.execute("select coalesce(old::text, '') from ops.change")
            )
        assert not [key for key in private_now if f'"{key}"' in history_now or f"Name, {key}" in history_now]


@pytest.fixture
def look(
    warehouse_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], tuple[list[str], list[str]]]:
    """Looks who of the institutions in the test's folder is late: the sentences, and what the operators were told."""
    monkeypatch.setattr(local, "warehouse_dsn", lambda: warehouse_dsn)

    def looked() -> tuple[list[str], list[str]]:
        told: list[str] = []
        monkeypatch.setattr(notices, "tell_operators", lambda _subject, sentence, **_: told.append(sentence))
        return upkeep.look_who_is_late([tmp_path]), told

    return looked


def test_who_is_late_is_told_once_a_day_but_not_who_is_on_hold(warehouse_dsn: str, tmp_path: Path, look):
    site = make_site(warehouse_dsn, tmp_path, ScriptedSource(outputs={"a": output("a")}))
    do_import(site)

    def now(statement: str) -> None:
        with database.connect(warehouse_dsn) as connection:
            connection.execute(statement)
            connection.commit()

    assert look() == ([], [])
    now("update ops.import set published_at = now() - interval '8 days'")
    (sentence,), told = look()
    assert "lilliput: no import was published since" in sentence
    assert "one is expected every 180 hours" in sentence
    assert told == [sentence]
    assert look() == ([sentence], [])
    now("update ops.told_late set told_at = now() - interval '1 day'")
    assert look() == ([sentence], [sentence])
    now("update ops.import set published_at = now()")
    assert look() == ([], [])
    now("update ops.import set published_at = now() - interval '8 days'")
    assert len(look()[1]) == 1  # late again
    now("update ops.institution set hold = 'rolled back'")
    assert look() == ([], [])


@pytest.mark.parametrize(
    ("schedule", "now", "hours"),
    [
        ("0 8-18 * * 1-5", "2026-03-03T15:00", 14 + 12),  # a Tuesday: the night lies within the last day
        ("0 8-18 * * 1-5", "2026-03-07T20:00", 62 + 12),  # a Saturday: from Friday evening to Monday morning
        ("0 8-18 * * 1-5", "2026-03-09T10:00", 62 + 12),  # Monday morning
        ("0 3 * 1-6 *", "2026-08-01T12:00", 185 * 24 + 12),
        ("weekly", "2026-03-08T00:00", 7 * 24 + 12),  # at the very minute
        ("*/5 * * * *", "2026-03-03T15:00", 12),
    ],
)
def test_a_schedule_that_rests_is_not_late_while_it_rests(tmp_path: Path, schedule: str, now: str, hours: int):
    file = tmp_path / "lilliput.yaml"
    file.write_text(f'name: Lilliput\nschedule: "{schedule}"\nsource: {{kind: spreadsheet}}\n')
    every = upkeep._interval(config.load(file), datetime.fromisoformat(f"{now}+00:00"))
    assert int(every.total_seconds()) // 3600 == hours


def test_who_is_late_because_an_import_waits_is_told_so(warehouse_dsn: str, tmp_path: Path, look):
    source = ScriptedSource(outputs={f"o{n}": output(f"o{n}") for n in range(60)})
    site = make_site(warehouse_dsn, tmp_path, source, removed=0.1)
    do_import(site)
    source.outputs.clear()
    assert do_import(site, full_import=True)["status"] == "awaiting_approval"
    with database.connect(warehouse_dsn) as connection:
        connection.execute("update ops.import set published_at = now() - interval '8 days' where id = 1")
        connection.commit()
    assert look()[0][0].endswith("one is expected every 180 hours; import 2 waits for approval")


def test_who_never_could_be_imported_is_late_and_so_is_a_broken_configuration(warehouse_dsn: str, tmp_path: Path, look):
    site = make_site(warehouse_dsn, tmp_path, ScriptedSource())
    assert look() == ([], [])
    since = site.institution.path.stat().st_mtime - timedelta(days=8).total_seconds()
    os.utime(site.institution.path, (since, since))
    (tmp_path / "blefuscu.yaml").write_text("name: Blefuscu\nsource: {kind: spredsheet}\n", encoding="utf-8")
    broken, never = look()[0]
    assert "blefuscu: its configuration is broken, so nothing is imported: " in broken
    assert "blefuscu.yaml:2: source.kind" in broken
    assert never == "lilliput: no import was published ever, but one is expected every 180 hours"


def test_a_task_that_opened_an_import_and_ended_is_no_dead_holder(warehouse_dsn: str, tmp_path: Path):
    site = make_site(warehouse_dsn, tmp_path, ScriptedSource(outputs={"a": output("a")}, tick=1))
    opened = flow.open_import(site, planning.Request("backfill__1"))
    with database.connect(site.dsn) as connection:
        assert connection.execute("select holder from ops.lease where import_id = %s", (opened,)).fetchall() == [({},)]
    with pytest.raises(imports.BusyError, match="is at work"):
        flow.open_import(site, planning.Request("backfill__2"))


def test_the_staging_of_an_import_that_was_left_for_dead_goes_too(warehouse_dsn: str, tmp_path: Path):
    """Of an institution that nobody imports again: what was read of people has passed no rule of privacy yet."""
    site = make_site(warehouse_dsn, tmp_path, ScriptedSource(outputs={"a": output("a")}))
    left = flow.open_import(site, Request(run_key="left", stays=True))
    flow.plan_parts(site, left, stays=True)

    def later(lease: str, staging: str) -> str:
        with database.connect(site.dsn) as connection:
            connection.execute("update ops.lease set until = now() + %s::interval", (lease,))
            connection.execute("update ops.import set staging_until = now() + %s::interval", (staging,))
            connection.commit()
            imports.drop_expired_staging(connection)
            assert imports.has_staging(connection, left) == (imports.get(connection, left).status == "running")
            return imports.get(connection, left).status

    assert later("1 minute", "-1 day") == "running"  # it reads for days
    assert later("-1 day", "1 day") == "running"  # somebody may go on with it
    assert later("-1 day", "-1 day") == "failed"
