"""What follows contacts in the simulated world, as tables: responses, outcomes and logged decisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from data.world.business import ANSWERS
from data.world.catalogue import Catalogue
from data.world.course import HOUR_MICROS, OPT_OUT_HOURS, Course
from data.world.effects import (
    Nature,
    email_fade,
    mean_outcome,
    repetition_fade,
)  # fmt: skip
from data.world.mailing import LEAVING_MICROS
from data.world.scene import Scene
from data.world.settings import WorldSettings
from data.world.tables import Contacts, decision_ids, frame, moments, numbered, stored, texts
from engine.records import DAY_MICROS, Bools, Ints, Micros


def responses_table(scene: Scene, course: Course, contacts: Contacts) -> pl.DataFrame:
    """What came back on contacts. Fond accounts answer more, whether or not contacts cause outcomes."""
    settings, catalogue = scene.settings, scene.catalogue
    rng = settings.generator("responses")
    fond = contacts.affinity
    chance = catalogue.of_channel("response")[contacts.treatment] * fond**0.7
    positive = rng.random(len(contacts)) < np.minimum(chance, 0.95)
    views = catalogue.of_channel("viewed")[contacts.treatment]
    viewed = (views > 0) & (positive | (rng.random(len(contacts)) < np.minimum(views * fond**0.3, 0.95)))
    refusal = catalogue.of_channel("rejected")[contacts.treatment]
    rejected = ~positive & (rng.random(len(contacts)) < 2 * refusal / (1 + fond))
    answer = catalogue.positive[contacts.treatment]
    wait = np.where(contacts.by_person, 1, 40) * HOUR_MICROS
    seen_at = contacts.at + (wait * rng.random(len(contacts))).astype(np.int64)
    answered_at = seen_at + rng.integers(60_000_000, HOUR_MICROS, len(contacts))
    left_at = course.optout_at[contacts.account]
    left = catalogue.email[contacts.treatment] & (left_at > contacts.at)
    left &= left_at - OPT_OUT_HOURS * HOUR_MICROS <= contacts.at
    left &= ~np.isin(contacts.account, course.newsletters.account[course.newsletters.left(course.optout_at)])
    parts = [
        (viewed, "viewed", seen_at), (rejected, "rejected", answered_at), (left, "unsubscribed", left_at),
    ]  # fmt: skip
    rows = [_responses(settings, contacts, positive, answer, answered_at)]
    for which, name, at in parts:
        rows.append(_responses(settings, contacts, which, np.full_like(answer, ANSWERS.index(name)), at))
    if len(course.newsletters):
        rows.append(_left_newsletters(scene, course))
    return pl.concat(rows).sort("touchpoint_id", "responded_at", "response")


def _left_newsletters(scene: Scene, course: Course) -> pl.DataFrame:
    sent = course.newsletters.table(scene.people.account_ids, course.optout_at).filter("left")
    at = moments(sent["at"].to_numpy() + LEAVING_MICROS)
    return frame("responses", {
        "touchpoint_id": sent["newsletter_id"], "responded_at": at,
        "response": pl.Series(["unsubscribed"]).new_from_index(0, len(at)), "stored_at": at,
    })  # fmt: skip


def _responses(
    settings: WorldSettings, contacts: Contacts, which: Bools, answer: Ints, at: Micros
) -> pl.DataFrame:
    known = which & (at < settings.until_micros)
    return frame("responses", {
        "touchpoint_id": contacts.ids.filter(pl.Series(known)),
        "responded_at": moments(at[known]),
        "response": texts(ANSWERS, answer[known]),
        "stored_at": moments(at[known]),
    })  # fmt: skip


@dataclass(frozen=True)
class Happened:
    """Outcomes, flat: whose, when, and 1, or -1 for what is taken back."""

    account: Ints
    at: Micros
    sign: Ints


def outcomes_table(scene: Scene, course: Course) -> pl.DataFrame:
    """All outcomes: those that come anyway, those behind interest, those caused by contacts."""
    settings, people = scene.settings, scene.people
    parts = [
        _background(settings, scene.nature),
        _after_visits(settings, course),
        _after_contacts(scene, course),
    ]
    account = np.concatenate([part.account for part in parts])
    at = np.concatenate([part.at for part in parts])
    sign = np.concatenate([part.sign for part in parts])
    known = at < settings.until_micros
    account, at, sign = account[known], at[known], sign[known]
    order = np.lexsort((at, account))
    account, at, sign = account[order], at[order], sign[order]
    rng = settings.generator("amounts")
    worth = rng.gamma(2.0, mean_outcome(settings) / 2.0, len(at))
    amount = np.round(worth / scene.catalogue.worth, 2)
    return frame("outcomes", {
        "outcome_id": numbered("O", len(at)),
        "account_id": pl.Series(people.account_ids).gather(account),
        "occurred_at": moments(at),
        "kind": pl.Series([settings.business.outcome]).new_from_index(0, len(at)),
        **_products(scene, account),
        "value": sign * amount,
        "quantity": sign * np.ceil(amount / settings.business.pack),
        "stored_at": moments(stored(settings, at, 36.0, rng)),
    })  # fmt: skip


def _products(scene: Scene, account: Ints) -> dict[str, pl.Series]:
    """What was bought: each account has its favourites; no column where products are not told apart."""
    shares = scene.settings.business.products
    if not shares:
        return {}
    rng = scene.settings.generator("products")
    liking = np.exp(rng.standard_normal((len(scene.people), len(shares)))) * np.array(list(shares.values()))
    cumulative = (liking / liking.sum(axis=1, keepdims=True)).cumsum(axis=1)[account]
    bought = (cumulative < rng.random((len(account), 1))).sum(axis=1)
    return {"product": texts(list(shares), np.minimum(bought, len(shares) - 1).astype(np.int64))}


def _background(settings: WorldSettings, nature: Nature) -> Happened:
    """A Poisson stream with the season's rate, by thinning."""
    rng, season = settings.generator("background"), settings.business.season
    ceiling = nature.baseline_per_day * settings.days * (1 + season) / mean_outcome(settings)
    account = _repeated(rng.poisson(ceiling))
    at = settings.start_micros + rng.integers(0, settings.days * DAY_MICROS, len(account))
    phase = 2 * np.pi / 365.0 * (at - settings.start_micros) / DAY_MICROS
    kept = rng.random(len(at)) * (1 + season) < 1 + season * np.cos(phase)
    return Happened(account[kept], at[kept], np.ones(kept.sum(), dtype=np.int64))


def _after_visits(settings: WorldSettings, course: Course) -> Happened:
    rng = settings.generator("interest")
    mean = np.full(len(course.visits.at), settings.interest_value / mean_outcome(settings))
    visit = _repeated(rng.poisson(mean))
    wait = rng.exponential(settings.business.interest_delay_days * DAY_MICROS, len(visit)).astype(np.int64)
    sign = np.ones(len(visit), dtype=np.int64)
    return Happened(course.visits.account[visit], course.visits.at[visit] + wait, sign)


def _after_contacts(scene: Scene, course: Course) -> Happened:
    settings, catalogue, nature = scene.settings, scene.catalogue, scene.nature
    rng = settings.generator("caused")
    fade = repetition_fade(settings, course.same)
    tired = email_fade(nature.tires[:, None], course.emails)
    caused = course.unfaded * fade * np.where(catalogue.email[course.choice], tired, 1.0)
    decision = _repeated(rng.poisson(np.abs(caused.ravel()) / mean_outcome(settings)))
    wait = settings.business.earliest_days * DAY_MICROS + rng.exponential(
        settings.delay_days * DAY_MICROS, len(decision)
    )
    at = course.decided_at.ravel()[decision] + wait.astype(np.int64)
    return Happened(decision // settings.rounds, at, np.sign(caused.ravel()[decision]).astype(np.int64))


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
