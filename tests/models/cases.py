"""Models of both libraries, trained on seeded data, each with rows that try its corners."""

import json

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb

ROWS = 10_000
COUNTRIES = ["DE", "FR", "US", "BR", "IN", "ZA"]


def frame(rows, seed, codes=12):
    """Amounts, counts with many zeros, categories and gaps; and a label that depends on them."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "amount": rng.lognormal(3, 1, rows),
            "count": rng.poisson(0.7, rows).astype(float),
            "ratio": rng.normal(0, 1, rows),
            "age": rng.exponential(1e6, rows),
            "tiny": rng.normal(0, 1e-3, rows) * rng.choice([0, 1e-36, 1], rows),
            "country": rng.integers(0, len(COUNTRIES), rows).astype(float),
            "code": rng.integers(0, codes, rows).astype(float),
        }
    )
    for name in ["amount", "ratio", "age", "country", "code"]:
        data.loc[rng.random(rows) < 0.1, name] = np.nan
    data.loc[rng.random(rows) < 0.2, "ratio"] = 0.0
    code = data["code"].fillna(3)
    score = (
        np.log1p(data["amount"].fillna(5)) * (code % 5 - 2)
        + 2 * (data["count"] > 1)
        - data["ratio"].fillna(1)
        + (data["country"].fillna(0) % 3 == 1) * 1.5
        + np.log1p(data["age"].fillna(1e5)) * 0.2
        + rng.normal(0, 1, rows)
    )
    return data, score.to_numpy()


def rows_to_score(data, seed, thresholds, is_xgboost):
    """As trained on, and on thresholds, beside them, far away, unseen categories and gaps."""
    rng = np.random.default_rng(seed)
    matrix = data.to_numpy(dtype=float).copy()
    some = rng.random(matrix.shape) < 0.15
    kinds = rng.integers(0, 8, matrix.shape)
    chosen = rng.choice(thresholds if len(thresholds) else [0.0], matrix.shape)
    odd = np.select(
        [kinds == 0, kinds == 1, kinds == 2, kinds == 3, kinds == 4, kinds == 5, kinds == 6],
        [
            chosen,
            np.nextafter(chosen, np.inf),
            np.nextafter(chosen, -np.inf),
            np.full(matrix.shape, np.nan),
            rng.choice([0.0, -0.0, 1e-36, -1e-36, 1e-35, -1e-30], matrix.shape),
            rng.choice([1e30, -1e30, 3e9, -3e9, 2.0**24, 2.0**31], matrix.shape),
            rng.choice([-0.5, -1.0, 0.5, 31.0, 32.0, 33.7, 99.0, 100000.0], matrix.shape),
        ],
        rng.integers(-2, 40, matrix.shape),
    )
    matrix[some] = odd[some]
    if is_xgboost:
        # XGBoost refuses a category that is no whole number from 0 below 2^24.
        for column in (data.columns.get_loc("country"), data.columns.get_loc("code")):
            values = matrix[:, column]
            bad = ~np.isnan(values) & ((values < 0) | (values >= 2**24) | (values % 1 != 0))
            values[bad] = 7
    return matrix


def lightgbm_cases():
    binary = {"objective": "binary"}
    categorical = ["country", "code"]
    yield "binary, NaN", binary, {}
    yield "binary, categories", {**binary, "cat_smooth": 1, "min_data_per_group": 5}, {
        "categorical_feature": categorical
    }
    yield "binary, one-hot categories", {**binary, "max_cat_to_onehot": 100}, {
        "categorical_feature": categorical
    }
    yield "binary, 200 categories", {**binary, "cat_smooth": 1, "max_cat_threshold": 128}, {
        "categorical_feature": categorical,
        "codes": 200,
    }
    yield "binary, zero_as_missing", {**binary, "zero_as_missing": True}, {}
    yield "binary, use_missing=false", {**binary, "use_missing": False}, {}
    yield "binary, 50 leaves", {**binary, "num_leaves": 50}, {}
    yield "binary, 64 leaves", {**binary, "num_leaves": 64}, {}
    yield "binary, 300 leaves", {**binary, "num_leaves": 300, "min_data_in_leaf": 5}, {
        "categorical_feature": categorical
    }
    yield "binary, dart", {**binary, "boosting": "dart"}, {}
    yield "binary, random forest", {
        **binary,
        "boosting": "rf",
        "bagging_freq": 1,
        "bagging_fraction": 0.5,
    }, {}
    yield "binary, sigmoid 0.7", {**binary, "sigmoid": 0.7}, {}
    for objective in ["cross_entropy", "cross_entropy_lambda"]:
        yield objective, {"objective": objective}, {}
    plain = ["regression", "regression_l1", "huber", "fair", "quantile", "mape"]
    for objective in [*plain, "poisson", "gamma", "tweedie"]:
        yield objective, {"objective": objective}, {}
    yield "regression, reg_sqrt", {"objective": "regression", "reg_sqrt": True}, {}


def lightgbm(name, settings, options):
    options = dict(options)
    data, score = frame(ROWS, seed=1, codes=options.pop("codes", 12))
    objective = settings["objective"]
    if objective in ("binary", "cross_entropy", "cross_entropy_lambda"):
        label = (score > 2).astype(float)
    else:
        label = np.abs(score) + 0.1 if objective in ("poisson", "gamma", "tweedie") else score
    settings = {"verbose": -1, "seed": 1, "num_threads": 1, "deterministic": True, **settings}
    trained = lgb.train(settings, lgb.Dataset(data, label, **options), 60)
    text = trained.model_to_string()
    # As a server would: read from the file.
    booster = lgb.Booster(model_str=text)
    used = [line.split("=")[1] for line in text.splitlines() if line.startswith("threshold=")]
    thresholds = np.array([float(word) for line in used for word in line.split()])
    matrix = rows_to_score(data, 2, thresholds, is_xgboost=False)
    predict = lambda **how: booster.predict(matrix, num_threads=1, **how)
    few = matrix[:500]
    contributions = booster.predict(few, pred_contrib=True, num_threads=1)
    return text, matrix, predict(raw_score=True), predict(), few, contributions, None


def xgboost_cases():
    logistic = {"objective": "binary:logistic", "tree_method": "hist"}
    yield "binary:logistic, hist", logistic
    yield "binary:logistic, approx", {**logistic, "tree_method": "approx"}
    yield "binary:logistic, exact", {**logistic, "tree_method": "exact"}
    yield "binary:logistic, one-hot categories", {**logistic, "cats": 100}
    yield "binary:logistic, sets of categories", {**logistic, "cats": 2}
    yield "binary:logistic, approx, categories", {**logistic, "tree_method": "approx", "cats": 4}
    yield "binary:logistic, 200 leaves", {
        **logistic,
        "grow_policy": "lossguide",
        "max_leaves": 200,
        "max_depth": 0,
    }
    yield "binary:logistic, base_score 0.2", {**logistic, "base_score": 0.2}
    yield "binary:logistic, dart", {**logistic, "booster": "dart", "rate_drop": 0.3}
    yield "binary:logistic, 4 parallel trees", {
        **logistic,
        "num_parallel_tree": 4,
        "subsample": 0.5,
    }
    yield "binary:logitraw", {**logistic, "objective": "binary:logitraw"}
    yield "binary:hinge", {**logistic, "objective": "binary:hinge"}
    plain = ["squarederror", "logistic", "squaredlogerror", "pseudohubererror", "absoluteerror"]
    for objective in [*(f"reg:{p}" for p in plain), "reg:gamma", "reg:tweedie", "count:poisson"]:
        yield objective, {**logistic, "objective": objective}
    yield "reg:quantileerror", {**logistic, "objective": "reg:quantileerror", "quantile_alpha": 0.9}


def xgboost(name, settings):
    settings = {"max_depth": 5, "seed": 1, "nthread": 1, "verbosity": 0, **settings}
    cats = settings.pop("cats", None)
    data, score = frame(ROWS, seed=1, codes=40 if cats else 12)
    objective = settings["objective"]
    is_binary = objective.startswith("binary") or objective == "reg:logistic"
    label = (score > 2).astype(float) if is_binary else score
    if objective in ("reg:gamma", "reg:tweedie", "count:poisson", "reg:squaredlogerror"):
        label = np.abs(score) + 0.1
    types = ["float"] * len(data.columns)
    if cats:
        settings["max_cat_to_onehot"] = cats
        types = ["c" if name in ("country", "code") else "float" for name in data.columns]
    names = list(data.columns)
    matrix_of = lambda values: xgb.DMatrix(
        values, feature_names=names, feature_types=types, enable_categorical=True
    )
    matrix = matrix_of(data.to_numpy())
    matrix.set_label(label)
    trained = xgb.train(settings, matrix, 15 if "num_parallel_tree" in settings else 60)
    text = bytes(trained.save_raw("json")).decode()
    booster = xgb.Booster()
    booster.load_model(bytearray(text.encode()))
    booster.set_param({"nthread": 1})
    model = json.loads(text)["learner"]["gradient_booster"]
    trees = (model.get("gbtree") or model)["model"]["trees"]
    thresholds = np.array([c for tree in trees for c in tree["split_conditions"]], dtype=np.float32)
    rows = rows_to_score(data, 2, thresholds.astype(float), is_xgboost=True)
    scored = matrix_of(rows)
    few = matrix_of(rows[:500])
    return (
        text,
        rows,
        booster.predict(scored, output_margin=True),
        booster.predict(scored),
        rows[:500],
        booster.predict(few, pred_contribs=True),
        booster.predict(few, pred_contribs=True, approx_contribs=True),
    )
