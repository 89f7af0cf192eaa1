"""Models in ONNX as the exporters write them, with rows, and what onnxruntime says of the rows."""

import json
import warnings

import lightgbm as lgb
import numpy as np
import onnxruntime
import xgboost as xgb
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType as SklearnFloats
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cases

# The exporters' own, of what they import.
warnings.filterwarnings("ignore")
SETS = {"": 18, "ai.onnx.ml": 3}
NAMES = ["amount", "count", "ratio", "age", "tiny"]


def frame(rows):
    data, score = cases.frame(rows, seed=1)
    data = data[NAMES]
    # In seconds it has more digits than 32 bits.
    data = data.assign(age=data["age"] / 3600)
    return data, score, (score > 2).astype(int)


def named(model):
    """Names its features, as the documentation says."""
    entry = model.metadata_props.add()
    entry.key, entry.value = "feature_names", json.dumps(NAMES)
    return model


def of_sklearn(estimator, gaps, count, by_name=False):
    def make(data, score, label):
        filled = data if gaps else data.fillna(0)
        estimator.fit(filled.to_numpy(np.float32)[:count], label[:count])
        if by_name:
            types = [(name, SklearnFloats([None, 1])) for name in NAMES]
            return convert_sklearn(estimator, initial_types=types, target_opset=SETS)
        types = [("rows", SklearnFloats([None, len(NAMES)]))]
        return named(convert_sklearn(estimator, initial_types=types, target_opset=SETS))

    return make, gaps


def of_lightgbm(settings, trees, **options):
    def make(data, score, label):
        settings_all = {"verbose": -1, "num_threads": 1, "seed": 1, **settings}
        target = label if settings["objective"] == "binary" else score
        booster = lgb.train(settings_all, lgb.Dataset(data.to_numpy(), target), trees)
        types = [("rows", FloatTensorType([None, len(NAMES)]))]
        return named(convert_lightgbm(booster, initial_types=types, **options))

    return make, True


def of_xgboost(kind, trees, target):
    def make(data, score, label):
        model = kind(n_estimators=trees, max_depth=5, n_jobs=1, random_state=1)
        model.fit(data.to_numpy(), label if target == "label" else score)
        types = [("rows", FloatTensorType([None, len(NAMES)]))]
        return named(convert_xgboost(model, initial_types=types))

    return make, True


def all_cases(trees=60, rows=10_000):
    mlp = MLPClassifier((16, 8), max_iter=60, random_state=1)
    scaled = make_pipeline(StandardScaler(), mlp)
    imputed = make_pipeline(SimpleImputer(), StandardScaler(), mlp)
    logistic = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    forest = RandomForestClassifier(min(trees, 30), max_depth=8, random_state=1)
    boosted = GradientBoostingClassifier(n_estimators=trees, random_state=1)
    binary, number = {"objective": "binary"}, {"objective": "regression"}
    yield "lightgbm_binary", of_lightgbm(binary, trees, zipmap=False)
    yield "lightgbm_map", of_lightgbm({**binary, "num_leaves": 7}, trees)
    yield "lightgbm_number", of_lightgbm(number, trees)
    yield "xgboost_binary", of_xgboost(xgb.XGBClassifier, trees, "label")
    yield "xgboost_number", of_xgboost(xgb.XGBRegressor, trees, "score")
    yield "sklearn_forest", of_sklearn(forest, False, rows)
    yield "sklearn_boosted", of_sklearn(boosted, False, min(rows, 3_000))
    yield "sklearn_logistic", of_sklearn(logistic, True, rows)
    yield "sklearn_by_name", of_sklearn(logistic, True, rows, by_name=True)
    yield "sklearn_network", of_sklearn(scaled, False, rows)
    yield "sklearn_imputed", of_sklearn(imputed, True, rows)


def thresholds(model):
    found = [
        value
        for node in model.graph.node
        for attribute in node.attribute
        if attribute.name == "nodes_values"
        for value in attribute.floats
    ]
    return np.array(found)


def rows_to_score(model, data, gaps):
    if len(limits := thresholds(model)):
        rows = cases.rows_to_score(data, 2, limits, is_xgboost=False)
        # As 32 bits see it, also what is beside a threshold.
        beside = np.random.default_rng(3).random(rows.shape) < 0.03
        rows[beside] = np.nextafter(rows[beside].astype(np.float32), np.float32(np.inf))
    else:
        rows = data.to_numpy(dtype=float).copy()
    return rows if gaps else np.nan_to_num(rows, nan=0.0)


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def feeds(model, rows):
    rows = rows.astype(np.float32)
    inputs = [put.name for put in model.graph.input]
    if len(inputs) == 1:
        return {inputs[0]: rows}
    return {name: rows[:, at : at + 1] for at, name in enumerate(inputs)}


def answers(model, rows):
    outputs = [put.name for put in model.graph.output]
    chosen = [name for name in ("probabilities", "output_probability") if name in outputs]
    (answer,) = session(model).run(chosen or outputs[:1], feeds(model, rows))
    if isinstance(answer, list):
        return np.array([row[1] for row in answer], dtype=np.float32)
    return answer.reshape(len(rows), -1)[:, -1]
