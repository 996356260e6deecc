"""One compiled pass over the facts of accounts: everything that is known of them at some moments.

A call of a compiled loop costs a decision of one account more than what the loop does. So the loops of
`engine.kernels` and `engine.rule_kernels` run one after the other inside one, for a night's bucket and for a
live event alike.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from engine import gates, kernels, tallies
from engine import rule_kernels as loops
from engine.encoded import EncodedHistory
from engine.holding import Held, hold
from engine.kernels import (
    Groups,
    Limits,
    Occurrences,
    Pauses,
    Permissions,
    Questions,
    Standing,
    Touchpoints,
    Tracked,
)
from engine.numerics import compiled
from engine.playbook import Playbook
from engine.records import Bools, Floats, Ints, Micros, kept_with
from engine.rule_facts import candidates_of, hands_of, repeat_counts, same_of
from engine.rule_kernels import Candidates, Hands, Offers, Same

_BLOCK = 64
"""So many moments have their gates counted together: what is laid side by side is still in the cache."""


class Facts(NamedTuple):
    """What was coded of accounts, as `engine.encoded.EncodedHistory` has it; of versions of accounts what
    stands, attributes, whether a time zone is known, and whether each is closed."""

    touchpoints: Touchpoints
    outcomes: Occurrences
    optouts: Occurrences
    tracked: Tracked
    permissions: Permissions
    team: Standing
    feedback: Occurrences
    snoozed_until: Micros
    put_off_until: Micros
    pauses: Occurrences
    paused_until: Micros
    rests: Occurrences
    rested_until: Micros
    offers: Offers
    versions: Standing
    attributes: Floats
    zoned: Bools
    closed: Bools


class Nothing(NamedTuple):
    """What the columns of each group say where nothing was seen."""

    account: Floats
    channel: Floats
    topic: Floats
    message: Floats


class Book(NamedTuple):
    """What a playbook counts facts by.

    Attributes:
        columns, nothing: By group (account, channel, topic, message); what is said where nothing was seen.
        channels: How many there are.
        gates: Where each gate begins, as `engine.gates` counts them.
        ungated: What the gates say where nothing was seen.
        web_allowed: Whether web behaviour may be used without consent.
    """

    columns: Groups
    nothing: Nothing
    limits: Limits
    pauses: Pauses
    hands: Hands
    repeats: Bools
    same: Same
    candidates: Candidates
    channels: int
    gates: Ints
    ungated: Floats
    web_allowed: bool


class Known(NamedTuple):
    """What is known at n moments: groups of features as `engine.features` has them, gates (n, G), and the
    version of each account that holds, -1 = none, (n,).

    Gates that need no loop are 0: the arm of the test, when channels open, what is stopped.
    """

    account: Floats
    channel: Floats
    topic: Floats
    message: Floats
    gates: Floats
    version: Ints


def sweep(questions: Questions, facts: EncodedHistory, playbook: Playbook) -> Known:
    """Everything that is known at these moments; row i depends on the facts of its account alone."""
    n, treatments = len(questions.at), len(playbook.treatments)
    account, channel, topic, message = (len(columns.statistic) for columns in _groups()[:4])
    counted = facts.attributes.values.shape[1]
    # Handed in, since memory that NumPy asks for comes in large pages: to touch it first takes half as long.
    known = Known(
        np.empty((n, account + counted)), np.empty((n, len(playbook.channels), channel)),
        np.empty((n, len(playbook.topics), topic)), np.empty((n, treatments, message)),
        np.empty((n, len(gates.nothing_gated(playbook)))), np.empty(n, dtype=np.int64),
    )  # fmt: skip
    _sweep(questions, _facts_of(facts), _book_of(playbook), known)
    return known


@cache
def _groups() -> Groups:
    account, channel, topic, message = map(tallies.columns_of, tallies.GROUPS)
    return Groups(account, channel, topic, message, tallies.counting())


def _facts_of(facts: EncodedHistory) -> Held:
    """Kept with what was coded, since who holds an account ready asks again and again."""
    kept: Held | None = vars(facts).get("facts")
    if kept is None:
        versions = facts.attributes
        kept = vars(facts)["facts"] = hold(Facts(
            facts.touchpoints, facts.outcomes, facts.optouts, facts.tracked, facts.permissions, facts.team,
            facts.feedback, facts.snoozed_until, facts.put_off_until, facts.pauses, facts.paused_until,
            facts.rests, facts.rested_until, facts.offers, versions.standing, versions.values, versions.zoned,
            versions.closed,
        ))  # fmt: skip
    return kept


@kept_with
def _book_of(playbook: Playbook) -> Held:
    return hold(Book(
        _groups(), Nothing(*map(tallies.nothing_seen, tallies.GROUPS)),
        tallies.limits_of(playbook), tallies.pauses_of(playbook), hands_of(playbook), repeat_counts(playbook),
        same_of(playbook), candidates_of(playbook), len(playbook.channels),
        np.array(gates.gate_places(playbook).first), gates.nothing_gated(playbook),
        not playbook.web_behaviour_needs_consent,
    ))  # fmt: skip


@compiled
def _sweep(questions: Questions, facts: Held, book: Held, known: Known) -> None:
    whole = known.account.reshape(questions.at.size, 1, known.account.shape[1])
    for begin in range(0, questions.at.size, _BLOCK):
        some = slice(begin, begin + _BLOCK)
        asked = Questions(questions.account[some], questions.at[some])
        gated, version = known.gates[some], known.version[some]
        _stands(asked, facts, book, gated, version)
        _pauses(asked, facts, book, gated)
        _others(asked, facts, book, gated)
        blocks = (whole[some], known.channel[some], known.topic[some], known.message[some])
        _statistics(asked, facts, book, (gated, version), blocks)


@compiled
def _stands(questions: Questions, facts: Held, book: Held, found: Floats, version: Ints) -> None:
    """What stands at each moment: the account's version, who serves it and what it permits."""
    first, ungated = book.gates, book.ungated
    latest = kernels.latest_known(questions, facts.versions)
    for i in range(version.size):
        for place in range(ungated.size):
            found[i, place] = ungated[place]
        version[i] = latest[i]
        found[i, first[gates.AT]] = questions.at[i]
        found[i, first[gates.CLOSED]] = facts.closed[latest[i]]
        found[i, first[gates.HAS_TIMEZONE]] = facts.zoned[latest[i]]
    kernels.flag_known(questions, facts.team, found, first[gates.HAS_ROLE])
    where = (first[gates.CONSENT], first[gates.WEB_BEHAVIOUR])
    kernels.read_permissions(questions, facts.permissions, found, where, book.channels)


@compiled
def _statistics(
    questions: Questions, facts: Held, book: Held, stands: tuple[Floats, Ints],
    blocks: tuple[Floats, Floats, Floats, Floats],
) -> None:  # fmt: skip
    """The groups account, with its attributes, channel, topic and message."""
    (found, version), nothing = stands, book.nothing
    account, channel, topic, message = blocks
    own, web = nothing.account.size, book.gates[gates.WEB_BEHAVIOUR]
    allowed = np.empty(version.size, dtype=np.bool_)
    for i in range(version.size):
        allowed[i] = book.web_allowed or found[i, web] > 0.0
        for j in range(facts.attributes.shape[1]):
            account[i, 0, own + j] = facts.attributes[version[i], j]
    _empty(account, nothing.account)
    _empty(channel, nothing.channel)
    _empty(topic, nothing.topic)
    _empty(message, nothing.message)
    kernels.count_touchpoints(questions, facts.touchpoints, allowed, blocks, book.columns)
    columns = book.columns.account
    worth = (kernels.OUTCOMES, kernels.OUTCOME_VALUE, kernels.DAYS_SINCE_OUTCOME)
    kernels.count_occurrences(questions, facts.outcomes, account, columns, worth)
    none = kernels.NOT_COUNTED
    kernels.count_occurrences(questions, facts.optouts, account, columns, (kernels.OPTOUTS, none, none))


@compiled
def _empty(block: Floats, nothing: Floats) -> None:
    """A group where nothing was seen; shape (n, members, columns), of which others may follow."""
    for i in range(block.shape[0]):
        for member in range(block.shape[1]):
            for j in range(nothing.size):
                block[i, member, j] = nothing[j]


@compiled
def _pauses(questions: Questions, facts: Held, book: Held, found: Floats) -> None:
    """Contacts against each limit, days since each pause began, what is put off, and days of rest left."""
    first = book.gates
    snoozed = first[gates.SNOOZED]
    kernels.count_limits(questions, facts.touchpoints, book.limits, found, first[gates.LIMITS])
    kernels.begin_pauses(questions, facts.tracked, book.pauses, found, first[gates.TRACKED])
    kernels.flag_snoozed(questions, facts.feedback, facts.snoozed_until, found, snoozed)
    kernels.flag_paused(questions, facts.pauses, facts.paused_until, found, snoozed)
    kernels.days_rested(questions, facts.rests, facts.rested_until, found, first[gates.RESTING])


@compiled
def _others(questions: Questions, facts: Held, book: Held, found: Floats) -> None:
    """What people deal with and were offered, what was repeated, and what other actors do."""
    first, touchpoints = book.gates, facts.touchpoints
    if book.hands.window > 0:
        loops.hold_topics(questions, touchpoints, book.hands, found, first[gates.HELD])
    loops.highest_offers(questions, facts.offers, book.candidates, found, first[gates.OFFERED])
    if book.repeats.shape[0]:
        where = (first[gates.TIMES], first[gates.SINCE])
        loops.count_repeats(questions, touchpoints, book.repeats, found, where)
    if book.same.window.size:
        own, alike = first[gates.EQUIVALENT], (book.same, book.candidates)
        put_off = np.zeros((questions.at.size, book.candidates.actor.size))
        loops.find_equivalents(questions, touchpoints, alike, found, own)
        kernels.flag_snoozed(questions, facts.feedback, facts.put_off_until, put_off, np.int64(0))
        loops.find_put_off(put_off, alike, found, own)
