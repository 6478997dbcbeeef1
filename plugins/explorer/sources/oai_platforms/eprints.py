"""EPrints 3.x: divisions in hexadecimal setSpecs, identifiers in dc:relation, citations in dc:identifier.

A setSpec is HEX("<view>=" + id) of the top level, then HEX(id) per level, joined by colons. A division may stand under
several parents: it has one setSpec per path and the same id at the end of each, and is one department.
"""

from __future__ import annotations

import binascii
from functools import lru_cache
from typing import TYPE_CHECKING

from explorer.records import Department
from explorer.sources.oai_platforms import Accent, Candidate, Repository, Settings, chosen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.mapping import Values
    from explorer.sources.oai_xml import Record


@lru_cache(maxsize=10_000)  # every record names some of the same few thousand
def decoded(spec: str) -> tuple[str, tuple[str, ...]] | None:
    """The view and the path of ids of a setSpec; None for a flat set of other making, like ``driver``."""
    try:
        first, *below = (binascii.unhexlify(level).decode() for level in spec.split(":"))
    except (ValueError, UnicodeDecodeError):
        return None
    view, equals, top = first.partition("=")
    path = (top, *below)
    return (view, path) if equals and view and all(path) else None


def encoded(name: str) -> str:
    """A setSpec for ``divisions=sci:bio``; anything without ``=`` is one already."""
    if "=" not in name:
        return name
    return ":".join(level.encode().hex().upper() for level in name.split(":"))


def spellings(spec: str) -> tuple[str, ...]:
    """A set and those above it: as ``divisions=sci:bio``, and as they stand."""
    levels = spec.split(":")
    specs = [":".join(levels[:depth]) for depth in range(len(levels), 0, -1)]
    found = decoded(spec)
    plain = [f"{found[0]}={':'.join(found[1][:depth])}" for depth in range(len(found[1]), 0, -1)] if found else []
    return (*plain, *specs)


def _takes(spec: str, path: tuple[str, ...], settings: Settings) -> bool:
    """Whether this division is a department: rules may name its setSpec, ``divisions=sci:bio``, or the ids alone."""
    return chosen((*spellings(spec), *path), settings.departments.sets)


def departments(repository: Repository, settings: Settings) -> Iterator[Department]:
    """The sets of the view that lists the divisions; the tree comes from the specs, as labels may hold ``: ``."""
    labels: dict[tuple[str, ...], str] = {}
    specs: dict[tuple[str, ...], str] = {}
    for each in repository.sets():
        found = decoded(each.spec)
        if found and found[0] == settings.source.division_view:
            labels[found[1]] = each.name.partition(" = ")[2] or each.name
            specs[found[1]] = each.spec
    taken = [path for path in sorted(labels) if _takes(specs[path], path, settings)]
    names: dict[str, str] = {}
    parents: dict[str, dict[str, None]] = {}
    for path in taken:
        key = path[-1]
        names.setdefault(key, labels[path].removeprefix(labels.get(path[:-1], "") + ": ") or key)
        above = next((path[:depth] for depth in range(len(path) - 1, 0, -1) if path[:depth] in taken), ())
        parents.setdefault(key, {}).update(dict.fromkeys(above[-1:]))
    for key, name in names.items():
        yield Department(key, name, tuple(each for each in parents[key] if each != key), place=f"division {key}")


def memberships(record: Record, _harvested: str | None, settings: Settings) -> tuple[str, ...]:
    """The deepest id of every division in the header: EPrints lists paths, and no ancestors."""
    found = ((spec, decoded(spec)) for spec in record.header.sets)
    return tuple(
        dict.fromkeys(
            division[1][-1]
            for spec, division in found
            if division and division[0] == settings.source.division_view and _takes(spec, division[1], settings)
        )
    )


def candidates(values: Values, _: Settings) -> Iterator[Candidate]:
    """dc:relation: abstract page, official URL, id number (a bare DOI). dc:identifier: files, citation, id number."""
    relation, identifier = values.texts("relation"), values.texts("identifier")
    yield from (Candidate(text, "bare") for text in (*relation, *identifier))
    yield from (Candidate(text, "page") for text in relation)
    yield from (Candidate(text, "prose") for text in identifier)


ACCENT = Accent(
    candidates=candidates,
    departments=departments,
    memberships=memberships,
    spellings=spellings,
    set_spec=encoded,
    no_departments_hint="set source.division_view in the YAML to the id of the view that lists the divisions",
)
