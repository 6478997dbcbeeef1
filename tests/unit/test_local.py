"""The embedded Postgres: one per folder, found again, stopped when idle, whatever happens to whoever started it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
import pytest

from explorer import local
from tests.patience import PATIENCE, wait_until

PLUGINS = Path(local.__file__).parents[1]


def ask(server: local.Server, query: LiteralString) -> object:
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def environment(place: Path) -> dict[str, str]:
    return {**os.environ, "EXPLORER_LOCAL": str(place), "PYTHONPATH": str(PLUGINS), "PYTHONDONTWRITEBYTECODE": "1"}


def starts_logged(place: Path) -> int:
    return (place / "postgres/server.log").read_text().count("ready to accept connections")


def test_is_postgres_18_with_both_databases_on_a_socket_only(place: Path) -> None:
    server = local.postgres(place)
    assert server.started_by_us
    assert str(ask(server, "SHOW server_version")).startswith("18.")
    assert ask(server, "SHOW listen_addresses") == ""
    assert ask(server, "SHOW synchronous_commit") == "on"
    assert ask(server, "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database") == (
        "airflow postgres template0 template1 warehouse"
    )
    assert server.socket.stat().st_mode & 0o077 == 0


def test_is_found_again_and_can_be_stopped(place: Path) -> None:
    first = local.postgres(place)
    second = local.postgres(place)
    assert (second.pid, second.socket, second.started_by_us) == (first.pid, first.socket, False)
    wait_until(lambda: is_watched(place))
    assert local.stop(place)
    assert not local.stop(place)
    assert not_running(first.pid)
    wait_until(lambda: not is_watched(place))


def test_the_end_of_a_server_is_noticed_at_once() -> None:
    with subprocess.Popen(["/bin/sleep", "600"]) as process:
        waiting = threading.Thread(target=local._wait_for_end, args=(process.pid, 10 * PATIENCE), daemon=True)
        waiting.start()
        process.kill()
        waiting.join(PATIENCE)
        assert not waiting.is_alive()


def is_watched(place: Path) -> bool:
    with local._lock(place):  # or else a watcher that comes just now takes us for another one, and goes
        free = local._try_lock(place / "watcher.lock")
        if free is not None:
            free.close()
        return free is None


def not_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_four_at_once_start_one(place: Path) -> None:
    command = [sys.executable, "-m", "explorer.local", "start"]
    running = [subprocess.Popen(command, env=environment(place), stdout=subprocess.PIPE) for _ in range(4)]
    answers = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert len(answers) == 1
    assert starts_logged(place) == 1


def test_outlives_the_kill_of_whoever_started_it(place: Path) -> None:
    program = "from explorer import local; import time; print(local.postgres().pid, flush=True); time.sleep(60)"
    starter = subprocess.Popen(
        [sys.executable, "-c", program], env=environment(place), stdout=subprocess.PIPE, start_new_session=True
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    found = local.postgres(place)
    assert (found.pid, found.started_by_us) == (pid, False)


def test_comes_back_with_its_data_after_its_own_kill(place: Path) -> None:
    server = local.postgres(place)
    with psycopg.connect(server.dsn()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(server.pid, signal.SIGKILL)
    again = local.postgres(place)
    assert again.started_by_us
    assert ask(again, "SELECT answer FROM kept") == 42


def test_a_stranger_with_the_process_id_of_a_crashed_server_is_left_alone(place: Path) -> None:
    local.postgres(place)
    record = place / "postgres/data/postmaster.pid"
    lines = record.read_text().splitlines()
    local.stop(place)
    record.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert not local.stop(place)
    assert local.postgres(place).started_by_us


@pytest.mark.parametrize("name", ["deep/" * 40, "a, 'b' \"c\" $d", "Bücher"])
def test_lives_in_any_folder(place: Path, name: str) -> None:
    inner = place / name
    try:
        server = local.postgres(inner)
        assert ask(server, "SELECT 1") == 1
        assert len(os.fsencode(server.socket / local.SOCKET_NAME)) <= local.SOCKET_PATH_LIMIT
        assert server.socket.stat().st_mode & 0o077 == 0
    finally:
        local.stop(inner)
    assert not (server.socket / local.SOCKET_NAME).exists()


def test_stops_when_idle_but_not_while_somebody_is_connected(place: Path) -> None:
    with local._try_lock(place / "watcher.lock") or pytest.fail("somebody watches an empty folder"):
        server = local.postgres(place)  # so that the usual watcher, with its minute, does not come up
    with psycopg.connect(server.dsn()):
        watcher = threading.Thread(target=local.watch, args=(place,), kwargs={"idle": 0.6, "every": 0.1})
        watcher.start()
        time.sleep(1.5)
        assert not not_running(server.pid)
    watcher.join(PATIENCE)
    assert not_running(server.pid)
    # The next one is watched again, though the last watcher has only just gone.
    assert local.postgres(place).started_by_us
    wait_until(lambda: is_watched(place))


def test_an_interrupted_first_start_is_begun_again(place: Path) -> None:
    unfinished = place / "postgres/data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    assert local.postgres(place).started_by_us


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests already run as an ordinary user")
def test_works_as_an_ordinary_user(place: Path) -> None:
    nobody = local._server_user()
    os.chown(place, nobody.pw_uid, nobody.pw_gid)
    # Leave to pass closed folders, where this Python lies in one.
    become = local._become(nobody, Path(sys.executable).resolve(), PLUGINS)
    done = subprocess.run(
        [*become, sys.executable, "-m", "explorer.local", "start"],
        env=environment(place),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (place / "postgres.lock").stat().st_uid == nobody.pw_uid
    assert ask(local.postgres(place), "SELECT 1") == 1


def test_a_full_disk_is_a_sentence(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 0))
    with pytest.raises(local.LocalError, match="is full: 0 MB are free"):
        local.postgres(place)


def test_a_folder_that_cannot_be_written_is_a_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "explorer.local", "start"],
        env=environment(Path("/proc/nowhere")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Set EXPLORER_LOCAL" in done.stderr


def test_a_server_that_cannot_start_says_why(place: Path) -> None:
    with pytest.raises(local.LocalError, match=r"unrecognized configuration parameter .* Its log is"):
        local.postgres(place, settings={"no_such_setting": "1"})


def test_a_socket_folder_of_somebody_else_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = place / ("deep/" * 40)
    temporary = place / "t"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(temporary))
    expected = local._socket_folder(inner)
    with contextlib.suppress(FileNotFoundError):
        expected.rmdir()
    expected.mkdir(mode=0o777)
    expected.chmod(0o777)
    try:
        with pytest.raises(local.LocalError, match="not ours alone"):
            local.postgres(inner)
    finally:
        expected.rmdir()
