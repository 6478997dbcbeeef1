"""The two commands from a fresh clone: what they make, what they repeat, and what they say where they cannot."""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import psutil
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "cat", "chmod", "cmp", "dirname", "readlink", "sleep", "make", "find", "rm")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose requirements are empty: it needs no package index."""
    shutil.copytree(ROOT / "bin", tmp_path / "clone/bin", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Makefile", tmp_path / "clone")
    (tmp_path / "clone/requirements.txt").write_text("# none\n")
    (tmp_path / "clone/requirements-dev.txt").write_text("-r requirements.txt\n")
    return tmp_path / "clone"


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EXPLORER_", "PIP_", "UV_"))}
    return {**kept, "PYTHON": sys.executable, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null", **changes}


def setup(clone: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "bin/setup", *arguments], env=environment(**changes), capture_output=True, text=True, check=False
    )


def bare_path(folder: Path, *programs: str) -> str:
    """A PATH with a few tools of the system and no Python."""
    folder.mkdir()
    for program in (*TOOLS, *programs):
        found = shutil.which(program)
        assert found is not None
        (folder / program).symlink_to(found)
    return str(folder)


def test_set_up_is_made_once_and_again_when_the_requirements_change(clone: Path, tmp_path: Path) -> None:
    first = setup(clone)
    assert first.returncode == 0, first.stderr
    assert first.stdout == ""
    assert "this is done once" in first.stderr
    assert (clone / ".venv/bin/python").exists()

    second = setup(clone, PATH=bare_path(tmp_path / "path"), PYTHON="")  # it needs no Python to see that all is there
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")

    (clone / "requirements.txt").write_text("# still none\n")
    assert "Ready" in setup(clone).stderr
    assert "Ready" in setup(clone, "dev").stderr
    assert setup(clone, "dev").stderr == ""


def test_an_interrupted_set_up_is_begun_again(clone: Path) -> None:
    with subprocess.Popen([clone / "bin/setup"], env=environment(), stderr=subprocess.PIPE) as running:
        while not (clone / ".venv/bin/python").exists():
            assert running.poll() is None
            time.sleep(0.01)
        for process in (*psutil.Process(running.pid).children(recursive=True), psutil.Process(running.pid)):
            with contextlib.suppress(psutil.NoSuchProcess):  # one of many that come and go
                process.send_signal(signal.SIGKILL)
    again = setup(clone)
    assert again.returncode == 0, again.stderr
    assert subprocess.run([clone / ".venv/bin/python", "-m", "pip", "--version"], check=False).returncode == 0
    assert setup(clone).stderr == ""


def test_two_set_ups_at_once_do_not_disturb_each_other(clone: Path) -> None:
    both = [
        subprocess.Popen([clone / "bin/setup"], env=environment(), stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted("Ready" in text for text in said) == [False, True]


def test_a_missing_python_is_a_sentence(clone: Path, tmp_path: Path) -> None:
    done = setup(clone, PATH=bare_path(tmp_path / "path"), PYTHON="")
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.11 is needed and was not found")
    assert done.stderr.count("\n") == 1
    made = subprocess.run(
        ["make", "demo"],
        cwd=clone,
        env=environment(PATH=str(tmp_path / "path"), PYTHON="/nowhere/python"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 2
    assert "looked for /nowhere/python, python3.11" in made.stderr
    assert "Traceback" not in made.stderr


def test_another_version_of_python_is_not_taken(clone: Path, tmp_path: Path) -> None:
    path = bare_path(tmp_path / "path")
    other = Path(path) / "python3"
    other.write_text("#!/bin/sh\nexit 1\n")  # as 3.10 answers when asked whether it is 3.11
    other.chmod(0o755)
    assert "was not found" in setup(clone, PATH=path, PYTHON="").stderr


def test_a_python_that_can_make_no_environment_is_a_sentence(clone: Path, tmp_path: Path) -> None:
    path = bare_path(tmp_path / "path")
    bare = Path(path) / "python3.11"
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexit 0\n')
    bare.chmod(0o755)
    done = setup(clone, PATH=path, PYTHON="")
    assert done.returncode == 1
    assert "venv and ensurepip are missing" in done.stderr
    assert "apt install python3.11-venv" in done.stderr


def test_a_package_that_cannot_be_had_is_a_sentence_with_the_log(clone: Path) -> None:
    (clone / "requirements.txt").write_text("no-such-package-anywhere==1.0\n")
    done = setup(clone)
    assert done.returncode == 1
    assert "lacks a pinned package" in done.stderr
    log = re.search(r"The log is (\S+)\.$", done.stderr.strip())
    assert log is not None
    assert "no-such-package-anywhere" in Path(log[1]).read_text()
    assert "Traceback" not in done.stderr
    assert setup(clone).returncode == 1, "a set-up that failed passes for one that is done"


def test_the_command_line_says_the_same_and_ends_with_2(clone: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [clone / "bin/explorer", "status", "--json"],
        env=environment(PATH=bare_path(tmp_path / "path"), PYTHON=""),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Python 3.11 is needed")


def load_setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("explorer_setup", ROOT / "bin/setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_full_disk_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load_setup()
    for name, value in {"VENV": tmp_path / ".venv", "PYTHON": tmp_path / ".venv/bin/python", "LOCAL": tmp_path}.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "LOG", tmp_path / "logs/setup.log")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 7 * 1024**2))
    assert module.main([]) == 1
    assert "is full: 7 MB are free, 1500 MB are needed." in capsys.readouterr().err


def test_pips_own_settings_reach_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    module = load_setup()
    monkeypatch.setattr(module, "PYTHON", sys.executable)
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://more.example/simple https://yet.example/simple")
    monkeypatch.setenv("PIP_CERT", "/certificates.pem")
    assert module.uv_settings() == {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_INDEX": "https://more.example/simple https://yet.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/certificates.pem",
    }


def test_make_alone_says_what_there_is() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^  make (\w+)", said, re.MULTILINE))
    defined = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets == defined - {"help", "setup"}


def test_make_down_and_clean_need_no_environment(clone: Path) -> None:
    done = subprocess.run(["make", "clean"], cwd=clone, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Nothing runs" in done.stdout


def test_docker_compose_holds_together_and_opens_nothing_to_the_network() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    services = compose["services"]
    components = {"api-server", "scheduler", "dag-processor", "triggerer", "worker", "redis", "mail"}
    assert components | {"airflow-postgres", "warehouse"} <= services.keys()
    for name, service in services.items():
        needed = service.get("depends_on", {})
        assert needed.keys() <= services.keys(), name
        for other, how in needed.items():
            assert how["condition"] != "service_healthy" or "healthcheck" in services[other], (
                f"{name} waits for {other}"
            )
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} opens {port}"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in compose["volumes"], f"{name} mounts {source}"
