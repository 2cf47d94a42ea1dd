"""Pixels to words: embeddings, captions and descriptions of photos. Knows no web framework, dataset or training loop."""
