#!/usr/bin/env python3
"""Our trainer against LightGBM on the same matrix, and our model file read by LightGBM.

usage: compare.py made            FOLDER SEEDS    rows from a rule, with nulls and words (no other data)
       compare.py FILE.npz:MODE   FOLDER SEEDS    rows of a file with X_MODE, names_MODE, train, label, truth, w
                                                  (and --words COLUMN for a column of small codes)
needs  numpy, lightgbm, scikit-learn, and the example, built before:
       cargo build --release -p millrace-lift --example train   (--example-path, if it lies elsewhere)
"""
import argparse, os, subprocess, time
import numpy as np, lightgbm as lgb
from sklearn.metrics import average_precision_score, roc_auc_score

PARAMETERS = dict(objective="binary", learning_rate=.05, num_leaves=31, min_data_in_leaf=40, feature_fraction=.7,
                  bagging_fraction=.8, bagging_freq=1, lambda_l2=5., verbosity=-1, num_threads=1, force_col_wise=True)


def made(n=120_000, columns=20):
    """One row in fifty is positive: a burst in two columns, an odd word, a null that tells something, and noise."""
    r = np.random.default_rng(5)
    x = r.normal(size=(n, columns)); x[:, 3] = np.exp(x[:, 3]); x[:, 4] = r.poisson(2, n); x[:, 5] = r.integers(0, 24, n)
    x[:, 6] = r.zipf(1.5, n) % 60; x[r.random(n) < .3, 7] = np.nan
    s = 1.2 * x[:, 0] * (x[:, 1] > 0) + .8 * np.log(x[:, 3]) + .5 * (x[:, 4] > 4) + np.isin(x[:, 6], [3, 7, 11, 29]) * 1.5
    s += np.where(np.isnan(x[:, 7]), .8, -.2 * x[:, 7]) - .02 * (x[:, 5] - 12) ** 2 + r.logistic(size=n)
    y = (s > np.quantile(s, .98)).astype(int); train = np.arange(n) < n // 2
    keep = (y == 1) | (np.arange(n) % 2 == 0)
    return dict(x=x, names=[f"c{j}" for j in range(columns)], train=train & keep, test=~train, label=y, truth=y, w=np.where(y == 1, 1., 2.)), {6}


def stored(spec, words):
    path, mode = spec.rsplit(":", 1); d = np.load(path); names = [str(s) for s in d["names_" + mode]]; t = d["train"]
    return dict(x=d["X_" + mode].astype(float), names=names, train=t, test=~t, label=d["label"], truth=d["truth"], w=d["w"]), {names.index(c) for c in words}


def put(folder, name, a): np.asfortranarray(np.asarray(a, "<f8")).ravel("F").tofile(f"{folder}/{name}.bin")


def measures(truth, p):
    top = np.argsort(-p, kind="stable")[:int(len(p) * .01)]
    return roc_auc_score(truth, p), average_precision_score(truth, p), truth[top].sum() / truth.sum()


def main():
    a = argparse.ArgumentParser(); a.add_argument("data"); a.add_argument("folder"); a.add_argument("seeds")
    a.add_argument("--words", default=""); a.add_argument("--example-path", default="target/release/examples/train"); a = a.parse_args()
    d, words = made() if a.data == "made" else stored(a.data, [c for c in a.words.split(",") if c])
    x, t = d["x"], d["train"]; test = x[d["test"]]; truth = d["truth"][d["test"]]; os.makedirs(a.folder, exist_ok=True)
    for name, v in (("xtrain", x[t]), ("ytrain", d["label"][t]), ("wtrain", d["w"][t]), ("xtest", test)): put(a.folder, name, v)
    with open(f"{a.folder}/columns.txt", "w") as f:
        for j, name in enumerate(d["names"]):
            f.write(" ".join([name] + ([f"w{k}" for k in range(int(np.nanmax(x[:, j])) + 1)] if j in words else [])) + "\n")
    both = {"lightgbm": [], "ours": []}
    for seed in map(int, a.seeds.split(",")):
        begin = time.process_time()
        data = lgb.Dataset(x[t], d["label"][t], weight=d["w"][t], feature_name=d["names"], categorical_feature=sorted(words))
        theirs = lgb.train(dict(PARAMETERS, seed=seed), data, 300); seconds = time.process_time() - begin
        p = theirs.predict(test, raw_score=True); both["lightgbm"].append(measures(truth, p))
        print(f"seed {seed} lightgbm  auc {both['lightgbm'][-1][0]:.4f}  average precision {both['lightgbm'][-1][1]:.4f}  recall at 1 % {both['lightgbm'][-1][2]:.4f}  {seconds:.1f} s of the processor", flush=True)
        said = subprocess.run([a.example_path, a.folder, str(seed)], check=True, capture_output=True, text=True).stdout.strip()
        p = np.fromfile(f"{a.folder}/scores.bin"); both["ours"].append(measures(truth, p))
        print(f"seed {seed} ours      auc {both['ours'][-1][0]:.4f}  average precision {both['ours'][-1][1]:.4f}  recall at 1 % {both['ours'][-1][2]:.4f}  {said}")
        read = lgb.Booster(model_file=f"{a.folder}/model.txt"); raw = read.predict(test, raw_score=True)
        chance = np.abs(read.predict(test) - 1 / (1 + np.exp(-p)))
        print(f"seed {seed} our file read by LightGBM: {int((raw != p).sum())} of {len(p)} scores differ; chances by {chance.max():.1e} at most")
    for who, rows in both.items():
        m = np.array(rows); print(f"mean {who:9s} auc {m[:, 0].mean():.4f}  average precision {m[:, 1].mean():.4f}  recall at 1 % {m[:, 2].mean():.4f}")


if __name__ == "__main__": main()
