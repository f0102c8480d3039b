"""What comes in from the store, whom it concerns, and what is kept of it by key for all."""
