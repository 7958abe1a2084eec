//! Secrets in pushes: their authors read of them, whichever commit has them, and the push is taken.

use serde_json::Value;

use super::harness::GitHub;

async fn findings(git: &GitHub) -> Vec<(String, bool)> {
    let list = git.hub.get("/api/spaces/ada/site/scan").await.expect(200).json();
    let items = list["items"].as_array().unwrap().iter();
    let row = |item: &Value| (item["path"].as_str().unwrap().to_owned(), item["in_history"].as_bool().unwrap());
    items.map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_with_secrets_is_taken_and_says_where_they_are() {
    let (git, clone) = GitHub::with_clone("site").await;
    git.commit(&clone, "a.txt", "nothing").await;
    let said = git.push(&clone, &["main"]).await.ok();
    assert!(!said.contains("secrets"), "{said}");

    git.commit(&clone, "folder/b c.py", "\nKEY = 'leaked:hunter2'").await;
    git.commit(&clone, "token.txt", &git.hub.bob).await;
    let head = git.commit(&clone, "token.txt", "gone").await;
    let said = git.push(&clone, &["main"]).await.ok();
    for words in [
        "remote: WARNING: this push has what looks like secrets:",
        "remote:   - folder/b c.py line 2: test-secret (KEY = …)",
        "remote:   - token.txt line 1: spaceport-token (sp_…), a valid token of this host: it is revoked now",
        "remote:   All: http://hub.test/api/spaces/ada/site/scan",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("hunter2") && !said.contains(&git.hub.bob), "{said}");
    assert_eq!(git.head("site", "main").await, Some(head));
    assert!(git.hub.control.accounts().authenticate(&git.hub.bob).unwrap().is_none(), "the token is valid no more");
    // What only an older commit has is in the history.
    assert_eq!(findings(&git).await, [("folder/b c.py".to_owned(), false), ("token.txt".to_owned(), true)]);

    git.git(&clone, &["mv", "folder/b c.py", "moved.py"]).await.ok();
    git.commit(&clone, "a.txt", "more").await;
    git.push(&clone, &["main"]).await.ok();
    assert_eq!(findings(&git).await, [("moved.py".to_owned(), false), ("token.txt".to_owned(), true)]);
    git.git(&clone, &["rm", "--quiet", "moved.py"]).await.ok();
    git.commit(&clone, "a.txt", "still more").await;
    git.push(&clone, &["main"]).await.ok();
    assert_eq!(findings(&git).await, [("moved.py".to_owned(), true), ("token.txt".to_owned(), true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_to_another_branch_is_looked_through_too() {
    let (git, clone) = GitHub::with_clone("site").await;
    git.git(&clone, &["checkout", "--quiet", "-b", "side"]).await.ok();
    git.commit(&clone, "a.py", "leaked:x").await;
    let said = git.push(&clone, &["side"]).await.ok();
    assert!(said.contains("a.py line 1: test-secret"), "{said}");
    assert_eq!(findings(&git).await, [("a.py".to_owned(), true)]);
    git.git(&clone, &["checkout", "--quiet", "main"]).await.ok();
    git.git(&clone, &["merge", "--quiet", "side"]).await.ok();
    // Nothing new comes with it, and yet it is served now.
    git.push(&clone, &["main"]).await.ok();
    assert_eq!(findings(&git).await, [("a.py".to_owned(), false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_does_not_come_to_an_end_holds_up_no_push() {
    let (git, clone) = GitHub::with_clone("site").await;
    let head = git.commit(&clone, "a.py", "the scanner hangs").await;
    let said = git.push(&clone, &["main"]).await.ok();
    assert!(said.contains("still being looked through for secrets"), "{said}");
    assert_eq!(git.head("site", "main").await, Some(head));
}
