"""DSpace 5 and 6: the whole tree of communities in one answer of ``rest/hierarchy``, as JSON or XML."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from lxml import etree

from explorer.sources.oai_platforms import Accent, Repository, Settings, dspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from explorer.records import Department
    from explorer.sources.oai_platforms.dspace import Kind, Node
    from explorer.sources.oai_xml import Element

_KINDS: tuple[Kind, ...] = ("community", "collection")


def departments(repository: Repository, settings: Settings) -> Iterator[Department]:
    """The tree below the site. Raises ``DepartmentsClosedError``."""
    url = hierarchy(settings)
    body = dspace.asked(repository, url, "application/json, application/xml;q=0.5").body
    try:
        top = read(body)
    except (ValueError, AttributeError, RecursionError, etree.XMLSyntaxError) as error:
        raise dspace.closed(url, "answers with something else than a hierarchy (a web page?)") from error
    return dspace.tree(top, settings)


def hierarchy(settings: Settings) -> str:
    """The address of the tree: ``…/rest/hierarchy``."""
    return settings.source.hierarchy_url or dspace.beside(settings.source.url, "rest/hierarchy")


def read(body: bytes) -> list[Node]:
    """The communities and collections below the site. Raises ``ValueError`` or ``XMLSyntaxError`` for anything else."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return _below_object(json.loads(body))
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    root = etree.fromstring(body, parser)
    if etree.QName(root).localname != "site":
        raise ValueError(root.tag)
    return _below_element(root)


def _below_object(above: dict[str, Any]) -> list[Node]:
    """Keys are singular; a list may be missing, and one child alone may stand without a list."""
    if not isinstance(above, dict) or not {"community", "collection", "handle"} & above.keys():
        raise ValueError("no hierarchy")
    found = []
    for kind in _KINDS:
        children = above.get(kind) or []
        for each in children if isinstance(children, list) else [children]:
            made = dspace.node(each.get("handle"), each.get("id"), each.get("name"), kind)
            if made is not None:
                made.below = _below_object(each) if kind == "community" else []
                found.append(made)
    return found


def _below_element(above: Element) -> list[Node]:
    found = []
    for kind in _KINDS:
        for each in cast("Iterable[Element]", above.findall(f"{{*}}{kind}")):
            handle, number, name = (each.findtext(f"{{*}}{field}") for field in ("handle", "id", "name"))
            made = dspace.node(handle, number, name, kind)
            if made is not None:
                made.below = _below_element(each)
                found.append(made)
    return found


ACCENT = Accent(
    overlap=timedelta(days=2),  # a cron job fills the index, and datestamps precede what can be seen
    departments=departments,
    hierarchy=hierarchy,
    memberships=dspace.memberships,
    placed=dspace.placed,
    spellings=dspace.spellings,
    no_departments_hint="the hierarchy shows no community to us, or departments.sets leaves all out",
)
