"""What follows contacts in the simulated world, as tables: responses, prescriptions and logged decisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from data.world.catalogue import NATURES, Catalogue
from data.world.course import HOUR_MICROS, OPT_OUT_HOURS, Course
from data.world.effects import (
    EARLIEST_DAYS,
    INTEREST_DELAY_DAYS,
    SEASON,
    Nature,
    email_fade,
    mean_prescription,
    repetition_fade,
)  # fmt: skip
from data.world.scene import Scene
from data.world.settings import WorldSettings
from data.world.tables import Contacts, decision_ids, frame, moments, numbered, stored, texts
from engine.records import DAY_MICROS, Bools, Ints, Micros

_PACK = 15.0
_ANSWERS = ("viewed", "clicked", "attended", "accepted", "rejected", "unsubscribed")


def responses_table(scene: Scene, course: Course, contacts: Contacts) -> pl.DataFrame:
    """What came back on contacts. Fond accounts answer more, whether or not contacts cause prescriptions."""
    settings, catalogue = scene.settings, scene.catalogue
    rng = settings.generator("responses")
    natures = [NATURES[catalogue.channels[c]] for c in catalogue.channel]
    fond = contacts.affinity
    chance = np.array([nature.response for nature in natures])[contacts.treatment] * fond**0.7
    positive = rng.random(len(contacts)) < np.minimum(chance, 0.95)
    views = np.array([nature.viewed for nature in natures])[contacts.treatment]
    viewed = (views > 0) & (positive | (rng.random(len(contacts)) < np.minimum(views * fond**0.3, 0.95)))
    refusal = np.array([nature.rejected for nature in natures])[contacts.treatment]
    rejected = ~positive & (rng.random(len(contacts)) < 2 * refusal / (1 + fond))
    answer = np.array([_ANSWERS.index(nature.positive) for nature in natures])[contacts.treatment]
    wait = np.where(contacts.by_person, 1, 40) * HOUR_MICROS
    seen_at = contacts.at + (wait * rng.random(len(contacts))).astype(np.int64)
    answered_at = seen_at + rng.integers(60_000_000, HOUR_MICROS, len(contacts))
    left_at = course.optout_at[contacts.account]
    left = catalogue.email[contacts.treatment] & (left_at > contacts.at)
    left &= left_at - OPT_OUT_HOURS * HOUR_MICROS <= contacts.at
    parts = [
        (viewed, "viewed", seen_at), (rejected, "rejected", answered_at), (left, "unsubscribed", left_at),
    ]  # fmt: skip
    rows = [_responses(settings, contacts, positive, answer, answered_at)]
    for which, name, at in parts:
        rows.append(_responses(settings, contacts, which, np.full_like(answer, _ANSWERS.index(name)), at))
    return pl.concat(rows).sort("touchpoint_id", "responded_at", "response")


def _responses(
    settings: WorldSettings, contacts: Contacts, which: Bools, answer: Ints, at: Micros
) -> pl.DataFrame:
    known = which & (at < settings.until_micros)
    return frame("responses", {
        "touchpoint_id": contacts.ids.filter(pl.Series(known)),
        "responded_at": moments(at[known]),
        "response": texts(_ANSWERS, answer[known]),
        "stored_at": moments(at[known]),
    })  # fmt: skip


@dataclass(frozen=True)
class Prescriptions:
    """Prescriptions, flat: whose and when."""

    account: Ints
    at: Micros


def outcomes_table(scene: Scene, course: Course) -> pl.DataFrame:
    """All prescriptions: those that come anyway, those behind interest, those caused by contacts."""
    settings, people = scene.settings, scene.people
    parts = [
        _background(settings, scene.nature),
        _after_visits(settings, course),
        _after_contacts(scene, course),
    ]
    account = np.concatenate([part.account for part in parts])
    at = np.concatenate([part.at for part in parts])
    known = at < settings.until_micros
    account, at = account[known], at[known]
    order = np.lexsort((at, account))
    account, at = account[order], at[order]
    rng = settings.generator("amounts")
    amount = np.round(rng.gamma(2.0, mean_prescription(settings) / 2.0, len(at)), 2)
    return frame("outcomes", {
        "outcome_id": numbered("O", len(at)),
        "account_id": pl.Series(people.account_ids).gather(account),
        "occurred_at": moments(at),
        "kind": pl.Series(["prescription"]).new_from_index(0, len(at)),
        "value": amount,
        "quantity": np.ceil(amount / _PACK),
        "stored_at": moments(stored(settings, at, 36.0, rng)),
    })  # fmt: skip


def _background(settings: WorldSettings, nature: Nature) -> Prescriptions:
    """A Poisson stream with the season's rate, by thinning."""
    rng = settings.generator("background")
    ceiling = nature.baseline_per_day * settings.days * (1 + SEASON) / mean_prescription(settings)
    account = _repeated(rng.poisson(ceiling))
    at = settings.start_micros + rng.integers(0, settings.days * DAY_MICROS, len(account))
    phase = 2 * np.pi / 365.0 * (at - settings.start_micros) / DAY_MICROS
    kept = rng.random(len(at)) * (1 + SEASON) < 1 + SEASON * np.cos(phase)
    return Prescriptions(account[kept], at[kept])


def _after_visits(settings: WorldSettings, course: Course) -> Prescriptions:
    rng = settings.generator("interest")
    mean = np.full(len(course.visits.at), settings.interest_value / mean_prescription(settings))
    visit = _repeated(rng.poisson(mean))
    wait = rng.exponential(INTEREST_DELAY_DAYS * DAY_MICROS, len(visit)).astype(np.int64)
    return Prescriptions(course.visits.account[visit], course.visits.at[visit] + wait)


def _after_contacts(scene: Scene, course: Course) -> Prescriptions:
    settings, catalogue, nature = scene.settings, scene.catalogue, scene.nature
    rng = settings.generator("caused")
    fade = repetition_fade(settings, course.same)
    tired = email_fade(nature.tires[:, None], course.emails)
    caused = course.unfaded * fade * np.where(catalogue.email[course.choice], tired, 1.0)
    decision = _repeated(rng.poisson(caused.ravel() / mean_prescription(settings)))
    wait = EARLIEST_DAYS * DAY_MICROS + rng.exponential(settings.delay_days * DAY_MICROS, len(decision))
    return Prescriptions(
        decision // settings.rounds, course.decided_at.ravel()[decision] + wait.astype(np.int64)
    )


def _repeated(counts: Ints) -> Ints:
    return np.repeat(np.arange(len(counts), dtype=np.int64), counts)


def decisions_table(scene: Scene, course: Course) -> pl.DataFrame:
    """Every decision with the probability of what was chosen, no contact included."""
    settings, people, catalogue, count = scene.settings, scene.people, scene.catalogue, scene.decisions
    return frame("decisions", {
        "decision_id": decision_ids(scene),
        "account_id": pl.Series(people.account_ids).gather(np.arange(count) // settings.rounds),
        "decided_at": moments(course.decided_at.ravel()),
        "treatment": texts(catalogue.ids, course.choice.ravel()),
        "place": np.ones(count, dtype=np.int64),
        "probability": course.probability.ravel(),
        "eligible": _lists(catalogue, course.eligible.reshape(count, -1)),
        "policy": pl.Series([_POLICY[settings.assignment]]).new_from_index(0, count),
        "followed": (course.done | (course.choice == 0)).ravel(),
        "stored_at": moments(course.decided_at.ravel()),
    })  # fmt: skip


_POLICY = {"targeted": "representatives", "targeted_logged": "representatives", "randomised": "randomised"}


def _lists(catalogue: Catalogue, eligible: Bools) -> pl.Series:
    """Eligible treatments as texts separated by |; there are few different ones."""
    bits = 2 ** np.arange(len(catalogue.ids), dtype=np.int64)
    _, first, which = np.unique((eligible * bits).sum(axis=1), return_index=True, return_inverse=True)
    ids = np.array(catalogue.ids)
    lists = ["|".join(ids[eligible[row]]) for row in first]
    return texts(lists, np.asarray(which, dtype=np.int64))
