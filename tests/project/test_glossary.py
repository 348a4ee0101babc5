"""The glossary: in order, each word once, every reference to a word that is there."""

import re

from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ENTRIES = re.search(r"```\{glossary\}\n(.*?)```", TEXT, re.DOTALL)[1]
WORDS = re.findall(r"^(\S.*)$", ENTRIES, re.MULTILINE)


def test_words_are_in_order_and_each_is_there_once():
    keys = [word.lower() for word in WORDS if word != "Op"]  # the short form of the word above it
    assert keys == sorted(set(keys))


def test_references_are_to_words_that_are_there():
    references = re.findall(r"\{term\}`([^`]+)`", TEXT)
    targets = {re.sub(r".*<(.*)>$", r"\1", " ".join(x.split())) for x in references}
    assert targets - set(WORDS) == set()
