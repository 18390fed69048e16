"""Makes traces by MLflow's autologging of the vendors' own clients and of frameworks, on a stand-in for their APIs.

To a server goes what a client with OpenTelemetry's conventions for GenAI sends by their protocol, instead.
The last line on standard output is a JSON object from case to its trace id and to what was said, as the stand-in
got and gave it: `messages` with the texts, calls and results of the last request and its answer, and for each
answer, in order, `answers` with the model, the reason to end and the tokens.
"""

from __future__ import annotations

import argparse
import json
import os
import threading

os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"

import mlflow
import model_server
from anthropic import Anthropic
from google import genai
from google.genai import types
from langchain.agents import create_agent
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from model_server import choose, tokens
from openai import OpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

ORDERS = {"A-1042": {"status": "shipped", "tracking_no": "GLS-77120"}}
SYSTEM = "You help customers of a shop."
WHERE, PLAIN = "Where is my order A-1042?", "Can I pay by invoice?"


# What the stand-in says, in the form of each vendor, and what was said in words of none of them.


def said(role: str, text: str = "", calls: list | None = None, results: list | None = None) -> dict:
    return {"role": role, "text": text, "calls": calls or [], "results": results or []}


def openai_said(message: dict) -> dict:
    text = model_server.text_of(message.get("content"))
    if message["role"] == "tool":
        return said("tool", results=[{"id": message["tool_call_id"], "text": text}])
    calls = [{"id": call["id"], "name": call["function"]["name"], "arguments": json.loads(call["function"]["arguments"])}
             for call in message.get("tool_calls") or []]
    return said(message["role"], text, calls)


def openai_exchange(body: dict) -> tuple[dict, list[dict], dict]:
    answer = model_server.openai_completion(body, choose(body["messages"]))
    choice, usage = answer["choices"][0], answer["usage"]
    facts = {"model": answer["model"], "finish": choice["finish_reason"], "input": usage["prompt_tokens"],
             "output": usage["completion_tokens"]}
    return answer, [openai_said(message) for message in [*body["messages"], choice["message"]]], facts


def openai_chunks(answer: dict) -> list[dict]:
    """The answer in pieces: of texts the words, of arguments the halves."""
    message, finish = answer["choices"][0]["message"], answer["choices"][0]["finish_reason"]
    deltas = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word + " "} for word in (message["content"] or "").split(" ")[:-1]]
    deltas += [{"content": word} for word in (message["content"] or "").split(" ")[-1:] if word]
    for at, call in enumerate(message.get("tool_calls", [])):
        text = call["function"]["arguments"]
        deltas.append({"tool_calls": [{"index": at, **call, "function": {**call["function"], "arguments": ""}}]})
        deltas += [{"tool_calls": [{"index": at, "function": {"arguments": part}}]} for part in (text[:7], text[7:])]
    head = {key: answer[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    return [*chunks, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
            {**head, "choices": [], "usage": answer["usage"]}]


def anthropic_said(message: dict) -> dict:
    if isinstance(message["content"], str):
        return said(message["role"], message["content"])
    blocks = {kind: [block for block in message["content"] if block["type"] == kind]
              for kind in ("text", "tool_use", "tool_result")}
    if blocks["tool_result"]:
        return said("tool", results=[{"id": each["tool_use_id"], "text": each["content"]} for each in blocks["tool_result"]])
    calls = [{"id": each["id"], "name": each["name"], "arguments": each["input"]} for each in blocks["tool_use"]]
    return said(message["role"], "".join(block["text"] for block in blocks["text"]), calls)


def anthropic_exchange(body: dict) -> tuple[dict, list[dict], dict]:
    answer = model_server.anthropic_message(body, choose(body["messages"]))
    system = [said("system", body["system"])] if body.get("system") else []
    facts = {"model": answer["model"], "finish": answer["stop_reason"], "input": answer["usage"]["input_tokens"],
             "output": answer["usage"]["output_tokens"]}
    return answer, system + [anthropic_said(message) for message in [*body["messages"], answer]], facts


def gemini_said(content: dict) -> dict:
    role = {"model": "assistant"}.get(content["role"], content["role"])
    parts = content["parts"]
    calls = [{"id": None, "name": part["functionCall"]["name"], "arguments": part["functionCall"]["args"]}
             for part in parts if "functionCall" in part]
    results = [{"id": None, "text": json.dumps(part["functionResponse"]["response"])}
               for part in parts if "functionResponse" in part]
    return said("tool" if results else role, "".join(part.get("text", "") for part in parts), calls, results)


def gemini_exchange(body: dict, model: str) -> tuple[dict, list[dict], dict]:
    asked = [gemini_said(content) for content in body["contents"]]
    reply = choose([{"role": each["role"], "content": each["text"], "tool_calls": each["calls"]} for each in asked])
    parts = [{"text": reply.text}] if reply.text else []
    parts += [{"functionCall": {"name": name, "args": arguments}} for name, arguments in reply.calls]
    content = {"role": "model", "parts": parts}
    count = tokens(json.dumps(body)), tokens(json.dumps(parts))
    answer = {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "modelVersion": model,
              "usageMetadata": {"promptTokenCount": count[0], "candidatesTokenCount": count[1],
                                "totalTokenCount": sum(count)}}
    system = [said("system", part["text"]) for part in body.get("systemInstruction", {}).get("parts", [])]
    facts = {"model": model, "finish": "STOP", "input": count[0], "output": count[1]}
    return answer, [*system, *asked, gemini_said(content)], facts


class Handler(model_server.Handler):
    """Answers at once, and remembers what was said."""

    log: list[tuple[list[dict], dict]] = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/chat/completions"):
            answer, *remembered = openai_exchange(body)
        elif self.path.endswith("/messages"):
            answer, *remembered = anthropic_exchange(body)
        else:
            answer, *remembered = gemini_exchange(body, self.path.split("/models/")[1].split(":")[0])
        Handler.log.append(tuple(remembered))
        if body.get("stream"):
            self.stream(0, [(None, chunk) for chunk in openai_chunks(answer)], "[DONE]")
        else:
            self.send_json(200, answer)


# The programs.


def lookup_order(order_id: str) -> str:
    """Looks an order up."""
    return json.dumps(ORDERS[order_id])


def track_parcel(tracking_no: str) -> str:
    """Asks the carrier where a parcel is."""
    return json.dumps({"state": "in delivery", "depot": "Leipzig"})


TOOLS = {"lookup_order": (lookup_order, "order_id"), "track_parcel": (track_parcel, "tracking_no")}
TRACED = {name: mlflow.trace(function, span_type="TOOL") for name, (function, _) in TOOLS.items()}


def schema(name: str) -> dict:
    return {"type": "object", "properties": {TOOLS[name][1]: {"type": "string"}}, "required": [TOOLS[name][1]]}


def openai_plain(address: str):
    OpenAI(base_url=address + "/v1", api_key="sk").chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": PLAIN}])


@mlflow.trace(name="openai-tools", span_type="AGENT")
def openai_tools(address: str):
    """Calls tools until the model answers."""
    client = OpenAI(base_url=address + "/v1", api_key="sk")
    offered = [{"type": "function", "function": {"name": name, "parameters": schema(name)}} for name in TOOLS]
    messages = [{"role": "user", "content": WHERE}]
    while True:
        message = client.chat.completions.create(model="gpt-4o", messages=messages, tools=offered).choices[0].message
        if not message.tool_calls:
            return message.content
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            result = TRACED[call.function.name](**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def openai_stream(address: str):
    list(OpenAI(base_url=address + "/v1", api_key="sk").chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": PLAIN}], stream=True,
        stream_options={"include_usage": True}))


def openai_stream_tools(address: str):
    """The call of a tool, in pieces."""
    offered = [{"type": "function", "function": {"name": "lookup_order", "parameters": schema("lookup_order")}}]
    list(OpenAI(base_url=address + "/v1", api_key="sk").chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": WHERE}], tools=offered, stream=True,
        stream_options={"include_usage": True}))


def anthropic_plain(address: str):
    Anthropic(base_url=address, api_key="sk").messages.create(
        model="claude-sonnet-4-20250514", max_tokens=300, system=SYSTEM, messages=[{"role": "user", "content": PLAIN}])


@mlflow.trace(name="anthropic-tools", span_type="AGENT")
def anthropic_tools(address: str):
    """Calls tools until the model answers."""
    client = Anthropic(base_url=address, api_key="sk")
    offered = [{"name": name, "input_schema": schema(name)} for name in TOOLS]
    messages = [{"role": "user", "content": WHERE}]
    while True:
        answer = client.messages.create(model="claude-sonnet-4-20250514", max_tokens=300, messages=messages, tools=offered)
        if answer.stop_reason != "tool_use":
            return answer.content[0].text
        messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]})
        messages.append({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": block.id, "content": TRACED[block.name](**block.input)}
            for block in answer.content if block.type == "tool_use"]})


def chat_model(address: str, model: str) -> ChatOpenAI:
    return ChatOpenAI(model=model, base_url=address + "/v1", api_key="sk", use_responses_api=False)


def langchain_chain(address: str):
    prompt = ChatPromptTemplate.from_messages([("system", SYSTEM), ("user", "{question}")])
    (prompt | chat_model(address, "gpt-4o-mini") | StrOutputParser()).invoke({"question": PLAIN})


def langgraph_agent(address: str):
    agent = create_agent(chat_model(address, "gpt-4.1-mini"), [tool(function) for function, _ in TOOLS.values()],
                         system_prompt=SYSTEM)
    agent.invoke({"messages": [{"role": "user", "content": WHERE}]})


def gemini_client(address: str) -> genai.Client:
    return genai.Client(api_key="sk", http_options=types.HttpOptions(base_url=address))


def gemini_plain(address: str):
    client = gemini_client(address)
    client.models.generate_content(
        model="gemini-2.5-flash", contents=PLAIN, config=types.GenerateContentConfig(system_instruction=SYSTEM))


def gemini_tools(address: str):
    """The client calls the tools by itself."""
    client = gemini_client(address)
    client.models.generate_content(
        model="gemini-2.5-flash", contents=WHERE,
        config=types.GenerateContentConfig(tools=[function for function, _ in TOOLS.values()]))


def otel_chat(address: str, server: str, experiment: str) -> str:
    """A call of a tool, told as the conventions say; gives the id of the trace."""
    exporter = OTLPSpanExporter(server + "/v1/traces", headers={"x-mlflow-experiment-id": experiment})
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    asked = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": WHERE}]
    parts = [{"role": each["role"], "parts": [{"type": "text", "content": each["content"]}]} for each in asked]
    offered = [{"type": "function", "function": {"name": "lookup_order", "parameters": schema("lookup_order")}}]
    with provider.get_tracer("shop").start_as_current_span("chat gpt-4o") as span:
        answer = OpenAI(base_url=address + "/v1", api_key="sk").chat.completions.create(
            model="gpt-4o", messages=asked, tools=offered)
        choice = answer.choices[0]
        calls = [{"type": "tool_call", "id": call.id, "name": call.function.name,
                  "arguments": json.loads(call.function.arguments)} for call in choice.message.tool_calls]
        span.set_attributes({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": answer.model, "gen_ai.response.finish_reasons": [choice.finish_reason],
            "gen_ai.usage.input_tokens": answer.usage.prompt_tokens,
            "gen_ai.usage.output_tokens": answer.usage.completion_tokens,
            "gen_ai.system_instructions": json.dumps(parts[0]["parts"]),
            "gen_ai.input.messages": json.dumps(parts[1:]),
            "gen_ai.output.messages": json.dumps(
                [{"role": "assistant", "parts": calls, "finish_reason": choice.finish_reason}])})
    provider.shutdown()
    return f"tr-{span.get_span_context().trace_id:032x}"


DIRECT = [openai_plain, openai_tools, openai_stream, openai_stream_tools, anthropic_plain, anthropic_tools,
          gemini_plain, gemini_tools]
# LangChain's own autologging has the calls of OpenAI's client.
CHAINED = [langchain_chain, langgraph_agent]


def case(trace_id: str) -> dict:
    """What the stand-in remembers, with the trace that it belongs to."""
    return {"trace_id": trace_id, "messages": Handler.log[-1][0], "answers": [facts for _, facts in Handler.log]}


def autologged(address: str) -> dict:
    """A trace of each program, by the autologging of its client or of its framework alone."""
    for vendor in (mlflow.openai, mlflow.anthropic, mlflow.gemini):
        vendor.autolog()
    cases = {}
    for function in [*DIRECT, *CHAINED]:
        if function is CHAINED[0]:
            mlflow.openai.autolog(disable=True)
            mlflow.langchain.autolog()
        Handler.log.clear()
        function(address)
        cases[function.__name__] = case(mlflow.get_last_active_trace_id())
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracking-uri", required=True)
    uri = parser.parse_args().tracking_uri
    mlflow.set_tracking_uri(uri)
    experiment = mlflow.set_experiment("clients").experiment_id
    server = model_server.Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    if uri.startswith("http"):
        cases = {"otel_chat": case(otel_chat(address, uri, experiment))}
    else:
        cases = autologged(address)
    print(json.dumps(cases))


if __name__ == "__main__":
    main()
