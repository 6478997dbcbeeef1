"""Departments that are below themselves: which of a source's statements close a circle, and are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def without_circles(
    keys: Iterable[str], stated: Iterable[tuple[str, str]]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The parents of each key, and those that are left out because they would close a circle.

    ``stated``: pairs of child and parent, all of them among ``keys``. In any order of the pairs the same.
    """
    parents: dict[str, list[str]] = {key: [] for key in keys}
    left_out: dict[str, list[str]] = {}
    for child, parent in sorted(stated):
        if child in upwards(parents, parent):
            left_out.setdefault(child, []).append(parent)
        else:
            parents[child].append(parent)
    return parents, left_out


def upwards(parents: Mapping[str, Sequence[str]], key: str) -> set[str]:
    """A key and all above it."""
    reached, waiting = {key}, [key]
    while waiting:
        new = set(parents[waiting.pop()]) - reached
        reached |= new
        waiting.extend(new)
    return reached
