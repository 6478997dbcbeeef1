"""A text that is searched: what is cleaned, where addresses lie, where a candidate ends."""

from __future__ import annotations

import bisect
import html
import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote

import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ZERO_WIDTH = (
    "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
INVISIBLE = "\0" + "".join(chr(c) for c in range(0x3001) if chr(c).isspace()) + ZERO_WIDTH
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_ENTITY = re.compile(
    r"&(?:(?:amp|#0{0,6}38|#[xX]0{0,6}26);)*(amp|lt|gt|quot|apos|nbsp|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});",
    re.IGNORECASE | re.ASCII,
)
ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
ADDRESS = regex.compile(r"(?i:https?)://[^\s<>\"“”]++")
_LONGEST_LEAD = 300  # characters of an address in front of an identifier that are looked at
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class Text:
    """A text to search, and what a reader of a candidate needs to know of its surroundings."""

    __slots__ = ("_ends", "_starts", "cell", "domains", "outside", "strict", "text")

    def __init__(self, text: str, domains: Sequence[str], *, strict: bool = False, cell: bool = False) -> None:
        self.text = text
        self.cell = cell
        self.domains = domains
        self.strict = strict
        self._starts: list[int] | None = None
        self._ends: list[int] = []
        self.outside: Text | None = None  # without its DOIs, once somebody asked

    def lead(self, at: int) -> str | None:
        """The part of a web address in front of a place inside it; None outside of addresses."""
        if self._starts is None:
            spans = [m.span() for m in ADDRESS.finditer(self.text)] if "://" in self.text else []
            self._starts = [start for start, _ in spans]
            self._ends = [end for _, end in spans]
        nearest = bisect.bisect_right(self._starts, at) - 1
        if nearest < 0 or at >= self._ends[nearest]:
            return None
        return self.text[max(self._starts[nearest], at - _LONGEST_LEAD) : at]

    def without(self, spans: Iterable[tuple[int, int]]) -> Text:
        """The same text with blanks where something was found already; places stay what they are."""
        pieces, at = [], 0
        for start, end in sorted(spans):
            pieces += [self.text[at:start], " " * (end - max(at, start))]
            at = max(at, end)
        masked = Text("".join(pieces) + self.text[at:], self.domains, strict=self.strict, cell=self.cell)
        self.lead(0)  # an address stays one, though a part of it is blank now
        masked._starts, masked._ends = self._starts, self._ends
        return masked


def lower(text: str) -> str:
    """Lower case, in ASCII alone."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def unescaped(text: str) -> str:
    """The text with HTML entities undone, however often they were escaped (``&amp;lt;``).

    Numbers that stand for a letter, a digit, ``#``, ``;`` or ``&`` are left alone: they could make a new entity.
    """
    return _ENTITY.sub(_character, text) if "&" in text and ";" in text else text


def _character(entity: re.Match[str]) -> str:
    name = entity.group(1).lower()
    character = html.unescape(f"&{name};")
    harmless = len(character) == 1 and not (character.isalnum() or character in "#;&")
    return character if harmless or name == "amp" else f"&{name};"


def percent_decoded(token: str) -> str | None:
    """A token with percent-encoding undone once; None if what comes out is encoded still, or no text."""
    try:
        decoded = unquote(token, errors="strict").rstrip(INVISIBLE)
    except UnicodeDecodeError:
        return token
    return None if ENCODED.search(decoded) or _ENTITY.search(decoded) else decoded


# --- where a candidate ends


def past_tail(context: Text, start: int, end: int) -> int:
    """Where an address ends that has an identifier in it: query, fragment and further path say nothing more."""
    if context.lead(start) is None:
        return end
    tail = _TAIL.match(context.text, end)
    return tail.end() if tail else end


def clipped_at(token: str, loose: Callable[[str], bool] | None = None) -> int:
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
