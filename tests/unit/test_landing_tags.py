"""What a landing page's tags say: by hand, in every spelling that repositories use, and broken in every way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.landing_tags import NotHtmlError, Page, page
from explorer.records import Identifier

DOI = Identifier("doi", "10.5555/landing.1")
HANDLE = Identifier("handle", "12345/678")
DOMAINS = ("lilliput.example",)


def read(head: str, content_type: str | None = "text/html; charset=utf-8") -> Page:
    return page(f"<!DOCTYPE html><html><head>{head}</head></html>".encode(), content_type, uri_domains=DOMAINS)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("citation_doi", "10.5555/landing.1", DOI),
        ("citation_doi", "doi:10.5555/LANDING.1", DOI),
        ("CITATION_DOI", "https://doi.org/10.5555/landing.1", DOI),
        ("bepress_citation_doi", "10.5555/landing.1", DOI),
        ("prism.doi", "doi:10.5555/landing.1", DOI),
        ("doi", "10.5555/landing.1", DOI),
        ("dc.identifier", "info:doi/10.5555/landing.1", DOI),
        ("DC.Identifier", "doi:10.5555/landing.1", DOI),
        ("DC.Identifier.DOI", "10.5555/landing.1", DOI),
        ("DC:identifier", "10.5555/landing.1", DOI),
        ("dc_identifier", "10.5555/landing.1", DOI),
        ("DCTERMS.identifier", "https://doi.org/10.5555/landing.1", DOI),
        ("dcterms:identifier", "10.5555/landing.1", DOI),
        ("DC.identifier.uri", "http://hdl.handle.net/12345/678", HANDLE),
        ("DC.identifier", "https://repo.lilliput.example/handle/12345/678", HANDLE),
        ("DC.identifier.handle", "12345/678", HANDLE),
        ("DC.identifier", "https://repo.lilliput.example/77", Identifier("uri", "https://repo.lilliput.example/77")),
        ("citation_pmid", "21148220", Identifier("pmid", "21148220")),
        ("DC.identifier.pmid", "21148220", Identifier("pmid", "21148220")),
        ("citation_arxiv_id", "1108.2455", Identifier("arxiv", "1108.2455")),
        ("citation_isbn", "978-0-8050-6909-9", Identifier("isbn", "9780805069099")),
        ("DC.identifier", "urn:nbn:se:uu:diva-123", Identifier("urn", "urn:nbn:se:uu:diva-123")),
    ],
)
@pytest.mark.parametrize("attribute", ["name", "property"])
def test_the_tags_that_name_an_identifier(name: str, content: str, expected: Identifier, attribute: str):
    assert read(f'<meta {attribute}="{name}" content="{content}">').identifiers == (expected,)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("citation_reference", "citation_doi=10.5555/cited"), ("DC.relation", "10.5555/related"),
        ("DC.relation.isPartOf", "10.5555/whole"), ("DC.source", "10.5555/source"), ("og:url", "https://doi.org/10.5555/x"),
        ("description", "see 10.5555/x"), ("DC.identifier.issn", "1234-5678"), ("citation_issn", "1234-5678"),
        ("DC.identifier", "an internal number 77"), ("citation_doi", ""), ("citation_doi", "none"),
        ("DC.identifier.citation", "Journal 3 (2020), doi:10.5555/x"), ("DC.identifier", "https://elsewhere.example/77"),
    ],
)  # fmt: skip
def test_tags_of_references_relations_and_other_things_name_none(name: str, content: str):
    made = read(f'<meta name="{name}" content="{content}">')
    assert made.identifiers == ()
    assert made.missing[0] == "identifier"


def test_what_is_missing_is_named():
    assert read("<title>x</title>").missing == ("identifier", "title", "author", "date")
    full = "<meta name=citation_title content=T><meta name=DC.creator content=A><meta name=DCTERMS.issued content=2020>"
    assert read(full).missing == ("identifier",)
    assert read(full + '<meta name="citation_doi" content="10.5555/landing.1">').missing == ()
    assert read('<meta name="citation_title" content=" "><meta name=DC.date.issued content=2020>').missing == (
        "identifier", "title", "author",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ('<meta content="10.5555/landing.1" name=citation_doi>', ""),
        ('<META NAME="citation_doi" CONTENT="10.5555/landing.1"/>', ""),
        ("<title>a</title></head><body><p>", '<meta name="citation_doi" content="10.5555/landing.1"></p></div>'),
        (
            '<!-- <meta name="citation_doi" content="10.5555/no"> --><meta name="citation_doi" content="10.5555/landing.1">',
            "",
        ),
        (
            '<script>"<meta name=doi content=10.5555/no>"</script><meta name="doi" content="10.5555/landing.1">',
            "",
        ),
        ('<meta name="citation_doi" content="&#49;0.5555&#x2F;landing.1">', ""),
        ("\0" * 10 + '<meta name="citation_doi" content="10.5555/landing.1">', ""),
        ('<meta name="citation_doi" content="10.5555/landing.1">', "<div>" * 3000),
    ],
)
def test_broken_pages_are_read_as_a_browser_reads_them(head: str, body: str):
    assert page(f"<html><head>{head}</head><body>{body}".encode(), "text/html").identifiers == (DOI,)


def test_xhtml_with_a_declaration_and_entities_of_its_own():
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE html [<!ENTITY file SYSTEM "file:///etc/passwd">'
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><meta name="DC.title" content="&file;&b;"/>'
        '<meta name="citation_doi" content="10.5555/landing.1"/></head></html>'
    )
    made = page(text.encode(), "application/xhtml+xml")
    assert made.identifiers == (DOI,)
    assert "root:" not in repr(made)


@pytest.mark.parametrize(
    ("encoding", "content_type", "declared"),
    [
        ("utf-8", "text/html", ""), ("utf-8", "text/html; charset=utf-8", '<meta charset="iso-8859-1">'),
        ("latin-1", "text/html; charset=ISO-8859-1", ""), ("latin-1", "text/html", '<meta charset="windows-1252">'),
        ("latin-1", "text/html", ""), ("latin-1", "text/html", '<meta charset="utf-8">'),
        ("latin-1", "text/html; charset=nonsense", ""), ("utf-8", 'text/html; charset="UTF-8"', ""),
        ("latin-1", "text/html", '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1">'),
        ("utf-16", "text/html", ""), ("utf-8-sig", "text/html; charset=latin-1", ""), ("utf-8", "text/html; charset=rot13", ""),
        ("cp1250", "text/html; charset=windows-1250", ""),
    ],
)  # fmt: skip
def test_the_encoding_is_found(encoding: str, content_type: str, declared: str):
    text = f'<html><head>{declared}<meta name="DC.identifier.uri" content="https://repo.lilliput.example/zoë"></head></html>'
    (found,) = page(text.encode(encoding), content_type, uri_domains=DOMAINS).identifiers
    assert "zo" in found.value
    assert "�" not in found.value
    assert "ë" in found.value or "%C3%AB" in found.value.upper()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"%PDF-1.7", "application/pdf"),
        (b"{}", "application/json"),
        (b"%PDF-1.7", None),
        (b"", None),
        (b"<html>", "text/plain"),
    ],
)
def test_what_is_no_page_is_said(body: bytes, content_type: str | None):
    with pytest.raises(NotHtmlError, match=r"not a page of HTML"):
        page(body, content_type)


@pytest.mark.parametrize(
    ("body", "doubt"),
    [
        ('<html><head><script src="/app.js"></script></head><body><app-root></app-root></body></html>', "JavaScript"),
        ('<html><head><meta http-equiv="Refresh" content="0; URL=/there"></head></html>', "another page"),
        ("<html><frameset><frame src=a></frameset></html>", "frames"),
    ],
)
def test_why_a_page_may_name_nothing(body: str, doubt: str):
    assert doubt in (page(body.encode(), "text/html").doubt or "")


@given(
    st.binary(max_size=300),
    st.sampled_from(["", "<html><head><meta name=citation_doi content=", '<?xml version="1.0"?>']),
)
def test_any_bytes_are_a_page(body: bytes, before: str):
    made = page(before.encode() + body, "text/html")
    assert all(each.scheme and each.value for each in made.identifiers)
