"""The facts that a live decision keeps."""

from __future__ import annotations

import math

import pytest

from api.decider import LiveDecider
from api.kept_facts import FactLayout
from data.live import history_of
from engine.records import Moments
from tests.api.company import Company


def test_a_live_decision_keeps_the_facts_that_it_was_made_from(company: Company) -> None:
    """Who complains next year is told what was known, not what is known by then."""
    stored = company.reads_page("side_effects", "a1")["stored"][0]

    with company.ledger() as ledger:
        facts = ledger.decision(stored["decision_id"]).record["facts"]

    assert (facts["inbound_side_effects_7d"], facts["segment"]) == (1.0, "A")
    assert facts["days_since_inbound_website"] == pytest.approx(0, abs=1e-6)
    assert "days_since_visit" not in facts, "Not known."
    assert "outbound_visit_30d" not in facts, "Zero of a count is left out."


def test_what_is_kept_is_what_the_night_would_write(company: Company) -> None:
    """One name, one value, whoever decided."""
    company.reads_page("dosing", "a2")
    with company.ledger() as ledger:
        decider = LiveDecider(company.settings.as_home(), ledger, "pharma", 0)()
        history = history_of(ledger.account_state("a2"))
    decided = decider.decide(history, Moments.at(["a2"], company.clock() + 10))

    kept = FactLayout.of(decider.features).kept(decided.features, 0)

    written = decided.features.known().drop("account_id", "as_of").row(0, named=True)
    known = {n: v for n, v in written.items() if isinstance(v, str) or (v is not None and not math.isnan(v))}
    assert {name: known[name] for name in kept} == kept
    assert {value for name, value in known.items() if name not in kept} == {0.0}
    attributes = [attribute.name for attribute in decider.features.attributes if attribute.name in known]
    assert set(attributes) <= kept.keys()
