"""Things of a Pure server as its old web service shows them, versions 510 to 524: as JSON, and as XML made of it.

The shapes of 518 to 524 follow captured answers. Of XML lists none was ever captured: elements and attributes are those
that its clients read; the text within ``type`` and the list right below ``result`` up to 515 are those of 511.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from simulators import pure_dates
from simulators.pure_world import Output, Outsider, Person, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from simulators.pure_world import Association, Content, Contributor, Period, Store

Json = dict[str, Any]
LOCALE = "en_US"
VISIBILITY = {
    "FREE": "Public - No restriction",
    "CAMPUS": "Campus - Restricted to specific IP ranges",
    "BACKEND": "Backend - Restricted to Pure users",
    "CONFIDENTIAL": "Confidential - Restricted to associated users and editors",
}
OUTPUT_ROOT = "/dk/atira/pure/researchoutput"
UNIT_TYPES = "/dk/atira/pure/organisation/organisationtypes/organisation"
# Up to 521 a research output never had a workflow, whatever its step.
LAST_WITHOUT_WORKFLOW = "521"


class OldService:
    """How ``store`` looks in one version, its links beginning with ``base``. ``mixed_dates``: each date as it likes."""

    def __init__(self, store: Store, version: str, base: str, *, mixed_dates: bool = False) -> None:
        self.store = store
        self.version = version
        self.base = base
        self.mixed_dates = mixed_dates

    def shown(self, thing: Content | Outsider) -> Json:
        """A thing as JSON; what it lacks has no key."""
        match thing:
            case Unit():
                return self.unit(thing)
            case Person():
                return self.person(thing)
            case Output():
                return self.output(thing)
            case _:
                return self.outsider(thing)

    # --- parts

    def moment(self, moment: datetime | None) -> str | None:
        """A time of ``info``."""
        if moment is None:
            return None
        local = moment.astimezone(self.store.zone)
        if self.mixed_dates:
            return random.Random(f"{local}").choice(list(pure_dates.MOMENTS.values()))(local)
        return pure_dates.usual(self.version)(local)

    def period(self, period: Period) -> Json:
        """A period: noon of its days."""
        return _there(
            startDate=period.start and pure_dates.noon(period.start, self.version, self.store.zone),
            endDate=period.end and pure_dates.noon(period.end, self.version, self.store.zone),
        )

    def info(self, thing: Content, portal: str, slug: str, more: Json | None = None) -> Json:
        """The block ``info``."""
        return _there(
            createdBy="root",
            createdDate=self.moment(thing.created),
            modifiedBy="sync_user",
            modifiedDate=self.moment(thing.modified),
            portalUrl=f"https://{self.store.host}/en/{portal}/{thing.uuid}",
            prettyURLIdentifiers=[slug],
            previousUuids=list(thing.previous) or None,
            **(more or {}),
        )

    def link(self, resource: str, uuid: str) -> Json:
        """A link to another thing."""
        return {"ref": "content", "href": f"{self.base}/{resource}/{uuid}"}

    def unit_ref(self, uuid: str) -> Json:
        """A unit, as others name it. One that is no more is still named."""
        unit = self.store.units.get(uuid)
        ref: Json = {"uuid": uuid, "link": self.link("organisational-units", uuid)}
        if unit is not None:
            ref |= {
                "externalId": f"U{unit.number}", "externalIdSource": "synchronisedUnifiedOrganisation",
                "name": _text(unit.name), "type": _type(f"{UNIT_TYPES}/{unit.type}"),
            }  # fmt: skip
        return ref

    def units(self, uuids: Sequence[str]) -> list[Json] | None:
        """Units, or no key."""
        return [self.unit_ref(each) for each in uuids] or None

    def person_ref(self, uuid: str) -> Json:
        """A person, as others name them."""
        person = self.store.persons.get(uuid)
        ref: Json = {"uuid": uuid, "link": self.link("persons", uuid)}
        if person is not None:
            ref |= {
                "externalId": f"P{person.number}", "externalIdSource": "synchronisedUnifiedPerson",
                "externallyManaged": True, "name": _text(f"{person.first} {person.last}", locale=None),
            }  # fmt: skip
        return ref

    def ids(self, ids: Sequence[tuple[str, str]], root: str) -> list[Json] | None:
        """The list ``ids`` of a person or a unit, or no key."""
        return [
            {"pureId": 700 + place, "value": {"formatted": False, "value": value}, "type": _type(f"{root}/{kind}")}
            for place, (kind, value) in enumerate(ids)
        ] or None

    # --- things

    def unit(self, unit: Unit) -> Json:
        """An organisational unit."""
        return _there(
            pureId=4_000_000 + unit.number,
            externalId=f"U{unit.number}",
            externalIdSource="synchronisedUnifiedOrganisation",
            uuid=unit.uuid,
            period=self.period(unit.period),
            info=self.info(unit, "organisations", _slug(unit.name)),
            name=_text(unit.name),
            type=_type(f"{UNIT_TYPES}/{unit.type}"),
            visibility=_visibility(unit.visibility),
            ids=self.ids(unit.ids, "/dk/atira/pure/organisation/organisationsources"),
            parents=self.units(unit.parents),
        )

    def person(self, person: Person) -> Json:
        """A person of the university, with what they are and were."""
        kinds: dict[str, list[Json]] = {}
        for place, each in enumerate(person.associations):
            kinds.setdefault(f"{each.kind}OrganisationAssociations", []).append(self.association(person, each, place))
        return _there(
            pureId=5_000_000 + person.number,
            externalId=f"P{person.number}",
            externalIdSource="synchronisedUnifiedPerson",
            externallyManaged=True,
            uuid=person.uuid,
            name={"firstName": person.first, "lastName": person.last},
            orcid=person.orcid,
            profiled=True,
            fte=0,
            willTakePhdStudents=False,
            info=self.info(person, "persons", _slug(f"{person.first} {person.last}")),
            visibility=_visibility(person.visibility),
            ids=self.ids(person.ids, "/dk/atira/pure/person/personsources"),
            **kinds,
        )

    def association(self, person: Person, each: Association, place: int) -> Json:
        """That a person belongs to a unit."""
        staff = {"staffType": _type("/dk/atira/pure/person/personstafftype/academic")} if each.kind == "staff" else {}
        return _there(
            pureId=5_500_000 + 100 * person.number + place,
            person=self.person_ref(person.uuid),
            period=self.period(each.period),
            isPrimaryAssociation=each.primary,
            organisationalUnit=self.unit_ref(each.unit),
            jobDescription=_text(each.job) if each.job else None,
            **staff,
        )

    def outsider(self, outsider: Outsider) -> Json:
        """Somebody from elsewhere: without visibility, forever waiting for approval."""
        return _there(
            uuid=outsider.uuid,
            name=_name(outsider.first, outsider.last),
            type=_type("/dk/atira/pure/externalperson/externalpersontypes/externalperson/externalperson"),
            workflow={"workflowStep": "forApproval", "value": _text("For approval")},
        )

    def contributor(self, output: Output, each: Contributor, place: int) -> Json:
        """One of ``personAssociations``."""
        role = output.type.split("/", maxsplit=1)[0]
        mine: Json = {"pureId": 6_500_000 + 1000 * output.number + place}
        if each.kind == "internal":
            mine |= {"person": self.person_ref(each.uuid)}
        elif each.kind == "external":
            ref: Json = {"uuid": each.uuid, "link": self.link("external-persons", each.uuid)}
            if each.last is not None:
                ref["name"] = _text(" ".join(part for part in (each.first, each.last) if part), locale=None)
            ref["type"] = _type("/dk/atira/pure/externalperson/externalpersontypes/externalperson/externalperson")
            mine |= {"externalPerson": ref}
        else:
            name = self.store.collaborations.get(each.uuid, "Collaboration")
            link = self.link("author-collaborations", each.uuid)
            mine |= {"authorCollaboration": {"uuid": each.uuid, "link": link, "name": _text(name)}}
        more = _there(
            name=None if each.kind == "collaboration" else _name(each.first, each.last),
            personRole=_type(f"{OUTPUT_ROOT}/roles/{role}/author"),
            organisationalUnits=self.units(each.units),
        )
        return mine | more

    def output(self, output: Output) -> Json:
        """A research output."""
        status = {
            "pureId": 6_000_000 + output.number, "current": True, "publicationDate": _partial(output.day),
            "publicationStatus": _type(f"{OUTPUT_ROOT}/status/published"),
        }  # fmt: skip
        others = [{"value": value, "idSource": source} for source, value in output.ids[1:]]
        source, value = output.ids[0] if output.ids else (None, None)
        journal = None
        if output.journal:
            issn = {"issn": {"value": output.issn}} if output.issn else {}
            journal = {"pureId": 6_100_000 + output.number, "title": {"value": output.journal}, **issn}
        return _there(
            pureId=6_000_000 + output.number,
            externalId=value,
            externalIdSource=source,
            uuid=output.uuid,
            title={"formatted": True, "value": output.title},
            peerReview=True,
            managingOrganisationalUnit=output.managing and self.unit_ref(output.managing),
            confidential=output.confidential,
            info=self.info(
                output, "publications", _slug(output.title), {"additionalExternalIds": others} if others else None
            ),
            isbns=list(output.isbns) or None,
            electronicIsbns=list(output.electronic_isbns) or None,
            journalAssociation=journal,
            type=_type(f"{OUTPUT_ROOT}/researchoutputtypes/{output.type}"),
            category=_type(f"{OUTPUT_ROOT}/category/research"),
            language=_type("/dk/atira/pure/core/languages/en_US"),
            abstract={"formatted": True, "text": [{"locale": LOCALE, "value": output.abstract}]} if output.abstract else None,
            totalNumberOfAuthors=output.total_authors,
            visibility=_visibility(output.visibility),
            workflow=self.workflow(output),
            publicationStatuses=[status],
            personAssociations=[self.contributor(output, each, at) for at, each in enumerate(output.contributors)] or None,
            organisationalUnits=self.units(output.units),
            electronicVersions=self.versions(output),
        )  # fmt: skip

    def workflow(self, output: Output) -> Json | None:
        """The step, in versions that tell it."""
        if output.workflow is None or self.version <= LAST_WITHOUT_WORKFLOW:
            return None
        return {"workflowStep": output.workflow, "value": _text(output.workflow.capitalize())}

    def versions(self, output: Output) -> list[Json] | None:
        """The electronic versions: the DOI as a full address, a link as it is."""
        common = {
            "pureId": 6_200_000 + output.number, "accessType": _type("/dk/atira/pure/core/openaccesspermission/open"),
            "versionType": _type(f"{OUTPUT_ROOT}/electronicversion/versiontype/publishersversion"),
        }  # fmt: skip
        found = [{"doi": f"https://doi.org/{output.doi}", **common}] if output.doi else []
        return [*found, *([{"link": output.link, **common}] if output.link else [])] or None


def _there(**fields: Any) -> Json:
    """An object without the keys that have nothing to say."""
    return {name: value for name, value in fields.items() if value is not None and value != {}}


def _text(text: str, *, locale: str | None = LOCALE) -> Json:
    spoken = {"locale": locale, "value": text} if locale else {"value": text}
    return {"formatted": False, "text": [spoken]}


def _type(uri: str) -> Json:
    word = uri.rsplit("/", 1)[-1].replace("_", " ").capitalize()
    return {"pureId": 1 + sum(uri.encode()) % 9999, "uri": uri, "term": _text(word)}


def _visibility(key: str | None) -> Json | None:
    return None if key is None else {"key": key, "value": _text(VISIBILITY.get(key, key.capitalize()))}


def _name(first: str | None, last: str | None) -> Json | None:
    return _there(firstName=first, lastName=last) or None


def _partial(day: Sequence[int]) -> Json:
    return dict(zip(("year", "month", "day"), day, strict=False))


def _slug(text: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in text.casefold()).split())


# --- XML

ATTRIBUTES = frozenset(
    {"uuid", "pureId", "uri", "externalId", "externalIdSource", "externallyManaged", "key", "workflowStep", "current",
     "formatted", "locale", "logicalName", "ref", "href", "idSource"}
)  # fmt: skip
SINGULAR: Mapping[str, str] = {
    "additionalExternalIds": "id", "publicationStatuses": "publicationStatus", "prettyURLIdentifiers": "prettyURLIdentifier",
}  # fmt: skip


def xml_of(root: str, body: Json, version: str) -> str:
    """An answer of the old service as XML."""
    flat = version <= "515"
    inner = ""
    for name, value in body.items():
        if name != "items":
            inner += _element(name, value, flat=flat)
            continue
        items = "".join(_element(_element_name(each), each, flat=flat) for each in value)
        inner += items if flat else f"<items>{items}</items>"
    space = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} {space}>{inner}</{root}>'


def xml_of_one(item: Json, version: str) -> str:
    """One thing by itself."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _element(_element_name(item), item, flat=version <= "515")


def _element_name(item: Json) -> str:
    if "changeType" in item:
        return "contentChange"
    uri = item.get("type", {}).get("uri", "")
    kinds = {"/contributiontojournal/": "contributionToJournal", "/contributiontobookanthology/": "contributionToBookAnthology",
             "/bookanthology/": "bookAnthology", "/thesis/": "thesis", "/organisationtypes/": "organisationalUnit",
             "/externalperson/": "externalPerson", "/othercontribution/": "otherContribution"}  # fmt: skip
    return next((name for part, name in kinds.items() if part in uri), "person")


def _element(name: str, value: Any, *, flat: bool) -> str:
    if isinstance(value, list):
        single = SINGULAR.get(name, name.removesuffix("s"))
        if name == "text":
            return "".join(_element("text", each, flat=flat) for each in value)
        return f"<{name}>" + "".join(_element(single, each, flat=flat) for each in value) + f"</{name}>"
    if not isinstance(value, dict):
        return f"<{name}>{escape(_plain(value))}</{name}>"
    attributes = {key: each for key, each in value.items() if key in ATTRIBUTES and not isinstance(each, dict | list)}
    rest = {key: each for key, each in value.items() if key not in attributes}
    if (
        flat
        and isinstance(said := rest.get("term", rest.get("value", value)), dict)
        and isinstance(said.get("text"), list)
    ):
        attributes = {**{key: each for key, each in attributes.items() if key != "formatted"}, **said["text"][0]}
        rest = {"value": attributes.pop("value")}
    inner = escape(rest.pop("value")) if isinstance(rest.get("value"), str) else ""
    inner += "".join(_element(key, each, flat=flat) for key, each in rest.items())
    written = "".join(f" {key}={quoteattr(_plain(each))}" for key, each in attributes.items())
    return f"<{name}{written}>{inner}</{name}>"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
