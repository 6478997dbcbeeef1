"""OAI-PMH answers of an invented repository, written as text so that tests can break them in any way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORD_DATE = "2026-01-01T00:00:00Z"
ANSWERED = "2026-02-01T03:00:00Z"


def document(inner: str, *, answered: str = ANSWERED) -> str:
    """A whole answer around its verb's element."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<responseDate>{answered}</responseDate><request>http://repo.lilliput.example/oai</request>{inner}</OAI-PMH>"
    )


def record(
    number: int, fields: str = "", *, sets: Sequence[str] = (), deleted: bool = False, when: str = RECORD_DATE
) -> str:
    """A record; ``fields`` is the inside of its oai_dc element, by default a title and a bare DOI."""
    status = ' status="deleted"' if deleted else ""
    specs = "".join(f"<setSpec>{each}</setSpec>" for each in sets)
    header = (
        f"<header{status}><identifier>oai:repo.lilliput.example:{number}</identifier>"
        f"<datestamp>{when}</datestamp>{specs}</header>"
    )
    inside = fields or f"<dc:title>Title {number}</dc:title><dc:identifier>10.5555/x.{number}</dc:identifier>"
    metadata = (
        '<metadata><oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/">{inside}</oai_dc:dc></metadata>'
    )
    return f"<record>{header}{'' if deleted else metadata}</record>"


def records(*items: str, token: str | None = None, size: int | None = None, answered: str = ANSWERED) -> str:
    """A ListRecords answer."""
    attribute = "" if size is None else f' completeListSize="{size}"'
    tail = "" if token is None else f"<resumptionToken{attribute}>{token}</resumptionToken>"
    return document(f"<ListRecords>{''.join(items)}{tail}</ListRecords>", answered=answered)


def listed_sets(**names: str) -> str:
    """A ListSets answer; a double underscore in a spec stands for its colon."""
    inner = "".join(
        f"<set><setSpec>{spec.replace('__', ':')}</setSpec><setName>{name}</setName></set>"
        for spec, name in names.items()
    )
    return document(f"<ListSets>{inner}</ListSets>")


def error(*codes: str, text: str = "no") -> str:
    """An answer with errors of the protocol."""
    return document("".join(f'<error code="{code}">{text}</error>' for code in codes))


def identify(
    granularity: str = "YYYY-MM-DDThh:mm:ssZ", deleted: str = "persistent", earliest: str = "0001-01-01"
) -> str:
    """An Identify answer."""
    return document(
        "<Identify><repositoryName>Lilliput Repository</repositoryName>"
        "<baseURL>http://repo.lilliput.example/oai</baseURL><protocolVersion>2.0</protocolVersion>"
        f"<adminEmail>admin@lilliput.example</adminEmail><earliestDatestamp>{earliest}</earliestDatestamp>"
        f"<deletedRecord>{deleted}</deletedRecord><granularity>{granularity}</granularity></Identify>"
    )


def formats(*prefixes: str) -> str:
    """A ListMetadataFormats answer."""
    inner = "".join(f"<metadataFormat><metadataPrefix>{each}</metadataPrefix></metadataFormat>" for each in prefixes)
    return document(f"<ListMetadataFormats>{inner}</ListMetadataFormats>")
