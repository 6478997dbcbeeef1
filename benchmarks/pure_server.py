"""A Pure server of any size in a process of its own, for ``pure.py``: it answers quickly, so that the client is measured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from simulators.pure import COLLECTIONS, Pure
from simulators.pure_world import Association, Contributor, Output, Outsider, Person, Store, Unit

if TYPE_CHECKING:
    from simulators.pure_world import Content

OUTPUTS_OF_A_PERSON, PERSONS_IN_A_UNIT = 10, 25
ABSTRACT = "All that is measured here is invented: the sentence stands for an abstract of usual length. " * 14


class Large(Pure):
    """The same server with its lists sorted once."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._sorted: dict[str, list[Content]] = {
            family: sorted(store.all(family).values(), key=lambda each: each.number)
            for family in set(COLLECTIONS.values())
        }

    def _found(self, family: str, asked: Any, version: str, *, sees_all: bool) -> list[Content]:
        if asked.names("uuids"):
            return super()._found(family, asked, version, sees_all=sees_all)
        return self._sorted[family]

    def _ordered(self, things: list[Content], asked: Any) -> list[Content]:
        del asked
        return things


def university(outputs: int) -> Store:
    """Units, persons, and outputs that two persons and one from outside each wrote."""
    store = Store()
    persons = max(2, outputs // OUTPUTS_OF_A_PERSON)
    units = [store.invent(f"unit {n}") for n in range(max(1, persons // PERSONS_IN_A_UNIT))]
    for n, uuid in enumerate(units):
        store.put(Unit(uuid, f"Department {n}", parents=(units[0],) if n else ()))
    people = [store.invent(f"person {n}") for n in range(persons)]
    for n, uuid in enumerate(people):
        store.put(Person(uuid, "Ada", f"Projector{n}", associations=(Association(units[n % len(units)]),)))
    outsider = Outsider(store.invent("outsider"), "Lemuel", "Gulliver")
    store.outsiders[outsider.uuid] = outsider
    for n in range(outputs):
        wrote = [n % persons, (n * 7 + 1) % persons]
        contributors = [Contributor("internal", people[each], "A.", f"Projector{each}", (units[each % len(units)],))
                        for each in dict.fromkeys(wrote)]  # fmt: skip
        contributors.append(Contributor("external", outsider.uuid, "L.", "Gulliver"))
        store.put(
            Output(
                store.invent(f"output {n}"), f"On the <i>measurement</i> of {n} things", day=(2020, 4, 1), doi=f"10.5555/m{n}",
                contributors=tuple(contributors), units=tuple(dict.fromkeys(units[each % len(units)] for each in wrote)),
                ids=(("Scopus", f"8500000{n}"), ("PubMed", f"{10_000_000 + n}")), journal="Journal of Measurement",
                issn="1234-5678", abstract=ABSTRACT, managing=units[0],
            )
        )  # fmt: skip
    return store


def serve() -> None:
    """Serves until nobody holds the other end of standard input."""
    simulator = Large(university(int(sys.argv[1])))
    with simulator.serve():
        print(simulator.base(sys.argv[2]), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    serve()
