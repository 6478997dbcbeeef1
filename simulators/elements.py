"""An Elements server in its three dialects, and the university that it knows: people, groups, publications, links.

What it says in which schema follows captured answers of 4.6 and 5.5; of 6.13 nothing was captured, it follows what its
clients read. A change of a link's visibility affects both its ends but does not bump the link's own date.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import ClassVar, Literal, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit
from xml.sax.saxutils import escape, quoteattr

from simulators.repository import Clock, VirtualClock
from simulators.serving import TRANSPORT_FAULTS, Answer, Call, Fault, Simulator

Schema = Literal["4.9", "5.5", "6.13"]
API = "http://www.symplectic.co.uk/publications/api"
ATOM = "http://www.w3.org/2005/Atom"
CAPS = {"full": 25, "ref": 1000}
DEFAULT_PAGE = 25
TYPE_IDS = {"book": 2, "chapter": 3, "conference": 4, "journal-article": 5}
SOURCE_IDS = {"manual": 1, "wos": 3, "arxiv": 5, "scopus": 7, "crossref": 11, "pubmed": 2}
LINK_TYPES = {8: "publication-user-authorship", 9: "publication-user-editorship"}
LINK_WORDS = {8: "Authored by", 9: "Edited by"}

ELEMENTS_FAULTS: Mapping[str, str] = {
    "atom_next_to_itself": "Atom's own link `next` points to its own page",
    "next_is_this": "the next page is the page itself",
    "back_to_the_start": "the next page is the first one",
    "continue_repeated": "6.13: `continue-from` comes back unchanged on the last page",
    "wrong_host": "links to pages name another host",
    "error_under_200": "an error document with HTTP status 200",
    "conflict": "409, concurrency conflict",
    "gateway_timeout": "504",
    "forbidden": "403, unauthorised access",
    "clock_skew": "the server's clock is two hours ahead",
}


@dataclass(frozen=True, slots=True)
class Record:
    """What one database knows of a publication."""

    source: str = "crossref"
    title: str | None = None
    year: int | None = None
    venue: str | None = None
    doi: str | None = None
    isbn: str | None = None
    id_at_source: str | None = None
    people: tuple[tuple[str, str], ...] = ()  # last name, initials: as printed on it
    preferred: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """A person. ``level``: a text as 6.13 gives it, None: left out; ``a|b``: given twice. Flags None: left out."""

    id: str
    last: str
    first: str
    mail: str = ""
    orcid: str | None = None
    level: str | None = "Public"
    current: bool | None = True
    academic: bool | None = True
    student: bool | None = None
    groups: frozenset[str] = frozenset()
    modified: str = ""
    affected: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication with the records of it. ``merged``: (id, time) of those that were merged into it."""

    id: str
    records: tuple[Record, ...] = ()
    type: str = "journal-article"
    level: str | None = "Public"
    approved: bool = True
    merged: tuple[tuple[str, str], ...] = ()
    modified: str = ""
    affected: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """That a user wrote (8) or edited (9) a publication. ``effective`` None: left out."""

    id: str
    publication: str
    user: str
    type: int = 8
    level: str | None = "Public"
    effective: str | None = None
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A group."""

    id: str
    name: str
    parents: tuple[str, ...] = ()
    level: str | None = "Public"


@dataclass
class University:
    """What an Elements server knows. Every change is dated by ``clock``; may be used from several threads."""

    name: str = "Lagado"
    clock: Clock = field(default_factory=VirtualClock)
    users: dict[str, User] = field(default_factory=dict)
    publications: dict[str, Publication] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    deleted: dict[str, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> str:
        """The time, as the API writes it."""
        return self.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "+00:00"

    def put_user(self, user: User) -> None:
        """Adds or changes a user, now."""
        with self.lock:
            self.users[user.id] = replace(user, modified=self.now(), affected=self.now())

    def put(self, publication: Publication) -> None:
        """Adds or changes a publication, now."""
        with self.lock:
            self.publications[publication.id] = replace(publication, modified=self.now(), affected=self.now())
            self.deleted.pop(publication.id, None)

    def link(self, link: Link) -> None:
        """Adds a link, now, or changes one: then its own date stays. Both its ends are affected."""
        with self.lock:
            old = self.links.get(link.id)
            self.links[link.id] = replace(link, modified=old.modified if old else self.now())
            self._affect(link)

    def unlink(self, key: str) -> None:
        """Removes a link."""
        with self.lock:
            self._affect(self.links.pop(key))

    def leave(self, key: str) -> None:
        """Removes a user with all links."""
        with self.lock:
            for link in [each for each in self.links.values() if each.user == key]:
                self.unlink(link.id)
            del self.users[key]

    def delete(self, key: str) -> None:
        """Deletes a publication; the feed of deleted objects tells."""
        with self.lock:
            self.vanish(key)
            self.deleted[key] = self.now()

    def vanish(self, key: str) -> None:
        """Takes a publication away without a word."""
        with self.lock:
            for link in [each for each in self.links.values() if each.publication == key]:
                self.unlink(link.id)
            del self.publications[key]

    def merge(self, gone: str, survivor: str) -> None:
        """Merges one publication into another: links move, a double one goes; the survivor's history tells, no feed."""
        with self.lock:
            old, kept = self.publications.pop(gone), self.publications[survivor]
            self.put(replace(kept, merged=(*kept.merged, *old.merged, (gone, self.now()))))
            there = {(each.user, each.type) for each in self.links.values() if each.publication == survivor}
            for link in [each for each in self.links.values() if each.publication == gone]:
                if (link.user, link.type) in there:
                    self.unlink(link.id)
                else:
                    self.link(replace(link, publication=survivor))

    def _affect(self, link: Link) -> None:
        if (publication := self.publications.get(link.publication)) is not None:
            self.publications[publication.id] = replace(publication, affected=self.now())
        if (user := self.users.get(link.user)) is not None:
            self.users[user.id] = replace(user, affected=self.now())


@dataclass(frozen=True, slots=True)
class _Item:
    """One thing of a list: its id, and its XML by itself and as an Atom entry's title."""

    id: str
    xml: str
    title: str = ""


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


Thing = TypeVar("Thing", bound=_HasId)


class Elements(Simulator):
    """``university`` behind one endpoint. ``login`` and ``password`` are asked for where they are set."""

    path = "/elements-api/"
    faults_known: ClassVar[Mapping[str, str]] = {**TRANSPORT_FAULTS, **ELEMENTS_FAULTS}

    def __init__(
        self,
        university: University,
        schema: Schema = "6.13",
        product: str = "6.13",
        *,
        login: str = "",
        password: str = "",
        faults: Collection[Fault] = (),
    ) -> None:
        super().__init__(faults)
        self.university = university
        self.schema = schema
        self.product = product
        self._secret = base64.b64encode(f"{login}:{password}".encode()).decode() if login else None

    @property
    def base(self) -> str:
        """The base URL of the endpoint, while it serves."""
        return f"{self.url}v{self.schema}"

    @property
    def atom(self) -> bool:
        """Whether results are wrapped in Atom."""
        return self.schema != "6.13"

    def call_name(self, call: Call) -> str:
        """The resource, without ids: ``publications``, ``publication``, and so on."""
        parts = [each for each in call.path.removeprefix(self.path).split("/")[1:] if each]
        match parts:
            case ["publications" | "users" | "relationships" as many, _]:
                return many[:-1]
            case _:
                return "/".join(each for each in parts if not each.isdigit())

    def answer(self, call: Call) -> Answer:
        name = self.call_name(call)
        if self._secret and call.headers.get("Authorization") != f"Basic {self._secret}":
            return self._error("invalid credentials", "Who are you?", 401)
        kinds = {each.kind for each in self.faults.strike(name, ELEMENTS_FAULTS)}
        if "error_under_200" in kinds:
            return self._error("database timeout", "The database took too long.", 200)
        if "conflict" in kinds:
            return self._error("concurrency conflict", "Somebody edits it.", 409)
        if "gateway_timeout" in kinds:
            return Answer(b"", 504, "text/html")
        if "forbidden" in kinds:
            return self._error("unauthorised access", "You may not.", 403)
        with self.university.lock:
            return self._resource(call, dict(call.arguments), kinds)

    def _resource(  # noqa: C901, PLR0911 - a table of addresses
        self, call: Call, arguments: Mapping[str, str], kinds: set[str]
    ) -> Answer:
        place = self.university
        parts = [each for each in call.path.removeprefix(self.path).split("/")[1:] if each]
        full = arguments.get("detail", "full" if len(parts) == 2 else "ref") == "full"
        match parts:
            case ["my-account"]:
                return self._single("", "my account")
            case ["users"]:
                users = [each for each in place.users.values() if self._wanted_user(each, arguments)]
                return self._list(call, arguments, kinds, users, lambda each: self._user(each, full=full))
            case ["publications"]:
                found = [each for each in place.publications.values() if self._wanted(each, arguments)]
                return self._list(call, arguments, kinds, found, lambda each: self._publication(each, full=full))
            case ["relationships"]:
                types = {int(each) for each in arguments.get("types", "8,9").split(",")}
                links = [each for each in place.links.values() if each.type in types]
                return self._list(call, arguments, kinds, links, self._link)
            case ["publications", key, "relationships"]:
                links = [each for each in place.links.values() if each.publication == key]
                return self._list(call, arguments, kinds, links, lambda each: self._link(each, without="publication"))
            case ["users", key, "relationships"]:
                links = [each for each in place.links.values() if each.user == key]
                return self._list(call, arguments, kinds, links, lambda each: self._link(each, without="user"))
            case ["deleted", "publications"]:
                since = _time(arguments.get("deleted-since"))
                gone = [_Item(key, self._deleted(key, at)) for key, at in place.deleted.items() if _time(at) >= since]
                return self._list(call, arguments, kinds, gone, lambda each: each)
            case ["groups"]:
                return self._list(call, arguments, kinds, list(place.groups.values()), self._group)
            case ["publications", key] if key in place.publications:
                return self._single(self._publication(place.publications[key], full=full).xml, "publication")
            case ["users", key] if key in place.users:
                return self._single(self._user(place.users[key], full=full).xml, "user")
        return self._error("resource not found", f"There is no {call.path}.", 404)

    def _wanted_user(self, user: User, arguments: Mapping[str, str]) -> bool:
        group = arguments.get("groups")
        return (group is None or group in user.groups) and self._is_new(user, arguments)

    def _wanted(self, publication: Publication, arguments: Mapping[str, str]) -> bool:
        if arguments.get("ever-approved") == "true" and not publication.approved:
            return False
        return self._is_new(publication, arguments)

    def _is_new(self, thing: User | Publication, arguments: Mapping[str, str]) -> bool:
        """Before schema 5, "modified" means affected."""
        if not {"affected-since", "modified-since"} & arguments.keys():
            return True
        affected, modified = _time(arguments.get("affected-since")), _time(arguments.get("modified-since"))
        if self.schema == "4.9":
            return _time(thing.affected) >= modified
        return _time(thing.affected) >= affected and _time(thing.modified) >= modified

    # --- lists

    def _list(
        self,
        call: Call,
        arguments: Mapping[str, str],
        kinds: set[str],
        items: Sequence[Thing],
        shown: Callable[[Thing], _Item],
    ) -> Answer:
        cap = CAPS.get(arguments.get("detail", "ref"), DEFAULT_PAGE)
        size = min(int(arguments.get("per-page", DEFAULT_PAGE)), cap)
        items = sorted(items, key=lambda each: (len(each.id), each.id))
        others = {key: value for key, value in arguments.items() if key not in {"page", "after-id"}}
        if self.schema == "4.9":
            number = int(arguments.get("page", 1))
            page = items[(number - 1) * size : number * size]
            more = {"page": str(number + 1)} if number * size < len(items) else None
        else:
            after = arguments.get("after-id", "")
            left = [each for each in items if (len(each.id), each.id) > (len(after), after)]
            page = left[:size]
            more = {"after-id": page[-1].id} if page and (len(left) > size or not self.atom) else None
            number = 1
        this = self._address(call, arguments)
        going_on = self._address(call, {**others, **more}) if more else None
        if "next_is_this" in kinds:
            going_on = this
        elif "back_to_the_start" in kinds:
            going_on = self._address(call, others)
        elif "continue_repeated" in kinds and len(page) < size:
            going_on = this
        if "wrong_host" in kinds and going_on:
            parts = urlsplit(going_on)
            going_on = f"https://internal.lagado.example:8091{parts.path}?{parts.query}"
        counted = len(items) if self.schema == "4.9" else len(page)
        body = self._pagination(counted, size, this, going_on, number)
        body += "".join(self._wrapped(shown(each)) for each in page)
        links = (
            f'<link type="application/atom+xml" rel="next" href={quoteattr(this)}/>'
            if "atom_next_to_itself" in kinds
            else ""
        )
        return self._document(body, kinds, links, "item-list")

    def _address(self, call: Call, arguments: Mapping[str, str]) -> str:
        return self.url.removesuffix(self.path) + call.path + (f"?{urlencode(arguments)}" if arguments else "")

    def _pagination(self, counted: int, size: int, this: str, going_on: str | None, number: int) -> str:
        def page(position: str, href: str, at: int) -> str:
            numbered = f' number="{at}"' if self.schema == "4.9" else ""
            return f'<api:page position="{position}"{numbered} href={quoteattr(href)}/>'

        pages = page("this", this, number)
        if going_on:
            pages += page("next" if self.atom else "continue-from", going_on, number + 1)
        pagination = f'<api:pagination results-count="{counted}" items-per-page="{size}">{pages}</api:pagination>'
        return pagination if self.atom else f"{pagination}<api:result-list>"

    def _wrapped(self, item: _Item) -> str:
        if not self.atom:
            return f"<api:result>{item.xml}</api:result>"
        return (
            f"<entry><id>tag:elements@lagado,{self.product}:{item.id}</id>"
            '<category scheme="http://www.symplectic.co.uk/publications/atom/entries/" term="item" label="Item"/>'
            f"<updated>{self.university.now()}</updated><title>{escape(item.title)}</title>{item.xml}</entry>"
        )

    def _single(self, xml: str, title: str) -> Answer:
        if self.atom:
            return self._document(self._wrapped(_Item("1", xml, title)) if xml else "", set(), "", "item")
        body = f"<api:result>{xml}</api:result>" if xml else ""
        return self._document(body, set(), "", "item", is_list=False)

    def _document(self, body: str, kinds: set[str], links: str, term: str, *, is_list: bool = True) -> Answer:
        now = self.university.clock()
        if "clock_skew" in kinds:
            now = now.replace(hour=(now.hour + 2) % 24)
        if not self.atom:
            ends = "</api:result-list>" if is_list else ""
            text = (
                f'<api:response xmlns:api="{API}"><api:version elements-version="{self.product}"'
                f' schema-version="{self.schema}"/><api:request href={quoteattr(self.base)}/>{body}{ends}</api:response>'
            )
            stamp = now.astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
            return Answer(_declared(text), headers={"Date": stamp})
        updated = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0+00:00"
        text = (
            f'<feed xmlns="{ATOM}" xmlns:api="{API}"><api:schema-version>{self.schema}</api:schema-version>'
            f'<category scheme="http://www.symplectic.co.uk/publications/atom/feeds/" term="{term}" label="Item list"/>'
            f"<id>tag:elements@lagado,{self.product}:/</id><updated>{updated}</updated>"
            f'<generator uri="https://elements.lagado.example/" version="{self.product}">Symplectic Elements</generator>'
            f"<title>Results</title><author><name>Symplectic Elements at Lagado</name></author>{links}{body}</feed>"
        )
        return Answer(_declared(text))

    def _error(self, code: str, words: str, status: int) -> Answer:
        error = f"<api:error code={quoteattr(code)}>{escape(words)}</api:error>"
        if self.atom:
            made = self._document(f"<entry>{error}</entry>", set(), "", "error-list")
        else:
            made = self._document(error, set(), "", "", is_list=False)
        return replace(made, status=status, refused=True)

    # --- things

    def _object(self, category: str, thing: User | Publication, inner: str, attributes: str) -> str:
        key = quoteattr(thing.id)
        return (
            f'<api:object category="{category}" id={key} last-affected-when="{thing.affected}"'
            f' last-modified-when="{thing.modified}" href="{self.base}/{category}s/{thing.id}"{attributes}>{inner}'
            f'<api:relationships href="{self.base}/{category}s/{thing.id}/relationships"/></api:object>'
        )

    def _privacy(self, level: str | None, flag: str) -> str:
        """A level as this schema tells it: in words, as a flag, or not at all."""
        if self.schema == "6.13":
            return _levels("privacy-level", level)
        if self.schema == "4.9" or level is None:
            return ""
        return f"<api:{flag}>{_yes(level.casefold() == 'public')}</api:{flag}>"

    def _user(self, user: User, *, full: bool) -> _Item:
        own = f' proprietary-id="E{user.id}" username="{user.id}@lagado" type-id="1" type="person"'
        if not full:
            return _Item(user.id, self._object("user", user, "", own), "user")
        flags = {
            "is-current-staff": user.current,
            "is-academic": user.academic,
            "is-student": user.student,
            "is-login-allowed": True,
        }
        inner = "<api:ever-approved>true</api:ever-approved>" + self._privacy(user.level, "is-public")
        inner += "".join(f"<api:{name}>{_yes(flag)}</api:{name}>" for name, flag in flags.items() if flag is not None)
        inner += (
            f"<api:initials>{escape(user.first[:1])}</api:initials><api:last-name>{escape(user.last)}</api:last-name>"
            f"<api:first-name>{escape(user.first)}</api:first-name><api:email-address>{escape(user.mail)}</api:email-address>"
            "<api:primary-group-descriptor>Flying Island</api:primary-group-descriptor>"
            "<api:arrive-date>2011-10-01</api:arrive-date><api:position>Projector</api:position>"
            "<api:records/><api:fields/>"
        )
        if user.orcid:
            inner += (
                f'<api:user-identifier-associations user-id="{user.id}"><api:user-identifier-association'
                f' scheme="email-address" status="claimed">{escape(user.mail)}</api:user-identifier-association>'
                f'<api:user-identifier-association scheme="orcid" status="claimed">{user.orcid}'
                "</api:user-identifier-association></api:user-identifier-associations>"
            )
        return _Item(user.id, self._object("user", user, inner, own), f"{user.last}, {user.first}")

    def _publication(self, publication: Publication, *, full: bool) -> _Item:
        own = f' type-id="{TYPE_IDS.get(publication.type, 5)}" type="{publication.type}"'
        if not full:
            return _Item(publication.id, self._object("publication", publication, "", own), "publication")
        inner = f"<api:ever-approved>{_yes(publication.approved)}</api:ever-approved>"
        inner += self._privacy(publication.level, "is-public")
        if publication.merged:
            merges = "".join(
                f'<api:merge when="{at}"><api:merged-object id="{gone}"/><api:merged-into-object id="{publication.id}"/>'
                "</api:merge>"
                for gone, at in publication.merged
            )
            inner += f"<api:merge-history>{merges}</api:merge-history>"
        records = "".join(_record(number, each) for number, each in enumerate(publication.records, 1))
        inner += f"<api:records>{records}</api:records><api:fields/>{JOURNAL}"
        title = next((each.title for each in publication.records if each.title), "")
        return _Item(publication.id, self._object("publication", publication, inner, own), title or "")

    def _link(self, link: Link, without: str | None = None) -> _Item:
        ends = "".join(
            self._related(direction, category, key)
            for direction, category, key in (("from", "publication", link.publication), ("to", "user", link.user))
            if category != without
        )
        if self.schema == "6.13":
            privacy = _levels("privacy-level", link.level) + _levels("effective-privacy-level", link.effective)
        elif link.level is None:
            privacy = ""
        else:
            privacy = f"<api:is-visible>{_yes(link.level.casefold() == 'public')}</api:is-visible>"
        xml = (
            f'<api:relationship id="{link.id}" type-id="{link.type}" type="{LINK_TYPES[link.type]}"'
            f' last-modified-when="{link.modified}" href="{self.base}/relationships/{link.id}?detail=ref">{privacy}'
            f"<api:is-favourite>false</api:is-favourite>{ends}</api:relationship>"
        )
        return _Item(link.id, xml, LINK_WORDS[link.type])

    def _related(self, direction: str, category: str, key: str) -> str:
        named = f' category="{category}" id="{key}"' if self.schema == "5.5" else ""
        inner = f'<api:object category="{category}" id="{key}" href="{self.base}/{category}s/{key}"/>'
        return f'<api:related direction="{direction}"{named}>{inner}</api:related>'

    def _deleted(self, key: str, at: str) -> str:
        return f'<api:deleted-object category="publication" id="{key}" deleted-when="{at}"/>'

    def _group(self, group: Group) -> _Item:
        parents = "".join(f'<api:parent id="{each}"/>' for each in group.parents)
        children = "".join(
            f'<api:child id="{each.id}"/>' for each in self.university.groups.values() if group.id in each.parents
        )
        name = f"<api:name>{escape(group.name)}</api:name>"
        if self.schema == "6.13":
            inner = f"{name}{parents}<api:children>{children}</api:children>{_levels('privacy-level', group.level)}"
            properties = f"<api:group-properties>{inner}</api:group-properties>"
            return _Item(group.id, f'<api:object category="group" id="{group.id}">{properties}</api:object>')
        if self.schema == "4.9":
            inner = f"<api:parents>{parents}</api:parents><api:children>{children}</api:children>"
        else:
            inner = f'{parents}<api:group-description/><api:explicit-group-members href="{self.base}/users?groups={group.id}"/>'
        return _Item(group.id, f'<api:user-group id="{group.id}">{name}{inner}</api:user-group>', group.name)


JOURNAL = (
    '<api:journal issn="1234-5679"><api:records><api:record format="native" id="1" source-id="1" source-name="manual">'
    '<api:native><api:field name="doi" type="text"><api:text>10.5555/the-journal-itself</api:text></api:field>'
    '<api:field name="title" type="text"><api:text>The journal itself</api:text></api:field>'
    "</api:native></api:record></api:records></api:journal>"
)


def _record(number: int, record: Record) -> str:
    texts = {"title": record.title, "doi": record.doi, "isbn-13": record.isbn, "journal": record.venue}
    fields = "".join(
        f'<api:field name="{name}" type="text" display-name="{name}"><api:text>{escape(text)}</api:text></api:field>'
        for name, text in texts.items()
        if text is not None
    )
    if record.year is not None:
        fields += (
            '<api:field name="publication-date" type="date" display-name="Publication date"><api:date>'
            f"<api:year>{record.year}</api:year></api:date></api:field>"
        )
    people = "".join(
        f"<api:person><api:last-name>{escape(last)}</api:last-name><api:initials>{escape(initials)}</api:initials>"
        "</api:person>"
        for last, initials in record.people
    )
    if people:
        fields += (
            '<api:field name="authors" type="person-list" display-name="Authors"><api:people>'
            f"{people}</api:people></api:field>"
        )
    preferred = ' is-preferred-record="true"' if record.preferred else ""
    at_source = f" id-at-source={quoteattr(record.id_at_source)}" if record.id_at_source else ""
    return (
        f'<api:record format="native" id="{number}" source-id="{SOURCE_IDS.get(record.source, 1)}"'
        f' source-name="{record.source}" source-display-name="{record.source}"{at_source}{preferred}>'
        f"<api:native>{fields}</api:native></api:record>"
    )


def _levels(name: str, level: str | None) -> str:
    """A level as stated: not at all, once, or (``a|b``) several times."""
    return "".join(f"<api:{name}>{escape(each)}</api:{name}>" for each in level.split("|")) if level is not None else ""


def _yes(flag: bool | None) -> str:  # noqa: FBT001 - it is what is written
    return "true" if flag else "false"


def _declared(text: str) -> bytes:
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + text.encode()


def _time(text: str | None) -> datetime:
    """A time of the API; without one, the beginning of time."""
    if not text:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.fromisoformat(text)


def lagado(clock: Clock) -> University:
    """A small faculty of projectors, some of whom like to stay unseen; the demo's is ``simulators.projectors``."""
    place = University("Lagado", clock)
    for group in (
        Group("1", "Academy of Lagado"),
        Group("2", "School of Natural Projectors", ("1",)),
        Group("3", "School of Speculative Learning", ("1",)),
        Group("4", "Institute of Sunbeams from Cucumbers", ("2",)),
        Group("5", "Laboratory of Universal Artists", ("2", "3")),
        Group("6", "Office of the Flappers", ("1",), "Internal"),
    ):
        place.groups[group.id] = group
    names = (
        "Munodi",
        "Balbi",
        "Lindalino",
        "Flapper",
        "Cucumber",
        "Gnomon",
        "Quadrant",
        "Sextant",
        "Zodiac",
        "Comet",
    )
    for number, name in enumerate(names, 1):
        place.put_user(
            User(
                str(100 + number), name, ("Ada", "Bruno", "Cleo", "Dora")[number % 4], f"{name.lower()}@lagado.example",
                level="Internal" if number % 5 == 0 else "Public", current=number % 7 != 0, academic=number % 6 != 0,
                student=number % 6 == 0, groups=frozenset({str(2 + number % 4), *(["6"] if number % 3 == 0 else [])}),
            )
        )  # fmt: skip
    subjects = ("Sunbeams", "Cucumbers", "Spiders' Silk", "Calcined Ice", "Hogs that Plough", "Marble Pillows")
    for number in range(1, 61):
        doi = f"10.5555/lagado.{number}"
        title = f"On {subjects[number % 6]}, part {1 + number // 6}"
        crossref = Record("crossref", title, 2010 + number % 15, "Transactions of the Academy", doi, id_at_source=doi)
        scopus = Record("scopus", title.upper(), 2010 + number % 15, doi=doi.upper(), id_at_source=f"2-s2.0-{number}")
        level = ("Private" if number % 13 == 0 else "Internal") if number % 10 == 3 or number % 13 == 0 else "Public"
        place.put(
            Publication(
                str(500 + number),
                (scopus, crossref) if number % 11 else (replace(crossref, doi=None, source="manual"),),
                level=level,
            )
        )
        for turn in range(number % 3):
            user = str(101 + (number * 7 + turn * 3) % len(names))
            place.link(
                Link(
                    str(2000 + 10 * number + turn),
                    str(500 + number),
                    user,
                    level="Private" if number % 17 == 0 else "Public",
                )
            )
    return place
