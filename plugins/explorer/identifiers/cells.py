"""A cell that should hold exactly one identifier: its value, or a sentence that says what is wrong and what to do."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import regex

from explorer.identifiers.patterns import NO_DOI, PLAIN_DOI
from explorer.identifiers.schemes import BY_NAME, LABELS, Scheme, found_in
from explorer.identifiers.texts import CONTROL, INVISIBLE, Text, clipped_at, lower, unescaped
from explorer.identifiers.values import by_shape, unmistakable
from explorer.records import Note, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable


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
        if plain := PLAIN_DOI(cell):
            return Parsed(("doi", plain[1].lower(), cell, (), None))
        if NO_DOI(cell):
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
    text = unescaped(cell).strip(INVISIBLE)
    if not text:
        return _parsed(scheme, None, cell)
    if why := _unreadable(text):
        return _refused(scheme, cell, why)
    if text[0] == "=":
        return _read_parts(scheme, _formula_parts(text), "formula", cell, uri_domains)
    if link := _LINK.fullmatch(text):
        return _read_parts(scheme, [part for part in link.groups() if part], "link", cell, uri_domains)
    return _read_cell(BY_NAME[scheme], Text(text, uri_domains, cell=True), cell)


# A spreadsheet has an output in as many rows as it has authors, and "n.a." in hundreds: such cells are read once.
_LONGEST_REMEMBERED = 300
_parse_remembered = functools.lru_cache(maxsize=16_384)(_parse)


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
    return _CONTROL_CHARACTER if CONTROL.search(text) else None


def _read_cell(scheme: Scheme, context: Text, cell: str) -> Parsed:
    text = context.text
    if scheme.name == "pmid" and (decimal := _DECIMAL.fullmatch(text)):
        why = "A spreadsheet program added “.0”. Format the column as text."
        return _accepted(scheme, decimal.group(1), cell, why)
    found = list(found_in(scheme, context))
    mistake = None
    if not found:
        mistake = next((why for pattern, why in scheme.mistakes if pattern.match(text)), None)
        bare = regex.sub(r"^[\p{P}\s]++", "", text)
        bare = bare[: clipped_at(bare)]
        if mistake is None and bare != text:
            found = list(found_in(scheme, Text(bare, context.domains, cell=True)))
            context = Text(bare, context.domains, cell=True) if found else context
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
    if unmistakable(Text(rest, context.domains)):
        why = f"The cell holds another identifier beside the {label}: {more}. Put each into a column of its own."
    else:
        why = (
            f"Beside the {label} {_shown(values[0])} the cell holds {more}. Nothing was cut away, as that could make a "
            f"wrong {label}. Leave the {label} alone in the cell."
        )
    return _refused(scheme.name, cell, why)


def _moved(asked: Scheme, context: Text, cell: str) -> Parsed | None:
    """The cell as another scheme's, if it is unmistakably one of another."""
    found = unmistakable(context)
    if len({(name, each.value) for name, each in found}) != 1:
        return None
    scheme = BY_NAME[found[0][0]]
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
        text = part.strip(INVISIBLE)
        each = _read_cell(BY_NAME[scheme], Text(text, domains, cell=True), part) if text else None
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


def _accepted(scheme: Scheme, value: str, cell: str, why: str | None = None) -> Parsed:
    written = cell.strip(" ")
    ordinary = scheme.ordinary.fullmatch(written) if scheme.ordinary else lower(written) == lower(value)
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


def _doubts(scheme: Scheme, value: str, cell: str) -> tuple[Note, ...]:
    return tuple(
        Note("implausible_identifier", f"Kept, as it is well formed. {why}", value=cell)
        for pattern, why in scheme.doubts
        if pattern.match(value)
    )


def _repaired(cell: str, value: str, why: str) -> Note:
    return Note("repaired", why, "info", None, cell, value)


def _refused(scheme: str, cell: str, why: str) -> Parsed:
    return _parsed(scheme, None, cell, (), Refusal("invalid_identifier", why, None, cell))


def _reason(scheme: Scheme, context: Text) -> str:
    """Why a cell without an identifier of its scheme is refused, and what to do."""
    text = context.text
    if _EMPTY_WORDS.fullmatch(text):
        return f"The cell says that there is no {LABELS[scheme.name]}. Leave it empty until there is one."
    plain = f"{_shown(text)} is no {LABELS[scheme.name]}: it {scheme.form}."
    if other := next((name for name, _ in by_shape(context) if name != scheme.name), None):
        label = LABELS[other]
        return f"{plain} It could be an identifier of another kind; if it is a “{label}”, put it into that column."
    return " ".join([plain, *(hint for pattern, hint in _LOOKS_LIKE if pattern.match(text))])


def _shown(text: str) -> str:
    return f"“{text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + '…'}”"
