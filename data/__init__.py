"""Files to examples: readers for captioned photo sets, and embeddings kept on disk."""
