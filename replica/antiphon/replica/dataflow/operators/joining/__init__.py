"""Rows that are put together with others."""
