"""uvicorn around the application, started so that what is wrong is one line."""

from __future__ import annotations

import errno
import gc
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import uvicorn
from fastapi import FastAPI

from api.accounts import about_account
from api.app import create_app
from api.decider import LiveDecider
from api.logs import start_logging
from api.service import Service
from api.stream import Feed
from data.home import DataError
from data.ledger.ledger import Ledger
from data.settings import Settings
from data.times import now_micros


def run_server(settings: Settings, *, announce: Callable[[str], None] | None = None) -> None:
    """Serve until interrupted.

    Args:
        announce: Called with the address once the port is held.

    Raises:
        DataError: Ledger, history, playbook or release cannot be used, or the port is taken.
    """
    check_startable(settings)
    held = hold_port(settings.host, settings.port)
    address = f"http://{settings.host}:{held.getsockname()[1]}"
    start_logging(settings)
    if announce is not None:
        announce(address)
    config = uvicorn.Config(
        create_app(settings), log_config=None, access_log=False, server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
    )  # fmt: skip
    # It answers what it has begun, ends, and raises the signal once more: stopped is not failed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        _Server(config).run(sockets=[held])


class _Server(uvicorn.Server):
    """Leaves what was read to serve to itself, and ends open streams when it is stopped; they would end by
    themselves only after minutes."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer. What is there now stays: to look for garbage in it would hold requests up."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what has begun."""
        feed: Feed = cast("FastAPI", self.config.app).state.feed
        feed.stop()
        await super().shutdown(sockets)


def check_startable(settings: Settings) -> None:
    """Read all that serving needs, once: uvicorn would bury the reason in a traceback."""
    home = settings.as_home()
    ledger = Ledger.open(home)
    try:
        decider = LiveDecider(home, ledger, settings.playbook, settings.seed)
        decider()
        _decide_once(Service(ledger, decider, now_micros))
    finally:
        ledger.close()


def _decide_once(service: Service) -> None:
    """Decide for some account and store nothing: what is compiled on first use is ready before anybody
    asks."""
    for user in service.ledger.users():
        for account_id, _ in service.ledger.accounts_served(user.user_id)[:1]:
            about_account(service, account_id)
            return


def hold_port(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises DataError when somebody else has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((host, port))
    except OSError as error:
        held.close()
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise DataError(f"{host}:{port} {why}; choose another with --port or NEXTBEST_PORT.") from None
    return held
