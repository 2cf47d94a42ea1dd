"""What is wrong with a photo and how to take a better one, by language: one short text a problem of
`model.senses.quality`."""

from collections.abc import Iterable, Mapping

ADVICE: Mapping[str, Mapping[str, str]] = {
    "en": {
        "blank": "There is nothing to see in it. Make sure that nothing lies on the camera, and try again.",
        "dark": "It is very dark. Turn on a light or the flash and try again.",
        "bright": "It is far too bright. Turn away from the light and try again.",
        "blurred": "It is blurred. Hold the phone still, wait a moment and try again.",
        "covered": "Something may cover the camera, such as a finger. Take it away and try again.",
        "small": "It is a very small picture. Send a larger copy if there is one.",
    },
    "id": {
        "blank": "Tidak ada yang terlihat di foto ini. Pastikan kamera tidak tertutup, lalu coba lagi.",
        "dark": "Fotonya sangat gelap. Nyalakan lampu atau lampu kilat, lalu coba lagi.",
        "bright": "Fotonya terlalu terang. Arahkan kamera menjauh dari cahaya, lalu coba lagi.",
        "blurred": "Fotonya buram. Pegang ponsel dengan stabil, tunggu sebentar, lalu coba lagi.",
        "covered": "Mungkin ada yang menutupi kamera, misalnya jari. Singkirkan, lalu coba lagi.",
        "small": "Gambarnya sangat kecil. Kirim salinan yang lebih besar jika ada.",
    },
}


def advice(problems: Iterable[str], language: str) -> tuple[str, ...]:
    """A text for each problem, in their order; English for a language without texts of its own."""
    texts = ADVICE.get(language, ADVICE["en"])
    return tuple(texts[problem] for problem in problems)
