"""The warehouse: what should be published, how that differs from what is, and the one transaction that changes it.

The difference is worked out once, in staging, and applied once. Loads, rollbacks and purges all apply a delta: plain
DELETE, UPDATE and INSERT in an order that the foreign keys allow.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Jsonb

from explorer import database, staging, tasks
from explorer.imports import HaltedError, Import
from explorer.privacy import LEVELS
from explorer.sources import Abilities

if TYPE_CHECKING:
    from explorer.config import Institution
    from explorer.database import Connection

log = logging.getLogger(__name__)

Tally = dict[str, Any]
ENDS = ("duplicates", "deleted", "rejected", "excluded", "dropped_by_privacy", "orphaned", "merged", "kept")
LEAST_PUBLISHED = 50  # where fewer outputs were published, any share may go


@dataclass(frozen=True, slots=True)
class Thing:
    """A table of things that have a key and a fingerprint, and the tables of what hangs on them."""

    entity: str
    table: str
    columns: tuple[str, ...]
    links: tuple[Link, ...]
    counts_first_import: bool = False

    @property
    def desired(self) -> str:
        """Its counterpart in staging."""
        return f"desired_{'output' if self.entity == 'output' else self.table}"


@dataclass(frozen=True, slots=True)
class Link:
    """A table of what hangs on a thing: the columns of its key, of which the first names the thing, and the others.

    A row whose other columns change stays: what hangs on it in turn hangs on.
    """

    table: str
    keys: tuple[str, ...]
    values: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns."""
        return self.keys + self.values

    @property
    def desired(self) -> str:
        """Its counterpart in staging."""
        return f"desired_{self.table}"


# In the order in which they can be added; removing goes the other way.
THINGS = (
    Thing("department", "department", ("key", "name", "fingerprint"),
          (Link("department_parent", ("department_key", "parent_key")),)),
    Thing("author", "author", ("key", "name", "ids", "fingerprint"),
          (Link("author_department", ("author_key", "department_key")),)),
    Thing("output", "research_output", ("key", "title", "type", "year", "venue", "groups", "fingerprint"),
          (Link("output_identifier", ("output_key", "scheme", "value"), ("derived",)),
           Link("authorship", ("output_key", "author_key"), ("position", "name", "ids", "relation")),
           Link("authorship_department", ("output_key", "author_key", "department_key")),
           Link("output_department", ("output_key", "department_key"))), counts_first_import=True),
)  # fmt: skip

DESIRED_TABLES = tuple(t.desired for t in THINGS) + tuple(link.desired for t in THINGS for link in t.links)


@dataclass(frozen=True, slots=True)
class Review:
    """The difference, in numbers; ``going``: what would go or change its key, by entity, removals by privacy left out."""

    tally: Tally
    going: Mapping[str, int]
    removed_by_privacy: int

    def needs_approval(self, limit: float) -> list[str]:
        """Sentences that say what would be removed beyond the limit; small institutions are not looked at."""
        if self.tally["outputs"]["published_before"] < LEAST_PUBLISHED:
            return []
        sentences = []
        for entity, going in self.going.items():
            before = self.tally[entity]["published_before"]
            if going / before > limit:
                sentences.append(
                    f"{going} of {before} {entity} ({going / before:.0%}) would be removed or change their key; the limit is"
                    f" {limit:.0%}"
                )
        return sentences


def review(connection: Connection, import_: Import, institution: Institution, abilities: Abilities) -> Review:
    """Works out what should be published and the difference with what is; writes both to staging, nothing elsewhere."""
    tasks.hold_still(connection, import_)
    connection.execute(
        "update ops.import set base_version = n.version from ops.institution n where n.slug = institution and id = %s",
        (import_.id,),
    )
    _empty(connection, "scope", "delta", "department_alias", "membership", *DESIRED_TABLES)
    slug = {"institution": institution.slug}
    losses = list(staging.losses(connection))
    read_departments, departments_whole = _departments_read(connection)
    whole = import_.whole and not losses

    database.run(connection, "review/scope_outputs", {**slug, "whole": whole})
    database.run(connection, "review/memberships", {**slug, "whole": whole})
    if not whole:
        database.run(connection, "review/scope_memberships", slug)
    database.run(connection, "review/keep_departments")
    database.run(connection, "review/department_parents")
    database.run(connection, "review/departments")
    if not departments_whole and (read_departments or not whole):
        database.run(connection, "review/same_departments", slug)
    if abilities.names_departments:
        database.run(connection, "review/department_aliases")
        database.run(connection, "review/named_departments", slug)
        database.run(connection, "review/unnamed_departments")
        database.run(connection, "review/department_fingerprints")
    connection.execute("analyze desired_department")
    database.run(connection, "review/scope_departments", slug)
    if not whole:
        database.run(connection, "review/scope_reexamined", slug)

    for name in ("identifiers", "authorships", "authorship_departments", "output_departments"):
        database.run(connection, f"review/{name}")
    database.run(connection, "review/reexamined_children", slug)
    database.run(connection, "review/outputs", slug)
    database.run(connection, "review/output_fingerprints")
    people_whole = whole or abilities.lists_authorships
    database.run(connection, "review/scope_authors", {**slug, "whole": people_whole})
    if abilities.lists_authors:
        database.run(connection, "review/listed_authors")
    else:
        database.run(connection, "review/credited_authors", slug)
    database.run(connection, "review/index")
    database.run(connection, "review/author_fingerprints")
    for entity in ("departments", "authors", "outputs"):
        database.run(connection, f"review/delta_{entity}", slug)
    database.run(connection, "review/delta_rekeyed")
    connection.execute("analyze delta")

    result = count(connection, institution.slug, abilities)
    connection.execute("update ops.import set tally = %s where id = %s", (Jsonb(result.tally), import_.id))
    report_records(connection, import_, institution, abilities)
    tasks.reach(connection, "reviewed")
    return result


def _empty(connection: Connection, *tables: str) -> None:
    for table in tables:
        connection.execute(sql.SQL("truncate {}").format(sql.Identifier(table)))


def _departments_read(connection: Connection) -> tuple[bool, bool]:
    """Whether any list of departments was read, and whether all of them were read whole."""
    rows = connection.execute("select incomplete is null from part where scope = 'departments'").fetchall()
    return bool(rows), bool(rows) and all(row[0] for row in rows)


def _one(
    connection: Connection,
    name: str,
    parameters: Mapping[str, object] | None = None,
    identifiers: Mapping[str, sql.Composable] | None = None,
) -> Any:  # noqa: ANN401
    row = database.run(connection, name, parameters, identifiers).fetchall()[0]
    return row[0] if len(row) == 1 else row


def count(connection: Connection, slug: str, abilities: Abilities) -> Review:
    """The tally of this import. Raises where it does not add up: then nothing is published."""
    tally: Tally = {
        "outputs": _one(connection, "review/tally_outputs", {"institution": slug}),
        "authors": _one(
            connection, "review/tally_authors", {"institution": slug, "lists_authors": abilities.lists_authors}
        ),
        "departments": _one(connection, "review/tally_departments", {"institution": slug}),
    }
    removed_because, excluded_because = _one(connection, "review/reasons")
    # A source that gives everything another key has been mixed up as likely as one that leaves everything out.
    going, by_privacy = (
        {entity: int(n) for entity, n in connection.execute(query).fetchall()}
        for query in (
            "select entity || 's', count(*) from delta where action = 'remove' and reason <> 'privacy' group by entity",
            "select entity || 's', count(*) from delta where action = 'remove' and reason = 'privacy' group by entity",
        )
    )
    for entity, numbers in tally.items():
        check_adds_up(entity, numbers)
    if sum(removed_because.values()) != tally["outputs"]["removed"]:
        message = f"the reasons of the removals {removed_because} do not add up to {tally['outputs']['removed']}"
        raise HaltedError("tally", message)
    return Review(
        {**tally, "removed_because": removed_because, "excluded_because": excluded_because},
        going,
        sum(by_privacy.values()),
    )


def check_adds_up(entity: str, numbers: Mapping[str, int]) -> None:
    """The equations of the tally: every record has one end, and what is published is what was, plus and minus."""
    n = numbers
    sums = {
        "extracted + reexamined = ends": (n["extracted"] + n["reexamined"], sum(n[end] for end in ENDS)),
        "kept = added + updated + unchanged": (n["kept"], n["added"] + n["updated"] + n["unchanged"]),
        "published = kept + untouched": (n["published"], n["kept"] + n["untouched"]),
        "published = before + added - removed": (n["published"], n["published_before"] + n["added"] - n["removed"]),
    }
    for name, (left, right) in sums.items():
        if left != right or min(n.values()) < 0:
            message = (
                f"the tally of {entity} does not add up, so nothing is published ({name}: {left}, {right}): {dict(n)}"
            )
            raise HaltedError("tally", message)


def report_records(connection: Connection, import_: Import, institution: Institution, abilities: Abilities) -> None:
    """Writes rejects, exclusions and notes to the books, for people to read; again and again the same."""
    parameters = {
        "import_id": import_.id,
        "knows_privacy": abilities.knows_privacy,
        "levels": LEVELS[institution.privacy.level],
    }
    connection.execute("delete from ops.rejected_record where import_id = %s", (import_.id,))
    connection.execute("delete from ops.record_note where import_id = %s", (import_.id,))
    database.run(connection, "review/report_records", parameters)
    database.run(connection, "review/report_notes", parameters)
    if abilities.joins_records:
        database.run(connection, "review/joined_notes", {"import_id": import_.id})


def turned_private(connection: Connection, slug: str) -> bool:
    """Whether anything that is published turned private, an authorship of what stays included."""
    if not _has_leaves(connection, slug):
        return False
    return bool(_one(connection, "load/purge_needed", None, {"authorship": _leaf("authorship", slug)}))


def purge(connection: Connection, import_: Import) -> int | None:
    """Takes what turned private out of what is published, as an import of its own, while the rest of ``import_`` waits.

    Returns its number; the review is then to be done again, in the same transaction. None where nothing that is published
    turned private.
    """
    slug = import_.institution
    tables = [table for thing in THINGS for table in (thing.table, *(link.table for link in thing.links))]
    leaves: dict[str, sql.Composable] = {table: _leaf(table, slug) for table in tables}
    if not turned_private(connection, slug):
        return None
    connection.execute("select from ops.institution where slug = %s for update", (slug,))
    connection.execute("delete from delta where action <> 'remove' or reason <> 'privacy'")
    reason = f"what turned private goes at once, the rest of import {import_.id} waits for approval"
    number = connection.execute(
        "insert into ops.import"
        " (institution, run_key, kind, mode, reason, status, base_version, fingerprint, staging_until, finished_at)"
        " values (%s, %s, 'purge', %s, %s, 'succeeded', %s, %s, now(), now()) returning id",
        (slug, f"purge-{uuid.uuid4()}", import_.mode, reason, import_.base_version, import_.fingerprint),
    ).fetchall()[0][0]
    database.run(connection, "load/purge_links", {"import_id": number}, leaves)
    removed: dict[str, int] = dict(
        connection.execute("select entity || 's', count(*) from delta group by entity").fetchall()
    )
    because = {"privacy": removed["outputs"]} if "outputs" in removed else {}
    tally: Tally = {"removed_because": because, "excluded_because": {}}
    for thing in THINGS:
        entity = f"{thing.entity}s"
        count_ = sql.SQL("select count(*) from {}").format(leaves[thing.table])
        before, gone = connection.execute(count_).fetchall()[0][0], removed.get(entity, 0)
        tally[entity] = dict.fromkeys(("extracted", "reexamined", *ENDS, "added", "updated", "unchanged"), 0) | {
            "removed": gone, "untouched": before - gone, "published": before - gone, "published_before": before,
        }  # fmt: skip
        check_adds_up(entity, tally[entity])
    apply_delta(connection, replace(import_, id=number))
    parameters = {"institution": slug, "import_id": number}
    for name in ("history", "blank", "forget_told"):
        database.run(connection, f"load/{name}", parameters)
    connection.execute("update ops.import set tally = %s where id = %s", (Jsonb(tally), number))
    ending = {"status": "succeeded", "error": None, "watermarks": Jsonb({})}
    database.run(connection, "load/close", {**parameters, **ending})
    return int(number)


def forget_hidden(connection: Connection, slug: str) -> bool:
    """Takes what is not shown, and is not published either, out of history and books. Returns whether there is such."""
    for name in ("blank", "forget_told"):
        database.run(connection, f"load/{name}", {"institution": slug})
    hidden = "select exists (select from hidden_thing) or exists (select from hidden_authorship)"
    return bool(connection.execute(hidden).fetchall()[0][0])


def _has_leaves(connection: Connection, slug: str) -> bool:
    """Whether anything of an institution was ever published here."""
    return bool(connection.execute("select warehouse.has_leaves(%s)", (slug,)).fetchall()[0][0])


def _leaf(table: str, slug: str) -> sql.Identifier:
    return sql.Identifier("warehouse", f"{table}__{slug}")


def load(connection: Connection, import_: Import, *, status: str = "succeeded") -> Mapping[str, Mapping[str, int]]:
    """Applies the difference in one transaction: readers see the old state or the new one. Returns the tally.

    Raises ``HaltedError`` with code ``moved`` where the warehouse has changed since the review.
    """
    with connection.transaction():
        version, at_work, tally = connection.execute(
            "select n.version, i.status, i.tally from ops.institution n join ops.import i on i.institution = n.slug"
            " where i.id = %s for update",
            (import_.id,),
        ).fetchall()[0]
        if at_work != "running":
            message = f"import {import_.id} is {at_work}, not running; nothing was published"
            raise HaltedError("taken_over", message)
        if version != import_.base_version:
            message = (
                f"the warehouse has moved since import {import_.id} was reviewed (version {import_.base_version}, now"
                f" {version}); clear `review` and what follows, so that the difference is worked out again"
            )
            raise HaltedError("moved", message)
        first = apply_delta(connection, import_)
        parameters = {"institution": import_.institution, "import_id": import_.id}
        if not first:
            database.run(connection, "load/history", parameters)
        for name in ("blank", "forget_told", "left_out"):
            database.run(connection, f"load/{name}", {"institution": import_.institution})
        marks = {**staging.still_there(connection, import_.plan), **staging.clocks(connection)}
        losses = "; ".join(f"{part}: {sentence}" for part, sentence in staging.losses(connection))
        error = {"task": "extract", "code": "incomplete", "message": losses} if losses else None
        ending = {"status": "failed" if losses else status, "error": Jsonb(error) if error else None}
        database.run(connection, "load/close", {**parameters, **ending, "watermarks": Jsonb(marks)})
        tasks.reach(connection, "loaded")
    result: Mapping[str, Mapping[str, int]] = tally
    return result


def apply_delta(connection: Connection, import_: Import) -> bool:
    """Applies the delta in staging to the institution's leaves; returns whether they were new.

    A row that came or went changes the institution's shape; one that changed in place does not.
    """
    slug = import_.institution
    first = not _has_leaves(connection, slug)
    if first:
        connection.execute("select warehouse.open_leaves(%s)", (slug,))
    rows = [
        (name, _apply(connection, f"load/{name}", import_, thing, link)) for name, thing, link in _steps(first=first)
    ]
    if first:
        connection.execute("select warehouse.close_leaves(%s)", (slug,))
    if any(count and not name.startswith("update") for name, count in rows):
        connection.execute("update ops.institution set shape = shape + 1 where slug = %s", (slug,))
    return first


def _steps(*, first: bool) -> Iterator[tuple[str, Thing, Link | None]]:
    """The statements of a load in an order that the foreign keys allow; a first one only inserts."""
    if not first:
        yield from (("remove_links", thing, link) for thing in reversed(THINGS) for link in reversed(thing.links))
        yield from (("remove_things", thing, None) for thing in reversed(THINGS))
    for thing in THINGS:
        if not first:
            yield "update_things", thing, None
        yield "insert_things", thing, None
        for link in thing.links:
            if link.values and not first:
                yield "update_links", thing, link
            yield "insert_links", thing, link


def _apply(connection: Connection, name: str, import_: Import, thing: Thing, link: Link | None) -> int:
    """Runs one of the statements of a load on a thing's table, or on one of the tables of what hangs on it."""
    table, columns, desired = (
        (link.table, link.columns, link.desired) if link else (thing.table, thing.columns, thing.desired)
    )
    names = [sql.Identifier(c) for c in columns]
    keys = [sql.Identifier(c) for c in (link.keys if link else columns[:1])]
    others = names[len(keys) :]
    values: list[sql.Composable] = [sql.SQL("{}.{}").format(sql.Identifier("n"), n) for n in names]
    targets: list[sql.Composable] = list(names)
    if not link:
        stamps = ["added_by", "changed_by"] if thing.counts_first_import else ["changed_by"]
        targets += [sql.Identifier(s) for s in stamps]
        values += [sql.Placeholder("import_id") for _ in stamps]
    comma = sql.SQL(", ")
    identifiers: dict[str, sql.Composable] = {
        "published": _leaf(table, import_.institution),
        "desired": sql.Identifier(desired),
        "owner": names[0],
        "same": sql.SQL(" and ").join(sql.SQL("n.{0} = t.{0}").format(n) for n in keys),
        "differs": sql.SQL(" or ").join(sql.SQL("n.{0} is distinct from t.{0}").format(n) for n in others),
        "assignments": comma.join(sql.SQL("{0} = n.{0}").format(n) for n in others),
        "columns": comma.join([sql.Identifier("institution"), *targets]),
        "values": comma.join([sql.Placeholder("institution"), *values]),
    }
    parameters = {"entity": thing.entity, "institution": import_.institution, "import_id": import_.id}
    return database.run(connection, name, parameters, identifiers).rowcount
