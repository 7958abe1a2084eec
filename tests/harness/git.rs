//! The real git and git-lfs, as a user has them, with a configuration that is the test's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::TestHost;
use crate::host::USER;

/// What git said.
#[derive(Debug)]
pub struct Said {
    /// Whether it succeeded.
    pub is_ok: bool,
    /// What it wrote.
    pub text: String,
}

impl Said {
    /// What it wrote, having succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.is_ok, "{}", self.text);
        self.text
    }

    /// It failed, and said these words.
    #[track_caller]
    pub fn refused(self, words: &[&str]) {
        assert!(!self.is_ok, "{}", self.text);
        for word in words {
            assert!(self.text.contains(word), "{word:?} is not in: {}", self.text);
        }
    }
}

/// The address of a Space of the user's, with the token in it.
pub fn url(host: &TestHost, name: &str) -> String {
    host.hub().replacen("://", &format!("://{USER}:{}@", host.token()), 1) + &format!("/spaces/{USER}/{name}")
}

/// A git command, yet to be run.
pub fn command(home: &Path, dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .args(args)
        .current_dir(dir)
        .env("HOME", home)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.org");
    }
    command
}

/// Runs git.
pub fn git(host: &TestHost, dir: &Path, args: &[&str]) -> Said {
    let output = command(host.scratch(), dir, args).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Said { is_ok: output.status.success(), text }
}

/// A clone of a Space of the user's.
#[track_caller]
pub fn clone(host: &TestHost, name: &str, folder: &str) -> PathBuf {
    let clone = host.scratch().join(folder);
    git(host, host.scratch(), &["clone", "--quiet", &url(host, name), clone.to_str().unwrap()]).ok();
    clone
}

/// Writes a file and commits everything; the commit.
#[track_caller]
pub fn commit(host: &TestHost, clone: &Path, path: &str, content: impl AsRef<[u8]>) -> String {
    std::fs::create_dir_all(clone.join(path).parent().unwrap()).unwrap();
    std::fs::write(clone.join(path), content).unwrap();
    git(host, clone, &["add", "--all"]).ok();
    git(host, clone, &["commit", "--quiet", "--message", "change"]).ok();
    git(host, clone, &["rev-parse", "HEAD"]).ok().trim().to_owned()
}
