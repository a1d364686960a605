"""Measures trimmed vocabularies: `evaluate.py PACKAGES HELDOUT KEPT... > table`.

For each language of HELDOUT (JSON lines, see `heldout.py`): running tokens that are kept, growth of the token
count, texts that are segmented as before, <unk> before and after, and cosines between e5's vectors
("query: " + text, mean of tokens) with the full vocabulary and the trimmed one.
LANGUAGES (names) and TEXTS (how many of each) in the environment narrow it down; TOKENS_ONLY leaves cosines out.
"""

import json
import os
import sys
import time
from collections import defaultdict

import numpy as np

from choose import LANGUAGES
from encoder import Encoder
from trimming import Vocabulary, read_kept

os.environ["TOKENIZERS_PARALLELISM"] = "false"


def segment(vocabulary, texts, kept=None):
    """Ids of the full vocabulary for each text."""
    old = kept if kept is not None else range(len(vocabulary.pieces))
    codes = vocabulary.tokenizer(kept).encode_batch([f"query: {text}" for text in texts], add_special_tokens=False)
    return [[0, *(old[index] for index in code.ids), 2][:512] for code in codes]


def main():
    folder, heldout, *paths = sys.argv[1:]
    only = set(os.environ.get("LANGUAGES", "").split())
    vocabulary = Vocabulary(folder)
    rows = defaultdict(list)
    for line in open(heldout):
        row = json.loads(line)
        if not only or row["language"] in only:
            if len(rows[row["language"]]) < int(os.environ.get("TEXTS", 1000)):
                rows[row["language"]].append(row["text"])
    encoder = None if os.environ.get("TOKENS_ONLY") else Encoder(folder)
    tags = [tag for tag in LANGUAGES if tag in rows] + sorted(set(rows) - set(LANGUAGES))
    texts = [(tag, text) for tag in tags for text in rows[tag]]
    full = segment(vocabulary, [text for _, text in texts])
    whole = {}
    for path in paths:
        kept = read_kept(path)
        left = set(kept)
        trimmed = segment(vocabulary, [text for _, text in texts], kept)
        print(f"## {path}: {len(kept)} ids\n")
        print("| language | texts | tokens kept | token growth | unchanged | unk before | unk after | cosine mean | cosine p5 |")
        print("|---|---|---|---|---|---|---|---|---|")
        at = 0
        for tag in tags:
            here = range(at, at + len(rows[tag]))
            at = here.stop
            tokens = [token for index in here for token in full[index][1:-1]]
            after = [token for index in here for token in trimmed[index][1:-1]]
            changed = [index for index in here if full[index] != trimmed[index]]
            cosines = ""
            if encoder and (tag in LANGUAGES or not only):
                need = [index for index in changed if index not in whole]
                whole.update(zip(need, encoder.embed([full[index] for index in need])))
                values = np.ones(len(here))
                if changed:
                    new = encoder.embed([trimmed[index] for index in changed])
                    values[: len(changed)] = [whole[index] @ vector for index, vector in zip(changed, new)]
                cosines = f"{values.mean():.4f} | {np.percentile(values, 5):.4f}"
            unknown = [part.count(vocabulary.unknown) for part in (tokens, after)]
            print(f"| {tag} | {len(here)} | {sum(t in left for t in tokens) / len(tokens):.4f} | "
                  f"{len(after) / len(tokens) - 1:+.4f} | {1 - len(changed) / len(here):.2f} | "
                  f"{unknown[0]} | {unknown[1]} | {cosines or ' | '} |", flush=True)
        print()


if __name__ == "__main__":
    main()
