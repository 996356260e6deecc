"""How the page says values: names from the playbook, numbers, dates and times as the reader has them.

Dates in Persian are Solar Hijri; digits are those of the sentences of suggestions (`engine.wording`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import jdatetime
from babel.core import Locale, get_global
from babel.dates import format_date, format_time
from markupsafe import Markup, escape

from api.page.catalogues import translations
from data.times import micros, to_datetime
from engine.playbook import Playbook
from engine.wording import FORMATS, RIGHT_TO_LEFT, Reader, Value, ago, in_digits, number, value_of

_ICONS = (
    ("medical", "medical"), ("visit", "visit"), ("call", "call"), ("phone", "call"), ("mail", "email"),
    ("podcast", "podcast"), ("app", "app"), ("congress", "event"), ("event", "event"), ("demo", "event"),
    ("consult", "advice"), ("web", "website"), ("form", "website"), ("chat", "message"), ("sms", "message"),
    ("social", "message"), ("message", "message"), ("messenger", "message"),
)  # fmt: skip
"""Part of a channel's id -> its picture."""


_AMOUNTS = frozenset({"money", "percent", "days"})


class Words:
    """For one reader at one moment; given to every template as `w`."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    @property
    def language(self) -> str:
        """Of the page."""
        return self.reader.spoken

    @property
    def direction(self) -> str:
        """How it runs."""
        return "rtl" if self.language in RIGHT_TO_LEFT else "ltr"

    @property
    def digits(self) -> str:
        """Of numbers, as CSS calls them."""
        return {"fa": "persian", "ar": "arabic-indic"}.get(self.reader.digits, "decimal")

    @property
    def playbook(self) -> Playbook:
        """Whose names are used."""
        return self.reader.playbook

    @cached_property
    def now(self) -> datetime:
        """The moment, in the reader's zone."""
        return self._local(to_datetime(self.reader.now))

    def stops(self, treatment: str) -> bool:
        """Whether a suggestion of it ends contacts; not for one that the playbook does not have any more."""
        return any(t.id == treatment and t.kind == "stop" for t in self.playbook.treatments)

    # -- place -------------------------------------------------------------------------------------
    @property
    def country(self) -> str:
        """Of the reader's time zone, ISO 3166-1 alpha-2; "" where the zone is of none, such as UTC."""
        zone = getattr(self.reader.zone, "key", "")
        found = get_global("zone_territories").get(get_global("zone_aliases").get(zone, zone), "")
        return "" if found in ("", "ZZ") else str(found)

    def week_of(self, day: date) -> date:
        """The first day of its week, as weeks begin in the reader's country."""
        return day - timedelta(days=(day.weekday() - week_of(self.country).first_week_day) % 7)

    # -- names -------------------------------------------------------------------------------------
    def said(self, kind: str, value: Value) -> Markup:
        """A value in one of the sentences' formats (channel, topic, role, treatment, stage, money ...)."""
        text = FORMATS[kind](value, self.reader)
        # The mark before a negative amount would turn it around, were its direction guessed from it.
        return (
            Markup('<bdi dir="{}">{}</bdi>').format(self.direction, text) if kind in _AMOUNTS else _bdi(text)
        )

    def called(self, kind: str, value: Value) -> str:
        """The same for places that take no mark-up."""
        return FORMATS[kind](value, self.reader)

    def value(self, column: str, value: Value) -> Markup:
        """What stands in a column of an account or a field of a form."""
        return _bdi(value_of(column, value, self.reader))

    def name(self, text: str | None) -> Markup:
        """A name or free text, which runs in its own direction."""
        return _bdi(text or "")

    @staticmethod
    def icon(channel: str | None) -> str:
        """The picture of a channel."""
        return next((icon for part, icon in _ICONS if part in (channel or "")), "dot")

    # -- numbers -----------------------------------------------------------------------------------
    def number(self, value: float, decimals: int = 0) -> str:
        """In the digits of the language."""
        return number(value, self.reader, decimals)

    def money(self, value: float) -> Markup:
        """In the playbook's currency."""
        return self.said("money", value)

    def percent(self, share: float | None) -> Markup:
        """A share, which may be negative; ? where it has no end."""
        return self.said("percent", share) if share is not None else Markup("?")

    def minutes(self, minutes: float) -> str:
        """As hours and minutes."""
        hours, rest = divmod(round(minutes), 60)
        say = translations(self.language).gettext
        if not hours:
            return say("%(n)s min") % {"n": number(rest, self.reader)}
        if not rest:
            return say("%(n)s h") % {"n": number(hours, self.reader)}
        parts = {"h": number(hours, self.reader), "m": number(rest, self.reader)}
        return say("%(h)s h %(m)s min") % parts

    # -- times -------------------------------------------------------------------------------------
    def ago(self, moment: datetime) -> str:
        """How long ago, as the sentences say it."""
        return ago(micros(moment), self.reader)

    def day(self, moment: datetime | date) -> str:
        """A date in words: Sunday, 22 November."""
        then = self._local(moment).date() if isinstance(moment, datetime) else moment
        if self.language == "fa":
            solar = jdatetime.date.fromgregorian(date=then, locale="fa_IR")
            said = f"{solar.strftime('%A')} {solar.day} {solar.strftime('%B')}"
            return in_digits(said, self.reader)
        pattern = {"en": "EEEE, d MMMM", "ar": "EEEE، d MMMM"}[self.language]
        return in_digits(format_date(then, pattern, locale=Locale.parse(self.language)), self.reader)

    def weekday(self, day: date) -> str:
        """A day of the coming ones in few letters: Sun 22."""
        if self.language == "fa":
            solar = jdatetime.date.fromgregorian(date=day, locale="fa_IR")
            return in_digits(f"{solar.strftime('%A')} {solar.day}", self.reader)
        return in_digits(format_date(day, "EEE d", locale=Locale.parse(self.language)), self.reader)

    def day_iso(self, day: str) -> str:
        """The same of a day as text."""
        return self.day(date.fromisoformat(day))

    def short(self, moment: datetime) -> str:
        """A date in few letters, with its year where that is another one."""
        then = self._local(moment).date()
        if self.language == "fa":
            solar = jdatetime.date.fromgregorian(date=then, locale="fa_IR")
            this_year = jdatetime.date.fromgregorian(date=self.now.date()).year
            year = "" if solar.year == this_year else f" {solar.year}"
            return in_digits(f"{solar.day} {solar.strftime('%B')}{year}", self.reader)
        pattern = "d MMM" if then.year == self.now.year else "d MMM y"
        return in_digits(format_date(then, pattern, locale=Locale.parse(self.language)), self.reader)

    def clock(self, moment: datetime) -> str:
        """The time of day."""
        text = format_time(self._local(moment), "HH:mm", locale=Locale.parse("en"))
        return in_digits(text, self.reader)

    def when(self, moment: datetime) -> str:
        """A moment ahead or past, with its time of day; the day is left out where it is today."""
        if self._local(moment).date() == self.now.date():
            return self.clock(moment)
        return (
            f"{self.short(moment)}, {self.clock(moment)}"
            if self.language == "en"
            else (f"{self.short(moment)}، {self.clock(moment)}")
        )

    def when_iso(self, moment: str) -> str:
        """The same of a moment as text."""
        return self.when(datetime.fromisoformat(moment))

    @staticmethod
    def at(moment: int) -> datetime:
        """A moment of the ledger."""
        return to_datetime(moment)

    def since(self, moment: int) -> str:
        """The same of microseconds UTC."""
        return self.when(to_datetime(moment))

    def month(self, moment: datetime) -> str:
        """The month alone, for the picture over time."""
        then = self._local(moment).date()
        if self.language == "fa":
            return str(jdatetime.date.fromgregorian(date=then, locale="fa_IR").strftime("%B"))
        return format_date(then, "MMM", locale=Locale.parse(self.language))

    @property
    def morning(self) -> bool:
        """Whether it is before noon."""
        return self.now.hour < 12

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.reader.zone or UTC)


def week_of(country: str) -> Locale:
    """A locale that knows when weeks and weekends begin in a country; "" = the world's usual ones."""
    return Locale.parse(f"und_{country}" if country else "en_001")


def _bdi(text: str) -> Markup:
    """Isolated: what runs the other way must not turn its neighbours around."""
    return Markup("<bdi>{}</bdi>").format(escape(text.strip("\u2068\u2069")))
