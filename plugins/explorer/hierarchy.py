"""The groups of an institution from a file: a hierarchy spreadsheet, ``departments.csv`` or ``departments.json``.

Rules: integration guide, "Organizational hierarchy: building your departments/groups structure". A hierarchy has the
organisation in its first column (it is no department), then a column for every level, and a row for every leaf or for
every group. ``departments.csv`` has ``name,id,parent_id``; the JSON has the same properties under ``hits``. A name
stands once in the whole file. Whatever breaks a rule is listed with row and column, and then there are no departments.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.records import Department, Note
from explorer.tables import Content, Row, Table, TableRefused, clean, column_letter, masked, open_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_BYTES = 64 * 1024**2
MOST_PROBLEMS = 200

_HIERARCHY_HEADER = re.compile(r"toplevel|level\d+|organi[sz]ation|institution")
_DEPARTMENTS_HEADER = {"name": "name", "id": "id", "parentid": "parent_id", "parent": "parent_id"}
_ID = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_NO_ALIASES: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Problem:
    """What breaks a rule. ``place`` is "row 3" (or "object 3" in JSON), ``column`` the header or the letter."""

    place: str
    column: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}, column {self.column}: {self.message}"


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The departments of a file, parents before children; none where there are ``problems``."""

    departments: tuple[Department, ...]
    problems: tuple[Problem, ...] = ()
    organisation: str | None = None
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class DepartmentNames:
    """Finds a department by the name that a person wrote, wherever or inside one section (a Level 1 group)."""

    by_name: dict[str, Department] = field(default_factory=dict)
    sections: dict[str, frozenset[str]] = field(default_factory=dict)  # name of a Level 1 group: keys of all below

    @classmethod
    def of(cls, departments: Iterable[Department]) -> DepartmentNames:
        """Of departments that break no rule: names stand once, parents come before their children."""
        by_name: dict[str, Department] = {}
        top: dict[str, str] = {}
        below: dict[str, set[str]] = {}
        for department in departments:
            name = normalised(department.name)
            by_name[name] = department
            if department.parents:
                section = top[department.key] = top[department.parents[0]]
                below[section].add(department.key)
            else:
                top[department.key] = name
                below[name] = set()
        return cls(by_name, {name: frozenset(keys) for name, keys in below.items()})

    def find(self, name: str, section: str | None = None) -> Department | None:
        """The department of that name, whatever its case and blanks; inside ``section`` where that is given."""
        department = self.by_name.get(normalised(name))
        if department is None or section is None or department.key in self.sections[normalised(section)]:
            return department
        return None


def normalised(name: str) -> str:
    """What two spellings of one name share: NFKC, case-folded, single blanks."""
    return " ".join(unicodedata.normalize("NFKC", clean(name)).casefold().split())


def read_groups(content: Content, aliases: Mapping[str, str] = _NO_ALIASES) -> Hierarchy:
    """The departments of a file of any of the three shapes. Raises ``TableRefused`` where it is no such file.

    ``aliases`` (new name to former name) lets a renamed group of a hierarchy keep its key, which is its name.
    """
    if _begins_like_json(content):
        return _from_json(content)
    table = open_table(content, known=_is_known, max_bytes=MAX_BYTES)
    names = [_DEPARTMENTS_HEADER.get(_plain(name)) for name in table.header]
    if "id" in names and "name" in names:
        return _from_departments(table, names)
    return _from_levels(table, {normalised(new): normalised(old) for new, old in aliases.items()})


def _text(cell: str) -> str:
    return masked(clean(cell))


def _plain(header: str) -> str:
    return "".join(c for c in header.casefold() if c.isalnum())


def _is_known(header: str) -> bool:
    plain = _plain(header)
    return plain in _DEPARTMENTS_HEADER or _HIERARCHY_HEADER.fullmatch(plain) is not None


# --- a hierarchy: a column for each level


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    row: int
    column: str


def _from_levels(table: Table, aliases: Mapping[str, str]) -> Hierarchy:
    rows = list(table.rows())
    header = table.header
    if not table.known and rows and _is_data(header, rows):
        rows = [Row(table.header_row, header), *rows]
        header = ("",) * len(header)
    if not rows:
        raise TableRefused("The hierarchy has a header and no row below it; add a row for each group.")
    columns = _level_columns(header, rows)
    titles = [header[at] or column_letter(at) for at in columns]
    problems: list[Problem] = []
    groups: dict[tuple[str, ...], _Group] = {}
    organisation = _text(rows[0].cells[columns[0]]) if columns else ""
    for row in rows:
        if problem := _row_problem(row, len(header)):
            problems.append(problem)
            continue
        top, *levels = (_text(row.cells[at]) for at in columns)
        if normalised(top) != normalised(organisation) or not top:
            message = (
                f"“{top}” stands where all rows must have the organisation “{organisation}”; write the organisation "
                "into the first column of every row and the groups behind it."
            )
            problems.append(Problem(f"row {row.number}", titles[0], message))
            continue
        problems.extend(_add_path(groups, row.number, levels, titles[1:]))
    problems.extend(_repeats(groups))
    problems.extend(_still_there(groups, aliases))
    if not groups and not problems:
        raise TableRefused("The hierarchy names the organisation and no group; add a column for each level of groups.")
    if problems:
        return Hierarchy((), tuple(problems[:MOST_PROBLEMS]), organisation, table.notes)
    departments = tuple(
        Department(
            key=_name_key(path[-1], aliases),
            name=group.name,
            parents=(_name_key(path[-2], aliases),) if len(path) > 1 else (),
            place=f"row {group.row}",
        )
        for path, group in groups.items()
    )
    return Hierarchy(departments, (), organisation, table.notes)


def _name_key(name: str, aliases: Mapping[str, str]) -> str:
    return f"name:{aliases.get(name, name)}"


def _still_there(groups: Mapping[tuple[str, ...], _Group], aliases: Mapping[str, str]) -> Iterable[Problem]:
    """A problem for every group that stands there beside the one that is said to be its new name."""
    names = {path[-1] for path in groups}
    former = {old: new for new, old in aliases.items() if new in names and new != old}
    for path, group in groups.items():
        if path[-1] in former:
            message = (
                f"“{group.name}” is said to be called “{former[path[-1]]}” now, but both stand in the file; take the "
                "alias out of the institution's file, or one of the names out of this one."
            )
            yield Problem(f"row {group.row}", group.column, message)


def _is_data(header: Sequence[str], rows: Sequence[Row]) -> bool:
    """Whether the file has no header: the first row names the organisation that all others name too."""
    return all(normalised(row.cells[0]) == normalised(header[0]) for row in rows)


def _level_columns(header: Sequence[str], rows: Sequence[Row]) -> list[int]:
    """Positions of the columns that hold groups: not the empty ones, not a nameless one of numbers in front."""
    filled = [at for at, name in enumerate(header) if name or any(_text(row.cells[at]) for row in rows)]
    first = filled[0] if filled else 0
    numbers = [_text(row.cells[first]) for row in rows]
    distinct = len(filled) > 1 and not header[first] and len(set(numbers)) == len(rows) > 1
    ordinal = distinct and all(number.isascii() and number.isdigit() for number in numbers)
    return filled[1:] if ordinal else filled


def _row_problem(row: Row, width: int) -> Problem | None:
    if row.problem:
        return Problem(f"row {row.number}", column_letter(0), row.problem)
    beyond = next((at for at in range(width, len(row.cells)) if _text(row.cells[at])), None)
    if beyond is None:
        return None
    message = f"“{_text(row.cells[beyond])}” stands behind the last column that the header names; name it as a level."
    return Problem(f"row {row.number}", column_letter(beyond), message)


def _add_path(
    groups: dict[tuple[str, ...], _Group], row: int, levels: Sequence[str], titles: Sequence[str]
) -> list[Problem]:
    """Adds each group on a row's path, or says which level in the middle of it is empty."""
    depth = max((at + 1 for at, name in enumerate(levels) if name), default=0)
    path: tuple[str, ...] = ()
    for at in range(depth):
        if not levels[at]:
            message = f"This level is empty, but “{levels[depth - 1]}” stands below it; fill the level or move it up."
            return [Problem(f"row {row}", titles[at], message)]
        path = (*path, normalised(levels[at]))
        groups.setdefault(path, _Group(levels[at], row, titles[at]))
    return []


def _repeats(groups: Mapping[tuple[str, ...], _Group]) -> list[Problem]:
    """A problem for every name that stands on more than one path, with all of its places."""
    paths: dict[str, list[tuple[str, ...]]] = {}
    for path in groups:
        paths.setdefault(path[-1], []).append(path)
    problems = []
    for same in paths.values():
        if len(same) > 1:
            group = groups[same[1]]
            places = " and ".join(f"{_under(groups, path)} (row {groups[path].row})" for path in same[:12])
            message = f"“{group.name}” stands {places}; a name may stand once: rename all but one of them."
            problems.append(Problem(f"row {group.row}", group.column, message))
    return problems


def _under(groups: Mapping[tuple[str, ...], _Group], path: tuple[str, ...]) -> str:
    above = path[:-1]
    return "under " + " > ".join(f"“{groups[above[: at + 1]].name}”" for at in range(len(above))) if above else "on top"


# --- departments.csv and departments.json: an id, a name and the id of the parent


@dataclass(frozen=True, slots=True)
class _Entry:
    place: str
    id: str
    name: str
    parent: str


def _from_departments(table: Table, names: Sequence[str | None]) -> Hierarchy:
    at = {name: names.index(name) for name in ("id", "name", "parent_id") if name in names}
    problems = []
    entries = []
    for row in table.rows():
        if problem := _row_problem(row, len(table.header)):
            problems.append(problem)
            continue
        values = {name: _text(row.cells[position]) for name, position in at.items()}
        entries.append(_Entry(f"row {row.number}", values["id"], values["name"], values.get("parent_id", "")))
    return _linked(entries, problems, table.notes)


def _begins_like_json(content: Content) -> bool:
    if isinstance(content, bytes):
        head = content[:64]
    else:
        with content.open("rb") as stream:
            head = stream.read(64)
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _from_json(content: Content) -> Hierarchy:
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    if size > MAX_BYTES:
        raise TableRefused(f"The file has {size:,} bytes, more than the {MAX_BYTES:,} allowed.")
    try:
        tree = json.loads(content.read_bytes() if isinstance(content, Path) else content)
    except (ValueError, RecursionError) as error:
        raise TableRefused(f"The file begins like JSON and is none ({error}); write it again.") from error
    hits = tree.get("hits") if isinstance(tree, dict) else tree
    if not isinstance(hits, list):
        raise TableRefused("The JSON has no array “hits” at its root; put the department objects into one.")
    problems = []
    entries = []
    for number, hit in enumerate(hits, 1):
        if not isinstance(hit, dict):
            problems.append(Problem(f"object {number}", "hits", "This is no object with name, id and parent_id."))
            continue
        values = {_DEPARTMENTS_HEADER.get(_plain(name), name): value for name, value in hit.items()}
        own, name, parent = (_json_text(values.get(key)) for key in ("id", "name", "parent_id"))
        entries.append(_Entry(f"object {number}", own, name, parent))
    return _linked(entries, problems, ())


def _json_text(value: object) -> str:
    return "" if value is None else _text(str(value))


def _linked(entries: Sequence[_Entry], problems: list[Problem], notes: tuple[Note, ...]) -> Hierarchy:
    """Departments out of entries that name their parents, if every rule holds."""
    by_id: dict[str, _Entry] = {}
    by_name: dict[str, _Entry] = {}
    for entry in entries:
        problems.extend(_entry_problems(entry, by_id, by_name))
        by_id.setdefault(entry.id, entry)
        by_name.setdefault(normalised(entry.name), entry)
    for entry in entries:
        if entry.parent and entry.parent not in by_id:
            message = f"There is no department with the id “{entry.parent}”; add it or mend the id."
            problems.append(Problem(entry.place, "parent_id", message))
    if not entries and not problems:
        raise TableRefused("There is no department in this file; add one to each row.")
    ordered, circular = _parents_first(by_id)
    for entry in circular:
        message = f"“{entry.name}” is below itself, by way of “{entry.parent}”; break the circle."
        problems.append(Problem(entry.place, "parent_id", message))
    if problems:
        return Hierarchy((), tuple(problems[:MOST_PROBLEMS]), None, notes)
    departments = tuple(
        Department(entry.id, entry.name, (entry.parent,) if entry.parent else (), place=entry.place)
        for entry in ordered
    )
    return Hierarchy(departments, (), None, notes)


def _entry_problems(entry: _Entry, by_id: Mapping[str, _Entry], by_name: Mapping[str, _Entry]) -> Iterable[Problem]:
    if not entry.name:
        yield Problem(entry.place, "name", "The name is empty; write one.")
    elif (other := by_name.get(normalised(entry.name))) is not None:
        message = f"“{entry.name}” is the name in {other.place} too; a name may stand once: rename one of them."
        yield Problem(entry.place, "name", message)
    if not _ID.fullmatch(entry.id):
        message = f"“{entry.id}” is no id: write letters A to Z, digits and underscores only."
        yield Problem(entry.place, "id", message)
    elif (other := by_id.get(entry.id)) is not None:
        message = f"“{entry.id}” is the id in {other.place} too; every id may stand once."
        yield Problem(entry.place, "id", message)


def _parents_first(by_id: Mapping[str, _Entry]) -> tuple[list[_Entry], list[_Entry]]:
    """Entries in an order in which parents come first, and those that are on a circle."""
    children: dict[str, list[_Entry]] = {}
    for entry in by_id.values():
        children.setdefault(entry.parent if entry.parent in by_id else "", []).append(entry)
    ordered = list(children.get("", ()))
    for entry in ordered:  # grows while it is walked
        ordered.extend(children.get(entry.id, ()) if entry.id else ())
    reached = {entry.id for entry in ordered}
    circular = {entry.id: entry for entry in by_id.values() if entry.id not in reached}
    below = Counter(entry.parent for entry in circular.values())
    ends = [entry for entry in circular.values() if not below[entry.id]]
    for entry in ends:  # whoever has nobody below is on no circle; grows while it is walked
        del circular[entry.id]
        below[entry.parent] -= 1
        if not below[entry.parent]:
            ends.append(circular[entry.parent])
    return ordered, list(circular.values())
