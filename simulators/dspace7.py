"""DSpace 7: OAI-PMH as DSpace 6 at ``/server/oai/request``, and communities as paged HAL at ``/server/api``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from simulators.dspace6 import COLLECTIONS, COMMUNITIES, DSpace6, below, handle, tops, uuid
from simulators.serving import Answer, Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.repository import Heading, Item

API = "/server/api"
DEFAULT_SIZE = 20
LINKS = {
    "communities": ("collections", "logo", "subcommunities", "parentCommunity", "adminGroup"),
    "collections": (
        "harvester", "itemtemplate", "license", "logo", "mappedItems", "parentCommunity", "adminGroup", "submittersGroup",
    ),
}  # fmt: skip


class DSpace7(DSpace6):
    """Shows a world as DSpace 7 does. ``hierarchy="closed"``: REST wants a login. ``most`` caps the size of REST pages."""

    path = "/server/oai/request"
    also: ClassVar[tuple[str, ...]] = (API,)
    most = 100

    def landing_page(self, item: Item) -> str:
        """The handle as an address."""
        return f"https://hdl.handle.net/{handle(self.world, item)}"

    def beside(self, call: Call) -> Answer:
        """A page of a list of communities or collections."""
        if self.hierarchy == "closed":
            error = {"status": 401, "error": "Unauthorized", "message": "Authentication is required", "path": call.path}
            return self._json({"timestamp": "2026-02-01T03:00:00.000+00:00", **error}, 401)
        place = call.path.removeprefix(f"{API}/core/communities").strip("/")
        communities, collections = self.world.views[COMMUNITIES], self.world.views[COLLECTIONS]
        if place == "search/top":
            return self._page(call, "communities", tops(self.world))
        if place == "":
            return self._page(call, "communities", communities.headings)
        number, _, relation = place.partition("/")
        found = next((each for each in communities.headings if uuid(each.id) == number), None)
        if found is None or relation not in {"subcommunities", "collections"}:
            return self._json({"status": 404, "error": "Not Found", "message": "", "path": call.path}, 404)
        return self._page(call, relation, below(collections if relation == "collections" else communities, found))

    def _page(self, call: Call, relation: str, items: Sequence[Heading]) -> Answer:
        """One page; an empty one has no ``_embedded``, and a size that is too large is cut without a word."""
        given = dict(call.arguments)
        try:
            number, size = int(given.get("page", 0)), min(int(given.get("size", DEFAULT_SIZE)), self.most)
        except ValueError:
            number, size = 0, 0
        if size <= 0 or number < 0:
            return self._json({"status": 400, "error": "Bad Request", "message": "", "path": call.path}, 400)
        pages = -(-len(items) // size)
        shown = items[number * size : (number + 1) * size]
        links = {"self": number}
        if pages > 1:
            links |= {"first": 0, "last": pages - 1}
            links |= {"next": number + 1} if number + 1 < pages else {}
            links |= {"prev": number - 1} if 0 < number < pages else {}
        body: dict[str, Any] = {}
        if shown:
            kind = "collections" if relation == "collections" else "communities"
            body["_embedded"] = {relation: [self._object(each, kind) for each in shown]}
        body["_links"] = {name: {"href": self._href(call.path, page, size)} for name, page in links.items()}
        body["page"] = {"size": size, "totalElements": len(items), "totalPages": pages, "number": number}
        return self._json(body)

    def _href(self, path: str, page: int, size: int) -> str:
        return f"https://{self.world.host}{path}?{urlencode({'page': page, 'size': size})}"

    def _object(self, heading: Heading, kind: str) -> dict[str, Any]:
        number = uuid(heading.id)
        own = f"https://{self.world.host}{API}/core/{kind}/{number}"
        plain = {"language": None, "authority": None, "confidence": -1, "place": 0}
        address = f"https://{self.world.host}/handle/{heading.id}"
        metadata = {"dc.identifier.uri": [{"value": address, **plain}]}
        if heading.label:
            metadata["dc.title"] = [{"value": heading.label, **plain}]
        return {
            "id": number,
            "uuid": number,
            "name": heading.label or None,
            "handle": heading.id,
            "metadata": metadata,
            "archivedItemsCount": -1,
            "type": "collection" if kind == "collections" else "community",
            "_links": {**{name: {"href": f"{own}/{name}"} for name in LINKS[kind]}, "self": {"href": own}},
        }

    @staticmethod
    def _json(body: object, status: int = 200) -> Answer:
        return Answer(json.dumps(body, ensure_ascii=False).encode(), status, "application/hal+json;charset=UTF-8")
