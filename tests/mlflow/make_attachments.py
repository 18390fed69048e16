"""Records a chat with an image, which MLflow takes out of its payload, and with a sound that is one of its attachments.

Both are in the experiment `attachments`. The last line on standard output is the trace's id.
"""

import base64

import mlflow
from mlflow.tracing.attachments import Attachment

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR4nGP4z8CAFWEXHbQSACj/P8Fu7N9hAAAAAElFTkSuQmCC"
)
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256))

mlflow.set_experiment("attachments")
with mlflow.start_span("chat", span_type="CHAT_MODEL") as span:
    span.set_inputs({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is wrong with the chain?"},
        {"type": "image_url",
         "image_url": {"url": "data:image/png;base64," + base64.b64encode(PNG).decode()}},
        {"type": "input_audio",
         "input_audio": {"data": Attachment(content_type="audio/wav", content_bytes=WAV), "format": "wav"}},
    ]}]})
    span.set_outputs({"choices": [{"message": {"role": "assistant", "content": "It is worn."}}]})
mlflow.flush_trace_async_logging()
print(span.trace_id)
