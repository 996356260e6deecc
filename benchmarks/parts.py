"""Where the time of a decision goes: its parts in turn, as `decide` runs them, of one account and of many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import Any

import lightgbm
import polars as pl

from benchmarks.deciding import Learned
from benchmarks.material import AS_OF, Material
from engine.decide import Judged, place
from engine.features import features_as_of
from engine.forest import parse_forest
from engine.policies import object_to
from engine.priority import prioritise
from engine.records import History, Moments

PARTS = ("facts", "objections", "scores", "priorities", "list")


@dataclass(frozen=True)
class Parts:
    """Processor seconds of each of `PARTS`, for one decision of `moments` accounts; medians."""

    moments: int
    seconds: tuple[float, ...]


def parts_of(material: Material, booster: lightgbm.Booster, accounts: int, *, repeats: int) -> Parts:
    """Decide for so many accounts again and again, with the clock read between the parts.

    Facts were coded before, as they are for an account that is held ready and for a bucket of a night.
    """
    ids = material.moments.account_ids[:accounts]
    frames = material.history.frames
    own = History({table: rows.filter(pl.col("account_id").is_in(ids)) for table, rows in frames.items()})
    moments, playbook = Moments.at(ids, AS_OF), material.playbook
    scorer = Learned(playbook, parse_forest(booster.model_to_string()))

    def once() -> list[float]:
        spent: list[float] = []

        def timed(run: Callable[[], Any]) -> Any:
            begun = process_time()
            found = run()
            spent.append(process_time() - begun)
            return found

        known = timed(lambda: features_as_of(own, moments, playbook=playbook, features=material.features))
        objections = timed(lambda: object_to(known, playbook))
        scores = timed(lambda: scorer.score(known))
        priority = timed(lambda: prioritise(known, scores, playbook))
        judged = Judged(moments, known, objections, scores, priority, scorer)
        timed(lambda: place(judged, own, playbook=playbook, seed=7))
        return spent

    once()
    found = [once() for _ in range(repeats)]
    return Parts(len(ids), tuple(median(each) for each in zip(*found, strict=True)))
