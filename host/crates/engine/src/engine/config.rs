//! wasmtime's configuration: what code may be, and how much of everything the pool holds.
//!
//! The first half decides the machine code and is shared with the compiler's child process, or its artifacts would not
//! load here; the second half (the pool) only this process needs.

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig, Strategy};

/// Native stack that a guest's own calls may use; deeper recursion traps.
const WASM_STACK: usize = 512 << 10;
/// Native stack of a guest's fiber. The 1.5 MiB beyond `WASM_STACK` are for host functions: overflowing those would
/// abort the process, so they are generous.
const ASYNC_STACK: usize = 2 << 20;
/// Fuel per page of `memory.grow`, the most the table can hold: a page must be zeroed, which is work of the guest's.
const FUEL_PER_GROWN_PAGE: u8 = u8::MAX;

/// Bytes of a memory slot that stay resident for the next instance: an app of a small language fits whole and starts
/// without a page fault.
const MEMORY_KEEP_RESIDENT: usize = 1 << 20;
/// The same for tables; 64 KiB are 8192 functions.
const TABLE_KEEP_RESIDENT: usize = 64 << 10;
/// The same for stacks.
const STACK_KEEP_RESIDENT: usize = 64 << 10;
/// Slots that stay warm for a component while unused; bounds what the three figures above can pin.
const WARM_SLOTS: u32 = 100;
/// Elements of one table; the limiter holds a Space's sum. Interpreters have some 6,000.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;
/// Bytes of one core instance's own bookkeeping; an interpreter with 10,000 functions needs some 200 KB.
const CORE_INSTANCE_SIZE: usize = 4 << 20;
/// The same for a component's.
const COMPONENT_INSTANCE_SIZE: usize = 1 << 20;
/// Core instances that one component may create. Composed interpreters need about 14.
pub(crate) const CORE_INSTANCES_PER_COMPONENT: u32 = 64;
/// Linear memories of one component.
pub(crate) const MEMORIES_PER_COMPONENT: u32 = 8;
/// Tables of one component.
pub(crate) const TABLES_PER_COMPONENT: u32 = 32;
/// Tables of one core module.
const TABLES_PER_MODULE: u32 = 8;
/// Stacks per memory slot: concurrent components hold one for each request that waits.
const STACKS_PER_MEMORY: u32 = 4;

/// The half that decides the machine code.
pub(crate) fn code() -> Config {
    let mut config = Config::new();
    let mut cost = OperatorCost::new();
    cost.variable.memory_grow_per_page = FUEL_PER_GROWN_PAGE;
    config
        .strategy(Strategy::Cranelift)
        .consume_fuel(true)
        .operator_cost(cost)
        .epoch_interruption(true)
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        // Off (as are threads, which this build leaves out) because no common toolchain emits it and each is more to defend.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .shared_memory(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        // A stack comes from a pool: without this the next guest could find the last one's bytes.
        .async_stack_zeroing(true)
        .generate_address_map(true);
    config
}

/// The pool for `memories` linear memories at once.
pub(crate) fn pooled(memories: u32) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(memories)
        .total_component_instances(memories)
        .total_core_instances(memories.saturating_mul(16))
        .total_tables(memories.saturating_mul(6))
        .total_stacks(memories.saturating_mul(STACKS_PER_MEMORY))
        .total_gc_heaps(memories)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_MODULE)
        .max_core_instance_size(CORE_INSTANCE_SIZE)
        .max_component_instance_size(COMPONENT_INSTANCE_SIZE)
        .table_elements(TABLE_ELEMENTS)
        .max_unused_warm_slots(WARM_SLOTS)
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
        .table_keep_resident(TABLE_KEEP_RESIDENT)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT)
        .pagemap_scan(if swap_is_on() { Enabled::No } else { Enabled::Auto });
    let mut config = code();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Without a pool: each instance maps its own memory. Slower starts, same limits.
pub(crate) fn on_demand() -> Config {
    let mut config = code();
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    config
}

/// Whether pages may leave for a swap device. The scan for touched pages does not see those, and the next instance
/// would find the last one's bytes in them. Unreadable counts as on.
fn swap_is_on() -> bool {
    match std::fs::read_to_string("/proc/swaps") {
        Ok(table) => table.lines().skip(1).any(|line| !line.trim().is_empty()),
        Err(_) => true,
    }
}
