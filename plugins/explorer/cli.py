"""``bin/explorer``: the steps of Airflow in one process, for people at a terminal, for tests and benchmarks."""

from __future__ import annotations

import getpass
import logging
import signal
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.logging import RichHandler
from rich.table import Table

from explorer import (
    config,
    database,
    descriptions,
    digest,
    exports,
    flow,
    local,
    report,
    sites,
    terminal,
    upkeep,
    uploads,
)
from explorer.imports import BusyError, HaltedError
from explorer.planning import Request
from explorer.sources import Reporting, SourceError
from explorer.staging import Progress as PartProgress

DONE, FAILED, WRONG_CALL, WAITS, INTERRUPTED = 0, 1, 2, 3, 130
ROWS = ("uploaded", "valid", "rejected")
LATEST = 20  # imports that `history` shows on a terminal

app = typer.Typer(
    help="Brings an institution's research outputs, authors and departments into the warehouse of the Explorer.\n\n"
    "An institution is named by its slug (its YAML lies in include/institutions, or it was imported before) or by the path"
    " of its YAML. Start with `check`, then `import --dry-run`, then `import`.\n\n"
    "Exit status: 0 done, 1 the import failed or `check` found something wrong, 2 the call or the configuration is wrong,"
    " 3 it waits for approval and nothing has changed, 130 it was interrupted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
NO_CHANGE = {
    "awaiting_approval": "Import {} of {} would change nothing.",
    "declined": "Import {} of {} was declined; nothing has changed.",
    "dry_run": "Import {} of {} would change nothing.",
    "failed": "Import {} of {} failed and published no change.",
    "rolled_back": "Import {} of {} found everything as it was.",
    "running": "Import {} of {} is at work; what it would change is worked out in its review.",
    "succeeded": "Import {} of {} changed nothing that was published before (a first import only adds).",
}


Name = Annotated[str, typer.Argument(metavar="SLUG|FILE", help="The institution: its slug, or the path of its YAML.")]
Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The institution's slug (or the path of its YAML).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV on standard output (UTF-8 with BOM, for spreadsheets).")]
Number = Annotated[int | None, typer.Option("--import", metavar="ID", help="Another import than the last one.")]


@app.callback()
def main(
    *, verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the log of each step.")] = False
) -> None:
    """Sets up the log: to standard error, quiet unless asked."""
    handler: logging.Handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    if terminal.errors.is_terminal:
        handler = RichHandler(console=terminal.errors, show_path=False, markup=False)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("explorer").setLevel(logging.INFO if verbose else logging.CRITICAL)
    logging.getLogger("explorer.polite_http").setLevel(logging.INFO if verbose else logging.WARNING)


def _site(name: str) -> sites.Site:
    """The institution of that name: a YAML's path, a slug in include/institutions, or a slug known to the warehouse."""
    return sites.site(config.find(name, elsewhere=_imported_before))


def _imported_before() -> Mapping[str, Path | None]:
    """The institutions that the warehouse knows, each with the file that it was last imported with."""
    with _warehouse() as connection:
        rows = connection.execute("select slug, configured_in from ops.institution").fetchall()
    return {str(slug): Path(str(file)) if file else None for slug, file in rows}


@contextmanager
def _warehouse() -> Iterator[database.Connection]:
    dsn = local.warehouse_dsn()
    with database.connect(dsn) as connection:
        database.migrate(connection)
        yield connection


def _slug(connection: database.Connection, name: str) -> str:
    """The slug of an institution that the warehouse knows, by slug or YAML. Raises ``typer.BadParameter`` else."""
    slug = name
    if config.is_path(name):
        slug = config.load(config.find(name)).slug
    rows = [str(r[0]) for r in connection.execute("select slug from ops.institution order by slug").fetchall()]
    if slug not in rows:
        raise typer.BadParameter(sites.never_imported(slug, rows))
    return slug


@app.command("check")
def check(institution: Name, *, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Try the configuration, the connection and each address and right by name, and show what would be harvested.

    Of a spreadsheet it prints the report: what was mended, left out and refused, row by row; with --csv that alone.
    """
    _one_form(as_json=as_json, as_csv=as_csv)
    place = _site(institution)
    findings = [{"name": "configuration", "ok": True, "detail": str(place.institution.path), "fix": None}]
    made: report.Report | None = None
    try:
        source = flow.source_to_check(place)
        if as_csv and not isinstance(source, Reporting):
            raise typer.BadParameter(f"--csv is the report on a spreadsheet; {place.institution.name} keeps none")
        for finding in source.check():
            findings.append({"name": finding.name, "ok": finding.ok, "detail": finding.detail, "fix": finding.fix})
            if not as_json:
                terminal.errors.print(f"… {finding.name}", style="dim")
        if isinstance(source, Reporting) and all(f["ok"] for f in findings):
            made = source.report()
    except SourceError as error:
        findings.append({"name": error.code, "ok": False, "detail": str(error), "fix": None})
    ok = all(f["ok"] for f in findings)
    if as_json:
        listed = {"report": report.as_json(made)} if made else {}
        terminal.print_json({"institution": place.institution.slug, "ok": ok, "findings": findings, **listed})
    elif as_csv and made is not None:
        terminal.write(report.as_csv(made))
    else:
        table = Table("", "what", "shows", title=place.institution.name, show_lines=True)
        for f in findings:
            mark = "[green]ok[/]" if f["ok"] else "[red]no[/]"
            fix = f"\n[yellow]→ {terminal.plain(f['fix'])}[/]" if f["fix"] else ""
            table.add_row(mark, terminal.plain(f["name"]), f"{terminal.plain(f['detail'])}{fix}")
        terminal.show(table)
        if made is not None:
            terminal.write(report.as_text(made))
    raise typer.Exit(DONE if ok else FAILED)


@app.command("import")
def import_(
    institution: Name,
    *,
    full: Annotated[bool, typer.Option("--full", help="Read everything again, not only what changed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Work out the difference and change nothing.")] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Publish also if much would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import an institution: extract, validate, filter by privacy, clean up, review, publish, notify."""
    place = _site(institution)
    request = Request(run_key=f"cli-{uuid.uuid4()}", full_import=full, dry_run=dry_run, stays=True)
    _go(place, request.run_key, lambda hear: flow.run(place, request, approved=approve, listen=hear), as_json=as_json)


@app.command()
def upload(
    institution: Name,
    publications: Annotated[Path | None, typer.Argument(help="The publications file: CSV, the whole set.")] = None,
    hierarchy: Annotated[
        Path | None, typer.Argument(help="The groups file. Left out: the last one that was sent goes along.")
    ] = None,
    *,
    again: Annotated[
        int | None, typer.Option("--again", metavar="ID", help="Publish one of the last four sets again, no files.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who sends it. Default: the user of this computer.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Work out the difference and change nothing.")] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Publish also if much would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send the files of an institution that keeps spreadsheets, and import them: the set replaces the one before."""
    place = _site(institution)
    sender = by or getpass.getuser()
    files: uploads.Sent | uploads.Again
    try:
        if publications is not None and again is None:
            files = flow.examine(place, publications, hierarchy, sender)
        elif publications is None and again is not None:
            files = flow.again(place, again, sender)
        else:
            raise typer.BadParameter("name a publications file, or --again and the number of a set")
    except (HaltedError, SourceError) as error:
        terminal.errors.print(f"[red]{terminal.plain(error)}[/]\nnothing was stored and nothing has changed")
        raise typer.Exit(WRONG_CALL) from error
    if isinstance(files, uploads.Sent) and isinstance(files.report, report.Report) and not as_json:
        terminal.write(report.as_text(files.report))
    request = Request(run_key=f"cli-{uuid.uuid4()}", dry_run=dry_run, stays=True)

    def go(listen: flow.Listener) -> None:
        try:
            flow.run(place, request, files=files, approved=approve, listen=listen)
        except BusyError as error:
            raise BusyError(error.code, f"{error}; these files were not stored: send them again then") from error

    _go(place, request.run_key, go, as_json=as_json)


@app.command("uploads")
def uploads_(institution: Slug, *, as_json: AsJson = False) -> None:
    """List the sets of files that were sent, newest first; the last four that were published can be published again."""
    with _warehouse() as connection:
        slug = _slug(connection, institution)
        made = uploads.listed(connection, slug)
    if as_json:
        terminal.print_json(made)
        return
    table = Table("upload", "when (UTC)", "by", "files", "rows", "valid", "rejected", "import", "state", title=slug)
    for m in made:
        rows = [str(m[f"rows_{kind}"] if m[f"rows_{kind}"] is not None else "") for kind in ROWS]
        files = " + ".join(terminal.plain(name) for name in (m["publications_name"], m["hierarchy_name"]) if name)
        origin = f" (upload {m['again_of']} again)" if m["again_of"] else ""
        state = str(m["state"]).replace("_", " ") + ("; can be published again" if m["can_be_published_again"] else "")
        when = f"{m['uploaded_at']:%Y-%m-%d %H:%M:%S}"
        table.add_row(
            str(m["id"]),
            when,
            terminal.plain(m["uploaded_by"]),
            files + origin,
            *rows,
            str(m["import_id"] or ""),
            state,
        )
    terminal.show(table if made else f"{slug} sent no files yet: `bin/explorer upload {slug} FILE`.")


@app.command()
def approve(institution: Slug, *, as_json: AsJson = False) -> None:
    """Approve an import that waits, and let it go on."""
    place = _site(institution)
    import_id, run_key, run_url = _waiting(place)
    _say_where_it_is_asked(run_url)

    def go(listen: flow.Listener) -> None:
        flow.answer(place, import_id, approved=True, by=getpass.getuser(), stays=True)
        flow.go_on(place, import_id, answered=True, listen=listen)

    _go(place, run_key, go, as_json=as_json)


@app.command()
def reject(institution: Slug, *, as_json: AsJson = False) -> None:
    """Reject an import that waits: it ends, and nothing has changed."""
    place = _site(institution)
    import_id, _, run_url = _waiting(place)
    _say_where_it_is_asked(run_url)
    flow.answer(place, import_id, approved=False, by=getpass.getuser())
    flow.close_staging(place, import_id)
    with database.connect(place.dsn) as connection:
        made = descriptions.object_of(connection, import_id)
    if as_json:
        terminal.print_json(made)
        return
    terminal.errors.print(f"import {import_id} was declined; nothing has changed")
    terminal.print_purges(made)


def _waiting(place: sites.Site) -> tuple[int, str, str | None]:
    """Number and run key of the import that waits for approval, and the address of its run in Airflow, if it has one."""
    with database.connect(place.dsn) as connection:
        row = connection.execute(
            "select id, run_key, run_url from ops.import where institution = %s and status = 'awaiting_approval'",
            (place.institution.slug,),
        ).fetchone()
    if row is None:
        raise typer.BadParameter(f"no import of {place.institution.slug} waits for approval")
    return int(row[0]), str(row[1]), row[2]


def _say_where_it_is_asked(run_url: str | None) -> None:
    """A run of Airflow knows nothing of an answer at the terminal; until its question is answered it holds up the next run."""
    if run_url:
        terminal.errors.print(
            f"[yellow]its run in Airflow still asks; answer there, too, or the next run waits: {terminal.plain(run_url)}[/]"
        )


def _go(place: sites.Site, run_key: str, steps: Callable[[flow.Listener], object], *, as_json: bool) -> None:
    """Runs the steps under a progress bar, prints how the import of that key ended, and exits accordingly."""
    problem: Exception | None = None
    try:
        with terminal.bar() as listen, _ended_by_ctrl_c(listen) as hear:
            steps(hear)
    except terminal.WRONG:
        raise  # the call or the configuration is wrong: ``run`` says so
    except Exception as error:  # noqa: BLE001 - whatever it was, the import's object is printed, and the status says failed
        problem = error
    except KeyboardInterrupt:
        problem = HaltedError("interrupted", "interrupted")
    if isinstance(problem, BusyError) and problem.code == "awaiting_approval":
        run_key = _waiting(place)[1]  # nothing failed: the one that waits is what there is to say
    made = _ended(place, run_key) or _never_opened(place, problem)
    if as_json:
        terminal.print_json(made)
    elif made["import_id"] is not None:
        terminal.print_import(place.institution.name, made)
    if problem is not None and (as_json or made["import_id"] is None or "error" not in made):
        terminal.say(problem)
    raise typer.Exit(_exit_status(made, problem))


def _exit_status(made: Mapping[str, Any], problem: Exception | None) -> int:
    """How the command ends; of an import that now waits it says what to do."""
    if isinstance(problem, HaltedError) and problem.code == "interrupted":
        return INTERRUPTED
    if made["status"] != "awaiting_approval":
        return FAILED if made["status"] == "failed" or problem is not None else DONE
    if problem is None:
        slug = made["institution"]
        terminal.errors.print(
            f"[yellow]nothing has changed yet: `bin/explorer approve {slug}` or `bin/explorer reject {slug}`[/]"
        )
    return WAITS


@contextmanager
def _ended_by_ctrl_c(listen: flow.Listener) -> Iterator[flow.Listener]:
    """A listener that ends the steps at the next one where a library has swallowed a Ctrl-C (Great Expectations may)."""
    pressed: list[int] = []

    def press(number: int, _frame: FrameType | None) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    def hear(task: str, progress: PartProgress | None) -> None:
        if pressed and task != "close_staging":  # which says how it ended
            raise KeyboardInterrupt
        listen(task, progress)

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else a shell has switched it off, for work in the background
        signal.signal(signal.SIGINT, press)
    try:
        yield hear
    finally:
        signal.signal(signal.SIGINT, before)


def _ended(place: sites.Site, run_key: str) -> Mapping[str, Any] | None:
    """The import of that key as an object; None where it was never opened."""
    with database.connect(place.dsn) as connection:
        row = connection.execute(
            "select id from ops.import where institution = %s and run_key = %s", (place.institution.slug, run_key)
        ).fetchone()
        return descriptions.object_of(connection, int(row[0])) if row else None


def _never_opened(place: sites.Site, problem: Exception | None) -> Mapping[str, Any]:
    error = {"task": "open_import", "code": getattr(problem, "code", type(problem).__name__), "message": str(problem)}
    return {"institution": place.institution.slug, "import_id": None, "status": "failed", "error": error}


@app.command()
def status(
    institution: Annotated[
        str | None, typer.Argument(metavar="SLUG", help="One institution (or the path of its YAML). Left out: all.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the institutions, or one, each with its last import and what is published now."""
    with _warehouse() as connection:
        slugs = (
            [_slug(connection, institution)]
            if institution
            else [str(r[0]) for r in connection.execute("select slug from ops.institution order by slug").fetchall()]
        )
        rows = connection.execute(
            "select distinct on (institution) id from ops.import"
            " where institution = any(%s) and kind <> 'purge' order by institution, id desc",
            (slugs,),
        ).fetchall()
        made = [descriptions.object_of(connection, int(r[0])) for r in rows]
        named = connection.execute(
            "select slug, name || coalesce(' (on hold: ' || hold || ')', '') from ops.institution"
        )
        names = {str(slug): str(name) for slug, name in named}
        last_published = connection.execute(
            "select distinct on (institution) institution, tally from ops.import"
            " where institution = any(%s) and published_at is not null order by institution, published_at desc",
            (slugs,),
        )
        published: dict[str, Any] = {str(slug): tally for slug, tally in last_published}
    if as_json:
        terminal.print_json(made)
        return
    columns = ("import", "mode", "status", "outputs", "authors", "departments", "rejected", "attention", "seconds")
    table = Table("slug", "institution", *columns)
    for m in made:
        tally = m["tally"]
        now = published.get(m["institution"], {})  # also where the last import changed nothing
        numbers = [str(now[e]["published"]) if e in now else "0" for e in terminal.ENTITIES]
        rejected = str(tally["outputs"]["rejected"]) if "outputs" in tally else ""
        seconds = f"{sum(m['seconds'].values()):.1f}"
        name = terminal.plain(names[m["institution"]])
        ended = m["status"].replace("_", " ")
        cells = (m["mode"], ended, *numbers, rejected, _attention(m), seconds)
        table.add_row(m["institution"], name, str(m["import_id"]), *cells)
    terminal.show(table if made else "No institution was imported yet: `bin/explorer import FILE`.")
    for m in made if institution else ():
        if "error" in m:
            terminal.show(f"import {m['import_id']} {m['status']} in {terminal.error_of(m)}", one_line=True)
        if sentence := digest.attention(m["attention"]):
            terminal.show(f"attention: {terminal.plain(sentence)}")


def _attention(made: Mapping[str, Any]) -> str:
    """How many outputs have attention, in a cell; or why that is not known."""
    linked = made["attention"].get("linked")
    return f"{linked:,}" if linked is not None else terminal.plain(made["attention"].get("state") or "")


@app.command()
def rejects(institution: Slug, *, number: Number = None, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """List the records of an import that are not published for a reason of their own, and why."""
    _one_form(as_json=as_json, as_csv=as_csv)
    with _warehouse() as connection:
        slug = _slug(connection, institution)
        import_id = _number(connection, slug, number)
        names, rows = exports.select(connection, "explorer/rejects", {"import_id": import_id})
    if terminal.print_rows(names, rows, as_json=as_json, as_csv=as_csv):
        return
    table = Table(
        "", "record", "field", "value", "why and what to do", title=f"{slug}, import {import_id}", show_lines=True
    )
    for row in (dict(zip(names, r, strict=True)) for r in rows):
        cells = (row["verdict"], row["place"] or row["key"], row["field"], row["value"], row["reason"])
        table.add_row(*(terminal.plain(cell or "") for cell in cells))
    terminal.show(table if rows else f"Import {import_id} of {slug} rejected and excluded nothing.")


def _number(connection: database.Connection, slug: str, number: int | None) -> int:
    row = connection.execute(
        "select id from ops.import where institution = %s and coalesce(id = %s, kind <> 'purge') order by id desc limit 1",
        (slug, number),
    ).fetchone()
    if row is None:
        raise typer.BadParameter(f"{slug} has no import {number}" if number else f"{slug} was never imported")
    return int(row[0])


@app.command()
def diff(institution: Slug, *, number: Number = None, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Show what an import changed; of a dry run, or one that waits, what it would change."""
    _one_form(as_json=as_json, as_csv=as_csv)
    with _warehouse() as connection:
        slug = _slug(connection, institution)
        import_id = _number(connection, slug, number)
        try:
            names, rows = exports.difference(connection, slug, import_id)
        except HaltedError as error:
            raise typer.BadParameter(str(error)) from error
        status = descriptions.object_of(connection, import_id)["status"]
    if terminal.print_rows(names, rows, as_json=as_json, as_csv=as_csv):
        return
    table = Table(*(name.replace("_", " ") for name in names), title=f"{slug}, import {import_id}")
    for row in rows:
        table.add_row(*(terminal.plain(cell or "") for cell in row))
    terminal.show(table if rows else NO_CHANGE.get(status, NO_CHANGE["succeeded"]).format(import_id, slug))


@app.command()
def history(institution: Slug, *, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """List the imports of an institution, newest first: what each changed, and which `rollback --to` can go back to."""
    _one_form(as_json=as_json, as_csv=as_csv)
    with _warehouse() as connection:
        slug = _slug(connection, institution)
        names, rows = exports.select(connection, "explorer/history", {"institution": slug})
    if terminal.print_rows(names, rows, as_json=as_json, as_csv=as_csv):
        return
    made: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in rows]
    columns = ("import", "started (UTC)", "", "status", *terminal.CHANGES, "rollback --to", "because")
    table = Table(*columns, title=f"{slug}, research outputs")
    for m in made[:LATEST]:
        what = m["mode"] if m["kind"] == "import" else m["kind"]
        numbers = ("" if m[key] is None else f"{m[key]:,}" for key in terminal.CHANGES)
        back = str(m["import"]) if m["rollback_to"] else ""
        status = m["status"].replace("_", " ")
        table.add_row(str(m["import"]), m["started_at"], what, status, *numbers, back, terminal.plain(m["reason"]))
    terminal.show(table)
    if len(made) > LATEST:
        terminal.errors.print(f"the latest {LATEST} of {len(made):,}; --csv or --json lists all")


@app.command()
def rollback(
    institution: Slug,
    *,
    to: Annotated[int, typer.Option("--to", metavar="ID", help="The import after which it should be as it was.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Work out the difference and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish what was published after an earlier import, minus what privacy has removed since.

    The institution is then on hold until `release`, or else its schedule would undo this; its next import is full.
    """
    place = _site(institution)
    try:
        import_id = upkeep.rollback(place, to_import=to, by=getpass.getuser(), dry_run=dry_run)
    except HaltedError as error:
        if error.code in {"no_such_institution", "no_such_import", "history_gone"}:
            raise typer.BadParameter(str(error)) from error
        raise
    with database.connect(place.dsn) as connection:
        made = descriptions.object_of(connection, import_id)
    terminal.print_json(made) if as_json else terminal.print_import(place.institution.name, made)
    if not dry_run:
        terminal.errors.print(f"[yellow]on hold: `bin/explorer release {place.institution.slug}` lets imports go on[/]")


@app.command()
def release(institution: Slug) -> None:
    """Lift the hold of an institution that was rolled back, so that imports go on."""
    place = _site(institution)
    why, slug = upkeep.release(place), place.institution.slug
    terminal.errors.print(
        f"{slug} is released; it was on hold: {terminal.plain(why)}" if why else f"{slug} was not on hold"
    )


@app.command()
def export(
    institution: Slug,
    what: Annotated[exports.What, typer.Argument(help="What to export.")],
    *,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    as_lines: Annotated[
        bool,
        typer.Option(
            "--jsonl",
            help="For attention: all that is known of each tracked output, a line each; `attention.file` reads it.",
        ),
    ] = False,
) -> None:
    """Print what is published: outputs, authors, departments, or attention, sorted by key. JSON unless --csv is given."""
    _one_form(as_json=as_json or as_lines, as_csv=as_csv)
    if as_lines and what is not exports.What.ATTENTION:
        raise typer.BadParameter(f"--jsonl is for attention alone; ask for {what} with --json or --csv")
    with _warehouse() as connection:
        if as_lines:
            for line in exports.records(connection, _slug(connection, institution)):
                typer.echo(line)
            return
        names, rows = exports.published(connection, _slug(connection, institution), what)
    terminal.print_rows(names, rows, as_json=not as_csv, as_csv=as_csv)


@app.command()
def landing(
    institution: Slug,
    *,
    stored: Annotated[bool, typer.Option("--stored", help="Visit nothing; show what is known.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Check the landing pages of outputs that have only a Handle or URI: which can be tracked, and what the others lack.

    Visits the pages that are due, gently; with `landing_pages: true` in its YAML that also happens once a day.
    """
    _one_form(as_json=as_json, as_csv=as_csv)
    place = _site(institution)
    if not stored:
        upkeep.check_landing_pages(place, lambda line: terminal.errors.print(terminal.plain(line)))
    with database.connect(place.dsn) as connection:
        names, rows = exports.select(connection, "attention/landing_list", {"institution": place.institution.slug})
    if terminal.print_rows(names, rows, as_json=as_json, as_csv=as_csv):
        return
    found: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in rows]
    table = Table("output", "page", "state", "missing in its tags", "why", title=place.institution.slug)
    for each in found:
        if each["state"] != "trackable":
            missing = ", ".join(each["missing"])
            table.add_row(*(terminal.plain(cell or "") for cell in (
                each["key"], each["address"], each["state"].replace("_", " "), missing, each["reason"])))  # fmt: skip
    if table.rows:
        terminal.show(table)
    tracked = sum(each["state"] == "trackable" for each in found)
    sentence = f"{tracked:,} of {len(found):,} landing pages can be tracked"
    terminal.show(sentence if found else f"No landing page of {place.institution.slug} is known.")


@app.command("forget-attention")
def forget_attention(institution: Slug) -> None:
    """Drop all that is known of the attention of an institution's outputs; the outputs stay.

    It is asked for again with the next import, unless its YAML says `attention: {provider: none}`.
    """
    with _warehouse() as connection:
        slug = _slug(connection, institution)
        gone = upkeep.forget_attention(connection, slug)
    terminal.errors.print(f"{slug}: the attention of {gone:,} tracked outputs is forgotten; the outputs stay")


@app.command()
def stop() -> None:
    """Stop the embedded Postgres (it also stops by itself after a minute without work)."""
    terminal.errors.print("stopped" if local.stop() else "it was not running")


def _one_form(*, as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise typer.BadParameter("choose one form: --json or --csv")


def run() -> None:
    """The entry point: known troubles become one sentence and an exit status, never a traceback."""
    try:
        app(prog_name="bin/explorer")
    except (*terminal.WRONG, OSError) as error:
        terminal.say(error)
        sys.exit(WRONG_CALL)
    except Exception as error:  # noqa: BLE001 - the last line of defence
        terminal.say(error)
        sys.exit(FAILED)
