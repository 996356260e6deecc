"""The page's texts: every one in every language, every plural form, every placeholder; dates and digits."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel.core import Locale, get_global
from babel.messages.extract import extract_from_dir

import api.page
from api.page.catalogues import LOCALE, catalogue, languages, translations
from api.page.days import day_off, working_days
from api.page.words import Words
from data.playbooks import read_playbook
from engine.wording import Reader
from tests.data.files import micros

WEB = LOCALE.parent
OTHERS = [language for language in languages() if language != "en"]
PLACES = re.compile(r"%\((\w+)\)s")


def wanted() -> set[Any]:
    """Every text of templates and code: itself, or (singular, plural)."""
    templates = extract_from_dir(WEB / "templates", method_map=[("**.html", "jinja2.ext:babel_extract")])
    code = extract_from_dir(
        Path(api.page.__file__).parent, method_map=[("**.py", "python")], keywords={"say": None}
    )
    return {message for _, _, message, _, _ in (*templates, *code)}


def words(language: str, moment: datetime = datetime(2026, 3, 21, 9, 5, tzinfo=UTC)) -> Words:
    return Words(Reader(language, micros(moment), UTC, read_playbook("pharma")))


def test_the_page_speaks_three_languages() -> None:
    """Those of the people who work here."""
    assert languages() == ("en", "ar", "fa")


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_and_no_plural_form_is_missing(language: str) -> None:
    """Half a page in another language is worse than none."""
    found = catalogue(language)

    missing = []
    for message in wanted():
        own = found.get(message if isinstance(message, str) else message[0])
        forms = [own.string] if own and isinstance(own.string, str) else list(own.string) if own else []
        needed = 1 if isinstance(message, str) else found.num_plurals
        if len(forms) != needed or not all(forms) or (own and own.fuzzy):
            missing.append(message)
    assert missing == []
    assert {m.id if isinstance(m.id, str) else tuple(m.id) for m in found if m.id} == wanted(), (
        "Nothing is left over."
    )


@pytest.mark.parametrize("language", OTHERS)
def test_a_text_names_the_same_values_in_every_language(language: str) -> None:
    """A misspelt placeholder would break the page for those readers alone. Small numbers may be words."""
    wrong = []
    for message in catalogue(language):
        if not message.id:
            continue
        ids, texts = ([x] if isinstance(x, str) else list(x) for x in (message.id, message.string))
        expected = set(PLACES.findall(ids[-1]))
        for text in texts:
            used = set(PLACES.findall(text))
            if not (used == expected or (len(texts) > 1 and used <= expected)):
                wrong.append(text)
    assert wrong == []


@pytest.mark.parametrize("language", OTHERS)
def test_no_latin_word_stands_in_an_arabic_or_persian_text(language: str) -> None:
    """Beside placeholders, which become names and numbers."""
    texts = [
        t
        for m in catalogue(language)
        if m.id
        for t in ([m.string] if isinstance(m.string, str) else m.string)
    ]

    assert [text for text in texts if re.search(r"[A-Za-z]", PLACES.sub("", text))] == []


def test_arabic_counts_in_six_forms() -> None:
    """None, one, two, few, many and other."""
    say = translations("ar").ngettext
    one, many = "%(shown)s suggestion today", "%(shown)s suggestions today"

    assert [say(one, many, n) % {"shown": n} for n in (0, 1, 2, 3, 11, 100)] == [
        "لا توجد مقترحات اليوم", "مقترح واحد اليوم", "مقترحان اليوم", "3 مقترحات اليوم", "11 مقترحًا اليوم",
        "100 مقترح اليوم",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "solar"),
    [
        (date(2026, 3, 21), "شنبه ۱ فروردین"), (date(2025, 3, 20), "پنج‌شنبه ۳۰ اسفند"),
        (date(2025, 3, 21), "جمعه ۱ فروردین"), (date(2026, 11, 22), "یک‌شنبه ۱ آذر"),
    ],
)  # fmt: skip
def test_l_persian_dates_are_solar_hijri(day: date, solar: str) -> None:
    """Nowruz, and the thirtieth of Esfand that only a leap year has."""
    assert words("fa").day(day).replace("\u200c", "") == solar.replace("\u200c", "")


def test_times_are_said_in_the_readers_words_and_digits() -> None:
    """Today by its hour alone."""
    now, later = datetime(2026, 3, 21, 14, 30, tzinfo=UTC), datetime(2026, 3, 23, 8, 0, tzinfo=UTC)

    assert [words(one).when(now) for one in ("en", "ar", "fa")] == ["14:30", "14:30", "۱۴:۳۰"]
    assert [words(one).when(later) for one in ("en", "ar", "fa")] == [
        "23 Mar, 08:00", "23 مارس، 08:00", "۳ فروردین، ۰۸:۰۰",
    ]  # fmt: skip
    assert [words(one).minutes(150) for one in ("en", "ar", "fa")] == [
        "2 h 30 min", "2 س 30 د", "۲ ساعت و ۳۰ دقیقه",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "time", "day", "amount"),
    [
        ("Africa/Cairo", "١١:٠٥", "٢١ مارس", "١٬٢٣٤٫٥"), ("Asia/Baghdad", "١٢:٠٥", "٢١ مارس", "١٬٢٣٤٫٥"),
        ("Asia/Dubai", "13:05", "21 مارس", "1,234.5"), ("Africa/Casablanca", "09:05", "21 مارس", "1,234.5"),
    ],
)  # fmt: skip
def test_l_arabic_digits_follow_the_country(zone: str, time: str, day: str, amount: str) -> None:
    """Cairo and Baghdad write ١٢٣; Dubai and Casablanca 123."""
    moment = datetime(2026, 3, 21, 9, 5, tzinfo=UTC)
    arabic = Words(Reader("ar", micros(moment), ZoneInfo(zone), read_playbook("pharma")))

    assert (arabic.clock(moment), arabic.short(moment), arabic.number(1234.5, 1)) == (time, day, amount)
    assert arabic.digits == ("arabic-indic" if amount.startswith("١") else "decimal")
    ages = "من ٤٠ إلى ٤٩" if amount.startswith("١") else "من 40 إلى 49"
    assert ages in str(arabic.value("age_group", "40 to 49"))
    english = Words(Reader("en", micros(moment), ZoneInfo(zone), read_playbook("pharma")))
    assert english.number(12) == "12"
    assert "40 to 49" in str(english.value("age_group", "40 to 49"))


ARABIC = "AE BH DJ DZ EG IQ JO KM KW LB LY MA MR OM PS QA SA SD SO SY TD TN YE".split()


def test_l_arabic_digits_are_those_of_the_country_in_unicode() -> None:
    """Nobody has to know by heart what is written in Nouakchott."""
    zones = [(zone, code) for zone, code in get_global("zone_territories").items() if code in ARABIC]
    playbook = read_playbook("pharma")

    wrong = [
        zone for zone, code in zones
        if (Locale("ar", code).default_numbering_system == "arab")
        != (Reader("ar", 0, ZoneInfo(zone), playbook).digits == "ar")
    ]  # fmt: skip
    assert wrong == []
    assert {code for _, code in zones} == set(ARABIC)


@pytest.mark.parametrize(
    ("zone", "country", "week", "off"),
    [
        ("Europe/Berlin", "DE", 23, [28, 29]), ("Africa/Cairo", "EG", 21, [27, 28]),
        ("Asia/Tehran", "IR", 21, [26, 27]), ("Asia/Kuwait", "KW", 21, [27, 28]),
        ("Africa/Casablanca", "MA", 23, [28, 29]), ("Asia/Riyadh", "SA", 22, [27, 28]),
        ("UTC", "", 23, [28, 29]),
    ],
)  # fmt: skip
def test_l_weeks_and_weekends_are_those_of_the_readers_country(
    zone: str, country: str, week: int, off: list[int]
) -> None:
    """The week of the 25th of November 2026, a Wednesday; Kuwait has no calendar in the playbook."""
    reader = Words(Reader("en", 0, ZoneInfo(zone), read_playbook("pharma")))

    assert reader.country == country
    assert reader.week_of(date(2026, 11, 25)) == date(2026, 11, week)
    assert [day for day in range(24, 30) if day_off(reader, date(2026, 11, day))] == off


def test_a_country_is_called_by_its_name() -> None:
    """AE tells nobody anything."""
    assert [str(words(one).value("country", "AE")) for one in ("en", "fa")] == [
        "<bdi>United Arab Emirates</bdi>", "<bdi>امارات متحدهٔ عربی</bdi>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("country", "days"),
    [("DE", [23, 24, 25]), ("IR", [22, 23, 24]), ("SA", [22, 23, 24]), (None, [23, 24, 25])],
)
def test_l_the_next_days_are_working_days_of_the_country(country: str | None, days: list[int]) -> None:
    """Friday is no day for a visit in Tehran, nor Sunday in Berlin; the twenty-first was a Saturday."""
    assert [day.day for day in working_days(words("en"), country)][:3] == days


def test_a_name_cannot_bring_mark_up_along() -> None:
    """Names come from other systems."""
    assert str(words("ar").name("<b>Dr</b>")) == "<bdi>&lt;b&gt;Dr&lt;/b&gt;</bdi>"


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("ar", "rtl"), ("fa", "rtl")])
def test_an_amount_runs_as_the_page_does(language: str, direction: str) -> None:
    """Of an amount whose direction is guessed the sign of a loss stood behind the currency."""
    assert str(words(language).money(-96)).startswith(f'<bdi dir="{direction}">')
