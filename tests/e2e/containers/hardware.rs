//! Every row of the hardware table, asked for where it is not and where it is declared.

use std::time::Duration;

use serde_json::json;
use spaceport_tests::containers::docker;
use spaceport_tests::{ContainerHost, TestSpace, wait};

use super::app;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Rows that this machine has, whatever it is, with one GPU and with two.
const CONFIG: &str = r#"
[[hardware]]
name = "test-gpu"
vcpu = 1
memory = "256MiB"
disk = "1GiB"
gpu = { type = "t4", count = 1, memory = "16GB" }

[[hardware]]
name = "test-gpus"
vcpu = 1
memory = "256MiB"
disk = "1GiB"
gpu = { type = "t4", count = 2, memory = "32GB" }
"#;

fn asks(space: &TestSpace<'_>, flavor: &str) -> (u16, String) {
    let headers = [("content-type", "application/json")];
    let answer = space.api("POST", "/hardware", &headers, json!({ "flavor": flavor }).to_string().as_bytes());
    (answer.status, answer.text())
}

#[test]
fn a_row_is_granted_where_the_machine_has_it_and_refused_in_words_where_not() {
    let Some(host) = ContainerHost::start() else { return };
    let space = host.push("boxed", app("", ""));
    host.brings(&space, "RUNNING");
    let listed = host.client().get(&host.domain(), "/api/spaces/hardware").json();
    let rows: Vec<&str> = listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let (status, text) = asks(&space, row);
        println!("{row}: {status} {text}");
        match row.split('-').next() {
            // How much there is of these is this machine's.
            Some("cpu" | "test") => assert!(status == 200 || text.contains(", and this machine "), "{row}: {text}"),
            _ => assert!(status == 400 && text.contains("this machine does not have"), "{row}: {status} {text}"),
        }
    }
}

#[test]
fn a_declared_gpu_has_one_owner_and_the_next_waits_in_words() {
    let declared = ["--device", "id=gpu-a,kind=t4,memory=16000000000,node=/dev/zero"];
    let Some(host) = ContainerHost::start_with(CONFIG, &declared) else { return };
    let (first, second) = (host.push("first", app("", "")), host.push("second", app("", "")));
    host.brings(&first, "RUNNING");
    host.brings(&second, "RUNNING");
    let (status, text) = asks(&first, "test-gpus");
    assert!(status == 400 && text.contains("this machine does not have 2 t4 GPUs: it has 1"), "{status} {text}");
    assert_eq!(asks(&first, "test-gpu").0, 200);
    let device = wait::until(PATIENCE, || {
        let answer = first.get("/");
        (answer.status == 200 && answer.json()["environment"]["ACCELERATOR"] == "test-gpu").then_some(())
    });
    assert!(device.is_some(), "{}", first.runtime());
    let devices =
        docker(&["inspect", "--format", "{{range .HostConfig.Devices}}{{.PathOnHost}} {{end}}", &owner(&host)]);
    assert_eq!(devices.trim(), "/dev/zero");

    assert_eq!(asks(&second, "test-gpu").0, 200, "it is there, though not at once");
    let waits = wait::until(PATIENCE, || {
        let runtime = second.runtime();
        runtime["errorMessage"].as_str().is_some_and(|text| text.contains("waiting for 1 t4 GPU")).then_some(())
    });
    assert!(waits.is_some(), "{}", second.runtime());
    let meanwhile = second.get("/").json();
    assert_eq!(meanwhile["environment"]["ACCELERATOR"], "none", "it serves as before meanwhile");
    first.post("/pause", json!({}));
    let has_it = wait::until(PATIENCE * 2, || {
        let answer = second.get("/");
        (answer.status == 200 && answer.json()["environment"]["ACCELERATOR"] == "test-gpu").then_some(())
    });
    assert!(has_it.is_some(), "{}", second.runtime());
}

/// The container that has the device.
fn owner(host: &ContainerHost) -> String {
    let has = |id: &String| {
        !docker(&["inspect", "--format", "{{index .Config.Labels \"dev.spaceport.devices\"}}", id]).trim().is_empty()
    };
    host.containers().into_iter().find(has).expect("one has it")
}
