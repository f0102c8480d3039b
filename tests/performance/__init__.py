"""Benchmarks: both sides of a ratio in one run, beside its goal."""
