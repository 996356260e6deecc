"""Learns. Offline: history to cases, learners, an honest comparison, a release. Never imported by api."""
