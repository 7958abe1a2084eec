//! What a repository tells a client first: its refs, and what can be asked of it.

use bytes::{BufMut, Bytes, BytesMut};
use spaceport_core::revision::Oid;

use super::packet;
use crate::error::GitError;
use crate::process::{Call, Place, READ_DEADLINE};
use crate::repo::Repo;

/// Refs and what can be asked of them, all of it: ten thousand refs with long names.
const MAX_ADVERTISEMENT: usize = 4 << 20;
/// What can be asked of a push. Options are not offered: they are text of a client's for programs that we do not run.
const PUSH: &str = "report-status delete-refs side-band-64k quiet atomic ofs-delta object-format=sha1 agent=spaceport";

/// What a git client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// To clone or fetch.
    UploadPack,
    /// To push.
    ReceivePack,
}

impl Service {
    /// The service that clients know by this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::UploadPack, Self::ReceivePack].into_iter().find(|service| service.name() == name)
    }

    /// Its name among clients.
    pub fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}

impl Repo {
    /// The refs and capabilities for a client that speaks this protocol. `is_http` adds the head that HTTP clients expect.
    pub async fn advertise(&self, service: Service, protocol: Option<&str>, is_http: bool) -> Result<Bytes, GitError> {
        let version = version(protocol);
        let mut answer = BytesMut::new();
        // A client that speaks version 2 is told what it can ask, and asks for refs itself.
        if is_http && !(service == Service::UploadPack && version == 2) {
            packet::line(&mut answer, format!("# service={}\n", service.name()).as_bytes());
            answer.put_slice(packet::FLUSH);
        }
        match service {
            Service::UploadPack => answer.put_slice(&self.advertise_fetch(protocol).await?),
            Service::ReceivePack => self.advertise_push(version, &mut answer).await?,
        }
        Ok(answer.freeze())
    }

    async fn advertise_fetch(&self, protocol: Option<&str>) -> Result<Vec<u8>, GitError> {
        let args = ["--strict", "--http-backend-info-refs", "."];
        let call = Call { command: "upload-pack", args: &args, max_output: MAX_ADVERTISEMENT, deadline: READ_DEADLINE };
        let place = Place { protocol, ..self.place() };
        let listed = self.git.run(place, call, Vec::new()).await.map_err(|error| self.missing(error))?;
        if listed.is_cut {
            return Err(too_many());
        }
        listed.ok("upload-pack")
    }

    async fn advertise_push(&self, version: u8, answer: &mut BytesMut) -> Result<(), GitError> {
        if version == 1 {
            packet::line(answer, b"version 1\n");
        }
        let mut capabilities = format!("\0{PUSH}\n");
        for (name, oid) in self.all_refs().await? {
            packet::line(answer, format!("{oid} {name}{capabilities}").as_bytes());
            "\n".clone_into(&mut capabilities);
        }
        if capabilities.len() > 1 {
            let none = Oid::from_bytes([0; 20]);
            packet::line(answer, format!("{none} capabilities^{{}}{capabilities}").as_bytes());
        }
        answer.put_slice(packet::FLUSH);
        Ok(())
    }

    /// Every ref with what it points at, but those that are ours.
    pub(super) async fn all_refs(&self) -> Result<Vec<(String, Oid)>, GitError> {
        let args = ["--format=%(objectname) %(refname)"];
        let call =
            Call { command: "for-each-ref", args: &args, max_output: MAX_ADVERTISEMENT, deadline: READ_DEADLINE };
        let listed = self.run(call, Vec::new()).await?;
        if listed.is_cut {
            return Err(too_many());
        }
        let text = String::from_utf8_lossy(&listed.ok("for-each-ref")?).into_owned();
        let entry = |line: &str| {
            let (oid, name) = line.split_once(' ')?;
            Some((name.to_owned(), oid.parse().ok()?))
        };
        Ok(text.lines().filter_map(entry).filter(|(name, _)| !name.starts_with(super::refs::OURS)).collect())
    }
}

/// The version of the protocol that a client asks for, among `key=value` separated by colons.
fn version(protocol: Option<&str>) -> u8 {
    let versions =
        protocol.unwrap_or_default().split(':').filter_map(|word| word.strip_prefix("version=")?.parse().ok());
    versions.max().unwrap_or(0)
}

fn too_many() -> GitError {
    GitError::Git { command: "for-each-ref", message: "the repository has too many refs".to_owned() }
}
