//! How deep a guest can go.

use std::fs;
use std::io::ErrorKind;

use super::super::depth::MAX;
use super::super::p2;
use super::*;

async fn go(state: &mut State, fd: Resource<Descriptor>, levels: usize) -> Result<Resource<Descriptor>, usize> {
    let mut at = fd;
    for level in 0..levels {
        if p2::create_directory_at(state, again(&at), "d".into()).await.is_err() {
            return Err(level);
        }
        at = p2::open_directory(state, at, "d").await;
    }
    Ok(at)
}

fn roomy() -> (TempDir, State) {
    let dir = tempfile::tempdir().unwrap();
    let files = SpaceFiles::new(dir.path().to_owned(), 1000, None, 1000).unwrap();
    let mut wasi = WasiCtx::builder();
    files.preopen(&mut wasi, dir.path()).unwrap();
    (dir, State { wasi: wasi.build(), table: ResourceTable::new(), files })
}

#[tokio::test]
async fn directories_nest_as_deep_as_allowed_and_no_deeper() {
    let (dir, mut state) = roomy();
    let tmp = preopen(p2::get_directories(&mut state).unwrap(), "/tmp");
    assert_eq!(go(&mut state, tmp, MAX + 1).await.err(), Some(MAX));
    // What is left behind can be handled by recursion.
    fs::remove_dir_all(dir.path().join("d")).unwrap();
}

#[tokio::test]
async fn a_tree_cannot_be_moved_to_where_it_would_be_too_deep() {
    let (_dir, mut state) = roomy();
    let tmp = preopen(p2::get_directories(&mut state).unwrap(), "/tmp");
    for name in ["one", "two"] {
        p2::create_directory_at(&mut state, again(&tmp), name.into()).await.unwrap();
        let at = p2::open_directory(&mut state, again(&tmp), name).await;
        go(&mut state, at, MAX / 2).await.unwrap();
    }
    let deepest = |name: &str| format!("{name}{}", "/d".repeat(MAX / 2));
    let error = p2::rename_at(&mut state, (again(&tmp), "one".into()), (again(&tmp), deepest("two") + "/one"))
        .await
        .unwrap_err();
    assert_eq!(error.downcast().unwrap(), wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode::NameTooLong);
    p2::rename_at(&mut state, (again(&tmp), "one/d/d".into()), (again(&tmp), "two/d/moved".into())).await.unwrap();
    p2::rename_at(&mut state, (again(&tmp), "two/d/moved".into()), (again(&tmp), "up".into())).await.unwrap();
}

#[test]
fn a_tree_that_somebody_else_made_too_deep_is_an_error_and_no_crash() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join(vec!["d"; MAX * 3].join("/"));
    fs::create_dir_all(deep).unwrap();
    let error = SpaceFiles::new(dir.path().to_owned(), 1000, None, 1000).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Other);
}
