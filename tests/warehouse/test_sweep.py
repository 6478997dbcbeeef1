"""A repository that does not report deletions is read whole every now and then; then what is absent goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from explorer import config, database, descriptions, exports, flow, sites
from explorer.imports import HaltedError
from explorer.planning import Request
from explorer.records import Identifier, Output
from explorer.sources import SourceError
from simulators import voyages
from simulators.bepress import Bepress
from simulators.dspace7 import DSpace7
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.protocol import OaiServer

pytestmark = pytest.mark.usefixtures("without_expectations")
runs = iter(range(10**6))
YAML = """\
name: University of Vanishing
slug: vanishing
source:
  kind: oai_pmh
  platform: {platform}
  url: {url}
  authors: all
  allow_http: true
  allow_private_hosts: true
  politeness: {{requests_per_second: 100}}
"""


@dataclass
class Forgetful(ScriptedSource):
    """What is deleted vanishes; ``asked`` counts how often it was asked whether that is so."""

    says: str | None = "the source forgets"
    silent: bool = False
    asked: int = 0

    def untold(self) -> str | None:
        self.asked += 1
        if self.silent:
            raise SourceError("unreachable", "The repository cannot be reached.")
        return self.says


def do_import(site: sites.Site) -> dict[str, object]:
    import_id = flow.run(site, Request(run_key=f"sweep-{next(runs)}", stays=True))
    with database.connect(site.dsn) as connection:
        return dict(descriptions.object_of(connection, import_id))


def published(site: sites.Site) -> int:
    with database.connect(site.dsn) as connection:
        _, rows = exports.published(connection, site.institution.slug, exports.What.OUTPUTS)
        return len(list(rows))


def age_imports(site: sites.Site, days: float) -> None:
    """As if all that was done had been done so many days earlier."""
    with database.connect(site.dsn) as connection:
        connection.execute(
            "update ops.import set started_at = started_at - %s * interval '1 day' where institution = %s",
            (days, site.institution.slug),
        )
        connection.commit()


@pytest.fixture
def source() -> Forgetful:
    made = Forgetful()
    for number in range(8):
        made.put(Output(f"o{number}", title=f"Title {number}", identifiers=(Identifier("doi", f"10.5555/o{number}"),)))
    made.tick = 1
    return made


@pytest.fixture
def site(warehouse_dsn: str, tmp_path: Path, source: Forgetful) -> ScriptedSite:
    return make_site(warehouse_dsn, tmp_path, source)


def test_what_vanished_goes_when_a_sweep_is_due(site: ScriptedSite, source: Forgetful) -> None:
    assert do_import(site)["reason"] == "the first import"
    del source.outputs["o3"]
    age_imports(site, 6)
    soon = do_import(site)
    assert (soon["mode"], published(site)) == ("incremental", 8)
    age_imports(site, 1)
    due = do_import(site)
    assert due["mode"] == "full"
    assert due["reason"] == "the source forgets, and 7 days have passed since the last full import"
    assert published(site) == 7
    assert do_import(site)["mode"] == "incremental"


def test_a_weekly_import_that_begins_a_little_early_sweeps(site: ScriptedSite) -> None:
    do_import(site)
    age_imports(site, 6.99)
    assert do_import(site)["mode"] == "full"


def test_the_source_is_asked_only_when_it_is_time(site: ScriptedSite, source: Forgetful) -> None:
    do_import(site)
    do_import(site)
    assert source.asked == 0
    age_imports(site, 8)
    do_import(site)
    assert source.asked == 1


@pytest.mark.parametrize("silent", [False, True])
def test_a_source_that_tells_everything_or_keeps_silent_is_not_swept(
    site: ScriptedSite, source: Forgetful, silent: bool
) -> None:
    do_import(site)
    source.says, source.silent = None, silent
    age_imports(site, 100)
    assert do_import(site)["mode"] == "incremental"


def test_a_sweep_that_lost_something_deletes_nothing_and_is_done_again(site: ScriptedSite, source: Forgetful) -> None:
    do_import(site)
    del source.outputs["o3"]
    age_imports(site, 8)
    source.incomplete = "The repository announced 8 records and sent 7."
    with pytest.raises(HaltedError, match="announced 8 records"):
        do_import(site)
    assert published(site) == 8
    source.incomplete = None
    again = do_import(site)
    assert (again["mode"], again["status"], published(site)) == ("full", "succeeded", 7)


@pytest.mark.parametrize("platform", ["bepress", "dspace7"])
def test_a_repository_whose_records_vanish(warehouse_dsn: str, tmp_path: Path, platform: str) -> None:
    """The harvest itself: nothing is said of the two that are gone, until all are compared."""
    server: OaiServer = Bepress(voyages.laputa()) if platform == "bepress" else DSpace7(voyages.luggnagg())
    with server.serve() as url:
        file = tmp_path / "vanishing.yaml"
        file.write_text(YAML.format(platform=platform, url=url))
        site = sites.Site(config.load(file), warehouse_dsn)
        first = do_import(site)
        before = published(site)
        assert (first["mode"], first["status"], before > 100) == ("full", "succeeded", True)
        gone = [item.number for item in server.world if item.state == "archive" and item.official_url][:2]
        server.change({"expunge": gone})
        assert (do_import(site)["mode"], published(site)) == ("incremental", before)
        age_imports(site, 7)
        swept = do_import(site)
    assert swept["mode"] == "full"
    assert swept["reason"] == (
        "the repository does not report deletions, and 7 days have passed since the last full import"
    )
    assert published(site) == before - 2


def test_a_first_import_that_lost_something_is_followed_by_a_full_one(site: ScriptedSite, source: Forgetful) -> None:
    source.incomplete = "The repository announced 9 records and sent 8."
    with pytest.raises(HaltedError):
        do_import(site)
    source.incomplete = None
    again = do_import(site)
    assert again["mode"] == "full"
