"""What decides: the releases with their cards and reports, and the playbook in words."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from pydantic import BaseModel, Field

from api.access import Office, Serving, SignedIn, may, may_read_all, people_seen
from api.playbook_schemas import PlaybookOut, playbook_out
from api.problems import HttpProblem, Problem
from api.reading import language_of
from api.release_documents import document, html_page, missing
from data.artifacts import list_manifests
from data.ledger.types import ReleaseInUse
from data.times import to_datetime

router = APIRouter(
    prefix="/v1", tags=["what decides"], responses={s: {"model": Problem} for s in (401, 403, 404, 422)}
)

ReleaseId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128, description="Id of a release.")
]


class PromotionOut(BaseModel):
    """When and how a release came into use."""

    since: datetime
    by: str


class ReleaseOut(BaseModel):
    """A release: what `nextbest train` made."""

    release_id: str
    learner: str
    playbook: str = Field(description="Version of the playbook under which it was learned.")
    in_use: bool
    promotions: list[PromotionOut] = Field(description="The latest first; empty = it never was in use.")


class ReleaseDetailOut(ReleaseOut):
    """A release with its manifest: metrics, gate, times and the hash of every file."""

    manifest: dict[str, Any]


@router.get("/releases", dependencies=[may("releases")])
def list_releases(user: Office, service: Serving) -> list[ReleaseOut]:
    """All releases, the latest first."""
    log = service.ledger.release_log()
    found = list_manifests(service.models)
    return [_out(release_id, found[release_id], log) for release_id in sorted(found, reverse=True)]


@router.get("/releases/{release_id}", dependencies=[may("releases")])
def release(release_id: ReleaseId, user: Office, service: Serving) -> ReleaseDetailOut:
    """One release with its manifest."""
    found = list_manifests(service.models)
    if release_id not in found:
        raise missing(release_id)
    out = _out(release_id, found[release_id], service.ledger.release_log())
    return ReleaseDetailOut(**out.model_dump(), manifest=found[release_id])


@router.get(
    "/releases/{release_id}/card",
    dependencies=[may("releases")],
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/markdown": {}, "text/plain": {}}}},
)
def card(release_id: ReleaseId, user: Office, service: Serving) -> Response:
    """Its model card, in Markdown."""
    return PlainTextResponse(document(release_id, "card.md", service), media_type="text/markdown")


@router.get("/releases/{release_id}/report", response_class=HTMLResponse, dependencies=[may("releases")])
def report(release_id: ReleaseId, user: Office, service: Serving) -> Response:
    """Its training report, a page of its own."""
    return html_page(release_id, "report.html", service)


@router.get("/releases/{release_id}/board", response_class=HTMLResponse, dependencies=[may("releases")])
def board(release_id: ReleaseId, user: Office, service: Serving) -> Response:
    """Its page for a board: money with intervals, what was not proven, the next test."""
    return html_page(release_id, "board.html", service)


@router.get("/playbook", dependencies=[may("playbook")])
def playbook(
    user: SignedIn,
    service: Serving,
    language: Annotated[
        str | None, Query(max_length=20, description="Of the words; else the reader's.")
    ] = None,
) -> PlaybookOut:
    """The playbook in use, in words: what may be done, by whom, under which rules. Of treatments of roles
    that mine does not see there is nothing."""
    rules = service.decider().playbook
    if language is not None and language not in rules.languages:
        known = ", ".join(rules.languages)
        detail = f"language: the playbook has no texts in {language!r}; it has {known}."
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    roles = {role.id for role in rules.roles} if may_read_all(user) else set(people_seen(service, user)[1])
    return playbook_out(rules, roles=roles, language=language or language_of(user, rules))


def _out(release_id: str, manifest: dict[str, Any], log: list[ReleaseInUse]) -> ReleaseOut:
    own = [one for one in log if one.release_id == release_id]
    return ReleaseOut(
        release_id=release_id,
        learner=str(manifest.get("learner", "")),
        playbook=str(manifest.get("playbook", "")),
        in_use=bool(log) and log[0].release_id == release_id,
        promotions=[PromotionOut(since=to_datetime(one.since), by=one.by) for one in own],
    )
