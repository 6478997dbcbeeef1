"""Files that an institution keeps for us: departments, remappings, translations, new names; and their last sound version.

Integration guide, "DiVA Portal": they are read from a folder or an https address at every import. One that cannot be
reached, or is broken, must not undo what the last one said: the version that was read last without a fault is kept, and
used until the file is mended. An import looks at each file once, when it plans what to read; all its workers then use the
version that is kept.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from explorer.polite_http import shown
from explorer.records import Note
from explorer.sources import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.sources import FileKeeper
    from explorer.sources.oai_platforms import Repository
    from explorer.tables import Content

Said = TypeVar("Said")


def content(repository: Repository, location: Path | str) -> bytes:
    """The file as it is now: a path, or what lies behind an address. Raises ``SourceError``."""
    if isinstance(location, Path):
        try:
            return location.read_bytes()
        except FileNotFoundError:
            message = f"There is no file {location}: put it there, or mend the path in the YAML."
            raise SourceError("file_missing", message) from None
        except OSError as error:
            raise SourceError("file_unreadable", f"{location} cannot be read: {error.strerror}.") from error
    answer = repository.get(location)
    if answer.status != HTTPStatus.OK:
        message = (
            f"{shown(location)} answers HTTP {answer.status}: put the file there, or mend the address in the YAML."
        )
        raise SourceError(f"http_{answer.status}", message)
    return answer.body


def said(
    repository: Repository,
    keeper: FileKeeper | None,
    step: str,
    location: Path | str,
    read: Callable[[Content], Said],
) -> Said:
    """What a file says, in the version that is kept if one is. Raises ``SourceError``, as ``read`` does."""
    kept = keeper.get(_name(step, location)) if keeper else None
    return read(kept.content if kept else content(repository, location))


def renewed(
    repository: Repository, keeper: FileKeeper, step: str, location: Path | str, read: Callable[[Content], object]
) -> Note | None:
    """Keeps the file as it is now, if it is sound; else a note that says why the version before stays.

    Raises ``SourceError`` where there is no sound version yet.
    """
    name = _name(step, location)
    try:
        found = content(repository, location)
        read(found)
    except SourceError as error:
        if not keeper.blame(name, str(error)):
            raise
        kept = keeper.get(name)
        message = f"{error} The version of {kept.read_at if kept else 'before'} is used until the file is mended."
        return Note("older_version_of_file", message, "warning", step)
    keeper.keep(name, found)
    return None


def _name(step: str, location: Path | str) -> str:
    """Another place is another file: what was kept of the one is not the other's last version."""
    return f"{step}: {location}"
