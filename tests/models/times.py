"""Times of one row at a time, ours beside LightGBM's C API and onnxruntime, in one run.

A model of 300 trees with 31 leaves over 63 features, with gaps, as payments have them.
"""

import ctypes
import json
import pathlib
import subprocess
import sys
import time

import lightgbm as lgb
import numpy as np

ours, work = sys.argv[1], pathlib.Path(sys.argv[2])
FEATURES, TREES, LEAVES, ROWS = 63, 300, 31, 8_192
ROUNDS = 3

rng = np.random.default_rng(5)
data = rng.lognormal(0, 1, (50_000, FEATURES))
data[rng.random(data.shape) < 0.1] = np.nan
weights = rng.normal(0, 1, FEATURES) * (rng.random(FEATURES) < 0.4)
score = np.nan_to_num(np.log(data)) @ weights + np.nan_to_num(data[:, 0] * data[:, 1])
label = (score + rng.normal(0, 1, len(data)) > 3).astype(int)
settings = {"objective": "binary", "num_leaves": LEAVES, "verbose": -1, "num_threads": 2, "seed": 1}
model = work / "model"
lgb.train(settings, lgb.Dataset(data, label), TREES).save_model(model)
booster = lgb.Booster(model_file=model)
rows = np.ascontiguousarray(data[:ROWS])
rows.astype("<f8").tofile(work / "rows")


def timed(call, count):
    times = []
    for at in range(count):
        begun = time.perf_counter_ns()
        call(at)
        times.append(time.perf_counter_ns() - begun)
    return {"p50": np.percentile(times, 50), "p99": np.percentile(times, 99), "min": min(times)}


def lightgbm_call():
    library = lgb.basic._LIB
    config, length, out = ctypes.c_void_p(), ctypes.c_int64(), ctypes.c_double()
    library.LGBM_BoosterPredictForMatSingleRowFastInit(
        booster._handle, 0, 0, -1, 1, FEATURES, b"num_threads=1", ctypes.byref(config)
    )
    predict = library.LGBM_BoosterPredictForMatSingleRowFast
    pointers = [
        ctypes.c_void_p(rows.ctypes.data + at * FEATURES * rows.itemsize) for at in range(ROWS)
    ]
    length_at, out_at = ctypes.byref(length), ctypes.byref(out)
    return lambda at: predict(config, pointers[at], length_at, out_at), lambda: out.value


def onnx_call():
    import onnxruntime
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    inputs = [("rows", FloatTensorType([1, FEATURES]))]
    converted = convert_lightgbm(booster, initial_types=inputs, zipmap=False)
    names = converted.metadata_props.add()
    names.key, names.value = "feature_names", json.dumps([f"x{at}" for at in range(FEATURES)])
    (work / "model.onnx").write_bytes(converted.SerializeToString())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(converted.SerializeToString(), options)
    probabilities = [output.name for output in session.get_outputs()][1:]
    feeds = [{"rows": row.reshape(1, -1)} for row in rows.astype(np.float32)]
    return lambda at: session.run(probabilities, feeds[at])


def ours_times(path):
    return json.loads(subprocess.check_output([ours, "time", path, work / "rows"]))


call, answer = lightgbm_call()
subprocess.run([ours, "score", model, work / "rows", work / "out"], check=True)
values = np.fromfile(work / "out", "<f8").reshape(-1, 2)[:, 1]
for at in range(0, ROWS, 100):
    call(at)
    assert answer() == values[at], f"row {at}"
everyone = {}
for _ in range(ROUNDS):
    for name, times in ours_times(model).items():
        everyone.setdefault(f"millrace, {name}", []).append(times)
    everyone.setdefault("LightGBM C API, score", []).append(timed(call, ROWS))
    nothing = lgb.basic._LIB.LGBM_GetLastError
    everyone.setdefault("  of it, the call from Python", []).append(timed(lambda _: nothing(), ROWS))
    contrib = lambda at: booster.predict(rows[at : at + 1], pred_contrib=True, num_threads=1)
    everyone.setdefault("LightGBM Python, pred_contrib", []).append(timed(contrib, 200))
    try:
        onnx = onnx if "onnx" in globals() else onnx_call()
        everyone.setdefault("onnxruntime Python, score", []).append(timed(onnx, ROWS))
        everyone.setdefault("millrace, score of ONNX", []).append(
            ours_times(work / "model.onnx")["score"]
        )
    except ImportError as error:
        print(f"not run: onnxruntime: {error}")

print(f"\n{TREES} trees of {LEAVES} leaves, {FEATURES} features, one row at a time, µs")
print(f"{'':34} {'p50':>9} {'p99':>9} {'least':>9}")
for name, rounds in everyone.items():
    middle = {key: np.median([float(times[key]) for times in rounds]) for key in rounds[0]}
    print(f"{name:34} " + " ".join(f"{middle[key] / 1e3:9.2f}" for key in ("p50", "p99", "min")))
