"""Names for the people of the simulated world, in the scripts of their countries."""

from __future__ import annotations

# Twenty names a language, separated by spaces.
GIVEN: dict[str, str] = {
    "en": (
        "Alice Amir Charlotte Daniel Eleanor George Grace Harriet James Kofi "
        "Lucy Nadia Oliver Priya Ruth Samuel Sophie Thomas Victoria William"
    ),
    "de": (
        "Anke Bernd Claudia Dieter Emre Franziska Günter Heike Ingrid Jörg "
        "Katharina Lars Margarete Niklas Petra Rüdiger Sabine Torsten Ulrike Yasmin"
    ),
    "ar": (
        "أحمد أمينة بشير خالد رنا ريم زينب سلمى سمير طارق "
        "عائشة عمر فاطمة كريم ليلى مريم نادر هدى ياسر يوسف"
    ),
    "fa": (
        "آرش الهام بابک پریسا حسین داریوش رضا زهرا ژاله سارا "
        "شیرین فرهاد کامران گیتی لاله محمد مریم نرگس هوشنگ یاسمن"
    ),
}  # fmt: skip

FAMILY: dict[str, str] = {
    "en": (
        "Abbott Bennett Clarke Dawson Evans Fletcher Gibson Hughes Ibrahim Jones "
        "Kaur Lewis Mitchell Norris O'Brien Patel Reid Shaw Turner Walsh"
    ),
    "de": (
        "Albrecht Becker Çelik Dietrich Engel Fischer Groß Hoffmann Jansen Krüger "
        "Lehmann Möller Neumann Otto Pfeiffer Richter Schäfer Thiele Vogel Yıldız"
    ),
    "ar": (
        "ألفت البغدادي التميمي الجابري الحسن الخطيب الدوسري الراشد الزهراني السعدي "
        "الشامي الصباغ العمري الغامدي الفارس القاسم المنصور النجار الهاشمي حداد"
    ),
    "fa": (
        "احمدی الفت بهرامی پارسا تهرانی جعفری حسینی خسروی رستمی زمانی "
        "سلیمانی شریفی صادقی فرهادی قاسمی کریمی مرادی نوری هاشمی یزدانی"
    ),
}  # fmt: skip

TITLE: dict[str, str] = {"en": "Dr", "de": "Dr.", "ar": "د.", "fa": "دکتر"}
COMPANY: dict[str, tuple[str, ...]] = {
    "en": ("{} Ltd", "{} & Sons", "{} Logistics", "{} Engineering", "{} Foods"),
    "de": ("{} GmbH", "{} & Söhne", "{} Logistik", "{} Maschinenbau", "{} Technik"),
    "ar": ("شركة {}", "مؤسسة {}", "مجموعة {}", "مصنع {}", "مكتب {}"),
    "fa": ("شرکت {}", "گروه {}", "بازرگانی {}", "کارخانهٔ {}", "صنایع {}"),
}


def full_name(language: str, given: int, family: int) -> str:
    """A name from the lists of a language; numbers beyond a list wrap around."""
    return f"{GIVEN[language].split()[given % 20]} {FAMILY[language].split()[family % 20]}"


def account_name(who: str, language: str, given: int, family: int) -> str:
    """What an account is called: a physician with the title, a person, or a company."""
    if who == "company":
        return COMPANY[language][given % 5].format(FAMILY[language].split()[family % 20])
    name = full_name(language, given, family)
    return f"{TITLE[language]} {name}" if who == "physician" else name
