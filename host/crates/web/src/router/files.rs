//! A Space's repository: reading it, and `hf upload`.

use crate::api;
use crate::document::Kind::{A, Anything, Many, OneOf, Switch, Text};
use crate::document::shapes::repository::{COMMIT, COMMIT_DONE, ENTRY, LARGE_FILE, PREUPLOAD, PREUPLOAD_FILE, REFS};
use crate::document::{About, Described, Field, needs, takes, takes_null};

/// Makes a pull request of what would be a commit.
const CREATE_PR: [Field; 1] = [takes("create_pr", Switch, "As a pull request.")];
/// How much is told of files and folders.
const EXPAND: Field = takes("expand", Switch, "With the last commit of each.");

pub(super) fn routes(routes: Described) -> Described {
    large(refs(changed(read(routes.group("Files")))))
}

fn read(routes: Described) -> Described {
    let tree = |summary| {
        About::array(summary, &A(&ENTRY)).query([takes("recursive", Switch, "With what is in folders of it."), EXPAND])
    };
    routes
        .get("/api/spaces/{owner}/{name}/tree/{rev}", tree("What is in a revision."), api::files::tree)
        .get("/api/spaces/{owner}/{name}/tree/{rev}/{*path}", tree("What is in a folder."), api::files::tree)
        .post(
            "/api/spaces/{owner}/{name}/paths-info/{rev}",
            About::one("What is at these paths; those where nothing is are left out.")
                .answers(Many(&A(&ENTRY)))
                .public()
                .form([takes("paths", Many(&Text), "The paths."), EXPAND]),
            api::files::paths_info,
        )
        .get(
            "/spaces/{owner}/{name}/resolve/{rev}/{*path}",
            About::one("A file; of a pointer, the large file that it stands for.").bytes(),
            api::files::resolve,
        )
        .get(
            "/spaces/{owner}/{name}/raw/{rev}/{*path}",
            About::one("A file as it is in the repository.").bytes(),
            api::files::raw,
        )
}

fn changed(routes: Described) -> Described {
    routes
        .post(
            "/api/spaces/{owner}/{name}/preupload/{rev}",
            About::one("How each file is to be sent: within the commit, or by itself if it is large.")
                .answers(A(&PREUPLOAD))
                .query(CREATE_PR)
                .body([
                    takes("files", Many(&A(&PREUPLOAD_FILE)), "The files, at most 1000."),
                    takes_null("gitIgnore", Text, "The .gitignore that is about to be committed."),
                ]),
            api::commit::preupload,
        )
        .post(
            "/api/spaces/{owner}/{name}/commit/{rev}",
            About::one("Makes a commit of the operations that the lines of the body name.")
                .answers(A(&COMMIT_DONE))
                .query(CREATE_PR)
                .also([408, 409, 412])
                .lines([
                    needs("key", OneOf(&["header", "file", "lfsFile", "deletedFile", "deletedFolder"]), "What it is."),
                    needs(
                        "value",
                        Anything,
                        "Of a header: summary, description, parentCommit. Else a path, and what is there.",
                    ),
                ]),
            api::commit::commit,
        )
}

fn refs(routes: Described) -> Described {
    routes
        .get(
            "/api/spaces/{owner}/{name}/refs",
            About::one("Branches and tags.").answers(A(&REFS)).query([takes(
                "include_prs",
                Switch,
                "Pull requests, too.",
            )]),
            api::refs::refs,
        )
        .get(
            "/api/spaces/{owner}/{name}/commits/{rev}",
            About::array("The history of a revision, newest first.", &A(&COMMIT)).query([takes(
                "expand",
                Many(&OneOf(&["formatted"])),
                "Titles and messages as HTML, too.",
            )]),
            api::refs::commits,
        )
        .post(
            "/api/spaces/{owner}/{name}/branch/{rev}",
            About::one("Makes a branch.").text().also([409]).body([takes_null(
                "startingPoint",
                Text,
                "The revision that it begins with; by default main.",
            )]),
            api::refs::create_branch,
        )
        .delete(
            "/api/spaces/{owner}/{name}/branch/{rev}",
            About::one("Removes a branch.").text().also([409]),
            api::refs::delete_branch,
        )
        .post(
            "/api/spaces/{owner}/{name}/tag/{rev}",
            About::one("Makes a tag at a revision.")
                .text()
                .also([409])
                .body([needs("tag", Text, "Its name."), takes_null("message", Text, "What it says.")]),
            api::refs::create_tag,
        )
        .delete("/api/spaces/{owner}/{name}/tag/{rev}", About::one("Removes a tag.").text(), api::refs::delete_tag)
        .post(
            "/api/spaces/{owner}/{name}/super-squash/{rev}",
            About::one("Makes the history of a branch one commit.").also([409]).body([takes_null(
                "message",
                Text,
                "What the commit says.",
            )]),
            api::refs::super_squash,
        )
}

fn large(routes: Described) -> Described {
    let xet = || About::one("Where a token for Xet would be: leads to a refusal in words.").leads();
    routes
        .get(
            "/api/spaces/{owner}/{name}/lfs-files",
            About::array("The large files that a Space keeps.", &A(&LARGE_FILE)).signed(),
            api::lfs_files::list,
        )
        .post(
            "/api/spaces/{owner}/{name}/lfs-files/batch",
            About::one("Deleting large files, which is not offered: each stays as long as the Space.").never(),
            api::lfs_files::delete,
        )
        .get("/api/spaces/{owner}/{name}/xet-write-token/{rev}", xet(), api::xet::token)
        .get("/api/spaces/{owner}/{name}/xet-read-token/{rev}", xet(), api::xet::token)
        .get(api::xet::REFUSAL_PATH, About::one("The refusal of Xet.").never().open(), api::xet::refuse)
}
