//! Tells its environment as JSON, and prints `?say=`.

use spaceport_guest::{Request, Response};

fn handle(request: Request) -> Response {
    if let Some(line) = request.query_value("say") {
        println!("{line}");
    }
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
