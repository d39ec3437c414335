"""Rows and schemas on their way into and out of a directory: CSV, JSON lines, SQLite and others."""
