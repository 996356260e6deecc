"""One compiled pass over the facts of accounts: everything that is known of them at some moments.

A call of a compiled loop costs a decision of one account more than what the loop does. So the loops of
`engine.kernels` and `engine.rule_kernels` run one after the other inside one, for a night's bucket and for a
live event alike.
"""

from __future__ import annotations

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
        channels, topics, roles: How many there are.
        gates: Where each gate begins, as `engine.gates` counts them.
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
    topics: int
    roles: int
    gates: Ints
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
    return Known(*_sweep(questions, _facts_of(facts), _book_of(playbook)))


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
        Groups(*map(tallies.columns_of, tallies.GROUPS)), Nothing(*map(tallies.nothing_seen, tallies.GROUPS)),
        tallies.limits_of(playbook), tallies.pauses_of(playbook), hands_of(playbook), repeat_counts(playbook),
        same_of(playbook), candidates_of(playbook), len(playbook.channels), len(playbook.topics),
        len(playbook.roles), np.array(gates.gate_places(playbook).first),
        not playbook.web_behaviour_needs_consent,
    ))  # fmt: skip


@compiled
def _sweep(questions: Questions, facts: Held, book: Held) -> tuple[
    Floats, Floats, Floats, Floats, Floats, Ints
]:  # fmt: skip
    n, first = questions.at.size, book.gates
    version = kernels.latest_known(questions, facts.versions)
    consent, web = np.zeros((n, book.channels, 2)), np.zeros(n)
    kernels.read_permissions(questions, facts.permissions, consent, web)
    has_role = np.zeros((n, book.roles))
    kernels.flag_known(questions, facts.team, has_role)
    found = np.zeros((n, first[-1]))
    for i in range(n):
        found[i, first[gates.AT]] = questions.at[i]
        found[i, first[gates.CLOSED]] = facts.closed[version[i]]
        found[i, first[gates.HAS_TIMEZONE]] = facts.zoned[version[i]]
        found[i, first[gates.WEB_BEHAVIOUR]] = web[i]
    _lay(has_role, first[gates.HAS_ROLE], found)
    _lay(consent.reshape(n, 2 * book.channels), first[gates.CONSENT], found)
    for begin in range(0, n, _BLOCK):
        some = slice(begin, begin + _BLOCK)
        asked = Questions(questions.account[some], questions.at[some])
        _pauses(asked, facts, book, found[some])
        _others(asked, facts, book, found[some])
    account, channel, topic, message = _statistics(questions, facts, book, web, version)
    return account, channel, topic, message, found, version


@compiled
def _lay(block: Floats, first: int, found: Floats) -> None:
    """Write a block beside the others."""
    for i in range(block.shape[0]):
        for j in range(block.shape[1]):
            found[i, first + j] = block[i, j]


@compiled
def _statistics(questions: Questions, facts: Held, book: Held, web: Floats, version: Ints) -> tuple[
    Floats, Floats, Floats, Floats
]:  # fmt: skip
    """The groups account, with its attributes, channel, topic and message."""
    n, nothing = web.size, book.nothing
    account, channel = _blank(n, np.int64(1), nothing.account), _blank(n, book.channels, nothing.channel)
    topic = _blank(n, book.topics, nothing.topic)
    message = _blank(n, book.candidates.actor.size, nothing.message)
    allowed = np.empty(web.size, dtype=np.bool_)
    for i in range(web.size):
        allowed[i] = book.web_allowed or web[i] > 0.0
    kernels.count_touchpoints(
        questions, facts.touchpoints, allowed, (account, channel, topic, message), book.columns
    )
    columns = book.columns.account
    worth = (kernels.OUTCOMES, kernels.OUTCOME_VALUE, kernels.DAYS_SINCE_OUTCOME)
    kernels.count_occurrences(questions, facts.outcomes, account, columns, worth)
    none = kernels.NOT_COUNTED
    kernels.count_occurrences(questions, facts.optouts, account, columns, (kernels.OPTOUTS, none, none))
    own, counted = account.shape[2], facts.attributes.shape[1]
    whole = np.empty((web.size, own + counted))
    for i in range(web.size):
        for j in range(own):
            whole[i, j] = account[i, 0, j]
        for j in range(counted):
            whole[i, own + j] = facts.attributes[version[i], j]
    return whole, channel, topic, message


@compiled
def _blank(n: int, members: int | np.int64, nothing: Floats) -> Floats:
    """A group where nothing was seen; shape (n, members, columns)."""
    block = np.empty((n, members, nothing.size))
    for i in range(n):
        for member in range(members):
            for j in range(nothing.size):
                block[i, member, j] = nothing[j]
    return block


@compiled
def _pauses(questions: Questions, facts: Held, book: Held, found: Floats) -> None:
    """Contacts against each limit, days since each pause began, what is put off, and days of rest left."""
    first = book.gates
    n, treatments = questions.at.size, book.candidates.actor.size
    limits = np.zeros((n, book.limits.days.size))
    if limits.size:
        kernels.count_limits(questions, facts.touchpoints, book.limits, limits)
    begun = np.full((n, book.pauses.track.size, treatments), np.nan)
    kernels.begin_pauses(questions, facts.tracked, book.pauses, begun)
    snoozed, resting = np.zeros((n, treatments)), np.zeros((n, treatments))
    kernels.flag_snoozed(questions, facts.feedback, facts.snoozed_until, snoozed)
    kernels.flag_paused(questions, facts.pauses, facts.paused_until, snoozed)
    kernels.days_rested(questions, facts.rests, facts.rested_until, resting)
    _lay(limits, first[gates.LIMITS], found)
    _lay(begun.reshape(n, begun.shape[1] * treatments), first[gates.TRACKED], found)
    _lay(snoozed, first[gates.SNOOZED], found)
    _lay(resting, first[gates.RESTING], found)


@compiled
def _others(questions: Questions, facts: Held, book: Held, found: Floats) -> None:
    """What people deal with and were offered, what was repeated, and what other actors do."""
    first = book.gates
    n, treatments = questions.at.size, book.candidates.actor.size
    held, offered = np.full((n, book.topics), np.nan), np.full((n, treatments), np.nan)
    if book.hands.window > 0:
        loops.hold_topics(questions, facts.touchpoints, book.hands, held)
    if facts.offers.time.size:
        loops.highest_offers(questions, facts.offers, book.candidates, offered)
    repeats = book.repeats.shape[0]
    times, since = np.zeros((n, repeats)), np.full((n, repeats), np.nan)
    if repeats:
        loops.count_repeats(questions, facts.touchpoints, book.repeats, times, since)
    equivalent = np.full((n, book.same.window.size, treatments), np.nan)
    if equivalent.size:
        put_off = np.zeros((n, treatments))
        loops.find_equivalents(questions, facts.touchpoints, book.same, book.candidates, equivalent)
        kernels.flag_snoozed(questions, facts.feedback, facts.put_off_until, put_off)
        loops.find_put_off(put_off, book.same, book.candidates, equivalent)
    _lay(held, first[gates.HELD], found)
    _lay(offered, first[gates.OFFERED], found)
    _lay(times, first[gates.TIMES], found)
    _lay(since, first[gates.SINCE], found)
    _lay(equivalent.reshape(n, equivalent.shape[1] * treatments), first[gates.EQUIVALENT], found)
