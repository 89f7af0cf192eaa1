#!/usr/bin/env python3
"""Values of the metrics by scikit-learn and NumPy, for rows with ties and weights.

usage: metrics.py > ../tests/lift/metrics.json       needs  numpy, scikit-learn (made with 2.4.6 and 1.9.1)
"""
import json
import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

r = np.random.default_rng(3); n = 600
fraud = r.random(n) < .1
tied = np.round(r.normal(size=n) + 1.2 * fraud, 1); score = np.round(r.normal(size=n) + 1.2 * fraud, 9)
weight = np.where(fraud, 1., r.choice([1., 2.5, 8.], n)); amount = r.integers(50, 600_000, n); card = r.integers(0, 120, n); day = np.sort(r.integers(49, 56, n))
assert len(set(score)) == n


def by_rank(score, share=.05, rate=.02, fee=1500, margin=.1, k=5):
    """no ties, no weights"""
    o = np.argsort(-score); y = fraud[o]; a = amount[o]; tp = np.cumsum(y); fp = np.cumsum(~y); P = y.sum()
    at = int(n * share); i = int(np.searchsorted(fp, rate * (n - P), side="right"))
    gain = np.cumsum(np.where(y, a + fee, -margin * a)) / (a[y] + fee).sum(); caught = set(); cp = []; most = []
    for d in np.unique(day):
        cards = sorted({c for c in card[day == d].tolist()} - caught); m = lambda c: (day == d) & (card == c)
        best = sorted(cards, key=lambda c: -score[m(c)].max()); bad = {c for c in cards if fraud[m(c)].any()}
        hit = bad & set(best[:k]); cp.append(len(hit) / k); most.append(min(k, len(bad)) / k); caught |= hit
    return dict(recall_at_alerts=tp[at - 1] / P, precision_at_alerts=tp[at - 1] / at, recall_at_fpr=tp[i - 1] / P, precision_at_fpr=tp[i - 1] / i,
                card_precision=np.mean(cp), card_precision_max=np.mean(most), money_saved_at_fpr=gain[i - 1], money_saved_at_alerts=gain[at - 1])


def curve(s, w, points=20):
    p, q, _ = precision_recall_curve(fraud, s, sample_weight=w); p, q = p[::-1], q[::-1]
    return [float(p[np.argmax(q >= (j + 1) / points - 1e-12)]) for j in range(points)]


values = {}
for name, s, w in (("plain", score, None), ("tied", tied, None), ("weighted", tied, weight)):
    values[name] = dict(auc=roc_auc_score(fraud, s, sample_weight=w), average_precision=average_precision_score(fraud, s, sample_weight=w), curve=curve(s, w))
values["plain"].update({k: float(v) for k, v in by_rank(score).items()})
print(json.dumps(dict(rows=[dict(score=float(score[i]), tied=float(tied[i]), fraud=bool(fraud[i]), weight=float(weight[i]), amount_cents=int(amount[i]), card=int(card[i]), day=int(day[i])) for i in range(n)], values=values), indent=None, separators=(",", ":")).replace('{"score"', '\n{"score"'))
