"""Captured answers of Elements through the whole flow: of a person, nothing but name, ids and departments is ever stored."""

import json
import re

import pytest
from lxml import etree

from explorer import asking, database, flow
from explorer.planning import Request
from tests.elements_site import elements_site
from tests.samples import sample
from tests.scripted_server import Asked, Reply, serving
from tests.warehouse.test_flow import _everything, published

pytestmark = pytest.mark.usefixtures("without_expectations")

API, ATOM = "http://www.symplectic.co.uk/publications/api", "http://www.w3.org/2005/Atom"
PEOPLE = ("mit-solenoid/author.xml", "mit-solenoid/author-new.xml", "mit-solenoid/fun-author.xml")
LINK = "symplectic2eprint/relationship_2002783.xml"
# What may be stored of a person; and words that say nothing of anybody.
ALLOWED = {"last-name", "first-name", "initials"}
COMMON = {"true", "false", "person", "user", "public", "internal", "private"}


def _tree(file: str) -> etree._Element:
    return etree.fromstring(sample(f"elements/{file}").read_bytes())


def _feed(*objects: etree._Element) -> bytes:
    root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM, "api": API})
    etree.SubElement(root, f"{{{API}}}schema-version").text = "5.5"
    etree.SubElement(root, f"{{{ATOM}}}updated").text = "2026-02-01T03:00:00+00:00"
    etree.SubElement(root, f"{{{ATOM}}}generator", version="5.16").text = "Symplectic Elements"
    for each in objects:
        etree.SubElement(root, f"{{{ATOM}}}entry").append(each)
    return etree.tostring(root)


def _objects(file: str, category: str) -> list[etree._Element]:
    return _tree(file).xpath(f"//a:object[@category='{category}'][*]", namespaces={"a": API})


def _personal(users: list[etree._Element]) -> set[str]:
    """Every text and attribute of these people but names, keys and ORCID iDs, without our parser."""
    found = set()
    for user in users:
        for each in user.iter(etree.Element):
            if etree.QName(each).localname not in ALLOWED and each.get("scheme") != "orcid":
                found.add((each.text or "").strip())
        found |= {user.get(name, "") for name in ("username", "proprietary-id", "authenticating-authority")}
    allowed = {(each.text or "").strip() for user in users for each in user.iter(*(f"{{{API}}}{n}" for n in ALLOWED))}
    orcid = re.compile(r"(https?://orcid\.org/)?\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
    return {
        each
        for each in found - allowed
        if len(each) > 3 and each.casefold() not in COMMON and not orcid.fullmatch(each)
    }


def test_nothing_personal_is_stored(warehouse_dsn, tmp_path, monkeypatch):
    users = [each for file in (*PEOPLE, LINK) for each in _objects(file, "user")]
    personal = _personal(users)
    assert any("@" in each for each in personal)
    assert len(personal) > 10
    relationships = _tree(LINK).xpath("//a:relationship", namespaces={"a": API})
    answers = {
        "my-account": _feed(),
        "groups": _feed(),
        "users": _feed(*users),
        "relationships": _feed(*relationships),
        "publications": _feed(*_objects(LINK, "publication")),
    }

    def answer(asked: Asked) -> Reply:
        return Reply(answers[asked.path.rsplit("/", 1)[1]], headers={"Content-Type": "application/atom+xml"})

    monkeypatch.setattr(asking.Turns, "wait", lambda *_: None)
    with serving(answer) as server:
        connection = {"conn_type": "http", "host": f"{server.url}/api", "login": "gulliver", "password": "houyhnhnm"}
        monkeypatch.setenv("AIRFLOW_CONN_LAPUTA", json.dumps(connection))
        site = elements_site(warehouse_dsn, tmp_path)
        import_id = flow.open_import(site, Request(run_key="captured"))
        for part in flow.plan_parts(site, import_id):
            flow.read_part(site, import_id, part)
        for step in (flow.settle, flow.validate, flow.privacy_filter, flow.clean_up_orphans, flow.review):
            step(site, import_id)
        with database.connect(site.dsn) as connection_:
            staged = _everything(connection_)
        flow.load(site, import_id)
        flow.link_attention(site, import_id)
        flow.notify(site, import_id)
        flow.close_staging(site, import_id)
    with database.connect(site.dsn) as connection_:
        kept = _everything(connection_)
    shown = published(site)
    assert [each["name"] for each in shown["authors"] if each["key"] == "80"] == ["Carberry, Josiah"]
    assert [each["key"] for output in shown["outputs"] for each in output["authors"]] == ["80"]
    assert "Carberry, Josiah" in staged
    assert [each for each in sorted(personal) if each in staged or each in kept] == []
    assert "@" not in re.sub(r"library@laputa\.example", "", staged + kept)
