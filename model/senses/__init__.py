"""What a photo holds beside its scene: its text, its codes, its quality, names of things."""
