"""Rules of a playbook that are tables rather than conditions: how often, by whom, beside what.

The types, and reading them from the checked text; `engine.playbook` joins them into a `Playbook`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engine.conditions import near
from engine.contract import WEEKDAYS
from engine.playbook_text import PlaybookError, Tables
from engine.records import NO_CONTACT
from engine.twin_settings import step_ids

Side = Literal["commercial", "medical", "both"]
SCOPES: Mapping[str, str] = {
    "issue": "issue", "group": "action_group", "action": "action", "treatment": "treatment",
    "channel": "channel", "topic": "topic", "role": "role",
}  # fmt: skip
"""What `for` may name -> the fact of the candidate that is compared."""


@dataclass(frozen=True)
class Repeat:
    """How often the same treatment, or the same action through whatever channel, may be done.

    Attributes:
        level: What `of` names.
        of: Id of the treatment or action.
        after_days: Not again within so many days of the last one; None = no matter how soon.
        at_most: Not again after so many ever; None = no matter how often.
    """

    level: Literal["treatment", "action"]
    of: str
    after_days: float | None
    at_most: int | None


@dataclass(frozen=True)
class Equivalent:
    """Contacts that are the same thing to the account, whoever makes them.

    Attributes:
        actions: Only these; () = of every action.
        channels: Only through these; () = through every channel.
        days: Within which the same thing is not done by a second role.
        same_topic: Whether they must be about the same topic to be the same thing.
    """

    id: str
    actions: tuple[str, ...]
    channels: tuple[str, ...]
    days: float
    same_topic: bool

    def has(self, kind: str, channel: str, action: str) -> bool:
        """Whether a treatment of that kind, channel and action is one of them."""
        named = not self.actions or action in self.actions
        return kind == "contact" and named and (not self.channels or channel in self.channels)


@dataclass(frozen=True)
class Calendar:
    """When people of a country work. `id`: the country in small letters, or "default".

    Attributes:
        working_days: Monday = 0.
        holidays: Days since 1970-01-01.
    """

    id: str
    working_days: tuple[int, ...]
    holidays: tuple[int, ...]


def calendars(tables: Tables) -> tuple[Calendar, ...]:
    """The section `calendars`. Raises PlaybookError: not a country, or one in which nobody ever works."""
    found = []
    for key, table in tables.sections["calendars"].items():
        if key != "default" and len(key) != 2:
            raise PlaybookError(
                f"calendars.{key}: got {key!r}, need default or a country's two letters (ISO 3166-1): de."
            )
        if not table["working_days"]:
            raise PlaybookError(f"calendars.{key}.working_days: name at least one day.")
        days = tuple(sorted(WEEKDAYS.index(day) for day in table["working_days"]))
        found.append(Calendar(key, days, table["holidays"]))
    return tuple(found)


def equivalents(tables: Tables) -> tuple[Equivalent, ...]:
    """The section `equivalents`. Raises PlaybookError: an unknown action, or nothing that is equivalent."""
    known = actions_of(tables)
    for key, table in tables.sections["equivalents"].items():
        where = f"equivalents.{key}"
        check_known("action", table["actions"], known, f"{where}.actions")
        if not table["actions"] and not table["channels"]:
            raise PlaybookError(f"{where}: name actions, channels or both; nothing is equivalent yet.")
    return tuple(Equivalent(id=key, **table) for key, table in tables.sections["equivalents"].items())


def action_repeats(tables: Tables) -> tuple[Repeat, ...]:
    """The section `actions`. Raises PlaybookError: an unknown action, or one without a limit."""
    found = []
    for key, table in tables.sections["actions"].items():
        check_known("action", (key,), actions_of(tables), f"actions.{key}")
        after, most = table["repeat_after_days"], table["at_most"]
        if after is None and most is None:
            raise PlaybookError(f"actions.{key}: give repeat_after_days, at_most or both.")
        found.append(Repeat("action", key, after, most))
    return tuple(found)


def actions_of(tables: Tables) -> tuple[str, ...]:
    """Every action that a treatment has, sorted."""
    return tuple(sorted({treatment["action"] for treatment in tables.sections["treatments"].values()}))


def check_known(what: str, given: Iterable[str], known: Collection[str], where: str) -> None:
    """Raises PlaybookError naming the first of these that is not known, and what is near it."""
    for name in given:
        if name not in known:
            hint = near(name, known) or f"; known: {', '.join(sorted(known)) or 'none'}."
            raise PlaybookError(f"{where}: unknown {what} {name!r}{hint}")


def check_sides(tables: Tables) -> None:
    """Raises PlaybookError where a topic of one side is given to a role of the other."""
    for key, table in tables.sections["treatments"].items():
        if table["topic"] and table["kind"] == "contact":
            topic = tables.sections["topics"][table["topic"]]["side"]
            role = tables.sections["roles"][table["role"]]["side"]
            if apart(topic, role):
                raise PlaybookError(
                    f"treatments.{key}.role: {table['role']!r} is {role} and the topic {table['topic']!r} "
                    f"{topic}; give it to a {topic} role."
                )


def apart(topic: str, role: str) -> bool:
    """Whether a role of one side may not speak about a topic of the other."""
    return {topic, role} == {"commercial", "medical"}


def check_once(key: str, table: Mapping[str, Any]) -> None:
    """Raises PlaybookError where a treatment says of itself what only contacts can have, or a time that ends
    before it begins."""
    where = f"treatments.{key}"
    check_span(table, where)
    if table["kind"] == "stop":
        for name in ("repeat_after_days", "at_most", "price"):
            if table[name] is not None:
                raise PlaybookError(f"{where}.{name}: only a contact has it, not a stop.")


def check_span(table: Mapping[str, Any], where: str) -> None:
    """Raises PlaybookError where what is valid ends before it begins."""
    start, end = table["valid_from"], table["valid_until"]
    if start is not None and end is not None and end <= start:
        raise PlaybookError(f"{where}.valid_until: it ends before it begins (valid_from).".lstrip("."))


def scope_condition(scopes: Collection[str], where: str) -> str:
    """`for` as the text of a condition: any of these holds for the candidate.

    Args:
        scopes: Such as "issue:access", "group:digital".
        where: For the message.

    Raises:
        PlaybookError: One has no level or an unknown one.
    """
    parts = []
    for scope in scopes:
        level, _, of = scope.partition(":")
        check_known("level", (level,), SCOPES, where)
        if not of or "'" in of:
            raise PlaybookError(f"{where}: got {scope!r}, need level:id, such as issue:access.")
        parts.append(f"{SCOPES[level]} = '{of}'")
    return " or ".join(parts)


def check_walls(tables: Tables) -> None:
    """A commercial role never reads what medical colleagues are suggested."""
    roles = tables.sections["roles"]
    for key, role in roles.items():
        for seen in role["sees"]:
            if role["side"] == "commercial" and roles[seen]["side"] == "medical":
                raise PlaybookError(
                    f"roles.{key}.sees: {key!r} is commercial and may not see medical {seen!r}."
                )


def check_exploration(tables: Tables) -> None:
    """Draws from what is uncertain need a priority that uses it. Raises PlaybookError."""
    if tables.top["exploration"] == "thompson" and tables.top["priority"] == "leaders":
        raise PlaybookError(
            'exploration: "thompson" draws from what is uncertain of the value caused, which priority = '
            '"leaders" does not use; choose exploration = "uniform" or priority = "value".'
        )


def check_levers(tables: Tables) -> None:
    """Raises PlaybookError: a lever of something unknown, or levers that make a priority negative."""
    known_texts = taxonomy(tables)
    names = {"issue": "issue", "group": "action_group", "action": "action"}
    for kind, key in tables.top["levers"]:
        known = known_texts[names[kind]]
        if key not in known:
            raise PlaybookError(f"levers.{kind}.{key}: unknown {kind} {key!r}{near(key, known) or '.'}")
    for key, table in tables.sections["treatments"].items():
        total = _lever_percent(table, tables.top["levers"])
        if total < -100:
            raise PlaybookError(f"levers: those of treatments.{key} add up to {total:g}, need at least -100.")


def _lever_percent(treatment: Mapping[str, Any], levers: Mapping[tuple[str, str], float]) -> float:
    issue, group, action = (levers.get((k, treatment[k]), 0.0) for k in ("issue", "group", "action"))
    return issue + group + action


def taxonomy(tables: Tables) -> dict[str, list[str]]:
    """Fact of a candidate -> the texts that it may have in this playbook."""
    treatments, issues = tables.sections["treatments"], tables.sections["issues"]
    return {
        "role": list(tables.sections["roles"]),
        "issue": list(issues),
        "action_group": sorted({group for issue in issues.values() for group in issue["groups"]}),
        "action": sorted({NO_CONTACT} | {treatment["action"] for treatment in treatments.values()}),
        "treatment": [NO_CONTACT, *treatments],
        "purpose": ["marketing", "service"],
        "kind": ["contact", "stop", "none"],
        "stage": list(tables.sections["journey"]),
        "stage_owner": sorted({stage["owners"][0] for stage in tables.sections["journey"].values()
                               if stage["owners"]}),
        "twins_step": list(step_ids(tables)),
    }  # fmt: skip


def horizons(tables: Tables) -> dict[str, float]:
    """Days within which outcomes are counted, by issue; key "" = all other issues."""
    issues = tables.sections["issues"].items()
    own = {key: issue["horizon_days"] for key, issue in issues if issue["horizon_days"] is not None}
    return {"": tables.top["horizon_days"]} | own


def followed(tables: Tables) -> dict[str, float]:
    """Role -> starting P(followed), at least the floor."""
    floor = tables.top["followed_floor"]
    return {key: max(role["followed"], floor) for key, role in tables.sections["roles"].items()}
