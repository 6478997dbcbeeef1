"""A hundred thousand records of a server that we did not write (pyoai): none is lost, none comes twice. Minutes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from explorer.config import OaiPmhSource
from explorer.polite_http import Limits, PoliteSession
from explorer.records import Output
from explorer.sources import Part, Plan
from explorer.sources.oai_platforms import Settings, accent
from explorer.sources.oai_pmh import OaiPmh
from explorer.sources.oai_protocol import OaiRepository
from tests.pyoai_server import FIRST, PAGE_SIZE, Laputa, served

COUNT = 100_000


@pytest.mark.timeout(1800)
def test_a_large_repository_arrives_whole_and_by_date() -> None:
    laputa = Laputa.of(COUNT)
    session = PoliteSession(Limits(requests_per_second=1000), allow_http=True, allow_private_hosts=True)
    with served(laputa) as url:
        block = {"kind": "oai_pmh", "platform": "generic", "url": url, "authors": "all"}
        oai = OaiPmh(OaiRepository(url, session), accent("generic"), Settings(OaiPmhSource.model_validate(block)))
        for first in (0, COUNT - 5 * PAGE_SIZE + 1):
            since = f"{(FIRST + timedelta(minutes=first)).isoformat()}Z"
            plan = Plan("incremental", {"outputs": since}) if first else Plan("full")
            found = [
                (each.key, each.deleted)
                for page in oai.read(Part("outputs"), plan, None)
                for each in page.records
                if isinstance(each, Output)
            ]
            assert found == [(each.key, each.deleted) for each in laputa.entries[first:]]
