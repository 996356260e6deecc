"""Keeps. The only package that opens a file or a connection."""
