"""Why not something else, and what would change it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.access import ReadableAccount, Serving, SignedIn, may, roles_seen
from api.explanation_schemas import TurningOut, WhyNotOut, turning_out, why_not_out
from api.problems import HttpProblem, Problem
from api.reading import language_of, reader_of
from api.service import Service
from data.ledger.types import User
from engine.playbook import PlaybookError

router = APIRouter(
    prefix="/v1",
    tags=["explanations"],
    dependencies=[may("suggestions")],
    responses={s: {"model": Problem} for s in (401, 403, 404, 422)},
)

TreatmentId = Annotated[str, Path(min_length=1, max_length=200, description="A treatment of the playbook.")]
Wanted = Annotated[
    str | None,
    Query(min_length=1, max_length=200, description="Only what would put this treatment first."),
]


@router.get("/accounts/{account_id}/why-not/{treatment}")
def why_not(account: ReadableAccount, treatment: TreatmentId, user: SignedIn, service: Serving) -> WhyNotOut:
    """Why a treatment is not suggested for the account at this moment: one sentence, then every rule."""
    _check_seen(treatment, account, user, service)
    return why_not_out(service.why_not(account, treatment), account, treatment, reader_of(user, service))


@router.get("/accounts/{account_id}/what-would-change")
def what_would_change(
    account: ReadableAccount, user: SignedIn, service: Serving, treatment: Wanted = None
) -> TurningOut:
    """The nearest changes after which another treatment goes first for the account, each decided again."""
    playbook, roles = service.decider().playbook, roles_seen(service, user, account)
    seen = frozenset(t.id for t in playbook.treatments if t.kind == "none" or t.role in roles)
    if treatment is not None:
        _check_seen(treatment, account, user, service)
    turned = service.what_would_change(account, seen if treatment is None else frozenset({treatment}))
    return turning_out(
        turned,
        account,
        seen=seen,
        language=language_of(user, playbook),
        now=service.clock(),
        playbook=playbook,
    )


def _check_seen(treatment: str, account: str, user: User, service: Service) -> None:
    try:
        role = service.decider().playbook.treatment(treatment).role
    except PlaybookError as error:
        raise HttpProblem(HTTPStatus.NOT_FOUND, str(error)) from None
    if role not in roles_seen(service, user, account):
        detail = f"{treatment!r} is for the role {role or 'none'!r}, not for yours."
        raise HttpProblem(HTTPStatus.FORBIDDEN, detail)
