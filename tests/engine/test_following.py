"""P(followed) as a release has learned it, under a playbook that may have changed since."""

from __future__ import annotations

import pytest

from engine.following import Following
from engine.playbook import Playbook
from engine.records import EngineError
from engine.scoring import learned_scorer
from tests.engine.builders import playbook
from tests.engine.releases import arrays, known_of, manifest, texts_of

LEARNED = Following({"rep": 0.4}, {"visit_news": 0.7, "stop_email": 0.05})


def served(following: Following | None, rules: Playbook) -> dict[str, float]:
    """P(followed) by treatment, through the release's files."""
    known = known_of()
    said = {} if following is None else {"followed": following.names()}
    values = {} if following is None else following.arrays()
    own = learned_scorer(manifest(known, **said), texts_of("best_fixed", known), arrays(**values), rules)
    scores = own.score(known)
    assert (scores.followed == scores.followed[:1]).all()
    return dict(zip([t.id for t in rules.treatments], scores.followed[0].tolist(), strict=True))


def test_a_release_says_how_often_people_follow_by_treatment_and_else_by_role() -> None:
    """What people answered replaces the playbook's guess of 0.5; the system does what it is told."""
    found = served(LEARNED, playbook())

    by_person = {t.id for t in playbook().treatments if t.role == "rep"}
    assert found["visit_news"] == 0.7
    assert {found[t] for t in by_person - {"visit_news", "stop_email"}} == {0.4}
    assert {found[t.id] for t in playbook().treatments if t.role != "rep" and t.id != "stop_email"} == {1.0}


def test_low_acceptance_does_not_fulfil_itself() -> None:
    """Learned 0.4 for the role, but a floor of 0.6: it stays on the list long enough to show itself."""
    found = served(LEARNED, playbook(followed_floor=0.6))

    assert found["visit_news"] == 0.7
    assert min(found.values()) == 0.6


def test_a_release_without_answers_keeps_the_starting_values() -> None:
    """Older releases, and those of a company where nobody answered yet."""
    assert served(None, playbook())["visit_news"] == 0.5


@pytest.mark.parametrize("wrong", [[1.2], [float("nan")], [0.5, 0.5]])
def test_a_damaged_release_is_refused_by_name(wrong: list[float]) -> None:
    """Rather nothing than a probability that is none."""
    known = known_of()
    damaged = arrays(**LEARNED.arrays() | {"followed_roles": wrong})

    with pytest.raises(EngineError, match="'followed_roles' has shape"):
        learned_scorer(
            manifest(known, followed=LEARNED.names()), texts_of("best_fixed", known), damaged, playbook()
        )
