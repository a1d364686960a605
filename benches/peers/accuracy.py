"""Compares vectors with the same weights in f64: `python accuracy.py BUNDLE < REQUEST`.

REQUEST is `{"ids": [[id]], "vectors": {peer: [[value]]}}`; printed is `{peer: {"least", "mean"}}`, cosines.
"""

import json
import sys

import numpy as np

from weights import Reference, Weights


def main():
    request = json.load(sys.stdin)
    reference = Reference(Weights(sys.argv[1]))
    expected = np.array([reference.embed(ids) for ids in request["ids"]])
    found = {}
    for peer, vectors in request["vectors"].items():
        vectors = np.array(vectors, dtype=np.float64)
        cosines = (vectors * expected).sum(axis=1) / np.linalg.norm(vectors, axis=1)
        found[peer] = {"least": cosines.min(), "mean": cosines.mean()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
