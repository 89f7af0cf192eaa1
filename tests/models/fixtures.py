"""Writes the fixtures of the reader's tests: small models, and what their library says of rows.

usage: fixtures.py FOLDER

Each is NAME.txt or NAME.json, the model, beside NAME.rows: a line for each row with the values of
the row, the raw score, the prediction, and the contributions of the features with the bias.
"""

import pathlib
import sys

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb

folder = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(7)
ROWS = 400
NAMES = ["amount", "count", "ratio", "country"]
COUNTRIES = ["BR", "DE", "FR", "US", "ZA"]
data = np.column_stack(
    [
        rng.lognormal(3, 1, ROWS),
        rng.poisson(0.7, ROWS),
        np.where(rng.random(ROWS) < 0.3, 0, rng.normal(0, 1, ROWS)),
        rng.integers(0, len(COUNTRIES), ROWS),
    ]
)
data[rng.random(data.shape) < 0.1] = np.nan
score = (
    np.nan_to_num(data[:, 0], nan=40) / 20
    + 2 * (data[:, 1] > 1)
    - np.nan_to_num(data[:, 2], nan=1)
    + 5 * np.isin(data[:, 3], [1, 3])
)
nan = float("nan")
SCORED = [
    *data[:6].tolist(),
    [nan, nan, nan, nan],
    [0.0, 0.0, 0.0, 0.0],
    [-0.0, 1e-36, -1e-36, 4.0],
    [1e9, 1e9, 1e9, 31.0],
    [-1e9, -1e9, -1e9, 64.0],
    [20.0, 2.0, 0.5, 100000.0],
]


def write(name, ending, text, raw, value, contributions):
    (folder / f"{name}.{ending}").write_text(text)
    lines = []
    for row, *answers in zip(SCORED, raw, value, contributions):
        numbers = [*row, *answers[:2], *answers[2]]
        lines.append(" ".join(repr(float(number)) for number in numbers))
    (folder / f"{name}.rows").write_text("\n".join(lines) + "\n")


def lightgbm(name, settings, label, trees=3):
    frame = pd.DataFrame(data, columns=NAMES)
    codes = frame["country"].fillna(-1).astype(int)
    frame["country"] = pd.Categorical.from_codes(codes, COUNTRIES)
    base = {"verbose": -1, "num_threads": 1, "num_leaves": 6, "seed": 1, "deterministic": True}
    base |= {"min_data_in_leaf": 5, "min_data_per_group": 5, "cat_smooth": 1}
    booster = lgb.train({**base, **settings}, lgb.Dataset(frame, label), trees)
    text = booster.model_to_string()
    # The parameters of training are longer than the model, and scoring does not read them.
    trees, rest = text.split("end of trees\n")
    names = [line for line in rest.splitlines() if line.startswith("pandas_categorical:")]
    text = trees + "end of trees\n\n" + "\n".join(names) + "\n"
    booster = lgb.Booster(model_str=text)
    predict = lambda **how: booster.predict(np.array(SCORED), num_threads=1, **how)
    write(name, "txt", text, predict(raw_score=True), predict(), predict(pred_contrib=True))


def xgboost(name, settings, label, rounds=3):
    types = ["float", "int", "float", "c"]
    matrix = lambda rows: xgb.DMatrix(
        np.array(rows), feature_names=NAMES, feature_types=types, enable_categorical=True
    )
    trained = matrix(data)
    trained.set_label(label)
    base = {"max_depth": 3, "nthread": 1, "seed": 1, "verbosity": 0}
    booster = xgb.train({**base, **settings}, trained, rounds)
    text = bytes(booster.save_raw("json")).decode()
    rows = matrix(SCORED)
    raw = booster.predict(rows, output_margin=True)
    write(name, "json", text, raw, booster.predict(rows), booster.predict(rows, pred_contribs=True))


is_fraud = (score > 5).astype(float)
lightgbm("lightgbm_binary", {"objective": "binary"}, is_fraud)
lightgbm("lightgbm_zero", {"objective": "regression", "zero_as_missing": True}, score)
forest = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}
lightgbm("lightgbm_forest", {"objective": "binary", **forest}, is_fraud)
lightgbm("lightgbm_leaves", {"objective": "poisson", "num_leaves": 40}, score.clip(0), trees=1)
lightgbm("lightgbm_stump", {"objective": "binary", "min_data_in_leaf": 399}, is_fraud, trees=1)
xgboost("xgboost_binary", {"objective": "binary:logistic", "max_cat_to_onehot": 2}, is_fraud)
xgboost("xgboost_onehot", {"objective": "count:poisson", "max_cat_to_onehot": 9}, score.clip(0))
xgboost("xgboost_dart", {"booster": "dart", "rate_drop": 0.9, "one_drop": 1}, score, rounds=4)
