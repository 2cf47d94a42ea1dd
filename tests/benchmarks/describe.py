"""`python -m tests.benchmarks.describe`: how fast the embedded captioner answers, and what it needs.

A photo of 12 megapixels; medians. Import, first caption and memory are of fresh processes.
"""

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
RUNS = 15
FIRST_CAPTION = (
    "import time; start = time.perf_counter()\n"
    "from PIL import Image; from model.describe import Describer\n"
    "Describer.load().describe(Image.new('RGB', (4000, 3000), 'gray')); print(time.perf_counter() - start)"
)


def photo_of_12_megapixels() -> bytes:
    """JPEG: a sample photo enlarged, with noise, so that it weighs what a camera's does."""
    with Image.open(ROOT / "data/samples/chelsea.jpg") as small:
        pixels = np.asarray(small.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC)).astype(np.int16)
    noisy = pixels + np.random.default_rng(0).normal(0, 6, pixels.shape).astype(np.int16)
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def median_ms(call, runs: int = RUNS) -> float:
    call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def describe_ms(photo: bytes) -> dict[str, float]:
    """Describer.describe after decoding, by language and style."""
    from model.describe import Describer
    from model.imaging import read_photo

    describer = Describer.load()
    image = read_photo(photo, max_bytes=2**25, max_pixels=50_000_000).image
    figures = {}
    for language in describer.info.languages:
        for style in describer.info.styles:
            ask = partial(describer.describe, image, language, style)
            figures[f"describe, {language}, {style}, ms"] = median_ms(ask)
    return figures


def first_caption_s() -> float:
    runs = [
        float(
            subprocess.run(
                [sys.executable, "-c", FIRST_CAPTION], cwd=ROOT, capture_output=True, text=True, check=True
            ).stdout
        )
        for _ in range(3)
    ]
    return statistics.median(runs)


def service_figures(photo: bytes) -> dict[str, float]:
    """Start of the service until it is ready, a whole request with its MP3, and the memory of the worker after them."""
    with tempfile.TemporaryDirectory() as instance:
        environment = os.environ | {"SIGHTLINE_INSTANCE": instance, "SIGHTLINE_PORT": "0"}
        start = time.perf_counter()
        service = subprocess.Popen(
            [sys.executable, "-m", "deploy.main"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            url = service.stdout.readline().split()[-1]
            ready = time.perf_counter() - start

            def request() -> None:
                post = urllib.request.Request(f"{url}/api/v1/describe", photo, {"Content-Type": "image/jpeg"})
                with urllib.request.urlopen(post) as answer:
                    audio = json.load(answer)["audio"]["url"]
                with urllib.request.urlopen(url + audio) as sound:
                    sound.read()

            whole = median_ms(request)
            return {
                "service ready, s": ready,
                "whole request with MP3, ms": whole,
                "memory of the worker, MB": resident_mb(service.pid),
            }
        finally:
            service.terminate()
            service.wait(30)


def resident_mb(parent: int) -> float:
    """Resident memory of the largest child process, in MB (Linux)."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    sizes = [
        int(line.split()[1]) / 1024
        for pid in children
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return max(sizes)


def main() -> None:
    photo = photo_of_12_megapixels()
    print(f"photo of 12 megapixels, {len(photo) / 2**20:.1f} MB; {os.cpu_count()} processors; medians of {RUNS}")
    figures = {"import and first caption, s": first_caption_s(), **service_figures(photo), **describe_ms(photo)}
    for name, value in figures.items():
        print(f"{name:<32}{value:>10.1f}")


if __name__ == "__main__":
    main()
