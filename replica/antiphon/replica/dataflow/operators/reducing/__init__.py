"""Rows that are grouped: what is kept for each group."""
