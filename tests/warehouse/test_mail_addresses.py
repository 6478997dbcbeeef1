"""A mail address that stands as a creator's id finds the author, and is in no table, file or log line, whatever happens."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from explorer import config, database, exports, flow, sites
from explorer.imports import HaltedError
from explorer.planning import Request
from tests.oai_documents import identify, record, records
from tests.scripted_server import Asked, Reply, serving
from tests.unit.test_oai_unseen import MAILS, PLAIN, VAGUE
from tests.warehouse.test_elements import _everything

if TYPE_CHECKING:
    from pathlib import Path

YAML = """\
name: Laputa
source: {{kind: oai_pmh, platform: generic, url: "{url}/oai", allow_private_hosts: true}}
departments: none
notify: []
limits: {{max_removed_share: 1, max_rejected_share: {rejected}}}
"""
BROKEN = [
    f'<dc:creator id="{PLAIN}">M <{PLAIN}></dc:creator>', f"<dc:creator id={PLAIN}>M</dc:creator>",
    f'<dc:creator id="{PLAIN}" id="{PLAIN}">M</dc:creator>', f'<dc:creator id="{PLAIN}>M</dc:creator>',
    f'<dc:creator {PLAIN}="1">M</dc:creator>', f'<dc:creator id="{PLAIN}">M</dc:{PLAIN}>', f"<dc:creator>&{PLAIN};</dc:crea>",
    f'<x:creator id="{PLAIN}">M</x:creator><dc:creator id="', f'<dc:creator id="{PLAIN}"><{PLAIN}/></dc:creator></dc:x>',
]  # fmt: skip


def bodies() -> str:
    """Sound records with an address in every spelling, broken ones, and one in a format that nobody understands."""
    title = "<dc:title>On mosses</dc:title><dc:identifier>10.5555/moss.{}</dc:identifier>"
    sound = [
        record(number, title.format(number) + f'<dc:creator id="{each}">Lindqvist, M. ({PLAIN})</dc:creator>')
        for number, each in enumerate([*MAILS, *VAGUE], 1)
    ]
    broken = [record(100 + number, title.format(100 + number) + each) for number, each in enumerate(BROKEN)]
    foreign = record(200).replace("purl.org/dc/elements/1.1/", "other.example/dc/").replace("Title 200", PLAIN)
    return records(*sound, *broken, foreign)


@pytest.mark.parametrize("rejected", [1, 0.01])
def test_it_is_nowhere(warehouse_dsn: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, rejected: float) -> None:
    caplog.set_level(logging.DEBUG)
    page = bodies()

    def answer(asked: Asked) -> Reply:
        return Reply((identify() if asked.query["verb"] == "Identify" else page).encode())

    with serving(answer) as server:
        file = tmp_path / "laputa.yaml"
        file.write_text(YAML.format(url=server.url, rejected=rejected))
        place = sites.Site(config.load(file), warehouse_dsn)
        if rejected == 1:
            flow.run(place, Request(run_key="one", stays=True))
        else:  # staging stays behind a failure
            with pytest.raises(HaltedError, match="are rejected"):
                flow.run(place, Request(run_key="one", stays=True))
    with database.connect(warehouse_dsn) as connection:
        everything = _everything(connection)
        authors = list(exports.published(connection, "laputa", exports.What.AUTHORS)[1])
    assert "Lindqvist, M." in everything
    assert "maja" not in everything.casefold()
    assert "maja" not in caplog.text.casefold()
    assert "maja" not in repr(authors).casefold()
    assert bool(authors) == (rejected == 1)
