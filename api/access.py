"""Who may: as types in the signature of an endpoint.

What somebody may not see does not exist for her: the answer is 404, not 403.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.problems import HttpProblem
from api.service import Service
from data.ledger.types import Suggestion, UnknownError, User
from engine.playbook import Playbook

JOB_ROLE = "job"
"""A technical user: may send events of every account and sees no suggestions."""

_bearer = HTTPBearer(auto_error=False, description="Token of a user: `nextbest token USER_ID`.")


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Serving = Annotated[Service, Depends(_service)]


def _user(
    service: Serving, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> User:
    user = None
    if credentials is not None:
        user = service.ledger.user_of_token(credentials.credentials, now=service.clock())
    if user is None:
        detail = "A valid bearer token is needed; make one with: nextbest token USER_ID"
        raise HttpProblem(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": 'Bearer realm="nextbest"'})
    return user


SignedIn = Annotated[User, Depends(_user)]
AccountId = Annotated[str, Path(min_length=1, max_length=200, description="The account.")]


def _readable_account(account_id: AccountId, user: SignedIn, service: Serving) -> str:
    if not service.ledger.serves(user.user_id, account_id):
        raise HttpProblem(HTTPStatus.NOT_FOUND, f"You serve no account {account_id!r}.")
    return account_id


ReadableAccount = Annotated[str, Depends(_readable_account)]
"""An account of the user's team."""


def roles_seen(playbook: Playbook, user: User) -> tuple[str, ...]:
    """Roles whose suggestions the user may read; none for a role that the playbook does not have."""
    return next((role.sees for role in playbook.roles if role.id == user.role), ())


def _readable_suggestion(
    suggestion_id: Annotated[str, Path(min_length=1, max_length=200, description="The suggestion.")],
    user: SignedIn,
    service: Serving,
) -> Suggestion:
    missing = HttpProblem(HTTPStatus.NOT_FOUND, f"There is no suggestion {suggestion_id!r} for you.")
    try:
        suggestion = service.ledger.suggestion(suggestion_id)
    except UnknownError:
        raise missing from None
    if not service.ledger.serves(user.user_id, suggestion.account_id):
        raise missing
    if suggestion.role not in roles_seen(service.decider().playbook, user):
        raise missing
    return suggestion


ReadableSuggestion = Annotated[Suggestion, Depends(_readable_suggestion)]
"""A suggestion of an account of the user's team, of a role that she may see."""


def _answerable_suggestion(suggestion: ReadableSuggestion, user: SignedIn, service: Serving) -> Suggestion:
    system = {role.id for role in service.decider().playbook.roles if role.system}
    if suggestion.role != user.role and suggestion.role not in system:
        detail = f"This suggestion is for the role {suggestion.role}; you are {user.role}."
        raise HttpProblem(HTTPStatus.FORBIDDEN, detail)
    return suggestion


AnswerableSuggestion = Annotated[Suggestion, Depends(_answerable_suggestion)]
"""A readable suggestion of the user's own role, or of the system, that she may answer."""


def may_report(service: Service, user: User, account_id: str) -> bool:
    """Whether the user may send events of the account: a job of every one, a colleague of her team's."""
    return user.role == JOB_ROLE or service.ledger.serves(user.user_id, account_id)
