//! Components that come in, and artifacts on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use spaceport_engine::{ArtifactId, CompileError, LoadError, Refusal, StartError};

use crate::harness::{Log, NODE_MEMORY, World, guest};

impl World {
    fn file(&self, id: ArtifactId, extension: &str) -> PathBuf {
        self.dir.path().join("artifacts").join(format!("{id}.{extension}"))
    }

    async fn start(&self, id: ArtifactId) -> Result<(), StartError> {
        self.engine.launch(self.spec(id, Arc::new(Log::default()))).await.map(|_| ())
    }

    /// The same directory in a new process.
    fn again(self, seal_key: [u8; 32]) -> Self {
        let engine = Self::engine(self.dir.path().join("artifacts"), NODE_MEMORY, seal_key);
        Self { engine, dir: self.dir }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_compiled_once_and_loaded_after_a_restart() {
    let world = World::new();
    let id = world.compile("hello").await;
    let began = Instant::now();
    assert_eq!(world.compile("hello").await, id);
    assert!(began.elapsed().as_millis() < 100, "{:?}", began.elapsed());
    let world = world.again([7; 32]);
    assert!(world.engine.has(id).await);
    world.start(id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_artifact_is_refused() {
    let world = World::new();
    let id = world.compile("hello").await;
    let file = world.file(id, "cwasm");
    let whole = std::fs::read(&file).unwrap();
    for (name, bytes) in [
        ("a flipped bit", {
            let mut bytes = whole.clone();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes
        }),
        ("cut short", whole[..whole.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("longer", [whole.as_slice(), b"x"].concat()),
    ] {
        // Another file under the same name: the old one is mapped by the engine that made it.
        std::fs::write(file.with_extension("new"), bytes).unwrap();
        std::fs::rename(file.with_extension("new"), &file).unwrap();
        let world = World {
            engine: World::engine(world.dir.path().join("artifacts"), NODE_MEMORY, [7; 32]),
            dir: tempfile::tempdir().unwrap(),
        };
        assert!(matches!(world.start(id).await, Err(StartError::Recompile(LoadError::Unsealed))), "{name}");
    }
    // Compiling again heals it.
    let world = world.again([7; 32]);
    assert_eq!(world.compile("hello").await, id);
    world.start(id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_of_another_host_or_another_name_is_refused() {
    let world = World::new();
    let hello = world.compile("hello").await;
    let counter = world.compile("counter").await;
    for extension in ["cwasm", "seal"] {
        let (from, to) = (world.file(hello, extension), world.file(counter, extension));
        // Not in place: the old file is mapped.
        std::fs::copy(from, to.with_extension("new")).unwrap();
        std::fs::rename(to.with_extension("new"), to).unwrap();
    }
    let world = world.again([7; 32]);
    assert!(matches!(world.start(counter).await, Err(StartError::Recompile(LoadError::Unsealed))));
    world.start(hello).await.unwrap();
    let world = world.again([8; 32]);
    assert!(matches!(world.start(hello).await, Err(StartError::Recompile(LoadError::Unsealed))));
    std::fs::remove_file(world.file(hello, "seal")).unwrap();
    assert!(matches!(world.start(hello).await, Err(StartError::Recompile(LoadError::Missing))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupted_compilation_left_is_swept() {
    let world = World::new();
    let id = world.compile("hello").await;
    let part = world.file(id, "part");
    std::fs::write(&part, "half").unwrap();
    let world = world.again([7; 32]);
    assert!(!part.exists());
    assert!(world.engine.has(id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_not_valid_is_refused_in_words() {
    let world = World::new();
    // A body that leaves nothing where a number is promised.
    let bad = wat::parse_str(
        r#"(component (core module (func (result i32)))
           (instance $handler) (export "wasi:http/incoming-handler@0.2.3" (instance $handler)))"#,
    );
    let refusal = world.engine.compile(&bad.unwrap(), &|_| {}).await.unwrap_err();
    assert!(
        matches!(&refusal, CompileError::Refused(Refusal::Invalid(text)) if text.contains("type mismatch")),
        "{refusal:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_another_shape_is_refused_by_name() {
    let world = World::new();
    let odd = wat::parse_str(
        r#"(component (import "wasi:cli/environment@0.2.0" (instance (export "get-weather" (func))))
           (instance $handler) (export "wasi:http/incoming-handler@0.2.3" (instance $handler)))"#,
    );
    let refusal = world.engine.compile(&odd.unwrap(), &|_| {}).await.unwrap_err();
    assert!(
        matches!(&refusal, CompileError::Refused(Refusal::Link(text)) if text.contains("get-weather")),
        "{refusal:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compile_bomb_ends_with_its_process() {
    let world = World::new();
    let branches = "0 ".repeat(60_000);
    let body = format!("(block (br_table {branches} (local.get 0)))").repeat(100);
    let functions = format!("(func (param i32) {body})").repeat(4);
    let bomb = wat::parse_str(format!(
        r#"(component (core module {functions})
           (instance $handler) (export "wasi:http/incoming-handler@0.2.3" (instance $handler)))"#,
    ));
    let refusal = world.engine.compile(&bomb.unwrap(), &|_| {}).await.unwrap_err();
    assert!(matches!(refusal, CompileError::Refused(Refusal::Limit(_))), "{refusal:?}");
    world.compile("hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_guest_of_the_tests_is_taken() {
    let world = World::new();
    for name in ["hello", "hello_p3", "sockets", "files", "http_out"] {
        world.engine.inspect(&guest(name)).unwrap();
    }
}
