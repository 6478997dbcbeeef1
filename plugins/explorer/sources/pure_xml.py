"""XML of Pure's old web service as the same objects that its JSON gives, for servers where JSON is switched off.

An attribute and a child element are keys alike; the text beside attributes is ``value``; an element in the plural that
holds elements of one kind is a list of them. A pure function of bytes.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

Element = etree._Element  # noqa: SLF001 - lxml has no public name for it

HEAD = frozenset({"count", "pageInformation", "navigationLinks", "navigationLink", "resumptionToken", "moreChanges"})
NO_PLURAL = ("ss", "us", "is")


class NoXmlError(Exception):
    """What is no XML that can be read; the text says why."""


def parse(body: bytes) -> dict[str, Any]:
    """The answer as an object: of a list with its ``items``, of a single thing the thing. Raises ``NoXmlError``."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, huge_tree=False
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NoXmlError(str(getattr(error, "msg", error))) from error
    if _name(root) != "result":
        made = _value(root)
        return made if isinstance(made, dict) else {"value": made}
    found: dict[str, Any] = {}
    items: list[Any] = []
    for child in root.iterchildren("*"):
        name = _name(child)
        if name in HEAD:
            found[name] = _value(child)
        elif name == "items":
            items += [_object(each) for each in child.iterchildren("*")]
        else:
            items.append(_object(child))
    for number in ("count",):
        if isinstance(found.get(number), str) and found[number].strip().isdecimal():
            found[number] = int(found[number])
    if isinstance(found.get("moreChanges"), str):
        found["moreChanges"] = found["moreChanges"].strip().casefold() == "true"
    return {**found, "items": items}


def _name(element: Element) -> str:
    return etree.QName(element).localname


def _object(element: Element) -> Any:  # noqa: ANN401 - JSON
    made = _value(element)
    return made if isinstance(made, dict) else {"value": made}


def _value(element: Element) -> Any:  # noqa: ANN401 - JSON
    children = list(element.iterchildren("*"))  # elements alone: an entity that is not followed is none
    attributes = {etree.QName(name).localname: value for name, value in element.attrib.items() if ":" not in str(name)}
    if not children:
        text = element.text or ""
        if not attributes:
            return text
        return {**attributes, "value": text} if text.strip() else attributes
    if not attributes and _is_list(element, children):
        return [_value(child) for child in children]
    found: dict[str, Any] = dict(attributes)
    if element.text and element.text.strip():
        found["value"] = element.text
    for child in children:
        name, value = _name(child), _value(child)
        if name not in found or (name == "value" and not isinstance(found[name], list)):
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found


def _is_list(element: Element, children: list[Element]) -> bool:
    name = _name(element)
    return name.endswith("s") and not name.endswith(NO_PLURAL) and len({_name(child) for child in children}) == 1
