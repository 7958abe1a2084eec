//! The command line and the configuration file.

use std::process::Command;
use std::time::Duration;

use spaceport_tests::host::binary;
use spaceport_tests::wait;

/// How long a host may take until it answers.
const START: Duration = Duration::from_secs(60);

fn spaceport(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(binary()).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn with_config(config: &str, more: &[&str]) -> (i32, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("spaceport.toml");
    std::fs::write(&file, config).unwrap();
    let data = dir.path().join("data");
    let mut args = vec!["serve", "--config", file.to_str().unwrap(), "--data", data.to_str().unwrap()];
    args.extend(more);
    spaceport(&args)
}

#[test]
fn every_mistake_in_the_configuration_is_named_at_once() {
    let config = "[limits]\nstraem = \"1h\"\nqueue = 7\n[egress]\nallow = [\"10.0.0.0/99\"]\n[htpp]\n\
                  [[hardware]]\nname = \"x\"\nvcpu = -1\nmemory = \"lots\"\n";
    let (code, _, stderr) = with_config(config, &[]);
    assert_eq!(code, 1, "{stderr}");
    for word in ["limits.straem", "\"stream\"", "limits.queue", "egress.allow", "htpp", "\"http\"", "vcpu", "memory"] {
        assert!(stderr.contains(word), "{word} is missing in:\n{stderr}");
    }
}

#[test]
fn the_printed_configuration_is_one_that_can_be_read_back() {
    let (code, printed, stderr) = with_config("[lifecycle]\nsleep_after = \"2h\"\n", &["--print-config"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(printed.contains("sleep_after = \"2h\"") && printed.contains("# "), "{printed}");
    printed.parse::<toml::Table>().unwrap();
    let (code, again, stderr) = with_config(&printed, &["--print-config"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(printed, again);
}

#[test]
fn the_printed_configuration_is_what_the_command_line_makes_of_the_file() {
    let config = "[http]\ndomain = \"file.example.org\"\n";
    let arguments = ["--print-config", "--listen", "127.0.0.1:81", "--domain", "Line.Example.org:81"];
    let (code, printed, stderr) = with_config(config, &arguments);
    assert_eq!(code, 0, "{stderr}");
    assert!(printed.contains("listen = [\"127.0.0.1:81\"]"), "{printed}");
    assert!(printed.contains("domain = \"line.example.org:81\""), "{printed}");
}

#[test]
fn the_current_folder_can_be_the_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let mut host = Command::new(binary());
    host.args(["serve", "--data", ".", "--listen", "127.0.0.1:0", "--ready-file", "ready"]).current_dir(dir.path());
    let mut host = host.stderr(std::process::Stdio::null()).spawn().unwrap();
    let ready = wait::until(START, || dir.path().join("ready").exists().then_some(()));
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(ready.is_some(), "it did not start");
    assert!(dir.path().join("store").exists());
}

#[test]
fn accounts_need_no_keys_and_leave_them_to_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    spaceport_tests::host::run(&["user", "create", "ada"], &data);
    spaceport_tests::host::run(&["token", "create", "--user", "ada"], &data);
    assert!(!data.join("keys").exists(), "[keys] path may say another place");
}

#[test]
fn bad_arguments_are_one_line_and_exit_2() {
    for args in [
        vec!["serve", "--listen", "nowhere"],
        vec!["serve", "--no-such-flag"],
        vec!["serve", "--domain", "http://x/"],
        vec!["user", "create", "a--b"],
        vec!["token", "create"],
        vec!["fly"],
        vec![],
    ] {
        let (code, _, stderr) = spaceport(&args);
        assert_eq!(code, 2, "{args:?}: {stderr}");
        assert_eq!(stderr.trim().lines().count(), 1, "{args:?}: {stderr}");
    }
}

#[test]
fn check_says_what_a_component_is_and_what_would_refuse_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.wasm");
    std::fs::write(&file, spaceport_tests::guest("hello")).unwrap();
    let (code, stdout, stderr) = spaceport(&["check", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("wasi:http") && stdout.contains("0.2"), "{stdout}");
    std::fs::write(&file, spaceport_tests::guest("plugin_upper")).unwrap();
    let (code, stdout, stderr) = spaceport(&["check", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("a plugin for sdk: markdown-demo, entry README.md"), "{stdout}");
    for (guest, word) in [("plugin_trap", "unreachable"), ("plugin_nonsense", "lower-case letters")] {
        std::fs::write(&file, spaceport_tests::guest(guest)).unwrap();
        let (code, _, stderr) = spaceport(&["check", file.to_str().unwrap()]);
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains(word) && stderr.contains("would be skipped"), "{stderr}");
    }
    std::fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    let (code, _, stderr) = spaceport(&["check", file.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(stderr.contains("component"), "{stderr}");
}
