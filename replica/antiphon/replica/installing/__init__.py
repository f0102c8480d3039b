"""Dataflows that are installed: commands on them, what they put out, which of them stay."""
