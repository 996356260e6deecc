"""Learns. Offline; never imported by api."""

import data  # noqa: F401 - points numba at its cache before the engine is imported
