"""Language codes, and the words in which doubt and caution are told."""
