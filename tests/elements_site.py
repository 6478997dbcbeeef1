"""An institution whose source is a simulated Elements server, for tests of whole imports."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from explorer import asking, config, sites
from simulators.elements import Elements, University

YAML = """\
name: Laputa University
slug: {slug}
source:
  kind: symplectic_elements
  connection: laputa
  allow_http: true
  allow_private_hosts: true
  politeness: {{requests_per_second: 100}}
  editors: {editors}
privacy: {{level: {level}, user_status: {status}, profile_types: {profile}}}
orphans: {orphans}
notify: [library@laputa.example]
limits: {{max_removed_share: 1.0, max_rejected_share: 1.0}}
"""


@contextmanager
def endpoint(
    university: University, monkeypatch: pytest.MonkeyPatch, schema: str = "6.13", product: str = "6.13"
) -> Iterator[Elements]:
    """The server, with the Airflow connection that leads to it, and no waiting between requests."""
    simulator = Elements(university, schema, product, login="gulliver", password="houyhnhnm")
    monkeypatch.setattr(asking.Turns, "wait", lambda *_: None)
    with simulator.serve():
        connection = {"conn_type": "http", "host": simulator.base, "login": "gulliver", "password": "houyhnhnm"}
        monkeypatch.setenv("AIRFLOW_CONN_LAPUTA", json.dumps(connection))
        yield simulator


def elements_site(
    dsn: str,
    folder: Path,
    *,
    slug: str = "laputa",
    level: str = "public",
    status: str = "all",
    profile: str = "all",
    orphans: str = "keep",
    editors: bool = False,
) -> sites.Site:
    """An institution with the server of ``endpoint`` as its source."""
    file = folder / f"{slug}.yaml"
    text = YAML.format(
        slug=slug, level=level, status=status, profile=profile, orphans=orphans, editors=str(editors).lower()
    )
    file.write_text(text)
    return sites.Site(config.load(file), dsn)
