"""Elsevier Pure: organisational units, persons and research outputs, over its old web service (510 to 524) or its new API.

Units and persons are read whole at every import; so is the list of outputs, with only what says who wrote which from where:
so nothing that turned hidden or was deleted without a word is missed. Full records are read of those alone that changed, where
the old service tells which (an output that turned visible without a word waits for the next sweep). The new API cannot tell:
then all are read.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from explorer import connections
from explorer.config import PureSource
from explorer.polite_http import NO_ANSWER, Limits, PoliteSession, shown
from explorer.records import Authorship, Listed, Note, Output, Record
from explorer.sources import OUTPUTS_BY_KEY, Abilities, Cursor, Finding, Page, Part, Plan, SourceError
from explorer.sources import pure_changes as audit
from explorer.sources import pure_records as parse_record
from explorer.sources.pure_api import (
    BAD_REQUEST,
    BATCH,
    LARGEST,
    PAGE,
    PATHS,
    AnsweredError,
    Document,
    Kind,
    NotPureError,
    PureApi,
)
from explorer.sources.pure_units import Unit, departments, unit
from explorer.sources.pure_words import uuid_of

if TYPE_CHECKING:
    from explorer.config import Institution
    from explorer.connections import Connection

log = logging.getLogger(__name__)

# All that the list of outputs is asked for, so that an answer stays small: who wrote which, from where, and what is hidden.
FIELDS = (
    "uuid,visibility.key,confidential,workflow.workflowStep,organisationalUnits.uuid,"
    "personAssociations.person.uuid,personAssociations.organisationalUnits.uuid"
)
STATED = frozenset({"visibility", "confidential", "workflow"})  # by which an output may be shown, or not
OLD_VERSIONS = tuple(str(number) for number in range(524, 509, -1))
VERSION = re.compile(r"/(\d{3})$")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT")
WORTH_DIVIDING = 5_000  # things in a list
OVERLAP = 100
AFTER_ALL = "~"  # sorts behind every stamp of an answer
REREAD = 1  # a list that held fewer than it announced is read again so often
SAMPLE = 3
LOOKED_AT = 25

Make = Callable[[Any, Document], Sequence[Record]]


@dataclass
class Pure:
    """The source of an institution with ``kind: pure``.

    ``contents`` gives the interface that outputs, persons and units come from, ``teller`` that of the changes, the old web
    service, where there is one; both may ask the server which it is, once.
    """

    settings: PureSource
    find_contents: Callable[[], PureApi]
    find_teller: Callable[[], PureApi] | None = None
    uri_domains: Sequence[str] = ()
    says_changes: bool = True
    overlap: timedelta = timedelta(minutes=10)
    abilities: Abilities = field(init=False)

    def __post_init__(self) -> None:
        self.abilities = Abilities(
            knows_privacy=True,
            lists_authors=True,
            says_changes=self.says_changes,
            lists_authorships=True,
            lists_keys=True,
        )

    @cached_property
    def contents(self) -> PureApi:
        """Where outputs, persons and units come from. Raises ``SourceError``."""
        return self.find_contents()

    @cached_property
    def teller(self) -> PureApi | None:
        """The old web service, which tells changes; None where there is none."""
        if self.find_teller is not None:
            return self.find_teller()
        return self.contents if self.contents.dialect == "old" else None

    def untold(self) -> str | None:
        """Changes that ``/changes`` swallows; deletions are found by every import."""
        return "Pure may leave a change untold"

    # --- what there is to read

    def parts(self, plan: Plan) -> Sequence[Part]:
        """Units, persons, and outputs: those that changed, with the list of all, or all of them.

        The place from which the next import asks for changes is noted before anything is read.
        """
        people = [Part("units", "departments"), *self._windows(self.contents, "persons", Part("persons", "authors"))]
        # Where the last list of all outputs was not whole, it is read again: changes tell nothing of what it lost.
        was_whole = plan.mode == "incremental" and "outputs" in plan.watermarks
        place = plan.watermarks.get("changes") if was_whole else None
        listing = self.teller if self.teller is not None and self._may_list(self.teller) else None
        if place and listing is not None:
            return [*people, *self._listed_by(listing), Part("changes", start={"place": place})]
        start = self._from_now_on()
        whole = Part("outputs", "outputs" if plan.mode == "full" else "keys")
        # What either interface does not show is not shown: the new one has no key `confidential`.
        ids = self._listed_by(listing) if listing is not None and listing is not self.contents else []
        return [*people, *self._windows(self.contents, "outputs", whole), *ids, *start]

    def _listed_by(self, api: PureApi) -> list[Part]:
        return self._windows(api, "outputs", Part("output ids", "keys"))

    def _windows(self, api: PureApi, kind: Kind, part: Part) -> list[Part]:
        """A long list in as many windows as may be read side by side.

        They overlap: a list moves up when things are deleted, also between the end of one window and the start of the next.
        """
        workers = self.settings.politeness.connections
        count = (api.page(kind, 0, 1, "uuid").count or 0) if workers > 1 else 0
        if count < WORTH_DIVIDING:
            return [part]
        bounds = [count * number // workers for number in range(workers)] + [0]  # the last one has no end
        return [
            replace(
                part,
                name=f"{part.name} {number + 1} of {workers}",
                whole=part.name,
                start={"from": max(0, bounds[number] - OVERLAP), "to": bounds[number + 1]},
            )
            for number in range(workers)
        ]

    def _may_list(self, teller: PureApi) -> bool:
        """Whether the old web service shows its list of outputs to our key, which may be one for changes alone."""
        if teller is self.contents:
            return True
        try:
            teller.page("outputs", 0, 1, "uuid")
        except AnsweredError as error:
            log.warning(
                "the changes cannot be used without the list of outputs beside them, so all are read: %s", error
            )
            return False
        return True

    def _from_now_on(self) -> list[Part]:
        """The part that only notes the place from which the next import asks for changes."""
        if self.teller is None:
            return []
        try:
            clock = self.teller.page("outputs", 0, 1, "uuid").clock if self.teller is self.contents else self._clock()
            return [Part("changes", start={"mark": audit.first_place(self.teller, clock)})]
        except AnsweredError as error:
            log.warning("changes cannot be asked for, so every import reads everything: %s", error)
            return [Part("changes", start={"why": str(error)})]

    def _clock(self) -> str:
        return self.contents.page("outputs", 0, 1).clock

    def read(self, part: Part, plan: Plan, cursor: Cursor | None) -> Iterator[Page]:
        """The pages of a part, from its start or from behind ``cursor``."""
        if part.name == "units":
            yield self._units()
        elif part.mark == "persons":
            yield from self._list(self.contents, "persons", self._person, part, cursor)
        elif part.mark == "outputs":
            full = plan.mode == "full"
            make = self._whole if full else self._listed_whole
            yield from self._list(self.contents, "outputs", make, part, cursor, may_be_incomplete=full)
        elif part.mark == "output ids":
            if self.teller is None:
                raise SourceError("no_old_service", "there is no old web service (any more) to ask for changes")
            yield from self._ids(self.teller, part, cursor)
        elif part.name == "changes":
            yield from self._changes(part, cursor)
        elif part.name == OUTPUTS_BY_KEY:
            yield from self._by_key(part, cursor)
        else:
            raise SourceError("unknown_part", f"Pure has no list {part.name}.")

    # --- lists

    def _size(self, api: PureApi, fields: str | None) -> int:
        if fields:
            return LARGEST["old"]
        wanted = self.settings.page_size or PAGE[api.dialect]
        return min(wanted, LARGEST["new"]) if api.dialect == "new" else wanted

    def _list(
        self, api: PureApi, kind: Kind, make: Make, part: Part, cursor: Cursor | None, *,
        fields: str | None = None, may_be_incomplete: bool = False,
    ) -> Iterator[Page]:  # fmt: skip
        """The pages of a list, or of a window of it.

        One that holds fewer than it announces is read again; then it is incomplete where it ``may_be``, else refused.
        """
        start, until = _number(part.start, "from"), _number(part.start, "to") or None
        offset = _number(cursor, "offset") if cursor else start
        before, again = _number(cursor, "read"), _number(cursor, "again")
        restart = False
        while True:
            seen: set[int] = set()
            nameless = 0
            for behind, document in api.pages(kind, offset, self._size(api, fields), fields, until=until):
                for item in document.items:
                    uuid = uuid_of(item)
                    if uuid is None:
                        nameless += 1
                    else:
                        seen.add(hash(uuid))
                read = before + len(seen) + nameless
                end = min(document.count, until or document.count) if document.count is not None else None
                ends = not document.items or (end is not None and behind >= end)
                short = ends and end is not None and read < end - start
                if short and again < REREAD:
                    break
                lost = f"it holds {read} of the {document.count} {kind} that it announces" if short else None
                if lost and not may_be_incomplete:
                    message = f"{shown(api.base)}/{PATHS[api.dialect][kind]}: {lost}, at every try. Try again later."
                    raise SourceError("list_shifts", message)
                yield Page(
                    [record for item in document.items for record in make(item, document)],
                    None if ends else {"offset": behind, "read": read, "again": again},
                    clock=document.clock,
                    expected=end - start if end is not None else None,
                    restart=restart,
                    incomplete=lost,
                )
                restart = False
                if ends:
                    return
            offset, before, again, restart = start, 0, again + 1, True

    def _ids(self, teller: PureApi, part: Part, cursor: Cursor | None) -> Iterator[Page]:
        """The list of all outputs, of each only what ``FIELDS`` names. A server that cannot tell it so gives them whole.

        What it states of no output speaks against none, where full records come from another interface; from the same one,
        they say no more, and what is not stated there is not shown in a full import either.
        """
        told: set[str] = set()

        def make(item: object, document: Document) -> Sequence[Record]:
            if document is not made_of[0]:
                made_of[0] = document
                told.update(_stated(document.items))
            return self._id(item, document, told if teller is not self.contents else STATED)

        made_of: list[Document | None] = [None]
        pages = self._list(teller, "outputs", make, part, cursor, fields=FIELDS)
        try:
            first = next(pages)
        except AnsweredError as error:
            if error.status != BAD_REQUEST:
                raise
            doubt = True
        else:
            doubt = self._leaves_out(teller, first, told)
        if doubt:
            yield from self._list(teller, "outputs", make, part, cursor)
        else:
            yield from chain([first], pages)

    def _leaves_out(self, teller: PureApi, page: Page, told: Collection[str]) -> bool:
        """Whether outputs of which the list names no author, or does not say whether they may be shown, do say so in full."""
        wanted = {"visibility", "workflow"} if self.settings.strict_workflow else {"visibility"}
        names_authors = any(isinstance(each, Authorship) for each in page.records)
        if names_authors and wanted.issubset(told):
            return False
        keys = [each.key for each in page.records if isinstance(each, Listed)][:BATCH]
        whole = [item for items, _ in teller.by_uuid("outputs", keys) for item in items]
        if not _stated(whole) <= set(told):
            return True
        return not names_authors and any(parse_record.authorships(item, uuid_of(item)) for item in whole)

    def _units(self) -> Page:
        """All units, as one page: where each stands follows from all of them."""
        found: dict[str, Unit] = {}
        clock, expected = None, None
        for page in self._list(self.contents, "units", lambda item, _: _kept(found, unit(item)), Part("units"), None):
            clock, expected = clock or page.clock, page.expected
        return Page(departments(found.values()), None, clock=clock, expected=expected)

    # --- records

    def _person(self, item: object, document: Document) -> Sequence[Record]:
        made = parse_record.author(item, document.day, datestamp=document.stamp)
        return [made] if made else []

    def _output(self, item: object, stamp: str) -> list[Record]:
        made = parse_record.output(
            item,
            self.uri_domains,
            strict=self.settings.strict_workflow,
            affiliated=self.settings.affiliated_only,
            datestamp=stamp,
        )
        return [made] if made.withheld or made.refusal else [made, *parse_record.authorships(item, made.key, stamp)]

    def _whole(self, item: object, document: Document) -> Sequence[Record]:
        """The output; what was merged into it is gone, although it may still stand in the list, before or behind it."""
        return [*self._output(item, document.stamp), *parse_record.merged_away(item, AFTER_ALL)]

    def _listed_whole(self, item: object, document: Document) -> Sequence[Record]:
        return [*parse_record.there(item), *self._whole(item, document)]

    def _id(self, item: object, document: Document, told: Collection[str]) -> Sequence[Record]:
        return parse_record.listed(
            item,
            strict=self.settings.strict_workflow,
            affiliated=self.settings.affiliated_only,
            told=told,
            datestamp=document.stamp,
        )

    # --- changes

    def _changes(self, part: Part, cursor: Cursor | None) -> Iterator[Page]:
        """What changed since the last import, in full; what is asked for and does not come is gone."""
        if "place" not in part.start:
            why = part.start.get("why")
            sentence = f"Changes cannot be asked for, so every import reads everything: {why}"
            mark = part.start.get("mark")
            yield Page(
                [],
                None,
                mark=str(mark) if mark else None,
                notes=[Note("no_changes", sentence, "warning")] if why else (),
            )
            return
        if self.teller is None:
            raise SourceError("no_old_service", "there is no old web service (any more) to ask for changes")
        place, pages = str((cursor or part.start)["place"]), int(str((cursor or {"pages": 0})["pages"]))
        if MOMENT.match(place):
            place = audit.day_before(place)
        waiting: dict[str, None] = {}
        for answer in audit.changes(self.teller, place, pages):
            pages += 1
            waiting.update(dict.fromkeys(answer.outputs))
            if not answer.ends and len(waiting) < BATCH and pages % BATCH:
                continue
            records = list(self._fetched(list(waiting)))
            waiting.clear()
            yield Page(
                records,
                None if answer.ends else {"place": answer.place, "pages": pages},
                mark=answer.place if answer.ends else None,
            )

    def _by_key(self, part: Part, cursor: Cursor | None) -> Iterator[Page]:
        """Outputs that are asked for by their uuids, in hundreds; what does not come is absent, and no more is said of it."""
        keys = part.start["keys"]
        if not isinstance(keys, list):
            raise TypeError(keys)
        at = int(str(cursor["at"])) if cursor else 0
        while True:
            batch, at = [str(key) for key in keys[at : at + BATCH]], at + BATCH
            records = [each for each in self._fetched(batch) if not (isinstance(each, Output) and each.deleted)]
            yield Page(records, {"at": at} if at < len(keys) else None)
            if at >= len(keys):
                return

    def _fetched(self, keys: Sequence[str]) -> Iterator[Record]:
        """The outputs of these uuids in full, and what is there no more: not there, or merged into another."""
        for start in range(0, len(keys), BATCH):
            missing = dict.fromkeys(keys[start : start + BATCH])
            stamp = ""
            for items, stamp in self.contents.by_uuid("outputs", list(missing)):
                for item in items:
                    missing.pop(uuid_of(item) or "", None)
                    yield from self._output(item, stamp)
                    yield from parse_record.merged_away(item, stamp)
            yield from (parse_record.gone(key, stamp) for key in missing)

    # --- check

    def check(self) -> Iterator[Finding]:
        """The interface, each list and right by name, what of a sample would be shown, and whether changes are told."""
        try:
            api = self.contents
        except SourceError as error:
            fix = (
                "correct the connection's host (the base URL, like https://HOST/ws/api/524) and password (the API key)"
            )
            yield Finding("interface", ok=False, detail=str(error), fix=None if error.code in NO_ANSWER else fix)
            return
        what = "the new API" if api.dialect == "new" else f"the old web service {api.base.rpartition('/')[2]}"
        yield Finding("interface", ok=True, detail=f"{shown(api.base)}: {what}")
        kinds: tuple[Kind, ...] = ("units", "persons", "outputs")
        for kind in kinds:
            yield from self._check_list(api, kind)
        yield self._check_changes()

    def _check_list(self, api: PureApi, kind: Kind) -> Iterator[Finding]:
        name = PATHS[api.dialect][kind]
        try:
            document = api.page(kind, 0, LOOKED_AT)
        except SourceError as error:
            yield Finding(name, ok=False, detail=str(error), fix=f"give this API key the right to read /{name}")
            return
        yield Finding(name, ok=True, detail=f"{document.count if document.count is not None else len(document.items)}")
        if kind == "outputs" and document.items:
            yield self._check_sample(document)

    def _check_sample(self, document: Document) -> Finding:
        """How much of a few outputs would be shown, and titles of those."""
        read = (record for item in document.items for record in self._output(item, ""))
        made = [record for record in read if isinstance(record, Output)]
        rules = sorted({each.withheld for each in made if each.withheld})
        titles = [each.title for each in made if not each.withheld and each.title][:SAMPLE]
        passing = sum(not each.withheld and each.refusal is None for each in made)
        detail = f"{passing} of {len(made)} may be shown" + (f": {'; '.join(titles)}" if titles else "")
        detail += f"\nheld back: {', '.join(rule.replace('_', ' ') for rule in rules)}" if rules else ""
        unseen = passing == 0 and set(rules) <= {"visibility_missing"}
        fix = "let the key read `visibility`: what does not say that it is FREE is not shown" if unseen else None
        return Finding("visibility", ok=not unseen, detail=detail, fix=fix)

    def _check_changes(self) -> Finding:
        fix = "give this API key the right to read /changes; without it every import reads everything"
        try:
            teller = self.teller
            if teller is None:
                detail = "the new API does not tell changes, so every import reads everything"
                return Finding(
                    "changes", ok=True, detail=f"{detail}; a key of the old web service as changes_connection helps"
                )
            audit.first_place(teller, self._clock())
            beside = (
                "" if self._may_list(teller) else "; but its list of outputs is not shown to this key, so all are read"
            )
        except SourceError as error:
            return Finding("changes", ok=False, detail=str(error), fix=fix)
        return Finding(
            "changes", ok=not beside, detail=f"told by {shown(teller.base)}{beside}", fix=fix if beside else None
        )


def _stated(items: Iterable[object]) -> set[str]:
    """Which of ``STATED`` any of these objects states."""
    return {name for item in items if isinstance(item, dict) for name in STATED if item.get(name) is not None}


def _number(stated: Cursor | None, name: str) -> int:
    """A number of a cursor, 0 where it is not there."""
    return int(str((stated or {}).get(name, 0)))


def _kept(found: dict[str, Unit], made: Unit | None) -> Sequence[Record]:
    if made is not None:
        found[made.key] = made
    return ()


# --- from the configuration


def interface(base: str, wanted: str | None, session: PoliteSession) -> PureApi:
    """The interface at a base URL, in the version that is wanted; without one, found by asking. Raises ``SourceError``.

    ``…/ws/rest``, which old instructions name, means the ``…/ws/api`` beside it; a bare host means its ``/ws/api``.
    """
    stem = re.sub(r"/ws/rest$", "/ws/api", base.rstrip("/"))
    if not urlsplit(stem).path:
        stem += "/ws/api"
    version = VERSION.search(stem)
    stated = version[1] if version else None
    stem = VERSION.sub("", stem)
    if wanted == "new" and stated is None:
        return PureApi(stem, session, "new")
    if stated and wanted not in {None, stated}:
        message = (
            f"{shown(base)} is the old web service {stated}, not {wanted}: correct source.api_version, or the base URL"
        )
        raise SourceError("another_version", message)
    if stated or wanted:
        return PureApi(f"{stem}/{stated or wanted}", session, "old")
    return _found(stem, session)


def _found(stem: str, session: PoliteSession) -> PureApi:
    """The new API where it answers, else the newest version of the old web service that does."""
    refused: SourceError | None = None
    candidates = [PureApi(stem, session, "new")]
    candidates += [PureApi(f"{stem}/{each}", session, "old") for each in OLD_VERSIONS]
    for api in candidates:
        try:
            api.page("units", 0, 1)
        except AnsweredError as error:
            refused = refused or (error if error.code != "not_there" else None)
            continue
        except NotPureError as error:
            refused = refused or error
            continue
        return api
    if refused is not None:
        raise refused
    message = (
        f"{shown(stem)} answers neither as Pure's new API nor as its old web service 510 to 524: correct the base URL of the"
        " connection, like https://HOST/ws/api or https://HOST/ws/api/524"
    )
    raise SourceError("unknown_interface", message)


def source(institution: Institution, connection: Connection | None, *, hash_key: bytes) -> Pure:
    """The source of an institution. Raises ``SourceError`` where its connection cannot be used."""
    del hash_key  # people have ids of their own
    settings = institution.source
    if not isinstance(settings, PureSource) or connection is None:
        raise TypeError(settings)
    version = settings.api_version
    teller: Callable[[], PureApi] | None = None
    if settings.changes_connection is not None:
        second = connections.get(settings.changes_connection)
        teller = _finder(settings, second, None)
        version = version or "new"
    return Pure(
        settings,
        _finder(settings, connection, version),
        teller,
        institution.uri_domains,
        says_changes=teller is not None or version != "new",
    )


def _finder(settings: PureSource, connection: Connection, version: str | None) -> Callable[[], PureApi]:
    base = connection.base_url
    if base.startswith("http://") and not settings.allow_http:
        message = (
            f"{shown(base)} is not https, so the API key is not sent there. Use https; or set allow_http: true in the source"
            " of this institution, where the network between is your own"
        )
        raise SourceError("insecure_address", message)
    if not connection.password:
        raise SourceError("no_key", f"the Airflow connection `{connection.id}` has no password: give it the API key")
    session = PoliteSession(
        Limits.of(settings.politeness),
        allow_http=settings.allow_http,
        allow_private_hosts=settings.allow_private_hosts,
        auth=_basic(connection.extra),
        secret_headers={"api-key": connection.password},
        user_agent=settings.politeness.user_agent,
    )
    return lambda: interface(base, version, session)


def _basic(extra: Mapping[str, Any]) -> tuple[str, str] | None:
    """HTTP Basic on top of the key: ``{"login": …, "password": …}`` in the connection's extra, or below ``basic``."""
    inner = extra.get("basic")
    stated = inner if isinstance(inner, Mapping) else extra
    login = stated.get("login") or stated.get("username")
    return (str(login), str(stated.get("password") or "")) if login else None
