"""The client of Elements against its simulator: paging in three dialects, and everything that can go wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from explorer import config
from explorer.config import ElementsSource
from explorer.connections import Connection
from explorer.polite_http import Limits, PoliteSession
from explorer.records import Author, Authorship, Department, Output
from explorer.sources import Plan, SourceError
from explorer.sources.elements import Elements as ElementsReader
from explorer.sources.elements import ElementsApi, source
from simulators.elements import Elements, Group, Link, Publication, Record, University, User, lagado
from simulators.repository import VirtualClock
from simulators.serving import Fault

DIALECTS = [("4.9", "5.1"), ("5.5", "5.16"), ("4.9", "6.2"), ("5.5", "6.2"), ("6.13", "6.13")]
FULL = Plan("full")


@contextmanager
def serving(
    place: University,
    schema: str = "6.13",
    product: str = "6.13",
    password: str = "yahoo",
    policy: str = "public",
    **named,
) -> Iterator[tuple[Elements, ElementsReader]]:
    simulator = Elements(place, schema, product, login="gulliver", password="yahoo")
    limits = Limits(requests_per_second=10_000, backoff=0.0, retries=5)
    with (
        simulator.serve(),
        PoliteSession(limits, allow_http=True, allow_private_hosts=True, auth=("gulliver", password)) as session,
    ):
        settings = ElementsSource(kind="symplectic_elements", connection="laputa", **named)
        yield simulator, ElementsReader(ElementsApi(simulator.base, session, pause=0.0), settings, policy)


def read(reader: ElementsReader, name: str, plan: Plan = FULL) -> list:
    part = next(each for each in reader.parts(plan) if each.name == name)
    return [record for page in reader.read(part, plan, None) for record in page.records]


@pytest.fixture
def place() -> University:
    return lagado(VirtualClock())


@pytest.mark.parametrize(("schema", "product"), DIALECTS)
def test_all_is_read_in_every_dialect(place: University, schema: str, product: str):
    with serving(place, schema, product) as (_, reader):
        outputs, authors = read(reader, "publications"), read(reader, "users")
        links, groups = read(reader, "relationships"), read(reader, "groups")
    assert [each.key for each in outputs] == sorted(place.publications)
    assert {each.key for each in authors} == set(place.users)
    withheld = {each.key for each in authors if each.withheld}
    assert {(each.key, each.output, each.author) for each in links} == {
        (each.id, each.publication, each.user) for each in place.links.values()
    }
    assert {each.key: each.parents for each in groups} == {each.id: each.parents for each in place.groups.values()}
    assert {each.key: set(each.departments) for each in authors if not each.withheld} == {
        each.id: set(each.groups) for each in place.users.values() if each.id not in withheld
    }
    assert not [each for each in authors if each.key in withheld and (each.departments or each.ids)]
    assert all(isinstance(each, Output) for each in outputs)
    assert all(isinstance(each, Author) for each in authors)
    assert all(isinstance(each, Authorship) for each in links)
    assert all(isinstance(each, Department) for each in groups)


def test_a_part_goes_on_behind_its_last_page(place: University):
    with serving(place) as (_, reader):
        part = next(each for each in reader.parts(FULL) if each.name == "publications")
        pages = list(reader.read(part, FULL, None))
        rest = list(reader.read(part, FULL, pages[0].cursor))
    assert [each.records for each in rest] == [each.records for each in pages[1:]]


@pytest.mark.parametrize("schema", ["4.9", "5.5", "6.13"])
@pytest.mark.parametrize("kind", ["next_is_this", "back_to_the_start"])
def test_a_page_that_comes_again_fails_the_list(place: University, schema: str, kind: str):
    place.clock.advance(hours=1)
    with serving(place, schema) as (simulator, reader):
        simulator.faults.add(Fault(kind, "publications", after=1, times=None))
        with pytest.raises(SourceError, match="read before, so the list is incomplete"):
            read(reader, "publications")


@pytest.mark.parametrize("schema", ["4.9", "5.5", "6.13"])
def test_a_link_to_another_host_stays_here_and_is_counted(place: University, schema: str):
    with serving(place, schema) as (simulator, reader):
        simulator.faults.add(Fault("wrong_host", times=None))
        part = next(each for each in reader.parts(FULL) if each.name == "publications")
        pages = list(reader.read(part, FULL, None))
    assert sum(len(page.records) for page in pages) == 60
    assert sum(page.repairs.get("link_to_another_host", 0) for page in pages) >= 2


@pytest.mark.parametrize(("schema", "product"), DIALECTS)
def test_a_relationship_without_both_its_ends_is_no_record_but_is_counted(place: University, schema: str, product: str):
    whole = len(place.links)
    place.links = {**place.links, "lost": Link("lost", "", next(iter(place.users)))}
    with serving(place, schema, product) as (_, reader):
        part = next(each for each in reader.parts(FULL) if each.name == "relationships")
        pages = list(reader.read(part, FULL, None))
    assert sum(len(page.records) for page in pages) == whole
    assert sum(page.repairs.get("left_out_of_relationships", 0) for page in pages) == 1


@pytest.mark.parametrize(
    "kind",
    ["atom_next_to_itself", "conflict", "gateway_timeout", "server_error", "truncated", "cut", "reset", "busy_seconds",
     "continue_repeated", "gzip", "html"],
)  # fmt: skip
@pytest.mark.parametrize("schema", ["4.9", "5.5", "6.13"])
def test_what_passes_costs_nothing(place: University, schema: str, kind: str):
    if kind == "continue_repeated" and schema != "6.13":
        kind = "slow"
    with serving(place, schema) as (simulator, reader):
        simulator.faults.add(Fault(kind, "publications", times=None if "next" in kind or "continue" in kind else 2))
        assert len({each.key for each in read(reader, "publications")}) == 60


@pytest.mark.parametrize("schema", ["4.9", "5.5", "6.13"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [("error_under_200", "database timeout"), ("forbidden", "refuses us"), ("conflict", "concurrency")],
)
def test_what_stays_is_an_error_with_its_words(place: University, schema: str, kind: str, words: str):
    with serving(place, schema) as (simulator, reader):
        simulator.faults.add(Fault(kind, "publications", times=None))
        with pytest.raises(SourceError, match=words):
            read(reader, "publications")


def test_a_wrong_password_is_told(place: University):
    with serving(place, password="houyhnhnm") as (_, reader):
        findings = list(reader.check())
    assert [each.ok for each in findings] == [False]
    assert "check the login and password" in findings[0].detail


def test_numbered_pages_that_shift_are_read_again(place: University):
    plan = Plan("incremental", {"publications": "2026-01-02T03:00:00Z"})
    with serving(place, "4.9", "5.1") as (_, reader):
        part = next(each for each in reader.parts(plan) if each.name == "publications")
        pages = reader.read(part, plan, None)
        first = next(pages)
        place.delete("501")  # on a page that was read: the others move up, and one slips through
        rest = list(pages)
    assert len(first.records) == 25
    assert rest[0].restart
    assert [each.key for page in rest for each in page.records] == sorted(place.publications)


def test_the_version_is_found_or_must_be_as_configured(place: University):
    with (
        serving(place, "5.5", "5.16", api_version="6.13") as (_, reader),
        pytest.raises(SourceError, match=r"speaks schema 5\.5, not 6\.13"),
    ):
        reader.parts(FULL)


def test_check_names_every_list_and_refuses_levels_that_cannot_be_told(place: University):
    with serving(place, "5.5", "6.2", policy="public_and_internal") as (_, reader):
        found = {each.name: each for each in reader.check()}
    assert set(found) == {
        "my-account",
        "privacy",
        "groups",
        "users",
        "relationships",
        "publications",
        "deleted publications",
        "members of a group",
    }
    assert [name for name, each in found.items() if not each.ok] == ["privacy"]
    assert "6.13" in (found["privacy"].fix or "")
    assert "Elements 6.2, schema 5.5" in found["my-account"].detail


def test_check_says_which_list_is_refused(place: University):
    with serving(place) as (simulator, reader):
        simulator.faults.add(Fault("forbidden", "relationships", times=None))
        assert [each.name for each in reader.check() if not each.ok] == ["relationships"]


def test_check_says_where_no_level_can_be_seen_and_what_to_mend(place: University):
    with serving(place, "4.9", "6.2") as (_, reader):
        found = {each.name: each for each in reader.check()}
    assert [name for name, each in found.items() if not each.ok] == ["users", "publications"]
    assert "counts as private" in found["users"].detail
    assert "6.13" in (found["users"].fix or "")
    with serving(place) as (simulator, reader):
        simulator.faults.add(Fault("html", "publications", times=None))
        simulator.faults.add(Fault("gateway_timeout", "relationships", times=None))
        found = {each.name: each for each in reader.check()}
    assert "not to a page for people" in (found["publications"].fix or "")
    assert "Try again later" in found["relationships"].detail


def test_levels_by_version():
    place = University()
    for number, level in enumerate(("Public", " INTERNAL ", "Private", None, "", "public|public", "nonsense"), 1):
        place.put(Publication(str(number), level=level))
        place.put_user(User(str(number), "Last", "First", level=level))
        place.link(Link(str(number), "1", "1", level=level))
    place.link(Link("20", "1", "1", level="Public", effective="Internal"))
    place.link(Link("21", "1", "1", level="Private", effective="Public"))
    place.link(Link("22", "1", "1", level=None, effective="Internal"))
    place.link(Link("23", "1", "1", level="what", effective="Public"))

    def levels(schema: str, product: str) -> list:
        with serving(place, schema, product) as (_, reader):
            return [[each.level for each in read(reader, name)] for name in ("publications", "users", "relationships")]

    stated = ["public", "internal", "private", None, None, None, None]
    assert levels("6.13", "6.13") == [stated, stated, [*stated, "internal", "private", "internal", None]]
    before = ["public"] * 7
    hidden = ["public", "private", "private", "public", *["private"] * 3, "public", "private", "public", "private"]
    assert levels("4.9", "5.1") == [before, before, hidden]
    assert levels("5.5", "5.16") == [before, before, hidden]
    told = ["public", "private", "private", None, "private", "private", "private"]
    assert levels("5.5", "6.2") == [told, told, [*told, "public", "private", None, "private"]]
    assert levels("4.9", "6.2")[:2] == [[None] * 7, [None] * 7]


def test_groups_with_several_parents_cycles_a_root_and_exclusions():
    place = University()
    for group in (
        Group("1", "All"), Group("2", "Science", ("1",)), Group("3", "Arts", ("1",), "Internal"),
        Group("4", "Both", ("2", "3")), Group("5", "Below", ("4",)),
        Group("6", "Egg", ("7",)), Group("7", "Hen", ("6",)), Group("8", "Out", ("2",)),
        Group("9", "Below out", ("8",)),
    ):  # fmt: skip
        place.groups[group.id] = group
    with serving(place, groups={"exclude": ["8"]}) as (_, reader):
        found = {each.key: each for each in read(reader, "groups")}
    assert {key: each.parents for key, each in found.items()} == {
        "1": (), "2": ("1",), "3": ("1",), "4": ("2", "3"), "5": ("4",), "6": ("7",), "7": (),
    }  # fmt: skip
    assert [each.code for each in found["7"].notes] == ["cycle"]
    assert [found[key].level for key in "12345"] == ["public", "public", "internal", "internal", "internal"]
    with serving(place, groups={"root": "2", "exclude": ["9"]}) as (_, reader):
        assert {each.key: each.parents for each in read(reader, "groups")} == {
            "2": (), "4": ("2",), "5": ("4",), "8": ("2",),
        }  # fmt: skip
    with serving(place, groups={"root": "99"}) as (_, reader), pytest.raises(SourceError, match="no group 99"):
        read(reader, "groups")


def test_records_are_merged_by_precedence_and_the_journal_is_not_asked():
    place = University()
    place.put(
        Publication(
            "1",
            (
                Record("scopus", "SHOUTED", 2019, "J. Scopus", "10.5555/A", id_at_source="2-s2.0-1"),
                Record("crossref", "Said &amp; done", 2020, None, "10.5555/b", id_at_source="10.5555/b"),
                Record("arxiv", "Drafted", id_at_source="0705.1615"),
            ),
        )
    )
    place.put(Publication("2", (Record("crossref", "Common"), Record("manual", "Preferred", preferred=True))))
    place.put(Publication("3", (Record("manual", None, isbn="9780306406157"),), type="chapter"))
    place.put(Publication("4", (Record("manual", "A book", isbn="978-0-306-40615-7"),), type="book"))
    with serving(place) as (_, reader):
        one, two, three, four = read(reader, "publications")
    assert (one.title, one.year, one.venue, one.type) == ("Said & done", 2020, "J. Scopus", "Journal article")
    stated = {(each.scheme, each.value) for each in one.identifiers if not each.derived}
    assert stated == {("doi", "10.5555/a"), ("doi", "10.5555/b"), ("arxiv", "0705.1615")}
    assert two.title == "Preferred"
    assert (three.title, three.identifiers) == (None, ())
    assert [(each.scheme, each.value) for each in four.identifiers] == [("isbn", "9780306406157")]


def test_nothing_personal_but_name_and_orcid(place: University):
    place.put_user(User("1", "Munodi", "x@laputa.example", "munodi@laputa.example", orcid="0000-0002-1825-0097"))
    with serving(place) as (_, reader):
        authors = read(reader, "users")
    assert next(each for each in authors if each.key == "1").ids == {"orcid": "0000-0002-1825-0097"}
    assert "@" not in repr(authors)
    for word in ("Projector", "2011", "Flying"):
        assert word not in repr(authors)


def test_three_thousand_authors_and_changes_since(place: University):
    people = tuple((f"Author{n}", "A") for n in range(3000))
    place.clock.advance(days=2)
    place.put(Publication("700", (Record("wos", "Many hands", doi="10.5555/many", people=people),)))
    place.delete("501")
    place.merge("502", "503")
    plan = Plan("incremental", {"publications": "2026-02-02T03:00:00Z"})
    for schema, product in DIALECTS:
        with serving(place, schema, product) as (_, reader):
            changed = {each.key: each for each in read(reader, "publications", plan)}
            gone = read(reader, "deleted publications", plan)
        assert {"700", "503", "502"} <= set(changed)
        assert changed["502"].deleted
        assert len(changed) < 10
        assert [(each.key, each.deleted) for each in gone] == [("501", True)]


def test_a_password_goes_over_https_alone_unless_the_yaml_allows_it(tmp_path):
    file = tmp_path / "laputa.yaml"
    text = "name: Laputa\nsource: {kind: symplectic_elements, connection: laputa%s}\n"
    connection = Connection("laputa", host="http://elements.laputa.example/api", login="gulliver", password="yahoo")
    file.write_text(text % "")
    with pytest.raises(SourceError, match="is not https, so login and password are not sent there"):
        source(config.load(file), connection, hash_key=b"")
    file.write_text(text % ", allow_http: true")
    assert source(config.load(file), connection, hash_key=b"").api.base == connection.base_url
