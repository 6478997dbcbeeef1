"""Lists that several workers read side by side: faster, and within the limits of the institution all together."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING, Any

import pytest

from explorer import config, database, exports, flow, sites
from explorer.asking import Turns
from explorer.imports import HaltedError
from explorer.planning import Request
from explorer.sources import SourceError
from simulators.eprints import EPrints
from simulators.serving import Fault
from tests.contract.test_oai_windows import RECORDS, world
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("without_expectations")

YAML = """\
name: Brobdingnag
source:
  kind: oai_pmh
  platform: eprints
  url: {url}
  authors: all
  windows: {windows}
  allow_private_hosts: true
  politeness: {{requests_per_second: {rate}, connections: {connections}}}
limits: {{max_removed_share: 1, max_rejected_share: 1}}
"""


def imported(dsn: str, folder: Path, run_key: str, url: str, **settings: Any) -> tuple[sites.Site, int]:
    file = folder / "brobdingnag.yaml"
    file.write_text(YAML.format(**{"url": url, "rate": 100, "connections": 3, "windows": 4, **settings}))
    place = sites.Site(config.load(file), dsn)
    return place, flow.run(place, Request(run_key=run_key, full_import=True, stays=True))


def published(dsn: str) -> list[tuple[Any, ...]]:
    with database.connect(dsn) as connection:
        return list(exports.published(connection, "brobdingnag", exports.What.OUTPUTS)[1])


def one(dsn: str, query: str, *values: object) -> Any:
    with database.connect(dsn) as connection:
        return connection.execute(query, values).fetchall()[0][0]


def test_windows_give_what_one_list_gives_and_leave_its_watermark(warehouse_dsn: str, tmp_path: Path) -> None:
    simulator = EPrints(world(), [Fault("slow", name="ListRecords", times=None, seconds=0.2)], page_size=20)
    with simulator.serve() as url:
        imported(warehouse_dsn, tmp_path, "one list", url, windows=1)
        alone = published(warehouse_dsn)
        assert len(alone) > RECORDS / 4
        simulator.most_at_once = 0
        _, import_id = imported(warehouse_dsn, tmp_path, "windows", url)
        assert 1 < simulator.most_at_once <= 3  # never more than connections; a busy machine may do with fewer
        assert published(warehouse_dsn) == alone
        tally = one(warehouse_dsn, "select tally from ops.import where id = %s", import_id)["outputs"]
        assert (tally["added"], tally["updated"], tally["removed"]) == (0, 0, 0)
        assert list(one(warehouse_dsn, "select watermarks from ops.import where id = %s", import_id)) == ["outputs"]
        file = tmp_path / "brobdingnag.yaml"
        place = sites.Site(config.load(file), warehouse_dsn)
        simulator.forget_calls()
        later = flow.run(place, Request(run_key="what changed", stays=True))
    assert one(warehouse_dsn, "select mode from ops.import where id = %s", later) == "incremental"
    lists = [each for each in simulator.calls if each.name == "ListRecords"]
    assert len(lists) == 1
    assert lists[0].argument("from")
    assert published(warehouse_dsn) == alone


def test_a_window_that_is_lost_moves_no_watermark_and_removes_nothing(warehouse_dsn: str, tmp_path: Path) -> None:
    simulator = EPrints(world(), page_size=20)
    with simulator.serve() as url:
        imported(warehouse_dsn, tmp_path, "all", url)
        before = published(warehouse_dsn)
        # a token of one of the windows leads to itself, for ever
        simulator.faults.add(Fault("same_token", name="ListRecords", after=6, times=None))
        with pytest.raises(HaltedError, match="the same resumption token"):
            imported(warehouse_dsn, tmp_path, "one breaks", url)
    import_id = one(warehouse_dsn, "select max(id) from ops.import")
    assert published(warehouse_dsn) == before
    assert one(warehouse_dsn, "select status from ops.import where id = %s", import_id) == "failed"
    assert one(warehouse_dsn, "select watermarks from ops.import where id = %s", import_id) == {}


def test_a_failing_list_stops_the_others(warehouse_dsn: str, tmp_path: Path) -> None:
    faults = [
        Fault("slow", name="ListRecords", times=None, seconds=0.1),
        Fault("expired_token", name="ListRecords", after=3, times=None),
    ]
    simulator = EPrints(world(), faults, page_size=10)
    with simulator.serve() as url, pytest.raises(SourceError, match="tokens still expire"):
        imported(warehouse_dsn, tmp_path, "fails", url)


def _take(dsn: str, turns: int, gap: float, together: Barrier, told: SimpleQueue[list[float]]) -> None:
    """Tells when it began, and when each of its turns came."""
    shared = Turns(dsn)
    shared.wait("another.example:443", 0)
    together.wait(PATIENCE)
    moments = [time.monotonic()]
    for _ in range(turns):
        shared.wait("repo.example:443", gap)
        moments.append(time.monotonic())
    told.put(moments)


def test_processes_keep_one_rate_together(warehouse_dsn: str) -> None:
    gap, turns, workers = 0.05, 8, 2
    spawned = multiprocessing.get_context("spawn")
    together, told = spawned.Barrier(workers), spawned.SimpleQueue()
    processes = [
        spawned.Process(target=_take, args=(warehouse_dsn, turns, gap, together, told)) for _ in range(workers)
    ]
    for each in processes:
        each.start()
    for each in processes:
        each.join(PATIENCE)
    assert [each.exitcode for each in processes] == [0] * workers
    moments = [told.get() for _ in range(workers)]
    assert_paced([each for _, *taken in moments for each in taken], min(began for began, *_ in moments), gap)


def assert_paced(moments: Sequence[float], began: float, gap: float) -> None:
    """The n-th comes no earlier than n gaps behind the begin; how late one is, the machine decides."""
    early = [number for number, at in enumerate(sorted(moments)) if at - began < number * gap - 0.005]
    assert early == []


def test_threads_keep_the_rate_of_the_institution(
    warehouse_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator = EPrints(world(), page_size=20)
    began: list[float] = []
    wait = Turns.wait

    def noted(turns: Turns, host: str, gap: float) -> None:
        began.append(time.monotonic())
        wait(turns, host, gap)

    monkeypatch.setattr(Turns, "wait", noted)
    with simulator.serve() as url:
        imported(warehouse_dsn, tmp_path, "paced", url, rate=40)
    assert len(simulator.calls) == len(began) > 20
    assert_paced([each.at for each in simulator.calls], began[0], 1 / 40)
