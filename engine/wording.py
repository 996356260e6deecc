"""How sentences are said: values put into words, plural forms, times that age, digits.

Pure text: the reader, the moment and the time zone are arguments.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, cached_property

from babel.core import Locale

from engine.playbook import Playbook, Texts
from engine.records import EPOCH
from engine.sentences import COUNTED, LANGUAGES, SENTENCES, WORDS

RIGHT_TO_LEFT: frozenset[str] = frozenset({"ar", "fa", "he", "ur"})

Value = str | float | int | None
Values = Mapping[str, Value]

_DIGITS = {
    "fa": str.maketrans("0123456789,.", "۰۱۲۳۴۵۶۷۸۹٬٫"),
    "ar": str.maketrans("0123456789,.", "٠١٢٣٤٥٦٧٨٩٬٫"),
}
_ARABIC_INDIC_ZONES = frozenset({
    "Africa/Cairo", "Egypt", "Africa/Djibouti", "Africa/Khartoum", "Africa/Mogadishu", "Africa/Ndjamena",
    "Africa/Nouakchott", "Asia/Aden", "Asia/Amman", "Asia/Baghdad", "Asia/Bahrain", "Asia/Beirut",
    "Asia/Damascus", "Asia/Gaza", "Asia/Hebron", "Asia/Kuwait", "Asia/Muscat", "Asia/Qatar", "Asia/Riyadh",
    "Indian/Comoro",
})  # fmt: skip
"""Where Arabic is written with digits of its own, by country as Unicode's CLDR has it (a test compares); the
Maghreb and the Emirates use 0 to 9, as do zones that are not here."""
_PLACE = re.compile(r"\{(\w+)(?::(\w+))?\}")


@dataclass(frozen=True)
class Reader:
    """Who reads a sentence, and when.

    Attributes:
        language: ISO 639-1; one without sentences reads English.
        now: Microseconds UTC.
        zone: The reader's time zone, for "this morning" and "yesterday"; None = durations only.
        playbook: For the names of channels, topics and roles, and the currency.
    """

    language: str
    now: int
    zone: tzinfo | None
    playbook: Playbook

    @cached_property
    def digits(self) -> str:
        """Whose digits numbers have: "fa", "ar" (Arabic-Indic, by the country of the reader's zone) or ""."""
        if self.spoken == "ar":
            return "ar" if getattr(self.zone, "key", "") in _ARABIC_INDIC_ZONES else ""
        return "fa" if self.spoken == "fa" else ""

    @cached_property
    def today(self) -> datetime:
        """The moment by the clocks of the zone, or UTC."""
        return _local(self.now, self.zone or UTC)

    @cached_property
    def spoken(self) -> str:
        """The language in which the sentences here are said."""
        return self.language if self.language in LANGUAGES else "en"


def say(code: str, values: Values, reader: Reader) -> str:
    """The sentence of that code with the values put into words. Raises KeyError for a code without one.

    A value that is missing is said to be not known: what was stored by an earlier version stays readable.
    """
    said, places = _parts(code, reader.spoken)
    for name, kind, text in places:
        value = values.get(name)
        if kind == "any":  # what a value is called depends on its column
            said += value_of(values.get("attribute"), value, reader) + text
        else:
            said += FORMATS[kind](value, reader) + text
    return said


@cache
def _parts(code: str, spoken: str) -> tuple[str, list[tuple[str, str, str]]]:
    """A sentence up to its first value; then name and format of each value, with the text behind it."""
    begins, *rest = _PLACE.split(SENTENCES[code][spoken])
    places = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    return begins, [(name, kind or name, text) for name, kind, text in places]


def ago(at: int, reader: Reader) -> str:
    """How long ago a moment is for the reader (microseconds UTC): just now, 3 minutes ago, this morning."""
    seconds = max(0, reader.now - at) // 1_000_000
    if seconds < 120:
        return word("just_now", reader)
    if seconds < 3600:
        return counted("minutes_ago", seconds // 60, reader)
    hours = counted("hours_ago", seconds // 3600, reader)
    if reader.zone is None:
        return hours if seconds < 86_400 else counted("days_ago", seconds // 86_400, reader)
    then, today = _local(at, reader.zone), reader.today
    days = (today.date() - then.date()).days
    if days == 0:
        return word("this_morning", reader) if then.hour < 12 <= today.hour else hours
    if seconds < 6 * 3600:
        return hours
    return word("yesterday", reader) if days == 1 else counted("days_ago", days, reader)


def clock(at: int, reader: Reader) -> str:
    """The time of day of a moment of the last two days in the reader's zone (microseconds UTC): 10:02, or
    yesterday 10:02."""
    then, today = _local(at, reader.zone or UTC), reader.today
    text = f"{then:%H:%M}"
    text = in_digits(text, reader)
    return text if then.date() == today.date() else f"{word('yesterday', reader)} {text}"


def counted(noun: str, n: int, reader: Reader) -> str:
    """A phrase that depends on a number, in the plural form of the language."""
    forms = COUNTED[noun][reader.spoken]
    form = forms.get(plural(n, reader.spoken), forms["other"])
    return form.replace("{n}", number(n, reader))


def plural(n: int, language: str) -> str:
    """The plural category of a whole number by the Unicode rules for English, Arabic and Persian."""
    if language == "ar":
        small = {0: "zero", 1: "one", 2: "two"}
        hundredth = n % 100
        return small.get(n) or ("few" if 3 <= hundredth <= 10 else "many" if hundredth >= 11 else "other")
    return "one" if n == 1 else "other"


def number(value: float, reader: Reader, decimals: int = 2) -> str:
    """A number with separators, at most so many decimals, in the digits of the reader."""
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    text = "0" if text == "-0" else text
    if text.startswith("-") and reader.spoken in RIGHT_TO_LEFT:
        # Without the mark the sign is shown behind its number.
        text = f"\u200e{text}"
    return in_digits(text, reader)


def in_digits(text: str, reader: Reader) -> str:
    """A number or time written with 0 to 9, in the digits that the reader has."""
    return text.translate(_DIGITS[reader.digits]) if reader.digits else text


def word(key: str, reader: Reader) -> str:
    """A fixed word; the key itself where there is none."""
    return WORDS.get(key, {}).get(reader.spoken, key)


def text_in(texts: Texts, language: str, otherwise: str) -> str:
    """A text of the playbook in that language, else in English, else in any, else `otherwise`."""
    return texts.get(language) or texts.get("en") or next(iter(texts.values()), "") or otherwise


def isolated(text: str, language: str) -> str:
    """A foreign name or id inside a right-to-left sentence must not turn its neighbours around."""
    return f"\u2068{text}\u2069" if language in RIGHT_TO_LEFT else text


def _local(at: int, zone: tzinfo) -> datetime:
    return (EPOCH + timedelta(microseconds=at)).astimezone(zone)


def _known(say_it: Callable[[float, Reader], str]) -> Callable[[Value, Reader], str]:
    """A format of numbers; what is no number is said to be not known."""

    def formatted(value: Value, reader: Reader) -> str:
        if isinstance(value, str) or value is None or not math.isfinite(value):
            return word("unknown", reader)
        return say_it(value, reader)

    return formatted


def _money(value: float, reader: Reader) -> str:
    amount = number(value, reader, 0 if abs(value) >= 10 else 2)
    return f"{amount} {word(reader.playbook.currency, reader)}"


def _percent(value: float, reader: Reader) -> str:
    shown = number(100.0 * value, reader, 0 if value >= 0.1 else 2)
    return f"{shown}٪" if reader.digits else f"{shown}%"


def _named(kind: str) -> Callable[[Value, Reader], str]:
    """The name that the playbook gives to a channel, topic or role."""

    def name(value: Value, reader: Reader) -> str:
        for entry in getattr(reader.playbook, kind):
            if entry.id == value:
                return text_in(entry.name, reader.language, entry.id)
        special = f"channel_{value or ''}"
        return word(special, reader) if special in WORDS else isolated(str(value), reader.spoken)

    return name


def _treatment(value: Value, reader: Reader) -> str:
    """Channel and topic by name: what colleagues call a treatment."""
    found = next((t for t in reader.playbook.treatments if t.id == value), None)
    if found is None or found.kind != "contact":
        return word("none", reader) if value == "none" else _id(value, reader)
    parts = [FORMATS["channel"](found.channel, reader)]
    parts += [FORMATS["topic"](found.topic, reader)] if found.topic else []
    return ": ".join(parts)


def _stage(value: Value, reader: Reader) -> str:
    """The name of a stage of the journey."""
    found = next((stage for stage in reader.playbook.journey.stages if stage.id == value), None)
    return text_in(found.name, reader.language, found.id) if found else word("unknown", reader)


def _owner(value: Value, reader: Reader) -> str:
    """The name of a team, or of a role that owns something by itself."""
    found = next((team for team in reader.playbook.teams if team.id == value), None)
    return text_in(found.name, reader.language, found.id) if found else FORMATS["role"](value, reader)


def _several(say_it: Callable[[Value, Reader], str]) -> Callable[[Value, Reader], str]:
    """A format of ids that are separated by |."""

    def formatted(value: Value, reader: Reader) -> str:
        ids = str(value or "").split("|") if value else []
        return ", ".join(say_it(each, reader) for each in ids) or word("unknown", reader)

    return formatted


def approach(value: Value, reader: Reader) -> str:
    """The steps of an approach, channels by name: visit, then e-mail; e-mail alone."""
    channels = {channel.id for channel in reader.playbook.channels}
    steps = [
        FORMATS["channel"](step, reader) if step in channels else _id(step, reader)
        for step in str(value or "").split("|")
    ]
    return word("then", reader).join(steps) if len(steps) > 1 else f"{steps[0]} {word('alone', reader)}"


def _id(value: Value, reader: Reader) -> str:
    return isolated(str(value or "").replace("_", " "), reader.spoken)


def _column(value: Value, reader: Reader) -> str:
    """What people call a column of the accounts: as the playbook says, else its own name as it stands."""
    if named := reader.playbook.columns.get(str(value)):
        return text_in(named, reader.language, str(value))
    key = f"column_{value}"
    return word(key, reader) if key in WORDS else _id(value, reader)


def _rule(value: Value, reader: Reader) -> str:
    """A rule by what people call its kind, and its own name in the playbook."""
    kind, _, own = str(value).partition(":")
    called = word(f"rule_{kind}", reader)
    named = "" if called == f"rule_{kind}" else called
    return " ".join(part for part in (named, _id(own, reader) if own else "") if part) or _id(kind, reader)


def _last(value: Value, reader: Reader) -> str:
    return word("never", reader) if value is None else FORMATS["ago"](value, reader)


def value_of(column: Value, value: Value, reader: Reader) -> str:
    """What stands in a column of the accounts: as the playbook says, a country and a language by name, money
    in its currency, yes or no; else as it stands."""
    if isinstance(value, bool) or (column == "automated" and value is not None):
        return word("yes" if value else "no", reader)
    if not isinstance(value, str):
        return FORMATS["money" if column == "potential_value" else "number"](value, reader)
    named = reader.playbook.column_values.get(str(column), {}).get(value)
    if named:
        return in_digits(text_in(named, reader.language, value), reader)
    if known := _of_cldr(str(column), value, reader.spoken):
        return known
    return isolated(value, reader.spoken)


@cache
def _of_cldr(column: str, code: str, language: str) -> str | None:
    """The name of a country (ISO 3166-1 alpha-2) or language (ISO 639-1) in the Unicode CLDR."""
    locale = Locale.parse(language)
    if column == "country":
        return locale.territories.get(code.upper())
    return locale.languages.get(code.lower()) if column == "language" else None


FORMATS: dict[str, Callable[[Value, Reader], str]] = {
    "number": _known(number),
    "money": _known(_money),
    "percent": _known(_percent),
    "ago": _known(lambda value, reader: ago(int(value), reader)),
    "days": _known(lambda value, reader: counted("days", math.ceil(value), reader)),
    "last": _last,
    "any": lambda value, reader: value_of(None, value, reader),
    "rule": _rule,
    "times": _known(lambda value, reader: counted("times", int(value), reader)),
    "contacts": _known(lambda value, reader: counted("contacts", int(value), reader)),
    "cases": _known(lambda value, reader: counted("cases", int(value), reader)),
    "channel": _named("channels"),
    "topic": _named("topics"),
    "role": _named("roles"),
    "treatment": _treatment,
    "approach": approach,
    "stage": _stage,
    "stages": _several(_stage),
    "owners": _several(_owner),
    "purpose": lambda value, reader: word(str(value), reader),
    "reason": lambda value, reader: word(str(value), reader),
    "track": lambda value, reader: word(str(value), reader),
    "id": _id,
    "column": _column,
    "text": lambda value, _: str(value or ""),
}
"""How a value is said; the part of a placeholder after its colon."""
