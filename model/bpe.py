"""What our tokenizers share: a `tokenizers.Tokenizer` from its `tokenizer.json`."""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer


class BpeTokenizer:
    """Text to token ids. `required`: tokens that must be there; `otherwise`: what to say where one is not."""

    required: tuple[str, ...] = ()
    otherwise = ""

    def __init__(self, tokenizer: Tokenizer):
        missing = [token for token in self.required if tokenizer.token_to_id(token) is None]
        if missing:
            raise ValueError(f"the tokenizer has no token {missing[0]}; {self.otherwise}")
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, path: Path | str):
        return cls(Tokenizer.from_file(str(path)))

    def save(self, path: Path | str) -> None:
        self._tokenizer.save(str(path))

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def token_id(self, token: str) -> int:
        """Raises KeyError if there is no such token."""
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise KeyError(token)
        return found

    def encode(self, text: str) -> list[int]:
        """Token ids of `text` as it stands, without any token around it."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`; control, start and end tokens leave no trace."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True).strip()
