//! Write apps for Spaceport.
//!
//! An app is a component: a crate of type `cdylib`, built with `cargo build --release --target wasm32-wasip2`. It answers
//! HTTP by a function from [`Request`] to [`Response`]:
//!
//! ```
//! use spaceport_guest::{Request, Response};
//!
//! fn handle(request: Request) -> Response {
//!     match request.path() {
//!         "/" => Response::html("<h1>Hello</h1>"),
//!         _ => Response::text("nothing here").with_status(404),
//!     }
//! }
//!
//! # #[cfg(target_family = "wasm")]
//! spaceport_guest::export!(handle);
//! # let _ = handle;
//! ```
//!
//! With the feature `p3` the function may be async and one instance answers many requests at a time:
//!
//! ```
//! # #[cfg(all(target_family = "wasm", feature = "p3"))]
//! # mod app {
//! use spaceport_guest::Event;
//! use spaceport_guest::service::{Request, Response, sleep};
//!
//! async fn handle(_: Request) -> Response {
//!     Response::events(|mut events| async move {
//!         for n in 0..10 {
//!             events.send(&Event::new(format!("tick {n}"))).await?;
//!             sleep(std::time::Duration::from_secs(1)).await;
//!         }
//!         Ok(())
//!     })
//! }
//!
//! spaceport_guest::export_service!(handle);
//! # }
//! ```
//!
//! Variables and secrets of the Space are in the environment ([`variable`]), files of the repository at `/app`, scratch
//! files in `/tmp`, lasting ones in `/data` if the Space has a persistent disk; `std::fs` reads and writes them. What is
//! printed goes to the Space's run log, and so does [`log!`]. All of this is WASI: the same component runs under
//! `wasmtime serve`. With the feature `spaceport` there are also log lines with levels and facts about the Space, in
//! `platform`, which only Spaceport offers.

#[cfg(any(test, target_family = "wasm"))]
mod head;
mod query;
mod request;
mod response;
mod sse;

#[cfg(all(target_family = "wasm", feature = "spaceport"))]
pub mod platform;
#[cfg(all(target_family = "wasm", feature = "p2"))]
#[doc(hidden)]
pub mod proxy;
#[cfg(all(target_family = "wasm", feature = "p3"))]
pub mod service;

pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use query::{decode, form, query_value};
pub use request::{Request, TooLarge};
pub use response::{Body, BodyWriter, Response, WriteBody};
pub use sse::Event;

#[cfg(all(target_family = "wasm", feature = "p2"))]
#[doc(hidden)]
pub use wasip2;
#[cfg(all(target_family = "wasm", feature = "p3"))]
#[doc(hidden)]
pub use wasip3;

/// The value of a variable or secret of the Space, or of a name that the platform sets, such as `SPACE_ID`.
///
/// ```
/// assert_eq!(spaceport_guest::variable("NOT_SET"), None);
/// ```
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Writes a line to the Space's run log, in the manner of `format!`.
///
/// ```
/// spaceport_guest::log!("{} entries", 3);
/// ```
#[macro_export]
macro_rules! log {
    ($($arg:tt)*) => { ::std::eprintln!($($arg)*) };
}

/// Makes a function `fn(Request) -> Response` the app's entry (wasi:http 0.2).
#[macro_export]
macro_rules! export {
    ($handle:path) => {
        struct SpaceportApp;

        impl $crate::wasip2::exports::http::incoming_handler::Guest for SpaceportApp {
            fn handle(
                request: $crate::wasip2::http::types::IncomingRequest,
                out: $crate::wasip2::http::types::ResponseOutparam,
            ) {
                $crate::proxy::serve(request, out, $handle);
            }
        }

        $crate::wasip2::http::proxy::export!(SpaceportApp with_types_in $crate::wasip2);
    };
}

/// Makes an async function `async fn(service::Request) -> service::Response` the app's entry (wasi:http 0.3).
#[macro_export]
macro_rules! export_service {
    ($handle:path) => {
        struct SpaceportService;

        impl $crate::wasip3::exports::http::handler::Guest for SpaceportService {
            async fn handle(
                request: $crate::wasip3::http::types::Request,
            ) -> Result<$crate::wasip3::http::types::Response, $crate::wasip3::http::types::ErrorCode> {
                $crate::service::serve(request, $handle).await
            }
        }

        $crate::wasip3::http::service::export!(SpaceportService with_types_in $crate::wasip3);
    };
}
