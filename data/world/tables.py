"""The simulated world as tables of the data contract."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from data.world.business import Extra
from data.world.catalogue import Catalogue
from data.world.course import HOUR_MICROS, Course, Visits
from data.world.names import account_name
from data.world.people import COUNTRIES
from data.world.scene import Scene
from data.world.settings import WorldSettings
from engine.contract import TABLES, TIME
from engine.records import DAY_MICROS, Floats, Ints, Micros

_PLAN_SHARE = 0.02


def frame(table: str, columns: Mapping[str, object]) -> pl.DataFrame:
    """A frame of the contract: its columns in its order and types, further ones behind, sorted by key."""
    data = pl.DataFrame(columns)
    schema = TABLES[table].schema
    known = [pl.col(name).cast(schema[name]) for name in schema if name in data.columns]
    further = [name for name in data.columns if name not in schema]
    return data.select(*known, *further).sort(TABLES[table].key, maintain_order=True)


def texts(levels: Sequence[str | None], codes: Ints) -> pl.Series:
    """Codes as the texts they stand for."""
    return pl.Series(levels, dtype=pl.String).gather(codes)


def moments(micros: Micros) -> pl.Series:
    """Microseconds as a column of times."""
    return pl.Series(micros).cast(TIME)


def numbered(letter: str, count: int) -> pl.Series:
    """Ids in order, of equal length."""
    return letter + pl.int_range(1, count + 1, eager=True).cast(pl.String).str.zfill(9)


def decision_ids(scene: Scene) -> pl.Series:
    """Ids of all decisions, by account and time."""
    return numbered("D", scene.decisions)


def accounts_table(scene: Scene) -> pl.DataFrame:
    """What the company knows of its accounts."""
    settings, people = scene.settings, scene.people
    rng, kind = settings.generator("names"), settings.business
    levels = {name: trait.levels for name, trait in kind.traits.items()}
    languages = [COUNTRIES[c][4][i] for c, i in zip(people.country, people.language, strict=True)]
    given, family = rng.integers(0, 20, len(people)), rng.integers(0, 20, len(people))
    countries = list(zip(*COUNTRIES, strict=True))
    return frame("accounts", {
        "account_id": people.account_ids,
        "name": [account_name(kind.who, *parts) for parts in zip(languages, given, family, strict=True)],
        "territory": texts(scene.staff.territories, people.territory),
        "segment": texts(kind.segments, people.segment),
        kind.column("size"): texts(levels["size"], people.size),
        kind.column("industry"): texts(levels["industry"], people.industry),
        "language": languages,
        "timezone": texts(countries[1], people.country),
        "country": texts(countries[0], people.country),
        "potential_value": people.potential,
        "automated": np.isin(np.array(kind.segments)[people.segment], kind.automated),
        "latitude": np.round(np.array(countries[2])[people.country] + rng.normal(0, 1, len(people)), 4),
        "longitude": np.round(np.array(countries[3])[people.country] + rng.normal(0, 1, len(people)), 4),
        kind.column("group"): texts(levels["group"], people.group),
        kind.column("hours"): people.online_hours,
        kind.column("volume"): people.volume,
        **{name: _extra(kind.extras[name], values) for name, values in people.extras.items()},
        "stored_at": moments(np.full(len(people), settings.start_micros)),
    })  # fmt: skip


def _extra(extra: Extra, values: Floats | Ints) -> pl.Series:
    return texts(extra.levels, np.asarray(values, dtype=np.int64)) if extra.levels else pl.Series(values)


def preferences_table(scene: Scene, course: Course) -> pl.DataFrame:
    """Permissions: asked before the history begins, withdrawn in its course."""
    settings, people = scene.settings, scene.people
    rng = settings.generator("preferences")
    n = len(people)
    asked = settings.start_micros - rng.integers(1, 300 * 24, n) * HOUR_MICROS
    rows = []
    channels = sorted({"email", *scene.catalogue.needs_opt_in})
    for channel in channels:
        rows.append((people.email_consent, channel, "marketing", "opt_in", asked, "registration form"))
    rows.append((people.web_consent == 1, "*", "web_behaviour", "opt_in", asked, "cookie banner"))
    rows.append((people.web_consent == 0, "*", "web_behaviour", "opt_out", asked, "cookie banner"))
    left = course.optout_at < settings.until_micros
    rows.append((left, "email", "marketing", "opt_out", course.optout_at, "unsubscribe link"))
    ids = pl.Series(people.account_ids)
    return frame("preferences", pl.concat([
        pl.DataFrame({
            "account_id": ids.filter(pl.Series(who)), "since": moments(since[who]),
            "stored_at": moments(since[who]),
        }).with_columns(
            channel=pl.lit(channel), purpose=pl.lit(purpose), kind=pl.lit("permission"),
            status=pl.lit(status), source=pl.lit(source), contact_id=pl.lit(None, pl.String),
        )
        for who, channel, purpose, status, since, source in rows
    ]).to_dict(as_series=True))  # fmt: skip


def stored(settings: WorldSettings, occurred: Micros, usual_hours: float, rng: np.random.Generator) -> Micros:
    """When records arrive: soon, some days late; what would come after the end comes at its last second."""
    soon = rng.integers(0, max(1, round(usual_hours * HOUR_MICROS)), len(occurred))
    days_late = rng.integers(2 * DAY_MICROS, 20 * DAY_MICROS, len(occurred))
    at = occurred + np.where(rng.random(len(occurred)) < settings.late, days_late, soon)
    return np.asarray(np.maximum(occurred, np.minimum(at, settings.until_micros - 1_000_000)), dtype=np.int64)


class Contacts:
    """The outbound touchpoints of the world, flat, in the order of account and decision."""

    def __init__(self, course: Course, catalogue: Catalogue) -> None:
        self.account, self.round = np.nonzero(course.done)
        self.treatment = course.choice[self.account, self.round]
        self.by_person = catalogue.by_person[self.treatment]
        lag = self.by_person.astype(np.int64)
        self.at = course.touched_at[self.account, self.round, lag]
        self.decided_at = course.decided_at[self.account, self.round]
        self.affinity = course.affinity[self.account, self.round]
        self.ids = numbered("T", len(self.at))

    def __len__(self) -> int:
        return len(self.at)


def touchpoints_table(scene: Scene, course: Course, contacts: Contacts) -> pl.DataFrame:
    """Contacts, visits of the website, plans ahead of the end, and first versions that were wrong."""
    outbound, rounds = _outbound(scene, contacts), scene.settings.rounds
    if scene.settings.assignment != "targeted":
        ids = decision_ids(scene).gather(contacts.account * rounds + contacts.round)
        outbound = outbound.with_columns(decision_id=ids)
    rows = [_first_versions(scene, outbound), outbound, _visits(scene, course.visits)]
    if scene.settings.business.diary:
        rows.append(_plans(scene))
    if len(course.newsletters):
        rows.append(_newsletters(scene, course))
    return frame("touchpoints", pl.concat(rows, how="diagonal_relaxed").to_dict(as_series=True))


def _outbound(scene: Scene, contacts: Contacts) -> pl.DataFrame:
    settings, people, catalogue = scene.settings, scene.people, scene.catalogue
    rng = settings.generator("stored contacts")
    planned = contacts.at >= settings.until_micros
    arrived = np.where(
        contacts.by_person, stored(settings, contacts.at, 20.0, rng), stored(settings, contacts.at, 0.1, rng)
    )
    roles = np.array(catalogue.roles)
    return pl.DataFrame({
        "touchpoint_id": contacts.ids,
        "account_id": pl.Series(people.account_ids).gather(contacts.account),
        "occurred_at": moments(contacts.at),
        "channel": texts(catalogue.channels, catalogue.channel[contacts.treatment]),
        "treatment": texts(catalogue.ids, contacts.treatment),
        "topic": texts(catalogue.topic_names, catalogue.topic[contacts.treatment]),
        "role": texts(catalogue.roles, contacts.treatment),
        "user_id": scene.staff.serving(people.territory[contacts.account], roles[contacts.treatment]),
        "status": texts(("done", "planned"), planned.astype(np.int64)),
        "stored_at": moments(np.where(planned, contacts.decided_at, arrived)),
    }).with_columns(direction=pl.lit("outbound"))  # fmt: skip


def _first_versions(scene: Scene, outbound: pl.DataFrame) -> pl.DataFrame:
    """Some contacts of people are first recorded with another message of the channel, then corrected."""
    settings, catalogue = scene.settings, scene.catalogue
    rng = settings.generator("corrections")
    by_person = outbound["treatment"].is_in(np.array(catalogue.ids)[catalogue.by_person].tolist())
    wrong = (
        by_person.to_numpy()
        & (outbound["status"] == "done").to_numpy()
        & (rng.random(len(outbound)) < settings.corrected)
    )
    other = np.array([_neighbour(catalogue, t) for t in range(len(catalogue.ids))])
    rows = outbound.filter(pl.Series(wrong))
    true = (
        rows["treatment"]
        .replace_strict(catalogue.ids, list(range(len(catalogue.ids))), return_dtype=pl.Int64)
        .to_numpy()
    )
    at = rows["occurred_at"].cast(pl.Int64).to_numpy()
    stored_at = rows["stored_at"].cast(pl.Int64).to_numpy()
    early = at + ((stored_at - at) * rng.random(len(rows))).astype(np.int64)
    return rows.with_columns(
        treatment=texts(catalogue.ids, other[true]),
        topic=texts(catalogue.topic_names, catalogue.topic[other[true]]),
        stored_at=moments(np.minimum(early, stored_at - 1)),
    )  # fmt: skip


def _neighbour(catalogue: Catalogue, treatment: int) -> int:
    """Another treatment of the same channel, or the same where there is none."""
    same = np.flatnonzero(
        (catalogue.channel == catalogue.channel[treatment]) & (np.arange(len(catalogue.ids)) > 0)
    )
    return int(same[(int(np.searchsorted(same, treatment)) + 1) % len(same)]) if treatment else 0


def _visits(scene: Scene, visits: Visits) -> pl.DataFrame:
    settings, people, catalogue = scene.settings, scene.people, scene.catalogue
    rng = settings.generator("stored visits")
    return pl.DataFrame({
        "touchpoint_id": numbered("W", len(visits.at)),
        "account_id": pl.Series(people.account_ids).gather(visits.account),
        "occurred_at": moments(visits.at),
        "topic": texts(catalogue.topics, visits.topic),
        "channel": texts([_inbound_channel(scene, topic) for topic in catalogue.topics], visits.topic),
        **_answers(scene, visits),
        "stored_at": moments(stored(settings, visits.at, 0.02, rng)),
    }).with_columns(
        direction=pl.lit("inbound"), status=pl.lit("done")
    )  # fmt: skip


def _inbound_channel(scene: Scene, topic: str) -> str:
    asked = scene.settings.business.inbound.get(topic)
    return asked.channel if asked else "website"


def _answers(scene: Scene, visits: Visits) -> dict[str, pl.Series]:
    """What was filled in where a form asks: answers drawn one by one; no column where none asks."""
    rng, inbound = scene.settings.generator("answers"), scene.settings.business.inbound
    forms = {topic: asked.details for topic, asked in inbound.items() if asked.details}
    if not forms:
        return {}
    names = [scene.catalogue.topics[topic] for topic in visits.topic]
    filled = [
        json.dumps({question: str(rng.choice(answers)) for question, answers in forms[name].items()})
        if name in forms
        else None
        for name in names
    ]
    return {"details": pl.Series(filled, dtype=pl.String)}


def _newsletters(scene: Scene, course: Course) -> pl.DataFrame:
    sent = course.newsletters.table(scene.people.account_ids, course.optout_at)
    at = sent["at"].cast(TIME)
    return sent.select(pl.col("newsletter_id").alias("touchpoint_id"), "account_id").with_columns(
        occurred_at=at, stored_at=at, direction=pl.lit("outbound"), channel=pl.lit("email"),
        status=pl.lit("done"),
    )  # fmt: skip


def _plans(scene: Scene) -> pl.DataFrame:
    """A few entries in the diaries for the days after the end."""
    settings, people, catalogue = scene.settings, scene.people, scene.catalogue
    rng, diary = settings.generator("plans"), settings.business.diary
    account = np.flatnonzero(rng.random(len(people)) < _PLAN_SHARE)
    visits = [t for t in range(1, len(catalogue.ids)) if catalogue.channels[catalogue.channel[t]] == diary]
    treatment = np.array(visits)[rng.integers(0, len(visits), len(account))]
    ahead = rng.integers(12 * HOUR_MICROS, 10 * DAY_MICROS, len(account))
    return pl.DataFrame({
        "touchpoint_id": numbered("P", len(account)),
        "account_id": pl.Series(people.account_ids).gather(account),
        "occurred_at": moments(settings.until_micros + ahead),
        "treatment": texts(catalogue.ids, treatment),
        "topic": texts(catalogue.topic_names, catalogue.topic[treatment]),
        "role": texts(catalogue.roles, treatment),
        "user_id": scene.staff.serving(people.territory[account], np.array(catalogue.roles)[treatment]),
        "stored_at": moments(settings.until_micros - rng.integers(HOUR_MICROS, 5 * DAY_MICROS, len(account))),
    }).with_columns(
        direction=pl.lit("outbound"), channel=pl.lit(diary), status=pl.lit("planned")
    )  # fmt: skip
