"""Later rows beside earlier ones: a few at a time, as live facts come in."""

from datetime import UTC, datetime

import polars as pl

from engine.records import History, empty_frame, known_rows

NEVER = None


def touchpoints(*rows, **more):
    """Rows of (id, day on which it was stored)."""
    frame = empty_frame("touchpoints").select(
        "touchpoint_id", "account_id", "stored_at", "superseded_at", "deleted"
    )
    given = pl.DataFrame(
        [(name, "a", datetime(2026, 1, day, tzinfo=UTC), None, False) for name, day in rows],
        schema=frame.schema, orient="row",
    )  # fmt: skip
    return History(
        {"touchpoints": given.with_columns(pl.lit(value).alias(name) for name, value in more.items())}
    )


def versions(history):
    """Id, day stored, day superseded, in the order of days."""
    rows = history["touchpoints"].sort("stored_at", "touchpoint_id").iter_rows(named=True)
    return [
        (r["touchpoint_id"], r["stored_at"].day, r["superseded_at"] and r["superseded_at"].day) for r in rows
    ]


def test_a_new_fact_is_added_and_a_new_version_ends_the_one_before() -> None:
    """Most live rows are the only version of their fact and take a shorter way: it may not change a word."""
    before = touchpoints(("t1", 1), ("t2", 2))

    added = before.append(touchpoints(("t3", 3)))
    corrected = added.append(touchpoints(("t1", 4), ("t4", 4)))
    twice = before.append(touchpoints(("t5", 5), ("t5", 6)))

    assert versions(added) == [("t1", 1, NEVER), ("t2", 2, NEVER), ("t3", 3, NEVER)]
    assert versions(corrected) == [
        ("t1", 1, 4), ("t2", 2, NEVER), ("t3", 3, NEVER), ("t1", 4, NEVER), ("t4", 4, NEVER),
    ]  # fmt: skip
    assert versions(twice)[2:] == [("t5", 5, 6), ("t5", 6, NEVER)]


def test_columns_that_only_one_side_has_stay() -> None:
    """What was merged knows where it came from; a live row does not say, and neither loses the other's."""
    before = touchpoints(("t1", 1), merged_from="b")

    plain = before.append(touchpoints(("t2", 2)))
    more = touchpoints(("t1", 1)).append(touchpoints(("t2", 2), merged_from="b"))

    assert plain["touchpoints"]["merged_from"].to_list() == ["b", None]
    assert more["touchpoints"]["merged_from"].to_list() == [None, "b"]


def test_of_few_rows_and_of_many_the_same_are_known() -> None:
    """A live decision looks at rows one by one, a night at columns."""
    history = touchpoints(("t1", 1), ("t2", 3)).append(touchpoints(("t1", 5)))
    frame = history["touchpoints"]
    many = pl.concat([frame] * 500)

    for day in (1, 2, 4, 5, 6):
        moment = int(datetime(2026, 1, day, tzinfo=UTC).timestamp() * 1e6)
        few = known_rows(frame, moment)
        assert known_rows(many, moment).equals(pl.concat([few] * 500))


def test_what_follows_from_one_table_is_kept_until_that_table_changes() -> None:
    """A live event adds to one table: what was read of the others need not be read again."""
    read: list[str] = []

    def rows(frame: pl.DataFrame) -> int:
        read.append(frame["touchpoint_id"][-1])
        return len(frame)

    before = touchpoints(("t1", 1))
    other = before.with_frames({**before.frames, "accounts": empty_frame("accounts")})
    later = other.append(touchpoints(("t2", 2)))

    assert [each.of_table("touchpoints", rows) for each in (before, before, other, later)] == [1, 1, 1, 2]
    assert read == ["t1", "t2"]
