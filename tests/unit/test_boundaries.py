"""Who may import what: data flows one way, and imports with it."""

import ast
import sys
from collections.abc import Iterable
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "plugins" / "explorer"
KNOW_AIRFLOW = {"pipeline.py", "notices.py", "connections.py", "web/rights.py"}
MODULES = sorted(p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py"))


def imported(file: Path, *, top: bool = False) -> set[str]:
    """The modules that a file imports, anywhere or at its top only (what is imported for types alone left out)."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return named([n for n in tree.body if not _is_for_types(n)] if top else ast.walk(tree))


def named(nodes: Iterable[ast.AST]) -> set[str]:
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def at_work(file: Path) -> set[str]:
    """The modules that a file imports when it runs, at its top or in a function."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tree.body = [n for n in tree.body if not _is_for_types(n)]
    return named(ast.walk(tree))


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


@pytest.mark.parametrize("module", MODULES)
def test_only_the_named_modules_import_airflow(module: str):
    uses = {name for name in imported(PACKAGE / module) if name.split(".")[0] == "airflow"}
    assert not uses or module in KNOW_AIRFLOW, f"{module} imports {sorted(uses)}"


@pytest.mark.parametrize(
    "module", [m for m in MODULES if m.startswith(("sources/", "identifiers/")) or m == "mapping.py"]
)
def test_parsing_knows_no_database_and_no_flow(module: str):
    forbidden = {"psycopg", "sqlalchemy", "great_expectations", "explorer.database", "explorer.staging", "explorer.warehouse",
                 "explorer.imports", "explorer.flow", "explorer.sites", "explorer.privacy", "explorer.orphans"}  # fmt: skip
    assert not imported(PACKAGE / module) & forbidden


def test_no_two_modules_import_each_other_in_a_circle():
    names = {f"explorer.{m.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__"): m for m in MODULES}
    above = {name: at_work(PACKAGE / module) & set(names) - {name} for name, module in names.items()}
    TopologicalSorter(above).prepare()  # a CycleError names the circle


@pytest.mark.parametrize("module", MODULES)
def test_no_module_takes_the_name_of_one_of_the_standard_library(module: str):
    """Airflow's plugin loader would put it into sys.modules under its bare name."""
    assert Path(module).stem in {"__init__", "__main__"} or Path(module).stem not in sys.stdlib_module_names


@pytest.mark.parametrize(
    "file", [*(ROOT / "dags").glob("*.py"), PACKAGE / "pipeline.py", PACKAGE / "config.py"], ids=lambda p: p.name
)
def test_dag_files_are_light_to_parse(file: Path):
    heavy = {
        "pandas",
        "great_expectations",
        "lxml",
        "requests",
        "psycopg",
        "sqlalchemy",
        "explorer.flow",
        "explorer.sites",
        "explorer.upkeep",
        "explorer.database",
    }
    assert not {name for name in imported(file, top=True) if name in heavy or name.split(".")[0] in heavy}


def test_the_plugin_folder_hides_its_modules_from_airflows_loader():
    lines = (ROOT / "plugins" / ".airflowignore").read_text().split()
    assert lines == ["*.py", "!explorer_plugin.py"]


def test_every_statement_file_has_a_header_and_is_used():
    sources = "\n".join(p.read_text(encoding="utf-8") for p in PACKAGE.rglob("*.py"))
    for file in (ROOT / "include" / "sql").rglob("*.sql"):
        name = file.relative_to(ROOT / "include" / "sql").with_suffix("").as_posix()
        text = file.read_text(encoding="utf-8")
        if name.startswith("schema/"):
            assert text.startswith("-- ")
            continue
        assert text.startswith("-- Purpose: "), f"{name} does not say what it is for"
        folder, leaf = name.split("/")
        assert name in sources or f'"{leaf}"' in sources or f"{folder}/{leaf.split('_')[0]}_{{" in sources, (
            f"{name} is not used"
        )


def test_schema_files_are_numbered_one_by_one():
    numbers = [int(file.name[:4]) for file in sorted((ROOT / "include" / "sql" / "schema").glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_decisions_are_numbered_one_by_one():
    numbers = [int(file.name[:4]) for file in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
