"""Small histories and playbooks with defaults: a test names only what it is about.

    past = history(touchpoint(-3, channel="email"), account("b"))
    known = features_as_of(past, moments("a"), playbook=playbook(), features=FeatureSet.of(...))

Times are days from NOW (negative = before) unless they are given as whole microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from typing import Any

import polars as pl

from engine.contract import DERIVED_TABLES, TABLES
from engine.facts import Attribute
from engine.features import Features, FeatureSet, features_as_of
from engine.playbook import Channel, ContactLimit, Playbook, Role, Suppression, Topic, Treatment
from engine.records import DAY_MICROS, History, Moments, empty_frame, with_superseded

NOW = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in microseconds."""

Row = tuple[str, dict[str, Any]]
WHEN_IT_OCCURRED: Any = object()
_ids = count(1)

ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("segment", ("A", "B", "C")), Attribute("potential_value"), Attribute("automated"),
)  # fmt: skip


def at(days: float) -> int:
    """Microseconds UTC of a moment so many days after NOW."""
    return NOW + round(days * DAY_MICROS)


def row(table: str, stored: float | None, deleted: bool = False, **values: Any) -> Row:
    """A row of a table; `stored` in days from NOW, None = stored_at is empty."""
    times = {c.name for c in (TABLES | DERIVED_TABLES)[table].columns if c.kind.name == "TIME"}
    content = {name: at(v) if name in times and isinstance(v, float) else v for name, v in values.items()}
    return table, content | {"stored_at": None if stored is None else at(stored), "deleted": deleted}


def account(id: str = "a", *, stored: float | None = None, **values: Any) -> Row:
    return row("accounts", stored, account_id=id, **({"segment": "A", "potential_value": 1000.0} | values))


def team(
    account_id: str = "a", role: str = "rep", user_id: str = "u", *, stored: float | None = None, **v: Any
) -> Row:
    return row("account_team", stored, account_id=account_id, role=role, user_id=user_id, **v)


def touchpoint(
    days: float,
    *,
    account_id: str = "a",
    id: str | None = None,
    stored: float | None = WHEN_IT_OCCURRED,
    **v: Any,
) -> Row:
    """A done outbound visit, unless told otherwise; stored when it occurred unless `stored` says when."""
    defaults = {
        "touchpoint_id": id or f"t{next(_ids):06}", "direction": "outbound", "channel": "visit",
        "status": "done",
    }  # fmt: skip
    values = defaults | {"account_id": account_id, "occurred_at": at(days)} | v
    return row("touchpoints", days if stored is WHEN_IT_OCCURRED else stored, **values)


def planned(days: float, *, stored: float = -1.0, **v: Any) -> Row:
    """A contact planned for that day."""
    return touchpoint(days, stored=stored, **({"status": "planned"} | v))


def response(
    touchpoint_id: str,
    days: float,
    response: str = "clicked",
    *,
    account_id: str = "a",
    stored: float | None = WHEN_IT_OCCURRED,
    **v: Any,
) -> Row:
    values = {
        "touchpoint_id": touchpoint_id,
        "responded_at": at(days),
        "response": response,
        "account_id": account_id,
    }
    return row("responses", days if stored is WHEN_IT_OCCURRED else stored, **(values | v))


def outcome(
    days: float,
    value: float = 100.0,
    *,
    account_id: str = "a",
    id: str | None = None,
    stored: float | None = WHEN_IT_OCCURRED,
    **v: Any,
) -> Row:
    values = {
        "outcome_id": id or f"o{next(_ids):06}",
        "occurred_at": at(days),
        "kind": "prescription",
        "value": value,
    }
    return row(
        "outcomes",
        days if stored is WHEN_IT_OCCURRED else stored,
        **(values | {"account_id": account_id} | v),
    )


def permission(
    days: float,
    status: str = "opt_in",
    channel: str = "*",
    purpose: str = "marketing",
    *,
    account_id: str = "a",
    stored: float | None = WHEN_IT_OCCURRED,
    **v: Any,
) -> Row:
    values = {
        "account_id": account_id,
        "channel": channel,
        "purpose": purpose,
        "kind": "permission",
        "status": status,
        "since": at(days),
    }
    return row("preferences", days if stored is WHEN_IT_OCCURRED else stored, **(values | v))


def answer(
    days: float,
    verb: str = "dismiss",
    treatment: str = "visit_safety",
    *,
    until: float | None = None,
    account_id: str = "a",
    stored: float | None = WHEN_IT_OCCURRED,
    **v: Any,
) -> Row:
    """Feedback on a suggestion; `until` in days from NOW."""
    id = f"f{next(_ids):06}"
    values = {
        "feedback_id": id, "suggestion_id": f"s-{id}", "account_id": account_id, "treatment": treatment,
        "role": "rep", "user_id": "u", "occurred_at": at(days), "verb": verb,
        "until": None if until is None else at(until),
    }  # fmt: skip
    return row("feedback", days if stored is WHEN_IT_OCCURRED else stored, **(values | v))


def offer(
    days: float,
    price: float = 100.0,
    *,
    account_id: str = "a",
    stored: float | None = WHEN_IT_OCCURRED,
    **v: Any,
) -> Row:
    """A quote that was made on that day and is open."""
    values = {
        "offer_id": f"q{next(_ids):06}", "account_id": account_id, "price": price, "currency": "EUR",
        "opened_at": at(days),
    }  # fmt: skip
    return row("offers", days if stored is WHEN_IT_OCCURRED else stored, **(values | v))


def twins(days: float, *, account_id: str = "a", **v: Any) -> Row:
    """What a night found: 20 twins, and an approach that worked on 14 of 20."""
    values = {
        "account_id": account_id, "twins_found": 20, "unrealised_value": 9_000.0, "unrealised_low": 4_000.0,
        "unrealised_high": 14_000.0, "approach": "visit|email", "worked": 14, "tried": 20,
    }  # fmt: skip
    return row("twins", days, **(values | v))


def history(*rows: Row, accounts: Iterable[str] = ("a",)) -> History:
    """A history of these rows; accounts that no row defines are added with defaults."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for table, values in rows:
        tables.setdefault(table, []).append(values)
    defined = {values["account_id"] for values in tables.get("accounts", [])}
    tables.setdefault("accounts", []).extend(account(id)[1] for id in accounts if id not in defined)
    return History({table: _frame(table, values) for table, values in tables.items()})


def _frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    empty = empty_frame(table)
    if table == "accounts":
        empty = empty.drop("name")
    extra = {name for values in rows for name in values} - set(empty.columns)
    known = pl.DataFrame(
        [{name: values.get(name) for name in (*empty.columns, *sorted(extra))} for values in rows],
        schema_overrides={
            n: pl.Int64() if t == pl.Datetime("us", "UTC") else t for n, t in empty.schema.items()
        },
        infer_schema_length=None,
    )
    return with_superseded(table, known.with_columns(
        pl.col(name).cast(dtype) for name, dtype in empty.schema.items()
    ))  # fmt: skip


def treatment(id: str, channel: str = "visit", topic: str = "", **values: Any) -> Treatment:
    """A marketing contact by the representative, unless told otherwise."""
    defaults = Treatment(
        id=id, kind="contact", channel=channel, role="rep", issue="product", group="promotion", action=id,
        topic=topic, purpose="marketing", value=200.0, starting_uplift=0.1, cost=1.0, minutes=5.0,
        validity_days=7.0, approval="", approved_until=None, text={"en": "Contact {name}."}, note={},
    )  # fmt: skip
    return replace(defaults, **values)


TREATMENTS: tuple[Treatment, ...] = (
    treatment("none", "", kind="none", role="", issue="", group="", action="none", value=0.0,
              starting_uplift=0.0, cost=0.0, minutes=0.0),
    treatment("email_news", "email", "news", role="system", cost=1.0, minutes=0.0),
    treatment("email_safety", "email", "safety", role="system", purpose="service", group="service"),
    treatment("stop_email", "email", kind="stop", starting_uplift=0.05, stops=(("email", "marketing"),)),
    treatment("visit_news", "visit", "news", cost=90.0, minutes=30.0),
    treatment("visit_safety", "visit", "safety", cost=90.0, minutes=30.0),
)  # fmt: skip


def playbook(**values: Any) -> Playbook:
    """Channels email, visit (outbound) and website (inbound only); roles rep, system; topics news, safety."""
    defaults = Playbook(
        id="small", version="0" * 16, title={"en": "Small"}, currency="EUR", languages=("en",),
        horizon_days={"": 60.0}, outcome_worth={"prescription": 1.0, "order": 0.5},
        channels=(
            Channel("email", {"en": "E-mail"}, cost=1.0, automated=True, needs_opt_in=True, fatigue=0.01),
            Channel("visit", {"en": "Visit"}, cost=90.0, minutes=30.0, fatigue=0.001),
            Channel("website", {"en": "Website"}, outbound=False),
        ),
        roles=(
            Role("rep", {"en": "Representative"}, "commercial", ("rep", "system")),
            Role("system", {"en": "System"}, "both", ("system",), system=True),
        ),
        topics=(Topic("news", {"en": "News"}), Topic("safety", {"en": "Safety"})),
        treatments=TREATMENTS,
        policies=(),
        contact_limits=(
            ContactLimit("all_30d", "*", "", 10, 30.0),
            ContactLimit("email_promotion_7d", "email", "promotion", 2, 7.0),
        ),
        suppressions=(
            Suppression("after_contact", "contacts", "treatment", 1, 30.0, 14.0),
            Suppression("after_dismissal", "dismissals", "treatment", 2, 30.0, 30.0),
            Suppression("after_optout", "opt_outs", "channel", 1, 365.0, 365.0),
            Suppression("after_rejection", "rejections", "topic", 1, 30.0, 30.0, channel="email"),
        ),
        context_weights=(), levers={}, exploration_share=0.0, places=3, per_person_per_day=8,
        optout_loss=500.0, followed={"rep": 0.5}, followed_floor=0.2, priority="value", salt="salt",
        default_timezone="Europe/Berlin", web_behaviour_needs_consent=True, attributes=ATTRIBUTES,
    )  # fmt: skip
    return replace(defaults, **values)


def moments(*account_ids: str, at_day: float = 0.0) -> Moments:
    """The same moment for these accounts (default: "a", NOW)."""
    return Moments.at(account_ids or ("a",), at(at_day))


def features(
    past: History,
    asked: Moments | None = None,
    rules: Playbook | None = None,
    attributes: tuple[Attribute, ...] = ATTRIBUTES,
) -> Features:
    """features_as_of with the small playbook."""
    rules = rules or playbook()
    asked = moments() if asked is None else asked
    return features_as_of(past, asked, playbook=rules, features=FeatureSet.of(rules, attributes))
