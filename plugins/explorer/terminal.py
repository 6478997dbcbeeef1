"""What the command line shows: tables, bars and sentences for people; JSON and CSV for programs."""

from __future__ import annotations

import csv
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from explorer import exports, flow
from explorer.config import ConfigError
from explorer.connections import ConnectionUnusableError
from explorer.database import SessionEndedError, WarehouseUnusableError
from explorer.imports import BusyError, HaltedError
from explorer.local import LocalError
from explorer.sources import SourceError
from explorer.staging import Progress as PartProgress

ENTITIES = ("outputs", "authors", "departments")
STATUSES = {
    "dry_run": "was a dry run, nothing has changed",
    "awaiting_approval": "waits for approval, nothing has changed yet",
    "declined": "was declined, nothing has changed",
    "rolled_back": "published",
}
UNCHANGED = ("dry_run", "awaiting_approval", "declined")  # of these the tally says what would have been
CHANGES = ("added", "updated", "removed", "published")
WIDE = 160  # columns of a table where there is no terminal to ask
WRONG = (ConfigError, ConnectionUnusableError, LocalError, WarehouseUnusableError)  # the call, or what it stands on
TOLD = (*WRONG, SessionEndedError, HaltedError, SourceError)  # errors whose words are a sentence for people


def _printer(*, stderr: bool = False) -> Console:
    """A printer: tables have room where no terminal says how wide it is, and a sentence stays one line."""
    terminal = sys.stderr.isatty() if stderr else sys.stdout.isatty()
    return Console(stderr=stderr, highlight=False, width=None if terminal else WIDE, soft_wrap=stderr)


errors = _printer(stderr=True)


def show(what: object, *, one_line: bool | None = None) -> None:
    """A table, or a sentence, on standard output; with ``one_line`` a sentence is not broken."""
    _printer().print(what, soft_wrap=one_line)


@contextmanager
def bar() -> Iterator[flow.Listener]:
    """Progress on standard error: a bar where that is a terminal, a line for each step elsewhere."""
    if not errors.is_terminal:
        seen: list[str] = []

        def note(task: str, _progress: PartProgress | None) -> None:
            if task not in seen:
                seen.append(task)
                errors.print(f"{task} …")

        yield note
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as progress:
        bars: dict[str, Any] = {}

        def draw(task: str, state: PartProgress | None) -> None:
            for name, each in bars.items():
                if name != task and not progress.tasks[each].finished:
                    done = progress.tasks[each].completed or 1
                    progress.update(each, total=done, completed=done)
            if task not in bars:
                bars[task] = progress.add_task(task, total=None)
            if state is not None:
                progress.update(bars[task], completed=state.records, total=state.expected)

        yield draw


def print_import(name: str, made: Mapping[str, Any]) -> None:
    """An import as ``descriptions.object_of`` describes it; ``name`` is the institution's."""
    seconds = sum(made["seconds"].values())
    status = made["status"]
    colours = {"succeeded": "green", "rolled_back": "green", "dry_run": "cyan", "awaiting_approval": "yellow"}
    console = _printer()
    console.print(
        f"[bold]{plain(name)}[/]: import {made['import_id']}"
        f" [{colours.get(status, 'red')}]{STATUSES.get(status, status)}[/],"
        f" {made['mode']} ({plain(made['reason'])}), {seconds:.1f} s"
    )
    tally = made["tally"]
    if any(any(tally[entity].values()) for entity in ENTITIES) or status != "failed":  # else it did not come to count
        table = Table("", "outputs", "authors", "departments")
        for key in tally["outputs"]:
            row = [str(tally[entity].get(key, "")) for entity in ENTITIES]
            if any(cell not in {"0", ""} for cell in row) or key == "published":
                label = f"would be {key}" if status in UNCHANGED and key in CHANGES else key.replace("_", " ")
                table.add_row(label, *row, style="bold" if key == "published" else None)
        console.print(table)
        for word in ("removed", "excluded"):
            reasons = tally.get(f"{word}_because")
            if reasons:
                would = "would be " if word == "removed" and status in UNCHANGED else ""
                console.print(
                    f"{would}{word}: " + ", ".join(f"{n} {plain(reason)}" for reason, n in sorted(reasons.items()))
                )
        if status in {"dry_run", "awaiting_approval"}:
            console.print(
                f"`bin/explorer diff {made['institution']} --import {made['import_id']}` lists what would change"
            )
        if any(numbers["rejected"] or numbers["excluded"] for numbers in (tally[e] for e in ENTITIES)):
            console.print(f"`bin/explorer rejects {made['institution']}` lists the rejected and excluded records")
    print_purges(made)
    if "error" in made:
        errors.print(f"[red]{error_of(made)}[/]")


def error_of(made: Mapping[str, Any]) -> str:
    """The task that failed, and why."""
    return plain(": ".join(str(made["error"][key]) for key in ("task", "message") if made["error"].get(key)))


def print_purges(made: Mapping[str, Any]) -> None:
    """What privacy has taken out while the rest of an import waits, or was declined."""
    if numbers := ", ".join(str(each) for each in made.get("purges", ())):
        errors.print(f"only what turned private is gone; that never waits (import {numbers})")


def print_json(made: object) -> None:
    """One object or list, and nothing else, on standard output."""
    sys.stdout.write(json.dumps(made, ensure_ascii=False, indent=1, default=str) + "\n")


def write(text: str) -> None:
    """Text whose line ends and marks stay as they are."""
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    sys.stdout.write(text)


def print_csv(names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows for spreadsheets: UTF-8 with BOM, every cell quoted, CR LF."""
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    sys.stdout.write("\ufeff")
    writer = csv.writer(sys.stdout, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([exports.cell(value) for value in row] for row in rows)


def print_rows(
    names: Sequence[str], rows: Sequence[Sequence[object]], *, as_json: bool = False, as_csv: bool = False
) -> bool:
    """Rows for a program, in the form that was asked for. Returns whether one was; else they are for people."""
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    elif as_csv:
        print_csv(names, rows)
    return as_json or as_csv


def plain(value: object) -> str:
    """Text from outside, without the marks that the terminal's printer would obey."""
    return str(value).replace("[", "\\[")


def say(error: Exception) -> None:
    """One sentence on standard error, never a traceback; the whole of it where a log was asked for."""
    if isinstance(error, BusyError):
        errors.print(f"[yellow]{plain(error)}[/]")
    elif isinstance(error, TOLD):
        errors.print(f"[red]{plain(error)}[/]")
    elif isinstance(error, psycopg.errors.DiskFull):
        errors.print(
            "[red]the disk of the warehouse is full: free some, or give it more, and run this again; nothing half done stays[/]"
        )
    elif isinstance(error, OSError) and error.strerror:
        errors.print(f"[red]{plain(error.strerror)}{plain(f': {error.filename}' if error.filename else '')}[/]")
    else:
        logging.getLogger("explorer").info("what happened", exc_info=error)
        sentence = f"{type(error).__name__}: {error}"
        errors.print(
            f"[red]an error that should not happen: {plain(sentence)}; add --verbose before the command for more[/]"
        )
