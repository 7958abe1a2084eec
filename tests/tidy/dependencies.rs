//! Who may depend on whom. A manifest enforces a boundary that a module cannot, so the manifests are what is checked.

use crate::none;
use crate::tree::{self, File};

/// What each package may use of ours; see `host/ARCHITECTURE.md` for the drawing.
const OURS: [(&str, &[&str]); 9] = [
    ("spaceport-core", &[]),
    ("spaceport-db", &["spaceport-core"]),
    ("spaceport-git", &["spaceport-core"]),
    ("spaceport-engine", &["spaceport-core"]),
    ("spaceport-control", &["spaceport-core", "spaceport-db", "spaceport-git"]),
    ("spaceport-web", &["spaceport-core", "spaceport-control"]),
    (
        "spaceport",
        &["spaceport-control", "spaceport-core", "spaceport-db", "spaceport-engine", "spaceport-git", "spaceport-web"],
    ),
    ("xtask", &[]),
    // End-to-end tests drive the program from outside; nothing of it is linked in.
    ("spaceport-tests", &[]),
];

/// What only some packages may use of others' work: the first is the start of a crate's name, then who may.
const RESERVED: [(&str, &[&str]); 9] = [
    ("sled", &["spaceport-db"]),
    ("wasmtime", &["spaceport-engine"]),
    ("axum", &["spaceport-web", "spaceport"]),
    ("tower", &["spaceport-web"]),
    ("hickory", &["spaceport-engine"]),
    ("chacha20poly1305", &["spaceport-db"]),
    ("clap", &["spaceport"]),
    ("anyhow", &["spaceport", "xtask", "spaceport-tests"]),
    ("tracing-subscriber", &["spaceport"]),
];

/// All that `core` may use: it decides and performs no I/O, so nothing that could.
const CORE: [&str; 8] = ["ipnet", "serde", "serde_json", "serde_yaml_ng", "sha2", "strsim", "thiserror", "url"];

/// What `core` must not even name of the standard library.
const NOT_IN_CORE: [&str; 6] =
    ["std::fs", "std::env", "std::process", "std::thread", "SystemTime::now", "Instant::now"];

struct Package {
    path: String,
    name: String,
    manifest: toml::Table,
}

fn packages() -> Vec<Package> {
    let is_member = |file: &File| {
        let folder = file.path.trim_end_matches("Cargo.toml");
        let guest = ["guest-sdk/", "plugins/demos/", "plugins/static-site/", "tests/guests/", "tests/fixtures/"];
        !folder.is_empty() && !guest.iter().any(|start| folder.starts_with(start))
    };
    let parse = |file: File| {
        let manifest: toml::Table = file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path));
        let name = manifest["package"]["name"].as_str().expect("a package has a name").to_owned();
        Package { path: file.path, name, manifest }
    };
    tree::files(&["Cargo.toml"]).into_iter().filter(is_member).map(parse).collect()
}

/// The dependencies of a package, without those of its tests.
fn dependencies(package: &Package, table: &str) -> Vec<(String, toml::Value)> {
    let table = package.manifest.get(table).and_then(toml::Value::as_table).cloned().unwrap_or_default();
    table.into_iter().collect()
}

#[test]
fn packages_use_of_ours_only_what_the_drawing_allows() {
    let mut broken = Vec::new();
    for package in packages() {
        let Some((_, allowed)) = OURS.iter().find(|(name, _)| *name == package.name) else {
            broken.push(format!("{}: {} is not in the table", package.path, package.name));
            continue;
        };
        for (name, _) in dependencies(&package, "dependencies") {
            if name.starts_with("spaceport") && !allowed.contains(&name.as_str()) {
                broken.push(format!("{}: must not use {name}", package.path));
            }
        }
    }
    none(broken, "The direction of dependencies is drawn in host/ARCHITECTURE.md:");
}

#[test]
fn what_one_crate_wraps_no_other_names() {
    let mut broken = Vec::new();
    for package in packages() {
        for (name, _) in dependencies(&package, "dependencies") {
            for (reserved, users) in RESERVED {
                if name.starts_with(reserved) && !users.contains(&package.name.as_str()) {
                    broken.push(format!("{}: {name} is for {} only", package.path, users.join(" and ")));
                }
            }
            if package.name == "spaceport-core" && !CORE.contains(&name.as_str()) {
                broken.push(format!("{}: core is values and decisions; it cannot need {name}", package.path));
            }
        }
    }
    none(broken, "Ask the crate that wraps it for what is needed:");
}

#[test]
fn core_performs_no_io_and_reads_no_clock() {
    let mut broken = Vec::new();
    for file in tree::files(&[".rs"]) {
        if !file.path.starts_with("host/crates/core/src/") || file.is_test_module() {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            if let Some(name) = NOT_IN_CORE.iter().find(|name| line.contains(**name)) {
                broken.push(format!("{}:{}: {name}", file.path, number + 1));
            }
        }
    }
    none(broken, "Time, randomness and bytes come into core as arguments:");
}

#[test]
fn versions_and_lints_stand_in_the_root_manifest_alone() {
    let mut broken = Vec::new();
    for package in packages() {
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in dependencies(&package, table) {
                let is_inherited = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                if !is_inherited {
                    broken.push(format!("{}: {name} has a version of its own", package.path));
                }
            }
        }
        let lints = package.manifest.get("lints").and_then(toml::Value::as_table);
        let inherits = lints.is_some_and(|lints| lints.contains_key("workspace"));
        // The tests' own package relaxes some, and says so.
        if !inherits && package.name != "spaceport-tests" {
            broken.push(format!("{}: does not inherit the workspace's lints", package.path));
        }
    }
    none(broken, "Write `name.workspace = true` and give version and features in the root Cargo.toml:");
}
