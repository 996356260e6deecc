"""Cases: what was known, what was done, what followed - each from its own side of the moment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.rewards import rewards
from engine.features import FeatureSet, features_as_of
from engine.records import Moments
from tests.engine.builders import NOW, at, history, outcome, playbook, response, touchpoint
from tests.full_disk import longest_file
from tests.training.builders import SMALL, LogSettings, cases_of, stored, tables
from training.case_file import write_cases
from training.cases import build_cases, stack, take
from training.consequences import responses
from training.errors import OutputError, TooFewCasesError

DAY = 86_400_000_000


def asked(day: float, treatment: str = "visit_news", account: str = "a") -> pl.DataFrame:
    """One occasion."""
    return pl.DataFrame({"account_id": [account], "as_of": [at(day)], "treatment": [treatment]})


def test_outcomes_count_from_the_very_moment_until_before_the_end_of_the_horizon() -> None:
    """[as_of, as_of + horizon): 1 + 2 fall into it, 10 lies before, 20 at its end."""
    past = history(outcome(-30.5, 10.0), outcome(-30, 1.0), outcome(-20.001, 2.0), outcome(-20, 20.0))

    found = rewards(past, asked(-30), playbook(), at=NOW, horizon=10 * DAY)

    assert found.tolist() == [3.0]


def test_outcomes_are_worth_what_the_playbook_says() -> None:
    """An order is worth half here, a kind that the playbook does not name nothing."""
    past = history(outcome(-29, 10.0, kind="order"), outcome(-28, 7.0, kind="unknown"))

    assert rewards(past, asked(-30), playbook(), at=NOW, horizon=10 * DAY).tolist() == [5.0]


def test_each_occasion_gets_its_own_accounts_outcomes_in_its_own_place() -> None:
    """Order of the occasions is kept, and windows may overlap."""
    past = history(outcome(-29, 1.0), outcome(-25, 4.0, account_id="b"), accounts=("a", "b"))
    occasions = pl.concat([asked(-26, account="b"), asked(-30), asked(-29.5), asked(-10)])

    assert rewards(past, occasions, playbook(), at=NOW, horizon=10 * DAY).tolist() == [4.0, 1.0, 1.0, 0.0]


def test_a_response_counts_for_the_treatment_that_was_carried_out_soon_after() -> None:
    """A click on the e-mail of that day counts, one on a visit a month later does not."""
    past = history(
        touchpoint(-30, id="t1", channel="email", treatment="email_news"),
        response("t1", -28.0),
        touchpoint(-10, id="t2", treatment="visit_news"),
        response("t2", -9.0, "accepted"),
    )

    mail = responses(past, asked(-30, "email_news"), at=NOW, horizon=30 * DAY)
    visit = responses(past, asked(-30, "visit_news"), at=NOW, horizon=30 * DAY)

    assert (mail.tolist(), visit.tolist()) == ([True], [False])


def test_a_rejection_or_a_response_after_the_horizon_is_no_positive_response() -> None:
    """Both happened, neither is a success."""
    past = history(
        touchpoint(-30, id="t1", treatment="visit_news"),
        response("t1", -29.0, "rejected"),
        response("t1", -5.0, "accepted"),
    )

    assert responses(past, asked(-30), at=NOW, horizon=10 * DAY).tolist() == [False]


def test_features_of_a_case_are_those_of_the_one_feature_path(tmp_path: Path) -> None:
    """Law 2: what training saw is what serving computes, to the bit."""
    snapshot = stored(tmp_path)
    cases = build_cases(snapshot, SMALL)

    bucket, past = next(iter(snapshot.histories()))
    own = [row for row, account in enumerate(cases.account_ids) if account in snapshot.account_ids(bucket)]
    moments = Moments(tuple(cases.account_ids[row] for row in own), cases.as_of[own])
    served = features_as_of(past, moments, playbook=SMALL, features=FeatureSet.of(SMALL, snapshot.attributes))

    ours = cases.take(np.array(own)).features
    for group in ("account", "channel", "topic", "message", "treatment"):
        np.testing.assert_array_equal(getattr(ours, group), getattr(served, group))


def test_the_contact_that_carries_a_decision_out_is_not_known_at_it(tmp_path: Path) -> None:
    """It occurs at the moment of the decision; a model that saw it would know the answer."""
    cases = cases_of(tmp_path)
    first = cases.take(np.flatnonzero((cases.action > 0) & (cases.as_of == cases.as_of.min())))

    contacts = first.features.account[:, first.features.set.account.index("outbound_any_30d")]

    assert contacts.sum() == 0


def test_logged_decisions_keep_their_probability_and_eligible_set(tmp_path: Path) -> None:
    """They are what makes an unbiased estimate possible."""
    cases = cases_of(tmp_path)

    assert cases.basis == "decisions"
    assert set(cases.probability) == {0.5, 0.25}
    assert cases.eligible.sum(axis=0).tolist() == [900, 900, 0, 0, 900]
    assert cases.reward.mean() == pytest.approx(105, abs=5)


def test_without_decisions_landmarks_are_laid(tmp_path: Path) -> None:
    """Where only touchpoints exist there are cases all the same, without probabilities."""
    cases = cases_of(tmp_path, LogSettings(logged=False))

    assert cases.basis == "landmarks"
    assert np.isnan(cases.probability).all()
    assert set(cases.options) == {0}
    assert cases.overlap() > 0.5


def test_treatments_that_the_playbook_lacks_are_left_out_and_counted(tmp_path: Path) -> None:
    """Silently dropped cases would bias what is left without anybody knowing."""
    rows = tables()
    strange = rows["decisions"].with_columns(
        pl.when(pl.col("treatment") == "email_news")
        .then(pl.lit("fax"))
        .otherwise("treatment")
        .alias("treatment")
    )

    cases = build_cases(stored(tmp_path, rows | {"decisions": strange}), SMALL)

    assert cases.left_out == {"treatment 'fax' is not in the playbook": 228}
    assert cases.counts[1] == 0


def test_cases_whose_window_reaches_beyond_the_newest_outcome_are_immature(tmp_path: Path) -> None:
    """An outcome that has not come yet is not an outcome of zero."""
    cases = cases_of(tmp_path, LogSettings(until_days=-3.0))
    last = cases.as_of == cases.as_of.max()

    assert not cases.matured[last].any()
    assert cases.matured[~last].all()


def test_a_date_that_lies_ahead_makes_no_case_mature(tmp_path: Path) -> None:
    """One outcome of 2099 would make every unfinished window count as a finished one without outcomes."""
    rows = tables()
    slip = (
        rows["outcomes"]
        .tail(1)
        .with_columns(pl.lit("slip").alias("outcome_id"), pl.col("occurred_at").dt.offset_by("70y"))
    )
    right = build_cases(stored(tmp_path / "right", rows), SMALL)

    wrong = build_cases(
        stored(tmp_path / "wrong", rows | {"outcomes": pl.concat([rows["outcomes"], slip])}), SMALL
    )

    assert wrong.known_until == right.known_until
    assert wrong.matured.tolist() == right.matured.tolist()


def test_training_as_of_an_earlier_time_knows_nothing_later(tmp_path: Path) -> None:
    """`--as-of` must give what would have been learned then."""
    snapshot = stored(tmp_path)
    cut = at(-60)

    earlier = build_cases(snapshot, SMALL, at=cut)

    assert earlier.as_of.max() < cut
    assert earlier.known_until < cut


def test_occasions_before_anything_was_known_are_left_out(tmp_path: Path) -> None:
    """The first wave of a log has no past: whatever is learned there cannot use a feature."""
    rows = tables()
    rows["outcomes"] = (
        rows["outcomes"]
        .filter(pl.col("occurred_at").dt.year() == 2025)
        .filter(pl.col("occurred_at") >= rows["decisions"]["decided_at"].min())
    )

    cases = build_cases(stored(tmp_path, rows), SMALL)

    assert cases.left_out == {"before anything was known of anybody": 300}


def test_a_history_without_decisions_and_contacts_says_so(tmp_path: Path) -> None:
    """One clear line."""
    with pytest.raises(TooFewCasesError, match="no case to learn from"):
        build_cases(stored(tmp_path, {"accounts": tables()["accounts"]}), SMALL)


def test_the_table_of_cases_has_texts_for_codes(tmp_path: Path) -> None:
    """Whoever builds a model of their own must not need our codes."""
    cases = cases_of(tmp_path)

    write_cases(cases, tmp_path / "out" / "cases.parquet")

    table = pl.read_parquet(tmp_path / "out" / "cases.parquet")
    assert set(table["feature:segment"]) == {"A", "B"}
    assert table.height == len(cases)
    assert set(table["treatment"]) == {"none", "email_news", "visit_news"}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_of_a_table_for_which_the_disk_is_too_small_nothing_is_left(tmp_path: Path, ending: str) -> None:
    """One line with the file's name; what was begun does not fill the disk further."""
    cases, out = cases_of(tmp_path / "log"), tmp_path / "out" / f"cases.{ending}"

    with longest_file(10_000), pytest.raises(OutputError) as found:
        write_cases(cases, out)

    assert str(found.value).startswith(f"{out} cannot be written (")
    assert "\n" not in str(found.value)
    assert list(out.parent.iterdir()) == []


def test_taking_rows_and_stacking_them_again_changes_nothing(tmp_path: Path) -> None:
    """Buckets are joined and splits are taken all the time."""
    features = cases_of(tmp_path).features
    half = np.arange(len(features.moments)) < 400

    again = stack([take(features, half), take(features, ~half)])

    np.testing.assert_array_equal(again.message, features.message)
    assert again.moments.account_ids == features.moments.account_ids


def test_what_was_done_against_the_rules_is_not_eligible_for_a_policy(tmp_path: Path) -> None:
    """Were it, a policy could tell from what is eligible what was chosen, and would be valued too highly."""
    strict = replace(SMALL, treatments=tuple(replace(t, approved_until=1) for t in SMALL.treatments))
    rows = tables(LogSettings(accounts=60, logged=False))

    cases = build_cases(stored(tmp_path, rows), strict)

    assert (cases.action > 0).any()
    assert not cases.eligible[:, 1:].any()


def test_what_was_dismissed_stands_in_the_table_as_not_followed(tmp_path: Path) -> None:
    """P(followed) can be learned only if refusals reach the table, each with its reason."""
    rows = tables()
    mails = rows["decisions"].filter(pl.col("treatment") == "email_news")
    said = mails.select(
        pl.concat_str(pl.lit("f-"), "decision_id").alias("feedback_id"),
        pl.col("decision_id").alias("suggestion_id"),
        "account_id",
        "treatment",
        pl.lit("manager").alias("role"),
        pl.lit("u").alias("user_id"),
        pl.col("decided_at").alias("occurred_at"),
        pl.lit("dismiss").alias("verb"),
        pl.lit("wrong_message").alias("reason"),
        pl.col("decided_at").alias("stored_at"),
    )

    cases = build_cases(stored(tmp_path, rows | {"feedback": said}), SMALL)

    found = (
        cases.frame().group_by("treatment").agg(pl.col("followed", "dismissed").unique()).sort("treatment")
    )
    assert found.rows() == [
        ("email_news", [False], ["wrong_message"]),
        ("none", [None], [""]),
        ("visit_news", [True], [""]),
    ]
