"""The repository of the Brobdingnag Institute: 2,000 records on 20 pages, and how it moves on between two demos.

The shares below are exact, not chances, so that counts can be foreseen; which record gets what is drawn from a seed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from simulators import invented
from simulators.repository import Clock, Creator, Document, Flaw, Heading, Item, View, World, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SEED = "Grildrig"
NAME = "Brobdingnag Institute Repository"
HOST = "repository.brobdingnag.example"
MAIL_DOMAIN = "brobdingnag.example"

# faculty, school, group; the id of each begins with its parent's. One group has two parents, one a label with ": ".
DIVISIONS: tuple[Heading, ...] = (
    Heading("agri", "Faculty of Agriculture"),
    Heading("agri_crops", "School of Crop Science", ("agri",)),
    Heading("agri_crops_wheat", "Giant Wheat Group", ("agri_crops",)),
    Heading("agri_crops_orchard", "Orchard and Hedgerow Group", ("agri_crops",)),
    Heading("agri_animals", "School of Animal Husbandry", ("agri",)),
    Heading("agri_animals_bees", "Apiary Research Unit", ("agri_animals",)),
    Heading("agri_animals_rats", "Rat and Mastiff Unit", ("agri_animals",)),
    Heading("sci", "Faculty of Natural Philosophy"),
    Heading("sci_bio", "School of Biology", ("sci",)),
    Heading("sci_bio_scale", "Laboratory of Scale and Proportion", ("sci_bio",)),
    Heading("sci_bio_splacnucks", "Splacknuck Ecology Group", ("sci_bio",)),
    Heading("sci_phys", "School of Physics", ("sci",)),
    Heading("sci_phys_theory", "Physics: Theory and Practice", ("sci_phys",)),
    Heading("sci_phys_optics", "Burning Glass Laboratory", ("sci_phys",)),
    Heading("sci_maths", "School of Mathematics", ("sci",)),
    Heading("stature", "Centre for Comparative Stature", ("sci_bio", "med_anat")),
    Heading("eng", "Faculty of Engineering"),
    Heading("eng_civil", "School of Civil Engineering", ("eng",)),
    Heading("eng_civil_bridges", "Bridges and Causeways Group", ("eng_civil",)),
    Heading("eng_civil_palace", "Palace Foundations Group", ("eng_civil",)),
    Heading("eng_small", "School of Small Instruments", ("eng",)),
    Heading("eng_small_boxes", "Travelling Box Laboratory", ("eng_small",)),
    Heading("med", "Faculty of Medicine & Surgery"),
    Heading("med_anat", "School of Anatomy", ("med",)),
    Heading("med_anat_corns", "Corns and Bunions Clinic", ("med_anat",)),
    Heading("med_public", "School of Public Health", ("med",)),
    Heading("med_public_wasps", "Wasp Sting Registry", ("med_public",)),
    Heading("arts", "Faculty of Arts and Letters"),
    Heading("arts_lang", "School of Languages", ("arts",)),
    Heading("arts_lang_travel", "Travellers' Tales Archive", ("arts_lang",)),
    Heading("arts_music", "School of Music", ("arts",)),
    Heading("arts_music_spinet", "Sixty-Foot Spinet Ensemble", ("arts_music",)),
    Heading("law", "Faculty of Law & Government"),
    Heading("law_short", "School of Short Statutes", ("law",)),
    Heading("law_short_words", "Twenty-Two Letters Group", ("law_short",)),
    Heading("law_war", "School of Peace Studies", ("law",)),
    Heading("law_war_powder", "Gunpowder Refusal Project", ("law_war",)),
    Heading("library", "University Library"),  # on its own, without schools, and without a record
)
EMPTY = {"library"}

TOPICS: Mapping[str, tuple[str, ...]] = {
    "agri": (
        *(
            "giant wheat",
            "the pollination of forty-foot orchards",
            "hedgerows of uncommon height",
            "honey by the barrel",
        ),
        *("rats of the size of mastiffs", "soil compaction by large farmers", "hailstones and harvests"),
    ),
    "sci": (
        *("the square-cube law", "splacknuck populations", "the anatomy of small visitors", "lunar tides in puddles"),
        *("refraction in very large lenses", "prime numbers of great length", "the growth of sea monsters"),
    ),
    "eng": (
        *(
            "causeways for heavy traffic",
            "the design of travelling boxes",
            "ring bolts under load",
            "palace foundations",
        ),
        *("clockwork for small hands", "the lifting of boats by eagles", "timber spans above a hundred feet"),
    ),
    "med": (
        *("corns and their removal", "wasp stings", "complexion seen from close by", "comparative stature"),
        *("falls from great heights", "the diet of small patients", "the pulse of the very large"),
    ),
    "arts": (
        *("travellers' tales", "translations from the Laputan", "the sixty-foot spinet", "the art of the miniature"),
        *("court dialects", "lullabies for the very small", "libraries with ladders"),
    ),
    "law": (
        *("statutes of twenty-two words", "the refusal of gunpowder", "the rights of visitors", "standing armies"),
        *("the taxation of market shows", "small claims", "the privileges of the Queen's household"),
    ),
}
SUBJECTS: tuple[Heading, ...] = (
    Heading("Q", "Q Science"),
    Heading("QA", "QA Mathematics", ("Q",)),
    Heading("QC", "QC Physics", ("Q",)),
    Heading("QH", "QH Natural history", ("Q",)),
    Heading("R", "R Medicine"),
    Heading("S", "S Agriculture"),
    Heading("T", "T Technology"),
    Heading("P", "P Language and Literature"),
    Heading("K", "K Law"),
)
SUBJECTS_OF = {"agri": "S", "sci": "QH", "eng": "T", "med": "R", "arts": "P", "law": "K"}
TYPES: Mapping[str, tuple[str, int]] = {  # id: label, share of a hundred
    "article": ("Article", 60),
    "book_section": ("Book Section", 9),
    "conference_item": ("Conference or Workshop Item", 14),
    "book": ("Book", 5),
    "thesis": ("Thesis", 8),
    "monograph": ("Monograph", 4),
}
STATUS: Mapping[str, tuple[str, int]] = {
    "pub": ("Published", 88),
    "inpress": ("In Press", 6),
    "submitted": ("Submitted", 2),
    "unpub": ("Unpublished", 4),
}
# Where an item's identifiers stand, in shares of a hundred. "bare", "url": a DOI in id_number, official_url.
IDENTIFIERS: Mapping[str, int] = {
    "bare": 38,
    "bare_and_url": 11,
    "url": 9,
    "bare_with_dot": 1,  # a full stop that does not belong to it
    "bare_and_publisher": 4,  # with an official_url that identifies nothing
    "cited_doi": 5,
    "cited_isbn": 5,
    "handle": 3,
    "arxiv": 2,
    "pmid": 1,
    "urn": 1,
    "none": 15,
    "none_but_issn": 3,
    "none_but_publisher": 2,
}
FLAWS: tuple[Flaw, ...] = (
    "control_character",
    "raw_ampersand",
    "undeclared_entity",
    "latin_1_byte",
    "cut_off",
    "no_metadata",
    "no_metadata",
)
DELETED_SHARE, STAFF_SHARE = 2, 16  # of a hundred records
MOST_PEOPLE = 5000  # names run out

VIEWS = (
    View("status", "Status", tuple(Heading(id_, label) for id_, (label, _) in STATUS.items())),
    View("subjects", "Subject", SUBJECTS),
    View("divisions", "Division", DIVISIONS),
    View("types", "Item Type", tuple(Heading(id_, label) for id_, (label, _) in TYPES.items())),
)


def brobdingnag(clock: Clock | None = None, *, records: int = 2000, flaws: bool = True, seed: str = SEED) -> World:
    """The repository with ``records`` records, a fiftieth of them deleted; ``flaws``: seven live ones are broken."""
    random = Random(f"{seed}-{records}")
    staff = invented.people(random, min(max(8, records * STAFF_SHARE // 100), MOST_PEOPLE))
    guests = invented.people(random, min(max(8, records // 4), MOST_PEOPLE), first_serial=1_000_001)
    writer = _Writer(random, staff, guests)
    drawn = zip(_numbers(random, records), _kinds(random, records), strict=True)
    items = [writer.item(number, kind) for number, kind in drawn]
    for place in random.sample(range(len(items)), records * DELETED_SHARE // 100):
        items[place] = replace(items[place], state="deletion")
    if flaws:
        # all of them have a DOI, so that who mends the page gets an output
        sound = [place for place, item in enumerate(items) if item.state == "archive" and item.cited_doi]
        for flaw, place in zip(FLAWS, random.sample(sound, len(FLAWS)), strict=True):
            items[place] = replace(items[place], flaw=flaw)
    return World(NAME, HOST, VIEWS, items, clock)


def move_on(world: World, step: int, at: datetime, seed: str = SEED) -> None:
    """What happens between two demos: twelve revisions, three deletions, two items back to review, five new ones."""
    random = Random(f"{seed}-step-{step}")
    live = [item.number for item in world if item.state == "archive" and item.flaw is None]
    chosen = random.sample(live, 17)
    for number in chosen[:12]:
        item = world.get(number)
        if item is not None:
            world.edit(number, at, title=f"{item.title} (revised)")
    for number in chosen[12:15]:
        world.delete(number, at)
    for number in chosen[15:]:
        world.hide(number, at)
    staff = invented.people(random, 6, first_serial=2_000_000 + 100 * step)
    writer = _Writer(random, staff, staff)
    last = max(item.number for item in world)
    for number in range(last + 1, last + 6):
        world.add(replace(writer.item(number, "bare"), datestamp=""), at)


class _Writer:
    """Makes items, one after the other, from one stream of chance."""

    def __init__(self, random: Random, staff: Sequence[invented.Person], guests: Sequence[invented.Person]) -> None:
        self.random = random
        self.staff = staff
        self.guests = guests
        self.seen: set[str] = set()

    def item(self, number: int, kind: str) -> Item:
        """An item whose identifiers stand where ``kind`` says."""
        random = self.random
        faculty = random.choice(list(TOPICS))
        topics = TOPICS[faculty]
        type_ = "book" if kind == "cited_isbn" else _drawn(random, TYPES)
        serial = bool(type_ in {"article", "conference_item"})
        title = invented.title(random, topics, self.seen)
        if random.random() < 0.03:  # typed into a form that wraps lines
            title = title.replace(" ", "\r\n", 2).replace("\r\n", " ", 1)
        plain = Item(
            number=number,
            title=title,
            creators=tuple(self._creators()),
            contributors=(random.choice(self.guests).name,) if type_ == "book_section" else (),
            filed={
                "status": (_drawn(random, STATUS),),
                "subjects": (SUBJECTS_OF[faculty],),
                "divisions": self._divisions(faculty),
                "types": (type_,),
            },
            subjects=tuple(heading.label for heading in SUBJECTS if heading.id == SUBJECTS_OF[faculty]),
            abstract=invented.abstract(random, topics) if random.random() < 0.6 else None,
            publisher=random.choice(invented.PUBLISHERS) if type_ != "thesis" else None,
            date=self._date(),
            type=TYPES[type_][0],
            refereed=serial and random.random() < 0.8,
            documents=tuple(self._documents(number)),
            publication=f"{random.choice(invented.JOURNALS)}, {random.randint(1, 60)} ({random.randint(1, 12)})"
            if serial
            else None,
            issn=invented.issn(random.randint(1, 40))
            if serial and kind.startswith(("bare", "none_but_issn"))
            else None,
        )
        moment = datetime(2023, 1, 9, tzinfo=UTC) + timedelta(seconds=random.randrange(3 * 365 * 86400))
        return replace(plain, **self._identifiers(number, kind), datestamp=stamp(moment))

    def _identifiers(self, number: int, kind: str) -> dict[str, Any]:
        doi = invented.doi("brobdingnag", number)
        url = f"https://doi.org/{doi}" if number % 3 else f"http://dx.doi.org/{doi}"
        publisher = f"http://www.lagado-academic.example/view/{number}"
        found: dict[str, Any] = {
            "bare": {"id_number": doi},
            "bare_and_url": {"id_number": doi, "official_url": url},
            "url": {"official_url": url},
            "bare_with_dot": {"id_number": f"{doi}."},
            "bare_and_publisher": {"id_number": doi, "official_url": publisher},
            "cited_doi": {"cited_doi": doi},
            "cited_isbn": {"isbn": invented.isbn(number)},
            "handle": {"official_url": f"http://hdl.handle.net/{invented.handle(number)}"},
            "arxiv": {"official_url": f"https://arxiv.org/abs/{invented.arxiv(number)}"},
            "pmid": {"id_number": f"PMID: {invented.pmid(number)}"},
            "urn": {"id_number": invented.urn(number)},
            "none_but_issn": {"issn": invented.issn(number % 40 + 1)},
            "none_but_publisher": {"official_url": publisher},
        }.get(kind, {})
        if kind.startswith("bare") and number % 2:
            found["cited_doi"] = doi
        return found

    def _creators(self) -> Iterator[Creator]:
        """One to three of the staff with an id, up to three guests without; one work in forty is all guests' own."""
        random = self.random
        own = 0 if random.random() < 0.025 else random.choice((1, 1, 1, 2, 2, 3))
        creators = [self._credit(person) for person in random.sample(self.staff, own)]
        guests = random.sample(self.guests, random.choice((0, 0, 1, 1, 2, 3)) or (0 if own else 1))
        creators += [Creator(person.name, "" if random.random() < 0.05 else None) for person in guests]
        random.shuffle(creators)
        yield from creators

    def _credit(self, person: invented.Person) -> Creator:
        """One of the staff: half have a local id, three in ten an ORCID iD, the rest an address; spelt in many ways."""
        random = self.random
        name = person.short_name if random.random() < 0.15 else person.name
        which = person.serial % 10
        if which < 5:
            id_ = str(1000 + person.serial)
            spellings = (id_, id_, id_, id_, f" {id_} ")
        elif which < 8:
            id_ = person.orcid
            spellings = (id_, f"https://orcid.org/{id_}", f"http://orcid.org/{id_}", id_.lower(), f"orcid.org/{id_}")
        else:
            id_ = person.mail(MAIL_DOMAIN)
            spellings = (id_, id_, id_.upper(), f" {id_.capitalize()} ", id_)
        return Creator(name, random.choice(spellings))

    def _divisions(self, faculty: str) -> tuple[str, ...]:
        """One division of the faculty, mostly a group; at times a second one, anywhere, or one that was abolished."""
        random = self.random
        own = [heading.id for heading in DIVISIONS if heading.id.startswith(faculty)]
        groups = [id_ for id_ in own if id_.count("_") == 2] + (["stature"] if faculty in {"sci", "med"} else [])
        found = [random.choice(groups if random.random() < 0.8 else own)]
        if random.random() < 0.12:
            found.append(random.choice([heading.id for heading in DIVISIONS if heading.id not in EMPTY]))
        if random.random() < 0.01:
            found.append("alchemy")  # no longer a division; headers leave it out
        if random.random() < 0.02:
            found = []
        return tuple(dict.fromkeys(found))

    def _date(self) -> str | None:
        random = self.random
        year, month = random.randint(1998, 2025), random.randint(1, 12)
        forms = (
            f"{year}",
            f"{year}-{month:02d}",
            f"{year}-{month:02d}-{random.randint(1, 28):02d}",
            f"{year}-00",
            None,
        )
        return random.choices(forms, (40, 30, 26, 2, 2))[0]

    def _documents(self, number: int) -> Iterator[Document]:
        random = self.random
        for place in range(random.choices((0, 1, 2), (40, 50, 10))[0]):
            rights = random.choice(("cc_by_4", "cc_by_nc_nd_4", None))
            yield Document(
                f"Item {number} {'paper' if not place else 'data'}.pdf", random.choice(("text", "other")), rights
            )


def _numbers(random: Random, count: int) -> Iterator[int]:
    """Eprint numbers: rising, with gaps."""
    number = 100
    for _ in range(count):
        number += random.choice((1, 1, 1, 2, 5))
        yield number


def _kinds(random: Random, count: int) -> list[str]:
    """What each item's identifiers are: exact shares, in mixed order."""
    kinds = [kind for kind, share in IDENTIFIERS.items() for _ in range(share * count // 100)]
    kinds += ["bare"] * (count - len(kinds))
    random.shuffle(kinds)
    return kinds


def _drawn(random: Random, shares: Mapping[str, tuple[str, int]]) -> str:
    return random.choices(list(shares), [share for _, share in shares.values()])[0]
