"""The loops of `features_as_of`, compiled: what an account's facts add up to at a moment.

Facts come as columns sorted by account, then time; `start[a]` to `start[a + 1]` are those of account a. A
version of a fact is known at t when valid_from < t <= valid_to. Loops run in that order and write each
moment's row alone, so neither the batch nor the order of a frame's rows can change a bit. What only rules
read goes to columns of `found`, from `first` on, where what is said of nothing stands already.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.numerics import compiled
from engine.records import DAY_MICROS, Bools, Floats, Ints, Micros

OUTBOUND_DONE, INBOUND_DONE, OUTBOUND_PLANNED, OTHER_EVENT = range(4)
(OUTBOUND, INBOUND, DAYS_SINCE, DAYS_SINCE_INBOUND, DAYS_UNTIL, RESPONSES, RESPONSE_RATE,
 OUTCOMES, OUTCOME_VALUE, DAYS_SINCE_OUTCOME, OPTOUTS, PLANNED, DAYS_SINCE_RESPONSE,
 NOT_COUNTED) = range(14)  # fmt: skip
"""The statistics that the loops know, by code; NOT_COUNTED = a column that something else fills."""
ANSWERED = 4
"""Instead of OUTBOUND_DONE: a contact with a positive response."""
OF_EVENT: tuple[tuple[int, ...], ...] = (
    (OUTBOUND, DAYS_SINCE), (INBOUND, DAYS_SINCE_INBOUND), (PLANNED, DAYS_UNTIL), (),
    (OUTBOUND, DAYS_SINCE, RESPONSES, DAYS_SINCE_RESPONSE),
)  # fmt: skip
"""The statistics that a touchpoint of each event, ANSWERED included, changes."""
WITHIN_WINDOW = (OUTBOUND, INBOUND, RESPONSES)
"""Those of them that count what is younger than a window."""
MARKETING, SERVICE, WEB_BEHAVIOUR = range(3)
NEVER = -1
"""Instead of the age of a response, which lies before the moment that is asked about: there is none."""
ANY = -2
"""Instead of the code of a channel: all of them. -1 is a channel that the playbook does not have."""


class Questions(NamedTuple):
    """Moments: code of the account and the moment in microseconds; shape (n,)."""

    account: Ints
    at: Micros


class Columns(NamedTuple):
    """What the columns of a group count: codes of statistics, windows in microseconds and, for a rate, the
    columns of its numerator and denominator; shape (F,)."""

    statistic: Ints
    window: Micros
    numerator: Ints
    denominator: Ints


class Counting(NamedTuple):
    """The columns that a touchpoint changes: those of event e in group g (its place in `Groups`) stand at
    `first[EVENTS * g + e]` to `first[EVENTS * g + e + 1]`, each with its statistic and for how many
    microseconds a touchpoint counts in it, the longest first."""

    first: Ints
    column: Ints
    statistic: Ints
    reach: Micros


class Groups(NamedTuple):
    """The columns of each group, and what a touchpoint changes in them."""

    account: Columns
    channel: Columns
    topic: Columns
    message: Columns
    counting: Counting


EVENTS = len(OF_EVENT)


class Touchpoints(NamedTuple):
    """Versions of touchpoints; `answers[r]` to `answers[r + 1]` are the positive responses of row r. `actor`:
    code of the role that acted, -1 = not known."""

    start: Ints
    time: Micros
    valid_from: Micros
    valid_to: Micros
    event: Ints
    channel: Ints
    topic: Ints
    treatment: Ints
    web: Bools
    answers: Ints
    answer_at: Micros
    answer_from: Micros
    answer_to: Micros
    actor: Ints


class Occurrences(NamedTuple):
    """Facts with a time that something counts; codes are -1 where they have none."""

    start: Ints
    time: Micros
    valid_from: Micros
    valid_to: Micros
    channel: Ints
    topic: Ints
    treatment: Ints
    amount: Floats


class Permissions(NamedTuple):
    """Consent, sorted by (account, contact, since, stored, opt-outs last). `verdict`: 1 or -1."""

    start: Ints
    contact: Ints
    since: Micros
    valid_from: Micros
    valid_to: Micros
    channel: Ints
    purpose: Ints
    verdict: Ints


class Standing(NamedTuple):
    """Standing facts in the order in which they were stored; `code` says what each is about."""

    start: Ints
    valid_from: Micros
    valid_to: Micros
    code: Ints


class Limits(NamedTuple):
    """Contact limits; `counts[k, t]` says whether treatment t counts, the last column: an unknown one."""

    channel: Ints
    days: Micros
    counts: Bools


class Tracked(NamedTuple):
    """What suppressions count, track after track: those of track k and account a are `start[k, a]` to
    `start[k, a + 1]`."""

    start: Ints
    time: Micros
    valid_from: Micros
    valid_to: Micros
    channel: Ints
    topic: Ints
    treatment: Ints


class Pauses(NamedTuple):
    """When each of S suppressions begins a pause: `events` of one scope within `window` microseconds.

    `track` is what it counts, only through `channel` (ANY = through all). The scope of an event is its
    channel or topic (`by`: OF_CHANNEL, OF_TOPIC), else `of_treatment[s, t]`, whose last column is an unknown
    treatment; `paused[s, t]` is the scope that pauses treatment t; -1 = none. `scopes`: more than any scope.
    """

    track: Ints
    channel: Ints
    by: Ints
    of_treatment: Ints
    paused: Ints
    events: Ints
    window: Micros
    scopes: int


OF_CHANNEL, OF_TOPIC, OF_TREATMENT = range(3)


class _Met(NamedTuple):
    """A touchpoint as it counts at a moment; ages are negative for what lies ahead.

    `age` is in microseconds, `days` the same in days, `answer_days` that of its latest positive response.
    """

    age: int
    days: float
    answer_days: float


@compiled
def _count(
    block: Floats, place: tuple[int, int | np.int64], event: int, counting: Counting, met: _Met
) -> None:
    """`event` in the group of this block, as `Counting` counts it."""
    i, member = place
    # Only the columns that the event can change: most of them count something else.
    for k in range(counting.first[event], counting.first[event + 1]):
        if met.age > counting.reach[k]:
            break
        statistic, j = counting.statistic[k], counting.column[k]
        if statistic in (OUTBOUND, INBOUND, RESPONSES, PLANNED):
            block[i, member, j] += 1.0
        elif statistic in (DAYS_SINCE, DAYS_SINCE_INBOUND):
            block[i, member, j] = met.days
        elif statistic == DAYS_SINCE_RESPONSE:
            # A later contact may have been answered sooner.
            if not block[i, member, j] <= met.answer_days:
                block[i, member, j] = met.answer_days
        elif statistic == DAYS_UNTIL and np.isnan(block[i, member, j]):
            block[i, member, j] = -met.days


@compiled
def _rates(block: Floats, i: int, columns: Columns) -> None:
    for j in range(columns.statistic.size):
        if columns.statistic[j] == RESPONSE_RATE:
            for s in range(block.shape[1]):
                contacts = block[i, s, columns.denominator[j]]
                if contacts > 0.0:
                    block[i, s, j] = block[i, s, columns.numerator[j]] / contacts


@compiled
def _answer_age(touchpoints: Touchpoints, row: int, at: int) -> int:
    youngest = NEVER
    for k in range(touchpoints.answers[row], touchpoints.answers[row + 1]):
        if touchpoints.answer_from[k] < at <= touchpoints.answer_to[k]:
            age = at - touchpoints.answer_at[k]
            if youngest == NEVER or age < youngest:
                youngest = age
    return youngest


class Known(NamedTuple):
    """Of `Touchpoints` what says whether one counts."""

    valid_from: Micros
    valid_to: Micros
    event: Ints
    time: Micros
    web: Bools


@compiled
def _counts_at(touchpoints: Known, row: int, at: int, web: bool | np.bool_) -> bool:
    """Whether a version of a touchpoint is known and means something: done before, or planned for later."""
    if not touchpoints.valid_from[row] < at <= touchpoints.valid_to[row]:
        return False
    event = touchpoints.event[row]
    if event == OTHER_EVENT or (touchpoints.web[row] and not web):
        return False
    return bool((touchpoints.time[row] >= at) == (event == OUTBOUND_PLANNED))


@compiled
def count_touchpoints(
    questions: Questions,
    touchpoints: Touchpoints,
    web: Bools,
    blocks: tuple[Floats, Floats, Floats, Floats],
    columns: Groups,
) -> None:
    """Fill the groups any, channel, topic and treatment; `web`: whether web behaviour may be used."""
    account, channel, topic, message = blocks
    # Locals, since what is written may be what a tuple is read from, as far as a compiler can tell.
    events, times, channels = touchpoints.event, touchpoints.time, touchpoints.channel
    topics, treatments, answers = touchpoints.topic, touchpoints.treatment, touchpoints.answers
    known = Known(touchpoints.valid_from, touchpoints.valid_to, events, times, touchpoints.web)
    counting = columns.counting
    table = Counting(counting.first, counting.column, counting.statistic, counting.reach)
    all_of_it = np.int64(0)  # a plain 0 would be a type of its own, to be compiled for
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        for row in range(touchpoints.start[owner], touchpoints.start[owner + 1]):
            if not _counts_at(known, row, at, web[i]):
                continue
            event, answer_days = events[row], np.nan
            if event == OUTBOUND_DONE and answers[row] < answers[row + 1]:
                answer_age = _answer_age(touchpoints, row, at)
                if answer_age != NEVER:
                    event, answer_days = ANSWERED, answer_age / DAY_MICROS
            age = at - times[row]
            met = _Met(age, age / DAY_MICROS, answer_days)
            _count(account, (i, all_of_it), event, table, met)
            if channels[row] >= 0:
                _count(channel, (i, channels[row]), event + EVENTS, table, met)
            if topics[row] >= 0:
                _count(topic, (i, topics[row]), event + 2 * EVENTS, table, met)
            if treatments[row] >= 0:
                _count(message, (i, treatments[row]), event + 3 * EVENTS, table, met)
        _rates(account, i, columns.account)
        _rates(channel, i, columns.channel)
        _rates(topic, i, columns.topic)
        _rates(message, i, columns.message)


@compiled
def count_occurrences(
    questions: Questions,
    occurrences: Occurrences,
    account: Floats,
    columns: Columns,
    statistics: tuple[int, int, int],
) -> None:
    """Fill the account's columns of three statistics: the count, the amount and the recency."""
    count, amount, recency = statistics
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        for row in range(occurrences.start[owner], occurrences.start[owner + 1]):
            age = at - occurrences.time[row]
            if age <= 0 or not occurrences.valid_from[row] < at <= occurrences.valid_to[row]:
                continue
            for j in range(columns.statistic.size):
                if columns.statistic[j] == recency:
                    account[i, 0, j] = age / DAY_MICROS
                elif age <= columns.window[j] and columns.statistic[j] == count:
                    account[i, 0, j] += 1.0
                elif age <= columns.window[j] and columns.statistic[j] == amount:
                    account[i, 0, j] += occurrences.amount[row]


@compiled
def _settle(latest: Ints, found: Floats, i: int, first: int, web: int) -> None:
    """Take one contact's latest word into the account's: an opt-out of anybody counts for all."""
    last = latest.shape[0] - 1
    for c in range(last):
        for purpose in range(2):
            place = first + 2 * c + purpose
            if latest[c, purpose] < 0 or found[i, place] == 0.0:
                found[i, place] = latest[c, purpose]
            latest[c, purpose] = 0
    if latest[last, 0] < 0 or found[i, web] == 0.0:
        found[i, web] = latest[last, 0]
    latest[last, 0] = 0


@compiled
def _hear(latest: Ints, channel: int, purpose: int, verdict: int) -> None:
    last = latest.shape[0] - 1
    if purpose == WEB_BEHAVIOUR:
        latest[last, 0] = verdict
    elif channel == ANY:
        for c in range(last):
            latest[c, purpose] = verdict
    elif channel >= 0:
        latest[channel, purpose] = verdict


@compiled
def read_permissions(
    questions: Questions, permissions: Permissions, found: Floats, where: tuple[int, int], channels: int
) -> None:
    """Fill consent by channel and purpose, and that to web behaviour; `where` the one begins and the other
    stands."""
    first, web = where
    latest = np.zeros((channels + 1, 2), dtype=np.int64)
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        begin = permissions.start[owner]
        for row in range(begin, permissions.start[owner + 1]):
            if row > begin and permissions.contact[row] != permissions.contact[row - 1]:
                _settle(latest, found, i, first, web)
            known = permissions.valid_from[row] < at <= permissions.valid_to[row]
            if known and permissions.since[row] < at:
                _hear(latest, permissions.channel[row], permissions.purpose[row], permissions.verdict[row])
        _settle(latest, found, i, first, web)


@compiled
def latest_known(questions: Questions, standing: Standing) -> Ints:
    """The row stored last that is known at each moment, -1 = none; shape (n,)."""
    found = np.full(questions.at.size, -1, dtype=np.int64)
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        for row in range(standing.start[owner], standing.start[owner + 1]):
            if standing.valid_from[row] < at <= standing.valid_to[row]:
                found[i] = row
    return found


@compiled
def flag_known(questions: Questions, standing: Standing, found: Floats, first: int) -> None:
    """Set found[i, first + code] to 1 for every row known at the moment."""
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        for row in range(standing.start[owner], standing.start[owner + 1]):
            if standing.valid_from[row] < at <= standing.valid_to[row]:
                found[i, first + standing.code[row]] = 1.0


@compiled
def flag_snoozed(
    questions: Questions, answers: Occurrences, until: Micros, found: Floats, first: int | np.int64
) -> None:
    """Whether the latest answer on each treatment still puts it off; `until` is past for other answers."""
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        for row in range(answers.start[owner], answers.start[owner + 1]):
            known = answers.valid_from[row] < at <= answers.valid_to[row]
            if known and answers.time[row] < at:
                found[i, first + answers.treatment[row]] = 1.0 if until[row] > at else 0.0


@compiled
def flag_paused(questions: Questions, pauses: Occurrences, until: Micros, found: Floats, first: int) -> None:
    """What a pause that began with another treatment still keeps away; no later answer shortens it."""
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        for row in range(pauses.start[owner], pauses.start[owner + 1]):
            known = pauses.valid_from[row] < at <= pauses.valid_to[row]
            if known and pauses.time[row] < at < until[row]:
                found[i, first + pauses.treatment[row]] = 1.0


@compiled
def days_rested(questions: Questions, rests: Occurrences, until: Micros, found: Floats, first: int) -> None:
    """For how many days an account still rests from each treatment; the longest rest counts."""
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        for row in range(rests.start[owner], rests.start[owner + 1]):
            known = rests.valid_from[row] < at <= rests.valid_to[row]
            if known and rests.time[row] < at < until[row]:
                days = (until[row] - at) / DAY_MICROS
                place = first + rests.treatment[row]
                found[i, place] = max(found[i, place], days)


@compiled
def count_limits(
    questions: Questions, touchpoints: Touchpoints, limits: Limits, found: Floats, first: int
) -> None:
    """Contacts done less than `days` before and planned less than `days` ahead, by limit."""
    events, times = touchpoints.event, touchpoints.time
    known = Known(touchpoints.valid_from, touchpoints.valid_to, events, times, touchpoints.web)
    longest = np.int64(0)
    for days in limits.days:
        longest = max(longest, days)
    for i in range(questions.at.size):
        at, owner = questions.at[i], questions.account[i]
        for row in range(touchpoints.start[owner], touchpoints.start[owner + 1]):
            away = abs(at - times[row])
            if away >= longest or events[row] == INBOUND_DONE:
                continue
            if not _counts_at(known, row, at, np.bool_(True)):
                continue
            for k in range(limits.days.size):
                channel = limits.channel[k] == ANY or limits.channel[k] == touchpoints.channel[row]
                if away < limits.days[k] and channel and limits.counts[k, touchpoints.treatment[row]]:
                    found[i, first + k] += 1.0


@compiled
def begin_pauses(questions: Questions, tracked: Tracked, pauses: Pauses, found: Floats, first: int) -> None:
    """Days since each pause last began, pause after pause for every treatment."""
    # Locals, since to read an array out of a tuple in the inner loop costs more than to use it.
    times, channels, treatments = tracked.time, tracked.channel, pauses.paused.shape[1]
    valid_from, valid_to = tracked.valid_from, tracked.valid_to
    most = 1
    for count in pauses.events:
        most = max(most, count)
    recent = np.zeros((pauses.scopes, most), dtype=np.int64)
    slot = np.zeros(pauses.scopes, dtype=np.int64)
    seen, last = np.zeros_like(slot), np.zeros_like(slot)
    for rule in range(pauses.track.size):
        count, window, start = pauses.events[rule], pauses.window[rule], tracked.start[pauses.track[rule]]
        by, through, own = pauses.by[rule], pauses.channel[rule], pauses.of_treatment[rule]
        about = tracked.topic if by == OF_TOPIC else (channels if by == OF_CHANNEL else tracked.treatment)
        for i in range(questions.at.size):
            at, owner = questions.at[i], questions.account[i]
            if start[owner] == start[owner + 1]:
                continue
            for scope in range(slot.size):
                slot[scope], seen[scope], last[scope] = 0, 0, -1
            for row in range(start[owner], start[owner + 1]):
                key, time = own[about[row]] if by == OF_TREATMENT else about[row], times[row]
                if key < 0 or (through != ANY and channels[row] != through):
                    continue
                if time >= at or not valid_from[row] < at <= valid_to[row]:
                    continue
                recent[key, slot[key]] = time
                seen[key] += 1
                # The next place to write holds the oldest of the last `count` events.
                slot[key] = slot[key] + 1 if slot[key] + 1 < count else 0
                if seen[key] >= count and time - recent[key, slot[key]] <= window:
                    last[key] = row
            for t in range(treatments):
                key = pauses.paused[rule, t]
                if key >= 0 and last[key] >= 0:
                    found[i, first + rule * treatments + t] = (at - times[last[key]]) / DAY_MICROS
