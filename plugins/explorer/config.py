"""An institution is one YAML file: typed, unknown keys refused, every problem told with its line.

The models below are the one description of a file. The editor's schema and docs/configuration.md are made from them
(``python -m explorer.config_reference``), and so is the fingerprint: a key counts unless it is marked ``OPERATIONAL``.
No secret stands in a file: a ``connection`` names an Airflow connection.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from explorer import config_file, config_messages
from explorer.config_file import ConfigError, Document, Key, Problem
from explorer.config_values import (
    PATTERNS,
    SCHEDULES,
    SLUG,
    Address,
    ColumnRole,
    ConnectionId,
    Domain,
    Duration,
    ElementsVersion,
    Location,
    Mail,
    Name,
    Platform,
    PureVersion,
    Schedule,
    Seconds,
    Share,
    Slug,
    Text,
    Timezone,
    Watched,
    only_https,
)

__all__ = ["INSTITUTIONS", "ConfigError", "Institution", "files", "find", "load"]

INSTITUTIONS: Path = Path(__file__).resolve().parents[2] / "include" / "institutions"

# Marks a key that does not change what is published, only when, how fast or to whom it is told.
OPERATIONAL: dict[str, Any] = {"fingerprint": False}
# Marks a key that names a file whose content counts where the file is a local one.
BY_CONTENT: dict[str, Any] = {"fingerprint": "content"}
# Marks a field that follows from others and is no key of a file.
DERIVED: dict[str, Any] = {"derived": True}

PREFIXES = {"diva": "swepub_mods", "haplo": "oai_datacite"}  # integration guide, DiVA and Haplo; else oai_dc


class Settings(BaseModel):
    """What all parts of a file share: nothing changes once it is read, and no key passes unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)


class Politeness(Settings):
    """How gently a source is asked. Never more than the source itself advertises."""

    requests_per_second: float = Field(default=4, gt=0, le=100, allow_inf_nan=False, description="Requests per second.")
    connections: int = Field(default=2, ge=1, le=16, description="Requests under way at once, per host.")
    connect_timeout: Seconds = Field(default=10, description="Seconds to wait for a connection.")
    read_timeout: Seconds = Field(default=180, description="Seconds to wait for the next bytes of an answer.")
    user_agent: Name | None = Field(default=None, description="Who asks, where a server refuses the usual one.")


class ElementsPoliteness(Politeness):
    """The API guide of Elements: one request at a time, half a second apart, answers that may take minutes."""

    requests_per_second: float = Field(default=2, gt=0, le=100, allow_inf_nan=False, description="Requests per second.")
    connections: int = Field(default=1, ge=1, le=16, description="Requests under way at once.")
    read_timeout: Seconds = Field(default=300, description="Seconds to wait for the next bytes of an answer.")


class Sets(Settings):
    """A choice of OAI-PMH sets."""

    include: tuple[Text, ...] = Field(default=(), description="The setSpecs to take; empty: all.")
    exclude: tuple[Text, ...] = Field(default=(), description="The setSpecs to leave out, like studentThesis.")


class Groups(Settings):
    """A choice of Elements groups."""

    root: Text | None = Field(default=None, description="Id of the group whose tree becomes the departments.")
    exclude: tuple[Text, ...] = Field(default=(), description="Ids of groups that are left out with all below them.")


class BaseSource(Settings):
    """What every kind of source may say."""

    politeness: Politeness = Field(
        default=Politeness(), description="How gently the source is asked.", json_schema_extra=OPERATIONAL
    )
    allow_http: bool = Field(default=False, description="Also talk without encryption.", json_schema_extra=OPERATIONAL)
    allow_private_hosts: bool = Field(
        default=False, description="Also talk to addresses of a private network.", json_schema_extra=OPERATIONAL
    )


class SpreadsheetSource(BaseSource):
    """Two files: publications, and the hierarchy of departments. Without files: uploads only."""

    kind: Literal["spreadsheet"] = Field(description="The kind of system.")
    publications: Location | None = Field(default=None, description="The publications file: a path or https address.")
    hierarchy: Location | None = Field(default=None, description="The hierarchy file: a path or https address.")
    watch: Watched | None = Field(
        default=None, description="A folder or an object store's address whose newest files are imported."
    )
    columns: Mapping[Text, ColumnRole] = Field(
        default={},
        description="Header to role, for headers of the publications file that are not understood alone. `section`: the"
        " column holds groups below the Level 1 group of its name, `section:NAME`: below that of another name.",
    )
    aliases: Mapping[Text, Text] = Field(
        default={}, description="A department's new name to the name that it had before, so that it keeps its place."
    )

    _https = field_validator("publications", "hierarchy")(only_https)

    @field_validator("watch")
    @classmethod
    def _alone(cls, watch: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("publications") or info.data.get("hierarchy"):
            raise ValueError("stands beside `publications` or `hierarchy`: keep one of the two ways")
        return watch


class OaiPmhSource(BaseSource):
    """A repository that answers OAI-PMH."""

    kind: Literal["oai_pmh"] = Field(description="The kind of system.")
    platform: Platform = Field(description="The repository's software.")
    url: Address = Field(description="The OAI-PMH base URL, without ?verb=….")
    metadata_prefix: Text = Field(
        default_factory=lambda data: PREFIXES.get(data.get("platform", ""), "oai_dc"),
        description="The format to ask for. Default: swepub_mods for diva, oai_datacite for haplo, else oai_dc.",
    )
    sets: Sets = Field(default=Sets(), description="Which sets' records are taken.")
    authors: Literal["with_id", "all"] = Field(
        default="with_id", description="Which creators are the institution's authors: those with an id, or all."
    )
    editors: bool = Field(default=False, description="Haplo: editors count as authors.")
    affiliations: tuple[Text, ...] = Field(
        default=(),
        description="Haplo: the institution's names or ids as affiliations give them. Left out: any affiliation counts.",
    )
    identifiers_in_relation: bool = Field(
        default=False, description="DSpace, generic: identifiers in dc:relation are the output's own."
    )
    division_view: Text = Field(default="divisions", description="EPrints: id of the view that lists the departments.")
    hierarchy_url: Address | None = Field(
        default=None, description="DSpace: address of the communities, where it is not the usual one."
    )
    remappings: Location | None = Field(
        default=None, description="DiVA: file of departments whose papers go elsewhere.", json_schema_extra=BY_CONTENT
    )
    translations: Location | None = Field(
        default=None, description="DiVA: file of translated department names.", json_schema_extra=BY_CONTENT
    )
    renaming: Location | None = Field(
        default=None, description="DiVA: file of changed department names.", json_schema_extra=BY_CONTENT
    )
    translations_and_renaming: Location | None = Field(
        default=None, description="DiVA: both of these in one file.", json_schema_extra=BY_CONTENT
    )
    new_name_column: Text | None = Field(
        default=None, description="DiVA: header of the new names in these files, where it cannot be guessed."
    )
    windows: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = Field(
        default="auto",
        description="Into how many windows by date a full import divides a long list, which are read side by side as"
        " `politeness.connections` allows; `auto`: by its length; 1: never.",
        json_schema_extra=OPERATIONAL,
    )
    sweep_every: Duration = Field(
        default=timedelta(days=7),
        description="How often all identifiers are compared, where the repository does not report deletions.",
        json_schema_extra=OPERATIONAL,
    )

    # The repository's own addresses may be plain http, as many are: no credential travels, and what they say is public.
    _https = field_validator("remappings", "translations", "renaming", "translations_and_renaming")(only_https)

    @field_validator("url")
    @classmethod
    def _base(cls, url: str) -> str:
        if "verb" in parse_qs(urlsplit(url).query):
            raise ValueError("is a request; allowed: the base URL, without ?verb=…")
        return url

    @field_validator(
        "editors", "affiliations", "identifiers_in_relation", "division_view", "hierarchy_url", "remappings",
        "translations", "renaming", "translations_and_renaming", "new_name_column",
    )  # fmt: skip
    @classmethod
    def _of_platform(cls, value: object, info: ValidationInfo) -> object:
        platforms = KEYS_OF_PLATFORMS[str(info.field_name)]
        if "platform" in info.data and info.data["platform"] not in platforms:
            raise ValueError(f"means nothing for {info.data['platform']}; allowed for: {', '.join(platforms)}")
        return value

    @field_validator("translations_and_renaming")
    @classmethod
    def _one_file(cls, file: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("translations") or info.data.get("renaming"):
            raise ValueError("stands beside `translations` or `renaming`: put both into this one file")
        return file


KEYS_OF_PLATFORMS: dict[str, tuple[Platform, ...]] = {
    "editors": ("haplo",),
    "affiliations": ("haplo",),
    "identifiers_in_relation": ("dspace6", "dspace7", "generic"),
    "division_view": ("eprints",),
    "hierarchy_url": ("dspace6", "dspace7"),
    "remappings": ("diva",),
    "translations": ("diva",),
    "renaming": ("diva",),
    "translations_and_renaming": ("diva",),
    "new_name_column": ("diva",),
}


class ElementsSource(BaseSource):
    """Symplectic Elements."""

    kind: Literal["symplectic_elements"] = Field(description="The kind of system.")
    connection: ConnectionId = Field(description="The Airflow connection: base URL, login, password.")
    api_version: ElementsVersion | None = Field(
        default=None, description="The endpoint's compatibility version. Left out: found by asking."
    )
    groups: Groups = Field(default=Groups(), description="Which groups are departments.")
    editors: bool = Field(default=False, description="Editorships count as authorships.")
    sweep_every: Duration = Field(
        default=timedelta(days=30),
        description="How often everything is read anew, for what changes without a date. (Ids are compared always.)",
        json_schema_extra=OPERATIONAL,
    )
    politeness: ElementsPoliteness = Field(
        default=ElementsPoliteness(), description="How gently the source is asked.", json_schema_extra=OPERATIONAL
    )


class PureSource(BaseSource):
    """Elsevier Pure, its old web service or its new API."""

    kind: Literal["pure"] = Field(description="The kind of system.")
    connection: ConnectionId = Field(description="The Airflow connection: base URL, API key as password.")
    api_version: PureVersion | None = Field(
        default=None, description="Version of the old web service, or new. Left out: found by asking."
    )
    affiliated_only: bool = Field(
        default=False, description="Only outputs that name an organisational unit of the institution."
    )
    strict_workflow: bool = Field(default=False, description="Only outputs that are validated or approved.")
    changes_connection: ConnectionId | None = Field(
        default=None, description="The old web service's connection, where the new API gives the contents."
    )
    page_size: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Records per page. Left out: 100 from the old web service, 1000 from the new API.",
        json_schema_extra=OPERATIONAL,
    )
    sweep_every: Duration = Field(
        default=timedelta(days=30),
        description="How often everything is read again, in case a change was never told. (Deletions are found by every"
        " import, told or not.)",
        json_schema_extra=OPERATIONAL,
    )

    @field_validator("changes_connection")
    @classmethod
    def _for_new(cls, connection: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("api_version") not in {None, "new"}:
            raise ValueError("means nothing here: the old web service reports its changes itself")
        return connection


AnySource = Annotated[SpreadsheetSource | OaiPmhSource | ElementsSource | PureSource, Field(discriminator="kind")]


class Privacy(Settings):
    """What may be shown, where the source knows privacy. What is private never passes."""

    level: Literal["public", "public_and_internal"] = Field(default="public", description="The levels that pass.")
    user_status: Literal["all", "current"] = Field(default="all", description="Which users are authors, by status.")
    profile_types: Literal["all", "academic_or_student", "academic"] = Field(
        default="all", description="Which users are authors, by profile type."
    )


class Departments(Settings):
    """Where the departments come from. In a file: source, none, or a mapping of the other keys."""

    mode: Literal["source", "none", "file"] = Field(
        default="source", description="Follows from the other keys.", json_schema_extra=DERIVED
    )
    file: Location | None = Field(
        default=None, description="departments.csv or .json: a path or https address.", json_schema_extra=BY_CONTENT
    )
    sets: Sets = Field(default=Sets(), description="OAI-PMH: which sets are departments.")
    collections: bool = Field(default=True, description="DSpace: collections are departments too.")


class Limits(Settings):
    """When an import stops rather than publish."""

    max_removed_share: Share = Field(
        default=0.2, description="Removing a larger share waits for approval; not looked at below 50 published outputs."
    )
    max_rejected_share: Share = Field(
        default=0.05, description="Rejecting a larger share fails the import; records without identifier do not count."
    )


class Attention(Settings):
    """Where the attention comes from."""

    provider: Literal["details_page", "file", "none"] | None = Field(
        default=None, description="Left out: details_page where the connection `attention` is defined, else none."
    )
    file: Location | None = Field(default=None, description="With provider file: JSON Lines of records.")

    @field_validator("file")
    @classmethod
    def _of_provider(cls, file: str | None, info: ValidationInfo) -> str | None:
        if "provider" in info.data and info.data["provider"] != "file":
            raise ValueError("means nothing without `provider: file`")
        return file


def _departments(value: object) -> object:
    """The three ways to write it in a file as the one mapping of ``Departments``."""
    if isinstance(value, str) and value in {"source", "none"}:
        return {"mode": value}
    if isinstance(value, dict) and "mode" not in value:
        return {**value, "mode": "file" if "file" in value else "source"}
    if isinstance(value, Departments):
        return value
    raise ValueError("allowed: source, none, {file: …}, {sets: {include: […], exclude: […]}}, {collections: false}")


def _check_departments(departments: Departments, source: BaseSource) -> None:
    platform = getattr(source, "platform", None)
    if departments.file and departments.file.startswith("http://") and not source.allow_http:
        raise ValueError("`file` is not encrypted; allowed: https://…, or `allow_http: true` in the source")
    if departments.file and getattr(source, "hierarchy", None):
        raise ValueError("`file` stands beside the source's `hierarchy`: keep one of them")
    if departments.sets != Sets() and platform is None:
        raise ValueError("`sets` means nothing for this source; allowed for: oai_pmh")
    if not departments.collections and platform not in {"dspace6", "dspace7"}:
        raise ValueError("`collections` means nothing for this source; allowed for: dspace6, dspace7")
    if platform == "esploro" and departments.mode == "none" and not getattr(source, "sets", Sets()).include:
        raise ValueError(
            "Esploro answers by set alone: without departments, name a profile in the source's `sets.include`"
        )


class Institution(Settings):
    """One institution: what is read from where, what of it is shown, and who is told."""

    name: Name = Field(description="The institution's name, as people read it.", json_schema_extra=OPERATIONAL)
    slug: Slug = Field(
        description="The short name that DAG, tables and addresses carry. Default: the file's name.",
        json_schema_extra=OPERATIONAL,
    )
    schedule: Schedule = Field(
        default="weekly",
        description="hourly, daily, weekly, monthly, five cron fields, or none (by hand alone).",
        json_schema_extra=OPERATIONAL,
    )
    timezone: Timezone = Field(default="UTC", description="The schedule's time zone.", json_schema_extra=OPERATIONAL)
    source: AnySource = Field(description="The system that holds the outputs.")
    privacy: Privacy = Field(default=Privacy(), description="What may be shown, where the source knows privacy.")
    orphans: Literal["keep", "remove_authorless", "remove_authorless_and_privacy"] = Field(
        default="keep", description="What happens to outputs without authors."
    )
    departments: Annotated[Departments, BeforeValidator(_departments)] = Field(
        default=Departments(),
        description="source, none, or a mapping: {file: departments.csv}, {sets: {include: [], exclude: []}}, …",
    )
    uri_domains: tuple[Domain, ...] = Field(
        default=(), description="Domains, subdomains included, whose addresses count as identifiers."
    )
    notify: tuple[Mail, ...] = Field(
        default=(), description="Who is told of completed imports.", json_schema_extra=OPERATIONAL
    )
    limits: Limits = Field(
        default=Limits(),
        description="The shares of removed and of rejected records at which an import stops.",
        json_schema_extra=OPERATIONAL,
    )
    expected_every: Duration | None = Field(
        default=None,
        description="An import later than this alerts the operators. Left out: the schedule's own interval and half a day.",
        json_schema_extra=OPERATIONAL,
    )
    retention: Duration = Field(
        default=timedelta(days=365),
        description="How long history is kept; a rollback reaches no further.",
        json_schema_extra=OPERATIONAL,
    )
    attention: Attention = Field(
        default=Attention(),
        description="Which provider's attention the outputs are linked with.",
        json_schema_extra=OPERATIONAL,
    )
    landing_pages: bool = Field(
        default=False,
        description="Check the landing pages of outputs that have only a Handle or URI.",
        json_schema_extra=OPERATIONAL,
    )

    @field_validator("departments")
    @classmethod
    def _of_source(cls, departments: Departments, info: ValidationInfo) -> Departments:
        source = info.data.get("source")
        if source is None:
            return departments
        _check_departments(departments, source)
        return departments

    _path: Path = PrivateAttr(default=Path("institution.yaml"))

    @property
    def path(self) -> Path:
        """The YAML file."""
        return self._path

    @property
    def folder(self) -> Path:
        """The folder of the YAML file, to which the paths in it are relative."""
        return self._path.parent

    @property
    def cron(self) -> str | None:
        """The schedule as five cron fields; None where imports are started by hand alone."""
        return None if self.schedule == "none" else SCHEDULES.get(self.schedule, self.schedule)

    def locate(self, location: str) -> Path | str:
        """A path or address of the file as what can be opened: a path, or the address as it stands."""
        return location if "://" in location else self.folder / location

    def fingerprint(self, rules_version: str) -> str:
        """SHA-256, in hex, of all that decides what is published from the same source.

        ``rules_version`` names the version of mappings, SQL, expectations and identifier rules, and who is asked. Local
        mapping files count by content, remote ones by address. Raises ``ConfigError`` where such a file cannot be read.
        """
        published = {"rules": rules_version, "institution": self._published(self)}
        text = json.dumps(published, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _published(self, value: object, *, counts: object = True) -> object:
        """What of a value counts towards the fingerprint, as JSON that is the same for the same meaning."""
        if isinstance(value, Settings):
            counted = {name: mark(type(value), name) for name in type(value).model_fields}
            return {name: self._published(getattr(value, name), counts=how) for name, how in counted.items() if how}
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, tuple):
            return sorted(set(value))  # every list of a file is a set in meaning
        if counts == "content" and isinstance(value, str) and isinstance(place := self.locate(value), Path):
            return self._digest(place)
        return value

    def _digest(self, file: Path) -> str:
        try:
            return hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError as error:
            raise ConfigError(Problem(self.path, 0, "", f"{file} cannot be read: {error.strerror}")) from None


def mark(model: type[BaseModel], name: str) -> object:
    """False where a field is operational, "content" where its file's content counts, else True."""
    extra = model.model_fields[name].json_schema_extra
    return extra.get("fingerprint", True) if isinstance(extra, dict) else True


def load(path: Path) -> Institution:
    """The institution that a file describes. Raises ``ConfigError`` with every problem of the file at once."""
    path = path.absolute()
    document = config_file.read(path)
    try:
        institution = Institution.model_validate({"slug": path.stem, **document.data})
    except ValidationError as error:
        config_messages.blame(document, error, Institution, PATTERNS)
    else:
        institution._path = path  # noqa: SLF001 - pydantic's way to keep what is no key of the file
        _blame_files(document, institution)
        if path.parent == INSTITUTIONS and institution.slug != path.stem:
            message = f"`{institution.slug}` is not the file's name; allowed here: {path.stem}"
            document.blame(("slug",), message)
    if document.problems:
        raise ConfigError(*document.problems.values())
    return institution


def slug_of(file: Path) -> str:
    """The slug that a file's name stands for, also where the file is broken: good enough for the name of a DAG."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", file.stem)


def files(folder: Path = INSTITUTIONS) -> list[Path]:
    """The institutions' files of a folder, by name."""
    return sorted(folder.glob("*.yaml"))


def is_path(slug_or_file: str) -> bool:
    """Whether a person means a file and no slug."""
    named = Path(slug_or_file)
    return "/" in slug_or_file or bool(named.suffix) or (not re.fullmatch(SLUG, slug_or_file) and named.exists())


def find(
    slug_or_file: str, folder: Path = INSTITUTIONS, elsewhere: Callable[[], Mapping[str, Path | None]] = dict
) -> Path:
    """The file that a person means by a slug or by a path. Raises ``ConfigError`` where there is none.

    ``elsewhere`` is asked for files by slug where the folder holds no such institution.
    """
    named = Path(slug_or_file)
    if is_path(slug_or_file):
        if named.is_file():
            return named
        message = "is a folder: name a YAML file in it" if named.is_dir() else "there is no such file"
        raise ConfigError(Problem(named.absolute(), 0, "", message))
    if re.fullmatch(SLUG, slug_or_file) and (folder / f"{slug_or_file}.yaml").is_file():
        return folder / f"{slug_or_file}.yaml"
    others = elsewhere()
    if (file := others.get(slug_or_file)) is not None:
        return file
    slugs = sorted({known.stem for known in files(folder)} | set(others))
    hint = config_messages.did_you_mean(slug_or_file, slugs)
    message = f"there is no institution `{slug_or_file}`{hint}; there are: {', '.join(slugs) or 'none yet'}"
    raise ConfigError(Problem(folder, 0, "", f"{message}. A file is named by its path, like ./{slug_or_file}.yaml"))


def _blame_files(document: Document, institution: Institution) -> None:
    """Mapping files stand beside the YAML: one that is missing is a mistake in the YAML."""
    for key, location in _content_files(institution, ()):
        place = institution.locate(location)
        try:
            if isinstance(place, Path) and not place.is_file():
                document.blame(key, f"there is no file {place}")
        except OSError as error:  # a folder that may not be entered
            document.blame(key, f"{place} cannot be read: {error.strerror}")


def _content_files(settings: Settings, above: Key) -> Iterator[tuple[Key, str]]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Settings):
            yield from _content_files(value, (*above, name))
        elif isinstance(value, str) and mark(type(settings), name) == "content":
            yield (*above, name), value
