"""An institution with the warehouse that it is imported into, its source, and the version of the rules that hold."""

from __future__ import annotations

import hashlib
import importlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from explorer import config, config_messages, connections, database, local, uploads
from explorer.asking import Files, Turns
from explorer.config import Institution
from explorer.imports import HaltedError, Import
from explorer.polite_http import sharing
from explorer.sources import ReadsFiles, Source, SourceError

log = logging.getLogger(__name__)

SOURCES = {
    "spreadsheet": "explorer.sources.spreadsheet",
    "oai_pmh": "explorer.sources.oai_pmh",
    "symplectic_elements": "explorer.sources.elements",
    "pure": "explorer.sources.pure",
}
RULES = (
    "include/sql",
    "include/mappings",
    "include/expectations",
    "plugins/explorer/sources",
    "plugins/explorer/identifiers",
)
RULE_FILES = tuple(
    f"plugins/explorer/{name}.py"
    for name in (
        "tables",
        "sheet",
        "hierarchy",
        "mapping",
        "staging",
        "validation",
        "validation_rules",
        "privacy",
        "orphans",
        "warehouse",
    )
)
# SQL that does not decide what a record becomes: who looks at it, what it is linked with, how it got here.
NO_RULES = {"asking", "attention", "explorer", "notices", "rollback", "schema", "uploads"}


@dataclass(frozen=True, slots=True)
class Site:
    """An institution with the warehouse that it is imported into."""

    institution: Institution
    dsn: str

    def fingerprint(self) -> str:
        """Of all that decides what is published from the same data: the configuration, the rules, who is asked, and as whom.

        A password that changed is no reason to read everything again; another server, or another account's rights, is.
        """
        named = [getattr(self.institution.source, key, None) for key in ("connection", "changes_connection")]
        asked = [connections.get(name) for name in named if name]
        return self.institution.fingerprint(" ".join([rules_version(), *(f"{c.base_url} {c.login}" for c in asked)]))

    def source(self, import_: Import | None = None) -> Source:
        """Its source; of an import, with the files that this import reads.

        Raises ``SourceError`` for a kind that is not there, ``ConnectionMissingError`` for a secret.
        """
        settings = self.institution.source
        if settings.kind not in SOURCES:
            message = f"source kind {settings.kind} is not built yet; there are: {', '.join(SOURCES)}"
            raise SourceError("unknown_kind", message)
        name = getattr(settings, "connection", None)
        connection = connections.get(name) if name else None
        with database.connect(self.dsn) as warehouse_connection:
            row: Any = warehouse_connection.execute(
                "select value from ops.secret where name = 'author_hash'"
            ).fetchone()
        module = importlib.import_module(SOURCES[settings.kind])
        with sharing(Turns(self.dsn)):
            made: Source = module.source(self.institution, connection, hash_key=bytes(row[0]))
        if isinstance(made, ReadsFiles):
            made = made.with_files_kept(Files(self.dsn, self.institution.slug))
        return uploads.equipped(made, self.institution, self.dsn, import_.upload if import_ else None)


def site(path: Path | str) -> Site:
    """Reads an institution's YAML and finds the warehouse, whose schema is brought up to date."""
    institution = config.load(Path(path))
    dsn = local.warehouse_dsn()
    migrate(dsn)
    return Site(institution, dsn)


@cache
def migrate(dsn: str) -> None:
    """Brings the schema of a warehouse up to date, once for each process."""
    with database.connect(dsn) as connection:
        applied = database.migrate(connection)
    if applied:
        log.info("the warehouse's schema is up to date: applied %s", ", ".join(applied))


@cache
def rules_version() -> str:
    """A digest of everything that decides what a record becomes: a mended rule must read everything again."""
    digest = hashlib.sha256()
    root = local.root()
    files = [
        file
        for folder in RULES
        for file in (root / folder).rglob("*")
        if file.suffix in {".sql", ".yaml", ".json", ".py"} and file.parent.name not in NO_RULES
    ]
    for file in sorted([*files, *(root / name for name in RULE_FILES)]):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def site_of(slug: str) -> Site:
    """The institution of that slug, with the YAML that it was last imported with."""
    with database.connect(local.warehouse_dsn()) as connection:
        rows = connection.execute(
            "select slug, configured_in from ops.institution where configured_in is not null order by slug"
        )
        known = {str(slug): str(file) for slug, file in rows.fetchall()}
    if slug not in known:
        raise HaltedError("no_such_institution", never_imported(slug, list(known)))
    return site(known[slug])


def never_imported(slug: str, known: Sequence[str]) -> str:
    """The sentence on an institution that the warehouse does not know; ``known`` are those that it does."""
    hint = config_messages.did_you_mean(slug, known)
    return f"{slug} was never imported into this warehouse{hint}; it knows: {', '.join(known) or 'none yet'}"
