"""Imports from a simulated Elements server: what privacy lets pass, what stays behind, and what is asked for again."""

import json
import logging
import os
import re
from dataclasses import replace

import pytest

from explorer import database, flow, upkeep
from simulators.elements import Group, Link, Publication, Record, University, User, lagado
from simulators.mail import MailSink
from simulators.repository import VirtualClock
from simulators.serving import Fault
from tests.elements_site import elements_site, endpoint
from tests.warehouse.test_flow import _everything, do_import, published

pytestmark = pytest.mark.usefixtures("without_expectations")

LEVELS = ("Public", "internal", "PRIVATE", None, "nonsense")
PEOPLE = [
    (level, current, academic, student)
    for level in LEVELS
    for current in (True, False, None)
    for academic, student in ((True, False), (False, True), (True, True), (None, None))
]


def _world() -> University:
    """A person of each kind, who is linked to an output of each level by a link of each level."""
    place = University()
    for n, (level, current, academic, student) in enumerate(PEOPLE):
        place.put_user(
            User(
                f"p{n}", f"Secret{n}", "Name", f"secret{n}@laputa.example", level=level,
                current=current, academic=academic, student=student,
            )
        )  # fmt: skip
    for o, output_level in enumerate(LEVELS):
        for r, link_level in enumerate(LEVELS):
            key = f"{o}.{r}"
            place.put(
                Publication(
                    key, (Record("crossref", f"SecretTitle{key}", 2020, None, f"10.5555/{key}"),), level=output_level
                )
            )
            for n in range(len(PEOPLE)):
                place.link(Link(f"l{key}.{n}", key, f"p{n}", level=link_level))
    return place


@pytest.mark.parametrize("policy", ["public", "public_and_internal"])
@pytest.mark.parametrize("status", ["all", "current"])
@pytest.mark.parametrize("profile", ["all", "academic_or_student", "academic"])
def test_privacy_truth_table(warehouse_dsn, tmp_path, monkeypatch, policy, status, profile):  # noqa: PLR0917
    """Every level of output, author and link, status and profile: what is published, and no word of the rest."""
    allowed = {"public"} if policy == "public" else {"public", "internal"}

    def passes(level: str | None) -> bool:
        return (level or "").casefold() in allowed

    def person_passes(level: str | None, current: bool | None, academic: bool | None, student: bool | None) -> bool:
        return (
            passes(level)
            and (status == "all" or current is True)
            and (profile == "all" or academic is True or (profile == "academic_or_student" and student is True))
        )

    visible = {f"p{n}" for n, person in enumerate(PEOPLE) if person_passes(*person)}
    with endpoint(_world(), monkeypatch):
        site = elements_site(warehouse_dsn, tmp_path, level=policy, status=status, profile=profile)
        made = do_import(site)
    shown = published(site)
    assert {each["key"] for each in shown["authors"]} == visible
    expected = {
        f"{o}.{r}": visible if passes(link_level) else set()
        for o, output_level in enumerate(LEVELS)
        for r, link_level in enumerate(LEVELS)
        if passes(output_level)
    }
    assert {each["key"]: {a["key"] for a in each["authors"]} for each in shown["outputs"]} == expected
    assert made["tally"]["outputs"]["dropped_by_privacy"] == 25 - len(expected)
    assert made["tally"]["authors"]["dropped_by_privacy"] == len(PEOPLE) - len(visible)
    with database.connect(site.dsn) as connection:
        everything = _everything(connection)
        reasons = dict(connection.execute("select entity || ' ' || rule, dropped from ops.privacy_drop").fetchall())
    assert reasons["output level_unknown"] == 10
    for n in range(len(PEOPLE)):
        assert bool(re.search(rf"Secret{n}\b", everything)) == (f"p{n}" in visible)
    for o in range(5):
        for r in range(5):
            assert (f"SecretTitle{o}.{r}" in everything) == (f"{o}.{r}" in expected)


@pytest.mark.parametrize("schema", ["4.9", "5.5"])
def test_before_levels_all_passes_but_hidden_links(warehouse_dsn, tmp_path, monkeypatch, schema):
    with endpoint(_world(), monkeypatch, schema, "5.16"):
        site = elements_site(warehouse_dsn, tmp_path)
        do_import(site)
    shown = published(site)
    assert len(shown["authors"]) == len(PEOPLE)
    visible = {f"{o}.{r}" for o in range(5) for r in (0, 3)}  # visible, and those that do not say
    assert {each["key"] for each in shown["outputs"] if each["authors"]} == visible
    assert len(shown["outputs"]) == 25


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ("keep", {"both", "hidden", "unlinked", "student"}),
        ("remove_authorless", {"both", "hidden", "student"}),
        ("remove_authorless_and_privacy", {"both"}),
    ],
)
def test_orphans_in_full_and_incremental_imports(warehouse_dsn, tmp_path, monkeypatch, policy, kept):
    """Status and profile count as privacy; authorless in Elements is something else."""
    place = University()
    place.put_user(User("p", "Public", "Person"))
    place.put_user(User("h", "Hidden", "Person", level="Private"))
    place.put_user(User("s", "Student", "Person", academic=False, student=True))
    for key, people in (("both", "ph"), ("hidden", "h"), ("unlinked", ""), ("student", "s")):
        place.put(Publication(key, (Record(doi=f"10.5555/{key}", title=key),)))
        for person in people:
            place.link(Link(f"{key}.{person}", key, person))
    with endpoint(place, monkeypatch):
        site = elements_site(warehouse_dsn, tmp_path, orphans=policy, profile="academic")
        do_import(site)
        assert {each["key"] for each in published(site)["outputs"]} == kept
        place.clock.advance(hours=2)
        place.put_user(replace(place.users["p"], level="Private"))
        place.put_user(replace(place.users["s"], academic=True))
        made = do_import(site)
        assert made["mode"] == "incremental"
        expected = {"keep": kept, "remove_authorless": kept, "remove_authorless_and_privacy": {"student"}}[policy]
        assert {each["key"] for each in published(site)["outputs"]} == expected
        assert [each["name"] for each in published(site)["authors"]] == ["Student, Person"]


def test_an_unchanged_source_gives_no_full_publication(warehouse_dsn, tmp_path, monkeypatch):
    place = lagado(VirtualClock())
    with endpoint(place, monkeypatch) as simulator:
        site = elements_site(warehouse_dsn, tmp_path, orphans="remove_authorless_and_privacy")
        place.clock.advance(hours=1)
        do_import(site)
        before = published(site)
        place.clock.advance(days=1)
        simulator.forget_calls()
        made = do_import(site)
        asked = [
            each
            for each in simulator.calls
            if each.name in {"publications", "publication"} and each.argument("detail") != "ref"
        ]
    assert made["mode"] == "incremental"
    assert made["tally"]["outputs"]["extracted"] == made["tally"]["outputs"]["reexamined"] == 0
    assert [(each.name, each.argument("affected-since")) for each in asked] == [
        ("publications", "2026-02-01T03:50:00+0000")
    ]
    assert published(site) == before


def test_groups_place_authors_and_their_outputs(warehouse_dsn, tmp_path, monkeypatch):
    place = University()
    place.groups = {
        "1": Group("1", "Academy"), "2": Group("2", "School", ("1",)), "3": Group("3", "Hidden", ("1",), "Private"),
    }  # fmt: skip
    place.put_user(User("p", "Public", "Person", groups=frozenset({"2", "3"})))
    place.put(Publication("a", (Record(doi="10.5555/a", title="A"),)))
    place.link(Link("1", "a", "p"))
    with endpoint(place, monkeypatch):
        site = elements_site(warehouse_dsn, tmp_path)
        place.clock.advance(hours=1)
        do_import(site)
        assert published(site)["outputs"][0]["departments"] == ["Academy > School"]
        place.clock.advance(hours=2)
        place.groups["3"] = replace(place.groups["3"], level="Public")
        assert do_import(site)["tally"]["outputs"]["reexamined"] == 1
        assert published(site)["outputs"][0]["departments"] == ["Academy > Hidden", "Academy > School"]


def test_editors_are_authors_by_choice(warehouse_dsn, tmp_path, monkeypatch):
    place = University()
    place.put_user(User("p", "Public", "Person"))
    place.put(Publication("a", (Record(doi="10.5555/a", title="A"),)))
    place.link(Link("1", "a", "p", type=9))
    with endpoint(place, monkeypatch):
        without, with_ = (
            elements_site(warehouse_dsn, tmp_path, slug=f"e{editors}".lower(), editors=editors)
            for editors in (False, True)
        )
        do_import(without)
        do_import(with_)
    assert [len(published(each)["outputs"][0]["authors"]) for each in (without, with_)] == [0, 1]


def test_nothing_that_is_private_is_left_anywhere(warehouse_dsn, tmp_path, monkeypatch, caplog):
    """Secrets in titles, names and addresses, also in records that are refused: in no table, log line or mail."""
    caplog.set_level(logging.DEBUG)
    place = University()
    secret = "Xyzzy"
    place.put_user(User("1", "Public", "Person", f"{secret}1@laputa.example"))
    place.put_user(User("2", f"{secret}2", "Person", f"{secret}2@laputa.example", level="Private"))
    place.put_user(User("3", "", "", f"{secret}3@laputa.example", level="Private"))
    place.put_user(User("4", f"{secret}4", "Leaver", current=False))
    for key, level, doi in (
        ("a", "Public", "10.5555/a"), ("b", "Private", f"10.5555/{secret}"), ("c", None, f"no doi but {secret}"),
        ("d", "Private", None),
    ):  # fmt: skip
        title = "Shown" if level == "Public" else f"{secret} {key}"
        place.put(Publication(key, (Record(title=title, doi=doi, venue=None if level else secret),), level=level))
        for person in "1234":
            place.link(
                Link(f"{key}{person}", key, person, level="Private" if person == "1" and key == "b" else "Public")
            )
    with endpoint(place, monkeypatch), MailSink(tmp_path / "mails") as sink:
        extra = {
            "disable_ssl": True,
            "disable_tls": True,
            "from_email": "explorer@explorer.example",
            "operators": "ops@laputa.example",
        }
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": sink.port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        site = elements_site(warehouse_dsn, tmp_path, status="current")
        do_import(site)
        place.clock.advance(hours=2)
        place.put(
            replace(place.publications["a"], level="Private", records=(Record(title=f"{secret} a", doi="10.5555/a"),))
        )
        place.put_user(replace(place.users["1"], last=f"{secret}1", level="Private"))
        do_import(site)
    assert published(site)["outputs"] == []
    with database.connect(site.dsn) as connection:
        everything = _everything(connection)
    assert secret.casefold() not in everything.casefold()
    assert secret.casefold() not in caplog.text.casefold()
    mails = "".join(path.read_text("utf-8") for path in (tmp_path / "mails").rglob("*") if path.is_file())
    assert "library@laputa.example" in mails
    assert secret.casefold() not in mails.casefold()
    assert "houyhnhnm" not in everything + caplog.text + mails  # the password


def test_an_import_goes_on_behind_the_page_that_failed(warehouse_dsn, tmp_path, monkeypatch):
    place = lagado(VirtualClock())
    with endpoint(place, monkeypatch):
        site = elements_site(warehouse_dsn, tmp_path)
        import_id = flow.open_import(site, flow.Request(run_key="once"))
        for part in flow.plan_parts(site, import_id) * 2:
            flow.read_part(site, import_id, part)
        for step in (flow.settle, flow.validate, flow.privacy_filter, flow.clean_up_orphans, flow.review):
            step(site, import_id)
            step(site, import_id)
        flow.privacy_filter(site, import_id)
        flow.clean_up_orphans(site, import_id)
        flow.review(site, import_id)
        flow.load(site, import_id)
        flow.link_attention(site, import_id)
        other = elements_site(warehouse_dsn, tmp_path, slug="other")
        do_import(other)
    assert published(site) == published(other)


def test_what_goes_without_a_word_goes_with_the_next_import(warehouse_dsn, tmp_path, monkeypatch):
    place = University()
    for key in "ab":
        place.put(Publication(key, (Record(doi=f"10.5555/{key}", title=key),)))
    with endpoint(place, monkeypatch):
        site = elements_site(warehouse_dsn, tmp_path)
        do_import(site)
        place.clock.advance(days=1)
        place.vanish("a")
        made = do_import(site)
    assert (made["mode"], made["tally"]["removed_because"]) == ("incremental", {"absent": 1})
    assert [each["key"] for each in published(site)["outputs"]] == ["b"]


def test_a_merge_whose_survivor_is_deleted_at_once(warehouse_dsn, tmp_path, monkeypatch):
    """Nobody is left to tell of the merge: the feed names the survivor alone."""
    place = University()
    place.put_user(User("p", "Public", "Person"))
    for key in "abc":
        place.put(Publication(key, (Record(doi=f"10.5555/{key}", title=key),)))
        place.link(Link(key, key, "p"))
    with endpoint(place, monkeypatch):
        site = elements_site(warehouse_dsn, tmp_path)
        do_import(site)
        place.clock.advance(days=1)
        place.merge("a", "b")
        place.delete("b")
        made = do_import(site)
    assert (made["mode"], made["tally"]["removed_because"]) == ("incremental", {"absent": 1, "deleted": 1})
    assert [each["key"] for each in published(site)["outputs"]] == ["c"]


def test_what_changed_without_a_date_is_read_with_the_sweep(warehouse_dsn, tmp_path, monkeypatch):
    place = University()
    place.put(Publication("a", (Record(doi="10.5555/a", title="A"),)))
    with endpoint(place, monkeypatch):
        site = elements_site(warehouse_dsn, tmp_path)
        place.clock.advance(hours=1)
        do_import(site)
        place.clock.advance(days=1)
        place.publications["a"] = replace(place.publications["a"], level="Private")
        assert do_import(site)["mode"] == "incremental"
        assert len(published(site)["outputs"]) == 1
        with database.connect(site.dsn) as connection:
            connection.execute("update ops.import set started_at = started_at - interval '31 days'")
        made = do_import(site)
    assert made["mode"] == "full"
    assert made["reason"] == ("Elements gives some changes no date, and 31 days have passed since the last full import")
    assert published(site)["outputs"] == []


@pytest.mark.parametrize(("level", "shown"), [("public_and_internal", {"a", "b"}), ("public", {"a"})])
def test_the_guides_examples_of_status_profile_and_level(warehouse_dsn, tmp_path, monkeypatch, level, shown):
    """Integration guide: Current and Academic import only who is both, and with Public only who is public, too."""
    place = University()
    for key, more in {
        "a": {}, "b": {"level": "Internal"}, "c": {"academic": False}, "d": {"current": False}, "e": {"level": "Private"},
        "f": {"current": False, "academic": False}, "g": {"current": None}, "h": {"academic": None, "student": True},
    }.items():  # fmt: skip
        place.put_user(User(key, f"Last{key}", "First", **more))
    with endpoint(place, monkeypatch):
        site = elements_site(warehouse_dsn, tmp_path, level=level, status="current", profile="academic")
        do_import(site)
    assert {each["key"] for each in published(site)["authors"]} == shown


@pytest.mark.parametrize(
    ("schema", "product", "outputs", "people", "credited"),
    [
        ("6.13", "6.13", "sure both link", "sure both user", "sure"),
        ("6.13", "", "sure both link", "sure both user", "sure"),
        ("5.5", "6.2", "sure both link", "sure both user", "sure both"),  # it knows no effective level
        ("5.5", "unknown", "sure both link", "sure both user", "sure both"),
        ("4.9", "6.2", "", "", ""),
    ],
)
def test_what_is_in_doubt_is_not_shown(  # noqa: PLR0917
    warehouse_dsn, tmp_path, monkeypatch, schema, product, outputs, people, credited
):
    """A level left out, empty, unknown or given twice; an effective one that is stricter; an old schema; no product."""
    place = University()
    things = {
        "sure": ("Public", "Public", "Public", None), "own": (None, None, None, None),
        "both": ("Public", "Public", "Public", "Private"), "blank": ("", "", "", ""),
        "link": ("Public", "nonsense", "Public", None), "user": ("public|public", "Public", "Public", "Public"),
    }  # fmt: skip
    for key, (output, user, link, effective) in things.items():
        place.put(Publication(key, (Record(title=f"Of {key}", doi=f"10.5555/{key}"),), level=output))
        place.put_user(User(key, f"Last{key}", "First", level=user))
        place.link(Link(key, key, key, level=link, effective=effective))
    with endpoint(place, monkeypatch, schema, product):
        site = elements_site(warehouse_dsn, tmp_path)
        do_import(site)
    found = published(site)
    assert {each["key"] for each in found["outputs"]} == set(outputs.split())
    assert {each["key"] for each in found["authors"]} == set(people.split())
    assert {each["key"] for each in found["outputs"] if each["authors"]} == set(credited.split())
    with database.connect(site.dsn) as connection:
        told = dict(connection.execute("select entity || ' ' || rule, dropped from ops.privacy_drop").fetchall())
    assert told["output level_unknown"] >= 1
    assert told["author level_unknown"] >= 1


@pytest.mark.parametrize("schema", ["5.5", "6.13"])
def test_an_upgrade_that_brings_levels_hides_what_is_private_though_nothing_changed(
    warehouse_dsn, tmp_path, monkeypatch, schema
):
    """Integration guide: before 6.2 all is imported but private relationships. An upgrade changes no date."""
    place = University()
    for key, level in (("shown", "Public"), ("hidden", "Private")):
        place.put(Publication(key, (Record(title=f"Of {key}", doi=f"10.5555/{key}"),), level=level))
    with endpoint(place, monkeypatch, schema, "6.1") as server:
        site = elements_site(warehouse_dsn, tmp_path)
        do_import(site)
        assert {each["key"] for each in published(site)["outputs"]} == {"shown", "hidden"}
        place.clock.advance(hours=1)
        assert do_import(site)["mode"] == "incremental"
        server.product = "6.2"
        made = do_import(site)
        said = f"schema {'5.5' if schema == '5.5' else '6.13'}"
        assert made["reason"] == (
            f"the source is Elements since 6.2, {said} now; it was Elements before 6.2, {said} at import 2"
        )
        assert {each["key"] for each in published(site)["outputs"]} == {"shown"}
        assert do_import(site)["mode"] == "incremental"


def test_a_server_whose_clock_runs_ahead_loses_no_change(warehouse_dsn, tmp_path, monkeypatch):
    """Its answers are dated two hours later than its objects: what changes then looks older than the last import."""
    place = University()
    for key in "abc":
        place.put(Publication(key, (Record(doi=f"10.5555/{key}", title=key),)))
    with endpoint(place, monkeypatch) as simulator:
        simulator.faults.add(Fault("clock_skew", times=None))
        site = elements_site(warehouse_dsn, tmp_path)
        place.clock.advance(minutes=20)
        do_import(site)
        place.clock.advance(minutes=20)
        place.put(replace(place.publications["b"], level="Private"))
        made = do_import(site)
        assert made["mode"] == "incremental"
        assert [each["key"] for each in published(site)["outputs"]] == ["a", "c"]
        simulator.forget_calls()
        do_import(site)
        assert [each.path for each in simulator.calls if each.name == "publication"] == []


def test_a_chain_of_merges_and_a_merge_of_people(warehouse_dsn, tmp_path, monkeypatch):
    place = University()
    for key in "pq":
        place.put_user(User(key, f"Last{key}", "First"))
    for key in "abc":
        place.put(Publication(key, (Record(doi=f"10.5555/{key}", title=key),)))
        place.link(Link(key, key, "p"))
    with endpoint(place, monkeypatch):
        site = elements_site(warehouse_dsn, tmp_path, orphans="remove_authorless")
        do_import(site)
        place.clock.advance(days=1)
        place.merge("a", "b")
        place.merge("b", "c")
        for link in list(place.links.values()):
            place.link(replace(link, user="q"))
        place.leave("p")
        made = do_import(site)
    assert made["mode"] == "incremental"
    shown = published(site)
    assert [(each["key"], [a["key"] for a in each["authors"]]) for each in shown["outputs"]] == [("c", ["q"])]
    assert [each["key"] for each in shown["authors"]] == ["q"]


def test_a_new_link_to_a_publication_that_is_there_no_more(warehouse_dsn, tmp_path, monkeypatch):
    """Asked for by its id it is not found: that loses nothing and stops nothing."""
    place = University()
    place.put_user(User("p", "Public", "Person"))
    place.put(Publication("a", (Record(doi="10.5555/a", title="A"),)))
    with endpoint(place, monkeypatch) as simulator:
        site = elements_site(warehouse_dsn, tmp_path)
        do_import(site)
        place.clock.advance(days=1)
        place.links["x"] = Link("x", "gone", "p", modified=place.now())
        made = do_import(site)
        assert [each.path.rsplit("/", 1)[1] for each in simulator.calls if each.name == "publication"] == ["gone"]
    assert made["status"] == "succeeded"
    assert [each["key"] for each in published(site)["outputs"]] == ["a"]


def test_what_slips_through_numbered_pages_is_fetched_singly(warehouse_dsn, tmp_path, monkeypatch):
    """A deletion while all is read moves the others up by one: the whole is not read again for that."""
    place = lagado(VirtualClock())
    with endpoint(place, monkeypatch, "4.9", "5.1") as simulator:
        calm, full = simulator.answer, []

        def answer(call):
            if simulator.call_name(call) == "publications" and dict(call.arguments).get("detail") == "full":
                full.append(call)
                if len(full) == 2:
                    place.delete("501")
            return calm(call)

        monkeypatch.setattr(simulator, "answer", answer)
        site = elements_site(warehouse_dsn, tmp_path)
        do_import(site)
        singly = [each.path.rsplit("/", 1)[1] for each in simulator.calls if each.name == "publication"]
    assert len(full) == 3
    assert singly == ["526"]
    keys = {each["key"] for each in published(site)["outputs"]}
    assert "526" in keys
    assert keys - {"501"} == {key for key in place.publications if key in keys}
    assert len(keys - {"501"}) == len([each for each in place.publications.values() if each.records[0].doi])


@pytest.mark.parametrize("level", ["Private", None])
def test_what_turns_private_and_loses_its_identifiers_goes_by_privacy(warehouse_dsn, tmp_path, monkeypatch, level):
    """Privacy is judged before all else: else the history kept it as left out, and a rollback brought it back."""
    place = University()
    for key in "ab":
        place.put(Publication(key, (Record(doi=f"10.5555/{key}", title=f"Title {key}"),)))
    with endpoint(place, monkeypatch):
        site = elements_site(warehouse_dsn, tmp_path)
        do_import(site)
        place.clock.advance(hours=2)
        place.put(Publication("a", (Record(doi=None, title="Title a"),), level=level))
        made = do_import(site)
        upkeep.rollback(site, to_import=1, by="somebody")
    assert made["tally"]["removed_because"] == {"privacy": 1}
    assert [each["key"] for each in published(site)["outputs"]] == ["b"]
    with database.connect(site.dsn) as connection:
        everything = _everything(connection)
    assert "Title b" in everything
    assert "Title a" not in everything


def test_another_server_or_account_is_read_from_the_beginning(warehouse_dsn, tmp_path, monkeypatch):
    """From the staging server to the live one: what is new there changed long ago, so no list of changes names it."""
    staging, live = University(), University()
    for place, keys in ((staging, "a"), (live, "ab")):
        for key in keys:
            place.put(Publication(key, (Record(title=f"Title {key}", doi=f"10.5555/{key}"),)))
        place.clock.advance(days=10)
    live.clock.advance(days=10)
    site = elements_site(warehouse_dsn, tmp_path)
    with endpoint(staging, monkeypatch):
        do_import(site)
        assert do_import(site)["mode"] == "incremental"
    with endpoint(live, monkeypatch) as server:
        made = do_import(site)
        assert (made["mode"], made["reason"]) == (
            "full",
            "the configuration or the rules changed since the last import",
        )
        assert {o["key"] for o in published(site)["outputs"]} == {"a", "b"}
        server._secret = None  # it lets everybody in
        for secret, mode in (("login", "full"), ("password", "incremental")):
            known = json.loads(os.environ["AIRFLOW_CONN_LAPUTA"])
            monkeypatch.setenv("AIRFLOW_CONN_LAPUTA", json.dumps(known | {secret: "another"}))
            assert do_import(site)["mode"] == mode
