"""A recipe for Prodigy that shows Touchstone's score beside each answer.

    prodigy touchstone.rate answers_rated answers.jsonl --metric fairness -F recipe.py

Each line of the source has `prompt` and `response`, and may have `system`, `metric` and `definition`.
The score is written into the task as `score`, with `touchstone` (interval, "not sure", model) beside it,
and the annotator's own one, set in the card, as `rating`.
"""

from pathlib import Path

import prodigy
from prodigy.components.loaders import JSONL

HERE = Path(__file__).parent
HOST = "https://touchstone.example.org/"
"""The host named in touchstone.js."""


def text(name):
    return (HERE / name).read_text(encoding="utf-8")


def tasks(source, metric):
    for number, line in enumerate(JSONL(source), start=1):
        missing = [name for name in ("prompt", "response") if not isinstance(line.get(name), str)]
        if missing:
            raise ValueError(f"{source}, line {number}: no text in {' and '.join(missing)}; found {', '.join(line)}")
        yield {"metric": metric, "system": "", **line}


@prodigy.recipe(
    "touchstone.rate",
    dataset=("Dataset for the answers", "positional", None, str),
    source=("JSON lines with prompt and response", "positional", None, str),
    metric=("Metric of lines that name none", "option", "m", str),
    host=("Where the widget comes from", "option", "t", str),
)
def rate(dataset, source, metric="task_completion_rate", host=HOST):
    host = host if host.endswith("/") else f"{host}/"
    return {
        "dataset": dataset,
        "stream": tasks(source, metric),
        "view_id": "blocks",
        "config": {
            "blocks": [{"view_id": "html", "html_template": text("touchstone.html")}],
            "javascript": text("touchstone.js").replace(HOST, host),
            "global_css": text("touchstone.css"),
        },
    }
