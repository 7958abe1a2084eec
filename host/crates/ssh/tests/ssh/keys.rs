//! Signing in.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use spaceport_ssh::{HOST_KEY_FILE, InvalidHostKey};

use crate::harness::{Host, host_key, said, until};

#[test]
fn a_host_keeps_its_key_for_ever_and_one_that_is_none_or_is_open_to_others_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let first = host_key(dir.path()).unwrap();
    let again = host_key(dir.path()).unwrap();
    assert_eq!((first.public(), first.fingerprint()), (again.public(), again.fingerprint()));
    let file = dir.path().join(HOST_KEY_FILE);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "the master key, and nothing beside it");
    let other = tempfile::tempdir().unwrap();
    assert_ne!(host_key(other.path()).unwrap().fingerprint(), first.fingerprint());

    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let error = host_key(dir.path()).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, "no key").unwrap();
    let error = host_key(dir.path()).unwrap_err();
    assert!(error.is::<InvalidHostKey>(), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "no key", "it is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_that_is_taken_signs_in() {
    let host = Host::start().await;
    for (name, kind) in [
        ("p256", vec!["-t", "ecdsa", "-b", "256"]),
        ("p384", vec!["-t", "ecdsa", "-b", "384"]),
        ("p521", vec!["-t", "ecdsa", "-b", "521"]),
        ("rsa", vec!["-t", "rsa", "-b", "2048"]),
    ] {
        let text = host.make_key(name, &kind).await;
        host.control.add_ssh_key(&host.ada, name, &text).await.unwrap();
        said(&mut host.ssh(&[name], &["git@127.0.0.1"])).await.refused(&["Hi ada!"]);
    }
    let old = ["-o", "PubkeyAcceptedAlgorithms=ssh-rsa", "git@127.0.0.1"];
    said(&mut host.ssh(&["rsa"], &old)).await.refused(&["Permission denied"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_use_of_a_key_is_noted_and_a_deleted_key_is_none() {
    let host = Host::start().await;
    let key = || host.control.ssh_keys(&host.ada).unwrap().remove(0);
    assert_eq!(key().last_used_at, None);
    // A connection that others may share, for as long as it lasts.
    let socket = host.path("shared").display().to_string();
    let mut master =
        host.ssh(&["ada"], &["-M", "-S", &socket, "-N", "git@127.0.0.1"]).kill_on_drop(true).spawn().unwrap();
    until("the connection is there", || host.path("shared").exists()).await;
    until("the use is noted", || key().last_used_at.is_some()).await;
    let shared = ["-S", &socket, "git@127.0.0.1"];
    said(&mut host.ssh(&[], &shared)).await.refused(&["Hi ada!"]);
    host.control.delete_ssh_key(&host.ada, key().fingerprint).await.unwrap();
    let run = [&shared[..], &["git-upload-pack 'spaces/ada/site'"]].concat();
    said(&mut host.ssh(&[], &run)).await.refused(&["was deleted"]);
    master.kill().await.unwrap();
    said(&mut host.ssh(&["ada"], &["git@127.0.0.1"])).await.refused(&["Permission denied"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_carries_several_commands_and_no_more_than_it_may() {
    let (host, _) = Host::with_clone("site").await;
    let socket = host.path("shared").display().to_string();
    let mut master =
        host.ssh(&["ada"], &["-M", "-S", &socket, "-N", "git@127.0.0.1"]).kill_on_drop(true).spawn().unwrap();
    until("the connection is there", || host.path("shared").exists()).await;
    let run = ["-S", &socket, "git@127.0.0.1", "git-upload-pack 'spaces/ada/site'"];
    let mut held: Vec<_> = (0..10).map(|_| crate::harness::piped(&mut host.ssh(&[], &run))).collect();
    until("all of them run", || host.workers() == 10).await;
    // One that may not share makes a connection of its own, for which it has no key.
    said(&mut host.ssh(&["absent"], &run)).await.refused(&["Permission denied"]);
    held.pop().unwrap().kill().await.unwrap();
    until("one has ended", || host.workers() == 9).await;
    // A command has ended before its channel is closed.
    let mut next = crate::harness::piped(&mut host.ssh(&[], &run));
    let another_runs = || {
        if next.try_wait().unwrap().is_some() {
            next = crate::harness::piped(&mut host.ssh(&[], &run));
        }
        host.workers() == 10
    };
    until("another runs in its place", another_runs).await;
    master.kill().await.unwrap();
    host.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_carries_one_command_after_another_for_as_long_as_it_lasts() {
    let (host, clone) = Host::with_clone("site").await;
    let socket = host.path("shared").display().to_string();
    let mut master =
        host.ssh(&["ada"], &["-M", "-S", &socket, "-N", "git@127.0.0.1"]).kill_on_drop(true).spawn().unwrap();
    until("the connection is there", || host.path("shared").exists()).await;
    // One that may not share has no key to sign in with.
    let shared = format!("ssh -F none -o BatchMode=yes -S {socket}");
    for _ in 0..12 {
        said(&mut host.ssh(&[], &["-S", &socket, "git@127.0.0.1"])).await.refused(&["Hi ada!"]);
        let mut git = host.git_command("absent", &clone, &["ls-remote", "--exit-code"]);
        said(git.env("GIT_SSH_COMMAND", &shared)).await.ok();
    }
    master.kill().await.unwrap();
    host.nothing_is_left().await;
}
