"""What the results say of the goals: shares to reach, peers, false claims and coverage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from benchmarks.quality.found import Found, percent, table, title
from benchmarks.quality.ours import PRODUCT
from benchmarks.quality.peers import PEERS
from benchmarks.quality.statistics import Held, Mean, exact_interval, holm
from benchmarks.quality.worlds import presets

MARGIN = 0.02
"""A peer may be ahead by less than this share of the oracle's gain."""
CLAIMS = 0.05
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
    for world, lines in _by_world(found.claims).items():
        hits = sum(bool(line["claimed"]) for line in lines)
        right = "yes" if exact_interval(hits, len(lines), level=0.99)[0] <= CLAIMS else "no"
        rows.append([f"`{world}`: a gain is claimed", *_binomial(hits, len(lines)), "at most 5 %", right])
        bounds = [line for line in lines if "verdict" in line]
        if bounds:
            above = sum(bool(line["above_fixed"]) and bool(line["above_nobody"]) for line in bounds)
            what = f"`{world}`: bounds above zero, whatever the verdict"
            right = "yes" if exact_interval(above, len(bounds), level=0.99)[0] <= CLAIMS else "no"
            rows.append([what, *_binomial(above, len(bounds)), "at most 5 %", right])
    for world, lines in _by_world(found.coverage).items():
        for name in lines[0]["covered"]:  # type: ignore[attr-defined]
            hits = sum(bool(line["covered"][name]) for line in lines)  # type: ignore[index]
            low, high = exact_interval(hits, len(lines), level=0.99)
            rows.append([f"`{world}`: {name}", *_binomial(hits, len(lines)), "95 %",
                         "yes" if low <= 0.95 <= high else "no"])  # fmt: skip
    if not rows:
        return ""
    head = ["what", "of", "share", "exact 99 % interval", "wanted", "not excluded"]
    return (
        "**Certainty**: training runs that claim a gain where there is none, and 95 % intervals of the value "
        f"of policies fixed beforehand that hold the truth.\n\n{table(head, rows)}"
    )


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
