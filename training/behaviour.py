"""How likely each logged treatment was: as logged, or from a model of who was given what.

The model is cross-fitted by account: no case's probability comes from a model that saw its account. It is
calibrated, and speaks of eligible treatments only. What nobody recorded (a representative's hunch) it cannot
know, so values that rest on it are never more than directional.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from data.progress import Progress, quiet
from engine.records import Bools, Floats, Ints
from training.boosting import Boosting, grow_named
from training.cases import Cases
from training.constants import LEAST_CASES
from training.prognosis import everything_known
from training.splits import folds_of

LEAST_PROBABILITY = 0.01
"""Estimated probabilities are not believed below this: one case would count for more than a hundred."""
LEAST_OF_EVEN = 0.05
"""Where many treatments are eligible, the bar is this part of an even share of them, if that is less."""
MOST_ROUNDS = 160
"""Trees of a class at most; as many are used as predict best for accounts not seen."""
FOLDS = 3
CALIBRATED_ON = 20_000
"""Cases that the calibration looks at, at most: it has one number a treatment."""
KEPT_TO = 0.05
"""Share of a treatment's cases against the playbook's policies up to which past decisions kept to them."""
TOLERATED = 0.05
"""How far from 1 the logged probabilities of an eligible set may seem to add up to."""
TOLERATED_BY_ESTIMATES = 0.1
"""The same where that is judged by estimates: these give part of their probability to what was never chosen,
1 to 3 % where a rule on one or two attributes decided and 1,000 cases show it."""

NEVER_CHOSEN = (
    "By the logged probabilities some of the treatments that count as eligible could never be chosen there: "
    "what such accounts were hardly ever given is neither valued nor promoted."
)


@dataclass(frozen=True)
class Assignment:
    """How the logged treatments came about.

    Attributes:
        probability: Of the treatment that was chosen, in (0, 1]; shape (n,).
        comparable: Whether the treatment could have been chosen at all in such a case; shape (n, T).
        known: Whether the probability was logged rather than estimated; shape (n,).
        estimates: P(treatment), estimated for all cases; None = all were logged, and whatever was eligible
            could be chosen; shape (n, T).
        doubts: What is wrong with logged probabilities or lists, a sentence each.
    """

    probability: Floats
    comparable: Bools
    known: Bools
    estimates: Floats | None = None
    doubts: tuple[str, ...] = ()

    @property
    def estimated(self) -> float:
        """Share of cases whose probability was not logged but estimated."""
        return 1.0 - float(self.known.mean()) if len(self.known) else 0.0

    @property
    def logged(self) -> bool:
        """Whether every probability was logged."""
        return bool(self.known.all())

    def take(self, rows: Bools | Ints) -> Assignment:
        """Some of the cases."""
        estimates = None if self.estimates is None else self.estimates[rows]
        columns = ("probability", "comparable", "known")
        return replace(self, estimates=estimates, **{name: getattr(self, name)[rows] for name in columns})


def assignment_of(
    cases: Cases, boosting: Boosting, *, seed: int, dated: bool = True, progress: Progress = quiet
) -> Assignment:
    """Logged probabilities where there are any that can be true, estimated ones for the other cases.

    Where the logged ones say that some of what was eligible was never chosen, they do not say what. Then only
    that is comparable which is likely enough by the estimates. These also show whether the logged ones add up
    to more than 1 instead: the mean of estimate / probability of what was chosen is 1 if they do not,
    whatever was never chosen. If they do, none is believed.

    Args:
        cases: As logged.
        boosting: Size and threads of the forests.
        seed: Of the folds.
        dated: Whether the day counts as known; see `estimate`.
        progress: Called with (stage, done, of).
    """
    known, doubts = believable(cases)
    enough, options = cases.counts >= LEAST_CASES, _options(cases)
    several = known & (options > 1)
    some_never = _some_never_chosen(cases.probability[several], options[several])
    if known.all() and not some_never:
        return Assignment(cases.probability, cases.eligible & enough, known, doubts=doubts)
    estimated = estimate(cases, boosting, seed=seed, dated=dated, progress=progress)
    chosen = estimated[np.arange(len(cases)), cases.action]
    if some_never:
        whole = 1.0 / _mean_unless_one(chosen[several] / cases.probability[several])
        exceeds = whole > 1.0 / (1.0 - TOLERATED_BY_ESTIMATES)
        known = known & (not exceeds)
        doubts += (_exceeding(whole) if exceeds else NEVER_CHOSEN,)
    least = least_probability(cases.eligible)
    probability = np.where(known, cases.probability, np.clip(chosen, least, 1.0))
    likely = (estimated >= least[:, None]) | (known[:, None] & (not some_never))
    return Assignment(probability, cases.eligible & enough & likely, known, estimated, doubts)


def least_probability(eligible: Bools) -> Floats:
    """Below which an estimated probability is not believed, nor the treatment comparable; shape (n,)."""
    even: Floats = LEAST_OF_EVEN / np.maximum(eligible.sum(axis=1), 1)
    return np.minimum(LEAST_PROBABILITY, even)


def believable(cases: Cases) -> tuple[Bools, tuple[str, ...]]:
    """Which logged probabilities can be true, and a sentence for what cannot.

    Not those outside (0, 1], nor one below 1 where nothing else was eligible. And if the probabilities of
    every eligible set add up to 1, the mean of 1 / (probability x number of eligible) is 1, or less where
    some of them are never chosen: a mean clearly above says that they add up to less, and none is believed.
    A mean clearly below has two explanations, between which `assignment_of` decides by estimates.

    Returns:
        Shape (n,), and the sentences.
    """
    logged = ~np.isnan(cases.probability)
    inside = logged & (cases.probability > 0.0) & (cases.probability <= 1.0)
    alone = inside & (cases.options == 1) & (cases.probability < 1.0 - 1e-9)
    known, doubts = inside & ~alone, []
    if (logged & ~inside).any():
        doubts.append(
            f"{int((logged & ~inside).sum()):,} logged probabilities lie outside (0, 1]; they were estimated."
        )
    if alone.any():
        doubts.append(
            f"{int(alone.sum()):,} decisions had one eligible treatment only and a logged probability below "
            "1; their probabilities were estimated."
        )
    whole = _adds_up_to(cases, known & (cases.options > 1))
    if whole < 1.0 - TOLERATED:
        doubts.append(
            f"The logged probabilities of the eligible treatments add up to about {whole:.2f}, not to 1; "
            "none of them was used, all were estimated."
        )
        known = np.zeros(len(cases), dtype=np.bool_)
    return known, tuple(doubts)


def _adds_up_to(cases: Cases, among: Bools) -> float:
    """To what logged probabilities of an eligible set add up, where that is clearly not 1; else 1."""
    return 1.0 / _mean_unless_one(1.0 / (cases.probability[among] * cases.options[among]))


def _options(cases: Cases) -> Ints:
    """Among how many treatments each case's was chosen, as far as the log ever chose them; shape (n,)."""
    could = (could_be_chosen(cases) & (cases.counts > 0)).sum(axis=1)
    options: Ints = np.where(cases.options > 0, np.minimum(could, cases.options), could)
    return options


def _some_never_chosen(probability: Floats, options: Ints) -> bool:
    """Whether the mean of 1 / (probability x number of options) is clearly below 1.

    Then some of the options were never chosen there, or the probabilities add up to more than 1.
    """
    error = _error_of_the_unseen(probability, options)
    return _mean_unless_one(1.0 / (probability * options), error) < 1.0 - TOLERATED


def _error_of_the_unseen(probability: Floats, options: Ints) -> float:
    """Least standard error that the mean of 1 / (probability x options) can have if probabilities are true.

    In a short log with little exploration nothing rare may have been seen yet, and what was seen hardly
    varies. But what was not chosen had the share 1 - p, and the variance is least where that is spread
    evenly. A share below `LEAST_PROBABILITY` for all of it together is as good as none.
    """
    rest = 1.0 - probability
    square = (1.0 / probability + (options - 1) ** 2 / np.maximum(rest, LEAST_PROBABILITY)) / options**2
    variance = np.where(rest >= LEAST_PROBABILITY, np.maximum(square - 1.0, 0.0), 0.0)
    return float(np.sqrt(variance.sum()) / max(len(variance), 1))


def _mean_unless_one(values: Floats, least_error: float = 0.0) -> float:
    """Their mean where it is clearly not 1, by four standard errors; else 1."""
    if len(values) < LEAST_CASES:
        return 1.0
    mean, error = float(values.mean()), float(values.std() / np.sqrt(len(values)))
    return mean if abs(mean - 1.0) > 4.0 * max(error, least_error) else 1.0


def _exceeding(whole: float) -> str:
    return (
        "By what such accounts were given, the logged probabilities of the eligible treatments add up to "
        f"about {whole:.2f}, not to 1, or rest on what was not recorded; none of them was used, all were "
        "estimated."
    )


def estimate(
    cases: Cases, boosting: Boosting, *, seed: int, dated: bool = True, progress: Progress = quiet
) -> Floats:
    """P(treatment | what was known) for every case and treatment, cross-fitted by account; shape (n, T).

    Multinomial boosting over the account's own facts and those of all channels and topics, then calibrated
    (`calibrate`). Treatments with few cases share one class and its probability. What could not be chosen
    (`could_be_chosen`) has probability 0; rows sum to 1.

    The day counts as known where `dated`: campaigns fall into seasons, and of the first weeks of a history
    little is known of anybody, so that who was contacted then seems to be another kind of account.
    """
    classes, labels = _classes(cases)
    folds = folds_of(cases.account_ids, FOLDS, seed=seed)
    raw = _raw(cases, labels, folds, boosting, dated=dated, progress=progress)
    could = could_be_chosen(cases)
    allowed = np.stack([could[:, members].any(axis=1) for members in classes], axis=1)
    share = np.empty_like(raw)
    for fold in np.unique(folds):
        own = folds == fold
        other = ~own if (~own).any() else own
        slope, shift = calibrate(raw[other], labels[other], allowed[other])
        share[own] = _softmax(_logits(raw[own], slope, shift), allowed[own])
    found = np.zeros((len(cases), len(cases.treatments)))
    for code, members in enumerate(classes):
        among = could[:, members]
        found[:, members] = share[:, code : code + 1] * among / np.maximum(among.sum(axis=1), 1)[:, None]
    return found


def could_be_chosen(cases: Cases) -> Bools:
    """What those who chose could choose: shape (n, T).

    As logged where a list was. Elsewhere the playbook's policies say what may be done now, which is not what
    was done then: a treatment that was often given against them was not held back by them.
    """
    could, unlisted = cases.eligible.copy(), cases.options == 0
    for index in np.flatnonzero(cases.counts):
        given = unlisted & (cases.action == index)
        if given.any() and (~cases.eligible[given, index]).mean() > KEPT_TO:
            could[unlisted, index] = True
    could[np.arange(len(cases)), cases.action] = True
    return could


def _raw(
    cases: Cases, labels: Ints, folds: Ints, boosting: Boosting, *, dated: bool, progress: Progress
) -> Floats:
    """Probabilities of the classes before calibration, by models that have not seen the account.

    How many trees are best is found on the first fold and taken for all.
    """
    classes = int(labels.max()) + 1
    raw, rounds = np.ones((len(cases), classes)), 0
    if classes < 2:
        return raw
    rows, names, categories = everything_known(cases)
    if not dated:  # the day is the last
        rows, names = rows[:, :-1], names[:-1]
    parameters = boosting.parameters("multiclass", len(cases)) | _size(len(cases)) | {"num_class": classes}
    for fold in range(FOLDS):
        progress("assignment probabilities", fold, FOLDS)
        own, other = folds == fold, folds != fold
        if not own.any() or not other.any():
            continue
        looked = np.flatnonzero(own)[:CALIBRATED_ON]
        booster = grow_named(
            rows[other], labels[other].astype(np.float64), names=names, categories=categories,
            parameters=parameters, rounds=rounds or MOST_ROUNDS,
            seen_by=None if rounds else (rows[looked], labels[looked].astype(np.float64)),
        )  # fmt: skip
        rounds = rounds or booster.best_iteration
        raw[own] = booster.predict(rows[own], num_iteration=rounds)
    progress("assignment probabilities", FOLDS, FOLDS)
    return raw


def _size(n: int) -> dict[str, float]:
    """Small trees over all columns where cases are few, larger ones over some of them where they are many."""
    return {
        "num_leaves": int(np.clip(n / 2_000, 4, 15)),
        "learning_rate": 0.1,
        "feature_fraction": float(np.clip(20_000 / max(n, 1), 0.3, 1.0)),
        "min_data_in_leaf": 50,
        "max_bin": 63,
    }


def calibrate(raw: Floats, label: Ints, allowed: Bools) -> tuple[float, Floats]:
    """How estimated shares must be bent so that they agree with what was chosen among the eligible.

    Maximum likelihood of softmax(slope x log raw + shift) over what was allowed: one slope for all classes
    and a shift for each, so the order of a class's probabilities is kept and rows still sum to 1.

    Args:
        raw: Estimated shares of cases that the model has not seen; shape (n, K).
        label: What was chosen; shape (n,).
        allowed: What could have been; shape (n, K); the label always.

    Returns:
        Slope, and shifts of shape (K,).

    Source:
        Guo, Pleiss, Sun and Weinberger (2017), On Calibration of Modern Neural Networks (vector scaling with
        one slope); Platt (1999).
    """
    rows = np.arange(0, len(raw), max(1, len(raw) // CALIBRATED_ON))
    log, chosen, could = np.log(np.maximum(raw[rows], 1e-12)), label[rows], allowed[rows]
    once = np.zeros(log.shape)
    once[np.arange(len(rows)), chosen] = 1.0

    def loss(bent: Floats) -> tuple[float, Floats]:
        share = _softmax(_logits(raw[rows], float(bent[0]), bent[1:]), could)
        likely = np.log(np.maximum(share[np.arange(len(rows)), chosen], 1e-300))
        wrong = share - once
        pull = np.append(bent[0] - 1.0, bent[1:]) / len(rows)  # a trace of a prior: nothing runs away
        gradient = np.append((wrong * log).sum(), wrong.sum(axis=0)) / len(rows) + pull
        penalty = ((bent[0] - 1.0) ** 2 + (bent[1:] ** 2).sum()) / (2 * len(rows))
        return float(-likely.mean() + penalty), gradient

    start = np.append(1.0, np.zeros(raw.shape[1]))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    return float(found[0]), np.asarray(found[1:])


def _logits(raw: Floats, slope: float, shift: Floats) -> Floats:
    bent: Floats = slope * np.log(np.maximum(raw, 1e-12)) + shift
    return bent


def _softmax(logits: Floats, allowed: Bools) -> Floats:
    inside = np.where(allowed, logits, -np.inf)
    weight = np.exp(inside - inside.max(axis=1, keepdims=True))
    share: Floats = weight / weight.sum(axis=1, keepdims=True)
    return share


def _classes(cases: Cases) -> tuple[list[list[int]], Ints]:
    """Treatments by class, the rare ones together in the last, and each case's class."""
    counts = cases.counts
    classes = [[int(index)] for index in np.flatnonzero(counts >= LEAST_CASES)]
    rare = [int(index) for index in np.flatnonzero((counts > 0) & (counts < LEAST_CASES))]
    classes += [rare] if rare else []
    label = np.zeros(len(counts), dtype=np.int64)
    for code, members in enumerate(classes):
        label[members] = code
    return classes, label[cases.action]
