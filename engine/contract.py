"""The tables of the data contract: every column name, type and choice, once.

Reading, checking, storing, documentation and the engine use this definition. Nothing here opens a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

TIME = pl.Datetime("us", "UTC")


class Direction(StrEnum):
    """Who turned to whom."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Status(StrEnum):
    """How far a touchpoint has come."""

    PLANNED = "planned"
    DONE = "done"
    CANCELLED = "cancelled"


class Kind(StrEnum):
    """The type of a column of the contract."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole number"
    FLAG = "true or false"
    TIME = "time with zone"
    JSON = "JSON object"
    LIST = "list of texts, separated by |"
    DAYS = "list of days or first/last days, separated by |"

    @property
    def dtype(self) -> pl.DataType:
        """The Polars type in which the column is kept."""
        return _DTYPES[self]


_DTYPES: dict[Kind, pl.DataType] = {
    Kind.TEXT: pl.String(),
    Kind.NUMBER: pl.Float64(),
    Kind.WHOLE: pl.Int64(),
    Kind.FLAG: pl.Boolean(),
    Kind.TIME: TIME,
    Kind.JSON: pl.String(),
    Kind.LIST: pl.String(),
    Kind.DAYS: pl.String(),
}


@dataclass(frozen=True)
class Column:
    """One column of the contract.

    Attributes:
        name: As it stands in the file.
        kind: What its values are.
        meaning: One line for the documentation.
        required: Whether a row without it is rejected.
        choices: The only values allowed; empty = any.
        personal: Whether it says who somebody is or holds free text: kept under a subject key in the
            ledger and nowhere else, so that it can be erased.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    choices: tuple[str, ...] = ()
    personal: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the contract.

    Attributes:
        name: Of the table and of its file or folder.
        meaning: One line for the documentation.
        columns: In the order of the documentation.
        key: The columns that identify a fact; the same key with other content is a new version.
        time: The column that says when the fact occurred; None = a standing fact without a time.
        account: The column that ties the row to an account; None = not tied to one.
        optional: Whether a folder without the table is complete.
        open_columns: Whether columns beyond these are accepted (and become features by their type).
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str | None = None
    account: str | None = "account_id"
    optional: bool = False
    open_columns: bool = False

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column name -> Polars type, bookkeeping columns included."""
        own = {c.name: c.kind.dtype for c in self.columns}
        return own | {c.name: c.kind.dtype for c in BOOKKEEPING}


BOOKKEEPING: tuple[Column, ...] = (
    Column("stored_at", Kind.TIME, "When our side learned of the fact; every table may carry it."),
    Column("deleted", Kind.FLAG, "A tombstone: from stored_at on the fact no longer holds."),
    Column(
        "superseded_at",
        Kind.TIME,
        "When our side learned of the next version (kept by the store, never read from a file).",
    ),
)
"""What every stored row carries. A version of a fact is known at t when
stored_at < t and (superseded_at is null or t <= superseded_at)."""


def _text(name: str, meaning: str, *, required: bool = False, personal: bool = False) -> Column:
    return Column(name, Kind.TEXT, meaning, required=required, personal=personal)


def _choice(name: str, meaning: str, choices: tuple[str, ...], *, required: bool = True) -> Column:
    return Column(name, Kind.TEXT, meaning, required=required, choices=choices)


def _number(name: str, meaning: str, *, required: bool = False) -> Column:
    return Column(name, Kind.NUMBER, meaning, required=required)


def _time(name: str, meaning: str, *, required: bool = False) -> Column:
    return Column(name, Kind.TIME, meaning, required=required)


RESPONSES: tuple[str, ...] = (
    "viewed", "clicked", "replied", "attended", "accepted", "rejected", "unsubscribed", "complained",
)  # fmt: skip
POSITIVE_RESPONSES: frozenset[str] = frozenset({"clicked", "replied", "attended", "accepted"})
OPT_OUT_RESPONSES: frozenset[str] = frozenset({"unsubscribed", "complained"})

LARGEST_NUMBER = 1e15
"""No amount, count or measure is larger either way; sums of squares of what is do not overflow."""

WEEKDAYS: tuple[str, ...] = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip

_ACCOUNT = _text("account_id", "The account.", required=True)

ACCOUNTS = Table(
    "accounts",
    "Whom decisions are for: a physician, a company, a shop. Further columns become features.",
    (
        _ACCOUNT,
        _text("name", "How people call the account.", required=True, personal=True),
        _text("territory", "Who may see and serve it."),
        _text("segment", "The company's own segment."),
        _text("size", "Small, medium, large or the like."),
        _text("industry", "Industry or speciality."),
        _text("language", "Language of messages to it (ISO 639-1)."),
        _text("timezone", "IANA time zone; decides quiet hours."),
        _text("country", "ISO 3166-1 alpha-2; decides digits, week and holidays."),
        _number("potential_value", "What it could be worth a year, in the playbook's currency."),
        Column("automated", Kind.FLAG, "Whether it is served without a person."),
        _number("latitude", "Degrees north."),
        _number("longitude", "Degrees east."),
        _text("merged_into", "The account that this one turned out to be."),
    ),
    key=("account_id",),
    open_columns=True,
)
CONTACTS = Table(
    "contacts",
    "Persons at an account.",
    (
        _text("contact_id", "The person.", required=True),
        _ACCOUNT,
        _text("name", "Name of the person.", required=True, personal=True),
        _text("title", "Form of address.", personal=True),
        _text("gender", "For the wording of texts.", personal=True),
        _choice("function", "Part in the decision.", ("decides", "analyses", "uses"), required=False),
        _text("language", "ISO 639-1."),
        _text("preferred_network", "Social channel the person uses."),
    ),
    key=("contact_id",),
    optional=True,
)
USERS = Table(
    "users",
    "Colleagues who are given suggestions.",
    (
        _text("user_id", "The colleague.", required=True),
        _text("name", "Name of the colleague.", required=True),
        _text("role", "Role in the playbook.", required=True),
        _text("manager_id", "Whom the colleague reports to."),
        _text("language", "Language of the page (ISO 639-1)."),
        _text("timezone", "IANA time zone."),
        _text("gender", "For the wording of texts."),
        *(_number(f"{day}_minutes", f"Minutes of customer time on a {day}.") for day in WEEKDAYS),
        Column("absences", Kind.DAYS, "Days off: 2026-01-05 or 2026-01-05/2026-01-09."),
    ),
    key=("user_id",),
    account=None,
)
ACCOUNT_TEAM = Table(
    "account_team",
    "Which colleague serves an account in which role.",
    (_ACCOUNT, _text("role", "Role in the playbook.", required=True),
     _text("user_id", "The colleague.", required=True)),
    key=("account_id", "role"),
)  # fmt: skip
TOUCHPOINTS = Table(
    "touchpoints",
    "Every contact, either way, planned ones included.",
    (
        _text("touchpoint_id", "The touchpoint.", required=True),
        _ACCOUNT,
        _text("contact_id", "The person concerned."),
        _time("occurred_at", "When it took place or is planned for.", required=True),
        _choice("direction", "Who turned to whom.", tuple(Direction)),
        _text("channel", "Channel of the playbook.", required=True),
        _text("treatment", "Treatment of the playbook that was carried out."),
        _text("topic", "Topic of the playbook."),
        _text("product", "Product concerned."),
        _text("role", "Role that carried it out."),
        _text("user_id", "Colleague who carried it out."),
        _choice("status", "How far it has come.", tuple(Status)),
        _text("decision_id", "The decision that it follows."),
        Column("details", Kind.JSON, "Form answers, question, objection, competitor.", personal=True),
    ),
    key=("touchpoint_id",),
    time="occurred_at",
)
RESPONSE = Table(
    "responses",
    "What came back on a touchpoint; each response has a time of its own.",
    (
        _text("touchpoint_id", "The touchpoint answered.", required=True),
        _time("responded_at", "When the response came.", required=True),
        _choice("response", "What the customer did.", RESPONSES),
    ),
    key=("touchpoint_id", "response", "responded_at"),
    time="responded_at",
    account=None,
)
OUTCOMES = Table(
    "outcomes",
    "What the company lives from: prescriptions, orders, deals.",
    (
        _text("outcome_id", "The outcome.", required=True),
        _ACCOUNT,
        _time("occurred_at", "When it occurred.", required=True),
        _text("kind", "Kind of outcome in the playbook.", required=True),
        _text("channel", "Channel through which it came."),
        _text("product", "Product concerned."),
        _text("user_id", "Colleague who brought it in."),
        _number("value", "In the playbook's currency.", required=True),
        _number("quantity", "Units."),
    ),
    key=("outcome_id",),
    time="occurred_at",
)
AREA_OUTCOMES = Table(
    "area_outcomes",
    "Sales that are known only in total.",
    (
        _text("area", "The area.", required=True),
        _time("period_start", "First moment.", required=True),
        _time("period_end", "First moment after it.", required=True),
        _text("kind", "Kind of outcome in the playbook.", required=True),
        _text("product", "Product concerned."),
        _number("value", "In the playbook's currency.", required=True),
    ),
    key=("area", "period_start", "kind", "product"),
    time="period_end",
    account=None,
    optional=True,
)
ASSIGNMENTS = Table(
    "assignments",
    "Tests on areas or periods.",
    (
        _text("area", "The area.", required=True),
        _time("period_start", "First moment.", required=True),
        _time("period_end", "First moment after it.", required=True),
        _text("treatment", "What was assigned.", required=True),
        _number("probability", "With which it was assigned.", required=True),
    ),
    key=("area", "period_start"),
    time="period_start",
    account=None,
    optional=True,
)
PREFERENCES = Table(
    "preferences",
    "Consent (permission) and likings, by channel and purpose.",
    (
        _ACCOUNT,
        _text("contact_id", "The person concerned; empty = the whole account."),
        _text("channel", "Channel of the playbook, or * for all.", required=True),
        _choice("purpose", "What for.", ("marketing", "service", "web_behaviour")),
        _choice("kind", "Permission or liking.", ("permission", "liking")),
        _choice("status", "What the customer wants.", ("opt_in", "opt_out", "preferred", "avoided")),
        Column("times", Kind.LIST, "Windows in which contact is welcome: mon 09:00-12:00."),
        _time("since", "From when on it holds.", required=True),
        _text("source", "How we know."),
    ),
    key=("account_id", "contact_id", "channel", "purpose", "kind", "since"),
    time="since",
    optional=True,
)
OFFERS = Table(
    "offers",
    "Quotes and offers with a price.",
    (
        _text("offer_id", "The offer.", required=True),
        _ACCOUNT,
        _text("contact_id", "The person who received it."),
        _text("topic", "Topic of the playbook."),
        _text("product", "Product offered."),
        _number("price", "In the currency beside it.", required=True),
        _text("currency", "ISO 4217.", required=True),
        _time("opened_at", "When it was made.", required=True),
        _time("expires_at", "Until when it holds."),
        _time("closed_at", "When it was settled."),
        _text("result", "How it was settled."),
    ),
    key=("offer_id",),
    time="opened_at",
    optional=True,
)
DECISIONS = Table(
    "decisions",
    "Decisions that were logged, no contact included.",
    (
        _text("decision_id", "The decision.", required=True),
        _ACCOUNT,
        _time("decided_at", "When it was taken.", required=True),
        _text("treatment", "What was chosen; none = no contact.", required=True),
        Column("place", Kind.WHOLE, "Place in the list; only place 1 is randomised."),
        _number("probability", "With which place 1 was chosen, in (0, 1]."),
        Column("eligible", Kind.LIST, "Treatments that could have been chosen, none included."),
        _text("policy", "Which policy chose.", required=True),
        Column("followed", Kind.FLAG, "Whether it was carried out."),
    ),
    key=("decision_id",),
    time="decided_at",
    optional=True,
)
FEEDBACK = Table(
    "feedback",
    "What people answered to suggestions.",
    (
        _text("feedback_id", "The answer.", required=True),
        _ACCOUNT,
        _text("suggestion_id", "The suggestion answered.", required=True),
        _text("treatment", "Treatment of the suggestion.", required=True),
        _text("role", "Role of the person who answered.", required=True),
        _text("user_id", "The person who answered.", required=True),
        _time("occurred_at", "When it was answered.", required=True),
        _choice("verb", "What was answered.", ("accept", "dismiss", "snooze", "complete")),
        _text("reason", "Typed reason of a dismissal."),
        _time("until", "Until when a snooze or cool-down lasts."),
    ),
    key=("feedback_id",),
    time="occurred_at",
    optional=True,
)

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        ACCOUNTS, CONTACTS, USERS, ACCOUNT_TEAM, TOUCHPOINTS, RESPONSE, OUTCOMES, AREA_OUTCOMES,
        ASSIGNMENTS, PREFERENCES, OFFERS, DECISIONS, FEEDBACK,
    )
}  # fmt: skip

TWINS = Table(
    "twins",
    "What a night found about similar accounts that buy more; a row per account, found or not.",
    (
        _ACCOUNT,
        Column(
            "twins_found",
            Kind.WHOLE,
            "Similar accounts that buy more; 0 = nothing is claimed.",
            required=True,
        ),
        _number("unrealised_value", "What they buy beyond the account, currency a year.", required=True),
        _number("unrealised_low", "Lower end of its interval.", required=True),
        _number("unrealised_high", "Upper end of its interval.", required=True),
        _text("approach", "Steps of the approach that worked best on similar accounts, separated by |."),
        Column("worked", Kind.WHOLE, "Similar accounts on which it worked."),
        Column("tried", Kind.WHOLE, "Similar accounts on which it was tried."),
    ),
    key=("account_id",),
    optional=True,
)
DERIVED_TABLES: Mapping[str, Table] = {TWINS.name: TWINS}
"""What the engine itself concluded and keeps with the moment at which it was stored: nobody loads it, but it
is known of an account like any other fact."""

HISTORY_TABLES: tuple[str, ...] = (
    "accounts", "account_team", "contacts", "touchpoints", "responses", "outcomes", "preferences",
    "offers", "decisions", "feedback",
)  # fmt: skip
"""The tables that are facts of one account and make up its `History`."""

DISMISS_REASONS: tuple[str, ...] = (
    "already_done", "wrong_time", "wrong_contact", "no_access", "not_compliant", "wrong_message",
    "customer_asked_to_stop", "other",
)  # fmt: skip
