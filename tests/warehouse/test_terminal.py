"""What the command line prints when an import ends badly: one object about this import, and a sentence."""

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from explorer import database, flow

pytestmark = pytest.mark.usefixtures("without_expectations")
ROW = "Author,Department,DOI\nGulliver,Eggs,10.5555/terminal.1\n"


def yaml(folder: Path, source: str) -> Path:
    path = folder / "lilliput.yaml"
    path.write_text(f"name: Lilliput\nsource: {{kind: spreadsheet, {source}}}\n", encoding="utf-8")
    return path


def test_an_import_that_never_opened_is_not_shown_as_the_one_before(explorer: Callable[..., Result], tmp_path: Path):
    (tmp_path / "p.csv").write_text(ROW, encoding="utf-8")
    assert explorer("import", yaml(tmp_path, "publications: p.csv")).exit_code == 0
    gone = explorer("import", yaml(tmp_path, "watch: nowhere"), "--json")
    made = json.loads(gone.stdout)
    assert gone.exit_code == 1
    assert (made["import_id"], made["status"], made["error"]["task"]) == (None, "failed", "open_import")
    assert "nowhere cannot be read" in made["error"]["message"]
    assert made["error"]["message"] in gone.stderr


def test_a_call_that_cannot_be_answered_is_wrong_and_not_failed(explorer: Callable[..., Result], tmp_path: Path):
    (tmp_path / "p.csv").write_text(ROW + "Gulliver,Eggs,\n", encoding="utf-8")
    file = yaml(tmp_path, "publications: p.csv")
    assert "`bin/explorer rejects lilliput` lists" in explorer("import", file).stdout
    for call, sentence in (
        (("rollback", file, "--to", 9), "import 9 of lilliput published nothing; these did: 1"),
        (("diff", "lilliput", "--json", "--csv"), "choose one form: --json or --csv"),
        (
            ("export", "lilliput", "outputs", "--jsonl"),
            "--jsonl is for attention alone; ask for outputs with --json or --csv",
        ),
        (("diff", "lilliput", "--import", 9), "lilliput has no import 9"),
        (("approve", file), "no import of lilliput waits for approval"),
        (("status", "laputa"), "laputa was never imported into this warehouse; it knows: lilliput"),
    ):
        refused = explorer(*call)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert sentence in " ".join(refused.stderr.replace("│", " ").split())


def test_whatever_breaks_an_import_its_object_is_printed(
    explorer: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def breaks(*_, **__) -> None:
        raise ZeroDivisionError("a fault of our own")

    (tmp_path / "p.csv").write_text(ROW, encoding="utf-8")
    monkeypatch.setattr(flow, "review", breaks)
    ended = explorer("import", yaml(tmp_path, "publications: p.csv"), "--json")
    made = json.loads(ended.stdout)
    assert (ended.exit_code, made["status"], made["import_id"]) == (1, "failed", 1)
    assert "ZeroDivisionError: a fault of our own" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_would_change_is_not_told_as_if_it_had(explorer: Callable[..., Result], tmp_path: Path):
    rows = [f"Gulliver,Eggs,10.5555/terminal.{n}\n" for n in range(60)]
    sheet = tmp_path / "p.csv"
    sheet.write_text("Author,Department,DOI\n" + "".join(rows), encoding="utf-8")
    place = yaml(tmp_path, "publications: p.csv")
    assert explorer("import", place).exit_code == 0
    sheet.write_text("Author,Department,DOI\n" + "".join(rows[:20]), encoding="utf-8")
    tried = explorer("import", place, "--dry-run")
    assert tried.exit_code == 0
    assert "import 2 was a dry run, nothing has changed" in tried.stdout
    waits = explorer("import", place)
    assert waits.exit_code == 3
    assert "import 3 waits for approval, nothing has changed yet" in waits.stdout
    for said in (tried.stdout, waits.stdout):
        assert {"would be removed │ 40", "would be published │ 20"} <= {_squeezed(line) for line in said.splitlines()}
    assert explorer("reject", place).exit_code == 0
    (line,) = [line for line in explorer("status", "lilliput").stdout.splitlines() if "Lilliput" in line]
    assert [cell.strip() for cell in line.split("│")][1:8] == [
        "lilliput",
        "Lilliput",
        "3",
        "full",
        "declined",
        "60",
        "1",
    ]


def _squeezed(line: str) -> str:
    """The first two cells of a table's line."""
    return " │ ".join(cell.strip() for cell in line.split("│")[1:3])


def test_history_lists_the_imports_and_which_a_rollback_can_go_back_to(
    explorer: Callable[..., Result], tmp_path: Path, warehouse_dsn: str
):
    unknown = explorer("history", "lilliput")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    rows = [f"Gulliver,Eggs,10.5555/terminal.{n}\n" for n in range(3)]
    sheet = tmp_path / "p.csv"
    place = yaml(tmp_path, "publications: p.csv")
    for part, options in ((rows, ()), (rows[:2], ("--dry-run",)), (rows[:2], ())):
        sheet.write_text("Author,Department,DOI\n" + "".join(part), encoding="utf-8")
        assert explorer("import", place, *options).exit_code == 0
    assert explorer("rollback", "lilliput", "--to", 1).exit_code == 0
    listed = json.loads(explorer("history", "lilliput", "--json").stdout)
    keys = ("import", "kind", "mode", "status", "added", "updated", "removed", "published", "rollback_to")
    assert [tuple(each[key] for key in keys) for each in listed] == [
        (4, "rollback", "full", "rolled_back", 1, 0, 0, 3, True),
        (3, "import", "full", "succeeded", 0, 0, 1, 2, True),
        (2, "import", "full", "dry_run", None, None, None, None, False),
        (1, "import", "full", "succeeded", 3, 0, 0, 3, True),
    ]
    shown = explorer("history", "lilliput")
    assert "rolled back to import 1" in shown.stdout
    with database.connect(warehouse_dsn) as connection:
        connection.execute("update ops.institution set history_from = 3")
        connection.commit()
    for each in json.loads(explorer("history", "lilliput", "--json").stdout):
        tried = explorer("rollback", "lilliput", "--to", each["import"], "--dry-run")
        assert (tried.exit_code == 0) == each["rollback_to"]


def test_diff_says_why_it_shows_nothing(explorer: Callable[..., Result], tmp_path: Path, warehouse_dsn: str):
    (tmp_path / "p.csv").write_text(ROW, encoding="utf-8")
    file = yaml(tmp_path, "publications: p.csv")
    assert explorer("import", file).exit_code == 0
    assert "changed nothing that was published before (a first import only adds)" in explorer("diff", "lilliput").stdout
    assert explorer("import", file, "--dry-run").exit_code == 0
    assert "Import 2 of lilliput would change nothing." in explorer("diff", "lilliput").stdout
    assert explorer("import", file).exit_code == 0
    gone = explorer("diff", "lilliput", "--import", 2, "--json")
    assert (gone.exit_code, gone.stdout) == (2, "")
    with database.connect(warehouse_dsn) as connection:
        connection.execute("update ops.institution set history_from = 1")
        connection.commit()
    gone = explorer("diff", "lilliput", "--import", 1)
    assert gone.exit_code == 2
    assert "the history of lilliput reaches back to import 1;" in " ".join(gone.stderr.replace("│", " ").split())


@pytest.fixture
def in_the_foreground() -> Iterator[None]:
    """Tests that a shell has put into the background are deaf to Ctrl-C, and all that they start is."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("in_the_foreground")
def test_ctrl_c_ends_an_import_also_where_a_library_swallows_it(
    explorer: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def pressed(*_, **__) -> None:
        signal.raise_signal(signal.SIGINT)

    def swallowed(*_, **__) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            pressed()

    (tmp_path / "p.csv").write_text(ROW, encoding="utf-8")
    place = yaml(tmp_path, "publications: p.csv")
    for step in (pressed, swallowed):
        with monkeypatch.context() as patch:
            patch.setattr(flow, "settle", step)
            ended = explorer("import", place, "--json")
        made = json.loads(ended.stdout)
        assert (ended.exit_code, made["status"]) == (130, "failed")
        assert "privacy_filter" not in ended.stderr
        assert "interrupted" in ended.stderr
        assert "Traceback" not in ended.stderr
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert explorer("import", place).exit_code == 0


def test_an_import_that_failed_before_it_counted_shows_no_numbers(explorer: Callable[..., Result], tmp_path: Path):
    (tmp_path / "p.csv").write_text(ROW, encoding="utf-8")
    place = yaml(tmp_path, "publications: p.csv")
    assert "published" in explorer("import", place).stdout
    (tmp_path / "p.csv").unlink()
    failed = explorer("import", place)
    assert failed.exit_code == 1
    assert "published" not in failed.stdout
    sentence = f"There is no file {tmp_path / 'p.csv'}; mend the path or put the file there."
    assert sentence in failed.stderr
    assert f"import 2 failed in read publications: {sentence}" in explorer("status", "lilliput").stdout


def test_a_slug_with_a_slip_is_told_what_there_is(explorer: Callable[..., Result], tmp_path: Path):
    (tmp_path / "p.csv").write_text(ROW, encoding="utf-8")
    place = yaml(tmp_path, "publications: p.csv")
    assert explorer("import", place).exit_code == 0
    refused = explorer("import", "liliput")
    assert "there is no institution `liliput` (did you mean `lilliput`?); there are: " in str(refused.exception)
    place.unlink()
    assert f"{place}" in str(explorer("import", "lilliput").exception)
    assert "(did you mean `lilliput`?)" in " ".join(explorer("status", "liliput").stderr.replace("│", " ").split())
