//! Plugins that are asked what they serve.

use spaceport_engine::{DescribeError, Description};

use crate::harness::{World, guest_file};

impl World {
    async fn describe(&self, component: &[u8]) -> Result<Description, DescribeError> {
        let artifact = self.engine.compile(component, &|_| {}).await.unwrap();
        let dir = self.dir.path().join("empty");
        std::fs::create_dir_all(&dir).unwrap();
        let described = self.engine.describe(artifact, &dir).await;
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0, "it leaves nothing");
        assert_eq!((self.engine.instances(), self.engine.memory_used()), (0, 0), "it goes with all it had");
        described
    }

    async fn describe_guest(&self, name: &str) -> Result<Description, DescribeError> {
        self.describe(&guest_file(&format!("test/{name}.wasm"))).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_says_what_it_serves() {
    let world = World::new();
    let described = world.describe_guest("plugin_upper").await.unwrap();
    assert_eq!((described.sdk.as_str(), described.app_file.as_str()), ("markdown-demo", "README.md"));
    // The host's own rules for static Spaces are those of the plugin that it embeds.
    let described = world.describe(&guest_file("static-site.wasm")).await.unwrap();
    assert_eq!((described.sdk.as_str(), described.app_file.as_str()), ("static", "index.html"));
    // What it says is handed on as it is; whether it makes sense is not for the engine to judge.
    assert_eq!(world.describe_guest("plugin_nonsense").await.unwrap().sdk, "No such\nword!");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_breaks_or_never_says_it_is_ended() {
    let world = World::new();
    let trapped = world.describe_guest("plugin_trap").await.unwrap_err().to_string();
    assert!(trapped.contains("unreachable"), "{trapped}");
    let endless = world.describe_guest("plugin_spin").await.unwrap_err();
    match &endless {
        DescribeError::Failed(why) => assert!(why.contains("fuel"), "{why}"),
        DescribeError::TooSlow => {}
        other => panic!("{other}"),
    }
    assert_eq!(world.describe_guest("plugin_upper").await.unwrap().sdk, "markdown-demo");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_no_plugin() {
    let world = World::new();
    for name in ["hello", "hello_p3"] {
        let refused = world.describe_guest(name).await.unwrap_err();
        assert!(matches!(refused, DescribeError::NotAPlugin(_)), "{name}: {refused}");
    }
}
