"""`make demo EXIT=1` from nothing: the imports go through a real scheduler, and all that is shown agrees."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

from explorer import local, standalone
from simulators import projectors
from simulators.repository import VirtualClock
from tests import demo_counts

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(1200)  # a minute of an idle machine; a busy one takes many


@dataclass(frozen=True)
class Demo:
    place: Path
    output: str
    server: local.Server


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "EXPLORER_"))}
    return subprocess.run(
        [sys.executable, "-m", "explorer.demo", *arguments],
        env={**kept, "PYTHONPATH": str(ROOT / "plugins"), "EXPLORER_LOCAL": str(place)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    place = tmp_path_factory.mktemp("demo")
    done = run(place, "demo", "--exit")
    logs = "".join(f"\n{log.name}: {log.read_text()[-500:]}" for log in place.glob("logs/*.log"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    yield Demo(place, done.stdout, local.postgres(place))
    local.stop(place)


def shown(demo: Demo) -> dict[str, list[str]]:
    """The table's rows by institution."""
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in demo.output.splitlines() if "│" in line]
    return {row[0]: row[1:] for row in rows}


def test_the_table_is_what_the_warehouse_holds(demo: Demo) -> None:
    with psycopg.connect(demo.server.dsn()) as connection:
        institutions = connection.execute("SELECT slug, name, source FROM ops.institution ORDER BY name").fetchall()
        assert [name for _, name, _ in institutions] == [
            "Academy of Lagado",
            "Brobdingnag Institute",
            "Lilliput University",
        ]
        for slug, name, source in institutions:
            counts = [
                connection.execute(f"SELECT count(*) FROM warehouse.{table} WHERE institution = %s", [slug]).fetchone()
                for table in ("research_output", "author", "department")
            ]
            numbers = [f"{row[0]:,}" for row in counts if row]
            assert shown(demo)[name][:6] == [source, "full", "succeeded", *numbers]
            assert "0" not in numbers


def test_lagado_shows_what_was_counted_by_hand(demo: Demo) -> None:
    counted = demo_counts.lagado(projectors.academy(VirtualClock()))
    numbers = [f"{number:,}" for number in (counted.outputs, counted.authors, counted.departments)]
    assert shown(demo)["Academy of Lagado"][3:6] == numbers


def test_every_address_has_its_mail(demo: Demo) -> None:
    mails = [path.name for path in (demo.place / "mail").glob("*.eml")]
    for address in (
        "library@lilliput.example",
        "research-office@lilliput.example",
        "repository@brobdingnag.example",
        "research-office@lagado.example",
    ):
        assert sum(address in name for name in mails) == 1, mails


def test_it_says_where_to_look(demo: Demo) -> None:
    assert re.search(r"Airflow +http://127\.0\.0\.1:\d+ +\(user admin, password \S+\)", demo.output)
    assert (demo.place / "mail/index.html").exists()
    assert "make psql" in demo.output


def test_nothing_is_left_running(demo: Demo) -> None:
    assert not (demo.place / "run.json").exists()
    left = [process for process in psutil.process_iter() if of_the_demo(process, demo.place)]
    assert left == []


def of_the_demo(process: psutil.Process, place: Path) -> bool:
    try:
        marked = process.environ()
    except (psutil.Error, OSError):
        return False
    return standalone.TOKEN in marked and marked.get("EXPLORER_LOCAL") == str(place)


def test_secrets_are_for_their_owner_alone(demo: Demo) -> None:
    for path in (demo.place / "airflow").glob("*.json*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert json.loads((demo.place / "airflow/secrets.json").read_text())["password"] in demo.output


def everything(dsn: str) -> str:
    """Every row of every table of a database, as text."""
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        return "\n".join(
            str(row[0]) for (table,) in tables for row in connection.execute(f"select t::text from {table} t")
        )


def test_what_is_private_in_elements_is_nowhere(demo: Demo) -> None:
    """Not in the warehouse, not in Airflow's database with its XComs and rendered fields, in no task's log and no mail."""
    academy = projectors.academy(VirtualClock())
    secrets = {each.mail for each in academy.users.values()} - {""}
    for person in academy.users.values():
        if (person.level or "").casefold() != "public" or not person.current or not (person.academic or person.student):
            secrets.add(f"{person.last}, {person.first}")
    public, private = set(), set()
    for each in academy.publications.values():
        titles = {record.title for record in each.records if record.title}
        (public if (each.level or "").casefold() == "public" else private).update(titles)
    secrets |= {title for title in private if not any(title in shown for shown in public)}
    kept = {
        "the warehouse": everything(demo.server.dsn()),
        "Airflow's database": everything(demo.server.dsn("airflow")),
        "logs": "\n".join(each.read_text("utf-8", "replace") for each in demo.place.glob("**/logs/**/*.log")),
        "mails": "\n".join(each.read_text("utf-8", "replace") for each in (demo.place / "mail").glob("*")),
    }
    assert "import_lagado" in kept["Airflow's database"]
    assert "import_lagado" in str(sorted(demo.place.glob("**/logs/**/*.log")))
    assert "research-office@lagado.example" in kept["mails"]
    shown = next(each for each in academy.users.values() if each.level == "Public" and each.current and each.academic)
    assert f"{shown.last}, {shown.first}" in kept["the warehouse"]
    assert len(secrets) > 60
    found = {place: [each for each in secrets if each in text] for place, text in kept.items()}
    assert not any(found.values()), found


def test_down_with_nothing_running_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, "down")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Nothing was running.\n", "")
