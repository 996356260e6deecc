"""Settings: each documented, none guessed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data.settings import PREFIX, Settings, SettingsError

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_stands_in_the_handbook_with_its_meaning(name: str) -> None:
    """A setting that nobody can find is a setting that nobody uses."""
    documented = OPERATIONS.read_text(encoding="utf-8")

    assert f"| `{PREFIX}{name.upper()}` |" in documented
    assert Settings.model_fields[name].description


def test_the_handbook_names_no_setting_that_is_not_there() -> None:
    """Documentation of something that was renamed sends people into the unknown-variable error."""
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", OPERATIONS.read_text(encoding="utf-8")))

    assert named == {PREFIX + name.upper() for name in Settings.model_fields}


def test_an_option_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said last and nearest holds; what is not said falls back."""
    monkeypatch.setenv("NEXTBEST_PORT", "9000")

    assert (Settings().port, Settings(port=9001).port, Settings(port=None).port) == (9000, 9001, 9000)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "70000"), ("PROCESSES", "0"), ("MAX_REJECTED", "2"), ("LOG_LEVEL", "loud")]
)
def test_a_value_out_of_range_is_one_line(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named as it is written outside, with what was got."""
    monkeypatch.setenv(PREFIX + name, value)

    with pytest.raises(SettingsError) as raised:
        Settings()

    assert str(raised.value).startswith(f"{PREFIX}{name}: got {value!r}")
    assert "\n" not in str(raised.value)
