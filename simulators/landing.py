"""A site of landing pages, good and bad, with a resolver of Handles and rules for robots.

A page is what its number says: ``/page/N`` and the Handle ``12345/N`` are of output N, whose kind is given by ``pages``.
"""

from __future__ import annotations

import html
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

from simulators.serving import TRANSPORT_FAULTS, Answer, Call, Fault, Simulator

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PREFIX = "12345"
TAGS = '<meta name="DC.title" content="T"><meta name="DC.creator" content="A, B"><meta name="DC.date" content="2020">'
# What stands in the head of a page of each kind; {n} is its number, {handle} its Handle.
KINDS: Mapping[str, str] = {
    "good": TAGS + '<meta name="DC.identifier" content="https://hdl.handle.net/{handle}">',
    "highwire": '<meta name="citation_title" content="T"><meta name="citation_doi" content="doi:10.5555/landing.{n}">',
    "bare": "<title>A page</title>",
    "references": TAGS + '<meta name="citation_reference" content="citation_doi=10.5555/other">'
    '<meta name="DC.relation" content="https://doi.org/10.5555/another">',
    "another": TAGS + '<meta name="DC.identifier" content="https://hdl.handle.net/12345/9{n}">',
    "script": '<script src="/app.js"></script>',
}


LATIN = '<html><head><meta name=DC.title content="Zoë"><meta name="DC.identifier" content="10.5555/zoë"></head>'


class LandingPages(Simulator):
    """The site. ``pages``: the kind of each page by number; ``robots``: its robots.txt, None for none."""

    path = ""
    faults_known: ClassVar[Mapping[str, str]] = {
        **TRANSPORT_FAULTS, "pdf": "a PDF", "huge": "a page of 6 MB", "round": "a redirect to itself",
        "inside": "a redirect to a private address", "gone": "410", "refused": "403", "latin": "a page in Latin-1, not said so",
        "scheme": "a redirect to no web address",
    }  # fmt: skip

    def __init__(
        self, pages: Mapping[int, str] | None = None, *, robots: str | None = None, faults: Collection[Fault] = ()
    ) -> None:
        super().__init__(faults)
        self.pages = dict(pages or {})
        self.robots = robots

    def call_name(self, call: Call) -> str:
        """The last part of the path: a page's number, or ``robots.txt``."""
        return call.path.rpartition("/")[2]

    def answer(self, call: Call) -> Answer:
        name = self.call_name(call)
        if name == "robots.txt":
            return _page(self.robots, content_type="text/plain") if self.robots is not None else _missing()
        if not name.isdigit() or int(name) not in self.pages:
            return _missing()
        if call.path.startswith(f"/{PREFIX}/"):
            return _moved(f"/page/{name}")
        struck = {fault.kind for fault in self.faults.strike(name, self.faults_known.keys() - TRANSPORT_FAULTS.keys())}
        made = self._spoilt(struck, call.path)
        return made or _page(document(self.pages[int(name)], int(name)))

    def _spoilt(self, struck: set[str], path: str) -> Answer | None:
        spoilt = {
            "pdf": lambda: Answer(b"%PDF-1.7", content_type="application/pdf"),
            "huge": lambda: _page("<html>" + " " * 6 * 1024 * 1024),
            "round": lambda: _moved(path),
            "inside": lambda: _moved("http://169.254.169.254/latest/meta-data"),
            "scheme": lambda: _moved("file:///etc/passwd"),
            "gone": lambda: Answer(b"", HTTPStatus.GONE, "text/html"),
            "refused": lambda: Answer(b"", HTTPStatus.FORBIDDEN, "text/html"),
            "latin": lambda: Answer(LATIN.encode("latin-1"), content_type="text/html"),
        }  # fmt: skip
        return next((spoilt[kind]() for kind in sorted(struck)), None)


def document(kind: str, number: int) -> str:
    """A page of a kind."""
    head = KINDS[kind].format(n=number, handle=html.escape(f"{PREFIX}/{number}"))
    text = "" if kind == "script" else "<p>" + "words " * 40 + "</p>"
    return f"<!DOCTYPE html><html><head>{head}</head><body>{text}</body></html>"


def _page(text: str | None, content_type: str = "text/html; charset=utf-8") -> Answer:
    return Answer((text or "").encode(), HTTPStatus.OK, content_type)


def _missing() -> Answer:
    return Answer(b"Not Found\n", HTTPStatus.NOT_FOUND, "text/plain")


def _moved(place: str) -> Answer:
    return Answer(b"", HTTPStatus.FOUND, "text/html", {"Location": place})
