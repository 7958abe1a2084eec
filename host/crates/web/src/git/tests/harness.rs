//! A hub behind a real socket, and the real git as its client.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::testing::TestHub;

/// A hub with an address, and a folder for clones.
pub(super) struct GitHub {
    pub(super) hub: TestHub,
    pub(super) address: SocketAddr,
    folder: TempDir,
    server: JoinHandle<()>,
}

/// What git said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) is_ok: bool,
    pub(super) text: String,
}

impl Said {
    #[track_caller]
    pub(super) fn ok(self) -> String {
        assert!(self.is_ok, "{}", self.text);
        self.text
    }

    #[track_caller]
    pub(super) fn refused(self, words: &[&str]) -> String {
        assert!(!self.is_ok, "{}", self.text);
        for word in words {
            assert!(self.text.contains(word), "{word:?} is not in: {}", self.text);
        }
        self.text
    }
}

impl GitHub {
    pub(super) async fn start() -> Self {
        let hub = TestHub::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = hub.router.clone();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { hub, address, folder: tempfile::tempdir().unwrap(), server }
    }

    /// A hub with a static Space of ada's, and a clone of it.
    pub(super) async fn with_clone(name: &str) -> (Self, PathBuf) {
        let git = Self::start().await;
        git.hub.create(name, "static").await;
        let clone = git.folder("clone");
        let url = git.url(name);
        git.git(Path::new("/"), &["clone", "--quiet", &url, clone.to_str().unwrap()]).await.ok();
        (git, clone)
    }

    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The address of a Space of ada's, with her token in it.
    pub(super) fn url(&self, name: &str) -> String {
        format!("http://ada:{}@{}/spaces/ada/{name}", self.hub.ada, self.address)
    }

    pub(super) fn public_url(&self, name: &str) -> String {
        format!("http://{}/spaces/ada/{name}", self.address)
    }

    /// Runs git as a user would, with a configuration that is its own.
    pub(super) async fn git(&self, dir: &Path, args: &[&str]) -> Said {
        self.git_with(dir, &[], args).await
    }

    pub(super) async fn git_with(&self, dir: &Path, env: &[(&str, &str)], args: &[&str]) -> Said {
        #[expect(clippy::disallowed_methods, reason = "the client under test is a program")]
        let mut command = tokio::process::Command::new("git");
        command
            .args(args)
            .current_dir(dir)
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_LFS_FORCE_PROGRESS", "1")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.org")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.org")
            .envs(env.iter().copied());
        let Output { status, stdout, stderr } = command.output().await.unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        Said { is_ok: status.success(), text }
    }

    /// Writes a file and commits it.
    pub(super) async fn commit(&self, clone: &Path, path: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::create_dir_all(clone.join(path).parent().unwrap()).unwrap();
        std::fs::write(clone.join(path), content).unwrap();
        self.git(clone, &["add", "-A"]).await.ok();
        self.git(clone, &["commit", "--quiet", "-m", "change"]).await.ok();
        self.git(clone, &["rev-parse", "HEAD"]).await.ok().trim().to_owned()
    }

    pub(super) async fn push(&self, clone: &Path, args: &[&str]) -> Said {
        self.git(clone, &[&["push", "origin"], args].concat()).await
    }

    /// The head of a branch, as the hub has it.
    pub(super) async fn head(&self, name: &str, branch: &str) -> Option<String> {
        let listed = self.git(Path::new("/"), &["ls-remote", &self.url(name), &format!("refs/heads/{branch}")]).await;
        listed.ok().split_whitespace().next().map(str::to_owned)
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        self.server.abort();
    }
}
