"""Plans and typed expressions as values: taken apart, put together, folded."""
