"""From a query's clauses to a plan, a clause a module; `query` is the way in."""
