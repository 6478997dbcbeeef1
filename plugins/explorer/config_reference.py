"""The editor's schema and the reference page of the configuration, both made from the models of ``config.py``."""

from __future__ import annotations

import inspect
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from explorer import config, config_values
from explorer.config_messages import keys_of, models_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import core_schema

SCHEMA = config.INSTITUTIONS / "schema.json"
PAGE = config.INSTITUTIONS.parents[1] / "docs" / "configuration.md"

WORDS = {"array": "list", "string": "text", "boolean": "`true`, `false`"}

EXAMPLE = """\
# yaml-language-server: $schema=schema.json
name: Lilliput University
slug: lilliput
schedule: "0 3 * * 1"
timezone: Europe/London
source:
  kind: symplectic_elements
  connection: lilliput_elements
  api_version: "6.13"
privacy:
  level: public
  user_status: current
  profile_types: academic
orphans: remove_authorless
departments: source
notify: [library@lilliput.example, research-office@lilliput.example]
limits: {max_removed_share: 0.2, max_rejected_share: 0.05}
"""

INTRODUCTION = f"""\
# Configuration of an institution

<!-- Made from the models: `PYTHONPATH=plugins python -m explorer.config_reference`. A test fails when stale. -->

One institution is one file, `include/institutions/<slug>.yaml`:

```yaml
{EXAMPLE}```

An editor that knows YAML schemas shows each key's meaning and allowed values as you type. Keys that are not listed
here are refused; `bin/explorer check` tells every mistake with its line. Paths are relative to the file. A secret
never stands in it: `connection` names an Airflow connection.

A change of a key marked with ● brings a reset and a full import; any other key changes nothing that is published.
A local file of names or departments counts by its content.
"""


class _Schema(GenerateJsonSchema):
    """Pydantic's schema for a file that a person writes: no nulls, no titles that repeat a key, defaults as written."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """What may be left out is left out; a file never says null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Only defaults that say something: not that of a whole block, whose keys have their own."""
        value = schema.get("default", None)
        if value is None or isinstance(value, BaseModel):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def encode_default(self, dft: Any) -> Any:  # noqa: ANN401 - pydantic's signature
        """A duration as a file says it."""
        return config_values.in_words(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's signature
        """No: a title would only repeat the key."""
        return False


def json_schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of a file; each key with its description."""
    schema = config.Institution.model_json_schema(schema_generator=_Schema)
    schema["required"].remove("slug")  # the file's name stands in for it
    del schema["$defs"]["Departments"]["properties"]["mode"]
    departments = schema["properties"]["departments"]
    departments["anyOf"] = [{"enum": ["source", "none"]}, {"$ref": departments.pop("$ref")}]
    departments["default"] = "source"
    dialect = "https://json-schema.org/draft/2020-12/schema"
    plain: dict[str, Any] = _without({"fingerprint", "derived", "title"}, schema)
    return {"$schema": dialect, "title": "An institution of the Explorer", **plain}


def _without(marks: set[str], schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Takes out what only our own code reads; a key of a file that has such a name holds a mapping and stays."""
    if isinstance(schema, list):
        return [_without(marks, item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without(marks, value) for key, value in schema.items() if key not in marks or isinstance(value, dict)}


def page() -> str:
    """docs/configuration.md: a table for each block of a file, every key in it."""
    schema = json_schema()
    root = {"properties": schema["properties"]}
    sections = _sections(config.Institution, "The file", counts=True, blocks={"Institution": root, **schema["$defs"]})
    return "\n".join([INTRODUCTION, *sections])


def _sections(model: type[BaseModel], title: str, *, counts: bool, blocks: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The section of a model and those of the blocks in it; a block that stands in several places is told once."""
    block = blocks.pop(model.__name__, None)
    if block is None:
        return
    yield f"## {title}\n"
    if model is not config.Institution:
        yield f"{inspect.cleandoc(model.__doc__ or '')}\n"
    yield "| key | values | default | meaning | |"
    yield "| --- | --- | --- | --- | --- |"
    for key in keys_of(model):
        dot = "●" if counts and config.mark(model, key) else ""
        yield _row(key, model.model_fields[key], block["properties"][key], dot)
    yield ""
    for key in keys_of(model):
        for inner in models_in(model.model_fields[key].annotation):
            below = counts and bool(config.mark(model, key))
            yield from _sections(inner, _title(key, model, inner), counts=below, blocks=blocks)


def _title(key: str, model: type[BaseModel], inner: type[BaseModel]) -> str:
    """``source: pure``, ``source.groups: symplectic_elements``, ``limits``; shared blocks name no kind."""
    if key == "source":
        return f"`source`: {_kind(inner)}"
    if _kind(model):
        return f"`source.{key}`" + (f": {_kind(model)}" if key in model.__annotations__ else "")
    return f"`{key}`" if model is config.Institution else f"`departments.{key}`"


def _kind(model: type[BaseModel]) -> str:
    return get_args(model.model_fields["kind"].annotation)[0] if "kind" in model.model_fields else ""


def _row(key: str, field: FieldInfo, entry: Mapping[str, Any], dot: str) -> str:
    if "default" in entry:
        default = json.dumps(entry["default"]) if not isinstance(entry["default"], str) else entry["default"]
        default = f"`{default}`"
    else:
        default = "**required**" if field.is_required() and key != "slug" else ""
    return " | ".join([f"| `{key}`", _values(entry), default, field.description or "", f"{dot} |"])


def _values(entry: Mapping[str, Any]) -> str:
    """What a key may hold, in a few words."""
    listed = _listed(entry)
    if listed:
        return ", ".join(f"`{value}`" for value in listed) + (", a block" if _may_be_block(entry) else "")
    if "examples" in entry:
        return f"like `{entry['examples'][0]}`"
    if "additionalProperties" in entry:
        return f"names, each with: {_values(entry['additionalProperties'])}"
    if entry.get("type") in {"integer", "number"}:
        return _bounds(entry)
    return WORDS.get(entry.get("type", ""), "a block")


def _may_be_block(entry: Mapping[str, Any]) -> bool:
    return any("$ref" in one for one in entry.get("anyOf", ()))


def _listed(entry: Mapping[str, Any]) -> list[str]:
    if "const" in entry:
        return [entry["const"]]
    listed: list[str] = entry.get("enum") or entry.get("anyOf", [{}])[0].get("enum", [])
    return listed


def _bounds(entry: Mapping[str, Any]) -> str:
    low = f"over {entry['exclusiveMinimum']}" if "exclusiveMinimum" in entry else f"{entry['minimum']}"
    return f"{low} to {entry['maximum']}"


def write() -> None:
    """Writes the schema and the page beside what they describe."""
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


def schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write()
