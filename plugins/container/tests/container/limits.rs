//! What an instance cannot have more of.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use spaceport_backend_protocol::{Call, Data, Removed};

use crate::builds::processes;
use crate::harness::{Plugin, eventually, get, id, start_request};

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
    assert!((1000..=16_384).contains(&files), "{files}");
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

/// The longest that anybody waits for an innocent app beside whatever happens: its answer takes a thousandth of that.
const SLOW: Duration = Duration::from_secs(5);

/// Visits an app again and again while something happens; how often.
fn visited<T: Send>(address: SocketAddr, what: impl FnOnce() -> T + Send) -> (T, u32) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let visitor = scope.spawn(|| {
            let mut visits = 0;
            while !is_over.load(Ordering::Acquire) {
                let began = Instant::now();
                assert_eq!(get(address, "/").as_deref(), Some("hello"), "visit {visits}");
                assert!(began.elapsed() < SLOW, "visit {visits} took {:?}", began.elapsed());
                visits += 1;
                thread::sleep(Duration::from_millis(20));
            }
            visits
        });
        let done = scope.spawn(what).join();
        is_over.store(true, Ordering::Release);
        let visits = visitor.join().unwrap();
        (done.unwrap(), visits)
    })
}

/// How a bomb's processes are called.
const BOMB: &str = "/app\0bomb";

#[test]
fn whatever_one_app_does_another_answers() {
    let Some(plugin) = Plugin::start() else { return };
    let image = plugin.app();
    let innocent = plugin.start_app(&start_request("innocent", &image));
    let attack = |name: &str, memory: u64| {
        let mut request = start_request(name, &image);
        request.hardware.memory_bytes = memory;
        (plugin.start_app(&request), request.id)
    };

    // Threads of its own burn the processor: it has half of one.
    let (address, id) = attack("burn", 64 << 20);
    let before = plugin.stats(&id).cpu_us;
    let began = Instant::now();
    let (_, visits) = visited(innocent, || get(address, "/burn?4"));
    let (used, most) = (plugin.stats(&id).cpu_us - before, began.elapsed().as_micros() / 2);
    assert!(u128::from(used) < most * 5 / 4 && used > 500_000, "{used} of {most} microseconds");
    assert!(visits > 10, "{visits}");
    plugin.remove(&id);

    // Processes that start processes: they hit a wall inside, and all of them end with the instance.
    let (address, id) = attack("bomb", 2 << 30);
    let ((), visits) = visited(innocent, || {
        get(address, "/bomb");
        eventually("the bomb has gone off", || (processes(BOMB) > 500).then_some(()));
        eventually("it is removed", || plugin.call::<Removed>(&Call::Remove(id.clone()), b"").ok());
    });
    assert!(visits > 0);
    eventually("none of them is left", || (processes(BOMB) == 0).then_some(()));

    // Files in memory, and open ones.
    let (address, id) = attack("shm", 64 << 20);
    let (answer, _) = visited(innocent, || get(address, "/shm").unwrap());
    let written: u64 = answer.parse().unwrap();
    assert!((1 << 20..=32 << 20).contains(&written), "{written}");
    let (answer, _) = visited(innocent, || get(address, "/open").unwrap());
    assert!(answer.parse::<u64>().unwrap() <= 16_384, "{answer}");
    assert_eq!(get(address, "/").as_deref(), Some("hello"), "it has hurt nobody, not even itself");
    plugin.remove(&id);
}
