//! Tells its environment as JSON.

use spaceport_guest::{Request, Response};

fn handle(_: Request) -> Response {
    let pairs: Vec<_> = std::env::vars().map(|(name, value)| format!("{}:{}", quote(&name), quote(&value))).collect();
    Response::json(format!("{{{}}}", pairs.join(",")))
}

fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if (c as u32) < 0x20 => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

spaceport_guest::export!(handle);
