"""From what was learned to the files of a release, and the gate that a new release must pass to be used.

A release is LightGBM text, npz and JSON; `engine.scoring.learned_scorer` reads it and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from data.artifacts import Release
from engine.estimation import Interval, Resamples, doubly_robust_terms
from engine.following import Following
from engine.records import DAY_MICROS, Bools, EngineError, Floats, Ints
from engine.scoring import SUPPORT_FOREST, learned_scorer
from training.boosting import Boosting
from training.cases import Cases
from training.evaluate import Judged
from training.learners import Fitted, learn_response, reader_of
from training.select import greedy, logged_of
from training.support import Support

FORMAT = 2
SCORED_ROWS = 20_000
TOLERANCE = 0.05
"""How much less than the release in use a new one may earn at its lower bound, as a share of what that earns:
with finitely many held-out cases no bound is ever exactly zero."""


LEAST_FRESH, LEAST_FRESH_ACCOUNTS = 500, 50
"""Cases and accounts, not seen by the release in use, that a comparison with it needs."""


@dataclass(frozen=True)
class Parts:
    """The learned part of a release: forest texts by file name, and arrays of `values.npz`."""

    texts: Mapping[str, str]
    arrays: Mapping[str, Floats | Ints]

    @property
    def hash(self) -> str:
        """Of the content: the same data, playbook and seed give the same eight digits."""
        digest = hashlib.sha256()
        for name in sorted(self.texts):
            digest.update(name.encode() + b"\0" + self.texts[name].encode() + b"\0")
        for name in sorted(self.arrays):
            digest.update(name.encode() + b"\0" + self.arrays[name].tobytes() + b"\0")
        return digest.hexdigest()[:8]

    def files(self) -> dict[str, bytes]:
        """File name -> content."""
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, **dict(self.arrays))
        return {name: text.encode() for name, text in self.texts.items()} | {"values.npz": packed.getvalue()}


def parts_of(fitted: Fitted, cases: Cases, boosting: Boosting) -> Parts:
    """What scoring reads: values by forest and constants, and the response model if there is one."""
    texts = dict(fitted.texts())
    response = learn_response(cases, boosting)
    if response is not None:
        texts["response.forest.txt"] = response
    known = fitted.constants
    arrays = {"value": known.value, "uplift": known.uplift, "response": known.response, "error": known.error}
    pooled = {"pool_effect": known.pool.effect, "pool_error": known.pool.error}
    return Parts(texts, {**arrays, **pooled, **fitted.arrays()})


def with_support(parts: Parts, support: Support | None) -> Parts:
    """The same with what says which pairs are comparable, where not all are."""
    if support is None:
        return parts
    texts = {**parts.texts, SUPPORT_FOREST: support.text()}
    return Parts(texts, {**parts.arrays, "support": np.array([support.least])})


def with_following(parts: Parts, following: Following | None) -> Parts:
    """The same with how often people follow, where anybody has said so; names are in the manifest."""
    return parts if following is None else Parts(parts.texts, {**parts.arrays, **following.arrays()})


def release_id(made_at: int, parts: Parts) -> str:
    """Time and content: 20260105T020000-1f3a9c0e.

    Args:
        made_at: Microseconds UTC.
        parts: What was learned.
    """
    moment = datetime.fromtimestamp(made_at / 1_000_000, tz=UTC)
    return f"{moment:%Y%m%dT%H%M%S}-{parts.hash}"


def manifest_of(
    learner: str, fitted: Fitted, cases: Cases, identity: str, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest without the files' hashes.

    Args:
        learner: Name in the registry.
        fitted: What it learned from all matured cases.
        cases: Those cases.
        identity: Id of the release.
        facts: More to keep: times, snapshot, evaluation, selection.
    """
    known, treatments = fitted.constants, cases.treatments
    learned = [treatments[index] for index in known.learned]
    return {
        "format": FORMAT,
        "release": identity,
        "learner": learner,
        "reader": reader_of(learner, fitted),
        "playbook": cases.playbook.version,
        "playbook_id": cases.playbook.id,
        "treatments": learned,
        "feature_names": list(cases.features.set.names),
        "levels": {name: list(levels) for name, levels in cases.features.set.levels.items()},
        "evidence": dict(zip(learned, map(int, known.evidence), strict=True)),
        "pool": {"channels": list(known.pool.channels), "topics": list(known.pool.topics)},
        "horizon_days": cases.horizon_days,
        "windows_days": list(cases.windows),
        "known_until": cases.known_until,
        **facts,
    }


@dataclass(frozen=True)
class Check:
    """One condition of the gate."""

    name: str
    passed: bool
    sentence: str


@dataclass(frozen=True)
class Gate:
    """Whether a release may replace the one in use."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """All checks are."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """Those that say no."""
        return tuple(check for check in self.checks if not check.passed)


def judge(judged: Judged, chosen: str, in_use: Release | None, *, seed: int) -> Gate:
    """The gate: the log can speak of it, it is worth its cost, and not worse than the release in use.

    Args:
        judged: The policies on held-out accounts.
        chosen: The learner of the new release.
        in_use: The release in use, if there is one that can be read.
        seed: Of the resamples.
    """
    value = judged.evaluation.of(chosen)
    found = value.verdict
    evidence = Check("evidence", found.level != "outside scope", f"{found.level}: {found.sentence}")
    worth = _worth(value.versus_nobody)
    if in_use is None:
        return Gate((evidence, worth, Check("difference", True, "No release is in use to compare with.")))
    return Gate((evidence, worth, _difference(judged, chosen, in_use, seed=seed)))


def _worth(gap: Interval) -> Check:
    """Whether more likely than not it earns at least what leaving everybody alone does."""
    figures = f"{gap.estimate:+,.2f} per decision, 95 % interval {gap.low:+,.2f} to {gap.high:+,.2f}"
    return Check("worth", gap.estimate >= 0.0, f"Against contacting nobody: {figures}; it may not cost more.")


def _difference(judged: Judged, chosen: str, in_use: Release, *, seed: int) -> Check:
    try:
        seen, old, who = _opponent(judged, in_use)
    except EngineError as error:
        sentence = f"The release in use cannot score with this playbook and history: {error}"
        return Check("difference", True, sentence)
    cases, model = judged.cases.take(~seen), judged.model[~seen]
    logged = logged_of(cases, judged.assignment.take(~seen))
    new_terms = doubly_robust_terms(logged, judged.targets[chosen][~seen], model)
    old_terms = doubly_robust_terms(logged, old, model)
    gap = Resamples.of(logged.cluster, seed=seed).difference(new_terms, old_terms)
    tolerance = TOLERANCE * abs(old_terms.value)
    figures = f"{gap.estimate:+,.2f} per decision, 95 % interval {gap.low:+,.2f} to {gap.high:+,.2f}"
    return Check(
        "difference",
        bool(gap.low >= -tolerance),
        f"Against {who}: {figures}; the lower bound may be {-tolerance:,.2f}.",
    )


def _opponent(judged: Judged, in_use: Release) -> tuple[Bools, Floats, str]:
    """Cases to leave out, the policy to compare with on the others, and what it is.

    The release in use was learned from all accounts, so on cases that it has seen it would look better than
    it is. Where enough have matured since, it is judged on those; else its learner, learned again from the
    same accounts as the new one, stands in for it.
    """
    cases = judged.cases
    seen = cases.as_of + int(cases.window_days * DAY_MICROS) <= int(in_use.manifest["known_until"])
    fresh = cases.take(~seen)
    if len(fresh) >= LEAST_FRESH and len(set(fresh.account_ids)) >= LEAST_FRESH_ACCOUNTS:
        policy = greedy(released_values(in_use, fresh), fresh.cost, fresh.eligible)
        return seen, policy, f"the release in use ({in_use.id}) on cases matured since"
    learner = str(in_use.manifest["learner"])
    if learner not in judged.targets:
        raise EngineError(f"its learner {learner!r} is not known here.")
    nothing = np.zeros(len(cases), dtype=np.bool_)
    return nothing, judged.targets[learner], f"{learner}, the learner of the release in use, learned again"


def released_values(release: Release, cases: Cases) -> Floats:
    """Expected worth by a release for every case, shape (n, T); NaN for what it did not learn or does not
    promote, because such accounts hardly ever got it.

    Raises:
        EngineError: It cannot score these features under this playbook.
    """
    scorer = learned_scorer(release.manifest, release.texts, release.arrays, cases.playbook)
    learned = set(release.manifest["treatments"])
    strangers = np.array([treatment not in learned for treatment in cases.treatments])
    parts = []
    for start in range(0, len(cases), SCORED_ROWS):
        rows = np.arange(start, min(start + SCORED_ROWS, len(cases)))
        scores = scorer.score(cases.take(rows).features)
        judged = np.True_ if scores.comparable is None else scores.comparable
        parts.append(np.where(judged, scores.value, np.nan))
    values = np.concatenate(parts)
    values[:, strangers] = np.nan
    return values
