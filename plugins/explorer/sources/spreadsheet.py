"""Publications and groups from two CSV files.

Rules: integration guide, "Send your publications data via CSV spreadsheet"; a row is an output for the authors and the
departments named in it. Which rows are one output only their set can say, so rows have no key and are joined later.
The file is the whole set: every import is full. Nothing of a row is lost silently: what was mended, left out or
refused stands in the notes and the refusal of its record, with the column's name.
"""

from __future__ import annotations

import functools
import itertools
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from explorer import config
from explorer.hierarchy import DepartmentNames, Hierarchy, read_groups
from explorer.polite_http import Limits, PoliteSession, shown
from explorer.report import TO_DO, Report, report_on
from explorer.sheet import Sheet, columns_of, known_names
from explorer.sources import Abilities, Cursor, Finding, Page, Part, Plan, SourceError
from explorer.tables import Content, TableRefused, masked, open_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from explorer.connections import Connection
    from explorer.records import Output

PAGE_ROWS = 2000
SAMPLE_OUTPUTS = 10
LARGEST_DOWNLOAD = 512 * 1024**2
ABILITIES = Abilities(joins_records=True)
DEPARTMENTS = Part("departments", "departments")
PUBLICATIONS = Part("publications", "outputs")


def source(institution: config.Institution, connection: Connection | None, *, hash_key: bytes) -> SpreadsheetSource:
    """The spreadsheet source of an institution. Needs no connection: files are read, https addresses are open."""
    del connection
    block = institution.source
    if not isinstance(block, config.SpreadsheetSource):
        raise TypeError(f"The source of {institution.slug} is {block.kind}, not a spreadsheet.")
    groups = institution.departments.file or (block.hierarchy if institution.departments.mode == "source" else None)
    return SpreadsheetSource(
        publications=institution.locate(block.publications) if block.publications else None,
        groups=institution.locate(groups) if groups else None,
        hash_key=hash_key,
        columns=block.columns,
        aliases=block.aliases,
        uri_domains=institution.uri_domains,
        session=functools.partial(
            PoliteSession,
            Limits(max_bytes=LARGEST_DOWNLOAD),
            allow_http=block.allow_http,
            allow_private_hosts=block.allow_private_hosts,
        ),
    )


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that was sent: its name, and what gives its bytes when they are wanted."""

    name: str
    read: Callable[[], bytes] = field(repr=False)


Address = Path | str | SentFile


@dataclass(frozen=True)
class SpreadsheetSource:
    """``explorer.sources.Source`` over two files: a path is read, a text is an https address, or it was sent."""

    publications: Address | None
    groups: Address | None
    hash_key: bytes = field(repr=False)
    columns: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    uri_domains: tuple[str, ...] = ()
    session: Callable[[], PoliteSession] = PoliteSession
    abilities: Abilities = ABILITIES

    def parts(self, plan: Plan) -> Sequence[Part]:
        """The groups, where there is such a file, and the publications; groups alone are an institution without outputs."""
        del plan
        groups = [DEPARTMENTS] if self.groups else []
        return groups if groups and self.publications is None else [*groups, PUBLICATIONS]

    def read(self, part: Part, plan: Plan, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of departments or of rows. A file that is no longer the one behind ``cursor`` begins again."""
        del plan
        if part.scope == "departments":
            departments = self._hierarchy().departments
            at = int(str(cursor["row"])) if cursor else 0
            for start in range(at, max(len(departments), at + 1), PAGE_ROWS):
                end = start + PAGE_ROWS
                yield Page(departments[start:end], {"row": end} if end < len(departments) else None)
            return
        sheet = self.sheet()
        restart = cursor is not None and cursor["file"] != sheet.table.digest
        after = int(str(cursor["row"])) if cursor and not restart else 0
        notes = (*sheet.table.notes, *sheet.notes) if not after else ()
        with _refusals(self._name(self.publications)):
            outputs = sheet.outputs(after=after)
            page = list(itertools.islice(outputs, PAGE_ROWS))
            while True:
                following = list(itertools.islice(outputs, PAGE_ROWS))
                last = int((page[-1].place or "row 0").removeprefix("row ")) if page else after
                behind = {"row": last, "file": sheet.table.digest} if following else None
                yield Page(page, behind, restart=restart, notes=notes)
                if not following:
                    return
                page, notes, restart = following, (), False

    def sheet(self) -> Sheet:
        """The publications file, looked at: its table, what its columns hold, the departments to look up."""
        if self.publications is None:
            message = (
                "No publications file was sent yet: send one with `bin/explorer upload`, or let a folder be watched."
            )
            raise SourceError("no_upload", message)
        names = DepartmentNames.of(self._hierarchy().departments) if self.groups else None
        content = self._content(self.publications)
        with _refusals(self._name(self.publications)):
            table = open_table(content, known=known_names(self.columns, names))
            columns = columns_of(table, self.columns, names)
        return Sheet(table, columns, names, self.uri_domains, self.hash_key)

    def check(self) -> Iterator[Finding]:
        """Both files, their encoding, delimiter, columns and rows, ten outputs, and what a person should look at."""
        try:
            if self.groups:
                yield from self._check_groups()
            sheet = self.sheet()
        except SourceError as error:
            refused = error.code in {"file_refused", "groups_refused"}  # of any other the sentence says what to do
            fix = "Mend the file and send it again." if refused else None
            yield Finding("file", ok=False, detail=str(error), fix=fix)
            return
        yield Finding("publications file", ok=True, detail=self._name(self.publications))
        for what, how in sheet.how_read.items():
            yield Finding(what, ok=True, detail=how)
        for note in (*sheet.table.notes, *sheet.notes):
            yield Finding(note.code, ok=True, detail=note.message, fix=TO_DO.get(note.code))
        yield from self._check_rows(sheet)

    def report(self) -> Report:
        """Everything about the publications file that its maker should know. Raises ``SourceError``."""
        return self._report

    @functools.cached_property
    def _report(self) -> Report:
        sheet = self.sheet()
        name = self._name(self.publications)
        with _refusals(name):
            return report_on(name, sheet.how_read, (*sheet.table.notes, *sheet.notes), sheet.outputs())

    def _check_groups(self) -> Iterator[Finding]:
        hierarchy = self._hierarchy()
        sections = sum(not department.parents for department in hierarchy.departments)
        of = f" of {hierarchy.organisation}" if hierarchy.organisation else ""
        detail = f"{self._name(self.groups)}: {len(hierarchy.departments)} departments in {sections} sections{of}"
        yield Finding("groups file", ok=True, detail=detail)

    def _check_rows(self, sheet: Sheet) -> Iterator[Finding]:
        try:
            report = self.report()
            with _refusals(self._name(self.publications)):
                valid = (output for output in sheet.outputs() if output.refusal is None)
                samples = [_line(output) for output in itertools.islice(valid, SAMPLE_OUTPUTS)]
        except SourceError as error:
            yield Finding("rows", ok=False, detail=str(error), fix="Mend the file and send it again.")
            return
        detail = f"{report.uploaded:,} uploaded, {report.valid:,} valid, {report.rejected:,} rejected"
        yield Finding("rows", report.valid > 0, detail, None if report.valid else TO_DO["no_identifier"])
        of_the_file = {note.code for note in (*sheet.table.notes, *sheet.notes)}
        for code, count in report.counts.items():
            if code not in of_the_file:
                yield Finding(
                    code, ok=True, detail=f"in {count:,} {'place' if count == 1 else 'places'}", fix=TO_DO.get(code)
                )
        yield Finding("sample", bool(samples), "\n".join(samples) or "no row has a valid identifier")

    def _hierarchy(self) -> Hierarchy:
        if self.groups is None:
            return Hierarchy(())
        with _refusals(self._name(self.groups)):
            hierarchy = read_groups(self._content(self.groups), self.aliases)
        if hierarchy.problems:
            problems = "\n".join(map(str, hierarchy.problems))
            message = f"{self._name(self.groups)} breaks {len(hierarchy.problems)} rules; mend these:\n{problems}"
            raise SourceError("groups_refused", message)
        return hierarchy

    def _content(self, address: Address) -> Content:
        if isinstance(address, SentFile):
            return address.read()
        if isinstance(address, Path):
            try:
                with address.open("rb"):
                    return address
            except FileNotFoundError:
                message = f"There is no file {address}; mend the path or put the file there."
            except IsADirectoryError:
                message = f"{address} is a folder; name a file in it, or set `watch` to the folder."
            except OSError as error:
                message = f"{address} cannot be read ({error.strerror}); mend the path, or who may read it."
            raise SourceError("file_missing", message)
        with self.session() as session:
            answer = session.get(address)
        if answer.status != HTTPStatus.OK:
            message = f"{shown(address)} answered HTTP {answer.status}; mend the address or who may read it."
            raise SourceError("file_missing", message)
        return answer.body

    @staticmethod
    def _name(address: Address | None) -> str:
        return shown(address) if isinstance(address, str) else address.name if address else "no file"


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Turns a refused table into the error of a source, with the file's name in front."""
    try:
        yield
    except TableRefused as error:
        raise SourceError("file_refused", f"{name}: {error}") from error


def _line(output: Output) -> str:
    """An output for a person to look at. Identifiers tell most, then who and where."""
    ids = " ".join(f"{i.scheme}:{i.value}" for i in output.identifiers if not i.derived)
    authors = "; ".join(contribution.name for contribution in output.contributions) or "no author"
    return masked(f"{output.place}: {ids} | {authors} | {'; '.join(output.departments) or 'no department'}")
