"""Scalar expressions: from the parser's tree to typed ones, by the functions that SQL has."""
