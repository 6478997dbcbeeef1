"""What should be kept of each captured answer, counted with plain ``json`` and nothing of ours.

``python -m tests.attention_golden`` writes the golden table from the samples. It knows the provider's names as its
documentation has them, takes numbers as the text that stands in the file, and shares no code with the parser.
"""

import csv
import datetime as dt
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.samples import sample

GOLDEN = Path(__file__).parent / "contract" / "golden_attention.csv"
COLUMNS = ["file", "id", "type", "score", "mentions", "sources", "readers", "cohorts", "identifiers", "citations",
           "last_mentioned", "posts", "details", "badge"]  # fmt: skip
COUNTS = {  # of the counts answer: distinct accounts
    "cited_by_msm_count": "news", "cited_by_feeds_count": "blogs", "cited_by_tweeters_count": "x",
    "cited_by_fbwalls_count": "facebook", "cited_by_rdts_count": "reddit", "cited_by_wikipedia_count": "wikipedia",
    "cited_by_policies_count": "policy", "cited_by_gplus_count": "google_plus", "cited_by_videos_count": "video",
    "cited_by_qs_count": "qna", "cited_by_peer_review_sites_count": "peer_review", "cited_by_forums_count": "forums",
    "cited_by_delicious_count": "delicious",
}  # fmt: skip
FETCHED = {"news": "news", "blogs": "blogs", "policy": "policy", "twitter": "x", "wikipedia": "wikipedia"}
EXPLORED = {
    "blog": "blogs", "fbwall": "facebook", "msm": "news", "tweet": "x", "video": "video", "wikipedia": "wikipedia",
    "rdt": "reddit", "policy": "policy", "patent": "patents", "f1000": "f1000", "qna": "qna", "peer_review": "peer_review",
    "gplus": "google_plus",
}  # fmt: skip
PEOPLE = {"member_of_the_public": "pub", "researcher": "sci", "science_communicator": "com", "practitioner": "doc"}


def rows() -> list[list[str]]:
    """The table, without its header."""
    made = []
    for folder in ("details_page", "explorer"):
        for path in sorted(sample(f"attention/{folder}").glob("*.json")):
            content = json.loads(path.read_text("utf-8"), parse_float=str, parse_int=str)
            made += [[path.name, *kept(record)] for record in records(content)]
    return made


def records(content: object) -> Iterator[dict]:
    """The objects of a file that should be records, one by one, in the order of the file."""
    body = content.get("body", content) if isinstance(content, dict) else content
    if isinstance(body, dict) and isinstance(body.get("results"), list):
        yield from body["results"]
    elif isinstance(body, dict) and isinstance(body.get("data"), list):
        yield from (each for each in [*body["data"], *body.get("included", [])] if each["type"] == "research-output")
    elif isinstance(body, dict):
        yield body


def kept(record: dict) -> list[str]:
    """A record on one line."""
    if record.get("type") == "research-output":
        return of_explorer(record)
    if "altmetric_id" not in record:
        return ["no record", *[""] * (len(COLUMNS) - 2)]
    return of_fetch(record) if "counts" in record else of_counts(record)


def of_counts(r: dict) -> list[str]:
    sources = {COUNTS[key]: f"{r[key]}/-" for key in r if key in COUNTS and r[key] != "0"}
    unknown = (
        {k for k in r if k.startswith("cited_by_")}
        - COUNTS.keys()
        - {"cited_by_posts_count", "cited_by_accounts_count"}
    )
    assert not unknown, unknown
    ids = [("doi", r.get("doi")), ("pmid", r.get("pmid")), ("arxiv", r.get("arxiv_id")), ("ads", r.get("ads_id"))]
    ids += [("uri", r.get("uri"))]
    return [
        r["altmetric_id"], r.get("type", ""), r["score"], r.get("cited_by_posts_count", "0"), pairs(sources),
        pairs(above_zero(r.get("readers"))), pairs(above_zero(r.get("cohorts"))), named(ids), "", "", "",
        r.get("details_url", ""), r.get("images", {}).get("medium", ""),
    ]  # fmt: skip


def of_fetch(r: dict) -> list[str]:
    about = r["citation"]
    sources = {
        FETCHED[key]: f"{each['unique_users_count']}/{each['posts_count']}"
        for key, each in r["counts"].items() if key not in {"readers", "total"}
    }  # fmt: skip
    people = r["demographics"]["poster_types"] if r["demographics"] else {}
    posts = []
    for name, listed in (r["posts"] or {}).items():
        for post in listed:
            outlet = post.get("source", {}).get("name") or post.get("author", {}).get("name")
            posts.append(f"{FETCHED[name]}:{'-' if name in {'twitter', 'wikipedia'} else outlet}")
    seconds = about.get("last_mentioned_on")
    moment = dt.datetime.fromtimestamp(int(seconds), dt.UTC).isoformat() if seconds else ""
    ids = [("doi", about.get("doi")), ("pmid", about.get("pmid")), ("arxiv", about.get("arxiv_id"))]
    ids += [("uri", about.get("uri"))]
    ids += [("handle", each) for each in about.get("handles", [])]
    return [
        r["altmetric_id"], about["type"], r["altmetric_score"]["score"], r["counts"]["total"]["posts_count"], pairs(sources),
        pairs(above_zero(r["counts"].get("readers"))), pairs({PEOPLE[key]: number for key, number in people.items()}),
        named(ids), "", moment, " ".join(sorted(posts)), r.get("details_url", ""), r.get("images", {}).get("medium", ""),
    ]  # fmt: skip


def of_explorer(r: dict) -> list[str]:
    about = r["attributes"]
    ids = about["identifiers"]
    listed = [("doi", d) for d in ids.get("dois", [])] + [("pmid", p) for p in ids.get("pubmed-ids", [])]
    listed += [("handle", h) for h in ids.get("handles", [])] + [("nct_id", n) for n in ids.get("nct-ids", [])]
    return [
        r["id"], about["output-type"], about["altmetric-score"], str(sum(int(n) for n in about["mentions"].values())),
        pairs({EXPLORED[key]: f"-/{number}" for key, number in above_zero(about["mentions"]).items()}),
        pairs(above_zero(about["readers"])), "", named(listed), about["dimensions"]["citations"], "", "", "",
        about["badge-url"],
    ]  # fmt: skip


def above_zero(numbers: dict | None) -> dict[str, str]:
    return {key: number for key, number in (numbers or {}).items() if int(number) > 0}


def pairs(of: dict[str, str]) -> str:
    return " ".join(f"{key}={of[key]}" for key in sorted(of))


def named(ids: list[tuple[str, str | None]]) -> str:
    return " ".join(sorted(f"{scheme}:{value.lower() if scheme == 'doi' else value}" for scheme, value in ids if value))


if __name__ == "__main__":
    with GOLDEN.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows()])
    sys.stdout.write(f"wrote {GOLDEN}\n")
