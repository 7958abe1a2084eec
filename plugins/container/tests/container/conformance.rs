//! The kit that anybody's plugin can be looked at with.

use std::fs;

use spaceport_backend_conformance::{Finding, Kit, check};

use crate::harness::{Plugin, app};

#[test]
fn the_plugin_keeps_to_the_protocol() {
    let Some(plugin) = Plugin::start() else { return };
    let files = plugin.dir.path().join("space");
    fs::create_dir(&files).unwrap();
    fs::copy(app(), files.join("app")).unwrap();
    fs::write(files.join("Dockerfile"), "FROM scratch\nCOPY app /app\nCMD [\"/app\", \"serve\"]\n").unwrap();
    let found = check(&Kit { app: Some(files), ..Kit::new(&plugin.socket()) }, &mut |_| {});
    let wrong: Vec<&Finding> = found.iter().filter(|finding| finding.wrong.is_some()).collect();
    assert!(wrong.is_empty() && found.len() > 25, "{wrong:#?}");
}
