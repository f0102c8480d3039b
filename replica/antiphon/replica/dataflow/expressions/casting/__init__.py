"""From one type to another, text among them."""
