"""What is served: a simulated company, loaded, decided for a night, with tokens for its people."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime

import lightgbm
import numpy as np

from api.nightly import run_night
from benchmarks.material import forest
from data.artifacts import write_release
from data.history import HistoryStore
from data.ingest import ingest
from data.ledger.ledger import Ledger
from data.playbooks import read_playbook
from data.settings import Settings
from data.times import now_micros
from data.world import WorldSettings, write_world
from engine.features import Features, FeatureSet, features_as_of
from engine.playbook import Playbook
from engine.readers import VALUE_FOREST
from engine.records import DAY_MICROS, Moments, join
from engine.released import FORMAT

TREES, LEAVES = 300, 31
RELEASE = "bench"


@dataclass(frozen=True)
class Served:
    """A home that can be served.

    Attributes:
        booster: The forest of the release in use: the worth of every account x treatment.
        tokens: User -> bearer token.
        accounts: Account -> the account manager who serves it.
    """

    settings: Settings
    booster: lightgbm.Booster
    tokens: dict[str, str]
    accounts: dict[str, str]


def company(settings: Settings, *, accounts: int, trees: int = TREES) -> Served:
    """A world that ends this morning, its night decided."""
    until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    write_world(WorldSettings(accounts=accounts, until=until), settings.home / "world")
    ingest(settings.home / "world", settings.as_home(), loaded_at=now_micros())
    booster = _promote(settings, trees)
    run_night(settings)
    return Served(settings, booster, *_people(settings))


def _promote(settings: Settings, trees: int) -> lightgbm.Booster:
    """Grow a forest on the world's own features and put it in use as a release."""
    known = known_now(settings)
    booster = forest(known, trees=trees, leaves=LEAVES)
    home = settings.as_home()
    release = write_release(home.models, RELEASE, *_release(booster, known, read_playbook(settings.playbook)))
    ledger = Ledger.open(home)
    ledger.put_release_in_use(RELEASE, release.manifest_hash, now=now_micros(), by="bench")
    ledger.close()
    return booster


def known_now(settings: Settings) -> Features:
    """What is known of every account in the history."""
    snapshot = HistoryStore(settings.as_home().history).current()
    assert snapshot is not None
    playbook = read_playbook(settings.playbook)
    history = join([snapshot.read(bucket) for bucket in range(snapshot.buckets)])
    ids = sorted(a for bucket in range(snapshot.buckets) for a in snapshot.account_ids(bucket))
    return features_as_of(
        history, Moments.at(ids, now_micros()), playbook=playbook,
        features=FeatureSet.of(playbook, snapshot.attributes),
    )  # fmt: skip


def _release(
    booster: lightgbm.Booster, known: Features, playbook: Playbook
) -> tuple[dict[str, bytes], dict[str, object]]:
    """Files and manifest of a release whose worth of every contact is what the forest says."""
    learned = [t.id for t in playbook.treatments if t.kind != "stop"]
    channels, topics = sorted({c.id for c in playbook.channels}), sorted({t.id for t in playbook.topics})
    each = np.ones(len(learned))
    arrays = {
        "value": each, "uplift": each, "response": 0.1 * each, "error": each,
        "pool_effect": np.zeros((len(channels) + 1, len(topics) + 1)),
        "pool_error": np.ones((len(channels) + 1, len(topics) + 1)),
    }  # fmt: skip
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **arrays)
    manifest: dict[str, object] = {
        "format": FORMAT, "learner": "s_learner", "release": RELEASE, "playbook": playbook.version,
        "treatments": learned, "feature_names": list(known.set.names),
        "levels": {name: list(levels) for name, levels in known.set.levels.items()},
        "evidence": dict.fromkeys(learned, 1_000), "pool": {"channels": channels, "topics": topics},
    }  # fmt: skip
    return {VALUE_FOREST: booster.model_to_string().encode(), "values.npz": packed.getvalue()}, manifest


def _people(settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """Account managers' tokens, and who of them serves which account."""
    ledger, now = Ledger.open(settings.as_home()), now_micros()
    tokens, accounts = {}, {}
    for user in ledger.users():
        if user.role == "account_manager":
            tokens[user.user_id] = ledger.issue_token(user.user_id, now=now, expires_at=now + DAY_MICROS)
            accounts |= {account: user.user_id for account, _ in ledger.accounts_served(user.user_id)}
    ledger.close()
    return tokens, accounts
