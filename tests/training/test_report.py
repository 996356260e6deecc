"""The report, the board's page and the card of a training run."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from data.home import Home
from engine.estimation import Interval
from tests.training.builders import QUICK
from training import report
from training.gate_parts import Check, Gate
from training.learners import LEARNERS
from training.report import beyond_chance, factor_text
from training.run import Outcome

PICTURES = {
    "Value of each policy with its interval: accounts": "values_accounts",
    "Value of each policy with its interval: time": "values_time",
    "Effect by category of accounts": "segments",
    "Gain by share contacted": "uplift",
    "Expected beside observed": "calibration",
    "Cases by treatment": "cases",
    "Where the log can judge": "overlap",
    "Days from occasion to outcome": "arrival",
    "What makes effects differ": "importance",
    "What foretells outcomes": "splits",
}
"""What the report shows, in its order: what the text instead begins with -> the picture."""


def pictures_of(page: str) -> list[tuple[str, bytes]]:
    """What stands for each picture where it is not seen, without figures, and the picture."""
    found = re.findall(r'<img alt="([^"]*)" src="data:image/png;base64,([^"]*)">', page)
    assert page.count("<img") == len(found)
    return [(re.sub(r": \d.*", "", alt), b64decode(inline)) for alt, inline in found]


def test_the_report_shows_each_picture_where_it_is_named(findings: report.Findings) -> None:
    """One file that can be mailed: pictures inline, none missing, none in another's place."""
    documents, drawn = report.files_of(findings)

    shown = pictures_of(documents["report.html"].decode())
    on_the_board = pictures_of(documents["board.html"].decode())

    assert [alt for alt, _ in shown] == list(PICTURES)
    assert dict(shown) == {alt: drawn[f"{name}.png"] for alt, name in PICTURES.items()}
    assert on_the_board == [("Money a month with 95 % intervals", drawn["board.png"])]
    assert len({content for _, content in shown + on_the_board}) == len(PICTURES) + 1
    assert all(content.startswith(b"\x89PNG") for _, content in shown)


def test_the_report_shows_values_and_verdicts(trained: tuple[Home, Outcome]) -> None:
    """Nothing is loaded from elsewhere."""
    _, outcome = trained

    text = outcome.report.read_text(encoding="utf-8")

    assert outcome.selection.sentence in text
    for word in (
        "as logged",
        "no contact",
        *LEARNERS,
        "reliable",
        "How outcomes arrive",
        "Suggested and done",
        "(observational)",
    ):
        assert word in text
    assert "http" not in text


def test_the_report_shows_at_once_where_the_log_cannot_judge(trained: tuple[Home, Outcome]) -> None:
    """The safety mail was never sent: whoever reads the picture, or hears it read, must not miss that."""
    page = trained[1].report.read_text(encoding="utf-8")

    said = "1 of 3 treatments cannot be judged; of the other 2, 0 have an effective sample size below 50 and "

    assert f'<img alt="Where the log can judge: {said}' in page
    assert page.count(said) == 2


def test_where_every_treatment_can_be_judged_the_sentence_says_so(findings: report.Findings) -> None:
    """'0 of 17 cannot be judged; of the other 17' makes one look for a second list."""
    told = [row for row in findings.judged.overlap if row.judged]

    assert report.overlap_sentence(told, ()).startswith("all 2 treatments can be judged; of them, 0 have")


def test_a_policy_that_treats_nobody_has_no_picture_of_what_it_promised(findings: report.Findings) -> None:
    """An empty picture with a line from -0.04 to 0.04 looks as if something had been lost."""
    chosen, gains = findings.selection.chosen, findings.judged.gains
    nobody = {**gains, chosen: replace(gains[chosen], tenths=(), slope=None)}

    documents, drawn = report.files_of(replace(findings, judged=replace(findings.judged, gains=nobody)))

    page = documents["report.html"].decode()
    assert "It would treat nobody, so there is nothing to compare." in page
    assert "Expected beside observed" not in page
    assert "calibration.png" not in drawn


def test_a_table_of_later_occasions_that_is_missing_is_accounted_for(findings: report.Findings) -> None:
    """The method promises two tables; whoever sees one wonders what went wrong."""
    said = "There is no table of later occasions"

    pages = [
        report.files_of(each)[0]["report.html"].decode()
        for each in (findings, replace(findings, by_time=None))
    ]

    assert [said in page for page in pages] == [False, True]
    assert "What policies would have earned, on later occasions" in pages[0]
    assert "What policies would have earned, on held-out accounts" in pages[1]


def test_the_board_reads_names_of_roles_and_the_evidence_once(findings: report.Findings) -> None:
    """Nobody on a board knows ids, and a doubt told twice looks like two."""
    weak = Check("evidence", passed=True, sentence="limited evidence: too few.", warning=True)
    drift = Check("drift", passed=True, sentence="Much has drifted.", warning=True)

    page = report.files_of(replace(findings, gate=Gate((weak, drift))))[0]["board.html"].decode()

    assert "To be looked at, drift: Much has drifted." in page
    assert "To be looked at, evidence" not in page
    shown = {role.name["en"] for role in findings.cases.playbook.roles}
    told = page.partition("<h2>Who followed")[2].partition("<h2>")[0]
    assert set(re.findall("<tr><td>([^<]*)</td>", told)) <= shown


def test_effects_that_are_the_same_for_all_are_said_to_differ_by_nothing(findings: report.Findings) -> None:
    """An empty place would leave open whether something was forgotten."""
    cases, manifest = (
        findings.cases,
        dict(findings.manifest) | {"learner": "best_fixed", "reader": "best_fixed"},
    )
    fixed = LEARNERS["best_fixed"].learn(cases, findings.assignment.probability, QUICK)

    documents, drawn = report.files_of(replace(findings, fitted=fixed, manifest=manifest))

    assert not {"importance.png", "splits.png"} & set(drawn)
    page = documents["report.html"].decode()
    assert "Nothing: what best_fixed learned of each treatment's effect is the same for all" in page
    assert "What foretells outcomes" not in page


def test_the_report_says_of_every_effect_whether_it_may_be_nothing(trained: tuple[Home, Outcome]) -> None:
    """A large mean with an interval on both sides of 0 must not be read as what a visit earns."""
    _, outcome = trained
    page = outcome.report.read_text(encoding="utf-8")

    told = {row["treatment"]: row["effect"] for row in outcome.release.manifest["overlap"] if row["effect"]}

    assert told
    for treatment, effect in told.items():
        word = "more" if effect["low"] > 0 else "less" if effect["high"] < 0 else "may be nothing"
        name = treatment.replace("_", "_<wbr>")
        rows = [row for row in page.split("<tr>") if row.startswith(f'<td class="id">{name}</td>')]
        assert any(f"<td>{word}</td>" in row for row in rows)
    assert "These effects are observational" not in page
    assert beyond_chance(Interval(386.0, -158.0, 1136.0, 330.0)) == "may be nothing"
    assert [beyond_chance(Interval(x, x - 1, x + 1, 0.5)) for x in (5.0, -5.0)] == ["more", "less"]


def test_the_widest_table_keeps_to_a_tablet(findings: report.Findings) -> None:
    """Ten columns: where figures are large they have no decimals, and long names go on in the next line."""
    told, large = findings.judged.overlap, Interval(1234.56, -0.4, 2345.67, 600.0)
    rows = tuple(replace(row, effect=large) for row in told)
    judged = replace(findings.judged, overlap=rows)

    page = report.files_of(replace(findings, judged=judged))[0]["report.html"].decode()

    long = [row.treatment for row in told if "_" in row.treatment]
    assert long
    assert all(f'<td class="id">{name.replace("_", "_<wbr>")}</td>' in page for name in long)
    assert '<td class="number">1,235\n<small>0 to 2,346</small></td>' in page
    assert report.decimals_of([None, Interval(1.0, -99.9, 3.0, 1.0)]) == 2


def test_one_account_that_holds_most_of_the_worth_is_told_on_both_pages(findings: report.Findings) -> None:
    """Who reads figures of millions must see that they are one account's."""
    reward = findings.cases.reward.copy()
    reward[7] = -1e12
    odd = replace(findings, cases=replace(findings.cases, reward=reward))

    documents = report.files_of(odd)[0]

    said = "One account of 500 holds 100.0% of the worth that the cases count"
    assert [said in documents[name].decode() for name in ("report.html", "board.html", "card.md")] == [
        True
    ] * 3
    assert said not in report.files_of(findings)[0]["board.html"].decode()


def with_opt_outs(findings: report.Findings, count: int) -> report.Findings:
    """The same findings, with so many opt-outs after contacts of each channel."""
    told = findings.manifest["stopping"]
    counted = {channel: {**each, "optouts": count} for channel, each in told["counted"].items()}
    own = {**told, "counted": counted, "classes": [[0.0123, 0.0045], [0.0678, 0.0089]]}
    return replace(findings, manifest={**findings.manifest, "stopping": own})


def test_the_report_says_what_stops_rest_on(findings: report.Findings) -> None:
    """Opt-outs and contacts by channel, and how likely one more contact is too many."""
    seen = with_opt_outs(findings, 7)
    told = seen.manifest["stopping"]

    page = report.files_of(seen)[0]["report.html"].decode()

    assert "What makes accounts opt out" in page
    for channel in told["counted"]:
        assert f'<td>{channel}</td><td class="number">7</td>' in page
    for rate, error in told["classes"]:
        assert f"{rate:.2%} <small>&plusmn; {error:.2%}</small>" in page


def test_without_any_opt_out_no_rate_is_shown_as_if_it_were_known(findings: report.Findings) -> None:
    """0.00 % and no error would be read as proof, where mostly nobody records who unsubscribes."""
    page = report.files_of(with_opt_outs(findings, 0))[0]["report.html"].decode()

    assert "No opt-out followed a contact" in page
    assert "class, least likely first" not in page


def test_what_was_done_is_not_said_to_rest_on_logged_probabilities(unlogged: tuple[Home, Outcome]) -> None:
    """Nobody logged any here, and the same reason is not told of each policy again."""
    page = unlogged[1].report.read_text(encoding="utf-8")

    assert "Logged probabilities, evidence" not in page
    assert page.count("Assignment probabilities were not logged but estimated") <= 3
    assert "as logged: Evidence worth" in page


def test_effects_on_estimated_probabilities_are_called_observational(unlogged: tuple[Home, Outcome]) -> None:
    """Whoever was contacted was chosen by somebody; no arithmetic makes a trial of that."""
    assert "These effects are observational" in unlogged[1].report.read_text(encoding="utf-8")


def test_the_effect_of_suggesting_is_observational_too_where_nobody_drew_lots(
    findings: report.Findings,
) -> None:
    """Beside a difference that is called observational it would pass for a trial's."""
    judged = findings.judged
    estimated = replace(judged.assignment, known=np.zeros(len(judged.cases), dtype=np.bool_))
    chosen = replace(findings, judged=replace(judged, assignment=estimated))

    pages = [report.files_of(each)[0]["report.html"].decode() for each in (findings, chosen)]

    parts = [page.partition("<h2>Suggested and done")[2].partition("<h2>")[0] for page in pages]
    assert all("as treated (observational)" in part for part in parts)
    assert ["These effects are observational" in part for part in parts] == [False, True]


def unseen_factors(page: str) -> list[dict[str, str]]:
    """Policy -> what its row says of the unseen factor, in each table of policies."""
    found = []
    for table in page.split("<table>"):
        heads, *rows = table.split("</tr>")
        names = re.findall(r"<th[^>]*>([^<]*)</th>", heads)
        if names[:1] == ["policy"]:
            cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]
            found.append({row[0]: unescape(row[names.index("unseen factor")]) for row in cells if row})
    return found


def test_each_policy_has_the_factor_that_something_unseen_would_need(
    trained: tuple[Home, Outcome], unlogged: tuple[Home, Outcome]
) -> None:
    """A gain that a hunch of 5 % explains away is another gain than one that needs a factor of 3."""
    outcome = unlogged[1]
    told, page = outcome.by_time, outcome.report.read_text(encoding="utf-8")
    assert told is not None

    assert unseen_factors(page) == [
        {value.policy: factor_text(value.strength) for value in each.policies}
        for each in (outcome.evaluation, told)
    ]
    shown = unseen_factors(page)[0]
    assert shown["as logged"] == shown["no contact"] == "-"
    assert {name for name, factor in shown.items() if factor != "-"} == set(LEARNERS)
    assert "have to change the odds of what was chosen, so that the policy is no longer better" in page
    assert factor_text(10.0) == "> 10"
    logged = trained[1].report.read_text(encoding="utf-8")
    assert set(unseen_factors(logged)[0].values()) == {"-"}
    assert "all probabilities were logged, so nothing unseen" in logged


def test_the_report_names_attributes_that_are_not_known_as_of(trained: tuple[Home, Outcome]) -> None:
    """What was loaded without stored_at may have come later than the decisions that it seems to explain."""
    page = trained[1].report.read_text(encoding="utf-8")

    assert "Not known as of: segment, potential_value." in page


def test_the_card_says_what_was_learned_from_what(trained: tuple[Home, Outcome]) -> None:
    """The release explains itself where it lies."""
    _, outcome = trained

    card = (outcome.report.parent / "card.md").read_text(encoding="utf-8")

    assert outcome.release.id in card
    assert "1,500 matured cases of 500 accounts, from logged decisions" in card
    assert "\n\n\n" not in card


def test_the_board_has_one_page_of_its_own(trained: tuple[Home, Outcome]) -> None:
    """Self-contained, in money and months, with what was not proven."""
    _, outcome = trained

    page = (outcome.report.parent / "board.html").read_text(encoding="utf-8")

    for heading in (
        "Money a month",
        "What contacts cost",
        "What was not proven",
        "Who followed",
        "The next test",
    ):
        assert heading in page
    assert "http" not in page


def test_with_four_persons_no_interval_by_person_is_claimed(findings: report.Findings) -> None:
    """Below 6 there is none, so none can be the wider one, and nothing is more than chance."""
    judged, cases = findings.judged, findings.judged.cases
    person = np.array([f"u{int(account[1:]) // 2 % 4}" for account in cases.account_ids], dtype=object)
    few = replace(
        judged, cases=replace(cases, person=person), evaluation=replace(judged.evaluation, persons=4)
    )

    documents, _ = report.files_of(replace(findings, judged=few))

    page, card = (documents[name].decode() for name in ("report.html", "card.md"))
    for text in (page, card):
        assert "the wider one" not in text
        assert "4 persons, fewer than the 6" in text
        assert "by account only" in text
    assert "<td>more</td>" not in page
    assert page.count("<td>too few persons</td>") >= 6


def test_what_five_of_twelve_persons_did_is_not_called_more_than_chance(findings: report.Findings) -> None:
    """Seven others stand in the log, and how they would visit nobody has seen."""
    judged, cases = findings.judged, findings.judged.cases
    number = np.array([int(account[1:]) // 2 % 12 for account in cases.account_ids])
    person = np.array([f"u{each}" for each in number], dtype=object)
    action = np.where((cases.action == 4) & (number > 4), 1, cases.action)

    pages = []
    for done in (cases.action, action):
        told = replace(
            judged, cases=replace(cases, person=person, action=done),
            evaluation=replace(judged.evaluation, persons=12),
        )  # fmt: skip
        documents, _ = report.files_of(replace(findings, judged=told))
        pages.append(documents["report.html"].decode().partition("Where the log can judge")[2])

    by_all, by_five = (page.partition("visit_<wbr>news</td>")[2].partition("</tr>")[0] for page in pages)
    assert "<td>more</td>" in by_all
    assert "<td>too few persons</td>" in by_five


@pytest.mark.parametrize(
    ("persons", "said"),
    [(None, "by account"), (12, "by account or person, the wider one"), (4, "by account only, and so too")],
)
def test_intervals_are_named_by_what_they_are_of(persons: int | None, said: str) -> None:
    """Who reads "by account" of a log of 12 persons takes the interval for another one."""
    assert report.by_whom(persons).startswith(said)


def test_the_board_has_no_part_on_advice_that_nobody_gave(findings: report.Findings) -> None:
    """Where only deeds are known nothing was suggested, and so nothing followed."""
    landmarks = replace(findings, cases=replace(findings.cases, basis="landmarks"))

    pages = [report.files_of(each)[0]["board.html"].decode() for each in (findings, landmarks)]

    assert ["Who followed the advice" in page for page in pages] == [True, False]


def test_the_board_says_what_figures_of_laid_moments_leave_out(findings: report.Findings) -> None:
    """Moments 14 days apart do not hold all contacts: "what was done" would be read as all that was spent."""
    landmarks = replace(findings, cases=replace(findings.cases, basis="landmarks"))

    pages = [report.files_of(each)[0]["board.html"].decode() for each in (findings, landmarks)]

    assert ["past decisions of" in page for page in pages] == [True, False]
    assert ["past moments of" in page for page in pages] == [False, True]
    assert ["all contacts together cost more than this" in page for page in pages] == [False, True]
