"""When a suggestion ends, as the playbook says it."""

from __future__ import annotations

import numpy as np

from engine.playbook import Playbook
from engine.records import DAY_MICROS, Micros


def expires_at(playbook: Playbook, as_of: Micros) -> Micros:
    """When a suggestion made at each moment ends: after its days, or with its approval or validity, whichever
    comes first; microseconds UTC, shape (n, T)."""
    never = np.iinfo(np.int64).max
    lasts = np.array([round(t.validity_days * DAY_MICROS) for t in playbook.treatments], dtype=np.int64)
    ends = [
        min(never if end is None else end for end in (t.approved_until, t.valid_until, playbook.valid_until))
        for t in playbook.treatments
    ]
    last: Micros = np.minimum(as_of[:, None] + lasts[None, :], np.array(ends, dtype=np.int64)[None, :])
    return last
