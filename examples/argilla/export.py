"""Exports the judgements of an Argilla dataset, for `touchstone import --from argilla`.

    python export.py --dataset answers --output export.json
    touchstone import export.json --from argilla --scale 0-10 --output judged.jsonl

The flat form is used because the nested one of `records.to_json()` does not say which answers were
submitted and which were discarded.
"""

import argparse
import json
import sys
from pathlib import Path

import argilla as rg


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--workspace")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    dataset = rg.Argilla().datasets(args.dataset, workspace=args.workspace)
    if dataset is None:
        sys.exit(f"no dataset {args.dataset}")
    records = dataset.records(with_responses=True, with_suggestions=False).to_list(flatten=True)
    args.output.write_text(json.dumps(records, ensure_ascii=False, indent=1), encoding="utf-8")
    print(f"{len(records)} records in {args.output}")


if __name__ == "__main__":
    main()
