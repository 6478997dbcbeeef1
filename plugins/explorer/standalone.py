"""Airflow on one machine without Docker: its settings, and its processes as one group that is started and ended whole.

Everything binds to 127.0.0.1. Nothing but a process group and a folder is left to find, and both are found again: by
the lock that a run holds, by the process ids that it noted, and by a token in the environment of all that it started.
"""

import base64
import contextlib
import fcntl
import json
import os
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import psycopg
import requests

from explorer import local
from explorer.local import LocalError

HOST = "127.0.0.1"
FIRST_PORT = 8080
PORTS_TRIED = 50
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
TOKEN = "EXPLORER_RUN"  # noqa: S105 - the name of an environment variable
START_SECONDS = 600.0  # half a minute of an idle machine
END_SECONDS = 30.0
NEEDED_BYTES = 300 * 1024**2


class AlreadyRunningError(LocalError):
    """Another process runs from this folder."""


@dataclass(slots=True)
class Run:
    """One run of everything that is started here, from `running` to its end; `token` marks its processes."""

    place: Path
    token: str
    keeper: subprocess.Popen[str]
    statuses: dict[str, int] = field(default_factory=dict)
    answers: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a program of this run; its output goes to ``.local/logs/<name>.log``, begun anew."""
        log = log_of(self.place, name)
        log.write_bytes(b"")
        order = {
            "name": name,
            "command": [sys.executable, *command],
            "environment": {**environment, TOKEN: self.token},
            "folder": str(local.root()),
            "log": str(log),
        }
        if self.keeper.stdin is None:
            message = "The keeper takes no orders."
            raise AssertionError(message)
        self.statuses.pop(name, None)
        self.keeper.stdin.write(json.dumps(order) + "\n")
        self.keeper.stdin.flush()

    def status(self, name: str) -> int | None:
        """Return the status with which a program has ended, or None."""
        with contextlib.suppress(queue.Empty):
            while answer := self.answers.get_nowait():
                if "status" in answer:
                    self.statuses[answer["name"]] = answer["status"]
        return self.statuses.get(name)

    def check(self, *names: str) -> None:
        """Raise a sentence if one of these programs has ended."""
        if self.keeper.poll() is not None:
            message = "The process that keeps all others was ended from outside."
            raise LocalError(message)
        for name in names:
            if (status := self.status(name)) is not None:
                raise LocalError(_ended(self.place, name, status))

    def finish(self, name: str, seconds: float = START_SECONDS) -> None:
        """Wait until a program has ended well; raise a sentence if it fails or takes too long."""
        deadline = time.monotonic() + seconds
        while (status := self.status(name)) is None:
            self.check()
            if time.monotonic() > deadline:
                message = f"{name} takes longer than {seconds:.0f} s. Its log is {log_of(self.place, name)}."
                raise LocalError(message)
            time.sleep(0.05)
        if status != 0:
            raise LocalError(_ended(self.place, name, status))

    def read_ready(self, name: str, file: Path, seconds: float = START_SECONDS) -> dict[str, Any]:
        """Wait for the file that a program writes when it is ready, and return what is in it."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                found: dict[str, Any] = json.loads(file.read_text())
                return found
            self.check(name)
            if time.monotonic() > deadline:
                message = f"{name} is not ready after {seconds:.0f} s. Its log is {log_of(self.place, name)}."
                raise LocalError(message)
            time.sleep(0.05)


@contextlib.contextmanager
def running(place: Path) -> Iterator[Run]:
    """Begin a run: one per folder at a time. Everything that it starts has ended when the block has."""
    logs = place / "logs"
    try:
        logs.mkdir(parents=True, exist_ok=True)
        lock = (place / "run.lock").open("a")
    except OSError as error:
        message = f"The folder {place} cannot be written ({error.strerror}). Set EXPLORER_LOCAL to one that can."
        raise LocalError(message) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"It runs already, from {place}. End it with Ctrl-C where it was started, or with make down."
            raise AlreadyRunningError(message) from error
        free = shutil.disk_usage(place).free
        if free < NEEDED_BYTES:
            message = (
                f"The disk of {place} is full: {free // 1024**2} MB are free, {NEEDED_BYTES // 1024**2} are needed."
            )
            raise LocalError(message)
        _end_remains(place)  # of a run whose processes were killed one by one
        token = secrets.token_hex(16)
        keeper = subprocess.Popen(
            [sys.executable, "-m", "explorer.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(local.root() / "plugins")},
            start_new_session=True,
            pass_fds=[lock.fileno()],  # the lock is held as long as one of us lives
        )
        run = Run(place, token, keeper)
        listener = threading.Thread(target=_listen, args=(run,), daemon=True)
        listener.start()
        _write(place / "run.json", {"supervisor": os.getpid(), "keeper": keeper.pid, "token": token})
        try:
            yield run
        finally:
            _end(run)
            listener.join(END_SECONDS)
            if keeper.stdout is not None:
                keeper.stdout.close()
            (place / "run.json").unlink(missing_ok=True)


def end(place: Path) -> bool:
    """End the run of a folder from outside, whatever is left of it, and return whether there was something."""
    if not (place / "run.lock").exists():
        return False
    with (place / "run.lock").open("a") as lock:
        if _free(lock):
            return _end_remains(place)
        holders = [_noted(place)[name] for name in ("supervisor", "keeper")]
        for pid in holders:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
                break  # the supervisor ends the keeper; only without one the keeper is told itself
        deadline = time.monotonic() + END_SECONDS
        while not (_free(lock) and all(_has_ended(pid) for pid in holders)):
            if time.monotonic() > deadline:
                message = f"What runs from {place} does not end; its processes are noted in {place / 'run.json'}."
                raise LocalError(message)
            time.sleep(0.1)
        _end_remains(place)
        return True


def _has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _free(lock: Any) -> bool:  # noqa: ANN401 - whatever has a file descriptor
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _listen(run: Run) -> None:
    for line in run.keeper.stdout or ():
        run.answers.put(json.loads(line))


def _end(run: Run) -> None:
    if run.keeper.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            run.keeper.stdin.close()  # the order to end
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.keeper.wait(END_SECONDS)
    _end_remains(run.place)


def _end_remains(place: Path) -> bool:
    """Kill what carries the token of the last run of this folder."""
    try:
        token = _noted(place)["token"]
    except (FileNotFoundError, KeyError):
        return False
    found = [process for process in psutil.process_iter() if _token(process) == token]
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(found, END_SECONDS)
    (place / "run.json").unlink(missing_ok=True)
    return bool(found)


def _token(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(TOKEN)
    except (psutil.Error, OSError):  # ended meanwhile, or somebody else's
        return None


def _noted(place: Path) -> dict[str, Any]:
    try:
        noted: dict[str, Any] = json.loads((place / "run.json").read_text())
    except json.JSONDecodeError:
        return {}
    return noted


def _write(path: Path, value: object) -> None:
    draft = path.with_name(path.name + ".draft")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(value, indent=2) + "\n")
    draft.replace(path)


def log_of(place: Path, name: str) -> Path:
    """Return the file that holds what a program said."""
    return place / "logs" / f"{name}.log"


def _ended(place: Path, name: str, status: int) -> str:
    log = log_of(place, name)
    said = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    if any("No space left on device" in line for line in said):
        return f"{name} ended because the disk of {place} is full. Its log is {log}."
    return f"{name} ended with status {status}{f': {said[-1][:300]}' if said else '.'} Its log is {log}."


# Airflow


@dataclass(frozen=True, slots=True)
class Airflow:
    """Where Airflow is reached, and by whom."""

    address: str
    user: str
    password: str

    def session(self) -> "Session":
        """Log in to the REST API."""
        return Session(self)


class Session:
    """Airflow's REST API (v2), with a token that is renewed when it has expired."""

    def __init__(self, airflow: Airflow) -> None:
        """Make a session that logs in when it must."""
        self._airflow = airflow
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy has no business on 127.0.0.1

    def log_in(self) -> None:
        """Ask for a token."""
        login = {"username": self._airflow.user, "password": self._airflow.password}
        answer = self._http.post(f"{self._airflow.address}/auth/token", json=login, timeout=30)
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, body: object = None) -> Any | None:  # noqa: ANN401 - JSON
        """Return the answer's JSON, or None for 404; raise `requests.RequestException` for all else but an answer."""
        url = f"{self._airflow.address}/api/v2/{path}"
        answer = self._http.request(method, url, json=body, timeout=30)
        if answer.status_code == requests.codes.unauthorized:
            self.log_in()
            answer = self._http.request(method, url, json=body, timeout=30)
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        return answer.json()

    def is_healthy(self) -> bool:
        """Return whether all of Airflow's components beat."""
        try:
            health = self._http.get(f"{self._airflow.address}/api/v2/monitor/health", timeout=5).json()
        except (requests.RequestException, ValueError):
            return False
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)


def settings(
    place: Path, server: local.Server, institutions: Sequence[Path], connections: Mapping[str, str]
) -> tuple[Airflow, dict[str, str]]:
    """Return where Airflow will be, and the environment of all its processes.

    `connections` are Airflow connections by id, as JSON; one that is in our own environment already wins over them.
    """
    home = place / "airflow"
    home.mkdir(mode=0o700, exist_ok=True)
    kept = _kept_secrets(home)
    port = free_port(place, "airflow", FIRST_PORT)
    airflow = Airflow(f"http://{HOST}:{port}", "admin", kept["password"])
    _write(home / "simple_auth_manager_passwords.json.generated", {airflow.user: airflow.password})
    root = local.root()
    own = {
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": f"{root / 'plugins'}{os.pathsep}{root}",
        "EXPLORER_INSTITUTIONS": os.pathsep.join(map(str, institutions)),
        "EXPLORER_LOCAL": str(place),
        "AIRFLOW__CORE__DAGS_FOLDER": os.environ.get("AIRFLOW__CORE__DAGS_FOLDER", str(root / "dags")),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(max(4, os.cpu_count() or 1)),
        "AIRFLOW__CORE__FERNET_KEY": kept["fernet"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{airflow.address}/execution/",
        "AIRFLOW__API_AUTH__JWT_SECRET": kept["jwt"],
        "AIRFLOW__API__SECRET_KEY": kept["api"],
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": airflow.address,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.sqlalchemy_url(local.AIRFLOW),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(place / "logs" / "tasks"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(place / "logs" / "dag-files"),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        # The tasks of a killed run are taken up again after a minute, not five.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        # A busy machine's API server may take long to answer its first calls; a task would fail over that after five seconds.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        # It may also need longer to read a DAG file, which imports Airflow first.
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "360",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "15",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "GX_ANALYTICS_ENABLED": "False",
        "SPT_NOENV": "1",  # process titles leave the environment readable, by which a run's processes are found
        "no_proxy": ",".join(filter(None, [os.environ.get("no_proxy"), HOST, "localhost"])),
        "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), HOST, "localhost"])),
    }
    own_connections = {f"AIRFLOW_CONN_{name.upper()}": value for name, value in connections.items()}
    return airflow, {**own_connections, **os.environ, **own}


def migrate(run: Run, server: local.Server, environment: Mapping[str, str]) -> None:
    """Bring Airflow's own database up to date; a second time for the same version costs nothing."""
    installed = version("apache-airflow-core")
    note = run.place / "airflow" / "migrated"
    if note.exists() and note.read_text() == installed and _has_tables(server):
        return
    run.start("airflow-database", ["-m", "airflow", "db", "migrate"], environment)
    run.finish("airflow-database")
    note.write_text(installed)


def _has_tables(server: local.Server) -> bool:
    with psycopg.connect(server.dsn(local.AIRFLOW)) as connection:
        return connection.execute("SELECT to_regclass('alembic_version')").fetchone() != (None,)


def start(run: Run, environment: Mapping[str, str]) -> None:
    """Start Airflow's components."""
    for name in COMPONENTS:
        # Their logs are files that the web server reads; a log server would listen on all of the machine's addresses.
        options = ["--skip-serve-logs"] if name in {"scheduler", "triggerer"} else []
        run.start(name, ["-m", "airflow", name, *options], environment)


def wait_until_healthy(run: Run, session: Session) -> None:
    """Wait for Airflow's components; raise a sentence if one ends or none answers."""
    deadline = time.monotonic() + START_SECONDS
    while not session.is_healthy():
        run.check(*COMPONENTS)
        if time.monotonic() > deadline:
            message = f"Airflow is not healthy after {START_SECONDS:.0f} s. Its logs are in {run.place / 'logs'}."
            raise LocalError(message)
        time.sleep(0.2)


def free_port(place: Path, name: str, first: int) -> int:
    """Return the port that this folder used last for `name` if it is free, else the first free one from `first` on."""
    notes = place / "ports.json"
    noted: dict[str, int] = json.loads(notes.read_text()) if notes.exists() else {}
    candidates: list[int] = [noted.get(name, first), *range(first, first + PORTS_TRIED)]
    for port in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        _write(notes, {**noted, name: port})
        return port
    message = f"No port from {first} to {first + PORTS_TRIED - 1} is free on {HOST}."
    raise LocalError(message)


def _kept_secrets(home: Path) -> dict[str, str]:
    path = home / "secrets.json"
    if not path.exists():
        fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        made = {name: secrets.token_urlsafe(32) for name in ("jwt", "api")}
        _write(path, {**made, "fernet": fernet, "password": secrets.token_urlsafe(9)})
    kept: dict[str, str] = json.loads(path.read_text())
    return kept
