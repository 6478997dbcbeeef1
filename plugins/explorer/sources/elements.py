"""Symplectic Elements: users, groups and their members, relationships, publications, over its API 4.9, 5.5 and 6.13.

Users, groups, memberships and relationships are read whole at every import, the latter by reference, 1000 a page: only
so can an incremental import tell who is newly shown, or no longer. Publications are read as far as they are affected;
their ids are read whole, by reference, too: what is published but not among them is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from explorer.config import ElementsSource
from explorer.polite_http import NO_ANSWER, Answer, Limits, PoliteSession, shown
from explorer.records import Author, Authorship, Listed, Output, Record
from explorer.sources import OUTPUTS_BY_KEY, Abilities, Cursor, Finding, Page, Part, Plan, SourceError
from explorer.sources import elements_records as parse_record
from explorer.sources.elements_groups import Group, departments, group
from explorer.sources.elements_records import WITH_LEVELS, Levels
from explorer.sources.elements_xml import AnsweredError, Document, Element, NotElementsError, parse, version

if TYPE_CHECKING:
    from explorer.config import Institution
    from explorer.connections import Connection

FULL, REF = "25", "1000"  # the largest pages that the API allows, by detail
TRIES = 5
CONFLICT, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, GONE = 409, 401, 403, 404, 410
MOST_SHIFTS = 3
PASSING = {"public": ("public",), "public_and_internal": ("public", "internal")}
WITHHELD = "(withheld)"
TYPES = ("8", "9")  # publication-user-authorship, publication-user-editorship
SAMPLE = 3
FIXES = {
    "refused": "let this login read it (System Admin > Manage API)",
    "not_elements": "correct the connection's host: it should lead to the API, not to a page for people",
    "broken_xml": "correct the connection's host: it should lead to the API, not to a page for people",
}
KINDS = {"4": "4.9", "5": "5.5", "6": "6.13"}  # what the YAML calls them, by the schema's first number


class ElementsApi:
    """One endpoint of the API. Every answer is looked into; no request leaves the configured host."""

    def __init__(self, base: str, session: PoliteSession, *, pause: float = 1.0) -> None:
        self.base = base.rstrip("/")
        self._session = session
        self._pause = pause
        self._place = urlsplit(self.base)

    def address(self, path: str, arguments: Mapping[str, str] | None = None) -> str:
        """The address of a resource of this endpoint."""
        return f"{self.base}/{path}" + (f"?{urlencode(arguments, quote_via=quote)}" if arguments else "")

    def on_our_host(self, link: str) -> tuple[str, bool]:
        """A link of the server on the configured host, and whether it had to be corrected."""
        parts = urlsplit(link)
        ours = urlunsplit((self._place.scheme, self._place.netloc, parts.path, parts.query, ""))
        return ours, ours != urlunsplit((parts.scheme, parts.netloc, parts.path, parts.query, ""))

    def ask(self, url: str) -> Document:
        """The answer to one request. A conflict, and an answer that is cut off, are asked for again.

        Raises ``AnsweredError`` where the API says why not, else ``SourceError``.
        """
        for attempt in range(TRIES):
            answer = self._session.get(url, accept="application/xml, application/atom+xml, text/xml")
            if answer.status == CONFLICT and attempt < TRIES - 1:
                time.sleep(min(60.0, self._pause * 2**attempt))
                continue
            try:
                return self._read(answer)
            except NotElementsError as error:
                if attempt == TRIES - 1:
                    raise NotElementsError(error.code, f"{shown(url)}: {error}") from error
                time.sleep(min(60.0, self._pause * 2**attempt))
        raise AssertionError  # the last attempt returns or raises

    def _read(self, answer: Answer) -> Document:
        where = shown(answer.url)
        if answer.status in {UNAUTHORIZED, FORBIDDEN}:
            what = "login and password" if answer.status == UNAUTHORIZED else "rights of this login"
            message = f"{where} refuses us (HTTP {answer.status}): check the {what}, and the IP addresses it lets in."
            raise SourceError("refused", message)
        if answer.status in {NOT_FOUND, GONE}:
            raise AnsweredError("resource_not_found", f"{where} is not there (HTTP {answer.status}).")
        try:
            document = parse(answer.body)
        except AnsweredError as error:
            raise AnsweredError(error.code, self._session.blotted(f"{where}: {error}")) from None  # nor in a traceback
        if answer.status != 200:  # noqa: PLR2004
            raise SourceError(f"http_{answer.status}", f"{where} answers HTTP {answer.status} without an explanation.")
        return document if document.clock else replace(document, clock=_http_date(answer.headers.get("Date")))

    def pages(self, url: str) -> Iterator[tuple[Document, str | None, int]]:
        """(answer, address of the next page, links corrected) for each page of a list.

        A next page that has been read before means that the server's index is damaged: the list is incomplete.
        """
        visited = {url}
        going_on: str | None = url
        while going_on is not None:
            document = self.ask(going_on)
            corrected = False
            here, going_on = going_on, None
            if document.next is not None:
                going_on, corrected = self.on_our_host(document.next)
                if document.ends_unmoved and going_on == here:
                    going_on = None
                elif going_on in visited:
                    message = (
                        f"{shown(here)}: the next page is one that has been read before, so the list is incomplete; the"
                        " search index of Elements is missing or damaged, and its administrators can rebuild it"
                    )
                    raise SourceError("list_in_circles", message)
                if going_on is not None:
                    visited.add(going_on)
            yield document, going_on, int(corrected)


def _http_date(text: str | None) -> str | None:
    try:
        moment = datetime.strptime(text or "", "%a, %d %b %Y %H:%M:%S GMT")  # noqa: DTZ007 - GMT by definition
    except ValueError:
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Elements:
    """The source of an institution with ``kind: symplectic_elements``."""

    api: ElementsApi
    settings: ElementsSource
    policy: str = "public"
    uri_domains: Sequence[str] = ()
    overlap: timedelta = timedelta(minutes=10)
    abilities: Abilities = field(
        default_factory=lambda: Abilities(
            knows_privacy=True, lists_authors=True, says_changes=True, lists_authorships=True, lists_keys=True
        )
    )

    @cached_property
    def levels(self) -> Levels:
        """Which product answers, in which schema. Raises ``SourceError`` where it is not the configured one."""
        about = self.api.ask(self.api.address("my-account"))
        spoken = KINDS.get((about.schema or "").split(".")[0])
        wanted = self.settings.api_version
        if wanted and spoken != wanted:
            message = (
                f"the endpoint speaks schema {about.schema or 'unknown'}, not {wanted}: correct source.api_version, or"
                " choose the compatibility of the endpoint in Elements (System Admin > Manage API)"
            )
            raise SourceError("another_version", message)
        return Levels(version(about.product), version(about.schema))

    def speaks(self) -> str:
        """What an upgrade changes without a date: since 6.2 things have levels, and which can be told depends on the schema."""
        with_levels = "since" if self.levels.product >= WITH_LEVELS else "before"
        return (
            f"Elements {with_levels} {'.'.join(map(str, WITH_LEVELS))}, schema {'.'.join(map(str, self.levels.schema))}"
        )

    def untold(self) -> str | None:
        """Changes that leave the date as it was; which ids there are is compared by every import."""
        return "Elements gives some changes no date"

    # --- what there is to read

    def parts(self, plan: Plan) -> Sequence[Part]:
        """Groups, users, relationships, publications, the ids of all of these; since a time also what was deleted."""
        _ = self.levels
        changes = [Part("deleted publications")] if self._since(plan) else []
        return [
            Part("groups", "departments"),
            Part("users", "authors"),
            Part("relationships", "authorships"),
            Part("publications"),
            *changes,
            Part("publication ids", "keys"),
        ]

    @staticmethod
    def _since(plan: Plan) -> str | None:
        """The watermark of publications, as the API takes it."""
        mark = plan.watermarks.get("publications") if plan.mode == "incremental" else None
        return f"{mark.removesuffix('Z')}+0000" if mark else None

    def read(self, part: Part, plan: Plan, cursor: Cursor | None) -> Iterator[Page]:
        """The pages of a part, from its start or from behind ``cursor``."""
        since = self._since(plan)
        old = self.levels.schema < (5, 0)
        order = {"order-by": "id"} if old else {}
        if part.name == "groups":
            yield self._departments()
        elif part.name == "users":
            memberships = self._memberships()

            def user(element: Element) -> list[Record]:
                made = parse_record.author(element, self.levels, memberships.get(element.get("id") or "", ()))
                return [self._veiled(made)] if made else []

            yield from self._list("users", {"detail": "full", "per-page": FULL, **order}, user, cursor)
        elif part.name == "relationships":
            types = ",".join(TYPES if self.settings.editors else TYPES[:1])
            yield from self._list(
                "relationships", {"types": types, "detail": "ref", "per-page": REF}, self._authorship, cursor
            )
        elif part.name == "publications":
            changed = {("modified-since" if old else "affected-since"): since} if since else {}
            arguments = {"detail": "full", "per-page": FULL, "ever-approved": "true", **order, **changed}
            # What slips through while all are read, perhaps for an hour, is found by the list of ids and fetched singly.
            made = self._publication(merges=since is not None)
            yield from self._list("publications", arguments, made, cursor, again=since is not None)
        elif part.name == "deleted publications":
            arguments = {"deleted-since": since or "", "per-page": REF}
            yield from self._list("deleted/publications", arguments, self._deleted, cursor)
        elif part.name == "publication ids":
            arguments = {"detail": "ref", "per-page": REF, "ever-approved": "true", **order}
            yield from self._marked(self._list("publications", arguments, self._listed, cursor), cursor)
        elif part.name == OUTPUTS_BY_KEY:
            yield from self._by_key(part, cursor)
        else:
            raise SourceError("unknown_part", f"Elements has no list {part.name}.")

    def _list(
        self,
        path: str,
        arguments: Mapping[str, str],
        records: Callable[[Element], Sequence[Record]],
        cursor: Cursor | None,
        *,
        again: bool = True,
    ) -> Iterator[Page]:
        """A list's pages. Numbered pages shift while somebody edits: one that lost something is read ``again``."""
        start = str(cursor["next"]) if cursor else self.api.address(path, arguments)
        read = int(str(cursor["read"])) if cursor else 0
        shifts = int(str(cursor["shifts"])) if cursor else 0
        largest = int(str(cursor["total"])) if cursor else 0
        restart = False
        while True:
            short: int | None = None
            for document, going_on, corrected in self.api.pages(start):
                read += len(document.results)
                total = document.total
                if again and total is not None and (total < largest or (going_on is None and read < total)):
                    short = total
                    break
                largest = total or 0
                made = [records(element) for element in document.results]
                # What has no id, names not both its ends or is of another kind is no record, but it is counted.
                told = {"link_to_another_host": int(corrected), f"left_out_of_{path}": sum(not each for each in made)}
                yield Page(
                    [record for each in made for record in each],
                    {"next": going_on, "read": read, "shifts": shifts, "total": largest} if going_on else None,
                    clock=document.clock,
                    expected=document.total,
                    repairs={what: count for what, count in told.items() if count},
                    restart=restart,
                )
                restart = False
            if short is None:
                return
            shifts += 1
            if shifts > MOST_SHIFTS:
                message = f"{path}: the list shrinks while it is read, at every try ({short} now). Try again later."
                raise SourceError("list_shifts", message)
            start, read, largest, restart = self.api.address(path, arguments), 0, 0, True

    def _marked(self, pages: Iterator[Page], cursor: Cursor | None) -> Iterator[Page]:
        """The pages of the list of ids, which is whole each time: its mark is the newest change in it.

        So what changes next is found by its date, whatever the clock says by which the server dates its answers: it may
        run ahead of the one by which it dates its objects.
        """
        newest = str(cursor["newest"]) if cursor else ""
        clock = str(cursor["clock"]) if cursor and cursor["clock"] else None
        for page in pages:
            if page.restart:
                newest = ""
            newest = max([newest, *(each.datestamp or "" for each in page.records if isinstance(each, Listed))])
            clock = clock or page.clock
            mark = clock
            if newest:  # to the next second, since a mark has none of its fractions; the overlap is taken off again
                after = datetime.fromisoformat(newest).replace(microsecond=0) + timedelta(seconds=1) + self.overlap
                dated = after.strftime("%Y-%m-%dT%H:%M:%SZ")
                mark = min(clock or dated, dated)
            going_on = {**page.cursor, "newest": newest, "clock": clock} if page.cursor else None
            yield replace(page, cursor=going_on, mark=mark)

    # --- records

    def _publication(self, *, merges: bool) -> Callable[[Element], Sequence[Record]]:
        def read(element: Element) -> list[Record]:
            if not parse_record.ever_approved(element):
                return []  # a suggestion that nobody confirmed; old servers send them although not asked to
            made = self._veiled(parse_record.output(element, self.levels, self.uri_domains))
            return [made, *parse_record.merged_away(element)] if merges else [made]

        return read

    def _authorship(self, element: Element) -> Sequence[Record]:
        made: Authorship | None = parse_record.authorship(element, self.levels, editors=self.settings.editors)
        return [made] if made else []

    @staticmethod
    def _listed(element: Element) -> Sequence[Record]:
        made = parse_record.listed(element)
        return [made] if made else []

    @staticmethod
    def _deleted(element: Element) -> Sequence[Record]:
        made = parse_record.deleted(element)
        return [made] if made else []

    def _by_key(self, part: Part, cursor: Cursor | None) -> Iterator[Page]:
        """Single publications, one a request; one that is there no more, or was never approved, is none."""
        keys = part.start["keys"]
        if not isinstance(keys, list):
            raise TypeError(keys)
        at = int(str(cursor["at"])) if cursor else 0
        if not keys:
            yield Page([], None)
        for number, key in enumerate(keys[at:], at + 1):
            going_on = {"at": number} if number < len(keys) else None
            try:
                document = self.api.ask(
                    self.api.address(f"publications/{quote(str(key), safe='')}", {"detail": "full"})
                )
            except AnsweredError as error:
                if error.code not in {"resource_not_found", "resource_deleted"}:
                    raise
                yield Page([], going_on)
                continue
            made = self._publication(merges=False)
            yield Page([record for each in document.results for record in made(each)], going_on)

    def _veiled(self, record: Record) -> Record:
        """Of what will not pass nothing is staged but its id, and by which rule: so privacy judges it before all others."""
        level = getattr(record, "level", None)
        if level in PASSING[self.policy] or not record.key:
            return record
        rule = f"level_{level or 'unknown'}"
        match record:
            case Output(deleted=False):
                return Output(record.key, level=level, withheld=rule, datestamp=record.datestamp, place=record.place)
            case Author():
                return Author(
                    record.key, WITHHELD, level=level, withheld=rule, datestamp=record.datestamp, place=record.place
                )
        return record

    # --- groups and who is in them

    @cached_property
    def _groups(self) -> tuple[list[Group], str | None, int]:
        """All groups, the source's clock, links corrected."""
        arguments = {"detail": "full", "per-page": FULL} if self.levels.schema >= (6, 0) else None
        found: list[Group] = []
        clock, corrected = None, 0
        for document, _, mended in self.api.pages(self.api.address("groups", arguments)):
            found += [made for each in document.results if (made := group(each, self.levels))]
            clock, corrected = clock or document.clock, corrected + mended
        return found, clock, corrected

    def _departments(self) -> Page:
        groups, clock, corrected = self._groups
        root = self.settings.groups.root
        if root is not None and root not in {each.key for each in groups}:
            raise SourceError("unknown_group", f"there is no group {root}: correct source.groups.root")
        made = departments(groups, root, self.settings.groups.exclude)
        repairs = {"link_to_another_host": corrected} if corrected else {}
        return Page(made, None, clock=clock, expected=len(made), repairs=repairs)

    def _memberships(self) -> dict[str, list[str]]:
        """The departments of each user: one list for each group."""
        found: dict[str, list[str]] = {}
        for record in self._departments().records:
            arguments = {"groups": str(record.key), "group-membership": "explicit", "detail": "ref", "per-page": REF}
            for document, _, _ in self.api.pages(self.api.address("users", arguments)):
                for element in document.results:
                    user, key = element.get("id"), str(record.key)
                    if user and key not in found.setdefault(user, []):
                        found[user].append(key)
        return found

    # --- check

    def check(self) -> Iterator[Finding]:
        """The login, product and schema, each list by name, and whether the privacy that is asked for can be told."""
        base = shown(self.api.base)
        try:
            about = self.api.ask(self.api.address("my-account"))
            levels = self.levels
        except SourceError as error:
            fix = None if error.code in NO_ANSWER else "correct the connection's host, login, password"
            yield Finding("my-account", ok=False, detail=str(error), fix=fix)
            return
        yield Finding("my-account", ok=True, detail=f"{base}: Elements {about.product or '?'}, schema {about.schema}")
        yield self._check_privacy(levels)
        for name, path, arguments in (
            ("groups", "groups", {}),
            ("users", "users", {"detail": "full", "per-page": "5"}),
            ("relationships", "relationships", {"types": TYPES[0], "detail": "ref", "per-page": "5"}),
            ("publications", "publications", {"detail": "full", "per-page": "5", "ever-approved": "true"}),
            (
                "deleted publications",
                "deleted/publications",
                {"per-page": "1", "deleted-since": "2026-01-01T00:00:00+0000"},
            ),
        ):
            yield self._check_list(name, self.api.address(path, arguments))
        yield from self._check_members()
        root = self.settings.groups.root
        if root is not None:
            yield self._check_root(root)

    def _check_privacy(self, levels: Levels) -> Finding:
        if levels.product < WITH_LEVELS:
            return Finding(
                "privacy", ok=True, detail="before 6.2 there are no levels: all is imported but hidden relationships"
            )
        if levels.schema >= (6, 0):
            return Finding("privacy", ok=True, detail=f"levels are stated; passing: {', '.join(PASSING[self.policy])}")
        detail = "this schema states no levels: only what it calls public or visible is imported"
        fix = "choose compatibility 6.13 for the endpoint (System Admin > Manage API)"
        return Finding("privacy", ok=self.policy == "public", detail=detail, fix=fix)

    def _check_list(self, name: str, url: str) -> Finding:
        try:
            document = self.api.ask(url)
        except SourceError as error:
            return Finding(name, ok=False, detail=str(error), fix=FIXES.get(error.code))
        size = document.total if document.total is not None else len(document.results)
        unsaid = self._without_level(name, document)
        if unsaid:
            detail = f"none of the first {unsaid} says its privacy level, and without one a thing counts as private"
            fix = "choose compatibility 6.13 for the endpoint, and give this login the right to see privacy levels"
            return Finding(name, ok=False, detail=detail, fix=fix)
        shown_: list[str] = []
        if name == "publications":
            made = [parse_record.output(each, self.levels, self.uri_domains) for each in document.results]
            public = [each for each in made if each.level in PASSING[self.policy]]
            shown_ = [each.title for each in public[:SAMPLE] if each.title]
        told = f": {'; '.join(shown_)}" if shown_ else ""
        return Finding(name, ok=True, detail=f"{size}{'' if document.next is None else ' and more'}{told}")

    def _without_level(self, name: str, document: Document) -> int:
        """How many things of a list were looked at, if not one of them says its level; else none."""
        level: Callable[[Element], object] | None = {
            "publications": self.levels.of_object,
            "users": self.levels.of_object,
            "groups": self.levels.of_group,
            "relationships": self.levels.of_relationship,
        }.get(name)
        looked_at = [level(each) for each in document.results] if level else []
        return len(looked_at) if looked_at and all(each is None for each in looked_at) else 0

    def _check_members(self) -> Iterator[Finding]:
        """Who is in the first group; nothing where groups cannot be read, which is told already."""
        try:
            groups = [str(each.key) for each in self._departments().records]
        except SourceError:
            return
        if groups:
            arguments = {"groups": groups[0], "group-membership": "explicit", "detail": "ref", "per-page": "1"}
            yield self._check_list("members of a group", self.api.address("users", arguments))
        else:
            yield Finding("members of a group", ok=True, detail="there are no groups, so there will be no departments")

    def _check_root(self, root: str) -> Finding:
        try:
            found = self._departments().records
        except SourceError as error:
            return Finding("root group", ok=False, detail=str(error), fix="correct source.groups.root")
        return Finding("root group", ok=True, detail=f"{len(found)} groups in the tree of group {root}")


def source(institution: Institution, connection: Connection | None, *, hash_key: bytes) -> Elements:
    """The source of an institution. Raises ``SourceError`` where its connection cannot be used."""
    del hash_key  # people have ids of their own
    settings = institution.source
    if not isinstance(settings, ElementsSource) or connection is None:
        raise TypeError(settings)
    base = connection.base_url
    if base.startswith("http://") and not settings.allow_http:
        message = (
            f"{shown(base)} is not https, so login and password are not sent there. Use https; or set allow_http: true in"
            " the source of this institution, where the network between is your own"
        )
        raise SourceError("insecure_address", message)
    session = PoliteSession(
        Limits.of(settings.politeness),
        allow_http=settings.allow_http,
        allow_private_hosts=settings.allow_private_hosts,
        auth=(connection.login, connection.password) if connection.login else None,
        user_agent=settings.politeness.user_agent,
    )
    return Elements(ElementsApi(base, session), settings, institution.privacy.level, institution.uri_domains)
