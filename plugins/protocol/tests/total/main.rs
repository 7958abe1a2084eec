//! Decoding is total: any bytes give a message within its limits or a named error, and a message survives the way.

#![expect(clippy::unwrap_used, reason = "helpers of a test may unwrap as the test may")]

mod changes;
mod openapi;
mod strategies;
mod verbs;

use proptest::collection::vec;
use proptest::prelude::*;
use spaceport_backend_protocol::{
    Ask, BuildEvent, BuildRequest, DecodeError, Description, ErrorCode, ExecReply, ExecRequest, Hardware, Health,
    Hello, Instance, InstanceState, Instances, Line, LogLine, LogStream, Message, Refusal, Removed, Retain, Retained,
    StartRequest, Stats, StopRequest, decode, encode, limits,
};

use changes::{apply, change};
use strategies::{body, build_request, description, instance, start_request};

/// Decodes the bytes as every message there is. What is accepted must be written and read back as the same: nothing that
/// passes can be outside what the other side would take.
fn decode_as_all(bytes: &[u8]) {
    fn one<T: Message + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
        match decode::<T>(bytes) {
            Ok(message) => assert_eq!(decode::<T>(&encode(&message)), Ok(message)),
            Err(error) => {
                let words = error.to_string();
                assert!(words.contains(T::WHAT) && words.len() < 2 * limits::LINE, "{words}");
                assert!(!words.chars().any(char::is_control), "{words:?}");
            }
        }
    }
    one::<Hello>(bytes);
    one::<Ask>(bytes);
    one::<Description>(bytes);
    one::<Health>(bytes);
    one::<Instances>(bytes);
    one::<Instance>(bytes);
    one::<StopRequest>(bytes);
    one::<BuildRequest>(bytes);
    one::<BuildEvent>(bytes);
    one::<Retain>(bytes);
    one::<Retained>(bytes);
    one::<StartRequest>(bytes);
    one::<Removed>(bytes);
    one::<Stats>(bytes);
    one::<ExecRequest>(bytes);
    one::<ExecReply>(bytes);
    one::<LogLine>(bytes);
    one::<Refusal>(bytes);
}

proptest! {
    #[test]
    fn any_bytes_give_a_message_or_a_named_error(bytes in vec(any::<u8>(), 0..300)) {
        decode_as_all(&bytes);
    }

    #[test]
    fn changed_messages_give_a_message_or_a_named_error(mut body in body(), changes in vec(change(), 1..6)) {
        changes.iter().for_each(|change| apply(&mut body, change));
        decode_as_all(&body);
    }

    #[test]
    fn a_description_survives_the_way(description in description()) {
        prop_assert_eq!(decode::<Description>(&encode(&description)), Ok(description));
    }

    #[test]
    fn a_request_to_build_survives_the_way(request in build_request()) {
        prop_assert_eq!(decode::<BuildRequest>(&encode(&request)), Ok(request));
    }

    #[test]
    fn a_request_to_start_survives_the_way(request in start_request()) {
        prop_assert_eq!(decode::<StartRequest>(&encode(&request)), Ok(request));
    }

    #[test]
    fn a_list_of_instances_survives_the_way(mut instances in vec(instance(), 0..5)) {
        instances.sort_by(|a, b| a.id.cmp(&b.id));
        instances.dedup_by(|a, b| a.id == b.id);
        let instances = Instances { instances };
        prop_assert_eq!(decode::<Instances>(&encode(&instances)), Ok(instances));
    }
}

fn words<T: Message + std::fmt::Debug>(text: &str) -> String {
    decode::<T>(text.as_bytes()).unwrap_err().to_string()
}

const DESCRIPTION: &str = r#"{"name":"Docker","version":"28.1","sdks":["docker"],"flavors":[{"name":"cpu-basic"}],
    "capacity":{"cpu_milli":4000,"memory_bytes":1,"disk_bytes":1},"devices":[],"added_later":{"x":[1]}}"#;

#[test]
fn what_is_wrong_is_named() {
    decode::<Description>(DESCRIPTION.as_bytes()).unwrap();
    for (from, to, part) in [
        ("\"docker\"", "\"docker\",\"docker\"", "sdk docker is there twice"),
        ("cpu-basic", "cpu basic", "a name consists of"),
        ("\"Docker\"", "\"\"", "a line has 1 to 1000 bytes, not 0"),
        ("\"Docker\"", "\"a\\u001b[2J\"", "control characters"),
        ("4000", "9007199254740992", "larger than 2^53 - 1"),
        ("4000", "-1", "invalid value"),
        ("4000", "1.5", "invalid type"),
        ("\"devices\":[],", "", "missing field `devices`"),
        ("\"devices\":[]", "\"devices\":[],\"devices\":[]", "duplicate field `devices`"),
    ] {
        let error = words::<Description>(&DESCRIPTION.replace(from, to));
        assert!(error.starts_with("the description cannot be right: ") && error.contains(part), "{part}: {error}");
    }
    assert!(words::<Hello>("<html>").starts_with("the list of versions is not JSON"));
    assert!(words::<Hello>("").contains("EOF"));
    assert!(words::<Hello>(r#"{"protocol":"http","versions":[1]}"#).contains("protocol is not"));
    assert!(words::<StopRequest>(r#"{"grace_ms":60001}"#).contains("at most 60000"));
    assert!(words::<Health>(r#"{"status":"fine"}"#).contains("fine"));
}

#[test]
fn what_is_too_long_is_refused_before_it_is_read() {
    let long = " ".repeat(limits::BODY + 1);
    let error = decode::<Instances>(long.as_bytes()).unwrap_err();
    assert!(matches!(error, DecodeError::TooLong { most: limits::BODY, .. }), "{error}");
    let many = vec!["1"; limits::VERSIONS + 1].join(",");
    let error = words::<Hello>(&format!(r#"{{"protocol":"spaceport-backend","versions":[{many}]}}"#));
    assert!(error.contains("17 items; at most 16"), "{error}");
    let text = "x".repeat(limits::LOG_TEXT);
    let line = |text: &str| encode(&LogLine { stream: LogStream::Out, text: text.to_owned(), at_ms: None });
    decode::<LogLine>(&line(&text)).unwrap();
    decode::<LogLine>(&line(&"\u{1}".repeat(limits::LOG_TEXT))).unwrap();
    decode::<LogLine>(&line(&format!("{text}x"))).unwrap_err();
}

#[test]
fn the_longest_list_of_instances_fits_into_a_body() {
    let reason: Line = "\"".repeat(limits::LINE).parse().unwrap();
    let instance = |n: usize| Instance {
        id: format!("{n:0>64}").parse().unwrap(),
        artifact: "x".repeat(limits::ARTIFACT).parse().unwrap(),
        state: InstanceState::Exited { code: Some(i32::MIN), reason: reason.clone() },
    };
    let instances = Instances { instances: (0..limits::INSTANCES).map(instance).collect() };
    let body = encode(&instances);
    assert!(body.len() <= limits::BODY, "{}", body.len());
    decode::<Instances>(&body).unwrap();
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    for text in ["[".repeat(100_000), "{\"a\":".repeat(100_000)] {
        decode_as_all(text.as_bytes());
        decode::<Description>(text.as_bytes()).unwrap_err();
    }
}

#[test]
fn only_what_was_asked_for_is_an_answer() {
    let description: Description = decode(DESCRIPTION.as_bytes()).unwrap();
    let ask = |names: &[&str]| Ask {
        hardware: names
            .iter()
            .map(|name| Hardware {
                name: name.parse().unwrap(),
                cpu_milli: 1,
                memory_bytes: 1,
                disk_bytes: 1,
                gpu: None,
            })
            .collect(),
    };
    description.check_against(&ask(&["cpu-basic"])).unwrap();
    let error = description.check_against(&ask(&[])).unwrap_err().to_string();
    assert!(error.contains("nobody asked for flavor cpu-basic"), "{error}");
    let error = description.check_against(&ask(&["cpu-basic", "t4-small"])).unwrap_err().to_string();
    assert!(error.contains("it says nothing of flavor t4-small"), "{error}");
}

#[test]
fn a_code_that_is_not_known_is_a_failure() {
    let refusal: Refusal = decode(br#"{"error":"made_up_later","message":"no"}"#).unwrap();
    assert_eq!(refusal.error, ErrorCode::Failed);
    let refusal: Refusal = decode(br#"{"error":"no_such_instance","message":"no"}"#).unwrap();
    assert_eq!((refusal.error, refusal.error.status()), (ErrorCode::NoSuchInstance, 404));
}
