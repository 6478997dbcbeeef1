"""A file of attention records as a provider: both payload shapes and the Explorer's, broken lines, gzip, any length."""

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from explorer.attention_providers import RecordsFile, StoppedError
from explorer.connections import ConnectionUnusableError
from explorer.records import Identifier

COUNTS = {"altmetric_id": 1, "doi": "10.5555/One", "cited_by_posts_count": 3, "cited_by_msm_count": 2}
FETCH = {"altmetric_id": 2, "counts": {"total": {"posts_count": 4}}, "citation": {"pmid": "21148220"}, "posts": []}
EXPLORER = {
    "id": 3, "type": "research-output",
    "attributes": {"identifiers": {"handles": ["12345/6"]}, "mentions": {"tweet": 5}, "altmetric-score": 2},
}  # fmt: skip
ASKED = [
    Identifier("doi", "10.5555/one"), Identifier("pmid", "21148220"), Identifier("handle", "12345/6"),
    Identifier("doi", "10.5555/no"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def closes_what_it_opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    opened: list[RecordsFile] = []
    made = RecordsFile.__init__

    def remembered(self: RecordsFile, path: Path, institution: str) -> None:
        made(self, path, institution)
        opened.append(self)

    monkeypatch.setattr(RecordsFile, "__init__", remembered)
    yield
    for each in opened:
        each.close()


def file_of(folder: Path, *lines: object, name: str = "dump.jsonl", ends: str = "\n") -> Path:
    path = folder / name
    text = ends.join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def mentions(provider: RecordsFile) -> dict[str, int]:
    ids = provider.translate(ASKED)
    found = provider.records(list(ids.values()))
    return {each.scheme: found[id_].mentions for each, id_ in ids.items()}


@pytest.mark.parametrize("name", ["dump.jsonl", "dump.jsonl.gz"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\n\n\n"])
def test_all_shapes_are_read_packed_or_not(tmp_path: Path, name: str, ends: str):
    provider = RecordsFile(file_of(tmp_path, COUNTS, FETCH, EXPLORER, name=name, ends=ends), "lilliput")
    assert mentions(provider) == {"doi": 3, "pmid": 4, "handle": 5}
    assert provider.remark is None
    assert provider.look_up(ASKED[3]).answer == "untracked"
    provider.close()


def test_a_record_is_found_by_what_it_names_in_any_spelling(tmp_path: Path):
    named = {
        "uri": "http://Repo.Lilliput.example:80/id/5/",
        "handles": ["12345/aB"],
        "isbns": ["0306406152"],
        "type": "book",
    }
    exported = {
        "altmetric_id": 8,
        "mentions": 1,
        "identifiers": [{"scheme": "uri", "value": "https://repo.lilliput.example/6"}],
    }
    lines = ({**COUNTS, **named, "arxiv_id": "arXiv:1108.2455v2", "ads_id": "2004MNRAS.352.1199P"}, exported)
    provider = RecordsFile(file_of(tmp_path, *lines), "lilliput")
    for scheme, value, id_ in (
        ("uri", "https://repo.lilliput.example/id/5", "1"), ("handle", "12345/aB", "1"), ("handle", "12345/AB", None),
        ("isbn", "9780306406157", "1"), ("arxiv", "1108.2455", "1"), ("doi", "10.48550/arxiv.1108.2455", "1"),
        ("ads", "2004mnras.352.1199p", "1"),
        ("uri", "https://repo.lilliput.example/6", "8"), ("uri", "https://other.example/6", None),
    ):  # fmt: skip
        found = provider.translate([Identifier(scheme, value)])
        assert list(found.values()) == ([] if id_ is None else [id_]), value


def test_broken_lines_are_counted_and_told_and_the_others_are_read(tmp_path: Path):
    broken = [
        "{",
        "[1]",
        "null",
        '{"altmetric_id": 9, "cited_by_posts_count": -1}',
        '"\\ud800"',
        "\x00",
        '{"a":' * 2000,
    ]
    provider = RecordsFile(file_of(tmp_path, "\ufeff" + json.dumps(COUNTS), *broken, FETCH, EXPLORER), "lilliput")
    assert mentions(provider) == {"doi": 3, "pmid": 4, "handle": 5}
    assert provider.remark is not None
    assert provider.remark.startswith(
        "7 lines of the file of attention records without a record, the first in line 2: it is not"
    )


def test_the_last_of_several_lines_of_a_record_counts(tmp_path: Path):
    provider = RecordsFile(file_of(tmp_path, COUNTS, {**COUNTS, "cited_by_posts_count": 8}), "lilliput")
    assert mentions(provider) == {"doi": 8}


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[\n {}\n]\n", b"<html></html>", b"\xff\xfe{\x00}\x00"])
def test_a_file_that_holds_nothing_says_so_instead_of_calling_all_untracked(tmp_path: Path, content: bytes):
    path = tmp_path / "dump.jsonl"
    path.write_bytes(content)
    with pytest.raises(StoppedError, match=r"dump\.jsonl holds no record; it should hold one on each line"):
        RecordsFile(path, "lilliput").translate(ASKED)


def test_gzip_that_is_cut_off_is_told(tmp_path: Path):
    path = file_of(tmp_path, *[COUNTS] * 500, name="dump.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoppedError, match="broken gzip"):
        RecordsFile(path, "lilliput").translate(ASKED)


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(ConnectionUnusableError, match="No such file"):
        RecordsFile(tmp_path / "none.jsonl", "lilliput")


def test_whoever_replaces_the_file_meanwhile_changes_nothing(tmp_path: Path):
    path = file_of(tmp_path, COUNTS, FETCH)
    provider = RecordsFile(path, "lilliput")
    ids = provider.translate(ASKED)
    path.unlink()
    path.write_text("something else entirely\n" * 20)
    assert {each.mentions for each in provider.records(list(ids.values())).values()} == {3, 4}


def test_memory_stays_flat_over_a_long_file(tmp_path: Path):
    def peak(lines: int) -> int:
        path = tmp_path / f"{lines}.jsonl"
        with path.open("w") as file:
            file.writelines(
                json.dumps({**COUNTS, "altmetric_id": n, "doi": f"10.5555/{n}"}) + "\n" for n in range(lines)
            )
        provider = RecordsFile(path, "lilliput")
        tracemalloc.start()
        provider.translate(ASKED)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        provider.close()
        return most

    assert peak(8000) < peak(1000) + 300_000, "an index in memory takes several hundred bytes a line"
