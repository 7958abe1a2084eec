//! The memory of a Space and of the node.

use std::time::Duration;

use spaceport_core::fault::Fault;

use crate::harness::World;

const MIB: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_asks_for_more_than_its_hardware_is_told_so() {
    let world = World::new();
    let space = world.launch_with("grow_memory", |spec| spec.limits.memory = 64 * MIB).await;
    assert_eq!(space.get("/?mib=20").await.unwrap(), format!("held {}", 20 * MIB));
    assert_eq!(space.get("/?mib=100").await, Err(Fault::GuestMemoryExceeded));
    assert!(space.running.usage().memory_bytes < 64 * MIB);
    assert_eq!(space.get("/?mib=20").await.unwrap(), format!("held {}", 20 * MIB));
    space.running.stop(Duration::ZERO).await;
    assert_eq!((space.running.usage().memory_bytes, world.engine.memory_used()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_of_a_space_together_stay_within_its_memory() {
    let world = World::new();
    let space = world
        .launch_with("grow_memory", |spec| {
            spec.limits.memory = 64 * MIB;
            spec.limits.queue = Duration::from_millis(300);
        })
        .await;
    let running = space.running.clone();
    let watch = tokio::spawn(async move {
        let mut most = 0;
        for _ in 0..200 {
            most = most.max(running.usage().memory_bytes);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        most
    });
    let answers = futures_util::future::join_all((0..20).map(|_| space.get("/?mib=24&hold_ms=500"))).await;
    let count =
        |wanted: &dyn Fn(&Fault) -> bool| answers.iter().filter(|answer| answer.as_ref().is_err_and(wanted)).count();
    let busy = count(&|fault| *fault == Fault::SpaceBusy);
    let exceeded = count(&|fault| *fault == Fault::GuestMemoryExceeded);
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(busy + exceeded + answered, 20, "{answers:?}");
    assert!((1..=2).contains(&answered), "{answers:?}");
    let most = watch.await.unwrap();
    assert!(most <= 64 * MIB, "{most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_memory_that_becomes_free() {
    let world = World::new();
    // Room for one instance of a megabyte and some, not for two.
    let space = world.launch_with("slow", |spec| spec.limits.memory = 2 * MIB).await;
    let answers = futures_util::future::join_all((0..5).map(|_| space.get("/?ms=100"))).await;
    assert!(answers.iter().all(|answer| answer.as_deref() == Ok("slow")), "{answers:?}");
    assert_eq!(space.running.usage().instances, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_does_not_fit_at_all_is_told_at_once() {
    let world = World::new();
    let space = world.launch_with("hello", |spec| spec.limits.memory = MIB).await;
    let began = std::time::Instant::now();
    assert_eq!(space.get("/").await, Err(Fault::GuestMemoryExceeded));
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(space.running.usage().memory_bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_instances_of_other_spaces_make_room_on_a_full_node() {
    let world = World::with_memory(4 * MIB);
    let first = world.launch("hello").await;
    let second = world.launch("slow").await;
    let third = world.launch("hello").await;
    assert_eq!(first.get("/").await.unwrap(), "hello");
    assert_eq!(second.get("/").await.unwrap(), "slow");
    assert_eq!(third.get("/").await.unwrap(), "hello");
    assert!(world.engine.memory_used() <= 4 * MIB);
    let busy = futures_util::future::join_all((0..3).map(|_| second.get("/?ms=1000"))).await;
    assert!(busy.iter().all(|answer| matches!(answer.as_deref(), Ok("slow"))), "{busy:?}");
}
