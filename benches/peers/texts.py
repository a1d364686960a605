"""Chooses what is encoded: `python texts.py ROWS.jsonl TOKENIZER.json OUTPUT.json`.

Texts of an exact number of tokens (prefix and special tokens included) for each batch and length, and
real answers in the languages of ROWS. Written as `[{"name", "calls": [[text]], "ids": [[[id]]],
"tokens"}]`; a call is what is given at once.
"""

import json
import sys
from itertools import islice

from tokenizers import Tokenizer

PREFIX = "query: "
BATCHES = [1, 8, 32]
LENGTHS = [32, 128, 512]
# Real answers: so many, so many of them one by one, none of fewer characters.
REAL, ALONE, SHORTEST = 64, 16, 40
FILLER = "a"


def round_robin(rows):
    """Answers, the languages in turn."""
    languages = {}
    for row in rows:
        languages.setdefault(row["language"], []).append(row["response"])
    queues = [iter(texts) for texts in languages.values()]
    while queues:
        for queue in list(queues):
            text = next(queue, None)
            if text is None:
                queues.remove(queue)
            else:
                yield text


def exact(words, tokenizer, tokens):
    """A text of exactly so many tokens: words while they fit, then the shortest ones. Words are tokenized
    apart from each other, so their counts add up; the rare exception is begun anew."""
    count = lambda text: len(tokenizer.encode(text).ids)
    while True:
        chosen, left = [], tokens - count(PREFIX.strip())
        while left > 0:
            word, cost = next(words)
            chosen.append(word if cost <= left else FILLER)
            left -= cost if cost <= left else 1
        text = " ".join(chosen)
        if count(PREFIX + text) == tokens:
            return text


def counted(answers, tokenizer):
    """The words of the answers and how many tokens each comes to."""
    words = [word for answer in answers for word in answer.split()]
    encodings = tokenizer.encode_batch(words, add_special_tokens=False)
    return ((word, len(encoding.ids)) for word, encoding in zip(words, encodings))


def main():
    rows_file, tokenizer_file, output = sys.argv[1:]
    tokenizer = Tokenizer.from_file(tokenizer_file)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    with open(rows_file, encoding="utf-8") as file:
        answers = list(islice(round_robin(map(json.loads, file)), 4000))
    words = counted(answers, tokenizer)
    workloads = [
        (f"{batch} x {length}", [[exact(words, tokenizer, length) for _ in range(batch)]])
        for batch in BATCHES
        for length in LENGTHS
    ]
    real = [answer for answer in answers if len(answer) >= SHORTEST][:REAL]
    workloads.append((f"{REAL} answers", [real]))
    workloads.append((f"{ALONE} answers one by one", [[text] for text in real[:ALONE]]))
    described = []
    for name, calls in workloads:
        ids = [[tokenizer.encode(PREFIX + text).ids for text in call] for call in calls]
        tokens = sum(len(row) for call in ids for row in call)
        described.append({"name": name, "calls": calls, "ids": ids, "tokens": tokens})
    with open(output, "w", encoding="utf-8") as file:
        json.dump(described, file, ensure_ascii=False)


if __name__ == "__main__":
    main()
