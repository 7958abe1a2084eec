//! What the verbs that build and run refuse, and in which words.

use spaceport_backend_protocol::{
    BuildEvent, BuildRequest, ExecReply, ExecRequest, Fault, Instance, LogLine, LogStream, Recipe, Removed, Retain,
    Retained, StartRequest, decode, encode, limits,
};

use crate::words;

const BUILD: &str = r#"{"id":"b-1","scope":"ada","recipe":{"sdk":"gradio","app_file":"app.py","sdk_version":"5.1.0"},"files":"/srv/checkout",
    "variables":[{"name":"A","value":""}],"secrets":[{"name":"A","value":"s"}],"egress":{"ports":[443],"allow":["10.0.0.0/8"]},
    "limits":{"seconds":600,"log_bytes":1,"disk_bytes":1},"added_later":1}"#;

const START: &str = r#"{"id":"a-1","artifact":"sha256:00","port":7860,"egress":{"ports":[],"allow":[]},
    "hardware":{"name":"cpu-basic","cpu_milli":2000,"memory_bytes":1,"disk_bytes":1},"variables":[{"name":"A","value":"b"}],
    "data":{"folder":"/srv/data","quota_bytes":1}}"#;

#[test]
fn what_is_wrong_with_a_request_to_build_is_named() {
    decode::<BuildRequest>(BUILD.as_bytes()).unwrap();
    for (from, to, part) in [
        ("\"gradio\"", "\"streamlit\"", "unknown variant `streamlit`"),
        ("app.py", "../app.py", "relative, without empty parts"),
        ("/srv/checkout", "srv", "absolute, without empty parts"),
        ("\"name\":\"A\",\"value\":\"\"", "\"name\":\"A B\",\"value\":\"\"", "ASCII letters, digits and _"),
        ("\"value\":\"s\"}", "\"value\":\"s\"},{\"name\":\"A\",\"value\":\"t\"}", "variable A is there twice"),
        ("10.0.0.0/8", "10.0.0.0/40", "an address, a / and a number of bits"),
        ("443", "70000", "expected u16"),
        ("600", "0", "limits.seconds is 0"),
        ("600", "86401", "at most 86400"),
        ("\"egress\"", "\"ingress\"", "missing field `egress`"),
    ] {
        let error = words::<BuildRequest>(&BUILD.replace(from, to));
        assert!(error.starts_with("the request to build cannot be right: ") && error.contains(part), "{part}: {error}");
    }
    let site = BUILD.replace(
        r#""sdk":"gradio","app_file":"app.py","sdk_version":"5.1.0""#,
        r#""sdk":"static","command":"make\nmake install","output":"/srv/out""#,
    );
    assert!(words::<BuildRequest>(&site).contains("without secrets"));
    let site = site.replace(r#"{"name":"A","value":"s"}"#, "");
    let request: BuildRequest = decode(site.as_bytes()).unwrap();
    assert!(matches!(request.recipe, Recipe::Static { ref command, .. } if command.as_str() == "make\nmake install"));
}

#[test]
fn what_is_wrong_with_a_request_to_start_is_named() {
    decode::<StartRequest>(START.as_bytes()).unwrap();
    for (from, to, part) in [
        ("7860", "0", "port is 0"),
        ("7860", "65536", "expected u16"),
        ("sha256:00", "", "an artifact's name has 1 to 128 bytes"),
        ("/srv/data", "/srv/../etc", "absolute, without empty parts"),
        ("a-1", "A", "an instance's id consists of"),
    ] {
        let error = words::<StartRequest>(&START.replace(from, to));
        assert!(error.starts_with("the request to start cannot be right: ") && error.contains(part), "{part}: {error}");
    }
}

#[test]
fn variables_fit_into_the_environment_of_a_program() {
    let value = "\\u0001".repeat(limits::VARIABLE_VALUE);
    let with = |count: usize| {
        let variables = (0..count).map(|n| format!(r#"{{"name":"A{n}","value":"{value}"}}"#)).collect::<Vec<_>>();
        START.replace(r#"{"name":"A","value":"b"}"#, &variables.join(","))
    };
    let most = limits::ENVIRONMENT / limits::VARIABLE_VALUE - 1;
    let request: StartRequest = decode(with(most).as_bytes()).unwrap();
    assert!(encode(&request).len() <= limits::REQUEST);
    let error = words::<StartRequest>(&with(most + 1));
    assert!(error.contains("bytes of variables and secrets; at most 1048576"), "{error}");
}

#[test]
fn a_value_is_in_no_debug_output() {
    let request: BuildRequest = decode(BUILD.replace("\"s\"", "\"hunter2\"").as_bytes()).unwrap();
    assert!(!format!("{request:?}").contains("hunter2"));
}

#[test]
fn only_an_end_that_was_asked_for_is_an_answer() {
    let built: BuildEvent = decode(br#"{"event":"built","artifact":"sha256:00","bytes":1}"#).unwrap();
    let written: BuildEvent = decode(br#"{"event":"written","files":1,"bytes":1}"#).unwrap();
    let failed: BuildEvent = decode(br#"{"event":"failed","fault":"platform","message":"no disk"}"#).unwrap();
    assert!(matches!(failed, BuildEvent::Failed { fault: Fault::Platform, .. }));
    let site = Recipe::Static { command: "make".parse().unwrap(), output: "/out".parse().unwrap() };
    built.check_against(&Recipe::Docker).unwrap();
    written.check_against(&site).unwrap();
    failed.check_against(&site).unwrap();
    built.check_against(&site).unwrap_err();
    written.check_against(&Recipe::Docker).unwrap_err();
    let long = LogLine { stream: LogStream::Out, text: "\u{1}".repeat(limits::LOG_TEXT), at_ms: Some(limits::NUMBER) };
    let line = encode(&BuildEvent::Log(long.clone()));
    assert_eq!(decode::<BuildEvent>(&line), Ok(BuildEvent::Log(long.clone())));
    let longer = LogLine { text: format!("{}x", long.text), ..long };
    decode::<BuildEvent>(&encode(&BuildEvent::Log(longer))).unwrap_err();
    assert!(words::<BuildEvent>(r#"{"event":"done"}"#).contains("unknown variant `done`"));
    let log: BuildEvent = decode(br#"{"event":"log","stream":"err","text":"x"}"#).unwrap();
    assert!(matches!(log, BuildEvent::Log(LogLine { stream: LogStream::Err, .. })) && !log.is_last());
}

#[test]
fn an_answer_for_another_instance_is_none() {
    let running = r#"{"id":"a","artifact":"sha256:00","state":{"status":"running","address":"172.18.0.2:7860"}}"#;
    let instance: Instance = decode(running.as_bytes()).unwrap();
    let (id, other) = ("a".parse().unwrap(), "b".parse().unwrap());
    instance.check_started(&id, &"sha256:00".parse().unwrap()).unwrap();
    let error = instance.check_against(&other).unwrap_err().to_string();
    assert!(error.contains("asked for b it answers for a"), "{error}");
    let error = instance.check_started(&id, &"sha256:01".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("asked to run sha256:01 it runs sha256:00"), "{error}");
    Removed { id: id.clone() }.check_against(&id).unwrap();
    Removed { id }.check_against(&other).unwrap_err();
    for address in ["0.0.0.0:80", "[::]:80", "172.18.0.2:0"] {
        let error = words::<Instance>(&running.replace("172.18.0.2:7860", address));
        assert!(error.contains("where nothing can be"), "{error}");
    }
    words::<Instance>(&running.replace("172.18.0.2:7860", "localhost:80"));
}

#[test]
fn only_what_is_needed_can_be_missing() {
    let asked: Retain = decode(br#"{"needed":["sha256:00"],"seconds":0,"bytes":0}"#).unwrap();
    let answer = |missing: &str| -> Retained {
        decode(format!(r#"{{"missing":[{missing}],"removed":0,"freed_bytes":0}}"#).as_bytes()).unwrap()
    };
    answer("").check_against(&asked).unwrap();
    answer("\"sha256:00\"").check_against(&asked).unwrap();
    let error = answer("\"sha256:01\"").check_against(&asked).unwrap_err().to_string();
    assert!(error.contains("nobody asked for sha256:01"), "{error}");
}

#[test]
fn a_command_has_a_program_and_an_end() {
    decode::<ExecRequest>(br#"{"command":["true"],"seconds":60}"#).unwrap();
    for (text, part) in [
        (r#"{"command":[],"seconds":1}"#, "the command is empty"),
        (r#"{"command":["a\u0000"],"seconds":1}"#, "an argument has a NUL"),
        (r#"{"command":["true"],"seconds":61}"#, "at most 60"),
        (r#"{"command":["true"],"seconds":0}"#, "seconds is 0"),
    ] {
        let error = words::<ExecRequest>(text);
        assert!(error.contains(part), "{part}: {error}");
    }
    let reply = ExecReply { code: None, output: "\u{1}".repeat(limits::OUTPUT) };
    assert_eq!(decode(&encode(&reply)), Ok(reply));
}
