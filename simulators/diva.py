"""An OAI-PMH server that answers as DiVA does, with ``swepub_mods``.

Pages of 100; token and cursor name the next offset, and a full last page still has a token, which leads to an empty list;
the time of the answer has milliseconds. Lists are asked for by ``SwePub-<institution>`` or ``all-<institution>``, while
headers name the institution and the type; those of deleted records name none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simulators import invented
from simulators.academies import TYPES, UNITS
from simulators.protocol import OaiServer, Place, escaped, request_attributes
from simulators.repository import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulators.repository import Creator, Item

EPOCH = 1769914800000
LABELS = {
    "article": "Article in journal",
    "chapter": "Chapter in book",
    "report": "Report",
    "studentThesis": "Student thesis",
}
FRAME = """<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\
 xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">
<responseDate>{now}</responseDate>
<request{attributes}>{url}</request>
{body}
</OAI-PMH>
"""
MODS = (
    '<mods xmlns="http://www.loc.gov/mods/v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xmlns:xlink="http://www.w3.org/1999/xlink" version="3.2" xsi:schemaLocation="http://www.loc.gov/mods/v3'
    ' http://www.loc.gov/standards/mods/v3/mods-3-2.xsd">'
)


class Diva(OaiServer):
    """Shows a world as DiVA does; the host's first part is the institution's code."""

    path = "/dice/oai"
    prefixes: ClassVar[tuple[str, ...]] = ("swepub_mods",)

    @property
    def code(self) -> str:
        """The institution."""
        return self.world.host.partition(".")[0]

    def oai_id(self, item: Item) -> str:
        """``oai:DiVA.org:code-number``."""
        return f"oai:DiVA.org:{self.code}-{item.number}"

    def set_specs(self, item: Item) -> Sequence[str]:
        """The institution, the type."""
        return (self.code, *item.filed[TYPES])

    def sets(self) -> Sequence[tuple[str, str]]:
        """Those to harvest by, and those of headers."""
        own = [(f"{name}-{self.code}", f"{name} {self.code.upper()}") for name in ("all", "SwePub")]
        return [
            *own,
            (self.code, self.code.upper()),
            *((each.id, LABELS[each.id]) for each in self.world.views[1].headings),
        ]

    def found(self, arguments: Mapping[str, str], faults: frozenset[str]) -> list[Item]:
        """The items of a list; the sets to harvest by hold everything."""
        whole = {f"all-{self.code}", f"SwePub-{self.code}"}
        kept = {name: value for name, value in arguments.items() if name != "set" or value not in whole}
        return super().found(kept, faults)

    def identify(self) -> str:
        """As far as it is known: no answer was ever captured."""
        return (
            f"<repositoryName>DiVA - {escaped(self.world.name)}</repositoryName><baseURL>{self.url}</baseURL>"
            "<protocolVersion>2.0</protocolVersion><adminEmail>admin@diva.example</adminEmail>"
            "<earliestDatestamp>2005-01-01T00:00:00Z</earliestDatestamp><deletedRecord>persistent</deletedRecord>"
            "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity>"
        )

    def formats(self) -> str:
        """Of its formats, the one that is simulated."""
        return (
            "<metadataFormat><metadataPrefix>swepub_mods</metadataPrefix>"
            "<schema>http://www.loc.gov/standards/mods/v3/mods-3-2.xsd</schema>"
            "<metadataNamespace>http://www.loc.gov/mods/v3</metadataNamespace></metadataFormat>"
        )

    def set_element(self, spec: str, name: str) -> str:
        """A set."""
        return f"<set><setSpec>{spec}</setSpec><setName>{escaped(name)}</setName></set>"

    def nothing(self) -> str:
        """The page behind a full last one."""
        return ""

    def token(self, verb: str, place: Place) -> str:
        """All of the request, and the next offset."""
        del verb
        given = place.arguments
        parts = (given.get(name) or "null" for name in ("set", "from", "until"))
        return f"{EPOCH}/diva/{given['metadataPrefix']}/{place.offset}/{len(self.world)}/{'/'.join(parts)}/"

    def place_of(self, verb: str, token: str) -> Place:
        """All of it counts."""
        del verb
        _, _, prefix, offset, _, *rest, _ = token.split("/")
        given = {name: value for name, value in zip(("set", "from", "until"), rest, strict=True) if value != "null"}
        return Place({"metadataPrefix": prefix, **given}, int(offset))

    def _token(self, verb: str, place: Place, size: int) -> str:
        """A full page has a token, be it the last one."""
        after = place.offset + self.page_size
        return self.token_element(self.token(verb, Place(place.arguments, after)), size, place) if after <= size else ""

    def token_element(self, token: str, size: int, place: Place) -> str:
        """The cursor is the next offset."""
        cursor = place.offset + self.page_size
        return f'<resumptionToken completeListSize="{size}" cursor="{cursor}">{token}</resumptionToken>'

    def framed(self, arguments: Sequence[tuple[str, str]], body: str) -> str:
        """An answer."""
        now = stamp(self.world.clock()).replace("Z", ".348Z")
        return FRAME.format(now=now, attributes=request_attributes(arguments), url=self.url, body=body)

    def header(self, item: Item) -> str:
        """A header."""
        gone = item.state != "archive"
        specs = "" if gone else "".join(f"<setSpec>{spec}</setSpec>" for spec in self.set_specs(item))
        start = '<header status="deleted">' if gone else "<header>"
        return f"{start}<identifier>{self.oai_id(item)}</identifier><datestamp>{item.datestamp}</datestamp>{specs}</header>"

    def record(self, item: Item) -> str:
        """A record."""
        if item.state != "archive":
            return f"<record>{self.header(item)}</record>"
        return f"<record>{self.header(item)}<metadata>{MODS}{''.join(self._parts(item))}</mods></metadata></record>"

    def _parts(self, item: Item) -> Iterator[str]:
        (type_,) = item.filed[TYPES]
        yield f'<genre authority="diva" type="publicationTypeCode">{type_}</genre>'
        yield f'<genre authority="diva" type="publicationType" lang="eng">{LABELS[type_]}</genre>'
        yield from (self._person(each) for each in item.creators)
        yield (
            '<name type="personal" authority="xx" xlink:href="u1supervisor"><namePart type="family">Handledarsson</namePart>'
            '<role><roleTerm type="code" authority="marcrelator">ths</roleTerm></role></name>'
        )
        for unit in item.filed[UNITS]:
            for path in self.world.views[0].paths(unit):
                names = "".join(f"<namePart>{escaped(each.label)}</namePart>" for each in path)
                yield f'<name type="corporate" authority="{self.code}" xlink:href="{unit}">{names}{_role("pbl")}</name>'
        yield f'<titleInfo lang="eng"><title>{escaped(item.title)}</title></titleInfo>'
        publisher = f"<publisher>{escaped(item.publisher or '')}</publisher>"
        yield f"<originInfo>{publisher}<dateIssued>{item.date}</dateIssued></originInfo>"
        number = f"urn:nbn:xx:{self.code}:diva-{item.number}"
        yield f'<identifier type="uri">http://urn.kb.se/resolve?urn={number}</identifier>'
        if item.id_number:
            yield f'<identifier type="doi">{item.id_number}</identifier>'
        if item.isbn:
            yield f'<identifier type="isbn" displayLabel="print">{item.isbn}</identifier>'
        yield (
            '<relatedItem type="host"><titleInfo><title>Annals of the Channel</title></titleInfo>'
            f'<identifier type="issn">{invented.issn(7)}</identifier><identifier type="isbn">{invented.isbn(7)}</identifier>'
            "</relatedItem>"
        )

    def _person(self, creator: Creator) -> str:
        family, _, given = creator.name.partition(", ")
        names = (
            f'<namePart type="family">{escaped(family)}</namePart><namePart type="given">{escaped(given)}</namePart>'
        )
        if creator.id is None:
            return f'<name type="personal">{names}{_role("aut")}</name>'
        serial = int(creator.id.removeprefix("u"))
        if serial % 5 == 0:  # the newer dialect
            ids = f'<nameIdentifier type="{self.code}">{creator.id}</nameIdentifier>'
            return f'<name type="personal" authority="{self.code}">{names}{_role("aut")}{ids}</name>'
        orcid = f"<description>orcid.org={invented.orcid(serial)}</description>" if serial % 2 else ""
        return f'<name type="personal" authority="{self.code}" xlink:href="{creator.id}">{names}{_role("aut")}{orcid}</name>'


def _role(code: str) -> str:
    return f'<role><roleTerm type="code" authority="marcrelator">{code}</roleTerm></role>'
