"""The steps of an import, each of which does one thing and leaves all it knows in Postgres.

The scheduler runs them as tasks, ``bin/explorer`` one after the other in one process; both call the functions of this
module. Between two steps nothing travels but the number of the import.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from psycopg.types.json import Jsonb

from explorer import (
    attention,
    connections,
    database,
    history,
    imports,
    landing_pages,
    leases,
    local,
    notices,
    orphans,
    planning,
    privacy,
    staging,
    tasks,
    uploads,
    warehouse,
)
from explorer.config import Institution
from explorer.database import Connection
from explorer.imports import APPROVAL_WITHIN, FinishedError, HaltedError, Import
from explorer.planning import Request, Subject
from explorer.sites import Site
from explorer.sources import Plan, Source, SourceError, Speaks, Sweeps
from explorer.staging import Progress

log = logging.getLogger(__name__)

REPORTS_KEPT = 20
PROGRESS_SECONDS = 10.0
OPENING_MILLISECONDS = 300_000
SWEEP_IS_NEAR = 0.95  # of the interval: a weekly import that begins a second early does not wait for another week

Report = Callable[[Progress], None]


def examine(place: Site, publications: Path, hierarchy: Path | None, by: str) -> uploads.Sent:
    """Files that a person sends, read to their end, with the report. Stores nothing.

    Raises ``SourceError`` where a file cannot be read, or the institution takes none.
    """
    files = uploads.read(place.institution, publications, hierarchy)
    return uploads.examined(place.source(), files, by)


def again(place: Site, upload: int, by: str) -> uploads.Again:
    """A set that was published before, to be published again. Raises ``HaltedError`` where that cannot be."""
    with database.connect(place.dsn) as connection:
        return uploads.again(connection, place.institution.slug, upload, by)


def source_to_check(place: Site) -> Source:
    """The source as the next import reads it: with what is new in a watched folder."""
    source = place.source()
    with database.connect(place.dsn) as connection:
        return uploads.with_folder(place.institution, source, connection)


def open_import(place: Site, request: Request, files: uploads.Sent | uploads.Again | None = None) -> int:
    """Takes the institution for one import and says whether it is full or incremental, and why.

    ``files``, or what is new in a watched folder, is stored with it. Raises ``imports.BusyError`` where another import is
    at work, which is no failure; then nothing is stored.
    """
    institution = place.institution
    source = place.source()
    whose = ("open_import", institution.slug, request.run_key)
    with database.connect(place.dsn, application=leases.session(*whose)) as connection:
        # Whoever is stopped in here would hold the institution, for everybody and as long as that lasts.
        connection.execute(f"set idle_in_transaction_session_timeout = {OPENING_MILLISECONDS}")
        leases.fence(connection, *whose)
        imports.drop_expired_staging(connection)
        sent = files or uploads.taken_from_folder(institution, source, connection)
        sweep = _sweep(place, source, connection)
        connection.commit()
        with connection.transaction():
            subject = Subject(
                slug=institution.slug,
                name=institution.name,
                source=_kind_in_words(institution),
                configured_in=str(institution.path.resolve()),
                fingerprint=place.fingerprint(),
                says_changes=source.abilities.says_changes,
                overlap=getattr(source, "overlap", timedelta(minutes=10)),
                sweep=sweep,
                upload=uploads.choose(connection, institution.slug, sent, trial=request.dry_run),
            )
            import_ = imports.open_import(connection, subject, request)
    log.info("%s: import %d, %s: %s", institution.name, import_.id, import_.mode, import_.reason)
    return import_.id


def _sweep(place: Site, source: Source, connection: Connection) -> str | None:
    """Why this import has to be full although changes are told: not all are, and the last full one is long ago."""
    every: timedelta | None = getattr(place.institution.source, "sweep_every", None)
    age = planning.since_whole(connection, place.institution.slug)
    connection.commit()  # nothing stays locked while the source is asked
    if every is None or age is None or not isinstance(source, Sweeps) or age < every * SWEEP_IS_NEAR:
        return None
    try:
        untold = source.untold()
    except SourceError as error:
        log.warning("whether all is told could not be asked: %s", error)  # what reads next will fail with it
        return None
    if untold is None:
        return None
    if age == timedelta.max:
        return f"{untold}, and there was no full import without losses yet"
    return f"{untold}, and {age.days} days have passed since the last full import"


def _kind_in_words(institution: Institution) -> str:
    platform = getattr(institution.source, "platform", None)
    return f"{institution.source.kind} ({platform})" if platform else str(institution.source.kind)


def plan_parts(place: Site, import_id: int, *, stays: bool = False) -> list[str]:
    """Asks the source which lists there are to read; returns the names of those that may be read side by side."""
    with _at_work(place, import_id, "plan_parts", wants="opened", stays=stays, anew=True) as (
        connection,
        import_,
    ):
        source = place.source(import_)
        if not staging.progress(connection):
            if isinstance(source, Speaks):
                imports.heard(connection, import_, source.speaks())
            planned = imports.get(connection, import_id)
            staging.plan_parts(connection, planned, source.parts(Plan(planned.mode, planned.plan)))
        known = [p.part.name for p in staging.progress(connection) if not p.part.last]
        log.info("%d part(s) to read: %s", len(known), ", ".join(known))
        return known


@contextmanager
def _at_work(
    place: Site, import_id: int, task: str, *, wants: str, stays: bool, anew: bool = False
) -> Iterator[tuple[Connection, Import]]:
    """A step at work. What was planned, or reviewed and approved, under another configuration is not gone on with."""
    with tasks.working(place.dsn, import_id, task, wants=wants, stays=stays, anew=anew) as (connection, import_):
        if place.fingerprint() != import_.fingerprint:
            message = (
                f"the configuration, or the rules, changed while import {import_id} was under way, so it is not gone on with;"
                " start a new run"
            )
            raise HaltedError("configuration_changed", message)
        yield connection, import_


def read_part(place: Site, import_id: int, part: str, report: Report | None = None, *, stays: bool = False) -> int:
    """Streams one list of the source into staging, from behind its last committed page; returns its records."""
    with (
        _at_work(place, import_id, f"read {part}", wants="opened", stays=stays) as (connection, import_),
        _pace(part) as pace,
    ):

        def heard(state: Progress) -> None:
            pace(state)
            if report is not None:
                report(state)

        return staging.read_part(connection, import_, place.source(import_), part, heard).records


def read_side_by_side(place: Site, import_id: int, report: Report = lambda _: None) -> None:
    """Plans and reads all lists in this process, as many at once as the source allows connections.

    The first failure stops the others.
    """
    parts = plan_parts(place, import_id, stays=True)
    stopped = threading.Event()

    def heard(state: Progress) -> None:
        if stopped.is_set():
            raise HaltedError("stopped", f"{state.part.name}: stopped behind page {state.page}, as another list failed")
        report(state)

    at_once = min(place.institution.source.politeness.connections, len(parts))
    if at_once == 1:
        for part in parts:
            read_part(place, import_id, part, report, stays=True)
        return
    with ThreadPoolExecutor(at_once, thread_name_prefix="read") as threads:
        reading = [threads.submit(read_part, place, import_id, part, heard, stays=True) for part in parts]
        try:
            for each in as_completed(reading):
                each.result()
        except BaseException:
            stopped.set()
            threads.shutdown(cancel_futures=True)
            raise


@contextmanager
def _pace(part: str) -> Iterator[Report]:
    """Logs how far a part has come, at least every ten seconds, also while the source keeps silent."""
    started = time.monotonic()
    latest: list[Progress] = []
    first: list[int] = []
    done = threading.Event()

    def say() -> None:
        seconds = max(0.001, time.monotonic() - started)
        if not latest:
            log.info("%s: waiting for the first page since %.0f s", part, seconds)
            return
        state = latest[-1]
        of = f" of {state.expected}" if state.expected is not None else ""
        rate = (state.records - first[0]) / seconds
        log.info("%s: %d%s records on %d pages, %.0f records per second", part, state.records, of, state.page, rate)

    def tick() -> None:
        while not done.wait(PROGRESS_SECONDS):
            say()

    def heard(state: Progress) -> None:
        if not first:
            first.append(0 if state.page <= 1 else state.records)
        latest[:] = [state]

    thread = threading.Thread(target=tick, name=f"pace-{part}", daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        done.set()
        thread.join(timeout=5)
        if latest:
            say()


def settle(place: Site, import_id: int, *, stays: bool = False) -> None:
    """Ends extraction: which of several copies of a record counts, what the source deleted, what could not be read."""
    with _at_work(place, import_id, "settle", wants="opened", stays=stays) as (connection, import_):
        unread = [p.part.name for p in staging.progress(connection) if not p.done and not p.part.last]
        if unread:
            message = f"not read to the end: {', '.join(unread)}; clear these tasks of `read_part`"
            raise HaltedError("not_read", message)
        source = place.source(import_)
        wants_more = source.abilities.lists_authorships and not import_.whole
        if wants_more or source.abilities.lists_keys:
            staging.want_outputs(connection, import_, privacy.policy_of(place.institution))
        for part in [p.part.name for p in staging.progress(connection) if p.part.last]:
            staging.read_part(connection, import_, source, part, lambda _: None)
        counts = staging.settle(connection, import_)
        log.info(
            "staged %s; %d copies, %d deleted, %d unreadable, %d published but absent", _each(staging.counts(connection)),
            counts["duplicates"], counts["deleted"], counts["refused"], counts["absent"],
        )  # fmt: skip
        repairs = connection.execute(
            "select key, sum(value::bigint) from part, jsonb_each_text(repairs) group by key order by key"
        ).fetchall()
        if repairs:
            log.info(
                "mended or left out while it was read: %s", ", ".join(f"{kind} {number}" for kind, number in repairs)
            )
        for part, sentence in staging.losses(connection):
            log.warning("%s is incomplete: %s", part, sentence)
        for part, sentence in staging.notes_on_parts(connection):
            log.warning("%s: %s", part, sentence)


def _each(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {entity}s" for entity, number in counts.items())


def validate(place: Site, import_id: int, *, stays: bool = False) -> None:
    """Great Expectations over staging; a bad record is rejected with its reason, too many of them fail the import."""
    from explorer import validation  # noqa: PLC0415 - Great Expectations costs seconds to import

    with _at_work(place, import_id, "validate", wants="extracted", stays=stays) as (connection, import_):
        abilities = place.source().abilities
        staging.start_validation(connection, import_)
        connection.commit()
        result = validation.validate(
            connection,
            sqlalchemy_url=connections.sqlalchemy_url(place.dsn),
            schema=import_.schema,
            suites=suites(lists_authors=abilities.lists_authors),
            staged=staging.staged(connection),
            report=report_folder(import_),
        )
        _forget_old_reports(import_)
        log.info("\n%s", result.as_table())
        log.info("the report of Great Expectations: %s", report_folder(import_) / "index.html")
        if result.table_failures:
            raise HaltedError("not_trustworthy", "; ".join(result.table_failures))
        counts = staging.finish_validation(connection, joins_records=abilities.joins_records)
        rejected = staging.counts(connection, "rejected")
        log.info("rejected %s; excluded %d outputs", _each(rejected), counts["excluded"])
        warehouse.report_records(connection, import_, place.institution, abilities)
        database.run(connection, "review/first_tally", {"institution": place.institution.slug, "import_id": import_.id})
        connection.commit()
        _not_too_many(connection, place.institution)


def suites(*, lists_authors: bool) -> tuple[str, ...]:
    """The suites of expectations that apply, in order."""
    return ("outputs", "identifiers", "contributions", "departments", *(("authors",) if lists_authors else ()))


def report_folder(import_: Import) -> Path:
    """Where the HTML report of an import's validation lies."""
    return local.folder() / "validation" / import_.institution / str(import_.id)


def _forget_old_reports(import_: Import) -> None:
    """Keeps the reports of the last imports of an institution."""
    reports = sorted(report_folder(import_).parent.glob("*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in reports[REPORTS_KEPT:]:
        shutil.rmtree(folder)


def _not_too_many(connection: Connection, institution: Institution) -> None:
    """Fails the import where the share of rejected outputs is over the limit."""
    row = connection.execute(
        "select count(*) filter (where v.verdict = 'rejected'),"
        " count(*) filter (where v.verdict is null or v.verdict = 'rejected')"
        " from output o left join verdict v on v.entity = 'output' and v.record = o.record"
        " where v.rule is distinct from 'no_identifier'"  # normal for a repository, and for an old spreadsheet
    ).fetchall()[0]
    rejected, looked_at = int(row[0]), int(row[1])
    limit = institution.limits.max_rejected_share
    if looked_at and rejected / looked_at > limit:
        message = (
            f"{rejected} of {looked_at} records ({rejected / looked_at:.1%}) are rejected, more than the limit of {limit:.1%}"
            f" (limits.max_rejected_share), so nothing was published; `bin/explorer rejects {institution.slug}` lists them"
        )
        raise HaltedError("too_many_rejected", message)


def privacy_filter(place: Site, import_id: int, *, stays: bool = False) -> None:
    """Drops what the institution does not share, and counts by rule what was dropped; never the thing."""
    with _at_work(place, import_id, "privacy_filter", wants="validated", stays=stays) as (
        connection,
        import_,
    ):
        counts = privacy.filter_records(connection, import_, place.institution, place.source().abilities)
        log.info("dropped %(dropped)d records by privacy; %(credits)d authorships pass", counts)


def clean_up_orphans(place: Site, import_id: int, *, stays: bool = False) -> None:
    """Removes outputs without authors, as the institution chose."""
    policy = place.institution.orphans
    with _at_work(place, import_id, "clean_up_orphans", wants="filtered", stays=stays) as (
        connection,
        import_,
    ):
        counts = orphans.clean_up(connection, import_, policy)
        log.info("policy %s: %d records orphaned", policy, counts["orphaned"])


def review(place: Site, import_id: int, *, approved: bool = False, stays: bool = False) -> str:
    """Works out the difference with what is published, before anything changes.

    Returns the status that follows: running, awaiting_approval (too much would be removed) or dry_run.
    """
    institution = place.institution
    with database.connect(place.dsn) as connection:
        known = imports.get(connection, import_id)
    if known.status == "awaiting_approval":  # the worker died behind the question, and perhaps before it was told
        _ask(institution, known, "its difference removes more than the limit")
        return "awaiting_approval"
    with _at_work(place, import_id, "review", wants="cleaned", stays=stays) as (connection, import_):
        result = warehouse.review(connection, import_, institution, place.source().abilities)
        for entity in ("outputs", "authors", "departments"):
            n = result.tally[entity]
            log.info(
                "%s: %d added, %d updated, %d unchanged, %d removed, %d untouched; %d published", entity, n["added"],
                n["updated"], n["unchanged"], n["removed"], n["untouched"], n["published"],
            )  # fmt: skip
        if import_.dry_run:
            imports.end(connection, import_id, "dry_run")
            log.info(
                "a dry run: nothing was changed; `bin/explorer diff %s --import %d` lists what would be", institution.slug,
                import_id,
            )  # fmt: skip
            return "dry_run"
        sentences = result.needs_approval(institution.limits.max_removed_share)
        if not sentences or approved:
            alarms = warehouse.turned_private(connection, institution.slug)
            connection.commit()
            if alarms:
                _tell_of_privacy(place, import_, import_id, result.removed_by_privacy)
            return "running"
        purged = warehouse.purge(connection, import_)
        if purged is not None:
            warehouse.review(connection, import_, institution, place.source().abilities)
        if purged is not None or warehouse.forget_hidden(connection, institution.slug):
            imports.drop_earlier_staging(connection, import_)
        imports.rest(connection, import_id, until=APPROVAL_WITHIN)
        connection.commit()  # the purge, the difference that is left and the wait for an answer, or none of them
        if purged is not None:
            log.warning("what turned private does not wait: it went as import %d", purged)
            attention.link_known(connection, institution.slug)
            connection.commit()
            _tell_of_privacy(place, import_, purged, result.removed_by_privacy)
        _ask(institution, import_, "; ".join(sentences))
        return "awaiting_approval"


def _tell_of_privacy(place: Site, import_: Import, number: int, removed: int) -> None:
    """Alarms about import ``number``: this one, or the purge that it made."""
    what = f"removed by privacy: {removed:,}" if removed else "authorships were removed by privacy"
    notices.tell_operators(
        f"{place.institution.name}: import {number} removes what turned private",
        f"{what}; such removals never wait for approval",
        run_url=import_.run_url,
    )


def _ask(institution: Institution, import_: Import, sentence: str) -> None:
    """Tells the operators that a person has to answer."""
    log.warning("waits for approval: %s", sentence)
    slug = institution.slug
    notices.tell_operators(
        f"{institution.name}: import {import_.id} waits for approval",
        f"{sentence}. Until then all stays published, but for what turned private. Answer in the Airflow UI under Required"
        f" Actions, or with `bin/explorer approve {slug}` or `bin/explorer reject {slug}`; without an answer in"
        f" {APPROVAL_WITHIN.days} days it ends unpublished",
        run_url=import_.run_url,
    )


def answer(place: Site, import_id: int, *, approved: bool, by: str, stays: bool = False) -> None:
    """A person's answer to an import that waits for approval; with ``stays`` this process goes on with it."""
    with database.connect(place.dsn) as connection:
        imports.answer(connection, import_id, approved=approved, by=by, stays=stays)


def load(place: Site, import_id: int, *, stays: bool = False) -> None:
    """Publishes: one transaction that applies the difference and writes history, watermark and tally.

    Of an import that is published it does nothing and says so; what follows may go on.
    """
    with database.connect(place.dsn) as connection:
        if imports.get(connection, import_id).published:
            log.info("import %d is published already: there is nothing to do", import_id)
            return
    with _at_work(place, import_id, "load", wants="reviewed", stays=stays) as (connection, import_):
        tally = warehouse.load(connection, import_)
        log.info("published: %d outputs, %d authors, %d departments", *(
            tally[entity]["published"] for entity in ("outputs", "authors", "departments")))  # fmt: skip


@contextmanager
def _after_load(place: Site, import_id: int, task: str) -> Iterator[tuple[Connection, Import]]:
    """A step on an import that is published."""
    started = time.monotonic()
    with database.connect(place.dsn, application=leases.session(import_id, task)) as connection:
        import_ = imports.get(connection, import_id)
        if import_.status in {"dry_run", "declined"}:
            message = f"import {import_id} changed nothing ({import_.status}); there is nothing to do"
            raise FinishedError("not_published", message)
        if not import_.published:
            message = f"import {import_id} was not published; an earlier task failed, and its log says why"
            raise HaltedError("not_published", message)
        yield connection, import_
        connection.execute(
            "update ops.import set seconds = seconds || %s where id = %s",
            (Jsonb({task: round(time.monotonic() - started, 2)}), import_id),
        )
        connection.commit()


def link_attention(place: Site, import_id: int) -> str:
    """Asks for the attention of outputs, links them by identifier and rolls it up; without a provider it says so."""
    with _after_load(place, import_id, "link_attention") as (connection, import_):
        summary, asked = attention.link_outputs(connection, place.institution)
        summary |= landing_pages.told(connection, place.institution)
        connection.execute("update ops.import set attention = %s where id = %s", (Jsonb(summary), import_id))
        connection.commit()
        log.info("%s", summary["state"])
        if asked is not None and asked.key_refused:
            notices.tell_operators(
                f"{place.institution.name}: attention cannot be asked for", str(asked.because), run_url=import_.run_url
            )
        return str(summary["state"])


def notify(place: Site, import_id: int) -> None:
    """The mail to the institution; an import that lost a part of the source alarms the operators instead, and fails."""
    with _after_load(place, import_id, "notify") as (connection, import_):
        if import_.status == "failed":
            error = connection.execute(
                "select error ->> 'message' from ops.import where id = %s", (import_id,)
            ).fetchone()
            sentence = str(error[0]) if error else ""
            raise HaltedError(
                "incomplete", f"what was read is published, but the source was not read whole: {sentence}"
            )
        notices.notify(connection, import_id, place.institution)


def close_staging(place: Site, import_id: int, *, may_wait: bool = False) -> str:
    """Drops the staging of an import that has ended; one that stopped half way is marked failed and keeps it a while.

    Returns the import's status; never changes the outcome of a run. An import that still waits for approval when all
    other tasks are over (its question was lost) ends as declined, unless it ``may_wait``.
    """
    with database.connect(place.dsn, application=leases.session(import_id, "close_staging")) as connection:
        import_ = imports.get(connection, import_id)
        if import_.status in {"running", "awaiting_approval"} and not tasks.is_ours(connection, import_):
            log.warning("import %d is left alone: somebody else has taken it over and goes on with it", import_id)
            return import_.status
        if import_.status == "running":
            imports.end(connection, import_id, "failed", code="stopped", message="a task failed; its log says why")
        if import_.status == "awaiting_approval" and not may_wait:
            imports.end(connection, import_id, "declined")
        status = imports.get(connection, import_id).status
        if status in {"succeeded", "declined"} or import_.published:
            imports.drop_staging(connection, import_id)
            log.info("import %d is %s; its staging is dropped", import_id, status)
        if import_.published:
            imports.drop_earlier_staging(connection, import_)
        history.forget(connection, import_.institution, place.institution.retention)
        connection.commit()
        uploads.forget(connection, import_.institution)
        connection.commit()
        if status == "failed":
            row = connection.execute("select error from ops.import where id = %s", (import_id,)).fetchall()[0][0]
            error = row if isinstance(row, dict) else {}
            log.error("import %d failed in %s: %s", import_id, error.get("task"), error.get("message"))
            sentence = ": ".join(str(each) for each in (error.get("task"), error.get("message")) if each)
            notices.tell_operators(
                f"{place.institution.name}: import {import_id} failed", sentence, run_url=import_.run_url
            )
        return status


def run(
    place: Site,
    request: Request,
    *,
    files: uploads.Sent | uploads.Again | None = None,
    approved: bool = False,
    listen: Listener | None = None,
) -> int:
    """All steps in one process, in order; returns the import's number. ``files``: a set that was sent, to be imported.

    Goes on where an import left by a dead process stopped. Whatever goes wrong stands in the import's row.
    """
    import_id = open_import(place, request, files)
    go_on(place, import_id, approved=approved, listen=listen)
    return import_id


Listener = Callable[[str, Progress | None], None]


def go_on(
    place: Site, import_id: int, *, approved: bool = False, answered: bool = False, listen: Listener | None = None
) -> None:
    """The steps behind ``open_import``; with ``answered`` only those behind the approval."""
    hear: Listener = listen or (lambda _task, _progress: None)
    try:
        if not answered:
            hear("extract", None)
            read_side_by_side(place, import_id, lambda state: hear("extract", state))
            settle(place, import_id, stays=True)
            for name, step in (
                ("validate", validate),
                ("privacy_filter", privacy_filter),
                ("clean_up_orphans", clean_up_orphans),
            ):
                hear(name, None)
                step(place, import_id, stays=True)
            hear("review", None)
            if review(place, import_id, approved=approved, stays=True) != "running":
                return
        hear("load", None)
        try:
            load(place, import_id, stays=True)
        except HaltedError as error:
            if error.code != "moved":
                raise
            log.warning("%s: the difference is worked out again", error)
            if review(place, import_id, approved=approved, stays=True) != "running":
                return
            load(place, import_id, stays=True)
        hear("link_attention", None)
        link_attention(place, import_id)
        hear("notify", None)
        notify(place, import_id)
    except Exception as error:
        tasks.record_cause(place.dsn, import_id, error)
        raise
    finally:
        hear("close_staging", None)
        close_staging(place, import_id, may_wait=True)
