//! More visitors than there is room for: each is served or told so, soon, and nobody else notices.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use spaceport_tests::neighbour::Neighbour;
use spaceport_tests::{Answer, TestHost, TestSpace, raw, wait};

/// Connections that send no whole head.
const SLOW: usize = 1500;
/// Connections that come while the host has no time to accept one.
const AT_ONCE: usize = 500;
/// Connections that wait for nothing.
const IDLE: usize = 10_000;
/// Memory of the host for each of these, in bytes: 28 KiB were measured, most of it hyper's buffers for both directions.
const PER_IDLE: u64 = 32 << 10;
/// Visitors of a sleeping Space at the same moment.
const HERD: usize = 500;
/// Of those the ones that may wait for it to wake.
const WAITERS: usize = 256;
/// How long a Space gets ten times what it can do.
const OVERLOAD: Duration = Duration::from_secs(3);
/// Patience for what takes a moment.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_crowd_that_comes_at_once_is_not_sent_away_to_try_again() {
    let host = TestHost::start();
    let address = host.address();
    let process = Pid::from_raw(i32::try_from(host.pid()).unwrap()).unwrap();
    kill_process(process, Signal::STOP).unwrap();
    // Whom the system has no place for is heard of again after a second.
    let came: Vec<_> = (0..AT_ONCE).map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(900))).collect();
    kill_process(process, Signal::CONT).unwrap();
    let refused = came.iter().filter(|stream| stream.is_err()).count();
    assert_eq!(refused, 0, "of {AT_ONCE}");
}

#[test]
fn heads_that_do_not_come_are_not_waited_for() {
    raw::raise_file_limit();
    let host = TestHost::start_with("[limits]\nfirst_head = \"5s\"\n");
    let neighbour = Neighbour::of(&host);
    let before = host.open_files();
    neighbour.unharmed_by(|| {
        let began = Instant::now();
        let beginnings: [&[u8]; 4] = [b"", b"GET / HTTP/1.1\r\nhost: x", b"PRI * HTTP/2.0\r\n\r\n", b"PRI * HT"];
        let mut held = 0;
        let mut streams: Vec<TcpStream> = (0..SLOW)
            .map(|n| {
                let mut stream = raw::connect(&host);
                stream.write_all(beginnings[n % beginnings.len()]).unwrap();
                // On a busy machine the first are over their time before the last are there.
                if n % 50 == 49 {
                    held = held.max(host.open_files());
                }
                stream
            })
            .collect();
        assert!(held > before + SLOW / 2, "they are not held at all");
        let closed = wait::until(SOON, || {
            // One byte after the other buys no time.
            streams.iter_mut().skip(1).step_by(2).for_each(|stream| drop(stream.write(b"a")));
            streams.retain_mut(|stream| !raw::is_closed(stream));
            streams.is_empty().then_some(())
        });
        assert!(closed.is_some(), "{} of {SLOW} are still open after {:?}", streams.len(), began.elapsed());
    });
    let back = wait::until(SOON, || (host.open_files() <= before + 8).then_some(()));
    assert!(back.is_some(), "{before} files open before, {} after", host.open_files());
}

#[test]
fn ten_thousand_idle_connections_cost_little_and_nobody_waits_for_them() {
    let most = raw::raise_file_limit();
    assert!(most > IDLE + 1000, "this system allows {most} open files; give the tests more (ulimit -Hn)");
    let host = TestHost::start_with(&format!("[limits]\nconnections = {}\nkeep_alive = \"1h\"\n", IDLE + 50));
    let neighbour = Neighbour::of(&host);
    let before = host.resident();
    let idle: Vec<TcpStream> = neighbour.unharmed_by(|| (0..IDLE).map(|_| visit(&host, &neighbour.0)).collect());
    let grown = host.resident().saturating_sub(before);
    assert!(grown < PER_IDLE * IDLE as u64, "{} bytes for each", grown / IDLE as u64);
    // Up to the cap there is room; beyond, the answer is a closed door and no wait.
    neighbour.unharmed_by(|| {
        let mut more = Vec::new();
        let refused = wait::until(SOON, || {
            let mut stream = raw::connect(&host);
            let refused = stream.write_all(request(&neighbour.0).as_bytes()).is_err()
                || !matches!(stream.read(&mut [0; 1024]), Ok(1..));
            more.push(stream);
            // Room for the neighbour's own visits.
            (refused || more.len() > 45).then_some(refused)
        });
        assert_eq!(refused, Some(false), "there was room for {} more", more.len());
        drop(more);
    });
    let mut full = Vec::new();
    let close = format!("GET / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", neighbour.0.authority);
    let refused = wait::until(SOON, || {
        full.push(raw::connect(&host));
        raw::say(&host, close.as_bytes()).is_empty().then_some(())
    });
    assert!(refused.is_some(), "{} more and no end", full.len());
    drop(full);
    drop(idle);
    let served = wait::until(SOON, || {
        let answer = host.visitor().try_send("GET", &neighbour.0.authority, "/", &[], &[]);
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    });
    assert!(served.is_some(), "places that were given back are not given out");
}

fn request(space: &TestSpace<'_>) -> String {
    format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", space.authority)
}

/// A connection that has had one answer.
fn visit(host: &TestHost, space: &TestSpace<'_>) -> TcpStream {
    let mut stream = raw::connect(host);
    stream.write_all(request(space).as_bytes()).unwrap();
    let length = stream.read(&mut [0; 1024]).unwrap();
    assert!(length > 0, "a connection below the cap was refused");
    stream
}

#[test]
fn a_herd_larger_than_there_is_room_for_starts_a_sleeper_once() {
    let host = TestHost::start_with("[lifecycle]\nsleep_after = \"300ms\"\n");
    let space = host.run_guest("app", "hello", "");
    let neighbour = host.push("site", spaceport_tests::Files::site(&[("index.html", "awake")]));
    space.reaches("SLEEPING");
    let compiled = artifacts(&host);
    let gate = Barrier::new(HERD);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let herd: Vec<_> = (0..HERD)
            .map(|_| {
                scope.spawn(|| {
                    gate.wait();
                    space.get("/")
                })
            })
            .collect();
        herd.into_iter().map(|visitor| visitor.join().unwrap()).collect()
    });
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for answer in &answers {
        let outcome = format!("{} {}", answer.status, answer.fault().unwrap_or("hello"));
        *outcomes.entry(outcome).or_default() += 1;
        let is_fair = answer.status == 200 || answer.status == 503 && answer.header("retry-after").is_some();
        assert!(is_fair, "{} {:?}", answer.status, answer.headers);
    }
    let served = outcomes.get("200 hello").copied().unwrap_or_default();
    assert!(served >= WAITERS, "{outcomes:?}");
    assert_eq!(artifacts(&host), compiled, "it is compiled already");
    assert!(neighbour.get("/").text().ends_with("awake"));
}

fn artifacts(host: &TestHost) -> usize {
    std::fs::read_dir(host.data().join("artifacts")).unwrap().count()
}

#[test]
fn a_space_with_ten_times_the_visitors_it_can_serve_serves_as_many_as_it_can() {
    // 64 places of half a second each: 128 a second.
    const PLACES: usize = 64;
    const CAPACITY: f64 = PLACES as f64 / 0.5;
    let host = TestHost::start_with("[limits]\nqueue = \"2s\"\n");
    let space = host.run_guest("slow", "slow", "");
    let neighbour = Neighbour::of(&host);
    let (served, refused) = (AtomicU32::new(0), AtomicU32::new(0));
    let is_over = AtomicBool::new(false);
    let visitor = || {
        let client = host.visitor();
        while !is_over.load(Ordering::SeqCst) {
            let began = Instant::now();
            let answer = client.get(&space.authority, "/?ms=500");
            assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
            match answer.fault() {
                None => served.fetch_add(1, Ordering::SeqCst),
                Some("space_busy") => {
                    assert!(answer.header("retry-after").is_some(), "{:?}", answer.headers);
                    // As impatient as a visitor can be who is ten times too many.
                    std::thread::sleep(Duration::from_millis(200));
                    refused.fetch_add(1, Ordering::SeqCst)
                }
                Some(other) => panic!("{other}: {}", answer.text()),
            };
        }
    };
    let (goodput, grown) = neighbour.unharmed_by(|| {
        std::thread::scope(|scope| {
            (0..10 * PLACES).for_each(|_| drop(scope.spawn(visitor)));
            let began = wait::until(SOON, || (refused.load(Ordering::SeqCst) > 0).then_some(()));
            let (before, memory, started) = (served.load(Ordering::SeqCst), host.resident(), Instant::now());
            std::thread::sleep(OVERLOAD);
            let goodput = f64::from(served.load(Ordering::SeqCst) - before) / started.elapsed().as_secs_f64();
            let grown = host.resident().saturating_sub(memory);
            is_over.store(true, Ordering::SeqCst);
            assert!(began.is_some(), "nobody was refused");
            (goodput, grown)
        })
    });
    assert!(goodput >= 0.8 * CAPACITY, "{goodput} of {CAPACITY} a second");
    assert!(grown < 64 << 20, "{} MiB more", grown >> 20);
    let began = Instant::now();
    assert_eq!(space.get("/?ms=1").status, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
