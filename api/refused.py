"""What rules keep away, said to the one who wanted it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from api.allowed import NotAllowedError
from api.problems import HttpProblem
from api.reading import reader_of
from api.service import Service
from data.ledger.types import User
from engine.explanation import why_not_words


@contextmanager
def refused_in_words(user: User, service: Service) -> Iterator[None]:
    """Where a rule objects, a 409 with its sentence in her language."""
    try:
        yield
    except NotAllowedError as error:
        said = why_not_words(error.objections, reader_of(user, service))
        raise HttpProblem(HTTPStatus.CONFLICT, said, for_reader=True) from None
