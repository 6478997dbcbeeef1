"""The rows of a publications spreadsheet as outputs, each read without looking at any other.

Rules: integration guide, "Preparing your publications file" and the parts behind it. Which column holds what is
decided once for a file; what a row then loses or has mended stands in its notes, with the column's name. Names of
columns are data: ``include/mappings/spreadsheet.yaml``.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from explorer import identifiers
from explorer.hierarchy import DepartmentNames, normalised
from explorer.records import Contribution, Department, Identifier, Note, Output, Refusal
from explorer.tables import (
    DELIMITER_NAMES,
    MAIL_ADDRESS,
    Row,
    Table,
    TableRefused,
    clean,
    column_letter,
    is_blank,
    masked,
    unguarded,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

LONGEST_VALUE = 500  # characters of a value that a note shows
MOST_REMEMBERED = 1_000_000  # rows that a repeated row is looked for among: memory has a bound

_SYNONYMS = Path(__file__).resolve().parents[2] / "include" / "mappings" / "spreadsheet.yaml"
_IGNORE = "ignore"
_SECTION = "section:"
_SECTION_OF_ITS_NAME = "section"
_ORCID = re.compile(r"(?i:(?:https?://)?(?:www\.)?(?:orcid\.org/|orcid:)?\s*((?:\d{4}-?){3}\d{3}[\dx]))", re.ASCII)
_YEAR = re.compile(r"(?<!\d)[12]\d{3}(?!\d)", re.ASCII)


# --- columns


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column (position, from 0) holds what. ``header`` names them for people."""

    header: tuple[str, ...]
    by_role: Mapping[str, int]  # author, department, email …
    identifiers: tuple[tuple[int, str], ...]  # position, scheme
    sections: tuple[tuple[int, str], ...]  # position, name of the Level 1 group
    ignored: tuple[str, ...]
    missing: tuple[str, ...]  # the institution's mapping names them, the file has them not

    def name(self, position: int) -> str:
        """The header of a column, or its letter where it has none."""
        named = position < len(self.header) and self.header[position]
        return named or f"column {column_letter(position)}"

    def summary(self) -> str:
        """One line: each header and what it was taken for."""
        roles = [(at, role) for role, at in self.by_role.items()]
        roles += [*self.identifiers, *((at, _SECTION + name) for at, name in self.sections)]
        taken = ", ".join(f"{self.name(at)} = {role}" for at, role in sorted(roles))
        return taken + (f"; ignored: {', '.join(self.ignored)}" if self.ignored else "")


def columns_of(table: Table, explicit: Mapping[str, str], names: DepartmentNames | None) -> Columns:
    """Decides what each column holds: the institution's mapping, then sections and synonyms.

    Two columns for one role, or no identifier column, refuse the file: a guess here would spoil every row.
    """
    own = {plain(name): role for name, role in explicit.items()}
    taken: dict[str, int] = {}
    ignored = []
    for at, name in enumerate(table.header):
        role = _role(name, own, names)
        if role is None:
            ignored.append(name)
        elif role in taken:
            both = f"“{table.header[taken[role]]}” ({column_letter(taken[role])}) and “{name}” ({column_letter(at)})"
            message = f"Two columns could be the {role}: {both}; rename one, or set it to “{_IGNORE}” under columns."
            raise TableRefused(message)
        else:
            taken[role] = at
    by_scheme = tuple((at, role) for role, at in taken.items() if role in identifiers.SCHEMES)
    if not by_scheme:
        raise TableRefused(_without_identifiers(table))
    there = set(map(plain, table.header))
    return Columns(
        header=table.header,
        by_role={r: at for r, at in taken.items() if r not in identifiers.SCHEMES and not r.startswith(_SECTION)},
        identifiers=by_scheme,
        sections=tuple((at, role.removeprefix(_SECTION)) for role, at in taken.items() if role.startswith(_SECTION)),
        ignored=tuple(filter(None, ignored)),
        missing=tuple(name for name in explicit if plain(name) not in there),
    )


def _role(name: str, own: Mapping[str, str], names: DepartmentNames | None) -> str | None:
    """What the column of that name holds; None where it is of no use."""
    if not name:
        return None
    if (role := own.get(plain(name))) is not None:
        return _valid(role, name, names)
    known = _roles_by_name().get(plain(name))
    if names is not None and normalised(name) in names.sections and known not in _FIRST_ROLES:
        return _SECTION + name
    return None if known in own.values() else known  # the mapping may name another column for it


def _valid(role: str, header: str, names: DepartmentNames | None) -> str | None:
    """A role from the institution's own mapping, where there is such a role."""
    if role == _IGNORE:
        return None
    if role == _SECTION_OF_ITS_NAME or role.startswith(_SECTION):
        section = role.removeprefix(_SECTION) if role.startswith(_SECTION) else header
        if names is None or normalised(section) not in names.sections:
            raise TableRefused(f"“{header}” is mapped to the section “{section}”, which is no Level 1 group.")
        return _SECTION + section
    if role not in (allowed := sorted({*_roles_by_name().values(), _IGNORE})):
        raise TableRefused(f"“{header}” is mapped to “{role}”; allowed are {', '.join(allowed)} and section.")
    return role


def _without_identifiers(table: Table) -> str:
    listed = ", ".join(filter(None, table.header[:20]))[:200]
    if not table.known:
        return (
            "No header was found: none of the first rows has a column such as Author, Department or DOI (the first "
            f"row is “{listed}”); name the columns, or map them under columns in the institution's file."
        )
    return (
        f"No column holds an identifier (the header in row {table.header_row} has {listed}); add one such as DOI or "
        "PubMed ID, or map it under columns in the institution's file."
    )


def plain(header: str) -> str:
    """What spellings of one header share: letters and digits, case-folded."""
    return "".join(c for c in unicodedata.normalize("NFKC", header).casefold() if c.isalnum())


@functools.cache
def _roles_by_name() -> Mapping[str, str]:
    groups: Mapping[str, Mapping[str, Sequence[str]]] = yaml.safe_load(_SYNONYMS.read_text("utf-8"))
    return {plain(name): role for roles in groups.values() for role, names in roles.items() for name in names}


_FIRST_ROLES = frozenset({*identifiers.SCHEMES, "author", "department"})  # a section never takes their column


def known_names(explicit: Mapping[str, str], names: DepartmentNames | None) -> Callable[[str], bool]:
    """Tells whether a cell could be a header's: what finds the header's row."""
    known = {*_roles_by_name(), *map(plain, explicit)} - {""}
    sections = frozenset(names.sections if names else ())
    return lambda name: bool(name) and (plain(name) in known or normalised(name) in sections)


# --- rows


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that is needed to turn the rows of one publications file into outputs, each without any other."""

    table: Table
    columns: Columns
    names: DepartmentNames | None  # None: the institution sends no groups
    uri_domains: tuple[str, ...]
    hash_key: bytes = field(repr=False)

    @property
    def how_read(self) -> Mapping[str, str]:
        """What was found out about the file, for people."""
        table = self.table
        words = f", for example {', '.join(table.samples)}" if table.samples and not table.notes else ""
        return {
            "encoding": table.encoding_note + words,
            "delimiter": DELIMITER_NAMES[table.delimiter],
            "header": f"row {table.header_row}: {', '.join(filter(None, table.header))}",
            "columns": self.columns.summary(),
        }

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is to be said of the whole file, besides ``table.notes``."""
        found = []
        roles = self.columns.by_role
        grouped = "department" in roles or bool(self.columns.sections)
        if self.columns.ignored:
            listed = ", ".join(self.columns.ignored)
            found.append(Note("ignored_columns", f"These columns hold nothing that is used: {listed}.", value=listed))
        if self.columns.missing:
            listed = ", ".join(self.columns.missing)
            message = f"The institution's file maps columns that this file does not have: {listed}."
            found.append(Note("missing_columns", message, "warning", value=listed))
        if "author" not in roles:
            message = "No column names the authors: outputs will have none. Add a column “Author”."
            found.append(Note("no_author_column", message, "warning"))
        if not grouped:
            message = "No column names the departments: outputs will be in none. Add a column “Department”."
            found.append(Note("no_department_column", message, "warning"))
        elif self.names is None:
            message = "There is no groups file, so the departments of the rows are left out. Send one along."
            found.append(Note("no_groups_file", message, "warning"))
        return tuple(found)

    def outputs(self, *, after: int = 0) -> Iterator[Output]:
        """An output for each row that is not blank, behind row number ``after``."""
        seen: dict[int, int] = {}
        for row in self.table.rows():
            digest = _digest(row)
            first = seen.get(digest, row.number)
            if first == row.number and len(seen) < MOST_REMEMBERED:
                seen[digest] = first
            if row.number <= after:
                continue
            output = self.output(row)
            if first != row.number:
                message = f"This is the same row as row {first}: it adds nothing. One of them can go."
                output = replace(output, notes=(Note("repeated_row", message, value=f"row {first}"),))
            yield output

    def output(self, row: Row) -> Output:
        """What one row says. A row that cannot be taken has its refusal, and notes for each cell at fault."""
        place = f"row {row.number}"
        if row.problem:
            first = _shown(clean(row.cells[0]))
            problem = row.problem + " Close it, or take it away, and send the row again."
            return Output(None, place=place, refusal=Refusal("unreadable_row", problem, value=first))
        if (beyond := _beyond(row, len(self.columns.header))) is not None:
            reason = (
                f"The row has more filled cells than the header: “{_shown(clean(row.cells[beyond]))}” stands in column "
                f"{column_letter(beyond)}. Put a name that contains the delimiter into quotation marks."
            )
            name = self.columns.name(beyond)
            return Output(None, place=place, refusal=Refusal("too_many_cells", reason, name, _shown(row.cells[beyond])))
        notes: list[Note] = []
        found = self._identifiers(row, notes)
        departments = self._departments(row, notes)
        contributions = self._contributions(row, departments.keys, notes)
        if len(contributions) > 1 and departments.most > 1:
            people, groups = len(contributions), len(departments.keys)
            message = (
                f"{people} authors and {groups} departments in one row make {people * groups} affiliations; an author "
                "who belongs to some of the departments only needs a row of their own."
            )
            notes.append(Note("authors_share_departments", message))
        return Output(
            key=None,
            title=self._text(row, "title", notes),
            type=self._text(row, "type", notes),
            year=self._year(row),
            venue=self._text(row, "venue", notes),
            identifiers=found,
            contributions=contributions,
            departments=departments.keys,
            refusal=None if found else self._no_identifier(notes),
            notes=tuple(notes),
            place=place,
        )

    def _identifiers(self, row: Row, notes: list[Note]) -> tuple[Identifier, ...]:
        found: dict[Identifier, None] = {}
        for at, scheme in self.columns.identifiers:
            cell = row.cells[at]
            if not cell or not clean(cell):
                continue
            name = self.columns.name(at)
            parsed = identifiers.parse(scheme, cell, uri_domains=self.uri_domains)
            if parsed.refusal is not None:
                reason = masked(parsed.refusal.reason)
                notes.append(Note("invalid_identifier", reason, "warning", name, _shown(cell)))
            if parsed.value is None:
                continue
            notes.extend(_placed(note, name, cell) for note in parsed.notes)
            found[Identifier(parsed.scheme, parsed.value)] = None
        stated = list(found)
        derived = (alias for alias in identifiers.aliases(stated) if replace(alias, derived=False) not in found)
        return (*stated, *derived)

    def _no_identifier(self, notes: Iterable[Note]) -> Refusal:
        columns = ", ".join(self.columns.name(at) for at, _ in self.columns.identifiers)
        bad = [note for note in notes if note.code == "invalid_identifier"]
        if not bad:
            return Refusal("no_identifier", f"The row has no identifier; fill one of the columns {columns}.", columns)
        reasons = " ".join(f"{note.field} “{note.value}”: {note.message}" for note in bad)
        return Refusal("no_identifier", f"The row has no valid identifier. {reasons}", bad[0].field, bad[0].value)

    def _departments(self, row: Row, notes: list[Note]) -> _Departments:
        keys: dict[str, None] = {}
        most = 0
        cells = [(at, None) for at in [self.columns.by_role.get("department")] if at is not None]
        filled = False
        for at, section in [*cells, *self.columns.sections]:
            cell = row.cells[at]
            filled = filled or bool(clean(cell))
            if self.names is None or not cell:
                continue
            here = _in_cell(cell, section, self.names, self.columns.name(at), notes)
            most = max(most, len(here))
            keys.update(dict.fromkeys(here))
        if not filled and (cells or self.columns.sections):
            at = cells[0][0] if cells else self.columns.sections[0][0]
            notes.append(Note("no_department", "The row names no department.", field=self.columns.name(at)))
        return _Departments(tuple(keys), most)

    def _contributions(self, row: Row, departments: tuple[str, ...], notes: list[Note]) -> tuple[Contribution, ...]:
        at = self.columns.by_role.get("author")
        if at is None:
            return ()
        column = self.columns.name(at)
        raw = row.cells[at].split(";")
        people = [_person(text, column, notes) for text in raw]
        while len(people) > 1 and not any(people[-1]):  # a semicolon behind the last name
            people.pop()
        ids = self._ids(row, len(people), notes)
        credited: dict[str, Contribution] = {}
        for (name, address), (orcid, local, mail) in zip(people, ids, strict=True):
            if not name:
                if address:
                    message = "A mail address stands where a name should; the author is left out. Write the name."
                    notes.append(Note("address_removed", message, "warning", column))
                continue
            if address:
                message = "A mail address beside the name was taken out; it identifies the author and is not kept."
                notes.append(Note("address_removed", message, field=column))
            key = author_key(name, orcid=orcid, local=local, address=mail or address, hash_key=self.hash_key)
            if key in credited:
                message = f"“{name}” stands twice in the cell; once is enough."
                notes.append(Note("repaired", message, field=column, value=_shown(row.cells[at]), repaired_to=name))
                continue
            kept = {kind: value for kind, value in (("orcid", orcid), ("id", local)) if value}
            credited[key] = Contribution(key, name, kept, departments)
        if not credited:
            notes.append(Note("no_author", "The row names no author.", field=column))
        return tuple(credited.values())

    def _ids(self, row: Row, count: int, notes: list[Note]) -> list[tuple[str, str, str]]:
        """For each of ``count`` authors of a row: ORCID, local id, mail address; "" where there is none."""
        orcids = [self._orcid(value, notes) for value in self._by_author(row, "orcid", count, notes)]
        locals_ = self._by_author(row, "author_id", count, notes)
        mails = self._by_author(row, "email", count, notes)
        if any(wrong := [mail for mail in mails if mail and not MAIL_ADDRESS.fullmatch(mail)]):
            message = f"{len(wrong)} values are no mail addresses and identify nobody; mend or empty them."
            notes.append(Note("invalid_address", message, "warning", self.columns.name(self.columns.by_role["email"])))
        mails = [mail if MAIL_ADDRESS.fullmatch(mail) else "" for mail in mails]
        people = zip(orcids, locals_, mails, strict=True)
        return [(o, "", local) if "@" in local else (o, local, mail) for o, local, mail in people]

    def _by_author(self, row: Row, role: str, count: int, notes: list[Note]) -> list[str]:
        at = self.columns.by_role.get(role)
        if at is None or not row.cells[at]:
            return [""] * count
        values = [clean(value) for value in row.cells[at].split(";")]
        while len(values) > count and not values[-1]:
            values.pop()
        if len(values) == count:
            return values
        if any(values):
            message = (
                f"{len(values)} values for {count} authors: nobody can say which belongs to whom, so they are left "
                "out. Write one for each author, in the same order, with semicolons."
            )
            notes.append(Note("ids_do_not_match", message, "warning", self.columns.name(at)))
        return [""] * count

    def _orcid(self, value: str, notes: list[Note]) -> str:
        if not value:
            return ""
        orcid = canonical_orcid(value)
        if orcid is None:
            message = "This is no ORCID (16 digits, the last may be X, and the check digit must be right)."
            column = self.columns.name(self.columns.by_role["orcid"])
            notes.append(Note("invalid_orcid", message, "warning", column, _shown(value)))
        return orcid or ""

    def _text(self, row: Row, role: str, notes: list[Note]) -> str | None:
        at = self.columns.by_role.get(role)
        if at is None or not row.cells[at]:
            return None
        text = unguarded(row.cells[at])
        safe = masked(text)
        if safe != text:
            message = "A mail address was taken out of the text."
            notes.append(Note("address_removed", message, field=self.columns.name(at)))
        return safe or None

    def _year(self, row: Row) -> int | None:
        at = self.columns.by_role.get("year")
        match = _YEAR.search(row.cells[at]) if at is not None else None
        return int(match[0]) if match else None


@dataclass(frozen=True, slots=True)
class _Departments:
    keys: tuple[str, ...]
    most: int  # in one cell: a section beside a section is no choice between departments


def _in_cell(cell: str, section: str | None, names: DepartmentNames, column: str, notes: list[Note]) -> list[str]:
    """Keys of the departments that a cell names, with a note for each that had to be mended or is not known."""
    whole = names.find(unguarded(cell), section) if ";" in cell else None  # a name may hold a semicolon
    keys: list[str] = []
    for part in [cell] if whole else cell.split(";"):
        name = unguarded(part)
        if not name:
            continue
        department = names.find(name, section)
        if department is None:
            notes.append(_unknown(name, section, names, column))
            continue
        if department.key in keys:
            message = f"“{department.name}” stands twice in the cell; once is enough."
            notes.append(Note("repaired", message, "info", column, _shown(cell), department.name))
            continue
        if part.strip() != department.name:
            message = _how_mended(part, name, department)
            notes.append(Note("repaired", message, "info", column, _shown(part), department.name))
        keys.append(department.key)
    return keys


def _unknown(name: str, section: str | None, names: DepartmentNames, column: str) -> Note:
    where = f"below the section “{section}” of the groups file" if section else "in the groups file"
    elsewhere = " (it stands in another section)" if section and names.find(name) else ""
    message = f"“{masked(name)}” is not {where}{elsewhere}; the output stays, without it. Write it as it stands there."
    return Note("unknown_department", message, "warning", column, _shown(name))


def _how_mended(part: str, name: str, department: Department) -> str:
    if re.search(r"[\r\n]", part.strip()):
        return "A line break inside a name is one space."
    if name == department.name:
        return "Blanks, control characters or a leading quotation mark were taken away."
    return "The name differs from the groups file in case or blanks only."


def _person(text: str, column: str, notes: list[Note]) -> tuple[str, str]:
    """The name and the mail address in one author's piece of a cell; names stand as they are written."""
    name, address = unguarded(text), ""
    if "@" in name and (match := MAIL_ADDRESS.search(name)):
        address = match[0]
        name = " ".join(re.sub("[<>]|\\(\\s*\\)", " ", MAIL_ADDRESS.sub(" ", name)).split()).strip(" ,")
    elif name != text.strip() and re.search(r"[\r\n\0-\x08]", text.strip()):
        message = "A line break or control character inside a name is one space or nothing."
        notes.append(Note("repaired", message, field=column, value=_shown(text), repaired_to=name))
    return name, address


def author_key(name: str, *, orcid: str, local: str, address: str, hash_key: bytes) -> str:
    """The key of an author who is only credited: by ORCID, local id, keyed hash of a mail address, or name."""
    if orcid:
        return f"orcid:{orcid}"
    if local:
        return f"id:{local}"
    if address:
        digest = hmac.new(hash_key, address.strip().lower().encode("utf-8", "replace"), hashlib.sha256)
        return f"mail:{digest.hexdigest()[:32]}"
    return f"name:{normalised(name)}"


def canonical_orcid(value: str) -> str | None:
    """``0000-0002-1825-0097`` out of an ORCID or its address, or None (ISO 7064 mod 11-2 must hold)."""
    match = _ORCID.fullmatch(value.strip().rstrip("/"))
    if not match:
        return None
    digits = match[1].replace("-", "").upper()
    total = functools.reduce(lambda sum_, digit: (sum_ + int(digit)) * 2, digits[:15], 0)
    if "0123456789X"[(12 - total % 11) % 11] != digits[15]:
        return None
    return "-".join(digits[at : at + 4] for at in range(0, 16, 4))


def _beyond(row: Row, width: int) -> int | None:
    """The position of the first filled cell that the header has no column for."""
    if len(row.cells) == width or is_blank(replace(row, cells=row.cells[width:])):
        return None
    return next(at for at in range(width, len(row.cells)) if not is_blank(Row(0, row.cells[at : at + 1])))


def _digest(row: Row) -> int:
    digest = hashlib.blake2b(digest_size=12)  # a number of 96 bits: 44 bytes of memory
    for cell in row.cells:
        digest.update(cell.strip().encode("utf-8", "surrogatepass") + b"\0")
    return int.from_bytes(digest.digest(), "big")


def _placed(note: Note, column: str, cell: str) -> Note:
    """A note about an identifier, with the place and the value that a person sees in the file."""
    to = None if note.repaired_to is None else masked(note.repaired_to)
    return replace(note, message=masked(note.message), field=column, value=_shown(cell), repaired_to=to)


def _shown(value: str) -> str:
    """A value as a note may keep it: short, a NUL made visible (no database keeps one), never a mail address."""
    value = value.replace("\0", "\N{SYMBOL FOR NULL}")
    if len(value) > LONGEST_VALUE:
        value = value[:LONGEST_VALUE] + "…"
    return masked(value)
