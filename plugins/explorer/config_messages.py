"""What is wrong with a configuration, in the words of a person who edits the file."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from explorer.config_file import Document, Key

SECRETS = {"api_key", "apikey", "key", "login", "password", "secret", "token", "user", "username"}
SHOWN = 60  # characters of a wrong value

_BLOCK = "holds {shape}; allowed: keys and values"
_BOOLEAN = "{value} is neither yes nor no; allowed: true, false"
_NUMBER = "{value} is no number; allowed: a number, like 0.2"
_WHOLE = "{value} is no whole number; allowed: a whole number, like 2"
_BOUNDS = "{value} is out of bounds; allowed: a number {bounds}"
SENTENCES = {
    "value_error": "{error}",
    "model_type": _BLOCK,
    "model_attributes_type": _BLOCK,
    "dict_type": _BLOCK,
    "mapping_type": _BLOCK,
    "tuple_type": "holds {shape}; allowed: a list, like [first, second]",
    "string_type": "holds {shape}; allowed: one text",
    "string_too_short": "is empty; allowed: a text",
    "string_too_long": "is too long; allowed: {max_length} characters at most",
    "bool_parsing": _BOOLEAN,
    "bool_type": _BOOLEAN,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "finite_number": _NUMBER,
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": _WHOLE,
    "greater_than": _BOUNDS,
    "greater_than_equal": _BOUNDS,
    "less_than": _BOUNDS,
    "less_than_equal": _BOUNDS,
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean `x`?)`` where one of the known words is close, else nothing."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f" (did you mean `{close[0]}`?)" if close else ""


def blame(document: Document, error: ValidationError, model: type[BaseModel], patterns: Mapping[str, str]) -> None:
    """Puts each of pydantic's errors into the document's problems, at the line of its key.

    ``patterns`` says in words what a text that must match a pattern looks like.
    """
    for found in error.errors(include_url=False, include_context=True):
        if found["type"] == "default_factory_not_called":
            continue  # a default that depends on a key that was told already
        key = _key(found["loc"])
        if found["type"].startswith("union_tag"):
            key = (*key, "kind")
        document.blame(key, _sentence(found, key, document, model, patterns))


def _key(loc: tuple[int | str, ...]) -> Key:
    """The key in the file: pydantic adds the kind below ``source``, and marks the name of a mapping's entry."""
    key = tuple(part for part in loc if part != "[key]")
    return (key[0], *key[2:]) if key[0] == "source" and len(key) > 1 else key


def _sentence(
    found: Mapping[str, Any], key: Key, document: Document, model: type[BaseModel], patterns: Mapping[str, str]
) -> str:
    context: Mapping[str, Any] = found.get("ctx", {})
    match found["type"]:
        case "missing":
            return f"is missing: {_description(document, model, key)}"
        case "union_tag_not_found":
            return f"is missing; allowed: {', '.join(_kinds(model))}"
        case "extra_forbidden":
            return _unknown(str(key[-1]), keys_of(_model_at(document, model, key[:-1])))
        case "literal_error" | "union_tag_invalid":
            wrong = str(context.get("tag", found["input"]))
            return _unlisted(wrong, context.get("expected") or context["expected_tags"])
        case "string_pattern_mismatch":
            return f"{_shown(found['input'])} does not fit; allowed: {patterns[context['pattern']]}"
        case kind:
            bounds = found["msg"].removeprefix("Input should be ")
            words = {
                "value": _shown(found["input"]),
                "shape": _shape(found["input"]),
                "bounds": bounds,
                "msg": found["msg"],
            }
            return SENTENCES.get(kind, "{msg}").format(**words, **context)


def _shown(value: object) -> str:
    return f"`{value[:SHOWN]}`" if isinstance(value, str) else "this"


def _unlisted(wrong: str, expected: str) -> str:
    allowed = re.findall(r"'([^']*)'", expected)
    return f"`{wrong[:SHOWN]}` is not known{did_you_mean(wrong, allowed)}; allowed: {', '.join(allowed)}"


def _unknown(name: str, allowed: list[str]) -> str:
    if name.lower() in SECRETS and name not in allowed:
        return "is no key: a secret never stands in this file, but in the Airflow connection that `connection` names"
    return f"is no key here{did_you_mean(name, allowed)}; allowed: {', '.join(allowed)}"


def _shape(value: object) -> str:
    return "a list" if isinstance(value, list) else "keys and values" if isinstance(value, dict) else "one text"


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a file may use, a model's own before those that it shares; derived fields are no keys."""
    keys = [name for name, field in model.model_fields.items() if not _is_derived(field.json_schema_extra)]
    shared = {name for base in model.__mro__[1:] for name in getattr(base, "__annotations__", {})}
    return sorted(keys, key=lambda name: name in shared)


def _is_derived(extra: object) -> bool:
    return isinstance(extra, dict) and bool(extra.get("derived"))


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that a type is made of: itself, or the alternatives of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def _kinds(model: type[BaseModel]) -> Iterator[str]:
    for alternative in models_in(model.model_fields["source"].annotation):
        yield from get_args(alternative.model_fields["kind"].annotation)


def _model_at(document: Document, model: type[BaseModel], key: Key) -> type[BaseModel]:
    """The model that describes what lies under a key; below ``source`` the file's own ``kind`` decides."""
    data: Any = document.data
    for name in key:
        data = data[name]
        alternatives = list(models_in(model.model_fields[str(name)].annotation))
        model = next(
            (each for each in alternatives[1:] if data.get("kind") in get_args(each.model_fields["kind"].annotation)),
            alternatives[0],
        )
    return model


def _description(document: Document, model: type[BaseModel], key: Key) -> str:
    text = _model_at(document, model, key[:-1]).model_fields[str(key[-1])].description or ""
    return text[:1].lower() + text[1:].removesuffix(".")
