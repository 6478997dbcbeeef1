"""Captured answers and files of real systems: outside the repository, so tests that need them may be skipped.

They lie in the folder that ``EXPLORER_SAMPLES`` names, by default in ``shared/samples`` beside the repository.
"""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "samples"


def sample(path: str) -> Path:
    """The path of a captured file or folder; skips the test that asks for one that is not there."""
    folder = Path(os.environ.get("EXPLORER_SAMPLES") or BESIDE)
    if not (folder / path).exists():
        pytest.skip(f"There is no {path} in {folder}: set EXPLORER_SAMPLES to the folder of captured samples.")
    return folder / path
