"""The original ClipCap's checkpoints and decoder, written down once more in the plainest form, to compare ours with.

Facts from arXiv 2111.09734 and its published weights; GPT-2 is transformers', read anew at every step.
"""

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

WIDTH, LAYERS, VOCABULARY = 64, 2, 300  # one head of 64, as all heads of GPT-2 are
TEXTS = ["A dog runs over the grass.", "Two people cross the street at a zebra crossing.", "careful, a ditch."] * 4


def gpt2_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 1, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return tokenizer


def gpt2(vocabulary: int) -> GPT2LMHeadModel:
    torch.manual_seed(3)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=vocabulary, n_embd=WIDTH, n_layer=LAYERS, n_head=1, n_positions=80))
    for name, parameter in model.named_parameters():
        if "ln_" not in name:
            torch.nn.init.normal_(parameter, std=0.12)
    with torch.no_grad():
        model.transformer.ln_f.weight.mul_(4)
    return model.eval()


def mapper(kind: str, embedding_dim: int, prefix: int = 5, clip_length: int = 3, layers: int = 2) -> dict[str, Tensor]:
    torch.manual_seed(4)
    make = lambda *shape: torch.randn(*shape) / shape[-1] ** 0.5  # noqa: E731
    if kind == "mlp":
        hidden = WIDTH * prefix // 2
        return {
            "clip_project.model.0.weight": make(hidden, embedding_dim),
            "clip_project.model.0.bias": make(hidden),
            "clip_project.model.2.weight": make(WIDTH * prefix, hidden),
            "clip_project.model.2.bias": make(WIDTH * prefix),
        }
    tensors = {
        "clip_project.linear.weight": make(clip_length * WIDTH, embedding_dim),
        "clip_project.linear.bias": make(clip_length * WIDTH),
        "clip_project.prefix_const": make(prefix, WIDTH),
    }
    for i in range(layers):
        name = f"clip_project.transformer.layers.{i}."
        for norm in ("norm1", "norm2"):
            tensors |= {f"{name}{norm}.weight": 1 + make(WIDTH), f"{name}{norm}.bias": make(WIDTH)}
        tensors |= {
            f"{name}attn.to_queries.weight": make(WIDTH, WIDTH),
            f"{name}attn.to_keys_values.weight": make(2 * WIDTH, WIDTH),
            f"{name}attn.project.weight": make(WIDTH, WIDTH),
            f"{name}attn.project.bias": make(WIDTH),
            f"{name}mlp.fc1.weight": make(2 * WIDTH, WIDTH),
            f"{name}mlp.fc1.bias": make(2 * WIDTH),
            f"{name}mlp.fc2.weight": make(WIDTH, 2 * WIDTH),
            f"{name}mlp.fc2.bias": make(WIDTH),
        }
    return tensors


def prefix_of(t: dict[str, Tensor], embedding: Tensor, heads: int = 8) -> Tensor:
    """(D,) -> (P, W), one photo at a time."""
    c = "clip_project."
    if f"{c}prefix_const" not in t:
        hidden = torch.tanh(F.linear(embedding, t[f"{c}model.0.weight"], t[f"{c}model.0.bias"]))
        return F.linear(hidden, t[f"{c}model.2.weight"], t[f"{c}model.2.bias"]).view(-1, WIDTH)
    constants = t[f"{c}prefix_const"]
    x = F.linear(embedding, t[f"{c}linear.weight"], t[f"{c}linear.bias"]).view(-1, WIDTH)
    x, i = torch.cat([x, constants]), 0
    while f"{c}transformer.layers.{i}.norm1.weight" in t:
        n = f"{c}transformer.layers.{i}."
        y = F.layer_norm(x, (WIDTH,), t[n + "norm1.weight"], t[n + "norm1.bias"])
        queries = (y @ t[n + "attn.to_queries.weight"].T).view(len(x), heads, -1)
        keys_values = (y @ t[n + "attn.to_keys_values.weight"].T).view(len(x), 2, heads, -1)
        weights = torch.einsum("nhd,mhd->nmh", queries, keys_values[:, 0]) * (WIDTH // heads) ** -0.5
        y = torch.einsum("nmh,mhd->nhd", weights.softmax(1), keys_values[:, 1]).reshape(len(x), WIDTH)
        x = x + F.linear(y, t[n + "attn.project.weight"], t[n + "attn.project.bias"])
        y = F.layer_norm(x, (WIDTH,), t[n + "norm2.weight"], t[n + "norm2.bias"])
        y = F.relu(F.linear(y, t[n + "mlp.fc1.weight"], t[n + "mlp.fc1.bias"]))
        x = x + F.linear(y, t[n + "mlp.fc2.weight"], t[n + "mlp.fc2.bias"])
        i += 1
    return x[-len(constants) :]


@torch.no_grad()
def next_log_probs(gpt: GPT2LMHeadModel, prefix: Tensor, ids: list[int]) -> Tensor:
    """(V,): the whole sequence is read anew."""
    inputs = torch.cat([prefix, gpt.transformer.wte(torch.tensor(ids, dtype=torch.long))])[None]
    return gpt(inputs_embeds=inputs, use_cache=False).logits[0, -1].log_softmax(-1)


def greedy(gpt: GPT2LMHeadModel, prefix: Tensor, stop: int, most: int = 40) -> list[int]:
    ids: list[int] = []
    while len(ids) < most and (not ids or ids[-1] != stop):
        ids.append(int(next_log_probs(gpt, prefix, ids).argmax()))
    return ids


def beam_search(gpt: GPT2LMHeadModel, prefix: Tensor, stop: int, beams: int = 7, most: int = 40) -> list[tuple]:
    """(token ids, mean log-probability) of every beam, best first."""
    first = next_log_probs(gpt, prefix, []).topk(beams)
    # A beam: its tokens, their sum, its length, whether it has stopped.
    alive = [([i], total, 1, i == stop) for total, i in zip(first.values.tolist(), first.indices.tolist())]
    for _ in range(most - 1):
        if all(beam[3] for beam in alive):
            break
        candidates = []
        for ids, total, length, stopped in alive:
            if stopped:  # token 0 at no cost, and no longer
                candidates.append((total / length, [*ids, 0], total, length, True))
                continue
            log_probs = next_log_probs(gpt, prefix, ids)
            best = log_probs.topk(beams)
            for log_prob, token in zip(best.values.tolist(), best.indices.tolist()):
                mean = (total + log_prob) / (length + 1)
                candidates.append((mean, [*ids, token], mean * (length + 1), length + 1, token == stop))
        candidates.sort(key=lambda c: -c[0])
        alive = [candidate[1:] for candidate in candidates[:beams]]
    alive.sort(key=lambda beam: -beam[1] / beam[2])
    return [(ids[:length], total / length) for ids, total, length, _ in alive]
