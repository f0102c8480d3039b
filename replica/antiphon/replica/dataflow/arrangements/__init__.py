"""Collections sorted by key, at all their times: batches, spines of them, traces on these."""
