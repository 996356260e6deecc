"""The results as tables of docs/method.md, between two marks that this module alone writes between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.quality.found import Found, percent, plain, ranges, table, title
from benchmarks.quality.handover import BUDGET_SECONDS
from benchmarks.quality.peers import PEERS
from benchmarks.quality.results import Cell
from benchmarks.quality.statistics import Mean
from benchmarks.quality.verdicts import certainty_table, goals_table, peer_table
from benchmarks.quality.worlds import presets
from data.home import DataError

BEGIN, END = "<!-- quality bench: begin -->", "<!-- quality bench: end -->"


def document(found: Found, now: datetime, command: str) -> str:
    """The generated part of docs/method.md."""
    parts = [_header(found, now, command)]
    for size in found.sizes:
        parts += [_share_table(found, size)]
    sections = (_zero_table, goals_table, peer_table, certainty_table, _seconds_table)
    parts += [section(found) for section in sections]
    return "\n\n".join(part for part in parts if part)


def put_into(page: Path, text: str) -> None:
    """Replace what stands between the marks of a page. Raises DataError where it has none."""
    old = page.read_text(encoding="utf-8")
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise DataError(f"{page} has no {BEGIN} ... {END}: put the two lines where the tables belong.")
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def _header(found: Found, now: datetime, command: str) -> str:
    results = list(found.cells.values())
    versions: dict[str, str] = {}
    for result in results:
        versions |= result.versions
    commits = sorted({result.commit for result in results if result.commit})
    named = ", ".join(f"{name} {versions[name]}" for name in sorted(versions))
    return (
        f"Written {now.astimezone(UTC):%Y-%m-%d} by `{command}` from {len(results):,} cells, seeds "
        f"{ranges({result.cell.seed for result in results})}, one thread each. "
        f"Commits: {', '.join(commits) or 'unknown'}. Versions: {named}.{_other_code(found)}"
    )


def _other_code(found: Found) -> str:
    """Which figures are not of the code of this checkout, and what was left out so that none is of two."""
    others = [result for result in found.cells.values() if not result.of_today]
    said = ""
    for commit in sorted({result.commit for result in others}):
        mine = [result.cell for result in others if result.commit == commit]
        said += f"\n\nOf other code than this checkout's, commit {commit or 'unknown'}: {_named(mine)}."
    if found.taken:
        said += (
            "\n\nOf older code, but counted as of newer, because other seeds of the same figure were "
            f"measured again with that and gave the same to the bit: {_named(found.taken)}."
        )
    if found.older:
        said += f"\n\nNot shown, because other seeds were measured with newer code: {_named(found.older)}."
    return said


def _named(cells: Sequence[Cell]) -> str:
    """By world and size."""
    counts = Counter((cell.world, cell.cases) for cell in cells)
    each = ", ".join(f"`{world}` {size:,} ({count})" for (world, size), count in sorted(counts.items()))
    return f"{len(cells):,} cells ({each})"


def _share_table(found: Found, size: int) -> str:
    worlds = [
        name for name, world in presets().items()
        if not world.zero and any(found.shares(name, size, who) for who in found.who)
    ]  # fmt: skip
    if not worlds:
        return ""
    rows = []
    for world in worlds:
        gains = [r.gain for who in found.who for r in found.of_cell(world, size, who)]
        seeds = {r.cell.seed for who in found.who for r in found.of_cell(world, size, who)}
        cells = [_share(found, world, size, who) for who in found.who]
        rows.append([f"`{world}`", ranges(seeds), f"{np.mean(gains):.0f}", *cells])
    head = ["world", "seeds", "gain, EUR", *map(title, found.who)]
    return (
        f"**{size:,} cases**: share of the oracle's gain over the best fixed action, %, mean over seeds and "
        f"its standard error.\n\n{table(head, rows)}"
    )


def _share(found: Found, world: str, size: int, who: str) -> str:
    mean = found.shares(world, size, who)
    silent = sum(result.value is None for result in found.of_cell(world, size, who))
    text = percent(mean) if mean else ("" if silent else "-")
    return text + (f" ({silent} not finished)" if silent else "")


def _zero_table(found: Found) -> str:
    rows = []
    for name in (name for name, world in presets().items() if world.zero):
        for size in found.sizes:
            values = [
                [r.value for r in found.of_cell(name, size, who) if r.value is not None] for who in found.who
            ]
            if any(values):
                means = [plain(Mean.of(each)) if each else "-" for each in values]
                rows.append([f"`{name}`", f"{size:,}", *means])
    if not rows:
        return ""
    head = ["world", "cases", *map(title, found.who)]
    return (
        "**Where contacts cause nothing**: value per decision in EUR, mean over seeds and its standard "
        f"error. No contact, 0, is best; what is below was spent for nothing.\n\n{table(head, rows)}"
    )


def _seconds_table(found: Found) -> str:
    rows = []
    for size in found.sizes:
        seconds = {
            who: [r.seconds for r in found.cells.values()
                  if r.cell.cases == size and r.cell.who == who and np.isfinite(r.seconds)]
            for who in found.who
        }  # fmt: skip
        rows.append([f"{size:,}", *(f"{np.mean(each):,.0f}" if each else "-" for each in seconds.values())])
    asked = [PEERS[name] for name in found.who if name in PEERS]
    settings = "; ".join(f"{peer.title}: {peer.setting}" for peer in asked)
    peers = (
        "\n\nPeers have the same cases, knowledge and eligible treatments, and "
        f"{BUDGET_SECONDS} processor seconds each. {settings}."
    )
    return (
        "**Processor seconds** of learning and choosing (the product: with selection).\n\n"
        f"{table(['cases', *map(title, found.who)], rows)}{peers if asked else ''}"
    )
