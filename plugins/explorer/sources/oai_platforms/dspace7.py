"""DSpace 7 and later: communities by REST, level by level, as paged HAL.

Only ``search/top`` with ``subcommunities`` and ``collections`` makes a tree; the plain list is flat. Addresses are made
from the one that was configured, not from ``_links``, which name whatever host the server believes to be.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from explorer.sources.oai_platforms import Accent, Repository, Settings, dspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.records import Department
    from explorer.sources.oai_platforms.dspace import Kind, Node

PAGE_SIZE = 100  # a server that has a lower limit cuts it without a word
MOST_PAGES = 1000


def departments(repository: Repository, settings: Settings) -> Iterator[Department]:
    """The tree of communities. Raises ``DepartmentsClosedError``: a tree that is not whole is none."""
    base = communities(settings)
    known: dict[str, Node] = {}
    top = [
        _with_below(repository, base, each, known) for each in _listed(repository, f"{base}/search/top", "communities")
    ]
    return dspace.tree([found for found in top if found is not None], settings)


def communities(settings: Settings) -> str:
    """The address of all communities: ``…/server/api/core/communities``."""
    url = settings.source.hierarchy_url
    if url is None:
        return dspace.beside(settings.source.url, "api/core/communities")
    url = url.partition("?")[0].rstrip("/").removesuffix("/search/top").removesuffix("/core/communities")
    return f"{url}/core/communities"


def _with_below(repository: Repository, base: str, community: dict[str, Any], known: dict[str, Node]) -> Node | None:
    """A community with all below it, asked for once however many parents it has."""
    made = _node(community, "community")
    number = str(community.get("uuid") or community.get("id") or "")
    if made is None or not number:
        return made
    if number in known:
        return known[number]
    known[number] = made
    place = f"{base}/{quote(number, safe='')}"
    for each in _listed(repository, f"{place}/subcommunities", "subcommunities"):
        below = _with_below(repository, base, each, known)
        made.below += [below] if below else []
    for each in _listed(repository, f"{place}/collections", "collections"):
        collection = _node(each, "collection")
        made.below += [collection] if collection else []
    return made


def _node(found: dict[str, Any], kind: Kind) -> Node | None:
    return dspace.node(found.get("handle"), found.get("uuid") or found.get("id"), found.get("name"), kind)


def _listed(repository: Repository, url: str, relation: str) -> Iterator[dict[str, Any]]:
    """The items of all pages of a list. An empty one has no ``_embedded``, or an empty one."""
    for number in range(MOST_PAGES):
        answer = dspace.asked(repository, f"{url}?page={number}&size={PAGE_SIZE}", "application/json")
        try:
            found, last = _items(answer.body, relation)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise dspace.closed(url, "answers with something else than a list of communities (a web page?)") from error
        yield from found
        if not found or number >= last:
            return


def _items(body: bytes, relation: str) -> tuple[list[dict[str, Any]], int]:
    """The items of a page, and the number of the last page. Raises ``ValueError`` and others where it is no page."""
    page = json.loads(body)
    items = (page.get("_embedded") or {}).get(relation) or []
    return [dict(each) for each in items], int(page["page"]["totalPages"]) - 1


ACCENT = Accent(
    overlap=timedelta(days=2),  # as in DSpace 6
    departments=departments,
    hierarchy=communities,
    memberships=dspace.memberships,
    placed=dspace.placed,
    spellings=dspace.spellings,
    no_departments_hint="the server shows no community to us, or departments.sets leaves all out",
)
