"""What a trained release says of a message that nobody has been given."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.scoring import learned_scorer
from tests.training.builders import QUICK, SMALL, LogSettings, cases_of
from training.learners import LEARNERS
from training.release import manifest_of, parts_of

EMAIL_NEWS, EMAIL_SAFETY = 1, 2


@pytest.mark.parametrize("learner", ["linear", "s_learner", "t_learner"])
def test_a_new_message_is_worth_more_to_those_who_gain_by_such_messages(learner: str, tmp_path: Path) -> None:
    """E-mails on the news bring 30 in segment B and lose 5 in A: one on safety is taken to do alike."""
    cases = cases_of(tmp_path, LogSettings(accounts=600))
    fitted = LEARNERS[learner].learn(cases, cases.probability, QUICK)
    parts = parts_of(fitted, cases, QUICK)
    made = manifest_of(learner, fitted, cases, "20260101", {})
    scorer = learned_scorer(made, parts.texts, {"values": parts.arrays}, SMALL)

    scores = scorer.score(cases.features)

    column = cases.features.set.account.index("segment")
    in_b = cases.features.account[:, column] == cases.features.set.levels["segment"].index("B")
    caused = scores.value - scores.value[:, :1]
    more = caused[in_b].mean(axis=0) - caused[~in_b].mean(axis=0)
    assert more[EMAIL_NEWS] > 20.0
    assert more[EMAIL_SAFETY] > 5.0
    assert (scores.uncertainty[:, EMAIL_SAFETY] > scores.uncertainty[:, EMAIL_NEWS]).all()
    assert not scores.evidence[EMAIL_SAFETY]
