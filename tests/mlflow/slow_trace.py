"""Records a trace named by the first argument, whose child ends at once and whose root ends seconds later."""

import sys
import time

import mlflow

name, seconds = sys.argv[1], float(sys.argv[2])
mlflow.set_experiment("arriving")
with mlflow.start_span(name):
    with mlflow.start_span("fetch", span_type="RETRIEVER"):
        time.sleep(0.05)
    mlflow.flush_trace_async_logging()
    print("started", flush=True)
    time.sleep(seconds)
mlflow.flush_trace_async_logging()
