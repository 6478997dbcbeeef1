"""What the workers that ask one source share, in the warehouse: turns at each host, and the files last known as sound.

An institution's lists are read side by side by several workers, on one machine or many. Each has one request under way;
when it may send the next one is for the warehouse to say, so that the limit of requests per second holds for all of them
together, and whatever their number.
"""

from __future__ import annotations

import threading
import time
import weakref
from dataclasses import dataclass

import psycopg

from explorer import database
from explorer.sources import KeptFile


class Turns:
    """Turns at hosts, given out by the warehouse. May be used from several threads."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._lock = threading.Lock()
        self._connection: database.Connection | None = None

    def wait(self, host: str, gap: float) -> None:
        """Returns when it is our turn, at least ``gap`` seconds after the turn before. Raises ``psycopg.Error``."""
        with self._lock:
            seconds = self._next(host, gap)
        time.sleep(seconds)

    def _next(self, host: str, gap: float) -> float:
        for last in (False, True):
            try:
                row = database.run(self._open(), "asking/turn", {"host": host, "gap": gap}).fetchall()[0]
                return float(row[0])
            except psycopg.OperationalError:  # the warehouse was started anew: ask it once more
                self._connection = None
                if last:
                    raise
        raise AssertionError("the second try returns or raises")  # pragma: no cover

    def _open(self) -> database.Connection:
        if self._connection is None:
            connection = database.connect(self._dsn, application="explorer turns")
            connection.autocommit = True
            weakref.finalize(self, connection.close)
            self._connection = connection
        return self._connection


@dataclass(frozen=True, slots=True)
class Files:
    """The last sound version of each file that an institution keeps for us."""

    dsn: str
    institution: str

    def get(self, name: str) -> KeptFile | None:
        """The version that is kept under a name, if one is."""
        with database.connect(self.dsn) as connection:
            rows = database.run(connection, "asking/kept_file", self._of(name)).fetchall()
        return KeptFile(bytes(rows[0][0]), str(rows[0][1]), rows[0][2]) if rows else None

    def keep(self, name: str, content: bytes) -> None:
        """Keeps a sound version."""
        with database.connect(self.dsn) as connection:
            database.run(connection, "asking/keep_file", {**self._of(name), "content": content})
            connection.commit()

    def blame(self, name: str, problem: str) -> bool:
        """Says why the file as it is now cannot be used; returns whether an older version is there."""
        with database.connect(self.dsn) as connection:
            found = database.run(connection, "asking/blame_file", {**self._of(name), "problem": problem}).rowcount
            connection.commit()
        return found == 1

    def _of(self, name: str) -> dict[str, object]:
        return {"institution": self.institution, "name": name}
