use super::*;

fn declared(id: &str) -> Declared {
    let nodes = vec![PathBuf::from("/dev").join(id)];
    Declared { id: id.parse().unwrap(), kind: "t4".parse().unwrap(), memory_bytes: 16_000_000_000, nodes }
}

fn devices(declared: Vec<Declared>) -> Devices {
    let devices = Devices::new(DevicesConfig { nvml: false, cdi_folders: Vec::new(), declared });
    assert_eq!(devices.look(EngineCan::default()), []);
    devices
}

fn wanted(count: u32) -> Gpu {
    Gpu { kind: "t4".parse().unwrap(), count, memory_bytes: 16_000_000_000 * u64::from(count) }
}

fn id(name: &str) -> InstanceId {
    name.parse().unwrap()
}

#[test]
fn a_lease_that_is_dropped_is_free_and_one_that_is_kept_is_not() {
    let devices = devices(vec![declared("null"), declared("missing")]);
    assert_eq!(devices.list().len(), 1);
    assert_eq!(devices.notes(), ["the declared device missing is not there: /dev/missing is missing"]);
    assert_eq!(devices.offers(&wanted(1)), Ok(()));
    let never = devices.offers(&wanted(2)).unwrap_err();
    assert_eq!(never.as_str(), "this machine does not have 2 t4 GPUs: it has 1");

    let lease = devices.lease(&id("one"), &wanted(1)).unwrap();
    assert_eq!(lease.ids(), ["null"]);
    let busy = devices.lease(&id("two"), &wanted(1)).unwrap_err();
    assert_eq!(busy, LeaseError::Busy(Line::lossy("waiting for 1 t4 GPU: 0 of 1 free")));
    assert_eq!(devices.offers(&wanted(1)), Ok(()), "what is taken is offered all the same");
    drop(lease);
    let lease = devices.lease(&id("two"), &wanted(1)).unwrap();
    lease.keep().unwrap();
    assert!(matches!(devices.lease(&id("three"), &wanted(1)), Err(LeaseError::Busy(_))));
    devices.release(&id("two"));
    assert!(devices.lease(&id("three"), &wanted(1)).is_ok());
}

#[test]
fn who_has_what_is_read_from_the_containers() {
    let devices = devices(vec![declared("null"), declared("zero")]);
    let running = [(id("one"), vec!["null".to_owned()])];
    assert_eq!(devices.settle(devices.mark(), &running), []);
    assert_eq!(devices.lease(&id("two"), &wanted(1)).unwrap().ids(), ["zero"]);
    assert!(matches!(devices.lease(&id("two"), &wanted(2)), Err(LeaseError::Busy(_))));
    assert_eq!(devices.settle(devices.mark(), &[]), []);
    assert_eq!(devices.lease(&id("two"), &wanted(2)).unwrap().ids().len(), 2);
}

#[test]
fn a_device_that_was_taken_out_is_told_of_with_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let node = folder.path().join("npu");
    std::fs::write(&node, "").unwrap();
    let devices = devices(vec![Declared { nodes: vec![node.clone()], ..declared("npu") }]);
    devices.lease(&id("one"), &wanted(1)).unwrap().keep().unwrap();
    std::fs::remove_file(&node).unwrap();
    let lost = devices.look(EngineCan::default());
    assert_eq!(lost, [Lost { device: "npu".parse().unwrap(), instance: id("one") }]);
    assert_eq!(lost[0].to_string(), "its device npu is not there any more");
    assert!(matches!(devices.lease(&id("two"), &wanted(1)), Err(LeaseError::Never(_))));
}

#[test]
fn a_gpu_of_this_machine_is_leased_to_one_at_a_time() {
    let devices = Devices::new(DevicesConfig { nvml: true, cdi_folders: Vec::new(), declared: Vec::new() });
    assert_eq!(devices.look(EngineCan { nvidia_runtime: true, cdi: false }), []);
    let found = devices.list();
    let Some(gpu) = found.first() else {
        return println!("skipped: there is no NVIDIA GPU that a container could have here");
    };
    println!("found {} {} with {} bytes", gpu.kind, gpu.id, gpu.memory_bytes);
    let all = found.iter().filter(|other| other.kind == gpu.kind).count();
    let wanted = |count: usize| {
        let count = u32::try_from(count).unwrap();
        Gpu { kind: gpu.kind.clone(), count, memory_bytes: gpu.memory_bytes * u64::from(count) }
    };
    println!("one too many: {}", devices.offers(&wanted(all + 1)).unwrap_err().as_str());
    let lease = devices.lease(&id("one"), &wanted(all)).unwrap();
    println!("leased to one: {:?}", lease.ids());
    lease.keep().unwrap();
    let Err(LeaseError::Busy(busy)) = devices.lease(&id("two"), &wanted(1)) else { panic!("it has two owners") };
    println!("two: {}", busy.as_str());
    devices.release(&id("one"));
    println!("leased to two: {:?}", devices.lease(&id("two"), &wanted(1)).unwrap().ids());
}
