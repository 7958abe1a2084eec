//! Decoding is total: any bytes give a message within its limits or a named error, and a message survives the way.

#![expect(clippy::unwrap_used, reason = "helpers of a test may unwrap as the test may")]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use spaceport_backend_protocol::{
    Ask, Capacity, DecodeError, Description, Device, ErrorCode, Flavor, Gpu, Hardware, Health, Hello, Instance,
    InstanceId, InstanceState, Instances, Line, LogLine, LogStream, Message, Refusal, StopRequest, Version, Word,
    decode, encode, limits,
};

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
    one::<LogLine>(bytes);
    one::<Refusal>(bytes);
}

fn word() -> impl Strategy<Value = Word> {
    "[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,63}".prop_map(|text| text.parse().unwrap())
}

fn id() -> impl Strategy<Value = InstanceId> {
    "[a-z0-9][a-z0-9-]{0,63}".prop_map(|text| text.parse().unwrap())
}

fn line() -> impl Strategy<Value = Line> {
    ".{0,80}".prop_map(|text| Line::lossy(&text))
}

fn number() -> impl Strategy<Value = u64> {
    0..=limits::NUMBER
}

fn hardware() -> impl Strategy<Value = Hardware> {
    let gpu =
        (word(), any::<u32>(), number()).prop_map(|(kind, count, memory_bytes)| Gpu { kind, count, memory_bytes });
    (word(), number(), number(), number(), option::of(gpu)).prop_map(
        |(name, cpu_milli, memory_bytes, disk_bytes, gpu)| Hardware { name, cpu_milli, memory_bytes, disk_bytes, gpu },
    )
}

fn description() -> impl Strategy<Value = Description> {
    let flavor = (word(), option::of(line())).prop_map(|(name, refusal)| Flavor { name, refusal });
    let device = (word(), word(), number()).prop_map(|(id, kind, memory_bytes)| Device { id, kind, memory_bytes });
    let capacity = (number(), number(), number()).prop_map(|(cpu_milli, memory_bytes, disk_bytes)| Capacity {
        cpu_milli,
        memory_bytes,
        disk_bytes,
    });
    let lists = (vec(word(), 0..4), vec(flavor, 0..4), vec(device, 0..4));
    (line(), line(), lists, capacity).prop_map(|(name, version, (mut sdks, mut flavors, mut devices), capacity)| {
        sdks.sort();
        sdks.dedup();
        flavors.sort_by(|a, b| a.name.cmp(&b.name));
        flavors.dedup_by(|a, b| a.name == b.name);
        devices.sort_by(|a, b| a.id.cmp(&b.id));
        devices.dedup_by(|a, b| a.id == b.id);
        Description { name, version, sdks, flavors, capacity, devices }
    })
}

fn instance() -> impl Strategy<Value = Instance> {
    let exited = (option::of(any::<i32>()), line()).prop_map(|(code, reason)| InstanceState::Exited { code, reason });
    (id(), prop_oneof![Just(InstanceState::Running), exited]).prop_map(|(id, state)| Instance { id, state })
}

/// The text of any message.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let stream = prop_oneof![Just(LogStream::Out), Just(LogStream::Err)];
    prop_oneof![
        description().prop_map(|message| encode(&message)),
        vec(hardware(), 0..3).prop_map(|hardware| encode(&Ask { hardware })),
        line().prop_map(|reason| encode(&Health::Unready { reason })),
        vec(instance(), 0..3).prop_map(|instances| encode(&Instances { instances })),
        (stream, any::<String>()).prop_map(|(stream, text)| encode(&LogLine { stream, text })),
        line().prop_map(|message| encode(&Refusal { error: ErrorCode::Busy, message })),
        any::<u32>().prop_map(|n| encode(&Hello { versions: vec![Version(n)], ..Hello::new() })),
    ]
}

/// One change of a text, in the way that broken programs and hostile ones make them.
#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, &'static str),
    Double(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let token = prop_oneof![
        Just("\""),
        Just("{"),
        Just("[[[[[["),
        Just("]"),
        Just(","),
        Just("null"),
        Just("-1"),
        Just("1e400"),
        Just("99999999999999999999"),
        Just("\\u0000"),
        Just("\\ud800"),
        Just("\u{7f}"),
        Just("\"id\":\"x\","),
    ];
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        any::<usize>().prop_map(Change::Cut),
        (any::<usize>(), token).prop_map(|(at, token)| Change::Insert(at, token)),
        any::<usize>().prop_map(Change::Double),
    ]
}

fn apply(body: &mut Vec<u8>, change: &Change) {
    let within = |at: &usize| at % (body.len() + 1);
    match change {
        Change::Flip(at, bits) => {
            let at = within(at);
            if let Some(byte) = body.get_mut(at) {
                *byte ^= bits;
            }
        }
        Change::Cut(at) => body.truncate(within(at)),
        Change::Insert(at, token) => {
            let at = within(at);
            body.splice(at..at, token.bytes());
        }
        Change::Double(at) => {
            let tail = body[within(at)..].to_vec();
            body.extend(tail);
        }
    }
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
    let line = |text: &str| encode(&LogLine { stream: LogStream::Out, text: text.to_owned() });
    decode::<LogLine>(&line(&text)).unwrap();
    decode::<LogLine>(&line(&"\u{1}".repeat(limits::LOG_TEXT))).unwrap();
    decode::<LogLine>(&line(&format!("{text}x"))).unwrap_err();
}

#[test]
fn the_longest_list_of_instances_fits_into_a_body() {
    let reason: Line = "\"".repeat(limits::LINE).parse().unwrap();
    let instance = |n: usize| Instance {
        id: format!("{n:0>64}").parse().unwrap(),
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
    let instance = Instance { id: "a".parse().unwrap(), state: InstanceState::Running };
    instance.check_against(&"a".parse().unwrap()).unwrap();
    let error = instance.check_against(&"b".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("asked for b it answers for a"), "{error}");
}

#[test]
fn a_code_that_is_not_known_is_a_failure() {
    let refusal: Refusal = decode(br#"{"error":"made_up_later","message":"no"}"#).unwrap();
    assert_eq!(refusal.error, ErrorCode::Failed);
    let refusal: Refusal = decode(br#"{"error":"no_such_instance","message":"no"}"#).unwrap();
    assert_eq!((refusal.error, refusal.error.status()), (ErrorCode::NoSuchInstance, 404));
}
