"""What a photo holds beside its scene: its quality, its kind, its text."""
