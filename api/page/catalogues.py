"""The page's texts in other languages: gettext catalogues, compiled in memory when they are first needed.

English stands in the templates themselves; `api/web/locale/LANGUAGE.po` has every other language.
"""

from __future__ import annotations

import gettext
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE = Path(__file__).parents[1] / "web" / "locale"
SOURCE_LANGUAGE = "en"


def languages() -> tuple[str, ...]:
    """Languages that the page speaks, the templates' own first."""
    return (SOURCE_LANGUAGE, *sorted(path.stem for path in LOCALE.glob("*.po")))


def catalogue(language: str) -> Catalog:
    """A catalogue as it is written."""
    with (LOCALE / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


@cache
def translations(language: str) -> gettext.NullTranslations:
    """The texts of a language; of one without a catalogue, the templates' own."""
    if language == SOURCE_LANGUAGE or language not in languages():
        return gettext.NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
