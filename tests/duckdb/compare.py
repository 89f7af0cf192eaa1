"""Compares a file of card_features rows with what DuckDB computes from the events.

usage: compare.py NAME ROWS.csv EVENTS.csv...

The rule is Millrace's: a window is (t - w, t], and holds what precedes the event in the order of
(time, id); the event itself is not in it. In SQL that is one frame: events are ordered by the
number time * N + id, where N is greater than every id, so a frame from (t - w + 1 ms, any id) to
just before (t, id) is a range of that number. Counts, sums and maxima are compared exactly, means
and ratios to 1e-9 of their value. Prints what was compared; exits with 1 on any difference.
"""

import sys

import duckdb

MEAN_TOLERANCE = 1e-9
CARD_WINDOWS_MS = {"10m": 600_000, "1h": 3_600_000, "24h": 86_400_000}
HOUR_MS = 3_600_000


def expected_columns():
    """Each of the sixteen columns as SQL over the events."""

    def over(key, width_ms):
        first = f"({width_ms - 1}::BIGINT * n + event_id)"
        return f"OVER (PARTITION BY {key} ORDER BY place RANGE BETWEEN {first} PRECEDING AND 1 PRECEDING)"

    columns = {}
    for aggregate, sql in {
        "payments": "count(*) {}",
        "spend": "coalesce(sum(amount) {}, 0)",
        "mean": "avg(amount) {}",
        "largest": "max(amount) {}",
    }.items():
        for name, width_ms in CARD_WINDOWS_MS.items():
            columns[f"{aggregate}_{name}"] = sql.format(over("card_id", width_ms))
    day = over("card_id", CARD_WINDOWS_MS["24h"])
    columns["merchants_24h"] = f"count(DISTINCT merchant_id) {day}"
    hour = over("merchant_id", HOUR_MS)
    columns["sales_1h"] = f"count(*) {hour}"
    columns["turnover_1h"] = f"coalesce(sum(amount) {hour}, 0)"
    columns["declined_ratio"] = f"avg(CASE WHEN approved THEN 0 ELSE 1 END) {hour}"
    return columns


def is_float(name):
    return name.startswith("mean") or name == "declined_ratio"


def main():
    name, rows, *events = sys.argv[1:]
    files = ", ".join(f"'{file}'" for file in events)
    columns = expected_columns()
    duckdb.execute(
        f"""CREATE TABLE event AS
        SELECT event_id, event_time, card_id, merchant_id, amount, approved,
               event_time * n + event_id AS place, n
        FROM read_csv([{files}], header = true, columns = {{
            'event_id': 'BIGINT', 'event_time': 'BIGINT', 'card_id': 'BIGINT',
            'merchant_id': 'BIGINT', 'country': 'BIGINT', 'amount': 'DECIMAL(18,2)',
            'approved': 'BOOLEAN'}}), (SELECT 1048576::BIGINT AS n)"""
    )
    (largest,) = duckdb.execute("SELECT max(event_id) FROM event").fetchone()
    assert largest < 1_048_576, "ids must be smaller than n"
    select = ", ".join(f"{sql} AS {column}" for column, sql in columns.items())
    duckdb.execute(f"CREATE TABLE expected AS SELECT event_id, event_time, {select} FROM event")
    types = {"event_id": "BIGINT", "event_time": "TIMESTAMPTZ"}
    for column in columns:
        exact = "DECIMAL(38,9)" if column.split("_")[0] in ("spend", "largest", "turnover") else "BIGINT"
        types[column] = "DOUBLE" if is_float(column) else exact
    # Columns are matched by their place, so their names are checked first.
    with open(rows) as file:
        header = file.readline().strip().split(",")
    if header != list(types):
        sys.exit(f"{name}: the columns are {header}, expected {list(types)}")
    duckdb.execute(
        f"CREATE TABLE given AS SELECT *, row_number() OVER () AS line "
        f"FROM read_csv('{rows}', header = true, parallel = false, columns = {types})"
    )
    report(name, columns)


def report(name, columns):
    (count,) = duckdb.execute("SELECT count(*) FROM event").fetchone()
    (given,) = duckdb.execute("SELECT count(*) FROM given").fetchone()
    joined = "given g JOIN expected e USING (event_id)"
    (matched,) = duckdb.execute(
        f"SELECT count(DISTINCT event_id) FROM {joined} WHERE epoch_ms(g.event_time) = e.event_time"
    ).fetchone()
    (misplaced,) = duckdb.execute(
        """SELECT count(*) FROM (SELECT (event_time, event_id) <=
           lag((event_time, event_id)) OVER (ORDER BY line) AS wrong FROM given) WHERE wrong"""
    ).fetchone()
    different = abs(given - count) + (count - matched) + misplaced
    nulls = 0
    for column in columns:
        a, b = f"g.{column}", f"e.{column}"
        wrong = f"{a} IS DISTINCT FROM {b}"
        if is_float(column):
            close = f"abs({a} - {b}) <= {MEAN_TOLERANCE} * abs({b})"
            wrong = f"NOT coalesce({close}, {a} IS NULL AND {b} IS NULL)"
        found, empty = duckdb.execute(
            f"SELECT count(*) FILTER ({wrong}), count(*) FILTER ({b} IS NULL) FROM {joined}"
        ).fetchone()
        nulls += empty
        different += found
        if found:
            example = duckdb.execute(
                f"SELECT event_id, {a}, {b} FROM {joined} WHERE {wrong} ORDER BY event_id LIMIT 1"
            ).fetchone()
            print(f"  {column}: {found} differ; event {example[0]} has {example[1]}, DuckDB {example[2]}")
    values = given * len(columns)
    print(f"{name}: {given} of {count} rows, {values} values compared ({nulls} null), {different} differences")
    sys.exit(1 if different or values == 0 else 0)


main()
