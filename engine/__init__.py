"""Decides. Pure: arguments in, suggestions out; no files, clock, log or global random state."""
