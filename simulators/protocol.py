"""What servers of OAI-PMH share whose lists go on by an offset: arguments, dates, sets, tokens, errors.

A product says how its answers look and what its tokens hold. Item numbers are the order of lists unless it says
otherwise.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from simulators.repository import VirtualClock, World
from simulators.serving import MOVED, TRANSPORT_FAULTS, Answer, Call, Fault, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from simulators.repository import Item

PAGE_SIZE = 100
FAULTS: Mapping[str, str] = {
    "expired_token": "badResumptionToken for a token that is good",
    "ignores_from": "from and until are taken and not looked at",
}
LIST_ARGUMENTS = frozenset({"metadataPrefix", "from", "until", "set", "resumptionToken"})
ARGUMENTS: Mapping[str, frozenset[str]] = {
    "Identify": frozenset(),
    "ListMetadataFormats": frozenset({"identifier"}),
    "ListSets": frozenset({"resumptionToken"}),
    "ListIdentifiers": LIST_ARGUMENTS,
    "ListRecords": LIST_ARGUMENTS,
    "GetRecord": frozenset({"metadataPrefix", "identifier"}),
}
DATE = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\dZ)?")


class RefusedError(Exception):
    """The request is answered with an error of the protocol."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list goes on: the arguments that it began with, and how many items came before."""

    arguments: Mapping[str, str]
    offset: int = 0


class OaiServer(Simulator):
    """A repository that answers OAI-PMH at ``path``, and other requests ``beside`` it."""

    faults_known: ClassVar[Mapping[str, str]] = {**TRANSPORT_FAULTS, **FAULTS}
    sets_are_paged = False
    prefixes: ClassVar[tuple[str, ...]] = ("oai_dc",)

    def __init__(self, world: World, faults: Collection[Fault] = (), *, page_size: int = PAGE_SIZE) -> None:
        super().__init__(faults)
        self.world = world
        self.page_size = page_size

    # --- what differs

    @abstractmethod
    def oai_id(self, item: Item) -> str:
        """The OAI identifier of an item."""

    @abstractmethod
    def set_specs(self, item: Item) -> Sequence[str]:
        """The sets in an item's header."""

    @abstractmethod
    def sets(self) -> Sequence[tuple[str, str]]:
        """All sets: (setSpec, setName)."""

    @abstractmethod
    def identify(self) -> str:
        """What stands inside Identify."""

    @abstractmethod
    def formats(self) -> str:
        """What stands inside ListMetadataFormats."""

    @abstractmethod
    def header(self, item: Item) -> str:
        """A header."""

    @abstractmethod
    def record(self, item: Item) -> str:
        """A record."""

    @abstractmethod
    def set_element(self, spec: str, name: str) -> str:
        """A set of ListSets."""

    @abstractmethod
    def token(self, verb: str, place: Place) -> str:
        """The token that leads to a place."""

    @abstractmethod
    def place_of(self, verb: str, token: str) -> Place:
        """Where a token leads. Raises ``ValueError`` for a bad one."""

    @abstractmethod
    def token_element(self, token: str, size: int, place: Place) -> str:
        """The element of a split list; ``token`` is empty on its last page."""

    @abstractmethod
    def framed(self, arguments: Sequence[tuple[str, str]], body: str) -> str:
        """A whole answer."""

    def shows(self, item: Item) -> bool:
        """Whether lists and GetRecord have the item."""
        del item
        return True

    def nothing(self) -> str:
        """What stands in a list of nothing."""
        raise RefusedError("noRecordsMatch", "No matches for the query")

    def in_order(self, items: list[Item]) -> list[Item]:
        """The items in the order of lists."""
        return items

    def beside(self, call: Call) -> Answer:
        """The answer to a request at another path."""
        del call
        return Answer(b"Not Found\n", 404, "text/plain")

    # --- what is the same

    def call_name(self, call: Call) -> str:
        """The verb; at other paths the path."""
        if not call.path.removeprefix(MOVED).startswith(self.path):
            return call.path
        return next((value for name, value in call.arguments if name == "verb"), "")

    def change(self, order: Mapping[str, object]) -> None:
        """``{"delete": [101], "expunge": [], "show": [], "touch": [], "advance": seconds}``."""
        world = self.world
        acts: Mapping[str, Callable[[int], object]] = {
            "delete": world.delete, "expunge": world.expunge, "show": world.show, "touch": world.edit,
        }  # fmt: skip
        if unknown := set(order) - {*acts, "advance"}:
            message = f"A world takes no order {sorted(unknown)}."
            raise ValueError(message)
        if "advance" in order and isinstance(self.world.clock, VirtualClock):
            self.world.clock.advance(seconds=float(cast("float", order["advance"])))
        for name, act in acts.items():
            for number in cast("list[int]", order.get(name, [])):
                act(number)

    def answer(self, call: Call) -> Answer:
        """An OAI-PMH response, or what lies beside it."""
        if not call.path.removeprefix(MOVED).startswith(self.path):
            return self.beside(call)
        name = self.call_name(call)
        kinds = set(FAULTS) - (set() if "resumptionToken" in dict(call.arguments) else {"expired_token"})
        struck = frozenset(fault.kind for fault in self.faults.strike(name, kinds))
        try:
            content, records = self._content(call, struck)
            body = f"<{name}>{content}</{name}>"
            text, refused = self.framed(call.arguments, body), False
        except RefusedError as error:
            shown = () if error.code in {"badVerb", "badArgument"} else call.arguments
            text = self.framed(shown, f'<error code="{error.code}">{escaped(str(error))}</error>')
            records, refused = frozenset(), True
        return Answer(text.encode(), refused=refused, records=records, faults=tuple(sorted(struck)))

    def _content(self, call: Call, faults: frozenset[str]) -> tuple[str, frozenset[int]]:
        """What stands inside the verb's element, and the numbers of the items in it."""
        arguments = dict(call.arguments)
        verb = arguments.pop("verb", "")
        if verb not in ARGUMENTS:
            raise RefusedError("badVerb", "Illegal OAI verb")
        if arguments.keys() - ARGUMENTS[verb] or len(arguments) + 1 < len(call.arguments):
            raise RefusedError("badArgument", "Illegal or repeated argument")
        if verb == "Identify":
            return self.identify(), frozenset()
        if verb == "ListMetadataFormats":
            return self.formats(), frozenset()
        if verb == "ListSets":
            return self._sets(arguments.get("resumptionToken"), faults), frozenset()
        if verb == "GetRecord":
            item = self._item(arguments)
            return self.record(item), frozenset({item.number})
        return self._list(verb, arguments, faults)

    def _item(self, arguments: Mapping[str, str]) -> Item:
        self._check_prefix(arguments)
        wanted = arguments.get("identifier")
        if wanted is None:
            raise RefusedError("badArgument", "Missing argument identifier")
        found = next((item for item in self.world if self.oai_id(item) == wanted and self.shows(item)), None)
        if found is None:
            raise RefusedError("idDoesNotExist", "The given id does not exist")
        return found

    def _check_prefix(self, arguments: Mapping[str, str]) -> None:
        prefix = arguments.get("metadataPrefix")
        if prefix is None:
            raise RefusedError("badArgument", "Missing argument metadataPrefix")
        if prefix not in self.prefixes:
            raise RefusedError("cannotDisseminateFormat", f"Format {prefix} not available")

    def _place(self, verb: str, token: str, faults: frozenset[str]) -> Place:
        try:
            place = None if "expired_token" in faults else self.place_of(verb, token)
        except ValueError:
            place = None
        if place is None:
            raise RefusedError("badResumptionToken", "The resumption token is invalid or has expired")
        return place

    def _sets(self, token: str | None, faults: frozenset[str]) -> str:
        sets = list(self.sets())
        if not self.sets_are_paged:
            return "".join(self.set_element(*each) for each in sets)
        place = self._place("ListSets", token, faults) if token else Place({})
        page = sets[place.offset : place.offset + self.page_size]
        return "".join(self.set_element(*each) for each in page) + self._token("ListSets", place, len(sets))

    def _list(self, verb: str, arguments: Mapping[str, str], faults: frozenset[str]) -> tuple[str, frozenset[int]]:
        if "resumptionToken" in arguments:
            if len(arguments) > 1:
                raise RefusedError("badArgument", "resumptionToken is exclusive")
            place = self._place(verb, arguments["resumptionToken"], faults)
        else:
            self._check_prefix(arguments)
            self._check_dates(arguments)
            place = Place(arguments)
        items = self.found(place.arguments, faults)
        page = items[place.offset : place.offset + self.page_size]
        if not page:
            return self.nothing(), frozenset()
        show = self.record if verb == "ListRecords" else self.header
        rows = "".join(show(item) for item in page)
        return rows + self._token(verb, place, len(items)), frozenset(item.number for item in page)

    @staticmethod
    def _check_dates(arguments: Mapping[str, str]) -> None:
        dates = [arguments[name] for name in ("from", "until") if name in arguments]
        if not all(DATE.fullmatch(date) for date in dates) or len({len(date) for date in dates}) > 1:
            raise RefusedError("badArgument", "Dates are wrong, or of different granularity")
        if sorted(dates) != dates:
            raise RefusedError("badArgument", "from is later than until")

    def found(self, arguments: Mapping[str, str], faults: frozenset[str]) -> list[Item]:
        """The items of a list."""
        since, until = arguments.get("from", ""), arguments.get("until", "")
        if "ignores_from" in faults:
            since = until = ""
        since = since if "T" in since or not since else f"{since}T00:00:00Z"
        # DSpace widens a midnight to the end of the day, and days have one anyway
        until = f"{until[:10]}T23:59:59Z" if until and ("T" not in until or until.endswith("T00:00:00Z")) else until
        numbers = self.world.find(since=since, until=until)
        items = [item for item in map(self.world.get, numbers) if item is not None and self.shows(item)]
        wanted = arguments.get("set")
        if wanted:
            items = [item for item in items if wanted in self.set_specs(item)]
        return self.in_order(items)

    def _token(self, verb: str, place: Place, size: int) -> str:
        after = place.offset + self.page_size
        if after < size:
            return self.token_element(self.token(verb, Place(place.arguments, after)), size, place)
        return self.token_element("", size, place) if place.offset else ""


def escaped(text: str) -> str:
    """Text in XML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def request_attributes(arguments: Sequence[tuple[str, str]]) -> str:
    """The attributes of ``request``: what was asked."""
    return "".join(f' {name}="{escaped(value).replace(chr(34), "&quot;")}"' for name, value in arguments)
