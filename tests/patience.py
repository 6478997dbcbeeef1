"""What must come in the end is waited for: a busy machine takes its time, and only what never comes is a failure."""

import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds: many times what an idle machine needs for anything here, and less than a test may take."""


def wait_until(happened: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return once it has happened; an ``AssertionError`` if it does not."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"waited in vain for {seconds:.0f} s"
        time.sleep(0.02)
