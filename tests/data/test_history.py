"""The history store: versions in their place, snapshots that are whole or not there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zlib
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import blocks
from data.history import HistoryStore, LoadRunningError, TableCounts, bucket_of, pack, unpack
from data.home import DataError
from engine.contract import HISTORY_TABLES, TABLES, TIME
from engine.facts import Attribute
from engine.records import History, empty_frame, with_superseded
from tests.data.files import DAY, UNTIL
from tests.data.frames import T0, accounts, chain, everything, frame


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    return HistoryStore(tmp_path / "history")


def test_before_the_first_load_there_is_nothing(store: HistoryStore) -> None:
    """Not an error: the caller says what to do first."""
    assert store.current() is None


def test_a_first_load_is_read_back_sorted_and_without_personal_columns(store: HistoryStore) -> None:
    """Law 3: who somebody is stands in the ledger and nowhere else."""
    rows = frame(
        "touchpoints",
        {"touchpoint_id": "2", "occurred_at": T0 + DAY, "details": '{"question": "secret"}'},
        {"touchpoint_id": "1", "occurred_at": T0 + DAY},
        {"touchpoint_id": "3", "occurred_at": T0},
    )

    snapshot, counts, changed = store.add({"accounts": accounts("a", segment="A"), "touchpoints": rows})

    history = snapshot.read(bucket_of("a", snapshot.buckets))
    assert history["touchpoints"]["touchpoint_id"].to_list() == ["3", "1", "2"]
    assert "details" not in history["touchpoints"].columns
    assert "name" not in history["accounts"].columns
    assert history["touchpoints"]["deleted"].to_list() == [False] * 3
    assert (counts["touchpoints"].new, changed) == (3, frozenset({"a"}))
    assert (snapshot.buckets, snapshot.accounts, snapshot.rows["touchpoints"]) == (4, 1, 3)
    written = b"".join(path.read_bytes() for path in snapshot.path.rglob("*.parquet"))
    assert b"secret" not in written
    assert b"somebody" not in written


def test_frames_have_the_types_of_the_contract(store: HistoryStore) -> None:
    """The engine reads them without looking."""
    snapshot, _, _ = store.add(
        {"accounts": accounts("a"), "touchpoints": frame("touchpoints", {"touchpoint_id": "1"})}
    )

    for table in HISTORY_TABLES:
        got = snapshot.read(bucket_of("a", snapshot.buckets))[table]
        expected = {
            c: t
            for c, t in empty_frame(table).schema.items()
            if c not in {k.name for k in TABLES[table].columns if k.personal}
        }
        assert {c: got.schema[c] for c in expected} == expected


def test_the_same_rows_again_change_nothing_and_keep_the_snapshot(store: HistoryStore) -> None:
    """A load that is repeated by mistake must not make every fact look new."""
    rows = {"accounts": accounts("a"), "touchpoints": frame("touchpoints", {"touchpoint_id": "1"})}
    first, _, _ = store.add(rows)
    later = {t: r.with_columns(stored_at=pl.lit(UNTIL).cast(TIME)) for t, r in rows.items()}

    again, counts, changed = store.add(later)

    assert (again.id, changed) == (first.id, frozenset())
    assert counts["touchpoints"] == TableCounts(unchanged=1)


def test_other_content_is_a_new_version_from_its_moment_on(store: HistoryStore) -> None:
    """Law 3: a correction never changes in place, so a past decision can be recomputed."""
    store.add({"accounts": accounts("a", segment="A")})

    snapshot, counts, changed = store.add({"accounts": accounts("a", segment="B", stored_at=UNTIL)})

    old, new = chain(snapshot, "accounts", account_id="a")
    assert (old["segment"], old["superseded_at"]) == ("A", UNTIL)
    assert (new["segment"], new["stored_at"], new["superseded_at"]) == ("B", UNTIL, None)
    assert counts["accounts"] == TableCounts(changed=1)
    assert changed == {"a"}


def test_a_late_version_is_put_in_its_place(store: HistoryStore) -> None:
    """What was known in between must be known in between."""
    store.add({"accounts": accounts("a", segment="A")})
    store.add({"accounts": accounts("a", segment="C", stored_at=T0 + 20 * DAY)})

    snapshot, counts, _ = store.add({"accounts": accounts("a", segment="B", stored_at=T0 + 10 * DAY)})

    versions = chain(snapshot, "accounts", account_id="a")
    assert [v["segment"] for v in versions] == ["A", "B", "C"]
    assert [v["superseded_at"] for v in versions] == [T0 + 10 * DAY, T0 + 20 * DAY, None]
    assert counts["accounts"].changed == 1


def test_of_two_lines_for_the_same_fact_the_later_moment_or_line_holds(store: HistoryStore) -> None:
    """Exports repeat facts; the last word counts, and repeating the load changes nothing."""
    rows = frame(
        "touchpoints",
        {"touchpoint_id": "1", "status": "done", "stored_at": T0 + DAY},
        {"touchpoint_id": "1", "status": "planned", "stored_at": T0},
        {"touchpoint_id": "2", "status": "planned"},
        {"touchpoint_id": "2", "status": "cancelled"},
    )
    snapshot, counts, _ = store.add({"accounts": accounts("a"), "touchpoints": rows})

    assert [v["status"] for v in chain(snapshot, "touchpoints", touchpoint_id="1")] == ["planned", "done"]
    assert [v["status"] for v in chain(snapshot, "touchpoints", touchpoint_id="2")] == ["cancelled"]
    assert counts["touchpoints"] == TableCounts(new=2, changed=1, unchanged=1)
    assert store.add({"touchpoints": rows})[1]["touchpoints"] == TableCounts(unchanged=4)


def test_a_tombstone_is_a_version_and_the_account_goes(store: HistoryStore) -> None:
    """From then on the fact no longer holds; before, it did."""
    store.add({"accounts": accounts("a", "b")})

    snapshot, _, _ = store.add({"accounts": accounts("b", deleted=True, stored_at=UNTIL)})

    assert snapshot.account_ids(bucket_of("b", snapshot.buckets)) == ()
    assert snapshot.account_ids(bucket_of("a", snapshot.buckets)) == ("a",)
    assert snapshot.accounts == 1
    assert [v["deleted"] for v in chain(snapshot, "accounts", account_id="b")] == [False, True]


def test_empty_parts_of_a_key_are_equal(store: HistoryStore) -> None:
    """A preference of the whole account has no contact; its second version must find the first."""
    first = frame("preferences", {"account_id": "a", "status": "opt_in"})
    store.add({"accounts": accounts("a"), "preferences": first})

    out = frame("preferences", {"account_id": "a", "status": "opt_out", "stored_at": UNTIL})
    snapshot, counts, _ = store.add({"preferences": out})

    assert [v["superseded_at"] for v in chain(snapshot, "preferences", account_id="a")] == [UNTIL, None]
    assert counts["preferences"].changed == 1


def test_buckets_that_a_load_does_not_touch_are_the_same_files(store: HistoryStore) -> None:
    """A small load on a large history must be small."""
    ids = [f"a{n}" for n in range(20)]
    first, _, _ = store.add({"accounts": accounts(*ids)})

    second, _, _ = store.add({"accounts": accounts("a0", segment="B", stored_at=UNTIL)})

    same = [
        os.path.samefile(first.path / name, second.path / name)
        for name in (f"bucket_{b:04d}/accounts.parquet" for b in range(4))
    ]
    assert same.count(False) == 1
    assert first.read(bucket_of("a0", 4))["accounts"]["segment"].null_count() == len(
        first.account_ids(bucket_of("a0", 4))
    )


def test_only_the_last_two_snapshots_are_kept(store: HistoryStore) -> None:
    """A night that began on the one before can end; older ones and leftovers go."""
    for n in range(4):
        store.add({"accounts": accounts("a", segment=str(n), stored_at=T0 + n * DAY)})

    assert sorted(p.name for p in store.folder.iterdir() if p.is_dir()) == ["s00000003", "s00000004"]


@pytest.mark.parametrize("stage", [("history", 0), ("history", 2), ("swap", 0)])
def test_a_load_that_is_interrupted_leaves_the_old_state_and_its_repetition_ends_right(
    store: HistoryStore, stage: tuple[str, int]
) -> None:
    """Half a load must never be visible."""
    old, _, _ = store.add({"accounts": accounts("a", segment="A")})
    rows = {"accounts": accounts("a", "b", segment="B", stored_at=UNTIL)}

    def interrupt(name: str, done: int, of: int) -> None:
        if (name, done) == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.add(rows, progress=interrupt)
    kept = HistoryStore(store.folder).current()
    again, counts, _ = HistoryStore(store.folder).add(rows)

    assert kept == old
    assert again.id == "s00000002"
    assert counts["accounts"] == TableCounts(new=1, changed=1)
    assert sorted(p.name for p in store.folder.iterdir() if p.is_dir()) == ["s00000001", "s00000002"]


def test_two_loads_at_once_are_refused(store: HistoryStore) -> None:
    """Each would lose what the other adds."""
    with store.exclusive(), pytest.raises(LoadRunningError, match="Somebody else") as raised:
        HistoryStore(store.folder).add({"accounts": accounts("a")})

    assert raised.value.exit_code == 7


@pytest.mark.parametrize("damage", ["truncate", "remove", "metadata", "pointer", "format"])
def test_a_damaged_history_is_one_clear_line(store: HistoryStore, damage: str) -> None:
    """It must not be used, and nobody should have to read a traceback."""
    snapshot, _, _ = store.add({"accounts": accounts("a")})
    file = next(snapshot.path.glob("bucket_*/accounts.parquet"))
    metadata = snapshot.path / "metadata.json"
    match damage:
        case "truncate":
            file.write_bytes(file.read_bytes()[:-5])
        case "remove":
            file.unlink()
        case "metadata":
            metadata.write_text("{", encoding="utf-8")
        case "format":
            metadata.write_text(
                json.dumps(json.loads(metadata.read_text()) | {"format": 99}), encoding="utf-8"
            )
        case _:
            (store.folder / "CURRENT").write_text("../../etc\n", encoding="utf-8")

    with pytest.raises(DataError) as raised:
        HistoryStore(store.folder).current()

    assert "\n" not in str(raised.value)
    assert "damaged" in str(raised.value) or "another version" in str(raised.value)


def test_columns_that_tell_nothing_are_not_features_and_the_metadata_says_why(store: HistoryStore) -> None:
    """An id per account as a feature is memorising, not learning."""
    rows = frame(
        "accounts",
        *({"account_id": f"a{n}", "segment": "AB"[n % 2], "code": f"c{n}", "beds": float(n), "size": None,
           "industry": f"i{n % 25}", "timezone": "Europe/Berlin"} for n in range(30)),
    )  # fmt: skip
    many = frame("accounts", *({"account_id": f"b{n}", "code": f"c{n}", "beds": 1.0} for n in range(201)))

    snapshot, _, _ = store.add({"accounts": rows})
    wide, _, _ = store.add({"accounts": many.with_columns(code=pl.col("code") + "x")})

    levels = tuple(sorted(f"i{n}" for n in range(25)))
    assert snapshot.attributes == (
        Attribute("segment", ("A", "B")),
        Attribute("industry", levels),
        Attribute("beds"),
    )
    assert snapshot.left_out["code"] == "a text that differs for every account"
    assert snapshot.left_out["size"] == "empty for every account"
    assert "more than 200" in wide.left_out["code"]
    assert (
        json.loads((wide.path / "metadata.json").read_text())["not_features"]["code"] == wide.left_out["code"]
    )
    assert HistoryStore(store.folder).current() == wide


def test_a_further_column_that_a_load_does_not_have_keeps_its_values(store: HistoryStore) -> None:
    """A second export without the column must not erase a feature."""
    store.add({"accounts": accounts("a", "b", beds=3.0)})

    snapshot, counts, _ = store.add({"accounts": accounts("a", stored_at=UNTIL)})

    assert counts["accounts"] == TableCounts(unchanged=1)
    assert everything(snapshot, "accounts")["beds"].to_list() == [3.0, 3.0]


def test_a_new_further_column_is_there_in_every_bucket_and_concerns_every_account(
    store: HistoryStore,
) -> None:
    """A bucket or block without the column would be of another contract than the model."""
    ids = [f"a{n}" for n in range(12)]
    store.add({"accounts": accounts(*ids)})

    snapshot, _, changed = store.add({"accounts": accounts("a0", beds=3.0, stored_at=UNTIL)})

    assert all("beds" in history["accounts"].columns for _, history in snapshot.histories())
    assert changed == set(ids)


def test_tables_without_accounts_have_versions_too(store: HistoryStore) -> None:
    """Colleagues change as well."""
    store.add({"accounts": accounts("a"), "users": frame("users", {"user_id": "u1"})})

    snapshot, counts, changed = store.add(
        {"users": frame("users", {"user_id": "u1", "role": "boss", "stored_at": UNTIL})}
    )

    assert snapshot.common("users")["superseded_at"].to_list() == [UNTIL, None]
    assert (counts["users"].changed, changed) == (1, frozenset())


def test_the_number_of_buckets_is_fixed_by_the_first_load(tmp_path: Path) -> None:
    """An account must always be found in the same place."""
    first, _, _ = HistoryStore(tmp_path / "h", buckets=7).add({"accounts": accounts("a")})
    second, _, _ = HistoryStore(tmp_path / "h").add({"accounts": accounts("b")})

    assert (first.buckets, second.buckets) == (7, 7)
    assert bucket_of("a", 7) == 0xE8B7BE43 % 7


def test_a_watermark_is_kept_even_where_no_fact_changed(store: HistoryStore) -> None:
    """Live rows may repeat what is known; they must still be seen as taken over."""
    store.add({"accounts": accounts("a")})

    snapshot, _, _ = store.add({"accounts": accounts("a")}, tail_watermark=9)

    assert HistoryStore(store.folder).current() == snapshot
    assert snapshot.tail_watermark == 9


def test_a_block_is_the_history_to_the_bit(store: HistoryStore) -> None:
    """A live decision reads the block, the night reads the bucket; both must see the same."""
    rows = frame(
        "touchpoints", *({"touchpoint_id": str(n), "topic": "safety" if n % 2 else None} for n in range(5))
    )
    snapshot, _, _ = store.add({"accounts": accounts("a", beds=0.1 + 0.2), "touchpoints": rows})
    history = snapshot.read(bucket_of("a", 4))

    block = pack(history)
    again = unpack(block)

    for table in HISTORY_TABLES:
        if history[table].height:
            assert again[table].equals(history[table])
            assert again[table].schema == history[table].schema
        assert again[table].height == history[table].height
    assert pack(again) == block
    assert unpack(b"").frames == {}
    with pytest.raises(ValueError, match="damaged"):
        unpack(b"something else")


def test_a_block_of_an_earlier_version_is_read(store: HistoryStore) -> None:
    """A ledger keeps blocks for years: an account without news is not packed again."""
    rows = frame("touchpoints", {"touchpoint_id": "1"}, {"touchpoint_id": "2", "topic": "safety"})
    snapshot, _, _ = store.add({"accounts": accounts("a"), "touchpoints": rows})
    history = snapshot.read(bucket_of("a", 4))
    streams = []
    for place, table in enumerate(HISTORY_TABLES):
        if history[table].height:
            stream = io.BytesIO()
            history[table].write_ipc_stream(stream)
            streams.append(struct.pack("<BI", place, stream.tell()) + stream.getvalue())

    again = unpack(b"nb1\n" + zlib.compress(b"".join(streams), level=1))

    assert list(again.frames) == ["accounts", "touchpoints"]
    for table in again.frames:
        assert again[table].equals(history[table])
        assert again[table].schema == history[table].schema


def test_what_blocks_share_stays_as_it_is() -> None:
    """With other words no block of any ledger could be read any more; better ones need another beginning."""
    words = (Path(blocks.__file__).parent / "block_words").read_bytes()

    assert (
        hashlib.sha256(words).hexdigest()
        == "e1aaf075b58b8b6357ac2389e807b8e5635494e2669d11fe1e986c47526394f6"
    )


def test_a_block_takes_less_than_half_of_arrow_streams_compressed(store: HistoryStore) -> None:
    """Blocks are most of a ledger: an account of fifty contacts has to fit twice into one of its pages."""
    contacts = [{"touchpoint_id": f"{n:09}", "occurred_at": T0 + n * DAY * 1.01} for n in range(50)]
    snapshot, _, _ = store.add({"accounts": accounts("a"), "touchpoints": frame("touchpoints", *contacts)})
    history = snapshot.read(bucket_of("a", 4))
    streams = []
    for table in ("accounts", "touchpoints"):
        stream = io.BytesIO()
        history[table].write_ipc_stream(stream)
        streams.append(stream.getvalue())

    assert 2 * len(pack(history)) < len(zlib.compress(b"".join(streams), level=1))


versions = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 6), st.sampled_from("AB")),
    min_size=1, max_size=14,
)  # fmt: skip


def rows_of(facts: list[tuple[str, str, int, str]]) -> pl.DataFrame:
    return frame(
        "touchpoints",
        *({"account_id": "a", "touchpoint_id": a + t, "stored_at": T0 + n * DAY, "topic": topic}
          for a, t, n, topic in facts),
    )  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=versions, again=st.booleans())
def test_what_was_known_at_each_moment_follows_from_the_rows_alone(
    tmp_path_factory: pytest.TempPathFactory, facts: list[tuple[str, str, int, str]], again: bool
) -> None:
    """The oracle: the last row of a fact stored before a moment. Repeating a load changes nothing."""
    store = HistoryStore(tmp_path_factory.mktemp("h") / "history", buckets=1)
    snapshot, _, _ = store.add({"accounts": accounts("a"), "touchpoints": rows_of(facts)})
    if again:
        repeated, _, _ = store.add({"touchpoints": rows_of(facts)})
        assert repeated.id == snapshot.id

    stored = everything(snapshot, "touchpoints")
    for day in range(8):
        moment = T0 + day * DAY - timedelta(microseconds=0)
        expected = dict[str, str]()
        for a, t, n, topic in sorted(facts, key=lambda f: f[2]):
            if T0 + n * DAY < moment:
                expected[a + t] = topic
        assert known(stored, moment) == expected


def known(rows: pl.DataFrame, moment: datetime) -> dict[str, str]:
    holds = pl.col("superseded_at").is_null() | (pl.col("superseded_at") >= moment)
    found = rows.filter((pl.col("stored_at") < moment) & holds)
    assert found["touchpoint_id"].is_unique().all()
    return dict(found.select("touchpoint_id", "topic").iter_rows())


@settings(max_examples=25, deadline=None)
@given(facts=versions, cut=st.integers(0, 14))
def test_loading_in_two_parts_equals_loading_at_once(
    tmp_path_factory: pytest.TempPathFactory, facts: list[tuple[str, str, int, str]], cut: int
) -> None:
    """How a source slices its export must not change what is known. (In order of storing.)"""
    ordered = list({(f[0] + f[1], f[2]): f for f in facts}.values())
    ordered.sort(key=lambda f: f[2])
    base = {"accounts": accounts("a")}
    once, _, _ = HistoryStore(tmp_path_factory.mktemp("h"), buckets=1).add(
        base | {"touchpoints": rows_of(ordered)}
    )
    store = HistoryStore(tmp_path_factory.mktemp("h"), buckets=1)

    store.add(base | ({"touchpoints": rows_of(ordered[:cut])} if ordered[:cut] else {}))
    twice, _, _ = store.add({"touchpoints": rows_of(ordered[cut:])} if ordered[cut:] else {})

    assert everything(twice, "touchpoints").equals(everything(once, "touchpoints"))


def test_live_rows_on_a_block_are_the_versions_of_a_load(store: HistoryStore) -> None:
    """The ledger appends to a block what a load adds to the history: the same chain."""
    first = frame("touchpoints", {"touchpoint_id": "1", "status": "planned"})
    later = frame("touchpoints", {"touchpoint_id": "1", "status": "done", "stored_at": UNTIL})
    snapshot, _, _ = store.add({"accounts": accounts("a"), "touchpoints": first})
    block = unpack(pack(snapshot.read(bucket_of("a", 4))))

    live = block.append(History({"touchpoints": later.with_columns(deleted=pl.lit(value=False))}))
    loaded, _, _ = store.add({"touchpoints": later})

    columns = ["touchpoint_id", "status", "stored_at", "superseded_at"]
    assert live["touchpoints"].select(columns).equals(everything(loaded, "touchpoints").select(columns))
    assert with_superseded("touchpoints", everything(loaded, "touchpoints")).height == 2
