"""What is kept of each captured answer, and of answers that are not in that folder."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from explorer.attention_records import MalformedError, Record, decoded, record
from explorer.records import Identifier
from tests import attention_golden
from tests.samples import sample

FOLDER = "attention/details_page"
INVENTED = ("Invented summary", "tweeter_id", "Invented editor")


def payloads(file: Path) -> list[object]:
    """The records in a sample: those of a batch are in its `results`, those of the Explorer in its `data`."""
    found = decoded(file.read_bytes())
    found = found.get("body", found) if isinstance(found, dict) else found
    if isinstance(found, dict) and isinstance(found.get("data"), list):
        return [each for each in (*found["data"], *found.get("included", ())) if each["type"] == "research-output"]
    return found["results"] if isinstance(found, dict) and "results" in found else [found]


def row(name: str, made: Record) -> list[str]:
    """A record on one line of the golden table."""
    posts = (
        ""
        if made.posts is None
        else " ".join(sorted(f"{p.source}:{'-' if p.outlet is None else p.outlet}" for p in made.posts))
    )
    return [
        name, made.altmetric_id, made.type or "", str(made.score), str(made.mentions),
        " ".join(
            f"{k}={'-' if v.accounts is None else v.accounts}/{'-' if v.posts is None else v.posts}"
            for k, v in sorted(made.sources.items())
        ),
        " ".join(f"{k}={v}" for k, v in sorted(made.readers.items())),
        " ".join(f"{k}={v}" for k, v in sorted(made.cohorts.items())),
        " ".join(sorted(f"{i.scheme}:{i.value}" for i in made.identifiers)),
        "" if made.citations is None else str(made.citations),
        made.last_mentioned_at.isoformat() if made.last_mentioned_at else "", posts,
        made.details_url or "", made.badge_url or "",
    ]  # fmt: skip


def rows() -> list[list[str]]:
    made = []
    for folder in ("details_page", "explorer"):
        for file in sorted(sample(f"attention/{folder}").glob("*.json")):
            for payload in payloads(file):
                try:
                    made.append(row(file.name, record(payload)))
                except MalformedError:
                    made.append([file.name, "no record", *[""] * (len(attention_golden.COLUMNS) - 2)])
    return made


def golden() -> list[list[str]]:
    with attention_golden.GOLDEN.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_the_golden_table_is_an_independent_count():
    assert golden() == [attention_golden.COLUMNS, *attention_golden.rows()]


def test_what_is_stored_of_every_captured_answer():
    assert rows() == golden()[1:]
    assert len(rows()) > 30


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
        ({"altmetric_id": 5, "cited_by_msm_count": -1, "cited_by_posts_count": 0}, (0, {})),
        ({"altmetric_id": 5}, (0, {})),
        ({"altmetric_id": 5, "score": 0, "cited_by_msm_count": None, "cited_by_posts_count": []}, (0, {})),
        ({"altmetric_id": 5, "cited_by_msm_count": 2, "cited_by_posts_count": -1}, (2, {"news": 2})),
        ({"altmetric_id": 5, "cited_by_msm_count": 2, "cited_by_tweeters_count": 4}, (6, {"news": 2, "x": 4})),
        ({"altmetric_id": 5, "cited_by_telegraphs_count": 2, "cited_by_posts_count": 2}, (2, {"telegraphs": 2})),
        ({"altmetric_id": 5, "cited_by_msm_count": 1.5, "cited_by_posts_count": 7.0}, (7, {})),
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
    made = record(decoded(f'{{"altmetric_id": 1, "cited_by_posts_count": 1, "score": {score}}}'.encode()))
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


def test_a_preprint_that_became_an_article_is_known_by_the_preprints_doi_too():
    made = record({"altmetric_id": 1, "doi": "10.5555/article", "arxiv_id": "2101.00001v2"})
    assert made.identifiers == (Identifier("doi", "10.5555/article"), Identifier("arxiv", "2101.00001"))
    assert not made.contradicts(Identifier("doi", "10.48550/arxiv.2101.00001"))
    assert not made.contradicts(Identifier("doi", "10.5555/Article"))
    assert made.contradicts(Identifier("doi", "10.48550/arxiv.2101.00002"))


def test_a_chapter_is_not_what_was_asked_for_by_an_isbn():
    assert record({"altmetric_id": 1, "type": "chapter"}).contradicts(Identifier("isbn", "9780805069099"))
    assert not record({"altmetric_id": 1, "type": "book"}).contradicts(Identifier("isbn", "9780805069099"))
