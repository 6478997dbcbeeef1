"""An OAI-PMH server that answers as EPrints 3.x does (``oai_dc`` only), oddities included.

Ordered by eprint number, 100 a page; a token that is the request itself, percent-encoded twice, with the number to go
on from; no token on the last page; every error without attributes of the request; a bad token gives two errors, a
repeated argument badVerb; sets as hexadecimal paths, unsorted and unpaged, named by the labels of the whole path.
Headers list the full path of each value; deleted ones no set at all, although selective harvesting finds them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, cast
from urllib.parse import quote, unquote

from simulators.repository import Flaw, Heading, Item, View, VirtualClock, World, stamp
from simulators.serving import TRANSPORT_FAULTS, Answer, Call, Fault, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

PAGE_SIZE = 100
PROTOCOL_FAULTS: Mapping[str, str] = {
    "expired_token": "badResumptionToken for a token that is good",
    "same_token": "the token that was sent comes back, with the page that it led to",
    "empty_page": "an empty page, with a new token that leads to the page that was due",
    "no_records": "noRecordsMatch instead of the page",
    "refuses_seconds": "Identify says seconds, but dates with seconds are badArgument",
    "day_granularity": "the whole server speaks in days",
    "fractions": "responseDate with fractions of a second",
    "ignores_from": "from and until are taken and not looked at",
    "repeats_records": "the page begins with the last ten records of the one before",
}

DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?")
PREFIX = re.compile(r"[A-Za-z0-9\-_.!~*'()]+")
IDENTIFIER = re.compile(r"[a-z]+:.*")
SYNTAX: Mapping[str, re.Pattern[str]] = {
    "metadataPrefix": PREFIX,
    "identifier": IDENTIFIER,
    "from": DATE,
    "until": DATE,
    "set": re.compile(".+"),
    "resumptionToken": re.compile(".+"),
}
LIST_ARGUMENTS = ("metadataPrefix", "from", "until", "set", "resumptionToken")
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "Identify": (),
    "ListMetadataFormats": ("identifier",),
    "ListSets": ("resumptionToken",),
    "ListIdentifiers": LIST_ARGUMENTS,
    "ListRecords": LIST_ARGUMENTS,
    "GetRecord": ("metadataPrefix", "identifier"),
}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "ListIdentifiers": ("metadataPrefix",),
    "ListRecords": ("metadataPrefix",),
    "GetRecord": ("metadataPrefix", "identifier"),
}
LISTS = ("ListIdentifiers", "ListRecords")
VIEW_ORDER = ("status", "subjects", "divisions", "types")  # in headers; stock EPrints has no divisions among its sets

PROLOGUE = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    "<?xml-stylesheet type='text/xsl' href='/oai2.xsl' ?>\n"
    '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">\n'
)
DUBLIN_CORE = (
    '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/oai_dc/ http://www.openarchives.org/OAI/2.0/oai_dc.xsd"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
)
FORMAT = """
    <metadataFormat>
      <metadataPrefix>oai_dc</metadataPrefix>
      <schema>http://www.openarchives.org/OAI/2.0/oai_dc.xsd</schema>
      <metadataNamespace>http://www.openarchives.org/OAI/2.0/oai_dc/</metadataNamespace></metadataFormat>"""
IDENTIFY = """
    <repositoryName>{name}</repositoryName>
    <baseURL>http://{host}/cgi/oai2</baseURL>
    <protocolVersion>2.0</protocolVersion>
    <adminEmail>admin@{host}</adminEmail>
    <earliestDatestamp>{earliest}</earliestDatestamp>
    <deletedRecord>persistent</deletedRecord>
    <granularity>{granularity}</granularity>
    <description>
      <oai-identifier xmlns="http://www.openarchives.org/OAI/2.0/oai-identifier"\
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\
 xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/oai-identifier\
 http://www.openarchives.org/OAI/2.0/oai-identifier.xsd">
        <scheme>oai</scheme>
        <repositoryIdentifier>{host}</repositoryIdentifier>
        <delimiter>:</delimiter>
        <sampleIdentifier>oai:{host}:{sample}</sampleIdentifier></oai-identifier></description>"""


class OAIError(Exception):
    """The request is answered with OAI errors: pairs of a code and a message."""

    def __init__(self, *errors: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{code}: {message}" for code, message in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Question:
    """A request that was understood. ``faults``: the kinds of protocol faults that hit it."""

    verb: str
    arguments: Mapping[str, str]
    faults: frozenset[str]


class EPrints(Simulator):
    """Shows a world as EPrints does. ``custom_sets`` are flat: (spec, name, which items)."""

    path = "/cgi/oai2"
    faults_known: ClassVar[Mapping[str, str]] = {**TRANSPORT_FAULTS, **PROTOCOL_FAULTS}

    def __init__(
        self,
        world: World,
        faults: Collection[Fault] = (),
        *,
        custom_sets: Sequence[tuple[str, str, Callable[[Item], bool]]] | None = None,
        page_size: int = PAGE_SIZE,
        id_number_twice: bool = False,  # newer 3.4: also as dc:identifier
    ) -> None:
        super().__init__(faults)
        self.world = world
        self.page_size = page_size
        self.id_number_twice = id_number_twice
        self.custom_sets = OPEN_ACCESS if custom_sets is None else tuple(custom_sets)

    def call_name(self, call: Call) -> str:
        """The verb."""
        return next((value for name, value in call.arguments if name == "verb"), "")

    def change(self, order: Mapping[str, object]) -> None:
        """``{"delete": [101], "hide": [], "show": [], "touch": [], "titles": {"102": "…"}, "advance": seconds}``."""
        actions = {
            "delete": self.world.delete,
            "hide": self.world.hide,
            "show": self.world.show,
            "touch": self.world.edit,
        }
        if unknown := set(order) - {*actions, "titles", "advance"}:
            message = f"A world takes no order {sorted(unknown)}."
            raise ValueError(message)
        if "advance" in order:
            if not isinstance(self.world.clock, VirtualClock):
                message = "This world lives by the clock of the machine."
                raise ValueError(message)
            self.world.clock.advance(seconds=float(cast("float", order["advance"])))
        for name, act in actions.items():
            for number in cast("list[int]", order.get(name, [])):
                act(number)
        for text, title in cast("dict[str, str]", order.get("titles", {})).items():
            self.world.edit(int(text), title=title)

    def answer(self, call: Call) -> Answer:
        """An OAI-PMH response, or one that says what is wrong."""
        name = self.call_name(call)
        kinds = set(PROTOCOL_FAULTS)
        if "resumptionToken" not in dict(call.arguments):
            kinds -= {"expired_token", "same_token", "repeats_records"}
        if name not in LISTS:
            kinds -= {"empty_page", "no_records", "ignores_from"}
        struck = frozenset(fault.kind for fault in self.faults.strike(name, kinds))
        try:
            question = self._understood(call, struck)
            content, records = self._content(question)
        except OAIError as refusal:
            errors = "".join(f'  <error code="{code}">{escaped(text)}</error>' for code, text in refusal.errors)
            return self._framed("  <request>", f"{errors}\n", struck, refused=True)
        given = {"verb": question.verb} | {name: value for name, value in call.arguments if value}
        attributes = "".join(f' {argument}="{quoted(value)}"' for argument, value in given.items())
        body = f"  <{question.verb}>{content}</{question.verb}>\n"
        return self._framed(f"  <request{attributes}>", body, struck, records=records)

    def _framed(
        self,
        request: str,
        body: str,
        faults: frozenset[str],
        *,
        refused: bool = False,
        records: frozenset[int] = frozenset(),
    ) -> Answer:
        now = stamp(self.world.clock())
        if "fractions" in faults:
            now = now.replace("Z", ".417Z")
        if "day_granularity" in faults:
            body = re.sub(r"(<datestamp>[0-9-]{10})T[0-9:]{8}Z", r"\1", body)
        text = f"{PROLOGUE}  <responseDate>{now}</responseDate>\n{request}{self.url}</request>\n{body}</OAI-PMH>"
        # single bytes that are not UTF-8 come through as lone surrogates
        body_bytes = text.encode("utf-8", "surrogateescape")
        return Answer(body_bytes, refused=refused, records=records, faults=tuple(sorted(faults)))

    def _understood(self, call: Call, faults: frozenset[str]) -> Question:
        """Checks a request's arguments in the order of EPrints."""
        errors = []
        arguments: dict[str, str] = {}
        for name, value in call.arguments:
            if name in arguments:
                errors.append(("badVerb", f"Includes a repeated argument for '{name}'"))
            elif value:
                arguments[name] = value
        verb = arguments.pop("verb", None)
        if verb is None:
            raise OAIError(("badVerb", "Requires verb argument"), *errors)
        if verb not in ARGUMENTS:
            wrong = ("badVerb", "The value of the verb argument is not a legal OAI-PMH verb")
            raise OAIError(wrong, ("badArgument", "Bad verb argument"), *errors)
        errors += [
            ("badArgument", f"Unrecognised argument '{name}'") for name in arguments if name not in ARGUMENTS[verb]
        ]
        if "resumptionToken" not in arguments:
            missing = (name for name in REQUIRED.get(verb, ()) if name not in arguments)
            errors += [("badArgument", f"Missing required argument '{name}'") for name in missing]
        for name in ARGUMENTS[verb]:
            if name in arguments:
                errors += self._wrong(name, arguments[name])
        if errors:
            raise OAIError(*errors)
        return Question(verb, arguments, faults)

    def _wrong(self, name: str, value: str) -> Iterator[tuple[str, str]]:
        pattern = SYNTAX[name]
        if not pattern.fullmatch(value):
            yield "badArgument", f"'{name}' doesn't match required syntax '(?^:^{pattern.pattern}$)'"
        elif name == "metadataPrefix" and value != "oai_dc":
            yield "cannotDisseminateFormat", f"Record not available as metadata type: '{value}'"
        elif name == "identifier" and self._item(value) is None:
            yield "idDoesNotExist", f"'{value}' is not a valid item in this repository"

    def _item(self, identifier: str) -> Item | None:
        found = re.fullmatch(rf"oai:{re.escape(self.world.host)}:(\d+)", identifier)
        return self.world.get(int(found[1])) if found else None

    def _content(self, question: Question) -> tuple[str, frozenset[int]]:
        """What stands inside the verb's element, and the numbers of the items in it."""
        if question.verb in LISTS:
            return self._list(question)
        if question.verb == "GetRecord":
            item = self._item(question.arguments["identifier"])
            if item is None:
                raise AssertionError  # checked before
            return f"\n    {self.record(item)}", frozenset({item.number})
        if question.verb == "ListMetadataFormats":
            return FORMAT, frozenset()
        if question.verb == "ListSets":
            if "resumptionToken" in question.arguments:
                raise OAIError(("badResumptionToken", "Resumption Tokens not supported for ListSets"))
            rows = (
                f"\n    <set>\n      <setSpec>{spec}</setSpec>\n      <setName>{escaped(name)}</setName></set>"
                for spec, name in self.sets()
            )
            return "".join(rows), frozenset()
        return self._identify(question), frozenset()

    def _identify(self, question: Question) -> str:
        days = "day_granularity" in question.faults
        return IDENTIFY.format(
            name=escaped(self.world.name),
            host=self.world.host,
            earliest="0001-01-01" if days else "0001-01-01T00:00:00Z",
            granularity="YYYY-MM-DD" if days else "YYYY-MM-DDThh:mm:ssZ",
            sample=min((item.number for item in self.world), default=1),
        )

    def sets(self) -> list[tuple[str, str]]:
        """(setSpec, setName) of every path of every view, in no order that helps, then the custom sets."""
        found = [
            (set_spec(view, path), f"{view.phrase} = {': '.join(heading.label for heading in path)}")
            for view in self.world.views
            for heading in view.headings
            for path in view.paths(heading.id)
        ]
        found.sort(key=lambda pair: hashlib.md5(pair[0].encode(), usedforsecurity=False).digest())
        return found + [(spec, name) for spec, name, _ in self.custom_sets]

    def _list(self, question: Question) -> tuple[str, frozenset[int]]:
        arguments = dict(question.arguments)
        sent = arguments.get("resumptionToken")
        if sent is not None:
            arguments = self._from_token(sent, question.faults)
        else:
            self._check_dates(arguments, question.faults)
        if "no_records" in question.faults:
            raise OAIError(NOTHING)
        given = arguments.pop("offset", "0")
        offset = _whole_number(given)
        numbers = self._numbers(arguments, question.faults)
        start = offset
        if "repeats_records" in question.faults:
            start = max([number for number in numbers if number < offset][-10:][:1], default=offset)
        found = self.world.page(numbers, start, self.page_size + 1)
        items = found[: self.page_size]
        if not items:
            raise OAIError(NOTHING)
        token = ""
        if "empty_page" in question.faults:
            items, token = [], token_for(arguments, f"0{given}")  # leads to the same page, but is another token
        elif "same_token" in question.faults:
            token = sent or ""
        elif len(found) > self.page_size:
            token = token_for(arguments, str(items[-1].number + 1))
        show = self.record if question.verb == "ListRecords" else self.header
        rows = "".join(f"\n    {show(item)}" for item in items)
        return rows + self._token(token, len(numbers), offset), frozenset(item.number for item in items)

    def _from_token(self, sent: str, faults: frozenset[str]) -> dict[str, str]:
        """The request that a token holds. EPrints looks at nothing in it but the prefix; its expiry is not real."""
        invalid = ("badResumptionToken", "The value of the resumptionToken argument is invalid or expired.")
        if "expired_token" in faults:
            raise OAIError(invalid)
        pairs = (pair.partition("=") for pair in unquote(sent).split("&"))
        arguments = {unquote(name): unquote(value) for name, equals, value in pairs if equals}
        if "metadataPrefix" not in arguments:
            contents = ",".join(part for pair in arguments.items() for part in pair)
            missing = f"Expected metadata prefix as part of resumption token, token contains: {contents}"
            raise OAIError(invalid, ("badArgument", missing))
        if errors := list(self._wrong("metadataPrefix", arguments["metadataPrefix"])):
            raise OAIError(invalid, *errors)
        return arguments

    def _check_dates(self, arguments: Mapping[str, str], faults: frozenset[str]) -> None:
        dates = [arguments[name] for name in ("from", "until") if name in arguments]
        if len({len(date) for date in dates}) > 1:
            raise OAIError(("badArgument", "from and until dates have different granularity"))
        if faults & {"refuses_seconds", "day_granularity"} and any("T" in date for date in dates):
            raise OAIError(("badArgument", "Dates with a time are not supported"))

    def _numbers(self, arguments: Mapping[str, str], faults: frozenset[str]) -> list[int]:
        since, until = arguments.get("from", ""), arguments.get("until", "")
        if "ignores_from" in faults:
            since = until = ""
        since = since if "T" in since or not since else f"{since}T00:00:00Z"
        until = until if "T" in until or not until else f"{until}T23:59:59Z"
        wanted = arguments.get("set")
        if wanted is None:
            return self.world.find(since=since, until=until)
        for spec, _, holds in self.custom_sets:
            if spec == wanted:
                return self.world.find(since=since, until=until, only=holds)
        head, *tail = (_from_hex(part) for part in wanted.split(":"))
        key, _, value = head.partition("=")
        view = next((view for view in self.world.views if view.id == key), None)
        if view is None:
            raise OAIError(("badArgument", f"Invalid set parameter; unknown key ( {key} )"))
        leaf = tail[-1] if tail else value
        return self.world.find(since=since, until=until, filed=(view.id, view.below(leaf)))

    def _token(self, token: str, size: int, offset: int) -> str:
        if not token:
            return "\n  "
        expires = stamp(self.world.clock() + timedelta(days=1))
        attributes = f'expirationDate="{expires}" completeListSize="{size}" cursor="{offset}"'
        return f"\n    <resumptionToken {attributes}>{escaped(token)}</resumptionToken>"

    def header(self, item: Item) -> str:
        """A header; that of a deleted item, or one under review, names no set."""
        gone = item.state != "archive"
        rows = [
            f"<identifier>oai:{self.world.host}:{item.number}</identifier>",
            f"<datestamp>{item.datestamp}</datestamp>",
            *(() if gone else (f"<setSpec>{spec}</setSpec>" for spec in self.set_specs(item))),
        ]
        status = ' status="deleted"' if gone else ""
        return f"<header{status}>" + "".join(f"\n      {row}" for row in rows) + "</header>"

    def set_specs(self, item: Item) -> list[str]:
        """The full path of each value; values that the view does not know are left out."""
        views = sorted(self.world.views, key=lambda view: VIEW_ORDER.index(view.id) if view.id in VIEW_ORDER else 9)
        return [
            set_spec(view, path)
            for view in views
            for value in item.filed.get(view.id, ())
            for path in view.paths(value)
        ]

    def record(self, item: Item) -> str:
        """A record, with its flaw if it has one. Bytes that are not UTF-8 stand as lone surrogates."""
        header = f"<record>\n    {self.header(item)}"
        if item.state != "archive" or item.flaw == "no_metadata":
            return f"{header}</record>"
        rows = "".join(f"\n        {row}" for row in self._rows(item))
        metadata = f"\n    <metadata>\n      {DUBLIN_CORE}{rows}</oai_dc:dc></metadata></record>"
        if item.flaw == "cut_off":  # inside the title, so that no identifier is left
            metadata = metadata[: metadata.index("</dc:title>") - 4]
        return header + metadata

    def _rows(self, item: Item) -> Iterator[str]:
        """The elements in the order of EPrints."""
        abstract_url = f"http://{self.world.host}/{item.number}/"
        yield row("relation", abstract_url)
        yield f"<dc:title>{FLAWED_TITLES[item.flaw](escaped(item.title))}</dc:title>"
        for creator in item.creators:
            yield row("creator", creator.name, creator.id)
        yield from (row(name, value) for name, value in _described(item) if value)
        for place, document in enumerate(item.documents, 1):
            yield row("format", document.format)
            yield row("language", "en")
            if document.rights:
                yield row("rights", document.rights)
            yield row("identifier", f"{abstract_url}{place}/{quote(document.name)}")
        yield row("identifier", citation(item, self.world.host))
        yield from (row("relation", value) for value in (item.official_url, item.id_number) if value)
        if item.id_number and self.id_number_twice:
            yield row("identifier", item.id_number)


def _described(item: Item) -> Iterator[tuple[str, str | None]]:
    yield from (("subject", subject) for subject in item.subjects)
    yield "description", item.abstract
    yield "publisher", item.publisher
    yield from (("contributor", contributor) for contributor in item.contributors)
    yield "date", item.date
    yield "type", item.type
    yield "type", "PeerReviewed" if item.refereed else "NonPeerReviewed"


OPEN_ACCESS: tuple[tuple[str, str, Callable[[Item], bool]], ...] = (
    ("driver", "Open Access DRIVERset", lambda item: bool(item.documents)),
)
NOTHING = ("noRecordsMatch", "No items match. None. None at all. Not even deleted ones.")
FLAWED_TITLES: Mapping[Flaw | None, Callable[[str], str]] = {
    None: str,
    "control_character": lambda title: title.replace(" ", " \x0b", 1),
    "raw_ampersand": lambda title: f"{title} & other matters",
    "undeclared_entity": lambda title: f"{title}: r&eacute;sum&eacute;",
    "latin_1_byte": lambda title: f"{title}: a r\udce9sum\udce9",
    "double_escaped": lambda title: f"{title} &amp;amp; other matters",
    "cut_off": str,
}


def escaped(text: str) -> str:
    """Text as libxml writes it: carriage returns as a reference."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def quoted(text: str) -> str:
    """The value of an attribute as libxml writes it."""
    return escaped(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")


def row(name: str, text: str, id_: str | None = None) -> str:
    """One element of Dublin Core. ``id_`` is what an institution's own plugin adds to a creator."""
    attribute = "" if id_ is None else f' id="{quoted(id_)}"'
    return f"<dc:{name}{attribute}>{escaped(text)}</dc:{name}>"


def citation(item: Item, host: str) -> str:
    """The citation as text: people who have a page of their own with its address, blanks where fields are empty."""
    people = "".join(
        f"  {creator.name} <http://{host}/view/creators/{_page(creator.id)}.html>;"
        if creator.id
        else f"  {creator.name};"
        for creator in item.creators
    )
    year = (item.date or "").partition("-")[0] or "Unspecified"
    parts = [f"  {people}      ({year}) {item.title}.  {item.publication or ''}".rstrip() + ". "]
    if item.issn:
        parts.append(f" ISSN {item.issn}")
    if item.isbn:
        parts.append(f" ISBN {item.isbn}")
    if item.cited_doi:
        parts.append(f" DOI: {item.cited_doi} <http://dx.doi.org/{item.cited_doi}>")
    return " ".join(" ".join(parts).splitlines()) + "     "


def set_spec(view: View, path: Sequence[Heading]) -> str:
    """``divisions=sci`` and ``bio`` as ``6469766973696F6E733D736369:62696F``."""
    first, *rest = (heading.id for heading in path)
    return ":".join(part.encode().hex().upper() for part in (f"{view.id}={first}", *rest))


def token_for(arguments: Mapping[str, str], offset: str) -> str:
    """A token: the request's arguments by name with the offset, each percent-encoded, and the whole once more."""
    pairs = {**{name: arguments[name] for name in LIST_ARGUMENTS if name in arguments}, "offset": offset}
    return _encoded("&".join(f"{_encoded(name)}={_encoded(pairs[name])}" for name in sorted(pairs)))


def _encoded(text: str) -> str:
    return quote(text, safe="-_.!~*'()")


def _from_hex(text: str) -> str:
    """Takes what is no hexadecimal number as it stands: the key will then be unknown."""
    try:
        return bytes.fromhex(text).decode()
    except ValueError:
        return text


def _whole_number(text: str) -> int:
    """As Perl's ``%d`` reads it: the leading digits, else 0."""
    found = re.match(r"\s*(\d+)", text)
    return int(found[1].lstrip("0") or "0") if found else 0


def _page(id_: str) -> str:
    """A creator's page is named by a digest here: a page's address must not give a mail address away."""
    return str(int(hashlib.md5(id_.strip().lower().encode(), usedforsecurity=False).hexdigest()[:6], 16))
