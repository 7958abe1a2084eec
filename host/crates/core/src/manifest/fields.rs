//! Typed access to the keys of a front matter that collects every mistake instead of stopping at the first.

use std::fmt::Display;

use serde_json::{Map, Value};

/// A group of keys, with the mistakes found so far. A key without a value counts as left out.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// What the group is called in front of its keys: empty for the top, `wasm.` below it.
    prefix: &'static str,
    /// What is wrong, a sentence each.
    pub(super) problems: Vec<String>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(map: &'a Map<String, Value>, prefix: &'static str) -> Self {
        Self { map, prefix, problems: Vec::new() }
    }

    /// Notes a mistake: the key, and what to write.
    pub(super) fn problem(&mut self, key: &str, what: impl Display) {
        self.problems.push(format!("{}{key}: {what}", self.prefix));
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.map.keys().map(String::as_str)
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        match self.get(key)? {
            Value::String(text) => Some(text),
            Value::Number(number) => {
                self.problem(key, format_args!("is read as a number: write it in quotes, \"{number}\""));
                None
            }
            Value::Bool(value) => {
                self.problem(key, format_args!("is read as true or false: write it in quotes, \"{value}\""));
                None
            }
            other => {
                self.problem(key, format_args!("is {}: write text", kind(other)));
                None
            }
        }
    }

    /// One of some words.
    pub(super) fn one_of(&mut self, key: &str, words: &[&str]) -> Option<&'a str> {
        let text = self.text(key)?;
        if words.contains(&text) {
            return Some(text);
        }
        self.problem(key, format_args!("is {text:?}: write one of {}", words.join(", ")));
        None
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(value) => Some(*value),
            other => {
                self.problem(key, format_args!("is {}: write true or false, without quotes", kind(other)));
                None
            }
        }
    }

    /// A whole number from one to a largest.
    pub(super) fn number(&mut self, key: &str, largest: u32) -> Option<u32> {
        let value = self.get(key)?;
        match value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (1..=largest).contains(number))
        {
            Some(number) => Some(number),
            None => {
                let given = if value.is_number() { value.to_string() } else { kind(value).to_owned() };
                self.problem(key, format_args!("is {given}: write a whole number from 1 to {largest}"));
                None
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<&'a str>> {
        let value = self.get(key)?;
        let texts = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect());
        if texts.is_none() {
            let given = if value.is_array() { "holds more than text" } else { kind(value) };
            let verb = if value.is_array() { "" } else { "is " };
            self.problem(key, format_args!("{verb}{given}: write a list of texts, such as [one, two]"));
        }
        texts
    }

    /// A text, or a list of texts.
    pub(super) fn text_or_texts(&mut self, key: &str) -> Option<Vec<&'a str>> {
        match self.get(key)? {
            Value::String(text) => Some(vec![text]),
            _ => self.texts(key),
        }
    }

    /// A group of keys.
    pub(super) fn group(&mut self, key: &str) -> Option<&'a Map<String, Value>> {
        match self.get(key)? {
            Value::Object(map) => Some(map),
            other => {
                self.problem(key, format_args!("is {}: write keys below it, indented, each with a value", kind(other)));
                None
            }
        }
    }
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a group of keys",
    }
}
