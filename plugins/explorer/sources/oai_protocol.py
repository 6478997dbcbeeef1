"""OAI-PMH 2.0 over HTTP: one request, one document, every failure a sentence."""

from __future__ import annotations

import time
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING

from explorer.polite_http import Answer, PoliteSession, ServerError, shown
from explorer.sources import SourceError
from explorer.sources.oai_xml import Document, Identity, ListedSet, NotOaiError, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TRIES = 3  # of an answer that breaks off, or of an error that the protocol does not know
MOST_PAGES = 10_000  # of a list that is read whole (sets)

SENTENCES: Mapping[str, str] = {
    "badArgument": "The repository refuses a part of the request",
    "badResumptionToken": "The repository no longer knows the resumption token",
    "badVerb": "The repository does not know the request",
    "cannotDisseminateFormat": "The repository does not offer this format; set source.metadata_prefix to one it offers",
    "idDoesNotExist": "The repository has no such record",
    "noMetadataFormats": "The repository offers no format for this",
    "noRecordsMatch": "The repository has no such records",
    "noSetHierarchy": "The repository has no sets",
}
STATUSES: Mapping[int, str] = {
    401: "wants a login: ask its administrators to open OAI-PMH to us",
    403: "refuses us: ask its administrators to let us in, or set politeness.user_agent to a name that they accept",
    404: "is not there: check source.url, the OAI-PMH base URL",
    410: "is gone: ask for the new OAI-PMH base URL",
}


class OaiError(SourceError):
    """The repository answered with errors of the protocol; ``codes`` has all of them."""

    def __init__(self, where: str, document: Document) -> None:
        """``where``: the address as it may be shown."""
        self.codes = frozenset(each.code for each in document.problems)
        known = next((each.code for each in document.problems if each.code in SENTENCES), None)
        told = "; ".join(f"{each.code or 'error'}: {each.text or 'no text'}" for each in document.problems)
        super().__init__(
            f"oai_{known}" if known else "oai_error",
            f"{SENTENCES[known] if known else 'The repository reports an error'} ({told[:500]}) at {where}.",
        )


class OaiRepository:
    """One repository: its base URL and the session that asks it."""

    def __init__(self, url: str, session: PoliteSession) -> None:
        """The session's limits also pace the repeated tries."""
        self.url = url
        self._session = session

    def ask(self, verb: str, arguments: Mapping[str, str] | None = None) -> Document:
        """The answer to a verb. No such records is an empty one; any other error raises ``OaiError``."""
        params = {"verb": verb, **(arguments or {})}
        where = shown(f"{self.url}?verb={verb}")
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            try:
                document = self._document(params, where)
            except NotOaiError as error:
                passing = error.code == "broken_xml" or "resumptionToken" in params  # it did answer before
                if not passing or last:
                    raise
            else:
                codes = {each.code for each in document.problems}
                holds = document.records or document.sets or document.token
                passing = document.truncated or (bool(codes) and codes.isdisjoint(SENTENCES) and not holds)
                if not passing or last:
                    return _sound(document, where)
            self.pause(attempt)
        raise AssertionError("the last try returns or raises")  # pragma: no cover

    def pause(self, attempt: int) -> None:
        """Waits before one more try, longer each time."""
        time.sleep(self._session.limits.backoff * 2**attempt)

    def pages(self, verb: str) -> Iterator[Document]:
        """All pages of a list that is read in one go."""
        document = self.ask(verb)
        yield document
        seen: set[str] = set()
        while document.token and document.token not in seen and len(seen) < MOST_PAGES:
            seen.add(document.token)
            document = self.ask(verb, {"resumptionToken": document.token})
            yield document

    def sets(self) -> Sequence[ListedSet]:
        """All sets. Raises ``OaiError``, with ``noSetHierarchy`` where there are none."""
        return [each for document in self.pages("ListSets") for each in document.sets]

    @cached_property
    def identity(self) -> Identity:
        """Identify. Raises ``SourceError``."""
        found = self.ask("Identify").identity
        if found is None:
            raise SourceError("not_oai", f"{shown(self.url)} answers Identify with something else: check source.url.")
        return found

    def get(self, url: str, *, accept: str | None = None) -> Answer:
        """Any other address of the same system. Raises ``SourceError``."""
        return self._session.get(url, accept=accept)

    def _document(self, params: Mapping[str, str], where: str) -> Document:
        try:
            answer = self._session.get(self.url, params)
        except ServerError as error:
            document = _document_within(error.answer)
            if document is None or not document.problems:
                raise
            return document
        if answer.status >= HTTPStatus.BAD_REQUEST:
            document = _document_within(answer)
            if document is None:
                told = STATUSES.get(answer.status, "does not take our request: check source.url")
                raise SourceError(f"http_{answer.status}", f"{where} answers HTTP {answer.status}: it {told}.")
            return document
        try:
            return parse(answer.body)
        except NotOaiError as error:
            raise NotOaiError(error.code, f"{where}: {error}") from error


def _document_within(answer: Answer) -> Document | None:
    """OAI-PMH errors that came with an HTTP error (Zenodo: 422); None where the body is anything else."""
    try:
        return parse(answer.body)
    except NotOaiError:
        return None


def _sound(document: Document, where: str) -> Document:
    codes = {each.code for each in document.problems}
    if codes and codes != {"noRecordsMatch"} and not document.records:
        raise OaiError(where, document)
    return document
