//! Memory, fuel, CPU and deadlines, as far as a visitor and an operator can see them.

use std::time::{Duration, Instant};

use serde_json::json;
use spaceport_tests::{TestHost, TestSpace};

/// Kernel clock ticks per second, fixed on Linux.
const TICKS: u64 = 100;

/// CPU time that a process has used.
fn cpu_of(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 1000 / TICKS)
}

fn on(space: &TestSpace<'_>, flavor: &str) {
    space.post("/hardware", json!({"flavor": flavor}));
    space.reaches("RUNNING");
}

#[test]
fn a_request_that_never_answers_gets_504_at_its_timeout() {
    let host = TestHost::start();
    for (name, guest, path) in [
        ("spin", "spin_forever", "/loop"),
        ("sleep", "sleep_forever", "/hang"),
        ("spin3", "spin_p3", "/loop"),
        ("sleep3", "sleep_p3", "/?ms=600000"),
    ] {
        let space = host.run_guest(name, guest, "wasm:\n  timeout: 1s");
        let started = Instant::now();
        let answer = space.get(path);
        let took = started.elapsed();
        assert_eq!((answer.status, answer.fault()), (504, Some("guest_deadline")), "{guest}: {}", answer.text());
        assert!(took >= Duration::from_millis(900), "{guest}: {took:?}");
        assert_eq!(space.get("/").status, 200, "{guest}: the next request is answered");
    }
}

#[test]
fn fuel_is_exact() {
    // A tight loop burns whatever it is given; an honest request needs far less than this.
    let host = TestHost::start_with("[limits]\nrequest_fuel = 50000000\n");
    let space = host.run_guest("spin", "spin_forever", "");
    for _ in 0..3 {
        let answer = space.get("/loop");
        assert_eq!((answer.status, answer.fault()), (502, Some("guest_fuel_exceeded")), "{}", answer.text());
        assert_eq!(space.get("/").status, 200);
    }
}

#[test]
fn memory_stops_at_the_hardware() {
    let host = TestHost::start();
    let space = host.run_guest("grow", "grow_memory", "");
    on(&space, "test-small");
    let answer = space.get("/?mib=16");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = space.get("/?mib=200");
    assert_eq!((answer.status, answer.fault()), (502, Some("guest_memory_exceeded")), "{}", answer.text());
    assert_eq!(space.get("/?mib=1").status, 200, "the Space goes on");
}

#[test]
fn all_instances_of_a_space_share_its_memory() {
    let host = TestHost::start();
    let space = host.run_guest("grow", "grow_memory", "");
    on(&space, "test-small");
    let (answers, peak) = std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..12).map(|_| scope.spawn(|| space.get("/?mib=40&hold_ms=300"))).collect();
        let mut peak = 0.0f64;
        while visitors.iter().any(|visitor| !visitor.is_finished()) {
            peak = peak.max(metric(&host, "spaceport_space_memory_bytes", &space.id));
        }
        (visitors.into_iter().map(|visitor| visitor.join().unwrap()).collect::<Vec<_>>(), peak)
    });
    for answer in &answers {
        let fair = answer.status == 200 || matches!(answer.fault(), Some("space_busy" | "guest_memory_exceeded"));
        assert!(fair, "{} {:?} {}", answer.status, answer.fault(), answer.text());
    }
    assert!(answers.iter().any(|answer| answer.status == 200));
    let mib = peak / f64::from(1 << 20);
    assert!((40.0..=64.0).contains(&mib), "the instances together held {mib} MiB");
}

#[test]
fn a_space_over_its_cpu_is_slowed_not_trapped() {
    let host = TestHost::start();
    let space = host.run_guest("spin", "spin_forever", "wasm:\n  timeout: 8s");
    on(&space, "test-half");
    std::thread::scope(|scope| {
        scope.spawn(|| space.get("/loop"));
        // Let the loop begin and its initial burst pass.
        let begun = spaceport_tests::wait::until(Duration::from_secs(5), || {
            (metric(&host, "spaceport_space_instances", &space.id) >= 1.0).then_some(())
        });
        assert!(begun.is_some());
        std::thread::sleep(Duration::from_millis(1500));
        let (before, started) = (cpu_of(host.pid()), Instant::now());
        std::thread::sleep(Duration::from_secs(5));
        let share = (cpu_of(host.pid()) - before).as_secs_f64() / started.elapsed().as_secs_f64();
        assert!((0.4..=0.6).contains(&share), "used {share:.2} of a core");
    });
}

#[test]
fn looping_guests_do_not_starve_a_neighbour() {
    let host = TestHost::start();
    let loops = host.run_guest("spin", "spin_forever", "wasm:\n  timeout: 10s");
    let innocent = host.run_guest("hello", "hello", "");
    let quiet = p99(&innocent);
    let cores = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| loops.get("/loop"));
        }
        std::thread::sleep(Duration::from_millis(500));
        let loud = p99(&innocent);
        let started = Instant::now();
        assert_eq!(host.visitor().get(&host.domain(), "/healthz").status, 200);
        let health = started.elapsed();
        // Far beyond the bench's bound: this asks whether there is fairness at all on a busy machine.
        assert!(loud < quiet * 10 + Duration::from_millis(100), "quiet {quiet:?}, beside loops {loud:?}");
        assert!(health < Duration::from_secs(1), "{health:?}");
    });
}

fn p99(space: &TestSpace<'_>) -> Duration {
    let mut times: Vec<_> = (0..200)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(space.get("/").status, 200);
            started.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() * 99 / 100]
}

/// A sample of the admin listener's metrics for one Space.
fn metric(host: &TestHost, name: &str, space: &str) -> f64 {
    let client = spaceport_tests::client::Client::new(host.admin(), None);
    let text = client.get("localhost", "/metrics").text();
    let line = text.lines().find(|line| line.starts_with(name) && line.contains(&format!("\"{space}\"")));
    let value = line.and_then(|line| line.rsplit_once(' ')).map(|(_, value)| value.parse().unwrap());
    value.unwrap_or_else(|| panic!("no {name} of {space} in\n{text}"))
}
