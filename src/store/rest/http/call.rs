//! A request to a server, before it is sent.

use reqwest::Method;
use serde_json::Value;
use url::Url;

/// What is sent.
pub(in crate::store::rest) enum Body {
    Json(Value),
    Protobuf(Vec<u8>),
}

impl Body {
    /// What is sent as JSON.
    pub(in crate::store::rest) fn into_json(self) -> Option<Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::Protobuf(_) => None,
        }
    }
}

/// A request, whole.
pub(in crate::store::rest) struct Call {
    pub(in crate::store::rest) method: Method,
    pub(in crate::store::rest) url: Url,
    pub(in crate::store::rest) body: Option<Body>,
    /// A header of this request's own.
    pub(in crate::store::rest) header: Option<(&'static str, String)>,
    /// Whether sending it twice does no harm.
    pub(in crate::store::rest) repeatable: bool,
    /// Whether the answer may be anything, and not JSON alone.
    pub(in crate::store::rest) plain: bool,
}

impl Call {
    pub(in crate::store::rest) fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            body: None,
            header: None,
            repeatable: true,
            plain: false,
        }
    }

    /// A question that is answered by plain text.
    pub(in crate::store::rest) fn text(url: Url) -> Self {
        Self {
            plain: true,
            ..Self::get(url)
        }
    }

    /// A request with a JSON body that may be repeated: a question, or a change
    /// that comes to the same when it is made twice.
    pub(in crate::store::rest) fn json(method: Method, url: Url, body: Value) -> Self {
        Self {
            method,
            url,
            body: Some(Body::Json(body)),
            header: None,
            repeatable: true,
            plain: false,
        }
    }

    /// A request with a message in protobuf that may be repeated, and is answered by
    /// whatever it is.
    pub(in crate::store::rest) fn protobuf(url: Url, message: Vec<u8>) -> Self {
        Self {
            body: Some(Body::Protobuf(message)),
            ..Self::text(url).by(Method::POST)
        }
    }

    fn by(self, method: Method) -> Self {
        Self { method, ..self }
    }
}
