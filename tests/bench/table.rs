//! The figures of a run, as a table for people and as JSON for programs.

use std::fmt;

use serde_json::{Value, json};

/// One row per figure, in the order measured.
#[derive(Default)]
pub struct Table(Vec<Row>);

struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    goal: String,
    is_met: bool,
}

impl Table {
    /// A figure without a goal.
    pub fn note(&mut self, what: impl Into<String>, value: f64, unit: &'static str) {
        self.0.push(Row { what: what.into(), value, unit, goal: String::new(), is_met: true });
    }

    /// A figure that should be at least `goal`.
    pub fn at_least(&mut self, what: impl Into<String>, value: f64, unit: &'static str, goal: f64) {
        self.0.push(Row { what: what.into(), value, unit, goal: format!(">= {goal}"), is_met: value >= goal });
    }

    /// A figure that should be at most `goal`.
    pub fn at_most(&mut self, what: impl Into<String>, value: f64, unit: &'static str, goal: f64) {
        self.0.push(Row { what: what.into(), value, unit, goal: format!("<= {goal:.2}"), is_met: value <= goal });
    }

    /// The rows for programs.
    pub fn json(&self) -> String {
        let rows: Vec<Value> = self
            .0
            .iter()
            .map(|row| json!({"what": row.what, "value": row.value, "unit": row.unit, "goal": row.goal, "met": row.is_met}))
            .collect();
        serde_json::to_string_pretty(&rows).unwrap_or_default()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| What | Value | Goal |\n|---|---|---|")?;
        for row in &self.0 {
            let mark = match (row.goal.is_empty(), row.is_met) {
                (true, _) => "",
                (false, true) => " met",
                (false, false) => " MISSED",
            };
            writeln!(f, "| {} | {:.2} {} | {}{mark} |", row.what, row.value, row.unit, row.goal)?;
        }
        Ok(())
    }
}
