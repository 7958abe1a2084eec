//! What a Space uses: said by its README, or read in its code.

use serde_json::json;

use crate::testing::TestHub;

const README: &str = "---\nsdk: static\n---\n";

async fn listed(hub: &TestHub, query: &str) -> Vec<String> {
    let list = hub.get(&format!("/api/spaces?{query}")).await.expect(200).json();
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_code_names_is_told_and_found() {
    let hub = TestHub::start().await;
    hub.create("site", "static").await;
    let page = "<a href=\"https://huggingface.co/datasets/a/d\">data</a><a href=\"http://hub.test/a/own\">";
    let files = [("README.md", README), ("index.html", page), ("lib/app.py", "X.from_pretrained('a/m')")];
    hub.commit("site", &files).await.expect(200);
    hub.reaches("site", "RUNNING").await;
    let first = hub.get("/api/spaces/ada/site").await.expect(200).json();
    assert_eq!((&first["models"], &first["datasets"]), (&json!(["a/own", "a/m"]), &json!(["a/d"])));
    let list = hub.get("/api/spaces?expand=models&expand=datasets").await.expect(200).json();
    assert_eq!((&list[0]["models"], &list[0]["datasets"]), (&json!(["a/own", "a/m"]), &json!(["a/d"])));
    for (query, is_found) in [
        ("linked=true", true),
        ("models=a/m", true),
        ("models=a/m&models=a/own&datasets=a/d", true),
        ("models=a/m&models=a/x", false),
        ("datasets=a/m", false),
        ("models=a/m&filter=static", true),
        ("models=a/m&filter=vision", false),
    ] {
        assert_eq!(listed(&hub, query).await.len(), usize::from(is_found), "{query}");
    }

    // What a README lists counts instead of what its code names, kind by kind.
    let readme = "---\nsdk: static\nmodels: [b/m]\n---\n";
    hub.commit("site", &[("README.md", readme), ("app.py", "load_dataset('a/e')")]).await.expect(200);
    hub.reaches("site", "RUNNING").await;
    let second = hub.get("/api/spaces/ada/site").await.expect(200).json();
    assert_eq!((&second["models"], &second["datasets"]), (&json!(["b/m"]), &json!(["a/e", "a/d"])));
    assert_eq!(listed(&hub, "models=b/m&datasets=a/e").await, ["ada/site"]);
    assert_eq!(listed(&hub, "models=a/m").await, Vec::<String>::new());

    // Of a revision is told what it names itself.
    let sha = first["sha"].as_str().unwrap();
    let then = hub.get(&format!("/api/spaces/ada/site/revision/{sha}")).await.expect(200).json();
    assert_eq!((&then["models"], &then["datasets"]), (&first["models"], &first["datasets"]));

    hub.commit("site", &[("README.md", README), ("index.html", ""), ("app.py", ""), ("lib/app.py", "")])
        .await
        .expect(200);
    hub.reaches("site", "RUNNING").await;
    assert_eq!(listed(&hub, "linked=true").await, Vec::<String>::new());
}
