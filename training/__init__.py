"""Datasets to checkpoints. Never imported by `model` or `deploy`."""
