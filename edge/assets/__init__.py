"""Pictures that the product itself shows."""
