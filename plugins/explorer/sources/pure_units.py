"""Organisational units of Pure to departments: each below its nearest ancestors that may be shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from explorer.records import Department, Note, Refusal
from explorer.sources.circles import without_circles
from explorer.sources.pure_words import PRIVATE, misshapen, text, uuid_of, uuids, withheld

WITHHELD = "(withheld)"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as it is stated; ``rule`` says why it may not be shown."""

    key: str
    name: str
    parents: tuple[str, ...]
    rule: str | None
    readable: bool = True


def unit(item: object) -> Unit | None:
    """A unit of any version; None for one without a uuid."""
    key = uuid_of(item)
    if key is None or not isinstance(item, dict):
        return None
    parents = item.get("parents")
    readable = misshapen(item, ("parents",)) is None
    return Unit(key, text(item.get("name")), tuple(uuids(parents)), withheld(item), readable)


def departments(units: Iterable[Unit]) -> list[Department]:
    """One department for each unit, by uuid.

    A unit that ended is one as long as Pure shows it: outputs were written there. A parent that may not be shown, or has
    no name, is passed over for what is above it; where nothing is, the unit stands on level 1. Of a circle the link that
    comes last in byte order is left out.
    """
    known = {each.key: each for each in units}
    shown = {key: _visible_above(known, key) for key, each in known.items() if _is_shown(each)}
    parents, cycles = without_circles(shown, ((key, above) for key, all_of in shown.items() for above in all_of))
    return [_department(known[key], parents.get(key, ()), cycles.get(key, ())) for key in sorted(known)]


def _is_shown(unit: Unit) -> bool:
    return unit.rule is None and _refusal(unit) is None


def _department(unit: Unit, parents: Sequence[str], cycles: Sequence[str]) -> Department:
    place = f"organisational unit {unit.key}"
    if unit.rule is not None:
        return Department(unit.key, WITHHELD, level=PRIVATE, withheld=unit.rule, place=place)
    return Department(
        key=unit.key,
        name=unit.name,
        parents=tuple(parents),
        level="public",
        refusal=_refusal(unit),
        notes=tuple(
            Note(
                "cycle",
                f"It is below itself at the source; its place under unit {each} is left out.",
                "warning",
                "parents",
            )
            for each in cycles
        ),
        place=place,
    )


def _refusal(unit: Unit) -> Refusal | None:
    if not unit.name:
        return Refusal("no_name", "the organisational unit has no name", "name")
    return None if unit.readable else Refusal("unreadable", "`parents` is neither a list nor an object", "parents")


def _visible_above(known: Mapping[str, Unit], key: str) -> set[str]:
    """The nearest units above that may be shown, on every way up."""
    found: set[str] = set()
    passed, waiting = {key}, list(known[key].parents)
    while waiting:
        above = known.get(waiting.pop())
        if above is None or above.key in passed:
            continue
        passed.add(above.key)
        if _is_shown(above):
            found.add(above.key)
        else:
            waiting.extend(above.parents)
    return found
