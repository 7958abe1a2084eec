//! Pushes as bytes, against the real git: what a client could send that no client would.

use bytes::{Bytes, BytesMut};
use spaceport_core::id::SpaceId;
use spaceport_core::lfs::{LfsOid, LfsPointer};
use spaceport_core::revision::Oid;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::commit::{Author, Change, CommitSpec};
use crate::error::GitError;
use crate::path::RepoPath;
use crate::process::{Call, READ_DEADLINE};
use crate::repo::Repo;
use crate::repos::Repos;
use crate::tree::FileMode;

const MAIN: &str = "refs/heads/main";

/// A pack of two files: one of 64 KiB, and a difference from it by which the other has 8 GiB.
const BOMB: &str = "5041434b0000000200000002b08020789cedc101010000008090feafee080a00000000000000000000000000000000000000 \
    00000000000000000000000000000000000000000000000000000000000000000000000000000000000000006a000f0001f8 \
    8040c97c12f9b0a24bfc19c74a2b265a97c924137775789cedc1310100300cc0a067422a35d2db6332807a9d090000000000 \
    0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000 \
    0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000 \
    000000000000000000000000000000000000000000e05b55a51225edb19d8b677480f04fe016123bf220cdff77535f";

/// A repository to push to, and one to push from.
struct Fixture {
    server: Repo,
    client: Repo,
    _repos: Repos,
    folder: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repos = Repos::open(&folder.path().join("repos")).await.unwrap();
        let server = repos.create(SpaceId::from_bytes([1; 12])).await.unwrap();
        let client = repos.create(SpaceId::from_bytes([2; 12])).await.unwrap();
        Self { server, client, _repos: repos, folder }
    }

    async fn commit(&self, files: &[(&str, &[u8])]) -> Oid {
        let put = |(path, content): &(&str, &[u8])| Change::Put {
            path: RepoPath::parse(path).unwrap(),
            mode: FileMode::Regular,
            content: Bytes::from(content.to_vec()),
        };
        let spec = CommitSpec {
            branch: "main".into(),
            parent: None,
            author: Author { name: "Ada".into(), email: "ada@example.org".into(), at: 1_700_000_000_000 },
            message: "a change".into(),
            changes: files.iter().map(put).collect(),
        };
        self.client.commit(spec).await.unwrap()
    }

    async fn git(&self, repo: &Repo, command: &'static str, args: &[&str], input: &[u8]) -> Vec<u8> {
        let call = Call { command, args, max_output: 64 << 20, deadline: READ_DEADLINE };
        let input = if input.is_empty() { Vec::new() } else { vec![Bytes::from(input.to_vec())] };
        repo.run(call, input).await.unwrap().ok(command).unwrap()
    }

    async fn write(&self, kind: &str, content: &[u8]) -> Oid {
        let args = ["-w", "--stdin", "--literally", "-t", kind];
        let oid = self.git(&self.client, "hash-object", &args, content).await;
        String::from_utf8(oid).unwrap().trim().parse().unwrap()
    }

    async fn commit_of(&self, tree: Oid) -> Oid {
        let text = format!("tree {tree}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n");
        self.write("commit", text.as_bytes()).await
    }

    /// A pack of exactly these objects.
    async fn pack_of(&self, objects: &[Oid]) -> Vec<u8> {
        let names: String = objects.iter().map(|oid| format!("{oid}\n")).collect();
        self.git(&self.client, "pack-objects", &["--stdout", "-q"], names.as_bytes()).await
    }

    /// A pack of everything that this commit leads to.
    async fn pack(&self, tip: Oid) -> Vec<u8> {
        self.git(&self.client, "pack-objects", &["--stdout", "-q", "--revs"], format!("{tip}\n").as_bytes()).await
    }

    fn leftovers(&self) -> Vec<String> {
        let objects = self.server.folder().join("objects");
        let names = std::fs::read_dir(objects).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.starts_with("incoming")).collect()
    }

    async fn is_clean(&self) {
        let gone = async {
            while !self.leftovers().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.expect("nothing of a push is left");
        self.git(&self.server, "fsck", &["--strict"], b"").await;
        assert!(self.folder.path().join("repos").is_dir());
    }
}

fn request(commands: &[(Option<Oid>, Option<Oid>, &str)], wishes: &str, pack: &[u8]) -> Vec<u8> {
    let zero = Oid::from_bytes([0; 20]);
    let mut bytes = BytesMut::new();
    for (at, (old, new, name)) in commands.iter().enumerate() {
        let wishes = if at == 0 { format!("\0{wishes}") } else { String::new() };
        let text = format!("{} {} {name}{wishes}", old.unwrap_or(zero), new.unwrap_or(zero));
        packet::line(&mut bytes, text.as_bytes());
    }
    [&bytes, packet::FLUSH, pack].concat()
}

/// What became of a push, and what the client was told.
async fn push(repo: &Repo, bytes: &[u8]) -> (Result<Vec<RefCommand>, GitError>, String) {
    let (output, mut told) = mpsc::channel(1024);
    let mut input = bytes;
    let mut push = Push::begin(repo, &mut input, output).await.unwrap().expect("there are commands");
    let done = async {
        push.take_pack(&mut input).await?;
        push.audit(u64::MAX).await?;
        push.accept().await
    };
    let done = done.await;
    if let Err(error) = &done {
        push.fail(&error.to_string());
    }
    push.finish().await;
    let mut text = String::new();
    while let Some(bytes) = told.recv().await {
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    (done, text)
}

#[tokio::test]
async fn a_push_brings_objects_and_moves_refs() {
    let fixture = Fixture::new().await;
    let tip = fixture.commit(&[("a.txt", b"1"), ("b/c.txt", b"2")]).await;
    let commands = [(None, Some(tip), MAIN), (None, Some(tip), "refs/tags/v1")];
    let bytes = request(&commands, "report-status side-band-64k", &fixture.pack(tip).await);
    let (done, told) = push(&fixture.server, &bytes).await;
    assert_eq!(done.unwrap().len(), 2);
    for words in ["unpack ok", "ok refs/heads/main", "ok refs/tags/v1"] {
        assert!(told.contains(words), "{told:?}");
    }
    assert_eq!(fixture.server.head("main").await.unwrap(), Some(tip));
    assert_eq!(fixture.server.read(tip, "b/c.txt").await.unwrap().unwrap(), "2");
    fixture.is_clean().await;

    // Nothing new: clients send a pack of nothing then, and a removal without a pack.
    let empty = fixture.pack_of(&[]).await;
    let (done, _) =
        push(&fixture.server, &request(&[(None, Some(tip), "refs/heads/x")], "report-status", &empty)).await;
    assert_eq!(done.unwrap().len(), 1);
    let removal = request(&[(Some(tip), None, "refs/heads/x")], "report-status", b"");
    let (done, told) = push(&fixture.server, &removal).await;
    assert_eq!((done.unwrap().len(), told.as_str()), (1, "000eunpack ok\n0014ok refs/heads/x\n0000"));
    assert_eq!(fixture.server.head("x").await.unwrap(), None);
}

#[tokio::test]
async fn a_ref_that_has_moved_stays() {
    let fixture = Fixture::new().await;
    let first = fixture.commit(&[("a.txt", b"1")]).await;
    let second = fixture.commit(&[("a.txt", b"2")]).await;
    let pack = fixture.pack(second).await;
    let (done, _) = push(&fixture.server, &request(&[(None, Some(second), MAIN)], "report-status", &pack)).await;
    done.unwrap();
    let commands = [(Some(first), Some(first), MAIN), (None, Some(first), "refs/heads/other")];
    let (done, told) = push(&fixture.server, &request(&commands, "report-status", &pack)).await;
    assert_eq!(done.unwrap().len(), 1);
    assert!(told.contains("ng refs/heads/main it has moved") && told.contains("ok refs/heads/other"), "{told}");
    let commands = [(Some(first), Some(first), MAIN), (None, Some(first), "refs/heads/third")];
    let (done, told) = push(&fixture.server, &request(&commands, "report-status atomic", &pack)).await;
    assert_eq!(done.unwrap(), []);
    assert!(told.contains("ng refs/heads/third"), "{told}");
    assert_eq!(fixture.server.head("main").await.unwrap(), Some(second));
}

#[tokio::test]
async fn a_push_of_refs_that_all_stay_leaves_nothing() {
    let fixture = Fixture::new().await;
    let first = fixture.commit(&[("a.txt", b"1")]).await;
    let pack = fixture.pack(first).await;
    let (done, _) = push(&fixture.server, &request(&[(None, Some(first), MAIN)], "report-status", &pack)).await;
    done.unwrap();
    let packs = || std::fs::read_dir(fixture.server.folder().join("objects/pack")).unwrap().count();
    let before = packs();
    let second = fixture.commit(&[("a.txt", b"2")]).await;
    let pack = fixture.pack(second).await;
    let commands = [
        (None, Some(second), MAIN),
        (Some(second), Some(second), "refs/heads/gone"),
        (None, Some(second), "refs/heads/main/inside"),
    ];
    for (at, wishes) in [(0, "report-status"), (1, "report-status"), (2, "report-status"), (0, "report-status atomic")]
    {
        let (done, told) = push(&fixture.server, &request(&commands[at..=at], wishes, &pack)).await;
        assert_eq!(done.unwrap(), []);
        assert!(told.contains(&format!("ng {} it has moved", commands[at].2)), "{told}");
        assert_eq!(packs(), before, "{told}");
    }
    fixture.is_clean().await;

    // A branch that goes makes room for one inside its name.
    let commands = [(Some(first), None, MAIN), (None, Some(second), "refs/heads/main/inside")];
    let (done, told) = push(&fixture.server, &request(&commands, "report-status", &pack)).await;
    assert_eq!(done.unwrap().len(), 2, "{told}");
}

#[tokio::test]
async fn what_is_broken_or_incomplete_changes_nothing() {
    let fixture = Fixture::new().await;
    let tip = fixture.commit(&[("a.txt", b"1")]).await;
    let whole = fixture.pack(tip).await;
    let mut damaged = whole.clone();
    damaged[20] ^= 0xff;
    for (pack, words) in [
        (&whole[..whole.len() - 5], "git does not accept"),
        (&damaged, "git does not accept"),
        (&whole[..4], "no pack"),
        // The commit alone, without what it holds.
        (&fixture.pack_of(&[tip]).await, "missing"),
    ] {
        let bytes = request(&[(None, Some(tip), MAIN)], "report-status", pack);
        let (done, told) = push(&fixture.server, &bytes).await;
        let error = done.unwrap_err();
        assert!(matches!(&error, GitError::Request(_)), "{error:?}");
        assert!(told.starts_with("00") && told.contains("ng refs/heads/main"), "{told}");
        // Git itself may find that something is missing, or we do.
        assert!(told.contains(words) || words == "missing", "{words}: {told}");
        assert_eq!(fixture.server.head("main").await.unwrap(), None);
        fixture.is_clean().await;
    }
}

#[tokio::test]
async fn trees_that_would_leave_their_folder_are_refused() {
    let fixture = Fixture::new().await;
    let blob = fixture.write("blob", b"x").await;
    let inner = {
        let mut entry = b"100644 config\0".to_vec();
        entry.extend_from_slice(&raw(blob));
        fixture.write("tree", &entry).await
    };
    for (mode, name, oid) in [
        ("100644", "..", blob),
        ("40000", "..", inner),
        ("40000", ".git", inner),
        ("40000", ".GIT", inner),
        ("40000", ".git ", inner),
        ("40000", "git~1", inner),
        ("40000", ".g\u{200c}it", inner),
        ("100644", "a/b", blob),
        ("100644", "a\\b", blob),
        ("100644", "a\nb", blob),
        ("100644", ".", blob),
        ("160000", "module", blob),
    ] {
        let mut entry = format!("{mode} {name}\0").into_bytes();
        entry.extend_from_slice(&raw(oid));
        let tree = fixture.write("tree", &entry).await;
        let tip = fixture.commit_of(tree).await;
        let pack = fixture.pack_of(&[tip, tree, inner, blob]).await;
        let bytes = request(&[(None, Some(tip), MAIN)], "report-status", &pack);
        let (output, _told) = mpsc::channel(1024);
        let mut input = bytes.as_slice();
        let mut push = Push::begin(&fixture.server, &mut input, output).await.unwrap().unwrap();
        let refused = match push.take_pack(&mut input).await {
            Err(error) => error,
            Ok(()) => push.incoming().check(tip).await.unwrap_err(),
        };
        assert!(matches!(refused, GitError::Request(_) | GitError::Tree(_)), "{name:?}: {refused:?}");
    }
    fixture.is_clean().await;
}

#[tokio::test]
async fn an_audit_sees_every_commit_and_not_only_the_newest() {
    let fixture = Fixture::new().await;
    let pointer = LfsPointer { oid: LfsOid::from_bytes([7; 32]), size: 1 << 30 };
    let large = vec![0; 3 << 20];
    fixture.commit(&[("old/large.bin", &large), ("model.bin", pointer.to_string().as_bytes())]).await;
    fixture.commit(&[("old/large.bin", b"small now")]).await;
    let tip = fixture.commit(&[("model.bin", b"no pointer now, but as long as one: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]).await;
    let bytes = request(&[(None, Some(tip), MAIN)], "report-status", &fixture.pack(tip).await);
    let (output, _told) = mpsc::channel(1024);
    let mut input = bytes.as_slice();
    let mut push = Push::begin(&fixture.server, &mut input, output).await.unwrap().unwrap();
    push.take_pack(&mut input).await.unwrap();
    let audit = push.audit(1 << 20).await.unwrap();
    assert_eq!(audit.too_large, [("old/large.bin".to_owned(), 3 << 20)]);
    assert_eq!(audit.pointers, [("model.bin".to_owned(), pointer)]);
    assert_eq!(audit.objects, 3 + 5 + 4, "commits, trees, files");
    // What is here already is not looked at again.
    push.accept().await.unwrap();
    let (output, _told) = mpsc::channel(1024);
    let bytes = request(&[(None, Some(tip), "refs/heads/x")], "report-status", &fixture.pack_of(&[]).await);
    let mut input = bytes.as_slice();
    let again = Push::begin(&fixture.server, &mut input, output).await.unwrap().unwrap();
    assert_eq!(again.audit(1 << 20).await.unwrap(), Audit::default());
}

#[tokio::test]
async fn an_audit_notes_what_may_be_text_in_any_commit() {
    let fixture = Fixture::new().await;
    fixture.commit(&[("app.py", b"first"), ("logo.png", b"png"), ("empty.txt", b"")]).await;
    let tip = fixture.commit(&[("app.py", b"second"), ("a folder/b.txt", b"third")]).await;
    let bytes = request(&[(None, Some(tip), MAIN)], "report-status", &fixture.pack(tip).await);
    let (output, _told) = mpsc::channel(1024);
    let mut input = bytes.as_slice();
    let mut push = Push::begin(&fixture.server, &mut input, output).await.unwrap().unwrap();
    push.take_pack(&mut input).await.unwrap();
    let files = push.audit(1 << 20).await.unwrap().files;
    let mut noted: Vec<(&str, u64)> = files.iter().map(|file| (file.path.as_str(), file.size)).collect();
    noted.sort();
    assert_eq!(noted, [("a folder/b.txt", 5), ("app.py", 5), ("app.py", 6)]);
    // Those of the newest commit come first: of many, the last ones are left out.
    assert_eq!(files.iter().rfind(|file| file.path == "app.py").unwrap().size, 5);
}

#[tokio::test]
async fn a_push_that_is_dropped_leaves_nothing() {
    let fixture = Fixture::new().await;
    let tip = fixture.commit(&[("a.txt", b"1")]).await;
    let pack = fixture.pack(tip).await;
    let bytes = request(&[(None, Some(tip), MAIN)], "report-status", &pack[..pack.len() / 2]);
    let (output, _told) = mpsc::channel(1024);
    // The rest never comes.
    let (mut sender, mut receiver) = tokio::io::duplex(1 << 20);
    tokio::io::AsyncWriteExt::write_all(&mut sender, &bytes).await.unwrap();
    let mut push = Push::begin(&fixture.server, &mut receiver, output).await.unwrap().unwrap();
    assert_eq!(fixture.leftovers().len(), 1);
    let taken = tokio::time::timeout(std::time::Duration::from_millis(200), push.take_pack(&mut receiver)).await;
    assert!(taken.is_err(), "{taken:?}");
    drop(push);
    fixture.is_clean().await;
    assert_eq!(fixture.server.head("main").await.unwrap(), None);
}

#[tokio::test]
async fn what_the_host_keeps_for_itself_is_told_to_nobody() {
    let fixture = Fixture::new().await;
    let tip = fixture.commit(&[("a.txt", b"1")]).await;
    let ours = "refs/spaceport/import";
    fixture.git(&fixture.client, "update-ref", &[ours, &tip.to_string()], b"").await;
    for service in [Service::UploadPack, Service::ReceivePack] {
        let told = fixture.client.advertise(service, None, true).await.unwrap();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(told.contains(MAIN) && !told.contains(ours), "{told}");
        assert!(
            told.starts_with(&format!(
                "001{}# service={}\n0000",
                if told.contains("upload") { "e" } else { "f" },
                service.name()
            )),
            "{told}"
        );
    }
    let empty = fixture.server.advertise(Service::ReceivePack, Some("version=1"), false).await.unwrap();
    let empty = String::from_utf8_lossy(&empty).into_owned();
    assert!(empty.starts_with("000eversion 1\n") && empty.contains("capabilities^{}\0report-status"), "{empty}");
    let second = fixture.client.advertise(Service::UploadPack, Some("version=2"), true).await.unwrap();
    assert!(second.starts_with(b"000eversion 2\n"), "{second:?}");
}

fn raw(oid: Oid) -> Vec<u8> {
    let text = oid.to_string();
    (0..20).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

#[tokio::test]
async fn a_repository_has_so_many_refs_and_no_more() {
    let fixture = Fixture::new().await;
    let tip = fixture.commit(&[("a.txt", b"1")]).await;
    let names: Vec<String> = (0..2_000).map(|number| format!("refs/tags/t{number:04}")).collect();
    let commands: Vec<_> = names.iter().map(|name| (None, Some(tip), name.as_str())).collect();
    let bytes = request(&commands[..1_999], "report-status atomic", &fixture.pack(tip).await);
    assert_eq!(push(&fixture.server, &bytes).await.0.unwrap().len(), 1_999);
    let empty = fixture.pack_of(&[]).await;
    let more =
        [(None, Some(tip), MAIN), (None, Some(tip), "refs/heads/more"), (Some(tip), Some(tip), names[0].as_str())];
    let (done, told) = push(&fixture.server, &request(&more, "report-status atomic", &empty)).await;
    assert_eq!(done.unwrap(), []);
    assert!(told.contains("ng refs/heads/more the repository has as many"), "{told}");
    let (done, told) = push(&fixture.server, &request(&more, "report-status", &empty)).await;
    assert_eq!(done.unwrap().len(), 2);
    assert!(told.contains("ok refs/heads/main") && told.contains("ng refs/heads/more"), "{told}");
    fixture.server.advertise(Service::UploadPack, None, true).await.unwrap();
}

#[tokio::test]
async fn a_conversation_goes_on_after_a_pack_that_is_refused() {
    let fixture = Fixture::new().await;
    let tip = fixture.commit(&[("a.txt", b"1")]).await;
    let mut pack = fixture.pack(tip).await;
    pack[20] ^= 0xff;
    let bytes = request(&[(None, Some(tip), MAIN)], "report-status", &pack);
    // The client waits for its answer and closes nothing, as over SSH.
    let (mut sender, mut receiver) = tokio::io::duplex(1 << 20);
    tokio::io::AsyncWriteExt::write_all(&mut sender, &bytes).await.unwrap();
    let (output, _told) = mpsc::channel(1024);
    let mut push = Push::begin(&fixture.server, &mut receiver, output).await.unwrap().unwrap();
    let taken = tokio::time::timeout(std::time::Duration::from_secs(60), push.take_pack(&mut receiver)).await;
    assert!(matches!(taken, Ok(Err(GitError::Request(_)))), "{taken:?}");
}

#[tokio::test]
async fn a_few_bytes_that_unpack_to_gigabytes_are_refused() {
    let fixture = Fixture::new().await;
    let digits: String = BOMB.split_whitespace().collect();
    let pack: Vec<u8> =
        (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let bytes = request(&[(None, Some(Oid::from_bytes([1; 20])), MAIN)], "report-status", &pack);
    let (done, told) = push(&fixture.server, &bytes).await;
    assert!(matches!(done, Err(GitError::Request(_))), "{done:?}");
    assert!(told.contains("takes too much memory to unpack"), "{told}");
    fixture.is_clean().await;
}
