"""What a photo holds beside its scene: its text, its codes."""
