"""An institution whose source is a simulated Pure server, for tests of whole imports."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from explorer import config, flow, polite_http
from simulators.pure import Pure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from simulators.pure_world import Store

YAML = """\
name: Royal University of Tribnia
slug: {slug}
timezone: America/Chicago
source:
  kind: pure
  connection: tribnia
  api_version: "{version}"
  page_size: {page_size}
  affiliated_only: {affiliated_only}
  allow_http: true
  allow_private_hosts: true
  politeness: {{requests_per_second: 100, read_timeout: 2}}
notify: [library@tribnia.example]
limits: {{max_removed_share: 1.0, max_rejected_share: 1.0}}
"""


@contextmanager
def endpoint(store: Store, monkeypatch: pytest.MonkeyPatch, version: str = "524", **options: object) -> Iterator[Pure]:
    """The server, with the Airflow connection that leads to it, and no waiting between requests."""
    simulator = Pure(store, **options)  # type: ignore[arg-type]
    monkeypatch.setattr(polite_http._Pace, "wait", lambda *_: None)
    with simulator.serve():
        connection = {"conn_type": "http", "host": simulator.base(version), "password": "key-of-gulliver"}
        monkeypatch.setenv("AIRFLOW_CONN_TRIBNIA", json.dumps(connection))
        yield simulator


def pure_site(
    dsn: str,
    folder: Path,
    *,
    slug: str = "tribnia",
    version: str = "524",
    page_size: int = 20,
    affiliated_only: bool = False,
) -> flow.Site:
    """An institution with the server of ``endpoint`` as its source."""
    file = folder / f"{slug}.yaml"
    text = YAML.format(slug=slug, version=version, page_size=page_size, affiliated_only=str(affiliated_only).lower())
    file.write_text(text)
    return flow.Site(config.load(file), dsn)
