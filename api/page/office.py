"""For those who lead, or write playbook and releases: the rules in words with their effects, the reports."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Request, Response

from api.access import Office, Serving, SignedIn, may, may_read_all, people_seen
from api.effects import effects_in_use, gains
from api.experiment_report import kept
from api.page.rendering import show
from api.page.routing import page_router
from api.release_documents import html_page
from engine.experiments import ARMS, Experiment
from engine.playbook import Treatment

router = page_router()


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
    """What decided since when, the latest first, and what it was shown to bring."""
    log = service.ledger.release_log()
    return show(request, user, service, "releases.html", log=log, gains=gains(service))


@router.get("/releases/{release_id}/{document}", dependencies=[may("releases")])
def document(
    request: Request, user: Office, service: Serving,
    release_id: Annotated[str, Path(min_length=1, max_length=200)], document: Literal["report", "board"],
) -> Response:  # fmt: skip
    """The report of a release, or its page for a board."""
    return html_page(release_id, f"{document}.html", service)
