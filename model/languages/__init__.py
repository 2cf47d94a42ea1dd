"""Language codes, and the words of doubt and caution."""
