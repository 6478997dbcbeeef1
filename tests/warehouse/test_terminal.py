"""What the command line prints when an import ends badly: one object about this import, and a sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from explorer import cli, flow, local

ROW = "Author,Department,DOI\nGulliver,Eggs,10.5555/terminal.1\n"


@pytest.fixture
def explorer(monkeypatch: pytest.MonkeyPatch, warehouse_dsn: str, without_expectations: None) -> Callable[..., Result]:
    monkeypatch.setattr(local, "warehouse_dsn", lambda: warehouse_dsn)
    return lambda *arguments: CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


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
