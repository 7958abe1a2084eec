//! What members and parameters hold, in words that a constant can be made of, and as JSON Schema.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use spaceport_core::name::MAX_NAME;
use spaceport_core::space::MAX_VARIABLE_NAME;

/// The rule for names, as a pattern.
const NAME: &str = r"^(?!.*(--|\.\.|\.git$))[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$";
/// The rule for the names of variables.
const KEY: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// What a member or a parameter holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    /// The name of a user, an organization or a Space that is to be.
    Name,
    /// The name of a variable or a secret.
    Key,
    /// A whole number from 0 on.
    Number,
    /// A whole number of either sign.
    Integer,
    /// A number with a fraction.
    Amount,
    Switch,
    /// A time, or a day, as somebody may write it.
    Time,
    /// A time as this host writes it.
    Moment,
    OneOf(&'static [&'static str]),
    Many(&'static Kind),
    /// An object whose members have names of their own, and all hold this.
    ByName(&'static Kind),
    /// An object with these members, and maybe others.
    A(&'static Shape),
    /// An object of which no more is said.
    Object,
    Anything,
}

/// The members of an object that the document knows by a name.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
}

/// A member of a body, or a parameter of the query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    is_nullable: bool,
    about: &'static str,
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

/// A member of an answer whose name says what it is.
pub(crate) const fn has(name: &'static str, kind: Kind) -> Field {
    needs(name, kind, "")
}

/// A member of an answer that is not always there.
pub(crate) const fn may(name: &'static str, kind: Kind) -> Field {
    takes(name, kind, "")
}

/// A member of an answer that may be `null`.
pub(crate) const fn has_null(name: &'static str, kind: Kind) -> Field {
    Field { is_nullable: true, ..needs(name, kind, "") }
}

/// A member of an answer that is not always there, and may be `null`.
pub(crate) const fn may_null(name: &'static str, kind: Kind) -> Field {
    takes_null(name, kind, "")
}

/// The shapes that a document refers to, by name.
pub(super) type Shapes = BTreeMap<&'static str, Value>;

impl Kind {
    /// As JSON Schema; notes the shapes that it refers to.
    pub(super) fn schema(self, shapes: &mut Shapes) -> Value {
        match self {
            Self::Text | Self::Time => json!({ "type": "string" }),
            Self::Name => json!({ "type": "string", "maxLength": MAX_NAME, "pattern": NAME }),
            Self::Key => json!({ "type": "string", "maxLength": MAX_VARIABLE_NAME, "pattern": KEY }),
            Self::Number => json!({ "type": "integer", "minimum": 0 }),
            Self::Integer => json!({ "type": "integer" }),
            Self::Amount => json!({ "type": "number" }),
            Self::Switch => json!({ "type": "boolean" }),
            Self::Moment => json!({ "type": "string", "format": "date-time" }),
            Self::OneOf(words) => json!({ "type": "string", "enum": words }),
            Self::Many(kind) => json!({ "type": "array", "items": kind.schema(shapes) }),
            Self::ByName(kind) => json!({ "type": "object", "additionalProperties": kind.schema(shapes) }),
            Self::Object => json!({ "type": "object" }),
            Self::Anything => json!({}),
            Self::A(shape) => {
                if !shapes.contains_key(shape.name) {
                    // Before its members, which may lead back to it.
                    shapes.insert(shape.name, Value::Null);
                    let schema = object(shape.fields, shapes);
                    shapes.insert(shape.name, schema);
                }
                json!({ "$ref": format!("#/components/schemas/{}", shape.name) })
            }
        }
    }
}

impl Field {
    /// What it holds, as JSON Schema.
    pub(super) fn schema(&self, shapes: &mut Shapes) -> Value {
        let schema = self.kind.schema(shapes);
        match (self.is_nullable, schema.get("type").cloned()) {
            (false, _) => schema,
            // What may be anything may be nothing.
            (true, None) if schema.get("$ref").is_none() => schema,
            (true, Some(word)) if schema.get("enum").is_none() => {
                let mut schema = schema;
                schema["type"] = json!([word, "null"]);
                schema
            }
            (true, _) => json!({ "anyOf": [schema, { "type": "null" }] }),
        }
    }

    /// As a parameter of the query.
    pub(super) fn parameter(&self, shapes: &mut Shapes) -> Value {
        json!({
            "name": self.name,
            "in": "query",
            "required": self.is_required,
            "description": self.about,
            "schema": self.schema(shapes),
        })
    }
}

/// An object with these members, as JSON Schema.
pub(super) fn object(fields: &[Field], shapes: &mut Shapes) -> Value {
    let mut members = Map::new();
    for field in fields {
        let mut schema = field.schema(shapes);
        if !field.about.is_empty() {
            schema["description"] = json!(field.about);
        }
        members.insert(field.name.to_owned(), schema);
    }
    let required: Vec<&str> = fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
    json!({ "type": "object", "required": required, "properties": members })
}
