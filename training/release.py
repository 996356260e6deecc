"""From what was learned to the files of a release, and from those back to what it expects of cases.

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
from engine.following import Following
from engine.readers import DOING, ERROR_FOREST, SUGGESTING
from engine.records import Floats, Ints
from engine.scoring import SUPPORT_FOREST, learned_scorer
from engine.stopping import COMING_FOREST, OPTOUT_FOREST
from training.account_errors import AccountErrors
from training.boosting import Boosting
from training.cases import Cases
from training.learners import Fitted, learn_response, reader_of
from training.stopping import Learned as LearnedStopping
from training.stopping import Unrecorded
from training.support import Support

FORMAT = 2
SCORED_ROWS = 20_000
EXPLAINED_ROWS = 200
"""Cases over which it is looked at what moves effects: each is explained with every treatment."""


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
    parts, response = values_of(fitted), learn_response(cases, boosting)
    if response is None:
        return parts
    return Parts({**parts.texts, "response.forest.txt": response}, parts.arrays)


def values_of(fitted: Fitted) -> Parts:
    """What values are read from, and no more."""
    known = fitted.constants
    arrays = {"value": known.value, "uplift": known.uplift, "response": known.response, "error": known.error}
    pooled = {"pool_effect": known.pool.effect, "pool_error": known.pool.error}
    return Parts(dict(fitted.texts()), {**arrays, **pooled, **fitted.arrays()})


def with_support(parts: Parts, support: Support | None) -> Parts:
    """The same with what says which pairs are comparable, where not all are."""
    if support is None:
        return parts
    texts = {**parts.texts, SUPPORT_FOREST: support.text()}
    return Parts(texts, {**parts.arrays, "support": np.array([support.least])})


def with_account_errors(parts: Parts, found: AccountErrors | None) -> Parts:
    """The same with how far single accounts may be from what is said, where the learner tells them apart."""
    if found is None:
        return parts
    return Parts({**parts.texts, ERROR_FOREST: found.text()}, {**parts.arrays, "account_error": found.usual})


def with_following(parts: Parts, following: Following | None) -> Parts:
    """The same with how often people follow, where anybody has said so; names are in the manifest."""
    return parts if following is None else Parts(parts.texts, {**parts.arrays, **following.arrays()})


def with_stopping(parts: Parts, learned: LearnedStopping | Unrecorded | None) -> Parts:
    """The same with what contacts cost in opt-outs, where that was learned; names are in the manifest."""
    if not isinstance(learned, LearnedStopping):
        return parts
    texts = {**parts.texts, COMING_FOREST: learned.coming.model_to_string()}
    if learned.booster is not None:
        texts[OPTOUT_FOREST] = learned.booster.model_to_string()
    return Parts(texts, {**parts.arrays, **learned.stopping.arrays()})


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
        "estimand": SUGGESTING if cases.basis == "decisions" else DOING,
        "pool": {"channels": list(known.pool.channels), "topics": list(known.pool.topics)},
        "horizon_days": cases.horizon_days,
        "windows_days": list(cases.windows),
        "known_until": cases.known_until,
        **facts,
    }


def released_values(release: Release, cases: Cases) -> Floats:
    """Expected worth by a release for every case, shape (n, T), of what it is an effect of (`estimand`), as
    cases are; NaN for what it did not learn or does not promote, because such accounts hardly ever got it.

    Raises:
        EngineError: It cannot score these features under this playbook.
    """
    as_learned = {**release.manifest, "estimand": DOING}
    scorer = learned_scorer(as_learned, release.texts, release.arrays, cases.playbook)
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


def moves_effects(manifest: Mapping[str, Any], fitted: Fitted, cases: Cases) -> dict[str, float]:
    """How far each feature moves effects apart, in currency; those that move none are left out.

    The standard deviation, over evenly spread cases, of what the feature adds to the effect of a treatment,
    in the mean of the treatments learned, weighted by their cases. It is what reasons are made of: exact
    shares of the difference between a treatment and no contact, so what foretells outcomes and adds the same
    to both is not in it.

    Args:
        manifest: Of the release.
        fitted: Its learner.
        cases: What it learned from.
    """
    as_learned = {name: said for name, said in manifest.items() if name not in ("followed", "stopping")}
    parts = values_of(fitted)
    scorer = learned_scorer(
        as_learned | {"estimand": DOING}, parts.texts, {"values": parts.arrays}, cases.playbook
    )
    looked = cases.take(np.arange(0, len(cases), max(1, len(cases) // EXPLAINED_ROWS))).features
    rows, contacts = np.arange(len(looked.moments)), fitted.constants.learned[1:]
    weight = fitted.constants.evidence[1:] / fitted.constants.evidence[1:].sum()
    moved = np.zeros(len(looked.set.names))
    for place, share in zip(contacts, weight, strict=True):
        moved += share * scorer.contributions(looked, rows, int(place)).features.std(axis=0)
    return {name: float(size) for name, size in zip(looked.set.names, moved, strict=True) if size > 0.0}
