//! Guests that behave, and guests that misbehave in one way each; every example is a component of its own.

/// Makes a component a plugin, by a function that gives what it says of itself: `(sdk, app_file)`. Expanded in place, so
/// that only plugins carry the interface.
#[macro_export]
macro_rules! plugin {
    ($describe:path) => {
        /// Generated from `wit/sdk`.
        mod bindings {
            wit_bindgen::generate!({ path: "../../wit/sdk", world: "plugin-api", generate_all });
        }

        struct Plugin;

        impl bindings::exports::spaceport::sdk::kind::Guest for Plugin {
            fn describe() -> bindings::exports::spaceport::sdk::kind::Description {
                let (sdk, app_file): (&str, &str) = $describe();
                bindings::exports::spaceport::sdk::kind::Description {
                    sdk: sdk.to_owned(),
                    app_file: app_file.to_owned(),
                }
            }
        }

        bindings::export!(Plugin with_types_in bindings);
    };
}
