//! Style and scripts of the pages, out of this program. Their address has a mark of their content, so browsers keep them for
//! good and never use an old one with a new page.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Uri, header};

use crate::error::{ApiError, ApiResult};

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($kind:ident $name:literal,)*) => {
        /// Every file: its name, its type and what is in it.
        const FILES: &[(&str, &str, &str)] = &[$(($name, $kind, include_str!(concat!("assets/", $name))),)*];
    };
}

files! {
    CSS "style.css",
    JS "account.js",
    JS "community.js",
    JS "files.js",
    JS "home.js",
    JS "join.js",
    JS "live.js",
    JS "logs.js",
    JS "metrics.js",
    JS "name.js",
    JS "new_space.js",
    JS "page.js",
    JS "settings.js",
    JS "space.js",
    JS "upload.js",
}

/// In front of their names. Scripts import each other by relative address.
static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let mut mark = DefaultHasher::new();
    FILES.hash(&mut mark);
    format!("/assets/{:016x}", mark.finish())
});

/// The route of a file.
pub(crate) const ROUTE: &str = "/assets/{rev}/{param}";

/// Where the files are.
pub(super) fn folder() -> &'static str {
    &FOLDER
}

/// One file. Whatever mark is asked for, it is the file as it is now; only with the right one it is kept.
pub(crate) async fn file(uri: Uri) -> ApiResult<Response> {
    let (folder, name) = uri.path().rsplit_once('/').unwrap_or_default();
    let found = FILES.iter().find(|(file, ..)| *file == name);
    let (_, kind, content) = found.copied().ok_or_else(ApiError::not_found)?;
    let is_current = folder == self::folder();
    let policy = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(policy)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, content).into_response())
}
