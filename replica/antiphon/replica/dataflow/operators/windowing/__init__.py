"""Rows that are seen among their partition: window functions, ranking, top-k."""
