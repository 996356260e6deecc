"""Reading a release: its manifest, forests and arrays as parts that fit each other, or one clear line."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from engine.following import Following
from engine.forest import parse_forest
from engine.peers import Peers
from engine.pooling import Pool
from engine.readers import DOING, ERROR_FOREST, ESTIMANDS, LEARNERS, ReleaseParts, read_effects
from engine.records import NO_CONTACT, EngineError, Floats
from engine.stopping import COMING_FOREST, Stopping

SUPPORT_FOREST = "support.forest.txt"
FORMAT = 2


def read_release(
    manifest: Mapping[str, Any], texts: Mapping[str, str], arrays: Mapping[str, Mapping[str, Any]]
) -> ReleaseParts:
    """The parts of a release, checked.

    Args:
        manifest: format 2, learner, reader (how it is read; else as its learner), release, treatments ("none"
            among them), feature_names, levels, evidence, pool (channels and topics), followed (names of the
            arrays of `engine.following`; optional), estimand (one of `ESTIMANDS`; absent = doing), stopping
            (channels of `engine.stopping`; optional), horizon_days (with stopping).
        texts: File -> forest text: value.forest.txt (S-learner), value.<treatment>.forest.txt (T-learner;
            a treatment without one has no contact's value plus its uplift), response.forest.txt (optional),
            support.forest.txt (only with the array "support"), error.forest.txt (with "account_error"),
            optout.forest.txt (optional); of learners that have effects without.forest.txt and
            effect.forest.txt.
        arrays: "values" -> value, uplift, response, error: an entry per treatment of the release;
            pool_effect, pool_error: by channel and topic; and, where past assignment was estimated, support:
            the least score of a comparable pair, shape (1,); account_error (only with error.forest.txt), an
            entry per treatment; of learners that have effects those of
            `engine.readers.Effects`.

    Raises:
        EngineError: Another format, an unknown learner, a missing file or arrays of another shape.
    """
    if manifest.get("format") != FORMAT:
        raise EngineError(
            f"Got a release of format {manifest.get('format')!r}, but format {FORMAT} is read; "
            "train a new one."
        )
    wanted = ("release", "learner", "treatments", "feature_names", "levels", "evidence", "pool")
    missing = [key for key in wanted if key not in manifest]
    if missing:
        raise EngineError(f"The release's manifest has no {missing[0]!r}: it is damaged.")
    treatments = tuple(manifest["treatments"])
    names = tuple(manifest["feature_names"])
    learner = _known_learner(str(manifest.get("reader", manifest["learner"])), texts)
    own = arrays.get("values", {})
    parts = ReleaseParts(
        id=str(manifest["release"]),
        learner=learner,
        treatments=treatments,
        feature_names=names,
        levels={name: tuple(levels) for name, levels in manifest["levels"].items()},
        evidence={str(name): int(count) for name, count in manifest["evidence"].items()},
        forests={name: parse_forest(text) for name, text in texts.items() if name.endswith(".forest.txt")},
        pool=_pool(manifest["pool"], arrays),
        **{name: _constants(arrays, name, len(treatments)) for name in _CONSTANTS},
        support=_support(arrays, texts),
        effects=read_effects(own, names, len(treatments)) if LEARNERS[learner].effects else None,
        peers=Peers.of(manifest),
        following=Following.of(manifest, own),
        estimand=_estimand(manifest),
        stopping=Stopping.of(manifest, own),
        account_error=_account_error(arrays, texts, len(treatments)),
    )
    if parts.stopping is not None and COMING_FOREST not in parts.forests:
        raise EngineError(f"The release has learned of opt-outs, but has no {COMING_FOREST!r}.")
    if NO_CONTACT not in treatments:
        raise EngineError("The release has not learned no contact ('none'), so it cannot say what is caused.")
    return parts


def _estimand(manifest: Mapping[str, Any]) -> str:
    said = str(manifest.get("estimand", DOING))
    if said not in ESTIMANDS:
        raise EngineError(
            f"The release's effects are of {said!r}, but {' or '.join(ESTIMANDS)} is read; it is damaged."
        )
    return said


def _known_learner(learner: str, texts: Mapping[str, str]) -> str:
    if learner not in LEARNERS:
        near = get_close_matches(learner, LEARNERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise EngineError(f"The release is of learner {learner!r}, which is not known here.{hint}")
    for name in LEARNERS[learner].forests:
        if name not in texts:
            raise EngineError(f"The release of learner {learner!r} has no {name!r}: it is incomplete.")
    return learner


_CONSTANTS = ("value", "uplift", "response", "error")


def _pool(names: Mapping[str, Any], arrays: Mapping[str, Mapping[str, Any]]) -> Pool:
    channels, topics = tuple(names["channels"]), tuple(names["topics"])
    shape = (len(channels) + 1, len(topics) + 1)
    own = arrays.get("values", {})
    effect, error = (np.asarray(own.get(key, ()), dtype=np.float64) for key in ("pool_effect", "pool_error"))
    wrong = effect.shape != shape or error.shape != shape or not np.isfinite(effect).all()
    if wrong or not (error >= 0.0).all():
        raise EngineError(
            f"The release's pooled effects have shapes {effect.shape} and {error.shape}, but need {shape}, "
            "one for each of its channels and topics and one for others."
        )
    return Pool(channels, topics, effect, error)


def _constants(arrays: Mapping[str, Mapping[str, Any]], name: str, count: int) -> Floats:
    found = np.asarray(arrays.get("values", {}).get(name, ()), dtype=np.float64)
    if found.shape != (count,) or not np.isfinite(found).all():
        raise EngineError(
            f"The release's array {name!r} has shape {found.shape}, but needs {count} finite numbers, "
            "one for each of its treatments."
        )
    return found


def _account_error(
    arrays: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str], count: int
) -> Floats | None:
    if "account_error" not in arrays.get("values", {}) and ERROR_FOREST not in texts:
        return None
    if ERROR_FOREST not in texts:
        raise EngineError(f"The release says how far accounts may be off, but has no {ERROR_FOREST!r}.")
    return _constants(arrays, "account_error", count)


def _support(arrays: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str]) -> float | None:
    if "support" not in arrays.get("values", {}):
        return None
    if SUPPORT_FOREST not in texts:
        raise EngineError(f"The release says which pairs are comparable, but has no {SUPPORT_FOREST!r}.")
    return float(_constants(arrays, "support", 1)[0])
