//! The stored form of what a Space's code uses.

use serde::{Deserialize, Serialize};
use spaceport_core::linked::Linked;
use spaceport_core::revision::Oid;

use crate::linked::LinkedRepos;
use crate::record::record_by_json;

record_by_json!(LinkedRepos, LinkedReposV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkedReposV1 {
    revision: Oid,
    models: Vec<String>,
    datasets: Vec<String>,
}

impl From<&LinkedRepos> for LinkedReposV1 {
    fn from(repos: &LinkedRepos) -> Self {
        let Linked { models, datasets } = repos.linked.clone();
        Self { revision: repos.revision, models, datasets }
    }
}

impl From<LinkedReposV1> for LinkedRepos {
    fn from(stored: LinkedReposV1) -> Self {
        let linked = Linked { models: stored.models, datasets: stored.datasets };
        Self { revision: stored.revision, linked }
    }
}
