"""An explained decision as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Told = Mapping[str, Any]


def lines_of(told: Told) -> Iterator[str]:
    """What `api.explain.explain` gives, to read."""
    drawn = "drawn at random" if told["explored"] else "not drawn at random"
    account = f"{told['account_id']} ({told['account_name']})"
    yield f"Decision {told['decision_id']} of {account}, {told['decided_at']}"
    yield f"  because of {told['trigger']}; kept in the {told['kept_in']}"
    yield f"  playbook {told['playbook']}, release {told['release']}, seed {told['seed']}"
    yield f"  first: {told['treatment']}, with probability {told['probability']:.4g}, {drawn}"
    yield ""
    yield f"Of {len(told['candidates'])} candidates, stage by stage:"
    for stage in told["funnel"]:
        yield f"  {stage['stage']:<16}{stage['removed']:>4} removed {stage['remaining']:>4} left"
    yield from _placed(told)
    yield from _not_placed(told)
    yield ""
    yield told["decided_again"]
    if told["what_would_change"]:
        yield "What would change what goes first:"
        yield from (f"  {text}" for text in told["what_would_change"]["text"])


def _placed(told: Told) -> Iterator[str]:
    placed = sorted((c for c in told["candidates"] if c["place"] is not None), key=lambda c: int(c["place"]))
    for row in placed:
        yield ""
        yield f"{row['place']}. {row['treatment']}: priority {row['priority']:,.2f} {told['currency']}"
        yield f"   {_formula(row)}"
        for reason in told["reasons"].get(row["treatment"], ()):
            amount = "" if reason["amount"] is None else f"{reason['amount']:+,.2f}"
            yield f"   {amount:>12}  {reason['text']}"


def _formula(row: Told) -> str:
    return (
        f"caused {row['caused']:,.2f}, cost {row['cost']:,.2f}, fatigue {row['fatigue']:,.2f}, "
        f"followed {row['followed']:.3g}, weight {row['weight']:.3g}, lever {row['lever']:.3g}, "
        f"P(response) {row['response']:.3g}"
    )


def _not_placed(told: Told) -> Iterator[str]:
    yield ""
    yield "Not placed:"
    for row in told["candidates"]:
        if row["place"] is None and row["treatment"] != "none":
            found = told["objections"].get(row["treatment"], ())
            texts = [f"[{each['stage']}] {each['text']}" for each in found]
            yield f"  {row['treatment']} ({row['priority']:,.2f} {told['currency']})"
            yield from (f"     {text}" for text in texts or [", ".join(row["rules"]) or "arbitration"])
