"""A repository served by pyoai, an OAI-PMH server that is not ours: what we take for the protocol is not only our own idea.

pyoai 2.5.0 makes the answers and the tokens; the class below gives it records. Its oddities: a token is percent-encoded
twice and has no attributes, and the last page has none at all; nowhere does it say how long a list is.
"""

# ruff: noqa: N802, N803 - the names are pyoai's

from __future__ import annotations

import importlib.util
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, make_server

if importlib.util.find_spec("pkg_resources") is None:  # a part of setuptools, which pyoai imports without requiring it
    sys.modules["pkg_resources"] = ModuleType("pkg_resources")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports cgi and pkg_resources
    from oaipmh import common, error, metadata, server

server.cgi = SimpleNamespace(parse_qs=parse_qs)  # it expects the function there, where Python no longer has it

HOST = "127.0.0.1"
FIRST = datetime(2025, 1, 1)
PAGE_SIZE = 100
FACULTIES, SCHOOLS = 5, 150  # more sets than a page holds
SETS: Mapping[str, str] = {
    **{f"f{n}": f"Faculty {n}" for n in range(FACULTIES)},
    **{f"f{n % FACULTIES}:s{n}": f"School {n}" for n in range(SCHOOLS)},
}


@dataclass
class Entry:
    """A record: changed at ``at``, filed in ``set``."""

    number: int
    at: datetime
    set: str
    deleted: bool = False
    title: str = ""

    @property
    def key(self) -> str:
        return f"oai:laputa.example:{self.number}"


@dataclass
class Laputa:
    """What pyoai asks for: a record a minute from `FIRST` on, every tenth deleted."""

    entries: list[Entry]
    asked: list[Mapping[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, count: int) -> Laputa:
        schools = [spec for spec in SETS if ":" in spec]
        return cls(
            [
                Entry(n, FIRST + timedelta(minutes=n), schools[n % SCHOOLS], n % 10 == 0, f"On the flying island, {n}")
                for n in range(count)
            ]
        )

    def identify(self) -> Any:
        return common.Identify(
            "Laputa", "http://laputa.example/oai", "2.0", ["oai@laputa.example"], FIRST, "persistent",
            "YYYY-MM-DDThh:mm:ssZ", ["identity"], toolkit_description=False,
        )  # fmt: skip

    def listMetadataFormats(self, identifier: str | None = None) -> list[tuple[str, str, str]]:
        return [("oai_dc", "http://www.openarchives.org/OAI/2.0/oai_dc.xsd", server.NS_OAIDC)]

    def listSets(self, cursor: int = 0, batch_size: int = PAGE_SIZE) -> list[tuple[str, str, str]]:
        return [(spec, name, "") for spec, name in SETS.items()][cursor : cursor + batch_size]

    def listRecords(self, metadataPrefix: str, cursor: int = 0, batch_size: int = PAGE_SIZE, **which: Any) -> list[Any]:
        return [self._shown(each) for each in self._page(cursor, batch_size, **which)]

    def listIdentifiers(
        self, metadataPrefix: str, cursor: int = 0, batch_size: int = PAGE_SIZE, **which: Any
    ) -> list[Any]:
        return [self._shown(each)[0] for each in self._page(cursor, batch_size, **which)]

    def getRecord(self, metadataPrefix: str, identifier: str) -> Any:
        found = next((each for each in self.entries if each.key == identifier), None)
        if found is None:
            raise error.IdDoesNotExistError(identifier)
        return self._shown(found)

    def _page(
        self,
        cursor: int,
        batch_size: int,
        set: str | None = None,  # noqa: A002 - the protocol's name
        from_: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Entry]:
        if not (set or from_ or until):
            return self.entries[cursor : cursor + batch_size]
        found = [
            each
            for each in self.entries
            if (from_ is None or each.at >= from_)
            and (until is None or each.at <= until)
            and (set is None or f"{each.set}:".startswith(f"{set}:"))
        ]
        return found[cursor : cursor + batch_size]

    @staticmethod
    def _shown(entry: Entry) -> Any:
        header = common.Header(None, entry.key, entry.at, [entry.set], entry.deleted)
        if entry.deleted:
            return header, None, None
        content = {
            "title": [entry.title],
            "creator": [f"Lagado, {'ABC'[entry.number % 3]}."],
            "date": ["1726"],
            "identifier": [f"http://laputa.example/{entry.number}", f"doi:10.5555/laputa.{entry.number}"],
        }
        return header, common.Metadata(None, content), None


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        pass


@contextmanager
def served(repository: Laputa) -> Iterator[str]:
    """The address of pyoai's server over these records, in a thread."""
    registry = metadata.MetadataRegistry()
    registry.registerWriter("oai_dc", server.oai_dc_writer)
    pyoai = server.BatchingServer(repository, metadata_registry=registry, resumption_batch_size=PAGE_SIZE)

    def application(environ: Mapping[str, Any], start_response: Any) -> list[bytes]:
        query = dict(parse_qsl(environ["QUERY_STRING"]))
        repository.asked.append(query)
        body = pyoai.handleRequest(dict(query))
        start_response("200 OK", [("Content-Type", "text/xml; charset=utf-8")])
        return [body]

    with make_server(HOST, 0, application, handler_class=_Quiet) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{http.server_port}/oai"
        finally:
            http.shutdown()
            thread.join()
