"""A large university on Symplectic Elements, for the benchmark: publications as large as real ones, in its own process.

``python benchmarks/elements_server.py PUBLICATIONS`` prints the address and serves until its standard input ends. A
publication is made like captured ones: records of five databases with their authors, abstracts, keywords and links,
labels, and the records of the journal beside them; 47 kB when indented, as captured answers are.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "plugins"), str(Path(__file__).resolve().parents[1])]

from lxml import etree

from simulators.elements import API, Elements, Group, Link, Publication, University, User, _Item

SOURCES = {
    "scopus": "2-s2.0-{}",
    "wos": "WOS:{:015}",
    "crossref": "10.5555/laputa.{}",
    "pubmed": "{}",
    "dimensions": "pub.{}",
}
AUTHORS, AUTHORS_WHERE_COMPACT = 16, 54  # on each record: 47 kB either way
WORDS = ("tides", "rope", "islands", "lodestones", "music", "spheres", "flappers", "comets", "shadows", "geometry")
PUBLICATIONS_OF_A_PERSON, LINKS, PEOPLE_IN_A_GROUP = 10, 3, 40


def _field(name: str, kind: str, inner: str) -> str:
    return f'<api:field name="{name}" type="{kind}" display-name="{name.title()}">{inner}</api:field>'


def _record(number: int, place: int, source: str, authors: int) -> str:
    doi = f"10.5555/laputa.{number}"
    people = "".join(
        f"<api:person><api:last-name>Projector{(number * 7 + each) % 9973}</api:last-name>"
        f"<api:initials>A{each}</api:initials></api:person>"
        for each in range(authors)
    )
    words = " ".join(f"{WORDS[(number + each * 3) % 10]} and {WORDS[(each * 7) % 10]};" for each in range(40))
    links = f'<api:links><api:link type="doi" href="http://dx.doi.org/{doi}"/></api:links>'
    keywords = "".join(f"<api:keyword>{word} &amp; {number % 90}</api:keyword>" for word in WORDS)
    fields = [
        _field("abstract", "text", f"<api:text>Of {words}</api:text>"),
        _field("authors", "person-list", f"<api:people>{people}</api:people>"),
        _field("author-url", "text", f"<api:text>http://gateway.laputa.example/{source}?KeyUT={number}&amp;x=1</api:text>"),
        _field("doi", "text", f"<api:text>{doi}</api:text>{links}"),
        _field("issn", "text", "<api:text>1234-5679</api:text>"),
        _field("journal", "text", f"<api:text>Transactions of the Flying Island {number % 200}</api:text>"),
        _field("keywords", "keyword-list", f"<api:keywords>{keywords}</api:keywords>"),
        _field("language", "text", "<api:text>English</api:text>"),
        _field("pagination", "pagination", "<api:pagination><api:begin-page>1</api:begin-page></api:pagination>"),
        _field("publication-date", "date", f"<api:date><api:year>{2000 + number % 26}</api:year></api:date>"),
        _field("publication-status", "text", "<api:text>Published</api:text>"),
        _field("title", "text", f"<api:text>On {WORDS[number % 10]} and {WORDS[number // 10 % 10]}, part {number}</api:text>"),
        _field("volume", "text", f"<api:text>{number % 70}</api:text>"),
    ]  # fmt: skip
    return (
        f'<api:record format="native" id="{number * 10 + place}" source-id="{place}" source-name="{source}"'
        f' source-display-name="{source}" id-at-source="{SOURCES[source].format(number)}"><api:native>'
        f"{''.join(fields)}</api:native></api:record>"
    )


def inner_of(number: int, *, indented: bool) -> str:
    """What stands within the object of a publication."""
    authors = AUTHORS if indented else AUTHORS_WHERE_COMPACT
    records = "".join(_record(number, place, source, authors) for place, source in enumerate(SOURCES, 1))
    labels = "".join(
        f'<api:keyword origin="record-data" source="{source}">{word}</api:keyword>'
        for source in SOURCES
        for word in WORDS
    )
    journal = "".join(
        f'<api:record source-name="{name}"><api:native>{_field("doi", "text", "<api:text>10.5555/journal</api:text>")}'
        f"<api:title>Transactions of the Flying Island</api:title></api:native></api:record>"
        for name in ("era2012", "snip", "science-metrix")
    )
    made = (
        f"<api:ever-approved>true</api:ever-approved><api:privacy-level>Public</api:privacy-level>"
        f"<api:records>{records}</api:records><api:fields/><api:all-labels><api:keywords>{labels}</api:keywords></api:all-labels>"
        f'<api:journal issn="1234-5679"><api:records>{journal}</api:records></api:journal>'
    )
    if not indented:
        return made
    root = etree.fromstring(f'<api:object xmlns:api="{API}">{made}</api:object>')
    etree.indent(root, "    ", level=1)
    text = etree.tostring(root, encoding="unicode")
    return text[text.index(">") + 1 : text.rindex("<")]


class Large(Elements):
    """The simulator, whose publications are as large as real ones; with few that differ, since making them takes long."""

    def __init__(self, university: University, *, indented: bool = True) -> None:
        super().__init__(university)
        self.indented = indented
        marked = inner_of(10_101_010, indented=indented)
        self._pieces = marked.split("10101010")

    def _publication(self, publication: Publication, *, full: bool) -> _Item:
        if not full:
            return super()._publication(publication, full=False)
        own = ' type-id="5" type="journal-article"'
        return _Item(
            publication.id, self._object("publication", publication, publication.id.join(self._pieces), own), ""
        )


def university(publications: int) -> University:
    """People, groups, and publications that three people each wrote; ids have as many digits as they need."""
    place = University("Laputa")
    people = max(LINKS, publications // PUBLICATIONS_OF_A_PERSON)
    groups = max(1, people // PEOPLE_IN_A_GROUP)
    place.groups = {str(n): Group(str(n), f"Department {n}", ("1",) if n > 1 else ()) for n in range(1, groups + 1)}
    for number in range(1, people + 1):
        key = str(number)
        place.put_user(User(key, f"Projector{number}", "Ada", groups=frozenset({str(1 + number % groups)})))
    for number in range(1, publications + 1):
        place.put(Publication(str(number)))
        for turn in range(LINKS):
            user = str(1 + (number * 7 + turn * 11) % people)
            key = str(LINKS * number + turn)
            place.links[key] = Link(key, str(number), user, modified=place.now())
    return place


def serve() -> None:
    """Serves until nobody holds the other end of standard input."""
    simulator = Large(university(int(sys.argv[1])))
    with simulator.serve():
        print(simulator.base, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    serve()
