"""Playbooks that are shipped, ready to be used or copied and edited, and reading one from disk."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.conditions import near
from engine.playbook import Playbook, PlaybookError, parse_playbook


def shipped() -> tuple[str, ...]:
    """Names of the playbooks that come with the product."""
    names = (Path(entry.name) for entry in files(__name__).iterdir())
    return tuple(sorted(name.stem for name in names if name.suffix == ".toml"))


def read_playbook(name_or_path: str) -> Playbook:
    """The shipped playbook of that name ("pharma"), or the one in a TOML file.

    Raises PlaybookError: there is none, it cannot be read, or what it says cannot be.
    """
    return playbook_of(playbook_text(name_or_path))


def playbook_of(text: str) -> Playbook:
    """The playbook of a text. Raises PlaybookError: what it says cannot be."""
    playbook = parse_playbook(text)
    if playbook.default_timezone:
        _check_timezone(playbook.default_timezone)
    return playbook


def playbook_text(name_or_path: str) -> str:
    """Its text as written. Raises PlaybookError: there is none, or it cannot be read."""
    if name_or_path in shipped():
        return (files(__name__) / f"{name_or_path}.toml").read_text(encoding="utf-8")
    path = Path(name_or_path)
    if path.suffix != ".toml" and not path.exists():
        known = ", ".join(shipped())
        hint = near(name_or_path, shipped()) or f"; shipped are {known}, or give the path of a .toml file."
        raise PlaybookError(f"There is no playbook {name_or_path!r}{hint}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise PlaybookError(
            f"The playbook {name_or_path} is not UTF-8; save it with that encoding."
        ) from None
    except OSError as error:
        raise PlaybookError(f"The playbook {name_or_path} cannot be read: {error.strerror}.") from None


def _check_timezone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PlaybookError(
            f"default_timezone: {name!r} is no IANA time zone such as 'Europe/Berlin'."
        ) from None
