"""What happens to institutions between their imports: attention and landing pages, rollback and hold, who is late."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from croniter import croniter
from psycopg.types.json import Jsonb

from explorer import attention, config, database, history, imports, landing_pages, local, notices, sites
from explorer.config import Institution
from explorer.database import Connection
from explorer.sites import Site

log = logging.getLogger(__name__)

SLACK = timedelta(hours=12)
A_DAY = timedelta(days=1)


def ask_for_attention(paths: Sequence[str]) -> list[str]:
    """The daily refresh: asks for what is due, of all institutions that share an account together.

    Returns the paths of the institutions that have published outputs. One that cannot be read, or whose provider cannot be
    used, is logged and holds no other back; a refused key alarms.
    """
    places: dict[str, Site] = {}
    for path in paths:
        try:
            places[path] = sites.site(path)
        except config.ConfigError as error:
            log.error("left out, its configuration is broken: %s", error)  # noqa: TRY400 - the sentence is the whole of it
    with database.connect(local.warehouse_dsn(), application="explorer attention") as connection:
        known = {row[0] for row in connection.execute("select slug from ops.institution where version > 0")}
        published = {path: place for path, place in places.items() if place.institution.slug in known}
        attention.forget_expired(connection)
        for asked in attention.refresh(connection, [place.institution for place in published.values()]):
            if asked.key_refused:
                notices.tell_operators("Attention cannot be asked for", str(asked.because))
    return list(published)


def link_again(path: str) -> str:
    """Links an institution's outputs with what is known of their attention now, and makes its sums anew."""
    place = sites.site(path)
    with database.connect(place.dsn, application="explorer attention") as connection:
        summary = attention.link_known(connection, place.institution.slug)
        summary |= landing_pages.told(connection, place.institution)
        connection.execute(
            "update ops.import set attention = %(now)s || jsonb_strip_nulls(jsonb_build_object("
            "'asked', attention -> 'asked', 'calls', attention -> 'calls'))"  # what the import itself asked
            " where id = (select max(id) from ops.import"
            " where institution = %(slug)s and published_at is not null and kind <> 'purge')",
            {"now": Jsonb(summary), "slug": place.institution.slug},
        )
        connection.commit()
        log.info("%s: %s", place.institution.name, summary["state"])
        return str(summary["state"])


def forget_attention(connection: Connection, institution: str) -> int:
    """Drops what is known of an institution's attention; returns how many tracked outputs. The outputs stay."""
    gone = attention.purge(connection, institution)
    connection.execute(
        "update ops.import set attention = jsonb_build_object('state', 'attention was forgotten')"
        " where institution = %s and attention <> '{}'",
        (institution,),
    )
    connection.commit()
    return gone


def with_landing_pages(paths: Sequence[str]) -> list[str]:
    """The paths of the institutions that want their landing pages checked; a broken one is left out."""
    found = []
    for path in paths:
        with contextlib.suppress(config.ConfigError):  # its own DAG says so
            if config.load(Path(path)).landing_pages:
                found.append(path)
    return found


def check_landing_pages(place: Site, listen: Callable[[str], None] = lambda _: None) -> str:
    """Visits the landing pages that are due; returns a sentence on all of them. ``listen`` hears of each visit."""
    with database.connect(place.dsn, application="explorer landing pages") as connection:
        for visit in landing_pages.check(connection, place.institution):
            listen(f"{visit.address}: {visit.state.replace('_', ' ')}{': ' + visit.reason if visit.reason else ''}")
        sentence = landing_pages.summary(landing_pages.counts(connection, place.institution.slug))
    sentence = sentence or "no output has only a Handle or URI: there are no landing pages to check"
    log.info("%s: %s", place.institution.name, sentence)
    return sentence


def rollback(place: Site, *, to_import: int, by: str, dry_run: bool = False, run_key: str | None = None) -> int:
    """The published state becomes what it was after an import, minus what privacy has removed; then it is on hold.

    Once for each ``run_key``: raises ``FinishedError`` the second time.
    """
    with database.connect(place.dsn, application="explorer rollback") as connection:
        made = history.rollback(
            connection,
            place.institution.slug,
            to_import=to_import,
            by=by,
            abilities=place.source().abilities,
            orphans=place.institution.orphans,
            dry_run=dry_run,
            run_key=run_key,
        )
        slug = place.institution.slug
        if dry_run:
            log.info("a dry run: `bin/explorer diff %s --import %d` lists what would change", slug, made)
        else:
            end = f"until the DAG `release`, or `bin/explorer release {slug}`"
            log.info("import %d is the rollback; %s is on hold %s", made, slug, end)
            attention.link_known(connection, slug)
        return made


def look_who_is_late(folders: Sequence[Path]) -> list[str]:
    """Alarms the operators about institutions whose import is overdue (``expected_every``), or cannot be read at all.

    Returns a sentence for each; the operators hear of each once a day.
    """
    now = datetime.now(UTC)
    expected: dict[str, history.Expected] = {}
    late: dict[str, str] = {}
    for file in (file for folder in folders for file in config.files(folder)):
        try:
            institution = config.load(file)
        except config.ConfigError as error:  # its own DAG says so, too, but is never scheduled
            slug = config.slug_of(file)
            late[slug] = f"{slug}: its configuration is broken, so nothing is imported: {error.problems[0]}"
            continue
        every = institution.expected_every or _interval(institution, now)
        if every is not None:
            since = datetime.fromtimestamp(file.stat().st_mtime, UTC)
            expected[institution.slug] = history.Expected(every, since)
    dsn = local.warehouse_dsn()
    sites.migrate(dsn)
    with database.connect(dsn) as connection:
        imports.drop_expired_staging(connection)  # also where nobody imports for long
        late |= history.late(connection, expected, now)
        told = [late[slug] for slug in sorted(history.untold(connection, late))]
        if told:
            who = "institution is" if len(told) == 1 else "institutions are"
            notices.tell_operators(f"{len(told)} {who} late", "; ".join(told))
        connection.commit()
    return [late[slug] for slug in sorted(late)]


def _interval(institution: Institution, now: datetime) -> timedelta | None:
    """The longest time between the imports that are scheduled about now, and some hours for the import itself.

    An hourly schedule that rests at night and on Sundays is late by another time on Mondays. None without a schedule.
    """
    if institution.cron is None:
        return None
    here = now.astimezone(ZoneInfo(institution.timezone))
    runs = croniter(institution.cron, here)
    times: list[datetime] = [runs.get_next(datetime)]
    while times[-1] > here - A_DAY:
        times.append(runs.get_prev(datetime))
    return max(later - earlier for later, earlier in pairwise(times)) + SLACK


def release(place: Site) -> str | None:
    """Lifts the hold; returns why it was on hold, None where it was not."""
    with database.connect(place.dsn) as connection:
        return history.release(connection, place.institution.slug)


def tell_of_failure(dag: str, task: str, error: object, run_url: str) -> None:
    """Alarms the operators about a task that failed outside of any import: nothing else tells them."""
    notices.tell_operators(f"{dag}: {task} failed", f"{task}: {error}", run_url=run_url)
