"""Groups from a hierarchy spreadsheet, departments.csv or departments.json, and every rule that one can break."""

import json

import pytest

from explorer.hierarchy import DepartmentNames, Hierarchy, read_groups
from explorer.tables import TableRefused
from tests.samples import sample

EXAMPLES = (
    "seed_examples/coauthors_by_semicolon",
    "seed_examples/coauthors_per_row",
    "seed_examples/hierarchy_funder",
    "seed_examples/hierarchy_pharmaceutical",
    "seed_examples/hierarchy_university",
    "seed_examples/larger_multi_id",
    "seed_examples/multi_departments",
    "seed_examples/multi_group_types",
    "seed_examples/university_minimal",
    "broken/nul_and_numbers",
)


def groups(text: str) -> Hierarchy:
    return read_groups(text.encode())


def paths(hierarchy: Hierarchy) -> dict[str, str]:
    """Path by key, as a reader of the pages sees it."""
    found: dict[str, str] = {}
    for department in hierarchy.departments:
        above = [found[parent] for parent in department.parents]
        found[department.key] = " > ".join([*above, department.name])
    return found


def problems(text: str) -> list[tuple[str, str]]:
    hierarchy = groups(text)
    assert hierarchy.departments == ()
    return [(problem.place, problem.column) for problem in hierarchy.problems]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_guides_examples(example: str) -> None:
    folder = sample(f"csv/{example}")
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    hierarchy = read_groups(folder / "hierarchy.csv")
    assert hierarchy.problems == ()
    assert hierarchy.organisation == expected["institution"]
    assert set(paths(hierarchy).values()) == {department["path"] for department in expected["departments"]}


LEAVES = "Top Level,Level 1,Level 2\nL,Arts,Pottery\nL,Arts,Painting\nL,Urban Centre,\n"
NODES = "Top Level,Level 1,Level 2\nL,,\nL,Arts,\nL,Arts,Pottery\nL,Arts,Painting\nL,Urban Centre,\n"
SHAPE = {
    "name:arts": "Arts",
    "name:pottery": "Arts > Pottery",
    "name:painting": "Arts > Painting",
    "name:urban centre": "Urban Centre",
}


@pytest.mark.parametrize("text", [LEAVES, NODES])
def test_a_row_for_each_leaf_or_for_each_group(text: str) -> None:
    assert paths(groups(text)) == SHAPE


@pytest.mark.parametrize(
    "text",
    [
        LEAVES.split("\n", 1)[1],  # no header: the first row names the organisation that all others name
        "Groups of L\n\n" + LEAVES,
        LEAVES.replace(",", ";"),
        "\ufeff" + LEAVES.replace("\n", "\r\n"),
        LEAVES.replace("Pottery", " Pottery\u00a0"),
        LEAVES.replace("L,Arts,Painting", 'l ,ARTS,"Paint\ning"').replace("Paint\ning", "Painting"),
        "\n".join(f"{n or ''},{line}" for n, line in enumerate(LEAVES.splitlines())),
    ],
)
def test_what_people_send(text: str) -> None:
    assert paths(groups(text)) == SHAPE


def test_any_depth() -> None:
    levels = [f"Level {n}" for n in range(1, 8)]
    header = ",".join(["Top Level", *levels])
    hierarchy = groups(f"{header}\nL,{','.join(f'Group {n}' for n in range(1, 8))}\n")
    assert paths(hierarchy)["name:group 7"].count(" > ") == 6


def test_a_name_under_two_parents() -> None:
    text = "Top Level,Level 1,Level 2\nL,Arts,Grants\nL,Science,Grants\n"
    assert problems(text) == [("row 3", "Level 2")]
    assert "under “Arts” (row 2) and under “Science” (row 3)" in str(groups(text).problems[0])


def test_a_name_twice_in_other_places() -> None:
    assert problems("Top Level,Level 1,Level 2\nL,Arts,\nL,Science,arts\n") == [("row 3", "Level 2")]
    assert problems("Top Level,Level 1,Level 2\nL,Arts,Arts\n") == [("row 2", "Level 2")]


def test_a_gap_in_the_levels() -> None:
    assert problems("Top Level,Level 1,Level 2\nL,,Pottery\nL,Arts,\n") == [("row 2", "Level 1")]


@pytest.mark.parametrize("other", ["M", ""])
def test_another_organisation(other: str) -> None:
    assert problems(f"Top Level,Level 1\nL,Arts\n{other},Science\n") == [("row 3", "Top Level")]


def test_more_levels_than_the_header_names() -> None:
    assert problems("Top Level,Level 1\nL,Arts\nL,Science,Biology\nL,Law\n") == [("row 3", "C")]


def test_an_open_quote() -> None:
    assert problems('Top Level,Level 1\nL,Arts\nL,"Science\n') == [("row 3", "A")]


def test_all_problems_are_told_at_once() -> None:
    text = "Top Level,Level 1,Level 2\nL,Arts,Grants\nL,Science,Grants\nM,Law,\nL,,Biology\n"
    assert sorted(problems(text)) == [("row 3", "Level 2"), ("row 4", "Top Level"), ("row 5", "Level 1")]


def test_a_renamed_group_keeps_its_key() -> None:
    renamed = LEAVES.replace("Arts", "Fine Arts")
    hierarchy = read_groups(renamed.encode(), {"Fine Arts": "Arts"})
    assert paths(hierarchy)["name:pottery"] == "Fine Arts > Pottery"
    assert hierarchy.departments[0].key == "name:arts"


def test_a_renamed_group_that_is_still_there() -> None:
    found = read_groups((LEAVES + "L,Fine Arts,\n").encode(), {"Fine Arts": "Arts"})
    assert [(problem.place, problem.column) for problem in found.problems] == [("row 2", "Level 1")]


@pytest.mark.parametrize("text", ["Top Level,Level 1\n", "Top Level,Level 1\nL,\n", "", "%PDF-1.4", "PK\x03\x04"])
def test_no_hierarchy_at_all(text: str) -> None:
    with pytest.raises(TableRefused):
        groups(text)


# --- departments.csv and departments.json

CSV = "name,id,parent_id\nPottery,p,a\nArts,a,\nUrban Centre,u,\n"


def test_departments_csv_in_any_order_of_rows_and_columns() -> None:
    found = paths(groups(CSV))
    assert found == {"a": "Arts", "p": "Arts > Pottery", "u": "Urban Centre"}
    turned = "\n".join(",".join(reversed(line.split(","))) for line in CSV.splitlines())
    assert paths(groups(turned)) == found


def test_departments_json() -> None:
    hits = [{"name": "Pottery", "id": "p", "parent_id": "a"}, {"name": "Arts", "id": "a", "parent_id": None}]
    assert paths(groups(json.dumps({"hits": hits}))) == {"a": "Arts", "p": "Arts > Pottery"}


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ("Arts,a,\nArts,b,\n", ("row 3", "name")),
        ("Arts,a,\nARTS ,b,\n", ("row 3", "name")),
        ("Arts,a,\nLaw,a,\n", ("row 3", "id")),
        ("Arts,a-b,\n", ("row 2", "id")),
        ("Arts,,\n", ("row 2", "id")),
        (",a,\n", ("row 2", "name")),
        ("Arts,a,x\n", ("row 2", "parent_id")),
        ("Arts,a,a\n", ("row 2", "parent_id")),
        ("Arts,a,\nLaw,l,,x\n", ("row 3", "D")),
    ],
)
def test_departments_csv_that_breaks_a_rule(rows: str, place: tuple[str, str]) -> None:
    assert problems("name,id,parent_id\n" + rows) == [place]


def test_a_circle_names_all_on_it_and_none_below_it() -> None:
    text = "name,id,parent_id\nA,a,b\nB,b,c\nC,c,a\nBelow,d,a\n"
    assert problems(text) == [("row 2", "parent_id"), ("row 3", "parent_id"), ("row 4", "parent_id")]


def test_a_large_circle_ends_soon() -> None:
    rows = "".join(f"Group {n},g{n},g{(n + 1) % 50_000}\n" for n in range(50_000))
    assert len(problems("name,id,parent_id\n" + rows)) == 200


def test_a_long_chain_is_no_circle_and_ends_soon() -> None:
    rows = "".join(f"Group {n},g{n},{f'g{n - 1}' if n else ''}\n" for n in range(20_000))
    assert len(groups("name,id,parent_id\n" + rows).departments) == 20_000


@pytest.mark.parametrize("text", ['{"hits": [', '{"groups": []}', '{"hits": {}}', "[]", "[" * 100_000, '{"hits": []}'])
def test_json_that_is_none_or_empty(text: str) -> None:
    with pytest.raises(TableRefused):
        groups(text)


def test_objects_that_are_none() -> None:
    assert problems('{"hits": [1, {"name": "A", "id": "a"}]}') == [("object 1", "hits")]


# --- finding by name


def test_names_are_found_whatever_their_case_and_blanks() -> None:
    names = DepartmentNames.of(groups(LEAVES).departments)
    for name in ("Pottery", " pottery", "POTTERY", "Pottery\u00a0"):
        found = names.find(name)
        assert found is not None
        assert found.key == "name:pottery"
    assert names.find("Potery") is None


def test_names_are_found_inside_their_section() -> None:
    names = DepartmentNames.of(groups(LEAVES).departments)
    assert names.find("Pottery", "Arts") is not None
    assert names.find("Pottery", "Urban Centre") is None
    assert set(names.sections) == {"arts", "urban centre"}
