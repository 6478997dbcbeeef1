"""The second half of ``bin/setup``, run by whichever Python 3.11 it found: makes ``.venv`` with the stdlib alone.

Installs with uv, which takes seconds where pip takes a minute, and with pip where uv cannot (no wheel for the machine,
or an index that it does not understand). Everything that the programs say goes to ``.local/logs/setup.log``.
"""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin/python"
UNFINISHED = VENV / "unfinished"
LOCAL = Path(os.environ.get("EXPLORER_LOCAL") or ROOT / ".local").absolute()
LOG = LOCAL / "logs/setup.log"
NEEDED_BYTES = 1_500 * 1024**2
UV = "uv==0.13.8"

REASONS = {
    "No space left on device": "the disk is full",
    "os error 28": "the disk is full",
    "Permission denied": "a file may not be written",
    "Temporary failure in name resolution": "the package index could not be reached",
    "Failed to establish a new connection": "the package index could not be reached",
    "Connection refused": "the package index could not be reached",
    "error sending request": "the package index could not be reached",
    "dns error": "the package index could not be reached",
    "CERTIFICATE_VERIFY_FAILED": "the package index's certificate was refused (set PIP_CERT or SSL_CERT_FILE)",
    "No matching distribution found": "the package index lacks a pinned package, or no index is configured",
}


class SetupError(Exception):
    """The environment could not be made; the message is a sentence."""


def main(arguments: list[str]) -> int:
    """Make the environment; `arguments` names further requirement files (``dev``)."""
    names = ["requirements.txt", *(f"requirements-{name}.txt" for name in arguments)]
    try:
        with locked(), LOG.open("a") as log:
            if not is_done(names):  # another set-up may have done it while we waited
                log.write(f"\n{time.strftime('%Y-%m-%d %H:%M:%S')} set-up with {sys.executable}\n")
                make(names, log)
    except SetupError as error:
        say(f"{error} The log is {LOG}.")
    except OSError as error:
        say(f"The environment could not be made: {error.strerror} ({error.filename or VENV}).")
    except KeyboardInterrupt:
        say("Interrupted. The next call begins the set-up again.")
    else:
        return 0
    return 1


def make(names: list[str], log: IO[str]) -> None:
    """Make ``.venv`` and install the requirements; the copies of their files, written last, say that it is done."""
    began = time.monotonic()
    # What an interrupted set-up, another version of Python or its removal leave is made anew.
    whole = (PYTHON, VENV / "bin/pip", VENV / "lib/python3.11")
    broken = UNFINISHED.exists() or not all(path.exists() for path in whole)
    free = shutil.disk_usage(ROOT).free
    if broken and free < NEEDED_BYTES:
        message = f"The disk of {ROOT} is full: {free // 1024**2} MB are free, {NEEDED_BYTES // 1024**2} MB are needed."
        raise SetupError(message)
    say(f"Setting up {VENV} with Python {sys.version.split()[0]}; this is done once.")
    if broken:
        with step("making the environment"):
            venv.EnvBuilder(clear=True, symlinks=True).create(VENV)
            UNFINISHED.touch()
            run([str(PYTHON), "-m", "ensurepip", "--upgrade", "--default-pip"], log)
    UNFINISHED.touch()
    wanted = sum(line[:1].isalnum() for name in names for line in (ROOT / name).read_text().splitlines())
    files = [word for name in names for word in ("--requirement", str(ROOT / name))]
    with step("installing packages", wanted):
        install(files, log)
    for name in names:
        shutil.copyfile(ROOT / name, VENV / name)
    UNFINISHED.unlink()
    say(f"Ready after {time.monotonic() - began:.0f} s.")


def install(files: list[str], log: IO[str]) -> None:
    """Install with uv, under pip's own settings; fall back on pip."""
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    if not (VENV / "bin/uv").exists() and run([*pip, "install", UV], log, check=False):
        say("  uv could not be installed; going on with pip, which takes longer.")
    elif run(
        [str(VENV / "bin/uv"), "pip", "install", "--python", str(PYTHON), *files], log, uv_settings(), check=False
    ):
        say("  uv could not install the packages; going on with pip, which takes longer.")
    else:
        return
    run([*pip, "install", *files], log)


def uv_settings() -> dict[str, str]:
    """Say to uv, in its own variables, what pip has been told in a file or variable: indexes, folders, certificate."""
    listed = subprocess.run([PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        found[name.rpartition(".")[2]] = value.strip("'\"").replace("\\n", " ")
    settings = {
        "UV_DEFAULT_INDEX": found.get("index-url"),
        "UV_INDEX": found.get("extra-index-url"),
        "UV_FIND_LINKS": ",".join(found.get("find-links", "").split()),
        "UV_INSECURE_HOST": found.get("trusted-host"),
        "UV_NO_INDEX": "1" if found.get("no-index") in {"1", "true", "True"} else None,
        "SSL_CERT_FILE": found.get("cert"),
        # pip takes the best version of all indexes together.
        "UV_INDEX_STRATEGY": "unsafe-best-match" if found.get("extra-index-url") else None,
    }
    return {name: value for name, value in settings.items() if value and name not in os.environ}


def run(command: list[str], log: IO[str], settings: dict[str, str] | None = None, *, check: bool = True) -> int:
    """Run a program with its words in the log; return its status, or raise what its words mean."""
    log.write(f"$ {json.dumps(command)}\n")
    log.flush()
    start = log.tell()
    # Without our own standard input: a question asked of nobody would wait for ever.
    environment = {**os.environ, **(settings or {}), "PYTHONPATH": "", "PIP_NO_INPUT": "1"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, check=False)
    if done.returncode and check:
        said = LOG.read_text(errors="replace")[start:]
        reason = next((reason for mark, reason in REASONS.items() if mark in said), None)
        last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "no reason given")
        message = f"The environment could not be made: {(reason or last).rstrip('.')}."
        raise SetupError(message)
    return done.returncode


def is_done(names: list[str]) -> bool:
    """Return whether the environment holds these requirements: what ``bin/setup`` asked before us."""
    copies = [(ROOT / name, VENV / name) for name in names]
    return PYTHON.exists() and all(copy.exists() and copy.read_bytes() == file.read_bytes() for file, copy in copies)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Let one set-up run at a time; the second waits and then finds all done."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with (LOCAL / "setup.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is running; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def step(title: str, packages: int = 0) -> Iterator[None]:
    """Show a step and, where a person watches, how far it is."""
    if not sys.stderr.isatty():
        say(f"  {title}{f' ({packages})' if packages else ''} …")
        yield
        return
    done = threading.Event()

    def show() -> None:
        began = time.monotonic()
        while not done.wait(0.3):
            there = len(list(VENV.glob("lib/python3.11/site-packages/*.dist-info"))) if packages else 0
            count = f" {min(there, packages)} of {packages}" if packages else ""
            sys.stderr.write(f"\r  {title}{count} … {time.monotonic() - began:.0f} s ")
            sys.stderr.flush()

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        sys.stderr.write("\n")


def say(text: str) -> None:
    """Speak to the person, never to a program that reads standard output."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
