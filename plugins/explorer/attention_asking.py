"""Asking for attention: each identifier once, in batches where the provider takes them, within rates and a budget.

One process at a time asks for an account (an advisory lock, taken for a moment's work), so rates and budget hold over all
imports together. Every answer is committed as it comes: whoever is killed goes on there.
"""

from __future__ import annotations

import hashlib
import logging
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

from explorer import database
from explorer.attention_providers import (
    BatchRefusedError,
    Found,
    KeyRefusedError,
    StoppedError,
)
from explorer.identifiers import SCHEMES
from explorer.records import Identifier

if TYPE_CHECKING:
    from explorer.attention_providers import Provider
    from explorer.attention_records import Record
    from explorer.database import Connection

log = logging.getLogger(__name__)

AT_MOST = 3600.0  # seconds that an import spends on asking; the daily refresh goes on
LOCK = 0x41747465  # with the account's hash: the lock of those who ask
TURN_SECONDS = 15.0  # then somebody else may ask
TURN = 64  # look-ups that are planned, and paid for from the budget, at once
RECORD_CALLS = 10  # batches of records between two commits
ROUND = 100_000
MOST_ERRORS = 5  # in a row that cannot be read: then something is wrong with the provider, not with the identifier
BATCH_AGAIN_DAYS = 7
ANSWERS = ("scheme", "value", "answer", "altmetric_id", "reason")
RECORDS = (
    "altmetric_id", "digest", "type", "score", "mentions", "reader_count", "readers", "cohorts", "gained", "citations",
    "details_url", "badge_url", "last_mentioned_at", "sources", "identifiers", "posts",
)  # fmt: skip
STORE_ANSWERS = ("asked", "resolve", "tracked_outputs", "tracked_identifiers", "stale")
# Nothing of a record is kept that is somebody else's; then what changed, as the old state is still there to compare with.
STORE_RECORDS = (
    "contradicted",
    "snapshots",
    "forget_sources",
    "sources",
    "records",
    "told",
    "mentions_gone",
    "mentions",
)
FIRST_ANALYZE = 100
FILLED = tuple(
    f"attention.{name}"
    for name in ("asked", "tracked_identifier", "tracked_output", "snapshot", "snapshot_source", "mention")
)


@dataclass(slots=True)
class Asked:
    """What an asking came to. ``stopped``: why not everything was asked, None if it was."""

    asked: int = 0
    tracked: int = 0
    untracked: int = 0
    failed: int = 0
    records: int = 0
    calls: int = 0
    stopped: str | None = None
    because: str | None = None

    @property
    def key_refused(self) -> bool:
        """Whether the operators have to be told."""
        return self.stopped == KeyRefusedError.state


@dataclass(slots=True)
class _Asking:
    """An asking under way: whom, for whom, until when, and what came of it."""

    connection: Connection
    provider: Provider
    institutions: Sequence[str]
    until: float
    result: Asked = field(default_factory=Asked)
    unreadable: int = 0
    before: int = 0  # the provider's calls at the beginning
    paid: int = 0  # calls that were taken from the budget
    after: int = 0  # the position in the plan behind what was taken from it
    analyze_at: int = FIRST_ANALYZE  # so many answers and records stored

    @property
    def account(self) -> dict[str, object]:
        return {"account": self.provider.account.name}


class _OutOfBudgetError(StoppedError):
    """The day's budget of calls is used up."""

    state = "quota"


class _OutOfTimeError(StoppedError):
    """This asking has taken its time; another goes on."""

    state = "time"


def ask(connection: Connection, provider: Provider, institutions: Sequence[str], *, seconds: float = AT_MOST) -> Asked:
    """Asks for every identifier of these institutions' outputs that is due, until all are answered or it has to stop.

    Stopping is no failure: what was answered is kept, and the rest stays due.
    """
    asking = _Asking(connection, provider, institutions, time.monotonic() + seconds)
    database.run(connection, "attention/temporary")
    connection.commit()
    asking.before = provider.calls
    try:
        if provider.batch and not _was_refused(asking):
            _ask_in_batches(asking)
        else:
            _ask_singly(asking)
    except StoppedError as error:
        connection.rollback()
        asking.result.stopped, asking.result.because = error.state, str(error)
        log.warning("asking for attention stopped: %s", error)
    result = asking.result
    result.because = result.because or provider.remark
    result.calls = provider.calls - asking.before
    # Repetitions are paid for too, and what was paid for and not asked is given back.
    connection.execute(
        "update attention.budget_day set calls = greatest(0, calls + %(more)s)"
        " where account = %(account)s and day = current_date",
        {**asking.account, "more": result.calls - asking.paid},
    )
    connection.execute(
        "update attention.account set stopped = %(stopped)s, stopped_because = %(because)s,"
        " stopped_at = case when %(stopped)s::text is not null then now() end where account = %(account)s",
        {**asking.account, "stopped": result.stopped, "because": result.because},
    )
    connection.commit()
    log.info(
        "asked for %d identifiers in %d calls: %d tracked, %d untracked, %d failed; %d records",
        result.asked, result.calls, result.tracked, result.untracked, result.failed, result.records,
    )  # fmt: skip
    return result


@contextmanager
def _turn(asking: _Asking) -> Iterator[None]:
    """Holds the account while asking. A process that dies gives it back with its connection."""
    if time.monotonic() > asking.until:
        raise _OutOfTimeError("this import has asked for attention long enough; the daily refresh goes on")
    digest = hashlib.blake2b(asking.provider.account.name.encode(), digest_size=4).digest()
    key = (LOCK, int.from_bytes(digest, "big", signed=True))
    asking.connection.execute("select pg_advisory_lock(%s, %s)", key)
    asking.connection.commit()
    try:
        yield
    finally:
        if not asking.connection.broken:
            asking.connection.rollback()
            asking.connection.execute("select pg_advisory_unlock(%s, %s)", key)
            asking.connection.commit()


def _reserve(asking: _Asking, wanted: int) -> int:
    """How many of the wanted calls today's budget grants, which repetitions count in. Raises where it is used up."""
    more = max(0, asking.provider.calls - asking.before - asking.paid)
    parameters = {**asking.account, "wanted": wanted, "budget": asking.provider.calls_per_day, "more": more}
    granted = int(database.run(asking.connection, "attention/reserve", parameters).fetchall()[0][0])
    asking.paid += granted + more
    asking.connection.commit()
    if not granted:
        message = f"today's budget of {asking.provider.calls_per_day} calls is used up; the rest is asked tomorrow"
        raise _OutOfBudgetError(message)
    return granted


def _plan(asking: _Asking, *, batch: bool) -> int:
    """Works out what is to be asked; returns how many identifiers."""
    asking.connection.execute("truncate work restart identity")
    parameters = {**asking.account, "institutions": list(asking.institutions), "batch": batch}
    planned = database.run(asking.connection, "attention/work", parameters).rowcount
    asking.connection.execute("analyze work")
    asking.connection.commit()
    return planned


def _next(asking: _Asking, after: int, most: int) -> tuple[int, list[Identifier]]:
    """The next identifiers of the plan that nobody has asked for meanwhile, and the position behind them."""
    parameters = {**asking.account, "after": after, "most": most}
    rows = database.run(asking.connection, "attention/still_due", parameters).fetchall()
    asking.connection.commit()
    return (rows[-1][0] if rows else after), [Identifier(scheme, value) for _, scheme, value, due in rows if due]


# Batches


def _was_refused(asking: _Asking) -> bool:
    row = asking.connection.execute(
        "select batch_refused_at > now() - %(days)s * interval '1 day' from attention.account where account = %(account)s",
        {**asking.account, "days": BATCH_AGAIN_DAYS},
    ).fetchone()
    asking.connection.commit()
    return bool(row and row[0])


def _note_refusal(asking: _Asking, error: BatchRefusedError) -> None:
    log.warning("the provider does not take batches (%s): asking one by one for %d days", error, BATCH_AGAIN_DAYS)
    asking.connection.rollback()
    asking.connection.execute(
        "update attention.account set batch_refused_at = now() where account = %(account)s", asking.account
    )
    asking.connection.commit()


def _ask_in_batches(asking: _Asking) -> None:
    """All identifiers into ids, and then all records that are due by their ids."""
    planned, after = _plan(asking, batch=True), 0
    while after < planned:
        with _turn(asking):
            after, asked = _next(asking, after, asking.provider.identifiers_per_call)
            if not asked:
                continue
            _reserve(asking, 1)
            try:
                ids = _translated(asking, asked)
            except BatchRefusedError as error:
                _note_refusal(asking, error)
                break
            answers = [
                (each.scheme, each.value, "tracked" if each in ids else "untracked", ids.get(each), None)
                for each in asked
            ]
            _store(asking, answers, [])
    else:
        _fetch_records(asking)
        return
    _ask_singly(asking)


def _translated(asking: _Asking, asked: Sequence[Identifier]) -> Mapping[Identifier, str]:
    """Their ids. The values travel in one text, so that one with its separator cannot; it stands as untracked."""
    return asking.provider.translate([each for each in asked if "|" not in each.value])


def _fetch_records(asking: _Asking) -> None:
    parameters = {**asking.account, "institutions": list(asking.institutions), "most": ROUND}
    while True:
        rows = database.run(asking.connection, "attention/records_due", parameters).fetchall()
        asking.connection.commit()
        if not rows:
            return
        ids, at = [row[0] for row in rows], 0
        while at < len(ids):
            with _turn(asking):
                at += _fetch_some(asking, ids[at : at + asking.provider.records_per_call * RECORD_CALLS])


def _fetch_some(asking: _Asking, ids: Sequence[str]) -> int:
    """Fetches these records in a few calls and commits them; returns how many ids are dealt with."""
    size = asking.provider.records_per_call
    due = {
        row[0]
        for row in database.run(asking.connection, "attention/records_still_due", {**asking.account, "ids": list(ids)})
    }
    asking.connection.commit()
    wanted = [id_ for id_ in ids if id_ in due]
    if not wanted:
        return len(ids)
    calls = _reserve(asking, -(-len(wanted) // size))
    chunks = [wanted[at : at + size] for at in range(0, len(wanted), size)][:calls]
    found: dict[str, Record] = {}
    stopped: StoppedError | None = None
    asked: list[str] = []
    with ThreadPoolExecutor(asking.provider.at_once) as threads:
        for chunk, future in [(chunk, threads.submit(asking.provider.records, chunk)) for chunk in chunks]:
            try:
                found.update(future.result())
                asked += chunk
            except BatchRefusedError as error:
                if size == 1:
                    raise StoppedError(str(error)) from None
                _note_refusal(asking, error)
                asking.provider.records_per_call = 1
            except StoppedError as error:
                stopped = error
    _store(asking, [], [found[id_] for id_ in asked if id_ in found])
    if missing := [id_ for id_ in asked if id_ not in found]:
        reason = "the provider translates to this record, but does not give it"
        database.run(
            asking.connection, "attention/records_missing", {**asking.account, "ids": missing, "reason": reason}
        )
        asking.result.failed += len(missing)
        asking.connection.commit()
    if stopped is not None:
        raise stopped
    if asking.provider.records_per_call != size:
        return 0
    return len(ids) if calls * size >= len(wanted) else list(ids).index(wanted[calls * size])


# One by one


def _ask_singly(asking: _Asking) -> None:
    """Round by round: in each, of every output the next identifier that may be tracked."""
    database.run(asking.connection, "attention/unfetched", asking.account)
    asking.connection.commit()
    with ThreadPoolExecutor(asking.provider.at_once) as threads:
        while planned := _plan(asking, batch=False):
            asking.after, before = 0, asking.result.asked
            while asking.after < planned:
                with _turn(asking):
                    _look_up(asking, threads, _due(asking, planned))
            if asking.result.asked == before:
                return  # others asked for all of it


def _due(asking: _Asking, planned: int) -> Iterator[Identifier]:
    """The identifiers of one turn, as far as the budget grants calls. Raises ``StoppedError``."""
    ends = time.monotonic() + TURN_SECONDS
    while asking.after < planned and time.monotonic() < ends:
        asking.after, asked = _next(asking, asking.after, TURN)
        while asked:
            granted = _reserve(asking, len(asked))
            yield from asked[:granted]
            asked = asked[granted:]


def _look_up(asking: _Asking, threads: ThreadPoolExecutor, asked: Iterator[Identifier]) -> None:
    """Asks for these, a few side by side; each answer is committed as it comes.

    Others wait in a line, so that the next call never waits for our own work. Whoever dies loses what came and is not
    committed: the line at most.
    """
    open_: dict[Future[Found], Identifier] = {}
    stopped: StoppedError | None = None  # by the provider: who waits need not ask any more
    ended: StoppedError | None = None  # by us: what was granted is asked for still
    try:
        while True:
            try:
                while stopped is None and ended is None and len(open_) < asking.provider.line:
                    identifier = next(asked)
                    open_[threads.submit(asking.provider.look_up, identifier)] = identifier
            except StopIteration:
                pass
            except StoppedError as error:
                ended = error
            if stopped is not None:
                open_ = {future: identifier for future, identifier in open_.items() if not future.cancel()}
            if not open_:
                break
            stopped = _answered(asking, open_) or stopped
    finally:
        for future in open_:
            future.cancel()
    if reason := stopped or ended:
        raise reason


def _answered(asking: _Asking, open_: dict[Future[Found], Identifier]) -> StoppedError | None:
    """Stores the answers that are there, and takes them off the open ones; returns why asking has to stop, if it has."""
    stopped: StoppedError | None = None
    done, _ = wait(open_, return_when=FIRST_COMPLETED)
    answers: list[tuple[object, ...]] = []
    found: list[Record] = []
    for future in done:
        identifier = open_.pop(future)
        try:
            answer = future.result()
        except StoppedError as error:
            stopped = error
            continue
        asking.unreadable = asking.unreadable + 1 if answer.answer == "error" else 0
        record = answer.record
        answers.append(
            (identifier.scheme, identifier.value, answer.answer, record and record.altmetric_id, answer.reason)
        )
        if record is not None:
            found.append(record)
    if answers:
        _store(asking, answers, found)
    if asking.unreadable >= MOST_ERRORS and stopped is None:
        message = (
            f"{MOST_ERRORS} answers in a row cannot be used, the last because {answers[-1][4]}; asked again tomorrow"
        )
        stopped = StoppedError(message)
    return stopped


# Storing


def _store(asking: _Asking, answers: Sequence[Sequence[object]], found: Sequence[Record]) -> None:
    """Answers and records, in one transaction."""
    connection = asking.connection
    parameters = {**asking.account, "schemes": list(SCHEMES)}
    if answers:
        _copy(connection, "answer", ANSWERS, answers)
        for name in STORE_ANSWERS:
            database.run(connection, f"attention/{name}", parameters)
    if found:
        _copy(connection, "record", RECORDS, [_row(each) for each in {r.altmetric_id: r for r in found}.values()])
        for name in STORE_RECORDS:
            database.run(connection, f"attention/{name}", parameters)
        if answers:
            database.run(connection, "attention/asked_until", parameters)
    connection.commit()
    kinds = [each[2] for each in answers]
    asking.result.asked += len(answers)
    asking.result.tracked += kinds.count("tracked")
    asking.result.untracked += kinds.count("untracked")
    asking.result.failed += kinds.count("error") + kinds.count("invalid")
    asking.result.records += len(found)
    if asking.result.asked + asking.result.records >= asking.analyze_at:
        # An account that fills up for the first time would be planned as if it were empty: each answer then reads all others.
        connection.execute(f"analyze {', '.join(FILLED)}")
        connection.commit()
        asking.analyze_at *= 4


def _copy(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    connection.execute(f"truncate {table}")  # one of our two
    statement = f"copy {table} ({', '.join(columns)}) from stdin"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
    if len(rows) > TURN:
        connection.execute(f"analyze {table}")


def _row(record: Record) -> tuple[object, ...]:
    sources = [
        {"source": name, "accounts": each.accounts, "posts": each.posts}
        for name, each in sorted(record.sources.items())
    ]
    seen = repr((record.score, record.mentions, sorted(record.readers.items()), sources))
    posts = record.posts and [
        {
            "source": each.source, "mention": each.key, "outlet": each.outlet, "link": each.link,
            "posted_at": each.posted_at and each.posted_at.isoformat(),
        }
        for each in record.posts
    ]  # fmt: skip
    return (
        record.altmetric_id,
        uuid.UUID(bytes=hashlib.blake2b(seen.encode(), digest_size=16).digest()),
        record.type,
        record.score,
        record.mentions,
        sum(record.readers.values()),
        Jsonb(dict(record.readers)),
        Jsonb(dict(record.cohorts)),
        Jsonb({name: float(gained) for name, gained in record.gained.items()}),
        record.citations,
        record.details_url,
        record.badge_url,
        record.last_mentioned_at,
        Jsonb(sources),
        Jsonb([{"scheme": each.scheme, "value": each.value, "derived": each.derived} for each in record.named]),
        None if posts is None else Jsonb(list(posts)),
    )
