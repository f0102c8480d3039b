"""One statement from its text: what it defines, changes, reads, shows or sets."""
