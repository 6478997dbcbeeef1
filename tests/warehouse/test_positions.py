"""An author who comes before others moves them on: their authorships change in place, and what hangs on them hangs on."""

from dataclasses import replace

import psycopg

from simulators.elements import Group, Link, Publication, Record, University, User
from tests.elements_site import elements_site, endpoint
from tests.warehouse.test_elements import do_import, published


def test_a_new_first_author_moves_the_others_and_their_departments(warehouse_dsn, tmp_path, monkeypatch):
    place = University()
    place.groups = {"1": Group("1", "Academy"), "2": Group("2", "School", ("1",))}
    place.put_user(User("a", "First", "Person", level="Private", groups=frozenset({"2"})))
    place.put_user(User("b", "Second", "Person", groups=frozenset({"2"})))
    place.put(Publication("x", (Record(doi="10.5555/x", title="X"),)))
    for number, user in enumerate("ab", 1):
        place.link(Link(str(number), "x", user))
    with endpoint(place, monkeypatch):
        site = elements_site(warehouse_dsn, tmp_path)
        place.clock.advance(hours=1)
        do_import(site)
        for level, authors in (("Public", ["a", "b"]), ("Private", ["b"])):
            place.clock.advance(hours=2)
            place.put_user(replace(place.users["a"], level=level))
            assert do_import(site)["mode"] == "incremental"
            assert [each["key"] for each in published(site)["outputs"][0]["authors"]] == authors
            assert published(site)["outputs"][0]["departments"] == ["Academy > School"]
            with psycopg.connect(site.dsn) as connection:
                rows = connection.execute(
                    "select a.author_key, position, department_key from warehouse.authorship a"
                    " join warehouse.authorship_department d using (institution, output_key, author_key) order by position"
                ).fetchall()
            assert rows == [(author, number, "2") for number, author in enumerate(authors, 1)]
