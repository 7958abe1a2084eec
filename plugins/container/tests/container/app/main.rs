//! The app inside the tests' containers, and the tool inside their builds: one static program, so that an image needs
//! nothing else. Compiled by the tests themselves with `rustc`.
//!
//! As a server it does what the path says; as a command what its first argument says.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["serve"] => serve(),
        ["say", text] => println!("{text}"),
        // What a build finds, without telling it.
        ["expect-reversed", file, content] => {
            let found = fs::read_to_string(file).unwrap_or_else(|error| fail(&format!("{file}: {error}")));
            if !found.chars().rev().eq(content.chars()) {
                fail(&format!("{file} has {} bytes of something else", found.len()));
            }
        }
        ["expect-none", file] => {
            if fs::metadata(file).is_ok() {
                fail(&format!("{file} is there"));
            }
        }
        ["variable", name, value] => {
            if std::env::var(name).as_deref() != Ok(value) {
                fail(&format!("{name} is {:?}", std::env::var(name)));
            }
        }
        ["flood", lines] => {
            for n in 0..lines.parse::<u64>().unwrap() {
                println!("line {n} {}", "x".repeat(100));
            }
        }
        ["fill", file, bytes] => fill(file, bytes.parse().unwrap()),
        ["hang"] => loop {
            thread::sleep(Duration::from_secs(1));
        },
        ["fail", text] => fail(text),
        // Nothing here may be reached.
        ["expect-unreached", ref all @ ..] => all.iter().for_each(|to| {
            if connect(to) == "connected" {
                fail(&format!("{to} was reached"));
            }
        }),
        ["keep", file, text] => fs::write(file, text).unwrap_or_else(|error| fail(&format!("{file}: {error}"))),
        ["bomb"] => bomb(),
        ["threads"] => println!("{} threads", threads()),
        _ => fail("what?"),
    }
}

fn fail(text: &str) -> ! {
    eprintln!("{text}");
    std::process::exit(3);
}

fn serve() -> ! {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(7860);
    println!("listening on {port}");
    let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
    loop {
        if let Ok((stream, _)) = listener.accept() {
            // What it cannot serve it does not serve.
            let _ = thread::Builder::new().stack_size(256 << 10).spawn(|| answer(stream));
        }
    }
}

fn answer(mut stream: TcpStream) {
    let mut from = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    from.read_line(&mut first).unwrap();
    let mut line = String::new();
    while from.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let target = first.split(' ').nth(1).unwrap_or("/").to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let body = act(path, query);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body.as_bytes());
}

fn act(path: &str, query: &str) -> String {
    match path {
        "/env" => std::env::vars().map(|(name, value)| format!("{name}={value}\n")).collect(),
        "/status" => fs::read_to_string("/proc/self/status").unwrap(),
        "/read" => fs::read_to_string(query).unwrap_or_else(|error| format!("error: {error}")),
        "/write" => match query.split_once('=').map(|(file, text)| fs::write(file, text)) {
            Some(Ok(())) => "written".to_owned(),
            other => format!("error: {other:?}"),
        },
        "/exit" => {
            eprintln!("the end is near");
            eprintln!("asked to leave");
            std::process::exit(query.parse().unwrap());
        }
        "/say" => {
            println!("{query}");
            eprintln!("{query}");
            "said".to_owned()
        }
        "/memory" => {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![1_u8; 1 << 20]);
            }
        }
        "/threads" => format!("{}", threads()),
        "/fill" => {
            let (file, bytes) = query.split_once('=').unwrap();
            fill(file, bytes.parse().unwrap());
            "filled".to_owned()
        }
        "/files" => {
            let (dir, count) = query.split_once('=').unwrap();
            let _ = fs::create_dir(dir);
            for n in 0..count.parse::<u64>().unwrap() {
                fs::write(format!("{dir}/{n}"), "").unwrap();
            }
            "made".to_owned()
        }
        "/open" => {
            let mut files = Vec::new();
            while let Ok(file) = fs::File::open("/proc/self/status") {
                files.push(file);
            }
            format!("{}", files.len())
        }
        "/connect" => connect(query),
        "/bomb" => {
            thread::spawn(|| bomb());
            "exploded".to_owned()
        }
        "/burn" => {
            let end = Instant::now() + Duration::from_secs(query.parse().unwrap());
            let burn = move || while Instant::now() < end {};
            let threads: Vec<_> = (0..8).map(|_| thread::spawn(burn)).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            "burnt".to_owned()
        }
        "/shm" => {
            let mut file = fs::File::create("/dev/shm/x").unwrap();
            let piece = vec![b'x'; 1 << 20];
            let mut written = 0;
            while file.write_all(&piece).is_ok() {
                written += piece.len();
            }
            fs::remove_file("/dev/shm/x").unwrap();
            format!("{written}")
        }
        "/mounts" => fs::read_to_string("/proc/self/mounts").unwrap(),
        _ => "hello".to_owned(),
    }
}

fn connect(to: &str) -> String {
    match to.to_socket_addrs().ok().and_then(|mut all| all.next()) {
        None => "no such name".to_owned(),
        Some(address) => match TcpStream::connect_timeout(&address, Duration::from_secs(2)) {
            Ok(_) => "connected".to_owned(),
            Err(error) => format!("error: {error}"),
        },
    }
}

/// Starts itself again and again, as those do that it starts.
fn bomb() -> ! {
    let own = std::env::current_exe().unwrap();
    let mut children = Vec::new();
    loop {
        children.extend(Command::new(&own).arg("bomb").spawn());
    }
}

/// As many threads as there can be, for a moment.
fn threads() -> usize {
    let mut threads = Vec::new();
    let gate = std::sync::Arc::new(std::sync::RwLock::new(()));
    let held = gate.write().unwrap();
    while threads.len() < 20_000 {
        let gate = gate.clone();
        let begun = thread::Builder::new().stack_size(16 << 10).spawn(move || drop(gate.read()));
        match begun {
            Ok(thread) => threads.push(thread),
            Err(_) => break,
        }
    }
    drop(held);
    let count = threads.len();
    for thread in threads {
        let _ = thread.join();
    }
    count
}

fn fill(file: &str, bytes: u64) {
    let mut to = fs::File::create(file).unwrap();
    std::io::copy(&mut std::io::repeat(b'x').take(bytes), &mut to).unwrap();
}
