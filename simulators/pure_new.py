"""Things of a Pure server as its new API shows them. The shapes follow captured answers and the description of 2023."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from simulators import pure_dates
from simulators.pure_old import LOCALE, OUTPUT_ROOT, VISIBILITY, _name, _partial, _slug, _there
from simulators.pure_world import Output, Person, Unit, digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from simulators.pure_world import Association, Content, Contributor, Outsider, Period, Store

Json = dict[str, Any]
KINDS = {
    "contributiontojournal": "ContributionToJournal", "contributiontobookanthology": "ContributionToBookAnthology",
    "bookanthology": "BookAnthology", "thesis": "Thesis", "othercontribution": "OtherContribution",
}  # fmt: skip


class NewApi:
    """How ``store`` looks in the new API. ``mixed_dates``: each date as it likes."""

    def __init__(self, store: Store, *, mixed_dates: bool = False) -> None:
        self.store = store
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
                return _there(
                    uuid=thing.uuid, name=_name(thing.first, thing.last), workflow={"step": "forApproval"},
                    systemName="ExternalPerson",
                )  # fmt: skip

    def moment(self, moment: datetime | None) -> str | None:
        """A time, with as few digits as needed."""
        if moment is None:
            return None
        local = moment.astimezone(self.store.zone)
        if self.mixed_dates:
            return random.Random(f"{local}").choice(list(pure_dates.MOMENTS.values()))(local)
        return pure_dates.trimmed(local)

    def head(self, thing: Content, pure_id: int, portal: str, slug: str) -> Json:
        """What every thing begins with."""
        return _there(
            pureId=pure_id,
            uuid=thing.uuid,
            createdBy="root",
            createdDate=self.moment(thing.created),
            modifiedBy="sync_user",
            modifiedDate=self.moment(thing.modified),
            portalUrl=f"https://{self.store.host}/en/{portal}/{thing.uuid}",
            prettyUrlIdentifiers=[slug],
            previousUuids=list(thing.previous) or None,
            version=digest(thing),
        )

    def unit(self, unit: Unit) -> Json:
        """An organization."""
        root = "/dk/atira/pure/organisation/organisationsources"
        return self.head(unit, 4_000_000 + unit.number, "organisations", _slug(unit.name)) | _there(
            name={LOCALE: unit.name},
            type=_type(f"/dk/atira/pure/organisation/organisationtypes/organisation/{unit.type}"),
            identifiers=[_classified(place, root, *each) for place, each in enumerate(unit.ids)] or None,
            lifecycle=_period(unit.period),
            parents=_refs("Organization", unit.parents),
            visibility=_visibility(unit.visibility),
            systemName="Organization",
        )

    def person(self, person: Person) -> Json:
        """A person."""
        kinds: dict[str, list[Json]] = {}
        for place, each in enumerate(person.associations):
            kinds.setdefault(f"{each.kind}OrganizationAssociations", []).append(_association(person, each, place))
        root = "/dk/atira/pure/person/personsources"
        return self.head(person, 5_000_000 + person.number, "persons", _slug(f"{person.first} {person.last}")) | _there(
            name={"firstName": person.first, "lastName": person.last},
            orcid=person.orcid,
            orcidAuthenticated=False,
            visibility=_visibility(person.visibility),
            identifiers=[
                {"typeDiscriminator": "PrimaryId", "idSource": "synchronisedPerson", "value": f"P{person.number}"},
                *(_classified(place, root, *each) for place, each in enumerate(person.ids)),
            ],
            profiled=True,
            systemName="Person",
            **kinds,
        )

    def output(self, output: Output) -> Json:
        """A research output."""
        status = {
            "pureId": 6_000_000 + output.number, "current": True,
            "publicationStatus": _type(f"{OUTPUT_ROOT}/status/published"), "publicationDate": _partial(output.day),
        }  # fmt: skip
        identifiers = [
            {"typeDiscriminator": "Id" if place else "PrimaryId", "idSource": source, "value": value}
            for place, (source, value) in enumerate(output.ids)
        ]
        journal = None
        if output.journal:
            issn = {"issn": {"issn": output.issn}} if output.issn else {}
            journal = {"pureId": 6_100_000 + output.number, "title": {"title": output.journal}, **issn}
        kind = output.type.split("/", maxsplit=1)[0]
        return {"typeDiscriminator": KINDS.get(kind, "OtherContribution")} | self.head(
            output, 6_000_000 + output.number, "publications", _slug(output.title)
        ) | _there(
            title={"value": output.title},
            type=_type(f"{OUTPUT_ROOT}/researchoutputtypes/{output.type}"),
            category=_type(f"{OUTPUT_ROOT}/category/research"),
            peerReview=True,
            publicationStatuses=[status],
            language=_type("/dk/atira/pure/core/languages/en_US"),
            contributors=[_contributor(output, each, place) for place, each in enumerate(output.contributors)] or None,
            organizations=_refs("Organization", output.units),
            totalNumberOfContributors=output.total_authors,
            managingOrganization=output.managing and {"systemName": "Organization", "uuid": output.managing},
            electronicVersions=_versions(output),
            abstract={LOCALE: output.abstract} if output.abstract else None,
            visibility=_visibility(output.visibility),
            workflow={"step": output.workflow} if output.workflow else None,
            identifiers=identifiers or None,
            printISBNs=list(output.isbns) or None,
            electronicISBNs=list(output.electronic_isbns) or None,
            journalAssociation=journal,
            systemName="ResearchOutput",
        )  # fmt: skip


def _type(uri: str) -> Json:
    return {"uri": uri, "term": {LOCALE: uri.rsplit("/", 1)[-1].replace("_", " ").capitalize()}}


def _period(period: Period) -> Json:
    return _there(startDate=period.start and period.start.isoformat(), endDate=period.end and period.end.isoformat())


def _refs(kind: str, uuids: Sequence[str]) -> list[Json] | None:
    return [{"systemName": kind, "uuid": each} for each in uuids] or None


def _visibility(key: str | None) -> Json | None:
    return None if key is None else {"key": key, "description": {LOCALE: VISIBILITY.get(key, key.capitalize())}}


def _classified(place: int, root: str, kind: str, value: str) -> Json:
    return {"typeDiscriminator": "ClassifiedId", "pureId": 700 + place, "id": value, "type": _type(f"{root}/{kind}")}


def _association(person: Person, each: Association, place: int) -> Json:
    kind = each.kind[0].upper() + each.kind[1:]
    return _there(
        typeDiscriminator=f"{kind}OrganizationAssociation",
        pureId=5_500_000 + 100 * person.number + place,
        organization={"systemName": "Organization", "uuid": each.unit},
        period=_period(each.period) or None,
        primaryAssociation=each.primary,
        jobDescription={LOCALE: each.job} if each.job else None,
    )


def _contributor(output: Output, each: Contributor, place: int) -> Json:
    role = _type(f"{OUTPUT_ROOT}/roles/{output.type.split('/', maxsplit=1)[0]}/author")
    head: Json = {"pureId": 6_500_000 + 1000 * output.number + place, "hidden": each.hidden,
                  "associationHidden": each.association_hidden}  # fmt: skip
    if each.kind == "internal":
        return {"typeDiscriminator": "InternalContributorAssociation"} | head | _there(
            name=_name(each.first, each.last), role=role,
            person={"systemName": "Person", "uuid": each.uuid}, organizations=_refs("Organization", each.units),
        )  # fmt: skip
    if each.kind == "external":
        return {"typeDiscriminator": "ExternalContributorAssociation"} | head | _there(
            name=_name(each.first, each.last), role=role,
            externalPerson={"systemName": "ExternalPerson", "uuid": each.uuid},
        )  # fmt: skip
    collaboration = {"systemName": "AuthorCollaboration", "uuid": each.uuid}
    return {"typeDiscriminator": "AuthorCollaborationContributorAssociation", **head, "role": role,
            "authorCollaboration": collaboration}  # fmt: skip


def _versions(output: Output) -> list[Json] | None:
    common = {
        "pureId": 6_200_000 + output.number, "accessType": _type("/dk/atira/pure/core/openaccesspermission/open"),
        "versionType": _type(f"{OUTPUT_ROOT}/electronicversion/versiontype/publishersversion"),
    }  # fmt: skip
    found = [{"typeDiscriminator": "DoiElectronicVersion", "doi": output.doi, **common}] if output.doi else []
    links = [{"typeDiscriminator": "LinkElectronicVersion", "link": output.link, **common}] if output.link else []
    return [*found, *links] or None
