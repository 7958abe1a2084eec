//! What an instance cannot have more of.

use std::fs;

use spaceport_backend_protocol::Data;

use crate::harness::{Plugin, get, id, start_request};

#[test]
fn memory_beyond_the_hardware_ends_it() {
    let Some(plugin) = Plugin::start() else { return };
    let request = start_request("a-1", &plugin.app());
    let innocent = start_request("b-1", &request.artifact);
    let (address, other) = (plugin.start_app(&request), plugin.start_app(&innocent));
    get(address, "/memory");
    assert_eq!(plugin.end_of(&request.id), (Some(137), "Memory limit exceeded (64Mi)".to_owned()));
    assert_eq!(get(other, "/").as_deref(), Some("hello"));
}

#[test]
fn processes_and_files_are_counted() {
    let Some(plugin) = Plugin::start() else { return };
    let mut request = start_request("a-1", &plugin.app());
    request.hardware.memory_bytes = 1 << 30;
    let address = plugin.start_app(&request);
    let threads: u64 = get(address, "/threads").unwrap().parse().unwrap();
    assert!((1000..=4096).contains(&threads), "{threads}");
    let files: u64 = get(address, "/open").unwrap().parse().unwrap();
    assert!((1000..=65_536).contains(&files), "{files}");
    assert_eq!(get(address, "/").as_deref(), Some("hello"));
}

#[test]
fn too_much_disk_ends_it_whether_in_large_files_or_in_many() {
    let Some(plugin) = Plugin::start() else { return };
    let image = plugin.built("FROM scratch\nCOPY --chown=1000:1000 app /home/app\nVOLUME /home/volume\nWORKDIR /home\nCMD [\"/home/app\", \"serve\"]\n");
    let ids = ["large", "many"].map(id);
    for (id, target) in ids.iter().zip(["/fill?/dev/shm/../../home/x=300000000", "/files?/home/many=30000"]) {
        let mut request = start_request(id.as_str(), &image);
        request.hardware.memory_bytes = 512 << 20;
        request.hardware.disk_bytes = 100_000_000;
        let address = plugin.start_app(&request);
        get(address, target);
    }
    for id in &ids {
        let told = "Workload evicted, storage limit exceeded (100M)".to_owned();
        assert_eq!(plugin.end_of(id), (Some(137), told), "{id}");
    }
}

#[test]
fn too_much_at_data_ends_it_and_loses_nothing() {
    let Some(plugin) = Plugin::start() else { return };
    let folder = plugin.dir.path().join("data");
    fs::create_dir(&folder).unwrap();
    let mut request = start_request("a-1", &plugin.app());
    request.data = Some(Data { folder: folder.to_str().unwrap().parse().unwrap(), quota_bytes: 10_000_000 });
    let address = plugin.start_app(&request);
    assert_eq!(get(address, "/fill?/data/x=20000000").as_deref(), Some("filled"));
    let told = "Workload evicted, storage limit of /data exceeded (10M)".to_owned();
    assert_eq!(plugin.end_of(&request.id), (Some(137), told));
    plugin.remove(&request.id);
    assert_eq!(fs::metadata(folder.join("x")).unwrap().len(), 20_000_000);
}
