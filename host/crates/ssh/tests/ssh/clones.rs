//! Cloning and fetching.

use std::path::Path;

use spaceport_core::space::Visibility;

use crate::harness::Host;

#[tokio::test(flavor = "multi_thread")]
async fn a_space_is_cloned_in_every_version_of_the_protocol() {
    let (host, clone) = Host::with_clone("site").await;
    let head = host.git("ada", &clone, &["rev-parse", "HEAD"]).await.ok();
    for version in ["0", "1", "2"] {
        let folder = host.path(version);
        let setting = format!("protocol.version={version}");
        let url = host.url("site");
        let args = ["-c", &setting, "clone", "--quiet", &url, folder.to_str().unwrap()];
        let mut git = host.git_command("ada", Path::new("/"), &args);
        let said = crate::harness::said(git.env("GIT_TRACE_PACKET", "1")).await.ok();
        assert_eq!(host.git("ada", &folder, &["rev-parse", "HEAD"]).await.ok(), head);
        assert_eq!(said.contains(&format!("< version {version}")), version != "0", "{said}");
    }
    host.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_written_in_several_ways() {
    let (host, _) = Host::with_clone("site").await;
    let port = host.address.port().to_string();
    for (at, url) in [
        host.url("site.git"),
        host.url("site/"),
        format!("ssh://anybody@{}/spaces/ada/site", host.address),
        "git@127.0.0.1:spaces/ada/site".to_owned(),
        "git@127.0.0.1:/spaces/ada/site.git".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let mut git = host.git_command("bob", Path::new("/"), &["ls-remote", url]);
        if at > 2 {
            let ssh = format!("ssh -o Port={port} -F none -o IdentitiesOnly=yes -i {}", host.path("bob").display());
            let known = format!("-o UserKnownHostsFile={}", host.path("known_hosts").display());
            git.env("GIT_SSH_COMMAND", format!("{ssh} {known}"));
        }
        let listed = crate::harness::said(&mut git).await.ok();
        assert!(listed.contains("refs/heads/main"), "{url}: {listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_may_be_shallow_or_partial_and_be_completed_later() {
    let (host, clone) = Host::with_clone("site").await;
    host.commit(&clone, "a.txt", "1").await;
    host.commit(&clone, "a.txt", "2").await;
    host.push(&clone, &["main"]).await.ok();
    for (name, option) in [("shallow", "--depth=1"), ("partial", "--filter=blob:none")] {
        let folder = host.path(name);
        let url = host.url("site");
        let args = ["clone", "--quiet", option, &url, folder.to_str().unwrap()];
        host.git("bob", Path::new("/"), &args).await.ok();
        let count = async || host.git("bob", &folder, &["rev-list", "--count", "HEAD"]).await.ok().trim().to_owned();
        if name == "shallow" {
            assert_eq!(count().await, "1");
            host.git("bob", &folder, &["fetch", "--quiet", "--unshallow"]).await.ok();
        }
        assert_eq!(count().await, "3");
        let old = host.git("bob", &folder, &["show", "HEAD~1:a.txt"]).await.ok();
        assert_eq!(old, "1", "what was left out is fetched when it is needed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_agreed_on_before_it_is_sent() {
    let (host, clone) = Host::with_clone("site").await;
    let other = host.path("other");
    host.git("ada", Path::new("/"), &["clone", "--quiet", &host.url("site"), other.to_str().unwrap()]).await.ok();
    // Commits that the other side does not know, so that the two have something to talk about.
    for number in 0..300 {
        let message = format!("local {number}");
        host.git("ada", &other, &["commit", "--quiet", "--allow-empty", "-m", &message]).await.ok();
    }
    let head = host.commit(&clone, "a.txt", "1").await;
    host.push(&clone, &["main"]).await.ok();
    for version in ["0", "2"] {
        let setting = format!("protocol.version={version}");
        host.git("ada", &other, &["-c", &setting, "fetch", "--quiet", "origin"]).await.ok();
        assert_eq!(host.git("ada", &other, &["rev-parse", "origin/main"]).await.ok().trim(), head);
        host.git("ada", &other, &["update-ref", "-d", "refs/remotes/origin/main"]).await.ok();
        host.git("ada", &other, &["gc", "--quiet", "--prune=now"]).await.ok();
    }
    host.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clone_and_push_at_once() {
    let (host, clone) = Host::with_clone("site").await;
    host.create("other", Visibility::Private).await;
    let second = host.path("second");
    host.git("ada", Path::new("/"), &["clone", "--quiet", &host.url("other"), second.to_str().unwrap()]).await.ok();
    let (one, two) = (host.commit(&clone, "a.txt", "1").await, host.commit(&second, "b.txt", "2").await);
    let url = host.url("site");
    let folder = host.path("third");
    let args = ["clone", "--quiet", &url, folder.to_str().unwrap()];
    let (first, other, cloned) = tokio::join!(
        host.push(&clone, &["main"]),
        host.push(&second, &["main"]),
        host.git("bob", Path::new("/"), &args),
    );
    for said in [first, other, cloned] {
        said.ok();
    }
    assert_eq!((host.head("site", "main").await, host.head("other", "main").await), (Some(one), Some(two)));
    host.nothing_is_left().await;
}
