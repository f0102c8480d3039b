"""Numbers: arithmetic, decimals, bits."""
