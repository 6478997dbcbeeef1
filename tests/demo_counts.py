"""What the demo's institutions may show, counted from what their simulated servers hold, by rules written down here anew.

The rules are the contract's (privacy levels, orphans) and the institutions' own settings; nothing of the pipeline is used.
"""

import re
from dataclasses import dataclass

from simulators.elements import Publication, University


@dataclass(frozen=True)
class Counts:
    """How many outputs, authors and departments are published."""

    outputs: int
    authors: int
    departments: int


def lagado(place: University) -> Counts:
    """Public alone; authors who are current and academic or student; outputs that have such an author and an identifier."""
    authors = {
        key
        for key, user in place.users.items()
        if user.level == "Public" and user.current and (user.academic or user.student)
    }
    written = {
        link.publication
        for link in place.links.values()
        if link.type == 8 and link.user in authors and link.level == "Public" and link.effective in {None, "Public"}
    }
    outputs = {
        key
        for key, publication in place.publications.items()
        if publication.level == "Public" and publication.approved and _is_identified(publication) and key in written
    }
    return Counts(len(outputs), len(authors), sum(_is_shown(place, key) for key in place.groups))


def _is_shown(place: University, key: str) -> bool:
    """A group is never more public than those above it."""
    group = place.groups[key]
    return group.level == "Public" and all(_is_shown(place, above) for above in group.parents)


def _is_identified(publication: Publication) -> bool:
    return any(
        each.doi or each.isbn or (each.source in {"pubmed", "arxiv"} and re.match(r"\d", each.id_at_source or ""))
        for each in publication.records
    )
