"""Who may: as types in the signature of an endpoint.

Who asks is known by a bearer token, or by the cookie of a session of the page; then whatever changes
something brings the session's CSRF token along, in a header or in a field of the form.

What somebody may not see does not exist for her: the answer is 404, not 403.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.base import SecurityBase

from api.capabilities import CAPABILITIES, JOB_ROLE, OWN, may_do, needed
from api.limits import Limits
from api.problems import HttpProblem
from api.service import Service
from api.signing_in import SigningIn
from data.ledger.changes import Change
from data.ledger.hand_over_types import HandOver
from data.ledger.keys import PREFIX
from data.ledger.types import Session, Suggestion, UnknownError, User

_bearer = HTTPBearer(
    auto_error=False,
    description="Token of a user: `nextbest token USER_ID`; key of a job: `nextbest key create`; access "
    "token of the OpenID Connect provider of the settings.",
)


async def _service(request: Request) -> Service:
    """The same for all that a request asks."""
    kept: Service | None = getattr(request.state, "serving", None)
    if kept is None:
        service: Service = request.app.state.service
        kept = request.state.serving = service.for_one_request()
    return kept


Serving = Annotated[Service, Depends(_service)]


async def _signing_in(request: Request) -> SigningIn:
    signing_in: SigningIn = request.app.state.signing_in
    return signing_in


SigningInHere = Annotated[SigningIn, Depends(_signing_in)]

P = ParamSpec("P")
T = TypeVar("T")


async def looked_up(service: Service, look: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """What a look into the ledger finds. Where that takes microseconds and waits for nobody, the event loop
    looks itself: to hand it to a thread and back takes longer."""
    if service.ledger.never_waits and service.held() is not None:
        return look(*args, **named)
    return await run_in_threadpool(look, *args, **named)


async def worked_out(request: Request, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """What a thread works out that only reads. Where reading waits for nobody, one such work at a time: two
    share one interpreter, and each is slower by a third for taking it from the other."""
    service = await _service(request)
    limiter: CapacityLimiter | None = request.app.state.working if service.ledger.never_waits else None
    return await to_thread.run_sync(partial(work, *args, **named), limiter=limiter)


CSRF_HEADER, CSRF_FIELD = "X-CSRF-Token", "csrf"
_CHANGES_NOTHING = ("GET", "HEAD", "OPTIONS")


async def _session(request: Request) -> Session | None:
    """Looked up once for a request."""
    if not hasattr(request.state, "session"):
        service, signing_in = await _service(request), await _signing_in(request)
        token = request.cookies.get(signing_in.cookie)
        found = await run_in_threadpool(signing_in.session, token, service.clock()) if token else None
        request.state.session = found
    session: Session | None = request.state.session
    return session


OwnSession = Annotated[Session | None, Depends(_session)]
"""The session of the page; None = nobody has signed in there."""


async def _csrf(request: Request) -> str:
    """The CSRF token that came along."""
    kind = request.headers.get("content-type", "")
    if CSRF_HEADER not in request.headers and kind.startswith("application/x-www-form-urlencoded"):
        return str((await request.form()).get(CSRF_FIELD, ""))
    return request.headers.get(CSRF_HEADER, "")


async def _bearing(request: Request, proof: str) -> User | None:
    """Whose key or token it is."""
    service, signing_in = await _service(request), await _signing_in(request)
    now, provider = service.clock(), signing_in.provider
    if proof.startswith(PREFIX):
        return await looked_up(service, service.ledger.keys.user, proof, now=now)
    if provider is not None and (user := await run_in_threadpool(provider.bearer, proof, now)):
        return user
    return await looked_up(service, service.ledger.user_of_token, proof, now=now)


async def _user(request: Request, credentials: HTTPAuthorizationCredentials | None) -> User:
    if credentials is not None and (user := await _bearing(request, credentials.credentials)):
        return user
    if credentials is None and (session := await _session(request)) is not None:
        safe = request.method in _CHANGES_NOTHING
        if not safe and not hmac.compare_digest((await _csrf(request)).encode(), session.csrf.encode()):
            raise HttpProblem(HTTPStatus.FORBIDDEN, "The session's CSRF token is missing or another one's.")
        return session.user
    detail = "A valid bearer token is needed; make one with: nextbest token USER_ID"
    raise HttpProblem(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": 'Bearer realm="nextbest"'})


async def signed_in(request: Request) -> User:
    """Who asks, within her rate; looked up once for a request."""
    user: User | None = getattr(request.state, "user", None)
    if user is None:
        user = request.state.user = await _user(request, await _bearer(request))
        limits: Limits = request.app.state.limits
        limits.request_of(user.user_id)
    return user


class _SignedIn(SecurityBase):
    """`signed_in` as one dependency, described by the scheme of the token: FastAPI walks a tree of them for
    each place that asks for the user, though it knows her."""

    model, scheme_name = _bearer.model, _bearer.scheme_name

    async def __call__(self, request: Request) -> User:
        return await signed_in(request)


SignedIn = Annotated[User, Depends(_SignedIn())]


def may(*areas: str) -> Any:
    """Belongs to every route, or router: what its caller must be able to do.

    `@router.get(..., dependencies=[may("suggestions")])` needs suggestions:read, with POST suggestions:write;
    `may("suggestions:read")` the same by any method. Whoever cannot gets a 403, the same for every account.
    """

    return Depends(_May(areas))


class _May(_SignedIn):
    """Whether who asks may; each route has it, and by it the description says that she has to sign in."""

    def __init__(self, areas: tuple[str, ...]) -> None:
        self.areas = areas

    async def __call__(self, request: Request) -> User:
        user, service = await signed_in(request), await _service(request)
        for area in self.areas:
            if not await looked_up(service, _can, user, needed(area, request.method), service):
                raise HttpProblem(HTTPStatus.FORBIDDEN, _CANNOT.format(needed(area, request.method)))
        return user


_CANNOT = "This needs {!r}, which your role or key does not have."


def _can(user: User, capability: str, service: Service) -> bool:
    if user.scopes is not None and capability not in user.scopes:
        return False
    if capability in OWN:
        return user.scopes is None
    if user.role in OFFICE_ROLES and capability in CAPABILITIES[user.role]:
        return True  # without a look at the playbook, so that metrics tell of one that is broken
    if capability in may_do(user.role, service.decider().playbook, leads=False):
        return True
    # Looked up only where it decides.
    return capability in CAPABILITIES["manager"] and bool(service.ledger.managed(user.user_id))


async def _for_everybody() -> None:
    """Nobody has to sign in for it."""


_for_everybody.__dict__["areas"] = ()
PUBLIC = Depends(_for_everybody)
"""Belongs to the few routes that need no sign-in."""
AccountId = Annotated[str, Path(min_length=1, max_length=200, description="The account.")]


async def _readable_account(account_id: AccountId, request: Request) -> str:
    user, service = await signed_in(request), await _service(request)
    if not await looked_up(service, service.ledger.serves, user.user_id, account_id):
        raise HttpProblem(HTTPStatus.NOT_FOUND, f"You serve no account {account_id!r}.")
    return account_id


ReadableAccount = Annotated[str, Depends(_readable_account)]
"""An account of the user's team."""


def roles_seen(service: Service, user: User, account_id: str) -> tuple[str, ...]:
    """Roles whose suggestions for an account of hers the user may read: those that her own role sees.

    A manager may have a role that the playbook does not have; she sees what those of the account's team see
    whom she is above. Anybody else without a role of the playbook sees none.
    """
    if (own := _sees(service).get(user.role)) is not None:
        return own
    serving = set(service.ledger.team(account_id).values())
    return _seen_by(service, [one for one in service.ledger.managed(user.user_id) if one.user_id in serving])


def people_seen(service: Service, user: User) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whose worklists are hers to read, and of which roles: her own, or as a manager those below her."""
    if (own := _sees(service).get(user.role)) is not None:
        return (user.user_id,), own
    below = service.ledger.managed(user.user_id)
    return (user.user_id, *(one.user_id for one in below)), _seen_by(service, below)


def _sees(service: Service) -> Mapping[str, tuple[str, ...]]:
    return {role.id: role.sees for role in service.decider().playbook.roles}


def _seen_by(service: Service, users: Iterable[User]) -> tuple[str, ...]:
    sees = _sees(service)
    return tuple(sorted({role for user in users for role in sees.get(user.role, ())}))


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
    if suggestion.role not in roles_seen(service, user, suggestion.account_id):
        raise missing
    return suggestion


ReadableSuggestion = Annotated[Suggestion, Depends(_readable_suggestion)]
"""A suggestion of an account of the user's team, of a role that she may see."""


def _answerable_suggestion(suggestion: ReadableSuggestion, user: SignedIn, service: Serving) -> Suggestion:
    roles = service.decider().playbook.roles
    system = {role.id for role in roles if role.system and user.role in _sees(service)}
    if suggestion.role != user.role and suggestion.role not in system:
        detail = f"This suggestion is for the role {suggestion.role}; you are {user.role}."
        raise HttpProblem(HTTPStatus.FORBIDDEN, detail)
    return suggestion


AnswerableSuggestion = Annotated[Suggestion, Depends(_answerable_suggestion)]
"""A readable suggestion of the user's own role, or of the system, that she may answer; a manager without a
role of the playbook only reads."""


def _leading(user: SignedIn, service: Serving) -> User:
    if not service.ledger.managed(user.user_id):
        raise HttpProblem(HTTPStatus.FORBIDDEN, "Only those who lead colleagues may do this.")
    return user


Leading = Annotated[User, Depends(_leading)]
"""A user who is above others."""


OFFICE_ROLES = ("marketer", "data_scientist", "admin", JOB_ROLE)
"""They write the playbook and the releases, and read all of both; of accounts they see what others do."""


def may_read_all(user: User) -> bool:
    """Whether the whole playbook and all releases are hers to read."""
    return user.role in OFFICE_ROLES


def _office(user: SignedIn, service: Serving) -> User:
    if not may_read_all(user) and not service.ledger.managed(user.user_id):
        raise HttpProblem(HTTPStatus.NOT_FOUND, "There is nothing here for you.")
    return user


Office = Annotated[User, Depends(_office)]
"""Who writes the playbook and the releases, or leads colleagues."""


def gets(found: HandOver, user: User, service: Service) -> bool:
    """Whether it is hers to do, also in somebody's place."""
    if found.to_user is None:
        return found.to_role == user.role
    return found.to_user == user.user_id or found.to_user in service.ledger.stand_ins.stands_in_for(
        user.user_id
    )


def gave(found: HandOver, user: User, service: Service) -> bool:
    """Hers to take back: she asked, or a rule did in the name of her place in the account's team; or who does
    in whose place she is."""
    by = found.by_user or service.ledger.team(found.account_id).get(found.by_role)
    return by == user.user_id or by in service.ledger.stand_ins.stands_in_for(user.user_id)


def may_see_hand_over(found: HandOver, user: User, service: Service) -> bool:
    """Receiver, giver, the manager to whom it was escalated, and colleagues who see the receiving role."""
    if gets(found, user, service) or gave(found, user, service) or found.escalated_to == user.user_id:
        return True
    serves = service.ledger.serves(user.user_id, found.account_id)
    return serves and found.to_role in roles_seen(service, user, found.account_id)


def may_see_change(service: Service, user: User, change: Change) -> bool:
    """Whether a change is of something that the user may see now; of what is gone meanwhile, nothing."""
    if change.account_id is None:
        return True
    if change.kind == "hand_over":
        try:
            return may_see_hand_over(service.ledger.hand_overs.find(change.subject), user, service)
        except UnknownError:
            return False
    serves = service.ledger.serves(user.user_id, change.account_id)
    return serves and change.role in roles_seen(service, user, change.account_id)


async def _limits(request: Request) -> Limits:
    limits: Limits = request.app.state.limits
    return limits


Limited = Annotated[Limits, Depends(_limits)]
"""How much one user may ask for."""


async def _page_size(
    request: Request, limit: Annotated[int | None, Query(ge=1, description="At most so many.")] = None
) -> int | None:
    return None if limit is None else (await _limits(request)).page(limit)


PageSize = Annotated[int | None, Depends(_page_size)]
"""Rows of a page, as asked for; None = as many as is usual."""


def may_report(service: Service, user: User, account_id: str) -> bool:
    """Whether the user may send events of the account: a job of every one, a colleague of her team's."""
    return user.role == JOB_ROLE or service.ledger.serves(user.user_id, account_id)


def _reportable_account(account_id: AccountId, user: SignedIn, service: Serving) -> str:
    if not may_report(service, user, account_id):
        raise HttpProblem(HTTPStatus.NOT_FOUND, f"You serve no account {account_id!r}.")
    return account_id


ReportableAccount = Annotated[str, Depends(_reportable_account)]
"""An account of which the user may send events."""
