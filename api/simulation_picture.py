"""A simulation as a picture: bars of the volume by channel, role, stage and segment, new beside old.

Written by hand as SVG, so that serving needs no plotting library; as HTML with the lines below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from data.home import DataError

INK, LIGHT, ACCENT = "#22313f", "#b8c4ce", "#0b7a75"
_BY = ("channel", "role", "stage", "segment")
_WIDTH, _LABEL, _BAR, _ROW, _HEAD = 860, 240, 460, 30, 40
_MOST = 12


class PictureError(DataError):
    """The picture cannot be written in that form."""

    exit_code = 2


def check_picture(path: Path) -> None:
    """Raises PictureError before anything is computed: the name does not say which form."""
    if path.suffix not in (".svg", ".html"):
        raise PictureError(f"Got --picture {path}; name a file that ends with .svg or .html.")
    if not path.parent.is_dir():
        raise PictureError(f"Got --picture {path}; there is no folder {path.parent}.")


def write_picture(path: Path, told: Mapping[str, Any], said: Sequence[str]) -> None:
    """Write `api.simulation_figures.figures` as SVG or HTML; complete or not at all."""
    drawn = svg(told)
    if path.suffix == ".html":
        text = escape("\n".join(said))
        drawn = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Simulation</title>'
            f'<body style="font-family: sans-serif; margin: 2em">{drawn}<pre>{text}</pre></body></html>\n'
        )
    beside = path.with_name(f"{path.name}.tmp")
    beside.write_text(drawn, encoding="utf-8")
    beside.replace(path)


def svg(told: Mapping[str, Any]) -> str:
    """The picture; its title and every bar can be read by a screen reader."""
    new, old = told["new"], told["old"]
    parts, y = [], _HEAD + 20
    for by in _BY:
        rows = list(_rows(new["volume"][by], None if old is None else old["volume"][by]))
        if rows:
            parts.append(f'<text x="0" y="{y}" font-weight="bold" fill="{INK}">By {by}</text>')
            parts += [_bar(row, y + 12 + place * _ROW) for place, row in enumerate(rows)]
            y += 12 + len(rows) * _ROW + 30
    title = f"{new['playbook']} {new['version']}: {new['suggestions']:,} suggestions as of {told['as_of']}"
    against = "" if old is None else f", against {old['version']} (light): {old['suggestions']:,}"
    head = f'<text x="0" y="20" font-size="16" fill="{INK}">{escape(title + against)}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}" '
        f'font-family="sans-serif" font-size="12" role="img"><title>{escape(title + against)}</title>'
        f"{head}{''.join(parts)}</svg>\n"
    )


_Row = tuple[str, int, int | None, int]


def _rows(new: Mapping[str, int], old: Mapping[str, int] | None) -> Iterator[_Row]:
    """Name, new, old and the largest of all."""
    names = [*new, *(name for name in old or {} if name not in new)][:_MOST]
    most = max([1, *new.values(), *(old or {}).values()])
    for name in names:
        yield name, new.get(name, 0), None if old is None else old.get(name, 0), most


def _bar(row: _Row, y: int) -> str:
    name, new, old, most = row
    count = f"{new:,}" if old is None else f"{new:,}, before {old:,}"
    below = "" if old is None else _rectangle(y + 15, old / most, LIGHT)
    return (
        f"<g><title>{escape(name)}: {count}</title>"
        f'<text x="{_LABEL - 8}" y="{y + 14}" text-anchor="end" fill="{INK}">{escape(name)}</text>'
        f"{_rectangle(y + 3, new / most, ACCENT)}{below}"
        f'<text x="{_LABEL + _BAR + 8}" y="{y + 14}" fill="{INK}">{count}</text></g>'
    )


def _rectangle(y: int, share: float, colour: str) -> str:
    width = round(share * _BAR, 1)
    return f'<rect x="{_LABEL}" y="{y}" width="{width}" height="11" fill="{colour}"/>'
