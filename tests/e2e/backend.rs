//! Backend plugins: kept running whatever they do, and nothing else is the worse for one that is down.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use spaceport_tests::{FakePlugin, Files, TestHost, TestSpace, wait};

/// How long a plugin may take to get up: an interpreter has to start on a machine busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);
const UP: &str = "spaceport_backend_up{backend=\"fake\"}";
const RESTARTS: &str = "spaceport_backend_restarts_total{backend=\"fake\"}";

#[track_caller]
fn is(host: &TestHost, up: f64) {
    let reached = wait::until(PATIENCE, || (host.metric(UP) == up).then_some(()));
    assert!(reached.is_some(), "it is not {up}");
}

fn docker() -> Files {
    Files::default().with("README.md", "---\nsdk: docker\n---\n").with("Dockerfile", "FROM scratch\n")
}

#[test]
fn a_backend_plugin_is_kept_running_and_ends_with_the_host() {
    let plugin = FakePlugin::new();
    let mut host = TestHost::start_with(&plugin.config("fake"));
    let space = host.run_guest("hello", "hello", "");
    is(&host, 1.0);
    let restarts = host.metric(RESTARTS);
    let killed = plugin.pid().unwrap();
    kill_process(Pid::from_raw(killed).unwrap(), Signal::KILL).unwrap();
    let again = wait::until(PATIENCE, || plugin.pid().filter(|pid| *pid != killed));
    assert!(again.is_some(), "it was not started again");
    is(&host, 1.0);
    assert!(host.metric(RESTARTS) > restarts);

    plugin.turn("garbage");
    is(&host, 0.0);
    assert_eq!(space.get("/").status, 200, "other Spaces do not notice");
    plugin.turn("good");
    is(&host, 1.0);

    assert_eq!(host.stop(), 0);
    assert_eq!(plugin.pid(), None, "a host that has stopped leaves none behind");
    host.boot();
    is(&host, 1.0);
    host.kill();
    let ended = wait::until(PATIENCE, || plugin.pid().is_none().then_some(()));
    assert!(ended.is_some(), "it has outlived a host that was killed");
}

#[test]
fn a_space_whose_backend_is_down_says_which_and_why() {
    let plugin = FakePlugin::new();
    plugin.turn("unready");
    let host = TestHost::start_with(&plugin.config("fake"));
    let reason = "\"reason\":\"its engine is away\"";
    assert!(wait::until(PATIENCE, || host.log().contains(reason).then_some(())).is_some(), "{}", host.log());
    let space = host.push("boxed", docker());
    let runtime = space.reaches("RUNTIME_ERROR");
    assert_eq!(runtime["errorMessage"], "the container backend fake is not answering: its engine is away");
    assert_eq!((host.metric(UP), host.metric(RESTARTS)), (0.0, 0.0));
}

#[test]
fn a_backend_that_is_switched_off_is_none() {
    let plugin = FakePlugin::new();
    let host = TestHost::start_with(&format!("{}enabled = false\n", plugin.config("fake")));
    let space = host.push("boxed", docker());
    let runtime = space.reaches("RUNTIME_ERROR");
    assert_eq!(runtime["errorMessage"], "no container backend on this host");
    assert_eq!(plugin.pid(), None);
    assert!(!host.data().join("backends").exists());
}

/// The process that answers for a Space, by its own words.
#[track_caller]
fn process(host: &TestHost) -> i32 {
    let space = boxed(host);
    let answer = wait::until(PATIENCE, || Some(space.get("/")).filter(|answer| answer.status == 200));
    let text = answer.map(|answer| answer.text()).unwrap_or_else(|| panic!("no answer: {}", space.runtime()));
    text.split(' ').next().unwrap().parse().unwrap()
}

fn boxed(host: &TestHost) -> TestSpace<'_> {
    TestSpace::named(host, "boxed", "")
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn a_container_outlives_host_and_plugin_and_there_is_never_a_second() {
    let plugin = FakePlugin::new();
    let mut host = TestHost::start_with(&plugin.config("fake"));
    host.push("boxed", docker()).reaches("RUNNING");
    boxed(&host).log_up_to("build", "building with python");
    boxed(&host).logs("listening");
    let first = process(&host);
    assert_eq!(plugin.apps(), [first]);

    kill(plugin.pid().unwrap());
    assert_eq!(process(&host), first, "it is reached without the plugin");
    let again = wait::until(PATIENCE, || plugin.pid());
    assert!(again.is_some(), "the plugin is started again");
    is(&host, 1.0);
    assert_eq!((process(&host), plugin.apps()), (first, vec![first]));

    host.kill();
    assert_eq!(plugin.apps(), [first]);
    host.boot_as_before();
    boxed(&host).reaches("RUNNING");
    assert_eq!((process(&host), plugin.apps()), (first, vec![first]), "it is taken over");
    boxed(&host).logs("It has run on");

    assert_eq!(host.stop(), 0);
    assert_eq!(plugin.apps(), [first]);
    host.boot_as_before();
    boxed(&host).reaches("RUNNING");
    assert_eq!((process(&host), plugin.apps()), (first, vec![first]));

    // One that ends by itself is started again, once.
    kill(first);
    let others = || Some(plugin.apps()).filter(|apps| !apps.is_empty() && *apps != [first]);
    let again = wait::until(PATIENCE, others).expect("it is started again");
    assert_eq!((process(&host), again.len()), (again[0], 1));
    boxed(&host).logs("it was ended");
}

#[test]
fn a_changed_setting_replaces_the_container_and_a_deleted_space_has_none() {
    let plugin = FakePlugin::new();
    let host = TestHost::start_with(&plugin.config("fake"));
    let space = host.push("boxed", docker());
    space.reaches("RUNNING");
    let first = process(&host);
    space.post("/variables", json!({"key": "SAYS", "value": "moin"}));
    let changed = wait::until(PATIENCE, || space.get("/").text().ends_with(" moin").then_some(()));
    assert!(changed.is_some(), "{}", space.get("/").text());
    assert_ne!(process(&host), first);
    assert!(wait::until(PATIENCE, || (plugin.apps().len() == 1).then_some(())).is_some(), "{:?}", plugin.apps());
    space.delete();
    assert!(wait::until(PATIENCE, || plugin.apps().is_empty().then_some(())).is_some(), "{:?}", plugin.apps());
}

#[test]
fn a_websocket_reaches_the_container() {
    let plugin = FakePlugin::new();
    let host = TestHost::start_with(&plugin.config("fake"));
    let space = host.push("boxed", docker());
    space.reaches("RUNNING");
    process(&host);
    let mut stream = TcpStream::connect(host.address()).unwrap();
    let head = format!(
        "GET /ws HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n",
        space.authority
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = String::new();
    let mut hear = |stream: &mut TcpStream, end: &str| {
        while !said.ends_with(end) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            said.push(byte[0].into());
        }
        std::mem::take(&mut said)
    };
    assert!(hear(&mut stream, "\r\n\r\n").starts_with("HTTP/1.1 101 "));
    for word in ["one.", "two."] {
        stream.write_all(word.as_bytes()).unwrap();
        assert_eq!(hear(&mut stream, "."), word);
    }
}

#[test]
fn hardware_is_refused_in_the_backends_words() {
    let plugin = FakePlugin::new();
    let host = TestHost::start_with(&plugin.config("fake"));
    let space = host.push("boxed", docker());
    space.reaches("RUNNING");
    let headers = [("content-type", "application/json")];
    let ask =
        |flavor: &str| space.api("POST", "/hardware", &headers, json!({ "flavor": flavor }).to_string().as_bytes());
    let refused = ask("t4-small");
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("there is no GPU in this machine"), "{}", refused.text());
    assert_eq!(ask("cpu-upgrade").status, 200);
    // The backend is asked for a row that is made meanwhile.
    let row = json!({ "name": "cpu-new", "vcpu": 1, "memory": "1GB", "disk": "1GB" }).to_string();
    let made = host.client().send("POST", &host.domain(), "/api/admin/hardware", &headers, row.as_bytes());
    assert_eq!(made.status, 200, "{}", made.text());
    let taken = wait::until(PATIENCE, || Some(ask("cpu-new")).filter(|answer| answer.status == 200));
    assert!(taken.is_some(), "{}", ask("cpu-new").text());
}

#[test]
fn a_site_is_built_by_its_command() {
    let plugin = FakePlugin::new();
    let host = TestHost::start_with(&plugin.config("fake"));
    let readme = "---\nsdk: static\napp_build_command: make site\n---\n";
    let space = host.push("site", Files::default().with("README.md", readme));
    let page = wait::until(PATIENCE, || Some(space.get("/").text()).filter(|text| text.contains("make site")));
    assert!(page.is_some(), "{}", space.runtime());
    let refs = space.api("GET", "/refs", &[], &[]).json();
    assert_eq!(refs["converts"][0]["ref"], "refs/convert/build", "{refs}");
}
