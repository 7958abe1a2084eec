//! `openapi.json` says what the code does: the same calls, and of every message exactly the members that it has.

use proptest::prelude::*;
use serde_json::Value;
use spaceport_backend_protocol::{Call, ErrorCode, Version, encode};

use crate::strategies::{build_request, description, message, start_request};

fn document() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).unwrap()
}

/// Why a value is not what a schema describes. A member that the schema does not name is a mistake here.
fn mistake(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let schema =
            document.pointer(name.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{name} leads nowhere"));
        return mistake(document, schema, value);
    }
    if let Some(schemas) = schema["oneOf"].as_array() {
        let mistakes: Vec<Option<String>> = schemas.iter().map(|schema| mistake(document, schema, value)).collect();
        let fits = mistakes.iter().filter(|mistake| mistake.is_none()).count();
        return (fits != 1).then(|| format!("{fits} of the variants fit {value}: {mistakes:?}"));
    }
    if let Some(only) = schema.get("const") {
        return (only != value).then(|| format!("{value} is not {only}"));
    }
    if let Some(all) = schema["enum"].as_array() {
        return (!all.contains(value)).then(|| format!("{value} is none of {all:?}"));
    }
    let bounded = |n: i128| {
        let bound = |name: &str| schema[name].as_i64().map(i128::from);
        let fits = bound("minimum").is_none_or(|least| n >= least) && bound("maximum").is_none_or(|most| n <= most);
        (!fits).then(|| format!("{n} is out of bounds"))
    };
    let long = |length: usize, most: &str| {
        let most = usize::try_from(schema[most].as_u64().unwrap()).unwrap();
        (length > most).then(|| format!("{length} is more than {most}"))
    };
    match (schema["type"].as_str().unwrap(), value) {
        ("object", Value::Object(members)) => {
            let missing = schema["required"]
                .as_array()
                .unwrap()
                .iter()
                .find(|name| !members.contains_key(name.as_str().unwrap()));
            if let Some(missing) = missing {
                return Some(format!("{missing} is missing in {value}"));
            }
            members.iter().find_map(|(name, value)| match schema["properties"].get(name) {
                None => Some(format!("{name} is not described")),
                Some(schema) => mistake(document, schema, value).map(|words| format!("{name}: {words}")),
            })
        }
        ("array", Value::Array(items)) => long(items.len(), "maxItems")
            .or_else(|| items.iter().find_map(|item| mistake(document, &schema["items"], item))),
        ("string", Value::String(text)) => long(text.len(), "maxLength"),
        ("integer", Value::Number(number)) => bounded(number.as_i128()?),
        ("boolean", Value::Bool(_)) => None,
        (kind, _) => Some(format!("{value} is no {kind}")),
    }
}

#[track_caller]
fn described(name: &str, body: &[u8]) {
    let document = document();
    let value: Value = serde_json::from_slice(body).unwrap();
    let schema =
        document.pointer(&format!("/components/schemas/{name}")).unwrap_or_else(|| panic!("{name} is not there"));
    assert_eq!(mistake(&document, schema, &value), None, "{name}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_message_is_described_as_it_is((name, body) in message()) {
        described(name, &body);
    }

    #[test]
    fn the_large_messages_are_described_as_they_are(
        description in description(), build in build_request(), start in start_request(),
    ) {
        described("Description", &encode(&description));
        described("BuildRequest", &encode(&build));
        described("StartRequest", &encode(&start));
    }
}

#[test]
fn the_document_has_every_call_and_no_other() {
    let document = document();
    let id: spaceport_backend_protocol::InstanceId = "a".parse().unwrap();
    let mut calls =
        vec![Call::Protocol, Call::Describe, Call::Health, Call::Build, Call::Retain, Call::List, Call::Start];
    calls.extend([Call::Stop, Call::Remove, Call::Stats, Call::Exec, Call::Logs].map(|call| call(id.clone())));
    let mut ours: Vec<(String, String)> = calls
        .iter()
        .map(|call| {
            let path = call.path(Version::CURRENT).replace("/a/", "/{id}/");
            let path = if path.ends_with("/a") { path.replace("/a", "/{id}") } else { path };
            (path, call.method().to_lowercase())
        })
        .collect();
    let mut described: Vec<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())))
        .filter(|(_, method)| method != "parameters")
        .collect();
    ours.sort();
    described.sort();
    assert_eq!(ours, described);
}

#[test]
fn the_document_has_every_code() {
    use ErrorCode::{BadRequest, Busy, Failed, NoSuchArtifact, NoSuchCall, NoSuchInstance, Unavailable};
    let all = [BadRequest, NoSuchCall, NoSuchInstance, NoSuchArtifact, Busy, Unavailable, Failed];
    let codes: Vec<Value> = all.iter().map(|code| serde_json::to_value(code).unwrap()).collect();
    assert_eq!(document()["components"]["schemas"]["Refusal"]["properties"]["error"]["enum"], Value::Array(codes));
}
