//! Builds: the files of a revision become an image, by the BuildKit of the Engine.
//!
//! It is driven by the `docker` command and not by the API that everything else uses: that command is what sends a folder as
//! its `.dockerignore` wants it, serves secrets to the steps that ask for them, and writes a folder out; each of these is a
//! protocol of its own between BuildKit and its client. One build is one such process. Whoever hangs up, or has no time left,
//! has it killed, and BuildKit ends what nobody waits for.

mod client;
mod failure;
mod limits;
mod outcome;
mod recipe;
mod run;

pub(crate) use client::{Client, NoClient};

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use spaceport_backend_protocol::{BuildRequest, ErrorCode, Refusal};

use crate::plugin::Plugin;
use crate::refusal::refuse;
use crate::serve::{Unread, lines};

/// Builds at a time: each has a process here and its steps in the Engine. The host has a queue of its own.
const AT_ONCE: usize = 8;

/// The builds that are under way.
#[derive(Debug, Default)]
pub(crate) struct Builds {
    running: Arc<AtomicUsize>,
    client: Mutex<Option<Client>>,
}

/// A place among those that are under way, given back when it is dropped.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Builds {
    fn take_place(&self) -> Option<Place> {
        let place = Place(self.running.clone());
        (self.running.fetch_add(1, Ordering::AcqRel) < AT_ONCE).then_some(place)
    }

    /// How many there are.
    fn count(&self) -> usize {
        self.running.load(Ordering::Acquire)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Begins a build. What comes of it is in the lines.
pub(crate) fn build(plugin: &Arc<Plugin>, request: BuildRequest) -> Result<Unread, Refusal> {
    let busy = || refuse(ErrorCode::Busy, &format!("{AT_ONCE} builds are under way"));
    let place = plugin.builds.take_place().ok_or_else(busy)?;
    let (writer, reader) = lines();
    let plugin = plugin.clone();
    tokio::spawn(async move {
        let _place = place;
        tokio::select! {
            end = run::run(&plugin, &request, &writer) => {
                // If nobody reads on, nobody wants to know.
                let _ = writer.write(&end).await;
            }
            () = writer.closed() => {}
        }
    });
    Ok(reader)
}

/// The command to build with, looked for once.
pub(crate) async fn client(plugin: &Plugin) -> Result<Client, NoClient> {
    if let Some(client) = plugin.builds.client.lock().clone() {
        return Ok(client);
    }
    let client = Client::find(&plugin.settings, plugin.engine.socket()).await?;
    *plugin.builds.client.lock() = Some(client.clone());
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back() {
        let builds = Builds::default();
        let places: Vec<Place> = std::iter::from_fn(|| builds.take_place()).collect();
        assert_eq!((places.len(), builds.count()), (AT_ONCE, AT_ONCE));
        drop(places);
        assert_eq!(builds.count(), 0);
    }
}
