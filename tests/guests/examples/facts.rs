//! Tells the facts about its Space, and logs a line of each level.

use spaceport_guest::platform::{Level, facts, log};
use spaceport_guest::{Request, Response};

fn handle(_: Request) -> Response {
    for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
        log(level, "first line\nsecond line");
    }
    let facts = facts();
    Response::text(format!(
        "id {}\nrevision {}\nvcpu {}\nmemory {}\nstorage {:?}\n",
        facts.id, facts.revision, facts.vcpu, facts.memory, facts.storage
    ))
}

spaceport_guest::export!(handle);
