"""Photo or sentence to embedding."""
