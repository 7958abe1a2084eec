//! Guests written to do harm, in the text format: no toolchain would emit them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use spaceport_core::fault::Fault;
use spaceport_engine::{GuestLog, LaunchSpec};

use crate::harness::{Log, Space, World, request};

/// A component whose handler is this function body, in a module with these further fields.
fn component(fields: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "wasi:http/types@0.2.0" (instance $types
                (export "incoming-request" (type (sub resource)))
                (export "response-outparam" (type (sub resource)))
                (export "fields" (type $fields (sub resource)))
                (export "[constructor]fields" (func (result (own $fields))))))
            (alias export $types "incoming-request" (type $request))
            (alias export $types "response-outparam" (type $out))
            (core func $new-fields (canon lower (func $types "[constructor]fields")))
            (core module $module
                (import "host" "fields" (func $fields (result i32)))
                {fields}
                (func $handle (export "handle") (param i32 i32) {body}))
            (core instance $host (export "fields" (func $new-fields)))
            (core instance $core (instantiate $module (with "host" (instance $host))))
            (func $handle (param "request" (own $request)) (param "response-out" (own $out))
                (canon lift (core func $core "handle")))
            (component $shim
                (import "request" (type $request (sub resource)))
                (import "out" (type $out (sub resource)))
                (import "handle" (func $handle (param "request" (own $request)) (param "response-out" (own $out))))
                (export "handle" (func $handle)
                    (func (param "request" (own $request)) (param "response-out" (own $out)))))
            (instance $handler (instantiate $shim
                (with "request" (type $request)) (with "out" (type $out)) (with "handle" (func $handle))))
            (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#
    );
    wat::parse_str(text).unwrap()
}

async fn launch(world: &World, fields: &str, body: &str, change: impl FnOnce(&mut LaunchSpec)) -> Space {
    let artifact = world.engine.compile(&component(fields, body), &|_| {}).await.unwrap();
    let log = Arc::new(Log::default());
    let mut spec = world.spec(artifact, log.clone());
    change(&mut spec);
    Space { running: world.engine.launch(spec).await.unwrap(), log }
}

#[track_caller]
fn assert_trap(answer: Result<String, Fault>, reason: &str) {
    assert!(matches!(&answer, Err(Fault::GuestTrap(text)) if text.contains(reason)), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn recursion_without_end_traps() {
    let world = World::new();
    let space = launch(&world, "", "(call $handle (local.get 0) (local.get 1))", |_| {}).await;
    for _ in 0..3 {
        assert_trap(space.get("/").await, "call stack exhausted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hoarded_handles_end_the_instance() {
    let world = World::new();
    let space = launch(&world, "", "(loop (drop (call $fields)) (br 0))", |_| {}).await;
    let began = Instant::now();
    assert!(matches!(space.get("/").await, Err(Fault::GuestTrap(_))));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    space.empties().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_function_that_loops_is_ended_and_nothing_is_left() {
    let world = World::new();
    let fields = "(func $start (loop (br 0))) (start $start)";
    let space = launch(&world, fields, "", |spec| spec.limits.cold_start = Duration::from_millis(300)).await;
    let began = Instant::now();
    assert!(matches!(space.get("/").await, Err(Fault::GuestDeadline(_))));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    space.empties().await;
    assert_eq!(space.running.usage().memory_bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_function_that_traps_is_a_trap() {
    let world = World::new();
    let space = launch(&world, "(func $start unreachable) (start $start)", "", |_| {}).await;
    assert_trap(space.get("/").await, "unreachable");
    space.empties().await;
    assert!(space.log.text().contains("did not start"), "{}", space.log.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_stop_growing_at_their_limit() {
    let world = World::new();
    let body = "(if (i32.ne (table.grow (ref.null func) (i32.const 200000)) (i32.const -1)) (then unreachable))
                (if (i32.ne (table.grow (ref.null func) (i32.const -2)) (i32.const -1)) (then unreachable))
                (if (i32.eq (table.grow (ref.null func) (i32.const 1000)) (i32.const -1)) (then unreachable))";
    let space = launch(&world, "(table 1 funcref)", body, |_| {}).await;
    assert_eq!(space.get("/").await, Err(Fault::GuestNoResponse));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_stops_growing_at_the_tier_and_all_of_it_can_be_touched() {
    let world = World::new();
    // Grows page by page until it may not, then writes to the last page.
    let body = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
                (i32.store (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4)) (i32.const 1))";
    let space = launch(&world, "(memory 1)", body, |spec| spec.limits.memory = 16 << 20).await;
    assert_eq!(space.get("/").await, Err(Fault::GuestNoResponse));
    let held = space.running.usage().memory_bytes;
    assert!(held > 15 << 20 && held <= 16 << 20, "{held}");
}

#[tokio::test(flavor = "multi_thread")]
async fn filling_memory_is_paid_for_in_fuel() {
    let world = World::new();
    let body = "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 16777216)) (br 0))";
    let space = launch(&world, "(memory 256)", body, |spec| spec.limits.request_fuel = Some(100_000_000)).await;
    assert_eq!(space.get("/").await, Err(Fault::GuestFuelExceeded(100_000_000)));
    let space = launch(&world, "(memory 1)", "(loop (drop (memory.grow (i32.const 0))) (br 0))", |spec| {
        spec.limits.request_fuel = Some(10_000_000);
    });
    assert_eq!(space.await.get("/").await, Err(Fault::GuestFuelExceeded(10_000_000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_readable_host_harms_nobody() {
    let world = World::new();
    let space = world.launch("counter").await;
    for n in 1..=3 {
        let mut odd = request("/");
        odd.headers_mut().remove("host");
        if n == 2 {
            odd.headers_mut().insert("host", http::HeaderValue::from_bytes(b"\xff").unwrap());
        }
        let body = space.running.call(odd).await.unwrap().into_body();
        assert_eq!(http_body_util::BodyExt::collect(body).await.unwrap().to_bytes(), n.to_string());
    }
}

/// A log that breaks, which makes the host function that writes to it panic.
struct BrokenLog;

impl GuestLog for BrokenLog {
    fn write(&self, text: &[u8]) {
        assert!(text.starts_with(b"[spaceport]"), "the log is broken");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_the_host_ends_that_request_alone() {
    let world = World::new();
    let space = world.launch_with("log_flood", |spec| spec.log = Arc::new(BrokenLog)).await;
    for _ in 0..3 {
        assert!(matches!(space.get("/flood?mib=1").await, Err(Fault::GuestTrap(_))));
        assert_eq!(space.get("/flood?mib=0").await.unwrap(), "still here");
    }
    space.running.stop(Duration::ZERO).await;
    assert_eq!(space.running.usage().memory_bytes, 0);
}
