"""What can be odd in the content of a Pure server, by name: each is an edit of a store, with its audit rows.

What can go wrong on the wire is ``pure.WIRE_FAULTS``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from simulators.pure_world import Association, Contributor, Output, Period, Person, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulators.pure_world import Store


def _outputs(store: Store, count: int) -> list[str]:
    """Outputs that are shown, with authors of the university, a DOI, and a unit."""
    found = [
        key
        for key, each in sorted(store.outputs.items())
        if each.visibility == "FREE"
        and not each.confidential
        and each.workflow == "approved"
        and each.doi
        and each.units
    ]
    return found[:count]


def _persons(store: Store, count: int) -> list[str]:
    """Persons who are shown and have written something that is."""
    shown = _outputs(store, len(store.outputs))
    names = dict.fromkeys(
        one.uuid for key in shown for one in store.outputs[key].contributors if one.kind == "internal"
    )
    return [key for key in names if store.persons[key].visibility == "FREE"][:count]


def _units(store: Store, count: int) -> list[str]:
    """Units below others, none of them the other's parent."""
    found = [key for key, each in sorted(store.units.items()) if each.parents and each.visibility == "FREE"]
    parents = {parent for key in found for parent in store.units[key].parents}
    return [key for key in found if key not in parents][:count]


def _hide_outputs(visibility: str | None, told: str = "UPDATE") -> Callable[[Store], None]:
    def edit(store: Store) -> None:
        for key in _outputs(store, 2):
            store.hide(key, visibility, told="DELETE" if told == "DELETE" else "UPDATE")

    return edit


def _change_outputs(**fields: object) -> Callable[[Store], None]:
    def edit(store: Store) -> None:
        for key in _outputs(store, 2):
            store.change(key, **fields)

    return edit


def _hide_person(visibility: str | None) -> Callable[[Store], None]:
    return lambda store: store.hide(_persons(store, 1)[0], visibility)


def _hide_unit(visibility: str | None) -> Callable[[Store], None]:
    """Of a unit with others below."""

    def edit(store: Store) -> None:
        parents = {parent for each in store.units.values() for parent in each.parents}
        middle = next(key for key, each in sorted(store.units.items()) if each.parents and key in parents)
        store.hide(middle, visibility)

    return edit


def _cycle(store: Store) -> None:
    first, second = _units(store, 2)
    store.change(first, parents=(second,))
    store.change(second, parents=(first,))


def _own_parent(store: Store) -> None:
    key = _units(store, 1)[0]
    store.change(key, parents=(key, *store.units[key].parents))


def _orphan(store: Store) -> None:
    store.change(_units(store, 1)[0], parents=(store.invent("unit/nowhere"),))


def _ended_unit(store: Store) -> None:
    store.change(_units(store, 1)[0], period=Period(date(1990, 1, 1), date(2001, 12, 31)))


def _unit_moves(store: Store) -> None:
    first, second = _units(store, 2)
    store.change(first, parents=(second,), name="A name that nobody had")


def _association(end: date | None, start: date = date(2015, 9, 1)) -> Callable[[Store], None]:
    def edit(store: Store) -> None:
        key = _persons(store, 1)[0]
        store.change(key, associations=(Association(_units(store, 1)[0], period=Period(start, end)),))

    return edit


def _no_association(store: Store) -> None:
    store.change(_persons(store, 1)[0], associations=())


def _many_authors(store: Store) -> None:
    """As at a collider: 439 authors, of whom 48 outsiders, 3 insiders and a collaboration are named."""
    inside = [Contributor("internal", key, "A.", store.persons[key].last) for key in _persons(store, 3)]
    outside = [Contributor("external", store.invent(f"crowd/{number}"), "B.", f"Crowd{number}") for number in range(48)]
    collaboration = store.invent("collaboration/crowd")
    store.collaborations[collaboration] = "(Crowd Collaboration)"
    names = (*outside[:20], *inside, *outside[20:], Contributor("collaboration", collaboration))
    store.put(
        Output(store.invent("output/crowd"), "Of a crowd", contributors=names, total_authors=439, doi="10.5555/crowd")
    )


def _collaboration_alone(store: Store) -> None:
    store.change(_outputs(store, 1)[0], contributors=(Contributor("collaboration", store.invent("collaboration/1")),))


def _nameless(store: Store) -> None:
    store.change(_outputs(store, 1)[0], contributors=(Contributor("external", store.invent("outsider/none")),))


def _nobody(store: Store) -> None:
    store.change(_outputs(store, 1)[0], contributors=(), units=(), managing=None)


def _unknown_person(store: Store) -> None:
    """An output names a person whom the server does not list."""
    key = _outputs(store, 1)[0]
    names = (*store.outputs[key].contributors, Contributor("internal", store.invent("person/nobody"), "N.", "Obody"))
    store.change(key, contributors=names)


def _same_twice(store: Store) -> None:
    """An output names the same person twice, with different units."""
    key = _outputs(store, 1)[0]
    mine = next(each for each in store.outputs[key].contributors if each.kind == "internal")
    again = replace(mine, units=tuple(_units(store, 1)))
    store.change(key, contributors=(*store.outputs[key].contributors, again))


def _merge_outputs(store: Store) -> None:
    store.merge(*_outputs(store, 2))


def _merge_persons(store: Store) -> None:
    store.merge(*_persons(store, 2))


def _merge_silently(store: Store) -> None:
    store.merge(*_persons(store, 2), told=False)


def _merge_units(store: Store) -> None:
    store.merge(*_units(store, 2))


def _loser_still_listed(store: Store) -> None:
    """A winner names its loser, and the loser is still in the list."""
    loser, winner = _outputs(store, 2)
    store.change(winner, previous=(loser,))


def _delete(*, told: bool) -> Callable[[Store], None]:
    def edit(store: Store) -> None:
        for key in _outputs(store, 2):
            store.delete(key, told=told)

    return edit


def _delete_person(store: Store) -> None:
    store.delete(_persons(store, 1)[0], told=True)


def _delete_unit(store: Store) -> None:
    store.delete(_units(store, 1)[0], told=True)


def _come_and_go(store: Store) -> None:
    """Made and deleted between two looks, and one that is deleted and made again."""
    store.put(Output(store.invent("output/brief"), "Brief", doi="10.5555/brief"))
    store.delete(store.invent("output/brief"), told=True)
    key = _outputs(store, 1)[0]
    again = store.outputs[key]
    store.delete(key, told=True)
    store.put(again)


def _new_things(store: Store) -> None:
    """A unit, a person in it, and their first work."""
    unit, person = (
        Unit(store.invent("unit/new"), "New School", parents=tuple(_units(store, 1))),
        store.invent("person/new"),
    )
    store.put(unit)
    store.put(Person(person, "Nova", "Novum", associations=(Association(unit.uuid),)))
    author = Contributor("internal", person, "N.", "Novum", (unit.uuid,))
    store.put(Output(store.invent("output/new"), "New", contributors=(author,), units=(unit.uuid,), doi="10.5555/new"))


CONTENT_FAULTS: Mapping[str, Callable[[Store], None]] = {
    "campus": _hide_outputs("CAMPUS"),
    "backend": _hide_outputs("BACKEND"),
    "backend_told_as_deletion": _hide_outputs("BACKEND", "DELETE"),
    "confidential_visibility": _hide_outputs("CONFIDENTIAL"),
    "unknown_visibility": _hide_outputs("SOMETIMES"),
    "lower_case_visibility": _hide_outputs("free"),
    "absent_visibility": _hide_outputs(None),
    "confidential_flag": _change_outputs(confidential=True),
    "absent_confidential": _change_outputs(confidential=None),
    "entry_in_progress": _change_outputs(workflow="entryInProgress"),
    "absent_workflow": _change_outputs(workflow=None),
    "hidden_person": _hide_person("BACKEND"),
    "absent_visibility_of_person": _hide_person(None),
    "hidden_unit": _hide_unit("CAMPUS"),
    "absent_visibility_of_unit": _hide_unit(None),
    "cyclic_units": _cycle,
    "own_parent": _own_parent,
    "orphaned_unit": _orphan,
    "ended_unit": _ended_unit,
    "unit_moves": _unit_moves,
    "future_end": _association(date(2099, 12, 31)),
    "past_end": _association(date(2020, 12, 31)),
    "future_start": _association(None, date(2098, 1, 1)),
    "no_association": _no_association,
    "many_authors": _many_authors,
    "collaboration_alone": _collaboration_alone,
    "nameless_outsider": _nameless,
    "no_contributor": _nobody,
    "unknown_person": _unknown_person,
    "same_person_twice": _same_twice,
    "merged_outputs": _merge_outputs,
    "merged_persons": _merge_persons,
    "merged_persons_untold": _merge_silently,
    "merged_units": _merge_units,
    "loser_still_listed": _loser_still_listed,
    "told_deletion": _delete(told=True),
    "untold_deletion": _delete(told=False),
    "deleted_person": _delete_person,
    "deleted_unit": _delete_unit,
    "come_and_go": _come_and_go,
    "new_things": _new_things,
    "markup_in_title": _change_outputs(title="On <i>anagrams</i> &amp; H<sub>2</sub>O"),
    "changed_type": _change_outputs(type="bookanthology/book", isbns=("978-0-00-900001-1",)),
    "no_identifier": _change_outputs(doi=None, ids=(), link=None),
}  # fmt: skip
UNTOLD = frozenset({"untold_deletion", "merged_persons_untold"})  # /changes says nothing of it, or not all
