"""Facts as columns of numbers: from the frames of a `History` to what the compiled loops read.

Every table is cut to the accounts asked for, freed of tombstones and of rows given twice, coded, and put in
an order that does not depend on the order of the frame's rows. How columns leave a frame is `engine.rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np

from engine.contract import OPT_OUT_RESPONSES, POSITIVE_RESPONSES
from engine.encoded import (
    DIRECTIONS,
    PURPOSES,
    RESPONSE_TRACKS,
    RESPONSES,
    STATUSES,
    VERBS,
    VERDICTS,
    AttributeVersions,
    EncodedHistory,
    codes_of,
    tracks,
)
from engine.facts import Attribute
from engine.kernels import (
    ANY,
    INBOUND_DONE,
    MARKETING,
    OTHER_EVENT,
    OUTBOUND_DONE,
    OUTBOUND_PLANNED,
    WEB_BEHAVIOUR,
    Occurrences,
    Permissions,
    Standing,
    Touchpoints,
    Tracked,
)  # fmt: skip
from engine.pauses import pause_reasons, resting, widened
from engine.playbook import Playbook, Track
from engine.records import Bools, History, Ints, Micros
from engine.rows import ALWAYS, NEVER, Rows, in_order, numbered, starts
from engine.rule_kernels import Offers
from engine.timing import known_zone


def encode_history(
    history: History, account_ids: Iterable[str], playbook: Playbook, attributes: tuple[Attribute, ...]
) -> EncodedHistory:
    """Code the facts of these accounts by a playbook's channels, topics and treatments.

    What was coded last of a single account stays with its history: whoever holds the facts of an account
    ready decides again without reading them again.
    """
    accounts = tuple(sorted(set(account_ids)))
    if len(accounts) > 1:
        return _Encoder(history, accounts, playbook).encode(attributes)
    held: _Held | None = vars(history).get("encoded")
    asked = (accounts, playbook, attributes)
    if held is None or held.accounts != accounts or held.playbook is not playbook or (
        held.attributes != attributes
    ):  # fmt: skip
        held = _Held(*asked, _Encoder(history, accounts, playbook).encode(attributes))
        vars(history)["encoded"] = held
    return held.facts


class _Held(NamedTuple):
    """What was coded, and what for."""

    accounts: tuple[str, ...]
    playbook: Playbook
    attributes: tuple[Attribute, ...]
    facts: EncodedHistory


class _Contacts(NamedTuple):
    """Versions of touchpoints in the order in which they are counted, and where each stands in `rows`."""

    rows: Rows
    order: Ints
    account: Ints
    time: Micros
    valid_from: Micros
    valid_to: Micros
    event: Ints
    channel: Ints
    topic: Ints
    treatment: Ints
    role: Ints
    web: Bools
    ours: Bools


class _Answers(NamedTuple):
    """Responses beside each version of their touchpoint (place `contact`), valid while both are known."""

    account: Ints
    time: Micros
    valid_from: Micros
    valid_to: Micros
    response: Ints
    contact: Ints

    def of(self, rows: Ints | Bools) -> _Answers:
        """Some of them."""
        return _Answers(*(column[rows] for column in self))


class _Wishes(NamedTuple):
    """Permissions given and withdrawn."""

    account: Ints
    time: Micros
    valid_from: Micros
    valid_to: Micros
    contact: Ints
    channel: Ints
    topic: Ints
    treatment: Ints
    purpose: Ints
    verdict: Ints

    def of(self, rows: Ints | Bools) -> _Wishes:
        """Some of them."""
        return _Wishes(*(column[rows] for column in self))


Coded = TypeVar("Coded")


class _Encoder:
    def __init__(self, history: History, accounts: tuple[str, ...], playbook: Playbook) -> None:
        self.history = history
        self.playbook = playbook
        self.accounts = accounts
        self.account_codes = numbered(accounts)
        self.codes = codes_of(playbook)

    def encode(self, attributes: tuple[Attribute, ...]) -> EncodedHistory:
        contacts = self._contacts()
        answers = self._answers(contacts)
        wishes = self._wishes(contacts, answers)
        feedback, verb, reason, until = self._kept("feedback", self._feedback)
        paused, away = widened(self.playbook, np.where(verb == 0, reason, -1), feedback.treatment)
        rested, from_ = resting(self.playbook, np.where(verb == 2, feedback.treatment, -1))
        optouts = self._optouts(wishes)
        tracked: dict[Track, Occurrences] = {
            "contacts": self._of_contacts(contacts, np.flatnonzero(contacts.event == OUTBOUND_DONE)),
            **self._responses(contacts, answers),
            "dismissals": self._some(feedback, verb == 0),
            "opt_outs": self._on_every_channel(optouts),
        }
        return EncodedHistory(
            self.accounts,
            self._touchpoints(contacts, answers),
            self._kept("outcomes", self._outcomes),
            self._tracked([tracked[track] for track in tracks(self.playbook)]),
            optouts,
            self._permissions(wishes),
            self._kept("account_team", self._team),
            feedback,
            np.where(verb == 2, ALWAYS, until),
            self._kept("accounts", lambda: self._attributes(attributes), attributes),
            np.where(verb == 1, until, ALWAYS),
            self._kept("offers", self._offers),
            self._some(feedback, paused)._replace(treatment=away),
            until[paused],
            self._some(feedback, rested)._replace(treatment=from_),
            until[rested],
        )

    def _kept(self, table: str, code: Callable[[], Coded], *of: Any) -> Coded:
        """What `code` makes of one table. Of a single account it stays with the table's frame: what comes in
        of an account mostly leaves its other tables as they are."""
        if len(self.accounts) > 1:
            return code()
        frame, asked, held = self.history[table], (self.accounts, *of), self.history.coded.get(table)
        if held is None or held[0] is not frame or held[1] is not self.playbook or held[2] != asked:
            held = self.history.coded[table] = frame, self.playbook, asked, code()
        found: Coded = held[3]
        return found

    def _rows(self, table: str, *, tombstones: bool = False) -> Rows:
        return Rows(self.history[table], self.account_codes, tombstones=tombstones)

    def _contacts(self) -> _Contacts:
        rows, codes = self._rows("touchpoints"), self.codes
        time, status = rows.moments("occurred_at"), rows.coded("status", STATUSES)
        direction = rows.coded("direction", DIRECTIONS)
        inbound, ours = direction == 0, direction == 1
        channel, topic = rows.coded("channel", codes.channels), rows.coded("topic", codes.topics)
        treatment = rows.coded("treatment", codes.treatments)
        role = rows.coded("role", codes.roles)
        # A report of a side effect is never a signal: nothing counts it.
        counted = inbound & (status == 0) & ~codes.safety[topic]
        event = np.where(
            inbound, OTHER_EVENT, np.array([OUTBOUND_DONE, OUTBOUND_PLANNED, OTHER_EVENT])[status]
        )
        event = np.where(counted, INBOUND_DONE, event)
        web = inbound & ~codes.reached[channel] & rows.known("channel")
        order = rows.ordered(
            time, "touchpoint_id", rows.valid_from, rows.valid_to, event, channel, topic, treatment, role
        )
        columns: tuple[Any, ...] = (
            rows.account,
            time,
            rows.valid_from,
            rows.valid_to,
            event,
            channel,
            topic,
            treatment,
            role,
            web,
            ours,
        )
        if order is None:
            return _Contacts(rows, np.arange(len(rows)), *columns)
        return _Contacts(rows, order, *(column[order] for column in columns))

    def _answers(self, contacts: _Contacts) -> _Answers:
        rows = self._rows("responses")
        mine, theirs = rows.matches("touchpoint_id", contacts.rows, contacts.order)
        responded = rows.moments("responded_at")[mine]
        known = np.maximum(rows.valid_from[mine], contacts.valid_from[theirs])
        known = np.maximum(known, np.maximum(contacts.time[theirs], responded))
        ends = np.minimum(rows.valid_to[mine], contacts.valid_to[theirs])
        response = rows.coded("response", RESPONSES)[mine]
        answers = _Answers(rows.account[mine], responded, known, ends, response, theirs)
        rest = (theirs, response, known, ends)
        order = in_order(answers.account, responded, lambda places: [key[places] for key in rest])
        return answers if order is None else answers.of(order)

    def _responses(self, contacts: _Contacts, answers: _Answers) -> dict[Track, Occurrences]:
        """What came back on contacts by us, for the tracks that a suppression of the playbook counts."""
        counted = tracks(self.playbook)
        ours = contacts.ours[answers.contact]
        return {
            track: self._of_answers(contacts, answers.of(ours & (answers.response == RESPONSES[response])))
            for track, response in RESPONSE_TRACKS.items()
            if track in counted
        }

    def _tracked(self, events: Sequence[Occurrences]) -> Tracked:
        """What suppressions count, one track after the other."""
        first = np.cumsum([0, *(len(each.time) for each in events)])  # counts
        start = [each.start + before for each, before in zip(events, first.tolist(), strict=False)]
        whole, shape = np.zeros(0, dtype=np.int64), (len(events), len(self.accounts) + 1)
        columns = (np.concatenate([whole, *(each[place] for each in events)]) for place in range(1, 7))
        return Tracked(np.array(start, dtype=np.int64).reshape(shape), *columns)

    def _of_contacts(self, contacts: _Contacts, places: Ints) -> Occurrences:
        account, time, valid_from, valid_to = (column[places] for column in contacts[2:6])
        return self._occurrences(account, time, valid_from, valid_to, *_about(contacts, places))

    def _of_answers(self, contacts: _Contacts, answers: _Answers) -> Occurrences:
        return self._occurrences(*answers[:4], *_about(contacts, answers.contact))

    def _touchpoints(self, contacts: _Contacts, answers: _Answers) -> Touchpoints:
        positive = answers.of((answers.response >= 0) & (answers.response < len(POSITIVE_RESPONSES)))
        if len(positive.contact) > 1:
            order = np.argsort(positive.contact, kind="stable")
            positive = _Answers(*(column[order] for column in positive))
        return Touchpoints(
            start=self._start(contacts.account),
            time=contacts.time,
            valid_from=contacts.valid_from,
            valid_to=contacts.valid_to,
            event=contacts.event,
            channel=contacts.channel,
            topic=contacts.topic,
            treatment=contacts.treatment,
            web=contacts.web,
            answers=np.searchsorted(positive.contact, np.arange(len(contacts.time) + 1)).astype(np.int64),
            answer_at=positive.time,
            answer_from=positive.valid_from,
            answer_to=positive.valid_to,
            actor=self._actors(contacts),
        )

    def _actors(self, contacts: _Contacts) -> Ints:
        """Who acted: the role given, else the treatment's, else the system in its channels, else -1."""
        codes = self.codes
        given, meant = codes.actor[contacts.role], codes.meant[contacts.treatment]
        automatic = codes.automatic[contacts.channel]
        return np.where(given != -1, given, np.where(meant != -1, meant, automatic))

    def _offers(self) -> Offers:
        """Quotes; none are read where the playbook offers no prices."""
        rows = self._rows("offers") if any(t.price is not None for t in self.playbook.treatments) else ()
        if not len(rows):
            whole, start = np.empty(0, np.int64), np.zeros(len(self.accounts) + 1, np.int64)
            return Offers(start, whole, whole, whole, whole, whole, whole, np.empty(0))
        assert isinstance(rows, Rows)
        opened, until = (
            rows.moments("opened_at"),
            np.minimum(*(rows.moments(n, NEVER) for n in ("expires_at", "closed_at"))),
        )
        product = rows.coded("product", self.codes.products)
        product = np.where(rows.known("product") & (product < 0), -2, product)
        same = rows.coded("currency", {self.playbook.currency: 0}) == 0
        price = np.where(same & rows.known("price"), rows.numbers("price"), np.inf)
        topic = rows.coded("topic", self.codes.topics)
        order = rows.ordered(opened, "offer_id", rows.valid_from, rows.valid_to, until, price)
        columns: tuple[Any, ...] = (
            rows.account,
            opened,
            until,
            rows.valid_from,
            rows.valid_to,
            topic,
            product,
            price,
        )
        account, *rest = columns if order is None else tuple(column[order] for column in columns)
        return Offers(self._start(account), *rest)

    def _wishes(self, contacts: _Contacts, answers: _Answers) -> _Wishes:
        """Permissions given and withdrawn, with an opt-out of marketing for every unsubscription."""
        rows = self._rows("preferences")
        channel = rows.coded("channel", {**self.codes.channels, "*": ANY})
        purpose, status = rows.coded("purpose", PURPOSES), rows.coded("status", VERDICTS)
        kept = (rows.coded("kind", {"permission": 0}) == 0) & (status >= 0) & (purpose >= 0)
        opted_out = answers.of(answers.response >= len(POSITIVE_RESPONSES))
        opted_out = opted_out.of(opted_out.response < len(POSITIVE_RESPONSES) + len(OPT_OUT_RESPONSES))
        people, named = (
            rows.texts("contact_id"),
            contacts.rows.texts("contact_id") if len(opted_out.time) else [],
        )
        of_answers = [named[row] for row in contacts.order[opted_out.contact].tolist()]
        contact = _grouped([*people, *of_answers])
        raw = _grouped(rows.texts("channel"))
        nothing = np.full(len(rows), -1, dtype=np.int64)
        said = _Wishes(
            rows.account, rows.moments("since"), rows.valid_from, rows.valid_to, contact[: len(rows)],
            channel, nothing, nothing, purpose, np.where(status == 1, 1, -1),
        ).of(kept)  # fmt: skip
        said = said.of(_once((*said, raw[kept])))
        none = np.zeros(len(of_answers), dtype=np.int64)
        about = _about(contacts, opted_out.contact)
        left = _Wishes(*opted_out[:4], contact[len(rows) :], *about, none + MARKETING, none - 1)
        return _Wishes(*(np.concatenate(both) for both in zip(said, left, strict=True)))

    def _permissions(self, wishes: _Wishes) -> Permissions:
        """In the order in which the later word wins; at the same moment an opt-out does."""
        outbound = self.codes.reached[wishes.channel] & (wishes.channel >= 0)
        rows = wishes.of((wishes.purpose != WEB_BEHAVIOUR) | ~outbound)
        keys = (
            rows.account,
            rows.contact,
            rows.time,
            rows.valid_from,
            -rows.verdict,
            rows.channel,
            rows.purpose,
            rows.valid_to,
        )
        account, time, valid_from, valid_to, contact, channel, _, _, purpose, verdict = rows.of(
            np.lexsort(keys[::-1])
        )
        return Permissions(
            self._start(account), contact, time, valid_from, valid_to, channel, purpose, verdict
        )

    def _optouts(self, wishes: _Wishes) -> Occurrences:
        out = wishes.of((wishes.verdict < 0) & (wishes.purpose != WEB_BEHAVIOUR))
        keys = (out.account, out.time, out.valid_from, out.valid_to, out.channel, out.topic, out.treatment)
        account, time, valid_from, valid_to, _, *about, _, _ = out.of(np.lexsort(keys[::-1]))
        return self._occurrences(account, time, valid_from, valid_to, *about)

    def _on_every_channel(self, optouts: Occurrences) -> Occurrences:
        """An opt-out from everything is one from each channel."""
        everything = optouts.channel == ANY
        if not everything.any():
            return optouts
        channels = len(self.playbook.channels)
        rows = np.repeat(np.arange(len(everything)), np.where(everything, channels, 1))
        each = np.arange(len(rows)) - np.searchsorted(rows, rows)
        full = self._some(optouts, rows)
        return full._replace(channel=np.where(full.channel == ANY, each, full.channel))

    def _outcomes(self) -> Occurrences:
        rows, worth = self._rows("outcomes"), self.playbook.outcome_worth
        rates = np.array([*worth.values(), 0.0])
        amount = rows.numbers("value", 0.0) * rates[rows.coded("kind", numbered(worth))]
        time, nothing = rows.moments("occurred_at"), np.full(len(rows), -1, dtype=np.int64)
        order = rows.ordered(time, "outcome_id", rows.valid_from, rows.valid_to, amount)
        columns: tuple[Any, ...] = (
            rows.account,
            time,
            rows.valid_from,
            rows.valid_to,
            nothing,
            nothing,
            nothing,
            amount,
        )
        account, *rest = columns if order is None else tuple(column[order] for column in columns)
        return Occurrences(self._start(account), *rest)

    def _feedback(self) -> tuple[Occurrences, Ints, Ints, Micros]:
        """Answers to suggestions in order, their verbs and reasons, and until when a treatment is put off."""
        rows, codes = self._rows("feedback"), self.codes
        verb, reason = rows.coded("verb", VERBS), rows.coded("reason", pause_reasons(self.playbook))
        until = np.where(verb >= 0, rows.moments("until"), ALWAYS)
        treatment, time = rows.coded("treatment", codes.treatments), rows.moments("occurred_at")
        order = rows.ordered(
            time, "feedback_id", rows.valid_from, rows.valid_to, treatment, until, verb, reason
        )
        order = np.arange(len(rows)) if order is None else order
        order = order[treatment[order] >= 0]
        own = treatment[order]
        account, valid_from, valid_to = (c[order] for c in (rows.account, rows.valid_from, rows.valid_to))
        found = self._occurrences(
            account, time[order], valid_from, valid_to, codes.channel_of[own], codes.topic_of[own], own
        )
        return found, verb[order], reason[order], until[order]

    def _occurrences(self, account: Ints, *columns: Ints) -> Occurrences:
        whole: list[Any] = [self._start(account), *columns, np.zeros(len(account))]
        return Occurrences(*whole)

    def _some(self, rows: Occurrences, places: Ints | Bools) -> Occurrences:
        """Some of the rows, in order."""
        account = np.repeat(np.arange(len(self.accounts)), np.diff(rows.start))
        columns: tuple[Any, ...] = tuple(column[places] for column in rows[1:])
        return Occurrences(self._start(account[places]), *columns)

    def _team(self) -> Standing:
        rows = self._rows("account_team")
        role = rows.coded("role", self.codes.roles)
        order = np.lexsort((role, rows.valid_from, rows.account))
        order = order[(role[order] >= 0) & rows.known("user_id")[order]]
        columns: tuple[Any, ...] = (rows.account, rows.valid_from, rows.valid_to, role)
        account, *rest = (column[order] for column in columns)
        return Standing(self._start(account), *rest)

    def _attributes(self, attributes: tuple[Attribute, ...]) -> AttributeVersions:
        rows = self._rows("accounts", tombstones=True)
        order = rows.versions(sorted({"timezone", "country", "merged_into", *(a.name for a in attributes)}))
        values = np.full((len(order) + 1, len(attributes)), np.nan)
        for column, attribute in enumerate(attributes):
            if attribute.levels is None:
                values[:-1, column] = rows.numbers(attribute.name)[order]
            else:
                values[:-1, column] = rows.levels(attribute.name, _level_codes(attribute.levels))[order]
        gone = rows.deleted[order]
        values[:-1][gone] = np.nan
        merged = rows.known("merged_into")[order]
        place, places = rows.pairs("timezone", "country")
        place = np.append(np.where(gone, -1, place[order]), -1)
        zoned = np.array([*(known_zone(where.partition("|")[0]) for where in places), False])[place]
        standing = Standing(
            self._start(rows.account[order]),
            rows.valid_from[order],
            rows.valid_to[order],
            rows.account[order],
        )
        return AttributeVersions(standing, values, zoned, np.append(gone | merged, np.False_), place, places)

    def _start(self, account: Ints) -> Ints:
        return starts(account, len(self.accounts))


@lru_cache(maxsize=1024)
def _level_codes(levels: tuple[str, ...]) -> Mapping[str, int]:
    return numbered(levels)


def _about(contacts: _Contacts, places: Ints) -> tuple[Ints, Ints, Ints]:
    """Channel, topic and treatment of some contacts."""
    return contacts.channel[places], contacts.topic[places], contacts.treatment[places]


def _grouped(texts: Iterable[str | None]) -> Ints:
    """The same number for the same text; none is a text of its own."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text or "", len(numbers)) for text in texts], dtype=np.int64)


def _once(keys: Sequence[Ints]) -> Ints:
    """Places of rows that are not equal to an earlier one in all keys."""
    seen = dict.fromkeys(zip(*(key.tolist() for key in keys), strict=True))
    if len(seen) == len(keys[0]):
        return np.arange(len(keys[0]))
    first: dict[tuple[int, ...], int] = {}
    for place, row in enumerate(zip(*(key.tolist() for key in keys), strict=True)):
        first.setdefault(row, place)
    return np.array(list(first.values()), dtype=np.int64)
