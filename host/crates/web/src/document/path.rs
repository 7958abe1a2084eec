//! Addresses as the document has them, and those that it leaves out.
//!
//! The router gives most variable parts the name `param`, since it wants the same name for the same place; to clients each
//! is called by what it is.

use serde_json::{Value, json};

use super::kind::{Kind, Shapes};

/// Addresses that are served and not in the document, by how they begin, with the reason. A route that is in neither fails
/// the tests.
#[cfg(test)]
pub(crate) const LEFT_OUT: [(&str, &str); 37] = [
    ("GET / ", "a page"),
    ("GET /{param} ", "a page"),
    ("GET /new-space ", "a page"),
    ("GET /assets/", "style and scripts of pages"),
    ("GET /spaces/{owner}/{name} ", "a page"),
    ("GET /spaces/{owner}/{name}/blob/", "a page"),
    ("GET /spaces/{owner}/{name}/commit/", "a page"),
    ("GET /spaces/{owner}/{name}/commits/", "a page"),
    ("GET /spaces/{owner}/{name}/discussions", "pages"),
    ("GET /spaces/{owner}/{name}/edit/", "a page"),
    ("GET /spaces/{owner}/{name}/logs ", "a page"),
    ("GET /spaces/{owner}/{name}/metrics ", "a page"),
    ("GET /spaces/{owner}/{name}/releases ", "a page"),
    ("GET /spaces/{owner}/{name}/settings ", "a page"),
    ("GET /spaces/{owner}/{name}/tree/", "a page"),
    ("GET /login ", "a page"),
    ("POST /login ", "the form of a page"),
    ("GET /join ", "a page"),
    ("POST /join ", "the form of a page"),
    ("GET /logout ", "a page"),
    ("POST /logout ", "the form of a page"),
    ("GET /setup ", "a page"),
    ("POST /setup ", "the form of a page"),
    ("GET /admin", "pages"),
    ("GET /settings", "pages"),
    ("POST /settings/applications ", "the form of a page"),
    ("GET /avatars/", "a picture on pages"),
    ("GET /oauth/authorize ", "a page"),
    ("POST /oauth/consent ", "the form of a page"),
    ("GET /oauth/device ", "a page"),
    ("POST /oauth/device/answer ", "the form of a page"),
    ("GET /spaces/{owner}/{name}/info/", "the protocols of git and git-lfs"),
    ("POST /spaces/{owner}/{name}/info/", "the protocol of git-lfs"),
    ("POST /spaces/{owner}/{name}/git-", "the protocol of git"),
    ("GET /api/lfs/", "the bytes of large files, at addresses that the protocol of git-lfs hands out"),
    ("PUT /api/lfs/", "the same"),
    ("POST /api/lfs/", "the same"),
];

/// A variable part of an address.
struct Part {
    /// What stands before it.
    before: &'static str,
    name: &'static str,
    kind: Kind,
    about: &'static str,
}

const fn part(before: &'static str, name: &'static str, about: &'static str) -> Part {
    Part { before, name, kind: Kind::Text, about }
}

/// What `{param}` is, by what stands before it.
const PARTS: [Part; 16] = [
    part("/api/admin/users/", "user", "A user's name."),
    part("/api/admin/tokens/", "token", "A token's id."),
    part("/api/admin/quotas/", "owner", "The name of a user or an organization."),
    part("/api/admin/grants/", "grant", "A grant's id."),
    part("/api/admin/organizations/", "organization", "An organization's name."),
    part("/api/organizations/", "organization", "An organization's name; for its overview, also its id."),
    part("/api/users/", "user", "A user's name; for the overview, also its id."),
    part("/api/settings/webhooks/", "webhook", "A webhook's id."),
    part("/api/settings/sessions/", "session", "A session's id, as the list of sessions has it."),
    part("/api/settings/keys/", "key", "A key's id, as the list of keys has it."),
    part("/api/settings/tokens/", "token", "A token's id, as the list of tokens has it."),
    part("/api/spaces/by-subdomain/", "subdomain", "The first label of the host name at which an app answers."),
    Part {
        before: "/api/spaces/{owner}/{name}/logs/",
        name: "log",
        kind: Kind::OneOf(&["run", "build"]),
        about: "What the app says, or what its build said.",
    },
    Part {
        before: "/api/spaces/{owner}/{name}/releases/",
        name: "release",
        kind: Kind::Number,
        about: "A release's number.",
    },
    part("/api/spaces/{owner}/{name}/discussions/{number}/comment/", "comment", "A comment's id."),
    part("", "param", ""),
];

/// What the parts with names of their own are.
const NAMED: [Part; 6] = [
    part("", "owner", "The user or the organization that a Space belongs to."),
    part("", "name", "A Space's name."),
    part("", "rev", "A branch, a tag, a commit's id, or refs/pr/ and a number; a slash in it is written %2F."),
    part("", "path", "The path of a file or a folder; its slashes may stay as they are."),
    part("", "user", "A user's name."),
    Part { before: "", name: "number", kind: Kind::Number, about: "The number of a discussion or a pull request." },
];

/// An address with its variable parts as the document has them.
pub(crate) fn documented(route: &str) -> (String, Vec<Value>) {
    let (mut path, mut parameters) = (String::new(), Vec::new());
    let mut at = 0;
    for segment in route.split_inclusive('/') {
        let (text, slash) = segment.strip_suffix('/').map_or((segment, ""), |text| (text, "/"));
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            None => path.push_str(segment),
            Some(name) => {
                let part = meant(&route[..at], name.trim_start_matches('*'));
                path.push_str(&format!("{{{}}}{slash}", part.name));
                parameters.push(json!({
                    "name": part.name,
                    "in": "path",
                    "required": true,
                    "description": part.about,
                    "schema": part.kind.schema(&mut Shapes::new()),
                }));
            }
        }
        at += segment.len();
    }
    (path, parameters)
}

fn meant(before: &str, name: &str) -> &'static Part {
    let named = NAMED.iter().find(|part| part.name == name);
    let any = PARTS.iter().find(|part| part.before == before).unwrap_or(&PARTS[PARTS.len() - 1]);
    named.unwrap_or(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_parts_are_called_what_they_are() {
        let names = |route: &str| {
            let (path, parameters) = documented(route);
            let names: Vec<String> = parameters.iter().map(|part| part["name"].as_str().unwrap().to_owned()).collect();
            (path, names.join(","))
        };
        let expected = |path: &str, names: &str| (path.to_owned(), names.to_owned());
        assert_eq!(names("/api/spaces"), expected("/api/spaces", ""));
        assert_eq!(
            names("/spaces/{owner}/{name}/raw/{rev}/{*path}"),
            expected("/spaces/{owner}/{name}/raw/{rev}/{path}", "owner,name,rev,path")
        );
        assert_eq!(
            names("/api/settings/webhooks/{param}/enable"),
            expected("/api/settings/webhooks/{webhook}/enable", "webhook")
        );
        assert_eq!(names("/new/{param}"), expected("/new/{param}", "param"));
    }
}
