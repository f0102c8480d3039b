"""Typed scalar expressions over columns: PostgreSQL's semantics, a whole column at a time.

A row in which an expression fails becomes a row of the error side; no function here raises for
what a row holds.
"""
