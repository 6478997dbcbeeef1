"""A real Airflow of a test's own: scheduler, triggerer, API server and DAG processor over institutions in a folder."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from explorer import database, local, standalone
from tests.patience import PATIENCE

YAML = """\
name: {name}
schedule: "0 3 * * *"
source: {{kind: spreadsheet, publications: {slug}.csv}}
limits: {{max_removed_share: 0.2, max_rejected_share: 1}}
"""


@dataclass
class AirflowSite:
    """What runs, and how it is spoken to."""

    run: standalone.Run
    session: standalone.Session
    airflow: standalone.Airflow
    environment: dict[str, str]
    server: local.Server
    folder: Path

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the warehouse."""
        with database.connect(self.server.dsn()) as connection:
            return connection.execute(query, values).fetchall()

    def cli(self, *words: str) -> str:
        """Airflow's command line."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *words],
            env=self.environment, cwd=local.root(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def get(self, path: str) -> Any:
        return self.session.call("GET", path)

    def unpause(self, dag: str) -> None:
        self.wait(lambda: self.get(f"dags/{dag}"), f"{dag} is known")
        self.session.call("PATCH", f"dags/{dag}", {"is_paused": False})

    def trigger(self, dag: str, **conf: object) -> str:
        made = self.session.call("POST", f"dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})
        assert made is not None
        return str(made["dag_run_id"])

    def clear(self, dag: str, run: str, task: str) -> None:
        """Clears a task with what follows it, as the UI does."""
        body = {
            "dag_run_id": run,
            "task_ids": [task],
            "include_downstream": True,
            "only_failed": False,
            "dry_run": False,
        }
        assert self.session.call("POST", f"dags/{dag}/clearTaskInstances", body)

    def states(self, dag: str, run: str) -> dict[str, str]:
        found = self.get(f"dags/{dag}/dagRuns/{run}/taskInstances?limit=100") or {"task_instances": []}
        return {task["task_id"]: task["state"] for task in found["task_instances"]}

    def runs(self, dag: str) -> list[dict[str, Any]]:
        return (self.get(f"dags/{dag}/dagRuns?limit=100") or {"dag_runs": []})["dag_runs"]

    def ended(self, dag: str, run: str, seconds: float = 900) -> str:
        """The state in which a run ends."""
        path = f"dags/{dag}/dagRuns/{run}"
        self.wait(lambda: (self.get(path) or {}).get("state") in {"success", "failed"}, f"{dag} {run} ends", seconds)
        return str(self.get(path)["state"])

    def log(self, dag: str, run: str, task: str, attempt: int = 1) -> str:
        return str(self.get(f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}"))

    def wait(self, happened: Callable[[], object], what: str, seconds: float = 600) -> None:
        deadline = time.monotonic() + seconds
        while not self._has(happened):
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
            time.sleep(0.5)

    @staticmethod
    def _has(happened: Callable[[], object]) -> bool:
        try:
            return bool(happened())
        except requests.RequestException:  # a busy server: asked again in a moment
            return False

    def kill(self, component: str) -> None:
        """Kills a component with all of its processes, and waits until none is left."""
        ours = [p for p in psutil.process_iter() if _is(p, component, self.run.token)]
        assert ours, component
        tree = [child for process in ours for child in [*process.children(recursive=True), process]]
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(tree, PATIENCE)

    def restart(self, component: str) -> None:
        self.run.start(component, ["-m", "airflow", component, "--skip-serve-logs"], self.environment)


def _is(process: psutil.Process, component: str, token: str) -> bool:
    try:
        words = process.cmdline()
        return process.environ().get(standalone.TOKEN) == token and component in " ".join(words)
    except (psutil.Error, OSError):
        return False


def institution(folder: Path, slug: str, publications: Sequence[tuple[str, str, str]], name: str | None = None) -> None:
    """An institution with a spreadsheet of (author, title, DOI)."""
    (folder / f"{slug}.yaml").write_text(YAML.format(name=name or f"The {slug.title()} Academy", slug=slug))
    rewrite(folder, slug, publications)


def rewrite(folder: Path, slug: str, publications: Sequence[tuple[str, str, str]]) -> None:
    with (folder / f"{slug}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("Author", "Title", "DOI"))
        writer.writerows(publications)


def titles(slug: str, count: int, first: int = 0) -> list[tuple[str, str, str]]:
    return [
        (f"Author{n % 9}, Ann", f"On the voyages, part {n}", f"10.5555/{slug}.{n}") for n in range(first, first + count)
    ]


@contextlib.contextmanager
def started(place: Path, institutions: Path) -> Iterator[AirflowSite]:
    """Airflow over a folder of institutions; all of it has ended when the block has."""
    with standalone.running(place) as run:
        server = local.postgres(place)
        # Not the first port of all, as several may start at once; and below those that the system gives to anybody meanwhile.
        standalone.free_port(place, "airflow", 11_000 + os.getpid() % 1_000 * 20)
        with database.connect(server.dsn()):  # or else it stops while a busy machine takes its time to start the rest
            airflow, environment = standalone.settings(
                place, server, [institutions], {"warehouse": server.airflow_connection()}
            )
            # no file changes, and parsing takes a core
            environment["AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL"] = "120"
            standalone.migrate(run, server, environment)
            standalone.start(run, environment)
            session = airflow.session()
            standalone.wait_until_healthy(run, session)
            yield AirflowSite(run, session, airflow, environment, server, institutions)
    local.stop(place)
