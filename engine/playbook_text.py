"""Reading a playbook's TOML text, setting by setting.

Unknown, missing, ill-typed and out-of-range settings are found here, and names that refer to a channel,
topic, role, issue or group that does not exist; what the settings mean together is the business of
`engine.playbook`.
"""

from __future__ import annotations

import hashlib
import math
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from engine.conditions import near
from engine.playbook_settings import LEAST_DAYS, REQUIRED, SECTIONS, Section, Setting
from engine.records import EPOCH, EngineError

_ID = re.compile(r"[a-z][a-z0-9_]*")
_CURRENCY = re.compile(r"[A-Z]{3}")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_LANGUAGE = re.compile(r"[a-z]{2}")


class PlaybookError(EngineError):
    """The playbook says something that cannot be; names the place, what was got and what is near it."""


@dataclass(frozen=True)
class Tables:
    """A playbook's text, checked setting by setting.

    Attributes:
        version: First 16 hex digits of the SHA-256 of the text with its line ends normalised.
        top: The settings at the top of the file.
        sections: Section -> id -> settings; ids sorted, so that their order in the file does not matter. A
            section that is one table stands under the id "", and is empty where the playbook lacks it.
    """

    version: str
    top: Mapping[str, Any]
    sections: Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class _Context:
    languages: tuple[str, ...]
    ids: Mapping[str, Collection[str]]


def version_of(text: str) -> str:
    """First 16 hex digits of the SHA-256 of a playbook's text with its line ends normalised."""
    return hashlib.sha256(_normalised(text).encode()).hexdigest()[:16]


def _normalised(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read_tables(text: str) -> Tables:
    """Read the TOML text. Raises PlaybookError (one line) naming the place and what is near."""
    normalised = _normalised(text)
    try:
        raw = tomllib.loads(normalised)
    except tomllib.TOMLDecodeError as error:
        raise PlaybookError(f"The playbook is not TOML: {error}.") from None
    version = version_of(text)
    (head, *others) = SECTIONS
    languages = _languages(raw.get("languages", REQUIRED), "languages")
    top_settings = {k: v for k, v in raw.items() if k not in {section.name for section in others}}
    known = [section.name for section in others] + [setting.name for setting in head.settings]
    _no_unknown("", raw, known)
    tables = {section.name: _ids(section, raw) for section in others}
    owners = (*tables["teams"], *tables["roles"])
    context = _Context(languages, {**tables, "groups": _groups(tables), "owners": owners})
    return Tables(
        version,
        _settings(head, top_settings, "", context),
        {section.name: {
            key: _settings(section, table, f"{section.name}.{key}".rstrip("."), context)
            for key, table in sorted(tables[section.name].items())
        } for section in others},
    )  # fmt: skip


def _ids(section: Section, raw: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    tables = _table(raw.get(section.name, {}), section.name)
    if section.single:
        return {"": tables} if section.name in raw else {}
    if section.required and not tables:
        raise PlaybookError(f"{section.name}: missing; need at least one, such as [{section.name}.some_id].")
    for key, table in tables.items():
        if not section.any_id:
            _id(key, f"{section.name}.{key}")
        _table(table, f"{section.name}.{key}")
    return tables


def _groups(tables: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    given = (issue.get("groups", ()) for issue in tables["issues"].values())
    return tuple(str(group) for groups in given if isinstance(groups, list) for group in groups)


def _settings(section: Section, table: Mapping[str, Any], where: str, context: _Context) -> dict[str, Any]:
    _no_unknown(where, table, [setting.name for setting in section.settings])
    values = {}
    for setting in section.settings:
        place = f"{where}.{setting.name}" if where else setting.name
        if setting.name in table:
            values[setting.name] = _value(setting, table[setting.name], place, context)
        elif setting.default is REQUIRED:
            raise PlaybookError(f"{place}: missing. {setting.meaning}")
        else:
            values[setting.name] = setting.default
    return values


def _value(setting: Setting, raw: Any, where: str, context: _Context) -> Any:
    value = KINDS[setting.kind](raw, where, context)
    if isinstance(value, int | float) and not setting.minimum <= value <= setting.maximum:
        raise PlaybookError(f"{where}: got {value:g}, need {_bounds(setting)}.")
    for text in _texts_of(value) if setting.choices or setting.refers else ():
        _check_choice(setting, text, where, context)
    return value


def _texts_of(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _check_choice(setting: Setting, text: str, where: str, context: _Context) -> None:
    allowed = (*setting.choices, *setting.also, *context.ids.get(setting.refers, ()))
    if text in allowed or (text == "" and setting.default == ""):
        return
    what = re.sub("ies$", "y", setting.refers).removesuffix("s") or "choice"
    hint = near(text, allowed) or f"; known: {', '.join(sorted(allowed)) or 'none'}."
    raise PlaybookError(f"{where}: unknown {what} {text!r}{hint}")


def _bounds(setting: Setting) -> str:
    if setting.minimum == LEAST_DAYS:
        return "more than 0 days, at least a minute"
    if math.isinf(setting.maximum):
        return f"at least {setting.minimum:g}"
    return f"a number from {setting.minimum:g} to {setting.maximum:g}"


def _no_unknown(where: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    for key in table:
        if key not in known:
            place = f"{where}.{key}" if where else key
            raise PlaybookError(
                f"{place}: unknown setting{near(key, known) or '; known: ' + ', '.join(known) + '.'}"
            )


def _wrong(raw: Any, where: str, need: str) -> PlaybookError:
    shown = {True: "true", False: "false"}.get(raw, repr(raw)) if isinstance(raw, bool) else repr(raw)
    return PlaybookError(f"{where}: got {shown[:60]}, need {need}.")


def _table(raw: Any, where: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise _wrong(raw, where, "a table")
    return raw


def _text(raw: Any, where: str, _: _Context | None = None) -> str:
    if not isinstance(raw, str):
        raise _wrong(raw, where, "a text in quotes")
    return raw


def _id(raw: Any, where: str, _: _Context | None = None) -> str:
    if not isinstance(raw, str) or not _ID.fullmatch(raw):
        raise _wrong(raw, where, "an id of small letters, digits and _, such as visit_dosing")
    return raw


def _currency(raw: Any, where: str, _: _Context) -> str:
    if not isinstance(raw, str) or not _CURRENCY.fullmatch(raw):
        raise _wrong(raw, where, 'an ISO 4217 code, such as "EUR"')
    return raw


def _number(raw: Any, where: str, _: _Context) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        raise _wrong(raw, where, "a number")
    return float(raw)


def _whole(raw: Any, where: str, _: _Context) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise _wrong(raw, where, "a whole number")
    return raw


def _flag(raw: Any, where: str, _: _Context) -> bool:
    if not isinstance(raw, bool):
        raise _wrong(raw, where, "true or false")
    return raw


def _list(raw: Any, where: str, _: _Context | None = None) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(item, str) for item in raw):
        raise _wrong(raw, where, 'a list of texts, such as ["a", "b"]')
    doubled = sorted({item for item in raw if raw.count(item) > 1})
    if doubled:
        raise PlaybookError(f"{where}: {doubled[0]!r} stands there twice.")
    return tuple(raw)


def _id_list(raw: Any, where: str, _: _Context) -> tuple[str, ...]:
    return tuple(_id(item, where) for item in _list(raw, where))


def _languages(raw: Any, where: str, _: _Context | None = None) -> tuple[str, ...]:
    if raw is REQUIRED:
        raise PlaybookError('languages: missing. ISO 639-1 codes such as ["en"].')
    languages = _list(raw, where)
    if not languages or not all(_LANGUAGE.fullmatch(language) for language in languages):
        raise _wrong(raw, where, 'a list of ISO 639-1 codes, such as ["en", "ar"]')
    return languages


def _texts(raw: Any, where: str, context: _Context) -> dict[str, str]:
    texts = _table(raw, where)
    for language in context.languages:
        if not _text(texts.get(language, ""), f"{where}.{language}").strip():
            raise PlaybookError(f"{where}: the text in {language!r} is missing.")
    for language in texts:
        if language not in context.languages:
            hint = near(language, context.languages) or "; declare it in languages."
            raise PlaybookError(f"{where}: unknown language {language!r}{hint}")
    return {language: texts[language] for language in context.languages}


def _named_texts(raw: Any, where: str, context: _Context) -> dict[str, dict[str, str]]:
    return {key: _texts(given, f"{where}.{key}", context) for key, given in _table(raw, where).items()}


def _template(raw: Any, where: str, context: _Context) -> dict[str, str]:
    return _with_places(raw, where, context, ("{name}", "{when}", "{trigger}"))


def _message(raw: Any, where: str, context: _Context) -> dict[str, str]:
    return _with_places(raw, where, context, ("{name}", "{sender}"))


def _by_channel(raw: Any, where: str, context: _Context) -> dict[str, dict[str, str]]:
    texts = {}
    for channel, given in sorted(_table(raw, where).items()):
        if channel not in context.ids["channels"]:
            hint = near(channel, context.ids["channels"]) or "."
            raise PlaybookError(f"{where}: unknown channel {channel!r}{hint}")
        texts[channel] = _with_places(given, f"{where}.{channel}", context, ("{name}", "{when}"))
    return texts


def _with_places(raw: Any, where: str, context: _Context, places: tuple[str, ...]) -> dict[str, str]:
    texts = _texts(raw, where, context)
    for language, text in texts.items():
        rest = text
        for place in places:
            rest = rest.replace(place, "")
        if "{" in rest or "}" in rest:
            known = f"{', '.join(places[:-1])} and {places[-1]}"
            raise PlaybookError(f"{where}.{language}: got {text!r}, only {known} may stand in braces.")
    return texts


def _moment(raw: Any, where: str, context: _Context) -> int:
    """The end of a day, or a moment as it stands."""
    day = isinstance(raw, date) and not isinstance(raw, datetime)
    return _start(raw, where, context) + (timedelta(days=1) // timedelta(microseconds=1) if day else 0)


def _start(raw: Any, where: str, _: _Context) -> int:
    """The start of a day, or a moment as it stands."""
    if isinstance(raw, datetime):
        if raw.tzinfo is None:
            raise _wrong(raw.isoformat(), where, "an offset, such as 2027-12-31T18:00:00+01:00")
        start = raw
    elif isinstance(raw, date):
        start = datetime(raw.year, raw.month, raw.day, tzinfo=UTC)
    else:
        raise _wrong(raw, where, "a day without quotes, such as 2027-12-31")
    return (start - EPOCH) // timedelta(microseconds=1)


def _days_off(raw: Any, where: str, _: _Context) -> tuple[int, ...]:
    """Days since 1970-01-01, sorted."""
    plain = isinstance(raw, list) and all(isinstance(d, date) and not isinstance(d, datetime) for d in raw)
    if not plain:
        raise _wrong(raw, where, "a list of days without quotes, such as [2027-01-01]")
    return tuple(sorted({(day - EPOCH.date()).days for day in raw}))


def _hours(raw: Any, where: str, _: _Context) -> tuple[int, int]:
    """Minutes of the day at which the hours begin and end."""
    found = _HOURS.fullmatch(raw) if isinstance(raw, str) else None
    if found is None:
        raise _wrong(raw, where, 'hours from and until, such as "20:00-07:30"')
    start, end = (60 * int(found[k]) + int(found[k + 1]) for k in (1, 3))
    if start == end:
        raise PlaybookError(f"{where}: {raw!r} is the whole day; a channel that is never used needs none.")
    return start, end


def _scopes(raw: Any, where: str, context: _Context) -> tuple[str, ...]:
    return (raw,) if isinstance(raw, str) else _list(raw, where, context)


def _amounts(raw: Any, where: str, context: _Context) -> dict[str, float]:
    amounts = {key: _number(value, f"{where}.{key}", context) for key, value in _table(raw, where).items()}
    for key, amount in amounts.items():
        if amount < 0:
            raise PlaybookError(f"{where}.{key}: got {amount:g}, need at least 0.")
    return amounts


def _attributes(raw: Any, where: str, _: _Context) -> dict[str, tuple[str, ...] | None]:
    """Column -> None for a number or flag, () for text, else the sorted list of its texts."""
    return {name: _levels(value, f"{where}.{name}") for name, value in sorted(_table(raw, where).items())}


def _levels(raw: Any, where: str) -> tuple[str, ...] | None:
    if raw in ("number", "flag"):
        return None
    if raw == "text":
        return ()
    if isinstance(raw, list) and raw:
        return tuple(sorted(_list(raw, where)))
    raise _wrong(raw, where, '"number", "flag", "text" or a list of texts')


def _levers(raw: Any, where: str, context: _Context) -> dict[tuple[str, str], float]:
    levers = {}
    for kind, table in sorted(_table(raw, where).items()):
        if kind not in {"issue", "group", "action"}:
            raise PlaybookError(f"{where}.{kind}: unknown kind of lever; known: issue, group, action.")
        for key, percent in sorted(_table(table, f"{where}.{kind}").items()):
            levers[kind, key] = _number(percent, f"{where}.{kind}.{key}", context)
    return levers


def _stops(raw: Any, where: str, context: _Context) -> tuple[tuple[str, str], ...]:
    stops = []
    for item in _list(raw, where):
        channel, _, purpose = item.partition(":")
        every = channel == "*"
        if not every and channel not in context.ids["channels"]:
            raise PlaybookError(
                f"{where}: unknown channel {channel!r}{near(channel, context.ids['channels']) or '.'}"
            )
        if purpose not in {"marketing", "service"}:
            raise _wrong(item, where, 'channel:purpose, such as "email:marketing"')
        stops += [(each, purpose) for each in (context.ids["channels"] if every else [channel])]
    return tuple(sorted(set(stops)))


KINDS: Mapping[str, Callable[[Any, str, _Context], Any]] = {
    "id": _id, "text": _text, "currency": _currency, "condition": _text, "number": _number,
    "whole": _whole, "flag": _flag, "list": _list, "ids": _id_list, "languages": _languages,
    "by_channel": _by_channel, "named_texts": _named_texts,
    "texts": _texts, "template": _template, "message": _message, "moment": _moment, "start": _start,
    "scopes": _scopes, "hours": _hours, "days": _days_off,
    "amounts": _amounts, "attributes": _attributes, "levers": _levers, "stops": _stops,
}  # fmt: skip
"""What the value of a setting may be: each checks it and turns it into the engine's type."""
