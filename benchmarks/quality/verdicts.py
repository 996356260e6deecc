"""What the results say of the goals: shares to reach, peers, false claims and coverage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from benchmarks.quality.certainty import AS_SHOWN
from benchmarks.quality.found import Found, percent, table, title
from benchmarks.quality.ours import PRODUCT
from benchmarks.quality.peers import PEERS
from benchmarks.quality.statistics import Held, Mean, exact_interval, holm
from benchmarks.quality.worlds import presets

MARGIN = 0.02
"""A peer may be ahead by less than this share of the oracle's gain."""
CLAIMS, COVERED = 0.05, 0.95
SHARES = {"randomised": 0.90, "logged": 0.90, "unlogged": 0.75}
"""Of the oracle's gain, to be reached with `SHARE_CASES` cases."""
SHARE_CASES = 200_000


def goals_table(found: Found) -> str:
    """Shares to reach, growth with the data, and never worse than the best fixed action."""
    rows = [
        [f"`{world}`: share with {SHARE_CASES:,} cases", f"at least {least:.0%}", percent(mean),
         "yes" if mean.estimate >= least else "no"]
        for world, least in SHARES.items() if (mean := found.shares(world, SHARE_CASES, PRODUCT))
    ]  # fmt: skip
    for world in presets():
        known = [(size, mean) for size in found.sizes if (mean := found.shares(world, size, PRODUCT))]
        if len(known) > 1:
            (least, few), (most, many) = known[0], known[-1]
            text = f"{percent(few)} with {least:,}, {percent(many)} with {most:,}"
            rows.append(
                [
                    f"`{world}`: grows with the data",
                    "more",
                    text,
                    "yes" if many.estimate > few.estimate else "no",
                ]
            )
        for size in found.sizes:
            gap = found.apart(world, size, PRODUCT, "best_fixed")
            if gap:
                rows.append([f"`{world}`: beside `best_fixed`, {size:,} cases", "not below 0 beyond noise",
                             percent(gap), _not_below(gap)])  # fmt: skip
    if not rows:
        return ""
    return (
        "**Goals** for the product, % of the oracle's gain.\n\n"
        f"{table(['what', 'wanted', 'measured', 'reached'], rows)}"
    )


def _not_below(gap: Mean) -> str:
    """Whether chance explains what is below 0; one seed cannot tell."""
    if gap.count < 2:
        return "-"
    return "no" if gap.bound(0.95) < 0.0 else "yes"


def peer_table(found: Found) -> str:
    """Differences to the product with bounds."""
    asked = [
        (world, size, peer) for size in found.sizes for world in presets() for peer in PEERS
        if found.apart(world, size, peer, PRODUCT) is not None
    ]  # fmt: skip
    if not asked:
        return ""
    rows = []
    for size in found.sizes:
        mine = [key for key in asked if key[1] == size]
        means = [found.apart(*key, PRODUCT) for key in mine]
        held = holm([mean for mean in means if mean is not None], MARGIN)
        rows += [
            [f"`{world}`", f"{size:,}", title(peer), percent(each.mean), _bound(each), str(each.mean.count),
             _passed(each)]
            for (world, size, peer), each in zip(mine, held, strict=True)
        ]  # fmt: skip
    head = ["world", "cases", "peer", "peer - product, %", "upper bound, %", "seeds", "below 2 %"]
    return (
        "**Beside the peers**: difference to the product as a share of the oracle's gain, paired by seed; "
        "upper bounds at the level that Holm's correction asks of each, 5 % over all peers and worlds of "
        f"a size (Student's t).\n\n{table(head, rows)}"
    )


def _passed(held: Held) -> str:
    if held.mean.count < 2:
        return "-"
    return "yes" if held.passed else "no"


def certainty_table(found: Found) -> str:
    """False claims and coverage with exact intervals."""
    rows = []
    by_world = {f"`{world}`": lines for world, lines in _by_world(found.claims).items()}
    together = {"all of them": list(found.claims)} if len(by_world) > 1 else {}
    for world, lines in (by_world | together).items():
        claimed = [bool(line["claimed"]) for line in lines]
        rows.append([f"{world}: a gain is claimed", *_claims(claimed)])
        bounds = [line for line in lines if "verdict" in line]
        if bounds:
            above = [bool(line["above_fixed"]) and bool(line["above_nobody"]) for line in bounds]
            rows.append([f"{world}: bounds above zero, whatever the verdict", *_claims(above)])
    for world, lines in _by_world(found.coverage).items():
        for name, held in _by_policy(lines).items():
            low, high = exact_interval(sum(held), len(held), level=0.99)
            wider = name.endswith(AS_SHOWN)
            right = "yes" if high >= COVERED and (wider or low <= COVERED) else "no"
            wanted = "at least 95 %" if wider else "95 %"
            rows.append([f"`{world}`: {name}", *_binomial(sum(held), len(held)), wanted, right])
    if not rows:
        return ""
    head = ["what", "of", "share", "exact 99 % interval", "wanted", "not excluded"]
    return (
        "**Certainty**: training runs that claim a gain where there is none, and 95 % intervals of the value "
        f"of policies fixed beforehand that hold the truth.\n\n{table(head, rows)}"
    )


def _by_policy(lines: Iterable[Mapping[str, object]]) -> dict[str, list[bool]]:
    """Policy and estimator -> whether each seed's interval holds the truth."""
    found: dict[str, list[bool]] = defaultdict(list)
    for line in lines:
        for name, held in line["covered"].items():  # type: ignore[attr-defined]
            found[name].append(bool(held))
    return found


def _claims(made: Sequence[bool]) -> list[str]:
    right = "yes" if exact_interval(sum(made), len(made), level=0.99)[0] <= CLAIMS else "no"
    return [*_binomial(sum(made), len(made)), "at most 5 %", right]


def _by_world(lines: Iterable[Mapping[str, object]]) -> dict[str, list[Mapping[str, object]]]:
    found: dict[str, list[Mapping[str, object]]] = defaultdict(list)
    for line in lines:
        found[str(line["world"])].append(line)
    return found


def _binomial(hits: int, trials: int) -> list[str]:
    low, high = exact_interval(hits, trials, level=0.99)
    return [str(trials), f"{hits / trials:.1%}", f"{low:.1%} to {high:.1%}"]


def _bound(held: Held) -> str:
    return f"{100 * held.bound:.1f}" if np.isfinite(held.bound) else "-"
