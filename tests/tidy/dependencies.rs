//! Who may depend on whom. A manifest enforces a boundary that a module cannot, so the manifests are what is checked.

use crate::none;
use crate::tree::{self, File};

/// What each package may use of ours; see `host/ARCHITECTURE.md` for the drawing.
const OURS: [(&str, &[&str]); 14] = [
    ("spaceport-core", &[]),
    ("spaceport-db", &["spaceport-core"]),
    ("spaceport-git", &["spaceport-core"]),
    ("spaceport-engine", &["spaceport-core"]),
    ("spaceport-backend", &["spaceport-backend-protocol"]),
    ("spaceport-control", &["spaceport-core", "spaceport-db", "spaceport-git"]),
    ("spaceport-web", &["spaceport-core", "spaceport-control"]),
    ("spaceport-ssh", &["spaceport-core", "spaceport-control"]),
    (
        "spaceport",
        &[
            "spaceport-backend",
            "spaceport-backend-conformance",
            "spaceport-control",
            "spaceport-core",
            "spaceport-db",
            "spaceport-engine",
            "spaceport-git",
            "spaceport-ssh",
            "spaceport-web",
        ],
    ),
    // To backend plugins what WIT is to guests: all that both sides share.
    ("spaceport-backend-protocol", &[]),
    // Backend plugins, and what looks at them, know the host by the protocol alone.
    ("spaceport-backend-conformance", &["spaceport-backend-protocol"]),
    ("spaceport-container", &["spaceport-backend-protocol"]),
    ("xtask", &[]),
    // End-to-end tests drive the program from outside; nothing of it is linked in.
    ("spaceport-tests", &[]),
];

/// What only the tests of a package may use of ours besides: the package, then what it may use.
const TEST_ONLY: [(&str, &str); 7] = [
    ("spaceport-container", "spaceport-backend-conformance"),
    ("spaceport-container", "spaceport-core"),
    ("spaceport-web", "spaceport-backend"),
    ("spaceport-web", "spaceport-db"),
    ("spaceport-web", "spaceport-git"),
    ("spaceport-ssh", "spaceport-db"),
    ("spaceport-ssh", "spaceport-git"),
];

/// What only some packages may use of others' work: the first is the start of a crate's name, then who may.
const RESERVED: [(&str, &[&str]); 11] = [
    ("bollard", &["spaceport-container"]),
    ("sled", &["spaceport-db"]),
    ("wasmtime", &["spaceport-engine"]),
    ("axum", &["spaceport-web", "spaceport"]),
    ("tower", &["spaceport-web"]),
    ("hickory", &["spaceport-engine"]),
    ("russh", &["spaceport-ssh"]),
    ("chacha20poly1305", &["spaceport-db"]),
    ("clap", &["spaceport"]),
    ("anyhow", &["spaceport", "xtask", "spaceport-tests"]),
    ("tracing-subscriber", &["spaceport"]),
];

/// All that the messages of backend plugins may use: they are values, and whoever writes a plugin gets these with them.
const PROTOCOL: [&str; 3] = ["serde", "serde_json", "thiserror"];

/// All that `core` may use: it decides and performs no I/O, so nothing that could.
const CORE: [&str; 9] =
    ["base64", "ipnet", "serde", "serde_json", "serde_yaml_ng", "sha2", "strsim", "thiserror", "url"];

/// What `core` must not even name of the standard library.
const NOT_IN_CORE: [&str; 6] =
    ["std::fs", "std::env", "std::process", "std::thread", "SystemTime::now", "Instant::now"];

struct Package {
    path: String,
    name: String,
    manifest: toml::Table,
}

/// Where guests are: for wasm, and each a workspace of its own.
const GUESTS: [&str; 5] = ["guest-sdk/", "plugins/demos/", "plugins/static-site/", "plugins/scanner/", "tests/guests/"];

/// All that a guest may use of ours; the rest of the contract is WIT.
const GUESTS_USE: [&str; 1] = ["spaceport-guest"];

fn packages() -> Vec<Package> {
    manifests(|path| path != "Cargo.toml" && !GUESTS.iter().any(|start| path.starts_with(start)))
}

fn manifests(is_wanted: impl Fn(&str) -> bool) -> Vec<Package> {
    let parse = |file: File| {
        let manifest: toml::Table = file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path));
        let name = manifest["package"]["name"].as_str().expect("a package has a name").to_owned();
        Package { path: file.path, name, manifest }
    };
    tree::files(&["Cargo.toml"]).into_iter().filter(|file| is_wanted(&file.path)).map(parse).collect()
}

/// The tables of a manifest that name dependencies.
const TABLES: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];

/// What is in tables of these names, at the top of a manifest and for single targets.
fn dependencies(manifest: &toml::Table, tables: &[&str]) -> Vec<(String, toml::Value)> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let places = targets.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table);
    let mut found = Vec::new();
    for place in std::iter::once(manifest).chain(places) {
        for table in tables.iter().filter_map(|table| place.get(*table)?.as_table()) {
            found.extend(table.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    found
}

/// What a dependency really is: the name of its table's key may be another.
fn package_of(name: &str, value: &toml::Value) -> String {
    value.get("package").and_then(toml::Value::as_str).unwrap_or(name).to_owned()
}

#[test]
fn dependencies_are_found_wherever_they_stand() {
    let manifest = "[dependencies]\na = \"1\"\n[dev-dependencies]\nb = { workspace = true }\n\
                    [target.'cfg(unix)'.build-dependencies]\nc = { package = \"d\", version = \"1\" }\n";
    let manifest = manifest.parse().unwrap();
    let names = |tables: &[&str]| -> Vec<String> {
        dependencies(&manifest, tables).iter().map(|(name, value)| package_of(name, value)).collect()
    };
    assert_eq!(names(&TABLES), ["a", "b", "d"]);
    assert_eq!(names(&["dependencies"]), ["a"]);
}

#[test]
fn packages_use_of_ours_only_what_the_drawing_allows() {
    let mut broken = Vec::new();
    for package in packages() {
        let Some((_, allowed)) = OURS.iter().find(|(name, _)| *name == package.name) else {
            broken.push(format!("{}: {} is not in the table", package.path, package.name));
            continue;
        };
        let in_tests = TEST_ONLY.iter().filter(|(user, _)| *user == package.name).map(|(_, used)| *used);
        let in_tests: Vec<&str> = in_tests.chain(allowed.iter().copied()).collect();
        for (tables, allowed) in [(&TABLES[..2], *allowed), (&TABLES[2..], &in_tests)] {
            for (name, value) in dependencies(&package.manifest, tables) {
                let name = package_of(&name, &value);
                if name.starts_with("spaceport") && !allowed.contains(&name.as_str()) {
                    broken.push(format!("{}: must not use {name}", package.path));
                }
            }
        }
    }
    none(broken, "The direction of dependencies is drawn in host/ARCHITECTURE.md:");
}

#[test]
fn guests_know_the_host_by_its_interfaces_only() {
    let mut broken = Vec::new();
    let guests = manifests(|path| GUESTS.iter().any(|start| path.starts_with(start)));
    assert!(guests.len() > GUESTS.len(), "there are guests");
    for guest in guests {
        for (name, value) in dependencies(&guest.manifest, &TABLES) {
            let name = package_of(&name, &value);
            let path = value.get("path").and_then(toml::Value::as_str).unwrap_or_default();
            let is_ours = name.starts_with("spaceport") || path.contains("host");
            if is_ours && !GUESTS_USE.contains(&name.as_str()) {
                broken.push(format!("{}: must not use {name}", guest.path));
            }
        }
    }
    none(broken, "The contract between host and guests is WIT, in wit/:");
}

#[test]
fn what_one_crate_wraps_no_other_names() {
    let mut broken = Vec::new();
    for package in packages() {
        for (name, value) in dependencies(&package.manifest, &TABLES[..2]) {
            let name = package_of(&name, &value);
            for (reserved, users) in RESERVED {
                if name.starts_with(reserved) && !users.contains(&package.name.as_str()) {
                    broken.push(format!("{}: {name} is for {} only", package.path, users.join(" and ")));
                }
            }
            if package.name == "spaceport-core" && !CORE.contains(&name.as_str()) {
                broken.push(format!("{}: core is values and decisions; it cannot need {name}", package.path));
            }
            if package.name == "spaceport-backend-protocol" && !PROTOCOL.contains(&name.as_str()) {
                broken.push(format!("{}: the protocol is values; it cannot need {name}", package.path));
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
        for (name, value) in dependencies(&package.manifest, &TABLES) {
            let is_inherited = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
            if !is_inherited {
                broken.push(format!("{}: {name} has a version of its own", package.path));
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
