//! Git over SSH with the real ssh, git and git-lfs. Large files go by HTTP, with the pass that `git-lfs-authenticate` gives.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use spaceport_tests::git::{Said, clone, command, commit, git};
use spaceport_tests::{TestHost, TestSpace};

/// A user's key, known to the host, and how git is to use it.
struct Ssh<'a> {
    host: &'a TestHost,
    options: String,
}

impl<'a> Ssh<'a> {
    fn new(host: &'a TestHost) -> Self {
        let (key, known) = (host.scratch().join("id"), host.scratch().join("known_hosts"));
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap();
        assert!(made.success());
        let text = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        let body = json!({ "title": "test", "key": text }).to_string();
        let headers = [("content-type", "application/json")];
        let added = host.client().send("POST", &host.domain(), "/api/settings/keys", &headers, body.as_bytes());
        assert_eq!(added.status, 201, "{}", added.text());
        let door = host.client().get(&host.domain(), "/api/ssh").json();
        let (port, public) = (door["port"].as_u64().unwrap(), door["hostKey"].as_str().unwrap());
        std::fs::write(&known, format!("[127.0.0.1]:{port} {public}\n")).unwrap();
        let options = format!(
            "ssh -F none -p {port} -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=yes \
             -o UserKnownHostsFile={} -i {}",
            known.display(),
            key.display()
        );
        Self { host, options }
    }

    /// git, which has no token, and tells which programs it asks for at the host.
    fn git(&self, dir: &std::path::Path, args: &[&str]) -> Said {
        let mut git = command(self.host.scratch(), dir, args);
        let output = git.env("GIT_SSH_COMMAND", &self.options).env("GIT_TRACE", "1").output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Said { is_ok: output.status.success(), text }
    }

    fn clone(&self, space: &str, folder: &str) -> (PathBuf, String) {
        let to = self.host.scratch().join(folder);
        let url = format!("git@127.0.0.1:spaces/{space}");
        let said = self.git(self.host.scratch(), &["clone", &url, to.to_str().unwrap()]).ok();
        (to, said)
    }
}

fn content(size: usize, step: usize) -> Vec<u8> {
    (0..size).map(|at| (at * step % 251) as u8).collect()
}

#[test]
fn git_lfs_fetches_and_pushes_large_files_over_ssh() {
    let host = TestHost::start();
    let space = TestSpace::create(&host, "large", "static");
    let headers = [("content-type", "application/json")];
    assert_eq!(space.api("PUT", "/settings", &headers, br#"{"private":true}"#).status, 200);
    git(&host, host.scratch(), &["lfs", "install", "--skip-repo"]).ok();

    // Somebody with a token has sent one file.
    let by_token = clone(&host, "large", "by-token");
    git(&host, &by_token, &["lfs", "track", "*.bin"]).ok();
    let (model, weights) = (content(11 << 20, 31), content(12 << 20, 17));
    commit(&host, &by_token, "model.bin", &model);
    git(&host, &by_token, &["push", "origin", "main"]).ok();

    // A clone over SSH has it, by the pass for downloads.
    let ssh = Ssh::new(&host);
    let (by_ssh, said) = ssh.clone("ada/large", "by-ssh");
    assert!(said.contains("git-lfs-authenticate spaces/ada/large download"), "{said}");
    assert!(std::fs::read(by_ssh.join("model.bin")).unwrap() == model, "it is the file and not its pointer");

    // And sends another, by the pass for uploads.
    let head = commit(&host, &by_ssh, "weights.bin", &weights);
    let said = ssh.git(&by_ssh, &["push", "origin", "main"]).ok();
    assert!(said.contains("git-lfs-authenticate spaces/ada/large upload"), "{said}");
    space.serves(&head);
    git(&host, &by_token, &["pull", "--quiet"]).ok();
    assert!(std::fs::read(by_token.join("weights.bin")).unwrap() == weights);
}
