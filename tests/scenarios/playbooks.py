"""Playbooks with something taken out."""

from __future__ import annotations

from pathlib import Path

import data.playbooks


def shipped(name: str = "pharma") -> str:
    """The text of a shipped playbook."""
    return (Path(data.playbooks.__file__).parent / f"{name}.toml").read_text(encoding="utf-8")


def without(text: str, table: str) -> str:
    """The playbook without one of its tables."""
    lines, kept, inside = text.splitlines(), [], False
    for line in lines:
        if line.startswith("["):
            inside = line.strip() == f"[{table}]"
        if not inside:
            kept.append(line)
    assert len(kept) < len(lines), f"The playbook has no [{table}]."
    return "\n".join(kept) + "\n"
