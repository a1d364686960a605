"""What the trimmed vocabulary does to scores: `scores.py PACKAGES TOUCHSTONE WHOLE SMALL > table`.

WHOLE and SMALL are bundles with the same heads, on the encoder with all tokens and on the trimmed one (the heads'
record of WHOLE names its encoder's hash). Answers are paragraphs of the Universal Declaration of Human Rights, asked
for by the paragraph before; the metric goes through the catalogue.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from choose import LANGUAGES
from corpora import declaration

EACH = 30


def rows(folder):
    metrics = [metric["name"] for metric in json.loads((Path(__file__).parents[2] / "src/metric/catalogue.json").read_text())]
    for tag, texts in sorted(declaration(folder).items()):
        if tag not in LANGUAGES:
            continue
        for index in range(1, min(len(texts), EACH + 1)):
            yield {"language": tag, "metric": metrics[index * 4 % len(metrics)],
                   "user": texts[index - 1], "response": texts[index]}


def scores(program, bundle, file):
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "scored.jsonl"
        subprocess.run([program, "score", file, "--bundle", bundle, "--output", output], check=True)
        return [json.loads(line)["predicted"]["score"] for line in output.open()]


def main():
    folder, program, *bundles = sys.argv[1:]
    made = list(rows(folder))
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(row) + "\n" for row in made)
        file.flush()
        whole, small = (np.array(scores(program, bundle, file.name)) for bundle in bundles)
    print("| language | answers | mean change | mean size of it | 95th percentile |\n|---|--:|--:|--:|--:|")
    languages = np.array([row["language"] for row in made])
    for tag in [tag for tag in LANGUAGES if tag in languages]:
        change = (small - whole)[languages == tag]
        size = np.abs(change)
        print(f"| {tag} | {len(change)} | {change.mean():+.2f} | {size.mean():.2f} | {np.percentile(size, 95):.2f} |")


if __name__ == "__main__":
    main()
