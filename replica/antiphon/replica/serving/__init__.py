"""What the front keeps for whom it serves: what may be claimed, and large results."""
