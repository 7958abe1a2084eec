//! The files of a Space: folders, files, and the history, at any revision.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use spaceport_control::service::{FileContent, FolderEntry, FoundFile, LogEntry};
use spaceport_core::limits::Bytes as Size;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor};

use super::super::chrome::{Chrome, Reader, show};
use super::super::form::see_other;
use super::super::hardware::size;
use super::super::highlight::highlight;
use super::{SHORT_ID, SpaceHead};
use crate::api::time::iso;
use crate::error::ApiResult;
use crate::extract::{EntryPath, QueryPairs, RevisionName, SpaceAt};
use crate::markdown::{self, Folder};
use crate::router::AppState;

/// Largest text that is shown: what is larger is read better elsewhere.
const MAX_SHOWN: u64 = 1 << 20;
/// Commits on a page of the history.
const PER_PAGE: usize = 50;
/// Files whose content is an image that browsers show.
const IMAGES: [&str; 7] = ["png", "jpg", "jpeg", "gif", "webp", "avif", "svg"];
const README: &str = "README.md";

/// Where one is: a branch or another revision, and the folders on the way.
struct Place {
    revision: String,
    /// The revision as it stands in an address.
    at: String,
    /// The folders above, with their addresses.
    above: Vec<(String, String)>,
    /// The last part of the path.
    name: String,
    path: String,
    branches: Vec<String>,
    /// Whether the revision is a branch, which takes commits.
    is_branch: bool,
    commit: String,
    short: String,
}

/// A line of a folder.
struct Line {
    name: String,
    address: String,
    is_folder: bool,
    size: String,
    is_large: bool,
    /// The last commit that changed it.
    summary: String,
    changed_at: String,
}

#[derive(Template)]
#[template(path = "space_tree.html")]
struct TreePage {
    chrome: Chrome,
    head: SpaceHead,
    place: Place,
    lines: Vec<Line>,
    /// The README of the folder, as HTML.
    readme: Option<String>,
}

#[derive(Template)]
#[template(path = "space_blob.html")]
struct BlobPage {
    chrome: Chrome,
    head: SpaceHead,
    place: Place,
    size: String,
    shown: Shown,
    raw: String,
    download: String,
}

/// What of a file is shown.
enum Shown {
    /// A text as HTML, and how many lines it has.
    Code(String, usize),
    /// HTML of a Markdown file.
    Rendered(String),
    /// An image.
    Image,
    /// Nothing, for this reason.
    Nothing(&'static str),
}

#[derive(Template)]
#[template(path = "space_edit.html")]
struct EditPage {
    chrome: Chrome,
    head: SpaceHead,
    place: Place,
    /// The text as it is; `None`: there is no such file yet.
    text: Option<String>,
}

#[derive(Template)]
#[template(path = "space_commits.html")]
struct CommitsPage {
    chrome: Chrome,
    head: SpaceHead,
    place: Place,
    commits: Vec<Commit>,
    total: usize,
    after: Option<String>,
}

struct Commit {
    oid: String,
    short: String,
    summary: String,
    description: String,
    author: String,
    at: String,
}

impl From<&LogEntry> for Commit {
    fn from(entry: &LogEntry) -> Self {
        let oid = entry.oid.to_string();
        Self {
            short: oid.chars().take(SHORT_ID).collect(),
            oid,
            summary: entry.summary.clone(),
            description: entry.description.trim().to_owned(),
            author: entry.author.clone(),
            at: iso(entry.at),
        }
    }
}

#[derive(Template)]
#[template(path = "space_commit.html")]
struct CommitPage {
    chrome: Chrome,
    head: SpaceHead,
    commit: Commit,
    /// The lines of its patch with how each looks.
    patch: Vec<(&'static str, String)>,
    is_cut: bool,
}

/// A folder.
pub(crate) async fn tree_page(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    SpaceAt(path): SpaceAt,
    RevisionName(revision): RevisionName,
    EntryPath(folder): EntryPath,
) -> ApiResult<Response> {
    let actor = &visitor.actor;
    let head = SpaceHead::at(&app, &visitor, &path, "Files").await?;
    let folder = folder.trim_matches('/').to_owned();
    let (commit, entries) = app.control.folder(actor, &path, &revision, &folder, false).await?;
    let place = Place::find(&app, &visitor.actor, &path, revision, &folder, commit.to_string()).await?;
    let paths: Vec<String> = entries.iter().map(|entry| entry.path().to_owned()).collect();
    let last = app.control.last_commits(actor, &path, commit, &paths).await?;
    let readme = readme_in(&app, &visitor.actor, &path, &place, &paths).await?;
    let lines = lines(&path, &place, entries, &last);
    show(&app, StatusCode::OK, &TreePage { chrome, head, place, lines, readme })
}

/// A file.
pub(crate) async fn blob_page(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    SpaceAt(path): SpaceAt,
    RevisionName(revision): RevisionName,
    EntryPath(file): EntryPath,
    query: QueryPairs,
) -> ApiResult<Response> {
    let head = SpaceHead::at(&app, &visitor, &path, "Files").await?;
    let found = app.control.file(&visitor.actor, &path, &revision, &file, false).await?;
    let shown = shown(&path, &revision, &file, &found, query.is_set("code")).await?;
    let place = Place::find(&app, &visitor.actor, &path, revision, &file, found.commit.to_string()).await?;
    let address = format!("/spaces/{path}/resolve/{}/{}", place.at, encoded(&file));
    let page = BlobPage {
        chrome,
        head,
        size: size(Size(found.size)),
        shown,
        raw: address.clone(),
        download: format!("{address}?download=true"),
        place,
    };
    show(&app, StatusCode::OK, &page)
}

/// A file as it is edited, or one that is new.
pub(crate) async fn edit_page(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    SpaceAt(path): SpaceAt,
    RevisionName(revision): RevisionName,
    EntryPath(file): EntryPath,
) -> ApiResult<Response> {
    app.control.space(&visitor.actor, &path, Action::See)?;
    if visitor.session.is_none() {
        return Ok(see_other(&format!(
            "/login?next=/spaces/{path}/edit/{}/{}",
            encoded_segment(&revision),
            encoded(&file)
        )));
    }
    app.control.space(&visitor.actor, &path, Action::Write)?;
    let head = SpaceHead::at(&app, &visitor, &path, "Files").await?;
    let commit = app.control.resolve_revision(&visitor.actor, &path, &revision).await?;
    let text = match file.is_empty() {
        true => None,
        false => {
            let found = app.control.file(&visitor.actor, &path, &revision, &file, true).await?;
            text_of(&found).await?
        }
    };
    let place = Place::find(&app, &visitor.actor, &path, revision, &file, commit.to_string()).await?;
    show(&app, StatusCode::OK, &EditPage { chrome, head, place, text })
}

/// The history of a revision.
pub(crate) async fn commits_page(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    SpaceAt(path): SpaceAt,
    RevisionName(revision): RevisionName,
    query: QueryPairs,
) -> ApiResult<Response> {
    let head = SpaceHead::at(&app, &visitor, &path, "Files").await?;
    let skip: usize = query.get("skip").and_then(|skip| skip.parse().ok()).unwrap_or(0);
    let found = app.control.commits(&visitor.actor, &path, &revision, skip, PER_PAGE).await?;
    let place = Place::find(&app, &visitor.actor, &path, revision, "", found.head.to_string()).await?;
    let end = skip.saturating_add(found.commits.len());
    let page = CommitsPage {
        chrome,
        head,
        place,
        total: found.total,
        commits: found.commits.iter().map(Commit::from).collect(),
        after: (end < found.total).then(|| format!("?skip={end}")),
    };
    show(&app, StatusCode::OK, &page)
}

/// One commit with what it changes.
pub(crate) async fn commit_page(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    SpaceAt(path): SpaceAt,
    RevisionName(revision): RevisionName,
) -> ApiResult<Response> {
    let head = SpaceHead::at(&app, &visitor, &path, "Files").await?;
    let (entry, patch, is_cut) = app.control.commit_patch(&visitor.actor, &path, &revision).await?;
    let page = CommitPage { chrome, head, commit: Commit::from(&entry), patch: patch_lines(&patch), is_cut };
    show(&app, StatusCode::OK, &page)
}

/// The lines of a patch, each with how it looks.
pub(super) fn patch_lines(patch: &str) -> Vec<(&'static str, String)> {
    let look = |line: &str| match line.as_bytes().first() {
        _ if line.starts_with("+++") || line.starts_with("---") || line.starts_with("diff ") => "file",
        Some(b'+') => "added",
        Some(b'-') => "removed",
        Some(b'@') => "hunk",
        _ => "",
    };
    patch.lines().map(|line| (look(line), line.to_owned())).collect()
}

impl Place {
    async fn find(
        app: &AppState,
        actor: &Actor,
        space: &SpacePath,
        revision: String,
        path: &str,
        commit: String,
    ) -> ApiResult<Self> {
        let refs = app.control.refs(actor, space).await?;
        let branches: Vec<String> = refs.branches.into_iter().map(|branch| branch.name).collect();
        let at = encoded_segment(&revision);
        let mut above = Vec::new();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (name, folders) = match parts.split_last() {
            Some((name, folders)) => ((*name).to_owned(), folders),
            None => (String::new(), &[][..]),
        };
        for (index, folder) in folders.iter().enumerate() {
            let whole = folders.get(..=index).unwrap_or_default().join("/");
            above.push(((*folder).to_owned(), format!("/spaces/{space}/tree/{at}/{}", encoded(&whole))));
        }
        Ok(Self {
            is_branch: branches.contains(&revision),
            branches,
            at,
            above,
            name,
            path: path.to_owned(),
            short: commit.chars().take(SHORT_ID).collect(),
            commit,
            revision,
        })
    }
}

fn lines(space: &SpacePath, place: &Place, entries: Vec<FolderEntry>, last: &BTreeMap<String, LogEntry>) -> Vec<Line> {
    let line = |entry: FolderEntry| {
        let path = entry.path();
        let (is_folder, bytes, is_large) = match &entry {
            FolderEntry::Folder { .. } => (true, None, false),
            FolderEntry::File { size, large, .. } => (false, Some(large.map_or(*size, |it| it.size)), large.is_some()),
        };
        let kind = if is_folder { "tree" } else { "blob" };
        let changed = last.get(path);
        Line {
            name: path.rsplit('/').next().unwrap_or(path).to_owned(),
            address: format!("/spaces/{space}/{kind}/{}/{}", place.at, encoded(path)),
            is_folder,
            size: bytes.map(|bytes| size(Size(bytes))).unwrap_or_default(),
            is_large,
            summary: changed.map(|entry| entry.summary.clone()).unwrap_or_default(),
            changed_at: changed.map(|entry| iso(entry.at)).unwrap_or_default(),
        }
    };
    let mut lines: Vec<Line> = entries.into_iter().map(line).collect();
    // Folders first, as people know it; each kind in the order of names.
    lines.sort_by_key(|line| !line.is_folder);
    lines
}

async fn readme_in(
    app: &AppState,
    actor: &Actor,
    space: &SpacePath,
    place: &Place,
    paths: &[String],
) -> ApiResult<Option<String>> {
    let is_readme = |path: &&String| path.rsplit('/').next().is_some_and(|name| name.eq_ignore_ascii_case(README));
    let Some(path) = paths.iter().find(is_readme) else { return Ok(None) };
    let found = app.control.file(actor, space, &place.commit, path, false).await?;
    Ok(text_of(&found).await?.map(|text| rendered(space, &place.at, path, &text)))
}

/// A Markdown file as HTML.
fn rendered(space: &SpacePath, at: &str, path: &str, text: &str) -> String {
    let folder = path.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{}/", encoded(folder)));
    let pages = format!("/spaces/{space}/blob/{at}/{folder}");
    let contents = format!("/spaces/{space}/resolve/{at}/{folder}");
    markdown::document(text, Folder { pages: &pages, contents: &contents })
}

async fn shown(space: &SpacePath, revision: &str, path: &str, found: &FoundFile, as_code: bool) -> ApiResult<Shown> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    if IMAGES.contains(&ending.as_str()) && !as_code {
        return Ok(Shown::Image);
    }
    if found.size > MAX_SHOWN {
        return Ok(Shown::Nothing("It is too large to be shown here."));
    }
    let Some(text) = text_of(found).await? else { return Ok(Shown::Nothing("It is no text.")) };
    if ending == "md" && !as_code {
        return Ok(Shown::Rendered(rendered(space, &encoded_segment(revision), path, &text)));
    }
    Ok(Shown::Code(highlight(name, &text), text.lines().count()))
}

/// The text of a file, if it is one and not too large.
async fn text_of(found: &FoundFile) -> ApiResult<Option<String>> {
    if found.size > MAX_SHOWN {
        return Ok(None);
    }
    let content: Bytes = match found.content(0..found.size).await? {
        FileContent::Whole(content) => content,
        // What is kept beside the repository is there because it is no text.
        FileContent::Stream(_) | FileContent::Large(_) => return Ok(None),
    };
    if content.contains(&0) {
        return Ok(None);
    }
    Ok(String::from_utf8(content.to_vec()).ok())
}

/// A revision as it stands in an address: one segment, whatever its name has.
pub(super) fn encoded_segment(text: &str) -> String {
    encoded(text).replace('/', "%2F")
}

/// A path as it stands in an address.
pub(super) fn encoded(path: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
    percent_encoding::utf8_percent_encode(path, KEPT).to_string()
}
