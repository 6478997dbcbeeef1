"""Bytes of a delimited text file become a header and rows, however a spreadsheet program or a script wrote them.

Encoding, delimiter and header row are found out and said; nothing is guessed silently. The file is read as a stream:
one pass decides how to decode it, a sample decides the dialect, and every reading of the rows is another pass. Memory
does not grow with the file. What real files do wrong was counted on 7,023 CSV files of institutions.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import itertools
import re
import unicodedata
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from explorer.records import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Content = bytes | Path
Encoding = Literal["utf-8", "utf-16", "utf-32", "cp1252", "cp850", "mac_roman"]

MAX_BYTES = 2 * 1024**3
CHUNK = 1024**2
SAMPLE_LINES = 500
SAMPLE_CHARACTERS = 256 * 1024
HEADER_WITHIN = 50  # rows
LONGEST_LINE = 1024**2  # characters
LONGEST_CELL_LINES = 200  # a quoted cell of more lines is a quote that was never closed
MOST_UNCLOSED = 1000
DELIMITERS = (",", ";", "\t")

SAVE_AS = "save it as “CSV UTF-8 (comma delimited)” in the spreadsheet program and send that file"
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab"}
ENCODING_NAMES: dict[str, str] = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "utf-32": "UTF-32",
    "cp1252": "Windows-1252",
    "cp850": "DOS code page 850",
    "mac_roman": "Mac Roman",
}

_BOMS: tuple[tuple[bytes, Encoding], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: it begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"pk\x03\x04", "an Excel or OpenDocument workbook (or another zip archive)"),
    (b"pk\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook, an old one (xls) or one with a password"),
    (b"%pdf", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"{\\rtf", "a Rich Text document"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"<table", "a web page"),
    (b"<?xml", "an XML document"),
    (b"<", "a web page or XML document"),
)
_BLANK = (
    "".join(map(chr, range(33)))
    + "\x7f\x85\xa0\u1680\u180e\u200b\u200c\u200d\u2060\u202f\u205f\u3000\ufeff"
    + ("".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029")
)
_UNSEEN = {ord(letter): None for letter in _BLANK if not letter.isspace()}
MAIL_ADDRESS = re.compile(r"[^\s@<>;,()\[\]\"']{1,64}@[^\s@<>;,()\[\]\"']{1,255}")
_FORMULA = re.compile("\\s*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]|[\t\r]")


class TableRefused(Exception):  # noqa: N818 (a verdict, and read as one)
    """The file cannot be read as a table. The message is one sentence with what to do about it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row. ``number`` is the one that a spreadsheet program shows; ``cells`` are as they stand in the file.

    There are at least as many cells as the header has columns. ``problem`` says why the row cannot be trusted.
    """

    number: int
    cells: tuple[str, ...]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A delimited file that was looked at and can be read, as often as wanted, with ``rows``."""

    content: Content
    encoding: Encoding
    encoding_note: str  # how the text was decoded, with some of its words where that was a guess
    samples: tuple[str, ...]  # words with letters beyond ASCII, as decoded: a person sees whether they are right
    delimiter: str
    header: tuple[str, ...]  # trimmed; "" where a column has no name
    header_row: int
    known: int  # how many header cells the caller knew
    digest: str  # BLAKE2b of the bytes, hex, 128 bits
    notes: tuple[Note, ...] = ()
    _dialect: _Dialect = field(default_factory=lambda: _Dialect(","), repr=False, compare=False)

    def rows(self) -> Iterator[Row]:
        """The rows below the header that are not blank. Raises ``TableRefused`` where the file stops being a table."""
        width = len(self.header)
        with _text(self.content, self.encoding) as text:
            lines = _physical_lines(text, collapse=self._dialect.collapse)
            for row in _numbered(lines, self._dialect):
                if row.number <= self.header_row or is_blank(row):
                    continue
                cells = row.cells + ("",) * (width - len(row.cells)) if len(row.cells) < width else row.cells
                yield Row(row.number, cells, row.problem)


@dataclass(frozen=True, slots=True)
class _Dialect:
    delimiter: str
    collapse: bool = False  # CR CR LF ends one line, not two
    skip: int = 0  # lines in front that a spreadsheet program does not show ("sep=;")


@dataclass(frozen=True, slots=True)
class _Decoding:
    encoding: Encoding
    note: str
    words: tuple[str, ...]
    digest: str
    repaired: tuple[Note, ...] = ()


def open_table(
    content: Content, *, known: Callable[[str], bool] = lambda _name: False, max_bytes: int = MAX_BYTES
) -> Table:
    """Looks at a file (its bytes or its path) and says how to read it.

    ``known`` tells whether a header cell bears a name that the caller can use. The header is the row with most of such
    names among the first rows, or the first row that is not blank (``Table.known`` is 0 then). Raises
    ``TableRefused``.
    """
    _refuse_foreign(content, max_bytes)
    decoding = _decoding(content)
    sample, collapse = _sample(content, decoding.encoding)
    skip, forced = _separator_line(sample)
    candidates = [
        (_Dialect(delimiter, collapse, skip), _sample_rows(sample, _Dialect(delimiter, collapse, skip)))
        for delimiter in (forced or DELIMITERS)
    ]
    dialect, rows = max(candidates, key=lambda candidate: _likeness(candidate[1], known))
    if not any(letter.isalnum() for row in rows for cell in row.cells for letter in cell):
        raise TableRefused(f"There is nothing in this file but blanks; {SAVE_AS}.")
    at, hits = _header_at(rows, known)
    below = [row.cells for row in rows[at + 1 :]]
    header, ordinal = _columns(tuple(masked(clean(cell)) for cell in rows[at].cells), below)
    notes = list(decoding.repaired)
    if at > 0:
        skipped = "; ".join(" ".join(filter(None, map(clean, row.cells)))[:80] for row in rows[:at])
        message = f"The header was found in row {rows[at].number}; the rows above it were left out."
        notes.append(Note("title_lines", message, value=masked(skipped)[:300]))
    if ordinal:
        notes.append(Note("ordinal_column", "The rows begin with a number that the header has no column for."))
    return Table(
        content=content,
        encoding=decoding.encoding,
        encoding_note=decoding.note,
        samples=decoding.words,
        delimiter=dialect.delimiter,
        header=header,
        header_row=rows[at].number,
        known=hits,
        digest=decoding.digest,
        notes=tuple(notes),
        _dialect=dialect,
    )


def clean(cell: str) -> str:
    """A cell without control characters, with single blanks inside and none around (Unicode blanks included)."""
    if cell.isprintable() and "  " not in cell:  # no blank but U+0020, nothing that cannot be seen
        return cell.strip()
    return " ".join(cell.translate(_UNSEEN).split())


def guarded(text: str) -> str:
    """A text for a CSV export, with an apostrophe in front where a spreadsheet program would run it as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """A cell, clean, without the apostrophe that ``guarded`` puts in front."""
    text = cell.lstrip()
    return clean(text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text)


def is_blank(row: Row) -> bool:
    """Whether no cell of the row holds anything that can be seen."""
    return not row.problem and not any(cell.strip(_BLANK) for cell in row.cells)


def masked(text: str) -> str:
    """The text without any mail address: these identify people and are never shown or kept."""
    return MAIL_ADDRESS.sub("(mail address)", text) if "@" in text else text


def column_letter(position: int) -> str:
    """The name that a spreadsheet program gives a column: 0 is A, 26 is AA."""
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


# --- what is no text table at all


def _open(content: Content) -> BinaryIO:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _refuse_foreign(content: Content, max_bytes: int) -> None:
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if size > max_bytes:
        raise TableRefused(f"The file has {size:,} bytes, more than the {max_bytes:,} allowed; send it in parts.")
    with _open(content) as stream:
        head = stream.read(CHUNK // 16)
    if not head.strip(b"\0\t\n\r \xef\xbb\xbf\xfe\xff"):
        raise TableRefused(f"The file is empty; {SAVE_AS}.")
    front = head.lstrip(b"\xef\xbb\xbf\t\n\r ").lower()
    for magic, what in _FOREIGN:
        if front.startswith(magic):
            raise TableRefused(f"This is {what}, not a CSV file; {SAVE_AS}.")
    if any(head.startswith(bom) for bom, _ in _BOMS):
        return
    nul = head.count(0)
    if nul > len(head) // 4 and (nul == head[0::2].count(0) or nul == head[1::2].count(0)):
        raise TableRefused(f"This is UTF-16 text without its byte order mark; {SAVE_AS}.")
    controls = sum(head.count(code) for code in range(32) if code not in b"\t\n\r\x0b\x0c\x1a")
    if controls > max(8, len(head) // 10):
        raise TableRefused(f"This is a binary file, not text; {SAVE_AS}.")


# --- encoding


def _text(content: Content, encoding: Encoding) -> io.TextIOWrapper:
    """The decoded text, with its line ends as they are. Odd bytes in UTF-8 are read as Windows-1252."""
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    return io.TextIOWrapper(_open(content), encoding=codec, errors=_errors(encoding), newline="")


def _errors(encoding: Encoding) -> str:
    return _ODD_BYTES if encoding == "utf-8" else "replace" if encoding in _LEGACY else "strict"


_ODD_BYTES = "explorer-windows-1252"


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_ODD_BYTES, _as_windows_1252)

_UTF8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]+")
_PHRASE = re.compile(rb"[^\r\n,;\t\"\0]{0,60}[\x80-\xff][^\r\n,;\t\"\0]{0,60}")
_LONE_RETURN = re.compile(rb"\r[^\r\n]")
_ASCII = bytes(range(128))
_MOST_PHRASES = 5000
_FIRST_PHRASES = 200


def _decoding(content: Content) -> _Decoding:
    """Decides the encoding over the whole file: a later byte cannot contradict it."""
    with _open(content) as stream:
        head = stream.read(4)
    marked = next((encoding for bom, encoding in _BOMS if head.startswith(bom)), None)
    digest, valid = _read_through(content, marked or "utf-8")
    if marked in ("utf-16", "utf-32"):
        if not valid:
            name = ENCODING_NAMES[marked]
            raise TableRefused(f"The file says that it is {name}, but is not (perhaps it was cut off); {SAVE_AS}.")
        return _Decoding(marked, f"{ENCODING_NAMES[marked]}, as its byte order mark says", (), digest)
    if valid:
        words = _words(_first_phrases(content), "utf-8")
        how = "with byte order mark" if marked else "without byte order mark"
        return _Decoding("utf-8", f"UTF-8, {how}", words, digest, _garbled(words))
    survey = _survey(content)
    mostly = marked == "utf-8" or survey.high > 2 * survey.odd
    encoding = "utf-8" if mostly else _legacy_encoding(survey)
    words = _words(tuple(survey.phrases), encoding)
    how = (
        f"UTF-8 but for {survey.odd} bytes that were read as Windows-1252"
        if mostly
        else f"not UTF-8 and was read as {ENCODING_NAMES[encoding]}"
    )
    message = (
        f"The file is {how}. Look at these words before you publish, and {SAVE_AS} if they are wrong: {_quoted(words)}."
    )
    note = Note("encoding_guessed", message, "warning", value=", ".join(words) or None)
    return _Decoding(encoding, f"{how}: {_quoted(words)}", words, digest, (note,))


def _read_through(content: Content, encoding: Encoding) -> tuple[str, bool]:
    """The digest of the bytes, and whether all of them are sound in an encoding."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    digest = hashlib.blake2b(digest_size=16)
    valid = True
    with _open(content) as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            valid = valid and _decodes(decoder, chunk)
    return digest.hexdigest(), valid and _decodes(decoder, b"", final=True)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _is_utf8(phrase: bytes) -> bool:
    return _decodes(codecs.getincrementaldecoder("utf-8")(), phrase, final=True)


@dataclass(slots=True)
class _Survey:
    """The bytes beyond ASCII in a file that is not all UTF-8."""

    phrases: dict[bytes, None] = field(default_factory=dict)  # those that are no UTF-8
    high: int = 0
    odd: int = 0  # of these: not part of a UTF-8 letter
    lone_returns: bool = False


def _survey(content: Content) -> _Survey:
    found = _Survey()
    with _open(content) as stream:
        while chunk := stream.read(CHUNK):
            found.lone_returns = found.lone_returns or _LONE_RETURN.search(chunk) is not None
            if chunk.isascii():
                continue
            found.high += len(chunk.translate(None, _ASCII))
            found.odd += len(_UTF8_LETTER.sub(b"", chunk).translate(None, _ASCII))
            if len(found.phrases) < _MOST_PHRASES:
                odd = (match[0].strip() for match in _PHRASE.finditer(chunk) if not _is_utf8(match[0]))
                found.phrases.update(dict.fromkeys(itertools.islice(odd, _MOST_PHRASES)))
    return found


def _first_phrases(content: Content) -> list[bytes]:
    """Some phrases with letters beyond ASCII, of the first chunk that has any."""
    with _open(content) as stream:
        while chunk := stream.read(CHUNK):
            if not chunk.isascii():
                return [match[0].strip() for match in itertools.islice(_PHRASE.finditer(chunk), _FIRST_PHRASES)]
    return []


def _words(phrases: Sequence[bytes], encoding: Encoding) -> tuple[str, ...]:
    """Up to five different pieces of text as decoded, for a person to look at; never a mail address."""
    texts = (clean(phrase.decode(encoding, _errors(encoding))) for phrase in phrases)
    return tuple(
        itertools.islice(dict.fromkeys(text[:80] for text in texts if not text.isascii() and "@" not in text), 5)
    )


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"“{word}”" for word in words) or "(none to show)"


_TWICE_ENCODED = re.compile("[ÃÂ][\u0080-\u00bf\u0152-\u0178\u2018-\u2122]|\ufffd")


def _garbled(words: Sequence[str]) -> tuple[Note, ...]:
    bad = [word for word in words if _TWICE_ENCODED.search(word)]
    if not bad:
        return ()
    message = f"Some words look garbled already inside the file: {_quoted(bad)}. Export it again as UTF-8."
    return (Note("garbled_text", message, "warning", value=", ".join(bad)),)


def _legacy_encoding(survey: _Survey) -> Encoding:
    """Windows-1252, unless it fails or puts signs or capitals inside words, and another does so less."""
    pieces = (piece for phrase in survey.phrases for piece in _PIECE.findall(phrase))
    words = [piece for piece in pieces if not piece.isascii()]
    wrong: dict[Encoding, float] = {}
    for encoding in _LEGACY:
        decoded = [word.decode(encoding, "replace") for word in words]
        wrong[encoding] = sum(map(_looks_wrong, decoded)) / max(1, len(words))
        if encoding != "cp1252":  # both read most bytes as some letter: the rarer letters tell them apart
            wrong[encoding] += 0.1 * sum(map(_rarity, decoded)) / max(1, len(words))
    if survey.lone_returns:
        wrong["cp850"] += 0.05
    other: Encoding = "cp850" if wrong["cp850"] < wrong["mac_roman"] else "mac_roman"
    return "cp1252" if wrong["cp1252"] <= max(_FEW, wrong[other]) else other


_LEGACY: tuple[Encoding, ...] = ("cp1252", "cp850", "mac_roman")
_PIECE = re.compile(rb"[A-Za-z\x80-\xff'-]+")
_FEW = 0.1  # of the words may look wrong: people do write odd words
_DASHES = "\u2013\u2014"
_INSIDE = "\u2018\u2019\xad\xa0"  # apostrophes, soft hyphen, no-break space


def _looks_wrong(word: str) -> bool:
    """Whether a decoded word has a sign inside, or a capital or small letter where none would stand."""
    around = zip(" " + word, word, word[1:] + " ", strict=False)
    return any(_out_of_place(before, letter, after) for before, letter, after in around if not letter.isascii())


def _out_of_place(before: str, letter: str, after: str) -> bool:
    if letter.isalpha():
        in_small = letter.isupper() and (before.islower() or (before.isupper() and after.islower()))
        in_capitals = letter.islower() and before.isupper() and after.isupper()
        return in_small or in_capitals
    if letter == "\ufffd" or (unicodedata.category(letter) in {"Cc", "So", "Sm"} and letter not in "®©°"):
        return True
    dash = letter in _DASHES and not (before.islower() and after.islower())
    return before.isalpha() and after.isalpha() and letter not in _INSIDE and not dash


_COMMON = frozenset("äöüéßÄÖÜ\u2019")
_USUAL = frozenset("àáâãåæçèêëíîïñóôõøúûœšžÀÁÂÅÇÈÉÊÍÑÓÔØÚŠŽ°®\u2018\u201c\u201d\u2013\u2014")


def _rarity(word: str) -> float:
    return sum(0.0 if c.isascii() or c in _COMMON else 0.3 if c in _USUAL else 1.0 for c in word)


# --- lines and records


def _physical_lines(text: io.TextIOWrapper, *, collapse: bool) -> Iterator[str]:
    """Lines with their ends (LF, CR, CR LF). With ``collapse`` the CR LF behind a CR is no line of its own."""
    previous = ""
    number = 0
    while line := text.readline(LONGEST_LINE):
        number += 1
        if len(line) >= LONGEST_LINE:
            raise TableRefused(f"Line {number} has more than {LONGEST_LINE:,} characters: no table; {SAVE_AS}.")
        if not (collapse and line == "\r\n" and previous.endswith("\r")):
            yield line
        previous = line


def _sample(content: Content, encoding: Encoding) -> tuple[list[str], bool]:
    """The first lines, and whether CR CR LF stands for one line end."""
    with _text(content, encoding) as text:
        lines: list[str] = []
        size = 0
        for line in _physical_lines(text, collapse=False):
            lines.append(line)
            size += len(line)
            if len(lines) >= SAMPLE_LINES or size >= SAMPLE_CHARACTERS:
                break
    doubled = sum(line == "\r\n" and before.endswith("\r") for before, line in itertools.pairwise(lines))
    collapse = doubled > 0 and doubled >= sum(line.endswith("\r") for line in lines) / 2
    if collapse:
        kept = [lines[0], *(b for a, b in itertools.pairwise(lines) if not (b == "\r\n" and a.endswith("\r")))]
        return kept, True
    return lines, False


def _separator_line(sample: Sequence[str]) -> tuple[int, tuple[str, ...]]:
    """Excel's hint ``sep=;`` in the first line, which it obeys and does not show."""
    match = re.fullmatch(r"\"?sep=([,;\t])\"?\s*", sample[0], re.IGNORECASE) if sample else None
    return (1, (match[1],)) if match else (0, ())


class _TooLongError(Exception):
    """A quoted cell goes on for more lines than any real one."""


class _Lines:
    """Hands lines to ``csv.reader``, which asks for as many as a record needs, and takes back what was too many."""

    def __init__(self, source: Iterator[str]) -> None:
        self._source = source
        self._returned: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= LONGEST_CELL_LINES:
            raise _TooLongError
        line = self._returned.popleft() if self._returned else next(self._source)
        self.taken.append(line)
        return line

    def keep_first(self) -> str:
        first, *others = self.taken
        self._returned.extendleft(reversed(others))
        return first


def _numbered(source: Iterator[str], dialect: _Dialect) -> Iterator[Row]:
    """Rows as the ``csv`` module reads them, blank ones included, so that their numbers are a spreadsheet program's.

    A quote that nothing sound closes spoils its own line alone: reading goes on with the next one.
    """
    for _ in range(dialect.skip):
        next(source, None)
    lines = _Lines(source)
    reader = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
    unclosed = 0
    for number in itertools.count(1):
        lines.taken.clear()
        try:
            yield Row(number, tuple(next(reader)))
        except StopIteration:
            return
        except (csv.Error, _TooLongError):
            row = _mended(number, lines.keep_first(), dialect.delimiter)
            unclosed += row.problem is not None
            if unclosed > MOST_UNCLOSED:
                message = f"More than {MOST_UNCLOSED:,} rows have a quotation mark that nothing closes; {SAVE_AS}."
                raise TableRefused(message) from None
            yield row


def _mended(number: int, line: str, delimiter: str) -> Row:
    """One line that the strict reading refused: stray quotes are text, an open one is a problem."""
    opened = _open_quote(line, delimiter)
    try:
        cells = tuple(next(csv.reader([line], delimiter=delimiter)))
    except csv.Error:
        shown = tuple(line.rstrip("\r\n").split(delimiter))
        return Row(number, shown, f"A cell has more than {csv.field_size_limit():,} characters.")
    if opened is None:
        return Row(number, cells)
    where = column_letter(opened)
    return Row(number, cells, f"The quotation mark that opens in column {where} of row {number} is never closed.")


def _open_quote(line: str, delimiter: str) -> int | None:
    """The position of the cell whose quote is still open at the end of the line, read leniently."""
    cell, quoted, start = 0, False, True
    at = 0
    while at < len(line):
        letter = line[at]
        if quoted:
            if letter == '"' and line[at + 1 : at + 2] == '"':
                at += 1
            elif letter == '"':
                quoted = False
        elif letter == delimiter:
            cell, start = cell + 1, True
            at += 1
            continue
        elif letter == '"' and start:
            quoted = True
        start = False
        at += 1
    return cell if quoted else None


# --- delimiter and header


def _sample_rows(sample: Sequence[str], dialect: _Dialect) -> list[Row]:
    """The sample's rows that are not blank."""
    return [row for row in _numbered(iter(sample), dialect) if not is_blank(row)]


def _header_at(rows: Sequence[Row], known: Callable[[str], bool]) -> tuple[int, int]:
    """Position of the row with most known names, the first of equals, and how many these are."""
    hits = [sum(map(known, map(clean, row.cells[:1000]))) for row in rows[:HEADER_WITHIN]]
    most = max(hits)
    return hits.index(most), most


def _likeness(rows: Sequence[Row], known: Callable[[str], bool]) -> tuple[int, bool, float, int]:
    """How much a dialect makes a table of the sample: known names in the header, several columns, rows of one width."""
    if not rows:
        return 0, False, 0.0, 0
    at, hits = _header_at(rows, known)
    width = len(rows[at].cells)
    alike = sum(len(row.cells) == width for row in rows[at:] if row.problem is None)
    return hits, width > 1, alike / len(rows[at:]), width


_SMALL_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


def _columns(header: tuple[str, ...], below: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], bool]:
    """The header without the nameless columns at its end, and whether the rows begin with a number of their own.

    A nameless column at the end counts where most rows fill it: else what stands there slid out of its own column.
    A number in front of every row that the header has no cell for is a program's row name (R writes it so).
    """
    named = max((at + 1 for at, name in enumerate(header) if name), default=0)
    filled = [max((at + 1 for at, cell in enumerate(cells) if cell.strip(_BLANK)), default=0) for cells in below]
    width = named
    for at in range(named, len(header)):
        if sum(last > at for last in filled) > len(below) / 2:
            width = at + 1
    header = header[:width]
    numbers = [cells[0].strip(_BLANK) for cells in below]
    one_more = len(below) > 1 and width == named and all(len(cells) == named + 1 for cells in below)
    digits = one_more and all(_SMALL_NUMBER.fullmatch(number) for number in numbers)
    if digits and all(int(after) == int(before) + 1 for before, after in itertools.pairwise(numbers)):
        return ("", *header), True
    return header, False
