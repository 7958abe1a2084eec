//! The copy that is made on the way, and what git is asked to do with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use spaceport_core::name::SpacePath;

use super::environment::READS;
use crate::commands::hub::{Hub, say};

/// The environment variable in which git finds what it is to send our hub: an argument could be read by every user of the
/// machine.
const AUTHORIZATION: &str = "SPACEPORT_IMPORT_AUTHORIZATION";
/// The remote that the Space is.
const TARGET: &str = "spaceport";
/// What every pointer to a large file starts with.
const POINTER: &str = "version https://git-lfs.github.com/spec/v1";
/// Files whose code is looked through.
const CODE: [&str; 9] = ["*.py", "*.js", "*.mjs", "*.ts", "*.tsx", "*.jsx", "*.rs", "*.go", "*.ipynb"];

/// A bare clone.
pub(super) struct Repository<'a> {
    dir: PathBuf,
    hub: &'a Hub,
}

impl<'a> Repository<'a> {
    /// Clones branches and tags with all their history; git shows its progress.
    pub(super) fn clone(url: &str, work: &Path, hub: &'a Hub) -> anyhow::Result<Self> {
        let repository = Self { dir: work.join("repository.git"), hub };
        let mut clone = repository.program();
        clone.args(["clone", "--bare", "--", url]).arg(&repository.dir);
        if !clone.status().context("start git: is it installed?")?.success() {
            bail!("git could not clone {url}; what it said stands above");
        }
        if !repository.git(&["rev-parse", "--quiet", "--verify", "HEAD^{commit}"]).output()?.status.success() {
            bail!("{url} has no commit on its default branch: there is nothing to import");
        }
        Ok(repository)
    }

    /// The commit that `main` is going to be.
    pub(super) fn head(&self) -> anyhow::Result<String> {
        self.ask(&["rev-parse", "HEAD"])
    }

    /// The README, if there is one.
    pub(super) fn readme(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let output = self.git(&["cat-file", "blob", "HEAD:README.md"]).output().context("start git")?;
        Ok(output.status.success().then_some(output.stdout))
    }

    /// Where the code at the head reads names from its environment.
    pub(super) fn environment_reads(&self) -> anyhow::Result<String> {
        let mut grep = self.git(&["grep", "-I", "-h", "-o", "-E", READS, "HEAD", "--"]);
        let output = grep.args(CODE).output().context("start git")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Fetches what pointers stand for, if there are any.
    pub(super) fn fetch_large_files(&self) -> anyhow::Result<()> {
        if self.has_large_files()? {
            self.show(&["lfs", "fetch", "--all", "origin"], "git-lfs could not fetch the large files")?;
        }
        Ok(())
    }

    /// Puts everything into the Space: the default branch as `main`, the others and the tags under their names.
    pub(super) fn push(&self, space: &SpacePath) -> anyhow::Result<()> {
        self.ask(&["remote", "add", TARGET, &format!("{}/spaces/{space}", self.hub.endpoint)])?;
        if self.has_large_files()? {
            self.show(&["lfs", "push", "--all", TARGET], "git-lfs could not push the large files")?;
        }
        let default = self.ask(&["symbolic-ref", "--short", "HEAD"])?;
        let branches = self.ask(&["for-each-ref", "--format=%(refname:short)", "refs/heads"])?;
        let mut push =
            vec!["push".to_owned(), "--force".to_owned(), TARGET.to_owned(), "HEAD:refs/heads/main".to_owned()];
        for branch in branches.lines().filter(|branch| *branch != default) {
            match branch {
                "main" => say(&format!("its branch main is left out: its default branch {default} becomes main"))?,
                _ => push.push(format!("refs/heads/{branch}:refs/heads/{branch}")),
            }
        }
        push.push("refs/tags/*:refs/tags/*".to_owned());
        let push: Vec<&str> = push.iter().map(String::as_str).collect();
        self.show(&push, "the Space was created, but the push failed; mend what git says and import again with --force")
    }

    /// Whether anything stands for a large file. Without git-lfs that is asked of the newest files only, and such a
    /// repository is refused.
    fn has_large_files(&self) -> anyhow::Result<bool> {
        let listed = self.git(&["lfs", "ls-files", "--all", "--name-only"]).output().context("start git")?;
        if listed.status.success() {
            return Ok(!listed.stdout.is_empty());
        }
        let pointers = self.git(&["grep", "-q", "-F", POINTER, "HEAD"]).status().context("start git")?;
        if pointers.success() {
            bail!("it holds large files: install git-lfs and import again");
        }
        Ok(false)
    }

    /// Runs git and returns what it says.
    fn ask(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = self.git(args).output().context("start git")?;
        if !output.status.success() {
            bail!("git {}: {}", args[0], String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Runs git before the user's eyes.
    fn show(&self, args: &[&str], failed: &'static str) -> anyhow::Result<()> {
        let status = self.git(args).stdout(Stdio::inherit()).status().context("start git")?;
        if status.success() { Ok(()) } else { bail!(failed) }
    }

    fn git(&self, args: &[&str]) -> Command {
        let mut git = self.program();
        git.arg("-C").arg(&self.dir).args(args);
        git
    }

    /// git with the user's own settings, and our hub's token for our hub alone.
    #[expect(clippy::disallowed_methods, reason = "the user's own git, with the user's environment, as in their shell")]
    fn program(&self) -> Command {
        let mut git = Command::new("git");
        git.arg(format!("--config-env=http.{}/.extraHeader={AUTHORIZATION}", self.hub.endpoint));
        git.env(AUTHORIZATION, format!("Authorization: Bearer {}", self.hub.token));
        git
    }
}
