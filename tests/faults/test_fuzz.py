"""Many spoilt files and texts: each ends in a report or a clear refusal. The same ones for the same seed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import fuzz_spreadsheets

FOLDER = Path(__file__).parent


@pytest.mark.timeout(3600)
def test_ten_thousand_spoilt_spreadsheets():
    ends = fuzz_spreadsheets.run(10_000, seed=1)
    assert sum(ends.values()) == 10_000
    assert set(ends) == {"read", "read, no row valid", "refused"}, "spoilt files of every kind are tried"


@pytest.mark.timeout(3600)
def test_a_million_texts_that_may_hold_identifiers():
    command = [sys.executable, FOLDER / "fuzz_identifiers.py", "--count", "1000000", "--seed", "1"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
