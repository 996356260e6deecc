"""Who was in an account's team at a moment: the quick way for one account says what the frames say."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arms import members_at, team_members
from engine.records import Moments
from tests.engine.builders import NOW, Row, history, team

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]), st.sampled_from(["rep", "msl"]), st.sampled_from(["u", "v", "w"]),
        st.sampled_from([1.0, 5.0, 9.0, None]), st.booleans(),
    ),
    max_size=6,
)  # fmt: skip


@given(CHANGES)
@settings(deadline=None)
def test_the_team_of_one_account_is_that_of_several_together(
    changes: list[tuple[str, str, str, float | None, bool]],
) -> None:
    """Prices of people's time must not depend on who is decided together."""
    rows: list[Row] = [
        team(account, role, user, stored=stored, deleted=deleted)
        for account, role, user, stored, deleted in changes
    ]
    facts, one = history(*rows), Moments.at(["a"], NOW)

    assert sorted(members_at(facts, one)) == sorted(team_members(facts, one).iter_rows())
