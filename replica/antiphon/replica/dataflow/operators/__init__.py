"""The operators: each turns the changes of its inputs at one time into the change of its output."""
