"""`python -m antiphon.cli`: the `antiphon` command without its script."""

from antiphon.cli.entry import main

main()
