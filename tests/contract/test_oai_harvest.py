"""The harvest against a repository that keeps the protocol, and against one that breaks it in every known way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from explorer import config
from explorer.config import Departments, OaiPmhSource, Sets
from explorer.polite_http import Limits, PoliteSession
from explorer.records import Department, Output
from explorer.sources import Page, Part, Plan, SourceError
from explorer.sources.oai_platforms import Settings, accent
from explorer.sources.oai_pmh import MOST_EMPTY_PAGES, MOST_RESTARTS, OaiPmh, source
from explorer.sources.oai_protocol import TRIES, OaiRepository
from tests.oai_documents import document, error, formats, identify, listed_sets, record, records
from tests.patience import wait_until
from tests.scripted_server import Asked, Reply, Server, serving

if TYPE_CHECKING:
    from pathlib import Path

QUICK = Limits(requests_per_second=1000, retries=1, backoff=0.001)
FULL = Plan("full")
OUTPUTS = Part("outputs")

Pages = Callable[[dict[str, str]], "str | Reply"]


def made(url: str, *, departments: Departments | None = None, platform: str = "generic", **options: Any) -> OaiPmh:
    """A source for this address; ``options`` as in the YAML's source block."""
    settings = OaiPmhSource.model_validate(
        {"kind": "oai_pmh", "platform": platform, "url": url, "allow_http": True, **options}
    )
    session = PoliteSession(QUICK, allow_http=True, allow_private_hosts=True)
    return OaiPmh(
        OaiRepository(url, session), accent(platform), Settings(settings, departments or Departments(), (), b"key")
    )


@contextmanager
def repository(answer: Pages, **options: Any) -> Iterator[tuple[OaiPmh, Server]]:
    """A source, and the server that answers it."""

    def reply(asked: Asked) -> Reply:
        found = answer(dict(asked.query))
        return found if isinstance(found, Reply) else Reply(found.encode())

    with serving(reply) as server:
        yield made(server.url + "/oai", **options), server


def lists(**by_token: str | Reply) -> Pages:
    """A repository whose ListRecords pages go by their token, ``first`` without one."""

    def answer(query: dict[str, str]) -> str | Reply:
        if query["verb"] == "Identify":
            return identify()
        if query["verb"] == "ListRecords":
            return by_token[query.get("resumptionToken", "first")]
        return error("badVerb")

    return answer


def numbers(pages: Sequence[Page]) -> list[str]:
    """The last part of each record's OAI identifier, page after page."""
    return [str(each.key).rpartition(":")[2] for page in pages for each in page.records if isinstance(each, Output)]


THREE = {
    "first": records(record(1), record(2), token="b", size=5),
    "b": records(record(3), record(4), token="c", answered="2026-02-01T03:00:09Z"),
    "c": records(record(5), answered="2026-02-01T03:00:19Z"),
}


# --- tokens


def test_a_list_is_followed_to_its_end() -> None:
    with repository(lists(**THREE)) as (oai, server):
        pages = list(oai.read(OUTPUTS, FULL, None))
    assert numbers(pages) == ["1", "2", "3", "4", "5"]
    assert [page.cursor is None for page in pages] == [False, False, True]
    assert [page.clock for page in pages] == ["2026-02-01T03:00:00Z", "2026-02-01T03:00:09Z", "2026-02-01T03:00:19Z"]
    assert [page.expected for page in pages] == [5, 5, 5]
    assert not any(page.restart or page.incomplete or page.repairs for page in pages)
    assert [dict(each.query) for each in server.asked] == [
        {"verb": "ListRecords", "metadataPrefix": "oai_dc"},
        {"verb": "ListRecords", "resumptionToken": "b"},
        {"verb": "ListRecords", "resumptionToken": "c"},
    ]


def test_a_list_goes_on_behind_any_page() -> None:
    with repository(lists(**THREE)) as (oai, server):
        first = next(iter(oai.read(OUTPUTS, FULL, None)))
        server.asked.clear()
        pages = list(oai.read(OUTPUTS, FULL, first.cursor))
    assert numbers(pages) == ["3", "4", "5"]
    assert server.asked[0].query == {"verb": "ListRecords", "resumptionToken": "b"}
    assert [page.incomplete for page in pages] == [None, None]  # the count goes over the whole list


def test_the_next_page_is_fetched_while_this_one_is_read() -> None:
    with repository(lists(**THREE)) as (oai, server):
        pages = iter(oai.read(OUTPUTS, FULL, None))
        assert numbers([next(pages)]) == ["1", "2"]
        wait_until(lambda: len(server.asked) >= 2)  # nobody asks for the second page here
        list(pages)


@pytest.mark.parametrize("token", ["a%3Db&c|d,e! /+é", "from%3D2025%26offset%3D1604"])
def test_a_token_goes_back_as_it_came(token: str) -> None:
    escaped = token.replace("&", "&amp;")
    with repository(lists(first=records(record(1), token=f"\n {escaped} "), **{token: records(record(2))})) as (oai, _):
        assert numbers(list(oai.read(OUTPUTS, FULL, None))) == ["1", "2"]


@pytest.mark.parametrize(
    "end", [records(), records(token=""), records(token="  "), document("<ListRecords/>"), error("noRecordsMatch")]
)
def test_ends_of_a_list(end: str) -> None:
    """An empty last page, with or without an error, as DiVA and others send after a full one."""
    with repository(lists(first=records(record(1), token="b", size=1), b=end)) as (oai, _):
        pages = list(oai.read(OUTPUTS, FULL, None))
    assert numbers(pages) == ["1"]
    assert pages[-1].cursor is None
    assert pages[-1].incomplete is None


@pytest.mark.parametrize("nothing", [error("noRecordsMatch"), records(), document("<ListRecords/>")])
@pytest.mark.parametrize("slips", [1, TRIES - 1, TRIES])
def test_no_records_in_mid_list_is_asked_again_and_then_a_loss(nothing: str, slips: int) -> None:
    """Where more records were announced than came: a slip of the server, or a list that lost something."""
    asked: list[str] = []

    def answer(query: dict[str, str]) -> str:
        if query["verb"] == "Identify":
            return identify()
        asked.append(query.get("resumptionToken", ""))
        if not asked[-1]:
            return records(record(1), record(2), token="b", size=4)
        return nothing if asked.count("b") <= slips else records(record(3), record(4))

    with repository(answer) as (oai, _):
        pages = list(oai.read(OUTPUTS, FULL, None))
    if slips < TRIES:
        assert numbers(pages) == ["1", "2", "3", "4"]
        assert pages[-1].incomplete is None
    else:
        assert numbers(pages) == ["1", "2"]
        assert pages[-1].incomplete == "The repository announced 4 records and sent 2."
    assert pages[-1].cursor is None
    assert asked.count("b") == min(slips + 1, TRIES)


def test_no_records_is_an_empty_list_with_a_clock() -> None:
    with repository(lists(first=error("noRecordsMatch"))) as (oai, _):
        (page,) = oai.read(OUTPUTS, FULL, None)
    assert (len(page.records), page.cursor, page.clock) == (0, None, "2026-02-01T03:00:00Z")


def test_an_expired_token_begins_the_list_anew() -> None:
    served = 0

    def answer(query: dict[str, str]) -> str:
        nonlocal served
        served += 1
        if served == 2:
            return error("badArgument", "badResumptionToken")  # EPrints sends two
        return str(THREE[query.get("resumptionToken", "first")])

    with repository(answer) as (oai, _):
        pages = list(oai.read(OUTPUTS, FULL, None))
    assert [page.restart for page in pages] == [False, True, False, False]
    assert numbers(pages[1:]) == ["1", "2", "3", "4", "5"]
    assert pages[-1].incomplete is None


def test_a_saved_token_that_expired_begins_the_list_anew() -> None:
    pages_of = {**THREE, "old": error("badResumptionToken")}
    with repository(lists(**pages_of)) as (oai, _):
        pages = list(oai.read(OUTPUTS, FULL, {"token": "old", "read": 200, "expected": 5}))
    assert [page.restart for page in pages] == [True, False, False]
    assert numbers(pages) == ["1", "2", "3", "4", "5"]


def test_tokens_that_always_expire_end_with_a_sentence() -> None:
    with (
        repository(lists(first=THREE["first"], b=error("badResumptionToken"))) as (oai, server),
        pytest.raises(SourceError, match="still expire") as raised,
    ):
        list(oai.read(OUTPUTS, FULL, None))
    assert raised.value.code == "oai_badResumptionToken"
    assert len(server.asked) == 2 * (MOST_RESTARTS + 1)


def test_the_same_token_again_ends_the_list_and_is_told() -> None:
    loop = lists(first=THREE["first"], b=THREE["b"], c=records(record(5), token="b"))
    with repository(loop) as (oai, server):
        pages = list(oai.read(OUTPUTS, FULL, None))
    assert numbers(pages) == ["1", "2", "3", "4", "5"]
    assert pages[-1].cursor is None
    assert "same resumption token" in str(pages[-1].incomplete)
    assert len(server.asked) == 2 + TRIES


def test_the_same_token_by_a_slip_is_asked_for_again() -> None:
    slips = [records(record(3), record(4), token="b")]

    def answer(query: dict[str, str]) -> str:
        if query.get("resumptionToken") == "b" and slips:
            return slips.pop()
        return str(THREE[query.get("resumptionToken", "first")])

    with repository(answer) as (oai, _):
        pages = list(oai.read(OUTPUTS, FULL, None))
    assert numbers(pages) == ["1", "2", "3", "4", "5"]
    assert pages[-1].incomplete is None


def test_empty_pages_with_tokens_end_the_list_and_are_told() -> None:
    def answer(query: dict[str, str]) -> str:
        return records(token=f"{int(query.get('resumptionToken', 0)) + 1}", size=9)

    with repository(answer) as (oai, server):
        pages = list(oai.read(OUTPUTS, FULL, None))
    assert len(server.asked) == MOST_EMPTY_PAGES + 1
    assert "one empty page after the other" in str(pages[-1].incomplete)


def test_a_single_empty_page_with_a_token_is_passed_over() -> None:
    with repository(lists(first=records(token="b"), b=THREE["c"])) as (oai, _):
        assert numbers(list(oai.read(OUTPUTS, FULL, None))) == ["5"]


def test_fewer_records_than_announced_is_told() -> None:
    with repository(lists(first=records(record(1), token="b", size=208), b=records(record(2)))) as (oai, _):
        pages = list(oai.read(OUTPUTS, FULL, None))
    assert [page.incomplete for page in pages] == [None, "The repository announced 208 records and sent 2."]


def test_more_records_than_announced_is_no_loss() -> None:
    with repository(lists(first=records(record(1), record(2), token="", size=1))) as (oai, _):
        (page,) = oai.read(OUTPUTS, FULL, None)
    assert page.incomplete is None


# --- failures


def test_a_page_that_breaks_off_is_asked_for_again() -> None:
    whole, tries = str(THREE["first"]), 0

    def answer(query: dict[str, str]) -> str:
        nonlocal tries
        tries += 1
        return whole[:-400] if tries == 1 else str(THREE[query.get("resumptionToken", "first")])

    with repository(answer) as (oai, _):
        pages = list(oai.read(OUTPUTS, FULL, None))
    assert numbers(pages) == ["1", "2", "3", "4", "5"]
    assert not any(page.incomplete for page in pages)


def test_a_page_that_always_breaks_off_gives_what_it_has_and_is_told() -> None:
    cut = str(THREE["first"])[: str(THREE["first"]).index("Title 2")]
    with repository(lists(first=cut)) as (oai, server):
        (page,) = oai.read(OUTPUTS, FULL, None)
    good, bad = page.records
    assert isinstance(good, Output)
    assert isinstance(bad, Output)
    assert (good.refusal, bad.refusal and bad.refusal.rule) == (None, "broken_xml")
    assert "breaks off" in str(page.incomplete)
    assert sum(each.query["verb"] == "ListRecords" for each in server.asked) == TRIES


def test_a_broken_record_is_asked_for_by_itself() -> None:
    spoilt = records(record(1), record(2, "<dc:title>A</dc:titel>"), record(3, "<dc:title>B</dc:titel>"))

    def answer(query: dict[str, str]) -> str:
        if query["verb"] == "GetRecord":
            assert query["metadataPrefix"] == "oai_dc"
            number = int(query["identifier"].rpartition(":")[2])
            return document(f"<GetRecord>{record(2)}</GetRecord>") if number == 2 else error("idDoesNotExist")
        return spoilt

    with repository(answer) as (oai, _):
        (page,) = oai.read(OUTPUTS, FULL, None)
    assert [each.refusal and each.refusal.rule for each in page.records] == [None, None, "broken_xml"]
    assert page.repairs == {"broken_record": 2, "page_in_pieces": 1, "fetched_alone": 1}


@pytest.mark.parametrize("status", [200, 400, 422, 500, 503])
def test_errors_of_the_protocol_are_read_whatever_the_status(status: int) -> None:
    body = error("cannotDisseminateFormat", text="no such format").encode()
    with repository(lists(first=Reply(body, status=status))) as (oai, _), pytest.raises(SourceError) as raised:
        list(oai.read(OUTPUTS, FULL, None))
    assert raised.value.code == "oai_cannotDisseminateFormat"
    assert "metadata_prefix" in str(raised.value)
    assert "no such format" in str(raised.value)


def test_an_empty_list_may_come_as_http_422() -> None:
    with repository(lists(first=Reply(error("noRecordsMatch").encode(), status=422))) as (oai, _):
        (page,) = oai.read(OUTPUTS, FULL, None)
    assert page.cursor is None


@pytest.mark.parametrize(
    ("reply", "code", "says"),
    [
        (Reply(b"<html><title>Sign in</title>"), "not_oai", "Sign in"),
        (Reply(b"<html>", status=403), "http_403", "user_agent"),
        (Reply(b"<html>", status=404), "http_404", "source.url"),
        (Reply(b"", status=500), "http_500", "HTTP 500"),
        (Reply(error("21", text="Unauthorized").encode()), "oai_error", "Unauthorized"),
        (Reply(error("").encode()), "oai_error", "error"),
        (Reply(b"<OAI-PMH><ListRec"), "broken_xml", "broken"),
        (Reply(b"<rss/>"), "not_oai", "rss"),
    ],
)
def test_other_answers_are_told_in_a_sentence(reply: Reply, code: str, says: str) -> None:
    with repository(lists(first=reply)) as (oai, _), pytest.raises(SourceError, match=says) as raised:
        list(oai.read(OUTPUTS, FULL, None))
    assert raised.value.code == code


def test_a_passing_error_is_tried_again() -> None:
    tries = 0

    def answer(_: dict[str, str]) -> str:
        nonlocal tries
        tries += 1
        return error("InternalException") if tries < TRIES else str(THREE["c"])

    with repository(answer) as (oai, _):
        assert numbers(list(oai.read(OUTPUTS, FULL, None))) == ["5"]


def test_what_was_read_before_a_failure_is_not_lost() -> None:
    with repository(lists(first=THREE["first"], b=Reply(status=500))) as (oai, _):
        pages = iter(oai.read(OUTPUTS, FULL, None))
        first = next(pages)
        with pytest.raises(SourceError):
            next(pages)
    assert numbers([first]) == ["1", "2"]
    assert dict(first.cursor or {})["token"] == "b"


# --- what is asked for


@pytest.mark.parametrize(
    ("granularity", "since"), [("YYYY-MM-DDThh:mm:ssZ", "2026-01-31T10:11:12Z"), ("YYYY-MM-DD", "2026-01-31")]
)
def test_an_incremental_import_asks_from_the_watermark_in_the_repositorys_granularity(
    granularity: str, since: str
) -> None:
    def answer(query: dict[str, str]) -> str:
        return identify(granularity) if query["verb"] == "Identify" else str(THREE["c"])

    plan = Plan("incremental", {"outputs": "2026-01-31T10:11:12Z"})
    with repository(answer) as (oai, server):
        list(oai.read(OUTPUTS, plan, None))
    assert server.asked[-1].query == {"verb": "ListRecords", "metadataPrefix": "oai_dc", "from": since}


def test_a_repository_that_takes_days_only_whatever_it_says() -> None:
    def answer(query: dict[str, str]) -> str:
        if query["verb"] == "Identify":
            return identify()
        return error("badArgument") if "T" in query["from"] else str(THREE["c"])

    with repository(answer) as (oai, _):
        pages = list(oai.read(OUTPUTS, Plan("incremental", {"outputs": "2026-01-31T10:11:12Z"}), None))
    assert numbers(pages) == ["5"]


def test_a_new_part_is_read_from_the_beginning() -> None:
    with repository(lists(**THREE)) as (oai, server):
        list(oai.read(Part("outputs:new"), Plan("incremental", {"outputs:old": "2026-01-31T10:11:12Z"}), None))
    assert server.asked[0].query == {"verb": "ListRecords", "metadataPrefix": "oai_dc", "set": "new"}


def test_every_included_set_is_a_list_of_its_own() -> None:
    oai = made("http://repo.lilliput.example/oai", sets={"include": ["a", "b c:d"]})
    assert [(part.name, part.scope) for part in oai.parts(FULL)] == [
        ("departments", "departments"), ("outputs:a", "outputs"), ("outputs:b c:d", "outputs"),
    ]  # fmt: skip


def test_a_set_with_a_blank_and_colons_is_asked_for_as_it_is() -> None:
    with repository(lists(**THREE)) as (oai, server):
        list(oai.read(Part("outputs:b c:d"), FULL, None))
    assert server.asked[0].query["set"] == "b c:d"


def test_eprints_sets_may_be_named_by_their_ids() -> None:
    with repository(lists(**THREE), platform="eprints") as (oai, server):
        list(oai.read(Part("outputs:divisions=sci:bio"), FULL, None))
    assert server.asked[0].query["set"] == "6469766973696F6E733D736369:62696F"


def test_records_of_an_excluded_set_are_excluded() -> None:
    page = records(record(1, sets=["article"]), record(2, sets=["studentThesis"]), record(3, sets=["studentThesis:ma"]))
    with repository(lists(first=page), sets={"exclude": ["studentThesis"]}) as (oai, _):
        (read,) = oai.read(OUTPUTS, FULL, None)
    assert [each.excluded for each in read.records if isinstance(each, Output)] == [None, "set", "set"]


def test_departments_are_not_asked_for_where_there_are_to_be_none() -> None:
    oai = made("http://repo.lilliput.example/oai", departments=Departments(mode="none"))
    assert [part.name for part in oai.parts(FULL)] == ["outputs"]


# --- departments


def departments(oai: OaiPmh) -> Page:
    (page,) = oai.read(Part("departments", "departments"), FULL, None)
    return page


def test_sets_are_departments_below_the_nearest_listed_set() -> None:
    def answer(_: dict[str, str]) -> str:
        return listed_sets(sci="Science", sci__bio="Biology", sci__bio__x__moss="Moss", col="")

    with repository(answer) as (oai, _):
        found = departments(oai)
    assert [(each.key, each.name, each.parents) for each in found.records if isinstance(each, Department)] == [
        ("col", "col", ()),
        ("sci", "Science", ()),
        ("sci:bio", "Biology", ("sci",)),
        ("sci:bio:x:moss", "Moss", ("sci:bio",)),
    ]
    assert (found.cursor, found.incomplete) == (None, None)


def test_a_choice_of_sets_is_departments() -> None:
    choice = Departments(sets=Sets(include=("sci",), exclude=("sci:bio",)))

    def answer(query: dict[str, str]) -> str:
        if query["verb"] == "ListSets":
            return listed_sets(sci="Science", sci__bio="Biology", sci__bio__moss="Moss", sci__phys="Physics", col="C")
        return records(record(1, sets=["sci", "sci:bio", "sci:phys", "col"]), record(2, sets=["sci"]))

    with repository(answer, departments=choice) as (oai, _):
        found = departments(oai)
        (page,) = oai.read(OUTPUTS, FULL, None)
    assert [each.key for each in found.records] == ["sci", "sci:phys"]
    assert [each.departments for each in page.records if isinstance(each, Output)] == [("sci:phys",), ("sci",)]


def test_sets_come_on_several_pages() -> None:
    def answer(query: dict[str, str]) -> str:
        if "resumptionToken" in query:
            return listed_sets(b="B")
        return listed_sets(a="A").replace("</ListSets>", "<resumptionToken>t</resumptionToken></ListSets>")

    with repository(answer) as (oai, _):
        assert [each.key for each in departments(oai).records] == ["a", "b"]


def test_a_token_that_goes_in_circles_ends_the_sets() -> None:
    loop = listed_sets(a="A").replace("</ListSets>", "<resumptionToken>t</resumptionToken></ListSets>")
    with repository(lambda _: loop) as (oai, _):
        assert [each.key for each in departments(oai).records] == ["a"]


@pytest.mark.parametrize("answer", [error("noSetHierarchy"), error("badVerb"), document("<ListSets/>")])
def test_without_sets_no_department_is_taken_away_and_it_is_told(answer: str) -> None:
    with repository(lambda _: answer) as (oai, _):
        page = departments(oai)
    assert page.records in ((), [])
    assert "departments: none" in str(page.incomplete)


def test_sets_that_cannot_be_read_are_a_failure() -> None:
    with repository(lambda _: Reply(b"<html>", status=403)) as (oai, _), pytest.raises(SourceError):
        departments(oai)


# --- check


def repository_to_check(query: dict[str, str]) -> str:
    creators = '<dc:creator id="maja@lilliput.example">Lindqvist, Maja</dc:creator>'
    title = "<dc:title>A</dc:title><dc:identifier>10.5555/a.1</dc:identifier>"
    answers = {
        "Identify": identify(),
        "ListMetadataFormats": formats("oai_dc", "mods"),
        "ListSets": listed_sets(sci="Science"),
        "ListRecords": records(record(1, title + creators, sets=["sci"]), record(2), record(3, deleted=True), size=3),
    }
    return answers[query["verb"]]


def test_check_names_what_it_tried() -> None:
    with repository(repository_to_check) as (oai, _):
        found = list(oai.check())
    assert [(each.name, each.ok) for each in found] == [
        ("address", True), ("format", True), ("sets", True), ("departments", True), ("records", True),
    ]  # fmt: skip
    assert "2 records" in found[-1].detail
    assert "2 with doi; 1 with authors; 1 with departments" in found[-1].detail
    assert not any("@" in each.detail for each in found)


def test_check_says_how_to_mend() -> None:
    def answer(query: dict[str, str]) -> str:
        answers = {"ListSets": error("noSetHierarchy"), "ListRecords": records(record(1))}
        return answers.get(query["verb"]) or repository_to_check(query)

    with repository(answer, metadata_prefix="mets", sets={"exclude": ["thesis"]}) as (oai, _):
        found = {each.name: each for each in oai.check()}
    assert not found["format"].ok
    assert "oai_dc, mods" in str(found["format"].fix)
    assert not found["sets"].ok
    assert "thesis: no such set" in found["sets"].detail
    assert not found["departments"].ok
    assert found["records"].ok
    assert "source.authors: all" in str(found["records"].fix)


def test_check_goes_no_further_than_a_wrong_address() -> None:
    with repository(lambda _: Reply(b"<html>", status=404)) as (oai, _):
        found = list(oai.check())
    assert [(each.name, each.ok) for each in found] == [("address", False)]


def test_check_of_an_empty_repository() -> None:
    def answer(query: dict[str, str]) -> str:
        return error("noRecordsMatch") if query["verb"] == "ListRecords" else repository_to_check(query)

    with repository(answer) as (oai, _):
        assert not list(oai.check())[-1].ok


# --- from a YAML


def institution(folder: Path, block: str) -> config.Institution:
    file = folder / "lilliput.yaml"
    file.write_text(f"name: Lilliput\nsource:\n  kind: oai_pmh\n{block}")
    return config.load(file)


def test_a_source_from_a_yaml(tmp_path: Path) -> None:
    with serving(lambda _: Reply(str(THREE["c"]).encode())) as server:
        block = (
            f"  platform: eprints\n  url: {server.url}/oai\n  allow_http: true\n  allow_private_hosts: true\n"
            "  politeness: {user_agent: Lilliput/1, requests_per_second: 50}\n"
        )
        oai = source(institution(tmp_path, block), None, hash_key=b"key")
        assert numbers(list(oai.read(OUTPUTS, FULL, None))) == ["5"]
    assert server.asked[0].headers["User-Agent"] == "Lilliput/1"
    assert oai.abilities.says_changes
    assert oai.overlap >= timedelta(minutes=5)


def test_a_private_address_needs_leave(tmp_path: Path) -> None:
    block = "  platform: generic\n  url: http://127.0.0.1:9/oai\n  allow_http: true\n"
    oai = source(institution(tmp_path, block), None, hash_key=b"key")
    with pytest.raises(SourceError) as raised:
        list(oai.read(OUTPUTS, FULL, None))
    assert raised.value.code == "private_address"


def test_check_shows_ten_records_with_identifiers_authors_and_departments_and_no_address() -> None:
    creators = '<dc:creator id="maja.l@uni.example">Lindqvist, M.</dc:creator><dc:creator id="u1">Ek, K</dc:creator>'
    fields = f"<dc:title>On mosses</dc:title><dc:identifier>10.5555/x.1</dc:identifier>{creators}"
    page = records(record(1, fields, sets=["sci"]), record(2, "<dc:title>No more</dc:title>"), record(3, deleted=True))
    bodies = {
        "Identify": identify(), "ListMetadataFormats": formats("oai_dc"), "ListSets": listed_sets(sci="Sciences"),
        "ListRecords": page,
    }  # fmt: skip
    with repository(lambda query: bodies[query["verb"]]) as (oai, server):
        found = {each.name: each for each in oai.check()}
    assert all(each.ok for each in found.values())
    assert f"answers at {server.url}/oai" in found["address"].detail
    assert found["sets"].detail == "1 sets\nsci is Sciences"
    assert found["departments"].detail.startswith(
        "1 departments, from the sets; 1 of them on the first level: Sciences"
    )
    name = "oai:repo.lilliput.example"
    assert found["records"].detail.splitlines() == [
        "2 records looked at: 1 with doi; 1 with authors; 1 with departments",
        f"{name}:1: “On mosses”; doi 10.5555/x.1; Lindqvist, M. (by e-mail address); Ek, K (by local id); Sciences",
        f"{name}:2: “No more”; no identifier: left out; no authors; no department",
    ]
