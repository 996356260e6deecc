"""Checking values by the contract: text as written to typed values, with the first fault of every row.

All of it is expressions over columns: a fault is a text that says what is wrong, or null.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from data.reading import FILE, LINE, PLACE, REJECT_SCHEMA
from engine.contract import LARGEST_NUMBER, TIME, WEEKDAYS, Column, Kind
from engine.records import NO_CONTACT

_ZONE = r"(?:[Zz]|[+-]\d{2}(?::?\d{2})?)"
_CLOCK = r"^\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?"
_DAY = r"\d{4}-\d{2}-\d{2}"
_BOUNDS: dict[str, tuple[float, float]] = {
    "latitude": (-90.0, 90.0),
    "longitude": (-180.0, 180.0),
    **{f"{day}_minutes": (0.0, 1440.0) for day in WEEKDAYS},
}
_FIRST_YEAR = 1970
_PLACEHOLDER = pl.lit("lies before 1970; leave it empty if it is not known")
"""Systems write 1900-01-01 for "unknown"; believed, the history would begin there."""
_TOO_LARGE = f"is beyond {LARGEST_NUMBER:g} either way"
_NOT_ELIGIBLE = "is not among those that the row calls eligible"
_HIDDEN = "(personal, not shown)"


@dataclass(frozen=True)
class _Parsed:
    """A column of a file on its way to the contract: its value, and what is wrong with it."""

    value: pl.Expr
    fault: pl.Expr


def check_rows(raw: pl.DataFrame, columns: tuple[Column, ...]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows without a fault, typed, and the others as rejects with their first fault.

    Args:
        raw: As read, with `PLACE`; columns that are absent count as empty, further ones are left as they are.

    Returns:
        Rows (PLACE and further columns included) and rejects.
    """
    absent = [pl.lit(None, pl.String()).alias(c.name) for c in columns if c.name not in raw.columns]
    raw = raw.with_columns(absent)
    parsed = {c.name: _checked(c, raw.schema[c.name]) for c in columns}
    if "eligible" in parsed:
        parsed["treatment"] = _chosen_from(parsed["treatment"], parsed["eligible"])
    typed = raw.with_columns(
        *(p.value.alias(name) for name, p in parsed.items()),
        *(p.fault.alias(f"__fault_{name}") for name, p in parsed.items()),
        *(_shown(c, raw.schema[c.name]).alias(f"__raw_{c.name}") for c in columns),
    )
    fault = pl.coalesce(f"__fault_{c.name}" for c in columns)
    helpers = pl.selectors.starts_with("__fault_", "__raw_")
    rows = typed.filter(fault.is_null()).drop(helpers)
    rejects = typed.filter(fault.is_not_null()).select(
        pl.col(FILE).alias("file"),
        pl.col(LINE).alias("line"),
        _of_first_fault(columns, pl.lit).alias("column"),
        _of_first_fault(columns, lambda name: pl.col(f"__raw_{name}")).alias("value"),
        fault.alias("reason"),
    )
    return rows, rejects.cast(REJECT_SCHEMA)  # type: ignore[arg-type]


def reject_where(
    rows: pl.DataFrame, places: pl.DataFrame, *, bad: pl.Series, column: str, reason: pl.Expr
) -> pl.DataFrame:
    """Rejects for those rows where `bad` is true; `reason` may use the row's columns."""
    return (
        pl.concat([places, rows], how="horizontal")
        .filter(bad)
        .select(
            pl.col(FILE).alias("file"),
            pl.col(LINE).alias("line"),
            pl.lit(column).alias("column"),
            pl.col(column).cast(pl.String()).alias("value"),
            reason.alias("reason"),
        )
        .cast(REJECT_SCHEMA)  # type: ignore[arg-type]
    )


def split_places(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows without the places, and the places."""
    return rows.drop(PLACE), rows.select(PLACE)


def infer_kind(values: pl.Series) -> Kind:
    """What a column beyond the contract holds: numbers, flags, or text."""
    if values.dtype == pl.Boolean:
        return Kind.FLAG
    if values.dtype.is_numeric():
        return Kind.NUMBER
    if values.dtype != pl.String or values.null_count() == len(values):
        return Kind.TEXT
    for kind in (Kind.NUMBER, Kind.FLAG):
        parsed = _parse(kind, values.name, values.dtype)
        if values.to_frame().select(parsed.fault.is_null().all()).item():
            return kind
    return Kind.TEXT


def as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column of a file as text without blanks around it; blank = null."""
    column = pl.col(name)
    if dtype == pl.List:
        column = column.cast(pl.List(pl.String())).list.join("|")
    elif dtype == pl.Struct:
        column = column.struct.json_encode()
    elif dtype.is_float():
        # Whole numbers that a tool kept as floats (an id beside missing values) are written as such.
        whole = column.cast(pl.Int64(), strict=False)
        column = (
            pl.when(whole.cast(dtype) == column)
            .then(whole.cast(pl.String()))
            .otherwise(column.cast(pl.String()))
        )
    elif dtype != pl.String:
        column = column.cast(pl.String())
    text = column.str.strip_chars()
    return pl.when(text != "").then(text)


def _of_first_fault(columns: tuple[Column, ...], of: Callable[[str], pl.Expr]) -> pl.Expr:
    return pl.coalesce(pl.when(pl.col(f"__fault_{c.name}").is_not_null()).then(of(c.name)) for c in columns)


def _shown(column: Column, dtype: pl.DataType) -> pl.Expr:
    """The value as a reject shows it; what is personal stays out of files."""
    return pl.lit(_HIDDEN) if column.personal else as_text(column.name, dtype).fill_null("")


def _checked(column: Column, dtype: pl.DataType) -> _Parsed:
    """The column's type, then what the contract says beyond it."""
    parsed = _parse(column.kind, column.name, dtype)
    faults = [parsed.fault]
    if column.required:
        faults.append(pl.when(parsed.value.is_null()).then(pl.lit("is required and empty")))
    if column.choices:
        allowed = ", ".join(column.choices)
        unknown = ~parsed.value.is_in(list(column.choices))
        faults.append(pl.when(unknown).then(pl.lit(f"is not one of {allowed}")))
    if column.name == "probability":
        outside = (parsed.value <= 0.0) | (parsed.value > 1.0)
        faults.append(pl.when(outside).then(pl.lit("is not above 0 and at most 1")))
    if column.name in _BOUNDS:
        low, high = _BOUNDS[column.name]
        outside = (parsed.value < low) | (parsed.value > high)
        faults.append(pl.when(outside).then(pl.lit(f"is not between {low:g} and {high:g}")))
    return _Parsed(parsed.value, pl.coalesce(faults))


def _chosen_from(chosen: _Parsed, eligible: _Parsed) -> _Parsed:
    """What was chosen was eligible; leaving alone always is. Of an empty list nothing is said."""
    among = (
        eligible.value.str.split("|").list.eval(pl.element().str.strip_chars()).list.contains(chosen.value)
    )
    outside = pl.when(~among & (chosen.value != NO_CONTACT)).then(pl.lit(_NOT_ELIGIBLE))
    return _Parsed(chosen.value, pl.coalesce(chosen.fault, outside))


def _parse(kind: Kind, name: str, dtype: pl.DataType) -> _Parsed:
    """The value by its kind alone."""
    return _PARSERS.get(kind, _text)(name, as_text(name, dtype), dtype)


def _text(name: str, text: pl.Expr, dtype: pl.DataType) -> _Parsed:
    return _Parsed(text, pl.lit(None, pl.String()))


def _json(name: str, text: pl.Expr, dtype: pl.DataType) -> _Parsed:
    valid = text.str.starts_with("{") & text.str.json_path_match("$").is_not_null()
    return _Parsed(text, pl.when(text.is_not_null() & ~valid).then(pl.lit("is not a JSON object")))


def _list(name: str, text: pl.Expr, dtype: pl.DataType) -> _Parsed:
    gap = text.str.contains(r"(^|\|)\s*(\||$)")
    return _Parsed(text, pl.when(gap).then(pl.lit("has an empty entry between |")))


def _days(name: str, text: pl.Expr, dtype: pl.DataType) -> _Parsed:
    """Days and spans of days: each is a date of the calendar, and no span ends before it begins."""
    entry = pl.element().str.strip_chars()
    first = entry.str.extract(f"^({_DAY})(?:/|$)").str.to_date("%Y-%m-%d", strict=False)
    last = entry.str.extract(f"({_DAY})$").str.to_date("%Y-%m-%d", strict=False)
    readable = entry.str.contains(f"^{_DAY}(?:/{_DAY})?$") & first.is_not_null() & last.is_not_null()
    days = text.str.split("|")
    fault = (
        pl.when(~days.list.eval(readable).list.all())
        .then(pl.lit("is not days such as 2026-01-05 or 2026-01-05/2026-01-09, separated by |"))
        .when(days.list.eval(last < first).list.any())
        .then(pl.lit("has days off that end before they begin"))
    )
    return _Parsed(text, fault)


def _whole(name: str, text: pl.Expr, dtype: pl.DataType) -> _Parsed:
    number = _number(name, text, dtype)
    whole = number.value.cast(pl.Int64(), strict=False)
    differs = whole.is_null() | (whole.cast(pl.Float64()) != number.value)
    fraction = pl.when(number.value.is_not_null() & differs).then(pl.lit("is not a whole number"))
    return _Parsed(whole, pl.coalesce(fraction, number.fault))


def _number(name: str, text: pl.Expr, dtype: pl.DataType) -> _Parsed:
    value = pl.col(name) if dtype.is_numeric() else text
    value = value.cast(pl.Float64(), strict=False)
    fault = (
        pl.when(value.is_null() & text.is_not_null())
        .then(pl.lit("is not a number"))
        .when(~value.is_finite())
        .then(pl.lit("is not a finite number"))
        .when(value.abs() > LARGEST_NUMBER)
        .then(pl.lit(_TOO_LARGE))
    )
    return _Parsed(value, fault)


def _flag(name: str, text: pl.Expr, dtype: pl.DataType) -> _Parsed:
    lower = text.str.to_lowercase()
    value = pl.when(lower.is_in(["true", "1"])).then(True).when(lower.is_in(["false", "0"])).then(False)
    return _Parsed(value, pl.when(value.is_null() & text.is_not_null()).then(pl.lit("is not true or false")))


def _time(name: str, text: pl.Expr, dtype: pl.DataType) -> _Parsed:
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        value = pl.col(name).dt.convert_time_zone("UTC").cast(TIME)
        return _Parsed(value, pl.when(value.dt.year() < _FIRST_YEAR).then(_PLACEHOLDER))
    iso = text.str.replace(r"^(\d{4}-\d{2}-\d{2})[t ]", "${1}T").str.replace(r"\s*[Zz]$", "+00:00")
    value = pl.coalesce(
        iso.str.to_datetime(pattern, strict=False, time_unit="us", time_zone="UTC")
        for pattern in ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z")
    )
    well_formed = text.str.contains(f"{_CLOCK}\\s*{_ZONE}$")
    value = pl.when(well_formed).then(value)
    fault = (
        pl.when(text.str.contains(_CLOCK + "$"))
        .then(pl.lit("is a time without zone; add Z or an offset such as +02:00"))
        .when(value.is_null() & text.is_not_null())
        .then(pl.lit("is not an ISO 8601 time such as 2026-01-31T09:30:00Z"))
        .when(value.dt.year() < _FIRST_YEAR)
        .then(_PLACEHOLDER)
    )
    return _Parsed(value, fault)


_PARSERS: dict[Kind, Callable[[str, pl.Expr, pl.DataType], _Parsed]] = {
    Kind.NUMBER: _number,
    Kind.WHOLE: _whole,
    Kind.FLAG: _flag,
    Kind.TIME: _time,
    Kind.JSON: _json,
    Kind.LIST: _list,
    Kind.DAYS: _days,
}
