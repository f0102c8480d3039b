"""What ships for those who extend Antiphon or implement it anew: simulation and conformance."""
