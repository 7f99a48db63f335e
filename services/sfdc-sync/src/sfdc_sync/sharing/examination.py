"""Whether a request may be approved, and what it would change: judged when it is asked, and before it is applied."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import orjson

from sfdc_sync.policy.sharing import SharingPolicy
from sfdc_sync.sharing import repository
from sfdc_sync.sharing.reading import SharingReader
from sfdc_sync.sharing.rules.access import Change, Situation, changes
from sfdc_sync.sharing.rules.evidence import Acceptance, forbidden, ids_of, misnamed, objections
from sfdc_sync.sharing.rules.lifecycle import Request
from sfdc_sync.sharing.rules.options import SharingState, target_of
from supportops.store import Store

MOST_TIME = timedelta(minutes=15)
"""For one call: a thousand people whose own level is open are a thousand calls, two a second within our share."""


@dataclass(frozen=True)
class Examined:
    """What was found. `objections`: why it may not be; `situation` is None where the organization is gone."""

    objections: tuple[str, ...]
    situation: Situation | None = None
    selected: tuple[str, ...] = ()
    target: SharingState | None = None
    changes: tuple[Change, ...] = ()

    @property
    def seen(self) -> str:
        """A name for what an approver is shown: another one as soon as anything in it differs."""
        return seen_name(self.changes)


class Examiner:
    """Reads Zendesk for a request and judges by the organization's policy."""

    def __init__(self, store: Store, reader: SharingReader, policy: SharingPolicy) -> None:
        self._store, self._reader, self._policy = store, reader, policy

    async def examine(self, request: Request) -> Examined:
        """Evidence, notes, names, and everybody's access now and then."""
        reading = await self._reader.organization(request.organization_id, request.selected, others=True)
        if reading is None:
            return Examined((f"organization {request.organization_id} is not there, or not ours to see",))
        acceptance = Acceptance(self._policy.acceptance.phrases, self._policy.acceptance.tags)
        evidence = await self._reader.ticket(request.ticket_id)
        if evidence is not None:  # an organization's tags are on each of its tickets
            evidence = replace(evidence, tags=evidence.tags - reading.tags)
        against = [
            *forbidden(reading.notes, self._policy.forbidding_notes),
            *objections(evidence, request.ticket_id, request.organization_id, acceptance),
            *misnamed(request.option, request.selected, reading.situation),
        ]
        return await self.planned(request, reading.situation, tuple(against))

    async def resume(self, request: Request) -> Examined:
        """The same for a request whose writes have begun: it was judged then, so only who is there is read."""
        reading = await self._reader.organization(request.organization_id)
        if reading is None:
            return Examined((f"organization {request.organization_id} is gone",))
        return await self.planned(request, reading.situation)

    async def planned(
        self, request: Request, situation: Situation, against: tuple[str, ...] = ()
    ) -> Examined:
        """What the option would set for the people who are there now."""
        async with self._store.reading() as conn:
            elsewhere = await repository.given_elsewhere(conn, request.organization_id)
        selected = ids_of(request.selected, situation)
        people = [member.user_id for member in situation.end_users]
        target = target_of(request.option, people, selected, elsewhere)
        return Examined(against, situation, selected, target, tuple(changes(situation, target)))


def seen_name(shown: Sequence[Change]) -> str:
    """The name of these changes."""
    ordered = sorted(shown, key=lambda each: (each.user_id, each.organization_id))
    told = orjson.dumps([each.as_json() for each in ordered], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(told).hexdigest()[:32]
