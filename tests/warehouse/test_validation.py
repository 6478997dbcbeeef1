"""Great Expectations over staging: every rule has a record that breaks it, and nothing private leaves staging."""

import contextlib
import csv
import io
import json
import logging
import os
import random
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from explorer import connections, database, flow, validation, validation_rules
from explorer.database import Connection
from explorer.planning import Request
from explorer.records import Identifier, Output
from tests.patience import wait_until
from tests.samples import sample
from tests.scripted_source import ScriptedSource, make_site

SUITES = validation_rules.IN_ORDER
VIEWS = {name: validation_rules.suite(name)["meta"]["table"] for name in SUITES}

# Would be seen in a page or a log line if any value of a record were.
PLACE = "place-of-the-flying-island"
ADDRESS = "munodi@laputa.example"


def output(record: int, **changes: Any) -> dict[str, Any]:
    row = {"record": record, "key": f"oai:lilliput.example:{record}", "place": f"{PLACE}:{record}", "title": "On Eggs"}
    row |= {"type": "article", "year": 1726, "venue": "Annals of Lilliput", "groups": [], "deleted": False}
    return row | {"content": f"{record:032x}"} | changes


def identifier(record: int, scheme: str = "doi", value: str = "10.5555/eggs.1", **changes: Any) -> dict[str, Any]:
    return {"record": record, "scheme": scheme, "value": value, "derived": False} | changes


def contribution(record: int, **changes: Any) -> dict[str, Any]:
    row = {"record": record, "position": 0, "author": "id:1", "name": "Gulliver, Lemuel", "ids": Jsonb({})}
    return row | {"departments": []} | changes


def author(record: int, **changes: Any) -> dict[str, Any]:
    row = {"record": record, "key": f"id:{record}", "place": f"{PLACE}:{record}", "name": "Gulliver, Lemuel"}
    return row | {"ids": Jsonb({}), "departments": [], "deleted": False, "content": f"{record:032x}"} | changes


def department(record: int, **changes: Any) -> dict[str, Any]:
    row = {"record": record, "key": f"d{record}", "place": f"{PLACE}:{record}", "name": "School of Projectors"}
    return row | {"parents": [], "content": f"{record:032x}"} | changes


MAKERS: Mapping[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "outputs": ("output", output),
    "identifiers": ("output_identifier", identifier),
    "contributions": ("contribution", contribution),
    "authors": ("author", author),
    "departments": ("department", department),
}

AN_AUTHOR_S_KEY_AND_NAME: Mapping[str, Mapping[str, Any]] = {
    "key_is_not_blank": {"key": "\u00a0 "},
    "key_is_not_too_long": {"key": "id:" + "9" * 198},
    "key_holds_no_control_characters": {"key": "id:\t9"},
    "name_is_not_blank": {"name": " \u2003"},
    "name_is_not_too_long": {"name": "G" * 501},
    "name_holds_no_control_characters": {"name": "Gulliver\x07"},
    "key_holds_no_address": {"key": f"id:{ADDRESS}"},
    "name_holds_no_address": {"name": f"Munodi <{ADDRESS}>"},
}

# Each rule about records, and what in a record breaks it and no rule before it.
BAD_RECORDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "outputs": {
        "key_is_present": {"key": None, "place": None},
        "key_is_not_blank": {"key": " \u3000"},
        "key_is_not_too_long": {"key": "k" * 201},
        "key_holds_no_control_characters": {"key": "oai:lilliput\n.example:1"},
        "title_is_not_blank": {"title": "\u200b"},
        "title_is_not_too_long": {"title": "egg " * 1251},
        "title_holds_no_control_characters": {"title": "On \x1b Eggs"},
        "year_is_not_too_early": {"year": 999},
        "year_is_not_too_late": {"year": 2199},
        "type_is_not_too_long": {"type": "t" * 501},
        "venue_is_not_too_long": {"venue": "v" * 5001},
    },
    "identifiers": {
        "scheme_is_known": {"scheme": "issn", "value": "1234-5679"},
        "value_is_not_blank": {"value": ""},
        "value_is_not_too_long": {"value": "10.5555/" + "e" * 993},
        "value_is_not_too_long_beyond_ascii": {"value": "10.5555/" + "ü" * 243},
        "value_holds_no_blanks": {"value": "10.5555/eggs p149"},
        "doi_is_well_formed": {"value": "10.5555/EGGS"},
        "pmid_is_well_formed": {"scheme": "pmid", "value": "0123"},
        "arxiv_is_well_formed": {"scheme": "arxiv", "value": "1000.1"},
        "ads_is_well_formed": {"scheme": "ads", "value": "2002ApJ...577L..31"},
        "nct_id_is_well_formed": {"scheme": "nct_id", "value": "nct00000102"},
        "repec_is_well_formed": {"scheme": "repec", "value": "repec:aaa:journl:1"},
        "handle_is_well_formed": {"scheme": "handle", "value": "hdl:12345/678"},
        "urn_is_well_formed": {"scheme": "urn", "value": "URN:nbn:de:1234"},
        "isbn_is_well_formed": {"scheme": "isbn", "value": "0306406152"},
        "uri_is_well_formed": {"scheme": "uri", "value": "https://Research.lilliput.example/1"},
    },
    "contributions": {
        rule: {"author" if name == "key" else name: value for name, value in change.items()}
        for rule, change in AN_AUTHOR_S_KEY_AND_NAME.items()
    },
    "authors": AN_AUTHOR_S_KEY_AND_NAME,
    "departments": {
        "key_is_not_blank": {"key": ""},
        "key_is_not_too_long": {"key": "d" * 201},
        "key_holds_no_control_characters": {"key": "d\r1"},
        "name_is_not_blank": {"name": "\ufeff"},
        "name_is_not_too_long": {"name": "D" * 501},
        "name_holds_no_control_characters": {"name": "School\x01"},
        "department_is_not_its_own_parent": {"key": "own", "parents": ["d1", "own"]},
    },
}

# Each rule about tables, and the rows (none: the parts claim one record more) or the missing column that break it.
BAD_TABLES: Mapping[str, Mapping[str, list[Mapping[str, Any]]]] = {
    "outputs": {"rows_are_complete": []},
    "authors": {"rows_are_complete": [], "keys_are_unique": [{"key": "id:twin"}, {"key": "id:twin"}]},
    "departments": {
        "rows_are_complete": [],
        "keys_are_unique": [{"key": "twin"}, {"key": "twin"}],
        "departments_form_no_circle": [
            {"key": "c1", "parents": ["c2"]},
            {"key": "c2", "parents": ["c3", "d1"]},
            {"key": "c3", "parents": ["c1"]},
        ],
    },
}
LOST_COLUMNS = {"outputs": "venue", "identifiers": "scheme", "contributions": "name"}
LOST_COLUMNS |= {"authors": "name", "departments": "parents"}

RECORD_RULES = [(suite, rule) for suite, rules in BAD_RECORDS.items() for rule in rules]
TABLE_RULES = [(suite, rule) for suite, rules in BAD_TABLES.items() for rule in rules]
NUMBER = {pair: 1000 + n for n, pair in enumerate(RECORD_RULES)}

# Records that break more than one rule, and the one that speaks.
TWICE = 900
TWO_IDENTIFIERS = 901


def named(pairs: list[tuple[str, str]]) -> Any:
    return pytest.mark.parametrize(("suite", "rule"), pairs, ids=[f"{suite}-{rule}" for suite, rule in pairs])


def insert(connection: Connection, table: str, row: Mapping[str, Any]) -> None:
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join([sql.Placeholder()] * len(row)),
    )
    connection.execute(statement, list(row.values()))


def stage_good(connection: Connection) -> None:
    for scheme, value in GOOD_IDENTIFIERS:
        insert(connection, "output_identifier", identifier(1, scheme, value))
    longest = {"title": "e" * 5000, "type": "t" * 500, "venue": "v" * 5000, "key": "k" * 200, "year": 2030}
    for row in (output(1), output(2, title=None, type=None, year=None, venue=None), output(3, **longest)):
        insert(connection, "output", row)
    insert(connection, "output", output(4, key=None, title="蛋論\n第二行"))
    for row in (contribution(1), contribution(1, position=1, author="name:swift", name="S" * 500)):
        insert(connection, "contribution", row)
    for row in (author(1), author(2, name="飛島")):
        insert(connection, "author", row)
    for row in (department(1), department(2, parents=["d1", "d3", "unknown"]), department(3, parents=["d1"])):
        insert(connection, "department", row)


GOOD_IDENTIFIERS = [
    ("doi", "10.5555/eggs.1"), ("doi", "10.978.8898392/315"), ("doi", "10.5555/ü😀"), ("pmid", "12345678"),
    ("arxiv", "2101.00001"), ("arxiv", "math.gt/0309136v2"), ("ads", "2002ApJ...577L..31S"), ("nct_id", "NCT00000102"),
    ("repec", "RePEc:aaa:journl:1"), ("handle", "12345/678"), ("handle", "20.500.12345/ABC"), ("urn", "urn:nbn:de:1234"),
    ("isbn", "9780306406157"), ("uri", "https://research.lilliput.example/Eggs?id=1"),
    ("uri", "http://lilliput.example:8080/1"),
]  # fmt: skip


@dataclass
class World:
    """What came of validating three stagings: all good, all bad, and one that lost a column of each view."""

    dsn: str
    good: validation.Validation
    bad: validation.Validation
    lost: validation.Validation
    verdicts: Mapping[tuple[str, int], tuple[Any, ...]]
    report: Path
    home: Path
    calls: list[object] = field(default_factory=list)
    noise: str = ""


def make_staging(connection: Connection, schema: str) -> None:
    connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    connection.execute(sql.SQL("set search_path = {}").format(sql.Identifier(schema)))
    connection.execute(database.text("staging/create"))
    stage_good(connection)


def validate(connection: Connection, dsn: str, schema: str, report: Path | None = None, extra: int = 0) -> Any:
    connection.commit()
    staged = {
        entity: connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(entity))).fetchall()[0][0]
        for entity in validation.ENTITIES
    }
    result = validation.validate(
        connection,
        sqlalchemy_url=connections.sqlalchemy_url(dsn),
        schema=schema,
        suites=SUITES,
        staged={entity: int(str(number)) + extra for entity, number in staged.items()},
        report=report,
    )
    connection.commit()
    return result


def stage_bad(connection: Connection) -> None:
    for suite, rule in RECORD_RULES:
        table, make = MAKERS[suite]
        if table in {"output_identifier", "contribution"}:
            insert(connection, "output", output(NUMBER[suite, rule]))
        insert(connection, table, make(NUMBER[suite, rule], **BAD_RECORDS[suite][rule]))
    for suite, rules in BAD_TABLES.items():
        table, make = MAKERS[suite]
        for number, change in enumerate((row for rows in rules.values() for row in rows), start=2000):
            insert(connection, table, make(number, **change))
    insert(connection, "output", output(TWICE, title=" ", year=12))
    insert(connection, "output", output(TWO_IDENTIFIERS))
    for value in ("10.5555/Z", "10.5555/A", "10.5555/b"):
        insert(connection, "output_identifier", identifier(TWO_IDENTIFIERS, value=value))
    connection.execute(
        "insert into verdict (entity, record, verdict, stage, rule) values ('output', 902, 'deleted', 'extract', 'gone')"
    )
    insert(connection, "output", output(902, title=" "))


@pytest.fixture(scope="module")
def world(postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("validation")
    home = folder / "home"
    home.mkdir()
    noise, calls = io.StringIO(), []
    handler = logging.StreamHandler(noise)
    schemas = {name: f"import_90{n}" for n, name in enumerate(("good", "bad", "lost"))}
    with pytest.MonkeyPatch.context() as patch, database.connect(postgres_dsn) as connection:
        patch.setitem(os.environ, "HOME", str(home))
        patch.setattr(socket.socket, "connect", lambda _self, address: calls.append(address))
        for schema in schemas.values():
            make_staging(connection, schema)
            if schema == schemas["bad"]:
                stage_bad(connection)
        for suite, column in LOST_COLUMNS.items():
            statement = sql.SQL("alter view {} rename column {} to lost")
            connection.execute(statement.format(sql.Identifier(VIEWS[suite]), sql.Identifier(column)))
        results = {}
        logging.getLogger().addHandler(handler)
        try:
            with contextlib.redirect_stdout(noise), contextlib.redirect_stderr(noise):
                for name, schema in schemas.items():
                    connection.execute(sql.SQL("set search_path = {}").format(sql.Identifier(schema)))
                    extra = 1 if name == "bad" else 0
                    results[name] = validate(connection, postgres_dsn, schema, folder / name, extra=extra)
        finally:
            logging.getLogger().removeHandler(handler)
        rows = connection.execute(
            "select entity, record, verdict, stage, rule, reason, field, value from import_901.verdict"
        ).fetchall()
        verdicts = {(str(row[0]), int(str(row[1]))): row[2:] for row in rows}
        yield World(
            postgres_dsn, results["good"], results["bad"], results["lost"], verdicts, folder / "bad", home, calls,
            noise.getvalue(),
        )  # fmt: skip
        connection.rollback()
        for schema in schemas.values():
            connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))
        connection.commit()


def rule_of(suite: str, name: str) -> validation_rules.Rule:
    return next(rule for rule in validation_rules.rules(suite) if rule.name == name)


def result_of(outcome: validation.Validation, suite: str, rule: str) -> validation.RuleResult:
    return next(result for result in outcome.results if (result.suite, result.rule) == (suite, rule))


def test_every_rule_has_a_record_that_breaks_it_and_the_other_way_round():
    stated = [(suite, rule.name, rule.level) for suite in SUITES for rule in validation_rules.rules(suite)]
    broken = [(*pair, "record") for pair in RECORD_RULES] + [(*pair, "table") for pair in TABLE_RULES]
    broken += [(suite, "columns_exist", "table") for suite in LOST_COLUMNS]
    assert sorted(stated) == sorted(broken)


def test_sound_records_pass_every_rule(world):
    assert [(r.suite, r.rule, r.failed) for r in world.good.results if r.failed] == []
    assert world.good.table_failures == ()
    assert world.good.rejected == {"output": 0, "author": 0, "department": 0}


@named(RECORD_RULES)
def test_a_record_that_breaks_a_rule_is_rejected_for_it(world, suite, rule):
    stated = rule_of(suite, rule)
    verdict, stage, given, reason, column, _ = world.verdicts[stated.entity, NUMBER[suite, rule]]
    assert (verdict, stage, given) == ("rejected", "validate", rule)
    assert (reason, column) == (stated.sentence, stated.field)
    assert result_of(world.bad, suite, rule).failed >= 1


@named(TABLE_RULES)
def test_a_table_that_breaks_a_rule_fails_the_import(world, suite, rule):
    said = [line for line in world.bad.table_failures if line.startswith(f"{suite}: ") and f"(rule {rule}," in line]
    assert len(said) == 1
    assert rule_of(suite, rule).sentence in said[0]


@named([(suite, "columns_exist") for suite in LOST_COLUMNS])
def test_a_lost_column_fails_the_import(world, suite, rule):
    said = [line for line in world.lost.table_failures if line.startswith(f"{suite}: ") and f"(rule {rule}," in line]
    assert len(said) == 1


def test_a_rule_that_cannot_be_evaluated_fails_the_import_and_rejects_nothing(world):
    assert any("departments: the rule departments_form_no_circle could not be evaluated" in line
               for line in world.lost.table_failures)  # fmt: skip
    assert world.lost.rejected == {"output": 0, "author": 0, "department": 0}


def test_only_the_broken_tables_fail_the_import(world):
    assert len(world.bad.table_failures) == len(TABLE_RULES)


def test_the_first_rule_speaks_and_the_least_value_is_shown(world):
    assert world.verdicts["output", TWICE][2] == "title_is_not_blank"
    assert world.verdicts["output", TWO_IDENTIFIERS][2::3] == ("doi_is_well_formed", "10.5555/A")


def test_a_record_that_has_an_end_already_is_not_looked_at(world):
    assert world.verdicts["output", 902][0] == "deleted"


def test_rejected_records_are_counted_by_entity(world):
    counts = dict.fromkeys(validation.ENTITIES, 0)
    for (entity, _), verdict in world.verdicts.items():
        counts[entity] += verdict[0] == "rejected"
    assert world.bad.rejected == counts
    assert counts["output"] == 2 + sum(rule_of(*pair).entity == "output" for pair in RECORD_RULES)


def test_a_value_is_shortened_and_an_address_in_it_blanked(world):
    values = {pair: world.verdicts[rule_of(*pair).entity, NUMBER[pair]][-1] for pair in RECORD_RULES}
    assert values["outputs", "title_is_not_too_long"] == ("egg " * 50)
    assert values["contributions", "name_holds_no_address"] == "Munodi <(e-mail address)>"
    assert values["authors", "key_holds_no_address"] == "(e-mail address)"
    assert not any("@" in value or "laputa" in value for value in values.values() if value)


@pytest.mark.parametrize(
    "text",
    ["munodi@laputa.example", "munodi @ laputa.example", "munodi\uff20laputa.example", "munodi%40laputa.example",
     "munodi (at) laputa.example", "mailto:munodi@laputa.example?subject=eggs", '"Lord Munodi" munodi[at]laputa.example'],
)  # fmt: skip
def test_however_an_address_is_written_it_is_blanked(postgres_dsn, text):
    with database.connect(postgres_dsn) as connection:
        blanked = connection.execute("select regexp_replace(%s, %s, '…', 'g')", (text, validation.ADDRESS)).fetchall()
    assert "munodi" not in str(blanked[0][0]).lower().replace("lord munodi", "")
    assert "laputa" not in str(blanked[0][0])


def test_the_log_s_table_holds_rules_and_counts_but_no_values(world):
    table = world.bad.as_table()
    assert max(map(len, table.splitlines())) <= 120
    for suite in SUITES:
        for rule in validation_rules.rules(suite):
            assert rule.name in table
    assert "@" not in table
    assert_nothing_private(table + "".join(world.bad.table_failures))


def test_the_report_holds_a_page_for_each_suite_but_no_values(world):
    pages = {page.name: page.read_text(encoding="utf-8") for page in world.report.iterdir()}
    assert sorted(pages) == sorted(["index.html", *(f"{suite}.html" for suite in SUITES)])
    for suite in SUITES:
        assert f'href="{suite}.html"' in pages["index.html"]
        for rule in validation_rules.rules(suite):
            assert rule.name.replace("_", " ") in pages[f"{suite}.html"]
    for page in pages.values():
        assert_nothing_private(page)


def test_the_report_loads_nothing_from_elsewhere(world):
    for page in world.report.iterdir():
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text
        assert 'src="' not in text
        assert 'href="http' not in text
        assert "url(" not in text


def assert_nothing_private(text: str) -> None:
    for value in ("laputa", PLACE, "On Eggs", "Gulliver", "lilliput", "School of", "10.5555/EGGS", "1726"):
        assert value not in text, value


def test_great_expectations_is_silent_and_touches_neither_network_nor_home(world):
    assert world.noise == ""
    assert world.calls == []
    assert list(world.home.iterdir()) == []


def test_great_expectations_leaves_no_connection_behind(world):
    """One that was closed is gone in a moment: it is waited for."""
    others = "select from pg_stat_activity where datname = current_database() and application_name <> 'explorer'"
    with database.connect(world.dsn) as connection:
        connection.autocommit = True
        wait_until(lambda: connection.execute(others).fetchall() == [])


def test_every_identifier_in_canonical_form_passes(postgres_dsn):
    with sample("identifiers/vectors.csv").open(encoding="utf-8", newline="") as file:
        vectors = list(csv.DictReader(file))
    expected = {
        (row["scheme"].removesuffix("_strict"), value)
        for row in vectors
        if (cell := row["expected_normalised_or_INVALID"]) != "INVALID"
        for value in cell.split("|")
        if row["scheme"] != "urn" or value == value.lower()
    }
    checks = {rule.name.removesuffix("_is_well_formed"): rule for rule in validation_rules.rules("identifiers")}
    stated = {
        e["meta"]["rule"]: e["kwargs"].get("regex") for e in validation_rules.suite("identifiers")["expectations"]
    }
    with database.connect(postgres_dsn) as connection:
        for scheme, value in sorted(expected):
            regex = stated[checks[scheme].name]
            assert connection.execute("select %s ~ %s", (value, regex)).fetchall() == [(True,)], (scheme, value)


LONGEST_SLUG = "l" * 30


def limit(suite: str, rule: str) -> int:
    """How long a value may be by a suite: of the widest characters that its limit allows."""
    kwargs = next(e["kwargs"] for e in validation_rules.suite(suite)["expectations"] if e["meta"]["rule"] == rule)
    return int(kwargs["max_value"]) if "max_value" in kwargs else int(kwargs["regex"].rpartition("{")[2][:-1]) - 1


def test_whatever_passes_fits_the_indexes_of_the_warehouse(warehouse_dsn):
    chance = random.Random(1726)

    def wide(length: int) -> str:  # four bytes each, and not to be compressed
        return "".join(chr(chance.randrange(0x20000, 0x2A6D0)) for _ in range(length))

    values = [
        wide(limit("identifiers", "value_is_not_too_long_beyond_ascii")),
        "".join(chr(chance.randrange(33, 127)) for _ in range(limit("identifiers", "value_is_not_too_long"))),
    ]
    keys = {suite: wide(limit(suite, "key_is_not_too_long")) for suite in ("outputs", "contributions", "departments")}
    with database.connect(warehouse_dsn) as connection:
        connection.execute("insert into ops.institution (slug, name, source) values (%s, 'L', 'csv')", (LONGEST_SLUG,))
        connection.execute("select warehouse.open_leaves(%s)", (LONGEST_SLUG,))
        connection.execute("select warehouse.close_leaves(%s)", (LONGEST_SLUG,))
        who, what = (LONGEST_SLUG,), "00000000-0000-0000-0000-000000000000"
        author_key, department_key = keys["contributions"], keys["departments"]
        connection.execute(
            "insert into warehouse.author values (%s, %s, 'Gulliver', '{}', %s, 1)", (*who, author_key, what)
        )
        connection.execute("insert into warehouse.department values (%s, %s, 'D', %s, 1)", (*who, department_key, what))
        for value in values:
            for key in (keys["outputs"], f"nct_id:{value}"):  # the source's own, or a spreadsheet's
                connection.execute(
                    "insert into warehouse.research_output (institution, key, fingerprint, added_by, changed_by)"
                    " values (%s, %s, %s, 1, 1) on conflict do nothing", (*who, key, what),
                )  # fmt: skip
                connection.execute(
                    "insert into warehouse.output_identifier values (%s, %s, 'nct_id', %s)", (*who, key, value)
                )
                connection.execute(
                    "insert into warehouse.authorship values (%s, %s, %s, 0, 'G') on conflict do nothing",
                    (*who, key, author_key),
                )
                connection.execute(
                    "insert into warehouse.authorship_department values (%s, %s, %s, %s) on conflict do nothing",
                    (*who, key, author_key, department_key),
                )


def test_the_suites_name_the_same_schemes_and_years_as_the_warehouse(warehouse_dsn):
    schemes = next(e["kwargs"]["value_set"] for e in validation_rules.suite("identifiers")["expectations"]
                   if e["meta"]["rule"] == "scheme_is_known")  # fmt: skip
    with database.connect(warehouse_dsn) as connection:
        checks = connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where contype = 'c' and conrelid = any (%s::regclass[])",
            (["warehouse.output_identifier", "warehouse.research_output"],),
        ).fetchall()
    text = " ".join(str(check[0]) for check in checks)
    for scheme in schemes:
        assert f"'{scheme}'" in text
    assert "year >= 1000" in text


def test_the_page_of_the_rules_is_up_to_date():
    assert validation_rules.PAGE.read_text(encoding="utf-8") == validation_rules.page()


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_is_complete_in_itself(suite):
    text = (validation_rules.SUITES / f"{suite}.json").read_text(encoding="utf-8")
    names = [rule.name for rule in validation_rules.rules(suite)]
    assert json.loads(text)["name"] == suite
    assert len(names) == len(set(names))
    assert {rule.level for rule in validation_rules.rules(suite)} <= {"record", "table"}
    assert all(
        (rule.query is None) == (rule.column is not None)
        for rule in validation_rules.rules(suite)
        if rule.level == "record"
    )


def test_a_record_that_a_source_gives_ends_among_the_rejected_with_the_reason(warehouse_dsn, tmp_path):
    source = ScriptedSource()
    for key, year in (("early", 12), ("sound", 1726)):
        source.put(Output(key, title="On Eggs", year=year, identifiers=(Identifier("doi", f"10.5555/{key}"),)))
    site = make_site(warehouse_dsn, tmp_path, source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_LOCAL", str(tmp_path))
        import_id = flow.run(site, Request(run_key="once", stays=True))
    with database.connect(warehouse_dsn) as connection:
        rejected = connection.execute(
            "select key, verdict, stage, rule, reason, field, value from ops.rejected_record where import_id = %s",
            (import_id,),
        ).fetchall()
        published = connection.execute("select key from warehouse.research_output").fetchall()
    sentence = rule_of("outputs", "year_is_not_too_early").sentence
    assert rejected == [("early", "rejected", "validate", "year_is_not_too_early", sentence, "year", "12")]
    assert published == [("sound",)]
    assert list(tmp_path.rglob("outputs.html")) != []


def test_departments_of_a_deep_but_sound_hierarchy_form_no_circle(postgres_dsn):
    rule = rule_of("departments", "departments_form_no_circle")
    with database.connect(postgres_dsn) as connection:
        make_staging(connection, "import_903")
        for number in range(100, 149):  # 50 levels
            insert(connection, "department", department(number, parents=["d1", f"d{number + 1}", f"d{number}"]))
        query = sql.SQL(rule.query).format(batch=sql.Identifier("department_to_validate"))
        assert connection.execute(query).fetchall() == []
        connection.rollback()
