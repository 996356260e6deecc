"""The ways in: HTTP, page, command line. Thin."""

import data  # noqa: F401 - points numba at its cache before the engine is imported
