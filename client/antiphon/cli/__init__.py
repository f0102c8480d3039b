"""The `antiphon` command. `main` is the entry point; a command's code is imported when it runs."""
