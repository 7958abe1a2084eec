//! Moving Spaces, and leading those who ask for an old path to the new one.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderValue, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::ServiceError;
use spaceport_core::name::SpacePath;

use super::repos::{invalid_name, only_spaces};
use super::told_to;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::JsonBody;
use crate::router::AppState;

/// Where the addresses of Spaces begin.
const ROOTS: [&str; 2] = ["/api/spaces/", "/spaces/"];
/// What git adds to the name of a repository.
const GIT_SUFFIX: &str = ".git";

/// The body of `POST /api/repos/move`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MoveRepo {
    from_repo: Option<String>,
    to_repo: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Gives a Space another owner or name.
pub(crate) async fn move_repo(
    State(app): State<AppState>,
    Caller(actor): Caller,
    JsonBody(body): JsonBody<MoveRepo>,
) -> ApiResult<Json<Value>> {
    only_spaces(body.kind.as_deref())?;
    let member = |name: &str, value: Option<String>| {
        value.ok_or_else(|| ApiError::bad_request(format!("The body needs the member {name:?}, as \"owner/name\"")))
    };
    let from: SpacePath = member("fromRepo", body.from_repo)?.parse().map_err(|_| ApiError::repo_not_found())?;
    let to: SpacePath = member("toRepo", body.to_repo)?.parse().map_err(invalid_name)?;
    match app.control.move_space(&actor, &from, &to).await {
        Ok(space) => {
            let url = app.control.addresses().page_url(&space.path);
            Ok(Json(json!({ "url": url, "name": space.path.to_string(), "id": space.id.to_string() })))
        }
        Err(ServiceError::NameTaken(there)) => {
            let message = format!("There is already a Space at {there}");
            Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message))
        }
        Err(error) => Err(told_to(&actor)(error)),
    }
}

/// Makes an answer lead to where a Space is now. The method and the body are to be sent there again, so it is a 307; names
/// may be given to others later, so nobody is to remember it for ever.
pub(crate) fn lead_on(response: &mut Response, asked: &Uri, now: &SpacePath) {
    if let Some(Ok(target)) = moved_address(asked, now).map(HeaderValue::try_from) {
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        response.headers_mut().insert(header::LOCATION, target);
        response.headers_mut().remove(crate::error::X_ERROR_CODE);
        response.headers_mut().remove(crate::error::X_ERROR_MESSAGE);
    }
}

/// The address with the new path in place of the old one; on this host, so that it holds however the host was reached.
fn moved_address(asked: &Uri, now: &SpacePath) -> Option<String> {
    let (root, rest) = ROOTS.iter().find_map(|root| Some((root, asked.path().strip_prefix(root)?)))?;
    let mut parts = rest.splitn(3, '/');
    let (_, name) = (parts.next()?, parts.next()?);
    let suffix = if name.ends_with(GIT_SUFFIX) { GIT_SUFFIX } else { "" };
    let below = parts.next().map(|below| format!("/{below}")).unwrap_or_default();
    let query = asked.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{root}{now}{suffix}{below}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_all_but_the_path_of_the_space() {
        let now = "bob/new".parse().unwrap();
        let moved = |asked: &str| moved_address(&asked.parse().unwrap(), &now);
        for (asked, expected) in [
            ("/api/spaces/ada/old", "/api/spaces/bob/new"),
            (
                "/api/spaces/ada/old/tree/refs%2Fpr%2F1/a%20b?expand=1&x=%2F",
                "/api/spaces/bob/new/tree/refs%2Fpr%2F1/a%20b?expand=1&x=%2F",
            ),
            ("/spaces/ada/old/resolve/main/spaces/ada/old", "/spaces/bob/new/resolve/main/spaces/ada/old"),
            (
                "/spaces/ada/old.git/info/refs?service=git-upload-pack",
                "/spaces/bob/new.git/info/refs?service=git-upload-pack",
            ),
        ] {
            assert_eq!(moved(asked).as_deref(), Some(expected));
        }
        assert_eq!(moved("/api/repos/delete"), None);
        assert_eq!(moved("/api/spaces/ada"), None);
    }
}
