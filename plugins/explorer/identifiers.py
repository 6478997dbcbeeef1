r"""The ten identifier schemes by which attention is looked up: reading, finding and comparing them.

``parse`` reads a field that should hold exactly one identifier, ``extract`` finds those of one scheme in free text,
``find`` those of any scheme in a value of unknown kind. Schemes: integration guide, "Supported identifiers". What is
accepted follows Altmetric's own libraries, since an identifier that they cannot read is never linked; where we take
more or less than they do, the pattern says so.

Each scheme is a row of data (``_SCHEMES``): the pattern that finds candidates, a function that makes the canonical
value of one, what may stand around it in a cell, and the sentences for cells that are doubtful or wrong. Canonical
values are compared as strings; the canonical form of a canonical form is itself.

No pattern backtracks without bound: runs are possessive, and a left boundary keeps a long run from being tried twice.
Digits are ASCII digits: ``\\d`` and ``int`` also take Arabic and full-width ones. Case is changed in ASCII alone, as
full Unicode lower-casing can change a text's length.
"""

from __future__ import annotations

import bisect
import functools
import html
import operator
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import regex
from stdnum import isbn as stdnum_isbn

from explorer.records import Identifier, Note, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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

_TRUST = {scheme: rank for rank, scheme in enumerate(SCHEMES)}


def _item(at: int) -> Any:  # noqa: ANN401  the type stands at each field
    return property(operator.itemgetter(at))


_Told = tuple[tuple[Note, ...], Refusal | None]


class Parsed(tuple[str, str | None, str, Sequence[str], _Told | None]):
    """What a cell holds. ``scheme`` may differ from the one asked for, and then a note says so.

    Either ``value`` or ``refusal`` is set; neither for an empty cell. Codes of notes: ``repaired``,
    ``implausible_identifier``, ``moved_identifier``; the rule of a refusal is ``invalid_identifier``.

    One is made for each cell of a file. Hence a tuple underneath, which is made faster than any other object, and
    sentences that are written only for who reads them: the last item is None till then, the one before has the domains.
    """

    __slots__ = ()

    scheme: str = _item(0)
    value: str | None = _item(1)
    raw: str = _item(2)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What a librarian should know of a value that was kept."""
        return _told(self)[0]

    @property
    def refusal(self) -> Refusal | None:
        """Why the cell cannot be taken."""
        return None if self[1] else _told(self)[1]

    def __eq__(self, other: object) -> bool:
        return (self[:3], _told(self)) == (other[:3], _told(other)) if isinstance(other, Parsed) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:3])

    def __repr__(self) -> str:
        names = ("scheme", "value", "raw", "notes", "refusal")
        return f"Parsed({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"


def parse(scheme: str, cell: str, *, uri_domains: Sequence[str] = ()) -> Parsed:
    """Reads a field that should hold exactly one identifier; never raises for a text.

    Only white space, punctuation and known prefixes may stand around it: cutting words away yields a wrong identifier
    sooner or later. A value that is unmistakably of another scheme is taken as that.
    """
    if scheme == "doi":
        if plain := _PLAIN_DOI(cell):
            return Parsed(("doi", plain[1].lower(), cell, (), None))
        if _NO_DOI(cell):
            return Parsed(("doi", None, cell, uri_domains, None))
    return _thorough(scheme, cell, uri_domains)


def _told(parsed: Parsed) -> _Told:
    scheme, value, raw, domains, told = parsed
    if told is not None:
        return told
    if value is None:
        return _told(_thorough(scheme, raw, domains))
    return () if raw.strip(" ").lower() == value else (_repaired(raw, value, _DOI_ALONE),), None


def _thorough(scheme: str, cell: str, domains: Sequence[str]) -> Parsed:
    return (_parse if len(cell) > _LONGEST_REMEMBERED else _parse_remembered)(scheme, cell, tuple(domains))


def _parse(scheme: str, cell: str, uri_domains: tuple[str, ...]) -> Parsed:
    text = _unescaped(cell).strip(_INVISIBLE)
    if not text:
        return _parsed(scheme, None, cell)
    if why := _unreadable(text):
        return _refused(scheme, cell, why)
    if text[0] == "=":
        return _read_parts(scheme, _formula_parts(text), "formula", cell, uri_domains)
    if link := _LINK.fullmatch(text):
        return _read_parts(scheme, [part for part in link.groups() if part], "link", cell, uri_domains)
    return _read_cell(_SCHEMES[scheme], _Text(text, uri_domains, cell=True), cell)


# A spreadsheet has an output in as many rows as it has authors, and "n.a." in hundreds: such cells are read once.
_LONGEST_REMEMBERED = 300
_parse_remembered = functools.lru_cache(maxsize=16_384)(_parse)


def extract(scheme: str, text: str, *, strict: bool = False, uri_domains: Sequence[str] = ()) -> list[str]:
    """Every identifier of a scheme in free text: canonical, in order of appearance, none twice.

    ``strict`` keeps up to three dots at the end of a DOI, for sources whose structured field ends where the DOI does.
    """
    context = _Text(_unescaped(text), uri_domains, strict=strict)
    return list(dict.fromkeys(found.value for found in _found(_SCHEMES[scheme], context)))


def find(text: str, *, uri_domains: Sequence[str] = ()) -> list[Identifier]:
    """Identifiers of any scheme in a value of unknown kind, in order of appearance, none twice.

    The address of a known resolver goes before a prefix, a prefix before a shape, a DOI before all else. A shape that
    something else could have too (an ADS Bibcode, a Handle, an ISBN-10) counts only if it is the whole value; bare
    digits are never a PubMed ID.
    """
    if plain := _PLAIN_DOI(text):
        return [Identifier("doi", plain[1].lower())]
    if plain := _PLAIN_HANDLE(text):
        return [Identifier("handle", plain[1])]
    context = _Text(_unescaped(text).strip(_INVISIBLE), uri_domains)
    found = _unmistakable(context) or _by_shape(context)
    if not found:
        return []
    found.sort(key=lambda pair: pair[1].start)
    return list(dict.fromkeys(Identifier(scheme, each.value) for scheme, each in found))


def aliases(identifiers: Iterable[Identifier]) -> list[Identifier]:
    """Other names of the same works, marked derived; none that is among ``identifiers``, none twice.

    An arXiv ID and its DataCite DOI are one work; ``urn:isbn`` gives the ISBN; a version is asked for without it.
    """
    given = list(identifiers)
    known = {(each.scheme, each.value) for each in given}
    made: dict[tuple[str, str], Identifier] = {}
    queue = [(each.scheme, each.value) for each in given]
    for scheme, value in queue:
        for alias in _aliases_of(scheme, value):
            if alias not in known and alias not in made:
                made[alias] = Identifier(*alias, derived=True)
                queue.append(alias)
    return list(made.values())


def best(identifiers: Iterable[Identifier]) -> Identifier | None:
    """The identifier that an output is known by: stated before derived, then by trust, then by value."""
    return min(identifiers, key=lambda each: (each.derived, _TRUST[each.scheme], each.value), default=None)


def output_key(identifier: Identifier) -> str:
    """How an output is named by one of its identifiers, such as ``doi:10.5555/12345678``."""
    return f"{identifier.scheme}:{identifier.value}"


# --- text: what is cleaned, and where addresses lie

_ZERO_WIDTH = (
    "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
_INVISIBLE = "\0" + "".join(chr(c) for c in range(0x3001) if chr(c).isspace()) + _ZERO_WIDTH
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_ENTITY = re.compile(
    r"&(?:(?:amp|#0{0,6}38|#[xX]0{0,6}26);)*(amp|lt|gt|quot|apos|nbsp|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});",
    re.IGNORECASE | re.ASCII,
)
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_ADDRESS = regex.compile(r"(?i:https?)://[^\s<>\"“”]++")
_LONGEST_LEAD = 300  # characters of an address in front of an identifier that are looked at
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class _Text:
    """A text to search, and what a reader of a candidate needs to know of its surroundings."""

    __slots__ = ("_ends", "_outside", "_starts", "cell", "domains", "strict", "text")

    def __init__(self, text: str, domains: Sequence[str], *, strict: bool = False, cell: bool = False) -> None:
        self.text = text
        self.cell = cell
        self.domains = domains
        self.strict = strict
        self._starts: list[int] | None = None
        self._ends: list[int] = []
        self._outside: _Text | None = None

    def lead(self, at: int) -> str | None:
        """The part of a web address in front of a place inside it; None outside of addresses."""
        if self._starts is None:
            spans = [m.span() for m in _ADDRESS.finditer(self.text)] if "://" in self.text else []
            self._starts = [start for start, _ in spans]
            self._ends = [end for _, end in spans]
        nearest = bisect.bisect_right(self._starts, at) - 1
        if nearest < 0 or at >= self._ends[nearest]:
            return None
        return self.text[max(self._starts[nearest], at - _LONGEST_LEAD) : at]

    def outside_dois(self) -> _Text:
        """The same text with blanks for its DOIs."""
        if self._outside is None:
            dois = [each for match in _DOI.finditer(self.text) if (each := _read_doi(match, self))]
            self._outside = self.without((each.start, each.end) for each in dois) if dois else self
        return self._outside

    def without(self, spans: Iterable[tuple[int, int]]) -> _Text:
        """The same text with blanks where something was found already; places stay what they are."""
        pieces, at = [], 0
        for start, end in sorted(spans):
            pieces += [self.text[at:start], " " * (end - max(at, start))]
            at = max(at, end)
        masked = _Text("".join(pieces) + self.text[at:], self.domains, strict=self.strict, cell=self.cell)
        self.lead(0)  # an address stays one, though a part of it is blank now
        masked._starts, masked._ends = self._starts, self._ends
        return masked


def _lower(text: str) -> str:
    """Lower case, in ASCII alone."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def _unescaped(text: str) -> str:
    """The text with HTML entities undone, however often they were escaped (``&amp;lt;``).

    Numbers that stand for a letter, a digit, ``#``, ``;`` or ``&`` are left alone: they could make a new entity.
    """
    return _ENTITY.sub(_character, text) if "&" in text and ";" in text else text


def _character(entity: re.Match[str]) -> str:
    name = entity.group(1).lower()
    character = html.unescape(f"&{name};")
    harmless = len(character) == 1 and not (character.isalnum() or character in "#;&")
    return character if harmless or name == "amp" else f"&{name};"


def _decoded(token: str) -> str | None:
    """A token with percent-encoding undone once; None if what comes out is encoded still, or no text."""
    try:
        decoded = unquote(token, errors="strict").rstrip(_INVISIBLE)
    except UnicodeDecodeError:
        return token
    return None if _ENCODED.search(decoded) or _ENTITY.search(decoded) else decoded


# --- candidates


class _Found(NamedTuple):
    """An identifier in a text. ``sure``: an address, a prefix or its shape leaves no doubt of the scheme."""

    start: int
    end: int
    value: str
    sure: bool = False


@dataclass(frozen=True, slots=True)
class _Scheme:
    """A scheme as data; ``read`` turns a match of ``pattern`` into an identifier, or None."""

    name: str
    form: str  # what one looks like, to end a sentence with
    pattern: regex.Pattern[str]
    read: Callable[[regex.Match[str], _Text], _Found | None]
    around: regex.Pattern[str]  # what may stand around one in a cell
    signs: tuple[str, ...]  # in lower case: without any of them a text has none that is beyond doubt
    doubts: tuple[tuple[regex.Pattern[str], str], ...] = ()  # value -> why it is implausible, though well formed
    mistakes: tuple[tuple[regex.Pattern[str], str], ...] = ()  # cell -> what is wrong with it, and what to do
    outside_dois: bool = True  # what a DOI holds is none of its own
    ordinary: regex.Pattern[str] | None = None  # ways of writing that are not worth a note


def _found(scheme: _Scheme, context: _Text) -> Iterator[_Found]:
    """The identifiers of one scheme in a text, in order."""
    if scheme.outside_dois and "10." in context.text:
        if scheme.name == "isbn":
            yield from _isbn_as(context.text)
        context = context.outside_dois()
    for match in scheme.pattern.finditer(context.text):
        found = scheme.read(match, context)
        if found is not None and not _CONTROL.search(found.value):
            yield found


def _past_tail(context: _Text, start: int, end: int) -> int:
    """Where an address ends that has an identifier in it: query, fragment and further path say nothing more."""
    if context.lead(start) is None:
        return end
    tail = _TAIL.match(context.text, end)
    return tail.end() if tail else end


def _clipped(token: str, loose: Callable[[str], bool] | None = None) -> int:
    """How much of a token is left when the punctuation of the sentence around it is cut off.

    A closing bracket that was opened inside stays, and so does the end of old Wiley DOIs, ``;2-#``.
    """
    loose = loose or _is_loose
    end = len(token)
    unclosed: dict[str, int] = {}
    while end:
        last = token[end - 1]
        if last in _OPENED_BY:
            if last not in unclosed:
                unclosed[last] = token.count(_OPENED_BY[last], 0, end) - token.count(last, 0, end)
            if unclosed[last] >= 0:
                break
            unclosed[last] += 1
        elif last in _OPENERS:
            closing = _OPENERS[last]
            if closing in unclosed:
                unclosed[closing] -= 1
        elif (last == "#" and token.endswith(";2-#", 0, end)) or not loose(last):
            break
        end -= 1
    return end


def _is_loose(character: str) -> bool:
    """Whether a character at an identifier's end belongs to the sentence around it."""
    return unicodedata.category(character) in _LOOSE or character in _LOOSE_TOO


_OPENED_BY = {")": "(", "]": "[", "}": "{", ">": "<"}
_OPENERS = {opening: closing for closing, opening in _OPENED_BY.items()}
_LOOSE = frozenset({"Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Cf", "Zs", "Zl", "Zp"})
_LOOSE_TOO = "|`"
_TAIL = re.compile(r"[/?#&]\S*")


# --- DOI: registrant and suffix, as in altmetric/identifiers; ISBN-A are DOIs too

# Beyond Altmetric's rule a suffix ends before the next DOI or address that a list runs into it, and before markup.
_DOI = regex.compile(
    r"""(?<!\w) 10\. (?:
        97[89]\.[0-9]{2,8} / [0-9]{1,7} (?!\w)
        | [0-9]{4,9} (?: / | %2[Ff] )
          (?: [^\s;,|<>"'\](hH]++
            | (?! [;,|] (?: (?i:doi:|dx\.doi|doi\.org) | 10\.[0-9]{4,9}/ )
                | (?i:https?)://
                | </[A-Za-z] | <(?:br|p|div|span)/?> | ["']> | \]\( )
              \S )++
    )""",
    regex.VERBOSE,
)
_SOLID = regex.compile(r"[^\p{P}\p{Z}\p{C}<>|`]")
_DOTS = re.compile(r"\.{0,3}")
_RESOLVER = re.compile(r"https?://(?:www\.|dx[.-])?doi[.-]org\b", re.IGNORECASE)
_QUERY = re.compile(r"\?|(?<!;2-)#")
# Publishers' addresses go on behind the DOI; a resolver's do not.
_PAGE = re.compile(
    r"/(?:full|abstract|abs|pdf|pdfdirect|epdf|epub|fulltext|full-text|html?|meta|summary)(?=[/?#&]|$)|[?&]|(?<!;2-)#"
)
# What almost all cells hold, read without looking further: nothing in it can be decoded or taken for two. Upper case and
# blanks at the ends are ordinary; a prefix and a full stop are worth a note.
_PLAIN_DOI = re.compile(
    r" *(?:https?://(?:dx\.|)doi\.org/ ?|doi: ?|)"
    r"(10\.[1-9][0-9]{3,8}/[A-Za-z0-9._/-]*(?:|(?:\([A-Za-z0-9._-]*[A-Za-z0-9]\)[A-Za-z0-9._/-]*)+)(?<![._/-]))\.? *"
).fullmatch
# Cells that no reading makes an identifier: without digit and colon (each scheme has one of them), a number, "10." with
# another digit in front; or with a DOI behind a word that stands in no prefix, formula or link.
_NO_DOI = re.compile(
    r"[^0-9:]*"
    r"|(?!10\.)[0-9]+(?:\.[0-9]+/[A-Za-z0-9]*)?"
    r"|(?!(?i:https?|d|info|hdl|www|crossref|a\b))[A-Za-z].* 10\.[1-9][0-9]{3,8}/[A-Za-z0-9._-]*[A-Za-z0-9]",
    re.DOTALL,
).fullmatch


def _read_doi(match: regex.Match[str], context: _Text) -> _Found | None:
    start, end = match.span()
    token = match.group()
    lead = context.lead(start)
    cut = None if lead is None else (_QUERY if _RESOLVER.match(lead) else _PAGE).search(token)
    if cut:
        token = token[: cut.start()]
    whole = cut is not None
    if "%" in token:
        decoded = _decoded(token)
        if decoded is None or not _DOI.fullmatch(decoded):
            return None
        whole, token = whole or decoded != token, decoded
    kept = _clipped(token)
    value = _lower(token[:kept])
    slash = value.find("/")
    if slash < 0 or not _SOLID.search(value, slash):
        return None
    if context.strict and (dots := _DOTS.match(token, kept)):
        value += dots.group()
    return _Found(start, end if whole else start + len(value), value, sure=True)


# --- PubMed ID

# Altmetric's rule takes any number between blanks; pubmed.ncbi.nlm.nih.gov and Europe PMC are our addition.
_PMID = regex.compile(
    r"""(?: (?<![^\s\p{Cf}]) (?P<bare> 0*+[1-9][0-9]*+ ) (?![^\s\p{Cf}])
        | (?<!\w) (?i: (?:m\.|www\.)?ncbi\.nlm\.nih\.gov/(?:m/)?pubmed/ | pubmed\.ncbi\.nlm\.nih\.gov/
            | pubmed\.gov/ | europepmc\.org/(?:article|abstract)/med/
            | info:pmid/ | (?:pmid|pubmed(?:\s?id)?) (?: \s{0,3}[:=#]\s{0,3} | \s{1,3} ) | pmid(?=[0-9]) )
          (?P<id> 0*+[1-9][0-9]*+ ) (?!\w) (?!\.[0-9]) )""",
    regex.VERBOSE,
)


def _read_pmid(match: regex.Match[str], context: _Text) -> _Found:
    bare, prefixed = match.group("bare", "id")
    end = match.end() if bare else _past_tail(context, match.start(), match.end())
    return _Found(match.start(), end, (bare or prefixed).lstrip("0"), sure=not bare)


# --- arXiv ID: four digits of year and month, or the archives' names of before 2007

_ARCHIVE = re.compile(
    "acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|cond-mat|cs|dg-ga"
    "|econ|eess|funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math|math-ph|mtrl-th|nlin|nucl-ex|nucl-th|patt-sol|physics"
    "|plasm-ph|q-alg|q-bio|q-fin|quant-ph|solv-int|stat|supr-con"
)
# Altmetric wants a blank behind; we allow the punctuation of a sentence.
_ARXIV = regex.compile(
    r"""(?<![\w.-]) (?P<sure> (?i: (?:[a-z]{2,9}\.)?arxiv\.org/[a-z-]{2,9}/(?:arxiv:)? | arxiv\s{0,3}:\s{0,3} | arxiv\s
            | arxiv\.(?=[0-9]) | info:arxiv/ ) )?+
        (?: (?P<new> [0-9]{4}\.[0-9]{4,5} )
          | (?P<archive> [A-Za-z]++(?:-[A-Za-z]++)*+ ) (?P<field> \.[A-Za-z]{2} )? /
            (?P<old> [0-9]{2}(?:0[1-9]|1[0-2])[0-9]{3} ) )
        (?P<version> [vV][0-9]++ )? (?: \.pdf )?+ (?![\w/-]) (?!\.\w)""",
    regex.VERBOSE,
)
_ARXIV_NEW = re.compile(r"([0-9]{2})([0-9]{2})\.[0-9]{4,5}(?:v[0-9]+)?")


def _read_arxiv(match: regex.Match[str], context: _Text) -> _Found | None:
    sure, new, archive, field, old, version = match.group("sure", "new", "archive", "field", "old", "version")
    start = match.start()
    if archive and not _ARCHIVE.fullmatch(_lower(archive)):
        return None  # any word, a slash and seven digits: a path, as a rule; no archive was added to these after 2007
    value = new or f"{_lower(archive)}{(field or '').upper()}/{old}"
    return _Found(start, _past_tail(context, start, match.end()), value + _lower(version or ""), sure=bool(sure))


# --- ADS Bibcode: year, publication, volume, page, author

_ADS = regex.compile(
    r"""(?<![\w&]) (?P<sure> (?i:
            (?:[a-z0-9]{2,9}\.)?adsabs\.harvard\.edu/(?:\#?abs|full|pdf|abstract)/ | bibcode(?:\s{0,3}[:=]\s{0,3}|\s) ) )?+
        (?P<id> [0-9]{4}[A-Za-z](?:[0-9A-Za-z.&]|%26){13}[0-9A-Za-z] ) (?![\w&]|%26) (?!\.[0-9A-Za-z])""",
    regex.VERBOSE,
)
# What no other code looks like: a year, dots between publication, volume and page, a capital at the end.
_ADS_SHAPE = re.compile(r"(?:1[5-9]|20)[0-9]{2}[A-Za-z][A-Za-z&.]{2}[A-Za-z&.0-9]*\.\.[0-9A-Za-z.]*[A-Z]")


def _read_ads(match: regex.Match[str], context: _Text) -> _Found:
    value = match.group("id").replace("%26", "&")
    in_address = context.lead(match.start()) is not None
    sure = bool(match.group("sure")) or (bool(_ADS_SHAPE.fullmatch(value)) and not in_address)
    return _Found(match.start(), _past_tail(context, match.start(), match.end()), value, sure=sure)


# --- NCT ID

_NCT = regex.compile(r"(?<!\w)[Nn][Cc][Tt]([0-9]++)(?!\w)")
_NCT_DIGITS = 8


def _read_nct(match: regex.Match[str], context: _Text) -> _Found:
    sure = len(match.group(1)) == _NCT_DIGITS
    return _Found(match.start(), _past_tail(context, *match.span()), "NCT" + match.group(1), sure=sure)


# --- RePEc ID and Handle: they end with a letter or digit

_REPEC = regex.compile(r"(?<!\w)(?i:repec):((?:[^\s<\"hH]++|(?!(?i:https?)://)[hH]|<(?!/?[A-Za-z]))++)")
_REPEC_SHAPE = re.compile(r"RePEc:[A-Za-z0-9]{3}:[A-Za-z0-9]{6}(?::.+)?", re.DOTALL)


def _to_last_word(token: str) -> str:
    end = len(token)
    while end and not (token[end - 1].isalnum() or token[end - 1] == "_"):
        end -= 1
    return token[:end]


def _read_repec(match: regex.Match[str], _: _Text) -> _Found | None:
    tail = _to_last_word(match.group(1))
    if not tail:
        return None
    value = "RePEc:" + tail
    return _Found(match.start(), match.start(1) + len(tail), value, sure=bool(_REPEC_SHAPE.fullmatch(value)))


# Altmetric takes any number with a slash behind; in the addresses of other sites that is a path, so we do not.
_HANDLE = regex.compile(
    r"""(?<![\w.]) (?: (?P<resolver> (?i: hdl\.handle\.net/(?:api/handles/)? ) )
            | (?P<prefixed> (?i: (?:info:)?hdl[:/]\s{0,3} ) )
            | (?<=/) (?P<dspace> (?i: handle/ ) ) )?+
        (?P<id> (?P<prefix> [0-9]++(?:\.[0-9]++)*+ ) (?: / | %2[Ff] ) [^\s<>"]++ )""",
    regex.VERBOSE,
)
_HANDLE_SHAPE = re.compile(r"(?!(?:1[5-9]|20)[0-9]{2}/)(?:[0-9]{4,}|[0-9]+(?:\.[0-9]+)+)/\S+")
# What a repository writes into most records, read without looking further: no DOI, IP address or other scheme in it.
_PLAIN_HANDLE = re.compile(
    r"https?://(?:hdl\.handle\.net|[a-z.-]+/handle)/(?!123456789/|\S*\b10\.)([0-9]+(?:\.[0-9]+){0,2}/[0-9]+)"
).fullmatch
_IP = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(?![0-9.])")
_UNREGISTERED = "123456789"  # DSpace's default: thousands of repositories share it
_DOI_PREFIX = re.compile(r"10\.(?:[0-9]{4,9}|97[89]\.[0-9]{2,8})")


def _read_handle(match: regex.Match[str], context: _Text) -> _Found | None:
    start, prefix = match.start(), match.group("prefix")
    if prefix == _UNREGISTERED or _DOI_PREFIX.fullmatch(prefix) or _IP.match(prefix):
        return None
    resolver, prefixed, dspace = match.group("resolver", "prefixed", "dspace")
    lead = context.lead(start)
    if lead is not None and not (resolver or prefixed or dspace):
        return None
    token = match.group("id")
    whole = False
    if resolver or dspace:
        cut = re.search(r"[?#]", token)
        token = token[: cut.start()] if cut else token
        if "%" in token:
            decoded = _decoded(token)
            if decoded is None or len(decoded.split()) != 1:
                return None
            token = decoded
        if dspace:  # a file or a page of the item may follow
            token = "/".join(token.split("/", 2)[:2])
        whole = token != match.group("id")
    elif token[len(prefix)] == "%":
        token = f"{prefix}/{token[len(prefix) + 3 :]}"
        whole = True
    value = _to_last_word(token)
    if len(value) <= len(prefix) + 1 or _DOI.search(value):
        return None
    end = match.end() if whole else match.start("id") + len(value)
    return _Found(start, end, value, sure=bool(resolver or prefixed or dspace))


# --- URN: RFC 8141 as altmetric/urn reads it, which has no %00 to %20, no %7f and above, no "?", "#", "~", "&"

_URN = regex.compile(
    r"""(?<!\w) [Uu][Rr][Nn] : (?P<namespace> (?![Uu][Rr][Nn]:) [A-Za-z0-9][A-Za-z0-9-]{1,31} ) :
        (?P<rest> (?: [A-Za-z0-9()+,\-.:=@;$_!*'/]++ | %(?: 2[1-9A-Fa-f] | [3-6][0-9A-Fa-f] | 7[0-9A-Ea-e] ) )++ )
        (?![%~&\w])""",
    regex.VERBOSE,
)
_ISSN_URN = "urn:issn:"


def _read_urn(match: regex.Match[str], context: _Text) -> _Found | None:
    namespace, rest = match.group("namespace", "rest")
    start, end = match.span()
    if context.cell and context.text[max(0, start - 4) : start].lower() == "urn:":
        return None  # in free text the namespace "urn" is a prefix that stands there twice
    if start and (end == len(context.text) or context.text[end].isspace()):
        rest = rest.rstrip(".,;:!'") or rest  # the end of a sentence
        if rest.endswith(")") and rest.count(")") > rest.count("("):
            rest = rest[:-1]
    if not rest:
        return None
    end = match.start("rest") + len(rest)
    value = f"urn:{_lower(namespace)}:{_ENCODED.sub(lambda code: code.group().lower(), rest)}"
    return _Found(start, end, value, sure=not value.startswith(_ISSN_URN))


# --- ISBN: the check digit is stdnum's business

_SEPARATOR = r"[\p{Pd}\p{Zs}\u2212]"
_ISBN = regex.compile(
    rf"""(?<![\p{{L}}\p{{N}}_]) (?P<sure> (?i: [ep]?-?isbn (?: [-\s]?1[03](?![0-9]) )? ) [\p{{P}}\s]{{0,3}} )?+
        (?P<id> 97[89](?:{_SEPARATOR}?[0-9]){{10}} | [0-9](?:{_SEPARATOR}?[0-9]){{8}}{_SEPARATOR}?[0-9Xx] )
        (?![\p{{L}}\p{{N}}_]) (?![\p{{Pd}}\u2212][0-9])""",
    regex.VERBOSE,
)
_ISBN_A = re.compile(r"(?<!\w)10\.(97[89])\.([0-9]{2,8})/([0-9]{1,7})(?!\w)")
_DASHES = regex.compile(r"[\p{Pd}\u2212]")
_SEPARATORS = {13: 4, 10: 3}
_DIGITS_13 = 13


def _isbn_as(text: str) -> Iterator[_Found]:
    for match in _ISBN_A.finditer(text):
        digits = "".join(match.groups())
        if len(digits) == _DIGITS_13 and stdnum_isbn.is_valid(digits):
            yield _Found(*match.span(), digits)


def _read_isbn(match: regex.Match[str], context: _Text) -> _Found | None:
    at, end = match.span("id")
    written = _DASHES.sub("-", match.group("id"))
    digits = "".join(c for c in written if c.isalnum()).upper()
    separators = written.replace("x", "X").translate(_NO_DIGITS)
    if separators and (len(separators) != _SEPARATORS[len(digits)] or len(set(separators)) > 1):
        return None
    labelled = bool(match.group("sure"))
    if not labelled and _is_piece(context.text, at, end, spaced=separators[:1] not in {"", "-"}, digits=len(digits)):
        return None
    if not stdnum_isbn.is_valid(digits) or not digits.strip("0"):
        return None
    sure = labelled or (len(digits) == _DIGITS_13 and context.lead(at) is None)
    return _Found(match.start(), end, str(stdnum_isbn.to_isbn13(digits)), sure=sure)


def _is_piece(text: str, at: int, end: int, *, spaced: bool, digits: int) -> bool:
    """Whether digits are part of a longer run, as the second half of ``9780000000002-9780000000019`` is."""
    if _DASHED_BEFORE.search(text, max(0, at - 2), at):
        return True
    in_blanks = spaced and digits != _DIGITS_13
    return in_blanks and bool(_SPACED_BEFORE.search(text, max(0, at - 2), at) or _SPACED_BEHIND.match(text, end))


_NO_DIGITS = dict.fromkeys(map(ord, "0123456789X"))
_DASHED_BEFORE = regex.compile(r"[0-9][\p{Pd}\u2212]$")
_SPACED_BEFORE = regex.compile(r"[0-9]\p{Zs}$")
_SPACED_BEHIND = regex.compile(r"\p{Zs}[0-9]")


# --- URI: an address on a domain of the institution's

_URI = regex.compile(
    r"(?i:(?P<scheme>https?))://(?P<host>[^\s/?#<>\"“”\\]++)(?P<path>[^\s?#<>\"“”]*+)(?P<query>\?[^\s#<>\"“”]*+)?(?:#[^\s<>\"“”]*+)?"
)
_HOST = re.compile(r"([^@:\[\]]+?)\.?(?::([0-9]*))?")
_LOOSE_IN_ADDRESS = frozenset(".,;:!?'\u2019\u2026*/" + _ZERO_WIDTH)
_DEFAULT_PORTS = frozenset({("http", "80"), ("https", "443"), ("http", ""), ("https", "")})


def _read_uri(match: regex.Match[str], context: _Text) -> _Found | None:
    """One form for what is one page: https, no default port, no slash at the end, no fragment.

    A server on another port speaks one of http and https, so its scheme stays.
    """
    authority = _HOST.fullmatch(_lower(match.group("host")))
    if authority is None:
        return None
    host, port = authority.groups()
    if not any(host == own or host.endswith("." + own) for own in map(_domain, context.domains)):
        return None
    scheme = match.group("scheme").lower()
    standard = port is None or (scheme, port) in _DEFAULT_PORTS
    place = host if standard else f"{host}:{port}"
    path = match.group("path").rstrip("/")
    tail = path + (match.group("query") or "")
    tail = tail[: _clipped(tail, loose=_LOOSE_IN_ADDRESS.__contains__)] or "/"
    value = f"{'https' if standard else scheme}://{place}{tail}"
    return _Found(match.start(), match.end(), value, sure=True)


def _domain(listed: str) -> str:
    return _lower(listed.strip()).removeprefix("*").strip(".")


# --- the schemes


def _around(words: str) -> regex.Pattern[str]:
    """White space, punctuation, simple markup and the words that may stand around an identifier in a cell."""
    return regex.compile(
        rf"(?:(?i:{words}|https?:|www\.(?=\S))(?!\p{{L}})|</?[A-Za-z]{{1,6}}\s?/?>|[\p{{P}}\p{{Z}}\p{{Cf}}\s<>|=`])*+"
    )


_MONTH = re.compile(r"[0-9]{2}(?:0[1-9]|1[0-2])\.")
_NOT_A_NUMBER = (
    (
        regex.compile(r"[0-9](?:[.,][0-9]+)?[eE][+-]?[0-9]+"),
        (
            "A spreadsheet program turned the number into scientific notation, and its last digits are lost. Format the "
            "column as text and fill in the whole number again."
        ),
    ),
)

_SCHEMES: dict[str, _Scheme] = {
    scheme.name: scheme
    for scheme in (
        _Scheme(
            "doi",
            "begins with “10.”, four to nine digits and a slash, such as 10.5555/12345678",
            _DOI,
            _read_doi,
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
        _Scheme(
            "pmid",
            "is a number of up to eight digits, such as 12345678",
            _PMID,
            _read_pmid,
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
        _Scheme(
            "arxiv",
            "is four digits, a point and four or five digits, such as 2101.00001, or older, such as math.GT/0309136",
            _ARXIV,
            _read_arxiv,
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
        _Scheme(
            "ads",
            "has 19 characters, such as 2024Lilli..12..345G, and does not end with a point",
            _ADS,
            _read_ads,
            _around(r"(?:[a-z]+\.)?adsabs\.harvard\.edu|#?abs|full|pdf|abstract|(?:ads\s?)?bibcode|ads"),
            signs=("adsabs", "bibcode", ".."),
            doubts=((regex.compile(r"(?!1[5-9]|20)"), "It begins with a year, and this one is unlikely. Check it."),),
            mistakes=(
                (regex.compile(r"[0-9]{4}[A-Za-z][0-9A-Za-z.&]+$"), "An ADS Bibcode has exactly 19 characters."),
            ),
        ),
        _Scheme(
            "nct_id",
            "is “NCT” and eight digits, such as NCT01234567",
            _NCT,
            _read_nct,
            _around(
                r"(?:[a-z]+\.)?clinicaltrials\.gov(?:\s?identifier)?|ct2|show|study|record|nct(?:[\s_]?(?:id|number|no))?"
            ),
            signs=("nct",),
            doubts=((regex.compile(r"NCT(?![0-9]{8}$)"), "NCT IDs have eight digits. Check it."),),
        ),
        _Scheme(
            "repec",
            "begins with “RePEc:”, such as RePEc:llp:wpaper:2024-03",
            _REPEC,
            _read_repec,
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
        _Scheme(
            "handle",
            "is a prefix of digits and points, a slash and a name, such as 20.500.99999/123",
            _HANDLE,
            _read_handle,
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
        _Scheme(
            "urn",
            "begins with “urn:” and a namespace, such as urn:nbn:de:0000-12345",
            _URN,
            _read_urn,
            _around(r"https?://\S+[/=](?=\s|$)|urn"),
            signs=("urn:",),
            doubts=((regex.compile(_ISSN_URN), "An ISSN names a journal, not one of its articles. Check it."),),
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
        _Scheme(
            "isbn",
            "has 13 digits, or 10 in older books, such as 978-0-00-000002-6; the last one checks the others",
            _ISBN,
            _read_isbn,
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
            ordinary=regex.compile(rf"(?:{_SEPARATOR}?[0-9xX])+"),
        ),
        _Scheme(
            "uri",
            "begins with https:// and stands on a domain of the institution's",
            _URI,
            _read_uri,
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


_SIGNS = [(sign, scheme.name) for scheme in _SCHEMES.values() for sign in scheme.signs]


# --- one cell

_LINK = regex.compile(
    r"<[aA]\s[^<>]{0,400}?[hH][rR][eE][fF]\s*=\s*[\"']?([^\"'<>]*)[\"']?[^<>]*>([^<]*)</[aA]\s*>|\[([^\[\]]*)\]\((\S+)\)"
)
_QUOTED = re.compile(r'"((?:[^"]|"")*+)"')
_COMPUTED = re.compile(r"&|CONCAT|JOIN|SUBSTITUTE|REPLACE|LEFT|RIGHT|MID", re.IGNORECASE)
_DECIMAL = re.compile(r"0*([1-9][0-9]*)\.0")
_EMPTY_WORDS = regex.compile(
    r"(?i)[\p{P}\p{S}\s]*+(?:n\.?/?\s?a\.?|none|null|nil|nan|no|unknown|tb[acd]|pending|forthcoming|in press|submitted"
    r"|(?:not )?(?:yet )?(?:published|available|assigned|applicable)|no (?:doi|pmid|id|identifier)|not yet)?[\p{P}\p{S}\s]*+"
)
_LOOKS_LIKE = (
    (
        regex.compile(r"(?i)(?:issn\P{L}{0,3}[0-9]{4}-?|[0-9]{4}\p{Pd})[0-9]{3}[0-9x]$"),
        "If this is an ISSN, it names a journal and not one of its articles: leave it out.",
    ),
    (regex.compile(r"[0-9]+$"), "Digits alone could be several things; if it is a PubMed ID, put it into that column."),
    (
        regex.compile(r"(?i)https?://\S+$"),
        "This is the address of a web page. If the page names an identifier, put that into the column.",
    ),
)
_CONTROL_CHARACTER = (
    "A control character (such as NUL) stands inside. Leaving it out could make another identifier. Type it in again."
)
_DOI_ALONE = "Only the DOI was taken, without what stands around it."
_LONGEST_SHOWN = 80
_LONGEST_CELL = 10_000  # characters; the longest DOI that can be registered has 2,048


def _unreadable(text: str) -> str | None:
    if len(text) > _LONGEST_CELL:
        return f"The cell holds {len(text):,} characters; no identifier is as long. Leave the identifier alone in it."
    return _CONTROL_CHARACTER if _CONTROL.search(text) else None


def _read_cell(scheme: _Scheme, context: _Text, cell: str) -> Parsed:
    text = context.text
    if scheme.name == "pmid" and (decimal := _DECIMAL.fullmatch(text)):
        why = "A spreadsheet program added “.0”. Format the column as text."
        return _accepted(scheme, decimal.group(1), cell, why)
    found = list(_found(scheme, context))
    mistake = None
    if not found:
        mistake = next((why for pattern, why in scheme.mistakes if pattern.match(text)), None)
        bare = regex.sub(r"^[\p{P}\s]++", "", text)
        bare = bare[: _clipped(bare)]
        if mistake is None and bare != text:
            found = list(_found(scheme, _Text(bare, context.domains, cell=True)))
            context = _Text(bare, context.domains, cell=True) if found else context
    if not found:
        return _moved(scheme, context, cell) or _refused(scheme.name, cell, mistake or _reason(scheme, context))
    values = list(dict.fromkeys(each.value for each in found))
    rest = context.without((each.start, each.end) for each in found).text
    if len(values) == 1 and scheme.around.fullmatch(rest):
        return _accepted(scheme, values[0], cell)
    if len(values) > 1:
        why = (
            f"The cell holds {len(values)} identifiers, {_shown(values[0])} and {_shown(values[1])}. Leave one of them."
        )
        return _refused(scheme.name, cell, why)
    more = _shown(" ".join(rest.split()).strip(",;:. "))
    label = LABELS[scheme.name]
    if _unmistakable(_Text(rest, context.domains)):
        why = f"The cell holds another identifier beside the {label}: {more}. Put each into a column of its own."
    else:
        why = (
            f"Beside the {label} {_shown(values[0])} the cell holds {more}. Nothing was cut away, as that could make a "
            f"wrong {label}. Leave the {label} alone in the cell."
        )
    return _refused(scheme.name, cell, why)


def _moved(asked: _Scheme, context: _Text, cell: str) -> Parsed | None:
    """The cell as another scheme's, if it is unmistakably one of another."""
    found = _unmistakable(context)
    if len({(name, each.value) for name, each in found}) != 1:
        return None
    scheme = _SCHEMES[found[0][0]]
    rest = context.without((each.start, each.end) for _, each in found).text
    if scheme is asked or context.text.isdigit() or not scheme.around.fullmatch(rest):
        return None
    value, label = found[0][1].value, LABELS[scheme.name]
    message = (
        f"This is no {LABELS[asked.name]} but the {label} {_shown(value)}, and was taken as that. "
        f"Put it into the {label} column."
    )
    note = Note("moved_identifier", message, value=cell, repaired_to=value)
    return _parsed(scheme.name, value, cell, (note, *_doubts(scheme, value, cell)))


def _read_parts(scheme: str, parts: Iterable[str], kind: str, cell: str, domains: Sequence[str]) -> Parsed:
    """The one identifier in the texts of a formula or a link; a formula is never evaluated."""
    read: dict[tuple[str, str | None], Parsed] = {}
    for part in parts:
        text = part.strip(_INVISIBLE)
        each = _read_cell(_SCHEMES[scheme], _Text(text, domains, cell=True), part) if text else None
        if each is not None and each.value is not None:
            read[each.scheme, each.value] = each
    label = LABELS[scheme]
    if len(read) != 1:
        many = "several identifiers" if read else f"no {label} that can be read without evaluating it"
        return _refused(scheme, cell, f"The cell is a {kind} with {many}. Put the {label} itself into the cell.")
    ((name, value), only) = next(iter(read.items()))
    notes = tuple(note for note in only.notes if note.code != "repaired")
    why = f"The cell is a {kind}; the one {LABELS[name]} in its text was taken."
    return _parsed(name, value, cell, (_repaired(cell, value or "", why), *notes))


def _formula_parts(formula: str) -> list[str]:
    """The texts in a formula; none if it puts texts together, as each would be a piece of an identifier."""
    quoted = [text.replace('""', '"') for text in _QUOTED.findall(formula)]
    if _COMPUTED.search(_QUOTED.sub("", formula)):
        return []
    return quoted or [formula[1:]]


def _accepted(scheme: _Scheme, value: str, cell: str, why: str | None = None) -> Parsed:
    written = cell.strip(" ")
    ordinary = scheme.ordinary.fullmatch(written) if scheme.ordinary else _lower(written) == _lower(value)
    doubts = _doubts(scheme, value, cell)
    if ordinary and why is None:
        return _parsed(scheme.name, value, cell, doubts)
    if why is None and scheme.name == "pmid" and written.isascii() and written.isdigit():
        why = "A PubMed ID has no zeros in front."
    why = why or f"Only the {LABELS[scheme.name]} was taken, without what stands around it."
    return _parsed(scheme.name, value, cell, (_repaired(cell, value, why), *doubts))


def _parsed(
    scheme: str, value: str | None, cell: str, notes: tuple[Note, ...] = (), refusal: Refusal | None = None
) -> Parsed:
    return Parsed((scheme, value, cell, (), (notes, refusal)))


def _doubts(scheme: _Scheme, value: str, cell: str) -> tuple[Note, ...]:
    return tuple(
        Note("implausible_identifier", f"Kept, as it is well formed. {why}", value=cell)
        for pattern, why in scheme.doubts
        if pattern.match(value)
    )


def _repaired(cell: str, value: str, why: str) -> Note:
    return Note("repaired", why, "info", None, cell, value)


def _refused(scheme: str, cell: str, why: str) -> Parsed:
    return _parsed(scheme, None, cell, (), Refusal("invalid_identifier", why, None, cell))


def _reason(scheme: _Scheme, context: _Text) -> str:
    """Why a cell without an identifier of its scheme is refused, and what to do."""
    text = context.text
    if _EMPTY_WORDS.fullmatch(text):
        return f"The cell says that there is no {LABELS[scheme.name]}. Leave it empty until there is one."
    plain = f"{_shown(text)} is no {LABELS[scheme.name]}: it {scheme.form}."
    if other := next((name for name, _ in _whole(context) if name != scheme.name), None):
        label = LABELS[other]
        return f"{plain} It could be an identifier of another kind; if it is a “{label}”, put it into that column."
    return " ".join([plain, *(hint for pattern, hint in _LOOKS_LIKE if pattern.match(text))])


def _shown(text: str) -> str:
    return f"“{text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + '…'}”"


# --- values of unknown kind


def _unmistakable(context: _Text) -> list[tuple[str, _Found]]:
    """All that is beyond doubt: addresses of resolvers, prefixes, DOIs, NCT IDs, ISBNs with a right check digit.

    What one scheme found is hidden from those behind it. An address on the institution's domains is its own
    identifier only if nothing better is in it.
    """
    found: list[tuple[str, _Found]] = []
    here: list[_Found] = []
    rest = context
    lowered = _lower(context.text)
    for name in dict.fromkeys([name for sign, name in _SIGNS if sign in lowered]):
        if name == "uri":
            taken = [each.start for _, each in found]
            addresses = _found(_SCHEMES[name], context) if context.domains else ()
            here = [each for each in addresses if not any(each.start <= at < each.end for at in taken)]
        else:
            rest = rest.without((each.start, each.end) for each in here) if here else rest
            here = [each for each in _found(_SCHEMES[name], rest) if each.sure]
        found += [(name, each) for each in here]
    return found


# What may be a scheme's by its shape, and what a text must have in it for that.
_SOME_DIGITS = re.compile(r"[0-9]\D?[0-9]\D?[0-9]")
_SHAPES = (
    ("isbn", re.compile(r"[0-9](?:\D?[0-9]){8}\D?[0-9Xx]")),
    ("ads", re.compile(r"[0-9]{4}[A-Za-z][0-9A-Za-z.&%]{13}")),
    ("arxiv", re.compile(r"[0-9]{4}\.[0-9]{4}|/[0-9]{7}")),
    ("handle", re.compile(r"[0-9](?:/|%2[Ff])")),
)


def _whole(context: _Text) -> Iterator[tuple[str, _Found]]:
    """What the value as a whole could be, by its shape alone; an address is none of these."""
    text = context.text
    if not _SOME_DIGITS.search(text) or _ADDRESS.fullmatch(text):
        return
    for name in [name for name, shape in _SHAPES if shape.search(text)]:
        found = list(_found(_SCHEMES[name], context))
        if len(found) == 1 and context.lead(found[0].start) is None:
            rest = context.without([(found[0].start, found[0].end)]).text
            if _SCHEMES[name].around.fullmatch(rest):
                yield name, found[0]


def _by_shape(context: _Text) -> list[tuple[str, _Found]]:
    return [(name, each) for name, each in _whole(context) if _is_likely(name, each.value, context.text)][:1]


def _is_likely(scheme: str, value: str, text: str) -> bool:
    """Whether a shape is rare enough to say by itself what the whole value is."""
    if scheme == "isbn":  # ten digits pass the check by chance in one case of eleven
        return all(stdnum_isbn.split(value)) or not text.isalnum()
    if scheme == "ads":
        return "." in value and not _SCHEMES["ads"].doubts[0][0].match(value)
    if scheme == "arxiv":
        return not value[0].isdigit() or bool(_MONTH.match(value))
    return bool(_HANDLE_SHAPE.fullmatch(value))


# --- aliases

_ARXIV_DOI = "10.48550/arxiv."
_ARXIV_VERSION = re.compile(r"v[0-9]+$")


def _aliases_of(scheme: str, value: str) -> Iterator[tuple[str, str]]:
    if scheme == "doi" and value.startswith(_ARXIV_DOI):
        yield from (("arxiv", each) for each in extract("arxiv", "arXiv:" + value.removeprefix(_ARXIV_DOI)))
    elif scheme == "arxiv":
        plain = _ARXIV_VERSION.sub("", value)
        if plain != value:
            yield "arxiv", plain
        elif _MONTH.match(plain) or "/" in plain:  # a month that is none has no DOI
            archive, slash, number = plain.partition("/")
            yield "doi", _ARXIV_DOI + (_lower(archive.split(".")[0]) + slash + number if slash else plain)
    elif scheme == "urn" and value.startswith("urn:isbn:"):
        yield from (("isbn", each) for each in extract("isbn", value.removeprefix("urn:isbn:")))
