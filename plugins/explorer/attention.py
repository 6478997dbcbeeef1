"""Attention: each identifier asked for once, every output linked or told why not, sums for the pages.

What was answered belongs to an account with a provider and is shared by all institutions that use it; the link and its
state are the institution's own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from explorer import connections, database
from explorer.attention_asking import AT_MOST, Asked, ask
from explorer.attention_providers import (
    SOURCES,
    DetailsPage,
    KeyRefusedError,
    RecordsFile,
)
from explorer.connections import ConnectionUnusableError

if TYPE_CHECKING:
    from explorer.attention_providers import Provider
    from explorer.config import Institution
    from explorer.database import Connection

log = logging.getLogger(__name__)

CONNECTION = "attention"
NOT_CONFIGURED = "attention not configured"
REFRESH_AT_MOST = 10 * 3600.0
SUMMED = (
    "place",
    "mine",
    "item",
    "standing",
    "part",
    "reach",
    "placed",
)  # the tables of a roll-up, in the order of making


def provider_of(institution: Institution, connection: Connection) -> Provider | None:
    """Who is asked for an institution's attention; None where none is configured.

    Raises ``ConnectionUnusableError`` where one is configured and cannot be used.
    """
    settings = institution.attention
    if settings.provider == "none" or (settings.provider is None and not connections.exists(CONNECTION)):
        return None
    if settings.provider == "file":
        place = institution.locate(str(settings.file))
        if isinstance(place, str):
            message = f"attention.file of {institution.slug} is an address: download it, and name the file"
            raise ConnectionUnusableError(message)
        return RecordsFile(place, institution.slug)
    secret = connection.execute("select value from ops.secret where name = 'author_hash'").fetchall()[0][0]
    return DetailsPage(connections.get(CONNECTION), secret=bytes(secret))


def subscribe(connection: Connection, institution: str, provider: Provider | None) -> None:
    """Notes the account, and that the institution's outputs are asked with it; one whose licence is over is forgotten."""
    name = None
    if provider is not None:
        account, name = provider.account, provider.account.name
        stated = {
            "account": name, "provider": account.provider, "licence": account.licence, "expires_at": account.expires_at,
            "version": account.version,
        }  # fmt: skip
        database.run(connection, "attention/account", stated)
    database.run(connection, "attention/subscribe", {"institution": institution, "account": name})
    forget_expired(connection)


def forget_expired(connection: Connection) -> int:
    """Drops all that accounts delivered whose licence has ended; the outputs stay."""
    gone = connection.execute("delete from attention.account where expires_at < now()").rowcount
    connection.commit()
    return gone


def link(connection: Connection, institution: str, account: str | None) -> dict[str, int]:
    """Links every output of an institution, or says why not; returns how many are in each state.

    ``conflicts``: outputs whose identifiers lead to several tracked outputs.
    """
    parameters = {"institution": institution, "account": account}
    database.run(connection, "attention/unlink", parameters)
    database.run(connection, "attention/link" if account else "attention/link_off", parameters)
    rows = database.run(connection, "attention/states", parameters).fetchall()
    connection.commit()
    return {**{state: number for state, number, _ in rows}, "conflicts": sum(row[2] for row in rows)}


def roll_up(connection: Connection, institution: str) -> float:
    """Makes the sums of an institution, its departments and its authors anew; returns the seconds that it took.

    Where nothing is tracked, and no row of what is published came or went since, they are what they were.
    """
    started = time.monotonic()
    parameters = {"institution": institution}
    shape, same = database.run(connection, "attention/rollup_same", parameters).fetchall()[0]
    if same:
        connection.commit()
        return time.monotonic() - started
    database.run(connection, "attention/temporary")
    connection.execute(f"truncate {', '.join(SUMMED)}")
    connection.execute("set local work_mem = '256MB'")
    for name in SUMMED:
        database.run(connection, f"attention/rollup_{name}", parameters)
        connection.execute(f"analyze {name}")
    for name in ("forget", "sums", "sources", "top"):
        database.run(connection, f"attention/rollup_{name}", parameters)
    connection.execute(f"truncate {', '.join(SUMMED)}")
    database.run(connection, "attention/rollup_shape", {**parameters, "shape": shape})
    connection.commit()
    return time.monotonic() - started


def summary(states: Mapping[str, int], asked: Asked | None, data_from: str | None = None) -> dict[str, Any]:
    """What the import's row says: a sentence, the states in numbers, what is still to be asked, and whose data it is."""
    if asked is None:
        return {"state": NOT_CONFIGURED, **states}
    waiting = sum(states.get(state, 0) for state in ("not_asked_yet", "quota"))
    linked = states.get("linked", 0)
    sentence = f"{linked:,} with attention"
    if waiting:
        sentence += f"; {waiting:,} are asked for later"
    if asked.because:
        sentence += f" ({asked.because})"
    named = {state: states.get(state, 0) for state in ("linked", "no_mentions", "untracked", "error", "conflicts")}
    return {
        "state": sentence, **states, **named, "not_asked_today": waiting, "asked": asked.asked, "calls": asked.calls,
        "stopped": asked.stopped, "because": asked.because, "data_from": data_from,
    }  # fmt: skip


def link_outputs(
    connection: Connection, institution: Institution, *, seconds: float = AT_MOST
) -> tuple[dict[str, Any], Asked | None]:
    """The whole of it for one institution: ask, link, roll up. Returns what the import's row says, and how asking went.

    Raises ``ConnectionUnusableError`` where nobody can be asked; outputs are then linked with what is known.
    """
    try:
        provider = provider_of(institution, connection)
    except ConnectionUnusableError:
        link_known(connection, institution.slug)  # new outputs say why they have none, too
        raise
    subscribe(connection, institution.slug, provider)
    if provider is None or provider.account.ended:
        states = link(connection, institution.slug, None)
        roll_up(connection, institution.slug)
        if provider is None:
            return summary(states, None), None
        provider.close()
        return {"state": provider.account.ended, **states}, _ended(provider)
    try:
        asked = ask(connection, provider, [institution.slug], seconds=seconds)
    finally:
        provider.close()
    states = link(connection, institution.slug, provider.account.name)
    roll_up(connection, institution.slug)
    return summary(states, asked, provider.account.source), asked


def _ended(provider: Provider) -> Asked:
    """What the operators hear instead of answers: the licence is over."""
    return Asked(stopped=KeyRefusedError.state, because=provider.account.ended)


def refresh(connection: Connection, institutions: Sequence[Institution]) -> Iterator[Asked]:
    """Asks for what is due of all these institutions, account by account; each account's outputs compete as one list."""
    providers: dict[str, Provider] = {}
    slugs: dict[str, list[str]] = {}
    for institution in institutions:
        try:
            provider = provider_of(institution, connection)
        except ConnectionUnusableError as error:
            log.error("%s: attention cannot be asked for: %s", institution.name, error)  # noqa: TRY400
            continue
        subscribe(connection, institution.slug, provider)
        if provider is not None:
            name = provider.account.name
            slugs.setdefault(name, []).append(institution.slug)
            if name in providers:
                provider.close()
            else:
                providers[name] = provider
    for name, provider in providers.items():
        try:
            if provider.account.ended:
                yield _ended(provider)
            else:
                yield ask(connection, provider, slugs[name], seconds=REFRESH_AT_MOST)
        finally:
            provider.close()


def link_known(connection: Connection, institution: str) -> dict[str, Any]:
    """Links an institution with what its account knows, without asking, and makes its sums anew.

    Returns what its last import's row should say now.
    """
    row = connection.execute(
        "select a.account, a.provider, a.stopped, a.stopped_because from attention.subscription s"
        " left join attention.account a using (account) where s.institution = %s",
        (institution,),
    ).fetchone()
    account, provider, stopped, because = row or (None, None, None, None)
    states = link(connection, institution, account)
    seconds = roll_up(connection, institution)
    log.info("rolled up in %.1f s", seconds)
    if account is None:
        return summary(states, None)
    made = summary(states, Asked(stopped=stopped, because=because), SOURCES[provider])
    return {name: value for name, value in made.items() if name not in {"asked", "calls"}}


def purge(connection: Connection, institution: str) -> int:
    """Drops what is known of the attention of an institution's outputs, which stay; returns the tracked outputs dropped.

    What other institutions look up with the same account is theirs, and stays; an account that nobody uses goes whole.
    """
    gone = database.run(connection, "attention/purge", {"institution": institution}).rowcount
    connection.execute(
        "delete from attention.account a where not exists (select from attention.subscription s where s.account = a.account)"
    )
    connection.commit()
    return gone
