"""The spreadsheets of Lilliput University, as its library would send them: ``python -m simulators.lilliput FOLDER``.

Shaped like the guide's university example ("Send your publications data via CSV spreadsheet"). Most of it is in order;
what is not is in ``FLAWS``, and is what librarians and spreadsheet programs do.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from simulators import invented

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SEED = "Mildendo"
UNIVERSITY = "Lilliput University"
PUBLICATIONS = "lilliput_publications.csv"
HIERARCHY = "lilliput_hierarchy.csv"

# faculty > school > group; outputs may hang on any of them
TREE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Faculty of Arts": {
        "School of Pottery": ("Egg Cup Studio", "Miniature Ceramics Group"),
        "School of Painting": ("Portraits on Grains of Rice",),
        "School of Theatre": ("Rope Dancing Ensemble", "Department of Theatre and Puppet Studies"),
    },
    "Faculty of Court Affairs": {
        "School of High Heels": (),
        "School of Low Heels": (),
        "School of Ceremonial": ("Leaping and Creeping Group", "Silken Threads Archive"),
    },
    "Faculty of Science": {
        "School of Biology": ("Little Cattle Genetics", "Lark and Linnet Laboratory", "Department of Small Ecology"),
        "School of Chemistry": ("Drugged Wine Laboratory",),
        "School of Physics": ("Pulleys, Poles and Cords Group", "Tides of the Channel Observatory"),
        "School of Mathematics": ("Institute for the Number 1728",),
    },
    "Faculty of Medicine": {
        "School of Surgery": ("Arrow Wounds Unit",),
        "School of Nutrition": ("One Meal for 1728 Project", "Cheese and Wine Trials Unit"),
        "School of Public Health": (),
    },
    "Faculty of Law and Peace": {
        "School of Egg Breaking Law": ("Big-Endian Studies Centre", "Small-Endian Studies Centre"),
        "School of Naval Strategy": ("Department of Blefuscu Relations",),
    },
    "Lilliput Urban Cities Research Centre": {},
}
TOPICS = (
    *("breaking eggs at the smaller end", "breaking eggs at the bigger end", "the feeding of very large guests"),
    *("rope dancing", "miniature cattle", "the towing of fleets", "arrow wounds", "a language of twelve vowels"),
    *("the height of heels", "the upkeep of man-mountains", "sleep under open skies", "cities of five hundred feet"),
    *("tides of the channel", "ingratitude as a crime", "the education of children by the state", "silk threads"),
)
HEADERS = ("Author", "Department", "DOI", "PMID", "arXiv", "Handle", "ISBN", "NCT ID", "Title", "Year")
OUTPUTS = 800
AUTHORS = 240
SEPARATE_ROWS = 24  # of a hundred outputs: authors of different departments, each in a row of their own
# Which identifiers an output has, in shares of a hundred.
IDENTIFIERS: Mapping[tuple[str, ...], int] = {
    ("DOI",): 44,
    ("DOI", "PMID"): 24,
    ("DOI", "arXiv"): 7,
    ("DOI", "Handle"): 4,
    ("PMID",): 5,
    ("arXiv",): 4,
    ("Handle",): 4,
    ("ISBN",): 5,
    ("DOI", "ISBN"): 1,
    ("DOI", "PMID", "NCT ID"): 2,
}


@dataclass(frozen=True, slots=True)
class Member:
    """An author and the department that they work in."""

    name: str
    department: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the publications file; ``cells`` are those behind Author and Department, by header."""

    authors: tuple[str, ...]
    departments: tuple[str, ...]
    cells: Mapping[str, str] = field(default_factory=dict)

    def line(self) -> list[str]:
        """The cells in the order of the headers."""
        return [
            "; ".join(self.authors),
            "; ".join(self.departments),
            *(self.cells.get(name, "") for name in HEADERS[2:]),
        ]

    def having(self, **cells: str) -> Row:
        """The same row with other cells."""
        return replace(self, cells={**self.cells, **cells})


def departments() -> list[str]:
    """Every department's name, faculties first within each branch."""
    return [
        name
        for faculty, schools in TREE.items()
        for name in (faculty, *(name for school, groups in schools.items() for name in (school, *groups)))
    ]


def hierarchy() -> str:
    """The hierarchy file: a row for each leaf."""
    rows = [
        (UNIVERSITY, faculty, school, group)
        for faculty, schools in TREE.items()
        for school, groups in (schools.items() or {"": ()}.items())
        for group in (groups or ("",))
    ]
    return _as_csv([("Top Level", "Level 1", "Level 2", "Level 3"), *rows])


def publications(seed: str = SEED) -> str:
    """The publications file: about a thousand rows of eight hundred outputs, flaws included."""
    random = Random(seed)
    rows = list(_sound(random))
    for flaw, count in FLAWS.items():
        for place in _places(random, rows, flaw, count):
            rows[place] = flaw(rows[place])
    repeated = random.randrange(len(rows) - 40)
    rows.insert(repeated + 30, rows[repeated])
    return _as_csv([HEADERS, *(row.line() for row in rows)])


def _sound(random: Random) -> Iterator[Row]:
    """Rows without a flaw, all rows of an output one after the other."""
    places = departments()
    members = [Member(person.name, random.choice(places)) for person in invented.people(random, AUTHORS)]
    colleagues = {place: [member for member in members if member.department == place] for place in places}
    kinds = [kind for kind, share in IDENTIFIERS.items() for _ in range(share * OUTPUTS // 100)]
    random.shuffle(kinds)
    seen: set[str] = set()
    for serial, kind in enumerate(kinds, 1):
        cells = {name: _identifier(name, serial) for name in kind}
        cells |= {"Title": invented.title(random, TOPICS, seen), "Year": str(random.randint(2009, 2025))}
        first = random.choice(members)
        if random.randrange(100) < SEPARATE_ROWS:
            others = random.sample([other for other in members if other != first], random.choice((1, 1, 1, 2)))
            yield from (Row((member.name,), (member.department,), cells) for member in (first, *others))
            continue
        team = random.sample(colleagues[first.department], min(len(colleagues[first.department]), random.randint(1, 3)))
        names = tuple(dict.fromkeys([first.name, *(member.name for member in team)]))
        own: tuple[str, ...] = (first.department,)
        if random.random() < 0.08:  # work done for two departments
            own = tuple(dict.fromkeys([*own, random.choice(places)]))
        yield Row(names, own, cells)


def _identifier(name: str, serial: int) -> str:
    makers: Mapping[str, Callable[[int], str]] = {
        "DOI": lambda serial: invented.doi("lilliput", serial),
        "PMID": invented.pmid,
        "arXiv": invented.arxiv,
        "Handle": invented.handle,
        "ISBN": invented.isbn,
        "NCT ID": invented.trial,
    }
    return makers[name](serial)


def _places(random: Random, rows: Sequence[Row], flaw: Callable[[Row], Row], count: int) -> list[int]:
    """Rows that a flaw fits: sound ones that it would change, with a DOI, of outputs that stand in one row."""
    titles = Counter(row.cells["Title"] for row in rows)
    fitting = (place for place, row in enumerate(rows) if titles[row.cells["Title"]] == 1 and _is_sound(row))
    return random.sample([place for place in fitting if flaw(rows[place]) != rows[place]], count)


def _is_sound(row: Row) -> bool:
    identifiers = (row.cells.get("DOI", ""), row.cells.get("PMID", "0"))
    whole = identifiers[0].startswith("10.5555/") and "(" not in identifiers[0] and identifiers[1].isdigit()
    return whole and bool(row.authors) and set(row.departments) <= set(departments())


def _change(name: str, change: Callable[[str], str]) -> Callable[[Row], Row]:
    return lambda row: row.having(**{name: change(row.cells[name])}) if name in row.cells else row


def _without_identifier(row: Row) -> Row:
    return replace(row, cells={name: row.cells[name] for name in ("Title", "Year")})


def _in_an_unknown_department(row: Row) -> Row:
    return replace(row, departments=("School of Alchemy",))


def _department_in_capitals(row: Row) -> Row:
    return replace(row, departments=tuple(name.upper() for name in row.departments))


def _without_author(row: Row) -> Row:
    return replace(row, authors=())


# What is wrong, and in how many rows.
FLAWS: Mapping[Callable[[Row], Row], int] = {
    _change("PMID", lambda pmid: f"{pmid}.0"): 6,  # the column was a number for a while
    _change("PMID", lambda pmid: f"{int(pmid):.5E}"): 2,  # digits are gone
    _change("DOI", lambda doi: f" {doi} "): 8,
    _change("DOI", lambda doi: f"https://doi.org/{doi}"): 40,  # copied from the browser
    _change("DOI", lambda doi: f"doi:{doi}"): 10,
    _change("DOI", lambda doi: f"http://dx.doi.org/ {doi}"): 2,
    _change("DOI", lambda doi: f"{doi} (accepted)"): 2,
    _change("DOI", lambda _: "in press"): 1,
    _without_identifier: 4,
    _in_an_unknown_department: 2,
    _department_in_capitals: 3,
    _without_author: 3,
}


def _as_csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def main() -> int:
    """Writes both files."""
    parser = argparse.ArgumentParser(prog="python -m simulators.lilliput", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    (folder / PUBLICATIONS).write_bytes(publications().encode())
    (folder / HIERARCHY).write_bytes(hierarchy().encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
