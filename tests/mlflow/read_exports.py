"""Reads files of `mlt export` with packages that other people wrote.

    python read_exports.py otlp FILE          opentelemetry-proto, protobuf
    python read_exports.py chrome FILE        chrometrace
    python read_exports.py speedscope FILE SCHEMA
    python read_exports.py duckdb FILE QUERY
    python read_exports.py pyarrow FILE       pyarrow and pandas

What was read goes to standard output as JSON.
"""

import json
import sys


def otlp(path):
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
    )

    request = ExportTraceServiceRequest()
    with open(path, "rb") as file:
        request.ParseFromString(file.read())
    document = MessageToDict(request, use_integers_for_enums=True)
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope.get("spans", []):
                ids_in_hex(span, ["traceId", "spanId", "parentSpanId"])
                for link in span.get("links", []):
                    ids_in_hex(link, ["traceId", "spanId"])
    return document


def ids_in_hex(message, keys):
    """Protobuf's own JSON has base64 where OpenTelemetry's has hex."""
    import base64

    for key in keys:
        if key in message:
            message[key] = base64.b64decode(message[key]).hex()


def chrome(path):
    import chrometrace

    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    events = [chrometrace.TraceEvent.from_dict(event) for event in document["traceEvents"]]
    return [event.to_dict() for event in events]


def speedscope(path, schema):
    import jsonschema

    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    with open(schema, encoding="utf-8") as file:
        jsonschema.Draft7Validator(json.load(file)).validate(document)
    return len(document["profiles"])


def duckdb(path, query):
    import duckdb as database

    connection = database.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection.execute(query.replace("FILE", f"'{path}'")).fetchall()


def pyarrow(path):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    frame = table.to_pandas()
    return {
        "rows": len(frame),
        "types": {field.name: str(field.type) for field in table.schema},
    }


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    json.dump(globals()[command](*arguments), sys.stdout, default=str)
