"""CLIP's own tokenizer: lower-cased byte-level BPE with 49,408 tokens, from the `tokenizer.json` beside the weights."""

from pathlib import Path

from tokenizers import Tokenizer

START, END = "<|startoftext|>", "<|endoftext|>"


class ClipTokenizer:
    """`start_id`, `end_id`: int, the tokens around a sentence."""

    def __init__(self, tokenizer: Tokenizer):
        missing = [token for token in (START, END) if tokenizer.token_to_id(token) is None]
        if missing:
            raise ValueError(f"the tokenizer has no token {missing[0]}; it is not CLIP's")
        self._tokenizer = tokenizer
        self.start_id, self.end_id = tokenizer.token_to_id(START), tokenizer.token_to_id(END)

    @classmethod
    def load(cls, path: Path | str) -> "ClipTokenizer":
        return cls(Tokenizer.from_file(str(path)))

    def save(self, path: Path | str) -> None:
        self._tokenizer.save(str(path))

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, without the tokens around it."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids
