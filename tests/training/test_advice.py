"""P(followed), learned: few answers say little, many say it for their treatment."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from data.history import Snapshot
from engine.following import Following
from engine.playbook import Playbook
from tests.engine.builders import NOW, playbook, treatment
from tests.training.builders import LogSettings, frame, manned, stored, tables
from training.advice import STARTING_WEIGHT, learn_following, of_answers, pooled_following
from training.cases import build_cases
from training.run import known_at


def by_rep(*names: str) -> Playbook:
    """Visits by a representative, who is thought to follow half of what is suggested."""
    none = treatment("none", "", kind="none", role="", issue="", group="", action="none")
    visits = (treatment(name, "visit", "news", role="rep") for name in names)
    return playbook(treatments=(none, treatment("mail", "email", "news", role="system"), *visits))


def learned(counts: dict[str, tuple[int, int]], *names: str) -> Following:
    found = pooled_following(counts, by_rep(*names))
    assert found is not None
    return found


def test_a_roles_share_starts_with_the_playbook_and_ends_with_the_answers() -> None:
    """By hand: (10 x 0.5 + 1 followed) / (10 + 2 asked); after 10,000 answers the start is forgotten."""
    assert learned({"v": (1, 2)}, "v").roles == {"rep": pytest.approx(6.0 / 12.0)}
    assert STARTING_WEIGHT == 10.0
    assert learned({"v": (2_000, 10_000)}, "v").roles["rep"] == pytest.approx(0.2, abs=0.001)


def test_few_answers_are_drawn_towards_the_role_and_many_stand_for_themselves() -> None:
    """Treatments of this role differ, so 400 answers count; two of two are still no certainty."""
    counts = {"a": (360, 400), "b": (40, 400), "c": (200, 400), "d": (2, 2)}

    found = learned(counts, *counts)

    assert found.treatments["a"] == pytest.approx(0.9, abs=0.02)
    assert found.treatments["b"] == pytest.approx(0.1, abs=0.02)
    assert found.roles["rep"] + 0.05 < found.treatments["d"] < 0.9


def test_treatments_that_differ_by_chance_only_get_the_share_of_their_role() -> None:
    """The luckiest of ten equal ones must not look best."""
    counts = {f"v{n}": (28 + n % 5, 100) for n in range(10)}

    found = learned(counts, *counts)

    assert max(abs(share - found.roles["rep"]) for share in found.treatments.values()) < 0.01


def test_nobody_asked_is_nothing_learned_and_the_system_is_not_asked() -> None:
    """Whether a machine follows is no question."""
    assert pooled_following({"mail": (3, 9)}, by_rep("v")) is None
    assert pooled_following({}, by_rep("v")) is None


def answers(rows: dict[str, pl.DataFrame], *said: tuple[str, str, float]) -> pl.DataFrame:
    """(suggestion, verb, days ago), all on visits."""
    account = rows["accounts"]["account_id"][0]
    return frame("feedback", {
        "feedback_id": [f"f{n}" for n in range(len(said))], "suggestion_id": [s for s, _, _ in said],
        "account_id": [account] * len(said), "treatment": ["visit_news"] * len(said),
        "role": ["rep"] * len(said), "user_id": ["u"] * len(said), "verb": [v for _, v, _ in said],
        "occurred_at": [NOW - int(days * 86_400_000_000) for _, _, days in said],
    })  # fmt: skip


def following_of(snapshot: Snapshot) -> Following | None:
    cases = build_cases(snapshot, manned())
    return learn_following(snapshot, cases.take(cases.matured), at=known_at(snapshot, None))


def test_of_logged_decisions_one_without_deed_or_word_was_not_followed(tmp_path: Path) -> None:
    """Half of the visits that were decided never became touchpoints: half were followed, not all."""
    rows = tables(LogSettings(accounts=300))
    visits = rows["touchpoints"].filter(pl.col("treatment") == "visit_news")
    left = pl.concat([rows["touchpoints"].filter(pl.col("treatment") != "visit_news"), visits[::2]])

    found = following_of(stored(tmp_path, rows | {"touchpoints": left}))

    assert found is not None
    assert found.treatments["visit_news"] == pytest.approx(0.5, abs=0.02)
    assert "email_news" not in found.treatments


def test_without_logged_decisions_answers_are_counted_and_not_deeds(tmp_path: Path) -> None:
    """Landmarks consist of deeds: counting them would say that everybody follows everything."""
    rows = tables(LogSettings(accounts=300, logged=False))
    silent = stored(tmp_path / "silent", rows)
    said = [("s1", "dismiss", 9.0), ("s1", "complete", 8.0), ("s2", "dismiss", 7.0), ("s3", "accept", 6.0),
            ("s4", "complete", 5.0), ("s4", "dismiss", 4.0)]  # fmt: skip
    spoken = stored(tmp_path / "spoken", rows | {"feedback": answers(rows, *said)})

    assert following_of(silent) is None
    assert of_answers(spoken, known_at(spoken, None)) == {"visit_news": (1, 3)}
    assert of_answers(spoken, NOW - 8 * 86_400_000_000) == {"visit_news": (0, 1)}
    found = following_of(spoken)
    assert found is not None
    assert found.roles["rep"] == pytest.approx((10 * 0.5 + 1) / (10 + 3))
