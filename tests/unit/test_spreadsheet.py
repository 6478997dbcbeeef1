"""Rows of a publications spreadsheet become outputs, and everything mended, left out or refused is said."""

import csv
import errno
import functools
import io
import json
import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from explorer import config, report
from explorer.polite_http import PoliteSession
from explorer.records import Department, Output, Record
from explorer.sheet import author_key, canonical_orcid
from explorer.sources import Page, Plan, SourceError
from explorer.sources import spreadsheet as spreadsheets
from explorer.sources.spreadsheet import DEPARTMENTS, PUBLICATIONS, SpreadsheetSource
from tests.faults import fuzz_spreadsheets
from tests.samples import sample
from tests.scripted_server import Asked, Reply, serving

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "spreadsheets"
FULL = Plan("full")
BY_ROW = {"invalid_identifier", "implausible_identifier", "repaired", "repeated_row", "authors_share_departments"}


def source(publications: Path | None, groups: Path | None = None, **settings: object) -> SpreadsheetSource:
    return replace(SpreadsheetSource(publications, groups, hash_key=b"secret"), **settings)


def fixture(name: str, groups: str | None = None, **settings: object) -> SpreadsheetSource:
    return source(FIXTURES / name, FIXTURES / groups if groups else None, **settings)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[object]:
    """Writes the text of a publications file (and perhaps of groups) and gives the source over them."""

    def write(text: str, groups: str | None = None, **settings: object) -> SpreadsheetSource:
        (tmp_path / "publications.csv").write_bytes(text.encode())
        if groups is not None:
            (tmp_path / "groups.csv").write_bytes(groups.encode())
        return source(tmp_path / "publications.csv", tmp_path / "groups.csv" if groups else None, **settings)

    return write


def records(of: SpreadsheetSource) -> list[Record]:
    return [record for part in of.parts(FULL) for page in of.read(part, FULL, None) for record in page.records]


def outputs(of: SpreadsheetSource) -> dict[int, Output]:
    """Outputs by row number."""
    found = [record for record in records(of) if isinstance(record, Output)]
    return {int((output.place or "").removeprefix("row ")): output for output in found}


def identifiers(output: Output) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for identifier in output.identifiers:
        if not identifier.derived:
            found.setdefault(identifier.scheme, set()).add(identifier.value)
    return found


def notes(of: SpreadsheetSource) -> list[tuple[str, int, str | None]]:
    return [(note.code, row, note.field) for row, output in outputs(of).items() for note in output.notes]


def names(output: Output) -> list[str]:
    return [contribution.name for contribution in output.contributions]


# --- the guide's examples, with the results that were worked out for them


def paths(found: list[Record]) -> dict[str, str]:
    by_key: dict[str, str] = {}
    for record in found:
        if isinstance(record, Department):
            by_key[record.key] = " > ".join([*(by_key[parent] for parent in record.parents), record.name])
    return by_key


@pytest.mark.parametrize(
    "example",
    [
        "seed_examples/coauthors_by_semicolon",
        "seed_examples/coauthors_per_row",
        "seed_examples/larger_multi_id",
        "seed_examples/multi_departments",
        "seed_examples/multi_group_types",
        "seed_examples/university_minimal",
        "broken/nul_and_numbers",
    ],
)
def test_an_example_of_the_guide(example: str) -> None:
    folder = sample(f"csv/{example}")
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    of = source(folder / "publications.csv", folder / "hierarchy.csv")
    path = paths(records(of))
    rows = outputs(of)
    assert len(rows) == expected["rows"]["read"]
    assert sum(output.refusal is None for output in rows.values()) == expected["rows"]["kept"]
    assert sum(output.refusal is not None for output in rows.values()) == expected["rows"]["rejected"]
    for wanted in expected["outputs"]:
        made = [rows[row] for row in wanted["rows"]]
        found: dict[str, set[str]] = {}
        for output in made:
            for scheme, values in identifiers(output).items():
                found.setdefault(scheme, set()).update(values)
        assert found == {scheme: set(values) for scheme, values in wanted["identifiers"].items()}
        assert {name for output in made for name in names(output)} == set(wanted["authors"])
        assert {path[key] for output in made for key in output.departments} == set(wanted["departments"])
    links = {
        (contribution.name, path[key])
        for output in rows.values()
        for contribution in output.contributions
        for key in contribution.departments
    }
    assert links == {tuple(link) for link in expected["links"]["author_department"]}
    columns = of.sheet().columns
    roles = {columns.name(at): role for role, at in columns.by_role.items()}
    roles |= {columns.name(at): scheme for at, scheme in columns.identifiers}
    roles |= {columns.name(at): f"section:{name}" for at, name in columns.sections}
    assert roles == expected["columns"]


@pytest.mark.parametrize(
    "example",
    [
        "coauthors_by_semicolon",
        "coauthors_per_row",
        "larger_multi_id",
        "multi_departments",
        "../broken/nul_and_numbers",
    ],
)
def test_the_notes_of_an_example(example: str) -> None:
    folder = sample(f"csv/seed_examples/{example}")
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    wanted = [
        (note["code"], row, note.get("column"), note["severity"], note.get("value"), note.get("to"))
        for note in expected["notes"]
        if note["code"] in BY_ROW
        for row in note.get("rows", [note.get("row")])
    ]
    rows = outputs(source(folder / "publications.csv", folder / "hierarchy.csv"))
    found = [
        (note.code, row, note.field, note.severity, note.value, note.repaired_to)
        for row, output in rows.items()
        for note in output.notes
    ]
    visible = [(*note[:4], (note[4] or "").replace("\0", "␀") or None, note[5]) for note in wanted]
    assert Counter(note[:4] for note in found) == Counter(note[:4] for note in visible)
    of_columns = [note for note in found if note[2]]
    assert Counter(of_columns) == Counter(note for note in visible if note[2])


# --- real files


@pytest.mark.parametrize(
    ("file", "table_is", "rows", "rejected", "dois"),
    [
        ("bern_2021_title-line_cp1252_semicolon_mixed-doi-forms.csv", (3, "cp1252", ";"), 89, 2, 87),
        ("oldenburg_2021_bom_semicolon_crlf_duplicate-row.csv", (1, "utf-8", ";"), 102, 0, 101),
        ("barcelona_2010_tab_crlf_authors.csv", (1, "utf-8", "\t"), 8, 0, 8),
        ("mainz_2018_macroman_lone-cr_doi-prefix.csv", (1, "mac_roman", ";"), 79, 0, 79),
    ],
)
def test_a_real_file(file: str, table_is: tuple[int, str, str], rows: int, rejected: int, dois: int) -> None:
    of = source(sample(f"csv/openapc/{file}"))
    table = of.sheet().table
    assert (table.header_row, table.encoding, table.delimiter) == table_is
    found = outputs(of).values()
    assert (len(found), sum(output.refusal is not None for output in found)) == (rows, rejected)
    values = {i.value for output in found for i in output.identifiers if i.scheme == "doi"}
    assert len(values) == dois


def test_what_the_real_files_show() -> None:
    mainz = source(sample("csv/openapc/mainz_2018_macroman_lone-cr_doi-prefix.csv")).sheet().table
    assert mainz.samples == ("Johannes Gutenberg Universität Mainz",)
    barcelona = outputs(source(sample("csv/openapc/barcelona_2010_tab_crlf_authors.csv")))
    assert names(barcelona[2])[3] == "J.M."
    assert names(barcelona[9])[-1] == "Margarita Aguas, Montserrat Pons and Ricardo Fuertes"
    oldenburg = source(sample("csv/openapc/oldenburg_2021_bom_semicolon_crlf_duplicate-row.csv"))
    assert [code for code, _, _ in notes(oldenburg)].count("repeated_row") == 1


# --- our own files, over the same ground


def test_rows_authors_and_departments() -> None:
    rows = outputs(fixture("publications.csv", "hierarchy.csv"))
    assert list(rows) == [2, 3, 4, 5, 6]
    assert identifiers(rows[4]) == {"doi": {"10.5555/painting"}, "pmid": {"12345"}, "arxiv": {"2101.00001"}}
    assert names(rows[5]) == ["Thomas, Eve", "Jones, Peter", "Willis, Sarah"]
    assert rows[5].departments == ("name:lilliput urban cities research centre",)
    both = ("name:school of biology", "name:school of painting")
    assert [contribution.departments for contribution in rows[6].contributions] == [both, both]
    assert [output.key for output in rows.values()] == [None] * 5
    assert notes(fixture("publications.csv", "hierarchy.csv")) == [("authors_share_departments", 6, None)]


def test_sections_in_place_of_departments() -> None:
    of = fixture("sections.csv", "sections_hierarchy.csv")
    rows = outputs(of)
    assert of.sheet().columns.summary().count("section:") == 3
    assert rows[2].departments == ("name:united states", "name:hematology", "name:manuscript")
    assert rows[3].departments == ("name:united states", "name:emerging markets", "name:multiple sclerosis")
    assert rows[4].departments == ("name:manuscript",)
    assert notes(of) == [("unknown_department", 4, "Geography")]
    assert "another section" in rows[4].notes[0].message


def test_a_title_windows_1252_and_semicolons() -> None:
    of = fixture("title_cp1252_semicolon.csv", columns={"Autor": "author", "Jahr": "year"})
    rows = outputs(of)
    assert {row: identifiers(output).get("doi") for row, output in rows.items()} == {
        4: {"10.5555/a1"},
        5: {"10.5555/a2"},
        6: {"10.5555/a3"},
        7: None,
    }
    assert [output.year for output in rows.values()] == [2021, 2020, None, None]
    assert [names(output) for output in rows.values()][1] == ["Özil, Änne"]
    refusal = rows[7].refusal
    assert refusal is not None
    assert (refusal.rule, refusal.field, refusal.value) == ("no_identifier", "doi", "not yet published")


def test_mac_roman_and_lone_carriage_returns() -> None:
    rows = outputs(fixture("mac_roman_lone_cr.csv"))
    assert {row: names(output) for row, output in rows.items()} == {2: ["Müller, Jörg"], 3: ["Größe, Änne"]}


def test_a_repeated_row_is_kept_and_said() -> None:
    rows = outputs(fixture("bom_crlf_repeated_row.csv"))
    assert [note.code for note in rows[4].notes] == ["repeated_row"]
    assert rows[4].notes[0].value == "row 2"
    assert rows[4].identifiers == rows[2].identifiers


def test_tabs_and_names_that_are_not_taken_apart() -> None:
    rows = outputs(fixture("tabs.csv"))
    assert identifiers(rows[2]) == {"doi": {"10.5555/t1"}}
    assert rows[2].title == 'On "fishes"'
    assert names(rows[2]) == ["Blanco E", "Ruiz M"]
    assert names(rows[3]) == ["Delas J, Adan E and Fuertes R"]


def test_numbers_that_a_spreadsheet_program_spoilt() -> None:
    of = fixture("spoilt_numbers.csv", "hierarchy.csv")
    rows = outputs(of)
    assert [identifiers(output) for output in rows.values()] == [
        {"doi": {"10.5555/psyceramics"}},
        {"pmid": {"12345"}},
        {"doi": {"10.5555/x"}, "pmid": {"23467"}, "arxiv": {"1000.1000"}},
        {"doi": {"10.5555/x"}, "pmid": {"23467"}, "arxiv": {"1000.1000"}},
    ]
    assert sorted(notes(of), key=str) == [
        ("implausible_identifier", 4, "arXiv"),
        ("invalid_identifier", 2, "PMID"),
        ("invalid_identifier", 3, "DOI"),
        ("invalid_identifier", 3, "arXiv"),
        ("repaired", 3, "PMID"),
        ("repaired", 4, "DOI"),
        ("repaired", 4, "Department"),
        ("repaired", 4, "PMID"),
        ("repeated_row", 5, None),
    ]


def test_departments_with_ids_of_their_own() -> None:
    rows = outputs(fixture("publications.csv", "departments.csv"))
    assert rows[2].departments == ("pottery",)
    assert [note.code for note in rows[5].notes] == ["unknown_department"]


# --- people


def test_who_an_author_is() -> None:
    rows = outputs(fixture("people.csv"))
    keys = {row: [contribution.author for contribution in output.contributions] for row, output in rows.items()}
    josiah = author_key("", orcid="", local="", address="josiah@lilliput.example", hash_key=b"secret")
    simon = author_key("", orcid="", local="", address=" Simon@Lilliput.example ", hash_key=b"secret")
    assert keys[2] == ["orcid:0000-0002-1825-0097"]
    assert keys[3] == ["id:B1"]
    assert keys[4] == [josiah, simon]  # by position; the case of an address does not count
    assert keys[5] == ["name:brush, painter", "name:science, simon"]
    assert keys[6] == [josiah]
    assert keys[7] == []
    assert names(rows[6]) == ["Carberry, Josiah"]
    assert rows[2].contributions[0].ids == {"orcid": "0000-0002-1825-0097"}
    assert notes(fixture("people.csv")) == [
        ("ids_do_not_match", 5, "E-mail"),
        ("invalid_orcid", 6, "ORCID iD"),
        ("address_removed", 6, "Author"),
        ("address_removed", 7, "Author"),
        ("no_author", 7, "Author"),
    ]
    assert josiah.startswith("mail:")
    assert len(josiah) == len("mail:") + 32


def test_no_mail_address_goes_anywhere(written: object) -> None:
    text = (
        "Author,Staff ID,Email,Department,DOI,PMID,Title\n"
        "A <a1@b.example>,a2@b.example,a3@b.example,a4@b.example,10.5555/a a5@b.example,a6@b.example,By a7@b.example\n"
        "B,b,nonsense@,,c@d.example,,\n"
        "a8@b.example,,,,10.5555/b,,,a9@b.example\n"
    )
    of = written(text, "Top,Level 1\nL,Arts\n")
    shown = of.report()
    told = [str(records(of)), str(list(of.check())), report.as_csv(shown), report.as_text(shown)]
    assert not [
        text for text in [*told, json.dumps(report.as_json(shown))] if "b.example" in text or "d.example" in text
    ]
    assert of.report().uploaded == 3


@pytest.mark.parametrize(
    ("value", "orcid"),
    [
        ("0000-0002-1825-0097", "0000-0002-1825-0097"),
        ("https://orcid.org/0000-0002-1694-233x", "0000-0002-1694-233X"),
        ("000000021694233X", "0000-0002-1694-233X"),
        ("0000-0002-1825-0098", None),
        ("٠٠٠٠-0002-1825-0097", None),
        ("Carberry", None),
        ("", None),
    ],
)
def test_orcids(value: str, orcid: str | None) -> None:
    assert canonical_orcid(value) == orcid


def test_an_author_twice_in_a_cell_is_one(written: object) -> None:
    rows = outputs(written('Author,DOI\n"Brush, P; BRUSH,  P;",10.5555/a\n'))
    assert names(rows[2]) == ["Brush, P"]
    assert [note.code for note in rows[2].notes] == ["repaired"]


def test_names_keep_what_is_odd_about_them(written: object) -> None:
    rows = outputs(written("Author,DOI\n\"'=Brush\n Painter; -; O'Brien\",10.5555/a\n"))
    assert names(rows[2]) == ["=Brush Painter", "-", "O'Brien"]


# --- departments in a row


@pytest.mark.parametrize(
    ("cell", "keys", "codes"),
    [
        ("School of Pottery", ["pottery"], []),
        (" School of Pottery ;; ", ["pottery"], []),
        ("school of  pottery", ["pottery"], ["repaired"]),
        ("School of Pottery; School of Pottery", ["pottery"], ["repaired"]),
        ("School of Potery; School of Painting", ["painting"], ["unknown_department"]),
        ("Arts; Crafts", ["crafts"], []),
        ("Crafts; Arts", [], ["unknown_department", "unknown_department"]),
        ("", [], ["no_department"]),
    ],
)
def test_departments_of_a_cell(cell: str, keys: list[str], codes: list[str], written: object) -> None:
    groups = 'name,id\nSchool of Pottery,pottery\nSchool of Painting,painting\n"Arts; Crafts",crafts\n'
    rows = outputs(written(f'Author,Department,DOI\nA,"{cell}",10.5555/a\n', groups))
    assert list(rows[2].departments) == keys
    assert [note.code for note in rows[2].notes] == codes
    assert rows[2].refusal is None


# --- columns


@pytest.mark.parametrize(
    ("header", "roles"),
    [
        ("AUTHORS,PubMed_ID,Ads  bibcode,NCT number", {"author": 0, "pmid": 1, "ads": 2, "nct_id": 3}),
        ("\ufeffauthor ,department,arXiv ID,e-mail", {"author": 0, "department": 1, "arxiv": 2, "email": 3}),
        ("RePEc,Handle,URN,ISBN,URI,DOI", {"repec": 0, "handle": 1, "urn": 2, "isbn": 3, "uri": 4, "doi": 5}),
    ],
)
def test_headers_in_any_spelling(header: str, roles: Mapping[str, int], written: object) -> None:
    columns = written(header + "\nx,x,x,x,x,x\n").sheet().columns
    assert {**columns.by_role, **{scheme: at for at, scheme in columns.identifiers}} == roles


def test_the_institutions_own_mapping_goes_first(written: object) -> None:
    text = "Wer,Author,Author full names,DOI,Nummer\nA,B,C,10.5555/a,1\n"
    of = written(text, columns={"wer": "author", "Nummer": "pmid", "DOI": "ignore"})
    assert names(outputs(of)[2]) == ["A"]
    assert identifiers(outputs(of)[2]) == {"pmid": {"1"}}
    assert of.sheet().columns.ignored == ("Author", "Author full names", "DOI")


@pytest.mark.parametrize(
    ("text", "settings", "what"),
    [
        ("Author,Authors,DOI\nA,B,10.5555/a\n", {}, "Two columns could be the author: “Author” .A. and “Authors” .B."),
        ("DOI,doi\n10.5555/a,10.5555/b\n", {}, "Two columns could be the doi"),
        ("Author,Department\nA,B\n", {}, "No column holds an identifier"),
        ("x,y\n1,2\n", {}, "No header was found"),
        ("Author,DOI\nA,10.5555/a\n", {"columns": {"Author": "writer"}}, "allowed are ads, arxiv"),
        ("", {}, "empty"),
        ("<html><table><tr>", {}, "web page"),
        ("PK\x03\x04", {}, "CSV UTF-8"),
    ],
)
def test_a_file_that_is_refused_whole(text: str, settings: Mapping[str, object], what: str, written: object) -> None:
    of = written(text, **settings)
    with pytest.raises(SourceError, match=what) as refused:
        records(of)
    assert str(refused.value).startswith("publications.csv: ")
    assert [finding.ok for finding in of.check()][-1] is False


def test_groups_that_break_a_rule_refuse_the_import(written: object) -> None:
    of = written("Author,DOI\nA,10.5555/a\n", "Top Level,Level 1\nL,A\nM,B\n")
    with pytest.raises(SourceError, match="row 3, column Top Level"):
        records(of)


def test_what_is_said_of_a_whole_file(written: object) -> None:
    def codes(of: SpreadsheetSource) -> list[str]:
        return [note.code for note in of.sheet().notes]

    assert codes(written("DOI,Price\n10.5555/a,1\n")) == ["ignored_columns", "no_author_column", "no_department_column"]
    assert codes(written("Author,Department,DOI\nA,B,10.5555/a\n")) == ["no_groups_file"]


def test_columns_that_were_mapped_and_are_gone(written: object) -> None:
    of = written("Author,DOI\nA,10.5555/a\n", columns={"Autorin": "author", "DOI": "doi"})
    assert [note.value for note in of.sheet().notes if note.code == "missing_columns"] == ["Autorin"]


def test_a_column_mapped_to_a_section(written: object) -> None:
    groups = "Top,Level 1,Level 2\nL,Geography,Lilliput\n"
    text = "Where,geography,DOI\nLilliput,Blefuscu,10.5555/a\n"
    of = written(text, groups, columns={"Where": "section:Geography", "geography": "ignore"})
    assert outputs(of)[2].departments == ("name:lilliput",)
    assert written(text, groups, columns={"geography": "section"}).sheet().columns.sections == ((1, "geography"),)
    with pytest.raises(SourceError, match="no Level 1 group"):
        written(text, groups, columns={"Where": "section"}).sheet()


def test_files_behind_addresses() -> None:
    replies = {f"/{name}": (FIXTURES / name).read_bytes() for name in ("publications.csv", "hierarchy.csv")}

    def answer(asked: Asked) -> Reply:
        return Reply(replies[asked.path]) if asked.path in replies else Reply(status=404)

    local = functools.partial(PoliteSession, allow_http=True, allow_private_hosts=True)
    with serving(answer) as server:
        of = SpreadsheetSource(
            f"{server.url}/publications.csv", f"{server.url}/hierarchy.csv", b"secret", session=local
        )
        assert outputs(of) == outputs(fixture("publications.csv", "hierarchy.csv"))
        with pytest.raises(SourceError, match="HTTP 404"):
            records(replace(of, publications=f"{server.url}/other.csv"))


@pytest.mark.parametrize(
    ("groups", "departments", "key"),
    [
        (", hierarchy: hierarchy.csv", "source", "name:school of pottery"),
        (", hierarchy: hierarchy.csv", "none", None),
        ("", "{file: departments.csv}", "pottery"),
    ],
)
def test_the_source_of_an_institution(groups: str, departments: str, key: str | None, tmp_path: Path) -> None:
    for name in ("publications.csv", "hierarchy.csv", "departments.csv"):
        (tmp_path / name).write_bytes((FIXTURES / name).read_bytes())
    file = tmp_path / "lilliput.yaml"
    block = f"{{kind: spreadsheet, publications: publications.csv{groups}, columns: {{arXiv: ignore}}}}"
    file.write_text(f"name: Lilliput University\nsource: {block}\ndepartments: {departments}\n", "utf-8")
    of = spreadsheets.source(config.load(file), None, hash_key=b"secret")
    assert outputs(of)[2].departments == ((key,) if key else ())
    assert [part.name for part in of.parts(FULL)] == (["departments"] if key else []) + ["publications"]
    assert "arXiv" in of.sheet().columns.ignored


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no file"):
        records(source(tmp_path / "publications.csv"))
    with pytest.raises(SourceError, match="is a folder; name a file in it"):
        records(source(tmp_path))
    with pytest.raises(SourceError, match="No publications file was sent yet"):
        records(source(None))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))  # root may read everything

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(SourceError, match=r"publications\.csv cannot be read \(Permission denied\); mend"):
        records(source(tmp_path / "publications.csv"))


# --- rows that are refused


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("Brush,,", "no_identifier"),
        ("Brush,n.a.,2.67E+07", "no_identifier"),
        ("Brush, Painter,10.5555/a,12345", "too_many_cells"),
        ('"Brush,10.5555/a,', "unreadable_row"),
    ],
)
def test_a_row_that_is_refused(row: str, rule: str, written: object) -> None:
    rows = outputs(written(f"Author,DOI,PMID\nA,10.5555/x,\n{row}\nB,10.5555/y,\n"))
    assert [output.refusal.rule if output.refusal else None for output in rows.values()] == [None, rule, None]
    refusal = rows[3].refusal
    assert refusal is not None
    assert len(refusal.reason) > 30


def test_an_identifier_cell_is_never_split(written: object) -> None:
    doi = "10.1002/(sici)1097-0258(19980815)17:15<1661::aid-sim968>3.0.co;2-2"
    assert identifiers(outputs(written(f'DOI,PMID\n"{doi}",1\n'))[2])["doi"] == {doi}


# --- pages and cursors


def pages(of: SpreadsheetSource, cursor: Mapping[str, object] | None = None) -> list[Page]:
    return list(of.read(PUBLICATIONS, FULL, cursor))


def test_reading_goes_on_behind_any_page(written: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "PAGE_ROWS", 3)
    lines = [f'"A\n{n}",10.5555/{n % 7}' for n in range(10)] + ["", '"A\n3",10.5555/3']
    of = written("Author,DOI\n" + "\n".join(lines))
    whole = pages(of)
    assert [len(page.records) for page in whole] == [3, 3, 3, 2]
    assert [page.cursor is None for page in whole] == [False, False, False, True]
    for at, page in enumerate(whole[:-1]):
        rest = pages(of, page.cursor)
        assert [p.records for p in rest] == [p.records for p in whole[at + 1 :]]
        assert not rest[0].restart
    assert whole[3].records[-1].notes[0].code == "repeated_row"


def test_another_file_begins_again(written: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "PAGE_ROWS", 1)
    cursor = pages(written("Author,DOI\nA,10.5555/a\nB,10.5555/b\n"))[0].cursor
    again = pages(written("Author,DOI\nC,10.5555/c\nD,10.5555/d\n"), cursor)
    assert [page.restart for page in again] == [True, False]
    assert [record.place for page in again for record in page.records] == ["row 2", "row 3"]


def test_departments_come_in_pages_too(written: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "PAGE_ROWS", 2)
    of = written("DOI\n10.5555/a\n", "Top,Level 1\n" + "".join(f"L,Group {n}\n" for n in range(5)))
    whole = list(of.read(DEPARTMENTS, FULL, None))
    assert [len(page.records) for page in whole] == [2, 2, 1]
    assert list(of.read(DEPARTMENTS, FULL, whole[0].cursor)) == whole[1:]


def test_a_header_without_rows_is_an_empty_page(written: object) -> None:
    (page,) = pages(written("Author,DOI\n"))
    assert (page.records, page.cursor) == ([], None)


def test_the_order_of_rows_does_not_matter_to_any_row(written: object) -> None:
    header, *lines = (FIXTURES / "publications.csv").read_text("utf-8").splitlines()
    groups = (FIXTURES / "hierarchy.csv").read_text("utf-8")
    ordered = {replace_place(output) for output in outputs(written("\n".join([header, *lines]), groups)).values()}
    random.Random(1).shuffle(lines)
    assert {replace_place(o) for o in outputs(written("\n".join([header, *lines]), groups)).values()} == ordered


def replace_place(output: Output) -> str:
    return repr(replace(output, place=None))


# --- the report


def test_the_report_adds_up_and_says_where() -> None:
    found = fixture("spoilt_numbers.csv", "hierarchy.csv").report()
    assert (found.uploaded, found.valid, found.rejected) == (4, 4, 0)
    entry = next(entry for entry in found.entries if entry.column == "PMID" and entry.row == 3)
    assert (entry.value, entry.repaired_to, entry.weight, entry.code) == ("12345.0", "12345", "info", "repaired")
    assert found.left_out == 0
    assert json.loads(json.dumps(report.as_json(found)))["counts"]["invalid_identifier"] == 3


def test_the_report_as_csv_disarms_formulas() -> None:
    text = report.as_csv(fixture("spoilt_numbers.csv", "hierarchy.csv").report())
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert [row["value"] for row in rows if row["column"] == "DOI"][-1].startswith("'=HYPERLINK")


def test_the_report_as_text() -> None:
    text = report.as_text(fixture("title_cp1252_semicolon.csv").report())
    assert "4 rows uploaded, 3 valid, 1 rejected." in text
    assert "row 7, doi “not yet published”: " in text
    assert "Windows-1252" in text
    assert "Publikationen der Universität Laputa" in text


def test_a_long_report_is_cut_but_counts_on(written: object) -> None:
    of = written("Author,DOI\n" + "A,x\n" * 300)
    found = report.report_on("publications.csv", {}, (), of.sheet().outputs(), most=10)
    assert (len(found.entries), found.left_out, found.rejected) == (10, 290, 300)
    assert "and 290 more" in report.as_text(found)


def test_check_shows_what_a_person_has_to_see() -> None:
    findings = {finding.name: finding for finding in fixture("title_cp1252_semicolon.csv").check()}
    assert "Universität Laputa" in findings["encoding"].detail
    assert findings["delimiter"].detail == "semicolon"
    assert findings["header"].detail.startswith("row 3")
    assert "doi = doi" in findings["columns"].detail
    assert findings["rows"].detail == "4 uploaded, 3 valid, 1 rejected"
    assert findings["no_identifier"].detail == "in 1 place"
    assert "row 4: doi:10.5555/a1" in findings["sample"].detail
    assert findings["no_author_column"].fix


def test_check_of_files_that_are_fine() -> None:
    assert all(finding.ok for finding in fixture("publications.csv", "hierarchy.csv").check())


# --- spoilt files


def test_five_hundred_spoilt_files_end_in_a_report_or_a_refusal() -> None:
    seed = int(os.environ.get("EXPLORER_FUZZ_SEED", "4"))
    ends = fuzz_spreadsheets.run(count=500, seed=seed)
    assert ends.total() == 500
    assert ends["read"] > 50
    assert ends["refused"] > 10
