//! SIGTERM: what is under way ends, then the host does.

use std::time::Duration;

use spaceport_tests::{TestHost, wait};

#[test]
fn a_request_in_flight_ends_before_the_host_does() {
    let mut host = TestHost::start();
    let (visitor, authority) = {
        let space = host.run_guest("slow", "slow", "");
        assert_eq!(space.get("/?ms=1").status, 200);
        (host.visitor(), space.authority.clone())
    };
    let pending = std::thread::spawn(move || visitor.get(&authority, "/?ms=1500"));
    std::thread::sleep(Duration::from_millis(400));
    host.terminate();
    let answer = pending.join().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(host.wait_for_exit(), 0);
}

#[test]
fn an_endless_stream_does_not_hold_the_host_for_ever() {
    use std::io::{Read, Write};
    let mut host = TestHost::start();
    let authority = host.run_guest("endless", "infinite_body", "").authority.clone();
    let mut stream = std::net::TcpStream::connect(host.address()).unwrap();
    write!(stream, "GET /forever HTTP/1.1\r\nHost: {authority}\r\n\r\n").unwrap();
    let mut some = [0; 512];
    assert!(wait::until(Duration::from_secs(5), || stream.read(&mut some).ok().filter(|n| *n > 0)).is_some());
    assert_eq!(host.stop(), 0);
}
