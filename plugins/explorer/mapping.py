"""include/mappings/*.yaml, compiled into extractors: where each canonical field lies in a source's records.

A rule is a path, whether the field is required, a default, and the name of a transform. A fifth need is Python.
"""

from __future__ import annotations

import functools
import hashlib
import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

FOLDER = Path(__file__).resolve().parents[2] / "include" / "mappings"

Value = str | int | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One field: ``transform`` makes a value of the texts at ``path``; nothing there is ``default``."""

    path: str
    transform: str = "first"
    required: bool = False
    default: str | int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """One file: the rules by field, the namespaces of their paths, and ``version``, a hash of the file's bytes."""

    fields: Mapping[str, Rule]
    namespaces: Mapping[str, str]
    version: str


@dataclass(frozen=True, slots=True)
class Values:
    """What a record holds, by field. ``missing`` names the required fields that it lacks."""

    fields: Mapping[str, Value]
    missing: tuple[str, ...] = ()
    found: bool = True  # whether the record has any of the fields

    def text(self, name: str) -> str | None:
        """The field as text; None where it is empty."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> int | None:
        """The field as a number; None where it is empty."""
        value = self.fields.get(name)
        return value if isinstance(value, int) else None

    def texts(self, name: str) -> tuple[str, ...]:
        """All the values of the field."""
        value = self.fields.get(name)
        return value if isinstance(value, tuple) else ()


class XmlMapping:
    """Rules whose paths are XPaths, compiled once. Safe to share between threads."""

    def __init__(self, rules: Rules) -> None:
        self.version = rules.version
        self._families = {_family(each): each for each in rules.namespaces.values()}
        self._fields = [
            (name, rule, _tag(rule.path, rules.namespaces) or etree.XPath(rule.path, namespaces=dict(rules.namespaces)))
            for name, rule in rules.fields.items()
        ]
        self._tags = {path for _, _, path in self._fields if isinstance(path, str)}

    def read(self, element: etree._Element) -> Values:
        """The record's values; paths begin at ``element``."""
        values: dict[str, Value] = {}
        missing = []
        nothing = True
        children: dict[object, list[str]] = {}
        for each in element:
            if each.tag in self._tags:
                children.setdefault(each.tag, []).append(plain(each))
        for name, rule, path in self._fields:
            if isinstance(path, str):
                texts = children.get(path, [])
            else:
                found = path(element)
                texts = [plain(each) for each in found] if isinstance(found, list) else [str(found)]
            value = TRANSFORMS[rule.transform](texts)
            empty = value is None or value == ()
            nothing = nothing and empty
            values[name] = rule.default if empty else value
            if empty and rule.required and rule.default is None:
                missing.append(name)
        return Values(values, tuple(missing), found=not nothing)

    def knows(self, element: etree._Element) -> bool:
        """Whether any element is of a namespace of the rules."""
        known = set(self._families.values())
        return any(etree.QName(each).namespace in known for each in element.iter(etree.Element))

    def respell(self, element: etree._Element) -> bool:
        """Puts elements of another version of a namespace, or of none, into the one of the rules; whether there were any.

        Servers write ``https``, forget a slash, use an older version, or declare no namespace at all.
        """
        only = next(iter(self._families.values())) if len(self._families) == 1 else None
        changed = False
        for each in element.iter(etree.Element):
            name = etree.QName(each)
            known = self._families.get(_family(name.namespace or "")) if name.namespace not in _NO_NAMESPACE else only
            if known and known != name.namespace:
                each.tag = f"{{{known}}}{name.localname}"
                changed = True
        return changed


def _tag(path: str, namespaces: Mapping[str, str]) -> str | None:
    """The tag of a path that leads to children of one name; all of them together are found in one walk."""
    found = _CHILD.fullmatch(path)
    return f"{{{namespaces[found[1]]}}}{found[2]}" if found else None


_CHILD = re.compile(r"(\w+):([\w.-]+)")


@functools.cache
def rules(name: str) -> Rules:
    """The rules of ``include/mappings/<name>.yaml``. Raises ``ValueError`` with the file's name where it is wrong."""
    file = FOLDER / f"{name}.yaml"
    content = file.read_bytes()
    data = yaml.safe_load(content)
    try:
        fields = {field: Rule(**rule) for field, rule in data["fields"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file}: {error}") from error
    for field, rule in fields.items():
        if rule.transform not in TRANSFORMS:
            raise ValueError(f"{file}: {field}: no transform `{rule.transform}`; allowed: {', '.join(TRANSFORMS)}")
    return Rules(fields, data.get("namespaces") or {}, hashlib.sha256(content).hexdigest())


@functools.cache
def xml_mapping(name: str) -> XmlMapping:
    """The compiled ``include/mappings/<name>.yaml``."""
    return XmlMapping(rules(name))


_NO_NAMESPACE = (None, "", "http://www.openarchives.org/OAI/2.0/")  # the last is inherited where none is declared
_VERSION = re.compile(r"/(?:elements|terms|kernel-?|v?[\d.]+)(?:[/#.\d-].*)?$|[/#]+$")


def _family(namespace: str) -> str:
    """A namespace without what differs between its versions: ``purl.org/dc``, ``datacite.org/schema``."""
    bare = re.sub(r"^https?://(?:www\.)?", "", namespace.strip().lower())
    return _VERSION.sub("", bare)


def plain(found: object) -> str:
    """The text of an element with all below it, of an attribute or of a string: one line, single blanks."""
    if isinstance(found, etree._Element):  # noqa: SLF001 - lxml has no other name for it
        text = "".join(map(str, found.itertext())) if len(found) else found.text or ""
    else:
        text = str(found)
    return " ".join(escaped_once(text).split())


def escaped_once(text: str) -> str:
    """Text whose entities were escaped twice (bepress and others): ``A &amp; B`` after parsing was meant as A & B."""
    return html.unescape(text) if "&" in text and _ESCAPED.search(text) else text


def first(texts: Iterable[str]) -> str | None:
    """The first text that is not empty."""
    return next((each for each in texts if each), None)


def every(texts: Iterable[str]) -> tuple[str, ...]:
    """Each different text once, in order."""
    return tuple(dict.fromkeys(each for each in texts if each))


def joined(texts: Iterable[str]) -> str | None:
    """A title and its subtitle."""
    return ": ".join(each for each in texts if each) or None


def year(texts: Sequence[str]) -> int | None:
    """The earliest year of several dates; times of day, which are of the record's making, only where all have one."""
    dates = [each for each in texts if not _TIME.search(each)] or texts
    return min((int(found[1]) for each in dates if (found := _YEAR.search(each))), default=None)


TRANSFORMS: Mapping[str, Callable[[Sequence[str]], Value]] = {
    "first": first,
    "all": every,
    "joined": joined,
    "year": year,
}

_ESCAPED = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")
_TIME = re.compile(r"\dT\d\d:")
_YEAR = re.compile(r"(?<!\d)((?:1[4-9]|20)\d\d)(?=(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?!\d)|(?!\d))")
