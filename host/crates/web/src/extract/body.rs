//! Bodies that fit into memory: JSON, whatever type it says it is (clients forget), and forms. `DELETE` has one too.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use spaceport_core::limits::Bytes as Size;

use super::QueryPairs;
use crate::error::ApiError;

/// Largest JSON or form body, in bytes: a `preupload` of 256 files with a sample of each, or the README that is to be
/// checked, take a fraction of it.
const MAX_JSON: usize = 4 << 20;

/// A JSON body: an object. Nothing else is taken, although its members in their order could be read as one, too.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let bytes = whole(request.into_body(), MAX_JSON).await?;
        // An absent body is an object without members: what is missing is then said by name.
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(ApiError::bad_request("The body is not the JSON that is expected: it must be an object"));
        }
        let value = serde_json::from_slice(text)
            .map_err(|error| ApiError::bad_request(format!("The body is not the JSON that is expected: {error}")))?;
        Ok(Self(value))
    }
}

/// Pairs from a form, or from a JSON object of strings, booleans and lists of strings.
pub(crate) struct Form(pub(crate) QueryPairs);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let content_type =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if content_type.starts_with("application/json") {
            let JsonBody(object) = JsonBody::from_request(request, state).await?;
            return Ok(Self(QueryPairs::from_json(&object)));
        }
        let bytes = whole(request.into_body(), MAX_JSON).await?;
        Ok(Self(QueryPairs::parse(&String::from_utf8_lossy(&bytes))))
    }
}

impl QueryPairs {
    fn from_json(object: &serde_json::Map<String, serde_json::Value>) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in object {
            let values = match value {
                serde_json::Value::Array(values) => values.iter().collect(),
                value => vec![value],
            };
            for value in values {
                match value {
                    serde_json::Value::String(text) => form.append_pair(name, text),
                    value => form.append_pair(name, &value.to_string()),
                };
            }
        }
        Self::parse(&form.finish())
    }
}

/// A body of at most so many bytes.
pub(crate) async fn whole(body: Body, most: usize) -> Result<Bytes, ApiError> {
    to_bytes(body, most).await.map_err(|error| {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(inner) = source {
            if inner.is::<http_body_util::LengthLimitError>() {
                return ApiError::too_large(format!("The body may have at most {}", Size(most as u64)));
            }
            source = inner.source();
        }
        ApiError::bad_request("The body broke off")
    })
}
