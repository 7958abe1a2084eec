//! Putting functions of ours in the place of the WASI library's own.
//!
//! A replacement that does not hit leaves the original in place and nobody notices. So each one is first checked to be
//! there, under the exact name and version: the linker has to refuse it as a duplicate.

use std::pin::Pin;

use wasmtime::StoreContextMut;
use wasmtime::component::{Accessor, ComponentNamedList, Lift, Linker, Lower};

/// What a replacement returns that waits with the store in its hands.
pub(super) type Waiting<'a, R> = Box<dyn Future<Output = wasmtime::Result<R>> + Send + 'a>;
/// The same without.
pub(super) type Concurrent<'a, R> = Pin<Box<dyn Future<Output = wasmtime::Result<R>> + Send + 'a>>;

/// An interface whose functions are replaced.
pub(super) struct Shadow<'a, T: 'static> {
    linker: &'a mut Linker<T>,
    interface: &'static str,
}

impl<'a, T: 'static> Shadow<'a, T> {
    /// Of an interface that is linked, by its name and version.
    pub(super) fn of(linker: &'a mut Linker<T>, interface: &'static str) -> Self {
        Self { linker, interface }
    }

    /// Replaces a function that never waits.
    pub(super) fn sync<P, R>(
        &mut self,
        name: &str,
        function: impl Fn(StoreContextMut<'_, T>, P) -> wasmtime::Result<R> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentNamedList + Lower + 'static,
    {
        self.replacing(name, |linker, interface| linker.instance(interface)?.func_wrap(name, function))
    }

    /// Replaces a function that may wait, while the guest stands still.
    pub(super) fn waiting<P, R>(
        &mut self,
        name: &str,
        function: impl for<'s> Fn(StoreContextMut<'s, T>, P) -> Waiting<'s, R> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentNamedList + Lower + 'static,
    {
        self.replacing(name, |linker, interface| linker.instance(interface)?.func_wrap_async(name, function))
    }

    /// Replaces an `async` function of 0.3.
    pub(super) fn concurrent<P, R>(
        &mut self,
        name: &str,
        function: impl for<'s> Fn(&'s Accessor<T>, P) -> Concurrent<'s, R> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentNamedList + Lower + 'static,
    {
        self.replacing(name, |linker, interface| linker.instance(interface)?.func_wrap_concurrent(name, function))
    }

    fn replacing(
        &mut self,
        name: &str,
        define: impl FnOnce(&mut Linker<T>, &str) -> wasmtime::Result<()>,
    ) -> wasmtime::Result<()> {
        let interface = self.interface;
        self.linker.allow_shadowing(false);
        let is_new = self.linker.instance(interface)?.func_wrap(name, |_, (): ()| Ok(())).is_ok();
        if is_new {
            wasmtime::bail!("{interface} has no function {name} to replace: the library speaks another version");
        }
        self.linker.allow_shadowing(true);
        let outcome = define(self.linker, interface);
        self.linker.allow_shadowing(false);
        outcome
    }
}
