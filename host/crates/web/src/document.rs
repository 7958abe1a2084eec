//! Routes that say what they are for, and the OpenAPI document that is made of what they say.
//!
//! A route of the JSON API is added to the router by [`Described`] alone, with its description beside it, so that none can
//! be served and missing in the document, nor the other way round. What is added plainly is no JSON API; `LEFT_OUT` in
//! `path` names it, with reasons.
//!
//! Macros that derive such a document from types (utoipa, aide) would find little here: answers are made member by member,
//! in the clients' spelling, and which members a body has is checked against the handlers by tests.

mod about;
mod json;
mod kind;
mod path;
pub(crate) mod shapes;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, get, on};
use bytes::Bytes;
use http::header::CONTENT_TYPE;

use crate::router::AppState;
pub(crate) use about::About;
pub(crate) use kind::{Field, Kind, Shape, has, has_null, may, may_null, needs, takes, takes_null};
#[cfg(test)]
pub(crate) use path::{LEFT_OUT, documented};

/// Where the document is.
pub(crate) const DOCUMENT_PATH: &str = "/api/openapi.json";

/// Routes with their descriptions.
pub(crate) struct Described {
    router: Router<AppState>,
    group: &'static str,
    routes: json::Routes,
}

impl Described {
    /// No routes yet; those to come belong to a group.
    pub(crate) fn new(group: &'static str) -> Self {
        Self { router: Router::new(), group, routes: json::Routes::new() }
    }

    /// Routes from here on belong to another group.
    pub(crate) fn group(self, group: &'static str) -> Self {
        Self { group, ..self }
    }

    pub(crate) fn get<T: 'static>(self, path: &'static str, about: About, handler: impl Handler<T, AppState>) -> Self {
        self.add(("get", MethodFilter::GET), path, about, handler)
    }

    pub(crate) fn post<T: 'static>(self, path: &'static str, about: About, handler: impl Handler<T, AppState>) -> Self {
        self.add(("post", MethodFilter::POST), path, about, handler)
    }

    pub(crate) fn put<T: 'static>(self, path: &'static str, about: About, handler: impl Handler<T, AppState>) -> Self {
        self.add(("put", MethodFilter::PUT), path, about, handler)
    }

    pub(crate) fn patch<T: 'static>(
        self,
        path: &'static str,
        about: About,
        handler: impl Handler<T, AppState>,
    ) -> Self {
        self.add(("patch", MethodFilter::PATCH), path, about, handler)
    }

    pub(crate) fn delete<T: 'static>(
        self,
        path: &'static str,
        about: About,
        handler: impl Handler<T, AppState>,
    ) -> Self {
        self.add(("delete", MethodFilter::DELETE), path, about, handler)
    }

    fn add<T: 'static>(
        mut self,
        (method, filter): (&'static str, MethodFilter),
        path: &'static str,
        about: About,
        handler: impl Handler<T, AppState>,
    ) -> Self {
        self.router = self.router.route(path, on(filter, handler));
        self.routes.insert((path, method), (self.group, about));
        self
    }

    /// The same with something around all of its routes.
    pub(crate) fn within(self, layer: impl FnOnce(Router<AppState>) -> Router<AppState>) -> Self {
        Self { router: layer(self.router), ..self }
    }

    /// The same and others.
    pub(crate) fn and(self, others: Self) -> Self {
        let mut routes = self.routes;
        routes.extend(others.routes);
        Self { router: self.router.merge(others.router), group: self.group, routes }
    }

    /// The routes, and one more that tells of all of them and of itself.
    pub(crate) fn finish(mut self) -> Router<AppState> {
        self.routes.insert((DOCUMENT_PATH, "get"), ("Host", About::one("This document.").open()));
        let document = Bytes::from(json::document(&self.routes).to_string());
        let answer = async move || ([(CONTENT_TYPE, "application/json")], document.clone());
        self.router.route(DOCUMENT_PATH, get(answer))
    }
}
