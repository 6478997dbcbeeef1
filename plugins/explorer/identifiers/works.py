"""Identifiers of one work: other names of it, and which of them it is known by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from explorer.identifiers.schemes import MONTH, SCHEMES
from explorer.identifiers.texts import lower
from explorer.identifiers.values import extract
from explorer.records import Identifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TRUST = {scheme: rank for rank, scheme in enumerate(SCHEMES)}


def aliases(identifiers: Iterable[Identifier]) -> list[Identifier]:
    """Other names of the same works, marked derived; none that is among ``identifiers``, none twice.

    An arXiv ID and its DataCite DOI are one work; ``urn:isbn`` gives the ISBN; a version is asked for without it.
    """
    given = list(identifiers)
    known = {(each.scheme, each.value) for each in given}
    made: dict[tuple[str, str], Identifier] = {}
    queue = [(each.scheme, each.value) for each in given]
    for scheme, value in queue:
        for alias in _aliases_of(scheme, value):
            if alias not in known and alias not in made:
                made[alias] = Identifier(*alias, derived=True)
                queue.append(alias)
    return list(made.values())


def best(identifiers: Iterable[Identifier]) -> Identifier | None:
    """The identifier that an output is known by: stated before derived, then by trust, then by value."""
    return min(identifiers, key=lambda each: (each.derived, _TRUST[each.scheme], each.value), default=None)


def output_key(identifier: Identifier) -> str:
    """How an output is named by one of its identifiers, such as ``doi:10.5555/12345678``."""
    return f"{identifier.scheme}:{identifier.value}"


_ARXIV_DOI = "10.48550/arxiv."
_ARXIV_VERSION = re.compile(r"v[0-9]+$")


def _aliases_of(scheme: str, value: str) -> Iterator[tuple[str, str]]:
    if scheme == "doi" and value.startswith(_ARXIV_DOI):
        yield from (("arxiv", each) for each in extract("arxiv", "arXiv:" + value.removeprefix(_ARXIV_DOI)))
    elif scheme == "arxiv":
        plain = _ARXIV_VERSION.sub("", value)
        if plain != value:
            yield "arxiv", plain
        elif MONTH.match(plain) or "/" in plain:  # a month that is none has no DOI
            archive, slash, number = plain.partition("/")
            yield "doi", _ARXIV_DOI + (lower(archive.split(".")[0]) + slash + number if slash else plain)
    elif scheme == "urn" and value.startswith("urn:isbn:"):
        yield from (("isbn", each) for each in extract("isbn", value.removeprefix("urn:isbn:")))
