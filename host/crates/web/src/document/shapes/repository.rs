//! Files, commits, branches, and what is said about them.

use super::super::Kind::{A, Anything, Many, Moment, Number, Object, OneOf, Switch, Text};
use super::super::{Shape, has, has_null, may, may_null, needs, takes};

/// What checking a README answers.
pub(crate) const REPORT: Shape =
    Shape { name: "Report", fields: &[has("errors", Many(&A(&MESSAGE))), has("warnings", Many(&A(&MESSAGE)))] };
const MESSAGE: Shape = Shape { name: "Message", fields: &[has("message", Text)] };

/// A file that is about to be uploaded.
pub(crate) const PREUPLOAD_FILE: Shape = Shape {
    name: "FileToUpload",
    fields: &[needs("path", Text, "Where it goes."), takes("size", Number, "Its bytes, which decide how it is sent.")],
};

pub(crate) const PREUPLOAD: Shape =
    Shape { name: "UploadPlan", fields: &[has("files", Many(&A(&PLANNED))), has("commitOid", Text)] };

const PLANNED: Shape = Shape {
    name: "PlannedUpload",
    fields: &[
        has("path", Text),
        has("uploadMode", OneOf(&["regular", "lfs"])),
        has("shouldIgnore", Switch),
        may("oid", Text),
    ],
};

pub(crate) const COMMIT_DONE: Shape = Shape {
    name: "CommitDone",
    fields: &[
        has("success", Switch),
        has("commitOid", Text),
        has("commitUrl", Text),
        has("hookOutput", Text),
        may("pullRequestUrl", Text),
    ],
};

pub(crate) const REFS: Shape = Shape {
    name: "Refs",
    fields: &[
        has("branches", Many(&A(&REF))),
        has("converts", Many(&A(&REF))),
        has("tags", Many(&A(&REF))),
        may("pullRequests", Many(&A(&REF))),
    ],
};

const REF: Shape = Shape { name: "Ref", fields: &[has("name", Text), has("ref", Text), has("targetCommit", Text)] };

/// A commit of a history.
pub(crate) const COMMIT: Shape = Shape {
    name: "Commit",
    fields: &[
        has("id", Text),
        has("title", Text),
        has("message", Text),
        has("authors", Many(&A(&AUTHOR))),
        has("date", Moment),
        may("formatted", A(&FORMATTED)),
    ],
};

const AUTHOR: Shape = Shape { name: "CommitAuthor", fields: &[has("user", Text)] };
const FORMATTED: Shape = Shape { name: "FormattedCommit", fields: &[has("title", Text), has("message", Text)] };

/// A file or a folder.
pub(crate) const ENTRY: Shape = Shape {
    name: "Entry",
    fields: &[
        has("type", OneOf(&["file", "directory"])),
        has("path", Text),
        has("size", Number),
        has("oid", Text),
        may("lfs", A(&ENTRY_LFS)),
        may("lastCommit", A(&LAST_COMMIT)),
    ],
};

const ENTRY_LFS: Shape =
    Shape { name: "EntryLfs", fields: &[has("oid", Text), has("size", Number), has("pointerSize", Number)] };
const LAST_COMMIT: Shape =
    Shape { name: "LastCommit", fields: &[has("id", Text), has("title", Text), has("date", Moment)] };

pub(crate) const LARGE_FILE: Shape = Shape {
    name: "LargeFile",
    fields: &[
        has("fileOid", Text),
        has("oid", Text),
        has("filename", Text),
        has("size", Number),
        has("pushedAt", Moment),
        has_null("ref", Text),
    ],
};

const STATUS: super::super::Kind = OneOf(&["open", "closed", "merged", "draft"]);

pub(crate) const DISCUSSIONS: Shape = Shape {
    name: "Discussions",
    fields: &[
        has("count", Number),
        has("start", Number),
        has("numClosedDiscussions", Number),
        has("discussions", Many(&A(&DISCUSSION))),
    ],
};

/// A discussion or a pull request.
pub(crate) const DISCUSSION: Shape = Shape {
    name: "Discussion",
    fields: &[
        has("num", Number),
        has("title", Text),
        has("status", STATUS),
        has("createdAt", Moment),
        has("isPullRequest", Switch),
        has("repo", Object),
        may("author", A(&PERSON)),
    ],
};

const PERSON: Shape = Shape { name: "Author", fields: &[has("name", Text), has("type", Text)] };

pub(crate) const DISCUSSION_DETAILS: Shape = Shape {
    name: "DiscussionDetails",
    fields: &[
        has("num", Number),
        has("title", Text),
        has("status", STATUS),
        has("createdAt", Moment),
        has("isPullRequest", Switch),
        has("repo", Object),
        may("author", A(&PERSON)),
        has("events", Many(&A(&EVENT))),
        may("changes", A(&CHANGES)),
        may("filesWithConflicts", Anything),
        may("diff", Text),
    ],
};

const CHANGES: Shape = Shape { name: "Changes", fields: &[has("base", Text), may("mergeCommitId", Text)] };

/// Something that happened in a discussion.
pub(crate) const EVENT: Shape = Shape {
    name: "DiscussionEvent",
    fields: &[
        has("id", Text),
        has("type", OneOf(&["comment", "status-change", "commit", "title-change"])),
        has("createdAt", Moment),
        has("data", Object),
        may("author", A(&PERSON)),
    ],
};

pub(crate) const OPENED: Shape = Shape {
    name: "OpenedDiscussion",
    fields: &[has("num", Number), has("url", Text), may_null("pullRequest", Switch)],
};

/// What looks like a secret.
pub(crate) const FINDING: Shape = Shape {
    name: "Finding",
    fields: &[
        has("rule", Text),
        has("path", Text),
        has("line", Number),
        has("excerpt", Text),
        has("revision", Text),
        has("found_at", Moment),
        has("revoked", Switch),
        has("in_history", Switch),
    ],
};
