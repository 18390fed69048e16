//! What a retriever, a reranker or an embedding gives back: documents with their
//! scores in all the shapes that clients and stores of vectors have, and the size of
//! what was embedded.

use serde_json::Value;

use super::sources::drawn;
use super::value::{
    Object, attribute, attribute_text, decoded, first, first_text, list, object, some, text,
};
use crate::model::{Span, attribute as keys};

/// Which scores are better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Better {
    /// Scores of likeness.
    #[default]
    Higher,
    /// Distances.
    Lower,
}

/// A document that was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// The id in its store.
    pub id: Option<String>,
    /// Where it comes from: an address, a file, a title.
    pub source: Option<String>,
    /// How well it matches.
    pub score: Option<f64>,
    /// Which scores are better.
    pub better: Better,
    /// Its text.
    pub text: String,
}

/// What was looked for, and what was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retrieval {
    /// The question.
    pub query: Option<String>,
    /// In the order in which they came back.
    pub documents: Vec<Document>,
    /// Of a reranker those that it was given.
    pub before: Option<Vec<Document>>,
}

/// How much was embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// Vectors.
    pub count: usize,
    /// Numbers of a vector.
    pub dimensions: usize,
}

/// What a span of a retriever or reranker tells; `None` of any other span.
pub fn retrieval(span: &Span) -> Option<Retrieval> {
    let kind = span.span_type();
    let operation = attribute_text(span, "gen_ai.operation.name");
    let is_retrieval = operation.is_some_and(|operation| operation == "retrieval");
    if !matches!(&*kind, "RETRIEVER" | "RERANKER") && !is_retrieval {
        return None;
    }
    let inputs = attribute(span, keys::INPUTS);
    let of_attributes = |prefix: &str| {
        let items = drawn(span, prefix)?;
        Some(items.iter().filter_map(document).collect::<Vec<_>>())
    };
    let documents = of_attributes("reranker.output_documents")
        .or_else(|| of_attributes("retrieval.documents"))
        .or_else(|| attribute(span, keys::OUTPUTS).as_ref().map(documents))
        .or_else(|| {
            attribute(span, "gen_ai.retrieval.documents")
                .as_ref()
                .map(documents)
        })
        .unwrap_or_default();
    let before = (kind == "RERANKER").then(|| {
        of_attributes("reranker.input_documents").or_else(|| {
            let given = first(
                inputs.as_ref()?.as_object()?,
                &["documents", "nodes", "docs", "passages", "candidates"],
            )?;
            Some(self::documents(given))
        })
    });
    let before = before.flatten();
    let ranked = attribute(span, keys::OUTPUTS).zip(before.as_ref());
    let documents = match ranked.and_then(|(outputs, before)| by_index(&outputs, before)) {
        Some(ranked) => ranked,
        None => documents,
    };
    Some(Retrieval {
        query: inputs
            .as_ref()
            .and_then(query)
            .or_else(|| attribute_text(span, "reranker.query"))
            .or_else(|| attribute_text(span, "gen_ai.retrieval.query.text"))
            .or_else(|| attribute_text(span, "input.value")),
        documents,
        before,
    })
}

/// Some rerankers tell the places of the documents that they were given.
fn by_index(outputs: &Value, before: &[Document]) -> Option<Vec<Document>> {
    let items = match outputs {
        Value::Array(items) => items.as_slice(),
        Value::Object(object) => list(object, "results")?,
        _ => return None,
    };
    let ranked = items.iter().map(|item| {
        let item = item.as_object()?;
        let at = usize::try_from(item.get("index")?.as_u64()?).ok()?;
        let mut found = before.get(at)?.clone();
        if let Some((score, better)) = score(item) {
            found.score = Some(score);
            found.better = better;
        }
        Some(found)
    });
    ranked.collect()
}

fn query(inputs: &Value) -> Option<String> {
    let object = match inputs {
        Value::String(text) => return Some(text.clone()),
        Value::Object(object) => object,
        Value::Array(items) => return query(items.first()?),
        _ => return None,
    };
    let names = [
        "query",
        "str_or_query_bundle",
        "query_bundle",
        "question",
        "input",
        "q",
        "text",
        "search_query",
        "query_str",
        "query_texts",
        "queries",
        "args",
        "kwargs",
    ];
    query(first(object, &names)?)
}

/// Objects that hold the documents in one of their members.
const LISTS: [&str; 10] = [
    "documents",
    "results",
    "matches",
    "source_nodes",
    "nodes",
    "docs",
    "data",
    "hits",
    "context",
    "result",
];

fn documents(value: &Value) -> Vec<Document> {
    match &*decoded(value) {
        Value::Array(items) => items.iter().filter_map(document).collect(),
        Value::Object(object) => columns(object).unwrap_or_else(|| {
            let list = LISTS.iter().find_map(|key| some(object, key));
            match list {
                Some(list) => documents(list),
                None => document(value).into_iter().collect(),
            }
        }),
        _ => Vec::new(),
    }
}

/// Chroma's answer: a list for each property, each a list for each query.
fn columns(object: &Object) -> Option<Vec<Document>> {
    let column = |key: &str| {
        let outer = list(object, key)?;
        outer.first()?.as_array().or(None)
    };
    let texts = column("documents")?;
    let at = |key: &str, at: usize| column(key)?.get(at).filter(|value| !value.is_null());
    let rows = texts.iter().enumerate().map(|(row, text)| {
        let metadata = at("metadatas", row).and_then(Value::as_object);
        let mut found = Document {
            id: at("ids", row).map(plain),
            text: text.as_str().unwrap_or_default().to_owned(),
            source: metadata.and_then(source),
            ..Document::default()
        };
        if let Some(distance) = at("distances", row).and_then(Value::as_f64) {
            found.score = Some(distance);
            found.better = Better::Lower;
        }
        found
    });
    Some(rows.collect())
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Members that hold the text.
const TEXTS: [&str; 8] = [
    "page_content",
    "content",
    "text",
    "chunk",
    "document.content",
    "snippet",
    "body",
    "passage",
];

/// A document in one of its shapes; `None` for what is none.
fn document(value: &Value) -> Option<Document> {
    let value = decoded(value);
    let object = match &*value {
        Value::String(text) => {
            return Some(Document {
                text: text.clone(),
                ..Document::default()
            });
        }
        // `[document, score]`.
        Value::Array(items) => {
            let [first, score] = items.as_slice() else {
                return None;
            };
            let mut found = document(first)?;
            found.score = score.as_f64().or(found.score);
            return Some(found);
        }
        Value::Object(object) => object,
        _ => return None,
    };
    // A node or a document within what only adds a score.
    for key in ["node", "document", "payload"] {
        if let Some(inner) = some(object, key)
            && let Some(mut found) = document(inner)
        {
            if let Some((score, better)) = score(object) {
                found.score = Some(score);
                found.better = better;
            }
            found.id = found.id.or_else(|| first(object, &["id"]).map(plain));
            found.source = found.source.or_else(|| source(object));
            return Some(found);
        }
    }
    let metadata = some(object, "metadata")
        .or_else(|| some(object, "meta"))
        .map(decoded);
    let metadata = metadata.as_deref().and_then(Value::as_object);
    let text = first(object, &TEXTS).map(|text| match text {
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join("\n"),
        other => plain(other),
    });
    let id = first(object, &["id", "id_", "document_id", "doc_id", "chunk_id"]).map(plain);
    if text.is_none() && id.is_none() && metadata.is_none() {
        return None;
    }
    let scored = score(object).or_else(|| score(metadata?));
    Some(Document {
        id,
        source: metadata.and_then(source).or_else(|| source(object)),
        score: scored.map(|(score, _)| score),
        better: scored.map(|(_, better)| better).unwrap_or_default(),
        text: text.unwrap_or_default(),
    })
}

fn text_of(item: &Value) -> String {
    match item {
        Value::Object(object) => first_text(object, &["text", "content"])
            .unwrap_or_default()
            .to_owned(),
        other => plain(other),
    }
}

fn source(object: &Object) -> Option<String> {
    let names = [
        "doc_uri",
        "source",
        "file_name",
        "filename",
        "file_path",
        "url",
        "title",
        "name",
        "chunk_id",
    ];
    names
        .iter()
        .find_map(|key| text(object, key))
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn score(object: &Object) -> Option<(f64, Better)> {
    let number = |keys: &[&str]| first(object, keys).and_then(Value::as_f64);
    number(&[
        "score",
        "relevance_score",
        "similarity",
        "similarity_score",
        "_score",
        "relevance",
        "rerank_score",
    ])
    .map(|score| (score, Better::Higher))
    .or_else(|| number(&["distance", "_distance"]).map(|score| (score, Better::Lower)))
}

/// The size of what a span embedded; `None` of a span that embeds nothing, or does
/// not tell the vectors.
pub fn embedded(span: &Span) -> Option<Embedded> {
    let outputs = attribute(span, keys::OUTPUTS)?;
    vectors(&outputs)
}

fn vectors(value: &Value) -> Option<Embedded> {
    match value {
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_number) => {
            Some(Embedded {
                count: 1,
                dimensions: items.len(),
            })
        }
        Value::Array(items) => {
            let inner = vectors(items.first()?)?;
            Some(Embedded {
                count: items.len(),
                dimensions: inner.dimensions,
            })
        }
        Value::Object(from) => {
            let inner = [
                "embedding",
                "values",
                "embeddings",
                "data",
                "vectors",
                "vector",
            ];
            inner
                .iter()
                .find_map(|key| vectors(from.get(*key)?))
                .or_else(|| {
                    // Base64 of numbers with 32 bits.
                    let coded = text(from, "embedding")?;
                    Some(Embedded {
                        count: 1,
                        dimensions: coded.trim_end_matches('=').len() * 3 / 4 / 4,
                    })
                })
                .or_else(|| vectors(&Value::Object(object(from, "embedding")?.clone())))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(value: &Value) -> Vec<(String, Option<String>, Option<f64>, Better)> {
        documents(value)
            .into_iter()
            .map(|one| (one.text, one.source, one.score, one.better))
            .collect()
    }

    #[test]
    fn documents_have_many_shapes() {
        let one = |source: Option<&str>, score: Option<f64>, better| {
            vec![("hours".to_owned(), source.map(str::to_owned), score, better)]
        };
        let (higher, lower) = (Better::Higher, Better::Lower);
        for (value, expected) in [
            (
                json!([{"page_content": "hours", "metadata": {"doc_uri": "h.md", "score": 0.5}}]),
                one(Some("h.md"), Some(0.5), higher),
            ),
            (
                json!({"documents": [{"content": "hours", "source": "h.md", "score": 1}]}),
                one(Some("h.md"), Some(1.0), higher),
            ),
            (json!(["hours"]), one(None, None, higher)),
            (
                json!([[{"page_content": "hours", "metadata": {}}, 0.25]]),
                one(None, Some(0.25), higher),
            ),
            (
                json!([{"text": "hours", "distance": 0.1}]),
                one(None, Some(0.1), lower),
            ),
            (
                json!([{"node": {"text": "hours", "metadata": {"file_name": "h.md"}}, "score": 0.9}]),
                one(Some("h.md"), Some(0.9), higher),
            ),
            (
                json!({"ids": [["a"]], "documents": [["hours"]], "metadatas": [[{"source": "h.md"}]], "distances": [[0.3]]}),
                one(Some("h.md"), Some(0.3), lower),
            ),
            (json!([]), vec![]),
        ] {
            assert_eq!(found(&value), expected, "{value}");
        }
    }

    #[test]
    fn vectors_are_counted() {
        let size = |value: Value| vectors(&value).map(|size| (size.count, size.dimensions));
        assert_eq!(size(json!([0.1, 0.2])), Some((1, 2)));
        assert_eq!(size(json!([[0.1, 0.2], [0.3, 0.4]])), Some((2, 2)));
        assert_eq!(
            size(json!({"data": [{"embedding": [1, 2, 3]}], "usage": {}})),
            Some((1, 3))
        );
        assert_eq!(
            size(json!({"embeddings": [{"values": [1, 2]}, {"values": [1, 2]}]})),
            Some((2, 2))
        );
        assert_eq!(size(json!("text")), None);
    }
}
