"""A decision that was taken, explained from what was kept of it: `nextbest explain DECISION`.

What was kept is the truth: the ledger's record of a live decision, the night's files of the others. Where
facts, playbook and release of that time are still there, the account is decided again as of that moment; only
if that gives the same is it used to say why not and what would change it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from api.decider import Decider, LiveDecider, read_scorer
from data.home import DataError, Home
from data.ledger.erased import ERASED
from data.ledger.ledger import Ledger
from data.ledger.types import LoggedDecision, UnknownError
from data.live import history_of
from data.nights import NightFolder
from data.playbook_versions import kept_playbook
from data.settings import Settings
from data.times import to_iso
from engine.changes import what_would_change
from engine.contract import TIME
from engine.explanation import Objection, Reason, change_words, objection_words, why_not, words
from engine.features import FeatureSet
from engine.playbook import Playbook
from engine.records import ContactStop, micros_of
from engine.rules import STAGES
from engine.scores import StartingScorer
from engine.sentences import SENTENCES
from engine.wording import Reader

PARTS = (
    "value", "response", "optout", "followed", "caused", "cost", "fatigue", "weight", "lever", "priority",
    "target",
)  # fmt: skip
"""Of every candidate, as `Decisions.record` has them."""
_BESIDE = ("facts", "reasons", "stops", "made_by")
"""What a live decision keeps beside the rows of its candidates."""


class DecisionGoneError(DataError):
    """What was kept of a decision has been removed, with its night or because its account was erased."""

    exit_code = 2


class LanguageError(DataError):
    """The playbook has no texts in that language."""

    exit_code = 2


@dataclass(frozen=True)
class Kept:
    """What was kept of a decision beside the ledger's row.

    Attributes:
        source: Where it was found, in words.
        record: Column -> values, one per treatment.
        reasons: Treatment -> its reasons as stored; of what was placed.
    """

    source: str
    record: Mapping[str, Any]
    reasons: Mapping[str, list[dict[str, Any]]]


def explain(settings: Settings, decision_id: str, *, language: str | None = None) -> dict[str, Any]:
    """Everything that is known of a decision, as JSON values.

    Raises:
        UnknownError: There is no such decision.
        DecisionGoneError: The night's files that kept it have been removed, or its account was erased.
        LanguageError: The playbook has no texts in that language.
    """
    home = settings.as_home()
    ledger = Ledger.open(home)
    try:
        decision = ledger.decision(decision_id)
        if decision.record.get("erased"):
            raise DecisionGoneError(
                f"Decision {decision_id} is of an account that was erased; the ledger still knows: "
                f"{to_iso(decision.decided_at)}, first {decision.treatment!r} with probability "
                f"{decision.probability:.4g}."
            )
        kept = kept_of(home, decision)
        decider = LiveDecider(home, ledger, settings.playbook, settings.seed, keeps=False)()
        spoken = _language(language, decider.playbook)
        told = _told(decision, kept, decider.playbook, spoken) | {"account_name": _name(ledger, decision)}
        return told | _again(home, ledger, decider, decision, kept, language=spoken)
    finally:
        ledger.close()


def kept_of(home: Home, decision: LoggedDecision) -> Kept:
    """What was kept of it. Raises DecisionGoneError."""
    if "night" not in decision.record:
        own = {name: decision.record[name] for name in decision.record if name not in _BESIDE}
        return Kept("ledger", own, decision.record.get("reasons", {}))
    run = str(decision.record["night"])
    folder = NightFolder(home.nights / run)
    rows = folder.of_account("record", decision.account_id)
    lists = folder.of_account("lists", decision.account_id)
    if rows is None or lists is None:
        raise DecisionGoneError(
            f"The files of the night {run} have been removed; of decision {decision.decision_id} the ledger "
            f"still knows: {decision.account_id}, {to_iso(decision.decided_at)}, first "
            f"{decision.treatment!r} with probability {decision.probability:.4g}. NEXTBEST_NIGHTS_KEPT_DAYS "
            "says how long they stay."
        )
    listed = lists["proposals"][0]
    if isinstance(listed, str):  # written by an earlier version
        return Kept(
            f"night {run}", _as_json(rows), {o["treatment"]: o["reasons"] for o in json.loads(listed)}
        )
    reasons = {one["treatment"]: json.loads(one["reasons"]) for one in listed.to_list()}
    return Kept(f"night {run}", _as_json(rows), reasons)


def _language(language: str | None, playbook: Playbook) -> str:
    if language is None:
        return playbook.languages[0]
    if language not in playbook.languages:
        raise LanguageError(
            f"The playbook has no texts in {language!r}; it has {', '.join(playbook.languages)}."
        )
    return language


def _name(ledger: Ledger, decision: LoggedDecision) -> str:
    try:
        return ledger.account_state(decision.account_id).name
    except UnknownError:
        return ERASED


def _told(decision: LoggedDecision, kept: Kept, playbook: Playbook, language: str) -> dict[str, Any]:
    candidates = _candidates(kept.record)
    return {
        "decision_id": decision.decision_id,
        "account_id": decision.account_id,
        "decided_at": to_iso(decision.decided_at),
        "trigger": decision.trigger,
        "playbook": decision.playbook,
        "release": decision.release,
        "seed": decision.seed,
        "treatment": decision.treatment,
        "probability": decision.probability,
        "explored": decision.explored,
        "kept_in": kept.source,
        "currency": playbook.currency,
        "candidates": candidates,
        "funnel": _funnel(candidates),
        "reasons": {
            treatment: [_reason(each, decision, playbook, language) for each in reasons]
            for treatment, reasons in kept.reasons.items()
        },
    }


def _candidates(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = ("treatment", "place", "stage", *PARTS)
    rows = []
    for index, rules in enumerate(record["rules"]):
        row = {name: record[name][index] for name in names}
        rows.append(row | {"rules": rules.split("|") if rules else []})
    return rows


def _funnel(candidates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many treatments each stage was the first to remove, and how many were left after it."""
    left, stages = len(candidates), []
    for stage in STAGES:
        removed = sum(row["stage"] == stage for row in candidates)
        left -= removed
        stages.append({"stage": stage, "removed": removed, "remaining": left})
    placed = sum(row["place"] is not None for row in candidates)
    return [*stages, {"stage": "arbitration", "removed": left - placed, "remaining": placed}]


def _reason(
    stored: Mapping[str, Any], decision: LoggedDecision, playbook: Playbook, language: str
) -> dict[str, Any]:
    """A stored reason, said as of the decision; by its code alone where there is no sentence for it."""
    reason = Reason(stored["code"], stored["facts"], stored.get("amount"))
    text = reason.code.replace("_", " ")
    if reason.code in SENTENCES:
        text = words(reason, Reader(language, decision.decided_at, None, playbook))
    return {"code": reason.code, "text": text, "facts": dict(reason.facts), "amount": reason.amount}


# -- decided again ----------------------------------------------------------------------------------


def _as_json(record: pl.DataFrame) -> Mapping[str, Any]:
    """The full record of one account as a live decision keeps it."""
    return {
        column.name: (micros_of(column) if column.dtype == TIME else column).to_list() for column in record
    }


def _again(
    home: Home, ledger: Ledger, decider: Decider, decision: LoggedDecision, kept: Kept, *, language: str
) -> dict[str, Any]:
    """Objections with their facts and what would change it, where deciding again gives the same."""
    nothing: dict[str, Any] = {"objections": {}, "what_would_change": None}
    then, cause = _of_that_time(home, ledger, decider, decision)
    if then is None:
        return nothing | {"decided_again": cause}
    try:
        history = history_of(ledger.account_state(decision.account_id))
    except UnknownError:
        return nothing | {"decided_again": "The account is not in the ledger any more."}
    stops = tuple(ContactStop(**stop) for stop in decision.record.get("stops", []))
    situation = then.situation(history, decision.account_id, decision.decided_at, stops)
    decisions = situation.decided()
    different = _different(kept.record, decisions.record_of(0))
    if different:
        return nothing | {"decided_again": f"Deciding again gives another {different}: facts of that time "
                                           "are not there any more as they were."}  # fmt: skip
    reader = Reader(language, decision.decided_at, None, then.playbook)
    objections = {
        treatment: [_objection(each, reader) for each in why_not(decisions, 0, index, then.playbook)]
        for index, treatment in enumerate(decisions.treatments)
    }
    turning = what_would_change(situation)
    return {
        "decided_again": "Deciding again gives the same.",
        "objections": {treatment: found for treatment, found in objections.items() if found},
        "what_would_change": {
            "text": list(change_words(turning, reader)),
            "changes": [vars(change) | {"facts": dict(change.facts)} for change in turning.changes],
            "tried": turning.tried,
        },
    }


def _of_that_time(
    home: Home, ledger: Ledger, decider: Decider, decision: LoggedDecision
) -> tuple[Decider | None, str]:
    """The decider as it was then, or None and why there is none."""
    if decider.playbook.version != decision.playbook:
        then = kept_playbook(ledger, decision.playbook)
        if then is None:
            return None, "The playbook has changed since; why not is told by the rules' names alone."
        features = FeatureSet.of(then, decider.features.attributes)
        decider = Decider(then, features, StartingScorer(then), decision.seed)
    if decider.scorer.release == decision.release:
        return Decider(decider.playbook, decider.features, decider.scorer, decision.seed), ""
    used = [entry for entry in ledger.release_log() if entry.release_id == decision.release]
    if not used and decision.release != "starting-values":
        return None, f"The release {decision.release} is not known here any more."
    try:
        scorer = read_scorer(home, used[0] if used else None, decider.playbook)
    except DataError as error:
        return None, f"The release of that time cannot be read: {error}"
    return Decider(decider.playbook, decider.features, scorer, decision.seed), ""


def _different(kept: Mapping[str, Any], again: Mapping[str, Any]) -> str:
    """What differs first between what was kept and what is decided again; "" = nothing."""
    for name in ("treatment", "rules", "place", *PARTS):
        if list(kept[name]) != list(again[name]):
            return name
    return ""


def _objection(objection: Objection, reader: Reader) -> dict[str, Any]:
    parts = {"stage": objection.stage, "rule": objection.rule, "facts": dict(objection.facts)}
    return parts | {"text": objection_words(objection, reader)}
