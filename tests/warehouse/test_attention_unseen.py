"""Records that no text column, index or number of Postgres takes as they are: each is stored for what it says, and none keeps
the others back. They come from a file, in batches, one by one, and with their mentions; two of them have to be refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from urllib.parse import unquote

import pytest

from explorer import attention, attention_asking, database, exports
from explorer.attention_providers import Provider, RecordsFile
from explorer.records import Identifier, Output
from simulators.attention import Attention, fixed
from simulators.serving import Answer, Call
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site
from tests.warehouse.test_attention import connect  # noqa: F401 - a fixture
from tests.warehouse.test_flow import do_import

pytestmark = pytest.mark.usefixtures("without_expectations", "within_a_day")
RANDOM = Random(7)
NOISE = "".join(RANDOM.choice("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(5000))
SIGNS = "".join(chr(RANDOM.randrange(0x4E00, 0x9FFF)) for _ in range(1900))
DIGITS = "".join(RANDOM.choice("123456789") for _ in range(5000))

# What is changed in an answer that counts: a member's new text of JSON, or a number where the place of another is taken.
COUNTS = {
    "a half of a character as type": {"type": r'"\ud800"'},
    "a half of a character as source": {r"cited_by_\udc00_count": "2"},
    "a zero byte as source": {r"cited_by_a\u0000b_count": "2"},
    "a source without a name": {"cited_by__count": "2"},
    "a source with an endless name": {f"cited_by_{NOISE}_count": "2"},
    "a half of a character among readers": {"readers": r'{"\udfff": "3"}'},
    "a zero byte among readers": {"readers": r'{"a\u0000": 3}'},
    "a zero byte among cohorts": {"cohorts": r'{"\u0000": 3}'},
    "a half of a character in history": {"history": r'{"\ud83d": 0.5}'},
    "a half of a character in an address": {"details_url": r'"https://lagado.example/\ud83d"'},
    "an address over two lines": {"details_url": r'"https://lagado.example/\nx"'},
    "a score next to nothing": {"score": "1e-999999"},
    "a score smaller than decimals go": {"score": "1e-9999999999999999999999"},
    "a score larger than decimals go": {"score": "1e9999999999999999999999"},
    "a score of twenty thousand digits": {"score": "2." + "5" * 20_000},
    "a score of too many digits for Python": {"score": "5" * 5000},
    "a score of too many digits as text": {"score": f'"{DIGITS}"'},
    "a score with letters of another script": {"score": r'"\u0667"'},
    "a score with a line between its digits": {"score": '"1_0"'},
    "a gain next to nothing": {"history": '{"1w": 1e-999999}'},
    "more than can be counted, ten thousand times": {"cited_by_posts_count": "4"}
    | {f"cited_by_s{n}_count": str(10**12 - 1) for n in range(10_000)},
    "more readers than can be counted": {"readers": json.dumps({f"r{n}": 10**12 - 1 for n in range(10_000)})},
    "another identifier, as long as an index": {"handles": json.dumps([f"123456/{NOISE}", "12345/6"])},
    "another identifier of many signs": {"handles": json.dumps([f"123456/{SIGNS}"])},
    "half an identifier": {"handles": r'["12345/\ud83d", "12345/\u0000"]'},
    "its own identifier, encoded": {"doi": '"https://dx.doi.org/10.5555%2FUNSEEN.%d"'},
    "numbers that went through a spreadsheet": {"altmetric_id": "%d.0", "pmid": "21148220.0", "cited_by_posts_count": "4.0"},
    "a zero beside counts": {"cited_by_posts_count": "0"},
    "nothing where objects are": dict.fromkeys(("readers", "cohorts", "history", "context", "images", "type"), "null"),
    "lists where objects are": dict.fromkeys(("readers", "cohorts", "history", "context", "images", "type"), "[[]]"),
    "markup": {"type": '"<script>"', "cited_by_<b>_count": "1"},
    "a retraction": {"retracted": "true", "title": '"RETRACTED"'},
}  # fmt: skip
POSTS = {  # of an answer that lists mentions
    "a licence that is a list": {"license": '["nla"]'},
    "a licence that is an object": {"license": "{}"},
    "a time zone that is none": {"posted_on": '"2026-03-01T00:00:00+23:00"'},
    "a link of many signs": {"url": json.dumps(f"https://n.example/{SIGNS}")},
    "half a link": {"url": r'"https://n.example/\ud83d"'},
    "half an outlet": {"author": r'{"name": "\ud83d"}'},
    "a source of posts without a name": {"source": ""},
    "an endless number of a tweet": {"source": "twitter", "tweet_id": f'"{DIGITS}"'},
}
OTHERS = {  # whole lines
    "another's mention of the same name": '{"altmetric_id": %d, "counts": {"total": {"posts_count": 4}, "policy":'
    ' {"unique_users_count": 1}, "policies": {"unique_users_count": 3}}, "citation": {"doi": "10.5555/unseen.%d"}}',
    "a last mention in a time zone that is none": '{"altmetric_id": %d, "counts": {"total": {"posts_count": 4}},'
    ' "citation": {"doi": "10.5555/unseen.%d", "last_mentioned_on": "2026-03-01T00:00:00-23:59"}}',
    "an export with odd names": r'{"altmetric_id": %d, "mentions": 4, "sources": {"": {"posts": 1}, "a\u0000": {"posts": 1},'
    r' "news": {"accounts": -1, "posts": 2}}, "identifiers": [null, {"scheme": []}, {"scheme": "doi", "value":'
    r' "10.5555/unseen.%d"}], "posts": [{"source": "tweet", "key": "5", "outlet": "Somebody"}, {"source": "facebook",'
    r' "key": "k", "outlet": "Somebody"}, {"key": "k"}, {"source": "", "key": "k"}]}',
    "the Explorer's without a name": '{"id": %d, "type": "research-output", "attributes": {"identifiers": {"dois":'
    ' ["10.5555/unseen.%d"]}, "mentions": {"": 1, "msm": 3}}}',
}
REFUSED = {
    "an export that says no mentions": '{"altmetric_id": %d, "mentions": null, "identifiers": [{"scheme": "doi", "value":'
    ' "10.5555/unseen.%d"}]}',
    "an id as long as an index": f'{{"altmetric_id": "{NOISE}", "doi": "10.5555/unseen.%d", "cited_by_posts_count": 4}}',
}


def lines() -> Iterator[tuple[str, str]]:
    """What each record is, and its text."""
    for number, (name, changes) in enumerate([*COUNTS.items(), *POSTS.items(), *OTHERS.items(), *REFUSED.items()]):
        id_ = 9000 + number
        if name in COUNTS:
            counts = {
                "altmetric_id": str(id_), "doi": f'"10.5555/unseen.{number}"', "score": "2.5", "cited_by_posts_count": "4",
                "cited_by_msm_count": "2", "cited_by_tweeters_count": "2", "readers": '{"mendeley": "3"}',
            }  # fmt: skip
            counts |= {k: v.replace("%d", str(number if k == "doi" else id_)) for k, v in changes.items()}
            yield name, "{" + ", ".join(f'"{key}": {value}' for key, value in counts.items()) + "}"
        elif name in POSTS:
            post = {"url": '"https://n.example/1"', "posted_on": '"2026-03-01"', "author": '{"name": "N"}', **changes}
            source = post.pop("source", "news")
            posts = "{" + ", ".join(f'"{key}": {value}' for key, value in post.items()) + "}"
            yield (
                name,
                (
                    f'{{"altmetric_id": {id_}, "counts": {{"total": {{"posts_count": 4}}}}, "citation":'
                    f' {{"doi": "10.5555/unseen.{number}"}}, "posts": {{"{source}": [{posts}]}}}}'
                ),
            )
        else:
            yield name, changes.replace("%d", str(id_), changes.count("%d") - 1).replace("%d", str(number))


class Unseen(Attention):
    """The provider, with these records alone."""

    def _sound(self, call: Call, name: str, struck: set[str]) -> Answer:
        texts = [text for _, text in lines()]
        if name == "translate":
            asked = dict(call.arguments)["ids"].split("|")
            body = json.dumps({each: str(9000 + int(each.rpartition(".")[2])) for each in asked})
        else:
            kind, _, value = unquote(call.path).removeprefix("/v1/").removeprefix("fetch/").partition("/")
            places = [int(i) - 9000 for i in value.split(",")] if kind == "id" else [int(value.rpartition(".")[2])]
            found = [texts[place] for place in places]
            body = found[0] if len(found) == 1 else f'{{"results": [{", ".join(found)}]}}'
        return Answer(body.encode(), 200, "application/json")


@pytest.fixture
def simulator() -> Iterator[Attention]:
    made = Unseen(fixed("2026-03-01"))
    with made.serve():
        yield made


@pytest.fixture
def site(warehouse_dsn: str, tmp_path: Path) -> ScriptedSite:
    source = ScriptedSource(page_size=500)
    for number, (name, _) in enumerate(lines()):
        source.put(
            Output(key=name, title=name, year=2020, identifiers=(Identifier("doi", f"10.5555/unseen.{number}"),))
        )
    return make_site(warehouse_dsn, tmp_path, source)


@pytest.mark.parametrize("way", ["file", "batches", "one by one", "with mentions"])
def test_no_odd_record_is_lost_or_keeps_others_back(
    site: ScriptedSite,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
):
    def file(*_: object) -> Provider:
        path = tmp_path / "records.jsonl"
        path.write_text("\n".join(text for _, text in lines()))
        return RecordsFile(path, "lilliput")

    request.getfixturevalue("connect")(batch=way == "batches", mentions=way == "with mentions")
    if way == "file":
        monkeypatch.setattr(attention, "provider_of", file)
    monkeypatch.setattr(attention_asking, "MOST_ERRORS", 10)
    made = do_import(site)
    assert made["status"] == "succeeded"
    with database.connect(site.dsn) as connection:
        states = dict(connection.execute("select output_key, state from attention.link").fetchall())
        mentions = connection.execute("select min(mentions), max(mentions) from attention.tracked_output").fetchone()
        exported = [json.loads(line) for line in exports.records(connection, "lilliput")]
        kept = str(connection.execute("select array_agg(m) from attention.mention m").fetchone())
    refused = {name for name, state in states.items() if state != "linked"}
    assert refused == set(REFUSED)
    assert mentions == (4, 4)
    assert len(exported) == len(states) - len(REFUSED)
    assert "Somebody" not in kept
    assert "nla" not in kept
