//! SIGTERM: what is under way ends, then the host does, in bounded time whatever anybody does.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use spaceport_tests::TestHost;

#[test]
fn a_request_in_flight_ends_before_the_host_does() {
    let mut host = TestHost::start();
    let authority = host.run_guest("events", "sse", "").authority.clone();
    // Its first event has come, and four more are to.
    let mut stream = host.open_stream(&authority, "/events");
    host.terminate();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("tick 4") && rest.ends_with("0\r\n\r\n"), "{rest}");
    assert_eq!(host.wait_for_exit(), 0);
}

#[test]
fn an_endless_stream_does_not_hold_the_host_for_ever() {
    let mut host = TestHost::start();
    let authority = host.run_guest("endless", "infinite_body", "").authority.clone();
    let _stream = host.open_stream(&authority, "/forever");
    assert_eq!(host.stop(), 0);
}

#[test]
fn half_a_request_to_the_operators_listeners_does_not_hold_the_host_for_ever() {
    let mut host = TestHost::start();
    let _metrics = host.send_head(host.admin(), "admin", "/metrics", "");
    let mut shell = UnixStream::connect(host.data().join("admin.sock")).unwrap();
    shell.write_all(b"POST /users HTTP/1.1\r\nHost: admin\r\nContent-Length: 100\r\n\r\n{").unwrap();
    // That these are answered shows that those before them were taken up.
    host.metric("spaceport_builds_waiting");
    spaceport_tests::host::run(&["user", "create", "grace"], &host.data());
    assert_eq!(host.stop(), 0);
    assert!(!host.data().join("admin.sock").exists(), "it would only mislead the shell");
}

#[test]
fn a_host_that_is_told_to_stop_while_it_starts_does() {
    use std::process::{Command, Stdio};
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut host = Command::new(spaceport_tests::host::binary());
    host.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data).stdin(Stdio::null()).stderr(Stdio::null());
    let mut host = host.spawn().unwrap();
    // The database is opened in the midst of a start, after the signals are listened for.
    let patience = std::time::Duration::from_secs(30);
    let begun = spaceport_tests::wait::until(patience, || data.join("store").exists().then_some(()));
    let pid = rustix::process::Pid::from_raw(i32::try_from(host.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = spaceport_tests::wait::until(patience, || host.try_wait().unwrap());
    let _ = host.kill();
    assert!(begun.is_some());
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
}
