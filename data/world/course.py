"""The course of a simulated world: decision after decision, for all accounts at once.

When something is decided depends on a grid and on visits of the website, what is decided on traits, visits
and chance - never on earlier outcomes or contacts, an e-mail opt-out aside. So the decisions that follow one
decision do not depend on it, and the truth about it can be stated exactly (`data.world.truth`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from data.world.business import Only
from data.world.catalogue import Catalogue
from data.world.effects import (
    INTEREST_DAYS,
    MEMORY_DAYS,
    Nature,
    email_fade,
    optout_probability,
    repetition_fade,
)  # fmt: skip
from data.world.mailing import Newsletters, draw_newsletters
from data.world.phases import Phases
from data.world.scene import Scene
from data.world.settings import WorldSettings
from engine.records import DAY_MICROS, Bools, Floats, Ints, Micros

HOUR_MICROS = 3_600_000_000
NEVER = np.iinfo(np.int64).max
_UNIFORM_SHARE = 0.1
"""Share of targeted decisions that are taken at random, so that everything eligible has a chance."""
_REACTION_DAYS = 7.0
MAILING_LIST_HOURS = 6.0
"""Who is online longer a week gets most e-mails, up to one at every decision."""
OPT_OUT_HOURS = 14
"""An opt-out comes so soon after its e-mail that it is known at the next decision, a day later or more."""


@dataclass(frozen=True)
class Visits:
    """Visits of the website, by account and time; flat, shape (visits,)."""

    account: Ints
    at: Micros
    topic: Ints
    noticed: Bools


@dataclass(frozen=True)
class Course:
    """All decisions of n accounts in R rounds among T treatments; arrays (n, R) unless said otherwise.

    Attributes:
        visits: Of the website.
        newsletters: Beside the decisions.
        decided_at: Microseconds UTC, increasing within an account.
        choice: Index of the treatment.
        probability: With which it was chosen.
        eligible: What could be chosen; shape (n, R, T).
        done: Whether a contact was decided and carried out.
        touched_at: When a contact by a person or by the system would take place; shape (n, R, 2).
        caused: What each treatment causes in all, given the state at the decision; shape (n, R, T).
        unfaded: What the contact that was done causes in all, before fading.
        same: Contacts with the same message as the one chosen in the 90 days before.
        emails: E-mails in the 90 days before.
        optout: Probability that an e-mail makes the account opt out.
        affinity: How fond the account is of what was chosen, recency and fading included.
        optout_at: When the account opted out of e-mails, else NEVER; shape (n,).
    """

    visits: Visits
    newsletters: Newsletters
    decided_at: Micros
    choice: Ints
    probability: Floats
    eligible: Bools
    done: Bools
    touched_at: Micros
    caused: Floats
    unfaded: Floats
    same: Floats
    emails: Floats
    optout: Floats
    affinity: Floats
    optout_at: Micros


def draw_visits(scene: Scene) -> Visits:
    """Visits of the website and other questions of accounts; topics by interest."""
    settings, people, nature = scene.settings, scene.people, scene.nature
    rng = settings.generator("visits")
    peak = 1.0 if scene.phases is None else float(scene.phases.visits.max())
    count = rng.poisson(peak * settings.inbound_per_year * settings.days / 365, len(people))
    account = np.repeat(np.arange(len(people), dtype=np.int64), count)
    at = settings.start_micros + rng.integers(0, settings.days * DAY_MICROS, len(account))
    order = np.lexsort((at, account))
    account, at = account[order], at[order]
    interest = nature.interest[account]
    if scene.phases is not None:
        account, at, interest = _by_phase(scene.phases, account, at, interest, rng)
    topic = (interest.cumsum(axis=1) < rng.random(len(account))[:, None]).sum(axis=1)
    topic = np.minimum(topic, nature.interest.shape[1] - 1).astype(np.int64)
    usable = (people.web_consent[account] == 1) | ~_on_website(scene)[topic]
    return Visits(account, at, topic, usable & (rng.random(len(account)) < settings.trigger))


def _on_website(scene: Scene) -> Bools:
    """Topics that are asked about on the website, where a look needs a permission; shape (topics,)."""
    inbound = scene.settings.business.inbound
    return np.array([topic not in inbound or inbound[topic].channel == "website"
                     for topic in scene.catalogue.topics])  # fmt: skip


def _by_phase(
    phases: Phases, account: Ints, at: Micros, interest: Floats, rng: np.random.Generator
) -> tuple[Ints, Micros, Floats]:
    """Of visits at the highest rate those that the phase allows, and what they can be about."""
    phase = phases.at(account, at)
    weight = interest * phases.topics[phase]
    total = weight.sum(axis=1)
    kept = (rng.random(len(at)) * phases.visits.max() < phases.visits[phase]) & (total > 0)
    return account[kept], at[kept], (weight / np.maximum(total, 1e-300)[:, None])[kept]


def run_course(scene: Scene) -> Course:
    """Take every decision of the world."""
    settings, visits = scene.settings, draw_visits(scene)
    course = _blank(scene, visits)
    slots, wait = _slots(settings, len(scene.people)), settings.generator("reaction")
    for k in range(settings.rounds):
        earliest = course.decided_at[:, k - 1] + DAY_MICROS if k else slots[:, 0] - 2 * DAY_MICROS
        course.decided_at[:, k] = _brought_forward(visits, slots[:, k], earliest, wait)
        if len(course.newsletters):
            _leave_the_newsletter(course, k, scene)
        _decide(course, k, scene)
    return course


def continued(course: Course, scene: Scene, since: int, *, again: int) -> Course:
    """The same world until a moment (microseconds UTC), with other luck from then on.

    What is decided, done and answered after it is drawn anew; when decisions are due and when the website is
    visited stays. `again` is the number of the draw.
    """
    late = OPT_OUT_HOURS * HOUR_MICROS + DAY_MICROS // 4  # an opt-out by what was decided before
    optout_at = np.where(course.optout_at >= since + late, NEVER, course.optout_at)
    drawn = [name for name in _DRAWN if name != "optout_at"]
    other = replace(course, optout_at=optout_at, **{name: getattr(course, name).copy() for name in drawn})
    for k in np.flatnonzero((course.decided_at >= since).any(axis=0)).tolist():
        past = course.decided_at[:, k] < since
        before = other.optout_at.copy()
        if len(course.newsletters):
            _leave_the_newsletter(other, k, scene, f" again {again}")
        _decide(other, k, scene, f" again {again}")
        for name in drawn:
            getattr(other, name)[past, k] = getattr(course, name)[past, k]
        other.optout_at[past] = before[past]
    return other


_DRAWN = ("choice", "probability", "eligible", "done", "touched_at", "caused", "unfaded", "same", "emails",
          "optout", "affinity", "optout_at")  # fmt: skip
"""Of `Course`: what a decision writes."""


def _leave_the_newsletter(course: Course, k: int, scene: Scene, luck: str = "") -> None:
    """Opt-outs by newsletters since the decision before, as many as that many e-mails bring."""
    now = course.decided_at[:, k]
    since = course.decided_at[:, k - 1] if k else np.full_like(now, scene.settings.start_micros)
    emails = _earlier_contacts(course, k, scene.catalogue)[:, scene.catalogue.email].sum(axis=1)
    emails += course.newsletters.before(now, course.optout_at)
    chance = optout_probability(scene.nature.tires, emails)
    rng = scene.settings.generator(f"newsletters {k}{luck}")
    course.newsletters.leave(since, now, chance, course.optout_at, rng)


def _blank(scene: Scene, visits: Visits) -> Course:
    n, rounds, treatments = len(scene.people), scene.settings.rounds, len(scene.catalogue.ids)
    flat, deep = (n, rounds), (n, rounds, treatments)
    return Course(
        visits=visits,
        newsletters=draw_newsletters(scene.settings, scene.people),
        decided_at=np.zeros(flat, dtype=np.int64),
        choice=np.zeros(flat, dtype=np.int64),
        probability=np.zeros(flat),
        eligible=np.zeros(deep, dtype=np.bool_),
        done=np.zeros(flat, dtype=np.bool_),
        touched_at=np.zeros((n, rounds, 2), dtype=np.int64),
        caused=np.zeros(deep),
        unfaded=np.zeros(flat),
        same=np.zeros(flat),
        emails=np.zeros(flat),
        optout=np.zeros(flat),
        affinity=np.zeros(flat),
        optout_at=np.full(n, NEVER, dtype=np.int64),
    )


def _slots(settings: WorldSettings, accounts: int) -> Micros:
    """When decisions are due: every few days, from a day of its own for each account, in working hours."""
    rng = settings.generator("slots")
    day = settings.warmup_days + rng.integers(0, settings.every_days, (accounts, 1))
    day = day + settings.every_days * np.arange(settings.rounds)
    hour = 7 * HOUR_MICROS + rng.integers(0, 10 * HOUR_MICROS, (accounts, settings.rounds))
    return np.asarray(settings.start_micros + day * DAY_MICROS + hour, dtype=np.int64)


def _brought_forward(visits: Visits, slot: Micros, earliest: Micros, rng: np.random.Generator) -> Micros:
    """The slot, or soon after the first noticed visit since the decision before."""
    reaction = visits.at + rng.integers(HOUR_MICROS, 36 * HOUR_MICROS, len(visits.at))
    usable = visits.noticed & (reaction > earliest[visits.account]) & (reaction < slot[visits.account])
    at = slot.copy()
    np.minimum.at(at, visits.account[usable], reaction[usable])
    return at


def _decide(course: Course, k: int, scene: Scene, luck: str = "") -> None:
    """Take decision k of every account and write it down."""
    settings, catalogue, nature = scene.settings, scene.catalogue, scene.nature
    now, rows = course.decided_at[:, k], np.arange(len(scene.people))
    rng = settings.generator(f"decision {k}{luck}")
    counts = _earlier_contacts(course, k, catalogue)
    emails = counts[:, catalogue.email].sum(axis=1) + course.newsletters.before(now, course.optout_at)
    fade = repetition_fade(settings, counts)
    fade[:, catalogue.email] *= email_fade(nature.tires, emails)[:, None]
    fresh = (
        1.0 + settings.recency * _recent_topics(course.visits, now, INTEREST_DAYS, nature)[:, catalogue.topic]
    )
    if scene.phases is not None:
        fresh *= scene.phases.works[scene.phases.at(rows, now)]
    carried_out = np.where(catalogue.by_person, settings.followed, 1.0)
    eligible = _eligible(scene, now, course.optout_at)
    if settings.assignment == "randomised":
        shares = _uniform(eligible, settings.none_share)
    else:
        shares = _targeted(scene, eligible, course.visits, now)
    choice = _draw(shares, rng)
    done = (choice > 0) & (rng.random(len(rows)) < carried_out[choice])
    course.choice[:, k], course.done[:, k], course.eligible[:, k] = choice, done, eligible
    course.probability[:, k] = shares[rows, choice]
    course.touched_at[:, k, 0] = now + rng.integers(HOUR_MICROS, 6 * HOUR_MICROS, len(rows))
    course.touched_at[:, k, 1] = now + rng.integers(4 * HOUR_MICROS, 96 * HOUR_MICROS, len(rows))
    course.caused[:, k] = nature.gross * fresh * fade * carried_out
    course.unfaded[:, k] = (nature.gross * fresh)[rows, choice] * done
    course.same[:, k], course.emails[:, k] = counts[rows, choice], emails
    course.affinity[:, k] = (nature.affinity * fresh * fade)[rows, choice]
    course.optout[:, k] = optout_probability(nature.tires, emails) * eligible[:, catalogue.email].any(axis=1)
    _opt_out(course, k, catalogue, rng)


def _opt_out(course: Course, k: int, catalogue: Catalogue, rng: np.random.Generator) -> None:
    """Some of those who get an e-mail have had enough."""
    after = rng.integers(HOUR_MICROS // 2, OPT_OUT_HOURS * HOUR_MICROS, len(course.optout_at))
    enough = rng.random(len(after)) < course.optout[:, k]
    mailed = course.done[:, k] & catalogue.email[course.choice[:, k]]
    leaves = mailed & enough
    course.optout_at[leaves] = (course.touched_at[:, k, 0] + after)[leaves]


def _earlier_contacts(course: Course, k: int, catalogue: Catalogue) -> Floats:
    """Contacts by treatment in the 90 days before decision k; shape (n, T)."""
    counts = np.zeros((len(course.choice), len(catalogue.ids)))
    rows = np.arange(len(course.choice))
    for j in range(k):
        counts[rows, course.choice[:, j]] += (
            remembered(course, catalogue, j, k, course.choice[:, j]) * course.done[:, j]
        )
    return counts


def remembered(course: Course, catalogue: Catalogue, j: int, k: int, treatment: Ints) -> Bools:
    """Whether a contact with a treatment, decided in round j, would still count at decision k; shape (n,)."""
    at = np.where(catalogue.by_person[treatment], course.touched_at[:, j, 1], course.touched_at[:, j, 0])
    now = course.decided_at[:, k]
    return np.asarray((at < now) & (at >= now - round(MEMORY_DAYS * DAY_MICROS)), dtype=np.bool_)


def _recent_topics(
    visits: Visits, now: Micros, days: float, nature: Nature, *, noticed: bool = False
) -> Floats:
    """1 where a topic was read on the website within some days; shape (n, topics)."""
    since = now[visits.account] - visits.at
    recent = (since > 0) & (since <= round(days * DAY_MICROS))
    if noticed:
        recent &= visits.noticed
    read = np.zeros(nature.interest.shape)
    read[visits.account[recent], visits.topic[recent]] = 1.0
    return read


def _eligible(scene: Scene, now: Micros, optout_at: Micros) -> Bools:
    """What the law and the calendar allow; shape (n, T)."""
    settings, people, catalogue = scene.settings, scene.people, scene.catalogue
    allowed = np.ones((len(people), len(catalogue.ids)), dtype=np.bool_)
    for t, channel in enumerate(catalogue.channel):
        if t > 0 and catalogue.channels[channel] in catalogue.needs_opt_in:
            allowed[:, t] = people.email_consent
    allowed[:, catalogue.email] &= (people.email_consent & (optout_at > now))[:, None]
    for rule in settings.business.only:
        allowed &= _allowed_only(rule, scene)
    if settings.new_treatment:
        begin = settings.until_micros - round(settings.new_treatment_days * DAY_MICROS)
        allowed[:, catalogue.index(settings.new_treatment)] &= now >= begin
    return allowed


def _allowed_only(rule: Only, scene: Scene) -> Bools:
    """What a rule of the company leaves; shape (n, T)."""
    kind, catalogue = scene.settings.business, scene.catalogue
    levels = kind.segments if rule.column == "segment" else kind.extras[rule.column].levels
    values = {"role": catalogue.roles, "issue": catalogue.issues, "id": catalogue.ids,
              "channel": tuple(catalogue.channels[c] for c in catalogue.channel)}[rule.by]  # fmt: skip
    concerned = np.isin(values, rule.of) & (np.arange(len(values)) > 0)
    allowed = scene.people.among(tuple(levels.index(level) for level in rule.levels), rule.column)
    return allowed[:, None] | ~concerned


def _uniform(eligible: Bools, none_share: float) -> Floats:
    shares = eligible * ((1.0 - none_share) / np.maximum(eligible[:, 1:].sum(axis=1, keepdims=True), 1))
    shares[:, 0] = 1.0 - shares[:, 1:].sum(axis=1)
    return np.asarray(shares)


def _targeted(scene: Scene, eligible: Bools, visits: Visits, now: Micros) -> Floats:
    """Representatives go to good accounts, answer visits of the website, know their topics; shape (n, T)."""
    settings, people, catalogue, nature = scene.settings, scene.people, scene.catalogue, scene.nature
    good = settings.confounding * (people.potential_score + settings.hidden * people.openness)
    read = 3.0 * settings.trigger * _recent_topics(visits, now, _REACTION_DAYS, nature, noticed=True)
    listed = people.online_hours > MAILING_LIST_HOURS
    contact = 1.0 / (1.0 + np.exp(-(0.2 + 0.8 * good + 0.7 * read.max(axis=1) + 2.0 * listed)))
    liking, slope = catalogue.of_channel("popularity"), catalogue.of_channel("good_accounts")
    score = liking + slope * good[:, None] + (read + 0.4 * nature.known_interest)[:, catalogue.topic]
    score += 2.5 * listed[:, None] * catalogue.email
    weight = np.exp(score) * eligible
    weight[:, 0] = 0.0
    contact = np.where(eligible[:, 1:].any(axis=1), contact, 0.0)
    shares = contact[:, None] * weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    shares[:, 0] = 1.0 - contact
    return np.asarray(
        (1.0 - _UNIFORM_SHARE) * shares + _UNIFORM_SHARE * eligible / eligible.sum(axis=1, keepdims=True)
    )


def _draw(shares: Floats, rng: np.random.Generator) -> Ints:
    """One treatment per row by its shares; nothing with share 0 is ever drawn."""
    cumulative = shares.cumsum(axis=1)
    point = rng.random((len(shares), 1)) * cumulative[:, -1:]
    return np.asarray((cumulative <= point).sum(axis=1), dtype=np.int64)
