//! Discussions and pull requests of a Space.

use crate::api;
use crate::document::Kind::{A, Number, OneOf, Switch, Text};
use crate::document::shapes::repository::{DISCUSSION_DETAILS, DISCUSSIONS, EVENT, OPENED};

use crate::document::{About, Described, Shape, has, needs, takes, takes_null};

/// What merging answers.
const MERGED: Shape = Shape { name: "Merged", fields: &[has("success", Switch), has("mergeCommitId", Text)] };
/// Answers with the event that was made.
const NEW_MESSAGE: Shape = Shape { name: "NewMessage", fields: &[has("newMessage", A(&EVENT))] };
const UPDATED_COMMENT: Shape = Shape { name: "UpdatedComment", fields: &[has("updatedComment", A(&EVENT))] };
const NEW_TITLE: Shape = Shape { name: "NewTitle", fields: &[has("newTitle", A(&EVENT))] };
const NEW_STATUS: Shape = Shape { name: "NewStatus", fields: &[has("newStatus", A(&EVENT))] };

pub(super) fn routes(routes: Described) -> Described {
    talked(listed(routes.group("Discussions")))
}

fn listed(routes: Described) -> Described {
    routes
        .get(
            "/api/spaces/{owner}/{name}/discussions",
            About::one("The discussions and pull requests of a Space, newest first.").answers(A(&DISCUSSIONS)).query([
                takes("p", Number, "The number of the page, from 0."),
                takes("type", OneOf(&["all", "discussion", "pull_request"]), "Only those."),
                takes("status", OneOf(&["all", "open", "closed"]), "Only those; open are drafts, too."),
                takes("author", Text, "Only those that this user has opened."),
            ]),
            api::discussions::list,
        )
        .post(
            "/api/spaces/{owner}/{name}/discussions",
            About::one("Opens a discussion or a pull request.").answers(A(&OPENED)).also([409]).body([
                needs("title", Text, "What it is about."),
                takes_null("description", Text, "Its first comment."),
                takes_null("pullRequest", Switch, "Whether it is a pull request, to which commits go."),
            ]),
            api::discussions::open,
        )
        .get(
            "/api/spaces/{owner}/{name}/discussions/{number}",
            About::one("A discussion with all that happened in it.").answers(A(&DISCUSSION_DETAILS)).query([takes(
                "diff",
                Switch,
                "With what a pull request changes.",
            )]),
            api::discussions::one,
        )
        .delete(
            "/api/spaces/{owner}/{name}/discussions/{number}",
            About::one("Removes a discussion.").text(),
            api::discussions::delete,
        )
}

fn talked(routes: Described) -> Described {
    routes
        .post(
            "/api/spaces/{owner}/{name}/discussions/{number}/comment",
            About::one("Says something.").answers(A(&NEW_MESSAGE)).also([409]).body([needs("comment", Text, "What.")]),
            api::discussions::comment,
        )
        .post(
            "/api/spaces/{owner}/{name}/discussions/{number}/comment/{param}/edit",
            About::one("Says something otherwise.").answers(A(&UPDATED_COMMENT)).also([409]).body([needs(
                "content",
                Text,
                "What it says from now on.",
            )]),
            api::discussions::edit,
        )
        .post(
            "/api/spaces/{owner}/{name}/discussions/{number}/comment/{param}/hide",
            About::one("Takes back what was said, for good.").answers(A(&UPDATED_COMMENT)).also([409]),
            api::discussions::hide,
        )
        .post(
            "/api/spaces/{owner}/{name}/discussions/{number}/title",
            About::one("Gives a discussion another title.").answers(A(&NEW_TITLE)).also([409]).body([needs(
                "title",
                Text,
                "The title.",
            )]),
            api::discussions::rename,
        )
        .post(
            "/api/spaces/{owner}/{name}/discussions/{number}/status",
            About::one("Closes a discussion, or opens it again.").answers(A(&NEW_STATUS)).also([409]).body([
                needs("status", OneOf(&["open", "closed"]), "What it is from now on."),
                takes_null("comment", Text, "Why."),
            ]),
            api::discussions::set_status,
        )
        .post(
            "/api/spaces/{owner}/{name}/discussions/{number}/merge",
            About::one("Merges a pull request.").answers(A(&MERGED)).also([409, 412]).body([takes_null(
                "comment",
                Text,
                "What is said with it.",
            )]),
            api::discussions::merge,
        )
}
