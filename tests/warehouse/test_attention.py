"""Attention: asked for once, kept with its time to live, linked, rolled up; against the simulator, on a real Postgres."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest

from explorer import (
    attention,
    attention_asking,
    attention_providers,
    config,
    connections,
    database,
    descriptions,
    exports,
    local,
    notices,
    sites,
    upkeep,
)
from explorer.connections import ConnectionUnusableError
from explorer.records import Contribution, Department, Identifier, Output
from simulators.attention import Attention, Limit, fixed
from simulators.serving import Fault
from tests.scripted_source import ScriptedSite, ScriptedSource, make_site
from tests.warehouse.test_flow import do_import

pytestmark = pytest.mark.usefixtures("without_expectations", "within_a_day")
FAST = {
    "calls_per_second": 5000,
    "retries": 2,
    "backoff": 0.01,
    "timeout": 60,
    "allow_http": True,
    "allow_private_hosts": True,
}


@pytest.fixture
def simulator() -> Iterator[Attention]:
    made = Attention(fixed("2026-03-01"))
    with made.serve():
        yield made


@pytest.fixture
def connect(simulator: Attention, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Configure the connection `attention`; by default a commercial key."""

    def set_(key: str = "commercial-1", **extra: object) -> None:
        stated = {
            "conn_type": "http",
            "host": simulator.url.removesuffix("/v1"),
            "password": key,
            "extra": {**FAST, **extra},
        }
        monkeypatch.setenv("AIRFLOW_CONN_ATTENTION", json.dumps(stated))

    set_()
    return set_


def put(source: ScriptedSource, key: str, *identifiers: tuple[str, str], authors: str = "a", **named: object) -> None:
    source.put(
        Output(
            key=key, title=key, year=2020, identifiers=tuple(Identifier(s, v) for s, v in identifiers),
            contributions=tuple(Contribution(f"id:{a}", f"Author, {a}") for a in authors), **named,
        )
    )  # fmt: skip


def many(source: ScriptedSource, count: int, start: int = 0) -> None:
    for n in range(start, start + count):
        put(source, f"o{n}", ("doi", f"10.5555/attention.{n}"), ("pmid", str(700_000 + n)))


def dois(count: int) -> list[str]:
    return [f"10.5555/attention.{n}" for n in range(count)]


def site_of(dsn: str, folder: Path, source: ScriptedSource, slug: str = "lilliput") -> ScriptedSite:
    return make_site(dsn, folder, source, slug=slug)


@pytest.fixture
def site(warehouse_dsn: str, tmp_path: Path, source: ScriptedSource) -> ScriptedSite:
    return site_of(warehouse_dsn, tmp_path, source)


def links(site: ScriptedSite) -> dict[str, str]:
    with database.connect(site.dsn) as connection:
        return dict(
            connection.execute(
                "select output_key, state from attention.link where institution = %s", (site.institution.slug,)
            ).fetchall()
        )


def refresh(site: ScriptedSite, *sites: ScriptedSite) -> attention_asking.Asked:
    """Ask again for all institutions, as the daily refresh does."""
    with database.connect(site.dsn) as connection:
        provider = attention.provider_of(site.institution, connection)
        assert provider is not None
        with_all = [each.institution.slug for each in (site, *sites)]
        asked = attention_asking.ask(connection, provider, with_all)
        for each in (site, *sites):
            attention.link(connection, each.institution.slug, provider.account.name)
            attention.roll_up(connection, each.institution.slug)
        return asked


def pass_days(site: ScriptedSite, days: int) -> None:
    """Let the memory be so much older."""
    with database.connect(site.dsn) as connection:
        for table, columns in {
            "asked": ("asked_at", "due_at"), "tracked_output": ("due_at", "changed_at", "fetched_at", "id_seen_at"),
            "budget_day": ("day",), "snapshot_source": (), "account": ("batch_refused_at",),
        }.items():  # fmt: skip
            for column in columns:
                far = timedelta(days=10_000 if table == "budget_day" else 0)  # no two days may meet on their way
                for move in (timedelta(days=days) + far, -far):
                    connection.execute(f"update attention.{table} set {column} = {column} - %s", (move,))
        connection.execute("set session_replication_role = replica")
        for table in ("snapshot", "snapshot_source"):
            connection.execute(f"update attention.{table} set day = day - %s", (days,))
        connection.execute("update attention.tracked_output set snapshot_day = snapshot_day - %s", (days,))
        connection.commit()


def sums(site: ScriptedSite, kind: str = "institution", key: str = "") -> dict:
    with database.connect(site.dsn) as connection:
        cursor = connection.execute(
            "select * from attention.rollup where institution = %s and kind = %s and key = %s",
            (site.institution.slug, kind, key),
        )
        return dict(zip([c.name for c in cursor.description], cursor.fetchall()[0], strict=True))


def asked_for(simulator: Attention) -> list[str]:
    """Every identifier that the simulator was asked for by itself or in a batch, as often as it was."""
    found = []
    for call in simulator.calls:
        if call.name == "translate" and call.status == 200:
            found += (call.argument("ids") or "").split("|")
        elif call.name not in {"translate", "id", "fetch"} and call.status in {200, 404}:
            found.append(call.path)
    return found


@pytest.fixture
def source() -> ScriptedSource:
    made = ScriptedSource(page_size=500)
    made.departments = {"sci": Department("sci", "Science"), "bio": Department("bio", "Biology", ("sci",))}
    return made


def test_without_a_provider_the_import_stands_and_every_output_says_so(site, source):
    many(source, 3)
    made = do_import(site)
    assert made["status"] == "succeeded"
    assert made["attention"]["state"] == "attention not configured"
    assert "linked" not in made["attention"]
    assert set(links(site).values()) == {"feature_off"}


def test_batches_ask_for_each_identifier_once_and_link(site, source, simulator, connect):
    many(source, 300)
    made = do_import(site)["attention"]
    states = links(site)
    tracked = {
        n for n, doi in enumerate(dois(300)) if simulator.id_of(doi) is not None or simulator.id_of(str(700_000 + n))
    }
    assert {k for k, state in states.items() if state in {"linked", "no_mentions"}} == {f"o{n}" for n in tracked}
    assert {state for k, state in states.items() if int(k[1:]) not in tracked} == {"untracked"}
    assert made["linked"] == sum(state == "linked" for state in states.values())
    assert made["no_mentions"] > 0
    asked = asked_for(simulator)
    assert len(asked) == len(set(asked)) == 600
    records = sum(simulator.id_of(i) is not None for n in range(300) for i in (dois(300)[n], str(700_000 + n)))
    assert made["calls"] == len(simulator.calls) == 1 + -(-records // 100), "the least possible number of calls"
    assert "commercial" not in str([call.arguments for call in simulator.calls])
    assert {k: sums(site)[k] for k in ("outputs", "tracked")} == {"outputs": 300, "tracked": len(tracked)}


def test_single_look_ups_go_down_the_order_of_trust_and_stop_at_the_first_that_is_tracked(
    site, source, simulator, connect
):
    connect("free-1", batch=False)
    many(source, 40)
    do_import(site)
    paths = [call.path for call in simulator.calls]
    assert len(paths) == len(set(paths))
    for n, doi in enumerate(dois(40)):
        assert f"/v1/doi/{doi}" in paths
        assert (f"/v1/pmid/{700_000 + n}" in paths) == (simulator.id_of(doi) is None)
    batch = links(site)
    assert {k for k, s in batch.items() if s in {"linked", "no_mentions"}} == {
        f"o{n}" for n, doi in enumerate(dois(40)) if simulator.id_of(doi) or simulator.id_of(str(700_000 + n))
    }


def test_what_one_institution_asked_for_another_does_not_ask_for_again(site, tmp_path, source, simulator, connect):
    many(source, 30)
    do_import(site)
    before = len(simulator.calls)
    other_source = ScriptedSource(page_size=500)
    many(other_source, 35)
    other = site_of(site.dsn, tmp_path, other_source, "blefuscu")
    do_import(other)
    new = asked_for(simulator)
    assert len(new) == len(set(new)) == 70, "five outputs more, each with two identifiers"
    assert len(simulator.calls) <= before + 2
    assert {k: v for k, v in links(other).items() if k in links(site)} == links(site)


def test_untracked_is_asked_again_when_its_time_is_over_and_rarer_each_time(site, source, simulator, connect):
    put(source, "o", ("doi", next(d for d in dois(50) if simulator.id_of(d) is None)))
    do_import(site)
    calls = []
    for _ in range(5):
        pass_days(site, 8)
        simulator.forget_calls()
        refresh(site)
        calls.append(len(simulator.calls))
    assert calls == [1, 0, 1, 0, 0], "after 7 days, after 14, and then after 28"


@pytest.mark.parametrize("batch", [True, False])
def test_killed_at_any_time_then_resumed_no_answer_is_asked_for_twice(
    site, source, simulator, connect, monkeypatch, *, batch
):
    connect(batch=batch, at_once=2)
    monkeypatch.setattr(attention_providers, "LONGEST_LINE", 4)
    monkeypatch.setattr(attention_asking, "ROUND", 40)
    monkeypatch.setattr(attention_asking, "RECORD_CALLS", 1)
    monkeypatch.setattr(attention_providers, "IDENTIFIERS_AT_ONCE", 20)
    monkeypatch.setattr(attention_providers, "RECORDS_AT_ONCE", 5)
    many(source, 60)
    real = attention_asking._store

    class Killed(BaseException):
        pass

    dies_after = [0, 1, 2, 5, 3]
    stores = 0

    def store(*arguments: object) -> None:
        nonlocal stores
        if dies_after and stores == dies_after[0]:
            dies_after.pop(0)
            stores = 0
            raise Killed  # the answer has come, and is lost
        stores += 1
        real(*arguments)

    monkeypatch.setattr(attention_asking, "_store", store)
    with database.connect(site.dsn) as connection:
        connection.execute("select 1")
    killed = 0
    with pytest.raises(Killed):
        do_import(site)
    killed += 1
    while dies_after:
        with pytest.raises(Killed):
            refresh(site)
        killed += 1
    refresh(site)
    answered = {(s, v) for s, v, _ in _asked_rows(site)}
    asked = [i.rpartition("/v1/")[2] for i in asked_for(simulator)]
    lost = 20 if batch else 4  # what was answered, but not yet committed: of a batch, or of those in line
    assert len(asked) - len(set(asked)) <= killed * lost
    assert len(set(asked)) == len(answered) or not batch
    assert "not_asked_yet" not in links(site).values()
    simulator.forget_calls()
    refresh(site)
    assert simulator.calls == [], "all of it is within its time to live"


def _asked_rows(site: ScriptedSite) -> list[tuple]:
    with database.connect(site.dsn) as connection:
        return connection.execute("select scheme, value, answer from attention.asked").fetchall()


def test_the_budget_of_a_day_is_shared_and_the_rest_is_asked_the_next_day(site, tmp_path, source, simulator, connect):
    connect("free-1", batch=False, calls_per_day=25)
    many(source, 20)
    first = do_import(site)["attention"]
    other_source = ScriptedSource(page_size=500)
    many(other_source, 20, start=100)
    other = site_of(site.dsn, tmp_path, other_source, "blefuscu")
    second = do_import(other)["attention"]
    assert len(simulator.calls) == 25
    assert second["stopped"] == "quota"
    assert "quota" in links(other).values()
    assert second["not_asked_today"] > 0
    assert "today's budget of 25 calls" in second["state"]
    assert first["linked"] >= 0
    pass_days(site, 1)
    refresh(site, other)
    assert len(simulator.calls) <= 50
    pass_days(site, 1)
    refresh(site, other)
    assert "quota" not in links(other).values()


@pytest.mark.parametrize(
    ("kind", "key"),
    [("html", "free-1"), ("too_many_requests", "free-1"), (None, "wrong-1"), ("see_other_place", "free-1")],
)
def test_a_budget_pays_for_repetitions_and_not_for_what_was_never_asked(
    site, source, simulator, connect, monkeypatch, *, kind, key
):
    monkeypatch.setattr(attention_providers, "LONGEST_LINE", 2)
    connect(key, batch=False, calls_per_day=30, at_once=1)
    if kind is not None:
        simulator.faults.add(Fault(kind, times=None, seconds=0.01))
    many(source, 20)

    def budget() -> int:
        with database.connect(site.dsn) as connection:
            return connection.execute("select calls from attention.budget_day").fetchall()[0][0]

    made = do_import(site)["attention"]
    assert budget() == made["calls"] == len(simulator.calls) > 0
    if kind != "see_other_place":
        assert len(simulator.calls) < 30, "what stays stops the asking"
    for _ in range(12):
        refresh(site)
    assert budget() == len(simulator.calls)
    assert len(simulator.calls) <= 30 + 30, "a turn that was begun is ended"


def test_a_batch_that_is_refused_falls_back_to_single_calls_once(site, source, simulator, connect):
    connect("free-1")
    many(source, 20)
    do_import(site)
    assert [call.name for call in simulator.calls].count("translate") == 1
    assert "not_asked_yet" not in links(site).values()
    source.tick += 1
    many(source, 5, start=20)
    do_import(site)
    assert [call.name for call in simulator.calls].count("translate") == 1, "noticed once"


def test_where_only_lists_of_ids_are_refused_records_come_one_by_one(site, source, simulator, connect):
    simulator.faults.add(Fault("tier", "id"))
    many(source, 20)
    do_import(site)
    assert "not_asked_yet" not in links(site).values()
    assert any("," in call.path for call in simulator.calls)


@pytest.mark.parametrize("batch", [True, False])
def test_a_refused_key_ends_the_asking_and_alarms(site, source, simulator, connect, monkeypatch, *, batch):
    connect("wrong-1", batch=batch)
    alarms: list[tuple[str, str]] = []
    monkeypatch.setattr(notices, "tell_operators", lambda subject, sentence, **_: alarms.append((subject, sentence)))
    many(source, 10)
    made = do_import(site)
    assert made["status"] == "succeeded", "the import stands"
    assert len(simulator.calls) <= 4
    assert set(links(site).values()) == {"error"}
    assert len(alarms) == 1
    assert "refuses the key" in alarms[0][1]
    assert "wrong-1" not in alarms[0][1]


@pytest.mark.parametrize(
    "kind",
    ["busy_seconds", "too_many_requests", "too_often", "enhance_your_calm", "maintenance", "html", "truncated", "reset",
     "cut", "server_error"],
)  # fmt: skip
@pytest.mark.parametrize("batch", [True, False])
def test_what_passes_is_waited_for(site, source, simulator, connect, kind, *, batch):
    connect(batch=batch)
    simulator.faults.add(Fault(kind, after=1, seconds=0.01))
    many(source, 8)
    made = do_import(site)["attention"]
    assert made["stopped"] is None
    assert set(links(site).values()) <= {"linked", "no_mentions", "untracked"}


@pytest.mark.parametrize(
    ("kind", "states"),
    [("too_often", {"quota"}), ("enhance_your_calm", {"quota"}), ("maintenance", {"error"}), ("html", {"error"}),
     ("oversized", {"error"}), ("exhausted", {"quota"})],
)  # fmt: skip
@pytest.mark.parametrize("batch", [True, False])
def test_what_stays_stops_the_asking_and_writes_no_zero(site, source, simulator, connect, kind, *, states, batch):
    connect(batch=batch, backoff=0.001, retries=1)
    many(source, 12)
    do_import(site)
    before = links(site), sums(site)
    pass_days(site, 40)
    simulator.faults.add(Fault(kind, times=None))
    refresh(site)
    assert links(site) == before[0]
    assert sums(site)["mentions"] == before[1]["mentions"]
    source.tick += 1
    many(source, 3, start=50)
    made = do_import(site)
    assert made["status"] == "succeeded"
    assert {links(site)[f"o{n}"] for n in range(50, 53)} <= states | {"not_asked_yet"} | (
        {"linked", "no_mentions", "untracked"} if kind == "exhausted" else set()
    )


def test_a_post_that_is_sent_on_with_307_goes_there_with_its_body(site, source, simulator, connect):
    simulator.faults.add(Fault("see_other_place", "translate"))
    many(source, 12)
    assert do_import(site)["attention"]["stopped"] is None
    assert [call.status for call in simulator.calls][:2] == [307, 200]


@pytest.mark.parametrize(
    "kind", ["strings", "minus_one", "no_readers", "empty_lists", "unknown_source", "ids_as_numbers"]
)
@pytest.mark.parametrize("batch", [True, False])
def test_answers_in_odd_shapes_are_stored_for_what_they_are(site, source, simulator, connect, kind, *, batch):
    connect(batch=batch)
    simulator.faults.add(Fault(kind, times=None))
    many(source, 20)
    do_import(site)
    assert set(links(site).values()) <= {"linked", "no_mentions", "untracked"}
    with database.connect(site.dsn) as connection:
        sources = {r[0] for r in connection.execute("select distinct source from attention.snapshot_source")}
        assert ("telegraphs" in sources) == (kind == "unknown_source")
        readers = connection.execute("select coalesce(sum(readers), 0) from attention.snapshot").fetchall()[0][0]
        assert (readers == 0) == (kind in {"minus_one", "no_readers", "empty_lists"})


def test_a_record_of_something_else_is_not_linked(site, source, simulator, connect):
    connect(batch=False)
    simulator.faults.add(Fault("other_record", "doi", times=None))
    put(source, "o", ("doi", next(d for d in dois(50) if simulator.id_of(d))))
    do_import(site)
    assert links(site) == {"o": "error"}


def test_an_id_that_lacks_in_the_results_is_asked_for_again(site, source, simulator, connect):
    simulator.faults.add(Fault("id_missing", "id"))
    many(source, 20)
    do_import(site)
    pass_days(site, 1)
    refresh(site)
    assert set(links(site).values()) <= {"linked", "no_mentions", "untracked"}


def test_two_identifiers_with_two_tracked_outputs_are_reported_and_never_added_up(site, source, simulator, connect):
    both = next(
        (d, str(700_000 + n)) for n, d in enumerate(dois(99)) if simulator.id_of(d) and simulator.id_of(str(700_000 + n))
        and simulator.counts(d) and simulator.counts(str(700_000 + n))
    )  # fmt: skip
    put(source, "o", ("doi", both[0]), ("pmid", both[1]))
    made = do_import(site)["attention"]
    assert made["conflicts"] == 1
    with database.connect(site.dsn) as connection:
        assert connection.execute("select tracked, others from attention.link").fetchall() == [
            (f"doi:{both[0]}", [f"pmid:{both[1]}"])
        ]
    assert sums(site)["tracked"] == 1


def test_two_outputs_that_are_one_tracked_output_count_once_in_every_total(site, source, simulator, connect):
    one = next(d for d in dois(50) if simulator.id_of(d) and simulator.counts(d))
    put(source, "preprint", ("doi", one), departments=("bio",))
    put(source, "article", ("doi", one), authors="ab", departments=("sci", "bio"))
    do_import(site)
    for kind, key in (("institution", ""), ("department", "sci"), ("department", "bio"), ("author", "id:a")):
        assert (sums(site, kind, key)["outputs"], sums(site, kind, key)["tracked"]) == (2, 1)


def test_one_work_under_two_identifiers_is_one_tracked_output(site, source, simulator, connect):
    one, two = [d for d in dois(50) if simulator.id_of(d) and simulator.counts(d)][:2]
    simulator.same[two] = one
    put(source, "o", ("doi", one))
    put(source, "p", ("doi", two))
    do_import(site)
    assert sums(site)["tracked"] == 1


@pytest.mark.parametrize("batch", [True, False])
def test_a_record_that_is_lost_is_kept_and_marked(site, source, simulator, connect, batch):
    connect(batch=batch)
    put(source, "o", ("doi", next(d for d in dois(50) if simulator.id_of(d) and simulator.counts(d))))
    do_import(site)
    before = sums(site)
    pass_days(site, 31)
    simulator.faults.add(Fault("lost", times=None))
    refresh(site)
    assert links(site) == {"o": "linked"}
    assert sums(site)["mentions"] == before["mentions"]
    with database.connect(site.dsn) as connection:
        assert connection.execute("select stale_since is not null from attention.tracked_output").fetchall() == [
            (True,)
        ]


@pytest.mark.parametrize("batch", [True, False])
def test_ids_that_change_keep_the_series(site, source, simulator, connect, batch):
    connect(batch=batch)
    many(source, 20)
    do_import(site)
    before = links(site), sums(site)["tracked"]
    pass_days(site, 31)
    simulator.faults.add(Fault("renumbered", times=None))
    refresh(site)
    assert (links(site), sums(site)["tracked"]) == before
    with database.connect(site.dsn) as connection:
        ids = [int(r[0]) for r in connection.execute("select altmetric_id from attention.tracked_output")]
    assert min(ids) > 10**9


def test_scores_that_move_make_a_series_and_a_change_since_last_week(site, source, simulator, connect):
    many(source, 60)
    do_import(site)
    before = sums(site)["mentions"]
    assert sums(site)["mentions_week"] == 0
    pass_days(site, 15)
    simulator.change({"days": 60})
    refresh(site)
    now = sums(site)
    assert now["mentions_week"] == now["mentions"] - before != 0
    with database.connect(site.dsn) as connection:
        days = connection.execute("select count(distinct day), max(n) from (select day, count(*) over (partition by tracked) n"
                                  " from attention.snapshot) s").fetchall()  # fmt: skip
    assert days == [(2, 2)]


def test_mentions_are_kept_as_source_outlet_date_and_link_and_of_a_tweet_the_id_alone(site, source, simulator, connect):
    connect(mentions=True)
    many(source, 20)
    do_import(site)
    with database.connect(site.dsn) as connection:
        rows = connection.execute("select source, mention, outlet, posted_at, link from attention.mention").fetchall()
        by_source = dict(
            connection.execute("select source, sum(posts) from attention.snapshot_source group by 1").fetchall()
        )
    assert {s: sum(r[0] == s for r in rows) for s in by_source} == by_source
    assert all(r[2:] == (None, None, None) and r[1].isdigit() for r in rows if r[0] == "x")
    assert all(r[2] is None for r in rows if r[0] in {"facebook", "reddit", "bluesky", "wikipedia"})
    assert all(r[2] and r[3] and r[4] for r in rows if r[0] == "news")


def test_sources_with_a_quota_of_their_own_can_be_left_out(site, source, simulator, connect):
    connect(mentions=True, exclude_sources="twitter", batch=False)
    many(source, 2)
    do_import(site)
    assert {call.argument("exclude_sources") for call in simulator.calls} == {"twitter"}
    assert {call.name for call in simulator.calls} == {"fetch"}


def test_a_file_of_records_is_a_provider_and_a_new_file_is_read_anew(site, tmp_path, source, simulator):
    many(source, 10)
    yaml = tmp_path / "lilliput.yaml"
    yaml.write_text(yaml.read_text() + "attention: {provider: file, file: dump.jsonl}\n")
    (tmp_path / "dump.jsonl").write_text(
        '{"altmetric_id": 1, "doi": "10.5555/ATTENTION.1", "cited_by_posts_count": 3, "cited_by_msm_count": "2"}\n'
        "not json\n\n"
        '{"altmetric_id": 2, "pmid": 700002, "score": 0}\n'
    )

    site = ScriptedSite(config.load(yaml), site.dsn, source)
    do_import(site)
    assert links(site)["o1"] == "linked"
    assert links(site)["o2"] == "no_mentions"
    assert links(site)["o3"] == "untracked"
    assert simulator.calls == []
    (tmp_path / "dump.jsonl").write_text(
        '{"altmetric_id": 3, "doi": "10.5555/attention.3", "cited_by_posts_count": 1}\n'
    )
    do_import(site, full_import=True)
    assert (links(site)["o1"], links(site)["o3"]) == ("linked", "linked"), "what was known is kept, and marked"


def known(site: ScriptedSite) -> list[dict]:
    with database.connect(site.dsn) as connection:
        return [json.loads(line) for line in exports.records(connection, site.institution.slug)]


@pytest.mark.parametrize("mentions", [False, True])
def test_what_was_exported_can_be_read_again_and_says_the_same(
    site, tmp_path, source, simulator, *, connect, explorer, mentions
):
    connect(mentions=mentions)
    many(source, 40)
    do_import(site)
    printed = explorer("export", "lilliput", "attention", "--jsonl")
    assert printed.exit_code == 0
    (tmp_path / "earlier.jsonl").write_text(printed.stdout, "utf-8")
    exported, calls = known(site), len(simulator.calls)
    assert [json.loads(line) for line in printed.stdout.splitlines()] == exported
    assert any(each.get("posts") for each in exported) is mentions
    assert all(each["data_from"] == "Altmetric (https://www.altmetric.com)" for each in exported)

    again = site_of(site.dsn, tmp_path, source, "blefuscu")
    yaml = tmp_path / "blefuscu.yaml"
    yaml.write_text(yaml.read_text() + "attention: {provider: file, file: earlier.jsonl}\n")
    again = ScriptedSite(config.load(yaml), site.dsn, source)
    do_import(again)
    assert len(simulator.calls) == calls
    unlike = {"data_from": "Altmetric (https://www.altmetric.com), from a file"}
    assert sorted(known(again), key=str) == sorted(({**each, **unlike} for each in exported), key=str)
    linked, relinked = links(site), links(again)
    assert {key for key, state in linked.items() if state in {"linked", "no_mentions"}} == {
        key for key, state in relinked.items() if state in {"linked", "no_mentions"}
    }


def test_mentions_and_counts_that_are_taken_back_are_forgotten_even_on_the_same_day(site, source, simulator, connect):
    connect(mentions=True)
    many(source, 40)
    do_import(site)

    def stored(statement: str) -> dict[str, set]:
        with database.connect(site.dsn) as connection:
            rows = connection.execute(statement).fetchall()
        return {tracked: set(found) for tracked, found in rows}

    mentions = "select tracked, array_agg(source || ' ' || mention) from attention.mention group by tracked"
    counts = "select tracked, array_agg(source || ' ' || accounts) from attention.snapshot_source group by tracked"
    before = stored(mentions), stored(counts)
    gone = 0
    for days in (3, 9, 30):
        simulator.change({"days": days})
        with database.connect(site.dsn) as connection:
            connection.execute("update attention.asked set asked_at = asked_at - interval '1 day', due_at = now()")
            connection.execute("update attention.tracked_output set due_at = now()")
        refresh(site)
        now = stored(mentions), stored(counts)
        assert now != before
        gone += sum(len(each - now[0].get(tracked, set())) for tracked, each in before[0].items())
        for tracked, each in now[0].items():
            assert len(each) == sum(simulator.counts(tracked.partition(":")[2]).values())
            assert len(now[1][tracked]) == len(simulator.counts(tracked.partition(":")[2]))
        before = now
    assert gone > 0


def test_a_chapter_is_not_asked_for_by_its_books_isbn(site, source, simulator, connect):
    source.put(Output(key="c", title="c", type="Book chapter", identifiers=(Identifier("isbn", "9780805069099"),)))
    source.put(Output(key="b", title="b", type="Book", identifiers=(Identifier("isbn", "9780805069099"),)))
    do_import(site)
    assert links(site)["c"] == "no_identifier"
    assert links(site)["b"] != "no_identifier"


def test_removed_outputs_lose_their_links_and_an_expired_licence_loses_its_attention(site, source, simulator, connect):
    many(source, 10)
    do_import(site)
    source.tick += 1
    source.delete("o3")
    do_import(site)
    assert "o3" not in links(site)
    assert sums(site)["outputs"] == 9
    with database.connect(site.dsn) as connection:
        connection.execute("update attention.account set expires_at = now() - interval '1 day'")
        assert attention.forget_expired(connection) == 1
        assert connection.execute("select count(*) from attention.snapshot").fetchall() == [(0,)]
        attention.link(connection, "lilliput", None)
    assert set(links(site).values()) == {"feature_off"}


def test_an_hourly_quota_stops_before_it_is_overdrawn(site, source, simulator, connect):
    connect("free-1", batch=False, at_once=1)
    simulator.limit = Limit(hourly=10)
    many(source, 30)
    made = do_import(site)["attention"]
    assert len(simulator.calls) == 10
    assert made["stopped"] == "quota"
    assert {c.status for c in simulator.calls} <= {200, 404}


def test_a_connection_without_a_key_or_with_unknown_words_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_ATTENTION", json.dumps({"conn_type": "http", "host": "https://api.lagado.example"})
    )
    with pytest.raises(ConnectionUnusableError, match="no password: put the API key there"):
        attention_providers.DetailsPage(connections.get("attention"), secret=b"x")
    monkeypatch.setenv(
        "AIRFLOW_CONN_ATTENTION",
        json.dumps({"conn_type": "http", "host": "https://a.example", "password": "k", "extra": {"call_per_day": 3}}),
    )
    with pytest.raises(ConnectionUnusableError, match="call_per_day"):
        attention_providers.DetailsPage(connections.get("attention"), secret=b"x")


def test_where_nobody_can_be_asked_every_output_still_says_why(site, source, simulator, connect, monkeypatch):
    broken = json.dumps({"conn_type": "http", "host": "https://api.lagado.example"})
    monkeypatch.setenv("AIRFLOW_CONN_ATTENTION", broken)
    many(source, 10)
    with pytest.raises(ConnectionUnusableError, match="no password"):
        do_import(site)
    assert list(links(site).values()) == ["feature_off"] * 10
    connect()
    with database.connect(site.dsn) as connection:
        attention.link_outputs(connection, site.institution)
    before = links(site)
    assert "linked" in before.values()
    monkeypatch.setenv("AIRFLOW_CONN_ATTENTION", broken)
    source.tick += 1
    many(source, 2, start=20)
    with pytest.raises(ConnectionUnusableError, match="no password"):
        do_import(site)
    assert links(site) == before | {"o20": "not_asked_yet", "o21": "not_asked_yet"}
    assert sums(site)["outputs"] == 12


def test_the_daily_refresh_asks_new_outputs_first_and_a_broken_file_holds_nobody_back(
    site, tmp_path, source, simulator, connect, *, monkeypatch
):

    connect("free-1", batch=False, at_once=1)
    many(source, 12)
    do_import(site)
    pass_days(site, 60)
    simulator.change({"days": 60})
    other_source = ScriptedSource(page_size=500)
    many(other_source, 2, start=50)
    other = site_of(site.dsn, tmp_path, other_source, "blefuscu")
    monkeypatch.delenv("AIRFLOW_CONN_ATTENTION")
    do_import(other)
    assert set(links(other).values()) == {"feature_off"}
    connect("free-1", batch=False, at_once=1)
    simulator.forget_calls()

    def site_at(path: str) -> ScriptedSite:
        if path == "broken":
            raise config.ConfigError(config.Problem(Path("broken.yaml"), 1, "name", "is missing"))
        return {"lilliput": site, "blefuscu": other}[path]

    monkeypatch.setattr(sites, "site", site_at)
    monkeypatch.setattr(local, "warehouse_dsn", lambda: site.dsn)
    assert upkeep.ask_for_attention(["broken", "lilliput", "blefuscu"]) == ["lilliput", "blefuscu"]
    asked = [call.path for call in simulator.calls]
    assert set(asked[:2]) == {f"/v1/doi/10.5555/attention.{n}" for n in (50, 51)}
    assert len(asked) == len(set(asked)) > 12
    before = sums(site)["mentions"]
    assert "with attention" in upkeep.link_again("lilliput")
    assert upkeep.link_again("blefuscu")
    assert sums(site)["mentions"] > before
    assert set(links(other).values()) <= {"linked", "no_mentions", "untracked"}


@pytest.mark.parametrize("batch", [True, False])
def test_counts_that_cannot_be_read_write_no_zero(site, source, simulator, connect, *, batch):
    connect(batch=batch)
    many(source, 12)
    do_import(site)
    before = links(site), sums(site)["mentions"]
    assert before[1] > 0
    pass_days(site, 40)
    simulator.faults.add(Fault("negative", times=None))
    refresh(site)
    assert (links(site), sums(site)["mentions"]) == before


def test_the_key_is_in_no_table_log_or_error(site, source, simulator, connect, caplog):
    secret = "commercial-n0b0dy-must-see-this"
    caplog.set_level("DEBUG")
    many(source, 6)
    do_import(site)
    kinds = (
        "tier",
        "wrong_key",
        "maintenance",
        "html",
        "oversized",
        "reset",
        "truncated",
        "too_often",
        "see_other_place",
    )
    for number, kind in enumerate(kinds):
        connect(secret, batch=number % 2 == 0, retries=1, backoff=0.001)
        simulator.faults.clear()
        simulator.faults.add(Fault(kind, times=None))
        pass_days(site, 40)
        with database.connect(site.dsn) as connection:
            attention.link_outputs(connection, site.institution)
    simulator.faults.clear()
    source.tick += 1
    do_import(site)  # with the key that is planted
    with database.connect(site.dsn) as connection:
        tables = connection.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('ops', 'attention', 'warehouse')"
        ).fetchall()
        assert len(tables) > 20
        for (table,) in tables:
            text = connection.execute(f"select coalesce(string_agg(t::text, ' '), '') from {table} t").fetchall()[0][0]
            assert secret not in text, table
    ours = [each.getMessage() for each in caplog.records if each.name.startswith("explorer")]
    assert ours
    assert not any(secret in message for message in ours)
    assert not any(secret in str(call.arguments) for call in simulator.calls)


def test_an_institutions_attention_is_forgotten_and_what_others_look_up_stays(
    site, tmp_path, source, simulator, connect
):
    many(source, 20)
    do_import(site)
    other_source = ScriptedSource(page_size=500)
    many(other_source, 20, start=10)
    other = site_of(site.dsn, tmp_path, other_source, "blefuscu")
    do_import(other)
    theirs, sums_before = links(other), sums(other)
    with database.connect(site.dsn) as connection:
        gone = upkeep.forget_attention(connection, site.institution.slug)
        assert gone > 0
        left = {
            table: connection.execute(
                f"select count(*) from attention.{table} where institution = %s", ("lilliput",)
            ).fetchone()[0]
            for table in ("link", "rollup", "rollup_source", "rollup_top", "subscription", "landing_page")
        }
        assert set(left.values()) == {0}
        known = {row[0] for row in connection.execute("select value from attention.asked")}
        assert known == {v for n in range(10, 30) for v in (f"10.5555/attention.{n}", str(700_000 + n))}
        assert connection.execute(
            "select count(*) from warehouse.research_output where institution = 'lilliput'"
        ).fetchone() == (20,)
    simulator.forget_calls()
    assert (links(other), sums(other)) == (theirs, sums_before)
    refresh(other)
    assert simulator.calls == [], "all of theirs is known still"
    with database.connect(site.dsn) as connection:
        upkeep.forget_attention(connection, "blefuscu")
        tables = (
            "account",
            "asked",
            "tracked_output",
            "tracked_identifier",
            "snapshot",
            "snapshot_source",
            "budget_day",
        )
        counts = {t: connection.execute(f"select count(*) from attention.{t}").fetchone()[0] for t in tables}
        assert set(counts.values()) == {0}, counts


def test_a_licence_that_has_ended_takes_its_attention_with_it(site, source, simulator, connect, monkeypatch):
    connect(licence="researcher", expires="2100-01-01", account="ours")
    many(source, 10)
    do_import(site)
    assert "linked" in links(site).values()
    connect(licence="researcher", expires="2000-01-01", account="ours")
    simulator.forget_calls()
    alarms: list[tuple[str, str]] = []
    monkeypatch.setattr(notices, "tell_operators", lambda subject, sentence, **_: alarms.append((subject, sentence)))
    monkeypatch.setattr(sites, "site", lambda _: site)
    monkeypatch.setattr(local, "warehouse_dsn", lambda: site.dsn)
    upkeep.ask_for_attention(["lilliput"])
    upkeep.link_again("lilliput")
    with database.connect(site.dsn) as connection:
        assert connection.execute("select count(*) from attention.account").fetchone() == (0,)
        assert connection.execute("select count(*) from attention.tracked_output").fetchone() == (0,)
        assert connection.execute("select count(*) from warehouse.research_output").fetchone() == (10,)
    assert set(links(site).values()) == {"feature_off"}
    source.tick += 1
    many(source, 1, start=50)
    made = do_import(site)
    assert made["status"] == "succeeded"
    assert "ended on 2000-01-01" in made["attention"]["state"]
    assert set(links(site).values()) == {"feature_off"}
    assert simulator.calls == [], "nobody is asked without a licence"
    assert ["ended on 2000-01-01" in sentence for _, sentence in alarms] == [True, True]


def test_a_quota_of_tweets_ends_the_asking_for_mentions(site, source, simulator, connect):
    connect(mentions=True, batch=False, at_once=1)
    simulator.faults.add(Fault("no_tweets_left", after=3))
    many(source, 10)
    made = do_import(site)["attention"]
    assert made["stopped"] == "quota"
    assert "TweetID" in made["because"]
    assert len(simulator.calls) == 4


def test_an_isbn_is_asked_for_a_book_and_never_for_a_chapter(site, source, simulator, connect):
    connect(batch=False)
    put(source, "book", ("isbn", "9780805069099"), type="book")
    kinds = ("chapter", "Book chapter", "book section", "bookPart", "Book_Item", "inbook", "Conference paper", "article",
             "Contribution to book", "inproceedings")  # fmt: skip
    for number, kind in enumerate(kinds):
        put(source, f"chapter{number}", ("isbn", f"978000000000{number}"), type=kind)
    do_import(site)
    assert [call.path for call in simulator.calls] == ["/v1/isbn/9780805069099"]
    assert {key: state for key, state in links(site).items() if key != "book"} == dict.fromkeys(
        (f"chapter{n}" for n in range(len(kinds))), "no_identifier"
    )


@pytest.mark.parametrize("batch", [True, False])
def test_a_chapter_that_a_books_isbn_leads_to_is_not_the_book(site, source, simulator, connect, *, batch):
    connect(batch=batch)
    simulator.share = 100
    simulator.faults.add(Fault("chapter", times=None))
    put(source, "book", ("isbn", "9780805069099"), type="book")
    put(source, "part", ("doi", "10.5555/part.1"), type="chapter")
    do_import(site)
    states = links(site)
    assert states["book"] == "error"
    assert states["part"] in {"linked", "no_mentions"}


@pytest.mark.parametrize(
    ("scheme", "value"),
    [("doi", "10.5555/a/../b"), ("doi", "10.5555/./b"), ("doi", "10.5555/.."), ("doi", "10.5555/a//b"),
     ("doi", "10.5555/a|b\\c"), ("doi", "10.5555/a?b#c;d<e>&f=g+h i%j"), ("doi", "10.5555/\u00e9t\u00e9\u4e00\U0001f600"),
     ("handle", "20.500.12345/6/../7"), ("uri", "https://repo.lilliput.example/../5?x=a%20b&y=%C3%A9"),
     ("doi", "10.5555/" + "%" * 300)],
)  # fmt: skip
def test_an_identifier_is_asked_for_as_it_is_whatever_it_holds(simulator, connect, scheme, value):
    connect()
    simulator.share = 100
    provider = attention_providers.DetailsPage(connections.get("attention"), secret=b"x")
    provider.look_up(Identifier(scheme, value))
    provider.close()
    assert [unquote(call.path) for call in simulator.calls] == [f"/v1/{scheme}/{value}"]


@pytest.mark.parametrize("batch", [True, False])
def test_of_two_handles_that_differ_in_case_each_has_its_own_answer(site, source, simulator, connect, *, batch):
    connect(batch=batch)
    simulator.id_of = lambda value, **_: {"12345/abc": "7"}.get(value)
    put(source, "small", ("handle", "12345/abc"))
    put(source, "large", ("handle", "12345/ABC"))
    do_import(site)
    assert links(site)["large"] == "untracked"
    assert links(site)["small"] in {"linked", "no_mentions"}


@pytest.mark.parametrize("batch", [True, False])
def test_an_arxiv_id_is_asked_for_without_its_version(site, source, simulator, connect, *, batch):
    connect(batch=batch)
    simulator.share = 100
    put(source, "o", ("arxiv", "1108.2455v3"))
    do_import(site)
    assert asked_for(simulator) == (["1108.2455"] if batch else ["/v1/arxiv/1108.2455"])
    assert links(site)["o"] in {"linked", "no_mentions"}


def test_what_an_import_says_of_its_attention(site, source, simulator, connect):
    from explorer import digest

    connect("free-1", batch=False, calls_per_day=6)
    many(source, 10)
    put(source, "none", authors="a")
    said = digest.attention(do_import(site)["attention"])
    for words in ("have online attention", "to be asked for when the quota allows", "today's budget of 6 calls",
                  "Data: Altmetric (https://www.altmetric.com)"):  # fmt: skip
        assert words in said or words.replace("have", "has") in said
    with database.connect(site.dsn) as connection:
        _, rows = exports.published(connection, "lilliput", exports.What.ATTENTION)
    assert {row[1] for row in rows} == set(links(site).values())
    assert {row[-1] for row in rows if row[1] in {"linked", "no_mentions"}} == {"Altmetric (https://www.altmetric.com)"}


def test_the_refresh_tells_the_last_import_what_came_of_it(site, source, simulator, connect, monkeypatch):
    connect("free-1", batch=False, calls_per_day=3)
    many(source, 10)
    number = do_import(site)["import_id"]
    pass_days(site, 1)
    connect("free-1", batch=False)
    refresh(site)
    monkeypatch.setattr(sites, "site", lambda _: site)
    upkeep.link_again("lilliput.yaml")
    with database.connect(site.dsn) as connection:
        told = descriptions.object_of(connection, number)["attention"]
    assert told["not_asked_today"] == 0
    assert "quota" not in told
    assert told["calls"] == 3, "what the import itself asked"
    assert told["linked"] == list(links(site).values()).count("linked")


def test_unknown_sources_are_shown_as_other_and_ended_ones_are_marked(site, source, simulator, connect):
    from explorer.attention_records import SOURCES

    simulator.faults.add(Fault("unknown_source", times=None))
    many(source, 10)
    do_import(site)
    with database.connect(site.dsn) as connection:
        shown = dict(
            connection.execute("select source, label from attention.rollup_shown where kind = 'institution'").fetchall()
        )
        rows = connection.execute("select source, ended from attention.source").fetchall()
    assert shown["telegraphs"] == "Other"
    assert {label for name, label in shown.items() if name != "telegraphs"} & {"News", "Blogs", "X (Twitter)"}
    assert {name for name, _ in rows} == set(SOURCES.values()), "every source that we know by name has its label"
    assert {name for name, ended in rows if ended} == {"google_plus", "linkedin", "pinterest", "weibo"}


def test_what_the_provider_does_not_take_is_invalid_and_not_asked_for_again(site, source, simulator, connect):
    connect(batch=False)
    simulator.faults.add(Fault("invalid", times=None))
    put(source, "o", ("doi", "10.5555/odd<1>"))
    do_import(site)
    assert links(site) == {"o": "invalid_identifier"}
    pass_days(site, 30)
    simulator.forget_calls()
    refresh(site)
    assert simulator.calls == []


def test_an_import_that_has_asked_long_enough_leaves_the_rest_to_the_refresh(site, source, simulator, connect):
    connect(batch=False)
    many(source, 5)
    with database.connect(site.dsn) as connection:
        do_import(site)
        provider = attention.provider_of(site.institution, connection)
        assert provider is not None
        source.tick += 1
        many(source, 5, start=5)
        connection.execute("delete from attention.asked")
        connection.execute("delete from attention.tracked_output")
        connection.commit()
        made = attention_asking.ask(connection, provider, ["lilliput"], seconds=-1)
        assert made.stopped == "time"
        attention.link(connection, "lilliput", provider.account.name)
    assert set(links(site).values()) == {"not_asked_yet"}


@pytest.mark.parametrize("batch", [True, False])
def test_an_id_that_has_changed_hands_brings_nobody_elses_attention(site, source, simulator, connect, *, batch):
    connect(batch=batch)
    put(source, "o", ("doi", next(d for d in dois(50) if simulator.id_of(d) and simulator.counts(d))))
    do_import(site)
    before = links(site), sums(site)
    pass_days(site, 20)
    simulator.change({"days": 40})
    simulator.faults.add(Fault("changed_hands", "id" if batch else "doi", times=None))
    refresh(site)
    assert (links(site), sums(site)["mentions"]) == (before[0], before[1]["mentions"])
    with database.connect(site.dsn) as connection:
        assert connection.execute("select count(*) from attention.snapshot").fetchone() == (1,)
        named = connection.execute("select value from attention.tracked_identifier").fetchall()
    assert ("10.5555/another",) not in named
    source.tick += 1
    put(source, "p", ("doi", next(d for d in dois(50)[10:] if simulator.id_of(d) and simulator.counts(d))))
    do_import(site)
    assert links(site)["p"] == "error"
