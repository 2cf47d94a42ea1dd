"""Embedding to caption."""
