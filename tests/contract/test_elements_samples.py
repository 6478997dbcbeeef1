"""Captured answers of Elements: what the parser makes of them, against counts made by XPath and by hand."""

import csv
import re
from pathlib import Path

import pytest
from lxml import etree

from explorer.records import Author, Output
from explorer.sources import elements_records as records
from explorer.sources.elements_records import Levels
from explorer.sources.elements_xml import AnsweredError, NotElementsError, moment, parse, version
from simulators.elements import Elements, Link, Publication, Record, University, User
from simulators.serving import Call
from tests.samples import sample

NAMES = {"api": "http://www.symplectic.co.uk/publications/api", "atom": "http://www.w3.org/2005/Atom"}
GOLDEN = Path(__file__).with_name("golden_elements.csv")
ROWS = list(csv.DictReader(GOLDEN.read_text("utf-8").splitlines()))
# An own record of a publication: not that of a journal, nor of a user.
OWN = "//api:object[@category='publication']/api:records/api:record/api:native/api:field"


def count(tree, path: str) -> int:
    return int(tree.xpath(f"count({path})", namespaces=NAMES))


def counted(file: Path) -> dict[str, str]:
    """A file in figures, without our parser."""
    tree = etree.parse(file)
    dois = set()
    for each in tree.xpath(f"{OWN}[@name='doi']/api:text", namespaces=NAMES):
        found = re.match(r"(?i)(?:doi:)?(10\.\d{4,9}/\S+)$", each.text.strip())
        if found:
            dois.add((each.xpath("string(ancestor::api:object[1]/@id)", namespaces=NAMES), found[1].lower()))
    drafts = tree.xpath("//api:object/api:records/api:record[@source-name='arxiv']", namespaces=NAMES)
    arxiv = [  # one has an id that is none of arXiv's: arxiv:000240018600026
        each.xpath("string(ancestor::api:object[1]/@id)", namespaces=NAMES)
        for each in drafts
        if re.fullmatch(r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}", each.get("id-at-source", ""))
    ]
    return {
        "schema": tree.xpath("string(//api:schema-version)", namespaces=NAMES),
        "product": tree.xpath("string(/*/atom:generator/@version)", namespaces=NAMES),
        "next": str(count(tree, "//api:page[@position='next']")),
        "publications": str(count(tree, "//api:object[@category='publication'][not(ancestor::api:relationship)]")),
        "users": str(count(tree, "//api:object[@category='user'][not(ancestor::api:relationship)]")),
        "relationships": str(count(tree, "//api:relationship")),
        "with_title": str(
            count(tree, "//api:object[@category='publication'][not(ancestor::api:relationship)]"
                        "[api:records/api:record/api:native/api:field[@name='title']/api:text[normalize-space()]]")
        ),
        "with_year": str(
            count(tree, "//api:object[@category='publication'][not(ancestor::api:relationship)]"
                        "[api:records/api:record/api:native/api:field[@type='date']/api:date/api:year]")
        ),
        "dois": str(len(dois) if not count(tree, "//api:relationship") else 0),
        "with_arxiv": str(len(set(arxiv)) if not count(tree, "//api:relationship") else 0),
    }  # fmt: skip


def read(file: Path) -> dict[str, str]:
    """The same figures, from our parser."""
    document = parse(file.read_bytes())
    levels = Levels(version(document.product), version(document.schema))
    of = {kind: [each for each in document.results if each.get("category") == kind] for kind in ("publication", "user")}
    outputs: list[Output] = [records.output(each, levels) for each in of["publication"]]
    authors = [records.author(each, levels) for each in of["user"]]
    stated = [(o.key, i) for o in outputs for i in o.identifiers if not i.derived]
    own = {(key, i.value) for key, i in stated if i.scheme == "doi"}
    return {
        "schema": document.schema or "",
        "product": document.product or "",
        "next": "0" if document.next is None else "1",
        "publications": str(len(outputs)),
        "users": str(len([each for each in authors if isinstance(each, Author)])),
        "relationships": str(sum(each.tag.endswith("}relationship") for each in document.results)),
        "with_title": str(sum(each.title is not None for each in outputs)),
        "with_year": str(sum(each.year is not None for each in outputs)),
        "dois": str(len(own)),
        "with_arxiv": str(len({key for key, i in stated if i.scheme == "arxiv"})),
    }


@pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])
def test_golden(row: dict[str, str]):
    """Committed figures, figures by XPath and figures of the parser are the same."""
    file = sample(f"elements/{row['file']}")
    figures = {name: value for name, value in row.items() if name != "file"}
    assert counted(file) == figures
    assert read(file) == figures


def test_every_captured_file_has_its_row():
    folder = sample("elements")
    assert {each.relative_to(folder).as_posix() for each in folder.rglob("*.xml")} == {row["file"] for row in ROWS}


def test_a_relationship_with_a_person_in_full_gives_nothing_personal():
    document = parse(sample("elements/symplectic2eprint/relationship_2002783.xml").read_bytes())
    levels = Levels(version(document.product), version(document.schema))
    (relationship,) = document.results
    assert records.authorship(relationship, levels).level == "public"
    for user in relationship.iterfind(f".//{{{NAMES['api']}}}object[@category='user']"):
        author = records.author(user, levels)
        assert (author.key, author.name) == ("80", "Carberry, Josiah")
        assert author.ids == {"orcid": "0000-0002-1825-0097"}
        for word in ("2009", "jc101", "10000011", "Cambridge"):
            assert word not in repr(author.ids) + author.name
        assert "@" not in repr(author)


def test_a_list_about_one_object_leaves_it_out():
    document = parse(sample("elements/symplectic2eprint/relationships.xml").read_bytes())
    assert [records.ends_of(each) for each in document.results] == [{"user": "80"}, {"user": "258"}]
    document = parse(sample("elements/cul-symplectic-import/relationships.xml").read_bytes())
    assert [records.ends_of(each) for each in document.results] == [{"user": "3357"}]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"<html/>", b"\x00", b"<feed xmlns='http://www.w3.org/2005/Atom'><entry>", b"<!DOCTYPE a><a/>"],
)
def test_what_is_no_answer_is_refused(body: bytes):
    with pytest.raises(NotElementsError):
        parse(body)


def test_times_sort_as_text():
    texts = ("2026-01-30T09:15:00.1+00:00", "2026-01-30T10:15:00.12345678+01:00", "2026-01-30T09:16:00Z", None, "soon")
    assert [moment(each) for each in texts] == [
        "2026-01-30T09:15:00.100000Z", "2026-01-30T09:15:00.123456Z", "2026-01-30T09:16:00.000000Z", None, None,
    ]  # fmt: skip


# What the simulator says is built of what real servers say.

# No captured answer shows these: they follow the schema's definition and what clients read.
UNSEEN = {"is-student", "merge-history", "merge", "merged-object", "merged-into-object"}


def parts(root) -> set[tuple[str, str]]:
    """(parent, element) and (element, @attribute), with namespaces."""
    found = set()
    for each in root.iter(etree.Element):
        above = each.getparent()
        found.add((above.tag if above is not None else "", each.tag))
        found |= {(each.tag, f"@{name}") for name in each.attrib}
    return found


@pytest.mark.parametrize(("schema", "product", "seen"), [("4.9", "5.1", "4.6"), ("5.5", "5.16", "5.5")])
def test_the_simulator_is_built_like_captured_answers(schema: str, product: str, seen: str):
    known: set[tuple[str, str]] = set()
    for file in sorted(sample("elements").rglob("*.xml")):
        known |= parts(etree.parse(file).getroot())
    place = University()
    place.put_user(User("1", "Last", "First", "x@lagado.example", orcid="0000-0002-1825-0097"))
    people = (("Last", "F"),)
    for key in "12":
        record = Record("scopus", "Title", 2020, "Venue", "10.5555/1", "9780306406157", "2-s2.0-1", people)
        place.put(Publication(key, (record,)))
    place.link(Link("1", "1", "1"))
    simulator = Elements(place, schema, product)
    for path, arguments in (
        ("my-account", {}), ("users", {"detail": "full"}), ("users", {"detail": "ref"}), ("users/1", {}),
        ("publications", {"detail": "full", "per-page": "1"}), ("publications/1", {}), ("relationships", {}),
        ("publications/1/relationships", {}),
    ):  # fmt: skip
        call = Call("GET", f"/elements-api/v{schema}/{path}", tuple(arguments.items()))
        made = parts(etree.fromstring(simulator.answer(call).body))
        strange = {pair for pair in made - known if not any(name in part for part in pair for name in UNSEEN)}
        assert strange == set(), path


@pytest.mark.parametrize("schema", ["4.9", "5.5", "6.13"])
def test_an_error_is_told_from_an_empty_list(schema: str):
    simulator = Elements(University(), schema)
    with pytest.raises(AnsweredError, match="resource not found"):
        parse(simulator.answer(Call("GET", f"/elements-api/v{schema}/publications/9")).body)
    empty = parse(simulator.answer(Call("GET", f"/elements-api/v{schema}/publications")).body)
    assert (empty.results, empty.next) == ((), None)
