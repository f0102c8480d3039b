"""Whoever reads a dataflow: peeks, subscribes, copies, and the store for materialized views."""
