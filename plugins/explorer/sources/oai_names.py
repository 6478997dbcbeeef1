"""What departments are called in the end: files in which an institution sends papers elsewhere and renames departments.

Rules: integration guide, "DiVA Portal". The order is fixed and each step may be missing: 1. ``remappings.csv`` gives a
department's papers to another one, both by their original names; 2. ``translations.csv``, ``renaming.csv`` or
``translations_and_renaming.csv`` gives departments their final names; 3. ``departments.csv`` or ``.json`` places the
final names in a tree (``oai_departments``). A name that a file does not list stays as it is.

The first column is ``name``: a department's own name, the names of its path, or its id. What the second column is called
is not laid down: the YAML tells it, or it has one of the usual headers, or it is the only other one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from explorer.hierarchy import normalised
from explorer.polite_http import shown
from explorer.sources import SourceError
from explorer.sources.oai_files import renewed, said
from explorer.tables import TableRefused, clean, is_blank, masked, open_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from explorer.config import Institution
    from explorer.records import Note
    from explorer.sources import FileKeeper
    from explorer.sources.oai_platforms import Repository
    from explorer.tables import Content

FIRST_COLUMN = "name"
SECOND_COLUMN = ("mapping", "map_to", "new_name", "translation", "to", "value")  # the first that is there
STEPS = ("remappings", "translations", "renaming", "translations_and_renaming")
MAX_BYTES = 64 * 1024**2
_TOLD = 5  # problems of a file


def located(institution: Institution) -> Mapping[str, Path | str]:
    """The files that an institution's YAML names, by step: paths, or addresses as they stand."""
    named = {step: getattr(institution.source, step, None) for step in STEPS}
    return {step: institution.locate(location) for step, location in named.items() if location}


@dataclass(frozen=True)
class FinalNames:
    """The files, read when the first name is looked up. Every look-up raises ``SourceError`` for a file that is broken."""

    repository: Repository | None = None
    files: Mapping[str, Path | str] = field(default_factory=dict)
    column: str | None = None  # the second column's header, where the YAML tells it
    keeper: FileKeeper | None = None

    def remapped(self, names: Iterable[str]) -> str | None:
        """Which department the papers of this one go to: its original name. ``names``: all that it may be listed by."""
        return _first(names, self._read["remappings"])

    def renamed(self, names: Iterable[str]) -> str | None:
        """The final name; a translation may be renamed once more."""
        names = list(names)
        both = _first(names, self._read["translations_and_renaming"]) or _first(names, self._read["renaming"])
        if both:
            return both
        translated = _first(names, self._read["translations"])
        return translated and (_first((translated,), self._read["renaming"]) or translated)

    def sizes(self) -> Mapping[str, int]:
        """How many names each file lists. Reads the files."""
        return {step: len(self._read[step]) for step in self.files}

    @cached_property
    def _read(self) -> Mapping[str, Mapping[str, str]]:
        return {step: self._said(step) if step in self.files else {} for step in STEPS}

    def renewed(self) -> Iterator[Note]:
        """Looks at the files as they are now; a note for each of which an older version is used."""
        for step, location in self.files.items():
            if self.keeper is not None and self.repository is not None:
                note = renewed(self.repository, self.keeper, step, location, partial(self._names, location))
                yield from [note] if note else []

    def _said(self, step: str) -> Mapping[str, str]:
        location = self.files[step]
        if self.repository is None:
            raise TypeError(location)
        return said(self.repository, self.keeper, step, location, partial(self._names, location))

    def _names(self, location: Path | str, content: Content) -> Mapping[str, str]:
        try:
            return read_names(content, self.column)
        except TableRefused as error:
            name = shown(location) if isinstance(location, str) else location.name
            raise SourceError("names_refused", f"{name}: {error}") from error


def read_names(file: Content, column: str | None = None) -> Mapping[str, str]:
    """New name by normalised old one. Raises ``TableRefused`` with every row that is to be mended."""
    table = open_table(
        file, known=lambda header: header.casefold() in {FIRST_COLUMN, *SECOND_COLUMN}, max_bytes=MAX_BYTES
    )
    headers = [header.casefold() for header in table.header]
    if FIRST_COLUMN not in headers:
        raise TableRefused(
            f"There is no column “{FIRST_COLUMN}”, but: {', '.join(filter(None, table.header))}; add it."
        )
    old, new = headers.index(FIRST_COLUMN), _second(table.header, column)
    found: dict[str, tuple[str, int]] = {}
    problems: list[str] = []
    for row in table.rows():
        if is_blank(row):
            continue
        name, value = (masked(clean(row.cells[at])) for at in (old, new))
        known = found.setdefault(normalised(name), (value, row.number))
        problems += [f"row {row.number}: {each}" for each in _problems(row.problem, name, value, known)]
    if problems:
        more = f" (and {len(problems) - _TOLD} more)" if len(problems) > _TOLD else ""
        raise TableRefused(f"{'; '.join(problems[:_TOLD])}{more}. Nothing changes until the file is mended.")
    return {name: value for name, (value, _) in found.items()}


def _second(header: Sequence[str], column: str | None) -> int:
    """The position of the column with the new names."""
    headers = [each.casefold() for each in header]
    if column is not None:
        if column.casefold() in headers:
            return headers.index(column.casefold())
        raise TableRefused(
            f"There is no column “{column}”, but: {', '.join(header)}; mend new_name_column in the YAML."
        )
    for usual in SECOND_COLUMN:
        if usual in headers:
            return headers.index(usual)
    others = [at for at, each in enumerate(headers) if each and each != FIRST_COLUMN]
    if len(others) != 1:
        message = "Which column has the new names cannot be told"
        raise TableRefused(f"{message} ({', '.join(header)}); set new_name_column in the YAML to its header.")
    return others[0]


def _problems(problem: str | None, name: str, value: str, known: tuple[str, int]) -> Iterator[str]:
    if problem:
        yield problem
    elif not name:
        yield "the name is empty; write it, or take the row out"
    elif not value:
        yield f"“{name}” has no new name; write one, or take the row out"
    elif known[0] != value:
        yield f"“{name}” is “{value}” here and “{known[0]}” in row {known[1]}; keep one of them"


def _first(names: Iterable[str], listed: Mapping[str, str]) -> str | None:
    return next((listed[key] for each in names if (key := normalised(each)) in listed), None) if listed else None
