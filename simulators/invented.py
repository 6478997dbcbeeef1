"""An invented world in the spirit of Swift: people, titles, and identifiers that nobody holds.

Identifiers are well formed, with right check digits, and lie in ranges that are reserved or not assigned: DOI prefix
10.5555, ORCID iDs from 0000-0090-…, ISBN 978-0-00-…, PMIDs above 99,000,000, arXiv numbers above 90,000 in a month.
Everything is a function of a serial number or of a seeded ``random.Random``: the same seed gives the same world.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

# Family names are put together, so that nobody has them; given names are ordinary, so that they read well.
FAMILY_HEADS = (
    *("Glum", "Flim", "Skyr", "Lind", "Mun", "Lug", "Bal", "Tram", "Slam", "Quin", "Hek", "Drun", "Cle", "Frel", "Gul"),
    *("Pol", "Splack", "Nar", "Mend", "Grild", "Lor", "Bruh", "Tolg", "Yah", "Houy", "Ström", "Łag", "Blef"),
)
FAMILY_TAILS = (
    *("nap", "dalclitch", "resal", "bolgol", "ecksan", "frig", "nagg", "puda", "mak", "tock", "wick", "strug", "drib"),
    *("ligan", "odi", "bulgrud", "cuscu", "munter"),
)
FAMILY_PARTICLES = ("", "", "", "", "", "", "", "", "", "van der ", "O'", "de ")
GIVEN_NAMES = (
    *("Tobias", "Wilhelmina", "Ambrose", "Clementine", "Barnaby", "Eudora", "Casimir", "Fenella", "Dorothea", "Gideon"),
    *("Hedwig", "Ignatius", "Jocasta", "Konrad", "Leopoldine", "Magnus", "Nerissa", "Octavia", "Phineas", "Quentin"),
    *("Rosalind", "Septimus", "Theodora", "Ulrich", "Verena", "Winifred", "Xaver", "Yseult", "Zebedee", "Åsa", "Zoë"),
    *("José", "Łucja", "Søren", "Mary Ann", "Jean-Luc"),
)
PLACES = (
    *("Lilliput", "Brobdingnag", "Laputa", "Balnibarbi", "Luggnagg", "Glubbdubdrib", "Blefuscu", "Lagado", "Mildendo"),
    *("Lorbrulgrud", "Maldonada", "the Kingdom of Tribnia"),
)
JOURNALS = (
    *("Journal of Comparative Stature", "Annals of the Academy of Lagado", "Proceedings of the Flying Island Society"),
    *("Mildendo Review of Law and Letters", "Transactions on Outsized Engineering", "Brobdingnag Medical Gazette"),
    *("The Big-Endian Quarterly", "Acta Agraria Brobdingnagica", "Letters in Natural Philosophy"),
)
PUBLISHERS = ("Lagado Academic", "Mildendo University Press", "Flestrin & Sons", "The Projectors' Press")

TEMPLATES = (
    "On {topic}",
    "On {topic} in {place}",
    "{topic}: {study} from {place}",
    "{approach} {topic}",
    "{approach} {topic} in {place}",
    "What {place} can teach us about {topic}",
    "{topic} and {other}: {study}",
    "From {topic} to {other}",
    "{approach} {topic}: {study}",
    "Rethinking {topic}: lessons from {place}",
)
APPROACHES = (
    *("Measuring", "Modelling", "A new look at", "Towards a theory of", "The economics of", "Three essays on"),
    *("A field guide to", "Early evidence on", "Notes on", "Understanding", "The limits of"),
)
STUDIES = (
    *("a cohort study", "a cross-sectional survey", "a longitudinal study", "a case study", "an experiment"),
    *("a systematic review", "a comparative analysis", "preliminary results", "a reply to the Projectors"),
)
ABSTRACT_SENTENCES = (
    "We examine {topic} in {place} over a period of {years} years.",
    "Little has been written about {topic}, although {place} has known it since the first voyage.",
    "The sample counts {number} subjects, each measured with the Emperor's own rod.",
    "Results differ by a factor of {factor} from those obtained in {place}.",
    "We conclude that {topic} deserves a place of its own in the curriculum.",
    "A commission of the Academy of Lagado has asked for a second opinion; we give it in an appendix.",
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who writes; ``serial`` makes their identifiers."""

    serial: int
    family: str
    given: str

    @property
    def name(self) -> str:
        """Family name first: ``Flimnap, Eudora``."""
        return f"{self.family}, {self.given}"

    @property
    def short_name(self) -> str:
        """With initials only: ``Flimnap, E.``."""
        initials = " ".join(f"{part[0]}." for part in self.given.replace("-", " ").split())
        return f"{self.family}, {initials}"

    @property
    def orcid(self) -> str:
        """An ORCID iD in an unassigned range."""
        return orcid(self.serial)

    def mail(self, domain: str) -> str:
        """An address at an example domain, made of the name and, against doubles, the serial number."""
        local = f"{self.given}.{self.family}".lower().replace("ł", "l").replace("ø", "o")
        ascii_only = unicodedata.normalize("NFKD", local).encode("ascii", "ignore").decode()
        kept = "".join(letter for letter in ascii_only if letter.isalnum() or letter == ".")
        return f"{kept}{self.serial}@{domain}"


def people(random: Random, count: int, *, first_serial: int = 1) -> list[Person]:
    """``count`` people, no two of the same name."""
    found: dict[tuple[str, str], Person] = {}
    while len(found) < count:
        family = random.choice(FAMILY_HEADS) + random.choice(FAMILY_TAILS)
        family = random.choice(FAMILY_PARTICLES) + family
        given = random.choice(GIVEN_NAMES)
        found.setdefault((family, given), Person(first_serial + len(found), family, given))
    return list(found.values())


def title(random: Random, topics: tuple[str, ...], seen: set[str]) -> str:
    """A title that reads well, about one or two of the topics; a new one as long as new ones are easily found."""
    text = ""
    for _ in range(8):
        topic, other = random.sample(topics, 2)
        text = random.choice(TEMPLATES).format(
            topic=topic,
            other=other,
            place=random.choice(PLACES),
            approach=random.choice(APPROACHES),
            study=random.choice(STUDIES),
        )
        text = text[0].upper() + text[1:]
        if text not in seen:
            break
    seen.add(text)
    return text


def abstract(random: Random, topics: tuple[str, ...]) -> str:
    """A few sentences about one of the topics."""
    facts = {
        "topic": random.choice(topics),
        "place": random.choice(PLACES),
        "years": random.randint(2, 40),
        "number": random.randint(12, 1728),
        "factor": random.choice((12, 144, 1728)),
    }
    return " ".join(sentence.format(**facts) for sentence in random.sample(ABSTRACT_SENTENCES, random.randint(2, 4)))


def orcid(serial: int) -> str:
    """An ORCID iD from 0000-0090-…, check digit by ISO 7064 MOD 11-2."""
    digits = f"00000090{serial:07d}"
    total = 0
    for digit in digits:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    whole = digits + ("X" if check == 10 else str(check))
    return "-".join(whole[start : start + 4] for start in range(0, 16, 4))


def isbn(serial: int) -> str:
    """An ISBN of thirteen digits, written with hyphens: ``978-0-00-000020-0``."""
    digits = f"978000{serial:06d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"978-0-00-{serial:06d}-{-total % 10}"


def issn(serial: int) -> str:
    """An ISSN from 9999-…: ``9999-0016``."""
    digits = f"9999{serial:03d}"
    check = -sum(int(digit) * weight for digit, weight in zip(digits, range(8, 1, -1), strict=True)) % 11
    return f"{digits[:4]}-{digits[4:]}{'X' if check == 10 else check}"


def doi(name: str, serial: int) -> str:
    """A DOI of the prefix that is kept for examples."""
    return f"10.5555/{name}.{serial}"


def pmid(serial: int) -> str:
    """A PubMed id far above those that are given."""
    return str(99_000_000 + serial)


def arxiv(serial: int) -> str:
    """An arXiv id with a number that no month has reached."""
    return f"{15 + serial % 10:02d}{1 + serial % 12:02d}.{90_000 + serial:05d}"


def handle(serial: int) -> str:
    """A handle of a prefix that is not given."""
    return f"20.500.99999/{serial}"


def urn(serial: int) -> str:
    """A national bibliography number of no nation."""
    return f"urn:nbn:xx:laputa-{serial}"


def trial(serial: int) -> str:
    """A ClinicalTrials.gov id far above those that are given."""
    return f"NCT{99_000_000 + serial}"
