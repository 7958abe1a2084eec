//! Gradio itself, from the package index, and its own client.

use std::process::Output;
use std::time::Duration;

use spaceport_tests::python::{Clients, hf_ok, program_of};
use spaceport_tests::{ContainerHost, Files, TestSpace, wait};

/// How long the app may take to be there again.
const PATIENCE: Duration = Duration::from_secs(60);
/// The version that the Space asks for; the older clients' environment has the client that belongs to it.
const README: &str = "---\ntitle: Greeter\nsdk: gradio\nsdk_version: 6.31.0\napp_file: src/app.py\n---\n";
const REQUIREMENTS: &str = "# what the app needs\nemoji==2.14.1\n";
const APP: &str = r#"
import time
import emoji
import gradio as gr

def greet(name):
    return emoji.emojize(f"Hello, {name} :waving_hand:")

def count(to):
    for n in range(1, int(to) + 1):
        time.sleep(0.05)
        yield str(n)

def size(file):
    with open(file, "rb") as opened:
        return str(len(opened.read()))

with gr.Blocks() as demo:
    text, number, file, out = gr.Textbox(), gr.Number(), gr.File(), gr.Textbox()
    gr.Button("greet").click(greet, text, out, api_name="greet")
    gr.Button("count").click(count, number, out, api_name="count")
    gr.Button("size").click(size, file, out, api_name="size")

demo.launch()
"#;
const CALLS: &str = r#"
import sys, tempfile
from gradio_client import Client, handle_file
client = Client("ada/greeter", token=sys.argv[1] or None, verbose=False)
assert client.predict("Ada", api_name="/greet") == "Hello, Ada \N{WAVING HAND SIGN}"
job = client.submit(5, api_name="/count")
job.result()
assert job.outputs() == ["1", "2", "3", "4", "5"], job.outputs()
with tempfile.NamedTemporaryFile(suffix=".bin") as file:
    file.write(bytes(300_000))
    file.flush()
    assert client.predict(handle_file(file.name), api_name="/size") == "300000"
print("all good")
"#;

#[test]
fn a_gradio_app_is_pushed_by_its_owner_and_called_by_its_client() {
    let Some(host) = ContainerHost::start() else { return };
    let folder = host.scratch().join("greeter");
    std::fs::create_dir_all(folder.join("src")).unwrap();
    for (path, content) in [("README.md", README), ("requirements.txt", REQUIREMENTS), ("src/app.py", APP)] {
        std::fs::write(folder.join(path), content).unwrap();
    }
    let folder = folder.to_str().unwrap();
    hf_ok(&host, &["repos", "create", "ada/greeter", "--repo-type", "space", "--space-sdk", "gradio"]);
    hf_ok(&host, &["upload", "ada/greeter", folder, ".", "--repo-type", "space"]);
    let space = TestSpace::named(&host, "greeter", "");
    host.brings(&space, "RUNNING");
    let page = space.get("/");
    assert!(page.status == 200 && page.text().contains("gradio"), "{}", page.text());

    let calls = |token: &str| -> Output {
        let mut python = program_of(Clients::Older, &host, "python");
        python.env_remove("HF_TOKEN").args(["-c", CALLS, token]).output().unwrap()
    };
    let is_good = |output: &Output| String::from_utf8_lossy(&output.stdout).contains("all good");
    let as_anybody = calls("");
    assert!(is_good(&as_anybody), "{}", String::from_utf8_lossy(&as_anybody.stderr));
    let json = [("content-type", "application/json")];
    assert_eq!(space.api("PUT", "/settings", &json, br#"{"private":true}"#).status, 200);
    let owner = wait::until(PATIENCE, || Some(calls(host.token())).filter(is_good));
    assert!(owner.is_some(), "{}", String::from_utf8_lossy(&calls(host.token()).stderr));
    assert!(!is_good(&calls("")), "a stranger calls a private app");
}

#[test]
fn a_package_that_is_not_there_is_in_the_log_and_in_the_reason() {
    let Some(host) = ContainerHost::start() else { return };
    let files = Files::default()
        .with("README.md", "---\nsdk: gradio\npython_version: \"3.9\"\n---\n")
        .with("app.py", "print(1)\n");
    let space = host.push("old", files);
    let runtime = host.brings(&space, "BUILD_ERROR");
    let reason = runtime["errorMessage"].as_str().unwrap();
    assert!(reason.starts_with("the build failed: "), "{reason}");
    space.log_up_to("build", "python_version 3.9 is not in this host's base image");
}
