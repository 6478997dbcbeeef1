"""Departments of the institution's own file, in the place of those that the repository names."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from explorer.config import Departments, OaiPmhSource
from explorer.polite_http import Limits, PoliteSession
from explorer.records import Department, Output
from explorer.sources import Part, Plan, SourceError
from explorer.sources.oai_platforms import Settings, accent
from explorer.sources.oai_pmh import OaiPmh
from explorer.sources.oai_protocol import OaiRepository
from tests.contract.test_oai_in_records import Kept
from tests.oai_documents import listed_sets, record, records
from tests.scripted_server import Asked, Reply, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL = Plan("full")
DEPARTMENTS = Part("departments", "departments")
CSV = "name,id,parent_id\nFaculty of Science,science,\nSchool of Biology,b1,science\nSchool of Law,law,\n"
JSON = (
    '{"hits": [{"name": "Faculty of Science", "id": "science", "parent_id": null},'
    ' {"name": "School of Biology", "id": "b1", "parent_id": "science"}, {"name": "School of Law", "id": "law"}]}'
)
SETS = listed_sets(publication__science="Sciences", publication__bio="school of  biology", publication__etd="Theses")
PAGE = records(
    record(1, sets=["publication:science"]),
    record(2, sets=["publication:bio", "publication:science"]),
    record(3, sets=["publication:etd"]),
)


@contextmanager
def source(file: Path | str, platform: str = "bepress") -> Iterator[tuple[OaiPmh, Any]]:
    def answer(asked: Asked) -> Reply:
        bodies = {"ListSets": SETS, "ListRecords": PAGE, None: JSON if "json" in asked.path else CSV}
        if asked.path == "/gone.csv":
            return Reply(b"gone", status=404)
        return Reply(bodies[asked.query.get("verb")].encode())

    with serving(answer) as server:
        url = f"{server.url}/oai"
        settings = OaiPmhSource.model_validate({"kind": "oai_pmh", "platform": platform, "url": url, "windows": 1})
        session = PoliteSession(Limits(requests_per_second=1000, retries=0), allow_http=True, allow_private_hosts=True)
        place = f"{server.url}/{file}" if isinstance(file, str) else file
        departments = Departments(mode="file", file=str(place))
        yield OaiPmh(OaiRepository(url, session), accent(platform), Settings(settings, departments), file=place), server


def placed(oai: OaiPmh) -> dict[str, Output]:
    (page,) = oai.read(Part("outputs"), FULL, None)
    return {str(each.key)[-1]: each for each in page.records if isinstance(each, Output)}


def test_departments_of_a_file_beside_the_yaml(tmp_path: Path) -> None:
    file = tmp_path / "departments.csv"
    file.write_text(CSV)
    with source(file) as (oai, server):
        assert [part.name for part in oai.parts(FULL)] == ["departments", "outputs"]
        (page,) = oai.read(DEPARTMENTS, FULL, None)
        assert server.asked == []
        found = placed(oai)
    assert [(each.key, each.parents) for each in page.records] == [("science", ()), ("law", ()), ("b1", ("science",))]  # type: ignore[union-attr]
    assert found["1"].departments == ("science",)  # its context is an id of the file
    assert found["2"].departments == ("b1", "science")  # its set has a name of the file
    assert found["3"].departments == ("publication:etd",)
    assert [note.code for note in found["3"].notes] == ["unknown_department"]
    assert not found["1"].notes


@pytest.mark.parametrize("name", ["departments.csv", "departments.json"])
def test_departments_of_a_file_behind_an_address(name: str) -> None:
    with source(name) as (oai, _):
        (page,) = oai.read(DEPARTMENTS, FULL, None)
        assert [each.key for each in page.records] == ["science", "law", "b1"]
        assert placed(oai)["2"].departments == ("b1", "science")


def test_a_file_that_is_gone_or_wrong_stops_the_import_with_a_sentence(tmp_path: Path) -> None:
    with source("gone.csv") as (oai, _), pytest.raises(SourceError, match="answers HTTP 404"):
        list(oai.read(DEPARTMENTS, FULL, None))
    with source(tmp_path / "departments.csv") as (oai, _), pytest.raises(SourceError, match="no file"):
        list(oai.read(DEPARTMENTS, FULL, None))
    wrong = tmp_path / "departments.csv"
    wrong.write_text("name,id,parent_id\nA,a,nowhere\nB,b-1,\n")
    with source(wrong) as (oai, _), pytest.raises(SourceError, match="nowhere") as raised:
        list(oai.read(DEPARTMENTS, FULL, None))
    assert raised.value.code == "departments_file"
    assert "b-1" in str(raised.value)
    with source(wrong) as (oai, _), pytest.raises(SourceError):
        placed(oai)


def test_a_file_that_cannot_be_reached_today_leaves_its_last_sound_version() -> None:
    kept = Kept()
    with source("departments.csv") as (oai, _):
        assert [part.start for part in oai.with_files_kept(kept).parts(FULL)] == [{}, {}]
    with source("gone.csv") as (oai, _):
        [kept.files[f"departments: {oai.file}"]] = kept.files.values()
        gone = oai.with_files_kept(kept)
        first, outputs = gone.parts(FULL)
        (page,) = gone.read(first, FULL, None)
        assert [each.key for each in page.records if isinstance(each, Department)] == ["science", "law", "b1"]
        assert [note.code for note in page.notes] == ["older_version_of_file"]
        assert "answers HTTP 404" in page.notes[0].message
        assert outputs.start == {}
        assert placed(gone)["2"].departments == ("b1", "science")
        with pytest.raises(SourceError, match="answers HTTP 404"):
            oai._check_departments()  # which looks at the file as it is now


def test_check_looks_at_the_file(tmp_path: Path) -> None:
    with source("departments.csv") as (oai, _):
        finding = oai._check_departments()
    assert finding.ok
    assert finding.detail.startswith(f"3 departments, from {oai.file}; 2 of them on the first level")
