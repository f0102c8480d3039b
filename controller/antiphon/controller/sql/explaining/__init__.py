"""Plans for people: EXPLAIN in its kinds."""
