"""A playbook in words, as it goes out over HTTP."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pydantic import BaseModel, Field

from data.times import to_datetime
from engine.playbook import Playbook, Texts, Treatment


class NamedOut(BaseModel):
    """Something of the playbook with its name."""

    id: str
    name: str


class RoleOut(NamedOut):
    """Who acts, and whose suggestions she sees."""

    sees: list[str]
    system: bool


class ChannelOut(NamedOut):
    """A way to an account."""

    outbound: bool
    automated: bool
    needs_opt_in: bool
    cost: float = Field(description="Of one contact, in the playbook's currency.")
    minutes: float


class TreatmentOut(BaseModel):
    """An action through a channel with a message."""

    id: str
    kind: str
    text: str = Field(description="With {name}, {when} and {trigger} to be filled in.")
    note: str
    issue: str
    group: str
    action: str
    topic: str
    channel: str
    role: str
    purpose: str
    value: float
    cost: float
    minutes: float
    stages: list[str]
    approval: str
    approved_until: datetime | None
    valid_from: datetime | None
    valid_until: datetime | None


class PolicyOut(BaseModel):
    """An engagement policy: what must hold, in words and as it is written."""

    id: str
    stage: str
    text: str
    when: str
    applies: str | None


class ContactLimitOut(BaseModel):
    """At most so many contacts in any so many days."""

    id: str
    channel: str = Field(description="* = over all.")
    group: str
    count: int
    days: float


class SuppressionOut(BaseModel):
    """After so much of what is tracked in a window, a pause."""

    id: str
    track: str
    scope: str
    channel: str
    count: int
    window_days: float
    suppress_days: float


class PlaybookOut(BaseModel):
    """The playbook in use."""

    id: str
    version: str
    title: str
    language: str
    languages: list[str]
    currency: str
    valid_from: datetime | None
    valid_until: datetime | None
    roles: list[RoleOut]
    channels: list[ChannelOut]
    topics: list[NamedOut]
    stages: list[NamedOut]
    treatments: list[TreatmentOut]
    policies: list[PolicyOut]
    contact_limits: list[ContactLimitOut]
    suppressions: list[SuppressionOut]


def playbook_out(playbook: Playbook, *, roles: Collection[str], language: str) -> PlaybookOut:
    """In one language; treatments of these roles alone."""

    def said(texts: Texts, otherwise: str = "") -> str:
        return texts.get(language, texts.get(playbook.languages[0], otherwise))

    return PlaybookOut(
        id=playbook.id,
        version=playbook.version,
        title=said(playbook.title, playbook.id),
        language=language,
        languages=list(playbook.languages),
        currency=playbook.currency,
        valid_from=_time(playbook.valid_from),
        valid_until=_time(playbook.valid_until),
        roles=[
            RoleOut(id=r.id, name=said(r.name, r.id), sees=list(r.sees), system=r.system)
            for r in playbook.roles
        ],
        channels=[
            ChannelOut(id=c.id, name=said(c.name, c.id), outbound=c.outbound, automated=c.automated,
                       needs_opt_in=c.needs_opt_in, cost=c.cost, minutes=c.minutes)
            for c in playbook.channels
        ],
        topics=[NamedOut(id=topic.id, name=said(topic.name, topic.id)) for topic in playbook.topics],
        stages=[NamedOut(id=s.id, name=said(s.name, s.id)) for s in playbook.journey.stages],
        treatments=[_treatment(t, said(t.text, t.id), said(t.note))
                    for t in playbook.treatments if t.kind != "none" and t.role in roles],
        policies=[
            PolicyOut(id=p.id, stage=p.stage, text=said(p.text, p.id), when=p.when.text,
                      applies=None if p.applies is None else p.applies.text)
            for p in playbook.policies
        ],
        contact_limits=[ContactLimitOut(**vars(limit)) for limit in playbook.contact_limits],
        suppressions=[SuppressionOut(**vars(one)) for one in playbook.suppressions],
    )  # fmt: skip


def _treatment(treatment: Treatment, text: str, note: str) -> TreatmentOut:
    same = {name: getattr(treatment, name) for name in TreatmentOut.model_fields if name not in _OWN}
    return TreatmentOut(
        **same,
        text=text,
        note=note,
        stages=list(treatment.stages),
        approved_until=_time(treatment.approved_until),
        valid_from=_time(treatment.valid_from),
        valid_until=_time(treatment.valid_until),
    )


_OWN = ("text", "note", "stages", "approved_until", "valid_from", "valid_until")


def _time(at: int | None) -> datetime | None:
    return None if at is None else to_datetime(at)
