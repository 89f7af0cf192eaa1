"""Scores every case with the library and with ours, and compares the bits."""

import pathlib
import subprocess
import sys

import numpy as np

import cases

ours, work = sys.argv[1], pathlib.Path(sys.argv[2])


def score(what, model, rows, columns):
    rows.astype("<f8").tofile(work / "rows")
    subprocess.run([ours, what, model, work / "rows", work / "out"], check=True)
    return np.fromfile(work / "out", "<f8").reshape(len(rows), columns)


def differing(got, expected):
    got, expected = got.astype(expected.dtype), np.ascontiguousarray(expected)
    word = {4: np.uint32, 8: np.uint64}[expected.dtype.itemsize]
    return int((got.view(word) != expected.view(word)).sum())


def furthest(got, expected):
    """The largest difference, beside the largest contribution of its row."""
    scale = np.abs(expected).max(axis=1, keepdims=True)
    return float((np.abs(got - expected) / np.maximum(scale, 1e-300)).max())


def check(library, name, case, shap_tolerance):
    text, rows, raw, value, few, contributions, by_path = case
    model = work / "model"
    model.write_text(text)
    got = score("score", model, rows, 2)
    apart_raw, apart = differing(got[:, 0], raw), differing(got[:, 1], value)
    shap = score("shap", model, few, few.shape[1] + 1)
    shap_apart = furthest(shap, contributions)
    path = score("path", model, few, few.shape[1] + 1)
    # Both kinds add up to the raw score.
    sums = max(
        float(np.abs(kind.sum(axis=1) - got[: len(few), 0]).max() / np.abs(got[:, 0]).max())
        for kind in (shap, path)
    )
    path_apart = "" if by_path is None else f"{furthest(path, by_path):9.1e}"
    bad = apart_raw or apart or not shap_apart < shap_tolerance
    bad = bad or not sums < (1e-12 if by_path is None else 1e-5)
    bad = bad or (by_path is not None and not furthest(path, by_path) < shap_tolerance)
    print(
        f"{library:9} {name:38} {len(rows):6} {apart_raw:7} {apart:7}"
        f" {shap_apart:9.1e} {path_apart:9} {sums:9.1e} {'FAILED' if bad else ''}",
        flush=True,
    )
    return not bad


print(
    f"{'library':9} {'model':38} {'rows':>6} {'raw ≠':>7} {'value ≠':>7}"
    f" {'shap':>9} {'path':>9} {'sum':>9}"
)
good = True
for name, settings, options in cases.lightgbm_cases():
    good &= check("LightGBM", name, cases.lightgbm(name, settings, options), 1e-9)
for name, settings in cases.xgboost_cases():
    # XGBoost attributes in 32 bits.
    good &= check("XGBoost", name, cases.xgboost(name, settings), 1e-4)
sys.exit(0 if good else 1)
