"""Lists a page at a time: a cursor says where the next page begins, whatever comes or goes meanwhile."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request, Response

from api.problems import HttpProblem

Row = TypeVar("Row")

Cursor = Annotated[
    str | None,
    Query(max_length=2000, description="Of the page before, as its header Link says; empty = the first."),
]

LINK: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Link": {
                "description": 'The next page, as <path>; rel="next"; absent on the last.',
                "schema": {"type": "string"},
            }
        }
    }
}
"""For the `responses` of a route that pages."""


@dataclass(frozen=True)
class PagesOf:
    """The pages of one request's list."""

    request: Request
    response: Response
    cursor: str | None

    def of(self, rows: Sequence[Row], place: Callable[[Row], list[str | int]], limit: int) -> list[Row]:
        """The rows behind the cursor; the header Link leads to the page after them.

        Args:
            rows: All, sorted by `place`.
            place: What the order goes by, different for each row.

        Raises a 422 problem for a cursor that no page gave.
        """
        after = None if self.cursor is None else _read(self.cursor)
        try:
            left = [row for row in rows if after is None or place(row) > after]
        except TypeError:
            raise _no_cursor() from None
        if len(left) > limit:
            url = self.request.url.include_query_params(cursor=_written(place(left[limit - 1])), limit=limit)
            self.response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
        return left[:limit]


async def _pages(request: Request, response: Response, cursor: Cursor = None) -> PagesOf:
    return PagesOf(request, response, cursor)


Pages = Annotated[PagesOf, Depends(_pages)]
"""Of a route that pages: the rows behind its cursor."""


def _written(place: list[Any]) -> str:
    text = json.dumps(place, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str) -> list[Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise _no_cursor() from None
    if not isinstance(found, list):
        raise _no_cursor()
    return found


def _no_cursor() -> HttpProblem:
    detail = "cursor: take it from the header Link of the page before, or leave it out for the first page."
    return HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
