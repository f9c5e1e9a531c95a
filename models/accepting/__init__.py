"""What may be told of an order, or why not."""
