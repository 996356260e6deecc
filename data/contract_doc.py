"""The page that documents the data contract, written from the same definition that reads and checks.

python -m data.contract_doc        writes docs/contract.md anew
"""

from __future__ import annotations

from pathlib import Path

from engine.contract import TABLES, Column, Table

PAGE = Path("docs/contract.md")

_INTRODUCTION = """\
# The data contract

What `nextbest ingest FOLDER` reads. This page is generated from the definition that reads and checks
(`engine/contract.py`): `python -m data.contract_doc` writes it anew.

## Files
- One file or one folder per table: `touchpoints.csv`, `touchpoints.parquet`, or a folder `touchpoints/`
  of such.
- CSV is UTF-8, separated by commas, with a line of column names. An empty field is an empty value.
- Times are ISO 8601 with a zone (`2026-01-31T09:30:00Z`, `2026-01-31 10:30:00+01:00`) and are kept in
  UTC. A time without zone is rejected: nobody can know what it means.
- Lists are texts separated by `|`; JSON is an object.
- A first load needs every table that is not marked optional (it may have no rows, but there must be
  accounts). Later loads may bring any of them, whole or in part: facts that are not mentioned stay as
  they are.
- `accounts` may have further columns: numbers, flags or texts. They become features by their type; a
  text with more than 200 different values, or one that differs for every account, does not. A later load
  that lacks such a column leaves its values as they are; an empty column of the contract empties it.
- A table in another form (`touchpoints.csv.gz`, `touchpoints.xlsx`, a folder named `touchpoints.parquet`)
  stops the load; files that are no tables may lie beside them.

A folder is loaded completely or not at all. Files are read in portions, so that memory follows the number of
accounts and not the number of touchpoints ([scale.md](scale.md)).

## Facts change and arrive late
Every table may carry two more columns:

| column | type | meaning |
|---|---|---|
| `stored_at` | time with zone | When our side learned of the fact: before that it was not known. |
| `deleted` | true or false | A tombstone: the fact no longer holds. Required columns stay required. |

Without `stored_at`: in a first load the event's own time (plans ahead of the load: the time of the load;
accounts, teams, contacts and users: known from the beginning); in a later load the time of the load. The
load says how many.

The same key with other content is a new version from its `stored_at` on; the same content again is
unchanged. Of two lines with the same key and moment the later one holds, also where they name different
accounts: an id is one fact, so numbers that begin anew with every account are made different first. A first
load says how many rows have the key of an earlier one. A version that arrives late is put in its place.

`merged_into` says that an account turned out to be another one: its facts go on under that account, from
the moment our side learned of it, with the old id in `merged_from`. Chains are followed.

## Rejected rows
A row with a fault is not loaded; it goes to `<home>/rejects/<time>/<table>.csv` with file, line, column,
value and reason (values of personal columns are not shown). Faults: an empty required column, a wrong type,
a time without zone or before 1970 (systems write 1900-01-01 for "unknown"), days off that are no dates or
end before they begin, a value that is not one of the choices, a number that is not finite, beyond 10^15
either way or out of its bounds (a probability outside (0, 1], more minutes than a day has), a fact of an
unknown account, a response to an unknown touchpoint, an account merged into an unknown one or into itself,
a decision for what it does not itself call eligible (leaving alone always is).
If more than 1 % of a table's rows (settable) are rejected, nothing is loaded at all, and the message names
the commonest fault, of tables that refer to each other in the one referred to. An unknown column stops the
load at once and says what is near.

## Personal columns
Columns marked *personal* say who somebody is or hold free text. They are kept in the ledger under a
random key and nowhere else (but on their way there, [while a load runs](operations.md#a-load-that-dies)),
so that they can be erased. They have no versions: a new name replaces the old
one, and a row in which nothing else differs counts as unchanged.
"""


def contract_page() -> str:
    """The page as Markdown."""
    return "\n".join([_INTRODUCTION, "## Tables", *(_section(table) for table in TABLES.values())])


def _section(table: Table) -> str:
    key = ", ".join(f"`{name}`" for name in table.key)
    optional = " Optional." if table.optional else ""
    time = f" Its time is `{table.time}`." if table.time else ""
    rows = "\n".join(_row(column) for column in table.columns)
    return f"""
### {table.name}
{table.meaning} A row is identified by {key}.{time}{optional}

| column | type | required | meaning |
|---|---|---|---|
{rows}"""


def _row(column: Column) -> str:
    required = "yes" if column.required else ""
    choices = f" One of {', '.join(f'`{choice}`' for choice in column.choices)}." if column.choices else ""
    personal = " *Personal.*" if column.personal else ""
    meaning = f"{column.meaning}{choices}{personal}".replace("|", "\\|")
    kind = column.kind.value.replace("|", "\\|")
    return f"| `{column.name}` | {kind} | {required} | {meaning} |"


def main() -> None:
    """Write the page."""
    PAGE.write_text(contract_page() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
