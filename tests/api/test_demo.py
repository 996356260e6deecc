"""The demo: from nothing to explained suggestions, in one command."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.world import WorldSettings, write_world
from tests.bad_input.commands import runner


@pytest.mark.slow
def test_the_demo_shows_three_explained_suggestions_and_goes_on_when_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the first thing that anybody runs; the second time it must not begin anew or fail."""
    home = tmp_path / "demo"
    nextbest = runner(tmp_path / "elsewhere", capsys)
    command = ("demo", "--home", str(home), "--accounts", "250", "--seed", "3", "--no-serve")

    first = nextbest(*command)
    second = nextbest(*command)

    for ended in (first, second):
        assert ended.code == 0, ended.err
        morning = ended.out.split("This morning's list of ")[1].splitlines()
        listed = [line[0] for line in morning if line[:2] in {"1.", "2.", "3."}]
        assert listed
        assert listed == ["1", "2", "3"][: len(listed)]
        assert sum(line.startswith("   - ") for line in morning) >= len(listed)
    assert "Release" in first.out
    assert "Going on with the world" in second.out
    for ended in (first, second):
        assert f"export NEXTBEST_HOME={home} NEXTBEST_MODELS={home / 'models'}" in ended.out
    assert not (tmp_path / "elsewhere").exists()


def test_a_demo_of_another_playbook_does_not_go_on_in_the_first_ones_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rules of a clinic on the accounts of a shop would suggest nonsense; one line says what to do."""
    home, nextbest = tmp_path / "demo", runner(tmp_path / "elsewhere", capsys)
    write_world(WorldSettings(accounts=5, playbook="ecommerce"), home / "world")

    other = nextbest("demo", "--home", str(home), "--playbook", "clinic", "--no-serve")
    unknown = nextbest("demo", "--home", str(home), "--playbook", "clinc", "--no-serve")

    assert (other.code, unknown.code) == (2, 2)
    assert "holds a demo of the playbook 'ecommerce', not of 'clinic'" in other.line
    assert "Did you mean 'clinic'?" in unknown.line
    assert [path.name for path in home.iterdir()] == ["world"]


def test_a_demo_whose_port_is_taken_says_so_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two minutes of work and then "port in use" would be a bad first impression."""
    from api.server import hold_port

    held = hold_port("127.0.0.1", 0)
    held.listen()
    port = str(held.getsockname()[1])

    ended = runner(tmp_path, capsys)("demo", "--home", str(tmp_path / "demo"), "--port", port)

    held.close()
    assert ended.code == 1
    assert "is in use" in ended.line
    assert not (tmp_path / "demo").exists()
