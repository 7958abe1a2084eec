//! A scanner that does with a text what the text says.

use bindings::exports::spaceport::scanner::secrets::{Finding, Guest};

/// Generated from `wit/scanner`.
mod bindings {
    wit_bindgen::generate!({ path: "../../wit/scanner", world: "scanner" });
}

struct Odd;

impl Guest for Odd {
    fn scan(_path: String, text: String) -> Vec<Finding> {
        let rule = match text.as_str() {
            "trap" => panic!("told to"),
            "spin" => loop {
                std::hint::black_box(0);
            },
            "grow" => grow(),
            "look" if sees_nothing() => "sees-nothing",
            _ => "odd",
        };
        vec![Finding { rule: rule.to_owned(), start: 0, end: text.len() as u32 }]
    }
}

fn grow() -> ! {
    let mut held = Vec::new();
    loop {
        held.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

fn sees_nothing() -> bool {
    let connects = std::net::TcpStream::connect("127.0.0.1:80").is_ok();
    std::env::vars().count() == 0 && std::env::args().count() == 0 && std::fs::read_dir("/").is_err() && !connects
}

bindings::export!(Odd with_types_in bindings);
