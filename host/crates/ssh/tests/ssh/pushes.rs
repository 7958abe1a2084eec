//! Pushing: as over HTTP, in the same words.

use std::path::Path;

use rand::RngCore;

use crate::harness::Host;

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_built_and_says_where_it_is_seen() {
    let (host, clone) = Host::with_clone("site").await;
    let pushed = host.commit(&clone, "index.html", "pushed").await;
    let said = host.push(&clone, &["--progress", "main"]).await.ok();
    for words in ["Writing objects", "remote: main is being built", "remote:   Space: http://hub.test/spaces/ada/site"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(host.head("site", "main").await, Some(pushed));
    let said = host.push(&clone, &["main"]).await.ok();
    assert!(said.contains("Everything up-to-date"), "{said}");
    host.git("ada", &clone, &["tag", "v1"]).await.ok();
    let said = host.push(&clone, &["v1", "main:refs/heads/other"]).await.ok();
    assert!(said.contains("Only main is built"), "{said}");
    host.push(&clone, &["--delete", "v1", "other"]).await.ok();
    assert_eq!(host.head("site", "other").await, None);
    host.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_push_goes_through() {
    let (host, clone) = Host::with_clone("site").await;
    // More than everything on the way holds at once, and of a kind that does not get smaller.
    for file in 0..2 {
        let mut noise = vec![0; 3 << 20];
        rand::rng().fill_bytes(&mut noise);
        std::fs::write(clone.join(format!("noise-{file}")), noise).unwrap();
    }
    let pushed = host.commit(&clone, "a.txt", "1").await;
    host.push(&clone, &["main"]).await.ok();
    assert_eq!(host.head("site", "main").await, Some(pushed));
    let again = host.path("again");
    host.git("bob", Path::new("/"), &["clone", "--quiet", &host.url("site"), again.to_str().unwrap()]).await.ok();
    host.git("bob", &again, &["fsck", "--strict"]).await.ok();
    host.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_push_says_why_and_changes_nothing() {
    let (host, clone) = Host::with_clone("site").await;
    let before = host.head("site", "main").await;
    let reset = async || drop(host.git("ada", &clone, &["reset", "--quiet", "--hard", "origin/main"]).await.ok());
    host.commit(&clone, "README.md", "---\nsdk: [\n---\n").await;
    host.push(&clone, &["main"]).await.refused(&["remote: Your push was rejected", "pre-receive hook declined"]);
    reset().await;
    host.commit(&clone, "large.bin", vec![7; (10 << 20) + 1]).await;
    host.push(&clone, &["main"]).await.refused(&["larger than 10 MiB", "large.bin"]);
    reset().await;
    host.push(&clone, &["--delete", "main"]).await.refused(&["main is what is served"]);
    host.git("ada", &clone, &["commit", "--quiet", "--amend", "-m", "another"]).await.ok();
    host.push(&clone, &["main"]).await.refused(&["non-fast-forward"]);
    assert_eq!(host.head("site", "main").await, before);
    host.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_path_of_a_space_leads_to_the_new_one() {
    let (host, clone) = Host::with_clone("site").await;
    host.control.move_space(&host.ada, &"ada/site".parse().unwrap(), &"ada/page".parse().unwrap()).await.unwrap();
    let pushed = host.commit(&clone, "a.txt", "1").await;
    let said = host.push(&clone, &["main"]).await.ok();
    assert!(said.contains("spaces/ada/page now"), "{said}");
    assert_eq!(host.head("page", "main").await, Some(pushed));
}
