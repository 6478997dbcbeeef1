r"""How each scheme is written: the pattern that finds candidates, and what makes the canonical value of one.

No pattern backtracks without bound: runs are possessive, and a left boundary keeps a long run from being tried twice.
Digits are ASCII digits: ``\\d`` and ``int`` also take Arabic and full-width ones. Case is changed in ASCII alone, as
full Unicode lower-casing can change a text's length.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import regex
from stdnum import isbn as stdnum_isbn

from explorer.identifiers.texts import ENCODED, ZERO_WIDTH, Text, clipped_at, lower, past_tail, percent_decoded

if TYPE_CHECKING:
    from collections.abc import Iterator


class Found(NamedTuple):
    """An identifier in a text. ``sure``: an address, a prefix or its shape leaves no doubt of the scheme."""

    start: int
    end: int
    value: str
    sure: bool = False


# --- DOI: registrant and suffix, as in altmetric/identifiers; ISBN-A are DOIs too

# Beyond Altmetric's rule a suffix ends before the next DOI or address that a list runs into it, and before markup.
DOI = regex.compile(
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
PLAIN_DOI = re.compile(
    r" *(?:https?://(?:dx\.|)doi\.org/ ?|doi: ?|)"
    r"(10\.[1-9][0-9]{3,8}/[A-Za-z0-9._/-]*(?:|(?:\([A-Za-z0-9._-]*[A-Za-z0-9]\)[A-Za-z0-9._/-]*)+)(?<![._/-]))\.? *"
).fullmatch
# Cells that no reading makes an identifier: without digit and colon (each scheme has one of them), a number, "10." with
# another digit in front; or with a DOI behind a word that stands in no prefix, formula or link.
NO_DOI = re.compile(
    r"[^0-9:]*"
    r"|(?!10\.)[0-9]+(?:\.[0-9]+/[A-Za-z0-9]*)?"
    r"|(?!(?i:https?|d|info|hdl|www|crossref|a\b))[A-Za-z].* 10\.[1-9][0-9]{3,8}/[A-Za-z0-9._-]*[A-Za-z0-9]",
    re.DOTALL,
).fullmatch


def read_doi(match: regex.Match[str], context: Text) -> Found | None:
    """A DOI, in lower case: without the rest of a publisher's address, decoded once."""
    start, end = match.span()
    token = match.group()
    lead = context.lead(start)
    cut = None if lead is None else (_QUERY if _RESOLVER.match(lead) else _PAGE).search(token)
    if cut:
        token = token[: cut.start()]
    whole = cut is not None
    if "%" in token:
        decoded = percent_decoded(token)
        if decoded is None or not DOI.fullmatch(decoded):
            return None
        whole, token = whole or decoded != token, decoded
    kept = clipped_at(token)
    value = lower(token[:kept])
    slash = value.find("/")
    if slash < 0 or not _SOLID.search(value, slash):
        return None
    if context.strict and (dots := _DOTS.match(token, kept)):
        value += dots.group()
    return Found(start, end if whole else start + len(value), value, sure=True)


def outside_dois(context: Text) -> Text:
    """The same text with blanks for its DOIs."""
    if context.outside is None:
        dois = [each for match in DOI.finditer(context.text) if (each := read_doi(match, context))]
        context.outside = context.without((each.start, each.end) for each in dois) if dois else context
    return context.outside


# --- PubMed ID

# Altmetric's rule takes any number between blanks; pubmed.ncbi.nlm.nih.gov and Europe PMC are our addition.
PMID = regex.compile(
    r"""(?: (?<![^\s\p{Cf}]) (?P<bare> 0*+[1-9][0-9]*+ ) (?![^\s\p{Cf}])
        | (?<!\w) (?i: (?:m\.|www\.)?ncbi\.nlm\.nih\.gov/(?:m/)?pubmed/ | pubmed\.ncbi\.nlm\.nih\.gov/
            | pubmed\.gov/ | europepmc\.org/(?:article|abstract)/med/
            | info:pmid/ | (?:pmid|pubmed(?:\s?id)?) (?: \s{0,3}[:=#]\s{0,3} | \s{1,3} ) | pmid(?=[0-9]) )
          (?P<id> 0*+[1-9][0-9]*+ ) (?!\w) (?!\.[0-9]) )""",
    regex.VERBOSE,
)


def read_pmid(match: regex.Match[str], context: Text) -> Found:
    """A PubMed ID without zeros in front; digits alone are not sure to be one."""
    bare, prefixed = match.group("bare", "id")
    end = match.end() if bare else past_tail(context, match.start(), match.end())
    return Found(match.start(), end, (bare or prefixed).lstrip("0"), sure=not bare)


# --- arXiv ID: four digits of year and month, or the archives' names of before 2007

_ARCHIVE = re.compile(
    "acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|cond-mat|cs|dg-ga"
    "|econ|eess|funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math|math-ph|mtrl-th|nlin|nucl-ex|nucl-th|patt-sol|physics"
    "|plasm-ph|q-alg|q-bio|q-fin|quant-ph|solv-int|stat|supr-con"
)
# Altmetric wants a blank behind; we allow the punctuation of a sentence.
ARXIV = regex.compile(
    r"""(?<![\w.-]) (?P<sure> (?i: (?:[a-z]{2,9}\.)?arxiv\.org/[a-z-]{2,9}/(?:arxiv:)? | arxiv\s{0,3}:\s{0,3} | arxiv\s
            | arxiv\.(?=[0-9]) | info:arxiv/ ) )?+
        (?: (?P<new> [0-9]{4}\.[0-9]{4,5} )
          | (?P<archive> [A-Za-z]++(?:-[A-Za-z]++)*+ ) (?P<field> \.[A-Za-z]{2} )? /
            (?P<old> [0-9]{2}(?:0[1-9]|1[0-2])[0-9]{3} ) )
        (?P<version> [vV][0-9]++ )? (?: \.pdf )?+ (?![\w/-]) (?!\.\w)""",
    regex.VERBOSE,
)
_ARXIV_NEW = re.compile(r"([0-9]{2})([0-9]{2})\.[0-9]{4,5}(?:v[0-9]+)?")


def read_arxiv(match: regex.Match[str], context: Text) -> Found | None:
    """An arXiv ID with its version, if one is stated."""
    sure, new, archive, field, old, version = match.group("sure", "new", "archive", "field", "old", "version")
    start = match.start()
    if archive and not _ARCHIVE.fullmatch(lower(archive)):
        return None  # any word, a slash and seven digits: a path, as a rule; no archive was added to these after 2007
    value = new or f"{lower(archive)}{(field or '').upper()}/{old}"
    return Found(start, past_tail(context, start, match.end()), value + lower(version or ""), sure=bool(sure))


# --- ADS Bibcode: year, publication, volume, page, author

ADS = regex.compile(
    r"""(?<![\w&]) (?P<sure> (?i:
            (?:[a-z0-9]{2,9}\.)?adsabs\.harvard\.edu/(?:\#?abs|full|pdf|abstract)/ | bibcode(?:\s{0,3}[:=]\s{0,3}|\s) ) )?+
        (?P<id> [0-9]{4}[A-Za-z](?:[0-9A-Za-z.&]|%26){13}[0-9A-Za-z] ) (?![\w&]|%26) (?!\.[0-9A-Za-z])""",
    regex.VERBOSE,
)
# What no other code looks like: a year, dots between publication, volume and page, a capital at the end.
_ADS_SHAPE = re.compile(r"(?:1[5-9]|20)[0-9]{2}[A-Za-z][A-Za-z&.]{2}[A-Za-z&.0-9]*\.\.[0-9A-Za-z.]*[A-Z]")


def read_ads(match: regex.Match[str], context: Text) -> Found:
    """An ADS Bibcode; sure by its prefix, or by a shape that no other code has."""
    value = match.group("id").replace("%26", "&")
    in_address = context.lead(match.start()) is not None
    sure = bool(match.group("sure")) or (bool(_ADS_SHAPE.fullmatch(value)) and not in_address)
    return Found(match.start(), past_tail(context, match.start(), match.end()), value, sure=sure)


# --- NCT ID

NCT = regex.compile(r"(?<!\w)[Nn][Cc][Tt]([0-9]++)(?!\w)")
_NCT_DIGITS = 8


def read_nct(match: regex.Match[str], context: Text) -> Found:
    """An NCT ID in capitals; sure with the eight digits that all have."""
    sure = len(match.group(1)) == _NCT_DIGITS
    return Found(match.start(), past_tail(context, *match.span()), "NCT" + match.group(1), sure=sure)


# --- RePEc ID and Handle: they end with a letter or digit

REPEC = regex.compile(r"(?<!\w)(?i:repec):((?:[^\s<\"hH]++|(?!(?i:https?)://)[hH]|<(?!/?[A-Za-z]))++)")
_REPEC_SHAPE = re.compile(r"RePEc:[A-Za-z0-9]{3}:[A-Za-z0-9]{6}(?::.+)?", re.DOTALL)


def _to_last_word(token: str) -> str:
    end = len(token)
    while end and not (token[end - 1].isalnum() or token[end - 1] == "_"):
        end -= 1
    return token[:end]


def read_repec(match: regex.Match[str], _: Text) -> Found | None:
    """A RePEc ID, as far as its last letter or digit."""
    tail = _to_last_word(match.group(1))
    if not tail:
        return None
    value = "RePEc:" + tail
    return Found(match.start(), match.start(1) + len(tail), value, sure=bool(_REPEC_SHAPE.fullmatch(value)))


# Altmetric takes any number with a slash behind; in the addresses of other sites that is a path, so we do not.
HANDLE = regex.compile(
    r"""(?<![\w.]) (?: (?P<resolver> (?i: hdl\.handle\.net/(?:api/handles/)? ) )
            | (?P<prefixed> (?i: (?:info:)?hdl[:/]\s{0,3} ) )
            | (?<=/) (?P<dspace> (?i: handle/ ) ) )?+
        (?P<id> (?P<prefix> [0-9]++(?:\.[0-9]++)*+ ) (?: / | %2[Ff] ) [^\s<>"]++ )""",
    regex.VERBOSE,
)
HANDLE_SHAPE = re.compile(r"(?!(?:1[5-9]|20)[0-9]{2}/)(?:[0-9]{4,}|[0-9]+(?:\.[0-9]+)+)/\S+")
# What a repository writes into most records, read without looking further: no DOI, IP address or other scheme in it.
PLAIN_HANDLE = re.compile(
    r"https?://(?:hdl\.handle\.net|[a-z.-]+/handle)/(?!123456789/|\S*\b10\.)([0-9]+(?:\.[0-9]+){0,2}/[0-9]+)"
).fullmatch
_IP = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(?![0-9.])")
_UNREGISTERED = "123456789"  # DSpace's default: thousands of repositories share it
_DOI_PREFIX = re.compile(r"10\.(?:[0-9]{4,9}|97[89]\.[0-9]{2,8})")


def read_handle(match: regex.Match[str], context: Text) -> Found | None:
    """A Handle; none that is a DOI, a path in the address of another site, or of no registered prefix."""
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
            decoded = percent_decoded(token)
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
    if len(value) <= len(prefix) + 1 or DOI.search(value):
        return None
    end = match.end() if whole else match.start("id") + len(value)
    return Found(start, end, value, sure=bool(resolver or prefixed or dspace))


# --- URN: RFC 8141 as altmetric/urn reads it, which has no %00 to %20, no %7f and above, no "?", "#", "~", "&"

URN = regex.compile(
    r"""(?<!\w) [Uu][Rr][Nn] : (?P<namespace> (?![Uu][Rr][Nn]:) [A-Za-z0-9][A-Za-z0-9-]{1,31} ) :
        (?P<rest> (?: [A-Za-z0-9()+,\-.:=@;$_!*'/]++ | %(?: 2[1-9A-Fa-f] | [3-6][0-9A-Fa-f] | 7[0-9A-Ea-e] ) )++ )
        (?![%~&\w])""",
    regex.VERBOSE,
)
ISSN_URN = "urn:issn:"


def read_urn(match: regex.Match[str], context: Text) -> Found | None:
    """A URN, its namespace and its codes in lower case."""
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
    value = f"urn:{lower(namespace)}:{ENCODED.sub(lambda code: code.group().lower(), rest)}"
    return Found(start, end, value, sure=not value.startswith(ISSN_URN))


# --- ISBN: the check digit is stdnum's business

SEPARATOR = r"[\p{Pd}\p{Zs}\u2212]"
ISBN = regex.compile(
    rf"""(?<![\p{{L}}\p{{N}}_]) (?P<sure> (?i: [ep]?-?isbn (?: [-\s]?1[03](?![0-9]) )? ) [\p{{P}}\s]{{0,3}} )?+
        (?P<id> 97[89](?:{SEPARATOR}?[0-9]){{10}} | [0-9](?:{SEPARATOR}?[0-9]){{8}}{SEPARATOR}?[0-9Xx] )
        (?![\p{{L}}\p{{N}}_]) (?![\p{{Pd}}\u2212][0-9])""",
    regex.VERBOSE,
)
_ISBN_A = re.compile(r"(?<!\w)10\.(97[89])\.([0-9]{2,8})/([0-9]{1,7})(?!\w)")
_DASHES = regex.compile(r"[\p{Pd}\u2212]")
_SEPARATORS = {13: 4, 10: 3}
_DIGITS_13 = 13


def isbn_as(text: str) -> Iterator[Found]:
    """ISBNs that stand in DOIs (ISBN-A)."""
    for match in _ISBN_A.finditer(text):
        digits = "".join(match.groups())
        if len(digits) == _DIGITS_13 and stdnum_isbn.is_valid(digits):
            yield Found(*match.span(), digits)


def read_isbn(match: regex.Match[str], context: Text) -> Found | None:
    """An ISBN as 13 digits; the hyphens must be all there or none, and the check digit right."""
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
    return Found(match.start(), end, str(stdnum_isbn.to_isbn13(digits)), sure=sure)


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

URI = regex.compile(
    r"(?i:(?P<scheme>https?))://(?P<host>[^\s/?#<>\"“”\\]++)(?P<path>[^\s?#<>\"“”]*+)(?P<query>\?[^\s#<>\"“”]*+)?(?:#[^\s<>\"“”]*+)?"
)
_HOST = re.compile(r"([^@:\[\]]+?)\.?(?::([0-9]*))?")
_LOOSE_IN_ADDRESS = frozenset(".,;:!?'\u2019\u2026*/" + ZERO_WIDTH)
_DEFAULT_PORTS = frozenset({("http", "80"), ("https", "443"), ("http", ""), ("https", "")})


def read_uri(match: regex.Match[str], context: Text) -> Found | None:
    """One form for what is one page: https, no default port, no slash at the end, no fragment.

    A server on another port speaks one of http and https, so its scheme stays.
    """
    authority = _HOST.fullmatch(lower(match.group("host")))
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
    tail = tail[: clipped_at(tail, loose=_LOOSE_IN_ADDRESS.__contains__)] or "/"
    value = f"{'https' if standard else scheme}://{place}{tail}"
    return Found(match.start(), match.end(), value, sure=True)


def _domain(listed: str) -> str:
    return lower(listed.strip()).removeprefix("*").strip(".")
