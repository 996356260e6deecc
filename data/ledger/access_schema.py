"""The tables of access beside those of `data.ledger.schema`: keys of jobs, what is settled here about
colleagues, and who saw and did what."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text

from data.ledger.schema import Json, counter, metadata

# Of a key only a hash is kept. Its user is technical: a row of users, so that what she does has a name.
api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("key_hash", Text, nullable=False, unique=True),
    Column("user_id", Text, ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("scopes", Json, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

# Apart from users, which every load writes anew: a role that holds in place of the loaded one, and who left.
settled_users = Table(
    "settled_users",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("role", Text),
    Column("left_at", BigInteger),
    Column("settled_at", BigInteger, nullable=False),
)

# Ids and route templates alone. The database itself refuses to change a row, and to delete one that is to be
# kept (`audit_kept`, one row).
audit = Table(
    "audit",
    metadata,
    Column("seq", counter, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("key_id", Text),
    Column("what", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("account_id", Text),
    Column("subject", Text),
    Index("ix_audit_user", "user_id", "at"),
    Index("ix_audit_account", "account_id", "at"),
    sqlite_autoincrement=True,
)

audit_kept = Table(
    "audit_kept",
    metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("since", BigInteger, nullable=False),
)

# Who was erased, by a hash of the id with the key of that name (without one: a plain hash, as was before);
# `taken_over_at`: history and the nights' files have lost her too.
erasures = Table(
    "erasures",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id_hash", Text, primary_key=True),
    Column("erased_at", BigInteger, nullable=False),
    Column("taken_over_at", BigInteger),
    Column("key_id", Text),
)

# Signing in by a provider that is under way: used once, by the browser that began it.
provider_attempts = Table(
    "provider_attempts",
    metadata,
    Column("state_hash", Text, primary_key=True),
    Column("nonce", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("next", Text, nullable=False),
    Column("attempt", Text, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
)

# Which colleague somebody is at the provider: settled when she first comes, so that nobody takes her id.
provider_users = Table(
    "provider_users",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("linked_at", BigInteger, nullable=False),
)

# `refresh` is encrypted by the session's token, which only the browser has.
provider_sessions = Table(
    "provider_sessions",
    metadata,
    Column("session_hash", Text, ForeignKey("sessions.session_hash", ondelete="CASCADE"), primary_key=True),
    Column("checked_at", BigInteger, nullable=False),
    Column("claimed_at", BigInteger, nullable=False),
    Column("refresh", Text),
)

# Who has the tasks of somebody on leave: planned, in force, over. Nothing is moved; whoever reads looks here.
stand_ins = Table(
    "stand_ins",
    metadata,
    Column("stand_in_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("stand_in", Text, nullable=False),
    Column("begins_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("with_team", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at", BigInteger, nullable=False),
    Column("ended_by", Text),
    Index("ix_stand_ins_state", "state"),
)
