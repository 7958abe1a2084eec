//! Secrets in what is pushed and committed. They are looked for once it is there: a push is never refused for them, and
//! waits only a little to tell its author. What was found stays with the Space; a token of this host that was found is
//! revoked before anybody is told.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use spaceport_core::id::SpaceId;
use spaceport_core::leaks::{Leak, MAX_FILE, MAX_FILES, MAX_TOTAL, OWN_TOKEN, Place, as_text, is_scanned, leaks};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor};
use spaceport_core::revision::{DEPLOY_BRANCH, Oid};
use spaceport_core::space::Space;
use spaceport_db::{Batch, Expect, Finding, TokenHash};
use spaceport_git::{BroughtFile, FileMode, Repo, TreeEntry};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Control;
use super::commit::FileChange;
use super::error::ServiceResult;
use super::settings::{Settled, Warning};
use super::storage::{commit_failed, git_failed, read_failed};
use super::token::TokenText;
use crate::ports::{ScanText, SecretMatch, SecretScanner};
use crate::scans::{HeadFiles, settle};

/// How long whoever pushes waits for what is found: long enough for all but the largest pushes.
const PATIENCE: Duration = Duration::from_secs(5);
/// Findings that are named to whoever pushes; the API has all.
const MAX_TOLD: usize = 10;

/// What is to be looked through.
pub(super) enum Brought {
    /// Files that a push brought, the head it came with among its refs.
    Files(Oid, Vec<BroughtFile>),
    /// The files at these paths of a commit.
    Paths(Oid, BTreeSet<String>),
    /// Everything at the deploy branch's head.
    Head,
}

/// What whoever pushed is told.
#[derive(Debug, Default)]
pub(super) struct ScanNews {
    found: Vec<Finding>,
    /// It is still being looked for.
    is_late: bool,
}

/// What was found in files.
#[derive(Default)]
struct Looked {
    leaks: Vec<(BroughtFile, Leak, String)>,
    /// The contents that were looked through.
    scanned: HashSet<Oid>,
}

impl Control {
    /// The same operations with a scanner, which is set once, when the host is put together.
    pub fn with_scanner(self, scanner: Arc<dyn SecretScanner>) -> Self {
        self.inner.scans.set(scanner);
        self
    }

    /// The secrets that were found in a Space: those of its head first, the newest first.
    pub fn findings(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<Vec<Finding>> {
        let space = self.space(actor, path, Action::SeeSettings)?;
        let rows = self.inner.db.findings().under(&space.id).map_err(read_failed)?;
        let mut findings: Vec<Finding> = rows.into_iter().map(|(_, finding)| finding).collect();
        findings.sort_by(|a, b| order(a).cmp(&order(b)));
        Ok(findings)
    }

    /// Looks through the files at these paths of a commit that was just made; what was made, with what is to be said.
    pub(super) async fn scanned_commit<T>(
        &self,
        space: &Space,
        head: Oid,
        paths: BTreeSet<String>,
        value: T,
    ) -> Settled<T> {
        let news = self.scan(space, Brought::Paths(head, paths)).await;
        Settled { value, warnings: news.for_commit(self, &space.path).into_iter().collect() }
    }

    /// Looks through what was brought, and waits a little for the result.
    pub(super) async fn scan(&self, space: &Space, brought: Brought) -> ScanNews {
        let Some(told) = self.begin_scan(space, brought) else { return ScanNews::default() };
        match timeout(PATIENCE, told).await {
            // One that failed has said so in the log.
            Ok(found) => ScanNews { found: found.unwrap_or_default(), is_late: false },
            Err(_) => ScanNews { found: Vec::new(), is_late: true },
        }
    }

    /// Looks through what was brought, in the background.
    pub(super) fn begin_scan(&self, space: &Space, brought: Brought) -> Option<oneshot::Receiver<Vec<Finding>>> {
        let scanner = self.inner.scans.scanner()?;
        let Some(place) = self.inner.scans.place() else {
            tracing::warn!(space = %space.path, "too many pushes wait to be looked through for secrets: one is not");
            return None;
        };
        let (tell, told) = oneshot::channel();
        let (control, id, path) = (self.clone(), space.id, space.path.clone());
        self.inner.fleet.spawn(async move {
            let _place = place;
            match control.scan_now(&*scanner, id, brought).await {
                Ok(found) => {
                    if !found.is_empty() {
                        tracing::warn!(space = %path, secrets = found.len(), "secrets were pushed");
                    }
                    // Whoever waited may have gone.
                    let _ = tell.send(found);
                }
                Err(error) => tracing::warn!(space = %path, %error, "a push was not looked through for secrets"),
            }
        });
        Some(told)
    }

    async fn scan_now(
        &self,
        scanner: &dyn SecretScanner,
        space: SpaceId,
        brought: Brought,
    ) -> ServiceResult<Vec<Finding>> {
        let _turn = self.inner.scans.turn(space).await;
        let db = &self.inner.db;
        let rows = db.findings().under(&space).map_err(read_failed)?;
        let known: BTreeMap<String, Finding> = rows.into_iter().map(|((_, key), finding)| (key, finding)).collect();
        let repo = self.inner.repos.repo(space);
        let head = repo.head(DEPLOY_BRANCH).await.map_err(git_failed)?;
        let tree = match head {
            Some(head) => repo.tree(head).await.map_err(git_failed)?,
            None => Vec::new(),
        };
        let (revision, files) = self.brought_files(&repo, brought, head, &tree).await?;
        let new: HashSet<Oid> = files.iter().map(|file| file.oid).collect();
        let looked = look_through(scanner, &repo, changed_since_found(&tree, &known).into_iter().chain(files)).await?;
        let found_at = self.inner.clock.now();
        let mut found = BTreeMap::new();
        for (file, leak, secret) in looked.leaks {
            let finding = Finding {
                is_revoked: leak.rule == OWN_TOKEN && self.revoke(&secret).await?,
                rule: leak.rule,
                path: file.path,
                line: leak.line,
                blob: file.oid,
                revision,
                found_at,
                excerpt: leak.excerpt,
                is_in_history: false,
            };
            found.insert(self.finding_key(&finding, &secret), finding);
        }
        let head = HeadFiles::new(tree.into_iter().map(|file| (file.path.to_string(), file.oid)));
        let changes = settle(&known, &found, &looked.scanned, &head);
        if !changes.is_empty() {
            let mut batch = Batch::default();
            batch.expect(db.spaces(), &space, Expect::Present);
            for (key, finding) in changes {
                batch.put(db.findings(), &(space, key), &finding);
            }
            db.commit(batch).await.map_err(commit_failed)?;
        }
        Ok(found.into_values().filter(|finding| new.contains(&finding.blob)).collect())
    }

    /// The files to be looked through, and the commit that they came with.
    async fn brought_files(
        &self,
        repo: &Repo,
        brought: Brought,
        head: Option<Oid>,
        tree: &[TreeEntry],
    ) -> ServiceResult<(Oid, Vec<BroughtFile>)> {
        let nothing = Oid::from_bytes([0; 20]);
        Ok(match brought {
            Brought::Files(revision, files) => (revision, files),
            Brought::Head => (head.unwrap_or(nothing), tree.iter().filter_map(as_brought).collect()),
            Brought::Paths(revision, paths) => {
                let other = match head == Some(revision) {
                    true => None,
                    false => Some(repo.tree(revision).await.map_err(git_failed)?),
                };
                let files = other.as_deref().unwrap_or(tree).iter();
                (revision, files.filter(|file| paths.contains(file.path.as_str())).filter_map(as_brought).collect())
            }
        })
    }

    /// Revokes a token of this host that somebody has made known; whether it was valid.
    async fn revoke(&self, secret: &str) -> ServiceResult<bool> {
        let Some(token) = TokenText::parse(secret) else { return Ok(false) };
        let (db, hash) = (&self.inner.db, TokenHash(token.hash()));
        let Some(known) = db.tokens().get(&hash).map_err(read_failed)? else { return Ok(false) };
        let mut batch = Batch::default();
        batch.delete(db.tokens(), &hash);
        db.commit(batch).await.map_err(commit_failed)?;
        tracing::warn!(token = %known.id, account = %known.account, "a token was found in a repository and is revoked");
        Ok(true)
    }

    /// By what a finding is known again: what it is and where, without giving the secret away.
    fn finding_key(&self, finding: &Finding, secret: &str) -> String {
        let mut hash = blake3::Hasher::new_keyed(self.inner.keys.derive("findings").as_bytes());
        for part in [finding.rule.as_str(), &finding.path, secret] {
            hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hash.finalize().to_hex().to_string()
    }

    /// Where the findings of a Space are read.
    fn findings_url(&self, space: &SpacePath) -> String {
        format!("{}/api/spaces/{space}/scan", self.addresses().hub_url())
    }
}

impl ScanNews {
    /// What to write to somebody who has pushed; nothing, if nothing was found.
    pub(super) fn for_push(&self, control: &Control, space: &SpacePath) -> Option<String> {
        let url = control.findings_url(space);
        if self.is_late {
            return Some(format!("\nThis push is still being looked through for secrets. What is found: {url}\n"));
        }
        if self.found.is_empty() {
            return None;
        }
        let mut lines = vec!["\nWARNING: this push has what looks like secrets:".to_owned()];
        lines.extend(self.found.iter().take(MAX_TOLD).map(|finding| {
            let note = if finding.is_revoked { ", a valid token of this host: it is revoked now" } else { "" };
            format!("  - {} line {}: {} ({}){note}", finding.path, finding.line, finding.rule, finding.excerpt)
        }));
        if self.found.len() > MAX_TOLD {
            lines.push(format!("  - and {} more", self.found.len() - MAX_TOLD));
        }
        lines.push(
            "Whoever can read the repository can read them, in its history too: revoke them where they".to_owned(),
        );
        lines.push("come from, and give the app new ones as secrets of the Space.".to_owned());
        lines.push(format!("  All: {url}\n"));
        Some(lines.join("\n"))
    }

    /// The same for somebody who has committed through the API, in one line.
    fn for_commit(&self, control: &Control, space: &SpacePath) -> Option<Warning> {
        let first = self.found.first()?;
        let more = match self.found.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let revoked = match self.found.iter().filter(|finding| finding.is_revoked).count() {
            0 => String::new(),
            count => format!(" {count} valid token(s) of this host among them: revoked now."),
        };
        Some(Warning::LeakedSecrets(format!(
            "This commit has what looks like secrets: {} in {} line {}{more}.{revoked} Revoke them where they come from, \
             and give the app new ones as secrets of the Space. All: {}",
            first.rule,
            first.path,
            first.line,
            control.findings_url(space),
        )))
    }
}

impl Brought {
    /// The paths of files that the changes of a commit bring.
    pub(super) fn paths(changes: &[FileChange]) -> BTreeSet<String> {
        let put = changes.iter().filter_map(|change| match change {
            FileChange::Put { path, .. } => Some(path.clone()),
            _ => None,
        });
        put.collect()
    }
}

/// Those of the head's files in which something was found while they were otherwise: they may still have it.
fn changed_since_found(tree: &[TreeEntry], known: &BTreeMap<String, Finding>) -> Vec<BroughtFile> {
    let paths: HashSet<&str> = known.values().map(|finding| finding.path.as_str()).collect();
    let seen: HashSet<Oid> = known.values().map(|finding| finding.blob).collect();
    let is_changed = |file: &&TreeEntry| paths.contains(file.path.as_str()) && !seen.contains(&file.oid);
    tree.iter().filter(is_changed).filter_map(as_brought).collect()
}

fn as_brought(file: &TreeEntry) -> Option<BroughtFile> {
    let is_file = file.mode != FileMode::Symlink;
    is_file.then(|| BroughtFile { path: file.path.to_string(), oid: file.oid, size: file.size })
}

/// Has a scanner read files, as many as may be.
async fn look_through(
    scanner: &dyn SecretScanner,
    repo: &Repo,
    files: impl Iterator<Item = BroughtFile>,
) -> ServiceResult<Looked> {
    let (mut taken, mut total) = (HashSet::new(), 0);
    let is_taken = |file: &BroughtFile| {
        let fits = is_scanned(&file.path, file.size) && total + file.size <= MAX_TOTAL && taken.insert(file.oid);
        total += if fits { file.size } else { 0 };
        fits
    };
    let files: Vec<BroughtFile> = files.filter(is_taken).take(MAX_FILES).collect();
    let ids: Vec<Oid> = files.iter().map(|file| file.oid).collect();
    let contents = repo.read_blobs(&ids, MAX_FILE).await.map_err(git_failed)?;
    let mut looked = Looked::default();
    let (mut texts, mut sources) = (Vec::new(), Vec::new());
    for (file, content) in files.into_iter().zip(contents) {
        match content.as_deref().and_then(as_text) {
            Some(text) => {
                texts.push(ScanText { path: file.path.clone(), text: text.into() });
                sources.push(file);
            }
            // What is no text has no secrets that anybody could find.
            None => _ = looked.scanned.insert(file.oid),
        }
    }
    if texts.is_empty() {
        return Ok(looked);
    }
    let report = scanner.scan(texts.clone()).await;
    looked.scanned.extend(sources.iter().take(report.scanned).map(|file| file.oid));
    let mut matches: HashMap<usize, Vec<&SecretMatch>> = HashMap::new();
    for found in &report.matches {
        matches.entry(found.text).or_default().push(found);
    }
    for (index, (file, text)) in sources.iter().zip(&texts).enumerate() {
        let places = matches.remove(&index).unwrap_or_default();
        let places: Vec<Place<'_>> =
            places.iter().map(|found| Place { rule: &found.rule, start: found.start, end: found.end }).collect();
        let found = leaks(&text.text, &places).into_iter();
        looked.leaks.extend(found.map(|(leak, secret)| (file.clone(), leak, secret.to_owned())));
    }
    Ok(looked)
}

/// How findings are listed.
fn order(finding: &Finding) -> (bool, std::cmp::Reverse<u64>, &str, u32) {
    (finding.is_in_history, std::cmp::Reverse(finding.found_at), &finding.path, finding.line)
}
