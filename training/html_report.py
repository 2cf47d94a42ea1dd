"""A report of photos with captions and references, as one HTML file that holds its thumbnails."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from data.datasets import Example
from training.photos import open_image

PHOTOS = 100
THUMBNAIL = 160  # pixels, the longer side


def write_html_report(
    path: Path, about: dict, examples: Sequence[Example], captions: Sequence[str], references: Sequence[Sequence[str]]
) -> None:
    """Write up to a hundred photos, evenly sampled, each with its caption and its references."""
    chosen = np.linspace(0, len(examples) - 1, min(PHOTOS, len(examples)), dtype=int)
    items = "".join(_item(examples[i], captions[i], references[i]) for i in chosen)
    title = escape(f"{about['model']} on {about['data']} ({about['split']}), {about['style']}, {about['language']}")
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font:16px sans-serif;margin:1rem}li{display:flex;gap:1rem;margin:1rem 0}p{margin:.2rem 0}</style>"
        f"<h1>{title}</h1><ol>{items}</ol></html>\n",
        encoding="utf-8",
    )


def _item(example: Example, caption: str, references: Sequence[str]) -> str:
    photo = open_image(example)
    photo.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=70)
    source = base64.b64encode(buffer.getvalue()).decode()
    expected = "".join(f"<p>{escape(text)}</p>" for text in references)
    return (
        f'<li><img src="data:image/jpeg;base64,{source}" alt="{escape(caption, quote=True)}">'
        f"<div><p><strong>{escape(caption)}</strong></p>{expected}</div></li>"
    )
