"""docs/playbook.md names every setting, every rule and every fact, and its examples work."""

import re
from pathlib import Path

import pytest

from engine.facts import STATISTICS, TREATMENT_FACTS
from engine.playbook import parse_playbook
from engine.playbook_settings import SECTIONS

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "playbook.md"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.name or "top")
def test_every_setting_is_documented_with_its_meaning_and_choices(section):
    """A setting that is not in the handbook does not exist for those who write playbooks."""
    heading = f"## {section.name or 'The top of the file'}\n"
    _, _, rest = DOCUMENTATION.read_text(encoding="utf-8").partition(heading)
    chapter = rest.partition("\n## ")[0]
    rows = [line for line in chapter.splitlines() if line.startswith("| `")]

    assert [row.split("`")[1] for row in rows] == [setting.name for setting in section.settings]
    for row, setting in zip(rows, section.settings, strict=True):
        assert setting.meaning in row
        assert all(choice in row for choice in setting.choices)


def test_every_fact_is_documented():
    """Rules can only be written with names that people can look up."""
    text = DOCUMENTATION.read_text(encoding="utf-8")

    for statistic in STATISTICS:
        scope = "_{scope}" if statistic.groups else ""
        window = "_{days}d" if statistic.windows_days else ""
        assert f"| `{statistic.name}{scope}{window}` | {statistic.unit} | {statistic.meaning}" in text
    for fact in TREATMENT_FACTS:
        assert f"| `{fact}` |" in text


def test_the_examples_of_the_documentation_are_a_playbook():
    """An example that fails is worse than none."""
    blocks = re.findall(r"```toml\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)

    playbook = parse_playbook("\n".join(blocks))

    assert len(blocks) > 5
    assert playbook.policies
    assert playbook.contact_limits
    assert playbook.suppressions
    assert playbook.context_weights
    assert playbook.levers
