"""Groups of Symplectic Elements to departments: the chosen part of a graph that may have several parents, and cycles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from explorer import mapping
from explorer.records import Department, Level, Note, Refusal
from explorer.sources.circles import upwards, without_circles
from explorer.sources.elements_records import Levels, stricter
from explorer.sources.elements_xml import API, Element


@dataclass(frozen=True, slots=True)
class Group:
    """A group as it is stated: parents and children may be said at either end."""

    key: str
    name: str
    parents: tuple[str, ...]
    children: tuple[str, ...]
    level: Level | None


def group(element: Element, levels: Levels) -> Group | None:
    """A group of any dialect; None for what is none."""
    key = element.get("id")
    if not key or element.tag not in {f"{API}user-group", f"{API}group", f"{API}object"}:
        return None
    inner = element.find(f"{API}group-properties")
    place = element if inner is None else inner
    parents = [*place.iterfind(f"{API}parents/{API}parent"), *place.iterfind(f"{API}parent")]
    children = place.iterfind(f"{API}children/{API}child")
    return Group(
        key,
        mapping.plain(place.findtext(f"{API}name") or ""),
        tuple(_ids(parents)),
        tuple(_ids(children)),
        levels.of_group(element),
    )


def _ids(elements: Iterable[Element]) -> Iterator[str]:
    """The ids of parents or children: said by the element, by an object in it, or by nothing but an address."""
    for each in elements:
        inner = next(each.iterchildren(), None)
        key = each.get("id") or (inner.get("id") if inner is not None else None)
        key = key or (each.get("href") or "").partition("?")[0].rstrip("/").rpartition("/")[2]
        if key:
            yield key


def departments(groups: Sequence[Group], root: str | None, exclude: Collection[str]) -> list[Department]:
    """The tree below ``root`` (all trees without one), without the excluded groups and all that hangs on them alone.

    A group is never shown more than what it hangs on: its level is the stricter of its own and its parents'.
    """
    known = {each.key: each for each in groups}
    parents, cycles = _without_cycles(known)
    chosen = _below(parents, [root] if root else [key for key in known if not parents[key]], set(exclude))
    levels = _inherited(known, parents)
    return [
        Department(
            key=key,
            name=known[key].name,
            parents=() if key == root else tuple(each for each in parents[key] if each in chosen),
            level=levels[key],
            refusal=None if known[key].name else Refusal("no_name", "the group has no name", "name"),
            notes=tuple(
                Note(
                    "cycle",
                    f"It is below itself at the source; its place under group {each} is left out.",
                    "warning",
                    "parents",
                )
                for each in cycles.get(key, ())
            ),
            place=f"group {key}",
        )
        for key in sorted(chosen)
    ]


def _without_cycles(known: Mapping[str, Group]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Each group's parents, and those that are left out because they would close a circle."""
    stated = {(each.key, parent) for each in known.values() for parent in each.parents}
    stated |= {(child, each.key) for each in known.values() for child in each.children}
    return without_circles(known, (pair for pair in stated if known.keys() >= set(pair)))


def _below(parents: Mapping[str, Sequence[str]], roots: Iterable[str], exclude: set[str]) -> set[str]:
    """The roots and all below them that can be reached without passing an excluded group."""
    children = defaultdict(list)
    for child, above in parents.items():
        for parent in above:
            children[parent].append(child)
    waiting = [key for key in roots if key in parents and key not in exclude]
    reached = set(waiting)
    while waiting:
        new = set(children[waiting.pop()]) - reached - exclude
        reached |= new
        waiting.extend(new)
    return reached


def _inherited(known: Mapping[str, Group], parents: Mapping[str, Sequence[str]]) -> dict[str, Level | None]:
    """The level of each group, never less strict than that of any group above it."""
    levels: dict[str, Level | None] = {}
    for key in known:
        level = known[key].level
        for above in upwards(parents, key):
            level = stricter(level, known[above].level)
        levels[key] = level
    return levels
