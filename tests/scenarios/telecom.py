"""A telecom company that sells to firms: planted under-performers, and approaches that work and do not."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.data.files import account, days_before, outcome, preference, team_member, touchpoint, user

PLAYBOOK = """
id = "telecom_test"
currency = "EUR"
languages = ["en", "ar", "fa"]
default_timezone = "Europe/Berlin"
outcomes = { order = 1.0 }
attributes = { employees = "number", industry = "text" }
exploration_share = 0

[channels.visit]
name = { en = "Visit", ar = "زيارة", fa = "ویزیت" }
cost = 20
minutes = 60

[channels.call]
name = { en = "Call", ar = "مكالمة", fa = "تماس تلفنی" }
cost = 5
minutes = 15

[channels.email]
name = { en = "E-mail", ar = "بريد إلكتروني", fa = "ایمیل" }
automated = true
needs_opt_in = true

[roles.seller]
name = { en = "Seller", ar = "مندوب مبيعات", fa = "فروشنده" }
side = "commercial"
sees = ["system"]

[roles.system]
name = { en = "Automatic", ar = "آلي", fa = "خودکار" }
side = "both"
sees = []
system = true

[issues.growth]
groups = ["visits", "offers", "mails"]

[treatments.visit_needs]
channel = "visit"
role = "seller"
issue = "growth"
group = "visits"
action = "visit"
value = 900
starting_uplift = 0.3
text = { en = "Visit {name}.", ar = "زيارة {name}.", fa = "ویزیت {name}." }

[treatments.call_offer]
channel = "call"
role = "seller"
issue = "growth"
group = "offers"
action = "offer"
value = 900
starting_uplift = 0.2
text = { en = "Call {name} with an offer.", ar = "تقديم عرض لـ {name}.", fa = "پیشنهاد به {name}." }

[treatments.mail_news]
channel = "email"
role = "system"
issue = "growth"
group = "mails"
action = "mail"
value = 900
starting_uplift = 0.05
text = { en = "Mail {name}.", ar = "مراسلة {name}.", fa = "ایمیل به {name}." }

[twins]
steps = "group"
minimum_value = 200

[context_weights.unrealised]
applies = "role = 'seller'"
when = "unrealised_value > 0"
weight = 2
"""

FIRMS = [f"f{place:03}" for place in range(360)]
PLANTED = FIRMS[5::20]
"""Firms that buy an eighth of what firms like them do."""
SEED = 1
"""Of the history; on seeds 1 to 5 between 15 and 18 of the 18 planted were found with either playbook."""
WORKS, FAILS = 0.7, 0.15
"""How often a larger order follows a visit and an offer, and how often an e-mail alone."""
Rows = dict[str, list[dict[str, Any]]]


def seller_of(firm: str) -> str:
    """Two sellers share the firms; `boss` is above both."""
    return "seller1" if FIRMS.index(firm) % 2 else "seller2"


def tables(seed: int) -> Rows:
    """The company's history: two years of contacts, orders of the last year, and what followed contacts."""
    draw = np.random.default_rng(seed)
    rows: Rows = {
        "accounts": [
            account(firm, name=f"Firm {firm}", employees=round(float(np.exp(4.0 + draw.normal()))),
                    industry=str(draw.choice(["trade", "health", "public"])))
            for firm in FIRMS
        ],
        "users": [user(f"seller{n}", name=f"Seller {n}", role="seller", manager_id="boss") for n in (1, 2)]
        + [user("boss", name="Boss", role="head_of_sales"), user("stranger", name="Nobody", role="seller")],
        "account_team": [team_member(firm, role="seller", user_id=seller_of(firm)) for firm in FIRMS],
        "touchpoints": [], "responses": [], "outcomes": [],
        "preferences": [preference(firm, since=days_before(900)) for firm in FIRMS],
    }  # fmt: skip
    for place, firm in enumerate(FIRMS):
        size = rows["accounts"][place]["employees"] / 55.0
        _buy(rows, firm, draw, orders=30.0 * size**0.3 * (0.125 if firm in PLANTED else 1.0))
        _approach(rows, firm, draw, place)
    return rows


def _buy(rows: Rows, firm: str, draw: np.random.Generator, *, orders: float) -> None:
    for number in range(int(draw.poisson(orders))):
        product = str(draw.choice(["lines", "routers", "cloud"], p=[0.6, 0.3, 0.1]))
        worth = round(float(100.0 * np.exp(0.4 * draw.normal())), 2)
        rows["outcomes"].append(
            outcome(f"o-{firm}-{number}", firm, occurred_at=days_before(float(draw.uniform(1, 364))),
                    kind="order", product=product, value=worth)
        )  # fmt: skip


def _approach(rows: Rows, firm: str, draw: np.random.Generator, place: int) -> None:
    """A third is visited and then given an offer, a third gets an e-mail alone, a third nothing."""
    began = float(draw.uniform(500, 690))
    if place % 3 == 0:
        steps, share = [("visit", "visit_needs", 0.0), ("call", "call_offer", 9.0)], WORKS
    elif place % 3 == 1:
        steps, share = [("email", "mail_news", 0.0)], FAILS
    else:
        return
    for number, (channel, treatment, after) in enumerate(steps):
        rows["touchpoints"].append(
            touchpoint(f"t-{firm}-{number}", firm, occurred_at=days_before(began - after), channel=channel,
                       treatment=treatment)
        )  # fmt: skip
    if draw.random() < share:
        followed = days_before(began - 9.0 - float(draw.uniform(1, 40)))
        rows["outcomes"].append(
            outcome(f"big-{firm}", firm, occurred_at=followed, kind="order", product="lines", value=900.0)
        )
