"""What may be shown of a Pure server's content, by the rules of the contract written down here anew; no code of the pipeline.

FREE, not confidential, past its entry; persons and units FREE; a link to what is hidden goes, the output stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.pure_world import Output, Store

SUPPORTED = frozenset({"PubMed", "ArXiv"})


@dataclass(frozen=True)
class Shown:
    """Authors by output, and the keys of authors and departments."""

    outputs: dict[str, frozenset[str]]
    authors: frozenset[str]
    departments: frozenset[str]


def shown(store: Store, *, affiliated_only: bool = False, strict: bool = False, tells_workflow: bool = True) -> Shown:
    """What an import of everything publishes, nothing being orphaned."""
    losers = {loser for each in store.outputs.values() for loser in each.previous}
    persons = {key for key, each in store.persons.items() if each.visibility == "FREE"}
    units = {key for key, each in store.units.items() if each.visibility == "FREE"}
    outputs = {
        key: frozenset(each.uuid for each in output.contributors if each.kind == "internal") & persons
        for key, output in store.outputs.items()
        if key not in losers
        and _passes(output, strict=strict, tells_workflow=tells_workflow)
        and _is_identified(output)
        and not (affiliated_only and not _is_affiliated(output))
    }
    return Shown(outputs, frozenset(persons), frozenset(units))


def secrets(store: Store) -> set[str]:
    """The uuids of what must be shown nowhere."""
    things = [*store.persons.values(), *store.units.values()]
    hidden = {each.uuid for each in things if each.visibility != "FREE"}
    return hidden | {key for key, each in store.outputs.items() if not _passes(each)}


def _passes(output: Output, *, strict: bool = False, tells_workflow: bool = True) -> bool:
    step = output.workflow if tells_workflow else None
    if output.visibility != "FREE" or output.confidential or step == "entryInProgress":
        return False
    return not strict or step in {"validated", "approved"}


def _is_identified(output: Output) -> bool:
    named = any(source in SUPPORTED for source, _ in output.ids)
    return bool(output.doi or output.link or output.isbns or output.electronic_isbns or named) and output.day[0] < 2100


def _is_affiliated(output: Output) -> bool:
    return bool(output.units or any(each.units for each in output.contributors if each.kind == "internal"))
