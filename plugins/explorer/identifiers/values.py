"""Values of unknown kind, and free text: which identifiers are in them, of one scheme or of any."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdnum import isbn as stdnum_isbn

from explorer.identifiers.patterns import HANDLE_SHAPE, PLAIN_DOI, PLAIN_HANDLE, Found
from explorer.identifiers.schemes import BY_NAME, MONTH, SIGNS, found_in
from explorer.identifiers.texts import ADDRESS, INVISIBLE, Text, lower, unescaped
from explorer.records import Identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Most addresses have nothing in them: no sign of any scheme, nothing encoded.
_PLAIN_ADDRESS = re.compile(r"https?://[\w./?=&:@+,()!*#~-]+", re.ASCII).fullmatch
_SIGNS_INSIDE = tuple(sign for sign, name in SIGNS if name != "uri")


def extract(scheme: str, text: str, *, strict: bool = False, uri_domains: Sequence[str] = ()) -> list[str]:
    """Every identifier of a scheme in free text: canonical, in order of appearance, none twice.

    ``strict`` keeps up to three dots at the end of a DOI, for sources whose structured field ends where the DOI does.
    """
    context = Text(unescaped(text), uri_domains, strict=strict)
    return list(dict.fromkeys(found.value for found in found_in(BY_NAME[scheme], context)))


def find(text: str, *, uri_domains: Sequence[str] = ()) -> list[Identifier]:
    """Identifiers of any scheme in a value of unknown kind, in order of appearance, none twice.

    The address of a known resolver goes before a prefix, a prefix before a shape, a DOI before all else. A shape that
    something else could have too (an ADS Bibcode, a Handle, an ISBN-10) counts only if it is the whole value; bare
    digits are never a PubMed ID.
    """
    if plain := PLAIN_DOI(text):
        return [Identifier("doi", plain[1].lower())]
    if plain := PLAIN_HANDLE(text):
        return [Identifier("handle", plain[1])]
    if not uri_domains and _PLAIN_ADDRESS(text):
        lowered = text.lower()
        if not any(sign in lowered for sign in _SIGNS_INSIDE):
            return []
    context = Text(unescaped(text).strip(INVISIBLE), uri_domains)
    found = unmistakable(context) or _likely_by_shape(context)
    if not found:
        return []
    found.sort(key=lambda pair: pair[1].start)
    return list(dict.fromkeys(Identifier(scheme, each.value) for scheme, each in found))


def unmistakable(context: Text) -> list[tuple[str, Found]]:
    """All that is beyond doubt: addresses of resolvers, prefixes, DOIs, NCT IDs, ISBNs with a right check digit.

    What one scheme found is hidden from those behind it. An address on the institution's domains is its own
    identifier only if nothing better is in it.
    """
    found: list[tuple[str, Found]] = []
    here: list[Found] = []
    rest = context
    lowered = lower(context.text)
    for name in dict.fromkeys([name for sign, name in SIGNS if sign in lowered]):
        if name == "uri":
            taken = [each.start for _, each in found]
            addresses = found_in(BY_NAME[name], context) if context.domains else ()
            here = [each for each in addresses if not any(each.start <= at < each.end for at in taken)]
        else:
            rest = rest.without((each.start, each.end) for each in here) if here else rest
            here = [each for each in found_in(BY_NAME[name], rest) if each.sure]
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


def by_shape(context: Text) -> Iterator[tuple[str, Found]]:
    """What the value as a whole could be, by its shape alone; an address is none of these."""
    text = context.text
    if not _SOME_DIGITS.search(text) or ADDRESS.fullmatch(text):
        return
    for name in [name for name, shape in _SHAPES if shape.search(text)]:
        found = list(found_in(BY_NAME[name], context))
        if len(found) == 1 and context.lead(found[0].start) is None:
            rest = context.without([(found[0].start, found[0].end)]).text
            if BY_NAME[name].around.fullmatch(rest):
                yield name, found[0]


def _likely_by_shape(context: Text) -> list[tuple[str, Found]]:
    return [(name, each) for name, each in by_shape(context) if _is_likely(name, each.value, context.text)][:1]


def _is_likely(scheme: str, value: str, text: str) -> bool:
    """Whether a shape is rare enough to say by itself what the whole value is."""
    if scheme == "isbn":  # ten digits pass the check by chance in one case of eleven
        return all(stdnum_isbn.split(value)) or not text.isalnum()
    if scheme == "ads":
        return "." in value and not BY_NAME["ads"].doubts[0][0].match(value)
    if scheme == "arxiv":
        return not value[0].isdigit() or bool(MONTH.match(value))
    return bool(HANDLE_SHAPE.fullmatch(value))
