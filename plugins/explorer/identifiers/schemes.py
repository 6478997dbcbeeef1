"""The ten schemes as data: what one looks like, what may stand around it, which sentences say what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import regex

from explorer.identifiers.patterns import (
    ADS,
    ARXIV,
    DOI,
    HANDLE,
    ISBN,
    ISSN_URN,
    NCT,
    PMID,
    REPEC,
    SEPARATOR,
    URI,
    URN,
    Found,
    isbn_as,
    outside_dois,
    read_ads,
    read_arxiv,
    read_doi,
    read_handle,
    read_isbn,
    read_nct,
    read_pmid,
    read_repec,
    read_uri,
    read_urn,
)
from explorer.identifiers.texts import CONTROL, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEMES: tuple[str, ...] = ("doi", "pmid", "arxiv", "ads", "nct_id", "repec", "handle", "urn", "isbn", "uri")
ONE_VALUE_SCHEMES: tuple[str, ...] = ("doi", "pmid", "arxiv", "ads", "nct_id")  # an output has one of each at most
LABELS: dict[str, str] = {
    "doi": "DOI",
    "pmid": "PubMed ID",
    "arxiv": "arXiv ID",
    "ads": "ADS Bibcode",
    "nct_id": "NCT ID",
    "repec": "RePEc ID",
    "handle": "Handle",
    "urn": "URN",
    "isbn": "ISBN",
    "uri": "URI",
}


@dataclass(frozen=True, slots=True)
class Scheme:
    """A scheme as data; ``read`` turns a match of ``pattern`` into an identifier, or None."""

    name: str
    form: str  # what one looks like, to end a sentence with
    pattern: regex.Pattern[str]
    read: Callable[[regex.Match[str], Text], Found | None]
    around: regex.Pattern[str]  # what may stand around one in a cell
    signs: tuple[str, ...]  # in lower case: without any of them a text has none that is beyond doubt
    doubts: tuple[tuple[regex.Pattern[str], str], ...] = ()  # value -> why it is implausible, though well formed
    mistakes: tuple[tuple[regex.Pattern[str], str], ...] = ()  # cell -> what is wrong with it, and what to do
    outside_dois: bool = True  # what a DOI holds is none of its own
    ordinary: regex.Pattern[str] | None = None  # ways of writing that are not worth a note


def found_in(scheme: Scheme, context: Text) -> Iterator[Found]:
    """The identifiers of one scheme in a text, in order."""
    if scheme.outside_dois and "10." in context.text:
        if scheme.name == "isbn":
            yield from isbn_as(context.text)
        context = outside_dois(context)
    for match in scheme.pattern.finditer(context.text):
        found = scheme.read(match, context)
        if found is not None and not CONTROL.search(found.value):
            yield found


def _around(words: str) -> regex.Pattern[str]:
    """White space, punctuation, simple markup and the words that may stand around an identifier in a cell."""
    return regex.compile(
        rf"(?:(?i:{words}|https?:|www\.(?=\S))(?!\p{{L}})|</?[A-Za-z]{{1,6}}\s?/?>|[\p{{P}}\p{{Z}}\p{{Cf}}\s<>|=`])*+"
    )


MONTH = re.compile(r"[0-9]{2}(?:0[1-9]|1[0-2])\.")
_NOT_A_NUMBER = (
    (
        regex.compile(r"[0-9](?:[.,][0-9]+)?[eE][+-]?[0-9]+"),
        (
            "A spreadsheet program turned the number into scientific notation, and its last digits are lost. Format the "
            "column as text and fill in the whole number again."
        ),
    ),
)

BY_NAME: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme(
            "doi",
            "begins with “10.”, four to nine digits and a slash, such as 10.5555/12345678",
            DOI,
            read_doi,
            _around(
                r"(?:dx[.-])?doi[.-]org(?:[.-][\w.-]*\w)?|hdl\.handle\.net|info:doi|doi(?:\s?(?:name|number|link))?"
                r"|digital object identifier|crossref"
            ),
            signs=("10.",),
            doubts=(
                (
                    regex.compile(r".*[\xad\u200b\u200e\u200f\u2060\ufeff]", regex.DOTALL),
                    "An invisible character stands inside. Type the DOI again.",
                ),
                (regex.compile(r"10\.0"), "No registrant's number begins with 0. Check the DOI."),
            ),
            mistakes=(
                (regex.compile(r"\D*10\.[0-9]{4,9}/\s+\S"), "There is a blank behind the slash. Take it out."),
                (regex.compile(r"\D*10\.[0-9]{4,9}/?\p{P}*$"), "It ends before its suffix. Fill in the whole DOI."),
                (
                    regex.compile(r"\D*10\.[0-9]{4,9}(?:/|%2[Ff])\S*%"),
                    "It is percent-encoded more than once, or wrongly.",
                ),
            ),
            outside_dois=False,
        ),
        Scheme(
            "pmid",
            "is a number of up to eight digits, such as 12345678",
            PMID,
            read_pmid,
            _around(r"(?:pmid|pubmed|medline)(?:\s?id)?|info"),
            signs=("pmid", "pubmed", "europepmc"),
            doubts=((regex.compile(r"[0-9]{9}"), "PubMed IDs have no more than eight digits yet. Check it."),),
            mistakes=(
                *_NOT_A_NUMBER,
                (
                    regex.compile(r"\p{P}*0+(?:[.,]0+)?\p{P}*"),
                    "Zero is no PubMed ID. Leave the cell empty if there is none.",
                ),
                (regex.compile(r"[\p{Pd}\u2212+]\s*[0-9]|.*%$"), "A PubMed ID has no sign."),
                (
                    regex.compile(r"(?i)(?:pmcid:?\s*)?pmc\s?[0-9]"),
                    "This is a PubMed Central ID. Give the PubMed ID instead.",
                ),
            ),
        ),
        Scheme(
            "arxiv",
            "is four digits, a point and four or five digits, such as 2101.00001, or older, such as math.GT/0309136",
            ARXIV,
            read_arxiv,
            _around(
                r"(?:[a-z]+\.)?arxiv\.org|arxiv(?:\s?id)?|abs|pdf|preprint|e-?print|info|\[[a-z-]+(?:\.[a-z-]+)?\]"
            ),
            signs=("arxiv",),
            doubts=(
                (
                    regex.compile(r"[0-9]{2}(?:00|1[3-9]|[2-9][0-9])\."),
                    "Its third and fourth digit are a month, and there is no such month. Check it.",
                ),
            ),
            mistakes=(
                (
                    regex.compile(r"(?i)(?:arxiv:)?\s*[0-9]{4}\.(?:[0-9]{1,3}|[0-9]{6,})(?:v[0-9]+)?$"),
                    (
                        "Behind the point an arXiv ID has four or five digits. If it ended in zeros, a spreadsheet program may "
                        "have cut them: format the column as text."
                    ),
                ),
                (
                    regex.compile(r"(?i)(?:arxiv:)?\s*[a-z.-]+/[0-9]{2}(?!0[1-9]|1[0-2])[0-9]{5}(?:v[0-9]+)?$"),
                    "Its third and fourth digit are a month, and there is no such month.",
                ),
            ),
        ),
        Scheme(
            "ads",
            "has 19 characters, such as 2024Lilli..12..345G, and does not end with a point",
            ADS,
            read_ads,
            _around(r"(?:[a-z]+\.)?adsabs\.harvard\.edu|#?abs|full|pdf|abstract|(?:ads\s?)?bibcode|ads"),
            signs=("adsabs", "bibcode", ".."),
            doubts=((regex.compile(r"(?!1[5-9]|20)"), "It begins with a year, and this one is unlikely. Check it."),),
            mistakes=(
                (regex.compile(r"[0-9]{4}[A-Za-z][0-9A-Za-z.&]+$"), "An ADS Bibcode has exactly 19 characters."),
            ),
        ),
        Scheme(
            "nct_id",
            "is “NCT” and eight digits, such as NCT01234567",
            NCT,
            read_nct,
            _around(
                r"(?:[a-z]+\.)?clinicaltrials\.gov(?:\s?identifier)?|ct2|show|study|record|nct(?:[\s_]?(?:id|number|no))?"
            ),
            signs=("nct",),
            doubts=((regex.compile(r"NCT(?![0-9]{8}$)"), "NCT IDs have eight digits. Check it."),),
        ),
        Scheme(
            "repec",
            "begins with “RePEc:”, such as RePEc:llp:wpaper:2024-03",
            REPEC,
            read_repec,
            _around(r"(?:[a-z]+\.)?repec\.org|repec(?:\s?(?:id|handle))?"),
            signs=("repec:",),
            doubts=(
                (
                    regex.compile(r"(?!RePEc:[A-Za-z0-9]{3}:[A-Za-z0-9]{6}(?::|$))"),
                    "A RePEc ID has three letters for the archive and six for the series. Check it.",
                ),
            ),
            mistakes=(
                (
                    regex.compile(r"[A-Za-z0-9]{3}:[A-Za-z0-9]{6}(?::|$)"),
                    "“RePEc:” is missing in front of it. Put it there.",
                ),
            ),
            outside_dois=False,
        ),
        Scheme(
            "handle",
            "is a prefix of digits and points, a slash and a name, such as 20.500.99999/123",
            HANDLE,
            read_handle,
            _around(r"hdl\.handle\.net|info:hdl|hdl|https?://\S+(?=\s)|handle"),
            signs=("hdl", "handle"),
            doubts=(
                (
                    regex.compile(r"[0-9]{1,3}/"),
                    "Repositories have prefixes of four digits or more; this may be a date, an issue or a page. Check it.",
                ),
            ),
            mistakes=(
                (
                    regex.compile(r"(?:\S*[/:])?123456789/"),
                    (
                        "123456789 is what a repository calls itself before it has a prefix of its own; thousands share it, "
                        "so it names nothing. Give another identifier."
                    ),
                ),
                (
                    regex.compile(r"(?:\S*[/:])?(?:[0-9]{1,3}\.){3}[0-9]{1,3}/"),
                    "It begins with an IP address, not with a prefix of the Handle System.",
                ),
            ),
        ),
        Scheme(
            "urn",
            "begins with “urn:” and a namespace, such as urn:nbn:de:0000-12345",
            URN,
            read_urn,
            _around(r"https?://\S+[/=](?=\s|$)|urn"),
            signs=("urn:",),
            doubts=((regex.compile(ISSN_URN), "An ISSN names a journal, not one of its articles. Check it."),),
            mistakes=(
                (regex.compile(r"(?i)urn:urn:"), "“urn:” stands there twice. Take one away."),
                (regex.compile(r"(?i)urn:[^:]{33,}:"), "The namespace behind “urn:” is longer than 32 characters."),
                (regex.compile(r"(?i)urn:-"), "The namespace behind “urn:” must not begin with a hyphen."),
                (
                    regex.compile(r"(?i)urn:[^:]+:.*%"),
                    "Behind “%” two digits are wanted that stand for a visible character.",
                ),
            ),
            outside_dois=False,
        ),
        Scheme(
            "isbn",
            "has 13 digits, or 10 in older books, such as 978-0-00-000002-6; the last one checks the others",
            ISBN,
            read_isbn,
            _around(r"urn:isbn|[ep]?-?isbn(?:[-\s]?1[03])?|urn"),
            signs=("isbn", "978", "979"),
            doubts=((regex.compile(r"9790"), "Numbers from 979-0 on are ISMN, for printed music. Check it."),),
            mistakes=(
                *_NOT_A_NUMBER,
                (regex.compile(r"0+$"), "A row of zeros is no ISBN. Leave the cell empty if there is none."),
                (
                    regex.compile(r"(?i)\D{0,8}97[89](?:[\p{Pd}\p{Zs}\u2212]?[0-9]){10}\p{P}*$"),
                    "Its check digit is wrong, or its hyphens are: there are four of one kind, or none. Check it.",
                ),
                (
                    regex.compile(
                        r"(?i)\D{0,8}[0-9](?:[\p{Pd}\p{Zs}\u2212]?[0-9]){8}[\p{Pd}\p{Zs}\u2212]?[0-9x]\p{P}*$"
                    ),
                    "Its check digit is wrong, or its hyphens are: there are three of one kind, or none. Check it.",
                ),
            ),
            ordinary=regex.compile(rf"(?:{SEPARATOR}?[0-9xX])+"),
        ),
        Scheme(
            "uri",
            "begins with https:// and stands on a domain of the institution's",
            URI,
            read_uri,
            _around(r"uri|url|link"),
            signs=("://",),
            doubts=(
                (regex.compile(r"[^/]+//[^/]+/$"), "This is the address of a whole site, not of one output. Check it."),
            ),
            mistakes=(
                (regex.compile(r"(?i)https?://[^/?#\s]*@"), "An address with a user's name or password is not taken."),
                (
                    regex.compile(r"(?i)https?://\S+$"),
                    "Only addresses on the domains that the institution lists (uri_domains) are identifiers.",
                ),
                (regex.compile(r"(?i)www\.\S+$|[a-z0-9-]+\.[a-z]{2,}/\S*$"), "The address must begin with https://."),
            ),
            outside_dois=False,
            ordinary=regex.compile(r"(?i)https?://\S+"),
        ),
    )
}


SIGNS = [(sign, scheme.name) for scheme in BY_NAME.values() for sign in scheme.signs]
