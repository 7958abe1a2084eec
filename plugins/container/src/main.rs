//! `spaceport-container`: see the library.

use std::process::ExitCode;

use spaceport_container::{base_image, network};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == network::INSIDE => network::inside(rest),
        Some((first, rest)) if first == base_image::NAME => base_image::main(rest),
        _ => spaceport_container::main(),
    }
}
