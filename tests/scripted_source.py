"""A source that is a Python object: records in memory, changes by version, for tests of the flow and of the SQL."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from explorer import config, sites
from explorer.records import Author, Department, Listed, Output, Record
from explorer.sources import OUTPUTS_BY_KEY, Abilities, Cursor, Finding, Page, Part, Plan

START = datetime(2026, 1, 1, tzinfo=UTC)


def stamp(tick: int) -> str:
    """The source's clock: a day per tick."""
    return (START + timedelta(days=tick)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class ScriptedSource:
    """Outputs by key, each with the tick of its last change; deletions leave a deleted record behind."""

    abilities: Abilities = field(default_factory=lambda: Abilities(says_changes=True))
    outputs: dict[str, Output] = field(default_factory=dict)
    authors: dict[str, Author] = field(default_factory=dict)
    departments: dict[str, Department] = field(default_factory=dict)
    rows: list[Output] = field(default_factory=list)
    tick: int = 0
    page_size: int = 3
    overlap: timedelta = timedelta(0)
    before_page: Callable[[str, int], None] = lambda _part, _page: None
    incomplete: str | None = None
    keys_incomplete: str | None = None
    dated_keys: bool = True
    fetched: list[str] = field(default_factory=list)
    read_whole: list[str] = field(default_factory=list)

    def put(self, output: Output) -> None:
        """Add or change an output, now."""
        assert output.key is not None
        self.outputs[output.key] = replace(output, datestamp=stamp(self.tick))

    def delete(self, key: str) -> None:
        """Delete an output, now; the header stays."""
        self.outputs[key] = Output(key=key, deleted=True, datestamp=stamp(self.tick))

    def vanish(self, key: str) -> None:
        """Take an output away without a word."""
        del self.outputs[key]

    def _listed(self, scope: str, since: str | None) -> Iterator[Record]:
        if scope == "departments":
            yield from self.departments.values()
        elif scope == "authors":
            yield from self.authors.values()
        elif scope == "outputs":
            yield from (o for o in self.outputs.values() if since is None or (o.datestamp or "") >= since)
            yield from self.rows
        else:
            for key, output in self.outputs.items():
                if not output.deleted:
                    yield Listed(key, output.datestamp if self.dated_keys else None)

    def parts(self, plan: Plan) -> Sequence[Part]:
        scopes = ["departments", *(["authors"] if self.abilities.lists_authors else []), "outputs"]
        scopes += ["keys"] if self.abilities.lists_keys else []
        return [Part(scope, scope) for scope in scopes]  # type: ignore[arg-type]

    def read(self, part: Part, plan: Plan, cursor: Cursor | None) -> Iterator[Page]:
        if part.name == OUTPUTS_BY_KEY:
            keys = list(part.start["keys"])  # type: ignore[call-overload]
            self.fetched += keys
            yield Page([self.outputs[key] for key in keys if key in self.outputs], None, clock=stamp(self.tick))
            return
        since = plan.watermarks.get(part.name) if plan.mode == "incremental" else None
        records = list(self._listed(part.scope, since))
        at = int(str((cursor or {"at": 0})["at"]))
        while True:
            self.before_page(part.name, at)
            page = records[at : at + self.page_size]
            at += self.page_size
            more = at < len(records)
            lost = {"outputs": self.incomplete, "keys": self.keys_incomplete}.get(part.scope)
            yield Page(
                page, {"at": at} if more else None, clock=stamp(self.tick), expected=len(records),
                incomplete=None if more else lost,
            )  # fmt: skip
            if not more:
                return

    def check(self) -> Iterator[Finding]:
        yield Finding("records", ok=True, detail=str(len(self.outputs)))


@dataclass(frozen=True, slots=True)
class ScriptedSite(sites.Site):
    """A site whose source is scripted."""

    scripted: ScriptedSource

    def source(self, import_: object = None) -> ScriptedSource:  # type: ignore[override]
        return self.scripted


YAML = """\
name: Lilliput University
slug: {slug}
source: {{kind: oai_pmh, platform: eprints, url: "https://repo.lilliput.example/cgi/oai2"}}
privacy: {{level: {level}, user_status: {status}, profile_types: {profile}}}
orphans: {orphans}
limits: {{max_removed_share: {removed}, max_rejected_share: {rejected}}}
"""


def make_site(
    dsn: str,
    folder: Path,
    source: ScriptedSource,
    *,
    slug: str = "lilliput",
    level: str = "public",
    status: str = "all",
    profile: str = "all",
    orphans: str = "keep",
    removed: float = 1.0,
    rejected: float = 1.0,
) -> ScriptedSite:
    """An institution with a scripted source, in the warehouse of that database."""
    file = folder / f"{slug}.yaml"
    file.write_text(
        YAML.format(
            slug=slug, level=level, status=status, profile=profile, orphans=orphans, removed=removed, rejected=rejected
        )
    )
    return ScriptedSite(config.load(file), dsn, source)
