"""Subqueries in expressions, as joins: what ties them to the query around them."""
