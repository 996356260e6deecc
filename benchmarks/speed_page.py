"""The table of docs/speed.md and its pictures, written from what was measured."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from math import log10
from pathlib import Path

from benchmarks.harness import Alone, Comparison, shown
from benchmarks.parts import PARTS, Parts

PAGE, PICTURES = Path("docs/speed.md"), Path("docs/pictures")
GROWTH, FEATURES, WHERE = "speed.svg", "speed-features.svg", "speed-parts.svg"
MEASURED = ("numpy", "numba", "polars", "duckdb", "lightgbm")
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
HTTP_BEGIN, HTTP_END = "<!-- http: begin -->", "<!-- http: end -->"
COLOURS = ("#0b5cad", "#c2571a")
SHADES = ("#0b5cad", "#c2571a", "#3d7a3d", "#8a5a9e", "#6b7680")
WIDTH, HEIGHT, LEFT, TOP = 420, 240, 64, 62


def table(found: Sequence[Comparison | Alone], command: str) -> str:
    """What stands between the marks of docs/speed.md."""
    return "\n".join([
        written(command, MEASURED),
        "", "| what | against | ours | peer | ratio |", "|---|---|---|---|---|",
        *(each.line() for each in found),
    ])  # fmt: skip


def written(command: str, packages: Sequence[str]) -> str:
    """By what, when and with which versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    day, python = f"{datetime.now(UTC):%Y-%m-%d}", platform.python_version()
    return f"Written by `{command}` on {day} with Python {python}, {versions}."


def put(text: str, begin: str = BEGIN, end: str = END) -> None:
    """Put a text between its marks in docs/speed.md, from the checkout's root."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def picture(title: str, sizes: Sequence[int], found: Sequence[Comparison]) -> str:
    """Processor time over size, both axes logarithmic, as SVG."""
    lines = {"nextbest": [c.ours_seconds for c in found], found[0].peer: [c.peer_seconds for c in found]}
    times = [log10(value) for values in lines.values() for value in values]
    low, high = min(times), max(times)
    first, last = log10(sizes[0]), log10(sizes[-1])

    def x(size: int) -> float:
        return LEFT + (log10(size) - first) / (last - first) * WIDTH

    def y(seconds: float) -> float:
        return TOP + (high - log10(seconds)) / (high - low) * HEIGHT

    parts = [f'<text x="{LEFT}" y="20" class="t">{title}</text>', *_legend(lines, COLOURS)]
    for values, colour in zip(lines.values(), COLOURS, strict=True):
        points = " ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in zip(sizes, values, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for size, value in zip(sizes, values, strict=True):
            parts.append(f'<circle cx="{x(size):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>')
            parts.append(f'<text x="{x(size) + 6:.1f}" y="{y(value) + 14:.1f}">{shown(value)}</text>')
    parts += [f'<text x="{x(s):.1f}" y="{TOP + HEIGHT + 30}">{s:,}</text>' for s in sizes]
    return _drawn(title, LEFT + WIDTH + 90, TOP + HEIGHT + 44, parts)


def shares(title: str, found: Sequence[Parts]) -> str:
    """Which share of a decision's time each part takes: a bar for each number of accounts, as SVG."""
    texts = [f'<text x="{LEFT}" y="20" class="t">{title}</text>', *_legend(PARTS, SHADES)]
    for row, each in enumerate(found):
        y, x, total = TOP + 30 + row * 70, float(LEFT), sum(each.seconds)
        told = f"1 account: {shown(total)}"
        if each.moments > 1:
            told = f"{each.moments:,} accounts: {shown(total)}, {shown(total / each.moments)} each"
        texts.append(f'<text x="{LEFT}" y="{y - 6}">{told}</text>')
        for seconds, shade in zip(each.seconds, SHADES, strict=True):
            wide = seconds / total * WIDTH
            texts.append(f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="26" fill="{shade}"/>')
            if wide > 30:
                texts.append(
                    f'<text x="{x + 5:.1f}" y="{y + 17}" style="fill:#fff">{seconds / total:.0%}</text>'
                )
            x += wide
    return _drawn(title, LEFT + WIDTH + 90, TOP + 30 + len(found) * 70, texts)


def _legend(names: Iterable[str], colours: Sequence[str]) -> Iterator[str]:
    for place, (name, colour) in enumerate(zip(names, colours, strict=True)):
        x = LEFT + place * 92
        yield f'<rect x="{x}" y="32" width="10" height="10" fill="{colour}"/>'
        yield f'<text x="{x + 15}" y="41">{name}</text>'


def _drawn(title: str, wide: int, tall: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" role="img" '
        f'aria-label="{title}">\n'
        "<style>text{font-family:system-ui,sans-serif;font-size:11px;fill:#43525f}"
        ".t{font-size:13px;font-weight:600;fill:#1b2733}</style>\n"
        f'<rect width="{wide}" height="{tall}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def write(found: Sequence[Comparison | Alone], pictures: Mapping[str, str], command: str) -> None:
    """The table and the pictures by their names, from the checkout's root."""
    put(table(found, command))
    for name, drawn in pictures.items():
        (PICTURES / name).write_text(drawn, encoding="utf-8")
