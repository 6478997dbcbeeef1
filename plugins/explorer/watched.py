"""A folder, or a place in an object store, into which an institution drops its exports; each drop is a whole set.

Any address that fsspec opens: a path, ``file://…``, ``s3://…`` and the like where the package for that store is
installed. Nothing is moved or deleted there. What is still being written is left alone, and with it the whole folder:
a set whose second file is on its way is not a set yet.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import fsspec  # type: ignore[import-untyped]

from explorer.sources import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

STILL_FOR = timedelta(seconds=60)  # a file that changed a moment ago may not be whole
MAX_BYTES = 512 * 1024**2
TABLES = {".csv", ".tsv", ".txt"}
GROUPS = TABLES | {".json"}
_GROUPS_FILE = re.compile(r"hierarch|group|department", re.IGNORECASE)
_DATE = re.compile(r"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class File:
    """A file's name and bytes."""

    name: str
    content: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hex."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Drop:
    """What lies in the folder: the newest set, or in ``waits`` why there is none (yet)."""

    publications: File | None = None
    hierarchy: File | None = None
    waits: str | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    size: int
    changed: datetime

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def is_groups(self) -> bool:
        return _GROUPS_FILE.search(PurePosixPath(self.name).stem) is not None


def newest(address: Path | str, now: datetime) -> Drop:
    """The newest publications file and the newest groups file of a folder.

    Newest is the latest date in the names where all of a kind have one, else the time of the last change. A groups
    file has hierarchy, group or department in its name. Raises ``SourceError`` where the folder cannot be read.
    """
    try:
        system, root = fsspec.core.url_to_fs(str(address))
        entries = _entries(system, root)
        publications = _newest([entry for entry in entries if not entry.is_groups])
        groups = _newest([entry for entry in entries if entry.is_groups])
        if publications is None:
            return Drop(waits=f"there is no CSV file with publications in {address}")
        for entry in filter(None, (publications, groups)):
            if now - entry.changed < STILL_FOR:
                still = int(STILL_FOR.total_seconds())
                return Drop(waits=f"{entry.name} changed less than {still} seconds ago and may not be whole yet")
        files = [_read(system, entry) for entry in (publications, groups) if entry is not None]
    except ImportError as error:
        message = f"{address} needs a package that is not installed ({error}); install it beside Airflow"
        raise SourceError("storage_unknown", message) from None
    except (OSError, ValueError) as error:
        message = f"the watched folder {address} cannot be read ({error}); mend `watch`, or who may read there"
        raise SourceError("folder_unreadable", message) from error
    if None in files:
        return Drop(waits="a file changed while it was read")
    return Drop(files[0], files[1] if len(files) > 1 else None)


def _entries(system: Any, root: str) -> list[_Entry]:  # noqa: ANN401 - any of fsspec's file systems
    """The finished files of a folder that could be tables; temporary names (.part, .tmp, a dot in front) are none."""
    found = []
    for entry in system.ls(root, detail=True):
        path = PurePosixPath(entry["name"])
        kinds = GROUPS if _GROUPS_FILE.search(path.stem) else TABLES
        if entry["type"] == "file" and path.suffix.lower() in kinds and path.name[0] not in ".~":
            found.append(_Entry(entry["name"], int(entry["size"]), _changed(system, entry["name"])))
    return found


def _changed(system: Any, path: str) -> datetime:  # noqa: ANN401 - any of fsspec's file systems
    changed: datetime = system.modified(path)
    return changed if changed.tzinfo else changed.replace(tzinfo=UTC)


def _newest(entries: Sequence[_Entry]) -> _Entry | None:
    dated = all(_DATE.search(entry.name) for entry in entries)

    def order(entry: _Entry) -> tuple[str, datetime, str]:
        match = _DATE.search(entry.name) if dated else None
        return "".join(match.groups()) if match else "", entry.changed, entry.name

    return max(entries, key=order, default=None)


def _read(system: Any, entry: _Entry) -> File | None:  # noqa: ANN401 - any of fsspec's file systems
    """The file; None where it is no longer the one that was listed."""
    if entry.size > MAX_BYTES:
        message = f"{entry.name} has {entry.size:,} bytes, more than the {MAX_BYTES:,} allowed; export less into it"
        raise SourceError("file_too_large", message)
    content: bytes = system.cat_file(entry.path)
    if len(content) != entry.size or _changed(system, entry.path) != entry.changed:
        return None
    return File(entry.name, content)
