"""The product behind a real port, and playbooks with something taken out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

import data.playbooks
from api.app import create_app
from api.server import hold_port
from tests.api.company import Clock, Company, load, settings_of


@contextmanager
def real_server(home: Path, tables: dict[str, list[dict[str, Any]]], **settings: Any) -> Iterator[Company]:
    """The company's history loaded and served by uvicorn on a free port of this machine."""
    load(home, tables)
    clock, chosen = Clock(), settings_of(home, **settings)
    held = hold_port("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(chosen, clock=clock), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "The server did not start."
        time.sleep(0.01)
    address = f"http://127.0.0.1:{held.getsockname()[1]}"
    with httpx.Client(base_url=address, timeout=60) as client:
        yield Company(chosen, clock, client)
    server.should_exit = True
    thread.join()


def shipped(name: str = "pharma") -> str:
    """The text of a shipped playbook."""
    return (Path(data.playbooks.__file__).parent / f"{name}.toml").read_text(encoding="utf-8")


def without(text: str, table: str) -> str:
    """The playbook without one of its tables."""
    lines, kept, inside = text.splitlines(), [], False
    for line in lines:
        if line.startswith("["):
            inside = line.strip() == f"[{table}]"
        if not inside:
            kept.append(line)
    assert len(kept) < len(lines), f"The playbook has no [{table}]."
    return "\n".join(kept) + "\n"
