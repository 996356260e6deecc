"""The gate that a new release must pass to be put in use: one registry of checks, each with its own sentence.

One place to add a check: an entry of `GATE`, a function from the candidate to what it says.
Bounds are the playbook's ([gate], [fairness]). Whatever cannot be compared says so and does not fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from data.artifacts import Release
from engine.clusters import Uncertainty
from engine.estimation import Interval, Terms, doubly_robust_terms
from engine.records import DAY_MICROS, Bools, EngineError, Floats
from training.alike import drift, fairness
from training.balance import LEAST_IN_ARM
from training.behaviour import NEVER_CHOSEN
from training.cases import Cases
from training.evaluate import NO_CONTACT_POLICY, Judged, accounts_between, nobody_judged, uncertainty_of
from training.gate_parts import Candidate, Check, Gate
from training.release import released_values
from training.select import choosable, greedy, logged_of, net_model

LEAST_FRESH, LEAST_FRESH_ACCOUNTS = 500, 50
"""Cases and accounts, not seen by the release in use, that a comparison with it needs."""


def evidence(candidate: Candidate) -> Check:
    """The log has decisions comparable with what it would do."""
    value = candidate.judged.evaluation.of(candidate.chosen)
    found, figures = value.verdict, {"effective": value.effective, "supported": value.supported}
    said, weak = f"{found.level}: {found.sentence}", found.level == "limited evidence"
    if weak and candidate.in_use is None and not candidate.damaged:
        said += " No release is in use: this one would be the first, and no gain of it is proven."
    return Check("evidence", found.level != "outside scope", said, figures, warning=weak)


def probabilities(candidate: Candidate) -> Check:
    """Those that were logged can be true; what cannot is estimated, and who writes the log should know it."""
    assignment = candidate.judged.assignment
    disbelieved = [doubt for doubt in assignment.doubts if doubt != NEVER_CHOSEN]
    share = 1.0 - assignment.estimated
    fine = f"A probability that can be true was logged for {share:.0%} of the held-out decisions."
    said = " ".join(disbelieved) or fine
    return Check("probabilities", True, said, {"logged": share}, warning=bool(disbelieved))


def worth(candidate: Candidate) -> Check:
    """More likely than not it earns at least what leaving everybody alone does."""
    evaluation = candidate.judged.evaluation
    if not nobody_judged(evaluation):
        share = evaluation.of(NO_CONTACT_POLICY).supported
        sentence = (
            f"Contacting nobody cannot be compared with: in only {share:.0%} of the decisions were accounts "
            "like these ever left alone."
        )
        return Check("worth", True, sentence, {"supported": share}, warning=True)
    gap = evaluation.of(candidate.chosen).versus_nobody
    sentence = f"Against contacting nobody: {_money(gap)}; it may not cost more."
    return Check("worth", gap.estimate >= 0.0, sentence, _figures(gap))


def difference(candidate: Candidate) -> Check:
    """It is not worse than the release in use."""
    judged, in_use = candidate.judged, candidate.in_use
    if in_use is None:
        return Check("difference", True, _nothing_beside(candidate), warning=bool(candidate.damaged))
    try:
        if _stands_for_itself(candidate, in_use):
            return _by_choices(candidate, in_use)
        seen, old, who = _opponent(judged, in_use)
    except EngineError as error:
        sentence = f"The release in use cannot score with this playbook and history: {error}"
        return Check("difference", True, sentence, warning=True)
    cases, model, new = judged.cases.take(~seen), judged.model[~seen], candidate.target[~seen]
    if np.array_equal(new, old):
        return _the_same(who, len(cases))
    logged = logged_of(cases, judged.assignment.take(~seen))
    new_terms = doubly_robust_terms(logged, new, model)
    old_terms = doubly_robust_terms(logged, old, model)
    sure = uncertainty_of(cases, seed=candidate.seed)
    gap, doubt = sure.difference(new_terms, old_terms), _too_narrow(sure, cases, new, old)
    least = -cases.playbook.gate.tolerance * abs(old_terms.value)
    sentence = f"Against {who}: {_money(gap)}; the lower bound may be {least:,.2f}.{doubt}"
    figures = _figures(gap) | {"least": least}
    return Check("difference", bool(gap.low >= least), sentence, figures, warning=bool(doubt))


def _nothing_beside(candidate: Candidate) -> str:
    if candidate.damaged:
        return f"Not compared with the release in use, which cannot be read: {candidate.damaged}"
    return "No release is in use to compare with."


def _too_narrow(sure: Uncertainty, cases: Cases, new: Floats, old: Floats) -> str:
    """Why the interval of a difference may be narrower than what is known of it; "" = nothing says so."""
    accounts = accounts_between(cases, sure.accounts.cluster, new, old)
    if accounts < LEAST_IN_ARM:
        return (
            f" Only {accounts} accounts were given what either would do where they differ: the interval is "
            "mostly the model's guess."
        )
    if not sure.enough_persons:
        return " Few persons carry out: the interval is by account only, and too narrow."
    return ""


def _stands_for_itself(candidate: Candidate, in_use: Release) -> bool:
    """Whether the learner of the new release would be compared with itself, learned from the same cases."""
    same_learner = str(in_use.manifest["learner"]) == candidate.chosen
    return same_learner and not _enough_fresh(candidate.judged.cases.take(~_seen(candidate.judged, in_use)))


def _by_choices(candidate: Candidate, in_use: Release) -> Check:
    """What can be said without worth: how often the release in use, by what it learned, chooses the same."""
    old, cases = _policy_in_use(candidate), candidate.judged.cases
    same = float((candidate.served == old).all(axis=1).mean())
    if same == 1.0:
        return _the_same(f"the release in use ({in_use.id})", len(cases))
    fresh = int((~_seen(candidate.judged, in_use)).sum())
    sentence = (
        f"Not compared by worth: the release in use ({in_use.id}) is of the same learner and has seen all "
        f"but {fresh:,} of the {len(cases):,} held-out cases; {LEAST_FRESH} unseen ones of "
        f"{LEAST_FRESH_ACCOUNTS} accounts are needed. In {same:.0%} of the decisions both choose the same."
    )
    return Check("difference", True, sentence, {"same": same}, warning=True)


def _the_same(who: str, decisions: int) -> Check:
    sentence = f"It chooses the same as {who} in all {decisions:,} decisions: nothing differs."
    return Check("difference", True, sentence, {"same": 1.0})


def calibration(candidate: Candidate) -> Check:
    """What it expects of its own choices can come."""
    judged, least = candidate.judged, candidate.judged.cases.playbook.gate.calibration
    choice = candidate.target.argmax(axis=1)
    net = net_model(judged.predicted[candidate.chosen], judged.cases.cost)
    expected = np.where(choice > 0, net[np.arange(len(choice)), choice] - net[:, 0], 0.0)
    if not expected.any():
        return Check("calibration", True, "It contacts nobody and expects nothing.")
    logged = logged_of(judged.cases, judged.assignment)
    ours, nobody = (
        doubly_robust_terms(logged, judged.targets[name], judged.model)
        for name in (candidate.chosen, NO_CONTACT_POLICY)
    )
    came = np.where(choice > 0, ours.numerator - nobody.numerator, 0.0)
    ratio = uncertainty_of(judged.cases, seed=candidate.seed).interval(Terms(came, expected))
    sentence = (
        f"Of the gain it expects of its own choices {_share_text(ratio)} came; it passes where the upper end "
        f"reaches {least:.0%}."
    )
    return Check("calibration", bool(ratio.high >= least), sentence, _figures(ratio))


def coverage(candidate: Candidate) -> Check:
    """It can speak of what may be done for most accounts.

    Whether intervals cover the truth cannot be seen in one log; `benchmarks.evidence coverage` measures it.
    """
    judged, least = candidate.judged, candidate.judged.cases.playbook.gate.coverage
    contacts = _contacts(judged.cases)
    may = judged.cases.eligible[:, contacts]
    known = ~np.isnan(judged.predicted[candidate.chosen])
    speaks = (choosable(judged.cases, judged.assignment) & known)[:, contacts]
    asked = may.any(axis=1)
    if not asked.any():
        return Check("coverage", True, "No contact may be made in any held-out decision.", warning=True)
    decisions = float(speaks[asked].any(axis=1).mean())
    pairs = float((speaks & may).sum() / may.sum())
    sentence = (
        f"It can speak of a contact in {decisions:.0%} of the decisions with one that may be made, and of "
        f"{pairs:.0%} of all such contacts; {least:.0%} of the decisions are needed."
    )
    return Check("coverage", decisions >= least, sentence, {"decisions": decisions, "contacts": pairs})


def volume(candidate: Candidate) -> Check:
    """It does not suddenly choose many more, or many fewer, contacts of a channel than the release in use."""
    judged, bounds = candidate.judged, candidate.judged.cases.playbook.gate
    new = channel_shares(judged.cases, candidate.served)
    if candidate.in_use is None:
        return Check(
            "volume", True, _nothing_beside(candidate), _by_channel(new, "new"),
            warning=bool(candidate.damaged),
        )  # fmt: skip
    try:
        old = channel_shares(judged.cases, _policy_in_use(candidate))
    except EngineError as error:
        sentence = f"The release in use cannot score with this playbook and history: {error}"
        return Check("volume", True, sentence, _by_channel(new, "new"), warning=True)
    moved = [name for name in new if _moved(new[name], old[name], bounds.volume_factor, bounds.volume_least)]
    changes = ", ".join(f"{name} {old[name]:.1%} to {new[name]:.1%}" for name in new)
    sentence = (
        f"Share of decisions by channel, against the release in use: {changes}; "
        f"{'too much: ' + ', '.join(moved) + '; ' if moved else ''}up to {bounds.volume_factor:g} times as "
        f"many or as few are allowed, and changes below {bounds.volume_least:.0%} of all decisions."
    )
    return Check("volume", not moved, sentence, _by_channel(new, "new") | _by_channel(old, "old"))


def channel_shares(cases: Cases, target: Floats) -> dict[str, float]:
    """Channel -> share of the decisions in which a policy contacts through it; target of shape (n, T)."""
    shares = dict.fromkeys((t.channel for t in cases.playbook.treatments if t.kind == "contact"), 0.0)
    for place, treatment in enumerate(cases.playbook.treatments):
        if treatment.kind == "contact":
            shares[treatment.channel] += float(target[:, place].mean())
    return shares


def _moved(new: float, old: float, factor: float, least: float) -> bool:
    beyond = max(new, old) > factor * min(new, old)
    return beyond and abs(new - old) >= least


def _by_channel(shares: Mapping[str, float], which: str) -> dict[str, float]:
    return {f"{which}_{channel}": share for channel, share in shares.items()}


def _contacts(cases: Cases) -> Bools:
    return np.array([treatment.kind == "contact" for treatment in cases.playbook.treatments])


def _policy_in_use(candidate: Candidate) -> Floats:
    """What the release in use would choose on the held-out cases; shape (n, T). How often it contacts is no
    estimate of what that earns, so cases that it has seen may be among them."""
    assert candidate.in_use is not None
    cases = candidate.judged.cases
    values = released_values(candidate.in_use, cases)
    return greedy(values, cases.cost, choosable(cases, candidate.judged.assignment))


def _opponent(judged: Judged, in_use: Release) -> tuple[Bools, Floats, str]:
    """Cases to leave out, the policy to compare with on the others, and what it is.

    The release in use was learned from all accounts, so on cases that it has seen it would look better than
    it is. Where enough have matured since, it is judged on those; else its learner, learned again from the
    same accounts as the new one, stands in for it.
    """
    cases = judged.cases
    seen = _seen(judged, in_use)
    fresh = cases.take(~seen)
    if _enough_fresh(fresh):
        may = choosable(fresh, judged.assignment.take(~seen))
        policy = greedy(released_values(in_use, fresh), fresh.cost, may)
        return seen, policy, f"the release in use ({in_use.id}) on cases matured since"
    learner = str(in_use.manifest["learner"])
    if learner not in judged.targets:
        raise EngineError(f"its learner {learner!r} is not known here.")
    nothing = np.zeros(len(cases), dtype=np.bool_)
    return nothing, judged.targets[learner], f"{learner}, the learner of the release in use, learned again"


def _seen(judged: Judged, in_use: Release) -> Bools:
    """Held-out cases that the release in use learned from: by its own windows, whatever the playbook's are
    today; shape (n,)."""
    told = in_use.manifest
    weighted = told.get("immature", {}).get("counted") == "weight"  # then it saw immature ones too
    days = max(told.get("windows_days") or [told["horizon_days"]])
    reach = 0 if weighted else int(days * DAY_MICROS)
    seen: Bools = judged.cases.as_of + reach <= int(told["known_until"])
    return seen


def _enough_fresh(fresh: Cases) -> bool:
    return len(fresh) >= LEAST_FRESH and len(set(fresh.account_ids)) >= LEAST_FRESH_ACCOUNTS


def _money(gap: Interval) -> str:
    return f"{gap.estimate:+,.2f} per decision, 95 % interval {gap.low:+,.2f} to {gap.high:+,.2f}"


def _share_text(ratio: Interval) -> str:
    return f"{ratio.estimate:.0%} (95 % interval {ratio.low:.0%} to {ratio.high:.0%})"


def _figures(interval: Interval) -> dict[str, float]:
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high}


CheckFunction = Callable[[Candidate], Check]
GATE: Mapping[str, CheckFunction] = {
    "evidence": evidence,
    "probabilities": probabilities,
    "worth": worth,
    "difference": difference,
    "calibration": calibration,
    "coverage": coverage,
    "volume": volume,
    "fairness": fairness,
    "drift": drift,
}
"""Name -> check, in the order in which they are told."""


def judge(
    judged: Judged,
    chosen: str,
    in_use: Release | None,
    damaged: str = "",
    *,
    seed: int,
    recent: Cases | None = None,
    served: Floats | None = None,
) -> Gate:
    """All checks of the gate.

    Args:
        judged: The policies on held-out accounts.
        chosen: The learner of the new release.
        in_use: The release in use, if there is one that can be read.
        damaged: What is wrong with the release in use where it cannot be read.
        seed: Of the resamples.
        recent: Occasions whose outcomes are not known yet.
        served: What the release, learned from all accounts, would choose on the held-out cases; shape (n, T).
            None = the same as the policy judged, which is worth what it is said to be but was learned from
            fewer accounts: how often the release in use contacts is to be compared with the other.
    """
    will = judged.targets[chosen] if served is None else served
    candidate = Candidate(judged, chosen, in_use, damaged, recent, will, seed)
    return Gate(tuple(check(candidate) for check in GATE.values()))
