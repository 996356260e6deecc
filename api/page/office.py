"""For those who lead, or write playbook and releases: the rules in words with their effects, the reports."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Request, Response
from fastapi.responses import HTMLResponse

from api.access import Office, Serving, SignedIn, may, may_read_all, people_seen
from api.effects import effects_in_use
from api.experiment_report import kept
from api.page.rendering import show
from api.page.routing import page_router
from api.problems import HttpProblem
from engine.experiments import ARMS, Experiment
from engine.playbook import Treatment

router = page_router()

_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
)
"""A report brings its own styles and pictures, and runs nothing."""


@router.get("/playbook", dependencies=[may("playbook")])
def playbook(request: Request, user: SignedIn, service: Serving) -> Response:
    """What may be done and under which rules; of other sides' treatments nothing."""
    rules = service.decider().playbook
    seen = people_seen(service, user)[1]
    treatments = [t for t in rules.treatments if t.kind != "none" and (may_read_all(user) or t.role in seen)]
    by_channel: dict[str, list[Treatment]] = {}
    for treatment in treatments:
        by_channel.setdefault(treatment.channel, []).append(treatment)
    office = may_read_all(user) or bool(service.ledger.managed(user.user_id))
    return show(
        request, user, service, "playbook.html",
        by_channel=by_channel,
        effects=effects_in_use(service) if office else None,
        arms=_arms(rules.experiment) if office and rules.experiment else {},
        compared=kept(request.app.state.signing_in.settings.home, rules) if office else None,
    )  # fmt: skip


def _arms(test: Experiment) -> dict[str, float]:
    """Arm -> its share, of those that have any."""
    shares = {arm: test.share(place) for place, arm in enumerate(ARMS)}
    return {arm: share for arm, share in shares.items() if share > 0.0}


@router.get("/releases", dependencies=[may("releases")])
def releases(request: Request, user: Office, service: Serving) -> Response:
    """What decided since when, the latest first."""
    models = request.app.state.signing_in.settings.models
    log = service.ledger.release_log()
    reports = {one.release_id for one in log if (models / one.release_id / "report.html").is_file()}
    return show(request, user, service, "releases.html", log=log, reports=reports)


@router.get("/releases/{release_id}/report", dependencies=[may("releases")])
def report(
    request: Request, user: Office, service: Serving,
    release_id: Annotated[str, Path(min_length=1, max_length=200)],
) -> Response:  # fmt: skip
    """The report of a release that is, or was, in use."""
    known = {one.release_id for one in service.ledger.release_log()}
    file = request.app.state.signing_in.settings.models / release_id / "report.html"
    if release_id not in known or not file.is_file():
        raise HttpProblem(HTTPStatus.NOT_FOUND, f"There is no report of {release_id!r}.")
    return HTMLResponse(file.read_text(encoding="utf-8"), headers={"Content-Security-Policy": _REPORT_POLICY})
