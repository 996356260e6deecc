"""Keeps. The only package that opens a file or a connection."""

from data.compiled import use_cache_folder

use_cache_folder()
