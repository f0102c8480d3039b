"""Whose turn it is, in slices, and who is at rest and costs nothing."""
