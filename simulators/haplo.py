"""An OAI-PMH server that answers as Haplo does, with ``oai_datacite``.

Pages of 20; the token is a JSON array in base64url with a signature, and no token stands at the end; nothing found is an
empty list; deletions are called transient and never shown. Staff are creators with an affiliation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, ClassVar

from simulators.academies import TYPES
from simulators.diva import FRAME
from simulators.protocol import OaiServer, Place, escaped, request_attributes
from simulators.repository import stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulators.repository import Creator, Item, World
    from simulators.serving import Fault

SIGNED_WITH = b"a key that is nobody's secret"
UNIVERSITY = "Houyhnhnm Academy"
DATACITE = "http://schema.datacite.org/oai/oai-1.1/"


class Haplo(OaiServer):
    """Shows a world as Haplo does."""

    path = "/oai2"
    prefixes: ClassVar[tuple[str, ...]] = ("oai_datacite",)

    def __init__(self, world: World, faults: Collection[Fault] = (), *, page_size: int = 20) -> None:
        super().__init__(world, faults, page_size=page_size)

    def shows(self, item: Item) -> bool:
        """Whether the item is there: nothing is said of deleted ones."""
        return item.state == "archive"

    def oai_id(self, item: Item) -> str:
        """``oai:host:ref``."""
        return f"oai:{self.world.host}:8v{item.number:x}"

    def set_specs(self, item: Item) -> Sequence[str]:
        """The item's type."""
        return item.filed[TYPES]

    def sets(self) -> Sequence[tuple[str, str]]:
        """The types."""
        return [(each.id, each.label) for each in self.world.views[1].headings]

    def identify(self) -> str:
        """As in the source of the server."""
        return (
            f"<repositoryName>{escaped(self.world.name)}</repositoryName><baseURL>{self.url}</baseURL>"
            f"<protocolVersion>2.0</protocolVersion><adminEmail>repository@{self.world.host}</adminEmail>"
            "<earliestDatestamp>1900-01-01T00:00:00Z</earliestDatestamp><deletedRecord>transient</deletedRecord>"
            "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity>"
        )

    def formats(self) -> str:
        """Of its formats, the one that is simulated."""
        return (
            "<metadataFormat><metadataPrefix>oai_datacite</metadataPrefix><schema>http://schema.datacite.org/oai/oai-1.1/oai.xsd"
            f"</schema><metadataNamespace>{DATACITE}</metadataNamespace></metadataFormat>"
        )

    def set_element(self, spec: str, name: str) -> str:
        """A set."""
        return f"<set><setSpec>{spec}</setSpec><setName>{escaped(name)}</setName></set>"

    def nothing(self) -> str:
        """No error."""
        return ""

    def token(self, verb: str, place: Place) -> str:
        """What was asked, signed."""
        del verb
        given = place.arguments
        asked = [str(place.offset), *(given.get(name) for name in ("metadataPrefix", "from", "until", "set"))]
        text = base64.urlsafe_b64encode(json.dumps(asked, separators=(",", ":")).encode())
        return f"{text.decode()},{_signature(text)}"

    def place_of(self, verb: str, token: str) -> Place:
        """Only what is signed is taken."""
        del verb
        text, _, signature = token.partition(",")
        if not hmac.compare_digest(signature, _signature(text.encode())):
            raise ValueError(token)
        offset, *rest = json.loads(base64.urlsafe_b64decode(text))
        given = zip(("metadataPrefix", "from", "until", "set"), rest, strict=True)
        return Place({name: value for name, value in given if value is not None}, int(offset))

    def token_element(self, token: str, size: int, place: Place) -> str:
        """None at the end."""
        expires = stamp(self.world.clock())
        attributes = f'expirationDate="{expires}" completeListSize="{size}" cursor="{place.offset}"'
        return f"<resumptionToken {attributes}>{token}</resumptionToken>" if token else ""

    def framed(self, arguments: Sequence[tuple[str, str]], body: str) -> str:
        """An answer."""
        verb = [each for each in arguments if each[0] == "verb"]
        return FRAME.format(now=stamp(self.world.clock()), attributes=request_attributes(verb), url=self.url, body=body)

    def header(self, item: Item) -> str:
        """A header."""
        specs = "".join(f"<setSpec>{spec}</setSpec>" for spec in self.set_specs(item))
        return f"<header><identifier>{self.oai_id(item)}</identifier><datestamp>{item.datestamp}</datestamp>{specs}</header>"

    def record(self, item: Item) -> str:
        """A record, with prefixes around the resource and none within."""
        identifier = f'<identifier identifierType="DOI">{item.id_number}</identifier>' if item.id_number else ""
        kind = 'relationType="IsPartOf" relatedIdentifierType="DOI"'
        other = f"<relatedIdentifier {kind}>10.5555/another.work</relatedIdentifier>"
        resource = (
            '<resource xmlns="http://datacite.org/schema/kernel-4" xsi:schemaLocation="http://datacite.org/schema/kernel-4'
            f' https://schema.datacite.org/meta/kernel-4.3/metadata.xsd">{identifier}'
            f'<resourceType resourceTypeGeneral="Text">{escaped(item.type)}</resourceType>'
            f"<relatedIdentifiers>{other}</relatedIdentifiers>"
            f"<creators>{''.join(map(_creator, item.creators))}</creators>"
            f"<titles><title>{escaped(item.title)}</title></titles><publisher>{escaped(item.publisher or '')}</publisher>"
            f"<publicationYear>{item.date}</publicationYear><subjects/><contributors></contributors>"
            f'<alternateIdentifiers><alternateIdentifier alternateIdentifierType="HaploRef">8v{item.number:x}'
            "</alternateIdentifier></alternateIdentifiers></resource>"
        )
        version = "<oai_datacite:schemaVersion>4.3</oai_datacite:schemaVersion>"
        inside = f"{version}<oai_datacite:payload>{resource}</oai_datacite:payload>"
        return (
            f'<record>{self.header(item)}<metadata xmlns:oai_datacite="{DATACITE}">'
            f"<oai_datacite:oai_datacite>{inside}</oai_datacite:oai_datacite></metadata></record>"
        )


def _creator(creator: Creator) -> str:
    """Staff with an affiliation, whose attributes are misspelt; guests without."""
    family, _, given = creator.name.partition(", ")
    names = (
        f"<creatorName>{escaped(family)}, {escaped(given[:1])}.</creatorName><givenName>{escaped(given)}</givenName>"
        f"<familyName>{escaped(family)}</familyName>"
    )
    if creator.id is None:
        return f"<creator>{names}</creator>"
    orcid = f'<nameIdentifier schemeURI="http://orcid.org/" nameIdentifierScheme="ORCID">{creator.id}</nameIdentifier>'
    affiliation = (
        '<affiliation affiliationIdentifier="grid.99999.0" affiliationIdentifierSchema="GRID"'
        f' SchemeURI="https://www.grid.ac/institutes/">{UNIVERSITY}</affiliation>'
    )
    return f"<creator>{names}{orcid if creator.id else ''}{affiliation}</creator>"


def _signature(text: bytes) -> str:
    return base64.b64encode(hmac.digest(SIGNED_WITH, text, hashlib.sha1))[:24].decode()
