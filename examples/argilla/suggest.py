"""Writes Touchstone's scores into a dataset of Argilla, as suggestions.

    touchstone score answers.jsonl --output scored.jsonl
    python suggest.py scored.jsonl --dataset answers --create

The server and the key come from ARGILLA_API_URL and ARGILLA_API_KEY. The score becomes the
suggestion; the interval and "not sure" become metadata, by which records can be filtered and sorted.
"""

import argparse
import json
import sys
from pathlib import Path

import argilla as rg

HERE = Path(__file__).parent
HOST = "https://touchstone.example.org"
"""The host named in the templates."""

METADATA = [
    lambda: rg.FloatMetadataProperty("touchstone_score", title="Touchstone"),
    lambda: rg.FloatMetadataProperty("touchstone_low", title="Touchstone, lower end"),
    lambda: rg.FloatMetadataProperty("touchstone_high", title="Touchstone, upper end"),
    lambda: rg.TermsMetadataProperty("touchstone_unsure", options=["no", "yes"], title="Touchstone is not sure"),
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path, help="what `touchstone score FILE --output OUT.jsonl` wrote")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--workspace", help="the first one when left out")
    parser.add_argument("--create", action="store_true", help="make the dataset, with the widget as a field")
    parser.add_argument("--host", default=HOST, help="where the widget comes from (with --create)")
    parser.add_argument("--basic", action="store_true", help="the Handlebars form of the widget (with --create)")
    parser.add_argument("--question", default="score", help="the rating question that gets the suggestion")
    parser.add_argument("--scale", help="WORST-BEST of that question where it is not 0-10, such as 1-5")
    parser.add_argument("--id", default="id", help="the field of the file that holds the record's id")
    return parser.parse_args()


def rows(file):
    """The lines of the file, each with its number for messages."""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            sys.exit(f"{file}, line {number}: not JSON ({error}); expected the JSON lines of `touchstone score`")
        if not isinstance(row, dict) or "predicted" not in row:
            sys.exit(f"{file}, line {number}: no `predicted`; expected the JSON lines of `touchstone score FILE --output`")
        yield number, row


def first(row, *names):
    return next((row[name] for name in names if row.get(name)), None)


def identifier(row, args, number):
    found = row.get(args.id)
    if found is None and args.create:
        return f"{args.file.stem}-{number}"
    if found is None:
        sys.exit(f"{args.file}, line {number}: no `{args.id}`; expected the id of a record (--id names another field)")
    return str(found)


def value_of(score, question, scale):
    """The score as one of the question's values; another scale is used only where it was named."""
    values = sorted(question.values)
    worst, best = [int(end) for end in scale.split("-")] if scale else (0, 10)
    if {worst, best} != {values[0], values[-1]}:
        sys.exit(
            f"question {question.name} goes from {values[0]} to {values[-1]}; say which end is the worst: "
            f"--scale {values[0]}-{values[-1]} or --scale {values[-1]}-{values[0]}"
        )
    wanted = worst + score / 10 * (best - worst)
    return min(values, key=lambda value: abs(value - wanted))


def metadata_of(score):
    low, high = score["interval"] or (None, None)
    found = {"touchstone_score": score["score"], "touchstone_low": low, "touchstone_high": high}
    found["touchstone_unsure"] = "yes" if score["abstain"] else "no"
    return {key: value for key, value in found.items() if value is not None}


def suggestion_of(score, question, scale):
    # Argilla's `score` is the confidence in a suggestion from 0 to 1. Touchstone claims none: what it
    # knows of its doubt is in the metadata.
    return rg.Suggestion(
        question_name=question.name,
        value=value_of(score["score"], question, scale),
        type="model",
        agent=f"touchstone-{score['receipt']['bundle'][:12]}",
    )


def create(client, args):
    template = (HERE / ("field.html" if args.basic else "field-advanced.html")).read_text(encoding="utf-8")
    settings = rg.Settings(
        guidelines="How well does the answer do on the metric? 0 is the worst, 10 the best.",
        fields=[
            rg.TextField("system", title="System prompt", required=False),
            rg.TextField("prompt", title="Prompt"),
            rg.TextField("response", title="Answer"),
            rg.CustomField(
                "touchstone",
                title="Touchstone",
                template=template.replace(HOST, args.host.rstrip("/")),
                advanced_mode=not args.basic,
            ),
        ],
        questions=[rg.RatingQuestion(args.question, values=list(range(11)), title="Score")],
        metadata=[make() for make in METADATA],
    )
    return rg.Dataset(args.dataset, workspace=args.workspace, settings=settings, client=client).create()


def needs_advanced(found):
    """Handlebars cannot hand over a metric of one's own."""
    own = [number for number, row in found if first(row, "metric_description", "definition")]
    if own:
        sys.exit(f"line {own[0]} defines a metric of its own, which only the advanced form can show: leave --basic out")


def fields_of(row):
    fields = {
        "prompt": first(row, "user_prompt", "user", "prompt"),
        "response": first(row, "response", "answer"),
        "system": first(row, "system_prompt", "system"),
        "touchstone": {"metric": first(row, "metric_name", "metric")},
    }
    definition = first(row, "metric_description", "definition")
    if definition:
        fields["touchstone"]["definition"] = definition
    return {key: value for key, value in fields.items() if value is not None}


def add_metadata(dataset):
    """The metadata properties that the dataset does not have yet."""
    known = {each.name for each in dataset.settings.metadata}
    missing = [made for made in (make() for make in METADATA) if made.name not in known]
    for made in missing:
        dataset.settings.add(made)
    if missing:
        dataset.update()


def main():
    args = arguments()
    found = list(rows(args.file))
    if args.create and args.basic:
        needs_advanced(found)
    client = rg.Argilla()
    if args.create:
        dataset = create(client, args)
        records = {identifier(row, args, number): None for number, row in found}
    else:
        dataset = client.datasets(args.dataset, workspace=args.workspace)
        if dataset is None:
            sys.exit(f"no dataset {args.dataset}; --create makes it")
        add_metadata(dataset)
        records = {record.id: record for record in dataset.records(with_responses=False)}
    question = dataset.settings.questions[args.question]
    written, skipped = [], 0
    for number, row in found:
        name, score = identifier(row, args, number), row["predicted"]
        if name not in records or (score is None and not args.create):
            skipped += 1
            continue
        record = records[name] or rg.Record(id=name, fields=fields_of(row))
        if score is not None:
            older = [key for key in record.metadata if key.startswith("touchstone_")]
            for key in older:
                del record.metadata[key]
            record.metadata.update(metadata_of(score))
            record.suggestions.add(suggestion_of(score, question, args.scale))
        written.append(record)
    if written:
        dataset.records.log(written)
    print(f"{len(written)} records written, {skipped} lines without a score or a record of their id")


if __name__ == "__main__":
    main()
