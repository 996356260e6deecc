"""Learns. Offline; never imported by api."""
