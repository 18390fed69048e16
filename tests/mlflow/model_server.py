"""A local stand-in for hosted language models.

Speaks enough of the OpenAI API (chat completions with tools and streaming, embeddings) and of the
Anthropic messages API for the official SDKs to work with it. Replies, token counts and latencies
depend only on the request, so a run can be repeated. Some API keys make it fail:

    sk-fault-400, sk-fault-429, sk-fault-500   always that HTTP status
    sk-fault-flaky                             a 429 for the first request, then normal service

Run it by hand with `python model_server.py --port 8099`, or use `start()` from Python.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CREATED = 1767225600


@dataclass(frozen=True)
class Reply:
    """What the model says when the last user message contains `when` at tool round `step`."""

    when: str
    text: str = ""
    calls: list[tuple[str, dict]] = field(default_factory=list)
    latency_ms: int = 300
    step: int = 0


REPLIES = [
    # grades, before the questions that the prompts quote
    Reply("two years on everything", '{"score": 1, "reason": "Wrong: 12 months for batteries."}', latency_ms=560),
    Reply("up to eur 500", '{"score": 5, "reason": "Correct, the source is named."}', latency_ms=470),
    Reply("grade the answer", '{"score": 4, "reason": "Correct, but incomplete."}', latency_ms=520),
    # order questions, answered with tools
    Reply("where is my order a-1042", calls=[("lookup_order", {"order_id": "A-1042"})], latency_ms=420),
    Reply("where is my order a-1042", calls=[("track_parcel", {"tracking_no": "GLS-77120"})],
          latency_ms=310, step=1),
    Reply("where is my order a-1042", "Your order A-1042 left our Leipzig depot this morning. GLS expects to "
          "deliver it tomorrow between 9:00 and 13:00.", latency_ms=650, step=2),
    Reply("change the address", calls=[("lookup_order", {"order_id": "A-1042"})], latency_ms=280),
    Reply("change the address", "The parcel is already with GLS, so I can't change the address any more. You can "
          "redirect it to a parcel shop with the link in your shipping mail.", latency_ms=720, step=1),
    Reply("thanks, that helps", "You're welcome! Is there anything else I can do for you?", latency_ms=180),
    Reply("cancel order b-2210", calls=[("cancel_order", {"order_id": "B-2210"})], latency_ms=330),
    Reply("cancel order b-2210", "Done: order B-2210 is cancelled and EUR 59.90 goes back to your card in 3 to 5 "
          "working days.", latency_ms=610, step=1),
    Reply("order z-9999", calls=[("lookup_order", {"order_id": "Z-9999"})], latency_ms=300),
    Reply("order z-9999", "I can't find an order Z-9999. Could you check the number in your confirmation mail?",
          latency_ms=430, step=1),
    # returns, answered by the agent graph
    Reply("return the headphones", calls=[("lookup_order", {"order_id": "C-3307"}),
                                          ("create_return", {"order_id": "C-3307", "sku": "HP-200"})],
          latency_ms=640),
    Reply("return the headphones", "I've opened return R-881 for the HP-200 headphones. The label is in your inbox; "
          "please send the parcel by 14 December.", latency_ms=820, step=1),
    Reply("when do i get my money", calls=[("refund_status", {"return_id": "R-881"})], latency_ms=260),
    Reply("when do i get my money", "We refund within two working days after return R-881 arrives. So far it has "
          "not been scanned at our depot.", latency_ms=540, step=1),
    Reply("black headphones", calls=[("stock_level", {"sku": "HP-200-BLK"})], latency_ms=310),
    Reply("black headphones", "The black HP-200 is in stock (14 pieces). I can reserve one for 48 hours; "
          "shall I?", latency_ms=480, step=1),
    Reply("is the kettle k-12 in stock", calls=[("stock_level", {"sku": "K-12"})],
          latency_ms=330),
    Reply("is the kettle k-12 in stock", "Yes, 32 kettles K-12 are in stock. Shall I put one into your cart?",
          latency_ms=390, step=1),
    Reply("refund status r-404", calls=[("refund_status", {"return_id": "R-404"})], latency_ms=290),
    # answers from documents
    Reply("how long can i return", "You can return most articles within 30 days of delivery. Opened hygiene articles "
          "and cut fabric are excluded [returns-policy].", latency_ms=700),
    Reply("ship to switzerland", "Yes. Shipping to Switzerland costs EUR 12.90 and takes 3 to 6 working days; import "
          "duties are collected on delivery [shipping-abroad].", latency_ms=880),
    Reply("battery warranty", "Rechargeable batteries carry a 12 month warranty; capacity above 80 % counts as normal "
          "wear [warranty-terms].", latency_ms=640),
    Reply("pay by invoice", "Invoice is offered for orders between EUR 20 and EUR 500 after a credit check "
          "[payment-methods].", latency_ms=520),
    Reply("gift card expire", "Gift cards are valid for three years from the end of the year of purchase "
          "[gift-cards].", latency_ms=560),
    Reply("espresso machine leaks", "Please empty the drip tray, check that the water tank clicks into place and "
          "replace the seal ring (part SR-8). If it still leaks, it is covered by the warranty [manual-em3, "
          "warranty-terms].", latency_ms=900),
    Reply("opening hours of the store in graz", "I don't have information about a store in Graz.", latency_ms=410),
    # tickets
    Reply("ticket 5512", "Customer received a cracked bowl, wants a replacement, not a refund. Photos attached. "
          "Priority: normal.", latency_ms=850),
    Reply("ticket 5519", "Customer was charged twice for order D-4120 (EUR 74.00). Bank statement attached. "
          "Priority: high.", latency_ms=760),
    Reply("ticket 5533", "Customer asks for a VAT invoice for a business order. No defect. Priority: low.",
          latency_ms=480),
    Reply("ticket 5540", "Third delivery attempt failed; the parcel goes back to the depot. Customer wants a pick-up "
          "point. Priority: normal.", latency_ms=690),
    Reply("ticket 5547", "Customer praises the support team and asks for a newsletter voucher. Priority: low.",
          latency_ms=390),
    # short jobs
    Reply("translate to german", "Ihr Paket ist unterwegs und kommt morgen an.", latency_ms=330),
    Reply("translate to french", "Votre colis est en route et arrivera demain.", latency_ms=360),
    Reply("translate to polish", "Twoja paczka jest w drodze i dotrze jutro.", latency_ms=340),
    Reply("product text", "Boils a litre in under two minutes, switches itself off, and stays cool to the touch: the "
          "K-12 kettle in brushed steel.", latency_ms=620),
    Reply("subject line", "Your parcel arrives tomorrow", latency_ms=240),
    Reply("classify review", "positive", latency_ms=150),
]

FALLBACK = Reply("", "I'm not sure I understood. Could you give me your order number?", latency_ms=250)

ERRORS = {
    400: ("invalid_request_error", "max_tokens is too large: 40000. This model supports at most 16384 tokens."),
    429: ("rate_limit_error", "Rate limit reached for requests per minute: limit 500, used 500. Try again in 120ms."),
    500: ("server_error", "The server had an error while processing your request."),
}


def text_of(content) -> str:
    """The text of a message content, a string or a list of parts."""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content or [] if isinstance(part, dict))


def last_question(messages: list[dict]) -> tuple[str, int]:
    """The last user text and how many tool rounds followed it."""
    question, rounds = "", 0
    for message in messages:
        text = text_of(message.get("content"))
        if message["role"] == "user" and text:
            question, rounds = text.lower(), 0
        elif message["role"] == "assistant" and has_tool_call(message):
            rounds += 1
    return question, rounds


def has_tool_call(message: dict) -> bool:
    if message.get("tool_calls"):
        return True
    content = message.get("content")
    return isinstance(content, list) and any(part.get("type") == "tool_use" for part in content)


def choose(messages: list[dict]) -> Reply:
    question, rounds = last_question(messages)
    for reply in REPLIES:
        if reply.when in question and reply.step == rounds:
            return reply
    return FALLBACK


def seeded(*parts: object) -> int:
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:6], "big")


def latency_s(reply: Reply, body: dict) -> float:
    """The reply's latency, stretched by up to a third, always the same for the same request."""
    return reply.latency_ms / 1000 * (1 + seeded(json.dumps(body, sort_keys=True)) % 100 / 300)


def tokens(text: str) -> int:
    return max(1, round(len(text) / 3.7))


def prompt_tokens(body: dict) -> int:
    parts = [body.get("system") or "", json.dumps(body.get("tools") or "")]
    parts += [json.dumps(message) for message in body["messages"]]
    return sum(tokens(part) for part in parts)


def completion_tokens(reply: Reply) -> int:
    return tokens(reply.text) + sum(12 + tokens(json.dumps(args)) for _, args in reply.calls)


def openai_usage(body: dict, reply: Reply) -> dict:
    prompt, completion = prompt_tokens(body), completion_tokens(reply)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def openai_calls(reply: Reply, body: dict) -> list[dict]:
    return [
        {"id": f"call_{seeded(name, args, i, len(body['messages'])):012x}", "type": "function",
         "function": {"name": name, "arguments": json.dumps(args)}}
        for i, (name, args) in enumerate(reply.calls)
    ]


def openai_completion(body: dict, reply: Reply) -> dict:
    message: dict = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = openai_calls(reply, body)
    return {
        "id": f"chatcmpl-{seeded(body):012x}", "object": "chat.completion", "created": CREATED,
        "model": body["model"], "usage": openai_usage(body, reply),
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if reply.calls else "stop"}],
    }


def openai_chunks(body: dict, reply: Reply) -> list[dict]:
    head = {"id": f"chatcmpl-{seeded(body):012x}", "object": "chat.completion.chunk", "created": CREATED,
            "model": body["model"]}
    pieces = [word + " " for word in reply.text.split(" ")]
    pieces[-1] = pieces[-1].rstrip()
    deltas = [{"role": "assistant", "content": ""}] + [{"content": piece} for piece in pieces]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "choices": [], "usage": openai_usage(body, reply)})
    return chunks


def embeddings(body: dict) -> dict:
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [{"object": "embedding", "index": i, "embedding": vector(str(text))} for i, text in enumerate(inputs)]
    count = sum(tokens(str(text)) for text in inputs)
    return {"object": "list", "data": data, "model": body["model"],
            "usage": {"prompt_tokens": count, "total_tokens": count}}


def vector(text: str) -> list[float]:
    return [seeded(text, i) % 2001 / 1000 - 1 for i in range(4)]


def anthropic_message(body: dict, reply: Reply) -> dict:
    content = [{"type": "text", "text": reply.text}] if reply.text else []
    content += [{"type": "tool_use", "id": f"toolu_{seeded(name, args):012x}", "name": name, "input": args}
                for name, args in reply.calls]
    return {
        "id": f"msg_{seeded(body):012x}", "type": "message", "role": "assistant", "model": body["model"],
        "content": content, "stop_reason": "tool_use" if reply.calls else "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": prompt_tokens(body), "output_tokens": completion_tokens(reply)},
    }


def anthropic_events(body: dict, reply: Reply) -> list[dict]:
    message = anthropic_message(body, reply)
    start = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    events = [{"type": "message_start", "message": start},
              {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}]
    events += [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word + " "}}
               for word in reply.text.split(" ")]
    return events + [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": message["usage"]["output_tokens"]}},
        {"type": "message_stop"},
    ]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    flaky_used = False

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or "{}")
        status = self.fault()
        if status:
            time.sleep(0.08)
            self.send_error_json(status)
        elif self.path.endswith("/chat/completions"):
            self.chat(body)
        elif self.path.endswith("/embeddings"):
            time.sleep(0.05 + seeded(body) % 60 / 1000)
            self.send_json(200, embeddings(body))
        elif self.path.endswith("/messages"):
            self.messages(body)
        else:
            self.send_json(404, {"error": {"type": "not_found_error", "message": f"no route {self.path}"}})

    def fault(self) -> int:
        key = self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")
        mode = key.removeprefix("sk-fault-") if key.startswith("sk-fault-") else ""
        if mode == "flaky" and not Handler.flaky_used:
            Handler.flaky_used = True
            return 429
        return int(mode) if mode.isdigit() else 0

    def chat(self, body: dict):
        reply = choose(body["messages"])
        if body.get("stream"):
            self.stream(latency_s(reply, body), [(None, chunk) for chunk in openai_chunks(body, reply)], "[DONE]")
        else:
            time.sleep(latency_s(reply, body))
            self.send_json(200, openai_completion(body, reply))

    def messages(self, body: dict):
        reply = choose(body["messages"])
        if body.get("stream"):
            events = [(event["type"], event) for event in anthropic_events(body, reply)]
            self.stream(latency_s(reply, body), events, None)
        else:
            time.sleep(latency_s(reply, body))
            self.send_json(200, anthropic_message(body, reply))

    def stream(self, total_s: float, events: list, last: str | None):
        """Server-sent events: a third of the time before the first one, the rest between them."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        time.sleep(total_s / 3)
        for name, event in events:
            head = f"event: {name}\n" if name else ""
            self.wfile.write(f"{head}data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
            time.sleep(total_s * 2 / 3 / len(events))
        if last:
            self.wfile.write(f"data: {last}\n\n".encode())

    def send_error_json(self, status: int):
        kind, message = ERRORS.get(status, ("api_error", "unexpected error"))
        error = {"type": kind, "message": message, "code": kind, "param": None}
        self.send_json(status, {"type": "error", "error": error}, {"retry-after-ms": "120"})

    def send_json(self, status: int, body: dict, headers: dict | None = None):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def start(port: int = 0) -> Server:
    """Starts the server on a daemon thread; its `server_port` tells the port."""
    server = Server(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    server = Server(("127.0.0.1", parser.parse_args().port), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
