"""What turned private goes at once, also where the rest of an import waits for a person."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from explorer import config, database, descriptions, exports, flow, imports, notices, planning, sites, upkeep
from explorer.records import Author, Contribution, Department, Identifier, Level, Note, Output, Refusal
from explorer.sources import Abilities
from simulators.elements import Link, Publication, Record, University, User
from tests import crashes
from tests.elements_site import elements_site, endpoint
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site
from tests.warehouse.test_flow import _everything, do_import, published
from tests.warehouse.test_kill import EVERY_RETRY

pytestmark = pytest.mark.usefixtures("without_expectations")
OUTPUTS = 70


def wrote(key: str, *authors: str, level: Level = "public", told: Level = "public") -> Output:
    credits_ = tuple(Contribution(a, f"Credited, {a}", level=told, departments=("lab",)) for a in authors)
    return Output(key, f"Title {key}", identifiers=(Identifier("doi", f"10.5555/{key}"),), contributions=credits_,
                  level=level, departments=("lab", "open"))  # fmt: skip


def departments(lab: Level = "public") -> dict[str, Department]:
    return {
        "open": Department("open", "Open unit", level="public"),
        "lab": Department("lab", "Laboratory", level=lab),
        "below": Department("below", "Below", ("lab",), level="public"),
    }


@pytest.fixture
def source() -> ScriptedSource:
    made = ScriptedSource(abilities=Abilities(knows_privacy=True, lists_authors=True), page_size=50)
    made.authors = {
        key: Author(key, f"Name, {key}", level="public", departments=("lab", "open")) for key in ("vv", "ww")
    }
    made.departments = departments()
    for n in range(OUTPUTS):
        made.put(wrote(f"o{n}", "vv", "ww"))
    return made


@pytest.fixture
def site(warehouse_dsn: str, tmp_path: Path, source: ScriptedSource, monkeypatch: pytest.MonkeyPatch) -> ScriptedSite:
    made = make_site(warehouse_dsn, tmp_path, source, removed=0.2)
    do_import(made)
    heard: list[str] = []
    monkeypatch.setattr(
        notices, "tell_operators", lambda subject, sentence, **_: heard.append(f"{subject}: {sentence}")
    )
    object.__setattr__(made.scripted, "heard", heard)
    return made


def much_goes_and_some_turns_private(source: ScriptedSource) -> None:
    for n in range(30, OUTPUTS):
        source.vanish(f"o{n}")
    source.authors["vv"] = Author("vv", "Name, vv", level="private")
    source.departments = departments(lab="private")
    source.put(wrote("o1", "vv", "ww", level="private"))
    source.put(wrote("o2", "vv", "ww", told="private"))


def test_what_went_under_rules_that_were_never_published_comes_back_with_the_old_ones(
    warehouse_dsn: str, tmp_path: Path, source: ScriptedSource
):
    """A stricter level takes out at once what is internal; it is rejected for what else would go, and taken back."""
    source.abilities = Abilities(knows_privacy=True, lists_authors=True, says_changes=True)
    source.put(wrote("inner", "vv", level="internal"))
    before = do_import(make_site(warehouse_dsn, tmp_path, source, level="public_and_internal", removed=0.2))
    for n in range(30, OUTPUTS):
        source.vanish(f"o{n}")
    stricter = make_site(warehouse_dsn, tmp_path, source, level="public", removed=0.2)
    waits = do_import(stricter)
    assert (waits["status"], waits["purges"]) == ("awaiting_approval", [3])
    flow.answer(stricter, waits["import_id"], approved=False, by="Gulliver")

    source.tick = 9
    again = make_site(warehouse_dsn, tmp_path, source, level="public_and_internal", removed=1.0)
    made = do_import(again)
    assert (before["mode"], made["mode"]) == ("full", "full")
    assert made["reason"] == "import 3 took out what was private under another configuration"
    assert "inner" in [each["key"] for each in published(again)["outputs"]]
    assert do_import(again)["mode"] == "incremental"


@pytest.mark.parametrize("approved", [True, False])
def test_what_turned_private_does_not_wait_with_the_rest(site: ScriptedSite, source: ScriptedSource, *, approved: bool):
    much_goes_and_some_turns_private(source)
    waits = do_import(site, full_import=True)
    assert (waits["status"], waits["purges"]) == ("awaiting_approval", [3])

    shown = published(site)
    assert len(shown["outputs"]) == OUTPUTS - 1
    authors = {o["key"]: [a["key"] for a in o["authors"]] for o in shown["outputs"]}
    assert "o1" not in authors
    assert authors["o2"] == []
    assert authors["o0"] == authors["o69"] == ["ww"]
    assert [d["path"] for d in shown["departments"]] == ["Below", "Open unit"]
    assert {tuple(o["departments"]) for o in shown["outputs"]} == {("Open unit",)}
    assert any("import 3 removes what turned private: removed by privacy: 3;" in each for each in source.heard)
    assert "Only what turned private is gone; that never waits (import 3)." in descriptions.approval_text(site, 2)

    with database.connect(site.dsn) as connection:
        history = connection.execute(
            "select entity, key, reason, old, blanked from ops.change order by 1, 2"
        ).fetchall()
        assert history == [
            (e, k, "privacy", None, True) for e, k in (("author", "vv"), ("department", "lab"), ("output", "o1"))
        ]
        purge = descriptions.object_of(connection, 3)
        assert purge["tally"]["outputs"]["removed"] == 1
        assert purge["tally"]["outputs"]["published"] == OUTPUTS - 1
        names, rows = exports.difference(connection, "lilliput", 2)
        assert not [row for row in rows if row[names.index("reason")] == "privacy"]

    flow.answer(site, 2, approved=approved, by="somebody")
    if approved:
        flow.go_on(site, 2, answered=True)
    else:
        flow.close_staging(site, 2)
    assert len(published(site)["outputs"]) == (29 if approved else OUTPUTS - 1)
    with database.connect(site.dsn) as connection:
        text = _everything(connection)
    assert not [word for word in ("Name, vv", "Credited, vv", "Laboratory", "Title o1'", '"lab"') if word in text]

    upkeep.rollback(site, to_import=1, by="somebody")
    assert {a["key"] for a in published(site)["authors"]} == {"ww"}
    assert "o1" not in {o["key"] for o in published(site)["outputs"]}
    with pytest.raises(imports.HaltedError, match="import 3 of lilliput published nothing; these did: "):
        upkeep.rollback(site, to_import=3, by="somebody")


def test_who_is_shown_again_before_the_answer_is_published_again_whole(site: ScriptedSite, source: ScriptedSource):
    before = published(site)
    known = dict(source.outputs)
    much_goes_and_some_turns_private(source)
    do_import(site, full_import=True)
    flow.answer(site, 2, approved=False, by="somebody")
    flow.close_staging(site, 2)
    source.outputs, source.departments = known, departments()
    source.authors["vv"] = Author("vv", "Name, vv", level="public", departments=("lab", "open"))
    again = do_import(site)
    assert again["status"] == "succeeded"
    assert published(site) == before


def test_no_purge_where_nobody_turned_private_and_none_in_a_dry_run(site: ScriptedSite, source: ScriptedSource):
    for n in range(30, OUTPUTS):
        source.vanish(f"o{n}")
    waits = do_import(site, full_import=True)
    assert waits["status"] == "awaiting_approval"
    assert "purges" not in waits
    dry = make_site(site.dsn, site.institution.path.parent, source, removed=0.2)
    flow.answer(site, 2, approved=False, by="somebody")
    flow.close_staging(site, 2)
    much_goes = published(site)
    source.authors["vv"] = Author("vv", "Name, vv", level="private")
    assert do_import(dry, dry_run=True, full_import=True)["status"] == "dry_run"
    assert published(site) == much_goes


def test_an_authorship_that_alone_turned_private_alarms_once(site: ScriptedSite, source: ScriptedSource):
    source.put(wrote("o2", "vv", "ww", told="private"))
    made = do_import(site, full_import=True)
    assert made["status"] == "succeeded"
    (alarm,) = site.scripted.heard
    assert "import 2 removes what turned private: authorships were removed by privacy" in alarm
    do_import(site, full_import=True)
    assert len(site.scripted.heard) == 1


@pytest.mark.parametrize("waits", [True, False])
def test_no_earlier_staging_names_who_turned_private_since(site: ScriptedSite, source: ScriptedSource, *, waits: bool):
    """Neither a dry run's nor that of an import that failed."""
    failed = flow.open_import(site, planning.Request(run_key="fails"))
    for part in flow.plan_parts(site, failed):
        flow.read_part(site, failed, part)
    flow.close_staging(site, failed)
    dry = do_import(site, dry_run=True)["import_id"]
    with database.connect(site.dsn) as connection:
        assert "Name, vv" in _everything(connection)
        exports.difference(connection, "lilliput", dry)
    much_goes_and_some_turns_private(source)
    if not waits:
        source.outputs |= {f"o{n}": wrote(f"o{n}", "vv", "ww") for n in range(30, OUTPUTS)}
    assert do_import(site)["status"] == ("awaiting_approval" if waits else "succeeded")
    with database.connect(site.dsn) as connection:
        kept = connection.execute("select nspname from pg_namespace where nspname ~ '^import_'").fetchall()
        assert kept == ([("import_4",)] if waits else [])
        with pytest.raises(
            imports.HaltedError, match="was a dry run; what it would have changed is kept for 3 days, and"
        ):
            exports.difference(connection, "lilliput", dry)


def test_what_was_told_of_an_output_that_was_never_shown_goes_while_the_rest_waits(
    site: ScriptedSite, source: ScriptedSource
):
    source.put(replace(wrote("odd", "ww"), title="Odd words", refusal=Refusal("odd", "it says Odd words", "title", "Odd words"),
                       notes=(Note("odd", "it says Odd words"),)))  # fmt: skip
    assert do_import(site)["tally"]["outputs"]["rejected"] == 1
    dry = do_import(site, dry_run=True)["import_id"]
    with database.connect(site.dsn) as connection:
        assert _everything(connection).count("Odd words") > 2
    source.put(wrote("odd", level="private"))
    source.outputs["odd"] = replace(source.outputs["odd"], title=None)
    for n in range(30, OUTPUTS):
        source.vanish(f"o{n}")
    waits = do_import(site, full_import=True)
    assert waits["status"] == "awaiting_approval"
    assert "purges" not in waits
    with database.connect(site.dsn) as connection:
        assert "Odd words" not in _everything(connection)
        assert not imports.has_staging(connection, dry)


def test_who_turned_private_in_elements_goes_from_what_did_not_change(warehouse_dsn: str, tmp_path: Path, monkeypatch):
    """An incremental import: nothing was told of most of the person's outputs, and much was deleted on the same day."""
    place = University()
    for person in ("1", "2"):
        place.put_user(User(person, f"Last{person}", "First", f"{person}@laputa.example"))
    for n in range(OUTPUTS):
        place.put(Publication(f"o{n}", (Record(title=f"Title {n}", doi=f"10.5555/{n}"),)))
        for person in ("1", "2"):
            place.link(Link(f"l{n}.{person}", f"o{n}", person))
    with endpoint(place, monkeypatch):
        file = elements_site(warehouse_dsn, tmp_path).institution.path
        file.write_text(file.read_text().replace("max_removed_share: 1.0", "max_removed_share: 0.2"))
        site = sites.Site(config.load(file), warehouse_dsn)
        do_import(site)
        place.clock.advance(hours=2)
        for n in range(30, OUTPUTS):
            place.delete(f"o{n}")
        place.put_user(replace(place.users["1"], level="Private"))
        waits = do_import(site)
        assert (waits["mode"], waits["status"], waits["purges"]) == ("incremental", "awaiting_approval", [3])
        shown = published(site)
        assert {tuple(a["name"] for a in o["authors"]) for o in shown["outputs"]} == {("Last2, First",)}
        assert (len(shown["outputs"]), [a["key"] for a in shown["authors"]]) == (OUTPUTS, ["2"])
        flow.answer(site, 2, approved=False, by="somebody")
        flow.close_staging(site, 2)
        with database.connect(site.dsn) as connection:
            assert "Last1" not in _everything(connection)
        place.clock.advance(hours=2)
        place.put_user(replace(place.users["1"], level="Public"))
        made = do_import(site)
        flow.answer(site, made["import_id"], approved=True, by="somebody")
        flow.go_on(site, made["import_id"], answered=True)
        shown = published(site)
        assert {tuple(sorted(a["key"] for a in o["authors"])) for o in shown["outputs"]} == {("1", "2")}
        assert len(shown["outputs"]) == 30


def test_an_output_that_lost_its_last_author_at_once_goes_with_the_next_import(warehouse_dsn, tmp_path, monkeypatch):
    """The import by which it would have gone was rejected for what else would go; nobody tells of it again."""
    place = University()
    for person in ("1", "2"):
        place.put_user(User(person, f"Last{person}", "First", f"{person}@laputa.example"))
    for n in range(OUTPUTS):
        place.put(Publication(f"o{n}", (Record(title=f"Title {n}", doi=f"10.5555/{n}"),)))
        place.link(Link(f"l{n}", f"o{n}", "1" if n < 2 else "2"))
    with endpoint(place, monkeypatch):
        site = elements_site(warehouse_dsn, tmp_path, orphans="remove_authorless_and_privacy")
        place.clock.advance(hours=2)
        do_import(site)
        place.clock.advance(hours=2)
        for n in range(30, OUTPUTS):
            place.delete(f"o{n}")
        place.put_user(replace(place.users["1"], level="Private"))
        file = site.institution.path
        file.write_text(file.read_text().replace("max_removed_share: 1.0", "max_removed_share: 0.2"))
        careful = sites.Site(config.load(file), warehouse_dsn)
        waits = do_import(careful)
        assert (waits["mode"], waits["status"], waits["purges"]) == ("incremental", "awaiting_approval", [3])
        flow.answer(careful, 2, approved=False, by="somebody")
        place.clock.advance(hours=2)
        made = do_import(site)
        assert (made["mode"], made["status"]) == ("incremental", "succeeded")
        assert {each["key"] for each in published(site)["outputs"]} == {f"o{n}" for n in range(2, 30)}


def test_a_review_that_is_killed_purges_once_and_waits(
    site: ScriptedSite, source: ScriptedSource, database_like: Callable[[str], str], tmp_path: Path
):
    """The purge, the difference that is left and the wait for an answer are there together, or none of them is."""
    much_goes_and_some_turns_private(source)
    opened = flow.open_import(site, planning.Request(run_key="killed", full_import=True))
    for part in flow.plan_parts(site, opened):
        flow.read_part(site, opened, part)
    for step in (flow.settle, flow.validate, flow.privacy_filter, flow.clean_up_orphans):
        step(site, opened)
    undisturbed = make_site(database_like(site.dsn), tmp_path, source, removed=0.2)
    assert flow.review(undisturbed, opened) == "awaiting_approval"
    expected = crashes.published(undisturbed.dsn)
    for boundary in range(1, 1000, 1 if EVERY_RETRY else 12):
        killed = make_site(database_like(site.dsn), tmp_path, source, removed=0.2)
        ended = crashes.in_a_child(lambda killed=killed: flow.review(killed, opened), boundary)
        assert ended is None or isinstance(ended, int)
        assert flow.review(killed, opened) == "awaiting_approval"
        assert crashes.published(killed.dsn) == expected, f"killed before statement {boundary}"
        with database.connect(killed.dsn) as connection:
            purges = connection.execute("select count(*) from ops.import where kind = 'purge'").fetchone()
        assert purges == (1,)
        if ended is not None:
            break
    assert boundary > 100
