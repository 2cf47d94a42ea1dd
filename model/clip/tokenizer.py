"""CLIP's own tokenizer: lower-cased byte-level BPE with 49,408 tokens, from the `tokenizer.json` beside the weights."""

from tokenizers import Tokenizer

from model.bpe import BpeTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"


class ClipTokenizer(BpeTokenizer):
    """`start_id`, `end_id`: int, the tokens around a sentence."""

    required, otherwise = (START, END), "it is not CLIP's"

    def __init__(self, tokenizer: Tokenizer):
        super().__init__(tokenizer)
        self.start_id, self.end_id = tokenizer.token_to_id(START), tokenizer.token_to_id(END)
