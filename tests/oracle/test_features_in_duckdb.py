"""Every feature a second time, in plain SQL: what the compiled loops count must be what DuckDB counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract import TABLES
from engine.facts import STATISTICS, fact_name
from engine.features import Features
from engine.playbook import Playbook, Suppression
from engine.records import DAY_MICROS, Floats, History, Moments
from tests.engine.builders import ATTRIBUTES, features, playbook
from tests.engine.random_histories import random_history, random_moments

SEEDS = st.integers(0, 2**31 - 1)
KNOWN = (
    "(x.stored_at is null or x.stored_at < q.t) and (x.superseded_at is null or q.t <= x.superseded_at) "
    "and x.deleted is not true"
)
POSITIVE = "('clicked', 'replied', 'attended', 'accepted')"
TABLES_READ = (
    "accounts", "account_team", "touchpoints", "responses", "outcomes", "preferences", "feedback",
)  # fmt: skip


@contextmanager
def database(past: History, asked: Moments, rules: Playbook) -> Iterator[duckdb.DuckDBPyConnection]:
    """The history as tables with times as whole numbers, the questions as q, the playbook's as tables."""
    with duckdb.connect() as base:
        base.execute("set threads = 1")
        for table in TABLES_READ:
            times = [name for name, dtype in past[table].schema.items() if dtype == pl.Datetime("us", "UTC")]
            base.register("given", past[table].with_columns(pl.col(times).cast(pl.Int64)).to_arrow())
            base.execute(f"create table {table} as select distinct * from given")
        base.register("asked", pl.DataFrame({"account_id": asked.account_ids, "t": asked.as_of}).to_arrow())
        base.execute("create table q as select row_number() over () - 1 as i, * from asked")
        base.execute(
            "create table own (channel varchar, topic varchar, treatment varchar, grp varchar, k int)"
        )
        base.executemany(
            "insert into own values (?, ?, ?, ?, ?)",
            [(t.channel, t.topic, t.id, t.group, k) for k, t in enumerate(rules.treatments)],
        )
        base.execute("create table channels (channel varchar, outbound boolean, k int)")
        base.executemany(
            "insert into channels values (?, ?, ?)",
            [(c.id, c.outbound, k) for k, c in enumerate(rules.channels)],
        )
        _views(base)
        yield base


def _views(base: duckdb.DuckDBPyConnection) -> None:
    known = "select q.i, q.t, x.* from q join {} x using (account_id) where " + KNOWN
    for table in TABLES_READ:
        if table not in ("accounts", "responses"):
            base.execute(f"create table known_{table} as {known.format(table)}")
    base.execute(f"""
        create table answers as
        select q.i, q.t, q.account_id, x.touchpoint_id, x.response, x.responded_at,
            coalesce(x.stored_at, -9e18::bigint) as stored
        from q join responses x using (account_id) where {KNOWN} and x.responded_at < q.t""")
    base.execute("""
        create table wishes as
        select i, t, contact_id, channel, purpose, since, status,
            coalesce(stored_at, -9e18::bigint) as stored, null as topic, null as treatment
        from known_preferences where kind = 'permission' and since < t
        union all
        select a.i, a.t, p.contact_id, p.channel, 'marketing', a.responded_at, 'opt_out',
            greatest(a.stored, a.responded_at, p.occurred_at, coalesce(p.stored_at, -9e18::bigint)),
            p.topic, p.treatment
        from answers a join known_touchpoints p using (i, touchpoint_id)
        where a.response in ('unsubscribed', 'complained') and p.occurred_at < a.t""")
    base.execute("""
        create table consent as
        with each as (
            select w.*, c.channel as about, row_number() over (
                partition by i, coalesce(contact_id, ''), c.channel, purpose
                order by since desc, stored desc, status = 'opt_out' desc) as latest
            from wishes w join (select channel from channels union all select '*') c
                on (purpose <> 'web_behaviour' and (w.channel = c.channel or w.channel = '*'))
                or (purpose = 'web_behaviour' and c.channel = '*'
                    and w.channel not in (select channel from channels where outbound)))
        select i, about, purpose,
            case when bool_or(status = 'opt_out') then -1 else 1 end as said
        from each where latest = 1 group by all""")
    base.execute("""
        create table contacts as
        select p.*, q_web.said = 1 as web_allowed,
            p.direction = 'outbound' and status = 'done' and occurred_at < p.t as done,
            p.direction = 'outbound' and status = 'planned' and occurred_at >= p.t as ahead,
            p.direction = 'inbound' and status = 'done' and occurred_at < p.t
                and (coalesce(q_web.said, 0) = 1
                     or channel in (select channel from channels where outbound)) as inbound
        from known_touchpoints p
        left join (select i, said from consent where purpose = 'web_behaviour') q_web using (i)""")
    base.execute(f"""
        create table counted as
        select c.*, (c.t - c.occurred_at) / {DAY_MICROS} as days, exists (
            select 1 from answers a where a.i = c.i and a.touchpoint_id = c.touchpoint_id
            and a.response in {POSITIVE}) as answered,
            (c.t - (select max(a.responded_at) from answers a where a.i = c.i
                and a.touchpoint_id = c.touchpoint_id and a.response in {POSITIVE})) / {DAY_MICROS}
                as answer_days
        from contacts c""")


def statistic_sql(statistic: str, scope: str, window: int | None) -> str:
    """A statistic of the touchpoints of a scope as an aggregate over `counted`."""
    within = f"days <= {window}" if window else "true"
    aggregates = {
        "outbound": f"count(*) filter (where done and {within} and {scope})",
        "inbound": f"count(*) filter (where inbound and {within} and {scope})",
        "days_since": f"min(days) filter (where done and {scope})",
        "days_since_inbound": f"min(days) filter (where inbound and {scope})",
        "days_until": f"min(-days) filter (where ahead and {scope})",
        "responses": f"count(*) filter (where done and answered and {within} and {scope})",
        "response_rate": f"count(*) filter (where done and answered and {within} and {scope}) / "
        f"nullif(count(*) filter (where done and {within} and {scope}), 0)",
        "days_since_response": f"min(answer_days) filter (where done and answered and {scope})",
        "planned_any": "count(*) filter (where ahead)",
    }
    return aggregates[statistic]


def frame(base: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
    return pl.DataFrame(base.sql(sql).to_arrow_table())


def fetched(base: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Floats]:
    found = frame(base, sql)
    return {name: found[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in found.columns}


def scopes(rules: Playbook) -> Iterator[tuple[str, str, str]]:
    """Group, name of the scope in a fact, and its condition in SQL."""
    yield "account", "any", "true"
    yield from (("channel", c.id, f"channel = '{c.id}'") for c in rules.channels)
    yield from (("topic", t.id, f"topic = '{t.id}'") for t in rules.topics)
    yield from (("message", t.id, f"treatment = '{t.id}'") for t in rules.treatments)


def touchpoint_facts(known: Features, rules: Playbook) -> dict[str, tuple[str, Floats]]:
    """Name -> its SQL, and what the engine says."""
    found = {
        "planned_any": (statistic_sql("planned_any", "true", None), known.fact("planned_any").values[:, 0])
    }
    for group, scope, where in scopes(rules):
        for statistic in STATISTICS:
            for window in statistic.windows_days or (None,):
                if group in statistic.groups:
                    named = "same_treatment" if group == "message" else scope
                    column = known.set.treatments.index(scope) if group == "message" else 0
                    values = known.fact(fact_name(statistic.name, named, window)).values[:, column]
                    name = fact_name(statistic.name, scope, window)
                    found[name] = (statistic_sql(statistic.name, where, window), values)
    return found


@given(SEEDS)
@settings(max_examples=12, deadline=None)
def test_statistics_of_touchpoints_are_what_sql_counts(seed: int) -> None:
    """Windows, recencies, plans, responses and rates of every channel, topic and treatment, exactly."""
    past, asked, rules = random_history(seed), random_moments(seed), playbook()
    facts = touchpoint_facts(features(past, asked), rules)

    with database(past, asked, rules) as base:
        columns = ", ".join(f'{sql} as "{name}"' for name, (sql, _) in facts.items())
        expected = fetched(base, f"select {columns} from q left join counted using (i) group by i order by i")

    for name, (_, values) in facts.items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


@given(SEEDS)
@settings(max_examples=12, deadline=None)
def test_outcomes_and_optouts_are_what_sql_counts(seed: int) -> None:
    """Money is the one number that SQL may add up in another order; counts and recency are exact."""
    past, asked, rules = random_history(seed), random_moments(seed), playbook()
    known = features(past, asked)
    worth = " ".join(f"when '{kind}' then {rate}" for kind, rate in rules.outcome_worth.items())

    with database(past, asked, rules) as base:
        sums = ", ".join(
            f"count(*) filter (where days <= {w}) as outcomes_{w}d, "
            f"coalesce(sum(worth) filter (where days <= {w}), 0) as outcome_value_{w}d"
            for w in (30, 90, 365)
        )
        expected = fetched(
            base,
            f"""
            with happened as (
                select i, (t - occurred_at) / {DAY_MICROS} as days,
                    value * case kind {worth} else 0 end as worth
                from known_outcomes where occurred_at < t)
            select {sums}, min(days) as days_since_outcome
            from q left join happened using (i) group by i order by i""",
        )
        optouts = fetched(
            base,
            f"""
            select count(w.i) as optouts_365d from q left join wishes w
            on q.i = w.i and status = 'opt_out' and purpose <> 'web_behaviour'
                and (channel in (select channel from channels) or channel is not null)
                and (w.t - since) <= {365 * DAY_MICROS}
            group by q.i order by q.i""",
        )

    for name, values in (expected | optouts).items():
        tolerance = 1e-9 if "value" in name else 0.0
        np.testing.assert_allclose(known.fact(name).values[:, 0], values, rtol=tolerance, atol=tolerance)


@given(SEEDS)
@settings(max_examples=12, deadline=None)
def test_attributes_and_roles_are_the_newest_known(seed: int) -> None:
    """An attribute learned or corrected later is not known; a tombstone makes the account unknown."""
    past, asked, rules = random_history(seed), random_moments(seed), playbook()
    known = features(past, asked)

    with database(past, asked, rules) as base:
        columns = ", ".join(f"x.{attribute.name}" for attribute in ATTRIBUTES)
        newest = frame(base, f"""
            select q.i, {columns}, x.timezone, x.merged_into, x.deleted as gone
            from q left join accounts x on q.account_id = x.account_id
                and (x.stored_at is null or x.stored_at < q.t)
                and (x.superseded_at is null or q.t <= x.superseded_at)
            order by q.i""")  # fmt: skip
        roles = ", ".join(
            f"count(*) filter (where role = '{role.id}') > 0 as {role.id}" for role in rules.roles
        )
        served = fetched(
            base, f"select {roles} from q left join known_account_team using (i) group by i order by i"
        )

    for attribute in ATTRIBUTES:
        code = pl.col(attribute.name)
        if attribute.levels:
            code = code.replace_strict(list(attribute.levels), [0.0, 1.0, 2.0], default=None)
        values = newest.select(pl.when(pl.col("gone")).then(None).otherwise(code.cast(pl.Float64)))
        column = known.account[:, known.set.account.index(attribute.name)]
        np.testing.assert_array_equal(column, values.to_series().fill_null(np.nan).to_numpy())
    zoned = newest.select(pl.col("timezone").is_not_null() & ~pl.col("gone").fill_null(value=False))
    over = newest.select(pl.col("gone").fill_null(value=False) | pl.col("merged_into").is_not_null())
    np.testing.assert_array_equal(known.closed, over.to_series().to_numpy())
    np.testing.assert_array_equal(known.has_timezone, zoned.to_series().to_numpy())
    np.testing.assert_array_equal(known.has_role, np.stack([served[r.id] for r in rules.roles], axis=1))


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_consent_is_the_latest_word_of_every_contact(seed: int) -> None:
    """Consent decides what is lawful: channel or *, each contact, withdrawals by unsubscribing, ties."""
    past, asked, rules = random_history(seed), random_moments(seed), playbook()
    known = features(past, asked)

    with database(past, asked, rules) as base:
        said = base.execute("select * from consent").fetchall()

    consent, web = np.zeros_like(known.consent), np.zeros_like(known.web_behaviour)
    places = {channel.id: k for k, channel in enumerate(rules.channels)}
    for i, about, purpose, verdict in said:
        if purpose == "web_behaviour":
            web[i] = verdict
        elif about in places:
            consent[i, places[about], ("marketing", "service").index(purpose)] = verdict
    np.testing.assert_array_equal(known.consent, consent)
    np.testing.assert_array_equal(known.web_behaviour, web)


@given(SEEDS)
@settings(max_examples=12, deadline=None)
def test_contacts_against_limits_and_snoozes_are_what_sql_finds(seed: int) -> None:
    """A cap that counts wrong sends too much; a snooze that is forgotten costs the user's trust."""
    past, asked, rules = random_history(seed), random_moments(seed), playbook()
    known = features(past, asked)

    with database(past, asked, rules) as base:
        for place, limit in enumerate(rules.contact_limits):
            channel = "true" if limit.channel == "*" else f"c.channel = '{limit.channel}'"
            group = "true" if not limit.group else f"own.grp = '{limit.group}'"
            used = fetched(
                base,
                f"""
                select count(*) filter (where (done or ahead) and {channel} and {group}
                    and abs(q.t - occurred_at) < {round(limit.days * DAY_MICROS)}) as used
                from q left join contacts c using (i) left join own using (treatment)
                group by i order by i""",
            )
            np.testing.assert_array_equal(known.limits[:, place], used["used"])
        put_off = base.execute("""
            select f.i, own.k, max_by(verb in ('dismiss', 'snooze') and until is not null and until > t,
                (occurred_at, feedback_id))
            from known_feedback f join own using (treatment) where occurred_at < t group by all""").fetchall()

    snoozed = np.zeros_like(known.snoozed)
    for i, treatment, lasts in put_off:
        snoozed[i, treatment] = float(lasts)
    np.testing.assert_array_equal(known.snoozed, snoozed)


EVENTS = {
    "contacts": "select i, t, occurred_at as time, channel, topic, treatment from contacts where done",
    "rejections": """
        select a.i, a.t, a.responded_at as time, p.channel, p.topic, p.treatment
        from answers a join known_touchpoints p using (i, touchpoint_id)
        where response = 'rejected' and direction = 'outbound' and p.occurred_at < a.t""",
    "dismissals": """
        select f.i, f.t, occurred_at as time, own.channel, own.topic, own.treatment
        from known_feedback f join own using (treatment) where verb = 'dismiss' and occurred_at < t""",
    "opt_outs": """
        select i, t, since as time, c.channel, topic, treatment
        from wishes w left join channels c on w.channel in (c.channel, '*')
        where status = 'opt_out' and purpose <> 'web_behaviour'""",
}


def pauses_sql(suppression: Suppression) -> str:
    """Days since `count` events of a treatment's scope last fell within the window."""
    scope = suppression.scope
    narrowed = "true" if suppression.channel == "*" else f"own.channel = '{suppression.channel}'"
    counted = "true" if suppression.channel == "*" else f"channel = '{suppression.channel}'"
    window = round(suppression.window_days * DAY_MICROS)
    return f"""
        with events as ({EVENTS[suppression.track]}),
        together as (
            select *, time - lag(time, {suppression.count - 1}) over (
                partition by i, {scope} order by time) as span
            from events where {counted})
        select i, own.k, (any_value(t) - max(time)) / {DAY_MICROS}
        from together e join own on own.{scope} = e.{scope} and {narrowed}
        where span <= {window} group by i, own.k"""


@given(SEEDS, st.sampled_from(tuple(EVENTS)), st.sampled_from(("treatment", "topic", "channel")),
       st.integers(1, 3), st.sampled_from((5.0, 30.0, 365.0)), st.sampled_from(("*", "email")))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_pauses_begin_when_sql_says(
    seed: int, track: str, scope: str, count: int, window: float, channel: str
) -> None:
    """Suppression: after so many events of one scope within a window, the scope is left in peace."""
    rule = Suppression("rule", track, scope, count, window, 10.0, channel)  # type: ignore[arg-type]
    past, asked, rules = random_history(seed), random_moments(seed), playbook(suppressions=(rule,))
    known = features(past, asked, rules)

    with database(past, asked, rules) as base:
        found = base.execute(pauses_sql(rule)).fetchall()

    begun = np.full_like(known.tracked, np.nan)
    for i, treatment, days in found:
        begun[i, 0, treatment] = days
    np.testing.assert_array_equal(known.tracked, begun)


def test_every_table_that_features_read_is_in_the_oracle() -> None:
    """A table that is read by the engine alone would be checked by nobody."""
    assert set(TABLES_READ) <= set(TABLES)
