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


def shown(
    store: Store,
    *,
    affiliated_only: bool = False,
    strict: bool = False,
    with_authors: bool = False,
    version: str = "524",
) -> Shown:
    """What an import of everything publishes; ``with_authors``: but for outputs that nobody of the university wrote."""
    losers = {loser for each in store.outputs.values() for loser in each.previous}
    persons = {key for key, each in store.persons.items() if each.visibility == "FREE"}
    units = {key for key, each in store.units.items() if each.visibility == "FREE"}
    outputs = {
        key: frozenset(each.uuid for each in output.contributors if each.kind == "internal") & persons
        for key, output in store.outputs.items()
        if key not in losers
        and _passes(output, version, strict=strict)
        and _is_identified(output)
        and not (affiliated_only and not _is_affiliated(output))
        and not (with_authors and all(each.kind != "internal" for each in output.contributors))
    }
    return Shown(outputs, frozenset(persons), frozenset(units))


def secrets(store: Store, version: str = "524") -> set[str]:
    """What must be shown nowhere: uuids and names of hidden persons, uuids and titles of hidden outputs, names of units."""
    persons = [each for each in store.persons.values() if each.visibility != "FREE"]
    outputs = [each for each in store.outputs.values() if not _passes(each, version)]
    shown = "\n".join(each.title for each in store.outputs.values() if _passes(each, version))
    return {
        *(each.uuid for each in (*persons, *outputs)),
        *(f"{each.last}, {each.first}" for each in persons),
        *(each.title for each in outputs if each.title not in shown),
        *(each.name for each in store.units.values() if each.visibility != "FREE"),
    }


def _passes(output: Output, version: str, *, strict: bool = False) -> bool:
    """Up to 521 the workflow of outputs is not told; the new API says what is confidential by the visibility alone."""
    step = output.workflow if version == "new" or version > "521" else None
    confidential = output.confidential and version != "new"
    if output.visibility != "FREE" or confidential or step == "entryInProgress":
        return False
    return not strict or step in {"validated", "approved"}


def _is_identified(output: Output) -> bool:
    named = any(source in SUPPORTED for source, _ in output.ids)
    return bool(output.doi or output.link or output.isbns or output.electronic_isbns or named) and output.day[0] < 2100


def _is_affiliated(output: Output) -> bool:
    return bool(output.units or any(each.units for each in output.contributors if each.kind == "internal"))
