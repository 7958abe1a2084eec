//! Instances through starts, stops, interruptions and the plugin's own end.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;

use spaceport_backend_protocol::{
    Call, Data, ErrorCode, ExecReply, ExecRequest, Health, Instance, InstanceState, LogLine, LogStream, Refusal, encode,
};

use crate::harness::{Plugin, eventually, get, id, start_request};

#[test]
fn an_instance_outlives_its_plugin_and_the_next_one_finds_it() {
    let Some(mut plugin) = Plugin::start() else { return };
    let request = start_request("a-1", &plugin.app());
    let address = plugin.start_app(&request);
    plugin.kill_and_start_again();
    let found = plugin.list();
    assert_eq!(found.len(), 1);
    found[0].check_started(&request.id, &request.artifact).unwrap();
    assert_eq!(found[0].state, InstanceState::Running { address });
    assert_eq!(get(address, "/").as_deref(), Some("hello"));
    let again: Instance = plugin.call(&Call::Start, &encode(&request)).unwrap();
    assert_eq!(again, found[0]);
    assert_eq!(plugin.leave(), Some(0));
    assert_eq!(get(address, "/").as_deref(), Some("hello"));
}

#[test]
fn a_plugin_that_ends_gives_the_network_back_unless_something_runs_in_it() {
    let Some(mut plugin) = Plugin::start() else { return };
    let request = start_request("a-1", &plugin.app());
    plugin.start_app(&request);
    assert_eq!(plugin.leave(), Some(0));
    assert!(plugin.has_network());
    plugin.start_again();
    plugin.remove(&request.id);
    assert_eq!(plugin.leave(), Some(0));
    assert!(!plugin.has_network());
}

#[test]
fn however_often_and_by_whomever_a_start_is_asked_for_there_is_one_container() {
    let Some(mut plugin) = Plugin::start() else { return };
    let request = start_request("a-1", &plugin.app());
    let ask = |plugin: &Plugin| {
        let body = encode(&request);
        thread::scope(|scope| {
            let starts: Vec<_> =
                (0..6).map(|_| scope.spawn(|| plugin.call::<Instance>(&Call::Start, &body).unwrap())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect::<Vec<_>>()
        })
    };
    let first = ask(&plugin);
    assert!(first.iter().all(|instance| *instance == first[0]), "{first:?}");
    assert_eq!(plugin.containers(), 1);
    plugin.remove(&request.id);
    assert_eq!(plugin.containers(), 0);
    // Killed in the middle of the start, wherever that is; the next plugin is asked again.
    for _ in 0..3 {
        let socket = plugin.socket();
        let body = encode(&request);
        let asked = thread::spawn(move || {
            let path = Call::Start.path(spaceport_backend_protocol::Version::CURRENT);
            spaceport_backend_conformance::http::call(&socket, "POST", &path, &body, crate::harness::PATIENCE).is_ok()
        });
        eventually("the container is there, or the start is done", || {
            (plugin.containers() == 1 || asked.is_finished()).then_some(())
        });
        plugin.kill_and_start_again();
        asked.join().unwrap();
        let second = ask(&plugin);
        assert!(second.iter().all(|instance| matches!(instance.state, InstanceState::Running { .. })), "{second:?}");
        assert_eq!(plugin.containers(), 1);
        plugin.remove(&request.id);
        assert_eq!(plugin.containers(), 0);
    }
}

#[test]
fn two_hosts_on_one_machine_do_not_see_each_other() {
    let Some(plugin) = Plugin::start() else { return };
    let artifact = plugin.app();
    plugin.start_app(&start_request("a-1", &artifact));
    let other = Plugin::start().unwrap();
    assert_eq!(other.list(), []);
    let refused: Refusal = other.call::<Instance>(&Call::Stop(id("a-1")), br#"{"grace_ms":0}"#).unwrap_err();
    assert_eq!(refused.error, ErrorCode::NoSuchInstance);
    other.remove(&id("a-1"));
    assert_eq!(plugin.list().len(), 1);
}

#[test]
fn the_exit_code_and_the_last_lines_are_told() {
    let Some(mut plugin) = Plugin::start() else { return };
    let request = start_request("a-1", &plugin.app());
    let address = plugin.start_app(&request);
    get(address, "/exit?42");
    let told = (Some(42), "Exit code: 42. Reason: listening on 7860 | the end is near | asked to leave".to_owned());
    assert_eq!(plugin.end_of(&request.id), told);
    assert!(plugin.log(&request.id).contains("asked to leave"));
    plugin.kill_and_start_again();
    assert_eq!(plugin.end_of(&request.id), told);
    // What has ended is not started again.
    let again: Instance = plugin.call(&Call::Start, &encode(&request)).unwrap();
    assert!(matches!(again.state, InstanceState::Exited { code: Some(42), .. }), "{again:?}");
}

#[test]
fn what_cannot_be_started_says_why() {
    let Some(plugin) = Plugin::start() else { return };
    let request = start_request("a-1", &plugin.built("FROM scratch\nCOPY app /app\nCMD [\"/nothing\"]\n"));
    let started: Instance = plugin.call(&Call::Start, &encode(&request)).unwrap();
    let InstanceState::Exited { code: Some(127), reason } = &started.state else { panic!("{started:?}") };
    assert!(reason.as_str().starts_with("It cannot be started: ") && reason.as_str().contains("/nothing"), "{reason}");
    assert_eq!(plugin.list(), std::slice::from_ref(&started));
    assert_eq!(plugin.call::<Instance>(&Call::Start, &encode(&request)), Ok(started));
}

#[test]
fn lines_come_with_their_stream_and_time_and_end_with_the_instance() {
    let Some(plugin) = Plugin::start() else { return };
    let request = start_request("a-1", &plugin.app());
    let address = plugin.start_app(&request);
    let mut lines = plugin.stream::<LogLine>(&Call::Logs(request.id.clone()), b"");
    assert_eq!(lines.next().unwrap().text, "listening on 7860");
    get(address, "/say?grüße");
    let mut said = [lines.next().unwrap(), lines.next().unwrap()];
    said.sort_by_key(|line| line.stream == LogStream::Err);
    assert_eq!(said.each_ref().map(|line| line.text.as_str()), ["grüße"; 2]);
    assert_eq!(said.each_ref().map(|line| line.stream), [LogStream::Out, LogStream::Err]);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    assert!(said.iter().all(|line| now.abs_diff(line.at_ms.unwrap().into()) < 60_000), "{said:?}");
    let stopped = plugin.stop(&request.id);
    let InstanceState::Exited { reason, .. } = stopped.state else { panic!("{stopped:?}") };
    assert_eq!(reason.as_str(), "It was stopped");
    assert!(lines.next().is_none());
}

#[test]
fn data_is_the_apps_and_outlives_it() {
    let Some(plugin) = Plugin::start() else { return };
    let folder = plugin.dir.path().join("data");
    fs::create_dir(&folder).unwrap();
    let mut request = start_request("a-1", &plugin.app());
    let data = Data { folder: folder.to_str().unwrap().parse().unwrap(), quota_bytes: 1_000_000_000 };
    request.data = Some(data);
    let address = plugin.start_app(&request);
    assert_eq!(get(address, "/write?/data/x=kept").as_deref(), Some("written"));
    plugin.remove(&request.id);
    let file = folder.join("x");
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), fs::metadata(&file).unwrap().uid()), ("kept", 1000));
    request.id = id("a-2");
    let address = plugin.start_app(&request);
    assert_eq!(get(address, "/read?/data/x").as_deref(), Some("kept"));
}

#[test]
fn a_command_inside_runs_as_the_app() {
    let Some(plugin) = Plugin::start() else { return };
    let request = start_request("a-1", &plugin.app());
    plugin.start_app(&request);
    let exec = |words: &[&str], seconds| -> ExecReply {
        let command = words.iter().map(|word| (*word).to_owned()).collect();
        plugin.call(&Call::Exec(request.id.clone()), &encode(&ExecRequest { command, seconds })).unwrap()
    };
    assert_eq!(exec(&["/app", "say", "hi"], 10), ExecReply { code: Some(0), output: "hi\n".to_owned() });
    assert_eq!(exec(&["/app", "fail", "oh"], 10), ExecReply { code: Some(3), output: "oh\n".to_owned() });
    assert_eq!(exec(&["/app", "hang"], 1).code, None);
}

#[test]
fn what_an_instance_uses_is_counted() {
    let Some(plugin) = Plugin::start() else { return };
    let request = start_request("a-1", &plugin.app());
    let address = plugin.start_app(&request);
    let first = plugin.stats(&request.id);
    assert!(first.memory_bytes > 0 && first.memory_bytes < 64 << 20, "{first:?}");
    for _ in 0..50 {
        get(address, "/env");
    }
    let second = plugin.stats(&request.id);
    assert!(second.cpu_us > first.cpu_us && second.received_bytes > first.received_bytes, "{first:?} {second:?}");
}

#[test]
fn without_an_engine_it_is_unready_in_words() {
    let Some(plugin) = Plugin::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_spaceport-container"));
    program.arg("--socket").arg(crate::harness::socket(dir.path())).stdin(std::process::Stdio::piped());
    let mut other = program.env("DOCKER_HOST", "unix:///nowhere/docker.sock").spawn().unwrap();
    let socket = crate::harness::socket(dir.path());
    let health = eventually("it answers", || {
        let path = Call::Health.path(spaceport_backend_protocol::Version::CURRENT);
        let time = crate::harness::PATIENCE;
        spaceport_backend_conformance::http::call(&socket, "GET", &path, b"", time).ok()
    });
    other.kill().unwrap();
    other.wait().unwrap();
    let health: Health = spaceport_backend_protocol::decode(&health.body).unwrap();
    assert_eq!(health, Health::Unready { reason: "there is no container engine running".parse().unwrap() });
    assert_eq!(plugin.call(&Call::Health, b""), Ok(Health::Ready));
}
