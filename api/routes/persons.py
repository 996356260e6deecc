"""What is kept of a person, to be handed to her, and its erasure: for administrators alone.

Both sides of the medical-commercial wall stand in an export, as she is entitled to all of it; so nobody has
it whose work is on one of the sides.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from api.access import Serving, may
from api.once import ONCE
from api.problems import HttpProblem, Problem
from api.schemas import Strict
from data.home import Home
from data.ledger.erased import PersonKind
from data.ledger.ledger import Ledger
from data.people_data import Person, WhichPersonError, erase, export, find_person
from data.times import to_datetime

router = APIRouter(
    prefix="/v1",
    tags=["persons"],
    dependencies=[may("persons")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 409, 422)},
)

PersonId = Annotated[
    str, Path(min_length=1, max_length=200, description="An account, a contact or a colleague.")
]
_KIND = "Needed where an id is of several."


async def _home(request: Request) -> Home:
    home: Home = request.app.state.home
    return home


Place = Annotated[Home, Depends(_home)]


class PersonOut(BaseModel):
    """All that is kept of somebody."""

    exported_at: datetime
    kind: PersonKind
    kept: dict[str, dict[str, Any]] = Field(
        description="By id (of an account also those merged into it): the ledger's rows by table, and of an"
        " account its facts and what the nights' files say."
    )


class ErasureIn(Strict):
    """What is to be erased."""

    confirm: str = Field(description="The id once more: it cannot be taken back.", max_length=200)
    kind: PersonKind | None = Field(None, description=_KIND)


class ErasedOut(BaseModel):
    """What an erasure found."""

    kind: PersonKind
    ids: list[str] = Field(description="Of an account also those merged into it.")
    erased: dict[str, int] = Field(description="What -> how much; nothing of who was erased before.")


@router.get("/persons/{person_id}")
def export_person(
    person_id: PersonId,
    *,
    service: Serving,
    home: Place,
    request: Request,
    response: Response,
    kind: Annotated[PersonKind | None, Query(description=_KIND)] = None,
) -> PersonOut:
    """All that is kept of a person. It names others too: read it before it is handed on."""
    person = _found(home, service.ledger, person_id, kind)
    request.app.state.trail.write()  # who has just looked at her is kept of her, too
    response.headers["Cache-Control"] = "no-store"
    return PersonOut(exported_at=to_datetime(service.clock()), **export(home, service.ledger, person))


@router.post("/persons/{person_id}/erasure", dependencies=[ONCE])
def erase_person(person_id: PersonId, body: ErasureIn, service: Serving, home: Place) -> ErasedOut:
    """Erase who she is, for good: from the ledger at once, from history and the nights' files with the next
    night. Twice is once."""
    person = _found(home, service.ledger, person_id, body.kind)
    if body.confirm != person_id:
        said = f"confirm: got {body.confirm!r}, need {person_id!r} once more: it cannot be taken back."
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, said)
    found = erase(service.ledger, person, now=service.clock())
    return ErasedOut(kind=person.kind, ids=list(person.ids), erased=dict(sorted(found.items())))


def _found(home: Home, ledger: Ledger, person_id: str, kind: PersonKind | None) -> Person:
    try:
        return find_person(home, ledger, person_id, kind)
    except WhichPersonError as error:
        raise HttpProblem(HTTPStatus.CONFLICT, str(error)) from None
