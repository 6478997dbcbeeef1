"""An OAI-PMH server that answers as bepress Digital Commons does.

Pages of 100 with a token that names a kept request, ``374206/oai_dc/100/2015-03-10/2015-03-11``; an empty token with
attributes at the end; tabs and blank lines as captured; ``<dc:identifier >`` with a blank; addresses and links that are
escaped twice; flat ``publication:`` sets. What is deleted vanishes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simulators.protocol import OaiServer, Place, escaped, request_attributes
from simulators.repository import stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from simulators.repository import Item, World
    from simulators.serving import Fault

VIEW = "contexts"
TEMPLATE = """<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH
	xmlns="http://www.openarchives.org/OAI/2.0/"
	xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
	xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/
		http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">
	<responseDate>{now}</responseDate>
	<request{attributes} >http://{host}/do/oai/</request>
\t
	{body}
</OAI-PMH>"""
RECORD = """
<record>
	{header}
	<metadata>
		<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/"\
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/oai_dc/\
 http://www.openarchives.org/OAI/2.0/oai_dc.xsd">
			{rows}
		</oai_dc:dc>
	</metadata>
</record>
"""


class Bepress(OaiServer):
    """Shows a world as Digital Commons does; its first view holds the contexts."""

    path = "/do/oai/"
    kept: ClassVar[int] = 374206  # the number of the first request that is kept for its tokens

    def __init__(self, world: World, faults: Collection[Fault] = (), *, page_size: int = 100) -> None:
        super().__init__(world, faults, page_size=page_size)
        self._requests: list[Mapping[str, str]] = []

    def shows(self, item: Item) -> bool:
        """Whether the item is there: nothing is said of deleted ones."""
        return item.state == "archive"

    def oai_id(self, item: Item) -> str:
        """``oai:host:context-article``."""
        return f"oai:{self.world.host}:{item.filed[VIEW][0]}-{item.number}"

    def set_specs(self, item: Item) -> Sequence[str]:
        """The item's own context and those above it, the topmost first."""
        paths = (path for context in item.filed[VIEW] for path in self.world.views[0].paths(context))
        return tuple(dict.fromkeys(f"publication:{heading.id}" for path in paths for heading in path))

    def sets(self) -> Sequence[tuple[str, str]]:
        """One flat set per context."""
        return [(f"publication:{heading.id}", heading.label) for heading in self.world.views[0].headings]

    def identify(self) -> str:
        """As far as it is known: no answer was ever captured."""
        host = self.world.host
        return (
            f"<repositoryName>{escaped(self.world.name)}</repositoryName><baseURL>http://{host}/do/oai/</baseURL>"
            f"<protocolVersion>2.0</protocolVersion><adminEmail>dc@{host}</adminEmail>"
            "<earliestDatestamp>1999-01-01T00:00:00Z</earliestDatestamp><deletedRecord>no</deletedRecord>"
            "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity>"
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
        """The number of the kept request, and what everybody may see of it."""
        del verb
        if place.arguments not in self._requests:
            self._requests.append(place.arguments)
        number = self.kept + self._requests.index(place.arguments)
        since, until = place.arguments.get("from", ""), place.arguments.get("until", "")
        return f"{number}/oai_dc/{place.offset}/{since}/{until}"

    def place_of(self, verb: str, token: str) -> Place:
        """Only the kept number and the offset count."""
        del verb
        number, _, offset, _, _ = token.split("/")
        place = int(number) - self.kept
        if not 0 <= place < len(self._requests):
            raise ValueError(token)
        return Place(self._requests[place], int(offset))

    def token_element(self, token: str, size: int, place: Place) -> str:
        """The cursor counts items; the last token is empty."""
        attributes = f'completeListSize="{size}" cursor="{place.offset}"'
        element = (
            f"<resumptionToken {attributes}>{token}</resumptionToken>" if token else f"<resumptionToken {attributes} />"
        )
        return f"\n\t\t\t\t\n\t\t\t{element}\n\t\t\n\t\t"

    def framed(self, arguments: Sequence[tuple[str, str]], body: str) -> str:
        """An answer."""
        now = stamp(self.world.clock())
        return TEMPLATE.format(now=now, attributes=request_attributes(arguments), host=self.world.host, body=body)

    def header(self, item: Item) -> str:
        """A header, with its sets far to the right."""
        specs = "".join(f"\t\t\t\t<setSpec>{spec}</setSpec>\n" for spec in self.set_specs(item))
        return (
            f"<header>\n\t\t<identifier>{self.oai_id(item)}</identifier>\n"
            f"\t\t<datestamp>{item.datestamp}</datestamp>\n{specs}\t\t\t</header>"
        )

    def record(self, item: Item) -> str:
        """A record."""
        return RECORD.format(header=self.header(item), rows="\n".join(self._rows(item)))

    def _rows(self, item: Item) -> Iterator[str]:
        context, host = item.filed[VIEW][0], self.world.host
        yield f"<dc:title>{escaped(escaped(item.title))}</dc:title>"
        yield from (f"<dc:creator>{escaped(creator.name)}</dc:creator>" for creator in item.creators)
        if item.abstract:
            yield f"<dc:description>{escaped(item.abstract)}</dc:description>"
        yield f"<dc:date>{item.date or '2020'}-01-01T08:00:00Z</dc:date>"
        yield "<dc:type>text</dc:type>"
        yield "<dc:format>application/pdf</dc:format>"
        yield f"<dc:identifier >http://{host}/{context}/{item.number}</dc:identifier>"
        if item.official_url:
            yield f"<dc:identifier>{escaped(item.official_url)}</dc:identifier>"
        address = f"http://{host}/cgi/viewcontent.cgi?article={item.number}&#38;amp;context={context}"
        yield f"<dc:identifier>{address}</dc:identifier>"
        yield f"<dc:source>{escaped(self.world.views[0].paths(context)[0][-1].label)}</dc:source>"
        if item.id_number:  # a PubMed id
            query = f"cmd=Retrieve&#38;db=PubMed&#38;list_uids={item.id_number}&#38;dopt=Abstract"
            link = f"&#60;a href=&#34;http://www.ncbi.nlm.nih.gov/entrez/query.fcgi?{query}&#34;&#62;"
            yield f"<dc:relation>{link}Link to article in PubMed&#60;/a&#62;</dc:relation>"
        yield f"<dc:publisher>{escaped(self.world.name)}</dc:publisher>"
        yield from (f"<dc:subject>{escaped(subject)}</dc:subject>" for subject in item.subjects)
