"""Lists and structs."""
