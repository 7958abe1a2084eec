//! Many Spaces for measurements: `populate DATA COUNT` on the data directory of a host that is not running.
//!
//! Each is a copy of one that is there and built, in turn, with all that a Space on a real host has: a repository with its
//! history, the newest release, likes, variables, an owner and a name of its own. All sleep. They go in by the same
//! database and the same repositories that the host uses, many in a batch.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use futures_util::{StreamExt, TryStreamExt, stream};
use spaceport_control::clock::SystemClock;
use spaceport_control::ports::Clock;
use spaceport_core::id::{AccountId, ID_BYTES, SpaceId};
use spaceport_core::lifecycle::{Millis, Serving, State};
use spaceport_core::name::{OwnerName, SpacePath, Subdomain};
use spaceport_core::space::{Space, Variable, Visibility};
use spaceport_db::{Account, AccountKind, Batch, BuiltRelease, Db, Like, Options};
use spaceport_git::Repos;

/// Who owns them, and likes them.
const OWNERS: usize = 100;
/// Spaces whose rows go into one batch: far below the largest batch.
const AT_ONCE: usize = 250;
/// Repositories copied at the same time.
const REPOSITORIES: usize = 8;
/// One Space of so many is private.
const PRIVATE: usize = 10;
/// Likes are spread over so many Spaces: none, one, two and so on.
const LIKES: usize = 8;
/// Time between two Spaces' creations, and between two likes.
const APART: Millis = 10 * 60 * 1000;
/// Words of names, so that a search finds some.
const WORDS: [&str; 8] = ["atlas", "brush", "chart", "diary", "echo", "forge", "gallery", "harbour"];

/// What is copied.
struct Original {
    space: Space,
    state: State,
    release: BuiltRelease,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, count] = arguments.as_slice() else { return fail(&"usage: populate DATA COUNT") };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build();
    let done = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(populate(Path::new(data), count)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(why: &dyn std::fmt::Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{why}");
    ExitCode::FAILURE
}

async fn populate(data: &Path, count: &str) -> Result<(), Box<dyn Error>> {
    let count: usize = count.parse()?;
    let now = SystemClock::new().now();
    let (db, _) = Db::open_without_keys(&data.join("store"), Options::default())?;
    let repos = Repos::open(&data.join("repos")).await?;
    let originals = originals(&db)?;
    if originals.is_empty() {
        return Err("there is no built Space to copy".into());
    }
    let owners = add_owners(&db, now).await?;
    let kinds: Vec<(usize, &Original)> = (0..count).zip(originals.iter().cycle()).collect();
    for part in kinds.chunks(AT_ONCE) {
        let mut batch = Batch::default();
        let mut copied = Vec::new();
        for (number, original) in part {
            let space = copy_of(original, *number, &owners, now)?;
            copied.push((original.space.id, space.id));
            insert(&db, &mut batch, original, &space);
            for (nth, liker) in owners.iter().take(number % LIKES).enumerate() {
                let since = (number + nth) as Millis * APART;
                batch.put(db.likes(), &(space.id, liker.id), &Like { at: now.saturating_sub(since) });
            }
        }
        let copies = stream::iter(copied).map(|(from, to)| repos.copy(from, to));
        copies.buffer_unordered(REPOSITORIES).try_for_each(|_| async { Ok(()) }).await?;
        db.commit(batch).await?;
    }
    Ok(())
}

/// Every Space that has a release.
fn originals(db: &Db) -> Result<Vec<Original>, Box<dyn Error>> {
    let mut originals = Vec::new();
    for space in db.all_spaces()?.iter() {
        let state = db.lifecycles().get(&space.id)?;
        if let (Some(state), Some(release)) = (state, db.newest_release(space.id)?) {
            originals.push(Original { space: Space::clone(space), state, release });
        }
    }
    Ok(originals)
}

async fn add_owners(db: &Db, now: Millis) -> Result<Vec<Account>, Box<dyn Error>> {
    let mut batch = Batch::default();
    let mut owners = Vec::new();
    for number in 0..OWNERS {
        let owner = Account {
            id: AccountId::from_bytes(new_id(now)),
            name: format!("owner-{number:03}").parse()?,
            kind: if number % 2 == 0 { AccountKind::User } else { AccountKind::Organization },
            is_admin: false,
            password: None,
            created_at: now,
        };
        batch.insert_account(db, &owner);
        owners.push(owner);
    }
    db.commit(batch).await?;
    Ok(owners)
}

fn copy_of(original: &Original, number: usize, owners: &[Account], now: Millis) -> Result<Space, Box<dyn Error>> {
    let owner = owners.get(number % owners.len()).ok_or("there are no owners")?;
    let word = WORDS.get(number % WORDS.len()).ok_or("there are no words")?;
    let owner_name: OwnerName = owner.name.clone();
    let path = SpacePath { owner: owner_name, name: format!("{word}-{number:05}").parse()? };
    let at = now.saturating_sub(number as Millis * APART);
    let variable = |text: &str| Variable { value: format!("{text} of {path}"), description: None, updated_at: at };
    let variables = ["MODEL", "THEME", "GREETING"].map(|name| (name.to_owned(), variable(name)));
    Ok(Space {
        id: SpaceId::from_bytes(new_id(at)),
        subdomain: Subdomain::derive(&path),
        owner: owner.id,
        creator: owner.id,
        created_at: at,
        updated_at: at,
        visibility: if number % PRIVATE == PRIVATE - 1 { Visibility::Private } else { Visibility::Public },
        variables: variables.into_iter().collect(),
        path,
        ..original.space.clone()
    })
}

/// The rows of a Space that was built and sleeps.
fn insert(db: &Db, batch: &mut Batch, original: &Original, space: &Space) {
    let release = original.release.release;
    batch.insert_space(db, space);
    let state = State { release: Some(release), serving: Serving::Asleep { release }, ..original.state.clone() };
    batch.put(db.lifecycles(), &space.id, &state);
    batch.insert_new(db.releases(), &(space.id, release.number), &original.release);
}

/// As the host makes them: seconds first, then randomness.
fn new_id(now: Millis) -> [u8; ID_BYTES] {
    let mut id: [u8; ID_BYTES] = rand::random();
    let seconds = u32::try_from(now / 1000).unwrap_or_default().to_be_bytes();
    id.iter_mut().zip(seconds).for_each(|(byte, second)| *byte = second);
    id
}
