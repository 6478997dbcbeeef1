"""An institution whose source is a simulated Pure server, for tests of whole imports."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from explorer import asking, config, sites
from simulators.pure import Pure
from simulators.pure_world import Store

YAML = """\
name: Royal University of Tribnia
slug: {slug}
timezone: America/Chicago
source:
  kind: pure
  connection: tribnia
  allow_http: true
  allow_private_hosts: true
  politeness: {{requests_per_second: 100}}
{more}
privacy: {{user_status: {status}}}
orphans: {orphans}
notify: [library@tribnia.example]
limits: {{max_removed_share: 1.0, max_rejected_share: 1.0}}
"""
KEY = "key-of-gulliver"


@contextmanager
def endpoint(store: Store, monkeypatch: pytest.MonkeyPatch, version: str = "524", **named) -> Iterator[Pure]:
    """The server, with the Airflow connections that lead to it, and no waiting between requests.

    ``tribnia`` leads to the interface of the version, ``tribnia_changes`` to the old web service.
    """
    simulator = Pure(store, **named)
    monkeypatch.setattr(asking.Turns, "wait", lambda *_: None)
    monkeypatch.setattr("explorer.sources.pure_api.PAUSE", 0.0)
    with simulator.serve():
        for name, spoken in (("TRIBNIA", version), ("TRIBNIA_CHANGES", "524")):
            connection = {"conn_type": "http", "host": simulator.base(spoken), "password": KEY}
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
        yield simulator


def pure_site(
    dsn: str,
    folder: Path,
    *,
    slug: str = "tribnia",
    version: str | None = None,
    status: str = "all",
    orphans: str = "keep",
    **source: object,
) -> sites.Site:
    """An institution with the server of ``endpoint`` as its source; ``source``: further keys of its source."""
    source = {"api_version": version, **source} if version else source
    file = folder / f"{slug}.yaml"
    more = "\n".join(f"  {name}: {json.dumps(value)}" for name, value in source.items())
    file.write_text(YAML.format(slug=slug, status=status, orphans=orphans, more=more))
    return sites.Site(config.load(file), dsn)
