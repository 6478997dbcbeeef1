"""An OAI-PMH server that answers as Esploro (Alma) is thought to: no real answer is published.

Every list wants a set. A record that was taken out of a set is deleted in that set's list and names that set alone; one
that was deleted for good names all the sets it was in. OAI ids hold long numbers. Of its two formats, ``esploro`` is simulated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl, urlencode

from simulators.academies import UNITS
from simulators.diva import FRAME
from simulators.protocol import OaiServer, Place, RefusedError, escaped, request_attributes
from simulators.repository import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulators.repository import Creator, Item

LEFT = "left"  # the sets that an item was taken out of
LONG = 9910000000000000
NAMESPACE = "http://alma.exlibrisgroup.com/esploro"


class Esploro(OaiServer):
    """Shows a world as Esploro does."""

    path = "/view/oai/46GLU_INST/request"
    prefixes: ClassVar[tuple[str, ...]] = ("esploro",)

    def leave(self, number: int, spec: str) -> None:
        """Takes an item out of a set; the others keep it."""
        item = self.world.get(number)
        if item is None or spec not in item.filed[UNITS]:
            message = f"{number} is not in {spec}"
            raise ValueError(message)
        kept = tuple(each for each in item.filed[UNITS] if each != spec)
        self.world.edit(number, filed={**item.filed, UNITS: kept, LEFT: (*item.filed.get(LEFT, ()), spec)})

    def enter(self, number: int, spec: str) -> None:
        """Puts an item into one more set."""
        item = self.world.get(number)
        if item is None:
            raise ValueError(number)
        left = tuple(each for each in item.filed.get(LEFT, ()) if each != spec)
        self.world.edit(number, filed={**item.filed, UNITS: (*item.filed[UNITS], spec), LEFT: left})

    def oai_id(self, item: Item) -> str:
        """``oai:alma.INST:long number``."""
        return f"oai:alma.{self.world.name}:{LONG + item.number}"

    def set_specs(self, item: Item) -> Sequence[str]:
        """All the sets that it is in."""
        return item.filed[UNITS]

    def sets(self) -> Sequence[tuple[str, str]]:
        """The publishing profiles, of departments and others."""
        return [(each.id, each.label) for each in self.world.views[0].headings]

    def found(self, arguments: Mapping[str, str], faults: frozenset[str]) -> list[Item]:
        """The items of a set, with those that left it, as deleted ones of this set."""
        wanted = arguments.get("set")
        if wanted is None:
            raise RefusedError("badArgument", "set is required")
        everything = super().found({name: value for name, value in arguments.items() if name != "set"}, faults)
        gone = [
            replace(each, state="deletion", filed={UNITS: (wanted,)}) if wanted in each.filed.get(LEFT, ()) else each
            for each in everything
        ]
        return [each for each in gone if wanted in each.filed[UNITS]]

    def identify(self) -> str:
        """As far as it is known."""
        return (
            f"<repositoryName>{self.world.name}</repositoryName><baseURL>{self.url}</baseURL>"
            f"<protocolVersion>2.0</protocolVersion><adminEmail>admin@{self.world.host}</adminEmail>"
            "<earliestDatestamp>2019-01-01T00:00:00Z</earliestDatestamp><deletedRecord>transient</deletedRecord>"
            "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity>"
        )

    def formats(self) -> str:
        """Both; ``oai_dc`` is not simulated."""
        return (
            f"<metadataFormat><metadataPrefix>esploro</metadataPrefix><schema>{NAMESPACE}/esploro_record.xsd</schema>"
            f"<metadataNamespace>{NAMESPACE}</metadataNamespace></metadataFormat>"
            "<metadataFormat><metadataPrefix>oai_dc</metadataPrefix>"
            "<schema>http://www.openarchives.org/OAI/2.0/oai_dc.xsd</schema>"
            "<metadataNamespace>http://www.openarchives.org/OAI/2.0/oai_dc/</metadataNamespace></metadataFormat>"
        )

    def set_element(self, spec: str, name: str) -> str:
        """A set."""
        return f"<set><setSpec>{escaped(spec)}</setSpec><setName>{escaped(name)}</setName></set>"

    def token(self, verb: str, place: Place) -> str:
        """Opaque to everybody else."""
        del verb
        return urlencode({**place.arguments, "offset": str(place.offset)}).encode().hex()

    def place_of(self, verb: str, token: str) -> Place:
        """All of it counts."""
        del verb
        given = dict(parse_qsl(bytes.fromhex(token).decode()))
        return Place({name: value for name, value in given.items() if name != "offset"}, int(given["offset"]))

    def token_element(self, token: str, size: int, place: Place) -> str:
        """Says nothing of the list's size."""
        del size, place
        expires = stamp(self.world.clock())
        return (
            f'<resumptionToken expirationDate="{expires}">{token}</resumptionToken>' if token else "<resumptionToken/>"
        )

    def framed(self, arguments: Sequence[tuple[str, str]], body: str) -> str:
        """An answer."""
        attributes = request_attributes(arguments)
        return FRAME.format(now=stamp(self.world.clock()), attributes=attributes, url=self.url, body=body)

    def header(self, item: Item) -> str:
        """A header."""
        specs = "".join(f"<setSpec>{escaped(spec)}</setSpec>" for spec in self.set_specs(item))
        start = '<header status="deleted">' if item.state != "archive" else "<header>"
        return f"{start}<identifier>{self.oai_id(item)}</identifier><datestamp>{item.datestamp}</datestamp>{specs}</header>"

    def record(self, item: Item) -> str:
        """A record."""
        if item.state != "archive":
            return f"<record>{self.header(item)}</record>"
        inside = "".join(self._fields(item))
        creators = "".join(map(_creator, item.creators))
        data = f'<record xmlns="{NAMESPACE}"><data>{inside}<creators>{creators}</creators></data></record>'
        return f"<record>{self.header(item)}<metadata>{data}</metadata></record>"

    @staticmethod
    def _fields(item: Item) -> Iterator[str]:
        yield f"<title>{escaped(item.title)}</title><resourcetype>{item.type}</resourcetype>"
        yield f"<date.published>{item.date}</date.published>"
        if item.id_number:
            yield f"<identifier.doi>{item.id_number}</identifier.doi>"
        if item.isbn:
            yield f"<identifier.isbn>{item.isbn}</identifier.isbn>"


def _creator(creator: Creator) -> str:
    family, _, given = creator.name.partition(", ")
    user = f"<user.primaryId>{creator.id}</user.primaryId>" if creator.id else ""
    return (
        f"<creator><familyname>{escaped(family)}</familyname><givenname>{escaped(given)}</givenname>{user}"
        "<role>author</role></creator>"
    )
