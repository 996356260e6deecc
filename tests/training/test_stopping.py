"""Opt-outs are learned from what followed contacts: whose, how surely, and not those of our own making."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.forest import parse_forest
from engine.records import DAY_MICROS, Floats
from engine.stopping import COMING_FOREST, OPTOUT_FOREST, Ends, Going, Stopping, going_on
from tests.training.builders import QUICK, SMALL, LogSettings, frame, refusal, stored, tables
from training.behaviour import assignment_of
from training.cases import Cases, build_cases, known_at
from training.learners import LEARNERS
from training.release import parts_of, with_stopping
from training.stopping import Learned, Unrecorded, doubt, learn_stopping

MANY = LogSettings(accounts=900)


def optouts(log: dict[str, pl.DataFrame], chosen: pl.Series, *, source: str = "link") -> pl.DataFrame:
    """Preferences of accounts that leave half a day after the decisions that are chosen (by row)."""
    left = log["decisions"].filter(chosen)
    count = left.height
    since = left["decided_at"].cast(pl.Int64).to_numpy() + DAY_MICROS // 2
    return frame("preferences", {
        "account_id": left["account_id"], "channel": ["email"] * count, "purpose": ["marketing"] * count,
        "kind": ["permission"] * count, "status": ["opt_out"] * count, "since": since,
        "source": [source] * count, "stored_at": since,
    })  # fmt: skip


def drawn(log: dict[str, pl.DataFrame], share: float, *, segment: str = "", treatment: str = "") -> pl.Series:
    """A share of the decisions, of a segment and a treatment where these are named."""
    decisions = log["decisions"].join(log["accounts"].select("account_id", "segment"), on="account_id")
    luck = np.random.default_rng(5).random(decisions.height) < share
    own = pl.Series(luck)
    if segment:
        own = own & (decisions["segment"] == segment)
    return own & (decisions["treatment"] == treatment) if treatment else own


def learned(
    folder: Path, wishes: pl.DataFrame | None, log: dict[str, pl.DataFrame]
) -> tuple[Learned | None, Cases]:
    snapshot = stored(folder, log | ({} if wishes is None else {"preferences": wishes}))
    cases = build_cases(snapshot, SMALL)
    assignment = assignment_of(cases, QUICK, seed=0)
    fitted = LEARNERS["best_fixed"].learn(cases, assignment.probability, QUICK)
    found = learn_stopping(snapshot, cases, fitted, QUICK, at=known_at(snapshot, None), seed=0)
    assert not isinstance(found, Unrecorded)
    return found, cases


def going(found: Learned, cases: Cases) -> Going:
    """What the release would say at each case."""
    texts = {COMING_FOREST: found.coming} | ({} if found.booster is None else {OPTOUT_FOREST: found.booster})
    forests = {name: parse_forest(booster.model_to_string()) for name, booster in texts.items()}
    ends = Ends.of(found.stopping, SMALL, ("none", "email_news", "visit_news"))
    return going_on(found.stopping, ends, forests, cases.features)


def rate_of_e_mails(found: Learned, cases: Cases, segment: str) -> Floats:
    fact = cases.features.fact("segment")
    assert fact.levels is not None
    rates = going(found, cases).rates[:, found.stopping.channels.index("email")]
    return rates[fact.values[:, 0] == fact.levels.index(segment)]


def test_who_leaves_after_e_mails_is_found_and_how_often(tmp_path: Path) -> None:
    """Half of segment B leaves after an e-mail, nobody of A does, and nobody after a visit."""
    log = tables(MANY)
    wishes = optouts(log, drawn(log, 0.5, segment="B", treatment="email_news"))

    found, cases = learned(tmp_path, wishes, log)

    assert found is not None
    tired, others = (float(rate_of_e_mails(found, cases, segment).mean()) for segment in ("B", "A"))
    assert 0.35 < tired < 0.6
    assert others < 0.05
    visits = going(found, cases).rates[:, found.stopping.channels.index("visit")]
    assert visits.max() < 0.05
    assert found.optouts["email"] == wishes["account_id"].n_unique()


def test_the_error_of_a_rate_is_what_so_few_opt_outs_leave(tmp_path: Path) -> None:
    """A tenth of the accounts, three times the error."""
    log, few = tables(MANY), tables(replace(MANY, accounts=300))
    found, _ = learned(tmp_path / "many", optouts(log, drawn(log, 0.1, treatment="email_news")), log)
    less, _ = learned(tmp_path / "few", optouts(few, drawn(few, 0.1, treatment="email_news")), few)

    assert found is not None
    assert less is not None
    assert less.booster is None, "Too few opt-outs to tell accounts apart."
    whole = float(less.stopping.error[0] / less.stopping.rate[0])
    assert whole > 1.0 / np.sqrt(sum(less.optouts.values()) + 4.0)
    assert (found.stopping.error > 0.0).all()


def test_our_own_stops_are_no_opt_outs(tmp_path: Path) -> None:
    """Else every stop would be taken for proof that stops are needed."""
    log = tables(MANY)
    chosen = drawn(log, 0.5, segment="B", treatment="email_news")
    ours = optouts(log, chosen, source="stop:s1:1")

    found, cases = learned(tmp_path, pl.concat([ours, refusal(log)]), log)

    assert found is not None
    assert found.optouts["email"] == 0
    assert rate_of_e_mails(found, cases, "B").max() < 0.01


def test_who_leaves_without_any_contact_is_not_laid_to_contacts(tmp_path: Path) -> None:
    """As many leave after no contact as after an e-mail: e-mails add nothing."""
    log = tables(MANY)

    found, cases = learned(tmp_path, optouts(log, drawn(log, 0.2)), log)

    assert found is not None
    assert float(rate_of_e_mails(found, cases, "B").mean()) < 0.08


def test_contacts_to_come_are_those_that_came(tmp_path: Path) -> None:
    """A quarter of the decisions is an e-mail, and no other decision falls into the 30 days."""
    log = tables(MANY)

    found, cases = learned(tmp_path, refusal(log), log)

    assert found is not None
    coming = going(found, cases).coming[:, found.stopping.channels.index("email")]
    assert abs(float(coming.mean()) - 0.25) < 0.03
    assert found.stopping.share.tolist() == [0.0, 1.0, 1.0]


def test_too_few_contacts_teach_nothing(tmp_path: Path) -> None:
    """The release then keeps the playbook's starting values."""
    log = tables(LogSettings(accounts=200))

    found, _ = learned(tmp_path, None, log)

    assert found is None


@pytest.mark.parametrize("source", ["", "stop:s1:1"])
def test_a_history_that_records_no_opt_outs_teaches_nothing_of_them(tmp_path: Path, source: str) -> None:
    """No rate of 0: contacts would seem free of what nobody wrote down. Stops of ours show nothing."""
    log = tables(MANY)
    wishes = optouts(log, drawn(log, 0.5), source=source) if source else None
    snapshot = stored(tmp_path, log | ({} if wishes is None else {"preferences": wishes}))
    cases = build_cases(snapshot, SMALL)
    fitted = LEARNERS["best_fixed"].learn(cases, assignment_of(cases, QUICK, seed=0).probability, QUICK)

    found = learn_stopping(snapshot, cases, fitted, QUICK, at=known_at(snapshot, None), seed=0)

    assert isinstance(found, Unrecorded)
    assert found.contacts["email"] > 200
    parts = parts_of(fitted, cases, QUICK)
    assert with_stopping(parts, found) is parts
    assert Stopping.of({"stopping": found.as_json(), "treatments": []}, {}) is None
    assert "the playbook's fatigue stays" in doubt(found.as_json())


def test_where_opt_outs_are_recorded_but_followed_no_contact_it_is_said_what_that_rests_on(
    tmp_path: Path,
) -> None:
    """Rates are drawn towards none then; with one opt-out there is nothing to say."""
    log = tables(MANY)
    wishes = optouts(log, drawn(log, 0.5, segment="B", treatment="email_news"))

    none, _ = learned(tmp_path / "none", refusal(log), log)
    some, _ = learned(tmp_path / "some", wishes, log)

    assert none is not None
    assert some is not None
    assert doubt(none.as_json()).startswith("No opt-out followed a contact")
    assert [doubt(some.as_json()), doubt(None)] == ["", ""]


def test_the_same_log_teaches_the_same(tmp_path: Path) -> None:
    """Same inputs, same seed: same bits."""
    log = tables(MANY)
    wishes = optouts(log, drawn(log, 0.5, segment="B", treatment="email_news"))
    first, _ = learned(tmp_path / "a", wishes, log)
    second, _ = learned(tmp_path / "b", wishes, log)

    assert first is not None
    assert second is not None
    assert first.booster.model_to_string() == second.booster.model_to_string()
    assert [each.tobytes() for each in first.stopping.arrays().values()] == [
        each.tobytes() for each in second.stopping.arrays().values()
    ]
