//! Guests that break.

use http_body_util::BodyExt;
use spaceport_core::fault::Fault;

use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_before_the_head_is_a_fault_and_the_next_request_is_answered() {
    let world = World::new();
    for name in ["trap_before", "trap_p3"] {
        let space = world.launch(name).await;
        for _ in 0..3 {
            assert_eq!(space.get("/").await.unwrap(), "fine", "{name}");
            let fault = space.get("/trap").await.unwrap_err();
            assert!(matches!(&fault, Fault::GuestTrap(reason) if reason.contains("unreachable")), "{name}: {fault:?}");
        }
        let log = space.log.text();
        assert!(log.contains("asked to trap") && log.contains("[spaceport] the app trapped"), "{name}: {log}");
        assert!(log.contains("wasm backtrace"), "{name}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_in_mid_body_breaks_the_stream() {
    let world = World::new();
    let space = world.launch("trap_after").await;
    let mut body = space.head("/trap").await.unwrap().into_body();
    let (mut data, mut broken) = (Vec::new(), false);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => data.extend_from_slice(frame.data_ref().unwrap()),
            Err(_) => broken = true,
        }
        if broken {
            break;
        }
    }
    assert!(broken, "it seemed to end after {}", String::from_utf8_lossy(&data));
    assert!(String::from_utf8_lossy(&data).starts_with("chunk 0"));
    assert_eq!(space.get("/").await.unwrap(), "fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_without_an_answer_is_told_apart_from_one_that_traps() {
    let world = World::new();
    let space = world.launch("no_response").await;
    assert_eq!(space.get("/mute").await, Err(Fault::GuestNoResponse));
    assert_eq!(space.get("/").await.unwrap(), "");
    assert_eq!(space.running.usage().cold_starts, 1, "the instance lives on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_takes_no_other_instance_with_it() {
    let world = World::new();
    let trapping = world.launch("trap_before").await;
    let slow = world.launch("slow").await;
    let (traps, answers) = tokio::join!(
        futures_util::future::join_all((0..20).map(|_| trapping.get("/trap"))),
        futures_util::future::join_all((0..4).map(|_| slow.get("/?ms=200"))),
    );
    assert!(traps.iter().all(|trap| matches!(trap, Err(Fault::GuestTrap(_)))), "{traps:?}");
    assert!(answers.iter().all(|answer| answer.as_deref() == Ok("slow")), "{answers:?}");
    // In one Space as well: serial guests share nothing.
    let mixed = ["/", "/trap", "/", "/trap", "/"].map(|path| trapping.get(path));
    for (n, answer) in futures_util::future::join_all(mixed).await.into_iter().enumerate() {
        assert_eq!(answer.is_ok(), n % 2 == 0, "{n}: {answer:?}");
    }
}
