//! A picture for every name: its first letter on a colour of its own. Programs that show who has signed in want one.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use crate::error::{ApiError, ApiResult};
use crate::extract::Param;
use crate::router::AppState;

/// Steps around the circle of colours.
const HUES: u32 = 360;

/// The picture of an account.
pub(crate) async fn avatar(State(app): State<AppState>, Param(file): Param) -> ApiResult<Response> {
    let name = file.strip_suffix(".svg").and_then(|name| name.parse().ok()).ok_or_else(ApiError::not_found)?;
    let account = app.control.accounts().account(&name)?;
    let text = account.name.as_str();
    let hue = text.bytes().fold(7_u32, |hue, byte| (hue * 31 + u32::from(byte)) % HUES);
    // The letters of a name are harmless in markup.
    let letter = text.chars().next().unwrap_or('?').to_ascii_uppercase();
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 64 64\"><rect width=\"64\" height=\"64\" \
         fill=\"hsl({hue},55%,45%)\"/><text x=\"32\" y=\"43\" font-family=\"sans-serif\" font-size=\"32\" \
         fill=\"#fff\" text-anchor=\"middle\">{letter}</text></svg>"
    );
    let mut response = svg.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    Ok(response)
}
