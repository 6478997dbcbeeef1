"""Who is asked for attention: the Details Page API, or a file of records. No database here.

A provider looks up one identifier at a time; one that also takes batches translates many identifiers into its own ids and
gives many records by these. Those ids are transient: they are attributes, never keys.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import shutil
import sqlite3
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from math import ceil
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

from explorer import attention_records as records
from explorer.attention_records import LONGEST_NAME, MalformedError, Record
from explorer.connections import ConnectionUnusableError
from explorer.polite_http import LONGEST_BACKOFF, Limits, PoliteSession, ServerError
from explorer.records import Identifier
from explorer.sources import SourceError

if TYPE_CHECKING:
    from explorer.connections import Connection
    from explorer.polite_http import Answer

OLD_TOO_MANY = 420  # what some answer in the place of 429
IDENTIFIERS_AT_ONCE = 100_000
RECORDS_AT_ONCE = 100
MALFORMED_TRIES = 3
LINE_SECONDS = 2.0  # for so long our own work may take without delaying a call
LONGEST_LINE = 64
MOST_BYTES = 20 * 1024 * 1024
# Whose data it is, as it stands wherever attention shows.
SOURCES: Mapping[str, str] = {
    "details_page": "Altmetric (https://www.altmetric.com)",
    "file": "Altmetric (https://www.altmetric.com), from a file",
}
REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
BATCH_REFUSALS = REFUSALS | {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
INVALID = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_URI_TOO_LONG, HTTPStatus.UNPROCESSABLE_ENTITY})
REMAINING = ("X-HourlyRateLimit-Remaining", "X-DailyRateLimit-Remaining")
TWEETS_REMAINING = "X-TweetIDRateLimit-Remaining"


class StoppedError(Exception):
    """Asking cannot go on for now; the message says why and what to do."""

    state = "error"


class KeyRefusedError(StoppedError):
    """The provider does not accept our key."""

    state = "refused"


class QuotaError(StoppedError):
    """The provider's quota is used up."""

    state = "quota"


class BatchRefusedError(Exception):
    """The provider answers single calls, but not this kind of batch."""


@dataclass(frozen=True, slots=True)
class Account:
    """With whom we ask: answers are kept by account, since licences differ. ``version`` changes with a file's content."""

    name: str
    provider: str
    licence: str | None = None
    expires_at: datetime | None = None
    version: str | None = None

    @property
    def ended(self) -> str | None:
        """Why nothing may be asked or kept any more, where its licence is over."""
        if self.expires_at is None or self.expires_at > datetime.now(UTC):
            return None
        return (
            f"the licence to the provider's data ended on {self.expires_at:%Y-%m-%d}, and what it delivered is dropped. Where"
            " there is a new one, write when it ends into `expires` in the extra of the Airflow connection `attention`"
        )

    @property
    def source(self) -> str:
        """Whose data it is, for people."""
        return SOURCES[self.provider]


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to one identifier: a record, or ``untracked``, ``invalid`` or ``error`` with a reason."""

    answer: str
    record: Record | None = None
    reason: str | None = None


class Provider(Protocol):
    """What every provider can do. ``calls`` counts what was asked of it so far, repetitions too."""

    account: Account
    batch: bool
    at_once: int  # single look-ups side by side
    line: int  # single look-ups that are under way or wait for their turn
    calls_per_day: int | None
    identifiers_per_call: int
    records_per_call: int
    calls: int
    remark: str | None  # what people should know of the answers

    def look_up(self, identifier: Identifier) -> Found:
        """One identifier. Raises ``StoppedError``."""

    def translate(self, asked: Sequence[Identifier]) -> Mapping[Identifier, str]:
        """The provider's ids of those that are tracked. Raises ``BatchRefusedError``, ``StoppedError``."""

    def records(self, ids: Sequence[str]) -> Mapping[str, Record]:
        """Records by the provider's ids; one may lack. Raises ``BatchRefusedError``, ``StoppedError``."""

    def close(self) -> None:
        """Gives back what it holds."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the connection's extra says of the licence: how hard and how much may be asked."""

    calls_per_second: float = 1.0
    calls_per_day: int | None = None
    at_once: int = 2
    batch: bool = True
    mentions: bool = False
    exclude_sources: str | None = None
    retries: int = 5
    backoff: float = 1.0
    timeout: float = 60.0
    encode: bool = True
    licence: str | None = None
    account: str | None = None
    expires: datetime | None = None
    allow_http: bool = False
    allow_private_hosts: bool = False


def terms(connection: Connection) -> Terms:
    """The terms as written in the connection's ``extra``. Raises ``ConnectionUnusableError`` for a word it has not."""
    stated = dict(connection.extra)
    known = Terms.__dataclass_fields__
    if unknown := sorted(stated.keys() - known.keys()):
        message = (
            f"the Airflow connection `{connection.id}` has `{unknown[0]}` in its extra; allowed: {', '.join(known)}"
        )
        raise ConnectionUnusableError(message)
    try:
        for name in ("calls_per_second", "backoff", "timeout"):
            if name in stated:
                stated[name] = float(stated[name])
        for name in ("calls_per_day", "at_once", "retries"):
            if stated.get(name) is not None:
                stated[name] = int(stated[name])
        if stated.get("expires"):
            stated["expires"] = datetime.fromisoformat(stated["expires"]).astimezone(UTC)
        made = Terms(**stated)
    except (TypeError, ValueError) as error:
        message = f"the Airflow connection `{connection.id}` has an extra that cannot be read: {error}"
        raise ConnectionUnusableError(message) from None
    if made.calls_per_second <= 0 or made.at_once < 1 or made.retries < 0 or (made.calls_per_day or 0) < 0:
        message = f"the Airflow connection `{connection.id}` has a number in its extra that is too small"
        raise ConnectionUnusableError(message)
    return made


class DetailsPage:
    """The Details Page API. The key is a query parameter, so no message of ours holds a URL with its query."""

    def __init__(self, connection: Connection, *, secret: bytes) -> None:
        if not connection.password:
            message = (
                f"the Airflow connection `{connection.id}` has no password: put the API key there; every call needs one"
            )
            raise ConnectionUnusableError(message)
        self.terms = terms(connection)
        self._key = connection.password
        self._parameters = {"key": self._key}
        if self.terms.mentions and self.terms.exclude_sources:  # say twitter: the quota of tweet ids is small
            self._parameters["exclude_sources"] = self.terms.exclude_sources
        base = connection.base_url
        self._base = base if base.endswith("/v1") else f"{base}/v1"
        digest = hashlib.blake2b(f"{self._base}\0{self._key}".encode(), key=secret[:64], digest_size=8).hexdigest()
        self.account = Account(
            f"details_page:{self.terms.account or digest}", "details_page", self.terms.licence, self.terms.expires
        )
        self.batch = self.terms.batch
        self.at_once = self.terms.at_once
        self.line = max(2 * self.at_once, min(LONGEST_LINE, ceil(LINE_SECONDS * self.terms.calls_per_second)))
        self.calls_per_day = self.terms.calls_per_day
        self.identifiers_per_call = IDENTIFIERS_AT_ONCE
        self.records_per_call = 1 if self.terms.mentions else RECORDS_AT_ONCE
        self.calls = 0
        self.remark: str | None = None
        self._over: StoppedError | None = None  # why nobody may ask any more
        self._lock = threading.Lock()
        self._session = PoliteSession(
            Limits(
                requests_per_second=self.terms.calls_per_second,
                connections=self.terms.at_once,
                retries=self.terms.retries,
                backoff=self.terms.backoff,
                read_timeout=self.terms.timeout,
                body_timeout=self.terms.timeout,
                max_bytes=MOST_BYTES,
            ),
            allow_http=self.terms.allow_http,
            allow_private_hosts=self.terms.allow_private_hosts,
        )

    def close(self) -> None:
        """Gives the connections back."""
        self._session.close()

    def look_up(self, identifier: Identifier) -> Found:
        """``GET /v1/{type}/{id}``, or ``/v1/fetch/…`` where mentions are wanted. Raises ``StoppedError``."""
        value = quote(identifier.value, safe="/") if self.terms.encode else identifier.value
        if not {".", ".."}.isdisjoint(value.split("/")):
            value = value.replace("/", "%2F")  # else the path is tidied up, and somebody else's identifier asked for
        reason = ""
        for _ in range(MALFORMED_TRIES):
            answer = self._ask("GET", f"{self._prefix}/{identifier.scheme}/{value}")
            if answer.status in REFUSALS:
                raise self._refused(answer)
            if answer.status == HTTPStatus.NOT_FOUND:
                return Found("untracked")
            if answer.status in INVALID:
                return Found("invalid", reason=f"the provider answers HTTP {answer.status} to it")
            if answer.status != HTTPStatus.OK:
                return Found("error", reason=f"the provider answers HTTP {answer.status}")
            try:
                record = records.record(records.decoded(answer.body))
            except MalformedError as error:
                reason = str(error)
                continue
            if record.contradicts(identifier):
                return Found("error", reason="the record that came names another identifier of this kind")
            return Found("tracked", record)
        return Found("error", reason=reason)

    def translate(self, asked: Sequence[Identifier]) -> Mapping[Identifier, str]:
        """``POST /v1/translate``: types are detected there, so the values alone are sent."""
        answer = self._batch("POST", f"{self._base}/translate", form={"ids": "|".join({i.value: 0 for i in asked})})
        if not isinstance(answer, dict):
            message = "the provider's translation is not a table of ids: it is asked again tomorrow"
            raise StoppedError(message)
        exactly = {each.value for each in asked}  # of two Handles that differ in case each has its own answer
        lower = {key.lower(): value for key, value in answer.items() if key not in exactly}
        found = {each: answer.get(each.value, lower.get(each.value.lower())) for each in asked}
        return {
            each: str(value)
            for each, value in found.items()
            if isinstance(value, str | int)
            and str(value).isascii()
            and str(value).isdigit()
            and len(str(value)) <= LONGEST_NAME
        }

    def records(self, ids: Sequence[str]) -> Mapping[str, Record]:
        """``GET /v1/id/1,2,3``: a list of results, or the bare object of one id."""
        if self.terms.mentions:
            return {id_: record for id_ in ids if (record := self.look_up(Identifier("id", id_)).record)}
        answer = self._batch("GET", f"{self._base}/id/{','.join(ids)}", single=len(ids) == 1)
        rows = answer.get("results", [answer]) if isinstance(answer, dict) else []
        found: dict[str, Record] = {}
        for row in rows if isinstance(rows, list) else ():
            try:
                record = records.record(row)
            except MalformedError:
                continue  # as if it lacked: it is asked for again
            found[record.altmetric_id] = record
        return found

    @property
    def _prefix(self) -> str:
        return f"{self._base}/fetch" if self.terms.mentions else self._base

    def _batch(self, method: str, url: str, *, form: Mapping[str, str] | None = None, single: bool = False) -> Any:  # noqa: ANN401
        reason = ""
        for _ in range(MALFORMED_TRIES):
            answer = self._ask(method, url, form)
            if single and answer.status == HTTPStatus.NOT_FOUND:
                return {}
            if single and answer.status in REFUSALS:
                raise self._refused(answer)
            if answer.status in BATCH_REFUSALS:
                message = f"{urlsplit(url).path.split('/')[2]} answers HTTP {answer.status}"
                raise BatchRefusedError(message)
            if answer.status != HTTPStatus.OK:
                message = f"the provider answers HTTP {answer.status} to a batch; what was answered before is kept"
                raise StoppedError(message)
            try:
                return records.decoded(answer.body)
            except MalformedError as error:
                reason = str(error)
        message = f"the provider's answer to a batch cannot be read: {reason}; what was answered before is kept"
        raise StoppedError(message)

    def _ask(self, method: str, url: str, form: Mapping[str, str] | None = None) -> Answer:
        """One call, with the waiting that it needs."""
        for attempt in range(self.terms.retries + 1):
            with self._lock:
                if self._over:
                    raise self._over
            try:
                answer = self._session.request(method, url, params=self._parameters, form=form)
            except ServerError as error:
                if error.answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                    raise QuotaError(_too_many(error.answer.status)) from None
                message = f"the provider keeps answering HTTP {error.answer.status}; it is asked again later"
                raise StoppedError(message) from None
            except SourceError as error:
                raise StoppedError(str(error).replace(self._key, "…")) from None
            finally:
                with self._lock:
                    self.calls = self._session.calls
            if answer.status != OLD_TOO_MANY:
                self._note_limits(answer)
                return answer
            if attempt < self.terms.retries:
                time.sleep(_wait(answer, self.terms.backoff * 2**attempt))
        raise QuotaError(_too_many(OLD_TOO_MANY))

    def _note_limits(self, answer: Answer) -> None:
        """A quota that the answer calls used up ends the asking before the next call."""
        names = (*REMAINING, *([TWEETS_REMAINING] if self.terms.mentions else []))
        for name in names:
            if answer.headers.get(name, "").strip() == "0":
                with self._lock:
                    self._over = QuotaError(
                        f"the provider says that its quota is used up ({name}: 0); the rest is asked later"
                    )

    def _refused(self, answer: Answer) -> KeyRefusedError:
        refused = KeyRefusedError(
            f"the provider refuses the key of the Airflow connection `attention` (HTTP {answer.status}): check the key"
            " in its password, and that its licence includes this call"
        )
        with self._lock:
            self._over = refused
        return refused


def _too_many(status: int) -> str:
    return (
        f"the provider keeps answering that it is asked too often (HTTP {status}); the rest is asked later. If it stays,"
        " lower calls_per_second in the extra of the Airflow connection `attention`"
    )


def _wait(answer: Answer, otherwise: float) -> float:
    stated = answer.headers.get("Retry-After", "")
    return min(float(stated) if stated.isdigit() else otherwise, LONGEST_BACKOFF)


class RecordsFile:
    """A file of JSON Lines, plain or gzip: a provider's dump, or an earlier export.

    It is read to its end once, when the first identifier is asked for; the index of it lies on disk, not in memory. The
    last of several lines of a record counts. Lines that hold no record are counted, and remarked on.
    """

    batch = True
    at_once = 1
    line = 2
    calls_per_day: int | None = None
    identifiers_per_call = IDENTIFIERS_AT_ONCE
    records_per_call = 1000

    def __init__(self, path: Path, institution: str) -> None:
        """Raises ``ConnectionUnusableError`` where it cannot be read."""
        self.path = path
        self.calls = 0
        self.remark: str | None = None
        self._index: sqlite3.Connection | None = None
        try:
            self._file: IO[bytes] = path.open("rb")
            version = hashlib.file_digest(self._file, "sha256").hexdigest()
        except OSError as error:
            message = f"the file of attention records {path} cannot be read: {error.strerror}"
            raise ConnectionUnusableError(message) from None
        self.account = Account(f"file:{institution}", "file", version=version)

    def translate(self, asked: Sequence[Identifier]) -> Mapping[Identifier, str]:
        """Those that stand in the file. Raises ``StoppedError`` where it holds nothing that can be read."""
        index = self._read()
        statement = "select id from named where scheme = ? and value = ?"
        found = {each: index.execute(statement, (each.scheme, records.folded(each))).fetchone() for each in asked}
        return {each: row[0] for each, row in found.items() if row}

    def records(self, ids: Sequence[str]) -> Mapping[str, Record]:
        """Records, read from their lines."""
        index = self._read()
        found: dict[str, Record] = {}
        for id_ in ids:
            if row := index.execute("select place from line where id = ?", (id_,)).fetchone():
                self._file.seek(row[0])
                found[id_] = records.record(records.decoded(self._file.readline(MOST_BYTES)))
        return found

    def look_up(self, identifier: Identifier) -> Found:
        """One identifier, as if it were asked for alone."""
        ids = self.translate([identifier])
        found = self.records(list(ids.values()))
        return Found("tracked", next(iter(found.values()))) if found else Found("untracked")

    def close(self) -> None:
        """Gives the file back, and the index."""
        self._file.close()
        if self._index is not None:
            self._index.close()

    def _read(self) -> sqlite3.Connection:
        """The index of the file, made when it is first wanted: where the line of each record is, and what it names."""
        if self._index is None:
            index = sqlite3.connect("", check_same_thread=False)  # a file of its own that nobody else sees
            index.execute("create table line (id text primary key, place integer) without rowid")
            index.execute(
                "create table named (scheme text, value text, id text, primary key (scheme, value)) without rowid"
            )
            unreadable, first, lines = 0, "", 0
            for number, place, line in self._lines():
                try:
                    record = records.record(records.decoded(line.removeprefix(codecs.BOM_UTF8)))
                except MalformedError as error:
                    unreadable += 1
                    first = first or f"line {number}: {str(error).replace('the answer', 'it')}"
                    continue
                lines += 1
                index.execute("insert or replace into line values (?, ?)", (record.altmetric_id, place))
                for each in record.named:
                    row = (each.scheme, records.folded(each), record.altmetric_id)
                    or_what = "ignore" if each.derived else "replace"  # an alias gives way to what another record names
                    index.execute(f"insert or {or_what} into named values (?, ?, ?)", row)
            if unreadable:
                lines_hold = "1 line" if unreadable == 1 else f"{unreadable:,} lines"
                self.remark = f"{lines_hold} of the file of attention records without a record, the first in {first}"
            if not lines:
                index.close()
                message = (
                    f"the file of attention records {self.path.name} holds no record; it should hold one on each line"
                )
                raise StoppedError(f"{message} ({first})" if first else message)
            self._index = index
        return self._index

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        """Number, place and content of each line that is not empty; of one that is too long, its beginning."""
        self._file.seek(0)
        if self._file.read(2) == b"\x1f\x8b":
            self._file = self._unpacked(self._file)
        self._file.seek(0)
        number = place = 0
        while line := self._file.readline(MOST_BYTES):
            number += 1
            length = len(line)
            while not line.endswith(b"\n") and (rest := self._file.readline(MOST_BYTES)):
                length += len(rest)
                if rest.endswith(b"\n"):
                    break
            if line.strip():
                yield number, place, line
            place += length

    def _unpacked(self, packed: IO[bytes]) -> IO[bytes]:
        """The same without compression, as a file that nobody else sees."""
        plain = tempfile.TemporaryFile()  # noqa: SIM115 - held until close
        packed.seek(0)
        try:
            with packed, gzip.open(packed) as stream:
                shutil.copyfileobj(stream, plain, 1024 * 1024)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            plain.close()
            message = f"the file of attention records {self.path.name} is broken gzip ({error}): get it again"
            raise StoppedError(message) from None
        return plain
