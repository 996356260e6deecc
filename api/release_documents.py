"""The pages and texts that came with a release, for the API and for the page."""

from __future__ import annotations

from http import HTTPStatus

from fastapi.responses import HTMLResponse

from api.problems import HttpProblem
from api.service import Service
from data.artifacts import CorruptReleaseError, read_document

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
"""A report brings its own styles and pictures, and runs nothing."""


def document(release_id: str, name: str, service: Service) -> str:
    """A text of a release, such as "card.md". Raises HttpProblem: there is none, or it was changed."""
    try:
        return read_document(service.models, release_id, name)
    except CorruptReleaseError:
        raise missing(release_id) from None


def html_page(release_id: str, name: str, service: Service) -> HTMLResponse:
    """A page of a release, such as "report.html". Raises HttpProblem, as `document`."""
    return HTMLResponse(document(release_id, name, service), headers={"Content-Security-Policy": _POLICY})


def missing(release_id: str) -> HttpProblem:
    """Of a release that is not there, or has no such document."""
    return HttpProblem(HTTPStatus.NOT_FOUND, f"There is no such document of a release {release_id!r}.")
