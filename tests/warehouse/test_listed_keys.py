"""A source that lists the keys of all its outputs: what is absent from a list that was read to its end is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from explorer.imports import HaltedError
from explorer.records import Contribution, Identifier, Output
from explorer.sources import Abilities
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site
from tests.warehouse.test_flow import do_import, published

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("without_expectations")


def _output(number: int, **more: object) -> Output:
    doi = Identifier("doi", f"10.5555/o{number}")
    credit = Contribution("a1", "Carberry, Josiah", {"local": "a1"})
    return Output(f"o{number}", title=f"Title {number}", identifiers=(doi,), contributions=(credit,), **more)  # type: ignore[arg-type]


@pytest.fixture
def source() -> ScriptedSource:
    made = ScriptedSource(abilities=Abilities(says_changes=True, lists_keys=True))
    for number in range(8):
        made.put(_output(number))
    made.tick = 1
    return made


@pytest.fixture
def site(warehouse_dsn: str, tmp_path: Path, source: ScriptedSource) -> ScriptedSite:
    made = make_site(warehouse_dsn, tmp_path, source)
    do_import(made)
    source.tick = 2
    return made


def _keys(site: ScriptedSite) -> list[str]:
    return [each["key"] for each in published(site)["outputs"]]


def test_what_vanished_goes_at_the_next_import(site: ScriptedSite, source: ScriptedSource) -> None:
    source.vanish("o3")
    made = do_import(site)
    tally = made["tally"]["outputs"]
    assert made["mode"] == "incremental"
    assert _keys(site) == ["o0", "o1", "o2", "o4", "o5", "o6", "o7"]
    assert (tally["extracted"], tally["removed"], tally["untouched"], tally["published"]) == (0, 1, 7, 7)
    assert made["tally"]["removed_because"] == {"absent": 1}
    assert do_import(site)["tally"]["outputs"]["removed"] == 0


def test_who_wrote_only_what_vanished_goes_with_it(site: ScriptedSite, source: ScriptedSource) -> None:
    for key in list(source.outputs):
        source.vanish(key)
    do_import(site)
    assert published(site)["outputs"] == published(site)["authors"] == []


def test_a_list_that_lost_something_removes_nothing(site: ScriptedSite, source: ScriptedSource) -> None:
    source.vanish("o3")
    source.keys_incomplete = "The source announced 8 keys and sent 7."
    with pytest.raises(HaltedError, match="announced 8 keys"):
        do_import(site)
    assert len(_keys(site)) == 8
    source.keys_incomplete = None
    do_import(site)
    assert len(_keys(site)) == 7


def test_an_incomplete_list_of_changes_does_not_keep_what_is_absent(site: ScriptedSite, source: ScriptedSource) -> None:
    source.vanish("o3")
    source.incomplete = "A page of changes is missing."
    with pytest.raises(HaltedError, match="A page of changes"):
        do_import(site)
    assert len(_keys(site)) == 7


def test_what_was_read_is_judged_by_what_was_read(site: ScriptedSite, source: ScriptedSource) -> None:
    """It was deleted between its page and the list of keys: it goes at the next import."""
    source.put(_output(3))
    source.before_page = lambda part, _: source.outputs.pop("o3", None) and None if part == "keys" else None
    assert do_import(site)["tally"]["outputs"]["extracted"] == 1
    assert "o3" in _keys(site)
    source.tick = 4
    do_import(site)
    assert "o3" not in _keys(site)


def test_a_reported_deletion_is_no_absence(site: ScriptedSite, source: ScriptedSource) -> None:
    source.delete("o3")
    assert do_import(site)["tally"]["removed_because"] == {"deleted": 1}


def test_a_changed_key_is_the_same_output(site: ScriptedSite, source: ScriptedSource) -> None:
    old = source.outputs["o3"]
    source.vanish("o3")
    source.put(Output("new", title=old.title, identifiers=old.identifiers))
    tally = do_import(site)["tally"]["outputs"]
    assert (tally["added"], tally["updated"], tally["removed"]) == (0, 1, 0)


def test_a_listed_change_that_no_list_gave_is_fetched(
    site: ScriptedSite, source: ScriptedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of changes lags behind; one that was left out before and did not change is not asked for."""
    source.put(_output(8))
    source.outputs["o9"] = _output(9, datestamp="2025-12-31T00:00:00Z")
    lags = type(source).read

    def read(part, plan, cursor):  # type: ignore[no-untyped-def]
        for page in lags(source, part, plan, cursor):
            yield page if part.name != "outputs" else type(page)([], page.cursor, clock=page.clock)

    monkeypatch.setattr(source, "read", read)
    assert do_import(site)["tally"]["outputs"]["extracted"] == 1
    assert source.fetched == ["o8"]
    assert "o8" in _keys(site)


def test_a_full_import_fetches_what_its_list_of_outputs_lost(
    site: ScriptedSite, source: ScriptedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.dated_keys = False
    loses = type(source).read

    def read(part, plan, cursor):  # type: ignore[no-untyped-def]
        for page in loses(source, part, plan, cursor):
            kept = [each for each in page.records if part.name != "outputs" or each.key != "o3"]
            yield type(page)(kept, page.cursor, clock=page.clock)

    monkeypatch.setattr(source, "read", read)
    do_import(site, full_import=True)
    assert source.fetched == ["o3"]
    assert len(_keys(site)) == 8


def test_keys_without_dates_are_compared_alone(site: ScriptedSite, source: ScriptedSource) -> None:
    source.dated_keys = False
    source.vanish("o1")
    source.outputs["o9"] = _output(9, datestamp="2025-12-31T00:00:00Z")
    tally = do_import(site)["tally"]["outputs"]
    assert (tally["extracted"], tally["removed"]) == (0, 1)
    assert source.fetched == ["o1"]  # asked for once more before it counts as gone


def test_a_list_without_any_key_waits_for_a_person(warehouse_dsn: str, tmp_path: Path) -> None:
    many = ScriptedSource(abilities=Abilities(says_changes=True, lists_keys=True))
    for number in range(60):
        many.put(_output(number))
    many.tick = 1
    site = make_site(warehouse_dsn, tmp_path, many, slug="many", removed=0.2)
    do_import(site)
    many.outputs.clear()
    assert do_import(site)["status"] == "awaiting_approval"
    assert len(_keys(site)) == 60
