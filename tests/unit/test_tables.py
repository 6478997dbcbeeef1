"""A delimited file of any make becomes a header and rows with a spreadsheet program's numbers."""

import contextlib
import csv
import io
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer import tables
from explorer.tables import Table, TableRefused, clean, column_letter, guarded, open_table, unguarded

NAMES = {"author", "authors", "department", "doi", "pmid", "arxiv"}


def known(name: str) -> bool:
    return name.lower() in NAMES


def read(content: str | bytes, encoding: str = "utf-8") -> Table:
    return open_table(content.encode(encoding) if isinstance(content, str) else content, known=known)


def rows(table: Table) -> list[tuple[int, tuple[str, ...]]]:
    return [(row.number, row.cells) for row in table.rows()]


LILLIPUT = 'Author,Department,DOI\n"Carberry, Josiah",School of Pottery,10.5555/a\n"Brush, Painter",,10.5555/b\n'
READ = [(2, ("Carberry, Josiah", "School of Pottery", "10.5555/a")), (3, ("Brush, Painter", "", "10.5555/b"))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_line_ends_encodings_and_delimiters(end: str, encoding: str, delimiter: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerows(csv.reader(io.StringIO(LILLIPUT)))
    table = read(text.getvalue().replace("Josiah", "Jósiah"), encoding)
    assert table.delimiter == delimiter
    assert table.header == ("Author", "Department", "DOI")
    assert rows(table) == [(2, ("Carberry, Jósiah", *READ[0][1][1:])), READ[1]]


def test_mixed_line_ends() -> None:
    assert rows(read("Author,DOI\r\nA,1\rB,2\nC,3")) == [(2, ("A", "1")), (3, ("B", "2")), (4, ("C", "3"))]


def test_blank_rows_count_but_are_not_read() -> None:
    table = read("Author,DOI,,\n,,,\nA,1,,\n \t, \u00a0,,\n\nB,2,,\n")
    assert table.header == ("Author", "DOI")
    assert [(number, cells[:2]) for number, cells in rows(table)] == [(3, ("A", "1")), (6, ("B", "2"))]


def test_a_line_break_in_a_cell_adds_no_row() -> None:
    table = read('Author,DOI\r\n"A\r\nB",1\r\nC,2\r\n')
    assert rows(table) == [(2, ("A\r\nB", "1")), (3, ("C", "2"))]


def test_titles_above_the_header() -> None:
    table = read("Outputs of Lilliput;;\n;;\nInstitution;Author;DOI\nL;A;1\n")
    assert (table.header_row, table.header) == (3, ("Institution", "Author", "DOI"))
    assert rows(table) == [(4, ("L", "A", "1"))]
    assert [(note.code, note.value) for note in table.notes] == [("title_lines", "Outputs of Lilliput")]


def test_a_header_is_found_where_no_name_is_known() -> None:
    table = read("\nx,y\n1,2\n")
    assert (table.known, table.header_row, table.header) == (0, 2, ("x", "y"))


def test_row_names_without_a_header_of_their_own() -> None:
    table = read("Author,DOI\n1,A,x\n2,B,y\n3,C,z\n")
    assert table.header == ("", "Author", "DOI")
    assert rows(table)[1] == (3, ("2", "B", "y"))
    assert [note.code for note in table.notes] == ["ordinal_column"]


def test_a_filled_column_without_a_name_counts_as_a_column() -> None:
    assert read("Author,DOI,\nA,1,x\nB,2,y\n").header == ("Author", "DOI", "")


def test_cells_that_slid_out_of_their_columns_stay_behind_the_header() -> None:
    table = read("Author,DOI,\nBrush, Painter,1\nB,2,\nC,3,\n")
    assert table.header == ("Author", "DOI")
    assert rows(table)[0] == (2, ("Brush", " Painter", "1"))


def test_short_rows_are_filled_up() -> None:
    assert rows(read("Author,Department,DOI\nA\n")) == [(2, ("A", "", ""))]


def test_a_delimiter_inside_quotes_does_not_count() -> None:
    table = read('Author;DOI\n"A, B, C, D; E, F";1\n"G, H, I; J";2\n')
    assert (table.delimiter, rows(table)[0]) == (";", (2, ("A, B, C, D; E, F", "1")))


def test_one_column_alone_is_not_split() -> None:
    table = read("DOI\n10.1002/(SICI)1097-0258(19980815)17:15<1661::AID-SIM968>3.0.CO;2-2\n")
    assert len(table.header) == 1
    assert len(rows(table)[0][1]) == 1


def test_excels_own_hint_decides_and_is_no_row() -> None:
    table = read("sep=;\r\nAuthor;DOI\r\nA,B;1\r\n")
    assert (table.delimiter, table.header_row, rows(table)) == (";", 1, [(2, ("A,B", "1"))])


# --- quotes


def test_an_open_quote_spoils_its_own_row_alone_and_is_said() -> None:
    table = read('Author,DOI\nA,1\nB,"2\nC,3\n"D, E",4\n')
    read_rows = list(table.rows())
    assert [(row.number, row.problem is None) for row in read_rows] == [(2, True), (3, False), (4, True), (5, True)]
    assert read_rows[1].problem == "The quotation mark that opens in column B of row 3 is never closed."
    assert read_rows[3].cells == ("D, E", "4")


def test_an_open_quote_at_the_end_of_a_long_file() -> None:
    lines = ["Author,DOI", *(f"A{n},{n}" for n in range(1000)), '"B,x', *(f"C{n},{n}" for n in range(1000))]
    found = list(read("\n".join(lines)).rows())
    assert len(found) == 2001
    assert [row.number for row in found if row.problem] == [1002]


def test_stray_quotes_are_text() -> None:
    table = read('Author,DOI\nA 5" disk,1\n"B" C,2\n"D ""the"" E",3\n')
    assert [cells[0] for _, cells in rows(table)] == ['A 5" disk', "B C", 'D "the" E']


def test_thousands_of_open_quotes_refuse_the_file() -> None:
    table = read("Author,DOI\n" + 'x,"y\nx,z"w\n' * (tables.MOST_UNCLOSED + 1))
    with pytest.raises(TableRefused, match="quotation mark"):
        list(table.rows())


def test_a_cell_too_long_for_a_table_is_a_problem_of_its_row() -> None:
    found = list(read(f"Author,DOI\nA,{'x' * csv.field_size_limit()}y\nB,2\n").rows())
    assert [row.problem is None for row in found] == [False, True]


def test_a_line_without_end_is_no_table() -> None:
    with pytest.raises(TableRefused, match="characters"):
        read("Author,DOI\n" + "x" * (tables.LONGEST_LINE + 1))


# --- encodings

GERMAN = "Author,DOI\nMüller Jörg,1\nGroße Käthe,2\nUniversität Zürich,3\nÖzil Änne,4\n"
FRENCH = "Author,DOI\nLefèvre François,1\nGarçon Zoé,2\nNoël Hélène,3\n"
SPANISH = "Author,DOI\nMuñoz Ángel,1\nGarcía Íñigo,2\nFernández Asunción,3\n"


@pytest.mark.parametrize("encoding", ["cp1252", "cp850", "mac_roman"])
@pytest.mark.parametrize("text", [GERMAN, FRENCH, SPANISH])
def test_old_encodings_are_told_apart_and_said_with_names(text: str, encoding: str) -> None:
    table = read(text, encoding)
    assert table.encoding == encoding
    assert [cells[0] for _, cells in rows(table)] == [line.split(",")[0] for line in text.splitlines()[1:]]
    (note,) = table.notes
    assert (note.code, note.severity) == ("encoding_guessed", "warning")
    first = text.splitlines()[1].split(",")[0]
    assert first in note.message
    assert first in table.encoding_note


def test_windows_letters_that_look_odd_elsewhere_stay() -> None:
    assert read("Author,DOI\nŠkoda Tomáš,1\nO’Brien Zoë,2\nWójcik,3\n", "cp1252").encoding == "cp1252"


def test_a_byte_far_behind_decides_too() -> None:
    text = "Author,DOI\n" + "Brush,10.5555/a\n" * 200_000 + "Müller,10.5555/b\n"
    table = read(text, "cp1252")
    assert table.encoding == "cp1252"
    assert list(table.rows())[-1].cells[0] == "Müller"


def test_a_few_odd_bytes_do_not_garble_the_rest() -> None:
    content = GERMAN.encode() + "Bjørn,5\n".encode("cp1252")
    table = read(content)
    assert table.encoding == "utf-8"
    assert rows(table)[0][1][0] == "Müller Jörg"
    assert rows(table)[-1][1][0] == "Bjørn"
    assert table.notes[0].code == "encoding_guessed"
    assert table.samples == ("Bjørn",)


def test_text_that_was_garbled_before_is_said() -> None:
    table = read(GERMAN.encode().decode("cp1252"))
    assert [note.code for note in table.notes] == ["garbled_text"]


def test_no_mail_address_is_shown_as_a_sample() -> None:
    table = read("Author,DOI\njörg@lilliput.example,1\n", "cp1252")
    assert table.samples == ()
    assert "@" not in str(table.notes)


# --- what is refused


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b" \r\n\t\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b",,,\n,,,\n", "nothing"),
        (b"PK\x03\x04\x14\x00\x06\x00", "Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old one \\(xls\\) or one with a password"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\n <!DOCTYPE html><html>", "web page"),
        (b"<html><body><table>", "web page"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(32)) * 20, "binary"),
        ("Author,DOI\nA,1\n".encode("utf-16-le"), "UTF-16"),
        ("Author,DOI\nA,1\n".encode("utf-16")[:-1], "cut off"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(content: bytes, what: str) -> None:
    with pytest.raises(TableRefused, match=what) as refused:
        read(content)
    assert "CSV UTF-8" in str(refused.value)


def test_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(TableRefused, match="more than the 10"):
        open_table(b"Author,DOI\nA,1\n", max_bytes=10)


# --- the small things


def test_clean() -> None:
    assert clean("\ufeff School of\r\nBiology\u00a0\u200b") == "School of Biology"
    assert clean("pain\0ter") == "painter"
    assert clean("  a  b ") == "a b"


@given(st.text())
def test_clean_is_idempotent(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(st.text())
def test_guarded_text_comes_back(text: str) -> None:
    assert unguarded(guarded(clean(text))) == clean(text) or clean(text).startswith("'")


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@x", " =1", "＝1", "\t=1"])
def test_formulas_are_guarded(formula: str) -> None:
    assert guarded(formula) == "'" + formula
    assert unguarded("'" + formula) == clean(formula)


def test_column_letters() -> None:
    assert [column_letter(at) for at in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


# --- any table that a spreadsheet program can write

CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")) | st.sampled_from('\n",;\t'))
TABLES = st.integers(1, 5).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=8))


@given(
    TABLES, st.sampled_from(",;\t"), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), st.sampled_from(["\n", "\r\n"])
)
def test_whatever_was_written_is_read(body: list[list[str]], delimiter: str, encoding: str, end: str) -> None:
    width = len(body[0]) if body else 1
    header = ["DOI", "PMID", "Author", "Department", "arXiv"][:width]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([header, *body])
    table = read(text.getvalue(), encoding)
    visible = [tuple(cells) for cells in body if any(cell.strip(tables._BLANK) for cell in cells)]
    assert table.header[: len(header)] == tuple(header)
    assert [row.cells for row in table.rows()] == visible
    assert all(row.problem is None for row in table.rows())


@given(st.binary(max_size=400))
def test_any_bytes_are_a_table_or_refused(content: bytes) -> None:
    with contextlib.suppress(TableRefused):
        numbers = [row.number for row in read(b"Author,DOI\n" + content).rows()]
        assert all(a < b for a, b in itertools.pairwise(numbers))


def test_a_file_is_read_as_its_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "publications.csv"
    path.write_bytes(GERMAN.encode("mac_roman"))
    assert rows(open_table(path, known=known)) == rows(read(GERMAN, "mac_roman"))
    assert open_table(path).digest == read(GERMAN, "mac_roman").digest
