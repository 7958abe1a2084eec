//! `spaceport:sdk`: what a plugin that serves an `sdk:` kind learns of its Space.

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Error, Result};

use crate::launch::SdkContext;
use crate::state::GuestState;
use bindings::spaceport::sdk::{page, repository};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../wit/sdk",
        inline: "package spaceport:engine;
            world plugin { import spaceport:sdk/repository@0.1.0; import spaceport:sdk/page@0.1.0; }",
        world: "spaceport:engine/plugin",
        imports: { default: trappable },
    });
}

/// Digits of the variables' tag.
const TAG: usize = 16;

pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> Result<(), Error> {
    repository::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut GuestState| state)?;
    page::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut GuestState| state)
}

impl GuestState {
    fn sdk(&self) -> Result<&SdkContext> {
        self.space.sdk.as_ref().ok_or_else(|| wasmtime::format_err!("only a plugin may ask for its Space's repository"))
    }
}

impl repository::Host for GuestState {
    fn lookup(&mut self, path: String) -> Result<Option<repository::File>> {
        // The index holds clean paths only, so whatever is not clean is not there.
        let found = self.sdk()?.files.get(&path);
        Ok(found.map(|(size, oid)| repository::File { size: *size, oid: oid.clone() }))
    }

    fn revision(&mut self) -> Result<String> {
        Ok(self.sdk()?.revision.clone())
    }
}

impl page::Host for GuestState {
    fn describe(&mut self) -> Result<page::Settings> {
        let sdk = self.sdk()?;
        Ok(page::Settings {
            app_file: sdk.app_file.clone(),
            custom_headers: sdk.custom_headers.clone().into_iter().collect(),
            variables: sdk.page_variables.clone(),
            variables_tag: variables_tag(&sdk.page_variables),
        })
    }
}

/// Changes exactly when the variables do: each part goes in with its length, so that no two lists look alike.
fn variables_tag(variables: &[(String, String)]) -> String {
    let mut hash = blake3::Hasher::new();
    for text in variables.iter().flat_map(|(name, value)| [name, value]) {
        hash.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    }
    hash.finalize().to_hex()[..TAG].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_tells_lists_apart_that_join_to_the_same_text() {
        let tag = |list: &[(&str, &str)]| {
            variables_tag(&list.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>())
        };
        assert_eq!(tag(&[("a", "b")]), tag(&[("a", "b")]));
        assert_ne!(tag(&[("a", "bc")]), tag(&[("ab", "c")]));
        assert_ne!(tag(&[("a", "b"), ("c", "d")]), tag(&[("a", "bcd")]));
    }
}
