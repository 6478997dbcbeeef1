"""A process that keeps others: it starts them in a process group of their own and ends them all when it is let go.

``python -m explorer.keeper`` reads orders from its standard input, one JSON object on a line::

    {"name": "scheduler", "command": ["…"], "environment": {…}, "folder": "…", "log": "…"}

and answers on its standard output, one object on a line: ``{"name", "pid"}`` when a program has started,
``{"name", "status"}`` when one has ended. The end of its input is the order to end: a starter that is killed, whatever
the signal, therefore takes everything with it. So does SIGTERM.

The group is what is ended, not the programs one by one: Airflow's components have children that outlive them.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

GRACE_SECONDS = 6.0
LOOK_EVERY_SECONDS = 0.2


def main() -> int:
    """Keep what is ordered until the input ends; the caller has made us the leader of a session."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _let_go)
    kept: dict[str, subprocess.Popen[bytes]] = {}
    with contextlib.suppress(SystemExit):
        _serve(kept)
    _end(kept)
    return 0


def _let_go(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit


def _serve(kept: dict[str, subprocess.Popen[bytes]]) -> None:
    unread = b""
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], LOOK_EVERY_SECONDS)
        if ready:
            chunk = os.read(sys.stdin.fileno(), 1 << 16)
            if not chunk:
                return
            *lines, unread = (unread + chunk).split(b"\n")
            for line in lines:
                order = json.loads(line)
                kept[order["name"]] = _start(order)
                _answer({"name": order["name"], "pid": kept[order["name"]].pid})
        for name, process in list(kept.items()):
            if process.poll() is not None:
                del kept[name]
                _answer({"name": name, "status": process.returncode})


def _start(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    with Path(order["log"]).open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our starter's orders
            [str(word) for word in order["command"]],
            env=order["environment"],
            cwd=order["folder"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _answer(answer: dict[str, object]) -> None:
    try:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise SystemExit from None  # nobody listens any more


def _end(kept: dict[str, subprocess.Popen[bytes]]) -> None:
    """Ask the group to end, wait, and kill what is left of it, ourselves included."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    for process in kept.values():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
