//! Rows of hardware that an administrator makes, changes and takes back while the host runs.

use serde_json::{Value, json};
use spaceport_tests::{Answer, TestHost};

fn ask(host: &TestHost, method: &str, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    host.client().send(
        method,
        &host.domain(),
        &format!("/api/admin/hardware{path}"),
        &headers,
        body.to_string().as_bytes(),
    )
}

#[test]
fn a_row_made_while_the_host_runs_limits_what_starts_on_it_and_survives_a_crash() {
    let mut host = TestHost::start();
    let small = json!({ "name": "cpu-small", "vcpu": 0.5, "memory": "32MiB", "disk": "10MiB", "pricePerHour": 0.01 });
    let made = ask(&host, "POST", "", &small);
    assert_eq!((made.status, &made.json()["memory"]), (200, &json!("32MiB")), "{}", made.text());
    {
        let space = host.run_guest("grow", "grow_memory", "");
        space.post("/hardware", json!({ "flavor": "cpu-small" }));
        space.reaches("RUNNING");
        assert_eq!(space.get("/?mib=16").status, 200);
        let beyond = space.get("/?mib=64");
        assert_eq!((beyond.status, beyond.fault()), (502, Some("guest_memory_exceeded")), "{}", beyond.text());
        let kept = ask(&host, "DELETE", "/cpu-small", &json!({}));
        assert_eq!(kept.status, 409, "{}", kept.text());

        // What runs keeps what it has until it is started again.
        let changed = ask(&host, "PATCH", "/cpu-small", &json!({ "memory": "128MiB" }));
        assert_eq!(changed.status, 200, "{}", changed.text());
        assert_eq!(space.get("/?mib=64").status, 502);
        space.post("/restart", json!({}));
        space.reaches("RUNNING");
        assert_eq!(space.get("/?mib=64").status, 200);
    }
    assert_eq!(ask(&host, "DELETE", "/cpu-upgrade", &json!({})).status, 200);

    host.kill();
    host.boot();
    let listed = host.client().get(&host.domain(), "/api/spaces/hardware").json();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"cpu-small") && !names.contains(&"cpu-upgrade"), "{names:?}");
    let row = ask(&host, "GET", "/cpu-small", &json!({})).json();
    assert_eq!((&row["memory"], &row["spaces"]), (&json!("128MiB"), &json!(1)), "{row}");
}
