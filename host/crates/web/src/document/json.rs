//! The OpenAPI document itself, made of what the routes say and of what is true of all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::about::{About, Body, Content, Form, Who};
use super::kind::{Kind, Shapes, object};
use super::path::documented;
use crate::rate::is_counted;

/// Routes by path and method, each with its group.
pub(super) type Routes = BTreeMap<(&'static str, &'static str), (&'static str, About)>;

/// Each status that is not success: the name of its response and what it means.
const REFUSALS: [(u16, &str, &str); 9] = [
    (400, "BadRequest", "The request must be written otherwise, or asks for what is not possible or not offered."),
    (401, "SignIn", "The token is none, or one is needed: a Space that is not to be seen reads as this to nobody."),
    (403, "Forbidden", "The token is not for this, its bearer may not, or a quota is used up."),
    (404, "NotFound", "There is no such thing, or the caller may not know of it; X-Error-Code says what is missing."),
    (409, "Conflict", "The name is taken, or the state of things does not allow it now."),
    (412, "Outdated", "The branch has moved on since the commit that the request starts from."),
    (413, "TooLarge", "The body is too large."),
    (429, "TooManyRequests", "Too many requests; Retry-After says when to come again."),
    (408, "Late", "The body took too long."),
];

/// The document.
pub(super) fn document(routes: &Routes) -> Value {
    let mut shapes = Shapes::new();
    let mut paths = Map::new();
    for ((route, method), (group, about)) in routes {
        let (path, parameters) = documented(route);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[*method] = operation(route, method, (group, about, parameters), &mut shapes);
    }
    let mut schemas: Map<String, Value> = shapes.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    schemas.insert("Error".to_owned(), error());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Spaceport",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The API of this host: that of the Hub for Spaces, and its own beside it.",
            "description": "A token goes into the header Authorization, as Bearer. An error has its words in the member \
                            \"error\" and in X-Error-Message, and a code for programs in X-Error-Code.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas,
            "responses": responses(),
        },
    })
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": { "type": "string", "description": "What is wrong, for people." } },
    })
}

fn operation(
    route: &str,
    method: &str,
    (group, about, mut parameters): (&str, &About, Vec<Value>),
    shapes: &mut Shapes,
) -> Value {
    parameters.extend(about.query.iter().map(|field| field.parameter(shapes)));
    let mut operation = json!({
        "operationId": id(route, method),
        "summary": about.summary,
        "tags": [group],
        "parameters": parameters,
        "security": match who(route, method, about) {
            Who::Everybody => json!([]),
            Who::Anybody => json!([{}, { "token": [] }]),
            Who::Signed => json!([{ "token": [] }]),
        },
    });
    if let Some(body) = &about.body {
        operation["requestBody"] = request_body(body, shapes);
    }
    let refusals = statuses(route, method, about).into_iter();
    let mut answers: Map<String, Value> = refusals.map(|status| (status.to_string(), other(status))).collect();
    if !matches!(about.content, Content::Never) {
        answers.insert(about.status.to_string(), success(about, shapes));
    }
    answers.insert("5XX".to_owned(), json!({ "$ref": "#/components/responses/Failed" }));
    operation["responses"] = Value::Object(answers);
    operation
}

fn request_body(body: &Body, shapes: &mut Shapes) -> Value {
    let mut schema = object(&body.fields, shapes);
    if body.is_exact {
        schema["additionalProperties"] = json!(false);
    }
    let content = match body.form {
        Form::Json => json!({ "application/json": { "schema": schema } }),
        Form::Either => json!({
            "application/x-www-form-urlencoded": { "schema": schema },
            "application/json": { "schema": schema },
        }),
        Form::Lines => json!({ "application/x-ndjson": { "schema": schema } }),
        Form::Component => json!({ "application/wasm": { "schema": { "type": "string", "format": "binary" } } }),
    };
    let is_required = body.form == Form::Component || body.fields.iter().any(|field| field.is_required);
    json!({ "required": is_required, "content": content })
}

/// A name for the operation that a program can call a function.
fn id(route: &str, method: &str) -> String {
    let (path, _) = documented(route);
    let path = path.strip_prefix("/api").unwrap_or(&path);
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

fn who(route: &str, method: &str, about: &About) -> Who {
    let is_own = route.starts_with("/api/admin/") || route.starts_with("/api/settings/");
    let usual = if is_own || method != "get" { Who::Signed } else { Who::Anybody };
    about.who.unwrap_or(usual)
}

/// What a request to such an address can come to, beside success.
fn statuses(route: &str, method: &str, about: &About) -> BTreeSet<u16> {
    let mut statuses: BTreeSet<u16> = about.more.iter().copied().collect();
    let has_parts = route.contains('{');
    if has_parts || about.body.is_some() || !about.query.is_empty() {
        statuses.insert(400);
    }
    match who(route, method, about) {
        Who::Everybody => {}
        Who::Anybody => drop(statuses.insert(401)),
        Who::Signed => statuses.extend([401, 403]),
    }
    if has_parts {
        statuses.insert(404);
    }
    if route.contains("/spaces/{owner}/{name}") {
        statuses.insert(307);
    }
    if about.body.is_some() {
        statuses.insert(413);
    }
    if is_counted(route) {
        statuses.insert(429);
    }
    statuses
}

fn success(about: &About, shapes: &mut Shapes) -> Value {
    let mut answer = json!({ "description": "Done." });
    if about.is_paged {
        answer["headers"] = json!({
            "Link": header("The address of the next page, if there is one."),
            "X-Total-Count": { "schema": { "type": "integer" }, "description": "How many there are on all pages." },
        });
    }
    let (kind, schema) = match about.content {
        Content::Never | Content::Nothing => {
            if about.status == 307 {
                answer["headers"] = json!({ "Location": always("Where it leads.") });
            }
            return answer;
        }
        Content::Text => ("text/plain", Kind::Text.schema(shapes)),
        Content::Json(kind) => ("application/json", kind.schema(shapes)),
        Content::Items(kind) => ("application/json", items(kind, shapes)),
        Content::Events(kind) => {
            answer["description"] = json!("Events as they come: after \"data: \", an object of one line.");
            ("text/event-stream", kind.schema(shapes))
        }
        Content::Bytes => {
            answer["content"] = json!({ "application/octet-stream": {}, "text/plain": {} });
            return answer;
        }
    };
    answer["content"] = json!({ kind: { "schema": schema } });
    answer
}

fn items(kind: Kind, shapes: &mut Shapes) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": { "type": "array", "items": kind.schema(shapes) },
            "next": { "type": ["string", "null"], "description": "The address of the next page." },
        },
    })
}

fn other(status: u16) -> Value {
    match status {
        206 => json!({
            "description": "The part that Range asks for.",
            "content": { "application/octet-stream": {}, "text/plain": {} },
        }),
        304 => json!({ "description": "It is what If-None-Match names." }),
        307 => json!({ "$ref": "#/components/responses/Moved" }),
        416 => json!({ "description": "There is no such part." }),
        status => {
            let known = REFUSALS.iter().find(|(known, ..)| *known == status);
            let (_, name, _) = known.unwrap_or(&REFUSALS[0]);
            json!({ "$ref": format!("#/components/responses/{name}") })
        }
    }
}

fn responses() -> Value {
    let refusals = REFUSALS.iter().map(|(_, name, about)| ((*name).to_owned(), refusal(about)));
    let mut responses: Map<String, Value> = refusals.collect();
    responses.insert("Failed".to_owned(), refusal("It was not done, through no fault of the request."));
    let moved = json!({
        "description": "The Space has another path now: send the same there.",
        "headers": { "Location": always("The address with the new path.") },
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    });
    responses.insert("Moved".to_owned(), moved);
    Value::Object(responses)
}

fn refusal(about: &str) -> Value {
    json!({
        "description": about,
        "headers": {
            "X-Error-Code": always("What is wrong, for programs."),
            "X-Error-Message": always("What is wrong, for people, as far as a header can say it."),
            "X-Request-Id": always("By which the operator finds the request in the log."),
        },
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    })
}

/// A header that is always there.
fn always(about: &str) -> Value {
    let mut header = header(about);
    header["required"] = json!(true);
    header
}

fn header(about: &str) -> Value {
    json!({ "schema": { "type": "string" }, "description": about })
}
