"""The bytes of a configuration file as plain data in which every key knows its line.

YAML guesses types (``6.13`` becomes a number, ``no`` a boolean); here every plain value stays the text that a person
wrote, and the model of ``config.py`` says what it should be. Anchors, aliases and tags are refused: an institution's
file needs none, and they are how a small file becomes a large or a dangerous one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST = 256 * 1024  # bytes; a real file has one or two thousand
DEEPEST = 12  # levels of mappings and lists within each other

Key = tuple[str | int, ...]
Data = str | None | list["Data"] | dict[str, "Data"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, at a dotted ``key`` (empty: the file as a whole); ``line`` counts from 1, 0 is none."""

    path: Path
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ConfigError(Exception):
    """A configuration that cannot be used. The message has a line for each of its ``problems``."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__(*self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def dotted(key: Key) -> str:
    """``("sets", "include", 0)`` as ``sets.include[0]``."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(slots=True)
class Document:
    """What a file says: its data, the line of each key and list item, and what is wrong with its form."""

    path: Path
    data: dict[str, Data] = field(default_factory=dict)
    lines: dict[Key, int] = field(default_factory=dict)
    problems: dict[Key, Problem] = field(default_factory=dict)

    def line(self, key: Key) -> int:
        """The line of a key, or of the nearest one above it where the key itself is absent."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def blame(self, key: Key, message: str) -> None:
        """Keeps the first problem of a key; the file is read on, so that all problems are told at once."""
        self.problems.setdefault(key, Problem(self.path, self.line(key), dotted(key), message))


def read(path: Path) -> Document:
    """The data of a YAML file. Raises ``ConfigError`` where there is no mapping to be had from it."""
    text = _text(path)
    document = Document(path)
    try:
        events = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        data = _Reader(document, events).document()
    except yaml.YAMLError as error:
        raise ConfigError(_syntax(path, text, error)) from None
    if data is None:
        raise ConfigError(Problem(path, 1, "", "the file is empty: it needs at least `name` and `source`"))
    if not isinstance(data, dict):
        raise ConfigError(Problem(path, 1, "", "the file must hold keys and values, like `name: Lilliput University`"))
    document.data = data
    return document


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ConfigError(Problem(path, 1, "", "there is no such file")) from None
    except OSError as error:
        raise ConfigError(Problem(path, 1, "", f"the file cannot be read: {error.strerror}")) from None
    if len(content) > LARGEST:
        raise ConfigError(
            Problem(path, 1, "", f"the file is larger than {LARGEST // 1024} KiB: is it a configuration?")
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(Problem(path, line, "", "the file is not UTF-8 here: save it as UTF-8")) from None


def _syntax(path: Path, text: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    if line <= len(lines) and "\t" in lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]:
        return Problem(path, line, "", "a tab in the indentation: YAML wants blanks")
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0]
    return Problem(
        path, line, "", f"not valid YAML: {what}; a text with `:`, `#` or quotes in it needs quotes around it"
    )


class _Reader:
    """Turns the events of YAML's parser into data, no deeper than ``DEEPEST``."""

    def __init__(self, document: Document, events: Iterator[yaml.Event]) -> None:
        self._document = document
        self._events = events

    def document(self) -> Data:
        data: Data = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop(event, "a second document (`---`): a file holds one institution")
                data = self._value(next(self._events), ())
        return data

    def _value(self, event: yaml.Event, key: Key) -> Data:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._stop(event, "anchors (&) and aliases (*) are not used here: write the value out, or put it in quotes")
        if getattr(event, "tag", None):
            self._stop(event, "tags (!) are not used here: write the value alone, or put it in quotes")
        if len(key) > DEEPEST:
            self._stop(event, "the values lie too deep within each other")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(key)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(key)
        return _scalar(event)

    def _mapping(self, key: Key) -> dict[str, Data]:
        mapping: dict[str, Data] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            name = self._value(event, key) if isinstance(event, yaml.ScalarEvent) else None
            if not isinstance(name, str):
                self._stop(event, "a key must be a plain word")
            inner = (*key, name)
            self._document.lines.setdefault(inner, _line(event))
            value = self._value(next(self._events), inner)
            if name in mapping:
                self._document.blame(inner, f"stands here and again in line {_line(event)}: keep one of them")
            elif value is None:
                self._document.blame(inner, "has no value: give one, or leave the key out")
            mapping.setdefault(name, value)
        return mapping

    def _list(self, key: Key) -> list[Data]:
        items: list[Data] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            inner = (*key, len(items))
            self._document.lines[inner] = _line(event)
            items.append(self._value(event, inner))
            if items[-1] is None:
                self._document.blame(inner, "is empty: give a value, or take the item out")
        return items

    def _stop(self, event: yaml.Event, message: str) -> NoReturn:
        raise ConfigError(Problem(self._document.path, _line(event), "", message))


def _scalar(event: yaml.Event) -> str | None:
    if not isinstance(event, yaml.ScalarEvent):
        raise TypeError(event)
    is_plain = event.style in {None, ""}
    return None if is_plain and event.value in {"", "~", "null", "Null", "NULL"} else str(event.value)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
