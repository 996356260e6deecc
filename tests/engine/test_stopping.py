"""What stopping is worth: all that further contacts would bring, and only what is proven is promoted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from engine import scoring
from engine.amounts import amounts_of
from engine.decide import decide
from engine.explanation import objection_words, why, why_not, words
from engine.features import FeatureSet
from engine.playbook import Playbook
from engine.records import EngineError
from engine.scoring import LearnedScorer, learned_scorer
from engine.stopping import Going, going_on
from engine.wording import Reader
from tests.engine.builders import ATTRIBUTES, NOW, TREATMENTS, history, playbook, touchpoint
from tests.engine.deciding import READY, decided, index
from tests.engine.random_histories import random_history, random_moments
from tests.engine.releases import arrays, everybody_gets, known_of, manifest, scorer, stopping_scorer

KNOWN = known_of()
CALM = playbook(suppressions=())
STOP = index(decided(history(*READY)), "stop_email")
MAILS = tuple(touchpoint(-10.0 * i, channel="email", treatment="email_news") for i in range(1, 7))


def with_rest(days: float) -> Playbook:
    """The stop of e-mails ends by itself."""
    return replace(
        CALM, treatments=tuple(replace(t, days=days) if t.kind == "stop" else t for t in TREATMENTS)
    )


def worth(release: LearnedScorer) -> tuple[float, float, float, float]:
    """Of the stop for the first account: risk, what is lost, worth, error."""
    found = release.stop_worth(KNOWN, release.score(KNOWN), STOP)
    assert found is not None
    return tuple(float(part[0]) for part in (found.risk, found.caused, found.worth, found.error))


def test_what_stopping_is_worth_can_be_added_up_by_hand() -> None:
    """4 e-mails to come, each the last one with probability 0.1: 1 - 0.9^4 = 0.3439 opt-outs at 500 and 3.439
    e-mails sent, which would cause 4 each and cost 1. Service e-mails are not stopped."""
    risk, lost, total, error = worth(stopping_scorer(KNOWN))

    assert risk == pytest.approx(0.3439)
    assert lost == pytest.approx(4 * 3.439)
    assert total == pytest.approx(0.3439 * 500 + 3.439 - 4 * 3.439)
    # Effects err by 1 an e-mail, rates by 0.01.
    assert error == pytest.approx(np.hypot(3.439 * 1.0, 500 * 4 * 0.01))


def test_a_rest_counts_its_own_days() -> None:
    """Half the horizon, half the e-mails."""
    risk, *_ = worth(stopping_scorer(KNOWN, with_rest(30.0)))

    assert risk == pytest.approx(1 - 0.9**2)


def test_contacts_are_charged_the_learned_risk_of_an_opt_out() -> None:
    """What was assumed of e-mails no longer counts; of visits nothing was learned, so it does."""
    found = stopping_scorer(KNOWN, rate=0.07).score(KNOWN).optout[0]

    assert found[index(decided(history(*READY)), "email_news")] == 0.07
    assert found[index(decided(history(*READY)), "visit_news")] == 0.001
    assert found[[0, STOP]].tolist() == [0.0, 0.0]


def test_a_proven_stop_stands_on_the_list_with_its_parts_and_interval() -> None:
    """Whoever is to end a conversation must be able to check the reckoning."""
    result = decided(history(*READY, *MAILS), rules=CALM, scorer=stopping_scorer(KNOWN))

    assert STOP in result.ranking.places[0]
    reason = next(r for r in why(result, 0, STOP, CALM) if r.code == "stop_saving")
    assert words(reason, Reader("en", NOW, None, CALM)) == (
        "Within 60 days about 4 contacts would follow: they would bring 14 EUR and cost 3.44 EUR; the risk "
        "of an opt-out (34%) costs 172 EUR. Stopping saves 162 EUR (from 128 EUR to 195 EUR)."
    )


def test_what_chance_alone_explains_is_not_promoted_and_says_so() -> None:
    """The same amount, less surely: it waits for evidence, and is not called incomparable."""
    result = decided(history(*READY, *MAILS), rules=CALM, scorer=stopping_scorer(KNOWN, error=0.1))

    assert STOP not in result.ranking.places[0]
    assert result.priority.priority[0, STOP] == 0.0
    (against,) = why_not(result, 0, STOP, CALM)
    assert against.rule == "not_proven"
    assert objection_words(against, Reader("en", NOW, None, CALM)) == (
        "Stopping would save 162 EUR, but that may be chance; it waits for more evidence."
    )
    counted = dict(result.funnel().filter(stage="arbitration").select("rule", "removed").iter_rows())
    assert counted["not_proven"] == 1
    assert counted["not_comparable"] == 0


def test_an_account_that_is_less_known_makes_a_stop_less_certain() -> None:
    """It may be one that likes our e-mails."""
    assert worth(stopping_scorer(KNOWN, account_error=30.0))[3] > worth(stopping_scorer(KNOWN))[3] + 50.0


def test_a_stop_that_loses_is_below_no_contact() -> None:
    """Where nobody opts out, e-mails that sell are worth more than silence."""
    result = decided(history(*READY), rules=CALM, scorer=stopping_scorer(KNOWN, rate=0.0, error=0.0))

    assert result.priority.priority[0, STOP] < 0.0
    assert why_not(result, 0, STOP, CALM)[0].rule == "below_no_contact"


def test_deciding_together_equals_deciding_one_by_one() -> None:
    """Law 1 holds for stops as well, to the bit."""
    past, asked = random_history(3), random_moments(3, 20)
    release = stopping_scorer(KNOWN, CALM)
    features = FeatureSet.of(CALM, ATTRIBUTES)
    together = decide(past, asked, playbook=CALM, features=features, scorer=release, seed=1)

    for row, account in enumerate(asked.account_ids):
        alone = replace(asked, account_ids=(account,), as_of=asked.as_of[row : row + 1])
        one = decide(past, alone, playbook=CALM, features=features, scorer=release, seed=1)
        assert one.priority.priority[0].tobytes() == together.priority.priority[row].tobytes()
        assert one.stop_worth(STOP).error[0] == together.stop_worth(STOP).error[row]  # type: ignore[union-attr]


@pytest.mark.parametrize("formula", ["value", "leaders"])
def test_a_stop_is_explained_by_what_was_scored(
    formula: Literal["value", "leaders"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forests say what comes when the account is scored; they need not be asked again for its reasons."""
    asked: list[int] = []

    def counted(*given: Any) -> Going:
        asked.append(1)
        return going_on(*given)

    monkeypatch.setattr(scoring, "going_on", counted)
    rules = replace(CALM, priority=formula)
    result = decided(history(*READY), rules=rules, scorer=stopping_scorer(KNOWN, rules))

    found = amounts_of(result, 0, STOP, rules)

    assert why(result, 0, STOP, rules)
    assert asked == [1]
    theirs = stopping_scorer(KNOWN, rules)
    explain = theirs.response_contributions if formula == "leaders" else theirs.contributions
    apart = explain(result.features, np.array([0]), STOP)
    lever = float(result.priority.lever[0, STOP])
    factor = TREATMENTS[STOP].value if formula == "leaders" else float(result.priority.followed[0, STOP])
    assert found.general == float(apart.constant[0]) * (factor * lever)


def test_contacts_are_never_reckoned_to_bring_less_than_nothing() -> None:
    """Of thousands of accounts some have an unlucky estimate; that alone must not end a conversation."""
    release = stopping_scorer(KNOWN)
    scores = release.score(KNOWN)
    scores.value[:, 1] = scores.value[:, 0] - 100.0

    found = release.stop_worth(KNOWN, scores, STOP)

    assert found is not None
    assert not found.caused.any()


def test_a_channel_that_the_playbook_gave_up_is_left_out() -> None:
    """An old release must not keep a company from deciding."""
    kept = tuple(t for t in TREATMENTS if t.channel != "email")
    rules = replace(CALM, treatments=kept)
    known = known_of()
    release = stopping_scorer(known, rules)

    found = decided(history(*READY), rules=rules, scorer=release)

    assert (found.priority.fatigue[0, 1:] == 0.5).all()


def test_without_a_word_on_opt_outs_the_starting_values_hold() -> None:
    """Releases from before know nothing of stops."""
    assert scorer(KNOWN).stop_worth(KNOWN, scorer(KNOWN).score(KNOWN), STOP) is None
    assert scorer(KNOWN).score(KNOWN).optout[0, 1] == 0.01


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ({"optout_rate": [1.2]}, "no probability"),
        ({"coming_share": [0.0, 1.0]}, "'coming_share' has shape (2,), but needs 3"),
        ({"optout_edges": [0.0]}, "'optout_edges' has shape (1,), but needs 0"),
    ],
)
def test_a_damaged_release_is_refused(damage: dict[str, list[float]], says: str) -> None:
    """Better no release than one that ends conversations by mistake."""
    own = {"optout_edges": [], "optout_rate": [0.1], "optout_error": [0.0], "coming_share": [0.0, 1.0, 1.0]}
    said = manifest(KNOWN, stopping={"channels": ["email"]}, horizon_days=60.0)

    with pytest.raises(EngineError, match=says.replace("(", r"\(").replace(")", r"\)")):
        learned_scorer(said, {"coming.forest.txt": everybody_gets(KNOWN, 1.0)}, arrays(**own | damage), CALM)


def test_a_release_without_the_forest_of_what_comes_is_refused() -> None:
    """The same."""
    own = {"optout_edges": [], "optout_rate": [0.1], "optout_error": [0.0], "coming_share": [0.0, 1.0, 1.0]}
    said = manifest(KNOWN, stopping={"channels": ["email"]}, horizon_days=60.0)

    with pytest.raises(EngineError, match=r"no 'coming\.forest\.txt'"):
        learned_scorer(said, {}, arrays(**own), CALM)
