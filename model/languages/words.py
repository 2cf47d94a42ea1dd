"""Text -> the terms it is indexed and searched by: words whatever their form, numbers however they are grouped.

The language of a text is not asked for: a word has the stem of each language in which it may be one, so that "berjalan"
finds "jalan" and "walking" finds "walk" in whatever stands around them.
"""

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

# Words that say nothing of a photo, in English and Indonesian.
ENGLISH = """
a an and are at by did do does find for from get has have i in is it its me my of on or our photo photos picture
pictures show that the there these this to was we were what when where which who with you your
"""
INDONESIAN = """
ada adalah aku atau cari dan dari dengan di foto gambar ini itu ke mana oleh pada saya sebuah seorang untuk yang
"""
STOPWORDS = frozenset((ENGLISH + INDONESIAN).split())
# 15.000 and 15,000, and 15.000,00 for what is still 15 thousand.
GROUPED = r"[1-9]\d{0,2}(?:[.,]\d{3})+(?!\d)(?:[.,]00(?!\d))?"
# A currency stands before its number and a unit (of two letters: 9A is one word) behind it, with a space or without.
WORD = re.compile(rf"(?:rp|idr|usd)(?=\d)|{GROUPED}|\d+(?=[^\W\d_]{{2}})|[^\W_]+", re.IGNORECASE)
ENDINGS = re.compile(r"(?<=\w)['’](?:s|t|d|m|ll|re|ve)\b", re.IGNORECASE)  # dog's, don't
ACCENTS = re.compile("[\u0300-\u036f]")
SHORTEST, LONGEST = 4, 40  # letters of a word that is looked up in the dictionary of Indonesian roots
FORMS_KEPT = 2**16


def split_words(text: str) -> list[str]:
    """Words and numbers of a text, as it has them, in lower case."""
    words = WORD.findall(ENDINGS.sub("", unicodedata.normalize("NFC", text)))
    return [word.lower() for word in words]  # not the text: "İ" becomes two characters, of which one is no letter


def keywords(query: str) -> list[str]:
    """The words of a query that count, in lower case, each once; none where there are only stop words."""
    return [word for word in dict.fromkeys(split_words(query)) if word not in STOPWORDS]


@lru_cache(FORMS_KEPT)
def terms_of(word: str) -> tuple[str, ...]:
    """What a word of `split_words` is indexed by, letters and digits alone; two words that share one are the same."""
    word = re.sub(r"[.,]", "", re.sub(r"[.,]00$", "", word))
    plain = unicodedata.normalize("NFC", ACCENTS.sub("", unicodedata.normalize("NFKD", word)))
    word = plain if plain.isalnum() else word  # not for ½, which would be 1 and 2
    return tuple(dict.fromkeys((_english_stem(word), _english_stem(_indonesian_root(word)))))


def index_terms(text: str) -> str:
    """All terms of a text in its order, with a space between them: what a full-text index is given."""
    return " ".join(term for word in split_words(text) for term in terms_of(word))


def is_held(word: str, terms: set[str]) -> bool:
    """Whether a text of these terms holds the word."""
    return not terms.isdisjoint(terms_of(word))


def words_held(text: str, wanted: list[str]) -> tuple[str, ...]:
    """The words of the text that are wanted, in whatever form, as the text has them, in lower case, each once."""
    terms = {term for word in wanted for term in terms_of(word)}
    return tuple(word for word in dict.fromkeys(split_words(text)) if is_held(word, terms))


def _english_stem(word: str) -> str:
    """By Snowball's English (Porter 2) stemmer."""
    return _english()().stemWord(word)  # one that is used by two threads mixes their words


def _indonesian_root(word: str) -> str:
    """By the stemmer of Nazief and Adriani as improved since, which finds roots of a dictionary alone; the word itself
    if it has none."""
    if not (word.isascii() and word.isalpha() and SHORTEST <= len(word) <= LONGEST):
        return word
    return _indonesian().stem_word(word)


@cache
def _english() -> Any:
    from snowballstemmer.english_stemmer import EnglishStemmer

    return EnglishStemmer


@cache
def _indonesian() -> Any:
    """Loads the dictionary, 30,000 roots, when it is first asked."""
    from Sastrawi.Dictionary.ArrayDictionary import ArrayDictionary
    from Sastrawi.Stemmer.Stemmer import Stemmer
    from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

    return Stemmer(ArrayDictionary(StemmerFactory().get_words()))
