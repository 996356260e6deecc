"""Physicians of two kinds: one gains by visits, one by calls, as a small company's history shows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.data.files import account, days_before, outcome, preference, team_member, touchpoint, user

PLAYBOOK = """
id = "physicians_test"
currency = "EUR"
languages = ["en"]
default_timezone = "Europe/Berlin"
outcomes = { prescription = 1.0 }
horizon_days = 14
exploration_share = 0
per_person_per_day = 2000

[gate]
drifted_most = 1.0  # all outcomes lie in one month, so that every count has moved since

[channels.visit]
name.en = "Visit"
cost = 20

[channels.call]
name.en = "Call"
cost = 5

[channels.email]
name.en = "E-mail"
automated = true
needs_opt_in = true

[roles.rep]
name.en = "Representative"
side = "commercial"
sees = ["system"]
followed = 0.8

[roles.system]
name.en = "Automatic"
side = "both"
sees = []
system = true

[issues.information]
groups = ["personal", "digital"]

[treatments.visit_news]
channel = "visit"
role = "rep"
issue = "information"
group = "personal"
action = "visit"
value = 300
starting_uplift = 0.2
text.en = "Visit {name}."

[treatments.call_news]
channel = "call"
role = "rep"
issue = "information"
group = "personal"
action = "call"
value = 300
starting_uplift = 0.2
text.en = "Call {name}."

[treatments.mail_news]
channel = "email"
role = "system"
issue = "information"
group = "digital"
action = "mail"
value = 10
starting_uplift = 0.05
text.en = "Mail {name}."
"""

SIMILAR, OTHERS = [f"a{place:03}" for place in range(500)], [f"b{place:03}" for place in range(250)]
"""Of segment A, and of segment B."""
PHYSICIANS = [*SIMILAR, *OTHERS]
TURNS, PERIOD = 2, 14.0
GAIN = 150.0
"""What the contact that suits a physician causes, in EUR; the other one causes nothing."""
Rows = dict[str, list[dict[str, Any]]]


def tables(*, flipped: bool) -> Rows:
    """Two weeks by two weeks nobody, a visit (25 %) or a call (25 %), drawn by lot, and what followed.

    Args:
        flipped: The 500 similar ones respond to calls as they otherwise do to visits, and the reverse;
            nothing else differs.
    """
    draw = np.random.default_rng(11)
    rows: Rows = {
        "accounts": [account(p, name=f"Dr {p}", segment=p[0].upper()) for p in PHYSICIANS],
        "users": [user("rep1", name="Lena Sommer", role="rep")],
        "account_team": [team_member(p, role="rep", user_id="rep1") for p in PHYSICIANS],
        "touchpoints": [touchpoint("first", PHYSICIANS[0], occurred_at=days_before((TURNS + 1) * PERIOD))],
        "responses": [], "outcomes": [outcome("last", PHYSICIANS[0], occurred_at=days_before(0.01), value=0)],
        "preferences": [preference(p) for p in PHYSICIANS],
    }  # fmt: skip
    for physician in PHYSICIANS:
        liked = "call" if flipped or physician in OTHERS else "visit"
        for turn in range(TURNS):
            _turn(rows, physician, f"{physician}-{turn}", (TURNS - turn) * PERIOD, liked, draw)
    return rows


def _turn(rows: Rows, physician: str, key: str, begins: float, liked: str, draw: np.random.Generator) -> None:
    done = str(draw.choice(["none", "visit", "call"], p=[0.5, 0.25, 0.25]))
    contacted = begins - float(draw.uniform(0.2, 6.0))
    worth = 50.0 + 10.0 * float(draw.normal()) + GAIN * (done == liked)
    bought = days_before(contacted - float(draw.uniform(0.5, 3.0)))
    rows["outcomes"].append(outcome(f"o-{key}", physician, occurred_at=bought, value=round(worth, 2)))
    if done == "none":
        return
    rows["touchpoints"].append(
        touchpoint(f"t-{key}", physician, occurred_at=days_before(contacted), channel=done,
                   treatment=f"{done}_news")
    )  # fmt: skip
    if done == liked:
        responded = days_before(contacted - 0.1)
        rows["responses"].append(
            {"touchpoint_id": f"t-{key}", "responded_at": responded, "response": "attended"}
        )
