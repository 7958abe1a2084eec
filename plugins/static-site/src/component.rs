//! The component: the host's word about the Space, asked once per instance, and requests answered by it.

#![expect(unsafe_code, reason = "what is generated from the WIT crosses the component's boundary by raw memory")]

use std::path::PathBuf;
use std::sync::LazyLock;

use spaceport_guest::{Request, Response};

use crate::answer::{Entry, Site, answer};
use crate::script::Script;

use bindings::exports::spaceport::sdk::kind::{Description, Guest};
use bindings::spaceport::sdk::{page, repository};

/// Generated from `wit/sdk`.
mod bindings {
    wit_bindgen::generate!({ path: "../../wit/sdk", world: "plugin-api", generate_all });
}

/// Where the host puts the Space's revision.
const ROOT: &str = "/app";

/// The Space that this instance serves; what the host says of it does not change while the instance lives.
static SITE: LazyLock<Site> = LazyLock::new(|| {
    let settings = page::describe();
    Site {
        entry: settings.app_file,
        headers: settings.custom_headers,
        script: Script::new(&settings.variables),
        variables_tag: settings.variables_tag,
        root: PathBuf::from(ROOT),
        lookup: Box::new(|path| repository::lookup(path).map(|file| Entry { oid: file.oid })),
    }
});

struct Plugin;

impl Guest for Plugin {
    fn describe() -> Description {
        Description { sdk: "static".to_owned(), app_file: "index.html".to_owned() }
    }
}

fn handle(request: Request) -> Response {
    answer(&request, &SITE)
}

bindings::export!(Plugin with_types_in bindings);
spaceport_guest::export!(handle);
