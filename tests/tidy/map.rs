//! The map of the code, in README.md and host/ARCHITECTURE.md, shows every place there is.

use std::fs;

use crate::none;
use crate::tree;

/// Folders at the top that the README's map need not show.
const UNMAPPED: [&str; 2] = ["target", "shared"];

#[test]
fn the_map_names_every_crate() {
    let architecture = tree::file("host/ARCHITECTURE.md");
    let mut broken = Vec::new();
    for (folder, map) in [("host/crates", &architecture), ("plugins", &architecture)] {
        for name in folders(folder) {
            if !map.contains(&format!("`{folder}/{name}`")) && !map.contains(&format!("`{name}/`")) {
                broken.push(format!("{folder}/{name}"));
            }
        }
    }
    none(broken, "The code map of host/ARCHITECTURE.md lacks:");
}

#[test]
fn the_readme_names_every_folder() {
    let readme = tree::file("README.md");
    let mut broken = Vec::new();
    for name in folders("") {
        let is_mapped = readme.contains(&format!("`{name}/`")) || readme.contains(&format!("`{name}/"));
        if !name.starts_with('.') && !UNMAPPED.contains(&name.as_str()) && !is_mapped {
            broken.push(name);
        }
    }
    for name in folders("host/crates") {
        if !readme.contains(&format!("`host/crates/{name}`")) {
            broken.push(format!("host/crates/{name}"));
        }
    }
    none(broken, "The code map of README.md lacks:");
}

#[test]
fn the_documents_link_to_files_that_exist() {
    let mut broken = Vec::new();
    for file in tree::files(&[".md"]) {
        if file.path.starts_with("plugins/demos/") || file.path.starts_with("tests/") {
            continue;
        }
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(&file.text) {
            let is_elsewhere = link.contains("://") || link.starts_with(['#', '<']) || link.starts_with("mailto:");
            let target = link.split('#').next().unwrap_or_default();
            if !is_elsewhere && !tree::top().join(folder).join(target).exists() {
                broken.push(format!("{}: {link}", file.path));
            }
        }
    }
    none(broken, "These links lead nowhere:");
}

/// The targets of Markdown links.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

fn folders(path: &str) -> Vec<String> {
    let entries = fs::read_dir(tree::top().join(path)).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}
