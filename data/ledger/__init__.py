"""The ledger: everything that is live - blocks and tails, suggestions, people, runs, the release in use.

SQLAlchemy Core on SQLite (WAL, BEGIN IMMEDIATE, short transactions) or PostgreSQL by URL; Alembic migrations
in data/migrations. Every public method is one transaction. All SQL of the project is in this package.
"""
