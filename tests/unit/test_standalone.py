"""What runs as one group: it is started once, ended whole, and its failures are sentences."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from explorer import demo, local, standalone
from tests.patience import PATIENCE, wait_until

# A program with a child in a session of its own, as Airflow's components have them; both refuse to end.
STUBBORN = """
import subprocess, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


def pid_in_log(place: Path, name: str) -> int:
    log = standalone.log_of(place, name)
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    return int(log.read_text())


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")


def test_all_ends_even_what_refuses_and_what_left_the_group(tmp_path: Path) -> None:
    with standalone.running(tmp_path) as run:
        run.start("stubborn", ["-c", STUBBORN], os.environ)
        child = pid_in_log(tmp_path, "stubborn")
        assert not has_ended(child)
    assert has_ended(child)
    assert run.keeper.returncode is not None
    assert not (tmp_path / "run.json").exists()


def test_two_do_not_run_from_one_folder(tmp_path: Path) -> None:
    with (
        standalone.running(tmp_path),
        pytest.raises(standalone.AlreadyRunningError, match="make down"),
        standalone.running(tmp_path),
    ):
        pass


def test_a_program_that_ends_is_a_sentence_with_its_last_words(tmp_path: Path) -> None:
    with standalone.running(tmp_path) as run:
        run.start("scheduler", ["-c", "import sys; sys.exit('no database')"], os.environ)
        with pytest.raises(
            local.LocalError, match=r"scheduler ended with status 1: no database Its log is .*scheduler"
        ):
            run.finish("scheduler", PATIENCE)
        run.start("migration", ["-c", "pass"], os.environ)
        run.finish("migration", PATIENCE)


def test_a_file_that_never_comes_is_a_sentence(tmp_path: Path) -> None:
    with standalone.running(tmp_path) as run:
        run.start("simulators", ["-c", "import time; time.sleep(600)"], os.environ)
        with pytest.raises(local.LocalError, match="simulators is not ready after"):
            run.read_ready("simulators", tmp_path / "never", 0.2)


@pytest.mark.parametrize("killed", [["supervisor"], ["supervisor", "keeper"]])
def test_a_killed_run_is_ended_from_outside(tmp_path: Path, killed: list[str]) -> None:
    program = (
        "import sys, os, time; from pathlib import Path; from explorer import standalone\n"
        "with standalone.running(Path(sys.argv[1])) as run:\n"
        f"    run.start('stubborn', ['-c', {STUBBORN!r}], os.environ)\n"
        "    time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(local.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], env=environment) as supervisor:
        child = pid_in_log(tmp_path, "stubborn")
        noted = standalone._noted(tmp_path)
        for name in killed:
            os.kill(noted[name], signal.SIGKILL)
        supervisor.wait()
    assert standalone.end(tmp_path)
    assert has_ended(child)
    assert has_ended(noted["keeper"])
    assert not standalone.end(tmp_path)


def test_a_port_is_kept_and_another_taken_when_it_is_not_free(tmp_path: Path) -> None:
    begin = 11_000 + os.getpid() % 1_000 * 20  # of this process alone, and below those that the system gives out
    first = standalone.free_port(tmp_path, "airflow", begin)
    assert standalone.free_port(tmp_path, "airflow", begin + 10) == first
    with socket.create_server((standalone.HOST, first)):
        assert standalone.free_port(tmp_path, "airflow", begin) != first


def test_demo_files_get_the_simulators_addresses_and_keep_their_times(tmp_path: Path) -> None:
    source, place = tmp_path / "demo", tmp_path / "local"
    (source / "data").mkdir(parents=True)
    (source / "more").mkdir()
    (source / "brobdingnag.yaml").write_text("url: ${EPRINTS_URL}oai\n")
    (source / "more/laputa.yaml").write_text("name: Laputa\n")
    (source / "connections.json").write_text('{"laputa_pure": {"conn_type": "http", "host": "${PURE_URL}"}}')
    (source / "data/rows.csv").write_text("a,b\n")
    os.utime(source / "data/rows.csv", (10**9, 10**9))
    addresses = {"eprints": "http://127.0.0.1:1/", "pure": "http://127.0.0.1:2"}

    folders, connections = demo.render(source, place, addresses, more=False)
    [folder] = folders
    assert (folder / "brobdingnag.yaml").read_text() == "url: http://127.0.0.1:1/oai\n"
    assert (folder / "data/rows.csv").stat().st_mtime == 10**9
    assert connections == {"laputa_pure": '{"conn_type": "http", "host": "http://127.0.0.1:2"}'}

    (source / "brobdingnag.yaml").unlink()
    folders, _ = demo.render(source, place, addresses, more=True)
    assert [path.name for path in folders[0].glob("*.yaml")] == []
    assert [path.name for path in folders[1].glob("*.yaml")] == ["laputa.yaml"]

    (source / "wrong.yaml").write_text("url: ${NOWHERE_URL}\n")
    with pytest.raises(local.LocalError, match=r"wrong\.yaml names a simulator that does not run: 'NOWHERE_URL'"):
        demo.render(source, place, addresses, more=False)


def test_an_import_that_is_tried_again_says_so() -> None:
    waiting = demo.Progress("lilliput", "run", "running", "extract", "up_for_retry", 1, 13)
    assert waiting.words() == "extract failed and is tried again soon (1 of 13 tasks done)"
