"""Scores every model in ONNX with onnxruntime and with ours, and says how far they are apart."""

import pathlib
import subprocess
import sys

import numpy as np

import onnx_cases

ours, work = sys.argv[1], pathlib.Path(sys.argv[2])
# Both compute in 32 bits, and add up a network's products in another order.
ALLOWED = 2e-6


def score(model, rows):
    path = work / "model.onnx"
    path.write_bytes(model.SerializeToString())
    rows.astype("<f8").tofile(work / "rows")
    subprocess.run([ours, "score", path, work / "rows", work / "out"], check=True)
    return np.fromfile(work / "out", "<f8").reshape(len(rows), 2)[:, 1]


print(f"\n{'ONNX beside onnxruntime':28} {'rows':>6} {'bits ≠':>7} {'furthest':>9}")
good = True
data, target, label = onnx_cases.frame(10_000)
for name, (make, gaps) in onnx_cases.all_cases():
    model = make(data, target, label)
    rows = onnx_cases.rows_to_score(model, data, gaps)
    got, expected = score(model, rows), onnx_cases.answers(model, rows)
    apart = int((got.astype(np.float32).view(np.uint32) != expected.view(np.uint32)).sum())
    scale = np.maximum(np.abs(expected.astype(float)), 1.0)
    furthest = float((np.abs(got - expected) / scale).max())
    bad = not furthest <= ALLOWED
    good &= not bad
    print(
        f"{name:28} {len(rows):6} {apart:7} {furthest:9.1e} {'FAILED' if bad else ''}", flush=True
    )
sys.exit(0 if good else 1)
