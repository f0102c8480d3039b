"""What a name means and which type an expression has: scopes, relations, coercion."""
