"""Sets of files that are sent, watched for, published again and forgotten. Through the flow, on a real Postgres."""

import json
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest
from click.testing import Result

from explorer import config, database, descriptions, flow, imports, sites, uploads, watched
from explorer.imports import BusyError, HaltedError
from explorer.planning import Request
from explorer.sources import SourceError
from tests.patience import PATIENCE
from tests.samples import sample
from tests.warehouse.test_flow import published

pytestmark = pytest.mark.usefixtures("without_expectations")

runs = iter(range(10**6))
HIERARCHY = """\
Top Level,Level 1,Level 2
Lilliput University,Faculty of Science,School of Biology
Lilliput University,Faculty of Arts,
"""
FIRST = """\
Author,Department,DOI
"Gulliver, Lemuel",School of Biology,10.5555/a
"Skyresh, B",Faculty of Arts,10.5555/b
"Reldresal, C",,10.5555/c
"""
SECOND = """\
Author,Department,DOI
"Gulliver, Lemuel",School of Biology,10.5555/a
"Skyresh, B",School of Biology,10.5555/b
"Flimnap, D",,10.5555/d
"""
HEADER = "Author,Department,DOI\n"


def make_place(dsn: str, folder: Path, **source: object) -> sites.Site:
    """An institution that sends its files, in the warehouse of that database."""
    file = folder / "lilliput.yaml"
    settings = {
        "name": "Lilliput University",
        "source": {"kind": "spreadsheet", **source},
        "limits": {"max_removed_share": 1},
    }
    file.write_text(json.dumps(settings))
    return sites.Site(config.load(file), dsn)


@pytest.fixture
def place(warehouse_dsn: str, tmp_path: Path) -> sites.Site:
    return make_place(warehouse_dsn, tmp_path)


def write(folder: Path, text: str | bytes, name: str = "publications.csv") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def send(place: sites.Site, text: str | bytes, groups: str | None = None, **named) -> dict:
    """Send files and import them; give the import's object."""
    folder = place.institution.folder / "sent"
    hierarchy = write(folder, groups, "hierarchy.csv") if groups else None
    files = flow.examine(place, write(folder, text), hierarchy, "librarian")
    return do_import(place, files, **named)


def do_import(place: sites.Site, files: uploads.Sent | uploads.Again | None = None, **named) -> dict:
    approved = named.pop("approved", False)
    request = Request(run_key=f"upload-{next(runs)}", stays=True, **named)
    import_id = flow.run(place, request, files=files, approved=approved)
    with database.connect(place.dsn) as connection:
        return dict(descriptions.object_of(connection, import_id))


def again(place: sites.Site, number: int, **named) -> dict:
    return do_import(place, flow.again(place, number, "librarian"), **named)


def ends(made: dict) -> tuple[int, ...]:
    tally = made["tally"]["outputs"]
    return tuple(tally[end] for end in ("added", "updated", "unchanged", "removed"))


def listed(place: sites.Site) -> list[dict]:
    with database.connect(place.dsn) as connection:
        return uploads.listed(connection, place.institution.slug)


def kept(place: sites.Site) -> list[int]:
    """The numbers of the sets whose content is still there."""
    with database.connect(place.dsn) as connection:
        rows = connection.execute("select id from ops.upload where publications is not null order by id").fetchall()
    return [row[0] for row in rows]


def test_a_second_upload_replaces_the_first(place: sites.Site):
    first = send(place, FIRST, HIERARCHY)
    assert first["status"] == "succeeded"
    assert ends(first) == (3, 0, 0, 0)
    second = send(place, SECOND)  # the groups of the first go along
    assert ends(second) == (1, 1, 1, 1)
    assert second["tally"]["removed_because"] == {"absent": 1}
    shown = published(place)
    assert [o["key"] for o in shown["outputs"]] == ["doi:10.5555/a", "doi:10.5555/b", "doi:10.5555/d"]
    assert shown["outputs"][1]["departments"] == ["Faculty of Science > School of Biology"]
    assert [d["key"] for d in shown["departments"]] == [
        "name:faculty of arts",
        "name:faculty of science",
        "name:school of biology",
    ]


def test_an_import_without_files_reads_the_newest_set_again(place: sites.Site):
    send(place, FIRST, HIERARCHY)
    send(place, SECOND)
    before = published(place)
    assert ends(do_import(place)) == (0, 0, 3, 0)
    assert published(place) == before


def test_each_of_the_last_four_published_sets_can_be_published_again(place: sites.Site):
    states = []
    for n in range(5):
        send(
            place,
            f'{FIRST}"Number, {n}",Faculty of Arts,10.5555/n{n}\n',
            HIERARCHY if n != 2 else HIERARCHY + "Lilliput University,New,\n",
        )
        states.append(published(place))
    assert kept(place) == [2, 3, 4, 5]
    third_last = again(place, 3)
    assert ends(third_last) == (1, 0, 3, 1)
    assert published(place) == states[2]
    assert kept(place) == [2, 4, 5, 6]  # the same set is kept once, as the newest
    assert [made["again_of"] for made in listed(place)] == [3, None, None, None, None, None]
    assert do_import(place)["tally"]["outputs"]["unchanged"] == 4  # and it stays
    assert published(place) == states[2]
    with pytest.raises(HaltedError, match="upload 1 of lilliput cannot be published again; these can: 6, 5, 4, 2"):
        flow.again(place, 1, "librarian")


def test_who_when_what_and_the_report_are_kept_but_older_contents_are_not(place: sites.Site):
    for n in range(6):
        send(place, HEADER + f'"Gulliver, L <gulliver@lilliput.example>",,10.5555/{n}\n"Nobody",,\n')
    rows = listed(place)
    assert [row["id"] for row in rows] == [6, 5, 4, 3, 2, 1]
    assert {row["uploaded_by"] for row in rows} == {"librarian"}
    assert all((row["rows_uploaded"], row["rows_valid"], row["rows_rejected"]) == (2, 1, 1) for row in rows)
    assert [row["can_be_published_again"] for row in rows] == [True] * 4 + [False] * 2
    assert [row["current"] for row in rows] == [True] + [False] * 5
    with database.connect(place.dsn) as connection:
        whole = connection.execute("select string_agg(report::text, '') from ops.upload").fetchall()[0][0]
        contents = connection.execute("select publications from ops.upload where id = 6", binary=True).fetchall()[0][0]
    assert "no_identifier" in whole
    assert "gulliver@" not in whole
    assert b"gulliver@" in contents


def test_a_file_that_cannot_be_read_changes_nothing(place: sites.Site):
    send(place, FIRST, HIERARCHY)
    before = published(place)
    for text, groups in ((b"PK\x03\x04rest", None), (FIRST, HIERARCHY + "Lilliput University,,Gap\n"), ("", None)):
        with pytest.raises(SourceError):
            send(place, text, groups)
    assert published(place) == before
    assert len(listed(place)) == 1


def test_a_dry_run_stores_nothing_that_an_import_would_read(place: sites.Site):
    send(place, FIRST, HIERARCHY)
    before = published(place)
    tried = send(place, SECOND, dry_run=True)
    assert tried["status"] == "dry_run"
    assert ends(tried) == (1, 1, 1, 1)
    assert published(place) == before
    assert kept(place) == [1]
    assert ends(do_import(place)) == (0, 0, 3, 0)
    assert [row["state"] for row in listed(place)] == ["dry run", "succeeded"]


def test_a_set_that_was_declined_is_not_read_again(warehouse_dsn: str, tmp_path: Path):
    place = make_place(warehouse_dsn, tmp_path)
    strict = sites.Site(
        place.institution.model_copy(update={"limits": config.Limits(max_removed_share=0.1)}), place.dsn
    )
    strict.institution._path = place.institution.path
    many = HEADER + "".join(f'"Gulliver, Lemuel",,10.5555/{n}\n' for n in range(60))
    send(place, many)
    waiting = send(strict, FIRST)
    assert waiting["status"] == "awaiting_approval"
    assert kept(place) == [1, 2]
    with pytest.raises(BusyError):
        send(place, SECOND)
    assert len(listed(place)) == 2, "what is refused is not stored"
    flow.answer(strict, waiting["import_id"], approved=False, by="librarian")
    flow.close_staging(strict, waiting["import_id"])
    assert kept(place) == [1]
    assert ends(do_import(strict)) == (0, 0, 60, 0)


def test_a_set_that_was_sent_and_failed_gives_way_to_what_is_published(
    place: sites.Site, monkeypatch: pytest.MonkeyPatch
):
    send(place, FIRST, HIERARCHY)

    def refuse(*_args) -> None:
        raise HaltedError("too_many_rejected", "no")

    with monkeypatch.context() as patch:
        patch.setattr(flow, "_not_too_many", refuse)
        with pytest.raises(HaltedError):
            send(place, SECOND)
    assert ends(do_import(place)) == (0, 0, 3, 0)


def test_a_task_reads_the_set_that_its_import_was_opened_with(place: sites.Site):
    """Tasks run in other processes: what they read follows from the import's row, whatever was sent meanwhile."""
    folder = place.institution.folder / "sent"
    opened = flow.open_import(place, Request(run_key="first"), flow.examine(place, write(folder, FIRST), None, "a"))
    with database.connect(place.dsn) as connection:
        uploads.choose(connection, "lilliput", flow.examine(place, write(folder, SECOND), None, "b"), trial=False)
        connection.commit()
        assert imports.get(connection, opened).upload == 1
        assert uploads.current(connection, "lilliput") == 2
    flow.go_on(place, opened)
    assert [o["key"] for o in published(place)["outputs"]] == ["doi:10.5555/a", "doi:10.5555/b", "doi:10.5555/c"]
    assert ends(do_import(place)) == (1, 0, 2, 1)


@pytest.mark.parametrize("second", [None, SECOND])
def test_an_upload_that_was_cut_off_goes_on_or_gives_way_to_a_newer_one(place: sites.Site, second: str | None):
    folder = place.institution.folder / "sent"
    opened = flow.open_import(place, Request(run_key="cut"), flow.examine(place, write(folder, FIRST), None, "a"))
    flow.plan_parts(place, opened, stays=True)
    with database.connect(place.dsn) as connection:
        dead = {"host": socket.gethostname(), "pid": 2**22 + 1, "started": 0}
        connection.execute("update ops.lease set holder = %s", (json.dumps(dead),))
        connection.commit()
    made = send(place, second) if second else do_import(place)
    assert made["status"] == "succeeded"
    assert (made["import_id"] == opened) == (second is None)
    assert ends(made) == (3, 0, 0, 0)
    assert [o["key"][-1] for o in published(place)["outputs"]] == (["a", "b", "d"] if second else ["a", "b", "c"])


def test_an_institution_whose_yaml_names_its_files_takes_no_uploads(warehouse_dsn: str, tmp_path: Path):
    write(tmp_path, FIRST)
    named = make_place(warehouse_dsn, tmp_path, publications="publications.csv")
    with pytest.raises(SourceError, match="takes no uploads"):
        send(named, SECOND)
    write(tmp_path, HIERARCHY, "groups.csv")
    grouped = make_place(warehouse_dsn, tmp_path, hierarchy="groups.csv")
    with pytest.raises(SourceError, match="send the publications file alone"):
        send(grouped, SECOND, HIERARCHY)
    assert send(grouped, FIRST)["tally"]["departments"]["published"] == 3


# --- a watched folder


def drop(folder: Path, name: str, text: str, *, age: float = 3600) -> None:
    path = write(folder, text, name)
    then = time.time() - age
    os.utime(path, (then, then))


def test_a_watched_folder_is_imported_as_it_fills(warehouse_dsn: str, tmp_path: Path):
    folder = tmp_path / "drop"
    place = make_place(warehouse_dsn, tmp_path, watch="drop")
    drop(folder, "hierarchy.csv", HIERARCHY, age=9000)
    drop(folder, "publications.csv", FIRST, age=9000)
    assert ends(do_import(place)) == (3, 0, 0, 0)
    assert ends(do_import(place)) == (0, 0, 3, 0)
    assert len(listed(place)) == 1, "the same files are not stored again"
    drop(folder, "publications.csv.part", SECOND, age=5000)
    drop(folder, "late.csv", SECOND, age=-PATIENCE)  # just now, however slow the machine is
    assert ends(do_import(place)) == (0, 0, 3, 0)
    drop(folder, "late.csv", SECOND, age=600)
    assert ends(do_import(place)) == (1, 1, 1, 1)
    row = listed(place)[0]
    assert (row["origin"], row["publications_name"], row["hierarchy_name"]) == ("watched", "late.csv", "hierarchy.csv")
    send(place, FIRST)  # what a person sends is newer than what lies there
    assert ends(do_import(place)) == (0, 0, 3, 0)
    assert len(published(place)["departments"]) == 3


def test_a_watched_file_that_cannot_be_read_fails_the_import_until_it_is_mended(warehouse_dsn: str, tmp_path: Path):
    folder = tmp_path / "drop"
    place = make_place(warehouse_dsn, tmp_path, watch=folder.as_uri())
    drop(folder, "publications.csv", FIRST, age=9000)
    do_import(place)
    before = published(place)
    drop(folder, "publications.csv", "%PDF-1.7", age=600)
    for _ in range(2):
        with pytest.raises(SourceError, match="a PDF"):
            do_import(place)
    assert published(place) == before
    assert listed(place)[0]["refused"].startswith("publications.csv: This is a PDF")
    drop(folder, "publications.csv", SECOND, age=300)
    assert ends(do_import(place)) == (1, 0, 2, 1)


def test_the_newest_set_of_a_folder():
    store = fsspec.filesystem("memory")
    store.pipe({
        "/nightly/publications_2026-11-19.csv": b"old", "/nightly/publications_2026-11-20.csv": b"new",
        "/nightly/Groups 2026-11-20.csv": b"groups", "/nightly/departments-2026-11-18.json": b"{}",
        "/nightly/.publications_2026-11-21.csv": b"hidden", "/nightly/publications_2026-11-21.csv.tmp": b"half",
        "/nightly/readme.md": b"", "/nightly/archive/publications_2026-11-22.csv": b"below",
    })  # fmt: skip
    now = datetime.now(UTC)
    found = watched.newest("memory://nightly", now + timedelta(minutes=5))
    assert found.publications == watched.File("publications_2026-11-20.csv", b"new")
    assert found.hierarchy == watched.File("Groups 2026-11-20.csv", b"groups")
    assert "may not be whole yet" in (watched.newest("memory://nightly", now).waits or "")
    store.rm("/nightly", recursive=True)


def test_a_folder_that_cannot_be_read(tmp_path: Path):
    now = datetime.now(UTC)
    with pytest.raises(SourceError, match="cannot be read"):
        watched.newest(tmp_path / "nowhere", now)
    with pytest.raises(SourceError, match="cannot be read"):
        watched.newest("nosuch://bucket/exports", now)
    with pytest.raises(SourceError, match=r"needs a package that is not installed \(Install s3fs"):
        watched.newest("s3://bucket/exports", now)
    assert "no CSV file" in (watched.newest(tmp_path, now).waits or "")


# --- the command line


def test_the_commands(explorer: Callable[..., Result], place: sites.Site, tmp_path: Path):
    yaml = place.institution.path
    first = explorer("upload", yaml, write(tmp_path, FIRST), write(tmp_path, HIERARCHY, "h.csv"), "--by", "Gulliver")
    assert first.exit_code == 0, first.output
    assert "publications.csv: 3 rows uploaded, 3 valid, 0 rejected." in first.stdout
    second = explorer("upload", yaml, write(tmp_path, SECOND), "--json")
    assert second.exit_code == 0
    assert json.loads(second.stdout)["tally"]["outputs"]["removed"] == 1
    shown = json.loads(explorer("uploads", "lilliput", "--json").stdout)
    assert [(row["id"], row["hierarchy_name"], row["can_be_published_again"]) for row in shown] == [
        (2, "h.csv", True), (1, "h.csv", True),
    ]  # fmt: skip
    assert shown[1]["uploaded_by"] == "Gulliver"
    tried = json.loads(explorer("upload", yaml, "--again", 1, "--dry-run", "--json").stdout)
    assert tried["status"] == "dry_run"
    assert tried["tally"]["outputs"]["added"] == 1
    assert json.loads(explorer("upload", yaml, "--again", 1, "--json").stdout)["tally"]["outputs"]["added"] == 1
    text = explorer("uploads", "lilliput").stdout
    assert "publications.csv + h.csv (upload 1 again)" in text
    assert "dry run" in text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04", "publications.csv: This is an Excel or OpenDocument workbook"),
        (b"", "publications.csv: The file is empty"),
        (b"Author,Title\nGulliver,Travels\n", "No column holds an identifier"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_one_sentence(
    explorer: Callable[..., Result], place: sites.Site, tmp_path: Path, content: bytes, sentence: str
):
    refused = explorer("upload", place.institution.path, write(tmp_path, content))
    assert refused.exit_code == 2
    assert refused.stdout == ""
    said = " ".join(refused.stderr.split())
    assert sentence in said
    assert said.endswith("nothing was stored and nothing has changed")
    with database.connect(place.dsn) as connection:
        assert connection.execute(
            "select (select count(*) from ops.upload), (select count(*) from ops.import)"
        ).fetchall() == [(0, 0)]


def test_a_wrong_call(explorer: Callable[..., Result], place: sites.Site, tmp_path: Path):
    yaml = place.institution.path
    assert explorer("upload", yaml).exit_code == 2
    assert explorer("upload", yaml, write(tmp_path, FIRST), "--again", 1).exit_code == 2
    missing = explorer("upload", yaml, "--again", 7)
    assert missing.exit_code == 2
    assert "upload 7 of lilliput cannot be published again; these can: none" in " ".join(missing.stderr.split())


def test_check_prints_the_report(explorer: Callable[..., Result], warehouse_dsn: str, tmp_path: Path):
    folder = tmp_path / "drop"
    drop(folder, "publications.csv", HEADER + '"Gulliver, L",,doi:10.5555/a\n"Skyresh, B",,\n')
    make_place(warehouse_dsn, tmp_path, watch="drop")
    text = explorer("check", tmp_path / "lilliput.yaml")
    assert text.exit_code == 0, text.output
    assert "publications.csv: 2 rows uploaded, 1 valid, 1 rejected." in text.stdout
    assert "row 2, DOI “doi:10.5555/a” became “10.5555/a”" in text.stdout
    made = json.loads(explorer("check", tmp_path / "lilliput.yaml", "--json").stdout)["report"]
    assert (made["uploaded"], made["valid"], made["rejected"]) == (2, 1, 1)
    rejected = next(entry for entry in made["entries"] if entry["weight"] == "rejected")
    assert (rejected["row"], rejected["code"]) == (3, "no_identifier")
    assert rejected["to_do"]
    assert explorer("check", tmp_path / "lilliput.yaml", "--csv").stdout.startswith('\ufeff"file"')


def test_check_before_anything_was_sent(explorer: Callable[..., Result], place: sites.Site):
    said = explorer("check", place.institution.path)
    assert said.exit_code == 1
    assert "No publications file was sent yet" in " ".join(said.stdout.split())


def test_what_is_said_of_a_whole_file_reaches_the_books(
    explorer: Callable[..., Result], place: sites.Site, tmp_path: Path
):
    """The guess of an encoding with its words, columns that are ignored; again and again the same."""
    text = "Title of the list\nAuthor;Department;DOI;Colour\nGullivér, Lemuél;;10.5555/a;red\n"
    done = explorer("upload", place.institution.path, write(tmp_path, text.encode("cp1252")), "--json")
    assert done.exit_code == 0, done.output
    with database.connect(place.dsn) as connection:
        rows = connection.execute(
            "select code, entity, place, value from ops.record_note where entity = 'part' order by code"
        ).fetchall()
    assert [row[:3] for row in rows] == [
        (code, "part", "publications")
        for code in ("encoding_guessed", "ignored_columns", "no_groups_file", "title_lines")
    ]
    assert "Gullivér" in rows[0][3]
    assert rows[1][3] == "Colour"


# --- the worked examples, from the file to the export

EXAMPLES = [
    "coauthors_by_semicolon", "coauthors_per_row", "hierarchy_funder", "hierarchy_pharmaceutical", "hierarchy_university",
    "larger_multi_id", "multi_departments", "multi_group_types", "university_minimal", "../broken/nul_and_numbers",
]  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_guide_from_file_to_export(
    explorer: Callable[..., Result], warehouse_dsn: str, tmp_path: Path, example: str
):
    folder = sample(f"csv/seed_examples/{example}")
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    if (folder / "publications.csv").exists():
        make_place(warehouse_dsn, tmp_path)
        call = ("upload", tmp_path / "lilliput.yaml", folder / "publications.csv", folder / "hierarchy.csv", "--json")
    else:
        make_place(warehouse_dsn, tmp_path, hierarchy=str(folder / "hierarchy.csv"))
        call = ("import", tmp_path / "lilliput.yaml", "--json")
    done = explorer(*call)
    assert done.exit_code == 0, done.output
    tally = json.loads(done.stdout)["tally"]["outputs"]
    assert (tally["extracted"], tally["rejected"]) == (expected["rows"]["read"], expected["rows"]["rejected"])
    outputs, authors, departments = (
        json.loads(explorer("export", "lilliput", what, "--json").stdout)
        for what in ("outputs", "authors", "departments")
    )
    assert {
        o["key"]: shape(o["identifiers"], [a["name"] for a in o["authors"]], o["departments"]) for o in outputs
    } == {o["key"]: shape(o["identifiers"], o["authors"], o["departments"]) for o in expected["outputs"]}
    assert Counter(a["name"] for a in authors) == Counter(expected["authors"])
    links = [(a["name"], path) for a in authors for path in a["departments"]]
    assert sorted(links) == sorted(map(tuple, expected["links"]["author_department"]))
    assert sorted((d["path"], d["level"], d["outputs_direct"], d["outputs_rolled_up"]) for d in departments) == sorted(
        (d["path"], d["level"], d["outputs_direct"], d["outputs_rolled_up"]) for d in expected["departments"]
    )
    assert noted(warehouse_dsn) == wanted(expected["notes"])


def shape(identifiers: dict, authors: list[str], departments: list[str]) -> tuple:
    return {scheme: sorted(values) for scheme, values in identifiers.items()}, sorted(authors), sorted(departments)


def noted(dsn: str) -> Counter:
    """Notes that were written down: code, severity, rows, column, value, what it became, values that belong together."""
    with database.connect(dsn) as connection:
        rows = connection.execute(
            "select code, severity, place, field, value, repaired_to from ops.record_note"
        ).fetchall()
    found = Counter()
    for code, severity, place, field, value, repaired_to in rows:
        if code == "departments_without_outputs":
            found[code, severity, (), None, None, None, tuple(sorted(value.split("\n")))] += 1
        elif code == "identifier_conflict":
            found[code, severity, numbers(place), None, None, None, (field, *sorted(value.split(", ")))] += 1
        else:
            found[code, severity, numbers(place), field, None if field is None else value, repaired_to, ()] += 1
    return found


def numbers(place: str) -> tuple[int, ...]:
    """The rows of "row 2, row 3", in the order in which they stand there."""
    return tuple(int(row.removeprefix("row ")) for row in place.split(", "))


def wanted(notes: list[dict]) -> Counter:
    """The same of an example's notes; what is said of several rows, one by one, is a note for each."""
    found = Counter()
    for note in notes:
        code, severity, column = note["code"], note["severity"], note.get("column")
        value = (note.get("value") or "").replace("\0", "␀") or None
        values = tuple(sorted(note.get("values", ())))
        if code in {"output_in_several_rows", "identifier_conflict", "departments_without_outputs"}:
            of_scheme = (note["scheme"], *values) if "scheme" in note else values
            found[code, severity, tuple(note.get("rows", ())), None, None, None, of_scheme] += 1
            continue
        for row in note.get("rows", [note.get("row")]):
            found[code, severity, (row,), column, value if column else None, note.get("to"), ()] += 1
    return found
