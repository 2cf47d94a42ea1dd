"""What only one candidate says is left unsaid, and alternatives differ in content."""

import pytest

from model.protocols import Caption
from model.signals import signals_of
from model.support import claims_of, distinct, say_the_same, supported_text

DOGS = [
    "a brown dog runs on grass",
    "a dog runs on grass",
    "a dog running on green grass",
    "a dog on grass with a ball",
]


def test_claims_have_the_share_of_the_candidates_that_say_them():
    support = {claim.text: claim.support for claim in claims_of(DOGS[0], DOGS)}
    assert support == {"brown": 0.25, "dog": 1.0, "runs": 0.75, "grass": 1.0}  # running is runs


@pytest.mark.parametrize(
    "language, answer, others, said",
    [
        ("en", "a brown dog runs on grass", DOGS[1:], "a dog runs on grass"),
        ("en", "a dog on grass with a ball", DOGS[1:3], "a dog on grass"),
        ("en", "a dog on grass with a ball", ["a dog with a ball", "a ball on grass"], "a dog on grass with a ball"),
        ("en", "two men sit in a boat", ["men sit in a boat", "men in a boat"], "men sit in a boat"),
        (
            "id",
            "dua orang duduk di perahu merah",
            ["orang duduk di perahu", "orang di perahu"],
            "orang duduk di perahu",
        ),
        ("en", "a dog", [], "a dog"),
        ("fr", "un chien brun", ["un chien"], "un chien brun"),
    ],
)
def test_what_one_candidate_alone_says_is_left_out(language, answer, others, said):
    assert supported_text(answer, [answer, *others], language) == said


def test_alternatives_differ_in_content():
    texts = ["a dog runs on grass", "a dog is running on grass", "a cat sleeps on a sofa", "the dog runs on the grass"]
    assert distinct(texts) == [0, 2]
    assert say_the_same("a dog", "a brown dog on grass") and not say_the_same("a brown dog", "a brown bag")


def test_signals_of_a_captioner_that_gives_little():
    (own, other) = Caption("a dog on grass"), Caption("a cat")
    assert signals_of(own, [own, other]) == {"words": 4.0, "support": 0.5}


def test_signals():
    own = Caption("a dog", 0.5, 0.0, (1, 2), (-0.1, -2.0), likeness=0.5, agreement=0.8)
    other = Caption("a cat", 0.4, 0.0, (1, 3), (-0.2, -3.0), likeness=0.3, agreement=0.7)
    found = signals_of(own, [own, other])
    assert found["likeness_margin"] == pytest.approx(0.1) and found["mean_log_probability"] == pytest.approx(-1.05)
    assert found["least_probability"] == pytest.approx(0.1353, abs=1e-4) and found["support"] == 0.5
