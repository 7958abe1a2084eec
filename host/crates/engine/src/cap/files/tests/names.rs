//! Creating, moving and removing through 0.2, in and between mounts.

use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

use super::super::Usage;
use super::super::p2;
use super::*;

async fn create(state: &mut State, fd: &Resource<Descriptor>, name: &str) -> Result<Resource<Descriptor>, ErrorCode> {
    let (open, flags) = (OpenFlags::CREATE, DescriptorFlags::READ | DescriptorFlags::WRITE);
    p2::open_at(state, again(fd), (PathFlags::SYMLINK_FOLLOW, name.to_owned()), open, flags)
        .await
        .map_err(|error| error.downcast().unwrap())
}

#[tokio::test]
async fn the_mark_is_inherited_and_decides_whose_quota_is_charged() {
    let space = Space::new();
    let mut state = space.state();
    let directories = p2::get_directories(&mut state).unwrap();
    let (tmp, data) = (preopen(directories, "/tmp"), preopen(p2::get_directories(&mut state).unwrap(), "/data"));
    p2::create_directory_at(&mut state, again(&data), "sub".into()).await.unwrap();
    let sub = p2::open_directory(&mut state, again(&data), "sub").await;
    let file = create(&mut state, &sub, "file").await.unwrap();
    let error = p2::write(&mut state, again(&file), vec![0; 501], 0).await;
    assert_eq!(error.unwrap(), DATA_BYTES, "as much as fits");
    let error = p2::write(&mut state, file, vec![0; 1], DATA_BYTES).await.unwrap_err();
    assert_eq!(error.downcast().unwrap(), ErrorCode::InsufficientSpace);
    assert_eq!(space.files.data_usage(), Some(Usage { bytes: DATA_BYTES, entries: 2 }));
    assert_eq!(space.files.tmp_usage(), Usage::default());
    let file = create(&mut state, &tmp, "file").await.unwrap();
    assert_eq!(p2::write(&mut state, file, vec![0; 600], 0).await.unwrap(), 600);
    assert_eq!(Space::open(space.dir.path()).tmp_usage(), Usage { bytes: 600, entries: 1 }, "counted anew at start");
}

#[tokio::test]
async fn nothing_moves_between_mounts() {
    let space = Space::new();
    let mut state = space.state();
    let tmp = preopen(p2::get_directories(&mut state).unwrap(), "/tmp");
    let data = preopen(p2::get_directories(&mut state).unwrap(), "/data");
    let app = preopen(p2::get_directories(&mut state).unwrap(), "/app");
    create(&mut state, &tmp, "file").await.unwrap();
    let moved = p2::rename_at(&mut state, (again(&tmp), "file".into()), (again(&data), "file".into())).await;
    assert_eq!(moved.unwrap_err().downcast().unwrap(), ErrorCode::CrossDevice);
    let linked =
        p2::link_at(&mut state, (again(&tmp), "file".into()), PathFlags::empty(), (again(&data), "file".into())).await;
    assert_eq!(linked.unwrap_err().downcast().unwrap(), ErrorCode::CrossDevice);
    for (from, to) in [(&app, &tmp), (&tmp, &app)] {
        let moved = p2::rename_at(&mut state, (again(from), "file".into()), (again(to), "moved".into())).await;
        assert_eq!(moved.unwrap_err().downcast().unwrap(), ErrorCode::NotPermitted);
        let linked =
            p2::link_at(&mut state, (again(from), "file".into()), PathFlags::empty(), (again(to), "l".into())).await;
        assert_eq!(linked.unwrap_err().downcast().unwrap(), ErrorCode::NotPermitted);
    }
    assert_eq!(std::fs::read_to_string(space.path("app/file")).unwrap(), "from the repository");
}

#[tokio::test]
async fn every_way_to_a_new_name_is_counted() {
    let space = Space::new();
    let mut state = space.state();
    let tmp = preopen(p2::get_directories(&mut state).unwrap(), "/tmp");
    create(&mut state, &tmp, "file").await.unwrap();
    create(&mut state, &tmp, "file").await.expect("opening what is there adds no name");
    p2::create_directory_at(&mut state, again(&tmp), "dir".into()).await.unwrap();
    p2::symlink_at(&mut state, again(&tmp), "0123456789".into(), "link".into()).await.unwrap();
    let to = (again(&tmp), "hard".to_owned());
    p2::link_at(&mut state, (again(&tmp), "file".into()), PathFlags::empty(), to).await.unwrap();
    assert_eq!(space.files.tmp_usage(), Usage { bytes: 10, entries: 4 });
    assert!(p2::create_directory_at(&mut state, again(&tmp), "dir".into()).await.is_err());
    assert_eq!(space.files.tmp_usage().entries, 4, "a failure is given back");
    for n in 4..NAMES {
        create(&mut state, &tmp, &n.to_string()).await.unwrap();
    }
    for attempt in ["one-more", "link"] {
        assert_eq!(create(&mut state, &tmp, attempt).await.err(), Some(ErrorCode::InsufficientSpace), "{attempt}");
    }
    let made = p2::create_directory_at(&mut state, again(&tmp), "more".into()).await;
    assert_eq!(made.unwrap_err().downcast().unwrap(), ErrorCode::InsufficientSpace);
    p2::unlink_file_at(&mut state, again(&tmp), "hard".into()).await.unwrap();
    create(&mut state, &tmp, "one-more").await.expect("a removed name is free again");
}

#[tokio::test]
async fn a_link_that_leads_out_leads_nowhere() {
    let space = Space::new();
    std::fs::write(space.path("outside"), "untouched").unwrap();
    let mut state = space.state();
    let tmp = preopen(p2::get_directories(&mut state).unwrap(), "/tmp");
    p2::symlink_at(&mut state, again(&tmp), "../".into(), "up".into()).await.unwrap();
    assert!(p2::symlink_at(&mut state, again(&tmp), "/etc".into(), "etc".into()).await.is_err());
    for path in ["up/outside", "../outside", "up/../outside", "/etc/passwd"] {
        assert!(create(&mut state, &tmp, path).await.is_err(), "{path}");
        assert!(p2::create_directory_at(&mut state, again(&tmp), format!("{path}-dir")).await.is_err(), "{path}");
        let moved = p2::rename_at(&mut state, (again(&tmp), "up".into()), (again(&tmp), path.to_owned())).await;
        assert!(moved.is_err(), "{path}");
    }
    p2::create_directory_at(&mut state, again(&tmp), "dir".into()).await.unwrap();
    let moved = p2::rename_at(&mut state, (again(&tmp), "dir".into()), (again(&tmp), "up/dir".into())).await;
    assert_eq!(moved.unwrap_err().downcast().unwrap(), ErrorCode::NotPermitted);
    assert_eq!(std::fs::read_to_string(space.path("outside")).unwrap(), "untouched");
    assert!(!space.path("dir").exists());
}

#[tokio::test]
async fn a_scratch_directory_is_empty_for_the_next_request() {
    let space = Space::new();
    let mut wasi = WasiCtx::builder();
    let scratch = space.files.preopen_fresh(&mut wasi, &space.path("app")).unwrap();
    let mut state = State { wasi: wasi.build(), table: ResourceTable::new(), files: space.files.clone() };
    let tmp = preopen(p2::get_directories(&mut state).unwrap(), "/tmp");
    let file = create(&mut state, &tmp, "file").await.unwrap();
    assert_eq!(p2::write(&mut state, file, vec![0; 2000], 0).await.unwrap(), TMP_BYTES);
    let path = scratch.path().to_owned();
    assert!(path.join("file").exists());
    drop(state);
    drop(scratch);
    let mut state = space.state();
    let tmp = preopen(p2::get_directories(&mut state).unwrap(), "/tmp");
    let file = create(&mut state, &tmp, "next").await.unwrap();
    assert_eq!(p2::write(&mut state, file, vec![0; 2000], 0).await.unwrap(), TMP_BYTES, "its room is free again");
    assert!(!path.join("file").exists());
    let mut wasi = WasiCtx::builder();
    let again = space.files.preopen_fresh(&mut wasi, &space.path("app")).unwrap();
    assert_eq!(again.path(), path, "and it serves again");
}
