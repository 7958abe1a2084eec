//! What a route says of itself: what it is for, what it takes, what it answers. What follows from its address and method (its
//! parameters, the usual refusals) it need not say.

use super::kind::{Field, Kind, takes};

/// What a route is for.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// In a sentence.
    pub(super) summary: &'static str,
    pub(super) query: Vec<Field>,
    pub(super) body: Option<Body>,
    pub(super) status: u16,
    pub(super) content: Content,
    /// Whether the answer is a part of a list, with the address of the next part in `Link`.
    pub(super) is_paged: bool,
    pub(super) who: Option<Who>,
    /// Statuses beside those that follow from address and method.
    pub(super) more: Vec<u16>,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Everybody; a token is not looked at.
    Everybody,
    /// Everybody, as far as what they may see; a token lets its bearer see more.
    Anybody,
    /// Whoever has a token.
    Signed,
}

/// A body that is taken.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) fields: Vec<Field>,
    pub(super) form: Form,
    /// Whether other members are refused.
    pub(super) is_exact: bool,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    /// As a form, or as JSON.
    Either,
    /// One JSON object with these members a line.
    Lines,
    /// The bytes of a component.
    Component,
}

/// What an answer holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    /// It is always a refusal.
    Never,
    Nothing,
    Text,
    Json(Kind),
    /// A list of our own: items, and the address of the next part.
    Items(Kind),
    /// One such object an event, for as long as somebody listens.
    Events(Kind),
    Bytes,
}

impl About {
    /// A route whose answer is an object.
    pub(crate) fn one(summary: &'static str) -> Self {
        let content = Content::Json(Kind::Object);
        let (query, more) = (Vec::new(), Vec::new());
        Self { summary, query, body: None, status: 200, content, is_paged: false, who: None, more }
    }

    /// A route whose answer is a list in pages: `items` and `next`.
    pub(crate) fn list(summary: &'static str) -> Self {
        Self { content: Content::Items(Kind::Object), ..Self::one(summary) }.query(PAGE)
    }

    /// An answer that is a list of ours in one page: what there is of it never fills more.
    pub(crate) fn items(self, kind: Kind) -> Self {
        Self { content: Content::Items(kind), ..self }
    }

    /// A route whose answer is a bare array, in pages that lead to each other by `Link`.
    pub(crate) fn array(summary: &'static str, items: &'static Kind) -> Self {
        Self { is_paged: true, ..Self::one(summary) }.answers(Kind::Many(items)).query(PAGE)
    }

    /// What the answer is, or an item of the list.
    pub(crate) fn answers(self, kind: Kind) -> Self {
        let content = match self.content {
            Content::Items(_) => Content::Items(kind),
            _ => Content::Json(kind),
        };
        Self { content, ..self }
    }

    /// An answer whose status says all: a word for people, if anything.
    pub(crate) fn text(self) -> Self {
        Self { content: Content::Text, ..self }
    }

    /// An answer that goes on: an object for each event.
    pub(crate) fn events(self, kind: Kind) -> Self {
        Self { content: Content::Events(kind), ..self }
    }

    /// An answer of bytes as they are, or of a part of them.
    pub(crate) fn bytes(self) -> Self {
        Self { content: Content::Bytes, ..self }.also([206, 304, 416])
    }

    /// An answer without a body.
    pub(crate) fn nothing(self, status: u16) -> Self {
        Self { content: Content::Nothing, status, ..self }
    }

    /// An answer that leads elsewhere.
    pub(crate) fn leads(self) -> Self {
        self.nothing(307)
    }

    /// A route that is there to say that something is not offered.
    pub(crate) fn never(self) -> Self {
        Self { content: Content::Never, ..self }.also([400])
    }

    /// The status, where it is not 200.
    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Further statuses that it may have.
    pub(crate) fn also(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.more.extend(statuses);
        self
    }

    /// With parameters of the query.
    pub(crate) fn query(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.query.extend(fields);
        self
    }

    /// With the members of its JSON body.
    pub(crate) fn body(self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.sent(Form::Json, fields)
    }

    /// With further members of its body.
    pub(crate) fn body_also(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        if let Some(body) = &mut self.body {
            body.fields.extend(fields);
        }
        self
    }

    /// With the members of its body, which is a form or JSON.
    pub(crate) fn form(self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.sent(Form::Either, fields)
    }

    /// With the members of each line of its body.
    pub(crate) fn lines(self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.sent(Form::Lines, fields)
    }

    /// With a component as its body, as it is.
    pub(crate) fn component(self) -> Self {
        self.sent(Form::Component, [])
    }

    fn sent(self, form: Form, fields: impl IntoIterator<Item = Field>) -> Self {
        let body = Body { fields: fields.into_iter().collect(), form, is_exact: false };
        Self { body: Some(body), ..self }
    }

    /// Members of the body that are not known are refused.
    pub(crate) fn exact(mut self) -> Self {
        if let Some(body) = &mut self.body {
            body.is_exact = true;
        }
        self
    }

    /// For everybody: no token is looked at.
    pub(crate) fn open(self) -> Self {
        Self { who: Some(Who::Everybody), ..self }
    }

    /// For everybody who may see what it is about.
    pub(crate) fn public(self) -> Self {
        Self { who: Some(Who::Anybody), ..self }
    }

    /// For whoever has signed in.
    pub(crate) fn signed(self) -> Self {
        Self { who: Some(Who::Signed), ..self }
    }
}

/// The parameters by which a part of a list is asked for.
const PAGE: [Field; 2] = [
    takes("limit", Kind::Number, "The most items on a page."),
    takes("cursor", Kind::Text, "Where the page begins; follow the address of the next page instead of making one up."),
];
