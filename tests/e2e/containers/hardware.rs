//! Every row of the hardware table, asked for where it is not and where it is declared.

use std::time::Duration;

use serde_json::json;
use spaceport_tests::containers::docker;
use spaceport_tests::{ContainerHost, TestSpace, wait};

use super::app;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Rows with a GPU, how many of which model they have, and bytes of memory of each.
const GPUS: [(&str, usize, &str); 3] = [("t4-small", 1, "t4"), ("l4x1", 1, "l4"), ("a10g-largex2", 2, "a10g")];

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
        let has_gpu = !row.starts_with("cpu-") && !row.starts_with("test-");
        match has_gpu {
            true => assert!(status == 400 && text.contains("GPU"), "{row}: {status} {text}"),
            false => assert_eq!(status, 200, "{row}: {text}"),
        }
    }
}

#[test]
fn a_declared_gpu_has_one_owner_and_the_next_waits_in_words() {
    let declared = ["--device", "id=gpu-a,kind=t4,memory=16000000000,node=/dev/zero"];
    let Some(host) = ContainerHost::start_with("", &declared) else { return };
    let (first, second) = (host.push("first", app("", "")), host.push("second", app("", "")));
    host.brings(&first, "RUNNING");
    host.brings(&second, "RUNNING");
    for (row, count, kind) in GPUS {
        let (status, text) = asks(&first, row);
        match (kind, count) {
            ("t4", 1) => assert_eq!(status, 200, "{text}"),
            _ => assert!(status == 400 && text.contains(kind), "{row}: {status} {text}"),
        }
    }
    let device = wait::until(PATIENCE, || {
        let answer = first.get("/");
        (answer.status == 200 && answer.json()["environment"]["ACCELERATOR"] == "t4-small").then_some(())
    });
    assert!(device.is_some(), "{}", first.runtime());
    let devices =
        docker(&["inspect", "--format", "{{range .HostConfig.Devices}}{{.PathOnHost}} {{end}}", &owner(&host)]);
    assert_eq!(devices.trim(), "/dev/zero");

    assert_eq!(asks(&second, "t4-small").0, 200, "it is there, though not at once");
    let waits = wait::until(PATIENCE, || {
        let runtime = second.runtime();
        runtime["errorMessage"].as_str().is_some_and(|text| text.contains("waiting for 1 t4 GPU")).then_some(())
    });
    assert!(waits.is_some(), "{}", second.runtime());
    first.post("/pause", json!({}));
    let has_it = wait::until(PATIENCE * 2, || {
        let answer = second.get("/");
        (answer.status == 200 && answer.json()["environment"]["ACCELERATOR"] == "t4-small").then_some(())
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
