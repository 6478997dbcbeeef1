"""Research outputs and persons of Pure to records, whatever version they come from. Pure functions: no network, no clock.

Of a person nothing is taken but name, ORCID, ids of public registers, and where they belong; of what may not be shown
nothing but the uuid.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date

from explorer import identifiers
from explorer.records import Author, Authorship, Identifier, Level, Listed, Note, Output, Refusal
from explorer.sources.pure_words import (
    PRIVATE,
    Item,
    each,
    holds,
    is_true,
    letters,
    misshapen,
    one_of,
    periods,
    previous,
    raw_text,
    rules,
    stated_withheld,
    text,
    uri_end,
    uuid_of,
    uuids,
    withheld,
)

WITHHELD = "(withheld)"
YEARS = range(1000, 2201)
ORCID = re.compile(r"(\d{4})-?(\d{4})-?(\d{4})-?(\d{3}[\dXx])\s*/?$", re.ASCII)
MAIL = re.compile(r"\S*@\S*")
KIND = re.compile(r"/researchoutputtypes/([a-z]+)", re.IGNORECASE)


def output(
    item: object, uri_domains: Sequence[str] = (), *, strict: bool = False, affiliated: bool = False,
    datestamp: str | None = None,
) -> Output:  # fmt: skip
    """The output of a research output. ``strict``: see ``withheld``. ``affiliated``: one without any unit is left out."""
    if not isinstance(item, dict):
        return Output(None, refusal=Refusal("not_an_object", "the item is no object", None, type(item).__name__))
    key = uuid_of(item)
    rule = withheld(item, strict=strict)
    if key is None:
        place = f"research output {item['pureId']}" if isinstance(item.get("pureId"), int) else None
        nameless = Refusal("no_id", "the research output has no uuid", "uuid")
        return Output(None, level=PRIVATE if rule else "public", withheld=rule, refusal=nameless, place=place)
    if rule:
        return _unseen(key, rule, datestamp)
    if (refusal := _unreadable(item)) is not None:
        return Output(key, datestamp=datestamp, level="public", refusal=refusal, place=f"research output {key}")
    notes: list[Note] = []
    units = _units(item)
    kind = item.get("type")
    return Output(
        key=key,
        title=_title(item),
        type=_kind(kind),
        year=_year(item),
        venue=_venue(item),
        identifiers=_identifiers(item, kind, uri_domains, notes),
        departments=tuple(units),
        datestamp=datestamp,
        level="public",
        excluded="affiliation" if affiliated and not units else None,
        notes=tuple(dict.fromkeys(notes)) if notes else (),
        place=f"research output {key}",
    )


def _unreadable(item: Item) -> Refusal | None:
    """Why an output cannot be taken: who wrote it, or what identifies it, cannot be read."""
    wanted = rules()
    name = misshapen(item, (*wanted.contributors, *wanted.versions, *wanted.units, "publicationStatuses", "info"))
    if name is None:
        return None
    return Refusal("unreadable", f"`{name}` is neither a list nor an object", name, str(item[name])[:200])


def _unseen(key: str, rule: str, datestamp: str | None) -> Output:
    """What may not be shown: its uuid alone."""
    return Output(key, datestamp=datestamp, level=PRIVATE, withheld=rule, place=f"research output {key}")


def gone(key: str, datestamp: str | None = None) -> Output:
    """An output that is there no more, or was merged into another."""
    return Output(key, deleted=True, datestamp=datestamp, place=f"research output {key}")


def merged_away(item: object, datestamp: str | None = None) -> list[Output]:
    """The outputs that were merged into this one."""
    return [gone(key, datestamp) for key in previous(item)] if isinstance(item, dict) else []


def there(item: object) -> list[Listed]:
    """That an output is there, with its units."""
    key = uuid_of(item)
    return [Listed(key, departments=tuple(_units(item)))] if key is not None and isinstance(item, dict) else []


def listed(
    item: object,
    *,
    strict: bool = False,
    affiliated: bool = False,
    told: Collection[str] = (),
    datestamp: str | None = None,
) -> list[Listed | Output | Authorship]:
    """What a list with a few fields says of an output: that it is there, its units and who wrote it; or why it is left out.

    Units and people go without a word where others were merged, so an output may lose its last unit unchanged. ``told``: see
    ``stated_withheld``.
    """
    key = uuid_of(item)
    if key is None or not isinstance(item, dict):
        return []
    place = f"research output {key}"
    rule = stated_withheld(item, told, strict=strict)
    if rule:
        return [Listed(key), _unseen(key, rule, datestamp)]
    if (refusal := _unreadable(item)) is not None:
        return [Listed(key), Output(key, datestamp=datestamp, level="public", refusal=refusal, place=place)]
    if affiliated and not _units(item):
        return [Listed(key), Output(key, datestamp=datestamp, level="public", excluded="affiliation", place=place)]
    return [*there(item), *authorships(item, key, datestamp)]


def authorships(item: object, key: str | None, datestamp: str | None = None) -> list[Authorship]:
    """Who of the institution wrote an output, in order, and from which units; nobody from outside.

    Somebody who is named twice, in two roles, wrote it once; an association that is itself hidden is not shown.
    """
    if key is None or not isinstance(item, dict):
        return []
    names = rules().units
    found: dict[str, Authorship] = {}
    for one in _inner(item):
        author = uuid_of(one.get("person"))
        if author is None:
            continue
        units = tuple(uuids(one_of(one, names)))
        level: Level = "private" if is_true(one.get("associationHidden")) else "public"
        before = found.get(author)
        if before is None:
            found[author] = Authorship(f"{key}/{author}", key, author, level, datestamp, units, len(found) + 1)
        else:
            units = tuple(dict.fromkeys([*(before.departments or ()), *units]))
            found[author] = replace(before, departments=units, level="public" if level == "public" else before.level)
    return list(found.values())


def _inner(item: Item) -> list[Item]:
    """The contributors that are neither people from outside nor a collaboration."""
    stated = each(one_of(item, rules().contributors))
    return [one for one in stated if "externalPerson" not in one and "authorCollaboration" not in one]


def _units(item: Item) -> list[str]:
    """The units that an output names: its own, and those that its contributors of the institution wrote it from.

    The unit that manages the record, and organisations of others, are no affiliation (integration guide, "Affiliations").
    """
    names = rules().units
    found = uuids(one_of(item, names))
    for one in _inner(item):
        if stated := one_of(one, names):
            found += uuids(stated)
    return list(dict.fromkeys(found))


def _title(item: Item) -> str | None:
    title, more = text(item.get("title")), text(one_of(item, rules().subtitle))
    return (f"{title}: {more}" if title and more else title or more) or None


def _kind(stated: object) -> str | None:
    """``Article``: the type's own words, else the end of its URI."""
    return text(stated) or uri_end(stated).replace("_", " ").capitalize() or None


def _year(item: Item) -> int | None:
    """Of the current status; else the latest that is known."""
    statuses = each(item.get("publicationStatuses"))
    known = [(is_true(one.get("current")), year) for one in statuses if (year := _year_of(one.get("publicationDate")))]
    if known:
        return max(known)[1]
    return _year_of(item.get("publicationDate"))


def _year_of(stated: object) -> int | None:
    value = stated.get("year") if isinstance(stated, dict) else stated
    if isinstance(value, str) and (found := re.match(r"\s*(\d{4})(?!\d)", value)):
        value = int(found[1])
    return value if isinstance(value, int) and value in YEARS else None


def _venue(item: Item) -> str | None:
    stated = one_of(item, rules().venue)
    if isinstance(stated, dict):
        journal = stated.get("journal")
        stated = stated.get("title") or (journal.get("name") if isinstance(journal, dict) else None) or stated
    return text(stated) or None


# --- identifiers


def _identifiers(item: Item, kind: object, uri_domains: Sequence[str], notes: list[Note]) -> tuple[Identifier, ...]:
    """None twice, in order; what was mended or could not be read as notes."""
    seen: dict[tuple[str, str], Identifier] = {}
    for place, scheme, value in _candidates(item, kind):
        parsed = identifiers.parse(scheme, value, uri_domains=uri_domains)
        if parsed.value is None:
            if parsed.refusal is not None:
                notes.append(Note("invalid_identifier", parsed.refusal.reason, "warning", place, value[:200]))
            continue
        identity = (parsed.scheme, parsed.value)
        if identity not in seen:
            seen[identity] = Identifier(parsed.scheme, parsed.value)
            if not value.startswith("https://doi.org/"):  # how the old service writes a DOI: nothing to tell
                notes.extend(parsed.notes)
    for address in _addresses(item, own=bool(uri_domains)):
        for one in identifiers.find(address, uri_domains=uri_domains):
            seen.setdefault((one.scheme, one.value), one)
    if not seen:
        return ()
    return (*seen.values(), *identifiers.aliases(seen.values()))


def _candidates(item: Item, kind: object) -> Iterator[tuple[str, str, str]]:
    """(where, scheme, text) of all that should be an identifier."""
    wanted = rules()
    for version in each(one_of(item, wanted.versions)):
        if (stated := version.get("doi")) and (found := raw_text(stated)):
            yield "electronicVersions", "doi", found
    if (stated := item.get("doi")) and (found := raw_text(stated)):
        yield "doi", "doi", found
    for source, value in _ids(item):
        scheme = wanted.identifiers.get(letters(source))
        if scheme:
            yield source, scheme, value
    isbns = [(name, item[name]) for name in wanted.isbns if item.get(name)]
    if isbns and not _in_volume(kind):
        for name, stated in isbns:
            for one in stated if isinstance(stated, list) else [stated]:
                if found := raw_text(one):
                    yield name, "isbn", found


def _in_volume(kind: object) -> bool:
    """Whether an ISBN beside an output of this type is that of the volume around it."""
    uris = [uri for one in each(kind) if isinstance(uri := one.get("uri"), str)]
    found = KIND.search(uris[0]) if uris else None
    return found is not None and found[1].lower() in rules().isbn_of_container


def _ids(item: Item) -> Iterator[tuple[str, str]]:
    """(source, value) of every id that an object has somewhere else: its own, and those of its ``info``."""
    source = item.get("externalIdSource")
    if isinstance(source, str) and (value := raw_text(item.get("externalId"))):
        yield source, value
    places: list[Item] = [item]
    info = item.get("info")
    if isinstance(info, dict):
        places.append(info)
    for place in places:
        for name in rules().ids:
            stated = place.get(name)
            if not stated:
                continue
            for one in each(stated):
                source = one.get("idSource") or uri_end(one.get("type"))
                value = raw_text(one.get("value")) or raw_text(one.get("id"))
                if isinstance(source, str) and source and value:
                    yield source, value


def _addresses(item: Item, *, own: bool) -> Iterator[str]:
    """Addresses that may be an identifier: of a version; of the record and its links only under the ``own`` domains."""
    stated = [version.get(name) for version in each(one_of(item, rules().versions)) for name in ("link", "url")]
    if own:
        info = item.get("info")
        stated += [item.get("portalUrl"), info.get("portalUrl") if isinstance(info, dict) else None]
        stated += [one.get("url") for one in each(one_of(item, rules().links))]
    return (found for one in stated if one and (found := _address(one)))


def _address(stated: object) -> str:
    if isinstance(stated, dict):
        stated = stated.get("href") or stated.get("url") or stated
    return raw_text(stated).strip()


# --- persons


def author(item: object, today: date, *, datestamp: str | None = None) -> Author | None:
    """The author of a person, with the units that they belong to ``today``; None for one without a uuid."""
    key = uuid_of(item)
    if key is None or not isinstance(item, dict):
        return None
    place = f"person {key}"
    rule = withheld(item)
    if rule:
        return Author(key, WITHHELD, level=PRIVATE, withheld=rule, datestamp=datestamp, place=place)
    names = item.get("name")
    last, first = (_name(names, part) for part in ("lastName", "firstName"))
    name = ", ".join(part for part in (last, first) if part) or MAIL.sub("", text(names)).strip()
    now = list(_associations(item, today))
    return Author(
        key=key,
        name=name,
        ids=_person_ids(item),
        departments=tuple(sorted({unit for _, one in now if (unit := uuid_of(one_of(one, rules().unit)))})),
        level="public",
        current=bool(now),
        academic=any(uri_end(one.get("staffType")) == "academic" for _, one in now),
        student=any(kind == "student" for kind, _ in now),
        datestamp=datestamp,
        refusal=None if name else Refusal("no_name", "the person has neither a last nor a first name", "name"),
        place=place,
    )


def _name(stated: object, part: str) -> str:
    """A part of a name; an e-mail address that stands in its place is none."""
    if isinstance(stated, list):
        stated = stated[0] if stated else None
    return MAIL.sub("", text(stated.get(part))).strip() if isinstance(stated, dict) else ""


def _associations(item: Item, today: date) -> Iterator[tuple[str, Item]]:
    """(staff, student …, association) of those that hold on the day."""
    endings = tuple(rules().associations)
    for name, stated in item.items():
        ending = next((end for end in endings if name.endswith((end, end[0].lower() + end[1:]))), None)
        if ending is None:
            continue
        for one in each(stated):
            if any(holds(period, today) for period in periods(one)):
                yield name[: -len(ending)], one


def _person_ids(item: Item) -> dict[str, str]:
    orcid = ORCID.search(raw_text(item.get("orcid")).strip())
    found = {"orcid": "-".join(orcid.groups()).upper()} if orcid else {}
    for source, value in _ids(item):
        scheme = rules().person_ids.get(letters(source))
        if scheme and "@" not in value:
            found.setdefault(scheme, value.strip())
    return found
