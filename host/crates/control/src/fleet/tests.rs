//! The fleet as a whole, over a fake backend, a real database and real repositories.

mod containers;
mod control;
mod deploy;
mod restart;
mod rollback;
mod sleep;

use spaceport_core::space::Space;

use crate::logs::LogKind;
use crate::testing::{World, readme};

const HELLO: &str = "ada-hello.localhost";

fn app(text: &str) -> [(String, String); 2] {
    [("README.md".into(), readme("wasm")), ("app.wasm".into(), text.into())]
}

fn page(text: &str) -> [(String, String); 2] {
    [("README.md".into(), readme("static")), ("index.html".into(), text.into())]
}

fn files(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect()
}

async fn lines(world: &World, space: &Space, kind: LogKind) -> Vec<String> {
    let lines = world.fleet.logs(space.id, kind).next().await.expect("a log");
    lines.into_iter().map(|line| line.text).collect()
}
