"""A Pure server with both its interfaces in front of one store: the old web service (510 to 524) and the new API.

What a key may ask and what it sees is the key's own: an administrator's sees what is hidden and confidential, too. Faults
of the wire are laid over single answers (``WIRE_FAULTS``); what happens to content is the store's (``pure_world``).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from simulators.pure_new import NewApi
from simulators.pure_old import OldService, xml_of, xml_of_one
from simulators.pure_world import FAMILIES, Audit, Output, Person, Unit
from simulators.repository import VirtualClock
from simulators.serving import TRANSPORT_FAULTS, Answer, Call, Fault, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from simulators.pure_world import Content, Store

OLD_VERSIONS = tuple(str(number) for number in range(510, 525))
NEW_MAX_SIZE = 1000
DEFAULT_SIZE = 10
AUDIT_ROWS = 100  # behind one answer of /changes, at most
RESTART = 2_098  # where a sequence began again
RESTARTED_UNTIL = 11_129
COLLECTIONS: Mapping[str, str] = {
    "research-outputs": "ResearchOutput", "persons": "Person", "organisational-units": "Organisation",
    "organizations": "Organisation",
}  # fmt: skip
ORDERINGS: Mapping[str, Callable[[Any], Any]] = {
    "uuid": lambda each: each.uuid,
    "id": lambda each: each.number,
    "pureId": lambda each: each.number,
    "created": lambda each: (each.created, each.uuid),
    "modified": lambda each: (each.modified, each.uuid),
    "title": lambda each: (_title(each), each.uuid),
    "name": lambda each: (_title(each), each.uuid),
}
FILTERS = frozenset(
    {"ids", "modifiedAfter", "modifiedBefore", "createdAfter", "createdBefore", "typeUris", "publishedAfterDate",
     "workflowSteps", "forOrganisationalUnits", "employmentStatus"}
)  # fmt: skip

WIRE_FAULTS: Mapping[str, str] = {
    # /changes
    "zero_count_runs": "four empty pages in a row, `moreChanges` true and no key `items`",
    "more_changes_always": "`moreChanges` is never false, as in 5.16; the last token comes back as it was sent",
    "stuck_token": "the token does not move, although there is more",
    "sequence_restart": "the sequence begins again near 2,098: items without uuid, and always more",
    "items_without_uuid": "items without uuid among the others",
    "doubles": "every item three times, twice with an older version or none",
    "metric_changes": "rows of changed metrics among the others",
    "old_token": "400 for a token that was good",
    # lists
    "key_in_links": "links hold the key that was sent",
    "other_host": "links lead to another host",
    "next_to_itself": "a page's next link is the page itself",
    "no_links": "no links at all",
    "unstable_order": "without `order`, each answer has an order of its own",
    "page_overlap": "a page begins with the end of the one before, and is the longer for it",
    "short_page": "half the page, and no word of it",
    "count_too_high": "`count` says three more than there are",
    "ignores_uuids": "the filter `uuids` is taken and not looked at",
    "ignores_fields": "`fields` is taken and not looked at",
    "broken_item": "one item of the page is not what it should be: its names are numbers, its lists texts",
    # both
    "mixed_dates": "each date in a format of its own",
    "merge_301": "asked for the loser of a merge: 301 to the winner instead of 200",
    "merge_404": "asked for the loser of a merge: nothing",
    "busy_bare": "503 without Retry-After",
    "too_many_bare": "429 without Retry-After",
    "html_error": "500 with a page of HTML",
    "error_under_200": "an error document with HTTP status 200",
    "forbidden": "403",
    "unauthorised": "401",
    "empty_object": "`{}`",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """An API key. ``rights``: the endpoints it may ask (None: all). ``sees``: everything, or only what is public."""

    rights: frozenset[str] | None = None
    sees_all: bool = True


@dataclass(slots=True)
class _Asked:
    """A request for a list, from wherever its arguments came."""

    arguments: dict[str, Any]
    kinds: set[str] = field(default_factory=set)

    def number(self, name: str, default: int) -> int:
        """A number; raises ``_RefusedError``."""
        try:
            found = int(self.arguments.get(name, default))
        except (TypeError, ValueError):
            found = -1
        if found < 0:
            raise _RefusedError(400, f"The value of {name} is not a valid number.")
        return found

    def names(self, name: str) -> list[str]:
        """A list of texts, in JSON or between commas."""
        found = self.arguments.get(name) or []
        return [each for each in (found.split(",") if isinstance(found, str) else map(str, found)) if each]


class _RefusedError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Pure(Simulator):
    """``store`` behind one host. ``versions``: what it answers; ``json``: whether the old service gives JSON at all."""

    path = "/ws/api/"
    faults_known: ClassVar[Mapping[str, str]] = {**TRANSPORT_FAULTS, **WIRE_FAULTS}

    def __init__(
        self,
        store: Store,
        faults: Collection[Fault] = (),
        *,
        versions: Collection[str] = (*OLD_VERSIONS, "new"),
        keys: Mapping[str, Key] | None = None,
        login: str = "",
        password: str = "",
        json_off: bool = False,
    ) -> None:
        super().__init__(faults)
        self.store = store
        self.versions = frozenset(versions)
        self.keys = dict(keys) if keys is not None else {"key-of-gulliver": Key()}
        self.json_off = json_off
        self._secret = base64.b64encode(f"{login}:{password}".encode()).decode() if login else None
        self._turn = 0
        self._known: dict[tuple[object, ...], tuple[int, list[Content]]] = {}

    def base(self, version: str = "524") -> str:
        """The base URL of an interface, while it serves: no slash at the end."""
        return self.url.rstrip("/") if version == "new" else f"{self.url}{version}"

    def call_name(self, call: Call) -> str:
        """The resource: ``persons``; of a single thing ``persons/one``; ``changes`` without its token."""
        parts = self._parts(call)[1]
        match parts:
            case [name, "search"] | [name]:
                return name
            case ["changes", _]:
                return "changes"
            case [name, _]:
                return f"{name}/one"
        return "/".join(parts)

    def change(self, order: Mapping[str, object]) -> None:
        """``{"delete": [uuid], "hide": [], "show": [], "merge": [[loser, winner]], "noise": 5, "advance": seconds}``."""
        store = self.store
        acts: Mapping[str, Callable[[str], object]] = {"delete": store.delete, "hide": store.hide, "show": store.show}
        if unknown := set(order) - {*acts, "merge", "noise", "silence", "advance"}:
            message = f"A Pure server takes no order {sorted(unknown)}."
            raise ValueError(message)
        if "advance" in order and isinstance(store.clock, VirtualClock):
            store.clock.advance(seconds=float(cast("float", order["advance"])))
        for name, act in acts.items():
            for uuid in cast("list[str]", order.get(name, [])):
                act(uuid)
        for loser, winner in cast("list[tuple[str, str]]", order.get("merge", [])):
            store.merge(loser, winner)
        store.noise(cast("int", order.get("noise", 0)))
        store.silence(cast("int", order.get("silence", 0)))

    # --- who asks

    def answer(self, call: Call) -> Answer:
        version, parts = self._parts(call)
        headers = _headers(call)
        in_xml = version != "new" and self._in_xml(headers)
        kinds = {each.kind for each in self.faults.strike(self.call_name(call), WIRE_FAULTS)}
        try:
            key = self._admit(call, version, parts, headers, kinds)
            self._check_format(version, in_xml=in_xml)
            with self.store.lock:
                made = self._spoiled(kinds) or self._resource(call, version, parts, kinds, sees_all=key.sees_all)
        except _RefusedError as refused:
            made = self._refusal(refused, version, in_xml=in_xml)
        if not isinstance(made, Answer):
            made = self._written(made, version, in_xml=in_xml)
        told = format_datetime(self.store.clock().astimezone(UTC), usegmt=True)
        return replace(made, headers={"Date": told, **made.headers}, faults=tuple(sorted(kinds)))

    def _written(self, body: dict[str, Any], version: str, *, in_xml: bool) -> Answer:
        if in_xml:
            text = xml_of_one(body, version) if "uuid" in body else xml_of("result", body, version)
            return Answer(text.encode(), content_type="application/xml;charset=UTF-8")
        kind = "application/json" if version == "new" else "application/json;charset=UTF-8"
        return Answer(json.dumps(body, ensure_ascii=False).encode(), content_type=kind)

    def _check_format(self, version: str, *, in_xml: bool) -> None:
        if version != "new" and self.json_off and not in_xml:
            raise _RefusedError(406, "The requested representation is not available.")

    def _parts(self, call: Call) -> tuple[str, list[str]]:
        """The version that an address means, and what it names there."""
        parts = [each for each in call.path.partition(self.path)[2].split("/") if each]
        if parts and re.fullmatch(r"\d{2,3}", parts[0]):
            return parts[0], parts[1:]
        return "new", parts

    def _in_xml(self, headers: Mapping[str, str]) -> bool:
        """The old service prefers XML: JSON comes to those who ask for it."""
        accepted = headers.get("accept", "*/*")
        wants_json = "json" in accepted
        return not wants_json or (self.json_off and ("xml" in accepted or "*/*" in accepted))

    def _admit(
        self, call: Call, version: str, parts: Sequence[str], headers: Mapping[str, str], kinds: set[str]
    ) -> Key:
        """The key that asks; raises ``_RefusedError`` where it may not."""
        if self._secret and headers.get("authorization") != f"Basic {self._secret}":
            raise _RefusedError(401, "Full authentication is required to access this resource.")
        if kinds & {"unauthorised", "forbidden"}:
            raise _RefusedError(401 if "unauthorised" in kinds else 403, "Not for this key.")
        key = self.keys.get(headers.get("api-key") or dict(_query(call)).get("apiKey", ""))
        if key is None:
            raise _RefusedError(401, "The API key is missing or unknown.")
        if version not in self.versions:
            raise _RefusedError(404, "Requested service was not found, message was: HTTP 404 Not Found")
        endpoint = parts[0] if parts else ""
        if key.rights is not None and endpoint not in key.rights:
            raise _RefusedError(403, f"The API key has no access to {endpoint}.")
        return key

    def _refusal(self, refused: _RefusedError, version: str, *, in_xml: bool) -> Answer:
        titles = {400: "Bad request", 401: "Unauthorized", 403: "Forbidden", 404: "Not found", 405: "Method not allowed",
                  406: "Not acceptable"}  # fmt: skip
        title = titles.get(refused.status, "Error")
        headers = {"WWW-Authenticate": 'Basic realm="Pure"'} if refused.status == 401 and self._secret else {}
        if version == "new":
            body = {"type": "/error", "title": title, "status": refused.status, "detail": str(refused)}
            made = Answer(json.dumps(body).encode(), refused.status, "application/problem+json", headers)
        else:
            old = {"code": refused.status, "type": "ERROR", "title": title, "description": str(refused)}
            if in_xml or refused.status == 406:
                made = Answer(xml_of("error", old, version).encode(), refused.status, "application/xml", headers)
            else:
                made = Answer(json.dumps(old).encode(), refused.status, "application/json", headers)
        return replace(made, refused=True)

    # --- what is asked

    def _resource(
        self, call: Call, version: str, parts: Sequence[str], kinds: set[str], *, sees_all: bool
    ) -> dict[str, Any] | Answer:
        if "error_under_200" in kinds:
            refused = _RefusedError(500, "Unable to acquire a database connection")
            return replace(self._refusal(refused, version, in_xml=False), status=200)
        asked = _Asked(dict(call.arguments), kinds)
        if call.method == "POST":
            asked.arguments = {**dict(_query(call)), **_json_body(call.body)}
        elif call.method != "GET":
            raise _RefusedError(405, f"{call.method} would change something.")
        match parts:
            case ["changes", place] if version != "new":
                return self._changes(call, version, place, kinds)
            case [name] if self._has(name, version) and (call.method == "GET" or version != "new"):
                return self._list(call, version, name, asked, sees_all=sees_all)
            case [name, "search"] if self._has(name, version) and version == "new" and call.method == "POST":
                return self._list(call, version, name, asked, sees_all=sees_all)
            case [name, uuid] if self._has(name, version) and call.method == "GET":
                return self._single(call, version, name, uuid, asked, sees_all=sees_all)
        raise _RefusedError(404, "Requested service was not found, message was: HTTP 404 Not Found")

    def _has(self, name: str, version: str) -> bool:
        return name in COLLECTIONS and name != ("organisational-units" if version == "new" else "organizations")

    def _spoiled(self, kinds: set[str]) -> Answer | None:
        if "busy_bare" in kinds:
            return Answer(b"", 503, "text/html")
        if "too_many_bare" in kinds:
            return Answer(b"", 429, "text/html")
        if "html_error" in kinds:
            page = b"<html><head><title>Error</title></head><body><h1>HTTP Status 500</h1></body></html>"
            return Answer(page, 500, "text/html;charset=utf-8")
        if "empty_object" in kinds:
            return Answer(b"{}", content_type="application/json")
        return None

    def _view(self, version: str, kinds: set[str]) -> OldService | NewApi:
        mixed = "mixed_dates" in kinds
        if version == "new":
            return NewApi(self.store, mixed_dates=mixed)
        return OldService(self.store, version, self.base(version), mixed_dates=mixed)

    # --- lists

    def _list(self, call: Call, version: str, name: str, asked: _Asked, *, sees_all: bool) -> dict[str, Any]:
        kinds = asked.kinds
        size, offset = asked.number("size", DEFAULT_SIZE), asked.number("offset", 0)
        if version == "new" and size > NEW_MAX_SIZE:
            raise _RefusedError(400, f"size must be less than or equal to {NEW_MAX_SIZE}")
        found = self._asked_for(COLLECTIONS[name], asked, version, sees_all=sees_all)
        first, last = offset, offset + size
        if "page_overlap" in kinds:
            first = max(0, first - 2)
        if "short_page" in kinds and size > 1:
            last = offset + (size + 1) // 2
        page = found[first:last]
        view = self._view(version, kinds)
        fields = asked.names("fields") if version != "new" and "ignores_fields" not in kinds else []
        bare = fields == ["uuid"]  # a sweep: nothing else has to be written, then
        items = [{"uuid": each.uuid} if bare else view.shown(each) for each in page]
        if "broken_item" in kinds and items:
            items[0] = _broken(items[0])
        if fields:
            items = [_only(item, [each.split(".") for each in fields]) for item in items]
        body: dict[str, Any] = {
            "count": len(found) + (3 if "count_too_high" in kinds else 0),
            "pageInformation": {"offset": offset, "size": size},
        }
        wants_links = version != "new" and str(asked.arguments.get("navigationLink", "true")).lower() == "true"
        if wants_links and call.method == "GET" and size and (links := self._links(call, asked, len(found))):
            body["navigationLinks"] = links
        if items or version == "new":
            body["items"] = items
        return body

    def _links(self, call: Call, asked: _Asked, count: int) -> list[dict[str, str]]:
        size, offset = asked.number("size", DEFAULT_SIZE), asked.number("offset", 0)
        if "no_links" in asked.kinds:
            return []
        places = {"prev": max(0, offset - size)} if offset else {}
        if offset + size < count:
            places["next"] = offset if "next_to_itself" in asked.kinds else offset + size
        return [{"ref": ref, "href": self._href(call, asked, at)} for ref, at in places.items()]

    def _href(self, call: Call, asked: _Asked, offset: int) -> str:
        sent = {name: value for name, value in call.arguments if name not in {"offset", "apiKey"}}
        if "key_in_links" in asked.kinds:
            sent["apiKey"] = _headers(call).get("api-key") or dict(call.arguments).get("apiKey", "")
        parts = urlsplit(self.url)
        host = "http://internal.tribnia.example:8080" if "other_host" in asked.kinds else f"http://{parts.netloc}"
        return f"{host}{call.path}?{urlencode({**sent, 'offset': offset})}"

    def _asked_for(self, family: str, asked: _Asked, version: str, *, sees_all: bool) -> list[Content]:
        """What a list holds, in its order; of a list without filters it is known until something is edited."""
        if asked.arguments.keys() & {*FILTERS, "uuids", "searchString"} or "unstable_order" in asked.kinds:
            return self._ordered(self._found(family, asked, version, sees_all=sees_all), asked)
        key = (family, sees_all, str(asked.arguments.get("order")), *asked.names("orderings"))
        edits, found = self._known.get(key, (-1, []))
        if edits != self.store.sequence:
            found = self._ordered(self._found(family, asked, version, sees_all=sees_all), asked)
            self._known[key] = (self.store.sequence, found)
        return found

    def _found(self, family: str, asked: _Asked, version: str, *, sees_all: bool) -> list[Content]:
        things = [each for each in self.store.all(family).values() if sees_all or is_public(each)]
        wanted = asked.names("uuids")
        if wanted and "ignores_uuids" not in asked.kinds:
            winners = [self._winner(uuid, asked.kinds) for uuid in wanted]
            there = {each.uuid: each for each in things}
            things = [there[uuid] for uuid in dict.fromkeys(winners) if uuid in there]
        if version != "new":
            if FILTERS & asked.arguments.keys():
                things = [each for each in things if self._matches(each, asked)]
        elif text := str(asked.arguments.get("searchString") or "").casefold():
            things = [each for each in things if text in repr(each).casefold()]
        return things

    def _winner(self, uuid: str, kinds: set[str]) -> str:
        found = self.store.find(uuid)
        return found.uuid if found is not None and not kinds & {"merge_301", "merge_404"} else uuid

    def _matches(self, thing: Content, asked: _Asked) -> bool:
        """The filters of a POST to the old service."""
        known = {str(thing.number), *(value for _, value in thing.ids)}
        if not self._is_of_time(thing, asked) or ((ids := asked.names("ids")) and known.isdisjoint(ids)):
            return False
        if isinstance(thing, Output):
            return self._matches_output(thing, asked)
        return not isinstance(thing, Person) or self._matches_person(thing, asked)

    def _is_of_time(self, thing: Content, asked: _Asked) -> bool:
        for name, moment in (("modified", thing.modified), ("created", thing.created)):
            after, before = asked.arguments.get(f"{name}After"), asked.arguments.get(f"{name}Before")
            if after and (moment is None or moment < self._time(after)):
                return False
            if before and (moment is None or moment > self._time(before)):
                return False
        return True

    def _matches_person(self, person: Person, asked: _Asked) -> bool:
        status = asked.arguments.get("employmentStatus")
        current = any(each.period.holds(self.store.today()) for each in person.associations)
        if status in {"ACTIVE", "FORMER"} and current != (status == "ACTIVE"):
            return False
        wanted = _units_of(asked.arguments)
        return not wanted or not {each.unit for each in person.associations}.isdisjoint(wanted)

    def _matches_output(self, output: Output, asked: _Asked) -> bool:
        sent = asked.arguments
        if (steps := asked.names("workflowSteps")) and output.workflow not in steps:
            return False
        if types := asked.names("typeUris"):
            own = f"/dk/atira/pure/researchoutput/researchoutputtypes/{output.type}"
            if not any(own.startswith(each) for each in types):
                return False
        if after := sent.get("publishedAfterDate"):
            first = date(*(*output.day, 1, 1)[:3])
            if first <= self._time(after).date():
                return False
        units = {*output.units, *(unit for each in output.contributors for unit in each.units)}
        return not (wanted := _units_of(sent)) or not units.isdisjoint(wanted)

    def _time(self, text: object) -> datetime:
        try:
            found = datetime.fromisoformat(str(text))
        except ValueError as error:
            raise _RefusedError(400, f"{text!r} is not a date.") from error
        return found if found.tzinfo else found.replace(tzinfo=self.store.zone)

    def _ordered(self, things: list[Content], asked: _Asked) -> list[Content]:
        order = str(asked.arguments.get("order") or (asked.names("orderings") or [""])[0])
        if not order:
            things = sorted(things, key=lambda each: each.number)
            if "unstable_order" in asked.kinds and things:
                self._turn += 1
                turn = self._turn * 7 % len(things)
                things = things[turn:] + things[:turn]
            return things
        key = ORDERINGS.get(order.removeprefix("-"))
        if key is None:
            raise _RefusedError(400, f"There is no ordering {order!r}.")
        return sorted(things, key=key, reverse=order.startswith("-"))

    # --- one thing

    def _single(
        self, call: Call, version: str, name: str, uuid: str, asked: _Asked, *, sees_all: bool
    ) -> dict[str, Any] | Answer:
        thing = self.store.find(uuid)
        there = thing is not None and thing.uuid in self.store.all(COLLECTIONS[name]) and (sees_all or is_public(thing))
        if not there or thing is None or (thing.uuid != uuid and "merge_404" in asked.kinds):
            raise _RefusedError(404, f"No content found for uuid {uuid}.")
        if thing.uuid != uuid and "merge_301" in asked.kinds:
            place = f"{self.url.removesuffix(self.path)}{call.path.rpartition('/')[0]}/{thing.uuid}"
            return Answer(b"", 301, "application/json", {"Location": place})
        item = self._view(version, asked.kinds).shown(thing)
        if (fields := asked.names("fields")) and version != "new" and "ignores_fields" not in asked.kinds:
            item = _only(item, [each.split(".") for each in fields])
        return item

    # --- /changes

    def _changes(self, call: Call, version: str, place: str, kinds: set[str]) -> dict[str, Any]:
        del call
        after = self._place(place, kinds)
        if "sequence_restart" in kinds:
            return self._restarted(version, after)
        if "zero_count_runs" in kinds:
            self.store.silence_after(after, 4 * AUDIT_ROWS)
        rows = self.store.rows_after(after, AUDIT_ROWS)
        items = [_told(row) for row in rows if row.told is not None]
        last = rows[-1].sequence if rows else after
        if "doubles" in kinds:
            items = [{**each, "version": number} for each in items for number in (-1, each.get("version", 0), -1)]
        if "items_without_uuid" in kinds:
            bare = {"changeType": "UPDATE", "family": FAMILIES["ClassificationScheme"],
                    "familySystemName": "ClassificationScheme", "version": 0}  # fmt: skip
            items = [each for item in items for each in (bare, item, _without(item, "uuid"))]
        if "metric_changes" in kinds:
            metric = {"changeType": "UPDATE", "family": "dk.atira.pure.api.shared.model.metric.MetricValueChange",
                      "familySystemName": "MetricValueChange", "version": 0}  # fmt: skip
            items = [each for item in items for each in ({"uuid": item.get("uuid"), **metric}, item)]
        more = bool(self.store.rows_after(last, 1)) or "more_changes_always" in kinds
        if "stuck_token" in kinds:
            last, more = after, True
        return self._told_page(version, items, last, more=more)

    def _told_page(self, version: str, items: list[dict[str, Any]], last: int, *, more: bool) -> dict[str, Any]:
        token = token_of(last)
        link = {"ref": "next", "href": f"{self.base(version)}/changes/{token}"}
        body: dict[str, Any] = {"count": len(items), "resumptionToken": token, "moreChanges": more}
        if items:
            body["items"] = items
        return {**body, "navigationLinks": [link]}

    def _place(self, place: str, kinds: set[str]) -> int:
        """The sequence number behind which a token or a date goes on."""
        if "old_token" in kinds and not re.match(r"\d{4}-\d\d-\d\d", place):
            raise _RefusedError(400, "The resumption token is not valid.")
        for pattern in ("%Y-%m-%d", "%Y-%m-%d_%H-%M-%S"):
            try:
                moment = datetime.strptime(place, pattern).replace(tzinfo=self.store.zone)
            except ValueError:
                continue
            return self.store.sequence_before(moment.astimezone(UTC))
        try:
            return int(json.loads(base64.b64decode(place, validate=True))["sequenceNumber"])
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise _RefusedError(400, f"{place!r} is neither a date nor a resumption token.") from error

    def _restarted(self, version: str, after: int) -> dict[str, Any]:
        """The sequence from its beginning, as it was seen once: nothing that could be read, and always more."""
        low = after if after < RESTARTED_UNTIL else RESTART
        bare = {"changeType": "UPDATE", "family": FAMILIES["ClassificationScheme"],
                "familySystemName": "ClassificationScheme", "version": 0}  # fmt: skip
        return self._told_page(version, [bare] * 17, low if after >= RESTARTED_UNTIL else low + 488, more=True)


def _title(thing: Content) -> str:
    return thing.title if isinstance(thing, Output) else thing.name if isinstance(thing, Unit) else thing.last


def is_public(thing: Content) -> bool:
    """Whether a key that sees only what is public sees it: FREE, not confidential, past its entry."""
    if thing.visibility != "FREE":
        return False
    return not isinstance(thing, Output) or not (thing.confidential or thing.workflow == "entryInProgress")


def token_of(sequence: int) -> str:
    """The resumption token of a sequence number."""
    return base64.b64encode(json.dumps({"sequenceNumber": sequence}, separators=(",", ":")).encode()).decode()


def _told(row: Audit) -> dict[str, Any]:
    item: dict[str, Any] = {
        "uuid": row.uuid, "changeType": row.told, "family": FAMILIES[row.family], "familySystemName": row.family,
        "version": row.version,
    }  # fmt: skip
    if row.related:
        item["relationChanges"] = [
            {"uuid": uuid, "family": FAMILIES[family], "familySystemName": family, "changeType": "ADDED"}
            for uuid, family in row.related
        ]
    return {name: value for name, value in item.items() if value is not None}


def _without(item: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != name}


def _only(value: Any, paths: Sequence[Sequence[str]]) -> Any:
    """What of a value lies on the paths; an empty path means all of it."""
    if not all(paths):
        return value
    if isinstance(value, list):
        return [_only(each, paths) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, inner in value.items():
        if below := [path[1:] for path in paths if path[0] == name]:
            found[name] = _only(inner, below)
    return found


def _broken(item: dict[str, Any]) -> dict[str, Any]:
    """An item whose parts have the wrong types."""
    spoiled: dict[str, Any] = {"name": 7, "title": ["?"], "personAssociations": "many", "contributors": "many",
                               "electronicVersions": 3, "info": "?", "parents": "above"}  # fmt: skip
    return {name: spoiled.get(name, value) for name, value in item.items()}


def _headers(call: Call) -> dict[str, str]:
    return {name.casefold(): value for name, value in call.headers.items()}


def _query(call: Call) -> list[tuple[str, str]]:
    return parse_qsl(call.query, keep_blank_values=True)


def _json_body(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise _RefusedError(400, "The body is not JSON.") from error
    if not isinstance(found, dict):
        raise _RefusedError(400, "The body is not an object.")
    return found


def _units_of(sent: Mapping[str, Any]) -> list[str]:
    wanted = sent.get("forOrganisationalUnits")
    return list(wanted.get("uuids", [])) if isinstance(wanted, dict) else []
