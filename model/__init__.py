"""Pixels to words: photos to embeddings, captions and descriptions. Knows no web framework, dataset or training."""
