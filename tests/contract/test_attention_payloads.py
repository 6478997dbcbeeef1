"""What is kept of each captured answer, and of answers that are not in that folder."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.attention_records import MalformedError, Record, decoded, record
from explorer.records import Identifier
from tests.samples import sample

GOLDEN = Path(__file__).with_name("golden_attention.csv")
FOLDER = "attention/details_page"
INVENTED = ("Invented summary", "tweeter_id", "Invented editor")
COLUMNS = (
    "file", "id", "type", "score", "mentions", "sources", "readers", "cohorts", "identifiers", "last_mentioned", "posts",
    "details", "badge",
)  # fmt: skip


def payloads(file: Path) -> list[object]:
    """The records in a sample: those of a batch are in its `results`."""
    found = decoded(file.read_bytes())
    found = found.get("body", found) if isinstance(found, dict) else found
    return found["results"] if isinstance(found, dict) and "results" in found else [found]


def row(name: str, made: Record) -> tuple[str, ...]:
    """A record on one line."""
    posts = (
        ""
        if made.posts is None
        else " ".join(sorted(f"{p.source}:{'-' if p.outlet is None else p.outlet}" for p in made.posts))
    )
    return (
        name, made.altmetric_id, made.type or "", str(made.score), str(made.mentions),
        " ".join(f"{k}={v.accounts}/{'-' if v.posts is None else v.posts}" for k, v in sorted(made.sources.items())),
        " ".join(f"{k}={v}" for k, v in sorted(made.readers.items())),
        " ".join(f"{k}={v}" for k, v in sorted(made.cohorts.items())),
        " ".join(f"{i.scheme}:{i.value}" for i in made.identifiers),
        made.last_mentioned_at.isoformat() if made.last_mentioned_at else "", posts,
        made.details_url or "", made.badge_url or "",
    )  # fmt: skip


def rows() -> list[tuple[str, ...]]:
    made = []
    for file in sorted(sample(FOLDER).glob("*.json")):
        for payload in payloads(file):
            try:
                made.append(row(file.name, record(payload)))
            except MalformedError as error:
                made.append((file.name, f"no record: {error}", *[""] * (len(COLUMNS) - 2)))
    return made


def test_what_is_stored_of_every_captured_answer():
    with GOLDEN.open(newline="", encoding="utf-8") as file:
        assert rows() == [tuple(line) for line in csv.reader(file)][1:]


def test_nothing_that_the_terms_forbid_is_kept_of_a_captured_answer():
    for file in sorted(sample(FOLDER).glob("*.json")):
        for payload in payloads(file):
            if isinstance(payload, dict) and "altmetric_id" in payload:
                kept = repr(record(payload))
                for forbidden in (*payload.get("tq", ()), payload.get("abstract"), *INVENTED):
                    assert forbidden is None or forbidden not in kept


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"altmetric_id": "5", "cited_by_posts_count": "12", "cited_by_msm_count": "3"}, (12, {"news": 3})),
        ({"altmetric_id": 5, "cited_by_msm_count": -1, "cited_by_posts_count": -1}, (0, {})),
        (
            {"altmetric_id": 5, "cited_by_msm_count": None, "cited_by_feeds_count": True, "cited_by_posts_count": []},
            (0, {}),
        ),
        ({"altmetric_id": 5, "cited_by_msm_count": 2, "cited_by_tweeters_count": 4}, (6, {"news": 2, "x": 4})),
        ({"altmetric_id": 5, "cited_by_telegraphs_count": 2, "cited_by_posts_count": 2}, (2, {"telegraphs": 2})),
        ({"altmetric_id": 5, "cited_by_msm_count": 1.5, "cited_by_posts_count": 7.0}, (7, {})),
        ({"altmetric_id": 5, "cited_by_msm_count": "1e400", "cited_by_posts_count": 10**30}, (0, {})),
    ],
)
def test_counts_that_are_none_are_left_out(payload: dict, expected: tuple):
    made = record(decoded(json.dumps(payload).encode()))
    assert (made.mentions, {name: each.accounts for name, each in made.sources.items()}) == expected


@pytest.mark.parametrize(
    ("score", "kept"),
    [("3734.705999999944", "3734.705999999944"), ('"19.358"', "19.358"), ("-1", None), ("NaN", None), ("null", None),
     ("true", None), ('"many"', None), ("0", "0")],
)  # fmt: skip
def test_the_score_is_kept_as_delivered_and_never_made_up(score: str, kept: str | None):
    made = record(decoded(f'{{"altmetric_id": 1, "score": {score}}}'.encode()))
    assert made.score == (None if kept is None else Decimal(kept))
    assert kept is None or str(made.score) == kept


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"altmetric_id": 1', b"[]", b"{}", b"null", b'"x"', b"\xff", b"[" * 100_000]
)
def test_an_answer_that_is_no_record_says_what_it_is(body: bytes):
    with pytest.raises(MalformedError, match=r"^the answer "):
        record(decoded(body))


def test_a_tweet_leaves_nothing_but_its_id_and_a_licensed_page_no_link():
    made = record({
        "altmetric_id": 1, "counts": {}, "citation": [],
        "posts": {
            "twitter": [{"tweet_id": 12, "url": "https://x.example/12", "author": {"name": "Somebody"}}, {"tweet_id": "no"}],
            "news": [{"url": "https://n.example/1", "license": "nla", "author": {"name": "The News"}}],
            "facebook": [{"url": "https://f.example/1", "author": {"name": "Somebody"}}, "not an object"],
        },
    })  # fmt: skip
    assert [(m.source, m.outlet, m.link) for m in made.posts or ()] == [
        ("x", None, None), ("news", "The News", None), ("facebook", None, "https://f.example/1"),
    ]  # fmt: skip
    assert made.posts is not None
    assert made.posts[0].key == "12"
    assert "Somebody" not in repr(made)


def test_a_chapter_is_not_known_by_its_books_isbn_and_an_arxiv_id_has_no_version():
    made = record({"altmetric_id": 1, "type": "chapter", "isbns": ["9780805069099"], "arxiv_id": "1108.2455v2"})
    assert made.identifiers == (Identifier("arxiv", "1108.2455"),)
    assert made.contradicts(Identifier("arxiv", "1108.2456"))
    assert not made.contradicts(Identifier("doi", "10.5555/x"))


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
keys = st.sampled_from([
    "counts", "citation", "altmetric_score", "posts", "demographics", "readers", "cohorts", "history", "score", "images",
    "cited_by_msm_count", "cited_by_posts_count", "details_url", "doi", "isbns", "handles", "type", "pmid",
])  # fmt: skip


@given(st.dictionaries(keys, values))
def test_any_json_is_a_record_or_says_why_not(payload: dict):
    made = record({"altmetric_id": 1, **payload})
    assert made.mentions >= 0
    assert made.score is None or made.score >= 0
    assert all((each.accounts or 0) >= 0 for each in made.sources.values())


if __name__ == "__main__":
    with GOLDEN.open("w", newline="", encoding="utf-8") as golden:
        csv.writer(golden).writerows([COLUMNS, *rows()])
