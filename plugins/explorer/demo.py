"""``make demo``, ``make up`` and ``make down``: the whole product on this machine, from nothing to a finished import.

``python -m explorer.demo demo [--exit] [--all]``, ``… up``, ``… down``. The demo's institutions are the files of
``include/demo`` (with ``--all`` those of ``include/demo/more`` too). They name the simulators as ``${EPRINTS_URL}``;
copies with the real addresses go to ``.local/demo``, and Airflow reads those. Their connections, if any, are in
``include/demo/connections.json``: by id, what ``AIRFLOW_CONN_…`` takes.
"""

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import string
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import requests
from psycopg.rows import dict_row
from rich.console import Console
from rich.live import Live
from rich.table import Table

from explorer import config, local, standalone
from explorer.local import LocalError

IMPORT_SECONDS = 1800.0
LINE = 140
INTERRUPTED = 130
ENDED = frozenset({"success", "failed"})
# The states of a task, most telling first: the first that one of an import's tasks has is what the import is doing.
DOING = ("failed", "up_for_retry", "running", "deferred", "queued", "scheduled")
SERVICES = ("simulators", "mail")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the import of one institution is; `state` is that of the DAG run."""

    slug: str
    run: str = ""
    state: str = "waiting for its DAG"
    task: str = ""
    doing: str = ""
    done: int = 0
    tasks: int = 0

    def words(self) -> str:
        """Say it in a line."""
        if self.state in ENDED or not self.task:
            return self.state
        again = " failed and is tried again soon" if self.doing == "up_for_retry" else ""
        return f"{self.task}{again} ({self.done} of {self.tasks} tasks done)"


def main(arguments: Sequence[str]) -> int:
    """Run one of the three; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m explorer.demo", description="The whole product on this machine.")
    parser.add_argument("what", choices=["demo", "up", "down"])
    parser.add_argument("--exit", action="store_true", help="end after the table; status 1 if an import failed")
    parser.add_argument("--all", action="store_true", help="every kind of source, not only three")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=LINE)  # the columns of a log are not those of a window
    try:
        with _sigterm_as_interrupt():
            match options.what:
                case "down":
                    return _down(console)
                case "up":
                    return _up(console)
                case _:
                    return _demo(console, ends=options.exit, everything=options.all)
    except LocalError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), markup=False)
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.strerror}: {error.filename or local.folder()}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _down(console: Console) -> int:
    place = local.folder()
    ended = standalone.end(place)
    stopped = local.stop(place)
    console.print("Ended." if ended or stopped else "Nothing was running.")
    return 0


def _up(console: Console) -> int:
    place = local.folder()
    with _stopping_postgres(console, place), standalone.running(place) as run:
        console.print("Starting Postgres and Airflow …")
        server = local.postgres(place)
        airflow, _ = _start_airflow(run, server, [config.INSTITUTIONS], {"warehouse": server.airflow_connection()})
        _show_where(console, airflow, None)
        if not config.files():
            console.print(f"No institution yet: add a YAML file to {config.INSTITUTIONS}, see the README.")
        _keep(console, run, standalone.COMPONENTS)
    return 0


def _demo(console: Console, *, ends: bool, everything: bool) -> int:
    place = local.folder()
    began = time.monotonic()
    with _stopping_postgres(console, place), standalone.running(place) as run:
        console.print("Starting Postgres, the simulators and Airflow …")
        ready = {name: place / "demo" / f"{name}.ready" for name in SERVICES}
        _start_services(run, place, ready)
        server = local.postgres(place)
        addresses = run.read_ready("simulators", ready["simulators"])
        port = int(run.read_ready("mail", ready["mail"])["port"])
        folders, connections = render(local.root() / "include" / "demo", place / "demo", addresses, more=everything)
        connections = {
            "warehouse": server.airflow_connection(),
            "smtp_default": json.dumps(_mail_connection(port)),
            **connections,
        }
        airflow, session = _start_airflow(run, server, folders, connections)
        console.print(f"Airflow is ready at {airflow.address} after {time.monotonic() - began:.0f} s.")
        slugs = [config.slug_of(file) for folder in folders for file in config.files(folder)]
        since = _now(server)
        progress = follow(console, run, session, slugs)
        rows = _imports(server, since)
        console.print(table_of(progress, rows))
        _show_where(console, airflow, place / "mail")
        failed = [each.slug for each in progress if each.state != "success"]
        for slug in failed:
            reason = (rows.get(slug, {}).get("error") or {}).get("message") or "its DAG says more"
            where = f"{airflow.address}/dags/import_{slug}"
            console.print(f"The import of {slug} did not succeed: {reason}. {where}", markup=False, soft_wrap=True)
        if not ends:
            _keep(console, run, (*standalone.COMPONENTS, *SERVICES))
    return 1 if failed else 0


@contextlib.contextmanager
def _stopping_postgres(console: Console, place: Path) -> Iterator[None]:
    """Stop the embedded Postgres at the end, when all that used it has ended; a second Ctrl-C does not disturb that."""
    running = False
    try:
        yield
    except LocalError as error:
        running = isinstance(error, standalone.AlreadyRunningError)  # it is not ours, then
        raise
    finally:
        if not running:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            local.stop(place)
            console.print("Ended.")


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    yield


def _start_services(run: standalone.Run, place: Path, ready: Mapping[str, Path]) -> None:
    (place / "demo").mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": f"{local.root() / 'plugins'}{os.pathsep}{local.root()}"}
    for file in ready.values():
        file.unlink(missing_ok=True)
    folder = str(place / "simulators")
    run.start("simulators", ["-m", "simulators", "--folder", folder, "--ready", str(ready["simulators"])], environment)
    mail = ["-m", "simulators.mail", "--folder", str(place / "mail"), "--port", "0", "--ready", str(ready["mail"])]
    run.start("mail", mail, environment)


def _start_airflow(
    run: standalone.Run, server: local.Server, folders: Sequence[Path], connections: Mapping[str, str]
) -> tuple[standalone.Airflow, standalone.Session]:
    airflow, environment = standalone.settings(run.place, server, folders, connections)
    with psycopg.connect(
        server.dsn()
    ):  # it would stop where nobody is connected for a minute: a busy machine takes as long
        standalone.migrate(run, server, environment)
        standalone.start(run, environment)
        session = airflow.session()
        standalone.wait_until_healthy(run, session)
    return airflow, session


def _mail_connection(port: int) -> dict[str, Any]:
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "explorer@explorer.example"}
    return {"conn_type": "smtp", "host": standalone.HOST, "port": port, "extra": extra}


def render(demo: Path, place: Path, addresses: Mapping[str, str], *, more: bool) -> tuple[list[Path], dict[str, str]]:
    """Copy the demo's files with the simulators' addresses in place of ``${NAME_URL}``.

    Return the folders with institutions, and the connections by id as JSON. A file that would not change is left as it
    is, and data files keep their time, so that a source which looks at them sees that nothing is new.
    """
    names = {f"{name.upper()}_URL": address for name, address in addresses.items()}
    folders = [place / "institutions", *([place / "institutions" / "more"] if more else [])]
    known = {path.relative_to(demo) for path in demo.rglob("*") if path.is_file()}
    for old in (path for path in folders[0].rglob("*") if path.is_file()):
        if old.relative_to(folders[0]) not in known:
            old.unlink()
    for name in known:
        target = folders[0] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.suffix not in {".yaml", ".json"}:
            shutil.copy2(demo / name, target)
            continue
        try:
            text = string.Template((demo / name).read_text(encoding="utf-8")).substitute(names)
        except (KeyError, ValueError) as error:
            message = (
                f"{demo / name} names a simulator that does not run: {error}. There are {', '.join(sorted(names))}."
            )
            raise LocalError(message) from error
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
    connections = folders[0] / "connections.json"
    found = json.loads(connections.read_text(encoding="utf-8")) if connections.exists() else {}
    return folders, {name: json.dumps(value) for name, value in found.items()}


# Progress


def follow(console: Console, run: standalone.Run, session: standalone.Session, slugs: Sequence[str]) -> list[Progress]:
    """Start the import of each institution through Airflow's scheduler, and show how they go until all have ended."""
    progress = {slug: Progress(slug) for slug in slugs}
    shown: dict[str, str] = {}
    deadline = time.monotonic() + IMPORT_SECONDS
    began = time.monotonic()
    live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
    with live or contextlib.nullcontext():
        while any(each.state not in ENDED for each in progress.values()):
            run.check(*standalone.COMPONENTS, *SERVICES)
            if time.monotonic() > deadline:
                message = f"The imports have not ended after {IMPORT_SECONDS / 60:.0f} minutes."
                raise LocalError(message)
            for slug, each in progress.items():
                if each.state not in ENDED:
                    with contextlib.suppress(requests.RequestException):  # a busy server: asked again in a moment
                        progress[slug] = _advance(session, each)
            if live:
                live.update(_lines(progress.values(), time.monotonic() - began))
            else:
                for slug, each in progress.items():
                    if shown.get(slug) != each.words():
                        shown[slug] = each.words()
                        console.print(f"{time.monotonic() - began:5.0f} s  {slug}: {each.words()}")
            time.sleep(0.5)
    return list(progress.values())


def _begin(session: standalone.Session, each: Progress) -> Progress:
    """Start an import, or find the one that Airflow has started or is about to.

    A DAG that is switched on for the first time, or after a long time, makes up for its last scheduled run at once; a
    run that was cut off is taken up again. Another one beside it would find the institution taken.
    """
    dag = f"dags/import_{each.slug}"
    known = session.call("GET", dag)
    if known is None:
        return each
    active = session.call("GET", f"{dag}/dagRuns?state=queued&state=running&order_by=run_after&limit=1") or {}
    is_due = known["next_dagrun_run_after"] and datetime.fromisoformat(known["next_dagrun_run_after"]) <= datetime.now(
        UTC
    )
    if known["is_paused"]:
        session.call("PATCH", dag, {"is_paused": False})
    match active.get("dag_runs", []), is_due:
        case [run, *_], _:
            return replace(each, run=run["dag_run_id"], state=run["state"])
        case _, True:
            return replace(each, state="waiting for the scheduler")
    started = session.call("POST", f"{dag}/dagRuns", {"logical_date": None, "note": "make demo"})
    return replace(each, run=started["dag_run_id"], state="queued") if started else each


def _advance(session: standalone.Session, each: Progress) -> Progress:
    if not each.run:
        return _begin(session, each)
    dag = f"dags/import_{each.slug}"
    found = session.call("GET", f"{dag}/dagRuns/{each.run}") or {}
    listed = session.call("GET", f"{dag}/dagRuns/{each.run}/taskInstances?limit=100") or {}
    states = {task["task_id"]: task["state"] for task in listed.get("task_instances", ())}
    doing = [(task, state) for state in DOING for task, current in states.items() if current == state]
    task, how = doing[0] if doing else (each.task, each.doing)
    return replace(
        each,
        state=found.get("state", each.state),
        task=task,
        doing=how,
        done=sum(state in {"success", "skipped"} for state in states.values()),
        tasks=len(states),
    )


def _lines(progress: Iterator[Progress] | Any, seconds: float) -> Table:  # noqa: ANN401
    table = Table.grid(padding=(0, 2))
    for each in progress:
        bar = "█" * each.done + "░" * (each.tasks - each.done)
        table.add_row(each.slug, bar, each.words(), f"{seconds:.0f} s")
    return table


# The end


def _now(server: local.Server) -> datetime:
    """Return the time by the warehouse's clock, which dates the imports."""
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute("SELECT now()").fetchone()
    return row[0] if row else datetime.now(UTC)


def _imports(server: local.Server, since: datetime) -> dict[str, dict[str, Any]]:
    """Return the last import of each institution that has run since then, as the warehouse has it."""
    query = """
        SELECT DISTINCT ON (i.institution) i.institution, n.name, n.source, i.mode, i.status, i.tally,
               coalesce(i.finished_at, now()) - i.started_at AS took, i.error
        FROM ops.import i JOIN ops.institution n ON n.slug = i.institution
        WHERE coalesce(i.finished_at, now()) >= %s AND i.kind <> 'purge' ORDER BY i.institution, i.id DESC"""
    with psycopg.connect(server.dsn(), row_factory=dict_row) as connection:
        if connection.execute("SELECT to_regclass('ops.import') AS found").fetchone() == {"found": None}:
            return {}
        return {row["institution"]: row for row in connection.execute(query, [since])}


def table_of(progress: Sequence[Progress], imports: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return the table of what was imported: published now, and rejected in this import."""
    table = Table(title="What was imported")
    for title in ("institution", "source", "mode", "status"):
        table.add_column(title)
    for title in ("outputs", "authors", "departments", "rejected", "seconds"):
        table.add_column(title, justify="right")
    for each in progress:
        row = imports.get(each.slug)
        if row is None:
            table.add_row(each.slug, "", "", each.state, "", "", "", "", "")
            continue
        tally = row["tally"] or {}
        published = [_count(tally, entity, "published") for entity in ("outputs", "authors", "departments")]
        rejected = sum(_number(tally, entity, "rejected") for entity in ("outputs", "authors", "departments"))
        seconds = f"{row['took'].total_seconds():.0f}"
        table.add_row(
            row["name"],
            row["source"],
            row["mode"],
            row["status"],
            *published,
            f"{rejected:,}",
            seconds,
        )
    return table


def _number(tally: Mapping[str, Any], entity: str, verdict: str) -> int:
    return int((tally.get(entity) or {}).get(verdict) or 0)


def _count(tally: Mapping[str, Any], entity: str, verdict: str) -> str:
    return f"{_number(tally, entity, verdict):,}" if entity in tally else "-"


def _show_where(console: Console, airflow: standalone.Airflow, mails: Path | None) -> None:
    own = f"EXPLORER_LOCAL={shlex.quote(str(local.folder()))} " if os.environ.get("EXPLORER_LOCAL") else ""
    places = [("Airflow", f"{airflow.address}  (user {airflow.user}, password {airflow.password})")]
    if mails:
        places.append(("Mails", f"file://{mails}/index.html"))
    places += [("Warehouse", f"{own}make psql"), ("Logs", str(local.folder() / "logs"))]
    for name, where in places:
        console.print(f"  {name:<10} {where}", markup=False, soft_wrap=True)


def _keep(console: Console, run: standalone.Run, names: Sequence[str]) -> None:
    console.print("All of it runs until Ctrl-C, or make down in another terminal.")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            run.check(*names)
            time.sleep(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
