"""Whether replicas hold the same content, and what is done if not."""
