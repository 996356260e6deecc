"""Policies of the playbook against zen, a compiled rule engine written in Rust that judges row by row.

It gets the facts of each pair as a dictionary made beforehand, and says all objections in one call.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.deciding import pair_facts, policies_of, tiled
from benchmarks.harness import Comparison, compare
from benchmarks.material import Material

PART = 10_000
"""So many pairs are given to it; the time of all of them follows from these."""
OBJECTS = {
    "congress_for_high_potential": "channel == 'congress' and not((potential_value ?? 0) >= 12000)",
    "no_visit_after_visit": "channel == 'visit' and not((days_since_visit ?? 999) >= 7)",
    "no_visit_before_planned_visit": "channel == 'visit' and not((days_until_visit ?? 999) > 7)",
    "one_call_at_a_time": "channel in ['remote_call', 'medical_call'] and not("
    "(days_since_remote_call ?? 999) >= 3 and (days_since_medical_call ?? 999) >= 3)",
    "persons_for_large_accounts": "role != 'system' and not((automated ?? 0) == 0)",
    "podcast_for_listeners": "channel == 'podcast' and not("
    "outbound_podcast_365d < 4 or responses_podcast_365d >= 1)",
    "reimbursement_after_interest": "channel == 'reimbursement_consultation' and not("
    "inbound_reimbursement_90d >= 1 or (days_since_reimbursement_consultation ?? 999) >= 60)",
    "rest_only_after_contacts": "treatment == 'rest_account' and not(outbound_any_90d >= 4)",
    "side_effects_on_request": "topic == 'side_effects' and "
    "channel in ['visit', 'remote_call', 'email', 'medical_call'] and not(inbound_side_effects_7d >= 1 and "
    "(days_since_inbound_side_effects ?? 9999) < (days_since_side_effects ?? 999))",
    "stop_only_unanswered_email": "treatment == 'stop_marketing_email' and not("
    "outbound_email_90d >= 4 and responses_email_90d == 0)",
}
"""The policies of the playbook "pharma" in its language; what is not known is given a value that objects."""


def comparison(material: Material, pairs: int) -> Comparison | None:
    """Every objection of every policy; None = the rule engine is not installed."""
    try:
        zen = import_module("zen")
    except ImportError:
        return None
    t = len(material.features.treatments)
    known = tiled(material.known(), pairs // t)
    rules, ours = policies_of(known, material.playbook)
    judge = zen.compile_expression(f"[{', '.join(OBJECTS[own.id.partition(':')[2]] for own in rules)}]")
    part = tiled(known, max(1, PART // t))
    rows = pair_facts(part, material.playbook).to_dicts()

    def theirs() -> list[Any]:
        return [judge.evaluate(row) for row in rows]

    def same(said: Any, found: list[Any]) -> bool:
        own = said[:, : len(part.moments)].reshape(len(rules), -1) > 0
        return bool(np.array_equal(own.T, np.array(found)))

    return compare(
        f"{len(rules)} policies, {t * len(known.moments):,} pairs, every objection",
        f"zen, compiled, row by row ({len(rows):,} pairs measured)", ours, theirs, same=same,
        part=len(rows) / (t * len(known.moments)),
    )  # fmt: skip
