//! Pages of traces as servers list them, of which one that cannot be read does not
//! take the others with it.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::assessment::WireAssessment;
use super::info::WireInfo;
use super::{Flaw, careful, from_slice, null_as_default};
use crate::model::{Assessment, TraceInfo, Unreadable};

/// A page of a search.
pub(in crate::store) struct InfoPage {
    pub(in crate::store) traces: Vec<TraceInfo>,
    pub(in crate::store) unreadable: Vec<Unreadable>,
    pub(in crate::store) next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
struct WirePage<T> {
    #[serde(default, deserialize_with = "null_as_default")]
    traces: Vec<T>,
    next_page_token: Option<String>,
}

/// Reads a page.
///
/// # Errors
/// What is no page.
pub(in crate::store) fn read_page(json: &[u8]) -> serde_json::Result<InfoPage> {
    if let Ok(page) = serde_json::from_slice::<WirePage<WireInfo>>(json) {
        let infos = page.traces.into_iter().map(WireInfo::into_info);
        if let Some(traces) = infos.collect() {
            return Ok(InfoPage {
                traces,
                unreadable: Vec::new(),
                next_page_token: page.next_page_token,
            });
        }
    }
    let page: WirePage<Box<RawValue>> = from_slice(json)?;
    let (mut traces, mut unreadable) = (Vec::new(), Vec::new());
    for (at, raw) in page.traces.iter().enumerate() {
        match read_info(raw) {
            Ok(info) => traces.push(info),
            Err(flaw) => {
                let flaw = flaw.within_element("traces", at);
                unreadable.push(Unreadable {
                    trace_id: careful::trace_id(raw.get().as_bytes()),
                    file: None,
                    line: None,
                    member: Some(flaw.member),
                    message: flaw.reason,
                });
            }
        }
    }
    Ok(InfoPage {
        traces,
        unreadable,
        next_page_token: page.next_page_token,
    })
}

/// Reads one trace of a server's answer.
///
/// # Errors
/// The first member that cannot be read.
pub(in crate::store) fn read_info(raw: &RawValue) -> Result<TraceInfo, Flaw> {
    let quick = serde_json::from_str::<WireInfo>(raw.get());
    match quick.ok().and_then(WireInfo::into_info) {
        Some(info) => Ok(info),
        None => careful::info(raw.get().as_bytes()),
    }
}

/// Reads a trace of a description that is a value already.
///
/// # Errors
/// The first member that cannot be read.
pub(in crate::store) fn info_of(value: &Value) -> Result<TraceInfo, Flaw> {
    let quick = WireInfo::deserialize(value);
    match quick.ok().and_then(WireInfo::into_info) {
        Some(info) => Ok(info),
        None => careful::info(value.to_string().as_bytes()),
    }
}

/// The same of an assessment.
///
/// # Errors
/// The first member that cannot be read.
pub(in crate::store) fn assessment_of(value: &Value) -> Result<Assessment, Flaw> {
    match WireAssessment::deserialize(value) {
        Ok(assessment) => Ok(assessment.into_assessment()),
        Err(_) => careful::assessment(value.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read_however_their_members_are_spelt() {
        let value =
            serde_json::json!({"request_id": "tr-1", "request_time": 5, "execution_time_ms": 1.5});
        let info = info_of(&value).unwrap();
        assert_eq!(info.execution_duration_ns, Some(1_500_000));
        let odd = info_of(&serde_json::json!({"trace_id": "tr-1", "request_time": "noon"}));
        assert_eq!(odd.unwrap_err().member, "request_time");
        let value = serde_json::json!({"name": "q", "source": {"source_type": null}, "feedback": {"value": 1}});
        assert_eq!(assessment_of(&value).unwrap().name, "q");
    }

    #[test]
    fn a_trace_that_cannot_be_read_is_named_beside_the_others() {
        let page = read_page(
            br#"{"traces": [{"trace_id": "tr-1", "execution_duration": 1500.0},
                {"trace_id": "tr-2", "request_time": "noon"}, {"trace_id": "tr-3", "tags": {"loss": NaN}}],
                "next_page_token": "x"}"#,
        );
        let page = page.unwrap();
        let ids: Vec<&str> = page.traces.iter().map(|info| &*info.trace_id).collect();
        assert_eq!(ids, ["tr-1", "tr-3"]);
        assert_eq!(page.traces[0].execution_duration_ns, Some(1_500_000_000));
        let odd = &page.unreadable[0];
        assert_eq!(
            (odd.trace_id.as_deref(), odd.member.as_deref()),
            (Some("tr-2"), Some("traces[1].request_time"))
        );
        assert_eq!(page.next_page_token.as_deref(), Some("x"));
    }
}
