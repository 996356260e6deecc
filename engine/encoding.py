"""Facts as columns of numbers: from the frames of a `History` to what the compiled loops read.

Every table is cut to the accounts asked for, freed of tombstones and of rows given twice, coded, and put in
an order that does not depend on the order of the frame's rows.

An operation on a frame costs as much for one row as for thousands, and a live decision has few rows: what has
nothing to do is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from engine.contract import OPT_OUT_RESPONSES, POSITIVE_RESPONSES
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
)  # fmt: skip
from engine.pauses import widened
from engine.playbook import Playbook, Track
from engine.records import Bools, Floats, History, Ints, Micros
from engine.rule_kernels import Offers
from engine.timing import known_zone

ALWAYS = np.iinfo(np.int64).min
NEVER = np.iinfo(np.int64).max
RESPONSE_TRACKS: Mapping[Track, str] = {
    "impressions": "viewed", "clicks": "clicked", "replies": "replied", "attendances": "attended",
    "acceptances": "accepted", "rejections": "rejected",
}  # fmt: skip
"""What a suppression tracks -> the response to our contact that it counts."""


@dataclass(frozen=True)
class AttributeVersions:
    """Versions of accounts, tombstones included: `values` shape (rows + 1, attributes), the last row
    NaN, which is also what a tombstone has; texts as codes into the attribute's levels. `zoned`: whether a
    time zone that exists is given; `closed`: whether it is a tombstone or merged into another; `place`: into
    `places`, "time zone|country", -1 = not known; shape (rows + 1,)."""

    standing: Standing
    values: Floats
    zoned: Bools
    closed: Bools
    place: Ints
    places: tuple[str, ...]


@dataclass(frozen=True)
class EncodedHistory:
    """The facts of some accounts, ready for the loops. `accounts` are sorted; their places are the codes.

    `put_off_until` is `snoozed_until` without dismissals; `products` are those that the playbook offers, and
    their places the codes. `pauses` are of treatments that a dismissal of another one keeps away, each until
    `paused_until`.
    """

    accounts: tuple[str, ...]
    touchpoints: Touchpoints
    outcomes: Occurrences
    tracked: Mapping[Track, Occurrences]
    optouts: Occurrences
    permissions: Permissions
    team: Standing
    feedback: Occurrences
    snoozed_until: Micros
    attributes: AttributeVersions
    put_off_until: Micros
    offers: Offers
    products: tuple[str, ...]
    pauses: Occurrences
    paused_until: Micros


def encode_history(
    history: History, account_ids: Iterable[str], playbook: Playbook, attributes: tuple[Attribute, ...]
) -> EncodedHistory:
    """Code the facts of these accounts by a playbook's channels, topics and treatments."""
    return _Encoder(history, tuple(sorted(set(account_ids))), playbook).encode(attributes)


class _Encoder:
    def __init__(self, history: History, accounts: tuple[str, ...], playbook: Playbook) -> None:
        self.history = history
        self.playbook = playbook
        self.accounts = accounts
        codes = np.arange(len(accounts), dtype=np.int64)
        self.codes = pl.DataFrame({"account_id": accounts, "account_code": codes}, schema_overrides=_TEXT)
        self.channels = tuple(channel.id for channel in playbook.channels)
        self.topics = tuple(topic.id for topic in playbook.topics)
        self.treatments = tuple(treatment.id for treatment in playbook.treatments)
        self.products = tuple(sorted({t.product for t in playbook.treatments if t.product}))

    def encode(self, attributes: tuple[Attribute, ...]) -> EncodedHistory:
        contacts = self._contacts()
        answers = self._answers(contacts)
        wishes = self._wishes(answers)
        feedback = self._feedback()
        pauses = widened(feedback, self.playbook)
        outbound_done = contacts.filter(pl.col("event") == OUTBOUND_DONE)
        optouts = wishes.filter((pl.col("verdict") < 0) & (pl.col("purpose") != WEB_BEHAVIOUR))
        tracked: dict[Track, Occurrences] = {
            "contacts": self._occurrences(outbound_done),
            **self._responses(answers),
            "dismissals": self._occurrences(feedback.filter(pl.col("verb") == "dismiss")),
            "opt_outs": self._occurrences(self._on_every_channel(optouts)),
        }
        return EncodedHistory(
            self.accounts,
            self._touchpoints(contacts, answers),
            self._occurrences(self._outcomes()),
            tracked,
            self._occurrences(optouts),
            self._permissions(wishes),
            self._team(),
            self._occurrences(feedback),
            _whole(feedback, "until"),
            self._attributes(attributes),
            np.where(np.array(feedback["verb"] == "snooze"), _whole(feedback, "until"), ALWAYS),
            self._offers(),
            self.products,
            self._occurrences(pauses),
            _whole(pauses, "until"),
        )

    def _rows(
        self, table: str, columns: Iterable[str], *, prefix: str = "", tombstones: bool = False
    ) -> pl.DataFrame:
        """Rows of our accounts, each once, with account code, valid_from and valid_to."""
        frame = self.history[table]
        wanted = {name: prefix + name for name in columns}
        bookkeeping = ("stored_at", "superseded_at", "deleted")
        missing = [pl.lit(None).alias(name) for name in (*bookkeeping, *wanted) if name not in frame.columns]
        whole = frame.with_columns(missing) if missing else frame
        rows = whole.join(self.codes, on="account_id").select(
            pl.col("account_code").alias("account"),
            _micros("stored_at").fill_null(ALWAYS).alias("valid_from"),
            _micros("superseded_at").fill_null(NEVER).alias("valid_to"),
            pl.col("deleted").cast(pl.Boolean).fill_null(value=False),
            *(pl.col(name).alias(renamed) for name, renamed in wanted.items()),
        )
        once = rows.unique() if rows.height > 1 else rows
        return once if tombstones or not once["deleted"].any() else once.filter(~pl.col("deleted"))

    def _contacts(self) -> pl.DataFrame:
        """Versions of touchpoints, coded, in the order in which they are counted; `row` is their place."""
        names = ("touchpoint_id", "occurred_at", "direction", "channel", "topic", "treatment", "status",
                 "contact_id", "role")  # fmt: skip
        reached = [channel.id for channel in self.playbook.channels if channel.outbound]
        inbound, done = pl.col("direction") == "inbound", pl.col("status") == "done"
        planned = pl.col("status") == "planned"
        # A report of a side effect is never a signal: nothing counts it.
        safety = [topic.id for topic in self.playbook.topics if topic.safety]
        report = (inbound & pl.col("topic").is_in(safety)).fill_null(value=False)
        event = (
            pl.when(inbound & done & ~report).then(INBOUND_DONE).when(inbound).then(OTHER_EVENT)
            .when(done).then(OUTBOUND_DONE).when(planned).then(OUTBOUND_PLANNED).otherwise(OTHER_EVENT)
        )  # fmt: skip
        coded = self._rows("touchpoints", names).with_columns(
            _micros("occurred_at").alias("time"),
            event.cast(pl.Int64).alias("event"),
            (inbound & ~pl.col("channel").is_in(reached)).fill_null(value=False).alias("web"),
            _coded("channel", self.channels),
            _coded("topic", self.topics),
            _coded("treatment", self.treatments),
            _coded("role", tuple(role.id for role in self.playbook.roles)),
        )
        order = ("account", "time", "touchpoint_id", "valid_from", "valid_to", "event", "channel", "topic",
                 "treatment", "role")  # fmt: skip
        return _ordered(coded, *order).with_row_index("row")

    def _answers(self, contacts: pl.DataFrame) -> pl.DataFrame:
        """Responses beside each version of their touchpoint, valid while both are known."""
        both = self._rows("responses", ("touchpoint_id", "responded_at", "response")).join(
            contacts, on=("account", "touchpoint_id"), suffix="_contact"
        )
        known = pl.max_horizontal("valid_from", "valid_from_contact", "time", _micros("responded_at"))
        answers = both.with_columns(
            _micros("responded_at").alias("time"),
            known.alias("valid_from"),
            pl.min_horizontal("valid_to", "valid_to_contact").alias("valid_to"),
        )
        return _ordered(answers, "account", "time", "row", "response", "valid_from", "valid_to")

    def _responses(self, answers: pl.DataFrame) -> dict[Track, Occurrences]:
        """What came back on contacts by us, for the tracks that a suppression of the playbook counts."""
        counted = {suppression.track for suppression in self.playbook.suppressions}
        ours = pl.col("direction") == "outbound"
        return {
            track: self._occurrences(answers.filter(ours & (pl.col("response") == response)))
            for track, response in RESPONSE_TRACKS.items()
            if track in counted
        }

    def _touchpoints(self, contacts: pl.DataFrame, answers: pl.DataFrame) -> Touchpoints:
        positive = _ordered(answers.filter(pl.col("response").is_in(list(POSITIVE_RESPONSES))), "row")
        return Touchpoints(
            start=self._start(contacts),
            time=_whole(contacts, "time"),
            valid_from=_whole(contacts, "valid_from"),
            valid_to=_whole(contacts, "valid_to"),
            event=_whole(contacts, "event"),
            channel=_whole(contacts, "channel"),
            topic=_whole(contacts, "topic"),
            treatment=_whole(contacts, "treatment"),
            web=np.array(contacts["web"], dtype=np.bool_),
            answers=_starts(_whole(positive, "row"), contacts.height),
            answer_at=_whole(positive, "time"),
            answer_from=_whole(positive, "valid_from"),
            answer_to=_whole(positive, "valid_to"),
            actor=self._actors(contacts),
        )

    def _actors(self, contacts: pl.DataFrame) -> Ints:
        """Who acted: the role given, else the treatment's, else the system in its channels, else -1."""
        own = self.playbook
        role, treatment, channel = (_whole(contacts, name) for name in ("role", "treatment", "channel"))
        given = np.append(_role_codes(own), -1)[role]
        meant = np.append(actor_codes(own), -1)[treatment]
        automatic = np.array([*(_SYSTEM if c.automated else -1 for c in own.channels), -1])[channel]
        return np.where(given != -1, given, np.where(meant != -1, meant, automatic)).astype(np.int64)

    def _offers(self) -> Offers:
        """Quotes; none are read where the playbook offers no prices."""
        if all(treatment.price is None for treatment in self.playbook.treatments):
            whole, start = np.empty(0, np.int64), np.zeros(len(self.accounts) + 1, np.int64)
            return Offers(start, whole, whole, whole, whole, whole, whole, np.empty(0))
        names = ("offer_id", "topic", "product", "price", "currency", "opened_at", "expires_at", "closed_at")
        same = (pl.col("currency") == self.playbook.currency).fill_null(value=False)
        product = pl.when(pl.col("product").is_null()).then(-1).otherwise(
            pl.col("product").replace_strict(
                list(self.products), list(range(len(self.products))), default=-2, return_dtype=pl.Int64
            ) if self.products else -2
        )  # fmt: skip
        rows = self._rows("offers", names).with_columns(
            _micros("opened_at").alias("time"),
            pl.min_horizontal(_micros("expires_at"), _micros("closed_at")).fill_null(NEVER).alias("until"),
            _coded("topic", self.topics),
            product.cast(pl.Int64).alias("product"),
            pl.when(same).then(pl.col("price").cast(pl.Float64)).fill_null(np.inf).alias("price"),
        )
        full = _ordered(rows, "account", "time", "offer_id", "valid_from", "valid_to", "until", "price")
        return Offers(
            self._start(full),
            time=_whole(full, "time"),
            until=_whole(full, "until"),
            valid_from=_whole(full, "valid_from"),
            valid_to=_whole(full, "valid_to"),
            topic=_whole(full, "topic"),
            product=_whole(full, "product"),
            price=np.array(full["price"], dtype=np.float64),
        )

    def _wishes(self, answers: pl.DataFrame) -> pl.DataFrame:
        """Permissions given and withdrawn, with an opt-out of marketing for every unsubscription."""
        names = ("contact_id", "channel", "purpose", "kind", "status", "since")
        purposes = ("marketing", "service", "web_behaviour")
        permission = (pl.col("kind") == "permission") & pl.col("status").is_in(["opt_in", "opt_out"])
        said = (
            self._rows("preferences", names)
            .filter(permission & pl.col("purpose").cast(pl.String).is_in(purposes))
            .select(
                "account",
                _micros("since").alias("time"),
                "valid_from",
                "valid_to",
                "contact_id",
                _coded("channel", self.channels, every="*"),
                pl.lit(-1, pl.Int64).alias("topic"),
                pl.lit(-1, pl.Int64).alias("treatment"),
                _coded("purpose", purposes),
                pl.when(pl.col("status") == "opt_in").then(1).otherwise(-1).cast(pl.Int64).alias("verdict"),
            )
        )
        done = answers.filter(pl.col("response").is_in(list(OPT_OUT_RESPONSES)))
        if done.is_empty():
            return said
        marketing = (pl.lit(MARKETING, pl.Int64).alias("purpose"), pl.lit(-1, pl.Int64).alias("verdict"))
        return pl.concat([said, done.select(*said.columns[:-2], *marketing)], how="vertical_relaxed")

    def _permissions(self, wishes: pl.DataFrame) -> Permissions:
        """In the order in which the later word wins; at the same moment an opt-out does."""
        outbound = [k for k, channel in enumerate(self.playbook.channels) if channel.outbound]
        usable = wishes.filter((pl.col("purpose") != WEB_BEHAVIOUR) | ~pl.col("channel").is_in(outbound))
        numbered = usable.with_columns(
            pl.col("contact_id").fill_null("").rank("dense").cast(pl.Int64).alias("contact")
        )
        rows = _ordered(
            numbered, "account", "contact", "time", "valid_from", -pl.col("verdict"), "channel", "purpose",
            "valid_to",
        )  # fmt: skip
        return Permissions(
            start=self._start(rows),
            contact=_whole(rows, "contact"),
            since=_whole(rows, "time"),
            valid_from=_whole(rows, "valid_from"),
            valid_to=_whole(rows, "valid_to"),
            channel=_whole(rows, "channel"),
            purpose=_whole(rows, "purpose"),
            verdict=_whole(rows, "verdict"),
        )

    def _on_every_channel(self, optouts: pl.DataFrame) -> pl.DataFrame:
        """An opt-out from everything is one from each channel."""
        if ANY not in _whole(optouts, "channel"):
            return optouts
        everything = optouts.filter(pl.col("channel") == ANY).drop("channel")
        each = everything.join(
            pl.DataFrame({"channel": range(len(self.channels))}, schema={"channel": pl.Int64}), how="cross"
        )
        return pl.concat([optouts.filter(pl.col("channel") != ANY), each.select(optouts.columns)])

    def _outcomes(self) -> pl.DataFrame:
        worth = self.playbook.outcome_worth
        rate = pl.col("kind").replace_strict(
            list(worth), list(worth.values()), default=0.0, return_dtype=pl.Float64
        ) if worth else pl.lit(0.0)  # fmt: skip
        return self._rows("outcomes", ("outcome_id", "occurred_at", "kind", "value")).with_columns(
            _micros("occurred_at").alias("time"),
            (pl.col("value").cast(pl.Float64).fill_null(0.0) * rate).alias("amount"),
            pl.col("outcome_id").alias("id"),
        )

    def _feedback(self) -> pl.DataFrame:
        """Answers to suggestions, in order; `until` is set for those that put a treatment off."""
        channels, topics = dict(_numbered(self.channels)), dict(_numbered(self.topics))
        own = self.playbook.treatments
        cools = pl.col("verb").is_in(["dismiss", "snooze"])
        return (
            self._rows("feedback", ("feedback_id", "treatment", "occurred_at", "verb", "until", "reason"))
            .with_columns(
                _micros("occurred_at").alias("time"),
                pl.when(cools).then(_micros("until").fill_null(ALWAYS)).otherwise(ALWAYS).alias("until"),
                _coded("treatment", self.treatments),
                pl.col("feedback_id").alias("id"),
            )
            .filter(pl.col("treatment") >= 0)
            .with_columns(
                _looked_up(tuple(channels.get(t.channel, -1) for t in own)).alias("channel"),
                _looked_up(tuple(topics.get(t.topic, -1) for t in own)).alias("topic"),
            )
            .sort("account", "time", "id", "valid_from", "valid_to", "channel", "topic", "treatment", "until")
        )

    def _occurrences(self, rows: pl.DataFrame) -> Occurrences:
        order = ("account", "time", "id", "valid_from", "valid_to", "channel", "topic", "treatment", "amount")
        full = _ordered(rows, *(name for name in order if name in rows.columns))
        amount = full["amount"] if "amount" in full.columns else np.zeros(full.height)
        return Occurrences(
            start=self._start(full),
            time=_whole(full, "time"),
            valid_from=_whole(full, "valid_from"),
            valid_to=_whole(full, "valid_to"),
            channel=_code(full, "channel"),
            topic=_code(full, "topic"),
            treatment=_code(full, "treatment"),
            amount=np.array(amount, dtype=np.float64),
        )

    def _team(self) -> Standing:
        roles = tuple(role.id for role in self.playbook.roles)
        somebody = pl.col("user_id").is_not_null() & pl.col("role").cast(pl.String).is_in(roles)
        rows = self._rows("account_team", ("role", "user_id")).filter(somebody)
        coded = rows.with_columns(_coded("role", roles))
        return self._standing(_ordered(coded, "account", "valid_from", "role"), "role")

    def _attributes(self, attributes: tuple[Attribute, ...]) -> AttributeVersions:
        names = sorted({"timezone", "country", "merged_into", *(attribute.name for attribute in attributes)})
        rows = self._rows("accounts", names, prefix="attribute ", tombstones=True)
        rows = _ordered(
            rows, "account", "valid_from", "valid_to", "deleted", *(f"attribute {name}" for name in names)
        )
        values = np.full((rows.height + 1, len(attributes)), np.nan)
        known = rows.select(_numbers(f"attribute {a.name}", a.levels) for a in attributes)
        for j, column in enumerate(known):
            values[:-1, j] = column
        gone = np.array(rows["deleted"], dtype=np.bool_)
        values[:-1][gone] = np.nan
        merged = np.array(rows["attribute merged_into"].is_not_null(), dtype=np.bool_)
        place, places = _places(rows)
        place = np.append(np.where(gone, -1, place), -1)
        zoned = np.array([*(known_zone(where.partition("|")[0]) for where in places), False])[place]
        standing = self._standing(rows, "account")
        return AttributeVersions(standing, values, zoned, np.append(gone | merged, False), place, places)

    def _standing(self, rows: pl.DataFrame, code: str) -> Standing:
        return Standing(
            self._start(rows), _whole(rows, "valid_from"), _whole(rows, "valid_to"), _whole(rows, code)
        )

    def _start(self, rows: pl.DataFrame) -> Ints:
        return _starts(_whole(rows, "account"), len(self.accounts))


_SYSTEM = -3
"""The actor of everything that the system sends, whatever the playbook calls its roles."""


def actor_codes(playbook: Playbook) -> Ints:
    """Who carries each treatment out; shape (T,). Roles are told apart, the system's are one."""
    codes = dict(zip((role.id for role in playbook.roles), _role_codes(playbook).tolist(), strict=True))
    return np.array([codes.get(t.role, -1) for t in playbook.treatments], dtype=np.int64)


def _role_codes(playbook: Playbook) -> Ints:
    return np.array([_SYSTEM if r.system else place for place, r in enumerate(playbook.roles)], np.int64)


def _places(rows: pl.DataFrame) -> tuple[Ints, tuple[str, ...]]:
    """Time zone and country of each version of an account as a code, and what the codes mean."""
    parts = [pl.col(f"attribute {name}").cast(pl.String).fill_null("") for name in ("timezone", "country")]
    where = rows.select(pl.concat_str(parts, separator="|").alias("where"))["where"]
    levels = where.unique().sort()
    codes = where.cast(pl.Enum(levels)).to_physical()
    return np.array(codes, dtype=np.int64), tuple(levels)


_TEXT = {"account_id": pl.String()}
_built_once = lru_cache(maxsize=1024)
"""Of expressions, which never change: to build one takes as long as to use it on a few rows."""


def _numbered(ids: tuple[str, ...]) -> Iterable[tuple[str, int]]:
    return ((name, code) for code, name in enumerate(ids))


@_built_once
def _micros(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Datetime("us", "UTC")).cast(pl.Int64)


@_built_once
def _coded(column: str, ids: tuple[str, ...], *, every: str | None = None) -> pl.Expr:
    codes = dict(_numbered(ids)) | ({every: ANY} if every else {})
    return pl.col(column).cast(pl.String).replace_strict(
        list(codes), list(codes.values()), default=-1, return_dtype=pl.Int64
    )  # fmt: skip


@_built_once
def _looked_up(codes: tuple[int, ...]) -> pl.Expr:
    return pl.col("treatment").replace_strict(
        list(range(len(codes))), list(codes), default=-1, return_dtype=pl.Int64
    )


def _ordered(rows: pl.DataFrame, *by: str | pl.Expr) -> pl.DataFrame:
    return rows.sort(*by, maintain_order=True) if rows.height > 1 else rows


def _whole(rows: pl.DataFrame, column: str) -> Ints:
    return np.array(rows[column], dtype=np.int64)


def _code(rows: pl.DataFrame, column: str) -> Ints:
    """A column of codes; -1 where the table has none such."""
    return _whole(rows, column) if column in rows.columns else np.full(rows.height, -1, dtype=np.int64)


def _starts(owners: Ints, count: int) -> Ints:
    """Where the rows of each owner begin, one more entry for the end; owners are sorted."""
    return np.searchsorted(owners, np.arange(count + 1)).astype(np.int64)


@_built_once
def _numbers(column: str, levels: tuple[str, ...] | None) -> pl.Expr:
    """A column as numbers, a text as the place among the levels; NaN = not known."""
    if levels is None:
        return pl.col(column).cast(pl.Float64, strict=False).fill_null(np.nan)
    if not levels:
        return pl.lit(np.nan).alias(column)
    places = pl.col(column).cast(pl.String).replace_strict(
        list(levels), list(range(len(levels))), default=None, return_dtype=pl.Float64
    )  # fmt: skip
    return places.fill_null(np.nan)
