"""A funnel of eight stages that marketing and sales share, as a playbook's text."""

from __future__ import annotations

STAGES = (
    "customer_awareness", "brand_awareness", "brand_consideration", "brand_preference", "purchase_intention",
    "purchase", "loyalty", "advocacy",
)  # fmt: skip
TOPICS = ("problem", "brand", "comparison", "trial", "pricing", "referral", "price_objection")
_ASKED = "days_since_inbound_{0} <= 10 and inbound_{0}_30d >= 2"
WHEN = {
    "brand_awareness": _ASKED.format("brand"),
    "brand_consideration": _ASKED.format("comparison"),
    "brand_preference": _ASKED.format("trial"),
    "purchase_intention": _ASKED.format("pricing"),
    "purchase": "outcomes_30d >= 1",
    "loyalty": "outcomes_30d >= 3",
    "advocacy": f"outcomes_365d >= 3 and {_ASKED.format('referral')}",
}
CONTENT = {
    "customer_awareness": ["educational"],
    "brand_awareness": ["educational"],
    "brand_consideration": ["educational", "case_study"],
    "brand_preference": ["case_study", "demo"],
    "purchase_intention": ["demo", "price"],
}

HEAD = """
id = "funnel"
currency = "EUR"
languages = ["en"]
default_timezone = "Europe/Berlin"
outcomes = { order = 1 }
attributes = { segment = ["A", "B", "C"], potential_value = "number", automated = "flag" }
exploration_share = 0.0
places = 5
web_behaviour_needs_consent = false

[channels.call]
name.en = "Call"
cost = 1
minutes = 10

[channels.email]
name.en = "E-mail"
cost = 1
automated = true

[channels.form]
name.en = "Web form"
outbound = false

[roles.marketer]
name.en = "Marketer"
side = "commercial"
sees = ["seller", "system"]

[roles.seller]
name.en = "Seller"
side = "commercial"
sees = ["marketer", "system"]

[roles.system]
name.en = "Automatic"
side = "both"
sees = []
system = true

[issues.growth]
groups = ["people", "mails"]

[teams.marketing]
name.en = "Marketing"
roles = ["marketer", "system"]

[teams.sales]
name.en = "Sales"
roles = ["seller"]
"""


def topics(owners: dict[str, str]) -> str:
    lines = []
    for topic in TOPICS:
        lines += [f"[topics.{topic}]", f'name.en = "{topic.title()}"']
        lines += [f'owners = ["{owners[topic]}"]'] if topic in owners else []
    return "\n".join(lines)


def treatment(id: str, channel: str, role: str, **others: str) -> str:
    lines = [f"[treatments.{id}]", f'channel = "{channel}"', f'role = "{role}"', 'issue = "growth"']
    lines += [f'group = "{"mails" if channel == "email" else "people"}"', f'action = "{id}"', "value = 100"]
    lines += ["starting_uplift = 0.5", 'text.en = "{name}"']
    return "\n".join(lines + [f"{name} = {value}" for name, value in others.items()])


TREATMENTS = (
    treatment("guide", "email", "system", content='"educational"'),
    treatment("story", "call", "marketer", content='"case_study"'),
    treatment("demo", "call", "seller", content='"demo"'),
    treatment("quote", "call", "seller", content='"price"'),
    treatment("answer_price", "call", "seller", topic='"price_objection"'),
    treatment("thanks", "call", "seller", stages='["loyalty", "advocacy"]'),
)


def stage(id: str, position: int, owners: str, when: str | None, content: list[str]) -> str:
    lines = [f"[journey.{id}]", f'name.en = "{id.replace("_", " ").capitalize()}"', f"position = {position}"]
    lines += [f"owners = {owners}"] + ([f'when = "{when}"'] if when else [])
    return "\n".join(lines + ([f"content = {content}"] if content else []))


def eight_stages() -> str:
    """The first four are marketing's, the others sales'."""
    return "\n".join(
        stage(id, place, '["marketing"]' if place <= 4 else '["sales"]', WHEN.get(id), CONTENT.get(id, []))
        for place, id in enumerate(STAGES, start=1)
    )


def text(journey: str | None = None, top: str = "", rest: str = "") -> str:
    """The playbook; price objections are always sales'."""
    parts = [top, HEAD, topics({"price_objection": "sales"}), *TREATMENTS, journey or eight_stages(), rest]
    return "\n\n".join(parts)
