"""From text to the parser's tree, and what is read of it: statements, words, places, values."""
