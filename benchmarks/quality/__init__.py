"""How good the decisions are, on worlds whose truth is known: `make bench-quality`."""
