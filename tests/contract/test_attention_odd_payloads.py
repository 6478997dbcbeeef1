"""Answers of providers that nobody has captured: each is stored for what it says, or refused with a reason; no made-up zero."""

import json
from copy import deepcopy
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explorer.attention_records import MalformedError, Record, decoded, record

COUNTS = {
    "altmetric_id": 4711, "title": "T", "doi": "10.5555/odd.1", "pmid": "21148220", "type": "article", "score": 12.75,
    "cited_by_posts_count": 11, "cited_by_accounts_count": 9, "cited_by_msm_count": 2, "cited_by_tweeters_count": 7,
    "readers": {"mendeley": "9", "citeulike": "0", "connotea": 0}, "readers_count": 9, "cohorts": {"pub": 6, "sci": 1},
    "history": {"1w": 0.25, "at": 12.75}, "context": None, "last_updated": "1760000000", "added_on": 1313946657,
    "images": {"medium": "https://badges.lagado.example/?size=100"}, "details_url": "https://lagado.example/details/4711",
}  # fmt: skip
FETCH = {
    "altmetric_id": 4711, "counts": {"readers": {"mendeley": "9"}, "total": {"posts_count": 3}, "news": {
        "unique_users_count": 1, "unique_users": ["a", 5], "posts_count": 1},
        "twitter": {"unique_users_count": 2, "posts_count": 2}},
    "citation": {"doi": "10.5555/odd.1", "type": "article", "handles": ["12345/6"], "last_mentioned_on": 1_760_000_000},
    "altmetric_score": {"score": 8.5, "score_history": {"at": 8.5}, "context_for_score": None},
    "demographics": {"poster_types": {"researcher": 1}},
    "posts": {"news": [{"url": "https://n.example/1", "posted_on": "2026-03-01T00:00:00+00:00", "author": {"name": "N"}}],
              "twitter": [{"tweet_id": "12"}, {"tweet_id": 13}]},
}  # fmt: skip
EXPLORER = {
    "id": 4711, "type": "research-output", "attributes": {
        "identifiers": {"dois": ["10.5555/odd.1"], "pubmed-ids": ["21148220"]}, "readers": {"mendeley": 9},
        "dimensions": {"citations": 4}, "mentions": {"msm": 2, "tweet": 9}, "altmetric-score": 13, "output-type": "article",
        "historical-mentions": {"at": 11}, "badge-url": "https://badges.lagado.example/1.png", "oa-status": "true"},
}  # fmt: skip
GONE = object()


def changed(payload: dict, changes: dict) -> dict:
    """The payload with other values at dotted places; ``GONE`` takes one away."""
    made = deepcopy(payload)
    for place, value in changes.items():
        *above, last = place.split(".")
        at = made
        for step in above:
            at = at[step]
        if value is GONE:
            at.pop(last)
        else:
            at[last] = value
    return made


def read(payload: object) -> Record:
    return record(decoded(json.dumps(payload).encode()))


STORED = [
    # what is changed; then mentions, score, sources, readers as they should be stored
    (COUNTS, {}, 11, "12.75", {"news": 2, "x": 7}, {"mendeley": 9}),
    (COUNTS, {"altmetric_id": "4711"}, 11, "12.75", {"news": 2, "x": 7}, {"mendeley": 9}),
    (COUNTS, {"score": "12.75", "cited_by_posts_count": "11"}, 11, "12.75", {"news": 2, "x": 7}, {"mendeley": 9}),
    (COUNTS, {"score": 3734.705999999944}, 11, "3734.705999999944", {"news": 2, "x": 7}, {"mendeley": 9}),
    (COUNTS, {"score": None}, 11, None, {"news": 2, "x": 7}, {"mendeley": 9}),
    (COUNTS, {"score": GONE}, 11, None, {"news": 2, "x": 7}, {"mendeley": 9}),
    (COUNTS, {"score": -1}, 11, None, {"news": 2, "x": 7}, {"mendeley": 9}),
    (COUNTS, {"cited_by_posts_count": GONE}, 9, "12.75", {"news": 2, "x": 7}, {"mendeley": 9}),
    (COUNTS, {"cited_by_posts_count": -1}, 9, "12.75", {"news": 2, "x": 7}, {"mendeley": 9}),
    (COUNTS, {"cited_by_posts_count": None}, 9, "12.75", {"news": 2, "x": 7}, {"mendeley": 9}),
    (COUNTS, {"cited_by_msm_count": -4}, 11, "12.75", {"x": 7}, {"mendeley": 9}),
    (COUNTS, {"cited_by_msm_count": "many"}, 11, "12.75", {"x": 7}, {"mendeley": 9}),
    (COUNTS, {"cited_by_msm_count": [], "cited_by_tweeters_count": {}}, 11, "12.75", {}, {"mendeley": 9}),
    (COUNTS, {"readers": []}, 11, "12.75", {"news": 2, "x": 7}, {}),
    (COUNTS, {"readers": GONE, "readers_count": -1}, 11, "12.75", {"news": 2, "x": 7}, {}),
    (COUNTS, {"readers": {"mendeley": -1, "citeulike": "-1"}}, 11, "12.75", {"news": 2, "x": 7}, {}),
    (COUNTS, {"readers": {"mendeley": "1,204"}}, 11, "12.75", {"news": 2, "x": 7}, {}),
    (COUNTS, {"cohorts": [], "history": [], "context": [], "images": [], "authors": None}, 11, "12.75", {"news": 2, "x": 7},
     {"mendeley": 9}),
    (COUNTS, {"cited_by_telegraphs_count": 3}, 11, "12.75", {"news": 2, "x": 7, "telegraphs": 3}, {"mendeley": 9}),
    (COUNTS, {"cited_by_gplus_count": 1, "cited_by_weibo_count": 2}, 11, "12.75",
     {"news": 2, "x": 7, "google_plus": 1, "weibo": 2}, {"mendeley": 9}),
    (COUNTS, {"images": {"medium": "javascript:alert(1)"}, "details_url": "ftp://x"}, 11, "12.75", {"news": 2, "x": 7},
     {"mendeley": 9}),
    (COUNTS, {"doi": ["10.5555/odd.1"], "pmid": 21148220, "isbns": None, "handles": "12345/6"}, 11, "12.75",
     {"news": 2, "x": 7}, {"mendeley": 9}),
    (COUNTS, {"cited_by_posts_count": 0, "cited_by_msm_count": GONE, "cited_by_tweeters_count": GONE, "score": 0}, 0, "0", {},
     {"mendeley": 9}),
    (COUNTS, {"last_updated": {"a": 1}, "added_on": "yesterday", "title": 5, "type": ["article"]}, 11, "12.75",
     {"news": 2, "x": 7}, {"mendeley": 9}),
    (FETCH, {}, 3, "8.5", {"news": 1, "x": 2}, {"mendeley": 9}),
    (FETCH, {"posts": [], "demographics": []}, 3, "8.5", {"news": 1, "x": 2}, {"mendeley": 9}),
    (FETCH, {"posts": GONE, "demographics": GONE, "citation": GONE}, 3, "8.5", {"news": 1, "x": 2}, {"mendeley": 9}),
    (FETCH, {"counts.total": GONE}, 3, "8.5", {"news": 1, "x": 2}, {"mendeley": 9}),
    (FETCH, {"counts.total": {"posts_count": "3"}}, 3, "8.5", {"news": 1, "x": 2}, {"mendeley": 9}),
    (FETCH, {"counts.news.posts_count": -1}, 3, "8.5", {"news": 1, "x": 2}, {"mendeley": 9}),
    (FETCH, {"counts.readers": []}, 3, "8.5", {"news": 1, "x": 2}, {}),
    (FETCH, {"counts.pigeons": {"unique_users_count": 4, "posts_count": 5}}, 3, "8.5", {"news": 1, "x": 2, "pigeons": 4},
     {"mendeley": 9}),
    (FETCH, {"counts.twitter": []}, 3, "8.5", {"news": 1}, {"mendeley": 9}),
    (FETCH, {"altmetric_score": [], "score": 8.5}, 3, "8.5", {"news": 1, "x": 2}, {"mendeley": 9}),
    (FETCH, {"citation": [], "posts.news": {}, "posts.twitter": None}, 3, "8.5", {"news": 1, "x": 2}, {"mendeley": 9}),
    (FETCH, {"counts": [], "altmetric_score": {"score": 0}, "posts": []}, 0, "0", {}, {}),
    (FETCH, {"citation.last_mentioned_on": "2026-13-45"}, 3, "8.5", {"news": 1, "x": 2}, {"mendeley": 9}),
    (EXPLORER, {}, 11, "13", {"news": 2, "x": 9}, {"mendeley": 9}),
    (EXPLORER, {"attributes.mentions": {}, "attributes.altmetric-score": 0}, 0, "0", {}, {"mendeley": 9}),
    (EXPLORER, {"attributes.mentions.pigeon": 3, "attributes.readers": []}, 14, "13", {"news": 2, "x": 9, "pigeon": 3}, {}),
    (EXPLORER, {"attributes.identifiers": [], "attributes.dimensions": None, "id": "4711"}, 11, "13", {"news": 2, "x": 9},
     {"mendeley": 9}),
]  # fmt: skip
REFUSED = [
    (COUNTS, {"altmetric_id": GONE}, "no altmetric_id"),
    (COUNTS, {"altmetric_id": None}, "no altmetric_id"),
    (COUNTS, {"altmetric_id": []}, "no altmetric_id"),
    (COUNTS, {"altmetric_id": ""}, "no altmetric_id"),
    (COUNTS, {"cited_by_posts_count": -1, "cited_by_msm_count": -1, "cited_by_tweeters_count": -1}, "no number of mentions"),
    (COUNTS, {"cited_by_posts_count": "n/a", "cited_by_msm_count": GONE, "cited_by_tweeters_count": GONE, "score": 0},
     "no number of mentions"),
    (COUNTS, {"cited_by_posts_count": GONE, "cited_by_msm_count": GONE, "cited_by_tweeters_count": GONE},
     "no number of mentions"),
    (COUNTS, {"cited_by_posts_count": True, "cited_by_msm_count": 1.5, "cited_by_tweeters_count": 10**40},
     "no number of mentions"),
    (FETCH, {"counts": []}, "no number of mentions"),
    (FETCH, {"counts": {"total": {"posts_count": -1}}}, "no number of mentions"),
    (EXPLORER, {"attributes.mentions": "none"}, "no number of mentions"),
    (EXPLORER, {"attributes.mentions": GONE}, "no number of mentions"),
    (EXPLORER, {"id": GONE}, "no id"),
    (EXPLORER, {"type": "mention"}, "no altmetric_id"),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "changes", "mentions", "score", "sources", "readers"), STORED)
def test_an_odd_payload_is_stored_for_what_it_says(payload, changes, mentions, score, sources, readers):  # noqa: PLR0917
    made = read(changed(payload, changes))
    counted = {name: each.posts if each.accounts is None else each.accounts for name, each in made.sources.items()}
    assert (made.altmetric_id, made.mentions, counted, dict(made.readers)) == ("4711", mentions, sources, readers)
    assert made.score == (None if score is None else Decimal(score))
    assert all((url or "https://").startswith("https://") for url in (made.details_url, made.badge_url))


@pytest.mark.parametrize(("payload", "changes", "why"), REFUSED)
def test_an_odd_payload_that_says_too_little_is_refused_with_a_reason(payload, changes, why):
    with pytest.raises(MalformedError, match=why):
        read(changed(payload, changes))


# Whatever happens to a sound payload: it is read, or refused; and it never has no mentions unless it says so.

odd = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**20), st.floats(allow_nan=True), st.text(max_size=6), st.just([]), st.just({}),
    st.sampled_from(["-1", "NaN", "1e999", " 7 ", "0x10", "\N{ARABIC-INDIC DIGIT SEVEN}", "null", "\0"]),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


def places(payload: object, above: tuple = ()) -> list[tuple]:
    """All places of a payload, as the steps to them."""
    steps = payload.items() if isinstance(payload, dict) else enumerate(payload) if isinstance(payload, list) else ()
    return [place for step, value in steps for place in ((*above, step), *places(value, (*above, step)))]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=300)
@given(st.sampled_from([COUNTS, FETCH, EXPLORER]), st.data())
def test_whatever_is_changed_in_a_sound_payload_makes_no_zero(payload: dict, data: st.DataObject):
    made = deepcopy(payload)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.sampled_from(places(made)))
        at = made
        for step in place[:-1]:
            at = at[step]
        at[place[-1]] = data.draw(odd)
        if not places(made):
            break
    kept = attempt(json.dumps(made).encode())
    if kept is None:
        return
    assert kept.mentions >= 0
    assert kept.score is None or kept.score >= 0
    if kept.mentions == 0:
        assert kept.score in {None, Decimal(0)} or says_zero(made), made


def attempt(body: bytes) -> Record | None:
    """The record, or None where it is refused with a reason."""
    try:
        return record(decoded(body))
    except MalformedError as error:
        if not str(error).startswith("the answer "):
            raise
        return None


def says_zero(payload: dict) -> bool:
    """Whether the payload itself says that there are no mentions."""
    counts = payload.get("counts")
    stated = counts.get("total") if isinstance(counts, dict) else None
    said = [payload.get("cited_by_posts_count"), stated.get("posts_count") if isinstance(stated, dict) else None]
    return any(str(value).strip() in {"0", "0.0", "-0.0", "-0", "False"} or value == 0 for value in said)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_say_why_not(body: bytes):
    made = attempt(body)
    assert made is None or made.altmetric_id
