"""OAI-PMH repositories: the harvest of departments and outputs, page by page, from any platform.

Rules: integration guide, "Harvesting from your repository OAI-PMH feed"; OAI-PMH 2.0, sections 3.5 (flow control) and
2.7 (selective harvesting). A resumption token is opaque and goes back as it came. Pages are fetched one ahead of the
one that is being read. What a platform does differently lies in ``oai_platforms``.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from explorer.config import Institution, OaiPmhSource
from explorer.polite_http import NO_ANSWER, Limits, PoliteSession, ServerError, ahead, shown
from explorer.records import Department, Note, Output
from explorer.sources import Abilities, Cursor, Finding, Page, Part, Plan, SourceError
from explorer.sources.oai_departments import DepartmentFile
from explorer.sources.oai_files import renewed, said
from explorer.sources.oai_names import FinalNames, located
from explorer.sources.oai_narrowing import EVERYTHING, MOST_SOUND, Narrowing, Window, is_outside
from explorer.sources.oai_platforms import Accent, DepartmentsClosedError, Settings, accent
from explorer.sources.oai_protocol import TRIES, OaiError, OaiRepository
from explorer.sources.oai_records import output
from explorer.sources.oai_windows import changed_since, divided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta
    from pathlib import Path

    from explorer.records import Record as Canonical
    from explorer.sources import FileKeeper
    from explorer.sources.oai_xml import Document, ListedSet, Record

MOST_RESTARTS = 3  # of one list whose tokens expire
MOST_EMPTY_PAGES = 10  # in a row, each with a token
MOST_SECOND_LOOKS = 10  # per page, at records that came broken
_DO_WITHOUT = "To do without departments, set departments: none."
SAMPLE = 10  # records that ``check`` looks at


@dataclass(frozen=True, slots=True)
class Position:
    """Where a harvest stands, behind a page; kept as the cursor. Counts go over the whole list.

    ``windows`` are left where the list is read by windows of time, the one at hand first; ``base`` was read before it,
    ``now`` is the server's time when that began, and ``sound`` counts windows that failed without a record to blame.
    """

    token: str | None = None
    read: int = 0
    expected: int | None = None
    empty: int = 0
    restarts: int = 0
    windows: tuple[Window, ...] = ()
    base: int = 0
    now: str = ""
    sound: int = 0
    outside: int = 0  # records that were not asked for: of other dates

    @classmethod
    def of(cls, cursor: Cursor | None) -> Position:
        """The position that a cursor holds; the front where there is none."""
        names = cls.__dataclass_fields__
        known: dict[str, Any] = {name: value for name, value in (cursor or {}).items() if name in names}
        return cls(**{**known, "windows": tuple((each[0], each[1]) for each in known.get("windows", ()))})

    @property
    def ended(self) -> bool:
        """Whether nothing is left, behind a page."""
        return self.token is None and not self.windows

    def after(self, document: Document, asked: Window) -> Position:
        """The position behind one more page of what was ``asked``."""
        read = self.read + len(document.records)
        # a list that gets shorter while it is read may have skipped a record: the longest that was announced counts
        sizes = [each for each in (document.size, self.expected) if each is not None]
        at_end = document.token is None
        return replace(
            self,
            token=document.token,
            read=read,
            expected=max(sizes, default=None),
            empty=0 if document.records else self.empty + 1,
            windows=self.windows[1:] if at_end else self.windows,
            base=read if at_end else self.base,
            outside=self.outside + sum(is_outside(each.header, asked) for each in document.records),
        )

    def again(self) -> Position:
        """The position from which to begin anew when a token expired: the front of the window, or of the list."""
        if self.windows:
            return replace(self, token=None, read=self.base, restarts=self.restarts + 1)
        return Position(restarts=self.restarts + 1)


@dataclass(frozen=True, slots=True)
class _Step:
    """One answer of a list: the position behind it (None at the end), and what must be said of it."""

    document: Document
    position: Position
    ended: bool
    restart: bool
    incomplete: str | None
    notes: Sequence[Note] = ()


@dataclass(frozen=True)
class OaiPmh:
    """One institution's repository. ``file``: where ``departments.file`` lies, a path or an address."""

    repository: OaiRepository
    accent: Accent
    settings: Settings
    file: Path | str | None = None
    keeper: FileKeeper | None = None

    def with_files_kept(self, keeper: FileKeeper | None) -> OaiPmh:
        """The same, which falls back on the last sound version of each file of the institution; None: never."""
        names = replace(self.settings.names, keeper=keeper)
        return replace(self, keeper=keeper, settings=replace(self.settings, names=names))

    @cached_property
    def abilities(self) -> Abilities:
        """What this repository can do, as it is configured.

        A file behind an address changes without a word, and what it says reaches every record: then all are read again.
        """
        files = (self.file, *self.settings.names.files.values())
        in_records = self.settings.departments.mode == "source" and self.accent.names_departments
        return Abilities(says_changes=not any(isinstance(each, str) for each in files), names_departments=in_records)

    def untold(self) -> str | None:
        """Deletions, unless deleted records stay in the lists: OAI-PMH 2.0, section 2.5.1. ``transient`` promises nothing."""
        persistent = self.repository.identity.deletions == "persistent"
        return None if persistent else "the repository does not report deletions"

    @property
    def overlap(self) -> timedelta:
        """What is taken off the watermark of an incremental import."""
        return self.accent.overlap

    @property
    def _lists_departments(self) -> bool:
        """Whether there is a list of departments to read, here or in a file."""
        mode = self.settings.departments.mode
        return mode == "file" or (mode == "source" and self.accent.departments is not None)

    # --- what there is to read

    def parts(self, plan: Plan) -> Sequence[Part]:
        """The departments, if they come from here, and a list of outputs for each set that is harvested by itself.

        Where these are fewer than may be read side by side, a full import divides each into windows by date.
        """
        told = [asdict(note) for note in self._files_renewed()]
        listed = self._lists()
        if plan.mode == "full" and len(listed) < self.settings.source.politeness.connections:
            listed = [window for each in listed for window in self._windows(each, plan)]
        first, *others = [*([Part("departments", "departments")] if self._lists_departments else []), *listed]
        return [replace(first, start={**first.start, "told": told}) if told else first, *others]

    def _lists(self) -> Sequence[Part]:
        sets = self.accent.harvests(self.repository, self.settings)
        by_set = self.accent.records_live_by_set
        return [Part(f"outputs:{name}", via=name if by_set else None) for name in sets] or [Part("outputs")]

    def _windows(self, part: Part, plan: Plan) -> Sequence[Part]:
        """The list in windows of time and, to be read last, what changed since they were made; or the list as it is."""
        found = divided(self.repository, self._arguments(part, plan), self.settings.source.windows)
        if found is None:
            return [part]
        count = len(found.windows)
        windows = [
            replace(part, name=_name_of(part, f"{number} of {count}", window), whole=part.name, start=_ends(window))
            for number, window in enumerate(found.windows, 1)
        ]
        since = (changed_since(self.repository, found.now, self.overlap), "")
        meanwhile = replace(
            part, name=_name_of(part, "meanwhile", since), whole=part.name, start=_ends(since), last=True
        )
        return [*windows, meanwhile]

    def read(self, part: Part, plan: Plan, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of one part. Raises ``SourceError``."""
        told = [Note(**each) for each in cast("list[dict[str, Any]]", part.start.get("told", ()))]
        if part.scope == "departments":
            yield replace(self._departments(), notes=told)
            return
        harvested = self._set_of(part)
        position = Position.of(cursor)
        with closing(ahead(self._steps(self._arguments(part, plan), position))) as steps:
            first = cursor is None
            for step in steps:
                page = self._page(step, harvested)
                # what is said of a list as a whole stands on its first page, also when that comes anew
                yield replace(page, notes=(*told, *page.notes)) if first or step.restart else page
                first = False

    def _page(self, step: _Step, harvested: str | None) -> Page:
        document = step.document
        found: list[Canonical] = [self._output(record, harvested) for record in document.records]
        return Page(
            records=[*self._described(document.records), *found],
            cursor=None if step.ended else asdict(step.position),
            clock=document.response_date,
            expected=step.position.expected,
            repairs=dict(document.repairs),
            restart=step.restart,
            incomplete=step.incomplete,
            notes=step.notes,
        )

    def _described(self, records: Iterable[Record]) -> Iterator[Department]:
        """The departments that a page's records name, each once, as the newest of these records has it."""
        named: dict[str, Department] = {}
        if self.settings.departments.mode == "source":
            for record in records:
                for each in self.accent.described(record, self.settings):
                    dated = replace(each, datestamp=record.header.datestamp, place=record.header.identifier)
                    named[each.key] = max(named.get(each.key, dated), dated, key=_newest)
        yield from named.values()

    def _output(self, record: Record, harvested: str | None) -> Output:
        made = output(record, self.accent, self.settings, harvested)
        mode = self.settings.departments.mode
        if mode == "none" or made.deleted or made.refusal is not None:
            return made
        if mode == "file":
            return self._filed(made, record)
        if self.accent.placed is not None and self._tree is not None:
            keys, notes = self.accent.placed(record, self._tree, self.settings)
            return replace(made, departments=keys, notes=(*made.notes, *notes))
        return made

    @cached_property
    def _tree(self) -> Mapping[str, Department] | None:
        """The departments that the repository shows, by key; None while it shows none."""
        if self.accent.departments is None:
            return None
        try:
            found = self.accent.departments(self.repository, self.settings)
            return {each.key: each for each in found} or None
        except (DepartmentsClosedError, OaiError):
            return None  # told where the departments are read

    @cached_property
    def _file(self) -> DepartmentFile:
        return said(self.repository, self.keeper, "departments", self._place_of_file, DepartmentFile.read)

    @property
    def _place_of_file(self) -> Path | str:
        return self.file or self.settings.departments.file or ""

    def _files_renewed(self) -> Iterator[Note]:
        """Looks at the institution's files as they are now. Raises ``SourceError`` where one never was sound."""
        yield from self.settings.names.renewed()
        if self.keeper is not None and self.settings.departments.mode == "file":
            note = renewed(self.repository, self.keeper, "departments", self._place_of_file, DepartmentFile.read)
            yield from [note] if note else []

    def _filed(self, made: Output, record: Record) -> Output:
        """The record's departments as those of the file; one that the file does not have is left as it is, and told."""
        described = {each.key: each.name for each in self.accent.described(record, self.settings)}
        notes: list[Note] = []

        def name_of(key: str) -> str | None:
            listed = None if key in described else (self._tree or {}).get(key)
            return described.get(key) or (listed.name if listed else None)

        def placed(keys: Sequence[str]) -> tuple[str, ...]:
            found = {key: self._file.find(key, self.accent.spellings(key), name_of) for key in keys}
            for key in (key for key, place in found.items() if place is None):
                message = f"The file of departments has none with the id or the name of {name_of(key) or key}."
                notes.append(Note("unknown_department", message, "warning", "departments", key))
            return tuple(dict.fromkeys(place or key for key, place in found.items()))

        people = tuple(replace(each, departments=placed(each.departments)) for each in made.contributions)
        departments = placed(made.departments)
        return replace(made, departments=departments, contributions=people, notes=(*made.notes, *notes))

    def _set_of(self, part: Part) -> str | None:
        name = part.mark.partition(":")[2]
        return self.accent.set_spec(name) if name else None

    # --- departments

    def _departments(self) -> Page:
        """All departments in one page. Where there are none to be had, none is ever taken away."""
        if self.settings.departments.mode == "file":
            return Page(self._file.departments, None, expected=len(self._file.departments))
        try:
            found = list(self.accent.departments(self.repository, self.settings)) if self.accent.departments else []
        except OaiError as error:
            if error.codes.isdisjoint({"noSetHierarchy", "badVerb"}):
                raise
            return Page((), None, incomplete=f"{error} Departments stay as they are. {_DO_WITHOUT}")
        except DepartmentsClosedError as error:
            return Page((), None, incomplete=f"{error} Departments stay as they are. {_DO_WITHOUT}")
        if not found:
            hint = self.accent.no_departments_hint
            return Page((), None, incomplete=f"No set is a department: {hint}. {_DO_WITHOUT}")
        return Page(found, None, expected=len(found))

    # --- outputs

    def _arguments(self, part: Part, plan: Plan) -> dict[str, str]:
        """The first request of a list: OAI-PMH 2.0, section 4.5. Without a watermark: from the beginning."""
        arguments = {"metadataPrefix": self.settings.source.metadata_prefix}
        harvested = self._set_of(part)
        if harvested:
            arguments["set"] = harvested
        since = plan.watermarks.get(part.mark) if plan.mode == "incremental" else None
        if since:
            arguments["from"] = since if self.repository.identity.granularity == "second" else since[:10]
        return {**arguments, **{end: str(part.start[end]) for end in ("from", "until") if part.start.get(end)}}

    def _steps(self, arguments: Mapping[str, str], position: Position) -> Iterator[_Step]:
        """Follows the tokens. An expired one begins the list anew; one that comes again ends it, with a word."""
        sent: set[str] = set()
        restart = False
        asked = (arguments.get("from", ""), arguments.get("until", ""))
        while True:
            lost = None
            try:
                document = self._ask(_request(self.repository, arguments, position), position, sent)
            except ServerError as error:
                restart = restart or not position.windows
                position, narrowed, lost = self._narrowed(arguments, position, error)
                sent.clear()
                if narrowed is None:
                    continue
                document = narrowed
            except OaiError as error:
                if position.token is None or "badResumptionToken" not in error.codes:
                    raise
                if position.restarts == MOST_RESTARTS:
                    message = f"The list began anew {MOST_RESTARTS} times, and its tokens still expire. {error}"
                    raise SourceError("oai_badResumptionToken", message) from error
                position, restart = position.again(), restart or not position.windows
                sent.clear()
                continue
            if position.token:
                sent.add(position.token)
            position = position.after(document, asked)
            incomplete = _lost(document, position, sent)
            ended = position.ended or incomplete is not None
            notes = _dates_ignored(asked, position) if ended else ()
            yield _Step(document, position, ended, restart, incomplete or lost, notes)
            if ended:
                return
            restart = False
            if position.token is None:
                sent.clear()  # the next window has tokens of its own

    def _narrowed(
        self, arguments: Mapping[str, str], position: Position, error: ServerError
    ) -> tuple[Position, Document | None, str | None]:
        """What to do when the server fails for good: narrower windows, or what a narrow one gives, and what it lost.

        Raises ``error`` where it is not a record that makes it fail.
        """
        narrowing = Narrowing(self.repository, arguments, position.now)
        if not position.windows:
            narrowing = Narrowing.begin(self.repository, arguments, error)
            position = Position(expected=position.expected, windows=(EVERYTHING,), now=narrowing.now)
        position = replace(position, token=None, read=position.base)
        found = narrowing.of(position.windows[0], error)
        if found.halves:
            return replace(position, windows=(*found.halves, *position.windows[1:])), None, None
        if found.sound and position.sound == MOST_SOUND:
            raise error
        return replace(position, sound=position.sound + found.sound), found.document, found.lost

    def _ask(self, arguments: Mapping[str, str], position: Position, sent: set[str]) -> Document:
        """One page. One that leads back, or ends a list before all that was announced came, is asked for again: a slip?"""
        token = position.token
        if token is None:
            return self._with_second_looks(self._first(arguments))
        document = self.repository.ask("ListRecords", {"resumptionToken": token})
        for attempt in range(TRIES - 1):
            leads_back = document.token is not None and document.token in {token, *sent}
            ends_early = not document.records and not document.token and position.read < (position.expected or 0)
            if not leads_back and not ends_early:
                break
            self.repository.pause(attempt)
            document = self.repository.ask("ListRecords", {"resumptionToken": token})
        return self._with_second_looks(document)

    def _first(self, arguments: Mapping[str, str]) -> Document:
        try:
            return self.repository.ask("ListRecords", arguments)
        except OaiError as error:
            since = arguments.get("from", "")
            if "badArgument" not in error.codes or len(since) <= len("2026-01-02"):
                raise
        # it says seconds in Identify and takes days only
        days = {name: arguments[name][:10] for name in ("from", "until") if name in arguments}
        return self.repository.ask("ListRecords", {**arguments, **days})

    def _with_second_looks(self, document: Document) -> Document:
        """Broken records are asked for once more, each by itself: where only the list spoilt them, they come sound."""
        broken = [each for each in document.records if each.refusal and each.refusal.rule == "broken_xml"]
        mended: dict[str, Record] = {}
        for each in broken[:MOST_SECOND_LOOKS]:
            name = each.header.identifier
            if name is None:
                continue
            arguments = {"identifier": name, "metadataPrefix": self.settings.source.metadata_prefix}
            try:
                found = self.repository.ask("GetRecord", arguments).records
            except OaiError:
                continue  # it keeps its refusal, which says what is wrong with it
            except SourceError:
                break  # the server has trouble with such requests: all keep theirs
            if len(found) == 1 and found[0].refusal is None and found[0].header.identifier == name:
                mended[name] = found[0]
        if not mended:
            return document
        records = [
            mended.get(each.header.identifier or "", each) if each.refusal is not None else each
            for each in document.records
        ]
        return replace(document, records=records, repairs={**document.repairs, "fetched_alone": len(mended)})

    # --- check

    def check(self) -> Iterator[Finding]:
        """Address, format, sets, files, departments, and a sample of records; later lines need the earlier ones."""
        if self.keeper is not None:
            yield from self.with_files_kept(None).check()  # the files as they are now
            return
        try:
            identity = self.repository.identity
        except SourceError as error:
            told = isinstance(error, ServerError) or error.code in NO_ANSWER  # the sentence says what to do
            fix = None if told else "source.url must be the OAI-PMH base URL"
            yield Finding("address", ok=False, detail=str(error), fix=fix)
            return
        yield Finding(
            "address",
            ok=True,
            detail=f"{identity.name or 'the repository'} answers at {shown(self.repository.url)}; times by the"
            f" {identity.granularity}, deletions: {identity.deletions}",
        )
        yield self._tried("format", self._check_format)
        yield self._tried("sets", self._check_sets)
        if self.settings.names.files:
            yield self._tried("files", self._check_files)
        if self._lists_departments:
            yield self._tried("departments", self._check_departments)
        yield self._tried("records", self._check_sample)

    @staticmethod
    def _tried(name: str, step: Callable[[], Finding]) -> Finding:
        try:
            return step()
        except SourceError as error:
            return Finding(name, ok=False, detail=str(error))

    def _check_format(self) -> Finding:
        wanted = self.settings.source.metadata_prefix
        offered = [each for document in self.repository.pages("ListMetadataFormats") for each in document.formats]
        fix = None if wanted in offered else f"set source.metadata_prefix to one of: {', '.join(offered)}"
        return Finding("format", wanted in offered, f"{wanted}; offered: {', '.join(offered) or 'none'}", fix)

    def _check_sets(self) -> Finding:
        try:
            listed: Sequence[ListedSet] = self.repository.sets()
        except OaiError as error:
            if "noSetHierarchy" not in error.codes:
                raise
            listed = []
        names = {name for each in listed for name in self.accent.spellings(each.spec)}
        asked = (*self.settings.source.sets.include, *self.settings.source.sets.exclude)
        unknown = [each for each in asked if each not in names]
        detail = f"{len(listed)} sets" + "".join(
            f"\n{self.accent.spellings(each.spec)[0]} is {each.name or '(without a name)'}" for each in listed[:SAMPLE]
        )
        detail += f"\n… and {len(listed) - SAMPLE} more" if len(listed) > SAMPLE else ""
        if unknown:
            return Finding(
                "sets", ok=False, detail=f"{', '.join(unknown)}: no such set; {detail}", fix="mend source.sets"
            )
        return Finding("sets", ok=True, detail=detail)

    def _check_files(self) -> Finding:
        sizes = self.settings.names.sizes()
        return Finding("files", ok=True, detail="; ".join(f"{step}: {size} names" for step, size in sizes.items()))

    def _check_departments(self) -> Finding:
        page = self._departments()
        if page.incomplete:
            detail = page.incomplete.removesuffix(_DO_WITHOUT).strip()
            return Finding("departments", ok=False, detail=detail, fix=_DO_WITHOUT)
        found = [each for each in page.records if isinstance(each, Department)]
        top = [each.name for each in found if not each.parents]
        more = f", and {len(top) - SAMPLE} more" if len(top) > SAMPLE else ""
        detail = (
            f"{len(found)} departments, from {self._origin}; {len(top)} of them on the first level:"
            f" {', '.join(top[:SAMPLE])}{more}"
        )
        return Finding("departments", ok=True, detail=detail)

    @property
    def _origin(self) -> str:
        """Where the departments are read."""
        if self.settings.departments.mode == "file":
            place = self._place_of_file
            return shown(place) if isinstance(place, str) else str(place)
        return shown(self.accent.hierarchy(self.settings)) if self.accent.hierarchy else "the sets"

    def _check_sample(self) -> Finding:
        """The first records, live ones, as an import would take them; of mail addresses nothing is shown."""
        part = self._lists()[0]
        step = next(self._steps(self._arguments(part, Plan("full")), Position()))
        live = [self._output(each, self._set_of(part)) for each in step.document.records if not each.header.deleted]
        sample = [each for each in live if each.refusal is None][:SAMPLE]
        schemes = Counter(scheme for each in sample for scheme in {one.scheme for one in each.identifiers})
        told = ", ".join(f"{number} with {scheme}" for scheme, number in schemes.most_common())
        authors = sum(bool(each.contributions) for each in sample)
        placed = sum(bool(each.departments) for each in sample)
        of = f" of {step.document.size}" if step.document.size is not None else ""
        detail = (
            f"{len(sample)} records{of} looked at: {told or 'none with an identifier'};"
            f" {authors} with authors; {placed} with departments"
        )
        known = {key: each.name for key, each in (self._tree or {}).items()}
        known |= {each.key: each.name for each in self._described(step.document.records)}
        refused = [each for each in live if each.refusal is not None][:SAMPLE]
        detail += "".join(f"\n{_told(each, known)}" for each in (*sample, *refused))
        fix = None
        if not sample:
            fix = "check source.sets and source.metadata_prefix"
        elif not schemes:
            fix = "only records with a supported identifier are imported: let the repository show them in its feed"
        elif not authors and self.settings.source.authors == "with_id":
            fix = "no creator has an id: let the repository give dc:creator an id, or set source.authors: all"
        return Finding("records", ok=bool(schemes), detail=detail, fix=fix)


def _ends(window: Window) -> dict[str, str]:
    return {name: end for name, end in zip(("from", "until"), window, strict=True) if end}


def _name_of(part: Part, which: str, window: Window) -> str:
    return f"{part.name}, {which} ({' to '.join(each or '…' for each in window)})"


def _told(output: Output, departments: Mapping[str, str]) -> str:
    """A record in a line, for a person who looks at a sample."""
    if output.refusal:
        return f"{output.key or 'a record without identifier'}: left out: {output.refusal.reason}"
    identifiers = ", ".join(f"{each.scheme} {each.value}" for each in output.identifiers) or "no identifier: left out"
    authors = "; ".join(f"{each.name} (by {_KEYS[each.author.partition(':')[0]]})" for each in output.contributions)
    placed = ", ".join(departments.get(each, each) for each in output.departments)
    excluded = "; its set is left out" if output.excluded else ""
    return (
        f"{output.key}: “{(output.title or 'without a title')[:80]}”; {identifiers}; {authors or 'no authors'};"
        f" {placed or 'no department'}{excluded}"
    )


_KEYS = {"orcid": "ORCID iD", "id": "local id", "mail": "e-mail address", "name": "name"}


def _newest(department: Department) -> tuple[str, str, tuple[str, ...]]:
    return department.datestamp or "", department.name, department.parents


def _request(repository: OaiRepository, arguments: Mapping[str, str], position: Position) -> Mapping[str, str]:
    """The first request of the list, or of the window at hand."""
    if not position.windows:
        return arguments
    return Narrowing(repository, arguments, position.now).within(position.windows[0])


def _dates_ignored(asked: Window, position: Position) -> Sequence[Note]:
    """What to say of a server that gave records of other dates than those that were asked for; all of them are taken."""
    if not position.outside:
        return ()
    since, until = (each or "…" for each in asked)
    message = (
        f"The repository does not keep to the dates that it is asked for: {position.outside} of {position.read} records did"
        f" not change between {since} and {until}. They were read all the same; its administrators may want to know."
    )
    return (Note("dates_ignored", message, "warning", "from", since),)


def _lost(document: Document, position: Position, sent: set[str]) -> str | None:
    """What the list lost with this page, in a sentence; the list then ends here. None while all is well."""
    so_far = f"{position.read} of {position.expected if position.expected is not None else 'unknown'} records"
    if document.truncated and position.token is None:
        return f"The repository's answer breaks off, at every try, after {so_far}."
    if position.token is not None and position.token in sent:
        return f"The repository gives the same resumption token again and again, after {so_far}."
    if position.token is not None and position.empty > MOST_EMPTY_PAGES:
        return f"The repository sends one empty page after the other, after {so_far}."
    if position.ended and position.expected is not None and position.read < position.expected:
        return f"The repository announced {position.expected} records and sent {position.read}."
    if position.token is None and document.problems and document.records:
        return f"The repository ends its list with an error ({document.problems[0].text}), after {so_far}."
    return None


def source(institution: Institution, connection: object, *, hash_key: bytes) -> OaiPmh:
    """The source of an institution with ``kind: oai_pmh``. Raises ``SourceError`` for a platform that is not there."""
    del connection  # OAI-PMH needs no credential
    settings = institution.source
    if not isinstance(settings, OaiPmhSource):
        raise TypeError(settings)
    try:
        found = accent(settings.platform)
    except LookupError:
        raise SourceError("unknown_platform", f"OAI-PMH platform {settings.platform} is not built yet.") from None
    session = PoliteSession(
        Limits.of(settings.politeness),
        allow_http=True,  # many repositories speak http only, and OAI-PMH carries no secret
        allow_private_hosts=settings.allow_private_hosts,
        user_agent=settings.politeness.user_agent,
    )
    repository = OaiRepository(settings.url, session)
    names = FinalNames(repository, located(institution), settings.new_name_column)
    return OaiPmh(
        repository,
        found,
        Settings(settings, institution.departments, institution.uri_domains, hash_key, names),
        file=institution.locate(institution.departments.file) if institution.departments.file else None,
    )
