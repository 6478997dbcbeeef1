"""An OAI-PMH server that answers as DSpace 6 does, with its hierarchy of communities at ``/rest/hierarchy``.

One line of XML around indented records; tokens ``prefix/from/until/set/offset`` (``////100`` for sets) and a cursor that
counts pages; an empty token with attributes at the end; items in the order of their UUIDs; headers that name every
community above, nearest first, then the collections. Withdrawn items stay as deleted headers with their sets, expunged
ones vanish. Nodes without ``id`` order: handle, id, name in XML.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from simulators.protocol import OaiServer, Place, escaped, request_attributes
from simulators.repository import stamp
from simulators.serving import Answer, Call

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from simulators.repository import Heading, Item, View, World
    from simulators.serving import Fault

COMMUNITIES, COLLECTIONS = 0, 1  # places of the views
PROLOGUE = (
    '<?xml version="1.0" encoding="UTF-8"?><?xml-stylesheet type="text/xsl" href="static/style.xsl"?>'
    '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">'
)
DUBLIN_CORE = (
    '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:doc="http://www.lyncode.com/xoai"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/oai_dc/ http://www.openarchives.org/OAI/2.0/oai_dc.xsd">'
)


class DSpace6(OaiServer):
    """Shows a world as DSpace 6 does. Ids of headings are handles; the views hold communities and collections.

    ``hierarchy``: what its REST endpoint gives. ``doubled``: each set is listed a second time, as ``hdl_…``.
    """

    path = "/oai/request"
    also: ClassVar[tuple[str, ...]] = ("/rest/",)
    sets_are_paged = True

    def __init__(
        self,
        world: World,
        faults: Collection[Fault] = (),
        *,
        page_size: int = 100,
        hierarchy: Literal["json", "xml", "closed"] = "json",
        doubled: bool = False,
    ) -> None:
        super().__init__(world, faults, page_size=page_size)
        self.hierarchy = hierarchy
        self.doubled = doubled

    def oai_id(self, item: Item) -> str:
        """``oai:host:handle``."""
        return f"oai:{self.world.host}:{handle(self.world, item)}"

    def in_order(self, items: list[Item]) -> list[Item]:
        """The order of UUIDs, which has nothing to do with any other."""
        return sorted(items, key=lambda item: hashlib.md5(str(item.number).encode(), usedforsecurity=False).digest())

    def set_specs(self, item: Item) -> Sequence[str]:
        """The communities above the item's collections, nearest first, then the collections."""
        collections = item.filed.get("collections", ())
        found: dict[str, None] = {}
        for path in (path for each in collections for path in paths_to(self.world, each)):
            found.update(dict.fromkeys(f"com_{spec(heading.id)}" for heading in reversed(path[:-1])))
        found.update(dict.fromkeys(f"col_{spec(each)}" for each in collections))
        doubles = [f"hdl_{each[4:]}" for each in found] if self.doubled else []
        return (*found, *doubles)

    def sets(self) -> Sequence[tuple[str, str]]:
        """Communities, then collections."""
        found = []
        for kind, view in zip(("com", "col"), self.world.views, strict=True):
            for heading in view.headings:
                found += [
                    (f"{prefix}_{spec(heading.id)}", heading.label) for prefix in (kind, *(["hdl"] * self.doubled))
                ]
        return found

    def identify(self) -> str:
        """As captured, without the toolkit's description."""
        host = self.world.host
        earliest = min((item.datestamp for item in self.world), default="1900-01-01T00:00:00Z")
        return (
            f"<repositoryName>{escaped(self.world.name)}</repositoryName><baseURL>http://{host}{self.path}</baseURL>"
            f"<protocolVersion>2.0</protocolVersion><adminEmail>dspace@{host}</adminEmail>"
            f"<earliestDatestamp>{earliest}</earliestDatestamp><deletedRecord>transient</deletedRecord>"
            "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity><compression>gzip</compression>"
        )

    def formats(self) -> str:
        """Of its formats, the one that is simulated."""
        return (
            "<metadataFormat><metadataPrefix>oai_dc</metadataPrefix>"
            "<schema>http://www.openarchives.org/OAI/2.0/oai_dc.xsd</schema>"
            "<metadataNamespace>http://www.openarchives.org/OAI/2.0/oai_dc/</metadataNamespace></metadataFormat>"
        )

    def set_element(self, spec: str, name: str) -> str:
        """A set."""
        return f"<set><setSpec>{spec}</setSpec><setName>{escaped(name)}</setName></set>"

    def token(self, verb: str, place: Place) -> str:
        """The request itself."""
        del verb
        names = ("metadataPrefix", "from", "until", "set")
        return "/".join([*(place.arguments.get(name, "") for name in names), str(place.offset)])

    def place_of(self, verb: str, token: str) -> Place:
        """A set's handle may hold no slash, as it is written with ``_``."""
        prefix, since, until, wanted, offset = token.split("/")
        if (verb == "ListSets") is bool(prefix):
            raise ValueError(token)
        given = {"metadataPrefix": prefix, "from": since, "until": until, "set": wanted}
        return Place({name: value for name, value in given.items() if value}, int(offset))

    def token_element(self, token: str, size: int, place: Place) -> str:
        """The cursor counts pages."""
        attributes = f'completeListSize="{size}" cursor="{place.offset // self.page_size}"'
        return (
            f"<resumptionToken {attributes}>{token}</resumptionToken>" if token else f"<resumptionToken {attributes}/>"
        )

    def framed(self, arguments: Sequence[tuple[str, str]], body: str) -> str:
        """An answer."""
        request = f"<request{request_attributes(arguments)}>http://{self.world.host}{self.path}</request>"
        return f"{PROLOGUE}<responseDate>{stamp(self.world.clock())}</responseDate>{request}{body}</OAI-PMH>"

    def header(self, item: Item) -> str:
        """A header; a deleted one keeps its sets."""
        status = ' status="deleted"' if item.state != "archive" else ""
        specs = "".join(f"<setSpec>{each}</setSpec>" for each in self.set_specs(item))
        return (
            f"<header{status}><identifier>{self.oai_id(item)}</identifier>"
            f"<datestamp>{item.datestamp}</datestamp>{specs}</header>"
        )

    def record(self, item: Item) -> str:
        """A record; one that is restricted says only that it is not available."""
        if item.state != "archive":
            return f"<record>{self.header(item)}</record>"
        rows = (
            ["<dc:status>Item is not available</dc:status>"] if item.flaw == "no_metadata" else list(self._rows(item))
        )
        inner = "\n".join(rows)
        return f"<record>{self.header(item)}<metadata>{DUBLIN_CORE}\n{inner}\n</oai_dc:dc>\n</metadata></record>"

    def _rows(self, item: Item) -> Iterator[str]:
        yield row("title", item.title)
        yield from (row("creator", creator.name) for creator in item.creators)
        yield from (row("subject", subject) for subject in item.subjects)
        if item.abstract:
            yield row("description", item.abstract)
        yield row("date", item.datestamp)
        yield row("date", item.datestamp)
        if item.date:
            yield row("date", item.date)
        yield row("type", item.type)
        if item.publication:
            people = "; ".join(creator.name for creator in item.creators)
            cited = f" doi:{item.cited_doi}" if item.cited_doi else ""
            yield row("identifier", f"{people} ({item.date}). {item.title}. {item.publication}.{cited}")
        yield from (row("identifier", number) for number in (item.issn, item.isbn) if number)
        yield row("identifier", self.landing_page(item))
        yield from (row("identifier", number) for number in (item.id_number, item.official_url) if number)
        yield row("language", "en")
        if item.publisher:
            yield row("publisher", item.publisher)

    def landing_page(self, item: Item) -> str:
        """The handle as an address: every third one as the site's own page."""
        own = handle(self.world, item)
        return f"http://{self.world.host}/handle/{own}" if item.number % 3 == 0 else f"http://hdl.handle.net/{own}"

    # --- REST

    def beside(self, call: Call) -> Answer:
        """The whole tree in one answer."""
        if self.hierarchy == "closed":
            return Answer(b"", 401, "text/html")
        if call.path != "/rest/hierarchy":
            return Answer(b"Not Found\n", 404, "text/plain")
        site = {"id": uuid("site"), "name": self.world.name, "handle": f"{prefix(self.world)}/0"}
        tree = {**site, "community": [self._community(each) for each in tops(self.world)], "collection": []}
        if self.hierarchy == "xml":
            text = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{as_xml("site", tree)}'
            return Answer(text.encode(), content_type="application/xml")
        return Answer(json.dumps(tree, ensure_ascii=False).encode(), content_type="application/json;charset=UTF-8")

    def _community(self, heading: Heading) -> dict[str, Any]:
        return {
            **_object(heading),
            "community": [self._community(each) for each in below(self.world.views[COMMUNITIES], heading)],
            "collection": [_object(each) for each in below(self.world.views[COLLECTIONS], heading)],
        }


def prefix(world: World) -> str:
    """The handle prefix of the repository."""
    return world.views[COMMUNITIES].headings[0].id.partition("/")[0]


def handle(world: World, item: Item) -> str:
    """The handle of an item."""
    return f"{prefix(world)}/{item.number}"


def spec(handle: str) -> str:
    """A handle in a setSpec."""
    return handle.replace("/", "_")


def row(name: str, text: str) -> str:
    """One element of Dublin Core."""
    return f"<dc:{name}>{escaped(text)}</dc:{name}>"


def tops(world: World) -> list[Heading]:
    """The communities of the first level."""
    return [each for each in world.views[COMMUNITIES].headings if not each.parents]


def below(view: View, above: Heading) -> list[Heading]:
    """What stands right below a community."""
    return [each for each in view.headings if above.id in each.parents]


def paths_to(world: World, collection: str) -> list[tuple[Heading, ...]]:
    """Every way from the first level down to a collection."""
    found = world.views[COLLECTIONS].heading(collection)
    if found is None:
        return []
    return [(*path, found) for parent in found.parents for path in world.views[COMMUNITIES].paths(parent)]


def uuid(text: str) -> str:
    """An id that stays."""
    digits = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return "-".join((digits[:8], digits[8:12], f"4{digits[13:16]}", f"8{digits[17:20]}", digits[20:]))


def _object(heading: Heading) -> dict[str, Any]:
    return {"id": uuid(heading.id), "name": heading.label, "handle": heading.id}


def as_xml(name: str, found: dict[str, Any]) -> str:
    """A node of the hierarchy as XML: keys by name, a list as repeated elements."""
    inner = ""
    for key in sorted(found):
        value = found[key]
        inner += (
            "".join(as_xml(key, each) for each in value)
            if isinstance(value, list)
            else f"<{key}>{escaped(value)}</{key}>"
        )
    return f"<{name}>{inner}</{name}>"
