"""From a plan to a graph of operators."""
