"""Writes the held-out texts: `heldout.py PACKAGES OWN FILE`, JSON lines of language, source and text."""

import hashlib
import json
import re
import sys

from choose import LANGUAGES
from corpora import declaration, gather

EACH = 30
ORDER = "answers sentences quran manuals mediawiki translations code".split()


def parts(text):
    """Pieces of one to three sentences."""
    found = ""
    for sentence in re.split(r"(?<=[.!?।॥۔؟。!?])\s*(?=\S)|\n+", text):
        if len(found) > 60:
            yield found
            found = ""
        found = f"{found} {sentence}".strip() if len(found) + len(sentence) < 400 else sentence[:400]
    if found:
        yield found


def pick(texts, least, most):
    """Up to `most` of the texts, in an order that depends on their bytes alone."""
    made = sorted({part for text in texts for part in parts(text) if len(part) >= least},
                  key=lambda text: hashlib.md5(text.encode()).digest())
    return made[:most]


def write(rights, held, path):
    with open(path, "w") as out:
        for tag in [*LANGUAGES, *sorted(set(rights) - set(LANGUAGES))]:
            least = 12 if tag in ("zh", "zh-hant", "ja", "ko") else 40
            main = tag in LANGUAGES
            chosen = [("declaration", text) for text in pick(rights.get(tag, ()), least, EACH if main else 20)]
            for source in ORDER if main else ():
                more = 2 * EACH - len(chosen)
                chosen += [(source, text) for text in pick(held.get((tag, source), ()), least, more)]
            for source, text in sorted(chosen, key=lambda row: hashlib.md5(row[1].encode()).digest()):
                out.write(json.dumps({"language": tag, "source": source, "text": text}, ensure_ascii=False) + "\n")


def main():
    folder, own, path = sys.argv[1:]
    _, held = gather(folder, own)
    write(declaration(folder), held, path)


if __name__ == "__main__":
    main()
