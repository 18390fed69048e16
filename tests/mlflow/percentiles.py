"""Reads traces (`mlt search --include-spans -o jsonl`) and prints, as JSON, what numpy
makes of the durations of each span name: count, mean and percentiles in nanoseconds."""

import collections
import json
import sys

import numpy

durations = collections.defaultdict(list)
for line in sys.stdin:
    for span in json.loads(line)["data"]["spans"]:
        if span["end_time_unix_nano"] is not None:
            durations[span["name"]].append(
                max(0, span["end_time_unix_nano"] - span["start_time_unix_nano"])
            )

report = {}
for name, values in durations.items():
    report[name] = {
        "n": len(values),
        "avg_ns": float(numpy.mean(values)),
        **{f"p{p}_ns": float(numpy.percentile(values, p)) for p in (50, 95, 99)},
    }
json.dump(report, sys.stdout)
