"""The structure of Pure's answers: which keys lie where, and of what type. Lists are ``[]``, locales ``*``.

``tests/fixtures/pure/shapes.json`` holds that of captured answers: paths and types alone. ``python -m tests.pure_shapes``
writes it anew from the captured files; a test compares both where these are there.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "fixtures" / "pure" / "shapes.json"
CAPTURED = {
    "old output": ["umn-pureapi/521/research_output.json"],
    "old person": ["umn-pureapi/524/person.json"],
    "old unit": [
        "umn-pureapi/521/organisational_unit_b.json", "umn-pureapi/522/organisational_unit_b.json",
        "umn-pureapi/523/organisational_unit_a.json", "umn-pureapi/524/organisational_unit_b.json",
    ],
    "old outsider": ["umn-pureapi/522/external_person.json", "umn-pureapi/524/external_person.json"],
    "old changes": [
        "umn-pureapi/changes/page_with_items.json", "umn-pureapi/changes/page_with_zero_count.json",
        "umn-pureapi/changes/sequence_restart_extract.jsonl",
    ],
    "old change": ["umn-pureapi/changes/item_with_relation_changes.json"],
    "new outputs": ["psu-researcher-metadata/publications_1.json"],
    "new persons": ["psu-researcher-metadata/users_1.json"],
    "new units": ["psu-researcher-metadata/organizations_1.json"],
    "new error": ["psu-researcher-metadata/not_found_error.json"],
}  # fmt: skip


def shapes(value: Any, path: str = "") -> Iterator[str]:
    """Every path of a JSON value with the type that lies there: ``personAssociations[].person.uuid: text``."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from shapes(inner, f"{path}.{'*' if name[:3] in {'en_', 'de_', 'nl_'} else name}".lstrip("."))
        case list():
            for inner in value:
                yield from shapes(inner, f"{path}[]")
        case bool():
            yield f"{path}: flag"
        case int() | float():
            yield f"{path}: number"
        case str():
            yield f"{path}: text"


def captured(folder: Path) -> dict[str, list[str]]:
    """The structure of captured answers, by what they are."""
    found = {}
    for name, files in CAPTURED.items():
        texts = [text for file in files for text in _documents(folder / file)]
        found[name] = sorted({shape for text in texts for shape in shapes(json.loads(text))})
    return found


def known() -> dict[str, set[str]]:
    """The structure that the project keeps."""
    return {name: set(paths) for name, paths in json.loads(FILE.read_text("utf-8")).items()}


def _documents(file: Path) -> list[str]:
    text = file.read_text("utf-8")
    return text.splitlines() if file.suffix == ".jsonl" else [text]


if __name__ == "__main__":
    FILE.write_text(json.dumps(captured(Path(sys.argv[1])), indent=1) + "\n", "utf-8")
