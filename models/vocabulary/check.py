"""Checks that trimming makes nothing unknown: `check.py PACKAGES KEPT`."""

import sys

from trimming import Vocabulary, read_kept


def main():
    folder, path = sys.argv[1:]
    vocabulary, kept = Vocabulary(folder), read_kept(path)
    if not vocabulary.compulsory() <= set(kept) or kept != sorted(set(kept)):
        raise SystemExit("a special id or a single character is missing, or the ids are not in order")
    full, trimmed, unknown = vocabulary.tokenizer(), vocabulary.tokenizer(kept), kept.index(vocabulary.unknown)
    texts = [piece.replace("▁", " ") for index, piece in enumerate(vocabulary.pieces) if index not in vocabulary.special]
    texts += [chr(code) for code in range(0x20, 0x30000) if not 0xD800 <= code < 0xE000]
    lost = 0
    for start in range(0, len(texts), 8192):
        batch = texts[start : start + 8192]
        pairs = zip(full.encode_batch(batch, add_special_tokens=False), trimmed.encode_batch(batch, add_special_tokens=False))
        lost += sum(unknown in after.ids and vocabulary.unknown not in before.ids for before, after in pairs)
    print(f"{len(kept)} ids; {lost} of {len(texts)} pieces and code points became unknown")
    raise SystemExit(lost > 0)


if __name__ == "__main__":
    main()
