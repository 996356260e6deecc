"""The ways in: HTTP, page, command line. Thin."""
