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
    """The items of all pages of a list, each once. An empty one has no ``_embedded``, or an empty one.

    The end is where all that says how much there is (number of pages, number of items, a next page) agrees, or where a page
    brings nothing new: a proxy or an old version may get one of them wrong, and what is cut off would count as gone.
    """
    seen: set[str] = set()
    for number in range(MOST_PAGES):
        answer = dspace.asked(repository, f"{url}?page={number}&size={PAGE_SIZE}", "application/json")
        try:
            found, last, total = _items(answer.body, relation, number)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise dspace.closed(url, "answers with something else than a list of communities (a web page?)") from error
        new = {str(each.get("uuid") or each.get("id")): each for each in found}
        fresh = [each for name, each in new.items() if name not in seen]
        yield from fresh
        seen |= new.keys()
        if not fresh or (last and len(seen) >= total):
            return


def _items(body: bytes, relation: str, number: int) -> tuple[list[dict[str, Any]], bool, int]:
    """A page's items, whether it says to be the last, and how many all pages have. Raises ``ValueError`` and others."""
    answer = json.loads(body)
    page = answer["page"]
    items = (answer.get("_embedded") or {}).get(relation) or []
    last = number >= int(page["totalPages"]) - 1 and not (answer.get("_links") or {}).get("next")
    return [dict(each) for each in items], last, int(page.get("totalElements") or 0)


ACCENT = Accent(
    overlap=timedelta(days=2),  # as in DSpace 6
    departments=departments,
    hierarchy=communities,
    memberships=dspace.memberships,
    placed=dspace.placed,
    spellings=dspace.spellings,
    no_departments_hint="the server shows no community to us, or departments.sets leaves all out",
)
