"""Rows as Arrow columns, and what is computed of them whole: order, equality, words, groups."""
