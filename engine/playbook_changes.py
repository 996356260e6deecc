"""What is different between two playbooks, in words: by meaning, not by lines.

Both texts are read setting by setting with their defaults, so that order, comments, layout and a default
written out make no difference. Conditions are compared in one way of writing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from engine.conditions import canonical
from engine.playbook_settings import SECTIONS, Section, Setting
from engine.playbook_text import Tables, read_tables
from engine.records import EPOCH

CONDITIONS = ("when", "applies", "qualified_when")

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        section: "" = the top of the file.
        id: Of what was added, removed or changed; "" for the settings of a section that is one table.
        setting: Which setting changed; "" where the whole was added or removed.
        before, after: As read, defaults filled in; None on the side where it is missing.
    """

    kind: Kind
    section: str
    id: str
    setting: str = ""
    before: Any = None
    after: Any = None

    @property
    def where(self) -> str:
        """The place as it is named in the file: "policies.rested.when"."""
        return ".".join(part for part in (self.section, self.id, self.setting) if part)


def playbook_changes(old: str, new: str) -> list[Change]:
    """All differences of two texts, in the order of the documentation; [] = they decide the same.

    Raises PlaybookError: one of them is not a playbook.
    """
    before, after = read_tables(old), read_tables(new)
    return [change for section in SECTIONS for change in _of_section(section, before, after)]


def _of_section(section: Section, before: Tables, after: Tables) -> Iterator[Change]:
    if not section.name:
        yield from _of_settings(section, "", before.top, after.top)
        return
    old, new = before.sections[section.name], after.sections[section.name]
    for key in sorted({*old, *new}):
        if key not in old:
            yield Change("added", section.name, key, after=new[key])
        elif key not in new:
            yield Change("removed", section.name, key, before=old[key])
        else:
            yield from _of_settings(section, key, old[key], new[key])


def _of_settings(
    section: Section, key: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Change]:
    for setting in section.settings:
        before, after = _read(setting, old[setting.name]), _read(setting, new[setting.name])
        if before != after:
            yield Change("changed", section.name, key, setting.name, before, after)


def _read(setting: Setting, value: Any) -> Any:
    """As it is compared and told: conditions in one way of writing, moments as dates."""
    if isinstance(value, str) and setting.name in CONDITIONS:
        return canonical(value)
    if isinstance(value, int) and setting.kind in ("moment", "start"):
        return (EPOCH + timedelta(microseconds=value)).isoformat(timespec="minutes")
    return value


SECTION_WORDS: Mapping[str, str] = {
    "channels": "channel", "roles": "role", "teams": "team", "topics": "topic", "issues": "issue",
    "treatments": "treatment", "policies": "policy", "contact_limits": "contact limit",
    "suppressions": "pause", "context_weights": "context weight", "journey": "stage",
    "hand_overs": "hand-over rule", "service_levels": "service level", "calendars": "calendar",
    "equivalents": "group of equal contacts", "actions": "action", "levers": "lever", "quotas": "quota",
    "minimums": "minimum", "experiment": "standing test", "columns": "column",
}  # fmt: skip
"""Section -> what one of it is called; a section that is not here is called by its name."""


def change_in_words(change: Change) -> list[str]:
    """One difference as a sentence; of texts in several languages a line per language that changed."""
    thing = " ".join(part for part in (SECTION_WORDS.get(change.section, change.section.replace("_", " ")),
                                       repr(change.id) if change.id else "") if part)  # fmt: skip
    if change.kind != "changed":
        content = change.after if change.kind == "added" else change.before
        return [f"{change.kind.capitalize()}: {thing or change.section}{_outline(content)}."]
    name = f"{thing}, {change.setting}" if thing else change.setting
    if isinstance(change.before, Mapping) and isinstance(change.after, Mapping):
        return [f"Changed: {name} {_key(key)}: {_pair(change.before.get(key), change.after.get(key))}."
                for key in sorted({*change.before, *change.after})
                if change.before.get(key) != change.after.get(key)]  # fmt: skip
    return [f"Changed: {name}: {_pair(change.before, change.after)}."]


def _key(key: Any) -> str:
    return " ".join(key) if isinstance(key, tuple) else str(key)


def _pair(before: Any, after: Any) -> str:
    """From what to what; of numbers also by how much, of lists what came and went."""
    if isinstance(before, tuple | list) and isinstance(after, tuple | list):
        came = [_said(each) for each in after if each not in before]
        went = [_said(each) for each in before if each not in after]
        parts = [f"with {', '.join(came)}" if came else "", f"without {', '.join(went)}" if went else ""]
        return "; ".join(part for part in parts if part) or "in another order"
    share = ""
    if _number(before) and _number(after) and before:
        share = f" ({(after - before) / abs(before):+.0%})"
    return f"from {_said(before)} to {_said(after)}{share}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _said(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:g}" if abs(value) < 1e6 else f"{value}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_said(each) for each in value)}]"
    return f"“{' '.join(str(value).split())}”"


_OUTLINE = ("channel", "role", "topic", "when", "applies", "count", "days", "weight", "percent", "value")


def _outline(content: Mapping[str, Any]) -> str:
    """What says most about a thing that came or went."""
    parts = [f"{name} {_said(content[name])}" for name in _OUTLINE if content.get(name) not in (None, "", ())]
    return f" ({', '.join(parts)})" if parts else ""
