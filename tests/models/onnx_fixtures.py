"""Writes the fixtures of the tests of ONNX: small models, and what onnxruntime says of rows.

usage: onnx_fixtures.py FOLDER

Each is onnx_NAME.onnx, the model, beside onnx_NAME.rows: a line for each row with the values of the
row and the score.
"""

import pathlib
import sys

import numpy as np

import onnx_cases

folder = pathlib.Path(sys.argv[1])
data, score, label = onnx_cases.frame(400)
for name, (make, gaps) in onnx_cases.all_cases(trees=3, rows=400):
    model = make(data, score, label)
    rows = onnx_cases.rows_to_score(model, data, gaps)[:24].astype(np.float32).astype(float)
    (folder / f"onnx_{name}.onnx").write_bytes(model.SerializeToString())
    scores = onnx_cases.answers(model, rows)
    lines = [
        " ".join(repr(float(number)) for number in [*row, score])
        for row, score in zip(rows, scores)
    ]
    (folder / f"onnx_{name}.rows").write_text("\n".join(lines) + "\n")
