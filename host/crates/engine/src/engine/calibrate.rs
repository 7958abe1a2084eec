//! How much fuel one vCPU burns in a second on this machine.
//!
//! Fuel is not time: it differs by what the code does. A tight loop of plain instructions burns it fastest, so its rate
//! is the upper bound from which a request's cap is computed; code that waits on memory stays below it.

use std::time::{Duration, Instant};

use wasmtime::{Engine, Error, Instance, Module, Store};

/// The binary form of
/// `(module (func (export "spin") (param i32) (result i32) (local i32) (loop (local.set 1 (i32.add (i32.mul
///  (local.get 1) (i32.const 31)) (local.get 0))) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
///  (local.get 1)))`, so that the text format's parser is not part of the host.
const SPIN: &[u8] = &[
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic, version
    0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f, // type: i32 -> i32
    0x03, 0x02, 0x01, 0x00, // one function of it
    0x07, 0x08, 0x01, 0x04, b's', b'p', b'i', b'n', 0x00, 0x00, // exported as "spin"
    0x0a, 0x1e, 0x01, 0x1c, 0x01, 0x01, 0x7f, // code: one body, one local
    0x03, 0x40, // loop
    0x20, 0x01, 0x41, 0x1f, 0x6c, 0x20, 0x00, 0x6a, 0x21, 0x01, // l1 = l1 * 31 + l0
    0x20, 0x00, 0x41, 0x01, 0x6b, 0x22, 0x00, 0x0d, 0x00, // while (l0 -= 1)
    0x0b, 0x20, 0x01, 0x0b, // end, l1, end
];
/// Turns of one round: some 3 ms, well over the clock's resolution and under a scheduler's slice.
const TURNS: i32 = 4_000_000;
/// Rounds; the fastest counts, since whatever else ran can only have slowed the others.
const ROUNDS: u32 = 8;

/// Fuel per vCPU-second.
pub(crate) fn fuel_per_second(engine: &Engine) -> Result<u64, Error> {
    let module = Module::from_binary(engine, SPIN)?;
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(u64::from(u32::MAX));
    store.set_fuel(u64::MAX)?;
    let instance = Instance::new(&mut store, &module, &[])?;
    let spin = instance.get_typed_func::<i32, i32>(&mut store, "spin")?;
    let mut best = 0.0_f64;
    for _ in 0..ROUNDS {
        let before = store.get_fuel()?;
        let start = Instant::now();
        spin.call(&mut store, TURNS)?;
        let elapsed = start.elapsed().max(Duration::from_nanos(1));
        best = best.max((before - store.get_fuel()?) as f64 / elapsed.as_secs_f64());
    }
    Ok(best as u64)
}
