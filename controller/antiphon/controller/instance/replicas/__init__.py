"""How one replica is brought up to date.

What it is sent, from whom it reads its base, when its dataflows start.
"""
