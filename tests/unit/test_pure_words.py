"""Reading Pure's objects leniently, and strictly where it is about who may be shown: value by value, and nonsense at random."""

import random
from datetime import date
from typing import Any

import pytest

from explorer.sources import pure_records as records
from explorer.sources.pure_units import Unit, departments, unit
from explorer.sources.pure_words import day, holds, stated_withheld, text, withheld
from explorer.sources.pure_xml import NoXmlError, parse
from simulators.pure_new import NewApi
from simulators.pure_old import OldService
from simulators.tribnia import tribnia

TODAY = date(2026, 3, 1)
FREE = {"visibility": {"key": "FREE"}}


@pytest.mark.parametrize(
    ("stated", "rule"),
    [
        (FREE, None), ({"visibility": "FREE"}, None), ({"visibility": [{"key": "FREE"}, {"key": "FREE"}]}, None),
        ({"visibility": [{"key": "FREE"}, {"key": "CAMPUS"}]}, "visibility_campus"),
        ({"visibility": {"key": "BACKEND"}}, "visibility_backend"), ({"visibility": {"key": "free"}}, "visibility_unknown"),
        ({"visibility": {"key": ["FREE"]}}, "visibility_unknown"), ({"visibility": 7}, "visibility_unknown"),
        ({"visibility": {"value": "Public"}}, "visibility_missing"), ({"visibility": {}}, "visibility_missing"),
        ({"visibility": None}, "visibility_missing"), ({}, "visibility_missing"),
        (FREE | {"confidential": False}, None), (FREE | {"confidential": "false"}, None), (FREE | {"confidential": None}, None),
        (FREE | {"confidential": True}, "confidential"), (FREE | {"confidential": "true"}, "confidential"),
        (FREE | {"confidential": {"value": True}}, "confidential"), (FREE | {"confidential": "perhaps"}, "confidential"),
        (FREE | {"workflow": {"workflowStep": "entryInProgress"}}, "entry_in_progress"),
        (FREE | {"workflow": [{"workflowStep": "entryInProgress"}]}, "entry_in_progress"),
        (FREE | {"workflow": {"step": "ENTRY_IN_PROGRESS"}}, "entry_in_progress"),
        (FREE | {"workflow": {"step": "forRevalidation"}}, None), (FREE | {"workflow": {"value": "?"}}, "workflow_unknown"),
    ],
)  # fmt: skip
def test_who_may_be_shown(stated: dict[str, Any], rule: str | None):
    assert withheld(stated) == rule


def test_what_a_list_of_a_few_fields_leaves_out_speaks_against_nothing():
    assert stated_withheld({"uuid": "1"}) is None
    assert stated_withheld({"uuid": "1"}, strict=True) is None
    assert stated_withheld({"uuid": "1", "visibility": {"key": "CAMPUS"}}) == "visibility_campus"
    assert stated_withheld({"uuid": "1", "confidential": True}) == "confidential"
    assert stated_withheld({"uuid": "1"}, {"visibility"}) == "visibility_missing"
    assert stated_withheld(FREE, {"visibility"}, strict=True) is None
    assert stated_withheld(FREE, {"workflow"}, strict=True) == "workflow_missing"


@pytest.mark.parametrize("beside", [7, None, {"key": 7}, {}, ["FREE"], "CAMPUS"])
def test_a_visibility_beside_free_is_in_doubt(beside: object):
    assert withheld({"visibility": [{"key": "FREE"}, beside]}) is not None


@pytest.mark.parametrize(
    ("stated", "first", "last"),
    [
        ("2018-06-11T23:30:00.000-0500", date(2018, 6, 11), None), ("2018-06-11T12:00:00.000+0000", date(2018, 6, 11), None),
        ("1969-12-29T12:00:00.000-06:00", date(1969, 12, 29), None), ("2018-06-11", date(2018, 6, 11), None),
        ("2018-06", date(2018, 6, 1), date(2018, 6, 30)), ("2016-02", date(2016, 2, 1), date(2016, 2, 29)),
        ("2018-12", date(2018, 12, 1), date(2018, 12, 31)), ("2018", date(2018, 1, 1), date(2018, 12, 31)),
        ({"year": 2018, "month": 6}, date(2018, 6, 1), date(2018, 6, 30)),
        ({"year": "2018"}, date(2018, 1, 1), date(2018, 12, 31)),
    ],
)  # fmt: skip
def test_days_are_those_that_are_written(stated: object, first: date, last: date | None):
    assert day(stated) == first
    assert day(stated, last=True) == (last or first)


@pytest.mark.parametrize(
    "stated", ["x", "", 123, None, "2018-13-01", "2018-02-30", {}, [], "153000000000", {"month": 3}]
)
def test_what_is_no_day(stated: object):
    assert day(stated) is None


def test_a_period_includes_both_its_days():
    assert holds({"startDate": "2020-01-01", "endDate": "2026-03-01T12:00:00.000+0000"}, TODAY)
    assert not holds({"startDate": "2026-03-02"}, TODAY)
    assert not holds({"endDate": "2026-02-28"}, TODAY)
    assert not holds({"endDate": "some day"}, TODAY)
    assert holds({"endDate": "2099-12-31"}, TODAY)
    assert holds(None, TODAY)


@pytest.mark.parametrize(
    ("stated", "plain"),
    [
        ("On <i>psychoceramics</i>", "On psychoceramics"),
        ({"formatted": True, "value": "H<sub>2</sub>O &amp; more"}, "H2O & more"),
        ("p<0.05 and q>1", "p<0.05 and q>1"), ("a <b and c> d", "a <b and c> d"), ("one<br/>two", "one two"),
        ({"text": [{"locale": "da_DK", "value": "Institut"}, {"locale": "en_GB", "value": "Department"}]}, "Department"),
        ({"text": [{"value": "Physics"}]}, "Physics"), ({"da_DK": "Institut", "en_US": "Department"}, "Department"),
        ({"term": {"text": [{"locale": "en_US", "value": "Article"}]}, "uri": "/x"}, "Article"),
        ([{"value": "Article"}], "Article"),
        ({"pureId": 7}, ""), (None, ""), (7, ""), ([], ""),
    ],
)  # fmt: skip
def test_a_text_in_any_wrapping(stated: object, plain: str):
    assert text(stated) == plain


def test_names_of_the_description_are_taken_beside_those_of_the_answers():
    person = {
        "uuid": "p", "name": {"lastName": "Clitch"}, **FREE,
        "staffOrganisationAssociations": [{"organisation": {"uuid": "u"}, "primaryAssociation": True}],
        "classifiedSources": [{"value": "7000000001", "type": {"uri": "/x/scopusauthor"}}],
    }  # fmt: skip
    made = records.author(person, TODAY)
    assert made is not None
    assert (made.departments, made.ids) == (("u",), {"scopus": "7000000001"})


def test_the_nearest_unit_that_may_be_shown_whatever_the_order():
    units = [
        Unit("top", "Top", (), None), Unit("h1", "H", ("top",), "visibility_campus"),
        Unit("h2", "H", ("h1", "h2"), "confidential"),
        Unit("a", "A", ("h2", "nowhere"), None), Unit("b", "B", ("c",), None), Unit("c", "C", ("b",), None),
        Unit("alone", "Alone", ("h3",), None), Unit("h3", "H", ("h3",), "visibility_missing"),
    ]  # fmt: skip
    for seed in range(20):
        random.Random(seed).shuffle(units)
        made = {each.key: each for each in departments(units)}
        assert (made["a"].parents, made["alone"].parents) == (("top",), ())
        assert (made["b"].parents, made["c"].parents) == (("c",), ())
        assert [note.code for note in made["c"].notes] == ["cycle"]
        assert {key for key, each in made.items() if each.withheld} == {"h1", "h2", "h3"}
        assert not any(each.name == "H" for each in made.values())


JUNK = [None, 0, 1.5, True, "", "x", "\ud800\0", [], {}, [None], [[]], [{}], {"value": []}, {"text": [None, {"value": 3}]},
        {"uuid": 3}, {"key": {}}, "2020", -5, 10**30, float("nan")]  # fmt: skip


def test_nothing_that_json_may_hold_raises():
    dice = random.Random(7)

    def spoiled(value: Any) -> Any:
        if dice.random() < 0.03:
            return dice.choice(JUNK)
        if isinstance(value, dict):
            return {key: spoiled(each) for key, each in value.items() if dice.random() > 0.01}
        return [spoiled(each) for each in value] if isinstance(value, list) else value

    store = tribnia()
    views = (OldService(store, "524", "https://x"), OldService(store, "511", "https://x"), NewApi(store))
    for thing in [*list(store.outputs.values())[:150], *list(store.persons.values())[:30], *store.units.values()]:
        for view in views:
            item = spoiled(view.shown(thing))
            made = records.output(item, ("x.example",), affiliated=True)
            repr([made, records.authorships(item, made.key), records.listed(item), records.merged_away(item)])
            repr(records.author(item, TODAY))
            found = unit(item)
            repr(departments([found] if found else []))
            if made.withheld:
                assert (made.title, made.identifiers, made.notes) == (None, (), ())


@pytest.mark.parametrize("body", [b"", b"<a>", b"<a>&x;</a><!", b"\x00", b"not xml"])
def test_what_is_no_xml(body: bytes):
    with pytest.raises(NoXmlError):
        parse(body)


def test_entities_of_xml_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("Xyzzy")
    person = '<result><items><person uuid="1"><name>&e;</name></person></items></result>'
    made = parse(f'<!DOCTYPE r [<!ENTITY e SYSTEM "file://{secret}">]>{person}'.encode())
    assert made["items"] == [{"uuid": "1", "name": ""}]
