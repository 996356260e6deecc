"""What may be done, by which kind of colleague: one table.

A capability is an area and whether it is read or written ("suggestions:write"); the same words are the
scopes of keys. Which accounts it is about, the team decides; which side of the medical-commercial wall, the
playbook.
"""

from __future__ import annotations

from types import MappingProxyType

from engine.playbook import Playbook

JOB_ROLE = "job"
"""A technical user: may send events of every account and sees no suggestions."""
OWN = frozenset({"own:read", "own:write"})
"""One's own session and language: everybody who has signed in."""

_READS = {"accounts:read", "suggestions:read", "hand_overs:read", "plan:read", "playbook:read", "notes:read"}
_FIELD = _READS | {
    "accounts:write", "suggestions:write", "hand_overs:write", "plan:write", "events:write",
    "stops:read",
}  # fmt: skip
_LEADS = _FIELD | {"team:read", "team:write", "stops:write", "releases:read"}
_OFFICE = _READS | {"releases:read", "stops:read"}

CAPABILITIES = MappingProxyType(
    {
        "field": frozenset(_FIELD),
        "safety": frozenset(_FIELD),
        "manager": frozenset(_LEADS),
        "marketer": frozenset(_OFFICE),
        "data_scientist": frozenset(_OFFICE),
        "admin": frozenset(_OFFICE | {"metrics:read", "persons:read", "persons:write"}),
        JOB_ROLE: frozenset({"events:write", "releases:read", "playbook:read", "metrics:read"}),
        "nobody": frozenset(),
    }
)
"""Kind of colleague -> what she may; field: whoever the playbook gives suggestions to."""

ALL: tuple[str, ...] = tuple(sorted(frozenset().union(*CAPABILITIES.values())))
"""Every capability that a key can be given."""


def may_do(role: str, playbook: Playbook, *, leads: bool) -> frozenset[str]:
    """What a colleague may; a role that is known neither to the playbook nor to the table may nothing.

    Args:
        role: As the users' table names it.
        leads: Whether she is above anybody.
    """
    return CAPABILITIES[_kind_of(role, playbook)] | (CAPABILITIES["manager"] if leads else frozenset())


def known_roles(playbook: Playbook) -> tuple[str, ...]:
    """Roles of persons that a playbook or the table has; who leads others may have another one."""
    office = [name for name in CAPABILITIES if name in ("marketer", "data_scientist", "admin")]
    own = [role.id for role in playbook.roles if not role.system]
    return tuple(dict.fromkeys([*own, *filter(None, [playbook.safety_role]), *office]))


def _kind_of(role: str, playbook: Playbook) -> str:
    if role and role == playbook.safety_role:
        return "safety"
    if any(one.id == role and not one.system for one in playbook.roles):
        return "field"
    return role if role in ("marketer", "data_scientist", "admin", JOB_ROLE) else "nobody"


def needed(area: str, method: str) -> str:
    """The capability that a request needs: an area is read by GET and written by all else; what names one
    ("suggestions:read") needs it by whatever method."""
    if ":" in area:
        return area
    return f"{area}:{'read' if method in ('GET', 'HEAD', 'OPTIONS') else 'write'}"
