"""An institution's file: what it may say, how mistakes are told, and which keys bring a full import."""
# ruff: noqa: E501 - one mistake, one line

from __future__ import annotations

import contextlib
import copy
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from explorer import config, config_reference, config_values
from explorer.config import ConfigError, Institution, find, load
from explorer.config_messages import keys_of, models_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

FIXTURES = Path(__file__).parents[1] / "fixtures" / "config"
SPREADSHEET = "source: {kind: spreadsheet}\n"
OAI = "kind: oai_pmh, url: https://repo.example/oai"


def write(folder: Path, text: str | bytes, name: str = "lilliput.yaml") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def source_of(institution: Institution) -> Any:
    return institution.source  # whichever kind the test's file says


def problems(file: Path) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as caught:
        load(file)
    return [(problem.line, problem.key, problem.message) for problem in caught.value.problems]


# What a file may say


def test_a_whole_file_becomes_a_typed_institution() -> None:
    lilliput = load(FIXTURES / "lilliput.yaml")
    assert (lilliput.name, lilliput.slug, lilliput.cron) == ("Lilliput University", "lilliput", "0 3 * * 1")
    assert source_of(lilliput).kind == "symplectic_elements"
    assert source_of(lilliput).api_version == "6.13"
    assert (source_of(lilliput).groups.root, source_of(lilliput).groups.exclude) == ("1", ("17", "23"))
    assert source_of(lilliput).editors is True
    assert lilliput.privacy.profile_types == "academic"
    assert lilliput.notify == ("library@lilliput.example", "pure-team@lilliput.example")
    assert lilliput.limits.max_removed_share == 0.2
    assert lilliput.folder == FIXTURES


def test_the_least_file_has_the_defaults_of_the_guide(tmp_path: Path) -> None:
    least = load(write(tmp_path, f"name: Lilliput University\n{SPREADSHEET}"))
    assert least.slug == "lilliput"
    assert (least.schedule, least.cron, least.timezone, least.orphans) == ("weekly", "0 0 * * 0", "UTC", "keep")
    assert (least.privacy.level, least.privacy.user_status, least.privacy.profile_types) == ("public", "all", "all")
    assert (least.limits.max_removed_share, least.limits.max_rejected_share) == (0.2, 0.05)
    assert (least.departments.mode, least.notify, least.uri_domains) == ("source", (), ())
    assert (source_of(least).publications, source_of(least).hierarchy) == (None, None)
    assert source_of(least).politeness.requests_per_second == 4
    assert source_of(least).politeness.connections == 2


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_example_loads_and_fits_the_editors_schema(file: Path) -> None:
    load(file)
    data = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    jsonschema.validate(_typed(data), config_reference.json_schema())


def _typed(data: Any) -> Any:
    """What an editor sees: numbers and booleans as such."""
    if isinstance(data, dict):
        return {key: value if key == "api_version" else _typed(value) for key, value in data.items()}
    if isinstance(data, list):
        return data
    words: dict[str, Any] = {"true": True, "yes": True, "false": False}
    return words.get(data, float(data) if re.fullmatch(r"\d\.\d+", data) else data)


@pytest.mark.parametrize(
    "source",
    [
        "{kind: spreadsheet, publications: data/publications.csv, hierarchy: data/groups.csv}",
        f"{{{OAI}, platform: eprints, metadata_prefix: oai_dc, sets: {{include: [], exclude: [studentThesis]}}, authors: with_id}}",
        '{kind: pure, connection: lilliput_pure, api_version: "524", affiliated_only: false}',
        "{kind: spreadsheet, politeness: {requests_per_second: 4, connections: 2}, allow_http: false, allow_private_hosts: false}",
    ],
)
def test_the_source_blocks_of_the_design(tmp_path: Path, source: str) -> None:
    load(write(tmp_path, f"name: L\nsource: {source}\nuri_domains: [repo.lilliput.example]\n"))


@pytest.mark.parametrize(
    ("platform", "prefix"),
    [("diva", "swepub_mods"), ("haplo", "oai_datacite"), ("dspace6", "oai_dc"), ("esploro", "oai_dc")],
)
def test_the_format_follows_from_the_platform(tmp_path: Path, platform: str, prefix: str) -> None:
    file = write(tmp_path, f"name: L\nsource: {{{OAI}, platform: {platform}}}\n")
    assert source_of(load(file)).metadata_prefix == prefix
    file = write(tmp_path, f"name: L\nsource: {{{OAI}, platform: {platform}, metadata_prefix: mods}}\n")
    assert source_of(load(file)).metadata_prefix == "mods"


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("source", "source"),
        ("none", "none"),
        ("{file: d.csv}", "file"),
        ("{sets: {exclude: [a]}}", "source"),
        ("{collections: false}", "source"),
    ],
)
def test_departments_have_one_shape(tmp_path: Path, said: str, mode: str) -> None:
    write(tmp_path, "name,id,parent_id\n", "d.csv")
    departments = load(
        write(tmp_path, f"name: L\nsource: {{{OAI}, platform: dspace7}}\ndepartments: {said}\n")
    ).departments
    assert departments.mode == mode
    assert departments.collections is ("collections" not in said)
    assert departments.file == ("d.csv" if mode == "file" else None)


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path, "name: L\nsource: {kind: spreadsheet, publications: data/p.csv, hierarchy: https://a.example/h.csv}\n"
    )
    monkeypatch.chdir(tmp_path)
    institution = load(Path("lilliput.yaml"))
    assert institution.locate(source_of(institution).publications) == tmp_path / "data" / "p.csv"
    assert institution.locate(source_of(institution).hierarchy) == "https://a.example/h.csv"


@pytest.mark.parametrize(
    ("schedule", "cron"),
    [
        ("hourly", "0 * * * *"),
        ("daily", "0 0 * * *"),
        ("monthly", "0 0 1 * *"),
        ("none", None),
        ("*/20 8-18 * * mon-fri", "*/20 8-18 * * mon-fri"),
    ],
)
def test_schedules(tmp_path: Path, schedule: str, cron: str | None) -> None:
    assert load(write(tmp_path, f'name: L\nschedule: "{schedule}"\n{SPREADSHEET}')).cron == cron


def test_an_institution_does_not_change() -> None:
    lilliput = load(FIXTURES / "lilliput.yaml")
    with pytest.raises(ValidationError):
        lilliput.name = "Blefuscu"
    assert pickle.loads(pickle.dumps(lilliput)) == lilliput
    assert pickle.loads(pickle.dumps(lilliput)).path == lilliput.path


# How mistakes are told


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("nmae: L\n", 1, "nmae", "did you mean `name`"),
        ("", 1, "", "the file is empty"),
        ("# only a comment\n", 1, "", "the file is empty"),
        ("- a\n", 1, "", "keys and values"),
        ("Lilliput\n", 1, "", "keys and values"),
        ("name: L\n\tslug: x\n", 2, "", "a tab"),
        ("name: L: M\n", 1, "", "not valid YAML"),
        ("name: [L\n", 2, "", "not valid YAML"),
        ("name: 'L\n", 2, "", "not valid YAML"),
        ("name: a\x07b\n", 1, "", "not valid YAML"),
        ("name: L\n---\nname: M\n", 2, "", "a second document"),
        (f"name: L\n{SPREADSHEET}name: M\n", 1, "name", "again in line 3"),
        (f"name: L\n{SPREADSHEET}privacy:\n  level: public\n  level: public\n", 4, "privacy.level", "again in line 5"),
        (f"name:\n{SPREADSHEET}", 1, "name", "has no value"),
        (f"name: L\n{SPREADSHEET}notify:\n  - a@b.example\n  -\n", 5, "notify[1]", "is empty"),
        (f"name: ''\n{SPREADSHEET}", 1, "name", "is empty"),
        (f'name: "L\\nBcc: x"\n{SPREADSHEET}', 1, "name", "one line"),
        (f"name: L\n{SPREADSHEET}slug: Lilli-put\n", 3, "slug", "small letters"),
        (f"name: L\n{SPREADSHEET}slug: {'l' * 31}\n", 3, "slug", "30 characters"),
        (f"name: L\n{SPREADSHEET}schedule: fortnightly\n", 3, "schedule", "allowed: hourly, daily, weekly, monthly, none"),
        (f"name: L\n{SPREADSHEET}schedule: 0 3 * *\n", 3, "schedule", "five cron fields"),
        (f"name: L\n{SPREADSHEET}schedule: 0 0 31 2 *\n", 3, "schedule", "no schedule"),
        (f"name: L\n{SPREADSHEET}schedule: R * * * *\n", 3, "schedule", "no schedule"),
        (f"name: L\n{SPREADSHEET}schedule: 61 * * * *\n", 3, "schedule", "no schedule"),
        (f"name: L\n{SPREADSHEET}timezone: Europe/Lilliput\n", 3, "timezone", "like Europe/London"),
        (f"name: L\n{SPREADSHEET}timezone: ../../etc/passwd\n", 3, "timezone", "like Europe/London"),
        (f"name: L\n{SPREADSHEET}privacy: {{level: internal}}\n", 3, "privacy.level", "allowed: public, public_and_internal"),
        (f"name: L\n{SPREADSHEET}privacy: public\n", 3, "privacy", "keys and values"),
        (f"name: L\n{SPREADSHEET}orphans: remove_autorless\n", 3, "orphans", "did you mean `remove_authorless`"),
        (f"name: L\n{SPREADSHEET}orphans: [keep]\n", 3, "orphans", "allowed: keep, remove_authorless"),
        (f"name: L\n{SPREADSHEET}notify: a@b.example\n", 3, "notify", "a list"),
        (f"name: L\n{SPREADSHEET}notify: [Anna <a@b.example>]\n", 3, "notify[0]", "no e-mail address"),
        (f'name: L\n{SPREADSHEET}notify: ["a@b.example\\nBcc: c@d.example"]\n', 3, "notify[0]", "no e-mail address"),
        (f"name: L\n{SPREADSHEET}limits: {{max_removed_share: 20}}\n", 3, "limits.max_removed_share", "less than or equal to 1"),
        (f"name: L\n{SPREADSHEET}limits: {{max_removed_share: nan}}\n", 3, "limits.max_removed_share", "allowed: a number"),
        (f"name: L\n{SPREADSHEET}uri_domains: [https://a.example]\n", 3, "uri_domains[0]", "without https://"),
        (f"name: L\n{SPREADSHEET}uri_domains: [example]\n", 3, "uri_domains[0]", "no domain"),
        (f"name: L\n{SPREADSHEET}departments: off\n", 3, "departments", "allowed: source, none"),
        (f"name: L\n{SPREADSHEET}departments: [a]\n", 3, "departments", "allowed: source, none"),
        (f"name: L\n{SPREADSHEET}departments: {{mode: none}}\n", 3, "departments", "allowed: source, none"),
        (f"name: L\n{SPREADSHEET}departments: {{flie: a}}\n", 3, "departments.flie", "did you mean `file`"),
        (f"name: L\n{SPREADSHEET}departments: {{file: d.csv}}\n", 3, "departments.file", "there is no file"),
        (f"name: L\n{SPREADSHEET}departments: {{sets: {{include: [a]}}}}\n", 3, "departments", "allowed for: oai_pmh"),
        (f"name: L\n{SPREADSHEET}departments: {{collections: false}}\n", 3, "departments", "dspace6, dspace7"),
        (f"name: L\n{SPREADSHEET}departments: {{file: http://a.example/d.csv}}\n", 3, "departments", "not encrypted"),
        (f"name: L\n{SPREADSHEET}landing_pages: perhaps\n", 3, "landing_pages", "allowed: true, false"),
        (f"name: L\n{SPREADSHEET}retention: 12\n", 3, "retention", "like `7 days`"),
        (f"name: L\n{SPREADSHEET}retention: [1 day]\n", 3, "retention", "like `7 days`"),
        (f"name: L\n{SPREADSHEET}attention: {{file: a.jsonl}}\n", 3, "attention.file", "provider: file"),
        ("name: L\nsource: spreadsheet\n", 2, "source", "keys and values"),
        ("name: L\nsource: {}\n", 2, "source.kind", "allowed: spreadsheet, oai_pmh, symplectic_elements, pure"),
        ("name: L\nsource:\n  kind: oai-pmh\n", 3, "source.kind", "did you mean `oai_pmh`"),
        ("name: L\nsource: {kind: pure}\n", 2, "source.connection", "is missing: the Airflow connection"),
        ("name: L\nsource: {kind: pure, connection: a b}\n", 2, "source.connection", "the id of an Airflow connection"),
        ("name: L\nsource: {kind: pure, connection: a, api_version: 525}\n", 2, "source.api_version", "did you mean `52"),
        ("name: L\nsource: {kind: pure, connection: a, page_size: 1.5}\n", 2, "source.page_size", "whole number"),
        ("name: L\nsource: {kind: pure, connection: a, page_size: 5000}\n", 2, "source.page_size", "less than or equal to 1000"),
        ("name: L\nsource: {kind: pure, connection: a, api_version: 524, changes_connection: b}\n", 2, "source.changes_connection", "itself"),
        ("name: L\nsource: {kind: pure, connection: a, password: hunter2}\n", 2, "source.password", "a secret never stands"),
        (f"name: L\nsource: {{{OAI}}}\n", 2, "source.platform", "is missing"),
        (f"name: L\nsource: {{{OAI}, platform: dspace}}\n", 2, "source.platform", "did you mean `dspace"),
        (f"name: L\nsource: {{{OAI}, platform: diva, division_view: a}}\n", 2, "source.division_view", "allowed for: eprints"),
        (f"name: L\nsource: {{{OAI}, platform: eprints, renaming: a.csv}}\n", 2, "source.renaming", "allowed for: diva"),
        (f"name: L\nsource: {{{OAI}, platform: diva, renaming: a.csv}}\n", 2, "source.renaming", "there is no file"),
        (f"name: L\nsource: {{{OAI}, platform: diva, renaming: https://a.example/a, translations_and_renaming: https://a.example/b}}\n", 2, "source.translations_and_renaming", "put both into this one file"),
        (f"name: L\nsource: {{{OAI}, platform: esploro}}\ndepartments: none\n", 3, "departments", "Esploro"),
        ("name: L\nsource: {kind: oai_pmh, platform: diva, url: repo.example/oai}\n", 2, "source.url", "is no address"),
        ("name: L\nsource: {kind: oai_pmh, platform: diva, url: 'file:///etc/passwd'}\n", 2, "source.url", "is no address"),
        ("name: L\nsource: {kind: oai_pmh, platform: diva, url: 'http://[::1'}\n", 2, "source.url", "is no address"),
        ("name: L\nsource: {kind: oai_pmh, platform: diva, url: https://r.example/oai, renaming: http://a.example/r.csv}\n", 2, "source.renaming", "allow_http: true"),
        ("name: L\nsource: {kind: oai_pmh, platform: diva, url: 'https://repo.example/oai?verb=Identify'}\n", 2, "source.url", "without ?verb"),
        ("name: L\nsource: {kind: spreadsheet, publications: http://a.example/p.csv}\n", 2, "source.publications", "allow_http: true"),
        ("name: L\nsource: {kind: spreadsheet, publications: p.csv, watch: in}\n", 2, "source.watch", "keep one of the two"),
        ("name: L\nsource: {kind: spreadsheet, columns: {DOI number: dio}}\n", 2, "source.columns.DOI number", "did you mean `doi`"),
        ("name: L\nsource: {kind: spreadsheet, columns: [DOI]}\n", 2, "source.columns", "keys and values"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, key: str, message: str) -> None:
    found = problems(write(tmp_path, text))
    assert any((line, key) == place[:2] and message in place[2] for place in found), found
    if not text.startswith("nmae"):
        assert len(found) == 1, found


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "slugg: x\nsource:\n  kind: pure\n  api_version: 5\norphans: no\nprivacy: {level: x}\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert {(problem.line, problem.key) for problem in caught.value.problems} == {
        (1, "name"), (1, "slugg"), (2, "source.connection"), (4, "source.api_version"), (5, "orphans"), (6, "privacy.level"),
    }  # fmt: skip
    assert [problem.line for problem in caught.value.problems] == [1, 1, 2, 4, 5, 6]
    for told in str(caught.value).splitlines():
        assert re.match(rf"{re.escape(str(file))}:\d+: [a-z_.]+: .*(allowed: |is missing: )", told), told
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_login_in_an_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    for source in (
        "{kind: oai_pmh, platform: diva, url: https://anna:hunter2@repo.example/oai}",
        "{kind: spreadsheet, publications: https://anna:hunter2@repo.example/p.csv}",
        "{kind: spreadsheet, watch: s3://anna:hunter2@bucket/in}",
        "{kind: pure, connection: a, password: hunter2}",
    ):
        [(_, _, message)] = problems(write(tmp_path, f"name: L\nsource: {source}\n"))
        assert "a secret never stands" in message
        assert "hunter2" not in message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert problems(tmp_path / "nowhere.yaml") == [(1, "", "there is no such file")]
    [(_, _, message)] = problems(tmp_path)
    assert "cannot be read" in message
    [(line, _, message)] = problems(write(tmp_path, b"# a\nname: L\xfcbeck\n"))
    assert (line, message) == (2, "the file is not UTF-8 here: save it as UTF-8")
    [(_, _, message)] = problems(write(tmp_path, b"#" * 300_000))
    assert "larger than 256 KiB" in message
    load(write(tmp_path, b"\xef\xbb\xbfname: L\r\nsource: {kind: spreadsheet}\r\n"))


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "name: &n [*n]\n",
        "name: !!python/object/apply:os.system ['touch here']\n",
        "name: !!python/name:os.system\n",
        "!!python/object:explorer.config.Institution\nname: L\n",
        "name: !!binary aGk=\n",
        "name: !secret L\n",
        "!!str name: L\n",
        f"name: {'[' * 50_000}\n",
        f"name: {'{' * 50_000}\n",
        f"name: {'{a: ' * 50_000}\n",
        f"{'? ' * 50_000}a\n",
        f"{'- ' * 50_000}a\n",
        "<<: {name: L}\n",
        "{a: 1}: b\n",
        "? [a]\n: b\n",
        "*name : L\n",
    ],
    ids=lambda text: text[:24],
)
def test_hostile_yaml_is_refused_at_once(tmp_path: Path, text: str) -> None:
    started = time.process_time()
    assert problems(write(tmp_path, text))
    assert time.process_time() - started < 2


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.integers(min_value=0, max_value=600))
def test_any_damage_gives_an_institution_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    whole = (FIXTURES / "brobdingnag.yaml").read_bytes()
    file = write(tmp_path_factory.getbasetemp(), whole[:at] + noise + whole[at + len(noise) :], "damaged.yaml")
    with contextlib.suppress(ConfigError):
        assert isinstance(load(file), Institution)


def test_a_file_among_the_institutions_has_the_name_of_its_slug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, f"name: L\nslug: blefuscu\n{SPREADSHEET}")
    load(file)
    monkeypatch.setattr(config, "INSTITUTIONS", tmp_path)
    [(line, key, message)] = problems(file)
    assert (line, key) == (2, "slug")
    assert message.endswith("allowed here: lilliput")


def test_a_file_in_a_closed_folder_is_a_mistake_of_this_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))  # as Python 3.11 does; root may enter every folder

    file = write(tmp_path, f"name: L\n{SPREADSHEET}\ndepartments: {{file: closed/departments.csv}}\n")
    monkeypatch.setattr(Path, "is_file", closed)
    [(_, key, message)] = problems(file)
    assert (key, message) == (
        "departments.file",
        f"{tmp_path}/closed/departments.csv cannot be read: Permission denied",
    )


def test_finding_an_institution(tmp_path: Path) -> None:
    file = write(tmp_path, f"name: L\n{SPREADSHEET}")
    assert find("lilliput", tmp_path) == file
    assert find(str(file), tmp_path) == file
    assert config.files(tmp_path) == [file]
    with pytest.raises(
        ConfigError, match=r"no institution `liliput` \(did you mean `lilliput`\?\); there are: lilliput"
    ):
        find("liliput", tmp_path)
    with pytest.raises(ConfigError, match=r"/nowhere/lilliput\.yaml: there is no such file"):
        find("nowhere/lilliput.yaml", tmp_path)
    with pytest.raises(ConfigError, match=r"is a folder: name a YAML file in it"):
        find(str(tmp_path), tmp_path)
    laputa = tmp_path / "elsewhere" / "laputa.yaml"
    assert find("laputa", tmp_path, lambda: {"laputa": laputa}) == laputa
    with pytest.raises(
        ConfigError, match=r"no institution `lputa` \(did you mean `laputa`\?\); there are: laputa, lilliput"
    ):
        find("lputa", tmp_path, lambda: {"laputa": laputa})


# Which keys bring a full import

BASES: dict[str, dict[str, Any]] = {
    "spreadsheet": {"kind": "spreadsheet", "publications": "p.csv"},
    "watch": {"kind": "spreadsheet"},
    "eprints": {"kind": "oai_pmh", "platform": "eprints", "url": "https://repo.example/oai"},
    "dspace6": {"kind": "oai_pmh", "platform": "dspace6", "url": "https://repo.example/oai"},
    "diva": {"kind": "oai_pmh", "platform": "diva", "url": "https://repo.example/oai"},
    "haplo": {"kind": "oai_pmh", "platform": "haplo", "url": "https://repo.example/oai"},
    "symplectic_elements": {"kind": "symplectic_elements", "connection": "lilliput_elements"},
    "pure": {"kind": "pure", "connection": "lilliput_pure"},
}

# Every key once: on which base, where, and another value than the default. Blocks are covered by their keys.
CHANGES: dict[str, tuple[str, str, Any]] = {
    "Institution.name": ("eprints", "name", "Blefuscu"),
    "Institution.slug": ("eprints", "slug", "blefuscu"),
    "Institution.schedule": ("eprints", "schedule", "daily"),
    "Institution.timezone": ("eprints", "timezone", "Europe/London"),
    "Institution.orphans": ("eprints", "orphans", "remove_authorless"),
    "Institution.departments": ("eprints", "departments", "none"),
    "Institution.uri_domains": ("eprints", "uri_domains", ["a.example"]),
    "Institution.notify": ("eprints", "notify", ["a@b.example"]),
    "Institution.expected_every": ("eprints", "expected_every", "2 days"),
    "Institution.retention": ("eprints", "retention", "2 days"),
    "Institution.landing_pages": ("eprints", "landing_pages", True),
    "BaseSource.allow_http": ("eprints", "source.allow_http", True),
    "BaseSource.allow_private_hosts": ("eprints", "source.allow_private_hosts", True),
    "SpreadsheetSource.kind": ("spreadsheet", "source", BASES["watch"]),
    "SpreadsheetSource.publications": ("spreadsheet", "source.publications", "q.csv"),
    "SpreadsheetSource.hierarchy": ("spreadsheet", "source.hierarchy", "h.csv"),
    "SpreadsheetSource.watch": ("watch", "source.watch", "in"),
    "SpreadsheetSource.columns": ("spreadsheet", "source.columns", {"Wer": "author"}),
    "SpreadsheetSource.aliases": ("spreadsheet", "source.aliases", {"New": "Old"}),
    "OaiPmhSource.kind": ("eprints", "source", BASES["pure"]),
    "OaiPmhSource.platform": ("eprints", "source.platform", "generic"),
    "OaiPmhSource.url": ("eprints", "source.url", "https://other.example/oai"),
    "OaiPmhSource.metadata_prefix": ("eprints", "source.metadata_prefix", "mods"),
    "OaiPmhSource.authors": ("eprints", "source.authors", "all"),
    "OaiPmhSource.editors": ("haplo", "source.editors", True),
    "OaiPmhSource.affiliations": ("haplo", "source.affiliations", ["Lilliput University"]),
    "OaiPmhSource.identifiers_in_relation": ("dspace6", "source.identifiers_in_relation", True),
    "OaiPmhSource.division_view": ("eprints", "source.division_view", "groups"),
    "OaiPmhSource.hierarchy_url": ("dspace6", "source.hierarchy_url", "https://repo.example/rest/hierarchy"),
    "OaiPmhSource.remappings": ("diva", "source.remappings", "names.csv"),
    "OaiPmhSource.translations": ("diva", "source.translations", "names.csv"),
    "OaiPmhSource.renaming": ("diva", "source.renaming", "https://a.example/names.csv"),
    "OaiPmhSource.translations_and_renaming": ("diva", "source.translations_and_renaming", "names.csv"),
    "OaiPmhSource.new_name_column": ("diva", "source.new_name_column", "to"),
    "OaiPmhSource.windows": ("eprints", "source.windows", 4),
    "OaiPmhSource.sweep_every": ("eprints", "source.sweep_every", "1 day"),
    "ElementsSource.kind": ("symplectic_elements", "source", BASES["pure"]),
    "ElementsSource.connection": ("symplectic_elements", "source.connection", "other"),
    "ElementsSource.api_version": ("symplectic_elements", "source.api_version", "5.5"),
    "ElementsSource.editors": ("symplectic_elements", "source.editors", True),
    "ElementsSource.sweep_every": ("symplectic_elements", "source.sweep_every", "1 day"),
    "Groups.root": ("symplectic_elements", "source.groups", {"root": "5"}),
    "Groups.exclude": ("symplectic_elements", "source.groups", {"exclude": ["5"]}),
    "PureSource.kind": ("pure", "source", BASES["spreadsheet"]),
    "PureSource.connection": ("pure", "source.connection", "other"),
    "PureSource.api_version": ("pure", "source.api_version", "524"),
    "PureSource.affiliated_only": ("pure", "source.affiliated_only", True),
    "PureSource.strict_workflow": ("pure", "source.strict_workflow", True),
    "PureSource.changes_connection": ("pure", "source.changes_connection", "other"),
    "PureSource.page_size": ("pure", "source.page_size", 50),
    "PureSource.sweep_every": ("pure", "source.sweep_every", "1 day"),
    "Sets.include": ("eprints", "source.sets", {"include": ["a"]}),
    "Sets.exclude": ("eprints", "departments", {"sets": {"exclude": ["a"]}}),
    "Privacy.level": ("symplectic_elements", "privacy", {"level": "public_and_internal"}),
    "Privacy.user_status": ("symplectic_elements", "privacy", {"user_status": "current"}),
    "Privacy.profile_types": ("symplectic_elements", "privacy", {"profile_types": "academic"}),
    "Departments.file": ("eprints", "departments", {"file": "names.csv"}),
    "Departments.collections": ("dspace6", "departments", {"collections": False}),
    "Limits.max_removed_share": ("eprints", "limits", {"max_removed_share": 0.5}),
    "Limits.max_rejected_share": ("eprints", "limits", {"max_rejected_share": 0.5}),
    "Attention.provider": ("eprints", "attention", {"provider": "details_page"}),
    "Attention.file": ("eprints", "attention", {"provider": "file", "file": "a.jsonl"}),
    "Politeness.requests_per_second": ("eprints", "source.politeness", {"requests_per_second": 1}),
    "Politeness.connections": ("eprints", "source.politeness", {"connections": 1}),
    "Politeness.connect_timeout": ("eprints", "source.politeness", {"connect_timeout": 1}),
    "Politeness.read_timeout": ("eprints", "source.politeness", {"read_timeout": 1}),
    "Politeness.user_agent": ("eprints", "source.politeness", {"user_agent": "Explorer"}),
    "ElementsPoliteness.requests_per_second": ("symplectic_elements", "source.politeness", {"requests_per_second": 1}),
    "ElementsPoliteness.connections": ("symplectic_elements", "source.politeness", {"connections": 2}),
    "ElementsPoliteness.read_timeout": ("symplectic_elements", "source.politeness", {"read_timeout": 1}),
}

# The keys that change only when, how fast and to whom; all others change what is published.
WITHOUT_EFFECT = {
    "Institution": {"name", "slug", "schedule", "timezone", "notify", "expected_every", "retention", "landing_pages"},
    "BaseSource": {"allow_http", "allow_private_hosts"},
    "OaiPmhSource": {"sweep_every", "windows"},
    "ElementsSource": {"sweep_every"},
    "PureSource": {"sweep_every", "page_size"},
    "Limits": {"max_removed_share", "max_rejected_share"},
    "Attention": {"provider", "file"},
    "Politeness": {"requests_per_second", "connections", "connect_timeout", "read_timeout", "user_agent"},
    "ElementsPoliteness": {"requests_per_second", "connections", "read_timeout"},
}


def all_models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            yield from all_models(inner)


def all_keys() -> set[str]:
    """Every key of every block, under the name of the class that declares it; blocks count by their keys."""
    keys = set()
    for model in all_models(Institution):
        for name in keys_of(model):
            if name != "departments" and any(models_in(model.model_fields[name].annotation)):
                continue
            owner = next(base for base in model.__mro__ if name in getattr(base, "__annotations__", {}))
            keys.add(f"{owner.__name__}.{name}")
    return keys


def institution(folder: Path, base: str, where: str = "", value: Any = None) -> Institution:
    data: dict[str, Any] = {"name": "Lilliput", "source": copy.deepcopy(BASES[base])}
    if where:
        *above, name = where.split(".")
        (data[above[0]] if above else data)[name] = value
    return load(write(folder, yaml.safe_dump(data)))


def test_every_key_is_tried_below() -> None:
    assert set(CHANGES) == all_keys()


@pytest.mark.parametrize("key", CHANGES)
def test_a_key_changes_the_fingerprint_if_it_changes_what_is_published(tmp_path: Path, key: str) -> None:
    write(tmp_path, "name,to\nA,B\n", "names.csv")
    base, where, value = CHANGES[key]
    before = institution(tmp_path, base).fingerprint("1")
    after = institution(tmp_path, base, where, value).fingerprint("1")
    owner, name = key.split(".")
    assert (before == after) is (name in WITHOUT_EFFECT.get(owner, set()))


def test_the_fingerprint_is_of_the_meaning(tmp_path: Path) -> None:
    plain = institution(tmp_path, "eprints")
    assert re.fullmatch(r"[0-9a-f]{64}", plain.fingerprint("1"))
    assert plain.fingerprint("1") != plain.fingerprint("2")
    said = institution(tmp_path, "eprints", "source.metadata_prefix", "oai_dc")
    assert said.fingerprint("1") == plain.fingerprint("1")
    some = institution(tmp_path, "eprints", "source.sets", {"include": ["b", "a"]})
    same = institution(tmp_path, "eprints", "source.sets", {"include": ["a", "b", "a"]})
    assert some.fingerprint("1") == same.fingerprint("1")


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    file = FIXTURES / "luggnagg.yaml"
    code = (
        f"from explorer.config import load; from pathlib import Path; print(load(Path({str(file)!r})).fingerprint('1'))"
    )
    environment = {"PYTHONPATH": str(config.INSTITUTIONS.parents[1] / "plugins"), "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert other.stdout.strip() == load(file).fingerprint("1")


@pytest.mark.parametrize("where", ["source.remappings", "source.renaming", "departments"])
def test_a_mapping_file_counts_by_its_content(tmp_path: Path, where: str) -> None:
    file = write(tmp_path, "name,to\nA,B\n", "names.csv")
    value: Any = {"file": "names.csv"} if where == "departments" else "names.csv"
    diva = institution(tmp_path, "diva", where, value)
    before = diva.fingerprint("1")
    write(tmp_path, "name,to\nA,C\n", "names.csv")
    assert diva.fingerprint("1") != before
    write(tmp_path, "name,to\nA,B\n", "names.csv")
    assert diva.fingerprint("1") == before
    file.unlink()
    with pytest.raises(ConfigError, match=r"names\.csv cannot be read"):
        diva.fingerprint("1")


# What is made from the models


def test_the_schema_and_the_page_are_fresh() -> None:
    remedy = "stale: run `PYTHONPATH=plugins python -m explorer.config_reference`"
    assert config_reference.SCHEMA.read_text(encoding="utf-8") == config_reference.schema_text(), remedy
    assert config_reference.PAGE.read_text(encoding="utf-8") == config_reference.page(), remedy


def test_every_key_is_explained() -> None:
    page = config_reference.page()
    for model in all_models(Institution):
        for key in keys_of(model):
            assert model.model_fields[key].description, (model, key)
            assert f"| `{key}` |" in page
    schema = config_reference.json_schema()
    for block in (schema, *schema["$defs"].values()):
        assert block["additionalProperties"] is False
        assert all("description" in entry for entry in block["properties"].values())


def test_the_example_of_the_page_loads(tmp_path: Path) -> None:
    load(write(tmp_path, config_reference.EXAMPLE))
    jsonschema.validate(yaml.safe_load(config_reference.EXAMPLE), config_reference.json_schema())


def test_the_schema_refuses_what_the_models_refuse() -> None:
    for data in (
        {"name": "L"},
        {"name": "L", "source": {"kind": "spreadsheet"}, "slugg": "x"},
        {"name": "L", "source": {"kind": "nothing"}},
        {"name": "L", "source": {"kind": "spreadsheet"}, "departments": {"mode": "none"}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(data, config_reference.json_schema())


def test_the_schemes_are_those_of_the_identifiers() -> None:
    identifiers = pytest.importorskip("explorer.identifiers")
    assert set(identifiers.SCHEMES) < set(get_args(config_values.Role))


@pytest.mark.parametrize(
    ("role", "fits"),
    [
        ("orcid", True),
        ("section", True),
        ("section:Therapeutic Area", True),
        ("section: ", False),
        ("sections:X", False),
    ],
)
def test_the_role_of_a_column(role: str, fits: bool) -> None:
    data = {"name": "L", "source": {"kind": "spreadsheet", "columns": {"Area": role}}}
    schema_takes_it = jsonschema.Draft202012Validator(config_reference.json_schema()).is_valid(data)
    try:
        made = config.Institution.model_validate({"slug": "l", **data})
    except ValueError:
        assert (fits, schema_takes_it) == (False, False)
    else:
        assert (fits, schema_takes_it) == (True, True)
        assert made.source.columns == {"Area": role}


def test_importing_the_configuration_is_quick() -> None:
    code = "import sys, explorer.config; print({'pandas', 'airflow', 'sqlalchemy', 'psycopg'} & set(sys.modules))"
    environment = {"PYTHONPATH": str(config.INSTITUTIONS.parents[1] / "plugins")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "set()"
