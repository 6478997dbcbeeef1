"""DiVA, Haplo and Esploro: what their samples say is what is expected of them, and what can be counted without our parser."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from explorer import config
from explorer.config import Departments, OaiPmhSource
from explorer.polite_http import Limits, PoliteSession
from explorer.records import Department, Output
from explorer.sources import KeptFile, Page, Part, Plan, SourceError
from explorer.sources.oai_names import FinalNames, read_names
from explorer.sources.oai_platforms import Settings, accent
from explorer.sources.oai_pmh import OaiPmh, source
from explorer.sources.oai_protocol import OaiRepository
from explorer.tables import TableRefused
from tests.samples import sample
from tests.scripted_server import Asked, Reply, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FULL = Plan("full")
GOLDEN = Path(__file__).parents[1] / "fixtures" / "oai" / "in_records.csv"
EXCLUDED = {"sets": {"exclude": ["studentThesis"]}}
NAMESPACES = {
    "o": "http://www.openarchives.org/OAI/2.0/",
    "m": "http://www.loc.gov/mods/v3",
    "x": "http://www.w3.org/1999/xlink",
    "d": "http://datacite.org/schema/kernel-4",
    "e": "http://alma.exlibrisgroup.com/esploro",
}


def made(url: str, platform: str, departments: Departments | None = None, **options: Any) -> OaiPmh:
    settings = OaiPmhSource.model_validate(
        {"kind": "oai_pmh", "platform": platform, "url": url, "allow_http": True, **options}
    )
    session = PoliteSession(
        Limits(requests_per_second=1000, retries=1, backoff=0.001), allow_http=True, allow_private_hosts=True
    )
    return OaiPmh(
        OaiRepository(url, session), accent(platform), Settings(settings, departments or Departments(), (), b"key")
    )


def answering(folder: Path, files: Callable[[dict[str, str]], str]) -> Callable[[Asked], Reply]:
    return lambda asked: Reply((folder / files(dict(asked.query))).read_bytes())


def outputs(pages: Sequence[Page]) -> dict[str, Output]:
    found = [each for page in pages for each in page.records if isinstance(each, Output)]
    return {str(each.key).rpartition(":")[2]: each for each in found}


def departments(pages: Sequence[Page]) -> dict[str, Department]:
    return {each.key: each for page in pages for each in page.records if isinstance(each, Department)}


def schemes(made: Output) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in made.identifiers:
        found.setdefault(each.scheme, []).append(each.value)
    return found


# --- DiVA


def diva_pages(query: dict[str, str]) -> str:
    if query["verb"] == "Identify":
        return "Identify_inferred.xml"
    token = query.get("resumptionToken", "")
    number = 1 if not token else 2 if "/4/8/" in token else 3
    return {1: "ListRecords_p1.xml", 2: "ListRecords_p2_full_with_token.xml", 3: "ListRecords_p3_empty_variant_a.xml"}[
        number
    ]


@pytest.mark.parametrize("last", ["a", "b"])
def test_diva_gives_what_is_expected(last: str) -> None:
    folder = sample("oai/diva/synthetic")
    expected = json.loads((folder / "expected.json").read_text())

    def files(query: dict[str, str]) -> str:
        return diva_pages(query).replace("variant_a", f"variant_{last}")

    with serving(answering(folder, files)) as server:
        pages = list(made(server.url, "diva", **EXCLUDED).read(Part("outputs:SwePub-xtu"), FULL, None))
    found = outputs(pages)
    assert pages[-1].incomplete is None
    harvest = expected["harvest"]
    assert len(found) == harvest["records_on_pages"]
    assert [each.key for each in found.values() if each.deleted] == harvest["deleted"]
    assert [each.key for each in found.values() if each.excluded == "set"] == harvest["excluded_by_setspec"]
    for name, identifiers in expected["identifiers"].items():
        assert schemes(found[name]) == identifiers
    for name, people in expected["authors"].items():
        assert [each.author for each in found[name].contributions] == [f"id:{each}" for each in people]
    orcids = {
        each.ids["id"]: each.ids["orcid"] for one in found.values() for each in one.contributions if "orcid" in each.ids
    }
    assert orcids == expected["author_orcids"]
    assert found["xtu-1004"].departments == ("12900", "12002", "12000")
    tree = departments(pages)
    assert tree["12001"].parents == ("path:Exempla Tekniska universitet, XTU > Skolan för exempelvetenskap (EXV)",)
    assert all(parent in tree for each in tree.values() for parent in each.parents)


def institution(tmp_path: Path, url: str, more: str, departments: str) -> config.Institution:
    file = tmp_path / "exempla.yaml"
    file.write_text(
        f"name: Exempla\nsource: {{kind: oai_pmh, platform: diva, url: '{url}', allow_http: true,"
        f" allow_private_hosts: true, politeness: {{requests_per_second: 100}}, sets: {{exclude: [studentThesis]}}{more}}}\n"
        f"departments: {departments}\n"
    )
    return config.load(file)


@pytest.mark.parametrize("place", ["csv", "json"])
@pytest.mark.parametrize("hosted", [False, True])
@pytest.mark.parametrize("names", ["translations_and_renaming", "translations, renaming"])
def test_diva_in_the_guides_order_gives_the_departments_expected(
    tmp_path: Path, place: str, names: str, *, hosted: bool
) -> None:
    folder = sample("oai/diva/synthetic")
    expected = json.loads((folder / "expected.json").read_text())

    def reply(asked: Asked) -> Reply:
        if asked.path.startswith("/files/"):
            return Reply((folder / "customisation" / asked.path.removeprefix("/files/")).read_bytes())
        return Reply((folder / diva_pages(dict(asked.query))).read_bytes())

    with serving(reply) as server:
        at = f"{server.url}/files" if hosted else str(folder / "customisation")
        more = "".join(f", {step}: '{at}/{step}.csv'" for step in ("remappings", *names.split(", ")))
        diva = source(
            institution(tmp_path, f"{server.url}/dice/oai", more, f"{{file: '{at}/departments.{place}'}}"),
            None,
            hash_key=b"k",
        )
        assert diva.abilities.says_changes is not hosted
        assert diva.abilities.names_departments is False
        parts = diva.parts(FULL)
        pages = {part.name: list(diva.read(part, FULL, None)) for part in parts}
    tree = {key: next(iter(each.parents), None) for key, each in departments(pages["departments"]).items()}
    assert tree == expected["department_tree"]
    found = outputs(pages["outputs"])
    for name, keys in expected["departments"].items():
        assert sorted(found[name].departments) == keys
        assert [note.code for note in found[name].notes] == []
    assert departments(pages["outputs"]) == {}


def test_diva_says_which_names_the_file_does_not_know(tmp_path: Path) -> None:
    folder = sample("oai/diva/synthetic")
    with serving(answering(folder, diva_pages)) as server:
        at = folder / "customisation" / "departments.csv"
        diva = source(institution(tmp_path, server.url, "", f"{{file: '{at}'}}"), None, hash_key=b"k")
        found = outputs(list(diva.read(Part("outputs"), FULL, None)))
    (note,) = found["xtu-1001"].notes
    assert note.code == "unknown_department"
    assert "Avdelningen för biologi" in note.message


def test_diva_names_without_a_tree_of_their_own(tmp_path: Path) -> None:
    folder = sample("oai/diva/synthetic")
    files = folder / "customisation"
    more = f", remappings: '{files}/remappings.csv', translations: '{files}/translations.csv'"
    with serving(answering(folder, diva_pages)) as server:
        diva = source(institution(tmp_path, server.url, more, "source"), None, hash_key=b"k")
        pages = list(diva.read(Part("outputs"), FULL, None))
    tree, found = departments(pages), outputs(pages)
    assert tree["12001"].name == "Division of Biology"
    assert tree["12001"].parents == ("path:Exempla Tekniska universitet, XTU > School of Sample Science, EXV",)
    assert found["xtu-1008"].departments == ("name:Avdelningen för kemi",)  # the one of that name, by staging
    assert found["xtu-1004"].departments == ("name:School of Sample Science, EXV", "12002", "12000")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("name;to\r\nOld;New\r\n", {"old": "New"}),
        ("\ufeffname;to\r\nOld;New\r\n", {"old": "New"}),
        ("name,mapping,comment\nOld,New,since 2020\n", {"old": "New"}),
        ("name,anything\nOld,New\n", {"old": "New"}),
        ('name,to\n"Old, with comma","New, too"\n\n', {"old, with comma": "New, too"}),
        ("name,to\nOld,New\nOld,New\n", {"old": "New"}),
    ],
)
def test_names_are_read_however_the_file_was_saved(content: str, told: dict[str, str]) -> None:
    assert read_names(content.encode()) == told


@pytest.mark.parametrize(
    ("content", "column", "told"),
    [
        ("old,new\nA,B\n", None, "no column “name”"),
        ("name,one,two\nA,B,C\n", None, "set new_name_column"),
        ("name,to\nA,B\n", "English", "no column “English”"),
        ("name,to\nA,B\nC\n", None, "row 3"),
        ("name,to\nA,B\n,D\n", None, "row 3: the name is empty"),
        ("name,to\nA,\n", None, "row 2: “A” has no new name"),
        ("name,to\nA,B\nA,C\n", None, "row 3: “A” is “C” here and “B” in row 2"),
    ],
)
def test_a_broken_file_of_names_is_refused_with_its_rows(content: str, column: str | None, told: str) -> None:
    with pytest.raises(TableRefused, match=told):
        read_names(content.encode(), column)


def test_a_broken_file_stops_the_import_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "remappings.csv").write_text("name,to\nA,\n")
    named = institution(tmp_path, "http://127.0.0.1:9/oai", ", remappings: remappings.csv", "source")
    with pytest.raises(SourceError, match=r"remappings\.csv: row 2: “A” has no new name"):
        source(named, None, hash_key=b"k").parts(FULL)


class Kept:
    """What would stand in the warehouse."""

    def __init__(self) -> None:
        self.files: dict[str, KeptFile] = {}

    def get(self, name: str) -> KeptFile | None:
        return self.files.get(name)

    def keep(self, name: str, content: bytes) -> None:
        self.files[name] = KeptFile(content, "Monday")

    def blame(self, name: str, problem: str) -> bool:
        if name in self.files:
            self.files[name] = replace(self.files[name], problem=problem)
        return name in self.files


@pytest.mark.parametrize("step", ["remappings", "translations", "renaming"])
def test_a_file_of_names_that_breaks_leaves_its_last_sound_version(tmp_path: Path, step: str) -> None:
    file = tmp_path / "names.csv"
    file.write_text("name,to\nKemi,Chemistry\n")
    kept = Kept()
    named = institution(tmp_path, "http://127.0.0.1:9/oai", f", windows: 1, {step}: names.csv", "source")

    def oai() -> OaiPmh:
        return source(named, None, hash_key=b"k").with_files_kept(kept)

    assert [part.start for part in oai().parts(FULL)] == [{}]
    file.write_text("name,to\nKemi,\n")
    [part] = oai().parts(FULL)
    [note] = part.start["told"]
    assert (note["code"], note["field"]) == ("older_version_of_file", step)
    assert "row 2: “Kemi” has no new name" in note["message"]
    assert "The version of Monday is used" in note["message"]
    names = oai().settings.names
    assert (names.remapped if step == "remappings" else names.renamed)(("Kemi",)) == "Chemistry"

    file.write_text("name,to\nKemi,Chemical Sciences\n")
    assert [part.start for part in oai().parts(FULL)] == [{}]
    names = oai().settings.names
    assert (names.remapped if step == "remappings" else names.renamed)(("Kemi",)) == "Chemical Sciences"


def test_a_translation_may_be_renamed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("name,to\nKemi,Chemistry\nFysik,Physics\n")
    (tmp_path / "r.csv").write_text("name,to\nChemistry,Chemical Sciences\n")
    repository = made("http://127.0.0.1:9/oai", "diva").repository
    names = FinalNames(repository, {"translations": tmp_path / "t.csv", "renaming": tmp_path / "r.csv"})
    assert (names.renamed(("Kemi",)), names.renamed(("FYSIK",)), names.renamed(("Music",))) == (
        "Chemical Sciences", "Physics", None,
    )  # fmt: skip


# --- Haplo


@pytest.mark.parametrize("editors", [False, True])
def test_haplo_gives_what_is_expected(*, editors: bool) -> None:
    folder = sample("oai/haplo/synthetic")
    expected = json.loads((folder / "expected.json").read_text())

    def files(query: dict[str, str]) -> str:
        return "ListRecords_p2_last.xml" if "resumptionToken" in query else "ListRecords_p1.xml"

    with serving(answering(folder, files)) as server:
        haplo = made(server.url, "haplo", editors=editors)
        assert [each.name for each in haplo.parts(FULL)] == ["outputs"]  # no departments to be had
        found = outputs(list(haplo.read(Part("outputs"), FULL, None)))
    assert len(found) == expected["records"]
    for name, identifiers in expected["with_supported_identifier"].items():
        assert schemes(found[name]) == {scheme: [value] for scheme, value in identifiers.items()}
    assert [name for name, each in found.items() if not each.identifiers] == expected["dropped_no_identifier"]
    people = {name: [each.author for each in one.contributions] for name, one in found.items()}
    wanted = {
        name: [f"orcid:{each}" if each[0] == "0" else "name:provsson, tomas" for each in those]
        for name, those in expected["institutional_authors"].items()
    }
    assert people == {**wanted, **({"8v1x6": ["name:provsson, tomas"]} if editors else {})}


@pytest.mark.parametrize("name", ["ListRecords_default_namespace.xml", "ListRecords_p1.xml"])
@pytest.mark.parametrize(
    ("own", "authors"), [("Exempla  university", 1), ("grid.99999.0", 1), ("Another University", 0)]
)
def test_haplo_in_both_spellings_of_the_namespaces_and_by_the_institutions_name(
    name: str, own: str, authors: int
) -> None:
    def files(query: dict[str, str]) -> str:
        return "ListRecords_nothing.xml" if "resumptionToken" in query else name

    with serving(answering(sample("oai/haplo/synthetic"), files)) as server:
        found = outputs(list(made(server.url, "haplo", affiliations=[own]).read(Part("outputs"), FULL, None)))
    assert len(found["8v1x3"].contributions) == authors


# --- Esploro


def esploro_files(query: dict[str, str]) -> str:
    if query["verb"] in {"Identify", "ListSets", "ListMetadataFormats"}:
        return f"{query['verb']}.xml"
    if "resumptionToken" in query:
        return "ListRecords_set_biology_p2.xml"
    if "set" not in query:
        return "error_no_set.xml"
    return {
        "arts": "ListRecords_set_arts_later_record_left_set.xml" if "from" in query else "ListRecords_set_arts.xml",
        "Faculty of Science:School of Biology": "ListRecords_set_biology_p1.xml",
        "Faculty of Science": "ListRecords_set_science_deleted_everywhere.xml",
        "All_Assets": "ListRecords_oai_dc.xml",
    }.get(query["set"], "../../haplo/synthetic/ListRecords_nothing.xml")


def test_esploro_gives_what_is_expected() -> None:
    folder = sample("oai/esploro/synthetic")
    expected = json.loads((folder / "expected.json").read_text())
    with serving(answering(folder, esploro_files)) as server:
        esploro = made(server.url, "esploro", metadata_prefix="esploro")
        parts = esploro.parts(FULL)
        pages = {part.via: list(esploro.read(part, FULL, None)) for part in parts}
        since = Plan("incremental", {"outputs:arts": "2026-01-01T00:00:00Z"})
        (later,) = esploro.read(Part("outputs:arts", via="arts"), since, None)
    tree = departments(pages[None])
    in_order = sorted(expected["departments"], key=lambda each: each["spec"])
    assert [(each.key, each.name, next(iter(each.parents), None)) for each in tree.values()] == [
        (each["spec"], each["name"], each["parent"]) for each in in_order
    ]
    assert [each.key for each in tree.values() if each.notes] == [
        each["spec"] for each in expected["departments"] if "warning" in each
    ]
    assert {part.via for part in parts} - {None} == set(tree)
    memberships: dict[str, list[str]] = {}
    for via, ours in sorted((str(via), outputs(found)) for via, found in pages.items() if via):
        for name, each in ours.items():
            if not each.deleted:
                assert each.departments == (via,)
                memberships.setdefault(name, []).append(via)
    assert memberships == expected["memberships_after_first_run"]
    (left,) = later.records
    assert isinstance(left, Output)
    assert left.deleted
    first = outputs(pages["Faculty of Science:School of Biology"])["9910000000000101"]
    assert schemes(first) == {"doi": ["10.5555/esploro.101"], "pmid": ["99000101"]}
    assert [(each.author, dict(each.ids)) for each in first.contributions] == [
        ("id:u1maj001", {"orcid": "0000-0090-0000-0002", "id": "u1maj001"})
    ]


def test_esploro_without_departments_asks_for_its_one_profile() -> None:
    folder = sample("oai/esploro/synthetic")
    with serving(answering(folder, esploro_files)) as server:
        esploro = made(server.url, "esploro", Departments(mode="none"), sets={"include": ["All_Assets"]}, authors="all")
        parts = esploro.parts(FULL)
        found = outputs(list(esploro.read(parts[0], FULL, None)))
    assert [(part.name, part.via) for part in parts] == [("outputs:All_Assets", "All_Assets")]
    (only,) = found.values()
    assert schemes(only) == {"doi": ["10.5555/esploro.101"]}
    assert [each.name for each in only.contributions] == ["Lindqvist, Maja", "Outsideri, Carla"]
    assert only.departments == ()


@pytest.mark.parametrize(
    ("file", "told"),
    [("error_21_unauthorized.xml", "Unauthorized access"), ("../../haplo/synthetic/ListSets.xml", "“Department = …”")],
)
def test_esploro_that_lets_nobody_in_or_has_no_departments_says_so(file: str, told: str) -> None:
    folder = sample("oai/esploro/synthetic")
    with serving(answering(folder, lambda _: file)) as server, pytest.raises(SourceError, match=told):
        made(server.url, "esploro").parts(FULL)


# --- a table that a person can check: counts by XPath over the raw file, beside ours

XPATHS = {
    "records": "count(//o:header)",
    "deleted": "count(//o:header[@status='deleted'])",
    "doi": "count(//m:mods/m:identifier[@type='doi'] | //d:resource/d:identifier | //e:data/e:identifier.doi)",
    "isbn": "count(//m:mods/m:identifier[@type='isbn'] | //e:data/e:identifier.isbn)",
    "urn": "count(//m:mods/m:identifier[@type='uri'][contains(., 'urn:nbn:')])",
    "pmid": "count(//m:mods/m:identifier[@type='pmid'] | //e:data/e:identifier.pmid)",
    "authors": "count(//m:mods/m:name[@type='personal'][m:role/m:roleTerm='aut' or m:role/m:roleTerm='edt']"
    "[(@authority and @x:href != 'n/a') or m:nameIdentifier/@type = @authority]"
    " | //d:creators/d:creator[d:affiliation] | //e:creator[e:user.primaryId])",
    "departments": "count(//m:mods/m:name[@type='corporate'][@x:href])",
}


def independently(file: Path) -> dict[str, int]:
    root: Any = etree.parse(file)
    return {name: int(root.xpath(path, namespaces=NAMESPACES)) for name, path in XPATHS.items()}


def ours(file: Path, platform: str) -> dict[str, int]:
    prefix = {"esploro": {"metadata_prefix": "esploro"}}.get(platform, {})
    with serving(lambda asked: Reply(file.read_bytes() if "resumptionToken" not in asked.query else b"<OAI-PMH><ListRecords/></OAI-PMH>")) as server:  # fmt: skip  # noqa: E501
        pages = list(made(server.url, platform, **prefix).read(Part("outputs"), FULL, None))
    found = [each for page in pages for each in page.records if isinstance(each, Output)]
    counted = {
        scheme: sum(len(schemes(each).get(scheme, [])) for each in found) for scheme in ("doi", "isbn", "urn", "pmid")
    }
    return {
        "records": len(found),
        "deleted": sum(each.deleted for each in found),
        **counted,
        "authors": sum(len(each.contributions) for each in found),
        "departments": sum(len(each.departments) for each in found),
    }


def _rows() -> list[dict[str, str]]:
    with GOLDEN.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row["file"])
def test_each_file_has_the_counts_of_the_table(row: dict[str, str]) -> None:
    file = sample(f"oai/{row['file']}")
    told = {name: int(row[name]) for name in XPATHS}
    assert independently(file) == told
    assert ours(file, row["file"].partition("/")[0]) == told
