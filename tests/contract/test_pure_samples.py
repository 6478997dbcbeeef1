"""Captured answers of Pure: what the parser makes of them, against counts of the plain JSON and XML, and by hand."""

import csv
import json
import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from explorer.polite_http import Answer, PoliteSession
from explorer.sources import pure_changes, pure_records
from explorer.sources.pure_api import PureApi
from explorer.sources.pure_units import departments, unit
from explorer.sources.pure_words import day
from explorer.sources.pure_xml import parse as parse_xml
from simulators.pure import token_of
from tests.samples import sample

GOLDEN = Path(__file__).with_name("golden_pure.csv")
ROWS = list(csv.DictReader(GOLDEN.read_text("utf-8").splitlines()))
TODAY = date(2023, 1, 1)


def things(file: Path) -> list[Any]:
    """The objects in a file: of a list its items."""
    if file.suffix == ".xml":
        return [{"XML": each} for each in etree.parse(file).getroot() if each.get("pureId")]
    content = json.loads(file.read_bytes())
    found: list[Any] = content.get("items", [content])
    return found


def kind_of(file: Path) -> str:
    """What a file holds, by its name."""
    kinds = {"external": "other", "output": "output", "publication": "output", "person": "person", "users": "person",
             "organi": "unit"}  # fmt: skip
    return next((kind for name, kind in kinds.items() if name in file.stem), "other")


def counted(file: Path) -> dict[str, int]:
    """A file in figures, from the plain JSON or XML, without our parser."""
    figures: Counter[str] = Counter()
    kind = kind_of(file)
    for each in things(file) if kind != "other" else []:
        if "XML" in each:
            figures["output"] += 1
            figures["years"] += (
                len(each["XML"].xpath("publicationStatuses/publicationStatus[@current='true']//year")) == 1
            )
            figures["titles"] += bool(each["XML"].findtext("title"))
            figures["hidden"] += each["XML"].find("visibility") is None
            continue
        figures[kind] += 1
        figures["hidden"] += each.get("visibility", {}).get("key") != "FREE" or each.get("confidential", False)
        if kind == "output":
            people = each.get("personAssociations") or each.get("contributors") or []
            figures["associations"] += len(people)
            figures["authors"] += len({one["person"]["uuid"] for one in people if "person" in one})
            holders = [each, *(one for one in people if "person" in one)]
            named = [
                one
                for holder in holders
                for key in ("organisationalUnits", "organizations")
                for one in holder.get(key, [])
            ]
            figures["units"] += len({one["uuid"] for one in named})
            figures["dois"] += len({re.sub("^https://doi.org/", "", one["doi"]).lower()
                                    for one in each.get("electronicVersions", []) if "doi" in one})  # fmt: skip
            ids = [*each.get("info", {}).get("additionalExternalIds", []), *each.get("identifiers", [])]
            figures["pmids"] += sum(one.get("idSource", "").lower() == "pubmed" for one in ids)
            figures["titles"] += "value" in each["title"]
            figures["years"] += sum(
                one["current"] and "year" in one["publicationDate"] for one in each["publicationStatuses"]
            )
        elif kind == "person":
            theirs = [
                one for key, ones in each.items() if re.search("Organi[sz]ationAssociations$", key) for one in ones
            ]
            figures["associations"] += len(theirs)
            periods = [(one["period"]["startDate"][:10], one["period"].get("endDate", "9999")) for one in theirs]
            now = [one for one, (begins, ends) in zip(theirs, periods, strict=True) if begins <= "2023-01-01" <= ends]
            figures["units"] += len({(one.get("organisationalUnit") or one.get("organization"))["uuid"] for one in now})
            figures["orcids"] += "orcid" in each
        else:
            figures["parents"] += len(each.get("parents", []))
    return figures


def read(file: Path) -> dict[str, int]:
    """The same figures, from our parser."""
    figures: Counter[str] = Counter()
    kind = kind_of(file)
    if kind == "other":
        return figures
    items = parse_xml(file.read_bytes())["items"] if file.suffix == ".xml" else things(file)
    for item in items:
        figures[kind] += 1
        if kind == "output":
            seen = {**item, "visibility": {"key": "FREE"}, "uuid": item.get("uuid") or "made up"}
            made = pure_records.output(seen)
            figures["hidden"] += pure_records.output(item).withheld is not None
            people = item.get("personAssociations") or item.get("contributors") or []
            figures["associations"] += len(people) if file.suffix == ".json" else 0
            figures["authors"] += len(pure_records.authorships(item, made.key))
            figures["units"] += len(made.departments)
            figures["dois"] += sum(each.scheme == "doi" and not each.derived for each in made.identifiers)
            figures["pmids"] += sum(each.scheme == "pmid" for each in made.identifiers)
            figures["titles"] += made.title is not None
            figures["years"] += made.year is not None
        elif kind == "person":
            person = pure_records.author(item, TODAY)
            assert person is not None
            figures["hidden"] += person.withheld is not None
            keys = [key for key in item if key.endswith("Associations")]
            figures["associations"] += sum(len(item[key]) for key in keys)
            figures["units"] += len(person.departments)
            figures["orcids"] += "orcid" in person.ids
        else:
            found = unit(item)
            assert found is not None
            figures["hidden"] += found.rule is not None
            figures["parents"] += len(found.parents)
    return figures


@pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])
def test_golden(row: dict[str, str]):
    """Committed figures, figures of the plain file and figures of the parser are the same."""
    file = sample(f"pure/{row['file']}")
    figures = {name: int(value) for name, value in row.items() if name != "file" and value != "0"}
    assert {name: n for name, n in counted(file).items() if n} == figures
    assert {name: n for name, n in read(file).items() if n} == figures


def test_every_captured_file_has_its_row():
    folder = sample("pure")
    files = [each for each in folder.rglob("*") if each.suffix in {".json", ".xml"} and each.parent.name != "changes"]
    assert {each.relative_to(folder).as_posix() for each in files} == {row["file"] for row in ROWS}


def test_an_article_of_439_authors():
    made = pure_records.output(json.loads(sample("pure/umn-pureapi/521/research_output.json").read_bytes()))
    assert made.title == "Measurement of Singly Cabibbo Suppressed Decays Λc+ →pπ+π- and Λc+ →pK+K-"
    assert (made.type, made.year, made.venue) == ("Article", 2016, "Physical review letters")
    identifiers = {(each.scheme, each.value) for each in made.identifiers}
    assert identifiers == {("doi", "10.1103/physrevlett.117.232002"), ("pmid", "27982610")}
    assert made.departments == ("02b1196e-a592-4f52-8667-b94610d81b8e",)
    assert (made.withheld, made.refusal, made.notes) == (None, None, ())


def test_an_article_of_the_new_api():
    (item,) = json.loads(sample("pure/psu-researcher-metadata/publications_1.json").read_bytes())["items"]
    made = pure_records.output(item)
    title = "Psychotherapy integration and the need for better theories of change: A rejoinder to Alford"
    assert (made.title, made.type, made.year) == (title, "Article", 1997)
    assert made.venue == "Applied and Preventive Psychology"
    assert [(each.scheme, each.value) for each in made.identifiers] == [("doi", "10.1016/s0962-1849(05)80014-9")]
    (wrote,) = pure_records.authorships(item, made.key)
    assert wrote.author == "5ec8ce05-0912-4d68-8633-c5618a3cf15d"
    assert wrote.departments == ("f3ebd910-8783-42f0-ad1f-ba760de1d08c",)


def test_a_person_with_past_and_present_associations():
    item = json.loads(sample("pure/umn-pureapi/524/person.json").read_bytes())
    made = pure_records.author(item, TODAY)
    assert made is not None
    assert (made.name, made.ids) == ("Carberry, Josiah", {"orcid": "0000-0002-1825-0097", "scopus": "7000000001"})
    for word in ("1000001", "autoid", "umn"):  # what the university numbers its people by
        assert word not in repr(made.ids)


def test_a_start_before_the_epoch_is_the_day_that_is_written():
    item = json.loads(sample("pure/umn-pureapi/523/organisational_unit_a.json").read_bytes())
    assert day(item["period"]["startDate"]) == date(1969, 12, 29)
    (made,) = departments([found for found in [unit(item)] if found])
    assert (made.name, made.parents) == ("University Libraries", ())


# /changes, as it was logged


class Replayed(PureApi):
    """An interface that answers with what was captured, whatever it is asked."""

    def __init__(self, answers: list[dict[str, Any]]) -> None:
        super().__init__("https://pure.example/ws/api/524", PoliteSession(), "old")
        self.asked: list[str] = []
        self._answers = answers

    def ask(self, path, arguments=None, search=None):  # type: ignore[no-untyped-def]
        self.asked.append(path.removeprefix("changes/"))
        content = self._answers[min(len(self.asked), len(self._answers)) - 1]
        body = json.dumps(content).encode()
        return self._read(Answer("https://pure.example/changes", 200, {}, body), is_list=True)


def pages(name: str) -> list[dict[str, Any]]:
    file = sample(f"pure/umn-pureapi/changes/{name}")
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return [json.loads(file.read_bytes())]


def test_a_page_with_items_and_the_empty_one_behind_it():
    with_items, empty = pages("page_with_items.json")[0], pages("page_with_zero_count.json")[0]
    api = Replayed([with_items, empty, {**empty, "moreChanges": False}])
    read = list(pure_changes.changes(api, token_of(194_135_272)))
    wanted = {
        each["uuid"] for each in with_items["items"] if each["familySystemName"] == "ResearchOutput" and "uuid" in each
    }
    assert set(read[0].outputs) == wanted
    assert (len(with_items["items"]), [each.items for each in read]) == (52, [52, 0, 0])
    assert [pure_changes.sequence(each.place) for each in read] == [194_135_372, 194_135_472, 194_135_472]
    assert [each.ends for each in read] == [False, False, True]
    assert api.asked[1:] == [read[0].place, read[1].place]


def test_the_other_end_of_a_relation_is_read_again():
    item = json.loads(sample("pure/umn-pureapi/changes/item_with_relation_changes.json").read_bytes())
    page = {"count": 1, "resumptionToken": "x", "moreChanges": False, "items": [item]}
    (read,) = pure_changes.changes(Replayed([page]), "2022-01-01")
    assert read.outputs == ()  # an organisation and its parent: both are read whole at every import
    item["relationChanges"][0] |= {"familySystemName": "ResearchOutput"}
    (read,) = pure_changes.changes(Replayed([page]), "2022-01-01")
    assert read.outputs == ("e1ecd377-583c-4424-838a-d804289da913",)


def test_the_sequence_that_began_again():
    """From a token it is found at once; from a day it is followed, but gives nothing, and soon is given up."""
    logged = pages("sequence_restart_extract.jsonl")
    stored = "eyJzZXF1ZW5jZU51bWJlciI6MTk0MTM1MzcyfQ=="
    with pytest.raises(pure_changes.SourceError, match="began again at sequence 2,098") as raised:
        list(pure_changes.changes(Replayed(logged), stored))
    assert raised.value.code == pure_changes.CHANGES_LOST
    numbers = [pure_changes.sequence(each["resumptionToken"]) for each in logged]
    assert numbers == sorted(numbers)
    followed = pure_changes.changes(Replayed(logged), "2022-06-28")
    read = [next(followed) for _ in logged]
    assert [each.outputs for each in read] == [()] * len(logged)
    assert sum(each.items for each in read) == sum(each["count"] for each in logged)


def test_the_log_of_tokens_rises_and_ends_with_a_link_all_the_same():
    text = sample("pure/umn-pureapi/changes/token_log_extract.txt").read_text("utf-8")
    tokens = re.findall(r"resumptionToken'\]='([^']+)'", text)
    more = [each == "True" for each in re.findall(r"moreChanges'\]=(True|False)", text)]
    numbers = [pure_changes.sequence(each) for each in tokens]
    assert (len(tokens), len(more), more.count(False)) == (6, 6, 1)
    assert None not in numbers
    assert numbers == sorted(numbers)  # type: ignore[type-var]
    answers = [
        {"count": 0, "resumptionToken": token, "moreChanges": goes_on, "navigationLinks": [{"ref": "next", "href": f"https://x/changes/{token}"}]}
        for token, goes_on in zip(tokens, more, strict=True)
    ]  # fmt: skip
    assert [each.ends for each in pure_changes.changes(Replayed(answers), "2023-10-30")] == [False] * 5 + [True]
