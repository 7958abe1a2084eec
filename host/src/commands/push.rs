//! `spaceport push`: publishes a folder through the same calls that other clients make, then follows the Space until it
//! serves the new revision or says why not.

use std::path::Path;

use anyhow::{Context, bail};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use ignore::WalkBuilder;
use spaceport_core::manifest::Manifest;
use spaceport_core::plugin::Plugins;

use super::hub::{Hub, say};
use crate::cli::PushArgs;

/// Publishes the folder.
pub(super) fn run(args: &PushArgs) -> anyhow::Result<()> {
    let folder = Dir::open_ambient_dir(&args.dir, ambient_authority())
        .with_context(|| format!("open the folder {}", args.dir.display()))?;
    let readme = folder.read("README.md").context("read README.md, which holds the Space's configuration")?;
    let manifest = Manifest::from_readme(&readme, Plugins::Any(&[])).context("read the front matter of README.md")?;
    let hub = Hub::new(&args.hub)?;
    let space = match &args.to {
        Some(space) => space.clone(),
        None => hub.own_space(&folder_name(&args.dir)?)?,
    };
    let files = collect(&args.dir, &folder)?;
    check_entry(&folder, &files, &manifest.app_file)?;
    if hub.create(&space, manifest.sdk.as_str())? {
        say(&format!("created {space}"))?;
    }
    if let Some(tier) = &args.storage {
        hub.ask_for_storage(&space, tier)?;
    }
    let commit = hub.commit(&space, &args.message, &files)?;
    say(&format!("{} files committed as {}", files.len(), commit.get(..8).unwrap_or(&commit)))?;
    hub.follow(&space, &commit)
}

fn folder_name(dir: &Path) -> anyhow::Result<String> {
    let folder = dir.canonicalize().with_context(|| format!("find {}", dir.display()))?;
    let name = folder.file_name().and_then(|name| name.to_str()).context("name the Space with --to owner/name")?;
    Ok(name.to_owned())
}

/// Every file below the folder but `.git` and what the folder's own `.gitignore` files leave out, by its path in the
/// repository. Links are not followed.
fn collect(dir: &Path, folder: &Dir) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut walk = WalkBuilder::new(dir);
    // Only what comes along with the folder: not the user's own settings, nor folders above, which the Space never sees.
    walk.hidden(false).ignore(false).git_global(false).git_exclude(false).parents(false).require_git(false);
    // A folder, or in a worktree a file that says where it is.
    walk.filter_entry(|entry| entry.file_name() != ".git");
    let mut files = Vec::new();
    for entry in walk.build() {
        let entry = entry.with_context(|| format!("look through {}", dir.display()))?;
        if let Some(error) = entry.error() {
            bail!("read a .gitignore: {error}");
        }
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path().strip_prefix(dir).context("stay in the folder")?;
        let Some(name) = path.to_str() else { bail!("{}: a file name is not UTF-8", path.display()) };
        files.push((name.to_owned(), folder.read(path).with_context(|| format!("read {name}"))?));
    }
    files.sort();
    Ok(files)
}

/// A Space without its entry would be of no use, and its README comes first.
fn check_entry(folder: &Dir, files: &[(String, Vec<u8>)], app_file: &str) -> anyhow::Result<()> {
    for needed in ["README.md", app_file] {
        if folder.exists(needed) && !files.iter().any(|(path, _)| path == needed) {
            bail!("{needed} is left out by .gitignore; add a line !{needed} to it");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files, and the paths of those that would be pushed.
    fn collected(files: &[(&str, &str)]) -> (tempfile::TempDir, Vec<(String, Vec<u8>)>) {
        let dir = tempfile::TempDir::new().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let files = collect(dir.path(), &open(&dir)).unwrap();
        (dir, files)
    }

    fn open(dir: &tempfile::TempDir) -> Dir {
        Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap()
    }

    fn paths(files: &[(String, Vec<u8>)]) -> Vec<&str> {
        files.iter().map(|(path, _)| path.as_str()).collect()
    }

    #[test]
    fn everything_but_git_s_own_is_collected() {
        let all = ["README.md", "a/b/.hidden", ".git/config", "module/.git", ".ignore"].map(|path| (path, "*"));
        let (_dir, files) = collected(&all);
        assert_eq!(paths(&files), [".ignore", "README.md", "a/b/.hidden"]);
    }

    #[test]
    fn what_gitignore_names_stays_at_home() {
        let (_dir, files) = collected(&[
            (".gitignore", "*.log\n/target\n!kept.log\n"),
            ("README.md", ""),
            ("a.log", ""),
            ("kept.log", ""),
            ("target/app.wasm", ""),
            ("sub/target/x", ""),
            ("sub/.gitignore", "secret\n"),
            ("sub/secret", ""),
            ("secret", ""),
        ]);
        let expected = [".gitignore", "README.md", "kept.log", "secret", "sub/.gitignore", "sub/target/x"];
        assert_eq!(paths(&files), expected);
    }

    #[test]
    fn an_entry_that_gitignore_names_is_asked_for() {
        let (dir, files) = collected(&[(".gitignore", "*.wasm\n"), ("README.md", ""), ("app.wasm", "")]);
        let refused = check_entry(&open(&dir), &files, "app.wasm").unwrap_err().to_string();
        assert!(refused.contains("app.wasm") && refused.contains(".gitignore"), "{refused}");
        assert!(check_entry(&open(&dir), &files, "not-there").is_ok(), "the hub says that better");
        let (dir, files) = collected(&[(".gitignore", "*.wasm\n!app.wasm\n"), ("app.wasm", "")]);
        assert!(check_entry(&open(&dir), &files, "app.wasm").is_ok());
    }
}
