"""A text ready to send speaks the account's language, whoever reads the page."""

from __future__ import annotations

from engine.messages import message_to
from tests.engine.builders import treatment

TEXTS = {"en": "Dear {name},\nmay I come? {sender}", "ar": "تحية طيبة {name}\n{sender}"}
CALL = treatment("call", subject={"en": "A visit", "ar": "زيارة"}, message=TEXTS)


def test_a_message_is_in_the_accounts_language_with_name_and_sender() -> None:
    """A physician in Cairo is not written to in English because the colleague reads English."""
    found = message_to(CALL, name="د. ألفت", language="ar", sender="Lena")

    assert found is not None
    assert (found.language, found.subject, found.text) == ("ar", "زيارة", "تحية طيبة د. ألفت\nLena")


def test_where_the_language_is_missing_it_is_english_and_says_so() -> None:
    """What cannot be said in Persian is not sent in Arabic."""
    assert [message_to(CALL, name="N", language=one, sender="S").language for one in ("fa", None)] == [
        "en"
    ] * 2


def test_a_name_is_not_a_template() -> None:
    """Names come from other systems."""
    found = message_to(CALL, name="{sender}", language="en", sender="Lena")

    assert found is not None
    assert found.text == "Dear {sender},\nmay I come? Lena"


def test_no_text_no_message() -> None:
    """Nothing is invented."""
    assert message_to(treatment("visit"), name="N", language="en", sender="S") is None
