"""Captured answers of a real EPrints repository, from its first byte to the warehouse; counted by XPath, not by us."""

import re
from pathlib import Path

import pytest
from lxml import etree

from explorer import config, database, descriptions, flow, local, sites
from explorer.planning import Request
from tests.samples import sample
from tests.scripted_server import Asked, Reply, serving

NAMES = {"o": "http://www.openarchives.org/OAI/2.0/", "dc": "http://purl.org/dc/elements/1.1/"}
YAML = """\
name: Captured Repository
slug: captured
source:
  kind: oai_pmh
  platform: eprints
  url: {url}/cgi/oai2
  authors: all
  allow_private_hosts: true
  politeness: {{requests_per_second: 50}}
departments: none
limits: {{max_rejected_share: 1}}
"""


def counted(page: bytes) -> dict[str, int]:
    """Records, deletions, and records with a DOI in one of the fields that hold identifiers, by XPath."""
    tree = etree.fromstring(page)
    records = tree.xpath("//o:record", namespaces=NAMES)
    fields = ".//dc:relation/text() | .//dc:identifier/text()"
    with_doi = [r for r in records if any(re.search(r"10\.\d{4,9}/\S", t) for t in r.xpath(fields, namespaces=NAMES))]
    deleted = tree.xpath("//o:header[@status='deleted']", namespaces=NAMES)
    return {"extracted": len(records), "deleted": len(deleted), "with_doi": len(with_doi)}


@pytest.mark.parametrize("file", ["lshtm_00_ListRecords.xml", "cogprints_00_ListRecords.xml"])
def test_a_captured_page_reaches_the_warehouse_whole(fresh_database: str, tmp_path: Path, monkeypatch, file: str):
    page = sample(f"oai/eprints/scrapi/{file}").read_bytes()
    identify = sample("oai/eprints/synthetic/Identify.xml").read_bytes()
    monkeypatch.setattr(local, "warehouse_dsn", lambda: fresh_database)
    expected = counted(page)

    def answer(asked: Asked) -> Reply:
        return Reply(identify if asked.query["verb"] == "Identify" else page, headers={"Content-Type": "text/xml"})

    with serving(answer) as server:
        (tmp_path / "captured.yaml").write_text(YAML.format(url=server.url))
        place = sites.site(config.find(str(tmp_path / "captured.yaml")))
        import_id = flow.run(place, Request(run_key="captured", stays=True))
    with database.connect(fresh_database) as connection:
        tally = descriptions.object_of(connection, import_id)["tally"]["outputs"]
        doi = connection.execute(
            "select count(distinct output_key) from warehouse.output_identifier where scheme = 'doi'"
        ).fetchone()
    assert (tally["extracted"], tally["deleted"]) == (expected["extracted"], expected["deleted"])
    assert doi == (expected["with_doi"],)
    assert tally["published"] >= expected["with_doi"]
    assert tally["published"] + tally["excluded"] + tally["rejected"] + tally["deleted"] == expected["extracted"]
