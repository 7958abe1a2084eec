//! `/mark` leaves a mark all over its memory and in `/tmp`, and traps at the end with `?trap=1`; `/scan` tells how much of
//! one it finds in its memory, and what is in `/tmp`.

#![expect(unsafe_code, reason = "it reads memory that was never given to it, which is what it is for")]

use std::hint::black_box;

use spaceport_guest::{Request, Response};

/// The mark: in the code, and in memory only where it was put.
const MARK: u64 = 0x5ea1_ed5e_c2e7_ca7e;
/// Bytes that are marked, beyond what a warm slot of the host keeps resident.
const MARKED: usize = 8 << 20;
/// Memory below this address may be what a null pointer hits, which the compiler reckons with.
const LOWEST: usize = 1024;
/// Bytes of a page of linear memory.
const PAGE: usize = 64 << 10;

fn handle(request: Request) -> Response {
    Response::text(match request.path() {
        "/mark" => {
            let marked = mark();
            assert!(request.query_value("trap").is_none(), "asked to trap");
            marked
        }
        "/scan" => scan(),
        _ => "ready".to_owned(),
    })
}

/// On the heap, and deep in the stack.
fn mark() -> String {
    let heap = black_box(vec![MARK; MARKED / size_of::<u64>()]);
    let stack = black_box([MARK; 4 << 10]);
    let written = std::fs::write("/tmp/mark", "a mark");
    format!("marked {} and {}, file {written:?}", heap.len(), stack.len())
}

/// All memory there is, and as much again as others have marked.
fn scan() -> String {
    let before = core::arch::wasm32::memory_size(0);
    core::arch::wasm32::memory_grow(0, MARKED / PAGE);
    let pages = core::arch::wasm32::memory_size(0);
    let mut found = 0;
    for address in (LOWEST..pages * PAGE).step_by(size_of::<u64>()) {
        // SAFETY: all of linear memory can be read; volatile, since the compiler knows nothing of what is there.
        let word = unsafe { std::ptr::with_exposed_provenance::<u64>(address).read_volatile() };
        found += usize::from(word == MARK);
    }
    let files = std::fs::read_dir("/tmp").map_or(0, Iterator::count);
    format!("found {found} in {pages} pages, {before} at first, files {files}")
}

spaceport_guest::export!(handle);
