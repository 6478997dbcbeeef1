"""Departments of a file that the institution keeps (departments.csv or .json), in the place of those of the repository.

Rules: integration guide, help pages on departments.csv. The ids need not be the repository's own: a record's department
is found by its id, by the names of its set, or by its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.hierarchy import normalised, read_groups
from explorer.sources import SourceError
from explorer.tables import TableRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from explorer.records import Department
    from explorer.tables import Content

_TOLD = 3  # problems of a file
_NO_ID = re.compile(r"[^A-Za-z0-9_]")


@dataclass(frozen=True, slots=True)
class DepartmentFile:
    """The departments of a file, and how a record's own ones are found among them."""

    departments: Sequence[Department]
    _by_id: frozenset[str]
    _by_name: Mapping[str, str]

    @classmethod
    def read(cls, content: Content) -> DepartmentFile:
        """Raises ``SourceError`` where the file cannot be read or breaks a rule."""
        try:
            found = read_groups(content)
        except TableRefused as error:
            raise SourceError("departments_file", f"The file of departments cannot be read: {error}") from error
        if found.problems:
            told = "; ".join(map(str, found.problems[:_TOLD]))
            more = f"; and {len(found.problems) - _TOLD} more" if len(found.problems) > _TOLD else ""
            raise SourceError("departments_file", f"The file of departments breaks rules: {told}{more}.")
        return cls(
            found.departments,
            frozenset(each.key for each in found.departments),
            {normalised(each.name): each.key for each in found.departments},
        )

    def find(self, key: str, spellings: Iterable[str], name: Callable[[str], str | None]) -> str | None:
        """The department of a record's key: by the key as an id, by its name, by the other names of its set as ids."""
        if key in self._by_id:
            return key
        named = name(key)
        if named and normalised(named) in self._by_name:
            return self._by_name[normalised(named)]
        flat = (_NO_ID.sub("_", each) for each in (key, *spellings))
        return next((each for each in flat if each in self._by_id), None)
