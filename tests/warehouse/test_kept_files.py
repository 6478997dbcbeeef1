"""Files that an institution keeps for us, on the day that one is broken: the last sound version stands in for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from explorer import config, database, exports, flow, sites
from explorer.imports import HaltedError
from explorer.planning import Request
from explorer.sources import SourceError
from tests.oai_documents import identify, listed_sets, record, records
from tests.scripted_server import Asked, Reply, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("without_expectations")

GOOD = "name,id,parent_id\nFaculty of Science,science,\nSchool of Biology,bio,science\n"
RENAMED = "name,id,parent_id\nFaculty of Sciences,science,\nSchool of Biology,bio,science\n"
BROKEN = {
    "a web page": "<!DOCTYPE html><html><title>Sign in</title></html>",
    "a parent that is not there": "name,id,parent_id\nSchool of Biology,bio,nowhere\n",
    "empty": "",
    "two of an id": "name,id,parent_id\nA,bio,\nB,bio,\n",
    "cut off": '{"hits": [{"name": "Faculty of Science", "id": "sci',
}
YAML = """\
name: Laputa
source: {{kind: oai_pmh, platform: bepress, url: "{url}/oai", allow_private_hosts: true, windows: 1}}
departments: {{file: {file}}}
limits: {{max_removed_share: 1, max_rejected_share: 1}}
"""


class University:
    """A repository, and the file of departments: beside the YAML."""

    def __init__(self, dsn: str, folder: Path, url: str) -> None:
        self.dsn = dsn
        self.file = folder / "departments.csv"
        self.yaml = folder / "laputa.yaml"
        self.yaml.write_text(YAML.format(url=url, file="departments.csv"))
        self._runs = 0

    def says(self, text: str) -> None:
        self.file.write_text(text)

    def imported(self) -> int:
        self._runs += 1
        place = sites.Site(config.load(self.yaml), self.dsn)
        return flow.run(place, Request(run_key=f"run {self._runs}", stays=True))

    def paths(self) -> list[str]:
        with database.connect(self.dsn) as connection:
            names, rows = exports.published(connection, "laputa", exports.What.DEPARTMENTS)
            return sorted(str(dict(zip(names, row, strict=True))["path"]) for row in rows)

    def told(self, import_id: int) -> list[Any]:
        with database.connect(self.dsn) as connection:
            return connection.execute(
                "select i.status, n.code, n.message from ops.import i left join ops.record_note n on n.import_id = i.id"
                " and n.entity = 'part' where i.id = %s",
                (import_id,),
            ).fetchall()


@pytest.fixture
def university(warehouse_dsn: str, tmp_path: Path) -> Iterator[University]:
    page = records(record(1, sets=["publication:bio"]), record(2, sets=["publication:science"]))

    def answer(asked: Asked) -> Reply:
        sets = listed_sets(publication__science="Sciences", publication__bio="Biology")
        return Reply({"Identify": identify(), "ListSets": sets, "ListRecords": page}[asked.query["verb"]].encode())

    with serving(answer) as server:
        yield University(warehouse_dsn, tmp_path, server.url)


def test_a_broken_file_changes_nothing_and_is_told_and_a_mended_one_counts_again(university: University) -> None:
    university.says(GOOD)
    assert university.told(university.imported()) == [("succeeded", None, None)]
    before = university.paths()
    assert before == ["Faculty of Science", "Faculty of Science > School of Biology"]
    for name, text in BROKEN.items():
        university.says(text)
        [(status, code, message)] = university.told(university.imported())
        assert (status, code) == ("succeeded", "older_version_of_file"), name
        assert "is used until the file is mended" in message
        assert university.paths() == before, name
    university.says(RENAMED)
    assert university.told(university.imported()) == [("succeeded", None, None)]
    assert university.paths() == ["Faculty of Sciences", "Faculty of Sciences > School of Biology"]


def test_a_file_that_never_was_sound_stops_the_import_before_anything_changes(university: University) -> None:
    university.says(BROKEN["a parent that is not there"])
    with pytest.raises((SourceError, HaltedError), match="nowhere"):
        university.imported()
    assert university.paths() == []
