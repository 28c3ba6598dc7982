"""What the API of all apps shares, and knows none of them."""
