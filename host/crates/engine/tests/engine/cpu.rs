//! Fuel and CPU time.

use std::time::Duration;

use spaceport_core::fault::Fault;
use spaceport_core::manifest::Isolation;

use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn calibration_is_of_the_order_of_a_cpu() {
    let world = World::new();
    let fuel = world.engine.calibration().fuel_per_vcpu_second;
    // A core of this decade does between a tenth and ten instructions in a nanosecond.
    assert!((100_000_000..100_000_000_000).contains(&fuel), "{fuel}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_use_its_fuel_and_not_a_unit_more() {
    let world = World::new();
    // A guest that decides nothing by chance or by the clock.
    let measured = world.launch_with("no_response", |spec| spec.isolation = Isolation::Request).await;
    assert_eq!(measured.get("/mute").await, Err(Fault::GuestNoResponse));
    measured.empties().await;
    let spent = |fuel: u64| {
        world.launch_with("no_response", move |spec| {
            spec.isolation = Isolation::Request;
            spec.limits.request_fuel = Some(fuel);
        })
    };
    // The start of an instance has an allowance of its own, so a request needs less than both together.
    let (mut enough, mut short) = (measured.running.usage().fuel, 0);
    while enough - short > 1 {
        let middle = (enough + short) / 2;
        match spent(middle).await.get("/mute").await {
            Err(Fault::GuestNoResponse) => enough = middle,
            Err(Fault::GuestFuelExceeded(_)) => short = middle,
            other => panic!("{other:?}"),
        }
    }
    let (enough_space, short_space) = (spent(enough).await, spent(short).await);
    for _ in 0..100 {
        assert_eq!(enough_space.get("/mute").await, Err(Fault::GuestNoResponse));
        assert_eq!(short_space.get("/mute").await, Err(Fault::GuestFuelExceeded(short)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_ends_when_its_fuel_does() {
    let world = World::new();
    for name in ["spin_forever", "spin_p3"] {
        let space = world.launch_with(name, |spec| spec.limits.request_fuel = Some(50_000_000)).await;
        assert_eq!(space.get("/loop").await, Err(Fault::GuestFuelExceeded(50_000_000)), "{name}");
        space.empties().await;
        let fuel = space.running.usage().fuel;
        assert!((50_000_000..60_000_000).contains(&fuel), "{name}: {fuel}");
        // An old instance has no less than a new one.
        for _ in 0..5 {
            assert_eq!(space.get("/").await.unwrap(), "quiet", "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_vcpu_is_half_a_core_however_many_loop() {
    let world = World::new();
    for loops in [1, 3] {
        let space = world
            .launch_with("spin_forever", |spec| {
                spec.limits.vcpu = 0.5;
                spec.limits.first_byte = Duration::from_secs(3);
            })
            .await;
        let answers = futures_util::future::join_all((0..loops).map(|_| space.get("/loop"))).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(Fault::GuestDeadline(_)))), "{answers:?}");
        space.empties().await;
        let cores = space.running.usage().cpu.as_secs_f64() / 3.0;
        assert!((0.4..=0.6).contains(&cores), "{loops} loops used {cores} cores");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_short_requests_are_held_to_the_vcpus_as_well() {
    let world = World::new();
    let space = world.launch_with("hello", |spec| spec.limits.vcpu = 0.05).await;
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        futures_util::future::join_all((0..16).map(|_| space.get("/"))).await.into_iter().for_each(|answer| {
            answer.unwrap();
        });
    }
    let cores = space.running.usage().cpu.as_secs_f64() / began.elapsed().as_secs_f64();
    assert!(cores <= 0.1, "{cores} cores");
}
