"""The demo's files are what their generator makes, hold what they promise, and are understood by the configuration."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from random import Random

import idutils
import pytest
from stdnum.iso7064 import mod_11_2

from explorer import config
from simulators import invented, lilliput
from simulators.brobdingnag import brobdingnag, move_on
from simulators.repository import VirtualClock

DEMO = Path(__file__).resolve().parents[2] / "include" / "demo"
DATA = DEMO / "data"


def rows_of(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def first_identifier(row: dict[str, str]) -> str | None:
    """The row's best identifier, read by rules of this test's own."""
    if found := re.fullmatch(r"\s*(?:https?://(?:dx\.)?doi\.org/|doi:)?\s*(10\.5555/lilliput\.\d+)\s*", row["DOI"]):
        return found[1]
    if found := re.fullmatch(r"(\d+)(\.0)?", row["PMID"]):
        return f"pmid {found[1]}"
    return next((f"{name} {row[name]}" for name in ("arXiv", "NCT ID", "Handle", "ISBN") if row[name]), None)


@pytest.mark.parametrize(
    ("name", "made"), [(lilliput.PUBLICATIONS, lilliput.publications), (lilliput.HIERARCHY, lilliput.hierarchy)]
)
def test_the_spreadsheets_are_what_their_generator_makes(name: str, made: object) -> None:
    assert callable(made)
    assert (DATA / name).read_bytes().decode() == made(), "run: python -m simulators.lilliput include/demo/data"


def test_the_spreadsheet_is_worth_looking_at() -> None:
    rows = rows_of(lilliput.PUBLICATIONS)
    outputs = {first_identifier(row) for row in rows} - {None}
    authors = {name.strip() for row in rows for name in row["Author"].split(";")} - {""}
    assert (len(rows), len(outputs), len(authors)) == (1028, 795, 240)
    assert Counter(bool(first_identifier(row)) for row in rows)[False] == 5  # four without, one "in press"


def test_the_spreadsheet_has_the_flaws_of_its_trade() -> None:
    rows = rows_of(lilliput.PUBLICATIONS)
    known = set(lilliput.departments())
    whole = Counter(tuple(row.values()) for row in rows)
    assert sum(row["PMID"].endswith(".0") for row in rows) == 6
    assert sum("E+07" in row["PMID"] for row in rows) == 2
    assert sum(row["DOI"] != row["DOI"].strip() for row in rows) == 8
    assert sum("doi.org/" in row["DOI"] for row in rows) == 42
    assert sum(row["DOI"].endswith("(accepted)") for row in rows) == 2
    assert sum(row["Department"] == "School of Alchemy" for row in rows) == 2
    assert sum(row["Department"].isupper() for row in rows) == 3
    assert sum(not row["Author"] for row in rows) == 3
    assert [count for count in whole.values() if count > 1] == [2]
    unknown = {name.strip() for row in rows for name in row["Department"].split(";")} - known
    assert {name for name in unknown if not name.isupper()} == {"School of Alchemy"}


def test_the_hierarchy_names_every_department_once() -> None:
    paths = {
        tuple(name for name in list(row.values())[1 : level + 2] if name)
        for row in rows_of(lilliput.HIERARCHY)
        for level in range(3)
    }
    names = Counter(path[-1] for path in paths)
    assert sorted(names) == sorted(lilliput.departments())
    assert set(names.values()) == {1}
    assert Counter(len(path) for path in paths) == {1: 6, 2: 15, 3: 20}


def test_both_institutions_are_understood(tmp_path: Path) -> None:
    for name in ("lilliput", "brobdingnag"):
        text = (DEMO / f"{name}.yaml").read_text("utf-8")
        file = tmp_path / f"{name}.yaml"
        file.write_text(text.replace("${EPRINTS_URL}", "http://127.0.0.1:8765/cgi/oai2"), "utf-8")
        institution = config.load(file)
        assert institution.slug == name
        assert institution.notify
    assert config.load(DEMO / "lilliput.yaml").source.kind == "spreadsheet"


def test_the_files_that_lilliput_names_are_there() -> None:
    institution = config.load(DEMO / "lilliput.yaml")
    assert isinstance(institution.source, config.SpreadsheetSource)
    for place in (institution.source.publications, institution.source.hierarchy):
        assert place is not None
        assert Path(institution.locate(place)).is_file()


@pytest.mark.parametrize("serial", [1, 7, 20, 4711, 99_999, 1_000_001])
def test_invented_identifiers_are_well_formed(serial: int) -> None:
    assert mod_11_2.is_valid(invented.orcid(serial).replace("-", ""))  # idutils wants the assigned range
    assert idutils.is_isbn13(invented.isbn(serial % 1_000_000))
    assert idutils.is_issn(invented.issn(serial % 1000))
    assert idutils.is_doi(invented.doi("x", serial))
    assert idutils.is_arxiv(invented.arxiv(serial % 10_000))
    assert re.fullmatch(r"NCT\d{8}", invented.trial(serial % 1_000_000))


def test_check_digits_agree_with_those_that_others_worked_out() -> None:
    assert invented.isbn(20) == "978-0-00-000020-0"
    assert invented.issn(1) == "9999-0016"
    assert invented.orcid(1117) == "0000-0090-0001-1174"


def test_nobody_has_the_name_of_another() -> None:
    found = invented.people(Random(1), 500)
    assert len({person.name for person in found}) == 500
    assert len({person.mail("lilliput.example") for person in found}) == 500


def test_the_repository_is_the_same_at_every_start_and_moves_on_in_the_same_way() -> None:
    clock = VirtualClock()
    first, second = brobdingnag(clock, records=300), brobdingnag(clock, records=300)
    assert list(first) == list(second)
    before = {item.number: item for item in first}
    for world in (first, second):
        move_on(world, 1, clock())
    assert list(first) == list(second)
    changed = [item for item in first if before.get(item.number) != item]
    assert Counter((item.state, item.number in before) for item in changed) == {
        ("archive", True): 12,
        ("deletion", True): 3,
        ("buffer", True): 2,
        ("archive", False): 5,
    }
    assert {item.datestamp for item in changed} == {"2026-02-01T03:00:00Z"}
