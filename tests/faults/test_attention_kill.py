"""Processes that ask for attention are killed at many instants: what was answered and kept is never asked for again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from explorer import attention_providers, database
from simulators.attention import Attention, fixed
from simulators.serving import Fault
from tests.scripted_source import ScriptedSource
from tests.warehouse.test_attention import FAST, many, site_of
from tests.warehouse.test_flow import do_import

pytestmark = pytest.mark.usefixtures("without_expectations")
ROOT = Path(__file__).resolve().parents[2]
KILLS = 8
OUTPUTS = 400
ASKER = """
import sys
from explorer import attention, attention_asking, attention_providers, connections, database
attention_providers.IDENTIFIERS_AT_ONCE, attention_providers.RECORDS_AT_ONCE, attention_asking.RECORD_CALLS = 40, 10, 1
with database.connect(sys.argv[1]) as connection:
    secret = bytes(connection.execute("select value from ops.secret where name = 'author_hash'").fetchone()[0])
    provider = attention_providers.DetailsPage(connections.get("attention"), secret=secret)
    attention.subscribe(connection, "lilliput", provider)
    print("asks", flush=True)
    done = attention_asking.ask(connection, provider, ["lilliput"])
    print("stopped" if done.stopped else "done", done.because, flush=True)
"""


def start(dsn: str, url: str, *, batch: bool) -> subprocess.Popen[str]:
    extra = {**FAST, "batch": batch, "calls_per_second": 100}
    stated = {"conn_type": "http", "host": url.removesuffix("/v1"), "password": "commercial-1", "extra": extra}
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins"), "AIRFLOW_CONN_ATTENTION": json.dumps(stated)}
    child = subprocess.Popen([sys.executable, "-c", ASKER, dsn], env=environment, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "asks\n"
    return child


def kill(child: subprocess.Popen[str]) -> bool:
    """Kills it; whether it was still at work."""
    with child:
        child.send_signal(signal.SIGKILL)
        return child.wait() == -signal.SIGKILL


def said(child: subprocess.Popen[str]) -> str:
    with child:
        return child.communicate(timeout=120)[0]


def kept(dsn: str) -> tuple[set[str], set[str]]:
    """The identifiers that are answered, and the ids whose records are there."""
    with database.connect(dsn) as connection:
        return (
            {row[0] for row in connection.execute("select value from attention.asked")},
            {
                row[0]
                for row in connection.execute(
                    "select altmetric_id from attention.tracked_output where mentions is not null"
                )
            },
        )


def asked_since(simulator: Attention, at: float) -> tuple[list[str], list[str]]:
    """Identifiers and ids that were asked for after that instant, as often as they were."""
    values: list[str] = []
    ids: list[str] = []
    for call in simulator.calls:
        if call.at < at:
            continue
        if call.name == "translate":
            values += (call.argument("ids") or "").split("|")
        elif call.name == "id":
            ids += call.path.rpartition("/")[2].split(",")
        else:
            values.append(call.path.partition(f"/v1/{call.name}/")[2])
    return values, ids


@pytest.mark.parametrize("batch", [True, False])
def test_what_was_kept_is_not_asked_for_again_whenever_the_process_is_killed(
    warehouse_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, batch: bool
):
    monkeypatch.delenv("AIRFLOW_CONN_ATTENTION", raising=False)
    chance = random.Random(batch)
    source = ScriptedSource(page_size=500)
    many(source, OUTPUTS)
    do_import(site_of(warehouse_dsn, tmp_path, source))
    simulator = Attention(fixed("2026-03-01"), faults=[Fault("slow", times=None, seconds=0.05 if batch else 0.01)])
    killed = 0
    with simulator.serve() as url:
        for _ in range(KILLS):
            child = start(warehouse_dsn, url, batch=batch)
            time.sleep(chance.uniform(0, 1.2))
            killed += kill(child)
            time.sleep(0.1)  # what it had sent has arrived
            values, ids = kept(warehouse_dsn)
            at = time.monotonic()
            probe = start(warehouse_dsn, url, batch=batch)
            time.sleep(chance.uniform(0.05, 0.3))
            kill(probe)
            again, again_ids = asked_since(simulator, at)
            assert not values & set(again), "asked for again within its time to live"
            assert not ids & set(again_ids)
        assert said(start(warehouse_dsn, url, batch=batch)) == "done None\n"
        values, _ = kept(warehouse_dsn)
        assert {f"10.5555/attention.{n}" for n in range(OUTPUTS)} <= values
        asked, _ = asked_since(simulator, 0)
        lost = 2 * KILLS * (40 if batch else attention_providers.LONGEST_LINE)
        assert len(asked) - len(set(asked)) <= lost, "what was on its way to a killed process, at most"
        at = time.monotonic()
        assert said(start(warehouse_dsn, url, batch=batch)) == "done None\n"
        assert asked_since(simulator, at) == ([], []), "all of it is within its time to live"
    assert killed > KILLS // 2
    sys.stderr.write(
        f"\nbatch={batch}: {killed} killed, {len(asked) - len(set(asked))} of {len(asked)} asked for again\n"
    )
