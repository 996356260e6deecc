"""What further contacts cost in opt-outs, learned from what followed each occasion as it was logged.

Opt-outs over contacts that came is how likely one more contact ends in an opt-out. A forest orders accounts
by it, and classes of that order take their rate and its error from accounts that the forest has not seen.
Opt-outs that come without any contact are deducted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.history import Snapshot
from engine.records import Bools, Floats, Ints
from engine.stopping import Stopping
from training.boosting import Boosting, grow_named, raw_scores
from training.cases import Cases
from training.optouts import Followed, followed_through, recorded
from training.registry import Fitted
from training.splits import folds_of

LEAST_CONTACTS = 200
"""With fewer contacts after occasions nothing is learned of a channel."""
LEAST_OPTOUTS = 30
"""Fewer do not tell accounts apart: all have one rate."""
MOST_CASES = 60_000
"""Of more, evenly spread ones are looked at: windows overlap, so that the others say little more."""
CLASSES = 16
PRIOR_OPTOUTS = 2.0
"""So many opt-outs at the rate that the forest expects are added to each class."""
UNTOUCHED = 200.0
"""So many occasions without an opt-out are added to those without a contact."""
_ROUNDS, _LEAVES, _RATE = 60, 7, 0.1


@dataclass(frozen=True)
class Learned:
    """What a release keeps.

    Attributes:
        stopping: Rates, and what comes through each channel.
        coming: Forest of the contacts that follow an occasion (`lightgbm.Booster`).
        booster: The forest that orders accounts (`lightgbm.Booster`); None = there are too few opt-outs.
        optouts: Different opt-outs, by channel.
        contacts: Contacts that followed occasions, each as often as windows hold it, by channel.
    """

    stopping: Stopping
    coming: Any
    booster: Any
    optouts: Mapping[str, int]
    contacts: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        own = self.stopping
        classes = [[*map(float, pair)] for pair in zip(own.rate, own.error, strict=True)]
        return {**own.names(), "counted": _counted(self.optouts, self.contacts), "classes": classes}


@dataclass(frozen=True)
class Unrecorded:
    """What a release keeps of a history in which no account ever opted out: nothing is learned from it.

    Attributes:
        contacts: That followed occasions, by channel.
    """

    contacts: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """For the manifest: the engine keeps to the playbook."""
        return {"counted": _counted(dict.fromkeys(self.contacts, 0), self.contacts), "classes": []}


def _counted(optouts: Mapping[str, int], contacts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    return {name: {"optouts": optouts[name], "contacts": contacts[name]} for name in contacts}


def doubt(told: Mapping[str, Any] | None) -> str:
    """Why opt-outs may be other than the release has it, by its manifest; "" = nothing says so."""
    if told is None or any(each["optouts"] for each in told["counted"].values()):
        return ""
    where = (
        "permissions that were withdrawn in the table preferences, unsubscriptions and complaints in the "
        "table responses"
    )
    if not told["classes"]:
        return (
            "No account ever opted out, as if nobody recorded it: nothing is learned of opt-outs, and the "
            f"playbook's fatigue stays. Load {where}; if there truly is none, set fatigue to 0."
        )
    return (
        "No opt-out followed a contact, so the playbook's fatigue is drawn towards none, the more so the "
        f"more contacts there were. That is right only where opt-outs are recorded: {where}."
    )


def learn_stopping(
    snapshot: Snapshot, cases: Cases, fitted: Fitted, boosting: Boosting, *, at: int, seed: int
) -> Learned | Unrecorded | None:
    """Opt-outs by one more contact and contacts to come; None where no channel has enough contacts.

    Args:
        snapshot: The history that the cases come from.
        cases: Matured ones.
        fitted: What the release has learned of effects.
        boosting: Seed and threads; the forest is small whatever its size.
        at: What was stored before is known, microseconds UTC.
        seed: Of the split of accounts.
    """
    shares = _shares(cases, fitted.constants.learned)
    cases = cases.take(np.arange(0, len(cases), -(-len(cases) // MOST_CASES)))
    channels = sorted({t.channel for t in cases.playbook.treatments if t.kind == "contact"})
    followed = followed_through(snapshot, cases, channels, at=at)
    found = {channel: each for channel, each in followed.items() if each.exposed >= LEAST_CONTACTS}
    if not found:
        return None
    contacts = {channel: round(each.exposed) for channel, each in found.items()}
    if not recorded(snapshot, at=at):
        return Unrecorded(contacts)
    rows = _Rows.of(cases, found)
    booster, classes = _ordered(rows, cases, boosting, seed=seed)
    stopping = Stopping(tuple(found), classes.edges, classes.rate, classes.error, shares, cases.horizon_days)
    return Learned(
        stopping,
        _coming(cases, found, boosting),
        booster,
        {channel: each.optouts for channel, each in found.items()},
        contacts,
    )


@dataclass(frozen=True)
class _Rows:
    """Occasions and channels through which contacts followed, one below the other; shapes (m,).

    Attributes:
        case: Place of the occasion.
        like: A treatment of the channel, which stands for all of it.
        contacts: That followed.
        added: Opt-outs that they added: those seen less those that come without a contact.
        prior: P(opt-out) by one more contact that is assumed before anything is known.
        windows: In how many windows an opt-out is counted on average.
    """

    case: Ints
    like: Ints
    contacts: Floats
    added: Floats
    prior: Floats
    windows: float

    @classmethod
    def of(cls, cases: Cases, found: Mapping[str, Followed]) -> _Rows:
        """All channels together: those that few use learn from the others."""
        fatigue = {channel.id: channel.fatigue for channel in cases.playbook.channels}
        parts = []
        for channel, each in found.items():
            some, none = each.open & (each.contacts > 0), each.open & (each.contacts == 0)
            untouched = float(each.left[none].sum()) / (float(none.sum()) + UNTOUCHED)
            row = np.flatnonzero(some)
            prior = np.full(len(row), max(fatigue[channel], 1e-4))
            stands = np.full(len(row), _like(cases, channel), dtype=np.int64)
            parts.append((row, stands, each.contacts[row], each.left[row] - untouched, prior))
        case, likes, contacts, added, prior = (
            np.concatenate([part[place] for part in parts]) for place in range(5)
        )
        seen = sum(int(each.left[each.open].sum()) for each in found.values())
        different = sum(each.optouts for each in found.values())
        return cls(case, likes, contacts, added, prior, max(seen / max(different, 1), 1.0))

    def optouts(self, among: Bools | Ints) -> float:
        """Added opt-outs, each counted once."""
        return float(self.added[among].sum()) / self.windows


@dataclass(frozen=True)
class _Classes:
    """Classes of accounts by the forest's score; shapes (B - 1,) and (B,)."""

    edges: Floats
    rate: Floats
    error: Floats


def _ordered(rows: _Rows, cases: Cases, boosting: Boosting, *, seed: int) -> tuple[Any, _Classes]:
    """The forest that orders accounts, if there are enough opt-outs, and the rates of its classes."""
    if rows.optouts(np.ones(len(rows.case), dtype=np.bool_)) < LEAST_OPTOUTS:
        expected = np.full(len(rows.case), float(np.average(rows.prior, weights=rows.contacts)))
        return None, _calibrated(rows, np.zeros(len(rows.case)), expected)
    table = _table(cases, rows.case, rows.like)
    half = folds_of([cases.account_ids[case] for case in rows.case], 2, seed=seed)
    score = np.empty(len(half))
    for fold in (0, 1):
        score[half == fold] = raw_scores(
            _grow(rows, table, half != fold, cases, boosting), table[half == fold]
        )
    return _grow(rows, table, half >= 0, cases, boosting), _calibrated(rows, score, np.exp(score))


def _told(cases: Cases) -> list[int]:
    """Columns of a model's row that tell of the account and of its channel, whatever the message."""
    features = cases.features.set
    told = {*features.account, *features.channel, "treatment_channel"}
    return [place for place, name in enumerate(features.names) if name in told]


def _table(cases: Cases, case: Ints, like: Ints) -> Any:
    """Rows of those columns, for occasions and a treatment each; 32 bits do."""
    told = _told(cases)
    table = np.empty((len(case), len(told)), dtype=np.float32)
    for one in np.unique(like):
        own = like == one
        table[own] = cases.take(case[own]).features.row_matrix(like[own])[:, told]
    return table


def _grow(rows: _Rows, table: Any, among: Bools, cases: Cases, boosting: Boosting) -> Any:
    weight = rows.contacts[among]
    label = np.maximum(rows.added[among], 0.0) / weight
    return _small_forest(table[among], label, cases, boosting, objective="poisson", weight=weight)


def _small_forest(
    table: Any, label: Floats, cases: Cases, boosting: Boosting, *, objective: str,
    weight: Floats | None = None,
) -> Any:  # fmt: skip
    features = cases.features.set
    names = [features.names[place] for place in _told(cases)]
    parameters = boosting.parameters(objective, len(label)) | {
        "num_leaves": _LEAVES, "learning_rate": _RATE, "feature_fraction": 1.0,
        "min_data_in_leaf": int(max(100, len(label) / 100)),
    }  # fmt: skip
    return grow_named(
        table, label, names=names, categories=set(features.levels), parameters=parameters, rounds=_ROUNDS,
        weight=weight,
    )  # fmt: skip


def _calibrated(rows: _Rows, score: Floats, expected: Floats) -> _Classes:
    """Rates by class of the score, drawn towards what was expected by as much as opt-outs are few.

    The rate of a class has a gamma distribution before its opt-outs, which are Poisson (the idea of Efron and
    Morris 1975; the conjugate pair is textbook); its standard deviation afterwards is the error. Classes have
    as much of the contacts and the expected opt-outs together as each other, so that they are narrow where
    opt-outs are.
    """
    contacts = rows.contacts / rows.windows
    edges = _edges(score, contacts, contacts * expected)
    place = np.searchsorted(edges, score, side="right")
    sent = np.bincount(place, contacts, len(edges) + 1)
    foreseen = np.bincount(place, contacts * expected, len(edges) + 1)
    seen = np.maximum(np.bincount(place, rows.added / rows.windows, len(edges) + 1), 0.0)
    shape, spread = seen + PRIOR_OPTOUTS, sent * (1.0 + PRIOR_OPTOUTS / np.maximum(foreseen, 1e-12))
    return _Classes(edges, np.minimum(shape / spread, 1.0), np.sqrt(shape) / spread)


def _edges(score: Floats, contacts: Floats, expected: Floats) -> Floats:
    """Scores between the classes, ascending and different; shape (B - 1,)."""
    order = np.argsort(score, kind="stable")
    mass = contacts / contacts.sum() + expected / max(float(expected.sum()), 1e-12)
    reached = np.cumsum(mass[order]) / mass.sum()
    cuts = np.searchsorted(reached, np.arange(1, CLASSES) / CLASSES)
    edges: Floats = np.unique(score[order][np.minimum(cuts, len(order) - 1)])
    inner: Floats = edges[edges > score.min()]
    return inner


def _coming(cases: Cases, found: Mapping[str, Followed], boosting: Boosting) -> Any:
    """A forest of the contacts that follow an occasion within the horizon, of those who did not opt out."""
    own = [np.flatnonzero(each.open & ~each.left) for each in found.values()]
    like = np.repeat([_like(cases, channel) for channel in found], [len(rows) for rows in own])
    followed = np.concatenate([each.contacts[rows] for each, rows in zip(found.values(), own, strict=True)])
    table = _table(cases, np.concatenate(own), like)
    return _small_forest(table, followed, cases, boosting, objective="regression")


def _like(cases: Cases, channel: str) -> int:
    """A contact through a channel, which stands for all of them."""
    own = cases.playbook.treatments
    return next(place for place, t in enumerate(own) if (t.kind, t.channel) == ("contact", channel))


def _shares(cases: Cases, learned: Ints) -> Floats:
    """Of its channel's contacts, by treatment that a release learns; shape (learned,)."""
    own = [cases.playbook.treatments[index] for index in learned]
    counts = np.where([t.kind == "contact" for t in own], cases.counts[learned], 0).astype(np.float64)
    channel = np.unique([t.channel for t in own], return_inverse=True)[1].reshape(-1)
    whole = np.bincount(channel, counts)[channel]
    shares: Floats = counts / np.maximum(whole, 1.0)
    return shares
