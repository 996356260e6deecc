"""What an account permits and likes."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field, model_validator

from api.access import ReadableAccount, Serving, SignedIn, may
from api.once import ONCE
from api.preferences import (
    Place,
    Preference,
    check_place,
    one_of,
    preferences_now,
    state_preference,
)  # fmt: skip
from api.problems import HttpProblem, Problem
from api.schemas import SentOut, Strict, sent_out
from api.tags import TAGGED, IfMatch
from data.times import to_datetime

router = APIRouter(
    prefix="/v1",
    tags=["preferences"],
    dependencies=[may("accounts")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 422)},
)

Channel = Annotated[str, Path(min_length=1, max_length=200, description="A channel, or * for all.")]
Purpose = Annotated[
    str, Path(min_length=1, max_length=200, description="marketing, service or web_behaviour.")
]


def _known_place(channel: Channel, purpose: Purpose, service: Serving) -> Place:
    place = Place(channel, purpose)
    check_place(place, service.decider().playbook)
    return place


KnownPlace = Annotated[Place, Depends(_known_place)]


class PermissionOut(BaseModel):
    """What holds for one channel and purpose; null = nothing is known."""

    channel: str
    purpose: str
    permission: Literal["opt_in", "opt_out"] | None
    permission_since: datetime | None
    liking: Literal["preferred", "avoided"] | None
    liking_since: datetime | None
    source: str | None = Field(description="How the latest is known.")
    etag: str = Field(description="For If-Match.")


class PermissionIn(Strict):
    """What the account says now; what is left out stays as it is."""

    permission: Literal["opt_in", "opt_out"] | None = None
    liking: Literal["preferred", "avoided"] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> PermissionIn:
        if self.permission is None and self.liking is None:
            raise ValueError("give a permission, a liking or both")
        return self


class StatedOut(PermissionOut):
    """What holds now, and what a withdrawn permission ended or came too late for."""

    withdrawn_suggestions: int
    withdrawn_plans: int
    already_sent: list[SentOut]


@router.get("/accounts/{account_id}/preferences")
def list_preferences(account: ReadableAccount, service: Serving) -> list[PermissionOut]:
    """What the account permits and likes, by channel and purpose, as known now."""
    return [_out(one) for one in preferences_now(service, account)]


@router.get("/accounts/{account_id}/preferences/{channel}/{purpose}", responses=TAGGED)
def preference(
    account: ReadableAccount, place: KnownPlace, service: Serving, response: Response
) -> PermissionOut:
    """What holds for one channel and purpose."""
    found = one_of(preferences_now(service, account), place)
    response.headers["ETag"] = found.tag
    return _out(found)


@router.put(
    "/accounts/{account_id}/preferences/{channel}/{purpose}",
    dependencies=[ONCE],
    responses={**{s: {"model": Problem} for s in (403, 409, 412)}, **TAGGED},
)
def state(  # noqa: PLR0917 - what a request brings along
    account: ReadableAccount, place: KnownPlace, body: PermissionIn, user: SignedIn, service: Serving,
    response: Response, if_match: IfMatch = None,
) -> StatedOut:  # fmt: skip
    """State what the account permits or likes. A withdrawn permission ends plans and suggestions at once."""
    if user.role not in {role.id for role in service.decider().playbook.roles}:
        raise HttpProblem(HTTPStatus.FORBIDDEN, f"Your role {user.role!r} is not in the playbook.")
    statuses = [one for one in (body.permission, body.liking) if one is not None]
    stated = state_preference(service, account, place, statuses, by=user, if_match=if_match)
    response.headers["ETag"] = stated.preference.tag
    return StatedOut(
        **_out(stated.preference).model_dump(),
        withdrawn_suggestions=stated.withdrawn,
        withdrawn_plans=stated.cancelled,
        already_sent=[sent_out(sent) for sent in stated.already_sent],
    )


def _out(found: Preference) -> PermissionOut:
    times = {
        name: None if (at := getattr(found, name)) is None else to_datetime(at)
        for name in ("permission_since", "liking_since")
    }
    said = {name: value for name, value in vars(found).items() if name != "place"}
    return PermissionOut(**{**said, **times}, **found.place._asdict(), etag=found.tag)
