"""What every code owes its reader: a sentence in every language, with the same values, that can be said."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from data.ledger.hand_over_types import HandOverKind
from engine.arbitration import LEFT_OUT
from engine.changes import CHANGE_KINDS
from engine.explaining_sentences import RULE_NAMES
from engine.plan_why import DISPLACED
from engine.policies import RULE_KINDS
from engine.reasons import REASON_CODES, TRIGGERS
from engine.sentences import COUNTED, LANGUAGES, SENTENCES, WORDS
from engine.wording import FORMATS, plural

PLACE = re.compile(r"\{(\w+)(?::(\w+))?\}")


def test_every_code_has_a_sentence_and_every_sentence_a_code() -> None:
    """A reason that cannot be said is none; a sentence that is never said is in the way."""
    codes = {*REASON_CODES, *RULE_KINDS, *LEFT_OUT, "policy_unknown", "consent_unknown", "open_offer_unknown"}
    codes |= {f"trigger_{code}" for code in TRIGGERS} | {"why_not", "rule_passed"}
    codes |= {*CHANGE_KINDS, "nothing_in_reach", "ended", "ended_some_sent"}
    codes |= {f"handed_{what}" for what in (*get_args(HandOverKind), "returned")}
    codes |= {f"plan_{code}" for code in DISPLACED}

    assert set(SENTENCES) == codes


def test_every_kind_of_rule_has_a_name_in_every_language() -> None:
    """ "Why not" lists the rules that were satisfied, too."""
    assert set(RULE_NAMES) == {*RULE_KINDS, "placed"}
    assert all(set(names) == set(LANGUAGES) for names in RULE_NAMES.values())


def test_codes_are_unambiguous() -> None:
    """A code means one thing, whether for or against."""
    codes = [*REASON_CODES, *RULE_KINDS, *LEFT_OUT]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_a_sentence_exists_in_every_language_and_quotes_the_same_values(code: str) -> None:
    """What the Persian reader learns must not be less than what the English one learns."""
    said = {
        language: {found[1] for found in PLACE.finditer(text)} for language, text in SENTENCES[code].items()
    }

    assert set(said) == set(LANGUAGES)
    assert len({frozenset(values) for values in said.values()}) == 1


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_every_placeholder_has_a_way_to_be_said(code: str) -> None:
    """A misspelt format would be found by a user instead."""
    for text in SENTENCES[code].values():
        assert all((found[2] or found[1]) in FORMATS for found in PLACE.finditer(text))
        assert not re.search(r"[{}]", PLACE.sub("", text))


@pytest.mark.parametrize("phrase", sorted(COUNTED))
def test_a_counted_phrase_exists_in_every_language(phrase: str) -> None:
    """Every number from 0 to 200 finds a form that exists."""
    assert set(COUNTED[phrase]) == set(LANGUAGES)
    for language, forms in COUNTED[phrase].items():
        assert "other" in forms
        for n in range(200):
            text = forms.get(plural(n, language), forms["other"])
            assert "{n}" in text or plural(n, language) in ("zero", "one", "two")


@pytest.mark.parametrize("word", sorted(WORDS))
def test_a_fixed_word_exists_in_every_language(word: str) -> None:
    """The same for words."""
    assert set(WORDS[word]) == set(LANGUAGES)
