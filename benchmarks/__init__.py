"""Speeds, measured against a peer in the same run and given as ratios: `make bench`."""
