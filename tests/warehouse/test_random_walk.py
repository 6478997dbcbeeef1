"""After any history of changes, incremental imports have published what a full import of the same state publishes."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from explorer.records import Contribution, Department, Identifier, Output
from explorer.sources import Abilities
from tests.scripted_source import ScriptedSource, make_site
from tests.warehouse.test_flow import do_import, published

pytestmark = pytest.mark.usefixtures("without_expectations")

PEOPLE = "abcdef"
UNITS = ("sci", "bio", "phys", "arts", "music")


def random_output(dice: random.Random, key: str) -> Output:
    """An output with few people, units and identifiers, so that everything is shared and collides."""
    people = dice.sample(PEOPLE, dice.randint(0, 3))
    spelling = dice.choice(("Author, {}", "Author, {} B.", "A. {}"))
    return Output(
        key=key,
        title=f"Title {dice.randint(0, 99)}",
        year=dice.choice((None, 2020, 2021)),
        identifiers=tuple(Identifier("doi", f"10.5555/{n}") for n in dice.sample(range(12), dice.choice((0, 1, 1, 1, 2)))),
        contributions=tuple(
            Contribution(f"id:{p}", spelling.format(p.upper()), {"local": p} if dice.random() < 0.5 else {})
            for p in people
        ),
        departments=tuple(dice.sample([*UNITS, "unknown"], dice.randint(0, 2))),
        excluded="set" if dice.random() < 0.05 else None,
    )  # fmt: skip


def change(dice: random.Random, source: ScriptedSource) -> None:
    """One thing that happens at the source."""
    keys = sorted(source.outputs)
    match dice.randrange(6):
        case 0 | 1:
            source.put(random_output(dice, f"o{dice.randrange(30)}"))
        case 2 if keys:
            (source.vanish if source.abilities.lists_keys else source.delete)(dice.choice(keys))
        case 3:
            unit = dice.choice(UNITS)
            parents = tuple(u for u in UNITS[: UNITS.index(unit)] if dice.random() < 0.4)
            source.departments[unit] = Department(unit, f"Unit {unit} {dice.randrange(3)}", parents)
        case 4 if source.departments:
            source.departments.pop(dice.choice(sorted(source.departments)))
        case 5 if keys:
            key = dice.choice(keys)
            if not source.outputs[key].deleted:
                source.put(replace(source.outputs[key], title=f"Retitled {dice.randrange(99)}"))


@pytest.mark.parametrize("orphans", ["keep", "remove_authorless"])
@pytest.mark.parametrize(("seed", "lists_keys"), [(1, False), (2, False), (3, True)])
def test_incremental_equals_full(warehouse_dsn: str, tmp_path: Path, seed: int, lists_keys: bool, orphans: str):
    dice = random.Random(f"{seed} {orphans}")
    source = ScriptedSource(abilities=Abilities(says_changes=True, lists_keys=lists_keys), page_size=7)
    walk = make_site(warehouse_dsn, tmp_path, source, slug="walk", orphans=orphans)
    modes = []
    for step in range(10):
        for _ in range(dice.randint(0, 8)):
            change(dice, source)
        source.tick += 1
        made = do_import(walk, approved=True)
        modes.append(made["mode"])
        fresh = make_site(warehouse_dsn, tmp_path, source, slug=f"full{step}", orphans=orphans)
        do_import(fresh)
        assert published(walk) == published(fresh), f"after import {step + 1}"
        source.tick += 1
    assert modes == ["full"] + ["incremental"] * 9
