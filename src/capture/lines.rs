//! The lines themselves. What differs between places is put in as literals of the language
//! that the lines are in; logins stay in the environment.

use std::fmt::Write as _;

use crate::model::Experiment;

/// Where traces are to go.
#[derive(Debug, Clone)]
pub struct Place {
    /// For MLflow's client.
    pub uri: String,
    /// How the server is logged in to.
    pub login: Option<Login>,
    /// The experiment as it was named, by its name or its id.
    pub experiment: Option<String>,
    /// Its id, where nothing else will do.
    pub experiment_id: String,
    /// The share of the calls to trace.
    pub sample: Option<f64>,
}

/// What the environment holds for a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`.
    Basic,
    /// `MLFLOW_TRACKING_TOKEN`.
    Token,
}

impl Place {
    /// Where OpenTelemetry's clients send to.
    fn traces(&self) -> String {
        format!("{}/v1/traces", self.uri)
    }
}

/// A literal in Python, TypeScript and Go: that of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A word of a shell.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The beginning of every program with MLflow's client.
fn mlflow(place: &Place, packages: &str) -> String {
    let mut lines = format!(
        "# pip install {}\n",
        ["'mlflow>=3.4'", packages].join(" ").trim_end()
    );
    if let Some(share) = place.sample {
        let _ = write!(
            lines,
            "import os\n\nos.environ[\"MLFLOW_TRACE_SAMPLING_RATIO\"] = \"{share}\"\n\n"
        );
    }
    lines.push_str("import mlflow\n\n");
    match place.login {
        Some(Login::Token) => lines.push_str("# MLflow logs in with MLFLOW_TRACKING_TOKEN\n"),
        Some(Login::Basic) => lines.push_str(
            "# MLflow logs in with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD\n",
        ),
        None => {}
    }
    let _ = writeln!(lines, "mlflow.set_tracking_uri({})", quoted(&place.uri));
    if let Some(name) = &place.experiment {
        let by = if Experiment::is_id(name) {
            "experiment_id="
        } else {
            ""
        };
        let _ = writeln!(lines, "mlflow.set_experiment({by}{})", quoted(name));
    }
    lines
}

pub(super) fn autolog(place: &Place, module: &str, packages: &str) -> String {
    // This one is no part of the package until it is imported.
    let import = if module == "otel" {
        "\nimport mlflow.otel\n\n"
    } else {
        ""
    };
    format!(
        "{}{import}mlflow.{module}.autolog()\n",
        mlflow(place, packages)
    )
}

pub(super) fn claude_code(place: &Place) -> String {
    let experiment = match &place.experiment {
        Some(name) if Experiment::is_id(name) => {
            format!(" -e {}", word(name))
        }
        Some(name) => format!(" -n {}", word(name)),
        None => String::new(),
    };
    format!(
        "# pip install 'mlflow>=3.4', then once in the folder of the project:\nmlflow autolog claude -u {}{experiment}\n",
        word(&place.uri)
    )
}

pub(super) fn transformers(place: &Place) -> String {
    format!(
        "{}\n# mlflow.transformers.autolog() makes no traces: it only keeps other integrations quiet while\n\
         # models are trained. A pipeline is traced by what is around it.\n\
         from transformers import pipeline\n\n\
         generate = mlflow.trace(pipeline(\"text-generation\"), name=\"generate\", span_type=\"LLM\")\n\
         generate(\"Hello\")\n",
        mlflow(place, "transformers torch")
    )
}

pub(super) fn decorator(place: &Place) -> String {
    format!(
        "{}\n\n@mlflow.trace(span_type=\"TOOL\")\ndef look_up(order: str) -> str:\n    return \"shipped\"\n\n\n\
         @mlflow.trace\ndef answer(question: str) -> str:\n    return look_up(\"A-1042\")\n\n\n\
         answer(\"Where is my order?\")\n",
        mlflow(place, "")
    )
}

pub(super) fn context(place: &Place) -> String {
    format!(
        "{}\nwith mlflow.start_span(\"answer\", span_type=\"CHAIN\") as span:\n    \
         span.set_inputs({{\"question\": \"Where is my order?\"}})\n    \
         with mlflow.start_span(\"look_up\", span_type=\"TOOL\") as tool:\n        \
         tool.set_outputs(\"shipped\")\n    \
         span.set_outputs(\"It is on its way.\")\n",
        mlflow(place, "")
    )
}

pub(super) fn otel_python(place: &Place) -> String {
    let mut imports = String::new();
    let mut headers = format!(
        "        \"x-mlflow-experiment-id\": {},\n",
        quoted(&place.experiment_id)
    );
    match place.login {
        Some(Login::Token) => {
            imports.push_str("import os\n\n");
            headers.push_str(
                "        \"authorization\": \"Bearer \" + os.environ[\"MLFLOW_TRACKING_TOKEN\"],\n",
            );
        }
        Some(Login::Basic) => {
            imports.push_str("import os\nfrom base64 import b64encode\n\n");
            headers.push_str(
                "        \"authorization\": \"Basic \" + b64encode(\n            \
                 f\"{os.environ['MLFLOW_TRACKING_USERNAME']}:{os.environ['MLFLOW_TRACKING_PASSWORD']}\".encode()\n        \
                 ).decode(),\n",
            );
        }
        None => {}
    }
    let (sampling, sampler) = match place.sample {
        Some(share) => (
            "from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased\n",
            format!("sampler=ParentBased(TraceIdRatioBased({share}))"),
        ),
        None => ("", String::new()),
    };
    format!(
        "# pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http\n\
         {imports}from opentelemetry import trace\n\
         from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter\n\
         from opentelemetry.sdk.trace import TracerProvider\n\
         from opentelemetry.sdk.trace.export import BatchSpanProcessor\n\
         {sampling}\n\
         exporter = OTLPSpanExporter(\n    endpoint={},\n    headers={{\n{headers}    }},\n)\n\
         provider = TracerProvider({sampler})\n\
         provider.add_span_processor(BatchSpanProcessor(exporter))\n\
         trace.set_tracer_provider(provider)\n\n\
         with trace.get_tracer(\"app\").start_as_current_span(\"answer\") as span:\n    \
         span.set_attribute(\"input.value\", \"Where is my order?\")\n",
        quoted(&place.traces())
    )
}

pub(super) fn otel_typescript(place: &Place) -> String {
    let authorization = match place.login {
        Some(Login::Token) => {
            "      authorization: `Bearer ${process.env.MLFLOW_TRACKING_TOKEN}`,\n"
        }
        Some(Login::Basic) => {
            "      authorization: `Basic ${Buffer.from(`${process.env.MLFLOW_TRACKING_USERNAME}:${process.env.MLFLOW_TRACKING_PASSWORD}`).toString(\"base64\")}`,\n"
        }
        None => "",
    };
    // By its environment, since the package of samplers has another name in every other release.
    let sampler = place.sample.map_or(String::new(), |share| {
        format!(
            "process.env.OTEL_TRACES_SAMPLER = \"parentbased_traceidratio\";\n\
             process.env.OTEL_TRACES_SAMPLER_ARG = \"{share}\";\n\n"
        )
    });
    format!(
        "// npm install @opentelemetry/api @opentelemetry/sdk-node @opentelemetry/exporter-trace-otlp-proto tsx\n\
         // Run it as a module: npx tsx app.mts\n\
         import {{ trace }} from \"@opentelemetry/api\";\n\
         import {{ NodeSDK }} from \"@opentelemetry/sdk-node\";\n\
         import {{ OTLPTraceExporter }} from \"@opentelemetry/exporter-trace-otlp-proto\";\n\n\
         {sampler}const sdk = new NodeSDK({{\n  traceExporter: new OTLPTraceExporter({{\n    \
         url: {},\n    headers: {{\n      \"x-mlflow-experiment-id\": {},\n{authorization}    }},\n  }}),\n}});\n\
         sdk.start();\n\n\
         trace.getTracer(\"app\").startActiveSpan(\"answer\", (span) => span.end());\n\n\
         await sdk.shutdown(); // when the program ends\n",
        quoted(&place.traces()),
        quoted(&place.experiment_id)
    )
}

pub(super) fn otel_go(place: &Place) -> String {
    let (imports, authorization) = match place.login {
        Some(Login::Token) => (
            "\t\"os\"\n",
            "\t\t\t\"authorization\":          \"Bearer \" + os.Getenv(\"MLFLOW_TRACKING_TOKEN\"),\n",
        ),
        Some(Login::Basic) => (
            "\t\"encoding/base64\"\n\t\"os\"\n",
            "\t\t\t\"authorization\": \"Basic \" + base64.StdEncoding.EncodeToString([]byte(\n\
             \t\t\t\tos.Getenv(\"MLFLOW_TRACKING_USERNAME\")+\":\"+os.Getenv(\"MLFLOW_TRACKING_PASSWORD\"))),\n",
        ),
        None => ("", ""),
    };
    let sampler = place.sample.map_or(String::new(), |share| {
        format!(
            "\n\t\tsdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased({share}))),"
        )
    });
    format!(
        "// go get go.opentelemetry.io/otel go.opentelemetry.io/otel/sdk go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp\n\
         package main\n\n\
         import (\n\t\"context\"\n\t\"log\"\n{imports}\n\
         \t\"go.opentelemetry.io/otel\"\n\
         \t\"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp\"\n\
         \tsdktrace \"go.opentelemetry.io/otel/sdk/trace\"\n)\n\n\
         func main() {{\n\tctx := context.Background()\n\
         \texporter, err := otlptracehttp.New(ctx,\n\
         \t\totlptracehttp.WithEndpointURL({}),\n\
         \t\totlptracehttp.WithHeaders(map[string]string{{\n\
         \t\t\t\"x-mlflow-experiment-id\": {},\n{authorization}\t\t}}),\n\t)\n\
         \tif err != nil {{\n\t\tlog.Fatal(err)\n\t}}\n\
         \tprovider := sdktrace.NewTracerProvider({sampler}\n\t\tsdktrace.WithBatcher(exporter),\n\t)\n\
         \tdefer provider.Shutdown(ctx)\n\
         \totel.SetTracerProvider(provider)\n\n\
         \t_, span := otel.Tracer(\"app\").Start(ctx, \"answer\")\n\tspan.End()\n}}\n",
        quoted(&place.traces()),
        quoted(&place.experiment_id)
    )
}

pub(super) fn otel_env(place: &Place) -> String {
    let authorization = match place.login {
        // Values of headers are encoded as in URIs.
        Some(Login::Token) => "\",authorization=Bearer%20$MLFLOW_TRACKING_TOKEN\"",
        Some(Login::Basic) => {
            "\",authorization=Basic%20$(printf %s \"$MLFLOW_TRACKING_USERNAME:$MLFLOW_TRACKING_PASSWORD\" | base64 | tr -d '\\n')\""
        }
        None => "",
    };
    let sampler = place.sample.map_or(String::new(), |share| {
        format!(
            "export OTEL_TRACES_SAMPLER=parentbased_traceidratio\nexport OTEL_TRACES_SAMPLER_ARG={share}\n"
        )
    });
    format!(
        "export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={}\n\
         export OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf\n\
         export OTEL_EXPORTER_OTLP_TRACES_HEADERS={}{authorization}\n{sampler}",
        word(&place.traces()),
        word(&format!("x-mlflow-experiment-id={}", place.experiment_id))
    )
}
