//! Folders and their git ids, computed from the flat list of a revision's files: clients cache by them.

use std::collections::BTreeMap;

use sha1::{Digest, Sha1};
use spaceport_core::revision::Oid;
use spaceport_git::{FileMode, TreeEntry};

/// Bytes of an object id.
const OID_BYTES: usize = 20;

/// The ids of every folder of a revision, by path.
pub(super) fn folders(files: &[TreeEntry]) -> BTreeMap<String, Oid> {
    let mut root = Folder::default();
    for file in files {
        let mut parts: Vec<&str> = file.path.as_str().split('/').collect();
        let Some(name) = parts.pop() else { continue };
        let folder = parts.into_iter().fold(&mut root, |folder, part| folder.folders.entry(part).or_default());
        folder.files.push((name, file.mode, file.oid));
    }
    let mut ids = BTreeMap::new();
    root.id("", &mut ids);
    ids
}

#[derive(Default)]
struct Folder<'a> {
    files: Vec<(&'a str, FileMode, Oid)>,
    folders: BTreeMap<&'a str, Folder<'a>>,
}

impl Folder<'_> {
    /// The id of this folder; those of the folders in it are added to `ids`.
    fn id(&self, path: &str, ids: &mut BTreeMap<String, Oid>) -> Oid {
        // Git sorts a folder as if its name ended in a slash.
        let mut entries: BTreeMap<String, (&str, &str, Oid)> = BTreeMap::new();
        for (name, mode, oid) in &self.files {
            entries.insert((*name).to_owned(), (mode_text(*mode), name, *oid));
        }
        for (name, folder) in &self.folders {
            let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}/{name}") };
            let oid = folder.id(&path, ids);
            ids.insert(path, oid);
            entries.insert(format!("{name}/"), ("40000", name, oid));
        }
        let mut content = Vec::new();
        for (mode, name, oid) in entries.values() {
            content.extend_from_slice(mode.as_bytes());
            content.push(b' ');
            content.extend_from_slice(name.as_bytes());
            content.push(0);
            content.extend_from_slice(&raw(*oid));
        }
        let mut sha = Sha1::new();
        sha.update(format!("tree {}\0", content.len()));
        sha.update(&content);
        Oid::from_bytes(sha.finalize().into())
    }
}

fn mode_text(mode: FileMode) -> &'static str {
    match mode {
        FileMode::Regular => "100644",
        FileMode::Executable => "100755",
        FileMode::Symlink => "120000",
    }
}

fn raw(oid: Oid) -> [u8; OID_BYTES] {
    let text = oid.to_string();
    std::array::from_fn(|index| u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use spaceport_git::RepoPath;

    use super::*;

    #[test]
    fn ids_are_those_that_git_computes() {
        let empty: Oid = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391".parse().unwrap();
        let entry = |path: &str, mode| TreeEntry { path: RepoPath::parse(path).unwrap(), mode, oid: empty, size: 0 };
        let files = [
            entry("a.b/x", FileMode::Regular),
            entry("a/b/c", FileMode::Regular),
            entry("a/b/d", FileMode::Executable),
            entry("a/z", FileMode::Symlink),
            entry("top", FileMode::Regular),
        ];
        let ids = folders(&files);
        // From `git write-tree --prefix=` of an index with the same entries.
        let text = |path: &str| ids[path].to_string();
        assert_eq!(ids.keys().collect::<Vec<_>>(), ["a", "a.b", "a/b"]);
        assert_eq!(text("a"), EXPECTED[0]);
        assert_eq!(text("a.b"), EXPECTED[1]);
        assert_eq!(text("a/b"), EXPECTED[2]);
    }

    const EXPECTED: [&str; 3] = [
        "79c81510b1e16218bcaaf6224cd9ca10f9b0ad5f",
        "5805b676e247eb9a8046ad0c4d249cd2fb2513df",
        "daa7c2537cf24cc44e1f31fc4f4f6c5f4fe547de",
    ];
}
