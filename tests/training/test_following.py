"""Labels for P(followed): what people answered to what was suggested."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from engine.contract import TABLES
from engine.records import DAY_MICROS, History, empty_frame
from training.following import followed

AT = 100 * DAY_MICROS
START = 10 * DAY_MICROS


def frame(table: str, *rows: dict[str, Any]) -> pl.DataFrame:
    """Facts stored when they occurred."""
    whole = [{"stored_at": row["occurred_at"], "deleted": False} | row for row in rows]
    times = [name for name, kind in TABLES[table].schema.items() if kind == pl.Datetime("us", "UTC")]
    given = pl.DataFrame(whole).with_columns(
        pl.col(name).cast(pl.Datetime("us", "UTC")) for name in times if name in whole[0]
    )
    return pl.concat([empty_frame(table), given], how="diagonal_relaxed")


def answer(
    day: float, verb: str, treatment: str = "visit", account: str = "a", **others: Any
) -> dict[str, Any]:
    return {"feedback_id": f"{account}{day}{verb}", "account_id": account, "treatment": treatment,
            "verb": verb, "occurred_at": START + round(day * DAY_MICROS)} | others  # fmt: skip


def deed(day: float, treatment: str = "visit", account: str = "a", **others: Any) -> dict[str, Any]:
    return {"touchpoint_id": f"t{account}{day}", "account_id": account, "treatment": treatment,
            "status": "done", "direction": "outbound", "channel": "visit",
            "occurred_at": START + round(day * DAY_MICROS)} | others  # fmt: skip


def labels(
    feedback: list[dict[str, Any]], deeds: list[dict[str, Any]], *, days: list[float],
    logged: list[bool | None],
) -> tuple[list[float], list[str]]:  # fmt: skip
    """Of visits decided for account a on some days, d0 and so on, with a horizon of 30 days."""
    frames = {"feedback": frame("feedback", *feedback)} if feedback else {}
    frames |= {"touchpoints": frame("touchpoints", *deeds)} if deeds else {}
    occasions = pl.DataFrame(
        {
            "account_id": ["a"] * len(days), "as_of": [START + round(day * DAY_MICROS) for day in days],
            "treatment": ["visit"] * len(days), "followed": logged,
            "decision_id": [f"d{place}" for place in range(len(days))],
        },
        schema_overrides={"followed": pl.Boolean},
    )  # fmt: skip
    found, reasons = followed(History(frames), occasions, at=AT, horizon=30 * DAY_MICROS)
    return found.tolist(), reasons.tolist()


def label(
    feedback: list[dict[str, Any]], deeds: list[dict[str, Any]] | None = None, *, logged: bool | None = None
) -> tuple[float, str]:
    """Of a visit decided at the start."""
    (found,), (reason,) = labels(feedback, deeds or [], days=[0.0], logged=[logged])
    return found, reason


def test_a_dismissal_was_not_followed_for_its_reason() -> None:
    """Reasons that are stored and forgotten are why people stop giving them."""
    assert label([answer(1, "dismiss", reason="wrong_time")]) == (0.0, "wrong_time")


def test_what_was_completed_or_simply_done_was_followed() -> None:
    """Not everybody presses the button."""
    assert label([answer(1, "complete")]) == (1.0, "")
    assert label([], [deed(2)]) == (1.0, "")


def test_the_last_answer_holds_and_an_answer_outweighs_a_deed() -> None:
    """Dismissed as done already: it was done, but not because it was suggested."""
    assert label([answer(1, "dismiss", reason="other"), answer(2, "complete")]) == (1.0, "")
    assert label([answer(1, "dismiss", reason="already_done")], [deed(1)]) == (0.0, "already_done")


def test_nothing_said_is_not_known_and_what_was_logged_counts() -> None:
    """Silence is neither yes nor no."""
    assert math.isnan(label([])[0])
    assert math.isnan(label([answer(1, "accept"), answer(2, "snooze")])[0])
    assert label([], logged=False) == (0.0, "")
    assert label([answer(1, "complete")], logged=False) == (1.0, "")


def test_a_deed_does_not_overrule_what_was_logged_of_the_decision() -> None:
    """Visited anyway, for a reason of his own: the log knows, the visit does not."""
    assert label([], [deed(2)], logged=False) == (0.0, "")
    assert label([answer(1, "complete")], [deed(2)], logged=False) == (1.0, "")


def test_a_deed_that_names_its_decision_belongs_to_that_one() -> None:
    """One visit after two suggestions of it follows the one that it names; naming none, or one that is not
    in the log, it may follow either."""
    twice: dict[str, Any] = {"days": [0.0, 1.0], "logged": [None, None]}

    named, _ = labels([], [deed(2, decision_id="d1")], **twice)
    unnamed, _ = labels([], [deed(2)], **twice)
    unknown, _ = labels([], [deed(2, decision_id="elsewhere")], **twice)

    assert math.isnan(named[0])
    assert named[1] == 1.0
    assert unnamed == unknown == [1.0, 1.0]


def test_other_accounts_treatments_and_times_say_nothing() -> None:
    """A dismissal of March is no answer to a suggestion of January; one taken back is none at all."""
    others = [answer(1, "dismiss", account="b"), answer(1, "dismiss", "call"), answer(-1, "dismiss"),
              answer(31, "dismiss"), answer(2, "dismiss", deleted=True), answer(95, "complete")]  # fmt: skip

    assert math.isnan(label(others, [deed(1, "call"), deed(1, account="b"), deed(31)])[0])
