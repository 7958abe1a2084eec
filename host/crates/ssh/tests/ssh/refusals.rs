//! What is refused, and in which words.

use std::path::Path;

use spaceport_core::space::Visibility;

use crate::harness::{Host, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_known_is_refused_in_words() {
    let (host, _) = Host::with_clone("site").await;
    let refused = host.git("eve", Path::new("/"), &["ls-remote", &host.url("site")]).await;
    let text =
        refused.refused(&["not known here: SHA256:", "http://hub.test/settings/keys", "Permission denied (publickey)"]);
    let eve = said(crate::harness::program("ssh-keygen").arg("-lf").arg(host.path("eve.pub"))).await.ok();
    assert!(text.contains(eve.split(' ').nth(1).unwrap()), "{text}");
    // The right key is found among others.
    let said_by = said(&mut host.ssh(&["eve", "ada"], &["git@127.0.0.1"])).await;
    said_by.refused(&["Hi ada!"]);
    let none = said(&mut host.ssh(&["absent"], &["git@127.0.0.1"])).await;
    none.refused(&["offered no key", "Permission denied"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_not_there_reads_as_one_that_may_not_be_seen() {
    let (host, clone) = Host::with_clone("site").await;
    host.create("secret", Visibility::Private).await;
    let mut seen = Vec::new();
    for name in ["absent", "secret"] {
        let refused = host.git("bob", Path::new("/"), &["clone", &host.url(name), "/nowhere"]).await;
        let text = refused.refused(&["Repository not found", "Could not read from remote repository"]);
        seen.push(text.replace(name, "it"));
    }
    assert_eq!(seen[0], seen[1]);
    host.git("ada", Path::new("/"), &["ls-remote", &host.url("secret")]).await.ok();
    host.git("bob", &clone, &["push", "origin", "HEAD:x"]).await.refused(&["not push to it"]);
    let wrong = format!("ssh://git@{}/ada/site", host.address);
    host.git("ada", Path::new("/"), &["ls-remote", &wrong]).await.refused(&["repositories are at spaces/owner/name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_shell_no_terminal_no_forwarding_and_no_file_transfer() {
    let host = Host::start().await;
    let at = "git@127.0.0.1";
    for (args, words) in [
        (vec![at], vec!["Hi ada! You are signed in, but there is no shell here"]),
        (vec!["-tt", at], vec!["PTY allocation request failed"]),
        (vec![at, "ls", "-la"], vec!["\"ls\" is not run here"]),
        (vec![at, "git-upload-pack 'spaces/ada/site'; ls"], vec!["the path of one repository"]),
        (vec!["-s", at, "sftp"], vec!["\"sftp\" is not offered here"]),
        (vec!["-W", "127.0.0.1:1", at], vec!["administratively prohibited"]),
        (
            vec!["-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:127.0.0.1:1", at],
            vec!["remote port forwarding failed"],
        ),
    ] {
        said(&mut host.ssh(&["ada"], &args)).await.refused(&words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn git_lfs_is_told_where_to_go_and_with_what() {
    let (host, _) = Host::with_clone("site").await;
    let ask = async |user: &str, operation: &str| {
        let command = format!("git-lfs-authenticate spaces/ada/site.git {operation}");
        said(&mut host.ssh(&[user], &["git@127.0.0.1", &command])).await
    };
    let answer: serde_json::Value = serde_json::from_str(&ask("ada", "upload").await.ok()).unwrap();
    assert_eq!(answer["href"], "http://hub.test/spaces/ada/site.git/info/lfs");
    assert_eq!(answer["expires_in"], 3600);
    let path = "ada/site".parse().unwrap();
    let pass = answer["header"]["Authorization"].as_str().unwrap().strip_prefix("RemoteAuth ").unwrap();
    assert_eq!(host.control.lfs_bearer(pass, &path).unwrap().unwrap().name.as_str(), "ada");
    ask("bob", "download").await.ok();
    ask("bob", "upload").await.refused(&["not push to it"]);
    ask("bob", "delete").await.refused(&["\"upload\" or \"download\""]);
    let transfer = said(&mut host.ssh(&["ada"], &["git@127.0.0.1", "git-lfs-transfer spaces/ada/site upload"])).await;
    transfer.refused(&["not run here"]);
}
