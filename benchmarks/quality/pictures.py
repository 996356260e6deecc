"""Share of the oracle's gain over the number of cases, a panel per world, as one SVG without any library."""

from __future__ import annotations

from html import escape
from math import log10

from benchmarks.quality.found import TITLES, Found
from benchmarks.quality.ours import PRODUCT
from benchmarks.quality.statistics import Mean
from benchmarks.quality.worlds import presets

WIDTH, HEIGHT, LEFT, TOP, GAP, COLUMNS = 250, 170, 50, 46, 34, 3
COLOURS = ("#0b5cad", "#c2571a", "#2f855a", "#8e44ad", "#b7791f", "#c0392b", "#16808a", "#6b7280", "#d53f8c",
           "#4c51bf", "#7a5230", "#111827")  # fmt: skip
LOWEST, HIGHEST = -0.25, 1.0


def curves(found: Found) -> str:
    """The picture; "" where nobody has been measured at two sizes of a world."""
    worlds = [
        name for name, world in presets().items()
        if not world.zero and any(len(_points(found, name, who)) > 1 for who in found.who)
    ]  # fmt: skip
    if not worlds:
        return ""
    rows = -(-len(worlds) // COLUMNS)
    below = TOP + rows * (HEIGHT + GAP + 16)
    wide = LEFT + COLUMNS * (WIDTH + GAP)
    parts = [_panel(found, name, place) for place, name in enumerate(worlds)]
    height = below + 18 * -(-len(found.who) // 4) + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {height}" role="img" '
        'aria-label="Share of the gain of the oracle over the number of cases, by world">\n'
        "<style>text{font-family:system-ui,sans-serif;font-size:11px;fill:#43525f}"
        ".t{font-size:13px;font-weight:600;fill:#1b2733}</style>\n"
        f'<rect width="{wide}" height="{height}" fill="#ffffff"/>\n'
        f'<text x="{LEFT}" y="18" class="t">Share of the oracle&#8217;s gain over the best fixed one</text>\n'
        + "\n".join(parts) + "\n" + _legend(found, below) + "\n</svg>\n"
    )  # fmt: skip


def _points(found: Found, world: str, who: str) -> list[tuple[int, Mean]]:
    known = [(size, found.shares(world, size, who)) for size in found.sizes]
    return [(size, mean) for size, mean in known if mean is not None]


def _panel(found: Found, world: str, place: int) -> str:
    left = LEFT + (place % COLUMNS) * (WIDTH + GAP)
    top = TOP + (place // COLUMNS) * (HEIGHT + GAP + 16)
    low, high = log10(found.sizes[0]), log10(found.sizes[-1])

    def x(size: int) -> float:
        return left + (log10(size) - low) / (high - low) * WIDTH

    def y(share: float) -> float:
        inside = min(max(share, LOWEST), HIGHEST)
        return top + (HIGHEST - inside) / (HIGHEST - LOWEST) * HEIGHT

    parts = [f'<text x="{left}" y="{top - 6}" class="t">{escape(world)}</text>']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        stroke = "#9aa5b1" if share == 0.0 else "#e4e7eb"
        parts.append(
            f'<path d="M{left} {y(share):.1f}H{left + WIDTH}" stroke="{stroke}"/>'
            f'<text x="{left - 5}" y="{y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        )
    parts += [
        f'<text x="{x(size):.1f}" y="{top + HEIGHT + 14}" text-anchor="middle">{size // 1000}k</text>'
        for size in found.sizes
    ]
    for who, colour in zip(found.who, _colours(found), strict=True):
        points = _points(found, world, who)
        if points:
            line = " ".join(f"{x(size):.1f},{y(mean.estimate):.1f}" for size, mean in points)
            wide = 3 if who == PRODUCT else 1.4
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{wide}"/>')
            parts += [
                f'<circle cx="{x(size):.1f}" cy="{y(mean.estimate):.1f}" r="{wide}" fill="{colour}"/>'
                for size, mean in points
            ]
    return "\n".join(parts)


def _legend(found: Found, top: int) -> str:
    parts = []
    for place, (who, colour) in enumerate(zip(found.who, _colours(found), strict=True)):
        left, line = LEFT + (place % 4) * 200, top + 18 * (place // 4)
        title = escape(TITLES.get(who, who).strip("*"))
        parts.append(
            f'<path d="M{left} {line}h18" stroke="{colour}" stroke-width="{3 if who == PRODUCT else 1.4}"/>'
            f'<text x="{left + 24}" y="{line + 4}">{title}</text>'
        )
    return "\n".join(parts)


def _colours(found: Found) -> list[str]:
    return [COLOURS[place % len(COLOURS)] for place in range(len(found.who))]
