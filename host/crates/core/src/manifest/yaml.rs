//! YAML read into JSON values, within a budget.
//!
//! A few lines with anchors can stand for gigabytes. So what is counted is what comes out, not what is written: the
//! reading stops as soon as there is too much of it. Keys become text, as JSON has them, and no key comes twice.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::MAX_FRONT_MATTER;

/// Values that a front matter may hold: more than fit without anchors cost nothing to refuse.
const MAX_VALUES: usize = 20_000;
/// Bytes of all its texts.
const MAX_TEXT: usize = 4 * MAX_FRONT_MATTER;
/// The line of the block's start in the README; YAML counts from the line after it.
const FIRST_LINE: usize = 1;

/// Brackets open at a time: the parser takes quadratic time over them, and nobody nests that deep.
const MAX_OPEN: usize = 50;

/// Reads a block. The error is a sentence for the author.
pub(super) fn read(block: &str) -> Result<Value, String> {
    if deepest_bracket(block) > MAX_OPEN {
        return Err(format!(
            "the front matter has more than {MAX_OPEN} brackets open at a time: write lists on lines of their own"
        ));
    }
    let budget = Budget { values: Cell::new(MAX_VALUES), text: Cell::new(MAX_TEXT) };
    let bounded = Bounded { budget: &budget };
    bounded.deserialize(serde_yaml_ng::Deserializer::from_str(block)).map_err(|error| sentence(&error))
}

/// Brackets open at a time at most; those in quotes and comments count too.
fn deepest_bracket(block: &str) -> usize {
    let mut open = 0usize;
    let mut deepest = 0;
    for byte in block.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

fn sentence(error: &serde_yaml_ng::Error) -> String {
    let text = error.to_string();
    match error.location() {
        Some(at) => {
            // The text ends in a position within the block, which is not the one the author sees.
            let text = text.split(" at line ").next().unwrap_or(&text);
            let line = at.line() + FIRST_LINE;
            format!("the front matter cannot be read as YAML, line {line}, column {}: {text}", at.column())
        }
        None => format!("the front matter cannot be read as YAML: {text}"),
    }
}

/// What may still come.
struct Budget {
    values: Cell<usize>,
    text: Cell<usize>,
}

impl Budget {
    fn take<E: de::Error>(&self, text: usize) -> Result<(), E> {
        let take = |left: &Cell<usize>, amount| left.get().checked_sub(amount).map(|rest| left.set(rest));
        take(&self.values, 1)
            .and_then(|()| take(&self.text, text))
            .ok_or_else(|| E::custom("it stands for too much: write values out instead of repeating them by anchors"))
    }
}

/// Reads one value and charges it to the budget.
#[derive(Clone, Copy)]
struct Bounded<'a> {
    budget: &'a Budget,
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.budget.take(0).map(|()| Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        self.budget.take(0).map(|()| Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.budget.take(0).map(|()| Value::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.budget.take(0).map(|()| Value::Number(value.into()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        // JSON has no infinity; as text it is at least seen.
        let value = Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number);
        self.budget.take(0).map(|()| value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        self.budget.take(value.len()).map(|()| Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.budget.take(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.budget.take(0)?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key_seed(self)? {
            let key = match key {
                Value::String(text) => text,
                Value::Null => "null".to_owned(),
                Value::Bool(_) | Value::Number(_) => key.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(de::Error::custom("a key is a list or a group of keys: write text before the colon"));
                }
            };
            let value = entries.next_value_seed(self)?;
            if map.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} is there twice: keep one of them")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }

    /// `!tag value`: the value counts.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Value, A::Error> {
        let (_tag, value) = tagged.variant_seed(self)?;
        value.newtype_variant_seed(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_come_out_as_json() {
        let block = "a: text\nb: [1, -2, 3.5, true, null]\nc: {d: {e: f}}\n1: one\ntrue: yes\ndate: 2024-01-01\nbig: 99999999999999999999\ninf: .inf\n";
        let expected = json!({
            "a": "text", "b": [1, -2, 3.5, true, null], "c": {"d": {"e": "f"}}, "1": "one", "true": "yes", "date": "2024-01-01",
            "big": 1e20, "inf": "inf",
        });
        assert_eq!(read(block), Ok(expected));
        assert_eq!(read("a: !tag text"), Ok(json!({"a": "text"})));
        assert_eq!(read("a: &x [1]\nb: *x"), Ok(json!({"a": [1], "b": [1]})));
    }

    #[test]
    fn an_empty_block_is_nothing() {
        for block in ["", "\n", "# only a comment\n", "null"] {
            assert_eq!(read(block), Ok(Value::Null), "{block:?}");
        }
    }

    #[test]
    fn mistakes_are_shown_at_their_place_in_the_file() {
        let error = read("title: x\nsdk: [static\n").unwrap_err();
        assert!(error.contains("line 4") || error.contains("line 3"), "{error}");
        let error = read("title: a: b\n").unwrap_err();
        assert!(error.contains("line 2, column 9"), "{error}");
        assert!(read("a: 1\na: 2\n").unwrap_err().contains("\"a\" is there twice"));
        assert!(read("? [a]\n: 1\n").unwrap_err().contains("text before the colon"));
        for block in ["a: *nowhere", "a: \"unclosed", "\tx: 1", "a: 1\n---\nb: 2\n", "a: &a [*a]"] {
            let error = read(block).unwrap_err();
            assert!(error.starts_with("the front matter cannot be read as YAML"), "{block:?}: {error}");
        }
    }

    #[test]
    fn anchors_cannot_multiply_a_front_matter() {
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..20 {
            let row = vec![format!("*a{}", n - 1); 10].join(", ");
            laughs.push_str(&format!("a{n}: &a{n} [{row}]\n"));
        }
        assert!(read(&laughs).unwrap_err().contains("anchors"));

        let wide = format!("a: &a [{}]\nb: [{}]\n", vec!["x"; 8000].join(","), vec!["*a"; 8000].join(","));
        assert!(read(&wide).unwrap_err().contains("anchors"));
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(30_000), vec!["*a"; 8000].join(","));
        assert!(read(&long).unwrap_err().contains("anchors"));
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        for open in ["[", "{a: ", "- ", "? ", "[{", "x ["] {
            assert!(read(&format!("a:\n  {}", open.repeat(15_000))).is_err(), "{open}");
        }
        let fits = format!("a: {}{}", "[".repeat(MAX_OPEN), "]".repeat(MAX_OPEN));
        assert!(read(&fits).is_ok());
        assert!(read(&format!("a: [{fits}]")).unwrap_err().contains("brackets"));
        let many = format!("a: [{}]", vec!["[]"; 1000].join(","));
        assert!(read(&many).is_ok());
    }
}
