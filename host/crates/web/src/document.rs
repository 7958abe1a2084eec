//! Routes that say what they are for, and the OpenAPI document that is made of what they say.
//!
//! A route is added to the router by [`Described`] alone, with its description, so that none can be served and missing in
//! the document. A group of routes that is still added plainly is not in it.

use std::collections::BTreeMap;

use axum::Json;
use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, get, on};
use serde_json::{Map, Value, json};

use crate::router::AppState;

/// Where the document is.
pub(crate) const DOCUMENT_PATH: &str = "/api/openapi.json";

/// What a member or a parameter holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Number,
    Switch,
    /// A time, or a day.
    Time,
}

/// A member of a body, or a parameter of the query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    name: &'static str,
    kind: Kind,
    is_required: bool,
    is_nullable: bool,
    about: &'static str,
}

/// What a route is for.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// In a sentence.
    summary: &'static str,
    query: Vec<Field>,
    body: Option<Vec<Field>>,
    /// The members of its answer, where it is an object; `None`: a list in pages.
    is_list: bool,
}

/// Routes with their descriptions.
pub(crate) struct Described {
    router: Router<AppState>,
    group: &'static str,
    /// By path and method.
    routes: BTreeMap<(&'static str, &'static str), (&'static str, About)>,
}

/// A parameter or member that must be there.
pub(crate) const fn needs(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, is_required: true, is_nullable: false, about }
}

/// A parameter or member that may be there.
pub(crate) const fn takes(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, is_required: false, is_nullable: false, about }
}

/// A member that may be there and may be `null`.
pub(crate) const fn takes_null(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, is_required: false, is_nullable: true, about }
}

impl About {
    /// A route whose answer is an object.
    pub(crate) fn one(summary: &'static str) -> Self {
        Self { summary, query: Vec::new(), body: None, is_list: false }
    }

    /// A route whose answer is a list in pages.
    pub(crate) fn list(summary: &'static str) -> Self {
        let query = vec![
            takes("limit", Kind::Number, "The most items on a page."),
            takes("cursor", Kind::Text, "Where the page begins; follow \"next\" instead of making one up."),
        ];
        Self { summary, query, body: None, is_list: true }
    }

    /// With parameters of the query.
    pub(crate) fn query(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.query.extend(fields);
        self
    }

    /// With the members of its JSON body.
    pub(crate) fn body(self, fields: impl IntoIterator<Item = Field>) -> Self {
        Self { body: Some(fields.into_iter().collect()), ..self }
    }
}

impl Described {
    /// No routes yet; those to come belong to a group.
    pub(crate) fn new(group: &'static str) -> Self {
        Self { router: Router::new(), group, routes: BTreeMap::new() }
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

    /// The routes, and one more that tells of all of them and of itself.
    pub(crate) fn finish(mut self) -> Router<AppState> {
        let about = About::one("This document.");
        self.routes.insert((DOCUMENT_PATH, "get"), ("Host", about));
        let document = self.document();
        self.router.route(DOCUMENT_PATH, get(async move || Json(document.clone())))
    }

    fn document(&self) -> Value {
        let mut paths = Map::new();
        for ((path, method), (group, about)) in &self.routes {
            let item = paths.entry((*path).replace('*', "")).or_insert_with(|| json!({}));
            item[*method] = operation(path, method, group, about);
        }
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Spaceport",
                "version": env!("CARGO_PKG_VERSION"),
                "summary": "What this host offers beside what clients of the Hub know.",
            },
            "paths": paths,
            "components": {
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
                "schemas": {
                    "Error": {
                        "type": "object",
                        "required": ["error"],
                        "properties": { "error": { "type": "string", "description": "What is wrong, for people." } },
                    },
                    "Page": {
                        "type": "object",
                        "required": ["items", "next"],
                        "properties": {
                            "items": { "type": "array", "items": { "type": "object" } },
                            "next": { "type": ["string", "null"], "format": "uri" },
                        },
                    },
                },
            },
            "security": [{ "token": [] }],
        })
    }
}

fn operation(path: &str, method: &str, group: &str, about: &About) -> Value {
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(|name| {
        json!({ "name": name.trim_start_matches('*'), "in": "path", "required": true, "schema": { "type": "string" } })
    });
    let in_query = about.query.iter().map(|field| {
        json!({
            "name": field.name,
            "in": "query",
            "required": field.is_required,
            "description": field.about,
            "schema": schema(field),
        })
    });
    let parameters: Vec<Value> = in_path.chain(in_query).collect();
    let answer = match about.is_list {
        true => json!({ "$ref": "#/components/schemas/Page" }),
        false => json!({ "type": "object" }),
    };
    let error = json!({ "schema": { "$ref": "#/components/schemas/Error" } });
    let mut operation = json!({
        "operationId": format!("{method} {path}"),
        "summary": about.summary,
        "tags": [group],
        "parameters": parameters,
        "responses": {
            "200": { "description": "Done.", "content": { "application/json": { "schema": answer } } },
            "default": {
                "description": "It was not done; X-Error-Code says why, for programs.",
                "content": { "application/json": error },
            },
        },
    });
    if let Some(fields) = &about.body {
        let members: Map<String, Value> =
            fields.iter().map(|field| (field.name.to_owned(), described(field))).collect();
        let required: Vec<&str> = fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
        let schema = json!({ "type": "object", "required": required, "properties": members });
        operation["requestBody"] = json!({
            "required": !required.is_empty(),
            "content": { "application/json": { "schema": schema } },
        });
    }
    operation
}

fn described(field: &Field) -> Value {
    let mut schema = schema(field);
    schema["description"] = json!(field.about);
    schema
}

fn schema(field: &Field) -> Value {
    let word = match field.kind {
        Kind::Text | Kind::Time => "string",
        Kind::Number => "integer",
        Kind::Switch => "boolean",
    };
    match field.is_nullable {
        true => json!({ "type": [word, "null"] }),
        false => json!({ "type": word }),
    }
}
