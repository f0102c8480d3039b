"""What a replica says of itself: progress, news of dataflows, digests, memory, profiles."""
