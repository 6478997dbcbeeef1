"""The check of landing pages in the warehouse: which outputs, kept with a date, asked again rarely, and shown."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from explorer import config, database, landing_pages, sites, upkeep
from simulators.landing import KINDS, PREFIX, LandingPages
from simulators.serving import Fault
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site
from tests.warehouse.test_attention import put
from tests.warehouse.test_flow import do_import

pytestmark = pytest.mark.usefixtures("without_expectations", "within_a_day")
FAST = replace(landing_pages.LIMITS, requests_per_second=1000, backoff=0.01)


@pytest.fixture
def pages() -> Iterator[LandingPages]:
    made = LandingPages(dict(enumerate([*KINDS, "good", "good"])))
    with made.serve():
        yield made


@pytest.fixture
def site(warehouse_dsn: str, tmp_path: Path, pages: LandingPages) -> ScriptedSite:
    """Eight outputs with landing pages alone, one without a page, and two that the check is not about."""
    source = ScriptedSource(page_size=50)
    for number in pages.pages:
        scheme, value = ("handle", f"{PREFIX}/{number}") if number % 2 else ("uri", f"{pages.url}/page/{number}")
        put(source, f"o{number}", (scheme, value))
    put(source, "nowhere", ("handle", f"{PREFIX}/99"))
    put(source, "with-doi", ("doi", "10.5555/x"), ("handle", f"{PREFIX}/0"))
    put(source, "with-urn", ("urn", "urn:nbn:se:uu:diva-1"), ("uri", f"{pages.url}/page/0"))
    made = make_site(warehouse_dsn, tmp_path, source)
    made.institution.path.write_text(
        made.institution.path.read_text().replace(
            "source: {", "landing_pages: true\nsource: {allow_private_hosts: true, "
        )
    )
    made = ScriptedSite(config.load(made.institution.path), made.dsn, source)
    do_import(made)
    return made


def look(site: ScriptedSite, at: LandingPages, **named: object) -> list[landing_pages.Visit]:
    with database.connect(site.dsn) as connection:
        return list(landing_pages.check(connection, site.institution, handles=at.url, limits=FAST, **named))


def states(site: ScriptedSite) -> dict[str, str]:
    with database.connect(site.dsn) as connection:
        rows = database.run(connection, "attention/landing_list", {"institution": site.institution.slug}).fetchall()
        return {row[0]: row[1] for row in rows}


def pass_days(site: ScriptedSite, days: int) -> None:
    with database.connect(site.dsn) as connection:
        connection.execute(
            "update attention.landing_page set asked_at = asked_at - %(d)s, due_at = due_at - %(d)s",
            {"d": timedelta(days=days)},
        )
        connection.commit()


def test_outputs_that_have_only_a_handle_or_uri_are_looked_at(site: ScriptedSite, pages: LandingPages):
    assert set(states(site).values()) == {"not_asked_yet"}
    assert len(look(site, pages)) == 9
    named = {f"o{number}": kind for number, kind in pages.pages.items()}
    expected = {"good": "trackable", "highwire": "trackable", "another": "contradicts"}
    assert states(site) == {
        **{key: expected.get(kind, "incomplete") for key, kind in named.items() if kind != "another"},
        "o4": "trackable",  # it has a URI alone: a Handle in its tags contradicts nothing
        "nowhere": "missing",
    }


def test_answers_are_kept_and_asked_for_again_rarely(site: ScriptedSite, pages: LandingPages):
    pages.faults.add(Fault("server_error", "6", times=None))
    look(site, pages)
    assert states(site)["o6"] == "unreachable"
    assert look(site, pages) == []
    pass_days(site, 3)
    pages.faults.clear()
    assert [visit.state for visit in look(site, pages)] == ["trackable"], "only the one that could not be reached"
    pass_days(site, 31)
    assert len(look(site, pages)) == 4, "those that cannot be tracked: somebody may have mended them"
    pass_days(site, 181)
    assert len(look(site, pages)) == 9


def test_a_run_has_its_limit_and_goes_on_with_the_rest(site: ScriptedSite, pages: LandingPages):
    assert [len(look(site, pages, pages=4)) for _ in range(4)] == [4, 4, 1, 0]
    assert len([call for call in pages.calls if call.path.startswith("/page/")]) == 8


def test_an_output_that_changes_its_page_is_looked_at_anew_and_one_that_goes_is_forgotten(site, pages):
    look(site, pages)
    site.scripted.tick += 1
    put(site.scripted, "o0", ("uri", f"{pages.url}/page/7"))
    put(site.scripted, "o2", ("doi", "10.5555/now.with.a.doi"), ("uri", f"{pages.url}/page/2"))
    site.scripted.delete("o6")
    do_import(site)
    assert len(look(site, pages)) == 1
    assert states(site)["o0"] == "trackable"
    assert not {"o2", "o6"} & states(site).keys()


def test_the_check_is_told_in_the_import_and_by_the_command_line(
    site, pages, monkeypatch: pytest.MonkeyPatch, explorer: Callable[..., Result]
):
    monkeypatch.setattr(landing_pages, "HANDLES", pages.url)
    monkeypatch.setattr(landing_pages, "LIMITS", FAST)
    monkeypatch.setattr(landing_pages.check, "__kwdefaults__", {"handles": pages.url, "limits": FAST, "pages": 500})
    monkeypatch.setattr(sites, "site", lambda _: site)
    sentence = upkeep.check_landing_pages(site)
    assert sentence.startswith(
        "5 of 9 landing pages can be tracked; 3 lack tags that name an identifier; 1 does not exist"
    )
    done = explorer("landing", site.institution.path, "--json")
    rows = {row["key"]: row for row in json.loads(done.stdout)}
    assert rows["o2"]["missing"] == ["identifier", "title", "author", "date"]
    assert rows["o1"]["identifiers"] == ["doi:10.5555/landing.1"]
    done = explorer("landing", site.institution.path, "--stored")
    assert "5 of 9 landing pages can be tracked" in done.stdout
    assert "no meta tag names" in done.stdout
    assert do_import(site)["attention"]["landing_pages"]["state"] == sentence


def test_who_has_the_check_switched_on(site: ScriptedSite, tmp_path: Path):
    off, broken = tmp_path / "off.yaml", tmp_path / "broken.yaml"
    off.write_text(
        site.institution.path.read_text().replace("landing_pages: true\n", "").replace("slug: lilliput", "slug: off")
    )
    broken.write_text("name: [\n")
    assert upkeep.with_landing_pages([str(site.institution.path), str(off), str(broken)]) == [
        str(site.institution.path)
    ]
