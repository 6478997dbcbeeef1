"""What DSpace 6 and 7 share: communities and collections as departments, joined to the OAI-PMH sets by their handles.

A set is ``com_<handle>`` or ``col_<handle>`` with ``_`` for ``/``; some sites list each a second time as ``hdl_<handle>``.
A header names the collections and every community above them. The tree comes from REST, as ListSets is flat.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from explorer.mapping import plain
from explorer.polite_http import shown
from explorer.records import Department, Note
from explorer.sources import SourceError
from explorer.sources.oai_platforms import DepartmentsClosedError, Repository, Settings, chosen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from explorer.polite_http import Answer
    from explorer.sources.oai_xml import Record

Kind = Literal["community", "collection"]

MOST_LEVELS = 50
_SET = re.compile(r"(com|col|hdl)_([0-9][0-9.]*)_(.+)")
_OAI_PATH = re.compile(r"/+[\w.-]*oai(?:/[^?#]*)?(?:[?#].*)?$")
_REASONS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "wants a login",
    HTTPStatus.FORBIDDEN: "refuses us",
    HTTPStatus.NOT_FOUND: "is not there",
}


@dataclass(slots=True)
class Node:
    """A community or collection, and what stands right below it."""

    key: str
    name: str
    kind: Kind
    below: list[Node] = field(default_factory=list)


def node(handle: object, number: object, name: object, kind: Kind) -> Node | None:
    """A node by its handle, or by its id where it has none; without a title it is called by its handle."""
    key = str(handle or "").strip() or str(number or "").strip()
    return Node(key, plain(str(name or "")) or key, kind) if key else None


def handle_of(spec: str) -> tuple[str, str] | None:
    """The kind (com, col, hdl) and the handle of a setSpec; None for a set of other making."""
    found = _SET.fullmatch(spec)
    return (found[1], f"{found[2]}/{found[3]}") if found else None


def spellings(spec: str) -> tuple[str, ...]:
    """A set by its setSpec, and by its handle."""
    found = handle_of(spec)
    return (spec, found[1]) if found else (spec,)


def _names(handle: str) -> tuple[str, ...]:
    """All names by which a YAML may call a community or collection."""
    flat = handle.replace("/", "_", 1)
    return (handle, f"com_{flat}", f"col_{flat}", f"hdl_{flat}")


def tree(top: Iterable[Node], settings: Settings) -> Iterator[Department]:
    """The chosen nodes as departments, each once, under all of its parents. A rule holds for all below a node, too."""
    names: dict[str, str] = {}
    parents: dict[str, dict[str, None]] = {}

    def walk(found: Node, above: tuple[str, ...], parent: str | None, seen: frozenset[str]) -> None:
        hidden = found.kind == "collection" and not settings.departments.collections
        if hidden or found.key in seen or len(seen) == MOST_LEVELS:
            return
        known = (*_names(found.key), *above)
        if chosen(known, settings.departments.sets):
            names.setdefault(found.key, found.name)
            parents.setdefault(found.key, {}).update(dict.fromkeys([parent] if parent else []))
            parent = found.key
        for each in found.below:
            walk(each, known, parent, seen | {found.key})

    for each in top:
        walk(each, (), None, frozenset())
    for key, name in names.items():
        yield Department(key, name, tuple(parents[key]), place=f"handle {key}")


def memberships(record: Record, _harvested: str | None, settings: Settings) -> tuple[str, ...]:
    """What can be told from the header alone: the collections where these count, else all communities."""
    found = [each for each in map(handle_of, record.header.sets) if each]
    for kind in ("col", "com", "hdl") if settings.departments.collections else ("com", "hdl"):
        keys = [key for each, key in found if each == kind and chosen(_names(key), settings.departments.sets)]
        if keys:
            return tuple(dict.fromkeys(keys))
    return ()


def placed(
    record: Record, known: Mapping[str, Department], settings: Settings
) -> tuple[tuple[str, ...], tuple[Note, ...]]:
    """The known departments of the header without those that stand above another one there; and the unknown sets."""
    found = {key: each for each in record.header.sets if (of := handle_of(each)) for key in [of[1]]}
    keys = [key for key in found if key in known]
    above = {each for key in keys for each in _above(key, known)}
    return tuple(key for key in keys if key not in above), tuple(_unknown(found, known, settings))


def _unknown(found: Mapping[str, str], known: Mapping[str, Department], settings: Settings) -> Iterator[Note]:
    if settings.departments.sets.include or settings.departments.sets.exclude:
        return  # then most sets are left out on purpose
    for key, spec in found.items():
        if key not in known and (settings.departments.collections or spec.startswith("com_")):
            message = f"The record stands in {spec}, which the hierarchy of communities does not show."
            yield Note("unknown_department", message, "warning", "setSpec", spec)


def _above(key: str, known: Mapping[str, Department]) -> set[str]:
    """All departments above one."""
    found: set[str] = set()
    left = list(known[key].parents)
    while left:
        each = left.pop()
        if each not in found and each in known:
            found.add(each)
            left += known[each].parents
    return found - {key}


def beside(oai: str, path: str) -> str:
    """An address of the same web application server as an OAI-PMH base URL: its path in the place of ``/oai/…``."""
    return f"{_OAI_PATH.sub('', oai).rstrip('/')}/{path}"


def asked(repository: Repository, url: str, accept: str) -> Answer:
    """A part of the hierarchy. Raises ``DepartmentsClosedError`` with what to do, whatever it is that does not work."""
    try:
        answer = repository.get(url, accept=accept)
    except SourceError as error:
        raise DepartmentsClosedError(error.code, f"The communities cannot be read: {error}") from error
    if answer.status != HTTPStatus.OK:
        reason = _REASONS.get(answer.status, "does not take our request")
        raise closed(url, f"answers HTTP {answer.status}: it {reason}")
    return answer


def closed(url: str, what: str) -> DepartmentsClosedError:
    """The error for an address that does not give the hierarchy."""
    return DepartmentsClosedError(
        "hierarchy_closed",
        f"The communities cannot be read: {shown(url)} {what}. Ask its administrators to open this address to us, or set"
        " source.hierarchy_url if it lies elsewhere.",
    )
